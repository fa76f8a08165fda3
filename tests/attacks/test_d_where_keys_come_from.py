"""Keys that the token brought along or pointed to, and key sets that were not what they seemed."""

from __future__ import annotations

import socket
from typing import Any

import pytest

import keybound
from keybound import JWKSet
from keybound.errors import Reason
from keybound.testing import OMIT, FakeIssuer, SigningKey, self_signed_client


def brought_along(attacker: SigningKey, url: str = "https://attacker.example.com/") -> dict[str, Any]:
    certificate = self_signed_client("attacker")
    return {
        "jwk": attacker.public_jwk(),
        "jku": url + "jwks",
        "x5u": url + "x5u",
        "x5c": [certificate.pem.decode().replace("\n", "")],
        "x5t": "A" * 27,
        "x5t#S256": certificate.thumbprint,
    }


@pytest.mark.parametrize("kid", ["known", "unknown", OMIT], ids=str)
def test_d1_d3_keys_in_the_header_are_never_used(world: Any, judge: Any, kid: Any) -> None:
    attacker = SigningKey.generate("ES256")
    kid = world.key.kid if kid == "known" else kid
    forged = world.token(key=attacker, header=brought_along(attacker) | {"kid": kid})
    judge.rejects(forged, Reason.KEY_UNKNOWN if kid == "unknown" else Reason.SIGNATURE_INVALID)
    # They are no error either: the right key verifies a token that carries them.
    token = judge.accepts(world.token(header=brought_along(attacker)))
    assert token.header["jwk"]["kty"] == "EC"


def test_d2_no_key_means_no_validator(world: Any) -> None:
    attacker = SigningKey.generate("ES256")
    forged = world.token(key=attacker, header=brought_along(attacker))
    with pytest.raises(keybound.PolicyError):
        world.validator(keys=None)
    with pytest.raises(keybound.PolicyError):
        keybound.jws.verify(forged, None, algorithms=["ES256"])  # type: ignore[arg-type]


def test_d4_d6_a_source_of_keys_never_sees_the_token(world: Any, judge: Any) -> None:
    """Nobody looks anything up by what a token says: no secret, no path, no query."""
    seen: list[tuple[Any, ...]] = []

    class Source:
        def snapshot(self, *arguments: Any) -> JWKSet:
            seen.append(arguments)
            return world.keys

    validator = world.validator(keys=Source())
    validator.validate(world.token())
    for kid in (
        "../../../../dev/null",
        "/dev/null",
        "x' UNION SELECT 'AA",
        "|ls",
        "file:///etc/passwd",
        "\0",
    ):
        with pytest.raises(keybound.KeyRejected):
            validator.validate(world.token(header={"kid": kid}))
        judge.rejects(world.token(header={"kid": kid}), Reason.KEY_UNKNOWN)
    assert set(seen) == {()}


def test_d5_nothing_is_fetched(world: Any, judge: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        attacker = SigningKey.generate("ES256")
        judge.rejects(
            world.token(key=attacker, header=brought_along(attacker, url) | {"kid": "unknown"}),
            Reason.KEY_UNKNOWN,
        )
        judge.accepts(world.token(header=brought_along(attacker, url)))
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_d12_d13_same_kid_at_two_issuers(world: Any, judge: Any) -> None:
    signers = [SigningKey.generate("ES256", kid="1") for _ in range(2)]
    issuers = [
        FakeIssuer(f"https://{n}.example.com", key=key, clock=world.clock) for n, key in enumerate(signers)
    ]
    validators = [
        world.validator(issuer=issuer.issuer, keys=JWKSet.from_json(issuer.jwks())) for issuer in issuers
    ]
    for _ in range(2):
        for n, issuer in enumerate(issuers):
            judge.accepts(issuer.access_token(audience="https://rs.example.com/"), validator=validators[n])
            forged = issuer.access_token(audience="https://rs.example.com/", iss=issuers[1 - n].issuer)
            judge.rejects(forged, Reason.SIGNATURE_INVALID, validator=validators[1 - n])


def test_d14_d22_a_key_that_is_gone_is_gone(world: Any) -> None:
    """In every cache at once: remembered headers and verified tokens included."""
    issuer = FakeIssuer(world.issuer.issuer, clock=world.clock)
    current = [JWKSet.from_json(issuer.jwks())]

    class Source:
        def snapshot(self) -> JWKSet:
            return current[0]

    validator = world.validator(keys=Source())
    raw = issuer.access_token(audience="https://rs.example.com/")
    for _ in range(3):
        validator.validate(raw)
    assert validator.stats()["cache"]["hits"] == 2
    issuer.rotate(keep_previous=False)
    current[0] = JWKSet.from_json(issuer.jwks())
    for _ in range(2):
        with pytest.raises(keybound.KeyRejected) as caught:
            validator.validate(raw)
        assert caught.value.reason is Reason.KEY_UNKNOWN


ODD_KEYS: list[Any] = [
    *(
        None,
        5,
        "x",
        [],
        {},
        {"kty": None},
        {"kty": []},
        {"kty": {}},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
    ),
    *({"kty": "RSA"}, {"kty": "RSA", "n": "AA", "e": "AQAB"}, {"kty": "RSA", "n": 5, "e": "AQAB"}),
    *(
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-192", "x": "AA", "y": "AA"},
    ),
    *(
        {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
        {"kty": "EC", "crv": [], "x": "AA", "y": "AA"},
    ),
    *({"kty": "OKP", "crv": "X25519", "x": "A" * 43}, {"kty": "OKP", "crv": "Ed25519", "x": "=" * 43}),
    *({"kty": "oct", "k": ""}, {"kty": "oct", "k": "AA"}, {"kty": "oct"}),
]


@pytest.mark.parametrize("odd", ODD_KEYS, ids=repr)
def test_d17_d18_one_odd_key_in_a_set(world: Any, judge: Any, odd: Any) -> None:
    good = world.key.public_jwk()
    for members in ([odd, good], [good, odd], [odd] * 3 + [good]):
        keys = JWKSet.from_json({"keys": members})
        assert len(keys) == 1
        assert sum(keys.skipped.values()) == len(members) - 1
        judge.accepts(world.token(), keys=keys)
    with pytest.raises(keybound.InvalidKey):
        JWKSet.from_json({"keys": [odd]})


def test_d21_kid_of_one_key_signature_of_another(world: Any, judge: Any) -> None:
    one, two = (SigningKey.generate("ES256", kid=kid) for kid in ("A", "B"))
    keys = JWKSet.from_json({"keys": [one.public_jwk(), two.public_jwk()]})
    judge.rejects(world.token(key=one, header={"kid": "B"}), Reason.SIGNATURE_INVALID, keys=keys)
    judge.rejects(world.token(key=two, header={"kid": "A"}), Reason.SIGNATURE_INVALID, keys=keys)
    judge.rejects(world.token(key=two, header={"kid": OMIT}), Reason.KEY_AMBIGUOUS, keys=keys)
    judge.accepts(world.token(key=one), keys=keys)
    judge.accepts(world.token(key=two), keys=keys)


def test_d23_sets_of_two_minds(world: Any) -> None:
    """Secrets beside public keys, and two secrets under one kid, are refused as a whole."""
    secret, other = (SigningKey.generate("HS256", kid="1").verification_jwk() for _ in range(2))
    for members in ([world.key.public_jwk(), secret], [secret, other]):
        with pytest.raises(keybound.InvalidKey):
            JWKSet.from_json({"keys": members})


def test_d25_the_cache_returns_the_claims_of_this_token(world: Any) -> None:
    validator = world.validator()
    raws = [world.token(subject=f"user-{number}", padding="x" * 200) for number in range(50)]
    for _ in range(2):
        for number, raw in enumerate(raws):
            token = validator.validate(raw)
            assert token.subject == f"user-{number}"
            with pytest.raises(TypeError):
                token.claims["sub"] = "admin"
    assert validator.stats()["cache"]["hits"] == 50


def test_d28_a_cached_token_meets_every_policy_by_itself(world: Any, judge: Any) -> None:
    raw = world.token(scope="read")
    judge.accepts(raw)
    judge.rejects(raw, Reason.AUD_MISMATCH, audience="urn:other")
    judge.rejects(raw, Reason.ISS_MISMATCH, issuer="https://other.example.com")
    judge.rejects(raw, Reason.SCOPE_INSUFFICIENT, scopes="admin")
    judge.rejects(raw, Reason.CNF_MISSING, binding="required")
