"""Security event tokens: every rule accepted and rejected, on both twins (RFC 8417, 2; RFC 9493)."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.stores import MemoryReplayStore
from keybound.testing import OMIT, FakeClock, FakeIssuer, SigningKey

ISSUER = "https://transmitter.example.com"
RECEIVER = "https://receiver.example.com"
REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
CLOCK = FakeClock()
TRANSMITTER = FakeIssuer(ISSUER, alg="ES256", clock=CLOCK)
NOT_TEXT = [None, 5, True, [], ["x"], {}, ""]


def token(**claims: Any) -> str:
    return TRANSMITTER.security_event_token(**claims)


def make(package: ModuleType, **options: Any) -> Any:
    usual = {
        "issuer": ISSUER,
        "audience": RECEIVER,
        "keys": package.JWKSet.from_json(TRANSMITTER.jwks()),
        "algorithms": ["ES256"],
        "clock": CLOCK,
    }
    return package.SecurityEventTokenValidator(**usual | options)


@pytest.fixture(scope="module")
def judge(judge_of: Any) -> Any:
    return judge_of(make)


def test_what_a_good_token_says(judge: Any) -> None:
    person = {"format": "email", "email": "user@example.com"}
    good = judge.accepts(
        token(txn="t-1", toe=1_458_492_425, subject_identifier=person, sub="user-1", jti="j")
    )
    assert (good.issuer, good.audience, good.subject) == (ISSUER, (RECEIVER,), "user-1")
    assert (good.events, good.identifier) == ({REVOKED: {}}, "j")
    assert (good.transaction, good.occurred_at, good.subject_identifier) == ("t-1", 1_458_492_425, person)
    assert good.expires_at is None
    assert repr(good) == "<keybound.SecurityEventToken>"
    plain = judge.accepts(token())
    assert plain.transaction is plain.occurred_at is plain.subject_identifier is plain.subject is None


@pytest.mark.parametrize(
    ("claim", "reason", "named"),
    [
        ("iss", Reason.ISS_MISSING, None),
        ("aud", Reason.AUD_MISSING, None),
        ("iat", Reason.IAT_MISSING, None),
        ("jti", Reason.JTI_MISSING, None),
        ("events", Reason.CLAIM_MISSING, "events"),
    ],
)
def test_claims_that_every_security_event_token_has(
    judge: Any, claim: str, reason: Reason, named: Any
) -> None:
    judge.rejects(token(**{claim: OMIT}), reason, claim=named)


@pytest.mark.parametrize(
    "name",
    [
        "urn:ietf:params:scim:event:passwordReset",
        "https://example.com/scim/event/passwordResetExt?version=1#part",
        "x-y.z+1:a",
        "https://[2001:db8::1]/event",
        "https://example.com/%C3%A9",
    ],
)
def test_event_types_are_uris(judge: Any, name: str) -> None:
    assert judge.accepts(token(events={name: {}})).events == {name: {}}
    judge.accepts(token(events={name: {"a": [1]}, REVOKED: {}}), options={"event_types": name})


@pytest.mark.parametrize(
    "name",
    ["", "event", ":", "1:a", "https:", "https://example.com/a b", "https://example.com/é", "a:<b>", "a:b\n"],
)
def test_names_that_are_none(judge: Any, name: str) -> None:
    judge.rejects(token(events={name: {}}), Reason.CLAIM_INVALID, claim="events")
    judge.rejects(token(events={REVOKED: {}, name: {}}), Reason.CLAIM_INVALID, claim="events")
    with pytest.raises(keybound.PolicyError):
        make(keybound, event_types=[name])


@pytest.mark.parametrize(
    "events",
    [{}, [], [REVOKED], REVOKED, 5, {REVOKED: None}, {REVOKED: []}, {REVOKED: "x"}, {REVOKED: True}],
    ids=str,
)
def test_events_that_are_malformed(judge: Any, events: Any) -> None:
    judge.rejects(token(events=events), Reason.CLAIM_INVALID, claim="events")


def test_expected_events(judge: Any) -> None:
    asking = {"event_types": ["https://example.com/a", "https://example.com/b"]}
    for events in ({"https://example.com/a": {}}, {"https://example.com/b": {}, REVOKED: {}}):
        judge.accepts(token(events=events), options=asking)
    for events in ({REVOKED: {}}, {"https://example.com/A": {}}, {"https://example.com/a/": {}}):
        judge.rejects(token(events=events), Reason.EVENT_UNEXPECTED, options=asking)


def test_logout_tokens_have_a_validator_of_their_own(judge: Any) -> None:
    """SX-01: a logout token is a security event token, and is refused as one."""
    logout = TRANSMITTER.logout_token(client_id=RECEIVER, header={"typ": "JWT"})
    judge.rejects(logout, Reason.KIND_MISMATCH)
    judge.rejects(
        token(events={LOGOUT: {}, REVOKED: {}}), Reason.KIND_MISMATCH, options={"event_types": REVOKED}
    )
    judge.rejects(TRANSMITTER.logout_token(client_id=RECEIVER), Reason.TYP_NOT_ALLOWED)
    with pytest.raises(keybound.PolicyError, match="LogoutTokenValidator"):
        make(keybound, event_types=[LOGOUT])


@pytest.mark.parametrize(("claim", "value"), [("htm", "POST"), ("token_introspection", {"active": True})])
def test_another_kind_of_token(judge: Any, claim: str, value: Any) -> None:
    """SX-01"""
    judge.rejects(token(**{claim: value}), Reason.KIND_MISMATCH)


@pytest.mark.parametrize("value", NOT_TEXT)
def test_transaction(judge: Any, value: Any) -> None:
    judge.rejects(token(txn=value), Reason.CLAIM_INVALID, claim="txn")
    judge.accepts(token(txn="5bb4ddd2-3e77-4e0b-a406-03c8fdc287c2"))


@pytest.mark.parametrize("value", ["1458492425", None, True, -1, 253_402_300_800, [], {}])
def test_time_of_event(judge: Any, value: Any) -> None:
    judge.rejects(token(toe=value), Reason.CLAIM_INVALID, claim="toe")
    judge.accepts(token(toe=0))


def test_times(judge: Any) -> None:
    """What happened has no end, so exp is not asked for; where it is, it counts (2.2)."""
    long_ago = {"clock": FakeClock(CLOCK() + 10**8)}
    judge.accepts(token(), options=long_ago)
    judge.rejects(token(), Reason.TOKEN_TOO_OLD, options=long_ago | {"max_age": 10**7})
    judge.rejects(token(iat=CLOCK() + 11), Reason.IAT_IN_FUTURE)
    judge.accepts(token(exp=CLOCK() + 1))
    judge.rejects(token(exp=CLOCK() - 10), Reason.TOKEN_EXPIRED)
    # Shared Signals forbid both.
    strict = {"forbidden_claims": ["exp", "sub"]}
    judge.rejects(token(exp=CLOCK() + 1), Reason.CLAIM_FORBIDDEN, claim="exp", options=strict)
    judge.rejects(token(sub="user-1"), Reason.CLAIM_FORBIDDEN, claim="sub", options=strict)
    judge.accepts(token(), options=strict)


def test_parties_and_signature(judge: Any) -> None:
    judge.accepts(token(audience=[RECEIVER, "https://other.example.com"]))
    judge.rejects(token(audience="https://other.example.com"), Reason.AUD_MISMATCH)
    judge.rejects(token(iss="https://other.example.com"), Reason.ISS_MISMATCH)
    judge.rejects(token(header={"alg": "none"}), Reason.ALG_NOT_ALLOWED)
    stranger = SigningKey.generate("ES256", kid=TRANSMITTER.key.kid)
    judge.rejects(token(key=stranger), Reason.SIGNATURE_INVALID)


def test_typ(judge: Any) -> None:
    explicit = {"explicit_typing": True}
    judge.accepts(token(header={"typ": "application/SECEVENT+jwt"}), options=explicit)
    judge.rejects(token(header={"typ": "JWT"}), Reason.TYP_NOT_ALLOWED, options=explicit)
    judge.rejects(token(header={"typ": OMIT}), Reason.TYP_MISSING, options=explicit)
    for typ in ("JWT", OMIT):
        judge.accepts(token(header={"typ": typ}))
    judge.rejects(token(header={"typ": "at+jwt"}), Reason.TYP_NOT_ALLOWED)


def test_a_token_is_used_once() -> None:
    validator = make(keybound, replay=MemoryReplayStore(), max_age=60)
    raw = token()
    validator.validate(raw)
    with pytest.raises(keybound.ContextRejected) as caught:
        validator.validate(raw)
    assert caught.value.reason is Reason.JTI_REPLAYED
    ending = make(keybound, replay=MemoryReplayStore(), required_claims=["exp"])
    raw = token(exp=CLOCK() + 60)
    ending.validate(raw)
    with pytest.raises(keybound.ContextRejected):
        ending.validate(raw)


@pytest.mark.parametrize(
    "options",
    [
        {"audience": ()},
        {"audience": None},
        {"issuer": None},
        {"event_types": [5]},
        {"event_types": b"a:b"},
        {"replay": MemoryReplayStore()},
        {"replay": 5, "max_age": 60},
        {"explicit_typing": 1},
        {"algorithms": None},
    ],
    ids=str,
)
def test_refused_when_it_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(keybound.PolicyError):
        make(keybound, **options)


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iss": "x"}, "invalid_issuer"),
        ({"iss": OMIT}, "invalid_issuer"),
        ({"audience": "x"}, "invalid_audience"),
        ({"audience": OMIT}, "invalid_audience"),
        ({"header": {"kid": "x"}}, "invalid_key"),
        pytest.param(
            {"key": SigningKey.generate("ES256", kid=TRANSMITTER.key.kid)}, "invalid_key", id="another key"
        ),
        ({"header": {"alg": "none"}}, "invalid_request"),
        ({"events": {}}, "invalid_request"),
        ({"txn": 5}, "invalid_request"),
        ({"jti": OMIT}, "invalid_request"),
    ],
    ids=str,
)
def test_what_the_transmitter_is_told(claims: dict[str, Any], code: str) -> None:
    """RFC 8935, 2.3 and 2.4"""
    with pytest.raises(keybound.TokenRejected) as caught:
        make(keybound).validate(token(**claims))
    assert caught.value.status == 400
    answer = keybound.SecurityEventTokenValidator.delivery_error(caught.value)
    assert answer == {"err": code, "description": caught.value.reason.description}


GOOD_IDENTIFIERS = [
    {"format": "opaque", "id": "x"},
    {"format": "did", "url": "did:example:123456"},
    {"format": "phone_number", "phone_number": "+1234"},
    {"format": "aliases", "identifiers": [{"format": "opaque", "id": "x"}, {"format": "opaque", "id": "y"}]},
    {"format": "complex", "user": {"format": "opaque", "id": "x"}, "device": {"format": "opaque", "id": "y"}},
    {"format": "ip-addresses", "ip-addresses": ["10.29.37.75"]},
    {"format": "of another text"},
]
BAD_IDENTIFIERS = [
    None,
    {},
    [],
    "user-1",
    5,
    {"format": ""},
    {"format": None},
    {"format": 5},
    {"id": "x"},
    {"format": "opaque"},
    {"format": "opaque", "id": ""},
    {"format": "opaque", "id": None},
    {"format": "opaque", "id": "x", "sub": "y"},
    {"format": "email", "email": "user"},
    {"format": "email", "email": "user@"},
    {"format": "email", "email": "a@b@c"},
    {"format": "email", "id": "user@example.com"},
    {"format": "account", "uri": "https://example.com"},
    {"format": "account", "uri": "acct:user"},
    {"format": "phone_number", "phone_number": "12065550100"},
    {"format": "phone_number", "phone_number": "+1 206 555 0100"},
    {"format": "phone_number", "phone_number": "+0123"},
    {"format": "phone_number", "phone_number": "+" + "1" * 16},
    {"format": "phone_number", "phone_number": 12065550100},
    {"format": "did", "url": "https://example.com"},
    {"format": "uri", "uri": "user"},
    {"format": "iss_sub", "iss": "https://issuer.example.com/"},
    {"format": "iss_sub", "iss": "https://issuer.example.com/", "sub": ""},
    {"format": "iss_sub", "iss": "https://issuer.example.com/", "sub": "x", "id": "y"},
    {"format": "aliases", "identifiers": []},
    {"format": "aliases", "identifiers": "x"},
    {"format": "aliases", "identifiers": {"format": "opaque", "id": "x"}},
    {"format": "aliases", "identifiers": [{"format": "opaque"}]},
    {"format": "aliases", "identifiers": [None]},
    {
        "format": "aliases",
        "identifiers": [{"format": "aliases", "identifiers": [{"format": "opaque", "id": "x"}]}],
    },
    {"format": "aliases", "identifiers": [{"format": "opaque", "id": "x"}], "id": "x"},
]


@pytest.mark.parametrize("identifier", GOOD_IDENTIFIERS, ids=str)
def test_subject_identifier(judge: Any, identifier: Any) -> None:
    assert judge.accepts(token(subject_identifier=identifier)).subject_identifier == identifier


@pytest.mark.parametrize("identifier", BAD_IDENTIFIERS, ids=str)
def test_what_is_no_subject_identifier(judge: Any, identifier: Any) -> None:
    judge.rejects(token(sub_id=identifier), Reason.CLAIM_INVALID, claim="sub_id")
