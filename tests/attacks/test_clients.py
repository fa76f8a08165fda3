"""Published attacks on authorization servers by what clients sign: assertions and request objects."""

from __future__ import annotations

from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.stores import MemoryReplayStore
from keybound.testing import FakeClient, SigningKey, make_token

CLIENT = FakeClient("client-1")


def make(kind: str, **options: Any) -> Any:
    usual = {
        "client_id": "client-1",
        "keys": keybound.JWKSet.from_json(CLIENT.jwks()),
        "audience": "https://as.example.com",
        "algorithms": ["ES256"],
        "replay": None,
    }
    return getattr(keybound, kind)(**usual | options)


def reason(validator: Any, raw: str) -> Reason:
    try:
        validator.validate(raw)
    except keybound.TokenRejected as rejected:
        return rejected.reason
    return Reason.OK


KINDS = {"ClientAssertionValidator": CLIENT.assertion, "RequestObjectValidator": CLIENT.request_object}
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_a9_the_policy_sees_what_was_verified(kind: str) -> None:
    """A header that claims a good algorithm is no signature, and nothing is said of an unverified token."""
    validator, good = make(kind), KINDS[kind]()
    header, payload, signature = good.split(".")
    assert reason(validator, good) is Reason.OK
    assert reason(validator, f"{header}.{payload}.") is Reason.SIGNATURE_INVALID
    assert reason(validator, f"{header}.{payload}") is Reason.TOKEN_MALFORMED
    unsigned = KINDS[kind](header={"alg": "none"}).rpartition(".")[0] + "."
    assert reason(validator, unsigned) is Reason.ALG_NOT_ALLOWED
    assert len(signature) == 86


@every_kind
def test_b22_the_algorithm_is_that_of_the_registration(kind: str) -> None:
    validator = make(kind)
    public = str(CLIENT.jwks()).encode()
    for alg in ("HS256", "none", "RS256", "ES384", "es256"):
        assert reason(validator, KINDS[kind](header={"alg": alg})) is Reason.ALG_NOT_ALLOWED
    # The public key as a secret.
    disguised = SigningKey("HS256", public, kid=CLIENT.key.kid)
    assert reason(validator, KINDS[kind](key=disguised, header={"alg": "HS256"})) is Reason.ALG_NOT_ALLOWED
    with pytest.raises(keybound.PolicyError):
        make(kind, algorithms=["ES256", "HS256"])


@every_kind
def test_g21_g22_a_second_use_is_rejected(kind: str) -> None:
    validator = make(kind, replay=MemoryReplayStore())
    raw = KINDS[kind]()
    forged = make_token(raw.split(".")[0], raw.split(".")[1], None, signature=bytes(64))
    assert reason(validator, forged) is Reason.SIGNATURE_INVALID
    assert [reason(validator, raw) for _ in range(3)] == [Reason.OK, *[Reason.JTI_REPLAYED] * 2]


def test_g25_a_request_object_is_signed() -> None:
    for algorithms in (["none"], ["ES256", "none"], [], None):
        with pytest.raises(keybound.PolicyError):
            make("RequestObjectValidator", algorithms=algorithms)
