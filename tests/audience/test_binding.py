"""A policy meets the metadata of a server, or says at once that the two do not fit."""

from __future__ import annotations

import pytest

from keybound.audience import POLICIES, AudiencePolicy, AudienceRule
from keybound.errors import PolicyError
from keybound.kinds import TokenKind

ISSUER = "https://as.example.com"
TOKEN, BACKCHANNEL = f"{ISSUER}/token", f"{ISSUER}/bc"
ENDPOINTS = {"token_endpoint": TOKEN, "backchannel_authentication_endpoint": BACKCHANNEL}


def policy(*rules: AudienceRule, **options: object) -> AudiencePolicy:
    return AudiencePolicy(name="ours", source="here", client_assertion=rules, **options)


@pytest.mark.parametrize(
    "arguments",
    [
        {"issuer": ""},
        {"issuer": "as.example.com"},
        {"issuer": "https://"},
        {"issuer": "https://as.example.com/a b"},
        {"issuer": "https://as.example.com/\u00e9"},
        {"issuer": None},
        {"issuer": b"https://as.example.com"},
        {"endpoints": {}},
        {"endpoints": None},
        {"endpoints": [("token_endpoint", TOKEN)]},
        {"endpoints": {"token": TOKEN}},
        {"endpoints": {"Token_endpoint": TOKEN}},
        {"endpoints": {"_endpoint": TOKEN}},
        {"endpoints": {5: TOKEN}},
        {"endpoints": {"this_endpoint": TOKEN}},
        {"endpoints": {"any_endpoint": TOKEN}},
        {"endpoints": {"token_endpoint": "/token"}},
        {"endpoints": {"token_endpoint": None}},
        {"endpoints": {"token_endpoint": [TOKEN]}},
        {"aliases": {"token_endpoint": "/token"}},
        {"aliases": {"revocation_endpoint": TOKEN}},
        {"aliases": [TOKEN]},
    ],
    ids=str,
)
def test_metadata_that_cannot_be(arguments):
    with pytest.raises(PolicyError):
        POLICIES["fapi2-final"].bind(**{"issuer": ISSUER, "endpoints": ENDPOINTS} | arguments)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("camara-earlier", "token_endpoint"),
        ("oidc-core", "token_endpoint"),
        ("ciba-core", "backchannel_authentication_endpoint"),
        ("camara-interop", "token_endpoint"),
    ],
)
def test_an_endpoint_that_a_rule_accepts_must_be_in_the_metadata(name, missing):
    endpoints = ENDPOINTS | {"revocation_endpoint": f"{ISSUER}/revoke"}
    del endpoints[missing]
    with pytest.raises(PolicyError, match=missing):
        POLICIES[name].bind(issuer=ISSUER, endpoints=endpoints)


def test_a_rule_for_an_endpoint_that_the_server_lacks_is_left_aside():
    bound = POLICIES["camara-interop"].bind(issuer=ISSUER, endpoints={"token_endpoint": TOKEN})
    assert bound.endpoints() == ("token_endpoint",)
    with pytest.raises(PolicyError, match="backchannel_authentication_endpoint"):
        bound.at("backchannel_authentication_endpoint")


def test_a_policy_without_any_rule_for_the_server():
    with pytest.raises(PolicyError, match="no rule"):
        POLICIES["camara-strict-v1"].bind(
            issuer=ISSUER, endpoints={"revocation_endpoint": f"{ISSUER}/revoke"}
        )


def test_an_issuer_that_is_also_an_endpoint_contradicts_a_rule_against_the_issuer():
    endpoints = {"token_endpoint": ISSUER}
    with pytest.raises(PolicyError, match="same URL"):
        POLICIES["camara-earlier"].bind(issuer=ISSUER, endpoints=endpoints)
    assert POLICIES["oidc-core"].bind(issuer=ISSUER, endpoints=endpoints).judge("token_endpoint", ISSUER)


@pytest.mark.parametrize(
    "endpoint", ["token", "any_endpoint", "", None, 5, ["token_endpoint"], "userinfo_endpoint"]
)
def test_an_endpoint_that_cannot_be_judged(endpoint):
    bound = POLICIES["fapi2-final"].bind(issuer=ISSUER, endpoints=ENDPOINTS)
    for ask in (bound.at, lambda name: bound.judge(name, ISSUER)):
        with pytest.raises(PolicyError):
            ask(endpoint)


@pytest.mark.parametrize("kind", ["access_token", "", None, 5, ["client_assertion"]])
def test_a_kind_that_cannot_be_judged(kind):
    bound = POLICIES["fapi2-final"].bind(issuer=ISSUER, endpoints=ENDPOINTS)
    for ask in (lambda: bound.at("token_endpoint", kind), lambda: bound.endpoints(kind)):
        with pytest.raises(PolicyError, match="kind"):
            ask()


def test_a_kind_is_a_text_or_a_member():
    bound = POLICIES["camara-strict-v1"].bind(issuer=ISSUER, endpoints=ENDPOINTS)
    assert bound.at("token_endpoint", TokenKind.CLIENT_ASSERTION) is bound.at("token_endpoint")
    with pytest.raises(PolicyError):
        bound.at("token_endpoint", TokenKind.REQUEST_OBJECT)


def test_names_become_urls_in_the_order_of_the_rule():
    rule = AudienceRule(
        at="any_endpoint",
        accept=("this_endpoint", "issuer", "token_endpoint", "any_endpoint"),
        recommend=("token_endpoint",),
    )
    bound = policy(rule).bind(issuer=ISSUER, endpoints=ENDPOINTS)
    at_token, at_backchannel = (bound.at(name) for name in ENDPOINTS)
    assert at_token.accepted == (TOKEN, ISSUER, BACKCHANNEL)
    assert at_backchannel.accepted == (BACKCHANNEL, ISSUER, TOKEN)
    assert at_token.recommended == at_backchannel.recommended == (TOKEN,)
    assert at_backchannel.endpoint == "backchannel_authentication_endpoint"


def test_aliases_follow_their_endpoint():
    """S000-09"""
    rule = AudienceRule(
        at="any_endpoint", accept=("any_endpoint", "this_endpoint"), recommend=("this_endpoint",)
    )
    aliases = {"token_endpoint": "https://mtls.example.com/token"}
    bound = policy(rule, aliases=True).bind(issuer=ISSUER, endpoints=ENDPOINTS, aliases=aliases)
    assert bound.at("token_endpoint").recommended == (TOKEN, aliases["token_endpoint"])
    assert bound.judge("backchannel_authentication_endpoint", aliases["token_endpoint"]).outcome == "warn"


def test_endpoints_at_one_url_are_one():
    """A server may receive everything at one URL; then a rule for the one endpoint covers the other."""
    endpoints = dict.fromkeys(ENDPOINTS, TOKEN)
    bound = POLICIES["camara-strict-v2"].bind(issuer=ISSUER, endpoints=endpoints)
    assert bound.at("token_endpoint").accepted == bound.at("backchannel_authentication_endpoint").accepted


DOCUMENT = {
    "issuer": ISSUER,
    **ENDPOINTS,
    "jwks_uri": f"{ISSUER}/jwks",
    "token_endpoint_auth_methods_supported": ["private_key_jwt"],
    "https://as.example.com/made_up_endpoint": 5,
    "mtls_endpoint_aliases": {
        "token_endpoint": "https://mtls.example.com/token",
        "revocation_endpoint": "https://mtls.example.com/revoke",
        "jwks_uri": 5,
    },
}


class TestMetadataDocument:
    def test_what_is_not_an_endpoint_is_left_aside(self):
        bound = POLICIES["camara-endpoint-only"].bind_metadata(DOCUMENT)
        assert set(bound.endpoints()) == set(ENDPOINTS)
        assert bound.issuer == ISSUER
        assert bound.policy is POLICIES["camara-endpoint-only"]

    def test_aliases_are_taken_if_the_policy_lists_them(self):
        """S000-09"""
        members = POLICIES["camara-endpoint-only"].to_mapping() | {"aliases": True}
        bound = AudiencePolicy.from_mapping(members).bind_metadata(DOCUMENT)
        assert bound.at("token_endpoint").accepted == (TOKEN, "https://mtls.example.com/token")
        assert bound.at("backchannel_authentication_endpoint").accepted == (BACKCHANNEL,)

    @pytest.mark.parametrize(
        "changes",
        [
            {"issuer": 5},
            {"token_endpoint": None},
            {"mtls_endpoint_aliases": []},
            {"mtls_endpoint_aliases": {"token_endpoint": 5}},
        ],
        ids=str,
    )
    def test_metadata_that_cannot_be(self, changes):
        with pytest.raises(PolicyError):
            POLICIES["fapi2-final"].bind_metadata(DOCUMENT | changes)

    @pytest.mark.parametrize("document", [None, [], "x", 5, {}, {"issuer": ISSUER}])
    def test_no_metadata(self, document):
        with pytest.raises(PolicyError):
            POLICIES["fapi2-final"].bind_metadata(document)
