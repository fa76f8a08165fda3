"""Key sources: what every validator takes as ``keys=``."""

from __future__ import annotations

from typing import Any

import pytest

from keybound import JWK, AccessTokenValidator, JWKSet, PolicyError, SignatureRejected, Unavailable
from keybound._hotpath.pure.token import CompiledPolicy, KeyIndex, Validator
from keybound.keys import KeySource, as_key_source
from keybound.testing import FakeIssuer, SigningKey

OPTIONS = {"issuer": "https://as.example.com", "audience": "https://rs.example.com", "algorithms": ["ES256"]}


class Rotating:
    """A source as an operator may write one: the keys that its issuer publishes now."""

    def __init__(self, issuer: FakeIssuer) -> None:
        self.issuer = issuer

    def snapshot(self) -> JWKSet:
        return JWKSet.from_json(self.issuer.jwks())


class Unreachable:
    def snapshot(self) -> JWKSet:
        raise Unavailable("no keys yet", retry_after=5)


def test_a_set_and_a_key_are_sources():
    key = JWK.from_json(SigningKey.generate("ES256").public_jwk())
    keys = JWKSet([key])
    assert isinstance(keys, KeySource)
    assert as_key_source(keys) is keys
    assert as_key_source(key).snapshot().keys == (key,)


@pytest.mark.parametrize(
    "keys",
    [
        None,
        "",
        b"",
        "-----BEGIN PUBLIC KEY-----",
        {},
        {"keys": []},
        [],
        [None],
        5,
        JWKSet,
        JWK,
        object(),
        Rotating,
        lambda: None,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_source(keys: Any):
    """GHSA-8wpc-h4q6-8fxv, CVE-2026-27962: without keys there is no validator."""
    with pytest.raises(PolicyError, match="keys"):
        as_key_source(keys)
    with pytest.raises(PolicyError, match="keys"):
        AccessTokenValidator(**OPTIONS, keys=keys)


def test_a_source_is_asked_for_every_token():
    issuer = FakeIssuer()
    validator = AccessTokenValidator(**OPTIONS, keys=Rotating(issuer))
    before = issuer.access_token()
    assert validator.validate(before).issuer == issuer.issuer
    issuer.rotate()
    assert validator.validate(before).issuer == issuer.issuer
    assert validator.validate(issuer.access_token()).issuer == issuer.issuer


def test_a_key_that_was_withdrawn_verifies_nothing():
    """CVE-2025-22149: removed keys lived for ever. The header of the token is remembered; its key is not."""
    issuer = FakeIssuer()
    validator = AccessTokenValidator(**OPTIONS, keys=Rotating(issuer))
    before = issuer.access_token()
    validator.validate(before)
    old = issuer.key
    issuer.rotate(keep_previous=False)
    with pytest.raises(Exception, match="key_unknown"):
        validator.validate(before)
    issuer.publish(SigningKey.generate("ES256", kid=old.kid))
    with pytest.raises(SignatureRejected):
        validator.validate(before)


def test_keys_of_one_issuer_do_not_serve_another():
    """CVE-2025-59936: two issuers, one kid."""
    first = FakeIssuer(key=SigningKey.generate("ES256", kid="1"))
    second = FakeIssuer(key=SigningKey.generate("ES256", kid="1"))
    for issuer, other in ((first, second), (second, first)):
        validator = AccessTokenValidator(**OPTIONS, keys=Rotating(issuer))
        assert validator.validate(issuer.access_token()).subject == "user-1"
        with pytest.raises(SignatureRejected):
            validator.validate(other.access_token())


def test_an_outage_is_no_verdict():
    validator = AccessTokenValidator(**OPTIONS, keys=Unreachable())
    for raw in (FakeIssuer().access_token(), "nonsense", ""):
        with pytest.raises(Unavailable) as caught:
            validator.validate(raw)
        assert caught.value.retry_after == 5
        assert caught.value.status == 503


class Answering:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def snapshot(self) -> Any:
        return self.answer


def lay(twin: str, **options: Any) -> Any:
    """A validator whose road is the backend's, or the pure one."""
    validator = AccessTokenValidator(**OPTIONS | options)
    if twin == "backend":
        return validator
    return Validator(
        CompiledPolicy(validator.policy.header_rules(), validator.policy.claim_rules()),
        source=validator.keys,
        static_keys=KeyIndex([]) if isinstance(validator.keys, JWKSet) else None,
        clock=validator.clock,
        to_proof=lambda certificate: None,
        reject=AssertionError,
        cache=None,
    )


@pytest.mark.parametrize("twin", ["backend", "pure"])
@pytest.mark.parametrize("answer", [None, {}, [], JWKSet, object()], ids=lambda value: repr(value)[:10])
def test_a_source_that_answers_with_something_else(twin: str, answer: Any):
    validator = lay(twin, keys=Answering(answer))
    raw = FakeIssuer().access_token()
    uses = [validator.validate]
    if twin == "backend":
        uses += [validator.explain, lambda raw: validator.validate_many([raw])]
    for use in uses:
        with pytest.raises(Unavailable, match="key source"):
            use(raw)


@pytest.mark.parametrize("twin", ["backend", "pure"])
@pytest.mark.parametrize(
    "answer", [None, "1750000000", b"1", [], 1j, 10**400], ids=lambda value: repr(value)[:10]
)
def test_a_clock_that_answers_with_something_else(twin: str, answer: Any):
    """Also where no claim would be compared with it."""
    issuer = FakeIssuer()
    validator = lay(twin, keys=JWKSet.from_json(issuer.jwks()), clock=lambda: answer, allow_missing_exp=True)
    uses = [validator.validate]
    if twin == "backend":
        uses += [validator.explain, lambda raw: validator.validate_many([raw])]
    for use in uses:
        with pytest.raises(Unavailable, match="clock"):
            use(issuer.access_token())


@pytest.mark.parametrize("name", ["keys", "clock", "policy"])
def test_a_validator_keeps_what_it_was_made_with(name: str):
    """P31: a set of keys that is assigned later would be shown and not used."""
    validator = AccessTokenValidator(**OPTIONS, keys=JWKSet.from_json(FakeIssuer().jwks()))
    with pytest.raises(AttributeError):
        setattr(validator, name, getattr(validator, name))
