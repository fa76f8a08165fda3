"""Logout tokens: every rule accepted and rejected, on both twins (OpenID Connect Back-Channel Logout, 2)."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.stores import MemoryReplayStore
from keybound.testing import OMIT, EncryptionKey, FakeClock, FakeIssuer, SigningKey, encrypt_jwe

ISSUER = "https://server.example.com"
CLIENT = "s6BhdRkqt3"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
CLOCK = FakeClock()
PROVIDER = FakeIssuer(ISSUER, alg="ES256", clock=CLOCK)


def token(**claims: Any) -> str:
    return PROVIDER.logout_token(**{"client_id": CLIENT} | claims)


def make(package: ModuleType, **options: Any) -> Any:
    usual = {
        "issuer": ISSUER,
        "client_id": CLIENT,
        "keys": package.JWKSet.from_json(PROVIDER.jwks()),
        "algorithms": ["ES256"],
        "clock": CLOCK,
    }
    return package.LogoutTokenValidator(**usual | options)


@pytest.fixture(scope="module")
def judge(judge_of: Any) -> Any:
    return judge_of(make)


def test_what_a_good_token_says(judge: Any) -> None:
    good = judge.accepts(token(session_id="s-1", jti="bWJq", txn="t", toe=5))
    assert (good.issuer, good.audience, good.subject) == (ISSUER, (CLIENT,), "user-1")
    assert (good.session_id, good.identifier) == ("s-1", "bWJq")
    assert (good.events, good.transaction, good.occurred_at) == ({EVENT: {}}, "t", 5)
    assert good.expires_at == good.issued_at + 120
    assert repr(good) == "<keybound.LogoutToken>"


def test_it_names_a_user_a_session_or_both(judge: Any) -> None:
    assert judge.accepts(token()).session_id is None
    alone = judge.accepts(token(subject=OMIT, session_id="s-1"))
    assert (alone.subject, alone.session_id) == (None, "s-1")
    judge.rejects(token(subject=OMIT), Reason.CLAIM_MISSING, claim="sid")
    for nobody in ("", None, 5, ["user-1"]):
        judge.rejects(token(subject=nobody), Reason.SUB_INVALID)
        judge.rejects(token(session_id=nobody), Reason.CLAIM_INVALID, claim="sid")
    demanding = {"required_claims": ["sid"]}
    judge.rejects(token(), Reason.CLAIM_MISSING, claim="sid", options=demanding)
    judge.accepts(token(session_id="s-1"), options=demanding)


@pytest.mark.parametrize(
    ("claim", "reason", "named"),
    [
        ("iss", Reason.ISS_MISSING, None),
        ("aud", Reason.AUD_MISSING, None),
        ("iat", Reason.IAT_MISSING, None),
        ("exp", Reason.EXP_MISSING, None),
        ("jti", Reason.JTI_MISSING, None),
        ("events", Reason.CLAIM_MISSING, "events"),
    ],
)
def test_claims_that_every_logout_token_has(judge: Any, claim: str, reason: Reason, named: Any) -> None:
    judge.rejects(token(**{claim: OMIT}), reason, claim=named)


@pytest.mark.parametrize(
    "events",
    [
        {EVENT: {}},
        {EVENT: {"reason": "x"}},
        {EVENT: {}, "https://example.com/other": {}},
    ],
    ids=str,
)
def test_events(judge: Any, events: Any) -> None:
    assert judge.accepts(token(events=events)).events == events


@pytest.mark.parametrize(
    "events",
    [
        {},
        [],
        [EVENT],
        EVENT,
        5,
        True,
        {EVENT: None},
        {EVENT: True},
        {EVENT: []},
        {EVENT: "{}"},
        {EVENT: {}, "no uri": {}},
        {EVENT: {}, "https://example.com/other": None},
    ],
    ids=str,
)
def test_events_that_are_malformed(judge: Any, events: Any) -> None:
    judge.rejects(token(events=events), Reason.CLAIM_INVALID, claim="events")


@pytest.mark.parametrize(
    "event",
    [
        "https://schemas.openid.net/event/backchannel-logout",
        EVENT + "/",
        EVENT.upper(),
        EVENT[:-1],
        "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
    ],
)
def test_another_event(judge: Any, event: str) -> None:
    judge.rejects(token(events={event: {}}), Reason.EVENT_UNEXPECTED)
    judge.rejects(token(events=None), Reason.CLAIM_MISSING, claim="events")


@pytest.mark.parametrize("nonce", ["n", "", None, 5])
def test_a_nonce_would_make_it_an_id_token(judge: Any, nonce: Any) -> None:
    judge.rejects(token(nonce=nonce), Reason.KIND_MISMATCH)


def test_parties(judge: Any) -> None:
    judge.rejects(token(iss=ISSUER + "/"), Reason.ISS_MISMATCH)
    judge.rejects(token(client_id="another"), Reason.AUD_MISMATCH)
    judge.accepts(token(client_id=[CLIENT]))
    judge.rejects(token(client_id=[CLIENT, "x"]), Reason.AUD_NOT_SOLE)
    judge.accepts(token(client_id=[CLIENT, "x"]), options={"trusted_audiences": "x"})


def test_times(judge: Any) -> None:
    late = {"clock": FakeClock(CLOCK() + 130)}
    judge.rejects(token(), Reason.TOKEN_EXPIRED, options=late)
    judge.rejects(token(iat=CLOCK() + 11), Reason.IAT_IN_FUTURE)
    judge.rejects(token(nbf=CLOCK() + 11), Reason.TOKEN_NOT_YET_VALID)
    judge.rejects(token(iat=CLOCK() - 71), Reason.TOKEN_TOO_OLD, options={"max_age": 60})
    judge.accepts(token(iat=CLOCK() - 70), options={"max_age": 60})
    judge.rejects(token(lifetime=121), Reason.LIFETIME_TOO_LONG, options={"max_lifetime": 120})
    judge.accepts(token(lifetime=120), options={"max_lifetime": 120})
    judge.rejects(token(toe="now"), Reason.CLAIM_INVALID, claim="toe")


def test_tokens_of_the_draft_had_no_end(judge: Any) -> None:
    forgiving = {"allow_missing_exp": True}
    judge.rejects(token(exp=OMIT), Reason.EXP_MISSING)
    judge.accepts(token(exp=OMIT), options=forgiving)
    judge.rejects(token(lifetime=-60), Reason.TOKEN_EXPIRED, options=forgiving)
    judge.rejects(
        token(exp=OMIT, iat=CLOCK() - 131), Reason.TOKEN_TOO_OLD, options=forgiving | {"max_age": 120}
    )


def test_signature(judge: Any) -> None:
    judge.rejects(token(header={"alg": "none"}), Reason.ALG_NOT_ALLOWED)
    judge.rejects(token(), Reason.ALG_NOT_ALLOWED, options={"algorithms": ["PS256"]})
    stranger = SigningKey.generate("ES256", kid=PROVIDER.key.kid)
    judge.rejects(token(key=stranger), Reason.SIGNATURE_INVALID)


def test_typ(judge: Any) -> None:
    explicit = {"explicit_typing": True}
    for typ in ("logout+jwt", "application/LOGOUT+jwt"):
        judge.accepts(token(header={"typ": typ}), options=explicit)
    for typ in ("JWT", OMIT):
        judge.accepts(token(header={"typ": typ}))
    judge.rejects(token(header={"typ": "JWT"}), Reason.TYP_NOT_ALLOWED, options=explicit)
    judge.rejects(token(header={"typ": OMIT}), Reason.TYP_MISSING, options=explicit)
    for typ in ("at+jwt", "secevent+jwt", "id_token+jwt", "dpop+jwt"):
        judge.rejects(token(header={"typ": typ}), Reason.TYP_NOT_ALLOWED)


@pytest.mark.parametrize(
    "claims",
    [{"scope": "read"}, {"scp": ["read"]}, {"at_hash": "x"}, {"htm": "POST"}, {"response_type": "x"}],
)
def test_another_kind_of_token(judge: Any, claims: dict[str, Any]) -> None:
    """SX-01: with the marks of another kind it is none, whatever its events say."""
    judge.rejects(token(**claims), Reason.KIND_MISMATCH)


def test_an_id_token_is_none(judge: Any, judge_of: Any) -> None:
    """SX-01: in either direction, with the type that both may have."""
    raw = PROVIDER.id_token(client_id=CLIENT)
    judge.rejects(raw, Reason.JTI_MISSING)
    judge.rejects(PROVIDER.id_token(client_id=CLIENT, jti="j"), Reason.CLAIM_MISSING, claim="events")
    id_tokens = judge_of(
        lambda package, **options: package.IDTokenValidator(
            issuer=ISSUER,
            client_id=CLIENT,
            keys=package.JWKSet.from_json(PROVIDER.jwks()),
            algorithms=["ES256"],
            clock=CLOCK,
        )
    )
    id_tokens.rejects(token(header={"typ": "JWT"}), Reason.KIND_MISMATCH, nonce=None)


def test_rejections_are_answered_with_400(judge: Any) -> None:
    """2.8"""
    for raw in (
        token(lifetime=-60),
        token(session_id=""),
        token(txn=5),
        token(toe="x"),
        token(events={}),
        "x",
    ):
        with pytest.raises(keybound.TokenRejected) as caught:
            make(keybound).validate(raw)
        assert (caught.value.error, caught.value.status) == ("invalid_request", 400)
        assert caught.value.error_response()["error"] == "invalid_request"


# Replay: 2.6 (8)


def test_a_token_is_used_once() -> None:
    validator = make(keybound, replay=MemoryReplayStore())
    first = token(jti="one")
    assert validator.validate(first).identifier == "one"
    for again in (first, token(jti="one", session_id="other")):
        with pytest.raises(keybound.ContextRejected) as caught:
            validator.validate(again)
        assert caught.value.reason is Reason.JTI_REPLAYED
        with pytest.raises(keybound.ContextRejected):
            asyncio.run(validator.avalidate(again))
    assert asyncio.run(validator.avalidate(token(jti="two"))).identifier == "two"


def test_a_rejected_token_is_not_used_up() -> None:
    validator = make(keybound, replay=MemoryReplayStore())
    for bad in (
        {"lifetime": -60},
        {"events": {"https://example.com/other": {}}},
        {"session_id": 5},
        {"client_id": "x"},
    ):
        with pytest.raises(keybound.TokenRejected):
            validator.validate(token(jti="one", **bad))
    validator.validate(token(jti="one"))


@pytest.mark.parametrize(
    ("options", "claims", "last"),
    [
        ({}, {"lifetime": 120}, 129.9),
        ({"max_age": 60}, {"lifetime": 3600}, 70),
        ({"max_age": 60, "allow_missing_exp": True}, {"exp": OMIT}, 70),
        ({"leeway": 0}, {"lifetime": 120}, 119.9),
    ],
    ids=["exp", "max_age", "no exp", "no leeway"],
)
def test_it_is_remembered_as_long_as_it_could_come_again(options: Any, claims: Any, last: float) -> None:
    clock = FakeClock(CLOCK())
    store = MemoryReplayStore()
    validator = make(keybound, clock=clock, replay=store, **options)
    raw = token(**claims)
    validator.validate(raw)
    clock.advance(last)
    make(keybound, clock=clock, **options).validate(raw)
    with pytest.raises(keybound.ContextRejected):
        validator.validate(raw)


def test_a_store_that_cannot_tell() -> None:
    full = MemoryReplayStore(max_entries=1)
    validator = make(keybound, replay=full)
    validator.validate(token())
    with pytest.raises(keybound.Unavailable):
        validator.validate(token())


def test_no_time_in_a_token_makes_a_store_fail() -> None:
    """A token of the last second there is has an end that every store takes."""
    year_9999 = 253_402_300_799
    for leeway in (0, 86_400):
        validator = make(keybound, replay=MemoryReplayStore(), leeway=leeway)
        validator.validate(token(exp=year_9999))


# What an operator may ask for


@pytest.mark.parametrize(
    "options",
    [
        {"issuer": ""},
        {"client_id": None},
        {"client_id": ["a", "b"]},
        {"algorithms": None},
        {"algorithms": ["none"]},
        {"explicit_typing": "yes"},
        {"explicit_typing": True, "types": ["jwt"]},
        {"trusted_audiences": [5]},
        {"allow_missing_exp": 1},
        {"allow_missing_exp": True, "replay": MemoryReplayStore()},
        {"replay": 5},
        {"replay": MemoryReplayStore},
        {"replay": {}},
        {"decryption": 5},
        {"forbidden_claims": ["events"]},
        {"max_age": 0},
        {"keys": None},
    ],
    ids=str,
)
def test_refused_when_it_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(keybound.PolicyError):
        make(keybound, **options)


def test_encrypted(judge_of: Any) -> None:
    """2.4: a logout token may be encrypted, as ID tokens are."""
    recipient = EncryptionKey.generate("A256GCMKW")

    def opening(package: ModuleType, **options: Any) -> Any:
        key = package.DecryptionKey.from_json(recipient.private_jwk())
        rules = {"algorithms": ["A256GCMKW"], "encryptions": ["A256GCM"]}
        return make(package, decryption=package.Decryption(keys=key, **rules), **options)

    judge = judge_of(opening)
    judge.accepts(encrypt_jwe(token(), recipient, enc="A256GCM", header={"cty": "JWT"}))
    error = judge.rejects(token(), Reason.TOKEN_NOT_ENCRYPTED)
    assert error.error == "invalid_request"


@pytest.mark.parametrize("raw", [None, "", b"", 5, [], {}, "a.b.c", "....", b"\xff" * 50])
def test_what_is_no_token(judge: Any, raw: Any) -> None:
    validator = make(keybound)
    with pytest.raises(keybound.MalformedToken):
        validator.validate(raw)
    with pytest.raises(keybound.MalformedToken):
        asyncio.run(validator.avalidate(raw))
