"""No signature, or a signature nobody checked."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.testing import OMIT, SigningKey, make_token


def every_entry_point(validator: Any, raw: Any) -> list[Any]:
    keys, algorithms = validator.keys, ["ES256"]
    parts = raw.split(".") if isinstance(raw, str) and raw.count(".") == 2 else ["", "", ""]
    document = dict(zip(("protected", "payload", "signature"), parts, strict=True))
    return [
        lambda: validator.validate(raw),
        lambda: asyncio.run(validator.avalidate(raw)),
        lambda: raised(validator.validate_many([raw])[0]),
        lambda: keybound.jws.verify(raw, keys, algorithms=algorithms),
        lambda: keybound.jws.verify_json(document, keys, algorithms=algorithms),
    ]


def raised(result: Any) -> Any:
    if isinstance(result, Exception):
        raise result
    return result


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", "none ", "\0none"])
@pytest.mark.parametrize("signature", ["", "AA", None])
def test_a1_a2_a13_a16_alg_none(world: Any, judge: Any, alg: str, signature: str | None) -> None:
    signer = world.key if signature is None else None
    forged = make_token(world.header(alg=alg), world.claims(sub="admin"), signer, signature=signature)
    judge.rejects(forged, Reason.ALG_NOT_ALLOWED)
    judge.rejects(make_token({"alg": alg}, world.claims(), None), Reason.ALG_NOT_ALLOWED)
    for call in every_entry_point(world.validator(), forged):
        with pytest.raises(keybound.TokenRejected):
            call()
    judge.accepts(world.forge(payload=world.claims(sub="admin")))


def test_a3_a4_falsy_keys_never_turn_verification_off(world: Any) -> None:
    raw = make_token({"alg": "none"}, world.claims(), None)
    for keys in (None, "", b"", 0, False, [], {}, ()):
        with pytest.raises(keybound.PolicyError):
            world.validator(keys=keys)
        with pytest.raises(keybound.PolicyError):
            keybound.jws.verify(raw, keys, algorithms=["ES256"])  # type: ignore[arg-type]
    for algorithms in (None, [], "", ["none"]):
        with pytest.raises(keybound.PolicyError):
            world.validator(algorithms=algorithms)
        with pytest.raises(keybound.PolicyError):
            keybound.jws.verify(raw, world.keys, algorithms=algorithms)  # type: ignore[arg-type]


def test_a5_unsigned_token_inside_an_encrypted_one(world: Any, judge: Any) -> None:
    inner = make_token({"alg": "none"}, world.claims(), None)
    outer = make_token({"alg": "RSA-OAEP-256", "enc": "A128GCM", "cty": "JWT"}, inner.encode(), None)
    judge.rejects(outer + "AAAA.AAAA.AAAA", Reason.TOKEN_ENCRYPTED)
    judge.rejects(world.forge(payload=inner.encode()), Reason.JSON_INVALID)
    judge.accepts(world.forge())


def test_a6_a7_a8_forged_at_every_entry_point(world: Any) -> None:
    validator = world.validator()
    stranger = SigningKey.generate("ES256", kid=world.key.kid)
    for call in every_entry_point(validator, world.token(key=stranger)):
        with pytest.raises(keybound.SignatureRejected):
            call()
    for call in every_entry_point(validator, world.token()):
        assert call()


def test_a10_no_algorithm_configured_or_named(world: Any, judge: Any) -> None:
    with pytest.raises(keybound.PolicyError, match="algorithms"):
        world.validator(algorithms=None)
    judge.rejects(world.token(header={"alg": OMIT}), Reason.ALG_MISSING)
    judge.accepts(world.token())


@pytest.mark.parametrize("size", [0, 1, 2, 32, 63, 64, 65, 128])
def test_a11_null_signatures(world: Any, judge: Any, size: int) -> None:
    judge.rejects(world.forge(signature=bytes(size)), Reason.SIGNATURE_INVALID)
    good = world.key.sign(b"something else")
    judge.rejects(world.forge(signature=good[:size]), Reason.SIGNATURE_INVALID)
    judge.accepts(world.forge())


def test_a12_blank_secret(world: Any, judge: Any) -> None:
    for secret in ("", b"", "\0", b"\0" * 31, " ", "secret"):
        with pytest.raises(keybound.InvalidKey):
            keybound.JWKSet.from_secret(secret, alg="HS256")
    key = SigningKey.generate("HS256")
    options = {
        "keys": keybound.JWKSet.from_secret(key.secret, alg="HS256", kid=key.kid),
        "algorithms": ["HS256"],
    }
    for secret in (b"", b"\0", bytes(32), b"null", b"undefined"):
        forged = world.forge(header={"alg": "HS256", "kid": key.kid}, key=SigningKey("HS256", secret))
        judge.rejects(forged, Reason.SIGNATURE_INVALID, **options)
    judge.accepts(world.forge(header={"alg": "HS256", "kid": key.kid}, key=key), **options)


def test_a14_an_algorithm_nobody_implements_is_an_error(world: Any, judge: Any) -> None:
    for alg in ("HS256", "RS256", "HS1", "ES256K1", "ML-DSA-44", "dir", "A128KW"):
        judge.rejects(world.token(header={"alg": alg}), Reason.ALG_NOT_ALLOWED)
    with pytest.raises(keybound.PolicyError):
        world.validator(algorithms=["ES256", "ML-DSA-44"])
    judge.accepts(world.token())


def test_a15_a17_nothing_returns_claims_that_nobody_verified(world: Any) -> None:
    """No option turns verification off, and no public name takes a token without keys."""
    forbidden = {
        "verify",
        "verify_signature",
        "options",
        "complete",
        "insecure",
        "unverified",
        "decode",
        "peek",
    }
    callables = [value for value in vars(keybound).values() if callable(value)]
    callables += [keybound.jws.verify, keybound.jws.verify_json, keybound.AccessTokenValidator.validate]
    for value in callables:
        try:
            names = set(inspect.signature(value).parameters)
        except ValueError:
            continue
        assert not names & forbidden
    assert not forbidden & set(keybound.__all__)
    assert set(keybound.jws.__all__) == {"VerifiedJWS", "verify", "verify_json"}
    explanation = world.validator().explain(make_token({"alg": "none"}, {"sub": "s3cret-subject"}, None))
    assert "s3cret" not in repr(explanation)
    assert explanation.reason is Reason.ALG_NOT_ALLOWED
