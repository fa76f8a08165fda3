"""ID tokens: every rule accepted and rejected, on both twins.

OpenID Connect Core, 3.1.3.7, 3.2.2.11 and 3.3.2.12; FAPI 1 Advanced, 5.2.3.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.testing import ALGORITHMS, OMIT, FakeClock, FakeIssuer, SigningKey

ISSUER = "https://op.example.com"
CLIENT = "s6BhdRkqt3"
NONCE = "n-0S6_WzA2Mj"
ACCESS_TOKEN = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
CODE = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"
STATE = "af0ifjsldkj"
WEEK = 7 * 86_400

CLOCK = FakeClock()
PROVIDER = FakeIssuer(ISSUER, alg="ES256", clock=CLOCK)
NOT_TEXT = [None, 5, True, [], ["x"], {}, {"x": 1}]


def token(**claims: Any) -> str:
    return PROVIDER.id_token(**{"client_id": CLIENT, "nonce": NONCE} | claims)


def make(package: ModuleType, *, provider: FakeIssuer = PROVIDER, **options: Any) -> Any:
    usual = {
        "issuer": ISSUER,
        "client_id": CLIENT,
        "keys": package.JWKSet.from_json(provider.jwks()),
        "algorithms": [provider.key.alg],
        "clock": CLOCK,
    }
    return package.IDTokenValidator(**usual | options)


@pytest.fixture(scope="module")
def judge(judge_of: Any) -> Any:
    return judge_of(make)


def at(seconds: float) -> dict[str, Any]:
    return {"clock": FakeClock(CLOCK() + seconds)}


# Issuer, audience and authorized party: 3.1.3.7 (2) to (5)


def test_what_a_good_token_says(judge: Any) -> None:
    now = int(CLOCK())
    good = judge.accepts(token(azp=CLIENT, auth_time=now, acr="gold", sid="s"), nonce=NONCE)
    assert (good.issuer, good.audience, good.subject) == (ISSUER, (CLIENT,), "user-1")
    assert (good.nonce, good.authorized_party, good.authentication_context) == (NONCE, CLIENT, "gold")
    assert (good.authenticated_at, good.session_id) == (now, "s")
    assert (good.issued_at, good.expires_at) == (now, now + 300)
    assert repr(good) == "<keybound.IDToken>"
    plain = judge.accepts(token(), nonce=NONCE)
    assert plain.authorized_party is plain.authentication_context is plain.authenticated_at is None


@pytest.mark.parametrize(
    ("claim", "missing"),
    [
        ("iss", Reason.ISS_MISSING),
        ("sub", Reason.SUB_MISSING),
        ("aud", Reason.AUD_MISSING),
        ("exp", Reason.EXP_MISSING),
        ("iat", Reason.IAT_MISSING),
    ],
)
def test_claims_that_every_id_token_has(judge: Any, claim: str, missing: Reason) -> None:
    judge.rejects(token(**{claim: OMIT}), missing, nonce=NONCE)


@pytest.mark.parametrize(
    "issuer",
    ["https://op.example.com/", "https://op.example", "http://op.example.com", "https://OP.example.com"],
)
def test_issuer(judge: Any, issuer: str) -> None:
    judge.rejects(token(iss=issuer), Reason.ISS_MISMATCH, nonce=NONCE)
    judge.accepts(token(iss=issuer), nonce=NONCE, options={"issuer": issuer})


def test_audience(judge: Any) -> None:
    judge.accepts(token(client_id=[CLIENT]), nonce=NONCE)
    judge.rejects(token(client_id="another"), Reason.AUD_MISMATCH, nonce=NONCE)
    judge.rejects(token(client_id=["another"]), Reason.AUD_MISMATCH, nonce=NONCE)
    judge.rejects(token(client_id=[]), Reason.AUD_INVALID, nonce=NONCE)


def test_further_audiences_are_trusted_by_name_and_need_azp(judge: Any) -> None:
    both = [CLIENT, "https://api.example.com"]
    trusting = {"trusted_audiences": "https://api.example.com"}
    judge.accepts(token(client_id=both, azp=CLIENT), nonce=NONCE, options=trusting)
    judge.rejects(token(client_id=both, azp=CLIENT), Reason.AUD_NOT_SOLE, nonce=NONCE)
    judge.rejects(token(client_id=both), Reason.CLAIM_MISSING, claim="azp", nonce=NONCE, options=trusting)
    judge.rejects(
        token(client_id=[*both, "x"], azp=CLIENT), Reason.AUD_NOT_SOLE, nonce=NONCE, options=trusting
    )
    # Trust in another audience does not make the token one for this client.
    judge.rejects(token(client_id=both[1:], azp=CLIENT), Reason.AUD_MISMATCH, nonce=NONCE, options=trusting)


def test_authorized_party(judge: Any) -> None:
    judge.accepts(token(azp=CLIENT), nonce=NONCE)
    for party in ("another", "", CLIENT + " ", CLIENT.upper()):
        judge.rejects(token(azp=party), Reason.AZP_MISMATCH, nonce=NONCE)
    mobile = {"authorized_parties": ["mobile"]}
    judge.accepts(token(azp="mobile"), nonce=NONCE, options=mobile)
    judge.accepts(token(azp=CLIENT), nonce=NONCE, options=mobile)
    judge.rejects(token(azp="desktop"), Reason.AZP_MISMATCH, nonce=NONCE, options=mobile)


@pytest.mark.parametrize("claim", ["azp", "nonce", "acr", "auth_time"])
@pytest.mark.parametrize("value", NOT_TEXT)
def test_a_claim_of_another_type_is_not_an_absent_one(judge: Any, claim: str, value: Any) -> None:
    if claim == "auth_time" and value == 5:
        value = "5"
    for options in ({}, {"acr_values": "gold"}):
        if claim != "acr" and options:
            continue
        judge.rejects(
            token(**{claim: value}), Reason.CLAIM_INVALID, claim=claim, nonce=NONCE, options=options
        )


# Signature: 3.1.3.7 (6) to (8)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_algorithm_with_its_hash(judge_of: Any, alg: str) -> None:
    """S004-22: c_hash and s_hash of the detached signature, with the hash of each algorithm."""
    issuer = FakeIssuer(ISSUER, alg=alg, clock=CLOCK)
    raw = issuer.id_token(client_id=CLIENT, nonce=NONCE, access_token=ACCESS_TOKEN, code=CODE, state=STATE)
    beside = {"nonce": NONCE, "access_token": ACCESS_TOKEN, "code": CODE, "state": STATE}
    judged = judge_of(lambda package, **given: make(package, provider=issuer, **given))
    if alg == "Ed448":
        # Nobody has said which hash belongs to it, and a hash that nobody can compute proves nothing.
        judged.rejects(raw, Reason.HASH_MISMATCH, claim="at_hash", **beside)
        judged.rejects(raw, Reason.HASH_MISMATCH, claim="c_hash", nonce=NONCE, code=CODE)
        judged.accepts(raw, nonce=NONCE)
        return
    judged.accepts(raw, **beside)
    for name, claim in (("access_token", "at_hash"), ("code", "c_hash"), ("state", "s_hash")):
        judged.rejects(raw, Reason.HASH_MISMATCH, claim=claim, **beside | {name: "another"})


def test_algorithm_is_the_registered_one(judge: Any) -> None:
    judge.rejects(token(header={"alg": "none"}), Reason.ALG_NOT_ALLOWED, nonce=NONCE)
    judge.rejects(token(), Reason.ALG_NOT_ALLOWED, nonce=NONCE, options={"algorithms": ["PS256"]})
    judge.rejects(
        token(header={"alg": "ES384"}),
        Reason.KEY_UNSUITABLE,
        nonce=NONCE,
        options={"algorithms": ["ES256", "ES384"]},
    )


def test_signature_and_key(judge: Any) -> None:
    stranger = SigningKey.generate("ES256", kid=PROVIDER.key.kid)
    judge.rejects(token(key=stranger), Reason.SIGNATURE_INVALID, nonce=NONCE)
    judge.rejects(token(header={"kid": "unknown"}), Reason.KEY_UNKNOWN, nonce=NONCE)
    judge.accepts(token(header={"kid": OMIT}), nonce=NONCE)


def secretive(alg: str) -> tuple[FakeIssuer, Any]:
    """A provider that signs with the secret of the client, and a maker of validators with that secret."""
    issuer = FakeIssuer(ISSUER, alg=alg, clock=CLOCK)
    return issuer, lambda package, **options: make(package, provider=issuer, **options)


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_a_secret_of_one_client_is_for_one_audience(judge_of: Any, alg: str) -> None:
    issuer, making = secretive(alg)
    judge = judge_of(making)
    judge.accepts(issuer.id_token(client_id=CLIENT), nonce=None)
    judge.accepts(issuer.id_token(client_id=[CLIENT]), nonce=None)
    both = issuer.id_token(client_id=[CLIENT, "x"], azp=CLIENT)
    judge.rejects(both, Reason.AUD_NOT_SOLE, nonce=None, options={"trusted_audiences": "x"})


def test_typ(judge: Any) -> None:
    for typ in ("JWT", "jwt", "application/jwt", OMIT):
        judge.accepts(token(header={"typ": typ}), nonce=NONCE)
    for typ in ("at+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "token-introspection+jwt"):
        judge.rejects(token(header={"typ": typ}), Reason.TYP_NOT_ALLOWED, nonce=NONCE)


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": "openid"},
        {"client_id": CLIENT},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
        {"token_introspection": {"active": True}},
        {"htm": "GET"},
        {"response_type": "code"},
    ],
    ids=str,
)
def test_another_kind_of_token(judge: Any, claims: dict[str, Any]) -> None:
    """SX-01: what is no ID token by its claims, signed by the same provider."""
    raw = PROVIDER.sign(
        {"iss": ISSUER, "aud": CLIENT, "sub": "u", "iat": CLOCK(), "exp": CLOCK() + 60, "nonce": NONCE}
        | claims,
        typ="JWT",
    )
    judge.rejects(raw, Reason.KIND_MISMATCH, nonce=NONCE)


# Times: 3.1.3.7 (9), (10) and (13)


@pytest.mark.parametrize(("seconds", "accepted"), [(0, True), (309, True), (310, False), (WEEK, False)])
def test_exp(judge: Any, seconds: float, accepted: bool) -> None:
    if accepted:
        judge.accepts(token(), nonce=NONCE, options=at(seconds))
    else:
        judge.rejects(token(), Reason.TOKEN_EXPIRED, nonce=NONCE, options=at(seconds))


def test_iat(judge: Any) -> None:
    old = token(iat=CLOCK() - WEEK)
    judge.accepts(old, nonce=NONCE)
    judge.rejects(old, Reason.TOKEN_TOO_OLD, nonce=NONCE, options={"max_token_age": 3600})
    judge.accepts(token(iat=CLOCK() - 3610), nonce=NONCE, options={"max_token_age": 3600})
    judge.rejects(token(iat=CLOCK() + 11), Reason.IAT_IN_FUTURE, nonce=NONCE)
    judge.accepts(token(iat=CLOCK() + 10), nonce=NONCE)
    judge.rejects(token(), Reason.LIFETIME_TOO_LONG, nonce=NONCE, options={"max_lifetime": 299})


@pytest.mark.parametrize(
    ("bound", "asked"),
    [(60, None), (None, 60), (60, 3600), (3600, 60)],
    ids=["made", "asked", "both", "both"],
)
def test_auth_time_within_max_age(judge: Any, bound: Any, asked: Any) -> None:
    options = {"max_age": bound}
    beside = {"nonce": NONCE, "max_age": asked}
    judge.accepts(token(auth_time=CLOCK() - 70), options=options, **beside)
    judge.rejects(
        token(auth_time=CLOCK() - 71),
        Reason.AUTHENTICATION_TOO_OLD,
        claim="auth_time",
        options=options,
        **beside,
    )
    judge.rejects(token(), Reason.CLAIM_MISSING, claim="auth_time", options=options, **beside)
    judge.accepts(token(auth_time=CLOCK() + 10), options=options, **beside)
    judge.rejects(
        token(auth_time=CLOCK() + 11), Reason.CLAIM_INVALID, claim="auth_time", options=options, **beside
    )


def test_max_age_of_zero_asks_for_an_authentication_now(judge: Any) -> None:
    judge.accepts(token(auth_time=CLOCK() - 10), nonce=NONCE, max_age=0)
    error = judge.rejects(
        token(auth_time=CLOCK() - 11),
        Reason.AUTHENTICATION_TOO_OLD,
        claim="auth_time",
        nonce=NONCE,
        max_age=0,
    )
    assert error.status == 401
    assert "insufficient_user_authentication" in error.challenge()
    judge.accepts(token(auth_time=1), nonce=NONCE)


def test_acr(judge: Any) -> None:
    asking = {"acr_values": "urn:mace:incommon:iap:silver gold"}
    for acr in ("gold", "urn:mace:incommon:iap:silver"):
        judge.accepts(token(acr=acr), nonce=NONCE, options=asking)
    for acr in ("bronze", "", "gold ", "urn:mace:incommon:iap:silver gold", OMIT):
        judge.rejects(
            token(acr=acr), Reason.AUTHENTICATION_INSUFFICIENT, claim="acr", nonce=NONCE, options=asking
        )
    judge.accepts(token(acr="bronze"), nonce=NONCE)


# Nonce: 3.1.3.7 (11)


def test_nonce(judge: Any) -> None:
    judge.accepts(token(), nonce=NONCE)
    judge.rejects(token(nonce=OMIT), Reason.CLAIM_MISSING, claim="nonce", nonce=NONCE)
    for other in ("n", "", NONCE + "x", NONCE.lower(), "n-0S6_WzA2Mj\0"):
        judge.rejects(token(nonce=other), Reason.NONCE_MISMATCH, nonce=NONCE)
    judge.rejects(token(), Reason.NONCE_MISMATCH, nonce="\ud800")


def test_a_nonce_that_nobody_sent(judge: Any) -> None:
    judge.accepts(token(nonce=OMIT), nonce=None)
    judge.rejects(token(), Reason.NONCE_MISMATCH, nonce=None)
    judge.rejects(token(nonce=""), Reason.NONCE_MISMATCH, nonce=None)


def test_the_nonce_cannot_be_forgotten() -> None:
    validator = make(keybound)
    with pytest.raises(TypeError, match="nonce"):
        validator.validate(token())
    for nothing in ("", b"n", 5, ["n"], True):
        with pytest.raises(keybound.PolicyError, match="nonce"):
            validator.validate(token(), nonce=nothing)


# Hashes: 3.1.3.8, 3.2.2.9, 3.3.2.10 and FAPI 1 Advanced, 5.2.3.1

HASHES = [("access_token", "at_hash"), ("code", "c_hash"), ("state", "s_hash")]


@pytest.mark.parametrize(("name", "claim"), HASHES)
def test_hashes(judge: Any, name: str, claim: str) -> None:
    """S004-22: the ID token as detached signature of code and state."""
    raw = token(**{name: "value"})
    judge.accepts(raw, nonce=NONCE, **{name: "value"})
    judge.accepts(raw, nonce=NONCE)
    for other in ("another", "", "value ", "\ud800"):
        judge.rejects(raw, Reason.HASH_MISMATCH, claim=claim, nonce=NONCE, **{name: other})
    for wrong in ("", "x", "=", "é"):
        judge.rejects(
            token(**{claim: wrong}), Reason.HASH_MISMATCH, claim=claim, nonce=NONCE, **{name: "value"}
        )


@pytest.mark.parametrize(("name", "claim"), HASHES)
@pytest.mark.parametrize("value", NOT_TEXT)
def test_hashes_of_another_type(judge: Any, name: str, claim: str, value: Any) -> None:
    raw = token(**{claim: value})
    judge.rejects(raw, Reason.CLAIM_INVALID, claim=claim, nonce=NONCE, **{name: "value"})


def test_what_comes_in_front_is_signed_for(judge: Any) -> None:
    """S004-22: whoever drops a hash of the detached signature drops the response."""
    judge.rejects(token(), Reason.CLAIM_MISSING, claim="c_hash", nonce=NONCE, code=CODE)
    judge.rejects(token(), Reason.CLAIM_MISSING, claim="s_hash", nonce=NONCE, state=STATE)
    judge.rejects(token(code=CODE), Reason.CLAIM_MISSING, claim="s_hash", nonce=NONCE, code=CODE, state=STATE)
    # A token endpoint may leave at_hash out, an authorization endpoint may not.
    judge.accepts(token(), nonce=NONCE, access_token=ACCESS_TOKEN)
    front = {"required_claims": ["at_hash"]}
    judge.rejects(
        token(), Reason.CLAIM_MISSING, claim="at_hash", nonce=NONCE, access_token=ACCESS_TOKEN, options=front
    )
    judge.accepts(token(access_token=ACCESS_TOKEN), nonce=NONCE, access_token=ACCESS_TOKEN, options=front)


def test_what_is_hashed_is_text() -> None:
    with pytest.raises(keybound.PolicyError, match="must be text"):
        make(keybound).validate(token(code=CODE), nonce=NONCE, code=CODE.encode())


def test_hashes_do_not_stand_for_each_other(judge: Any) -> None:
    raw = token(code=CODE)
    judge.rejects(raw, Reason.CLAIM_MISSING, claim="s_hash", nonce=NONCE, state=CODE)
    whole = "_n3mEPwYkD9hSwqbdNXbD3xKBRfqWyC0IYvEPZjNE2U"
    judge.rejects(token(c_hash=whole), Reason.HASH_MISMATCH, claim="c_hash", nonce=NONCE, code=CODE)


# Hints: 3.1.2.1


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512", "ES256", "PS256"])
def test_hints_may_be_expired_and_nothing_else(judge_of: Any, alg: str) -> None:
    """S004-24: an id_token_hint, also signed with a secret."""
    issuer, making = secretive(alg)
    judge = judge_of(making)

    def hint(**claims: Any) -> str:
        return issuer.id_token(**{"client_id": CLIENT, "nonce": NONCE, "lifetime": -WEEK} | claims)

    def rejects(raw: str, reason: Reason, **more: Any) -> None:
        judge.rejects(raw, reason, method="validate_hint", **more)

    assert judge.accepts(hint(), method="validate_hint").subject == "user-1"
    judge.accepts(hint(lifetime=300), method="validate_hint")
    # It speaks of the past, whatever the bounds for tokens of today.
    bounds = {"max_token_age": 60, "max_age": 60, "acr_values": "gold"}
    judge.accepts(hint(iat=1), method="validate_hint", options=bounds)
    judge.rejects(hint(), Reason.TOKEN_EXPIRED, nonce=NONCE)
    rejects(hint(exp=OMIT), Reason.EXP_MISSING)
    rejects(hint(exp="0"), Reason.EXP_INVALID)
    rejects(hint(iat=CLOCK() + 11), Reason.IAT_IN_FUTURE)
    rejects(hint(nbf=CLOCK() + 11), Reason.TOKEN_NOT_YET_VALID)
    rejects(hint(iss="https://other.example.com"), Reason.ISS_MISMATCH)
    rejects(hint(client_id="another"), Reason.AUD_MISMATCH)
    rejects(hint(azp="another"), Reason.AZP_MISMATCH)
    rejects(hint(sub=OMIT), Reason.SUB_MISSING)
    rejects(hint(events={}), Reason.KIND_MISMATCH)
    rejects(hint(header={"alg": "none"}), Reason.ALG_NOT_ALLOWED)
    rejects(hint(key=SigningKey.generate(alg, kid=issuer.key.kid)), Reason.SIGNATURE_INVALID)


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_a_hint_with_the_former_secret(judge_of: Any, alg: str) -> None:
    """S004-24 with S004-23: a hint is one of the places where a former secret is still good."""
    new, old, other = (FakeIssuer(ISSUER, alg=alg, clock=CLOCK) for _ in range(3))

    def making(package: ModuleType, *, known: int = 2) -> Any:
        secrets = [package.JWK.from_secret(each.key.secret, alg=alg) for each in (new, old)]
        return make(package, provider=new, keys=package.JWKSet(secrets[:known]))

    judge = judge_of(making)
    hints = [issuer.id_token(client_id=CLIENT, lifetime=-WEEK) for issuer in (new, old, other)]
    for hint in hints[:2]:
        judge.accepts(hint, method="validate_hint")
    judge.rejects(hints[2], Reason.SIGNATURE_INVALID, method="validate_hint")
    judge.rejects(hints[1], Reason.SIGNATURE_INVALID, method="validate_hint", options={"known": 1})


# What an operator may ask for


@pytest.mark.parametrize(
    "options",
    [
        {"issuer": ""},
        {"issuer": None},
        {"client_id": ""},
        {"client_id": None},
        {"client_id": [CLIENT]},
        {"algorithms": []},
        {"algorithms": ["none"]},
        {"algorithms": ["ES256", "HS256"]},
        {"algorithms": None},
        {"trusted_audiences": [""]},
        {"trusted_audiences": 5},
        {"authorized_parties": [None]},
        {"acr_values": [5]},
        {"acr_values": 5},
        {"max_age": -1},
        {"max_age": "60"},
        {"max_age": True},
        {"max_token_age": 0},
        {"forbidden_claims": ["exp"]},
        {"keys": None},
        {"clock": 5},
        {"profile": None},
    ],
    ids=str,
)
def test_refused_when_it_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(keybound.PolicyError):
        make(keybound, **options)


@pytest.mark.parametrize("max_age", [-1, "60", True, float("nan"), [60]])
def test_max_age_of_a_call(max_age: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        make(keybound).validate(token(), nonce=NONCE, max_age=max_age)


@pytest.mark.parametrize("raw", [None, "", b"", 5, [], {}, "a.b.c", "....", "\ud800", b"\xff" * 50])
def test_what_is_no_token(judge: Any, raw: Any) -> None:
    validator = make(keybound)
    for call in (lambda: validator.validate(raw, nonce=NONCE), lambda: validator.validate_hint(raw)):
        with pytest.raises(keybound.MalformedToken):
            call()
