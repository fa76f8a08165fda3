"""The encrypting helpers against the published vectors of their parts, apart from what decrypts."""

from __future__ import annotations

import base64
import json
import zlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from keybound import PolicyError
from keybound.testing import (
    ENCRYPTION_ALGORITHMS,
    ENCRYPTIONS,
    OMIT,
    EncryptionKey,
    encrypt_jwe,
    encrypt_jwe_json,
)
from keybound.testing.encrypting import _concat_kdf, _encrypt

PLAINTEXT = (
    b"A cipher system must not be required to be secret, and it must be able to fall into the hands of "
    b"the enemy without inconvenience"
)


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize(
    ("enc", "start", "tag"),
    [
        ("A128CBC-HS256", "c80edfa32ddf39d5ef00c0b468834279", "652c3fa36b0a7c5b3219fab3a30bc1c4"),
        (
            "A192CBC-HS384",
            "ea65da6b59e61edb419be62d19712ae5",
            "8490ac0e58949bfe51875d733f93ac2075168039ccc733d7",
        ),
        (
            "A256CBC-HS512",
            "4affaaadb78c31c5da4b1b590d10ffbd",
            "4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5",
        ),
    ],
)
def test_rfc_7518_b_1_to_3(enc, start, tag):
    key, iv = bytes(range(len(tag))), bytes.fromhex("1af38c2dc2b96ffdd86694092341bc04")
    aad = b"The second principle of Auguste Kerckhoffs"
    assert [part.hex()[:32] for part in _encrypt(enc, key, iv, PLAINTEXT, aad)] == [iv.hex(), start, tag[:32]]
    assert _encrypt(enc, key, iv, PLAINTEXT, aad)[2].hex() == tag


def test_rfc_7518_c():
    alice, bob = (
        ec.derive_private_key(int.from_bytes(decoded(scalar), "big"), ec.SECP256R1())
        for scalar in (
            "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo",
            "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw",
        )
    )
    shared = alice.exchange(ec.ECDH(), bob.public_key())
    assert shared == bob.exchange(ec.ECDH(), alice.public_key())
    assert _concat_kdf(shared, 16, "A128GCM", b"Alice", b"Bob") == decoded("VqqN6vgjbSBcIijNcacQGg")


@pytest.mark.parametrize("alg", ENCRYPTION_ALGORITHMS)
@pytest.mark.parametrize("enc", ENCRYPTIONS)
def test_shape(alg, enc):
    key = EncryptionKey.generate(alg, enc=enc, shared=True)
    protected, encrypted_key, iv, ciphertext, tag = encrypt_jwe(b"text", key, enc=enc).split(".")
    header = json.loads(decoded(protected))
    assert (header["alg"], header["enc"], header["kid"]) == (alg, enc, key.kid)
    assert (encrypted_key == "") is (alg in ("dir", "ECDH-ES"))
    assert len(decoded(iv)) == (12 if enc.endswith("GCM") else 16)
    assert len(decoded(ciphertext)) == (4 if enc.endswith("GCM") else 16)
    assert len(decoded(tag)) == (16 if enc.endswith("GCM") else int(enc[-3:]) // 16)


def test_header_is_what_was_asked_for():
    key = EncryptionKey.generate("dir", enc="A128GCM")
    changed = encrypt_jwe("text", key, enc="A128GCM", header={"kid": OMIT, "cty": "JWT", "alg": "none"})
    assert json.loads(decoded(changed.split(".")[0])) == {"alg": "none", "enc": "A128GCM", "cty": "JWT"}
    finished = encrypt_jwe("text", key, enc="A128GCM", header=b'{"alg":1,"alg":2}')
    assert decoded(finished.split(".")[0]) == b'{"alg":1,"alg":2}'


def test_compression_is_raw_deflate():
    key = EncryptionKey.generate("dir", enc="A128GCM")
    plain, packed = (encrypt_jwe("a" * 1000, key, enc="A128GCM", compress=zip_) for zip_ in (False, True))
    assert len(decoded(plain.split(".")[3])) == 1000
    assert len(decoded(packed.split(".")[3])) < 30
    assert json.loads(decoded(packed.split(".")[0]))["zip"] == "DEF"
    document = encrypt_jwe_json("a" * 1000, key, enc="A128GCM", compress=True)
    assert len(decoded(document["ciphertext"])) == len(zlib.compress(b"a" * 1000, 9)[2:-4])


def test_json_serializations():
    one, other = EncryptionKey.generate("A128KW"), EncryptionKey.generate("ECDH-ES+A128KW")
    flattened = encrypt_jwe_json("text", one, aad=b"more", unprotected={"cty": "JWT"})
    assert sorted(flattened) == [
        *("aad", "ciphertext", "encrypted_key", "header"),
        *("iv", "protected", "tag", "unprotected"),
    ]
    general = encrypt_jwe_json("text", [one, other])
    assert [entry["header"]["alg"] for entry in general["recipients"]] == ["A128KW", "ECDH-ES+A128KW"]
    with pytest.raises(PolicyError, match="one recipient"):
        encrypt_jwe_json("text", [one, EncryptionKey.generate("ECDH-ES")])


def test_keys():
    for curve in ("P-256", "P-384", "P-521", "X25519", "X448"):
        key = EncryptionKey.generate("ECDH-ES", curve=curve, kid="1")
        assert key.curve == key.public_jwk()["crv"] == curve
        assert set(key.private_jwk()) - set(key.public_jwk()) == {"d"}
        assert key.private_pem().startswith(b"-----BEGIN PRIVATE KEY-----")
    secret = EncryptionKey.generate("dir", enc="A256CBC-HS512")
    assert len(secret.secret) == 64
    assert secret.private_jwk()["use"] == "enc"
    assert repr(secret) == f"EncryptionKey(alg='dir', kid='{secret.kid}')"


@pytest.mark.parametrize(
    "make",
    [
        lambda: EncryptionKey.generate("PBES2-HS256+A128KW"),
        lambda: EncryptionKey.generate("dir", enc="A128CBC"),
        lambda: EncryptionKey.generate("RSA-OAEP", curve="P-256"),
        lambda: EncryptionKey.generate("ECDH-ES", curve="secp256k1"),
        lambda: EncryptionKey("none", b"secret"),
        lambda: EncryptionKey("A128KW", ec.generate_private_key(ec.SECP256R1())),
        lambda: EncryptionKey("ECDH-ES", ec.generate_private_key(ec.SECP256K1())),
        lambda: EncryptionKey("ECDH-ES", ed25519.Ed25519PrivateKey.generate()),
        lambda: EncryptionKey("RSA-OAEP", b"secret"),
        lambda: EncryptionKey.generate("A128KW").private_key,
        lambda: EncryptionKey.generate("A128KW").private_pem(),
        lambda: EncryptionKey.generate("ECDH-ES").secret,
        lambda: encrypt_jwe("text", EncryptionKey.generate("A128KW"), enc="A128CBC"),
    ],
)
def test_what_does_not_fit(make):
    with pytest.raises(PolicyError):
        make()
