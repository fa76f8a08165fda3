"""Client assertions: every rule accepted and rejected, on both twins.

RFC 7523, 3; OpenID Connect Core, 9.
"""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

import pytest

import keybound
from keybound.audience import POLICIES, ReportOnly
from keybound.errors import Reason
from keybound.stores import MemoryReplayStore
from keybound.testing import ALGORITHMS, OMIT, CertificateAuthority, FakeClient, FakeClock, FakeIssuer

ISSUER = "https://as.example.com"
TOKEN = f"{ISSUER}/token"
BACKCHANNEL = f"{ISSUER}/bc-authorize"
AUTHORIZATION = f"{ISSUER}/authorize"
ALIAS = "https://mtls.as.example.com/token"
SERVER = {
    "issuer": ISSUER,
    "token_endpoint": TOKEN,
    "backchannel_authentication_endpoint": BACKCHANNEL,
    "authorization_endpoint": AUTHORIZATION,
    "pushed_authorization_request_endpoint": f"{ISSUER}/par",
    "mtls_endpoint_aliases": {"token_endpoint": ALIAS},
}
AT_BACKCHANNEL = "backchannel_authentication_endpoint"
CODE, CIBA = "authorization_code", "urn:openid:params:grant-type:ciba"
MINUTE, DAY = 60, 86_400
JWT_BEARER = keybound.CLIENT_ASSERTION_TYPE

CLOCK = FakeClock()
CLIENT = FakeClient("s6BhdRkqt3", clock=CLOCK)
STRANGER = FakeClient("another", clock=CLOCK)


def assertion(client: FakeClient = CLIENT, **claims: Any) -> str:
    return client.assertion(**{"audience": ISSUER} | claims)


def make(
    package: ModuleType,
    *,
    client: FakeClient = CLIENT,
    keys_of: FakeClient | None = None,
    policy: str | None = None,
    named: str = "OAUTH",
    changed: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    """A validator for ``client`` with named policy and profile, whose rules may be ``changed``."""
    usual = {
        "client_id": client.client_id,
        "keys": package.JWKSet.from_json((keys_of or client).jwks()),
        "audience": ISSUER,
        "replay": None,
        "algorithms": [client.key.alg],
        "clock": CLOCK,
        "profile": getattr(package.profiles, named),
    }
    if policy is not None:
        usual["audience"] = package.audience.POLICIES[policy].bind_metadata(SERVER)
    if changed is not None:
        kinds = {package.TokenKind.CLIENT_ASSERTION: changed}
        usual["profile"] = package.profiles.OAUTH.derive(name="own", source="a test", kinds=kinds)
    return package.ClientAssertionValidator(**usual | options)


@pytest.fixture(scope="module")
def judge(judge_of: Any) -> Any:
    return judge_of(make)


@pytest.fixture(params=["validate", "avalidate"])
def present(request: Any) -> Any:
    """``present(validator, raw, ...)``: with either method, the reason."""

    def call(validator: Any, raw: Any, **beside: Any) -> str:
        try:
            result = getattr(validator, request.param)(raw, **beside)
            if request.param == "avalidate":
                asyncio.run(result)
        except Exception as error:
            return str(error.reason)  # type: ignore[attr-defined]
        return "ok"

    return call


# Who it is: RFC 7523, 3 (1) and (2)


def test_what_a_good_assertion_says(judge: Any) -> None:
    good = judge.accepts(assertion(jti="j-1"))
    assert (good.client_id, good.issuer, good.subject) == (CLIENT.client_id,) * 3
    assert (good.audience, good.identifier, good.warning) == ((ISSUER,), "j-1", None)
    assert (good.issued_at, good.expires_at) == (int(CLOCK()), int(CLOCK()) + MINUTE)
    assert repr(good) == "<keybound.ClientAssertion>"
    for name in ("_warning", "warning", "client_id"):
        with pytest.raises(AttributeError):
            setattr(good, name, "x")
        with pytest.raises(AttributeError):
            delattr(good, name)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_algorithm(judge: Any, alg: str) -> None:
    """``private_key_jwt`` and ``client_secret_jwt``."""
    client = FakeClient("client", alg=alg, clock=CLOCK)
    judge.accepts(assertion(client), options={"client": client})
    other = FakeClient(alg=alg, clock=CLOCK).key
    forged = assertion(client, key=other, header={"kid": client.key.kid})
    judge.rejects(forged, Reason.SIGNATURE_INVALID, options={"client": client})


def test_issuer_and_subject_are_the_client(judge: Any) -> None:
    judge.rejects(assertion(iss="another"), Reason.ISS_MISMATCH)
    judge.rejects(assertion(sub="another"), Reason.CLAIM_MISMATCH, claim="sub")
    judge.rejects(assertion(iss="another", sub="another"), Reason.ISS_MISMATCH)
    judge.rejects(assertion(iss=OMIT), Reason.ISS_MISSING)
    judge.rejects(assertion(sub=OMIT), Reason.SUB_MISSING)
    for other in (CLIENT.client_id + " ", CLIENT.client_id.upper(), CLIENT.client_id[:-1]):
        judge.rejects(assertion(iss=other), Reason.ISS_MISMATCH)
        judge.rejects(assertion(sub=other), Reason.CLAIM_MISMATCH, claim="sub")
    for odd in (None, 5, [CLIENT.client_id], {}):
        judge.rejects(assertion(iss=odd), Reason.ISS_INVALID)
        judge.rejects(assertion(sub=odd), Reason.SUB_INVALID)


def test_signed_by_another_client(judge: Any) -> None:
    judge.rejects(assertion(key=STRANGER.key), Reason.KEY_UNKNOWN)
    judge.rejects(assertion(key=STRANGER.key, header={"kid": CLIENT.key.kid}), Reason.SIGNATURE_INVALID)
    # Good in itself, but of another client.
    judge.rejects(assertion(STRANGER), Reason.ISS_MISMATCH, options={"keys_of": STRANGER})


def test_only_the_registered_algorithm(judge: Any) -> None:
    """``token_endpoint_auth_signing_alg``; FAPI 2, 5.4: no RS256."""
    rsa = FakeClient("rsa", alg="RS256", clock=CLOCK)
    judge.accepts(assertion(rsa), options={"client": rsa})
    judge.rejects(assertion(rsa), Reason.ALG_NOT_ALLOWED, options={"client": rsa, "algorithms": ["PS256"]})
    judge.rejects(assertion(header={"alg": "none"}), Reason.ALG_NOT_ALLOWED)
    # The public key as a secret: RFC 8725, 2.1.
    judge.rejects(assertion(header={"alg": "HS256"}), Reason.ALG_NOT_ALLOWED)


def test_the_former_secret_beside_the_new_one(package: Any) -> None:
    """S004-24: ``client_secret_jwt`` is one of the places where a former secret is still good."""
    old, new, other = (FakeClient("c", alg="HS256", clock=CLOCK) for _ in range(3))
    secrets = [package.JWK.from_secret(each.key.secret, alg="HS256") for each in (new, old)]
    both = make(package, client=new, keys=package.JWKSet(secrets))
    for client in (new, old):
        assert both.validate(assertion(client)).client_id == "c"
    with pytest.raises(package.SignatureRejected):
        both.validate(assertion(other))
    with pytest.raises(package.SignatureRejected):
        make(package, client=new, keys=package.JWKSet(secrets[:1])).validate(assertion(old))


# When: RFC 7523, 3 (4) to (6)


def test_expiry(judge: Any) -> None:
    judge.accepts(assertion(lifetime=1))
    judge.rejects(assertion(exp=OMIT), Reason.EXP_MISSING)
    judge.rejects(assertion(exp=OMIT), Reason.EXP_MISSING, options={"changed": {"required_claims": ()}})
    judge.rejects(assertion(exp=None), Reason.EXP_INVALID)
    judge.rejects(assertion(lifetime=-5 * MINUTE), Reason.TOKEN_EXPIRED)
    judge.accepts(assertion(lifetime=-9))
    judge.rejects(assertion(lifetime=-9), Reason.TOKEN_EXPIRED, options={"leeway": 0})


def test_expiry_is_not_far_away(judge: Any) -> None:
    """RFC 7523, 3 (4): the server may reject what expires unreasonably far in the future."""
    judge.accepts(assertion(lifetime=DAY))
    judge.rejects(assertion(lifetime=DAY + MINUTE), Reason.LIFETIME_TOO_LONG)
    judge.rejects(assertion(lifetime=DAY + MINUTE, iat=OMIT), Reason.LIFETIME_TOO_LONG)
    # An operator tightens this, and does not loosen it.
    judge.rejects(
        assertion(lifetime=DAY + MINUTE), Reason.LIFETIME_TOO_LONG, options={"max_expiry_distance": 2 * DAY}
    )


def test_expiry_of_camara(judge: Any) -> None:
    """CAMARA 2026: at most 300 s after receipt, and after ``iat`` where there is one."""
    camara = {"max_expiry_distance": 300}
    judge.accepts(assertion(lifetime=300), options=camara)
    judge.accepts(assertion(exp=CLOCK() + 300, iat=OMIT), options=camara)
    judge.rejects(assertion(lifetime=301), Reason.LIFETIME_TOO_LONG, options=camara)
    judge.rejects(assertion(exp=CLOCK() + 311, iat=OMIT), Reason.LIFETIME_TOO_LONG, options=camara)
    judge.rejects(assertion(exp=CLOCK() + 250, iat=CLOCK() - 100), Reason.LIFETIME_TOO_LONG, options=camara)


@pytest.mark.parametrize(
    ("claim", "reason"), [("iat", Reason.IAT_IN_FUTURE), ("nbf", Reason.TOKEN_NOT_YET_VALID)]
)
def test_clocks_differ_a_little(judge: Any, claim: str, reason: Reason) -> None:
    """FAPI 2, 5.3.2.1: 8 s in the future are accepted, more than 60 s are not."""
    judge.accepts(assertion(**{claim: CLOCK() + 8}))
    judge.rejects(assertion(**{claim: CLOCK() + 61}), reason)
    judge.accepts(assertion(**{claim: OMIT}))


def test_time_of_issue(judge: Any) -> None:
    """Optional (RFC 7523, 3 (6)) unless asked for."""
    judge.accepts(assertion(iat=OMIT))
    judge.rejects(assertion(iat=OMIT), Reason.IAT_MISSING, options={"required_claims": ["iat"]})
    judge.rejects(assertion(iat=OMIT), Reason.IAT_MISSING, options={"max_age": 60})
    judge.rejects(assertion(iat=OMIT), Reason.IAT_MISSING, options={"max_lifetime": 60})
    judge.rejects(assertion(iat=None), Reason.IAT_INVALID)
    judge.rejects(assertion(iat=CLOCK() - 71), Reason.TOKEN_TOO_OLD, options={"max_age": 60})
    judge.accepts(assertion(lifetime=60), options={"max_age": 60, "max_lifetime": 60})
    judge.rejects(assertion(lifetime=61), Reason.LIFETIME_TOO_LONG, options={"max_lifetime": 60})


# What it is: draft-ietf-oauth-rfc7523bis; S002-06, S002-08, SX-01


def test_explicit_typing(judge: Any) -> None:
    typed = {"explicit_typing": True}
    for typ in (
        "client-authentication+jwt",
        "application/client-authentication+jwt",
        "CLIENT-Authentication+JWT",
    ):
        judge.accepts(assertion(typ=typ))
        judge.accepts(assertion(typ=typ), options=typed)
    judge.accepts(assertion(header={"typ": OMIT}))
    judge.rejects(assertion(header={"typ": OMIT}), Reason.TYP_MISSING, options=typed)
    judge.rejects(assertion(typ="JWT"), Reason.TYP_NOT_ALLOWED, options=typed)
    for typ in ("oauth-authz-req+jwt", "dpop+jwt", "at+jwt", "logout+jwt"):
        judge.rejects(assertion(typ=typ), Reason.TYP_NOT_ALLOWED)


def test_request_object_as_assertion(judge: Any) -> None:
    """S002-06: refused whatever its ``aud``. S002-08: also with the client as its subject."""
    for policy in (None, *POLICIES):
        for aud in (ISSUER, TOKEN, BACKCHANNEL, AUTHORIZATION):
            for request in ({"client_id": CLIENT.client_id}, {"scope": "openid"}, {"response_type": "code"}):
                raw = assertion(audience=aud, **request)
                judge.rejects(raw, Reason.KIND_MISMATCH, options={"policy": policy})
    judge.rejects(assertion(sub=OMIT, response_type="code"), Reason.KIND_MISMATCH)
    judge.rejects(assertion(typ="oauth-authz-req+jwt"), Reason.TYP_NOT_ALLOWED)


@pytest.mark.parametrize("claim", ["htm", "events", "nonce", "at_hash", "token_introspection", "scope"])
def test_other_kinds_as_assertion(judge: Any, claim: str) -> None:
    """SX-01"""
    judge.rejects(assertion(**{claim: "x"}), Reason.KIND_MISMATCH)


def test_claims_of_the_operator(judge: Any) -> None:
    judge.accepts(assertion(tenant="a"), options={"expected_claims": {"tenant": "a"}})
    judge.rejects(
        assertion(tenant="b"),
        Reason.CLAIM_MISMATCH,
        claim="tenant",
        options={"expected_claims": {"tenant": "a"}},
    )
    judge.rejects(
        assertion(tenant="a"),
        Reason.CLAIM_FORBIDDEN,
        claim="tenant",
        options={"forbidden_claims": ["tenant"]},
    )
    judge.rejects(assertion(cnf={"x5t#S256": "x"}), Reason.CNF_THUMBPRINT_INVALID)


# For whom: RFC 7523, 3 (3), and the audience policies


def test_audience_as_text(judge: Any) -> None:
    for aud in (ISSUER, [ISSUER], [ISSUER, "https://other.example"]):
        for endpoint in ("token_endpoint", AT_BACKCHANNEL, "anything"):
            judge.accepts(assertion(audience=aud), endpoint=endpoint)
    judge.rejects(assertion(audience=TOKEN), Reason.AUD_MISMATCH)
    judge.accepts(assertion(audience=TOKEN), options={"audience": [ISSUER, TOKEN]})
    judge.rejects(assertion(audience=OMIT), Reason.AUD_MISSING)
    judge.rejects(assertion(audience=[]), Reason.AUD_INVALID)
    # S002-13
    for other in (ISSUER + "/", ISSUER.upper(), ISSUER + ":443", "http://as.example.com"):
        judge.rejects(assertion(audience=other), Reason.AUD_MISMATCH)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("endpoint", ["token_endpoint", AT_BACKCHANNEL])
@pytest.mark.parametrize(
    "aud",
    [
        ISSUER,
        TOKEN,
        BACKCHANNEL,
        AUTHORIZATION,
        "https://other.example",
        ALIAS,
        [ISSUER],
        [TOKEN, BACKCHANNEL],
    ],
    ids=str,
)
def test_policies_judge(judge: Any, policy: str, endpoint: str, aud: Any) -> None:
    """S002-01 to S002-04: what the validator says is what the policy says at that endpoint."""
    verdict = POLICIES[policy].bind_metadata(SERVER).judge(endpoint, aud)
    options = {"policy": policy}
    if verdict:
        accepted = judge.accepts(assertion(audience=aud), options=options, endpoint=endpoint)
        assert accepted.warning == (verdict.code if verdict.outcome == "warn" else None)
    else:
        rejected = judge.rejects(assertion(audience=aud), verdict.reason, options=options, endpoint=endpoint)
        assert rejected.error == "invalid_client"


def test_array_with_one_member(judge: Any) -> None:
    """S002-01: refused under a strict policy, and the reason says "array"."""
    strict, draft = {"policy": "camara-strict-v2"}, {"policy": "fapi2-server-draft"}
    judge.rejects(assertion(audience=[TOKEN]), Reason.AUD_ARRAY, options=strict)
    judge.accepts(assertion(audience=TOKEN), options=strict)
    judge.accepts(assertion(audience=[TOKEN, "https://other.example"]), options=draft)


def test_warning_of_what_is_not_recommended(judge: Any) -> None:
    final = {"policy": "camara-final"}
    assert judge.accepts(assertion(audience=TOKEN), options=final).warning is None
    assert judge.accepts(assertion(), options=final).warning == "aud_not_recommended"


def test_url_of_an_alias(package: Any) -> None:
    """S000-09: accepted under a rule for the endpoint only if the policy says so of aliases."""
    policy = package.audience.POLICIES["camara-interop"]
    plain = make(package, audience=policy.bind_metadata(SERVER))
    aliased = package.audience.AudiencePolicy.from_mapping(policy.to_mapping() | {"aliases": True})
    assert make(package, audience=aliased.bind_metadata(SERVER)).validate(assertion(audience=ALIAS))
    with pytest.raises(package.ClaimRejected):
        plain.validate(assertion(audience=ALIAS))


def test_audience_policy_of_the_profile(judge: Any) -> None:
    """S000-18: FAPI 2 wants the issuer as text, CAMARA of 2026 the endpoint, and both say so themselves."""
    fapi2 = {"named": "FAPI2", "audience": SERVER}
    judge.accepts(assertion(), options=fapi2)
    judge.rejects(assertion(audience=[ISSUER]), Reason.AUD_ARRAY, options=fapi2)
    judge.rejects(assertion(audience=TOKEN), Reason.AUD_MISMATCH, options=fapi2)
    camara = {"named": "CAMARA_2026", "audience": SERVER}
    assert judge.accepts(assertion(audience=TOKEN), options=camara).warning is None
    assert judge.accepts(assertion(), options=camara).warning == "aud_not_recommended"
    judge.rejects(assertion(audience=TOKEN, lifetime=301), Reason.LIFETIME_TOO_LONG, options=camara)


def test_a_text_is_not_the_policy_of_the_profile() -> None:
    with pytest.raises(keybound.PolicyError, match="audience policy"):
        make(keybound, named="FAPI2", audience=ISSUER)
    with pytest.raises(keybound.PolicyError, match="audience policy"):
        make(keybound, named="OAUTH", audience=SERVER)
    assert make(keybound, named="FAPI2", policy="camara-2026")


def test_slips_are_told_for_what_they_are() -> None:
    options: dict[str, Any] = {
        "client_id": "c",
        "keys": keybound.JWKSet.from_json(CLIENT.jwks()),
        "replay": None,
    }
    with pytest.raises(keybound.PolicyError, match="and no name"):
        keybound.ClientAssertionValidator(audience=SERVER, profile="fapi2", **options)
    with pytest.raises(keybound.PolicyError, match="bind_metadata"):
        keybound.ClientAssertionValidator(audience=POLICIES["camara-2026"], **options)


def test_endpoint_without_a_rule(package: Any) -> None:
    validator = make(package, policy="camara-interop")
    for endpoint in ("authorization_endpoint", "", None, 5, ["token_endpoint"]):
        with pytest.raises(package.PolicyError):
            validator.validate(assertion(), endpoint=endpoint)


def test_report_only_counts_by_client() -> None:
    """S002-14: a stricter policy beside the enforced one says who would break, and breaks nobody."""
    report = ReportOnly(
        POLICIES["camara-interop"].bind_metadata(SERVER), POLICIES["camara-strict-v2"].bind_metadata(SERVER)
    )
    first, second = (make(keybound, client=client, audience=report) for client in (CLIENT, STRANGER))
    assert first.validate(assertion()).warning is None
    second.validate(assertion(STRANGER, audience=TOKEN))
    with pytest.raises(keybound.SignatureRejected):
        second.validate(assertion(STRANGER, key=CLIENT.key, header={"kid": STRANGER.key.kid}))
    # Only what was signed by the client counts.
    assert (report.snapshot().judged, report.snapshot().would_break) == (2, (CLIENT.client_id,))


# Once: RFC 7523, 3 (7)


def test_used_once(package: Any, present: Any) -> None:
    """S002-05: the same ``jti`` of the same client is refused, at the same or another endpoint; G21"""
    validator = make(package, policy="ciba-core", replay=MemoryReplayStore())
    raw = assertion(jti="j")
    assert present(validator, raw) == "ok"
    assert present(validator, raw) == "jti_replayed"
    assert present(validator, raw, endpoint=AT_BACKCHANNEL) == "jti_replayed"
    assert present(validator, assertion(jti="j", lifetime=30)) == "jti_replayed"
    assert present(validator, assertion(jti="k")) == "ok"


def test_what_is_rejected_is_not_used_up(package: Any, present: Any) -> None:
    """G18: neither a forged assertion nor one that fails any other check burns a ``jti``."""
    validator = make(package, policy="camara-interop", replay=MemoryReplayStore(), grant_types=[CODE])
    for bad in (
        assertion(jti="j", key=STRANGER.key, header={"kid": CLIENT.key.kid}),
        assertion(jti="j", lifetime=-300),
        assertion(jti="j", audience="https://other.example"),
        assertion(jti="j", sub="another"),
    ):
        assert present(validator, bad, grant_type=CODE) not in ("ok", "jti_replayed")
    assert present(validator, assertion(jti="j"), grant_type=CIBA) == "grant_type_not_allowed"
    assert present(validator, assertion(jti="j"), grant_type=CODE) == "ok"
    assert present(validator, assertion(jti="j"), grant_type=CODE) == "jti_replayed"


def test_clients_share_a_store(package: Any, present: Any) -> None:
    """G19: the same ``jti`` of another client is another assertion."""
    store = MemoryReplayStore()
    for client in (CLIENT, STRANGER):
        validator = make(package, client=client, replay=store)
        assert present(validator, assertion(client, jti="j")) == "ok"
        assert present(validator, assertion(client, jti="j")) == "jti_replayed"


def test_remembered_as_long_as_it_is_good(package: Any, present: Any) -> None:
    clock, store = FakeClock(CLOCK()), MemoryReplayStore()
    validator = make(package, replay=store, clock=clock)
    raw = assertion(lifetime=MINUTE)
    assert present(validator, raw) == "ok"
    clock.advance(MINUTE + 9.999)
    assert present(validator, raw) == "jti_replayed"
    clock.advance(1)
    assert present(validator, raw) == "token_expired"


def test_without_a_store(judge: Any) -> None:
    raw = assertion()
    judge.accepts(raw)
    judge.accepts(raw)


def test_identifier(judge: Any) -> None:
    judge.rejects(assertion(jti=OMIT), Reason.JTI_MISSING)
    judge.accepts(assertion(jti=OMIT), options={"changed": {"required_claims": ()}})
    for odd in ("", None, 5, ["j"]):
        judge.rejects(assertion(jti=odd), Reason.JTI_INVALID)
    judge.accepts(assertion(jti="j" * 128))
    judge.rejects(assertion(jti="j" * 129), Reason.JTI_INVALID)
    for length in (129, None):
        judge.accepts(assertion(jti="j" * 129), options={"jti_length": length})
    judge.accepts(assertion(jti="\u00e9"))


def test_a_store_needs_what_it_remembers_by(package: Any) -> None:
    validator = make(package, replay=MemoryReplayStore(), changed={"required_claims": ()})
    with pytest.raises(package.ClaimRejected):
        validator.validate(assertion(jti=OMIT))
    assert validator.validate(assertion(jti="\u00e9"))


class Broken:
    """A store that cannot tell."""

    def put(self, *proof: str, **times: float | None) -> bool:
        raise keybound.Unavailable("no connection", retry_after=1)

    async def aput(self, *proof: str, **times: float | None) -> bool:
        return self.put(*proof, **times)


def test_a_store_that_cannot_tell() -> None:
    validator = make(keybound, replay=Broken())
    with pytest.raises(keybound.Unavailable):
        validator.validate(assertion())
    with pytest.raises(keybound.Unavailable):
        asyncio.run(validator.avalidate(assertion()))
    # What is bad in itself is still bad.
    with pytest.raises(keybound.TokenRejected):
        validator.validate(assertion(lifetime=-300))


# In which flow: S002-11


def test_grant_types(judge: Any) -> None:
    """S002-11: a client for the code flow only; off by default."""
    judge.accepts(assertion(), grant_type=CIBA)
    only = {"grant_types": [CODE, "refresh_token"]}
    judge.accepts(assertion(), options=only, grant_type=CODE)
    for other in (CIBA, "", None, "Authorization_code"):
        rejected = judge.rejects(assertion(), Reason.GRANT_TYPE_NOT_ALLOWED, options=only, grant_type=other)
        # RFC 6749, 5.2: the client is known, and may not do this.
        assert (rejected.error, rejected.status) == ("unauthorized_client", 400)


# In the parameters of a request: RFC 7521, 4.2; RFC 7523, 2.2


def form(**parameters: Any) -> dict[str, Any]:
    usual = {
        "grant_type": CODE,
        "client_assertion_type": JWT_BEARER,
        "client_assertion": assertion(),
    }
    return {name: value for name, value in (usual | parameters).items() if value is not OMIT}


@pytest.fixture(scope="module")
def form_judge(judge_of: Any) -> Any:
    judge = judge_of(make)

    def verdict(parameters: Any, reason: Reason | None = None, **options: Any) -> Any:
        beside = {"method": "validate_form", "options": options}
        if reason is None:
            return judge.accepts(parameters, **beside)
        return judge.rejects(parameters, reason, **beside)

    return verdict


def test_form(form_judge: Any) -> None:
    assert form_judge(form()).client_id == CLIENT.client_id
    form_judge(form(client_id=CLIENT.client_id))
    form_judge(form(grant_type=CODE), grant_types=[CODE])
    form_judge(form(grant_type=CIBA), Reason.GRANT_TYPE_NOT_ALLOWED, grant_types=[CODE])
    form_judge(form(grant_type=OMIT), Reason.GRANT_TYPE_NOT_ALLOWED, grant_types=[CODE])
    form_judge(form(client_assertion=assertion(lifetime=-300)), Reason.TOKEN_EXPIRED)


def test_form_without_an_assertion(form_judge: Any) -> None:
    for missing in (OMIT, None, ""):
        rejected = form_judge(form(client_assertion=missing), Reason.TOKEN_MISSING)
        assert (rejected.error, rejected.status) == ("invalid_client", 401)
    form_judge(form(client_assertion=["a", "b"]), Reason.TOKEN_NOT_TEXT)


@pytest.mark.parametrize(
    "declared",
    [
        OMIT,
        "",
        "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
        JWT_BEARER.upper(),
        [JWT_BEARER],
        None,
    ],
    ids=str,
)
def test_client_assertion_type(form_judge: Any, declared: Any) -> None:
    rejected = form_judge(form(client_assertion_type=declared), Reason.ASSERTION_TYPE_MISMATCH)
    assert rejected.error == "invalid_client"


@pytest.mark.parametrize("client_id", ["another", "", None, CLIENT.client_id.upper(), [CLIENT.client_id]])
def test_client_id_of_the_request(form_judge: Any, client_id: Any) -> None:
    rejected = form_judge(form(client_id=client_id), Reason.CLIENT_MISMATCH)
    assert rejected.error == "invalid_client"


def test_grant_type_of_endpoints_that_take_none(package: Any) -> None:
    """S002-11: a pushed or backchannel request is part of a flow as well."""
    validator = make(package, grant_types=[CIBA])
    parameters = form(grant_type=OMIT)
    assert validator.validate_form(parameters, grant_type=CIBA)
    assert asyncio.run(validator.avalidate_form(parameters, grant_type=CIBA))
    with pytest.raises(package.ContextRejected):
        validator.validate_form(parameters, grant_type=CODE)


def test_form_that_is_no_form(package: Any) -> None:
    for odd in (None, "client_assertion=x", [("client_assertion", "x")], 5):
        with pytest.raises(package.PolicyError):
            make(package).validate_form(odd)


# The answer, and what else is on the request


@pytest.mark.parametrize(
    "raw", ["", "a.b", "a.b.c", None, 5, b"\xff", pytest.param(assertion()[:-4], id="cut")], ids=repr
)
def test_every_rejection_says_invalid_client(package: Any, raw: Any) -> None:
    with pytest.raises(package.TokenRejected) as caught:
        make(package).validate(raw)
    assert (caught.value.error, caught.value.status) == ("invalid_client", 401)
    assert caught.value.error_response()["error"] == "invalid_client"


def test_beside_a_token_bound_to_a_certificate() -> None:
    """S000-11: the client by its assertion, the token by the certificate, on one request: two verdicts."""
    authority = CertificateAuthority()
    certificate, other = (authority.issue_client(name) for name in ("client", "other"))
    server = FakeIssuer(ISSUER, clock=CLOCK)
    tokens = keybound.AccessTokenValidator(
        issuer=ISSUER,
        audience="https://rs.example.com",
        keys=keybound.JWKSet.from_json(server.jwks()),
        algorithms=["ES256"],
        binding="required",
        clock=CLOCK,
    )
    clients = make(keybound, policy="fapi2-final", replay=MemoryReplayStore())
    bound = server.access_token(certificate=certificate)
    assert clients.validate(assertion()).client_id == CLIENT.client_id
    assert tokens.validate(bound, certificate=certificate.der).confirmation
    # Another certificate breaks the binding and not the authentication, and the other way round.
    assert clients.validate(assertion()).client_id == CLIENT.client_id
    with pytest.raises(keybound.BindingRejected):
        tokens.validate(bound, certificate=other.der)
    with pytest.raises(keybound.ClaimRejected):
        clients.validate(assertion(audience=TOKEN))
    assert tokens.validate(bound, certificate=certificate.der)


# Options


@pytest.mark.parametrize(
    "options",
    [
        {"client_id": ""},
        {"client_id": None},
        {"client_id": 5},
        {"audience": ""},
        {"audience": []},
        {"audience": None},
        {"audience": 5},
        {"audience": POLICIES["camara-interop"]},
        {"replay": "memory"},
        {"replay": MemoryReplayStore},
        {"replay": {}},
        {"algorithms": None},
        {"algorithms": []},
        {"algorithms": ["ES256", "HS256"]},
        {"explicit_typing": 1},
        {"explicit_typing": None},
        {"explicit_typing": True, "types": ["jwt"]},
        {"grant_types": []},
        {"grant_types": [5]},
        {"grant_types": ""},
        {"max_expiry_distance": 0},
        {"max_expiry_distance": True},
        {"max_expiry_distance": "300"},
        {"max_expiry_distance": float("nan")},
        {"max_lifetime": -1},
        {"max_age": "60"},
        {"jti_length": 0},
        {"jti_length": True},
        {"jti_length": 128.0},
        {"leeway": None},
        {"required_claims": 5},
        {"expected_claims": []},
        {"forbidden_claims": ["exp"]},
        {"forbidden_claims": ["sub"]},
        {"clock": None},
        {"keys": None},
        {"limits": None},
        {"profile": None},
    ],
    ids=lambda options: ",".join(f"{name}={value!r:.30}" for name, value in options.items()),
)
def test_refused_when_the_validator_is_made(options: dict[str, Any]) -> None:
    make(keybound)
    with pytest.raises(keybound.PolicyError):
        make(keybound, **options)


def test_policy_without_a_rule_for_assertions() -> None:
    rule = {"authorization_endpoint": {"accept": ["issuer"]}}
    members = {"name": "own", "source": "a test", "client_assertion": rule}
    bound = keybound.AudiencePolicy.from_mapping(members).bind_metadata(SERVER)
    assert make(keybound, audience=bound)
    without = {name: url for name, url in SERVER.items() if name != "authorization_endpoint"}
    with pytest.raises(keybound.PolicyError, match="no rule"):
        make(keybound, audience=keybound.AudiencePolicy.from_mapping(members).bind_metadata(without))


@pytest.mark.parametrize("missing", ["client_id", "keys", "audience", "replay"])
def test_mandatory_options(missing: str) -> None:
    options = {"client_id": "c", "keys": keybound.JWKSet.from_json(CLIENT.jwks()), "audience": ISSUER}
    options |= {"replay": None, "algorithms": ["ES256"]}
    keybound.ClientAssertionValidator(**options)
    del options[missing]
    with pytest.raises(TypeError):
        keybound.ClientAssertionValidator(**options)
