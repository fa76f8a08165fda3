"""Keys that are empty, weak, or shown to everybody."""

from __future__ import annotations

import base64
from typing import Any

import pytest

import keybound
from keybound import JWK, JWKSet
from keybound.errors import Reason
from keybound.testing import SigningKey


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize("answer", [b"", "", None, [None], [], [b"good", b""], {}, 0])
def test_c1_c2_resolver_that_answers_nothing(world: Any, answer: Any) -> None:
    """Whatever a broken key source answers, no token is accepted, and least one signed with nothing."""

    class Resolver:
        def snapshot(self) -> Any:
            return answer

    for alg, key in (("HS256", SigningKey("HS256", b"")), ("ES256", world.key)):
        validator = world.validator(keys=Resolver(), algorithms=[alg])
        with pytest.raises((keybound.KeyboundError, AttributeError)):
            validator.validate(world.token(key=key))


def test_c3_c4_empty_secret_in_every_form() -> None:
    for load in (
        lambda: JWK.from_secret(b"", alg="HS256"),
        lambda: JWK.from_secret("", alg="HS256"),
        lambda: JWK.from_json({"kty": "oct", "k": ""}),
        lambda: JWK.from_json({"kty": "oct"}),
        lambda: JWK.from_json('{"kty":"oct","k":""}'),
        lambda: JWKSet.from_json({"keys": [{"kty": "oct", "k": ""}]}),
    ):
        with pytest.raises(keybound.InvalidKey):
            load()


@pytest.mark.parametrize(("alg", "size"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_c5_secrets_as_long_as_the_hash(world: Any, judge: Any, alg: str, size: int) -> None:
    """RFC 7518, 3.2."""
    secret = bytes(range(1, size + 1))
    with pytest.raises(keybound.InvalidKey):
        JWK.from_secret(secret[:-1], alg=alg)
    key = SigningKey(alg, secret, kid="1")
    options = {"keys": JWKSet.from_secret(secret, alg=alg, kid="1"), "algorithms": [alg]}
    judge.accepts(world.token(key=key), **options)
    # Without alg a secret does what it is long enough for.
    bare = JWK.from_json({"kty": "oct", "k": encoded(secret)})
    assert bare.algorithms == ("HS256", "HS384", "HS512")[: size // 16 - 1]


def test_c5_rsa_below_2048_bits() -> None:
    """RFC 7518, 3.3."""
    for bits in (1024, 2047):
        n = (1 << bits - 1) + 12345
        with pytest.raises(keybound.InvalidKey, match="2048"):
            JWK.from_json({"kty": "RSA", "n": encoded(n.to_bytes((bits + 7) // 8, "big")), "e": "AQAB"})


def test_c6_text_and_octets_are_the_same_secret(world: Any, judge: Any) -> None:
    """Text is never taken for base64."""
    text = "c2VjcmV0LXRoYXQtbG9va3MtbGlrZS1iYXNlNjQ="
    key = SigningKey("HS256", text.encode(), kid="1")
    for secret in (text, text.encode()):
        keys = JWKSet.from_secret(secret, alg="HS256", kid="1")
        judge.accepts(world.token(key=key), keys=keys, algorithms=["HS256"])
        decoded = SigningKey("HS256", base64.b64decode(text), kid="1")
        judge.rejects(world.token(key=decoded), Reason.SIGNATURE_INVALID, keys=keys, algorithms=["HS256"])


def test_c7_a_path_is_no_key(tmp_path: Any) -> None:
    """No file is ever opened, and a short path is no secret either."""
    path = tmp_path / "key.pem"
    path.write_bytes(SigningKey.generate("ES256").public_pem())
    for load in (JWK.from_pem, JWK.from_json, JWK.from_der, JWKSet.from_json):
        for form in (path, str(path), bytes(path), f"file://{path}"):
            with pytest.raises(keybound.InvalidKey):
                load(form)
    with pytest.raises(keybound.InvalidKey):
        JWK.from_secret(path, alg="HS256")


@pytest.mark.parametrize(
    "e", [b"", b"\0", b"\1", b"\2", b"\4", b"\1\0\0", b"\0\3", b"\1" + bytes(4), b"\xff" * 512]
)
def test_c9_exponents_that_verify_anything(e: bytes) -> None:
    jwk = SigningKey.generate("RS256", shared=True).public_jwk()
    with pytest.raises(keybound.InvalidKey):
        JWK.from_json(jwk | {"e": encoded(e)})
    assert JWK.from_json(jwk).bits == 2048


def test_c10_c12_no_key_in_any_text(world: Any, leaks_nothing: Any) -> None:
    secret = "sw0rdf1sh-sw0rdf1sh-sw0rdf1sh-sw0rdf1sh"
    keys = JWKSet.from_secret(secret, alg="HS256", kid="kid-s3cret")
    validator = world.validator(keys=keys, algorithms=["HS256"])
    for shown in (
        keys,
        *keys,
        validator,
        validator.policy,
        keybound.about(),
        keys.skipped,
        vars(type(keys.keys[0])),
    ):
        assert "sw0rdf1sh" not in repr(shown)
        assert encoded(secret.encode())[:12] not in repr(shown)
    with pytest.raises(keybound.TokenRejected) as caught:
        validator.validate(world.token())
    leaks_nothing(secret, caught.value)
    with pytest.raises(keybound.InvalidKey) as refused:
        keys.keys[0].to_dict()
    leaks_nothing(secret, refused.value)
    for alg in ("HS512", "RS256", "none"):
        with pytest.raises(keybound.InvalidKey) as refused:
            JWK.from_secret(secret, alg=alg)
        leaks_nothing(secret, refused.value)


def test_c11_no_token_in_any_exception(world: Any, leaks_nothing: Any) -> None:
    raw = world.token(padding="x" * 5_000_000)
    for call in (
        lambda: world.validator().validate(raw),
        lambda: keybound.jws.verify(raw, world.keys, algorithms=["ES256"]),
        lambda: keybound.jws.verify_json(raw, world.keys, algorithms=["ES256"]),
        lambda: keybound.jws.verify_json(
            {"payload": raw, "signature": "AA"}, world.keys, algorithms=["ES256"]
        ),
    ):
        with pytest.raises(keybound.TokenRejected) as caught:
            call()
        assert caught.value.reason is Reason.TOKEN_TOO_LARGE
        assert len(str(caught.value)) < 100
        leaks_nothing(raw, caught.value)
