"""``explain``: each check on its own, for people; it accepts nothing and shows nothing of the token."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.testing import OMIT, SigningKey
from keybound.tokens.explain import Check, Explanation

ROAD = ("size and segments", "header", "key and signature", "payload")
CLAIMS = (
    *(
        "kind",
        "issuer",
        "audience",
        "expiration time",
        "not before",
        "issued at",
        "lifetime",
        "age",
        "subject",
        "client",
    ),
    *(
        "token identifier",
        "scope syntax",
        "required claims",
        "forbidden claims",
        "expected claims",
        "confirmation",
        "required scope",
    ),
)


def outcomes(explanation: Explanation) -> dict[str, str]:
    return {check.name: check.outcome for check in explanation.checks}


def test_good_token(world: Any) -> None:
    validator = world.validator(required_claims=["sub"], scopes=["read"], max_age=60, max_lifetime=300)
    raw = world.token(certificate=world.client)
    explanation = validator.explain(raw, certificate=world.client.der)
    assert explanation.reason is Reason.OK
    assert tuple(check.name for check in explanation.checks) == ROAD + CLAIMS
    expected = dict.fromkeys(ROAD + CLAIMS, "passed")
    expected |= dict.fromkeys(
        ["not before", "required claims", "forbidden claims", "expected claims"], "skipped"
    )
    assert outcomes(explanation) == expected


def test_it_goes_on_where_validate_stops(world: Any) -> None:
    other = SigningKey.generate("ES256", kid=world.key.kid)
    raw = world.token(key=other, lifetime=-60, aud="x", certificate=world.client, scope=OMIT)
    explanation = world.validator(scopes=["read"]).explain(raw, certificate=world.stranger.der)
    failed = {check.name: check.reason for check in explanation.checks if check.outcome == "failed"}
    assert explanation.reason is Reason.SIGNATURE_INVALID
    assert failed == {
        "key and signature": Reason.SIGNATURE_INVALID,
        "audience": Reason.AUD_MISMATCH,
        "expiration time": Reason.TOKEN_EXPIRED,
        "confirmation": Reason.CERTIFICATE_MISMATCH,
        "required scope": Reason.SCOPE_INSUFFICIENT,
    }
    (payload,) = (check for check in explanation.checks if check.name == "payload")
    assert payload.note == "read without a verified signature"


def test_what_cannot_be_looked_at_is_skipped(world: Any) -> None:
    found = outcomes(world.validator().explain("not a token"))
    assert found.pop("size and segments") == "failed"
    assert set(found.values()) == {"skipped"}
    found = outcomes(world.validator().explain(world.forge(payload=b"[]")))
    assert found["payload"] == "failed"
    assert {found[name] for name in CLAIMS} == {"skipped"}


def test_failed_claims_name_what_the_operator_asked_for(world: Any) -> None:
    validator = world.validator(required_claims=["acr", "amr"], forbidden_claims=["act"])
    notes = {check.name: check.note for check in validator.explain(world.token(acr="1", act="s3cret")).checks}
    assert notes["required claims"] == "amr"
    assert notes["forbidden claims"] == "act"


def test_binding_that_is_ignored_says_so(world: Any) -> None:
    validator = world.validator(binding="ignore")
    (check,) = (
        check
        for check in validator.explain(world.token(certificate=world.client)).checks
        if check.name == "confirmation"
    )
    assert (check.outcome, check.note) == ("skipped", "binding is ignored")


@pytest.mark.parametrize(
    "name", ["iss", "aud", "exp", "nbf", "iat", "sub", "client_id", "jti", "scope", "scp", "cnf"]
)
@pytest.mark.parametrize(
    "value", [None, True, 5, -1, 1.5, "", "x", [], ["x"], [None], [{}], {}, {"x": 1}, 10**30]
)
def test_first_failure_is_the_verdict_for_odd_values(world: Any, judge: Any, name: str, value: Any) -> None:
    """The checks lean on each other; alone, none may stumble over what an earlier one refused."""
    options = {"scopes": ["read"], "max_age": 60, "max_lifetime": 300, "required_claims": [name]}
    raw = world.token(**{name: value})
    reason = world.validator(**options).explain(raw).reason
    if reason is Reason.OK:
        judge.accepts(raw, **options)
    else:
        claim = name if reason is Reason.CLAIM_MISSING else None
        judge.rejects(raw, reason, claim=claim, **options)


def test_nothing_is_accepted(world: Any) -> None:
    """There is no way from an explanation to claims."""
    explanation = world.validator().explain(world.token(subject="s3cret-subject", jti="s3cret-jti"))
    assert {field.name for field in dataclasses.fields(Explanation)} == {"checks"}
    assert {field.name for field in dataclasses.fields(Check)} == {"name", "outcome", "reason", "note"}
    assert not isinstance(explanation, keybound.AccessToken)
    assert "s3cret" not in repr(explanation)
    with pytest.raises(dataclasses.FrozenInstanceError):
        explanation.checks = ()  # type: ignore[misc]


def test_it_asks_the_key_source_and_the_clock_as_validate_does(world: Any) -> None:
    class Down:
        def snapshot(self) -> keybound.JWKSet:
            raise keybound.Unavailable("no key set yet")

    with pytest.raises(keybound.Unavailable):
        world.validator(keys=Down()).explain(world.token())
