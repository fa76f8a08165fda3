"""Events and log records tell what happened, and nothing from a token."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from types import ModuleType
from typing import Any

import pytest

import keybound
from keybound.events import EventLog, OldSecretEvent, TokenEvent
from keybound.keys import FetchEvent, Response
from keybound.testing import FakeClock, FakeIssuer, make_token

AUDIENCE = "https://rs.example.com"
JWKS = "https://as.example.com/jwks"
ISSUER = FakeIssuer(clock=FakeClock())


def validator_of(package: ModuleType, keys: Any = None, **options: Any) -> Any:
    return package.AccessTokenValidator(
        issuer=ISSUER.issuer,
        audience=AUDIENCE,
        keys=package.JWKSet.from_json(ISSUER.jwks()) if keys is None else keys,
        algorithms=["ES256"],
        clock=ISSUER.clock,
        **options,
    )


def marked(text: str) -> list[str]:
    """Tokens that say ``text`` wherever a token can say something."""
    claims = dict.fromkeys(("iss", "sub", "aud", "client_id", "jti", text), text)
    header = {"alg": "ES256", "typ": "at+jwt", "kid": text}
    signed = ISSUER.access_token(subject=text, client_id=text, jti=text, audience=text)
    return [make_token(header, claims, ISSUER.key), make_token({"alg": text}, claims, None), signed, text]


def test_what_is_not_accepted_is_told_of(package: ModuleType) -> None:
    """P35: one event for each rejection, by validate, avalidate and validate_many."""
    told: list[Any] = []
    validator = validator_of(package, required_claims=["tenant"])
    validator.notify(told.append)
    raw = ISSUER.access_token()
    with pytest.raises(package.ClaimRejected):
        validator.validate(raw)
    with pytest.raises(package.ClaimRejected):
        asyncio.run(validator.avalidate(raw))
    validator.validate_many([raw, ISSUER.access_token(tenant="t"), None])
    missing = ("access_token", ISSUER.issuer, "claim_missing", 401, "tenant")
    seen = [(event.kind, event.issuer, str(event.reason), event.status, event.claim) for event in told]
    assert seen == [missing] * 3 + [("access_token", ISSUER.issuer, "token_missing", 401, None)]
    assert {type(event) for event in told} == {package.events.TokenEvent}


def test_accepted_tokens_are_no_events(package: ModuleType) -> None:
    told: list[Any] = []
    validator = validator_of(package)
    validator.notify(told.append)
    validator.validate(ISSUER.access_token())
    assert told == []


def test_no_answer_is_an_event(package: ModuleType) -> None:
    told: list[Any] = []

    class Nobody:
        def snapshot(self) -> Any:
            raise package.Unavailable("not now")

    validator = validator_of(package, Nobody())
    validator.notify(told.append)
    with pytest.raises(package.Unavailable):
        validator.validate(ISSUER.access_token())
    assert [(event.reason, event.status, event.detail) for event in told] == [(None, 503, "not now")]


def test_other_kinds_tell_too(package: ModuleType) -> None:
    told: list[Any] = []
    answers = package.IntrospectionResponseValidator(issuer=ISSUER.issuer, audience=AUDIENCE)
    proofs = package.DPoPProofValidator(algorithms=["ES256"], replay=None)
    answers.notify(told.append)
    proofs.notify(told.append)
    with pytest.raises(package.TokenRejected):
        answers.validate({"active": False})
    with pytest.raises(package.TokenRejected):
        proofs.validate("", method="GET", url=AUDIENCE)
    seen = [(event.kind, event.issuer, str(event.reason)) for event in told]
    assert seen == [
        ("access_token", ISSUER.issuer, "token_inactive"),
        ("dpop_proof", None, "dpop_proof_missing"),
    ]


def test_a_router_tells_of_what_nobody_gets(caplog: pytest.LogCaptureFixture) -> None:
    """P15, P35: whose token it is nobody knows, and the record does not say."""
    caplog.set_level(logging.DEBUG, "keybound")
    router = keybound.IssuerRouter([validator_of(keybound)])
    router.notify(EventLog())
    for raw in marked("hostile\ntext"):
        with pytest.raises(keybound.TokenRejected):
            router.validate(raw)
    assert [record.getMessage() for record in caplog.records] == [
        "token rejected: iss_unknown",
        "token rejected: iss_unknown",
        "token rejected: token_malformed",
    ]
    assert {(record.keybound_kind, record.keybound_issuer) for record in caplog.records} == {(None, None)}
    assert "hostile" not in repr([vars(record) for record in caplog.records])


def test_who_listens_changes_no_answer(package: ModuleType) -> None:
    def fail(event: Any) -> None:
        raise RuntimeError

    validator = validator_of(package)
    validator.notify(fail)
    with pytest.raises(package.MalformedToken):
        validator.validate("")
    validator.notify(None)
    with pytest.raises(package.MalformedToken):
        validator.validate("")
    assert validator.stats()["rejected"] == {"token_missing": 2}
    with pytest.raises(package.PolicyError, match="callable"):
        validator.notify("logger")


def test_records_hold_nothing_from_a_token(caplog: pytest.LogCaptureFixture) -> None:
    """F-18, P39: neither the message nor a field of a record, whatever is presented."""
    caplog.set_level(logging.DEBUG, "keybound")
    validator = validator_of(keybound)
    validator.notify(EventLog())
    raws = marked("hostile\ntext")
    for raw in raws:
        with pytest.raises(keybound.TokenRejected):
            validator.validate(raw)
    assert len(caplog.records) == len(raws)
    for record in caplog.records:
        said = repr(vars(record)) + record.getMessage()
        assert "hostile" not in said
        assert not [raw for raw in raws if raw[:12] in said or raw[-12:] in said]
        assert record.levelno == logging.INFO


def test_records_have_fields(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    EventLog(logging.getLogger("mine"))(
        TokenEvent("access_token", "https://as.example.com", keybound.Reason.CLAIM_MISSING, 401, "tenant")
    )
    (record,) = caplog.records
    assert (record.name, record.getMessage()) == ("mine", "access_token rejected: claim_missing (tenant)")
    fields = {name: value for name, value in vars(record).items() if name.startswith("keybound_")}
    assert fields == {
        "keybound_event": "token_rejected",
        "keybound_kind": "access_token",
        "keybound_issuer": "https://as.example.com",
        "keybound_reason": "claim_missing",
        "keybound_status": 401,
        "keybound_claim": "tenant",
        "keybound_detail": None,
    }


def test_no_answer_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    EventLog()(TokenEvent("access_token", None, None, 503, detail="the server does not answer"))
    (record,) = caplog.records
    assert (record.levelno, record.keybound_event) == (logging.WARNING, "token_unavailable")
    assert record.keybound_detail == "the server does not answer"
    assert record.getMessage() == (
        "nobody could tell whether the access_token is good: the server does not answer"
    )


def test_an_old_secret_in_use(caplog: pytest.LogCaptureFixture) -> None:
    """S004-24: it is the operator's own client, so it is worth a warning."""
    EventLog()(OldSecretEvent("client_assertion", "client-1"))
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (
        logging.WARNING,
        "client_assertion accepted by an old secret",
    )
    fields = {name: value for name, value in vars(record).items() if name.startswith("keybound_")}
    assert fields == {
        "keybound_event": "old_secret_used",
        "keybound_kind": "client_assertion",
        "keybound_issuer": "client-1",
    }


def test_fetches_and_stale_keys(caplog: pytest.LogCaptureFixture) -> None:
    """P1: a fetch that fails, keys that grow stale, and keys that are gone."""
    caplog.set_level(logging.DEBUG, "keybound")
    clock, failing = FakeClock(), [False]
    log, told = EventLog(), threading.Semaphore(0)

    def listen(event: FetchEvent) -> None:
        log(event)
        told.release()

    def transport(request: Any) -> Response:
        if failing[0]:
            raise OSError
        return Response(status=200, body=json.dumps(ISSUER.jwks()).encode())

    source = keybound.RemoteJWKSet(
        JWKS, transport=transport, monotonic=clock, keep_fresh=False, on_event=listen
    )
    for seconds in (0, 1, 300, 700, 3600):
        failing[0] = seconds > 1
        clock.advance(seconds)
        source.refresh_now()
        # Whoever waits for a fetch is woken before others are told of it.
        assert told.acquire(timeout=20)
    seen = [(record.levelname, record.getMessage().partition(": ")[2]) for record in caplog.records]
    assert seen == [
        ("INFO", "updated"),
        ("DEBUG", "unchanged"),
        ("WARNING", "connection_failed; what is held is good"),
        ("WARNING", "connection_failed; what is held is stale"),
        ("WARNING", "connection_failed; what is held is gone"),
    ]
    last = caplog.records[-1]
    assert (last.keybound_url, last.keybound_outcome, last.keybound_failures) == (
        JWKS,
        "connection_failed",
        3,
    )
    assert {f"keybound_{name}" for name in FetchEvent.__dataclass_fields__} <= set(vars(last))


def test_only_loggers_log() -> None:
    with pytest.raises(keybound.PolicyError, match="logger"):
        EventLog("keybound")  # type: ignore[arg-type]
    adapter = logging.LoggerAdapter(logging.getLogger("mine"), {})
    EventLog(adapter)(TokenEvent("access_token", None, None, 503))
