"""Request objects: every rule accepted and rejected, on both twins.

RFC 9101; OpenID Connect Core, 6; FAPI 1 Advanced, 5.2.2; FAPI 2 Message Signing, 5.3; CIBA Core, 7.1.1.
"""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest

import keybound
from keybound.audience import POLICIES
from keybound.errors import Reason
from keybound.stores import MemoryReplayStore
from keybound.testing import ALGORITHMS, OMIT, EncryptionKey, FakeClient, FakeClock, encrypt_jwe

ISSUER = "https://as.example.com"
TOKEN = f"{ISSUER}/token"
AUTHORIZATION = f"{ISSUER}/authorize"
BACKCHANNEL = f"{ISSUER}/bc-authorize"
PUSHED = f"{ISSUER}/par"
SERVER = {
    "issuer": ISSUER,
    "token_endpoint": TOKEN,
    "authorization_endpoint": AUTHORIZATION,
    "backchannel_authentication_endpoint": BACKCHANNEL,
    "pushed_authorization_request_endpoint": PUSHED,
}
AT_PUSHED = "pushed_authorization_request_endpoint"
CALLBACK = "https://client.example.org/cb"
HOUR, DAY = 3600, 86_400

CLOCK = FakeClock()
CLIENT = FakeClient("s6BhdRkqt3", clock=CLOCK)
STRANGER = FakeClient("another", clock=CLOCK)
NOT_TEXT = [None, 5, True, [], ["x"], {}]


def request(client: FakeClient = CLIENT, **claims: Any) -> str:
    return client.request_object(**{"audience": ISSUER} | claims)


def backchannel(**claims: Any) -> str:
    """A signed request of CIBA: no response type, no redirection (CIBA Core, 7.1.1)."""
    plain = dict.fromkeys(("client_id", "response_type", "redirect_uri", "state"), OMIT)
    return request(**plain | {"login_hint": "user-1", "binding_message": "W4SCT"} | claims)


def make(
    package: ModuleType,
    *,
    client: FakeClient = CLIENT,
    keys_of: FakeClient | None = None,
    policy: str | None = None,
    named: str = "OAUTH",
    **options: Any,
) -> Any:
    """A validator for ``client`` with named policy and profile."""
    usual = {
        "client_id": client.client_id,
        "keys": package.JWKSet.from_json((keys_of or client).jwks()),
        "audience": ISSUER,
        "algorithms": [client.key.alg],
        "clock": CLOCK,
        "profile": getattr(package.profiles, named),
    }
    if policy is not None:
        usual["audience"] = package.audience.POLICIES[policy].bind_metadata(SERVER)
    decrypts = options.pop("decrypts", None)
    if decrypts is not None:
        keys = package.DecryptionKeys.from_json({"keys": [decrypts.private_jwk()]})
        usual["decryption"] = package.Decryption(
            keys=keys, algorithms=[decrypts.alg], encryptions=["A256GCM"]
        )
    return package.RequestObjectValidator(**usual | options)


@pytest.fixture(scope="module")
def judge(judge_of: Any) -> Any:
    return judge_of(make)


def verdict(validator: Any, raw: Any, **beside: Any) -> str:
    try:
        validator.validate(raw, **beside)
    except Exception as error:
        return str(error.reason)  # type: ignore[attr-defined]
    return "ok"


# What it says


def test_what_a_good_request_says(judge: Any) -> None:
    good = judge.accepts(
        request(
            scope="openid accounts",
            nonce="n-0S6_WzA2Mj",
            response_mode="jwt",
            code_challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            code_challenge_method="S256",
            max_age=86_400,
            login_hint="user-1",
            claims={"id_token": {"acr": {"essential": True}}},
        )
    )
    assert (good.client_id, good.issuer, good.subject) == (CLIENT.client_id, CLIENT.client_id, None)
    assert (good.response_type, good.response_mode, good.redirect_uri) == ("code", "jwt", CALLBACK)
    assert (good.scopes, good.state, good.nonce) == ({"openid", "accounts"}, "af0ifjsldkj", "n-0S6_WzA2Mj")
    assert (good.code_challenge[:4], good.code_challenge_method, good.max_age) == ("E9Me", "S256", 86_400)
    assert (good.login_hint, good.binding_message, good.warning) == ("user-1", None, None)
    assert repr(good) == "<keybound.RequestObject>"
    # The parameters are those of the request, without what a JWT has.
    assert not {"iss", "aud", "exp", "nbf", "iat", "jti"} & set(good.parameters)
    assert good.parameters["claims"] == {"id_token": {"acr": {"essential": True}}}
    for change in (lambda: good.parameters.clear(), lambda: good.parameters["claims"].clear()):
        with pytest.raises(TypeError):
            change()


def test_what_a_backchannel_request_says(judge: Any) -> None:
    good = judge.accepts(backchannel())
    assert (good.client_id, good.response_type, good.redirect_uri) == (CLIENT.client_id, None, None)
    assert (good.login_hint, good.binding_message) == ("user-1", "W4SCT")


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_algorithm(judge: Any, alg: str) -> None:
    client = FakeClient("client", alg=alg, clock=CLOCK)
    judge.accepts(request(client), options={"client": client})


# Who signed it: RFC 9101, 6.2 and 10.2


def test_algorithms_and_signatures(judge: Any) -> None:
    """FAPI 1 Advanced, 8.6: no RS256; RFC 9101, 10.5: nothing unsigned."""
    rsa = FakeClient("rsa", alg="RS256", clock=CLOCK)
    judge.rejects(request(rsa), Reason.ALG_NOT_ALLOWED, options={"client": rsa, "algorithms": ["PS256"]})
    judge.rejects(request(header={"alg": "none"}), Reason.ALG_NOT_ALLOWED)
    judge.rejects(request(key=STRANGER.key), Reason.KEY_UNKNOWN)
    judge.rejects(request(key=STRANGER.key, header={"kid": CLIENT.key.kid}), Reason.SIGNATURE_INVALID)
    judge.rejects(request()[:-4] + "AAAA", Reason.SIGNATURE_INVALID)
    judge.rejects(None, Reason.TOKEN_MISSING)


def test_keys_of_its_own(package: Any) -> None:
    """S002-10: other keys for request objects than for assertions, and neither passes for the other."""
    assertions, requests = (FakeClient("client", clock=CLOCK) for _ in range(2))
    for options in ({}, {"header": {"kid": "key"}}):
        validators = {
            kind: {"keys": package.JWKSet.from_json(jwks_of(client, options))}
            for kind, client in (("assertion", assertions), ("request", requests))
        }
        usual = {"client_id": "client", "audience": ISSUER, "algorithms": ["ES256"], "clock": CLOCK}
        authenticating = package.ClientAssertionValidator(**usual, **validators["assertion"], replay=None)
        reading = package.RequestObjectValidator(**usual, **validators["request"])
        assert verdict(authenticating, assertions.assertion(**options)) == "ok"
        assert verdict(reading, requests.request_object(**options)) == "ok"
        mismatch = "signature_invalid" if options else "key_unknown"
        assert verdict(authenticating, requests.assertion(**options)) == mismatch
        assert verdict(reading, assertions.request_object(**options)) == mismatch


def jwks_of(client: FakeClient, options: dict[str, Any]) -> dict[str, Any]:
    kid = options.get("header", {}).get("kid", client.key.kid)
    return {"keys": [jwk | {"kid": kid} for jwk in client.jwks()["keys"]]}


def test_issuer_is_the_client(judge: Any) -> None:
    judge.rejects(request(iss=OMIT), Reason.ISS_MISSING)
    judge.rejects(request(iss="another"), Reason.ISS_MISMATCH)
    judge.rejects(request(iss=None), Reason.ISS_INVALID)
    judge.rejects(request(STRANGER), Reason.ISS_MISMATCH, options={"keys_of": STRANGER})


def test_client_identifier(judge: Any) -> None:
    """RFC 9101, 6.3"""
    judge.accepts(request(client_id=OMIT))
    rejected = judge.rejects(request(client_id="another"), Reason.CLAIM_MISMATCH, claim="client_id")
    assert rejected.error == "invalid_request"
    for odd in NOT_TEXT:
        judge.rejects(request(client_id=odd), Reason.CLIENT_ID_INVALID)
    judge.rejects(
        request(client_id=OMIT), Reason.CLIENT_ID_MISSING, options={"required_claims": ["client_id"]}
    )


def test_subject_is_not_the_client(judge: Any) -> None:
    """S002-08, S004-28: answered with ``invalid_request`` (RFC 9101, 10.8)."""
    rejected = judge.rejects(request(sub=CLIENT.client_id), Reason.SUBJECT_IS_CLIENT)
    assert (rejected.error, rejected.status) == ("invalid_request", 400)
    assert rejected.error_response()["error"] == "invalid_request"
    judge.accepts(request(sub="user-1"))
    judge.rejects(request(sub=None), Reason.SUB_INVALID)


# What it is: RFC 9101, 10.8


def test_explicit_typing(judge: Any) -> None:
    """S002-09: off by default, on when asked for."""
    typed = {"explicit_typing": True}
    for typ in ("oauth-authz-req+jwt", "application/oauth-authz-req+jwt", "OAuth-Authz-Req+JWT"):
        judge.accepts(request(typ=typ))
        judge.accepts(request(typ=typ), options=typed)
    for typ in ("JWT", "jwt", OMIT):
        judge.accepts(request(header={"typ": typ}))
        reason = Reason.TYP_MISSING if typ is OMIT else Reason.TYP_NOT_ALLOWED
        judge.rejects(request(header={"typ": typ}), reason, options=typed)
    judge.rejects(request(typ="at+jwt"), Reason.TYP_NOT_ALLOWED)


@pytest.mark.parametrize("name", keybound.profiles.PROFILES)
def test_explicit_typing_of_profiles(name: str) -> None:
    """S002-09: on in profiles for new deployments, off where it would break those there are."""
    rules = keybound.profiles.PROFILES[name].rules(keybound.TokenKind.REQUEST_OBJECT)
    new = name == "fapi2-message-signing"
    assert rules.typ_required is new
    assert (rules.types == {"oauth-authz-req+jwt"}) is new


def test_client_assertion_as_request_object(judge: Any) -> None:
    """S002-07"""
    for typ in ("JWT", "client-authentication+jwt"):
        raw = CLIENT.assertion(audience=ISSUER, typ=typ)
        reason = Reason.SUBJECT_IS_CLIENT if typ == "JWT" else Reason.TYP_NOT_ALLOWED
        judge.rejects(raw, reason)
        judge.rejects(raw, Reason.TYP_NOT_ALLOWED, options={"explicit_typing": True})


@pytest.mark.parametrize("claim", ["htm", "events", "at_hash", "token_introspection", "code", "error"])
def test_other_kinds_as_request_object(judge: Any, claim: str) -> None:
    """SX-01"""
    judge.rejects(request(**{claim: "x"}), Reason.KIND_MISMATCH)


@pytest.mark.parametrize("nested", ["request", "request_uri"])
def test_no_request_within_a_request(judge: Any, nested: str) -> None:
    """RFC 9101, 4: whatever it says, and under every profile."""
    for value in ("", "urn:example:1", None, {}):
        judge.rejects(request(**{nested: value}), Reason.CLAIM_FORBIDDEN, claim=nested)
    judge.rejects(
        request(tenant="a"), Reason.CLAIM_FORBIDDEN, claim="tenant", options={"forbidden_claims": "tenant"}
    )


# For whom: RFC 9101, 4


def test_audience(judge: Any) -> None:
    """S002-12: the issuer, alone or among others."""
    for aud in (ISSUER, [ISSUER], ["https://other.example", ISSUER]):
        judge.accepts(request(audience=aud))
    judge.rejects(request(audience=OMIT), Reason.AUD_MISSING)
    judge.rejects(request(audience=[]), Reason.AUD_INVALID)
    for aud in (AUTHORIZATION, ISSUER + "/", ["https://other.example"]):
        judge.rejects(request(audience=aud), Reason.AUD_MISMATCH)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("endpoint", ["authorization_endpoint", AT_PUSHED])
@pytest.mark.parametrize("aud", [ISSUER, AUTHORIZATION, TOKEN, PUSHED, [ISSUER], [AUTHORIZATION]], ids=str)
def test_policies_judge(judge: Any, policy: str, endpoint: str, aud: Any) -> None:
    """S002-12: the issuer, except where ``camara-strict-*`` want the authorization endpoint."""
    said = POLICIES[policy].bind_metadata(SERVER).judge(endpoint, aud, kind="request_object")
    options = {"policy": policy}
    if said:
        accepted = judge.accepts(request(audience=aud), options=options, endpoint=endpoint)
        assert accepted.warning == (said.code if said.outcome == "warn" else None)
        assert "strict" not in policy or aud == AUTHORIZATION
    else:
        judge.rejects(request(audience=aud), said.reason, options=options, endpoint=endpoint)


# When: FAPI 1 Advanced, 5.2.2 (13) and (17); FAPI 2 Message Signing, 5.3.1


def test_times_are_optional_and_looked_at(judge: Any) -> None:
    judge.accepts(request(exp=OMIT, nbf=OMIT, iat=OMIT))
    judge.rejects(request(lifetime=-60), Reason.TOKEN_EXPIRED)
    judge.accepts(request(nbf=CLOCK() + 8, iat=CLOCK() + 8))
    judge.rejects(request(nbf=CLOCK() + 600), Reason.TOKEN_NOT_YET_VALID)
    judge.rejects(request(iat=CLOCK() + 61), Reason.IAT_IN_FUTURE)
    judge.rejects(request(iat=CLOCK() - DAY - 11), Reason.TOKEN_TOO_OLD, options={"max_token_age": DAY})
    for claim, reason in (
        ("exp", Reason.EXP_INVALID),
        ("nbf", Reason.NBF_INVALID),
        ("iat", Reason.IAT_INVALID),
    ):
        judge.rejects(request(**{claim: None}), reason)
        judge.rejects(request(**{claim: str(int(CLOCK()))}), reason)


FAPI = [
    {"named": "FAPI1_ADVANCED"},
    {"named": "FAPI2_MESSAGE_SIGNING"},
    {"max_expiry_distance": HOUR, "max_nbf_age": HOUR},
]


@pytest.mark.parametrize("options", FAPI, ids=str)
def test_windows(judge: Any, options: dict[str, Any]) -> None:
    """Both mandatory; ``exp`` at most 60 minutes ahead, ``nbf`` at most 60 minutes old."""
    judge.accepts(request(lifetime=HOUR), options=options)
    judge.accepts(request(nbf=CLOCK() - HOUR), options=options)
    judge.rejects(request(exp=OMIT), Reason.EXP_MISSING, options=options)
    judge.rejects(request(nbf=OMIT), Reason.NBF_MISSING, options=options)
    judge.rejects(request(lifetime=70 * 60), Reason.LIFETIME_TOO_LONG, options=options)
    judge.rejects(request(lifetime=70 * 60, iat=OMIT), Reason.LIFETIME_TOO_LONG, options=options)
    judge.rejects(request(nbf=CLOCK() - 70 * 60), Reason.TOKEN_TOO_OLD, options=options)
    judge.rejects(request(nbf=CLOCK() + 10 * 60), Reason.TOKEN_NOT_YET_VALID, options=options)
    judge.rejects(request(lifetime=-60), Reason.TOKEN_EXPIRED, options=options)


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ("aud", Reason.AUD_MISSING),
        ("exp", Reason.EXP_MISSING),
        ("iat", Reason.IAT_MISSING),
        ("iss", Reason.ISS_MISSING),
        ("jti", Reason.JTI_MISSING),
        ("nbf", Reason.NBF_MISSING),
    ],
)
@pytest.mark.parametrize("named", ["CIBA", "FAPI_CIBA"])
def test_claims_of_a_backchannel_request(judge: Any, named: str, claim: str, reason: Reason) -> None:
    """CIBA Core, 7.1.1: all six are mandatory."""
    judge.accepts(backchannel(), options={"named": named})
    judge.rejects(backchannel(**{claim: OMIT}), reason, options={"named": named})


def test_windows_of_a_backchannel_request(judge: Any) -> None:
    """FAPI-CIBA: as for FAPI 1."""
    options = {"named": "FAPI_CIBA"}
    judge.rejects(backchannel(lifetime=70 * 60), Reason.LIFETIME_TOO_LONG, options=options)
    judge.rejects(backchannel(nbf=CLOCK() + 600), Reason.TOKEN_NOT_YET_VALID, options=options)
    judge.rejects(backchannel(nbf=CLOCK() - 70 * 60), Reason.TOKEN_TOO_OLD, options=options)
    judge.rejects(backchannel(iss="another"), Reason.ISS_MISMATCH, options=options)
    judge.rejects(backchannel(audience="https://other.example"), Reason.AUD_MISMATCH, options=options)
    judge.rejects(backchannel(header={"alg": "none"}), Reason.ALG_NOT_ALLOWED, options=options)


# Once


def test_used_once(package: Any) -> None:
    """CIBA Core, 7.1.1: ``jti`` is unique; only what is good in every other way is used up."""
    validator = make(package, replay=MemoryReplayStore(), redirect_uris=CALLBACK)
    assert verdict(validator, request(jti="j", sub=CLIENT.client_id)) == "subject_is_client"
    assert verdict(validator, request(jti="j", max_age=None)) == "claim_invalid"
    assert verdict(validator, request(jti="j"), parameters={"state": "other"}) == "parameter_mismatch"
    assert verdict(validator, request(jti="j")) == "ok"
    assert verdict(validator, request(jti="j")) == "jti_replayed"
    assert verdict(validator, request(jti="j"), endpoint=AT_PUSHED) == "jti_replayed"
    assert verdict(validator, request(jti="k")) == "ok"
    assert verdict(validator, request(jti=OMIT)) == "jti_missing"
    assert verdict(validator, request(exp=OMIT)) == "exp_missing"


def test_not_the_same_as_an_assertion_with_its_identifier(package: Any) -> None:
    store = MemoryReplayStore()
    usual = {"client_id": CLIENT.client_id, "audience": ISSUER, "algorithms": ["ES256"], "clock": CLOCK}
    usual |= {"keys": package.JWKSet.from_json(CLIENT.jwks()), "replay": store}
    assertions = package.ClientAssertionValidator(**usual)
    assert verdict(assertions, CLIENT.assertion(audience=ISSUER, jti="j")) == "ok"
    assert verdict(package.RequestObjectValidator(**usual), request(jti="j")) == "ok"


def test_identifier(judge: Any) -> None:
    judge.accepts(request(jti=OMIT))
    judge.accepts(request(jti="j" * 128))
    judge.rejects(request(jti="j" * 129), Reason.JTI_INVALID)
    for odd in ("", *NOT_TEXT):
        judge.rejects(request(jti=odd), Reason.JTI_INVALID)


# The parameters: RFC 9101, 4


@pytest.mark.parametrize(
    "name",
    [
        *("response_type", "redirect_uri", "state", "code_challenge", "code_challenge_method"),
        *("response_mode", "prompt", "acr_values", "login_hint", "binding_message", "nonce", "dpop_jkt"),
    ],
)
def test_texts(judge: Any, name: str) -> None:
    judge.accepts(request(**{name: "x"}))
    for odd in NOT_TEXT:
        judge.rejects(request(**{name: odd}), Reason.CLAIM_INVALID, claim=name)


def test_scope_is_text(judge: Any) -> None:
    judge.accepts(request(scope="openid accounts"))
    for odd in (None, 5, ["openid"]):
        rejected = judge.rejects(request(scope=odd), Reason.SCOPE_INVALID)
        assert rejected.error == "invalid_request_object"


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("max_age", [0, 86_400], [None, -1, 1.5, True, "86400", []]),
        ("requested_expiry", [1, 300, "300"], [None, 0, -1, True, "0", "", "-5", "soon", "\u0663", [300]]),
        ("claims", [{}, {"userinfo": {"name": None}}], [None, "{}", [], 5]),
        ("registration", [{}], [None, "{}", []]),
        ("authorization_details", [[], [{"type": "payment"}]], [None, {}, "[]"]),
        ("resource", ["https://rs.example.org", ["https://rs.example.org"], None], []),
    ],
)
def test_other_types(judge: Any, name: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        judge.accepts(request(**{name: value}))
    for value in bad:
        rejected = judge.rejects(request(**{name: value}), Reason.CLAIM_INVALID, claim=name)
        assert (rejected.error, rejected.status) == ("invalid_request_object", 400)


@pytest.mark.parametrize("length", [64, 10_000])
def test_long_nonce(judge: Any, length: int) -> None:
    assert len(judge.accepts(request(nonce="n" * length)).nonce) == length


# Beside it: RFC 9101, 5 and 6.3; OpenID Connect Core, 6.1


PLAIN = {"client_id": CLIENT.client_id, "response_type": "code", "scope": "openid", "request": "..."}


def test_plain_parameters_that_say_the_same(judge: Any) -> None:
    judge.accepts(request(), parameters={})
    judge.accepts(request(), parameters=PLAIN | {"redirect_uri": CALLBACK, "state": "af0ifjsldkj"})
    judge.accepts(request(scope="openid accounts"), parameters=PLAIN)
    judge.accepts(
        request(response_type="code id_token", max_age=60, claims={"a": [1]}),
        parameters=PLAIN | {"response_type": "id_token code", "max_age": "60", "claims": '{ "a": [1] }'},
    )


def test_what_stands_only_beside_it_is_ignored(judge: Any) -> None:
    beside = PLAIN | {"state": "outside", "nonce": "outside", "redirect_uri": CALLBACK, "code_challenge": "x"}
    bare = request(state=OMIT, nonce=OMIT, redirect_uri=OMIT)
    good = judge.accepts(bare, parameters=beside)
    assert good.state is good.nonce is good.redirect_uri is good.code_challenge is None
    assert set(good.parameters) == {"client_id", "response_type", "scope"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "other"),
        ("redirect_uri", "https://attacker.example"),
        ("redirect_uri", CALLBACK + "/"),
        ("scope", "openid admin"),
        ("nonce", "other"),
        ("response_type", "token"),
        ("response_type", "code code"),
        ("max_age", "61"),
        ("max_age", "sixty"),
        ("max_age", 60),
        ("claims", "{}"),
        ("claims", '{"a":1,"a":1}'),
        ("state", ["af0ifjsldkj"]),
        ("state", None),
        ("state", "\ud800"),
        ("max_age", "\ud800"),
    ],
)
def test_plain_parameters_that_say_otherwise(judge: Any, name: str, value: Any) -> None:
    raw = request(max_age=60, nonce="n", claims={"a": 1})
    parameters = PLAIN | {name: value}
    rejected = judge.rejects(raw, Reason.PARAMETER_MISMATCH, claim=name, parameters=parameters)
    assert (rejected.error, rejected.status) == ("invalid_request", 400)
    ignored = {"duplicates": "ignored"}
    if name == "response_type":
        judge.rejects(raw, Reason.PARAMETER_MISMATCH, claim=name, parameters=parameters, options=ignored)
    else:
        # And the signed one is used.
        good = judge.accepts(raw, parameters=parameters, options=ignored)
        assert (good.state, good.redirect_uri, good.max_age) == ("af0ifjsldkj", CALLBACK, 60)


def test_names_from_the_request_are_not_shown(judge: Any) -> None:
    rejected = judge.rejects(
        request(secret_name="a"), Reason.PARAMETER_MISMATCH, parameters={"secret_name": "b"}
    )
    assert "secret" not in str(rejected)


@pytest.mark.parametrize("client_id", ["another", "", None, ["s6BhdRkqt3"]])
def test_client_of_the_plain_request(judge: Any, client_id: Any) -> None:
    """RFC 9101, 5: it must be the same, also where other parameters are ignored."""
    for options in ({}, {"duplicates": "ignored"}):
        rejected = judge.rejects(
            request(), Reason.CLIENT_MISMATCH, parameters={"client_id": client_id}, options=options
        )
        assert rejected.error == "invalid_request"


def test_by_value_or_by_reference(judge: Any) -> None:
    """RFC 9101, 5: not both."""
    uri = {"request_uri": "https://client.example.org/request"}
    judge.accepts(request(), parameters=uri)
    judge.rejects(request(), Reason.PARAMETER_MISMATCH, claim="request_uri", parameters=PLAIN | uri)


@pytest.mark.parametrize("parameters", ["client_id=x", [("client_id", "x")], 5])
def test_parameters_that_are_none(parameters: Any) -> None:
    validator = make(keybound)
    with pytest.raises(keybound.PolicyError):
        validator.validate(request(), parameters=parameters)
    with pytest.raises(keybound.PolicyError):
        validator.error_redirect_uri(parameters)


# Where the error goes: RFC 6749, 4.1.2.1


SECOND = "https://client.example.org/second"


@pytest.mark.parametrize(
    ("registered", "parameters", "target"),
    [
        ([CALLBACK], {}, CALLBACK),
        ([CALLBACK], {"redirect_uri": CALLBACK}, CALLBACK),
        ([CALLBACK], {"redirect_uri": "https://attacker.example"}, None),
        ([CALLBACK], {"redirect_uri": CALLBACK + "/"}, None),
        ([CALLBACK], {"redirect_uri": None}, None),
        ([CALLBACK], {"redirect_uri": [CALLBACK]}, None),
        ([CALLBACK], {"client_id": "another"}, None),
        ([CALLBACK, SECOND], {}, None),
        ([CALLBACK, SECOND], {"redirect_uri": SECOND}, SECOND),
        ([CALLBACK, SECOND], {"redirect_uri": "https://attacker.example"}, None),
        ([], {}, None),
        ([], {"redirect_uri": CALLBACK}, None),
    ],
)
def test_where_an_error_may_be_sent(registered: list[str], parameters: Any, target: str | None) -> None:
    """S004-30: no ``redirect_uri`` in the plain request and more than one registered: do not redirect."""
    validator = make(keybound, redirect_uris=registered)
    assert validator.error_redirect_uri(PLAIN | parameters) == target
    # What the rejected object itself says of it has no say.
    with pytest.raises(keybound.TokenRejected):
        validator.validate(request(redirect_uri=SECOND, lifetime=-60), parameters=PLAIN)
    assert validator.error_redirect_uri(PLAIN | parameters) == target


# Encrypted: RFC 9101, 6.1


KEYS = {alg: EncryptionKey.generate(alg) for alg in ("RSA-OAEP-256", "ECDH-ES")}


@pytest.mark.parametrize("alg", KEYS)
def test_encrypted(judge: Any, alg: str) -> None:
    options = {"decrypts": KEYS[alg]}
    sealed = encrypt_jwe(request(), KEYS[alg], enc="A256GCM", header={"cty": "JWT"})
    assert judge.accepts(sealed, options=options).state == "af0ifjsldkj"
    judge.rejects(sealed, Reason.TOKEN_ENCRYPTED)
    late = encrypt_jwe(request(lifetime=-60), KEYS[alg], enc="A256GCM", header={"cty": "JWT"})
    judge.rejects(late, Reason.TOKEN_EXPIRED, options=options)


def test_plain_where_encrypted_is_agreed(judge: Any) -> None:
    judge.rejects(request(), Reason.TOKEN_NOT_ENCRYPTED, options={"decrypts": KEYS["ECDH-ES"]})


def test_does_not_decrypt(judge: Any) -> None:
    """S004-29: answered with ``invalid_request_object``."""
    key, other = KEYS["RSA-OAEP-256"], EncryptionKey.generate("RSA-OAEP-256", kid=KEYS["RSA-OAEP-256"].kid)
    sealed = encrypt_jwe(request(), other, enc="A256GCM", header={"cty": "JWT"})
    rejected = judge.rejects(sealed, Reason.DECRYPTION_FAILED, options={"decrypts": key})
    assert (rejected.error, rejected.status) == ("invalid_request_object", 400)
    allowed = encrypt_jwe(request(), key, enc="A128GCM", header={"cty": "JWT"})
    rejected = judge.rejects(allowed, Reason.ENC_NOT_ALLOWED, options={"decrypts": key})
    assert rejected.error == "invalid_request_object"


@pytest.mark.parametrize("raw", ["", "a.b", "a.b.c", None, 5, b"\xff"], ids=repr)
def test_every_other_rejection_says_invalid_request_object(package: Any, raw: Any) -> None:
    with pytest.raises(package.TokenRejected) as caught:
        make(package).validate(raw)
    assert (caught.value.error, caught.value.status) == ("invalid_request_object", 400)


# Options


@pytest.mark.parametrize(
    "options",
    [
        {"client_id": ""},
        {"client_id": None},
        {"audience": None},
        {"audience": []},
        {"audience": SERVER},
        {"algorithms": []},
        {"explicit_typing": "true"},
        {"explicit_typing": True, "types": ["jwt"]},
        {"replay": {}},
        {"redirect_uris": [5]},
        {"redirect_uris": None},
        {"duplicates": "merge"},
        {"duplicates": None},
        {"duplicates": ["ignored"]},
        pytest.param({"decryption": object()}, id="decryption=object()"),
        {"max_nbf_age": 0},
        {"max_nbf_age": "3600"},
        {"max_expiry_distance": -1},
        {"max_token_age": float("nan")},
        {"jti_length": 0},
        {"required_claims": ["request"]},
        {"forbidden_claims": ["nbf"], "max_nbf_age": 60},
        {"forbidden_claims": ["exp"], "max_expiry_distance": 60},
        {"clock": None},
        {"keys": None},
    ],
    ids=lambda options: ",".join(f"{name}={value!r:.30}" for name, value in options.items()),
)
def test_refused_when_the_validator_is_made(options: dict[str, Any]) -> None:
    make(keybound)
    with pytest.raises(keybound.PolicyError):
        make(keybound, **options)


def test_metadata_for_the_policy_of_the_profile() -> None:
    """S000-18"""
    validator = make(keybound, named="CAMARA_2026", audience=SERVER)
    assert validator.validate(request()).warning == "aud_not_recommended"
    assert validator.validate(request(audience=AUTHORIZATION)).warning is None
    with pytest.raises(keybound.PolicyError):
        validator.validate(request(), endpoint="token_endpoint")


def test_claims_are_those_that_were_signed(judge: Any) -> None:
    good = judge.accepts(request(extra={"a": [1, None]}))
    assert json.loads(json.dumps(good.claims))["extra"] == {"a": [1, None]}
    assert good.parameters["extra"] == {"a": [1, None]}
