"""Whatever becomes of a JWE on its way, it opens to what was encrypted or ends in one of our errors."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

pytest.importorskip("hypothesis")

from hypothesis import given
from hypothesis import strategies as st

import keybound
from keybound import Decryption, DecryptionKey, DecryptionKeys, jwe
from keybound.testing import EncryptionKey, encrypt_jwe, encrypt_jwe_json

pytestmark = pytest.mark.filterwarnings("ignore::keybound.DeprecatedAlgorithmWarning")

ENCRYPTIONS = ("A128CBC-HS256", "A256GCM")
PRIVATE = [
    *(EncryptionKey.generate(f"RSA{name}", shared=True) for name in ("-OAEP-256", "1_5")),
    *(EncryptionKey.generate("ECDH-ES", curve=curve) for curve in ("P-256", "P-521", "X25519", "X448")),
    EncryptionKey.generate("ECDH-ES+A192KW"),
]
SECRET = [EncryptionKey.generate(alg) for alg in ("A128KW", "A256GCMKW", "dir")]
EVERY = [*PRIVATE, *SECRET]
TEXT = b"eyJhbGciOiJub25lIn0.e30."


def rules(key: EncryptionKey) -> dict[str, Any]:
    family = PRIVATE if key in PRIVATE else SECRET
    return {
        "algorithms": [each.alg for each in family],
        "encryptions": ENCRYPTIONS,
        "allow_deprecated": ["RSA1_5"] if family is PRIVATE else [],
        "allow_compression": True,
    }


KEYS = {
    key: DecryptionKeys([DecryptionKey.from_json(each.private_jwk()) for each in family])
    for family in (PRIVATE, SECRET)
    for key in family
}
COMPACT = {
    key: [
        encrypt_jwe(TEXT, key, enc=enc, header={"cty": "JWT"}, compress=compress)
        for enc in ENCRYPTIONS
        for compress in (False, True)
    ]
    for key in EVERY
}
DOCUMENTS = {key: encrypt_jwe_json(TEXT, [key], unprotected={"cty": "JWT"}, aad=b"more") for key in EVERY}


def outcome(call: Any) -> bytes | keybound.Reason:
    try:
        return call().plaintext
    except keybound.TokenRejected as rejected:
        return rejected.reason


def judge_compact(key: EncryptionKey, raw: str | bytes) -> None:
    found = outcome(lambda: jwe.decrypt(raw, KEYS[key], **rules(key)))
    assert found == TEXT or isinstance(found, keybound.Reason)
    opened = Decryption(keys=KEYS[key], **rules(key)).open(raw)
    assert opened == TEXT or isinstance(opened, int)
    assert found == TEXT or opened != TEXT


@st.composite
def mutated(draw: st.DrawFn) -> tuple[EncryptionKey, str | bytes]:
    """A good token with some octets changed, put in, taken out or moved."""
    key = draw(st.sampled_from(EVERY))
    raw = bytearray(draw(st.sampled_from(COMPACT[key])).encode())
    for _ in range(draw(st.integers(1, 4))):
        start, end = sorted((draw(st.integers(0, len(raw))), draw(st.integers(0, len(raw)))))
        end = min(end, start + draw(st.sampled_from([0, 1, 4, 64, 10_000])))
        raw[start:end] = draw(
            st.sampled_from([b"", b".", b"A", b"=", b"AAAA", b"\0", b"\xff", bytes(raw[start:end]) * 2])
            | st.binary(max_size=3)
        )
    text = bytes(raw)
    return key, text if draw(st.booleans()) else text.decode("latin-1")


@given(mutated())
def test_mutated_tokens(case: tuple[EncryptionKey, str | bytes]) -> None:
    judge_compact(*case)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS | st.sampled_from(["DEF", "JWT", "A128KW", "dir", "AAAA", "A" * 22, "A" * 16, "A" * 43]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "d", "alg"]), inner, max_size=4)
    ),
    max_leaves=6,
)
NAMES = ["alg", "enc", "kid", "zip", "crit", "cty", "typ", "epk", "apu", "apv"]
NAMES += ["iv", "tag", "p2c", "b64", "x"]
MEMBERS = ["protected", "unprotected", "recipients", "header", "encrypted_key"]
MEMBERS += ["aad", "iv", "ciphertext", "tag"]


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def header_of(compact: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(compact.split(".")[0] + "=="))


def encoded_as_they_are(compact: str, changes: dict[str, Any]) -> bytes:
    return json.dumps(header_of(compact) | changes).encode()


@given(st.sampled_from(EVERY), st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3))
def test_any_header(key: EncryptionKey, changes: dict[str, Any]) -> None:
    """In place of the one that was authenticated, and in a token that was made with it."""
    compact = COMPACT[key][0]
    judge_compact(key, f"{encoded(header_of(compact) | changes)}.{compact.partition('.')[2]}")
    judge_compact(key, encrypt_jwe(TEXT, key, header=encoded_as_they_are(compact, changes)))


@given(
    st.sampled_from(EVERY),
    st.dictionaries(
        st.sampled_from(MEMBERS),
        VALUES | st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3),
        max_size=3,
    ),
)
def test_any_document(key: EncryptionKey, changes: dict[str, Any]) -> None:
    for document in (DOCUMENTS[key] | changes, changes):
        for form in (document, json.dumps(document)):
            found = outcome(lambda form=form: jwe.decrypt_json(form, KEYS[key], **rules(key)))
            assert found == TEXT or isinstance(found, keybound.Reason)


@given(st.sampled_from(EVERY), st.sampled_from(ENCRYPTIONS), st.binary(max_size=300), st.booleans())
def test_what_goes_in_comes_out(key: EncryptionKey, enc: str, text: bytes, compress: bool) -> None:
    options: dict[str, Any] = {"enc": enc, "compress": compress}
    assert jwe.decrypt(encrypt_jwe(text, key, **options), KEYS[key], **rules(key)).plaintext == text
    document = encrypt_jwe_json(text, [key], aad=b"-" + text, **options)
    opened = jwe.decrypt_json(document, KEYS[key], **rules(key))
    assert (opened.plaintext, opened.aad) == (text, b"-" + text)


def test_the_controls_open() -> None:
    for key in EVERY:
        for compact in COMPACT[key]:
            assert jwe.decrypt(compact, KEYS[key], **rules(key)).plaintext == TEXT
            assert Decryption(keys=KEYS[key], **rules(key)).open(compact) == TEXT
        assert jwe.decrypt_json(DOCUMENTS[key], KEYS[key], **rules(key)).plaintext == TEXT
