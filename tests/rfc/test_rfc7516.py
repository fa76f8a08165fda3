"""The examples of RFC 7516 (JSON Web Encryption), appendix A, and rules of its text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from keybound import DecryptionKey, DecryptionRejected, InvalidKey, KeyRejected, Reason, TokenRejected, jwe
from keybound.testing import EncryptionKey, encrypt_jwe, encrypt_jwe_json

pytestmark = pytest.mark.filterwarnings("ignore::keybound.DeprecatedAlgorithmWarning")

EXAMPLES = json.loads(Path(__file__).parents[1].joinpath("vectors/rfc7516.json").read_bytes())
"""For each example and recipient of it the key, the JWE and the plaintext, letter by letter."""

DEPRECATED = {"RSA-OAEP", "RSA1_5"}


def decrypt(example: dict[str, Any], given: Any, jwk: dict[str, Any]) -> jwe.DecryptedJWE:
    call = jwe.decrypt_json if isinstance(given, dict) else jwe.decrypt
    return call(
        given,
        DecryptionKey.from_json(jwk),
        algorithms=[example["alg"]],
        encryptions=[example["enc"]],
        allow_deprecated=DEPRECATED & {example["alg"]},
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example['section']}-{example['alg']}")
def test_appendix_a(example):
    """A.1 RSAES-OAEP, A.2 RSA1_5, A.3 AES Key Wrap, A.4 general and A.5 flattened serialization."""
    # The symmetric key of A.3 does not say what it is for; a key of Keybound does.
    jwk = example["jwk"] | {"alg": example["alg"]}
    opened = decrypt(example, example["jwe"], jwk)
    assert opened.plaintext.decode() == example["plaintext"]
    assert (opened.header["alg"], opened.header["enc"]) == (example["alg"], example["enc"])
    if isinstance(example["jwe"], dict):
        assert opened.header["jku"] == "https://server.example.com/keys.jwks"
    if example["jwk"]["kty"] == "oct":
        with pytest.raises(InvalidKey, match="alg"):
            DecryptionKey.from_json(example["jwk"])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example['section']}-{example['alg']}")
def test_appendix_a_changed(example):
    given, jwk = example["jwe"], example["jwk"] | {"alg": example["alg"]}
    changed = given | {"tag": "A" * 22} if isinstance(given, dict) else given[:-22] + "A" * 22
    with pytest.raises(DecryptionRejected):
        decrypt(example, changed, jwk)


def reason(call: Any) -> Reason:
    with pytest.raises(TokenRejected) as caught:
        call()
    return caught.value.reason


@pytest.mark.parametrize("alg", ["dir", "ECDH-ES"])
def test_section_5_2_step_10_no_encrypted_key_where_there_is_nothing_to_encrypt(alg):
    key = EncryptionKey.generate(alg)
    held = DecryptionKey.from_json(key.private_jwk())
    options: dict[str, Any] = {"algorithms": [alg], "encryptions": ["A128CBC-HS256"]}
    protected, _, *rest = encrypt_jwe("text", key).split(".")
    assert jwe.decrypt(".".join([protected, "", *rest]), held, **options).plaintext == b"text"
    given = ".".join([protected, "AAAA", *rest])
    assert reason(lambda: jwe.decrypt(given, held, **options)) is Reason.ENCRYPTED_KEY_INVALID
    document = encrypt_jwe_json("text", key) | {"encrypted_key": "AAAA"}
    assert reason(lambda: jwe.decrypt_json(document, held, **options)) is Reason.ENCRYPTED_KEY_INVALID


def test_section_4_the_header_is_integrity_protected_and_covers_everything():
    """Section 5.1 step 14: the additional data are the protected header as it was sent."""
    key = EncryptionKey.generate("A256GCMKW", kid="1")
    held = DecryptionKey.from_json(key.private_jwk())
    options: dict[str, Any] = {"algorithms": ["A256GCMKW"], "encryptions": ["A128CBC-HS256"]}
    one, other = (encrypt_jwe("text", key).split(".") for _ in range(2))
    assert jwe.decrypt(".".join(one), held, **options).plaintext == b"text"
    for segment in range(5):
        mixed = ".".join([*one[:segment], other[segment], *one[segment + 1 :]])
        assert reason(lambda mixed=mixed: jwe.decrypt(mixed, held, **options)) is Reason.DECRYPTION_FAILED


def test_section_9_jws_and_jwe_are_told_apart_by_their_segments():
    held = DecryptionKey.from_secret(b"k" * 32, alg="dir")
    options: dict[str, Any] = {"algorithms": ["dir"], "encryptions": ["A256GCM"]}
    assert reason(lambda: jwe.decrypt("a.b.c", held, **options)) is Reason.TOKEN_NOT_ENCRYPTED
    assert reason(lambda: jwe.decrypt("a.b.c.d", held, **options)) is Reason.JWE_MALFORMED


def test_section_4_1_6_a_key_is_found_by_its_kid():
    key = EncryptionKey.generate("dir", kid="7")
    held = DecryptionKey.from_json(key.private_jwk())
    options: dict[str, Any] = {"algorithms": ["dir"], "encryptions": ["A128CBC-HS256"]}
    assert jwe.decrypt(encrypt_jwe("text", key), held, **options).plaintext == b"text"
    with pytest.raises(KeyRejected):
        jwe.decrypt(encrypt_jwe("text", key, header={"kid": "8"}), held, **options)
