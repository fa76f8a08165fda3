"""Rules of RFC 7518 (JSON Web Algorithms) that its examples elsewhere take for granted."""

from __future__ import annotations

import base64

import pytest

from keybound import (
    JWK,
    DecryptionKey,
    DecryptionRejected,
    InvalidKey,
    JWKSet,
    Reason,
    TokenRejected,
    jwe,
    jws,
)
from keybound.jose.algorithms import ALGORITHMS
from keybound.jose.content_encryption import decrypt_content
from keybound.jose.jwe_algorithms import CONTENT_ENCRYPTIONS, KEY_ALGORITHMS
from keybound.testing import EncryptionKey, SigningKey, encrypt_jwe, make_token
from keybound.testing.encrypting import _encrypt

SIGNED = [f"{family}{bits}" for family in ("HS", "RS", "PS", "ES") for bits in (256, 384, 512)]


def test_every_signature_algorithm_of_section_3_1_but_none():
    assert set(SIGNED).issubset(ALGORITHMS)
    assert "none" not in ALGORITHMS


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_section_3_4_a_signature_is_r_and_s_in_full(alg):
    key = SigningKey.generate(alg)
    keys = JWKSet.from_json(key.public_jwk())
    header, payload, _ = make_token({"alg": alg}, {"a": 1}, key).split(".")
    good = key.sign(f"{header}.{payload}".encode())
    sizes = {"ES256": 64, "ES384": 96, "ES512": 132}
    assert len(good) == sizes[alg]
    assert jws.verify(make_token(header, payload, None, signature=good), keys, algorithms=[alg])
    half = len(good) // 2
    for other in (
        good[:-1],
        good + b"\0",
        b"\0" + good,
        good[half:],
        b"\0" + good[:half] + b"\0" + good[half:],
    ):
        with pytest.raises(TokenRejected) as caught:
            jws.verify(make_token(header, payload, None, signature=other), keys, algorithms=[alg])
        assert caught.value.reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(("alg", "octets"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_section_3_2_a_secret_is_as_long_as_the_hash(alg, octets):
    assert JWK.from_secret(b"k" * octets, alg=alg).bits == 8 * octets
    with pytest.raises(InvalidKey, match="shorter than the hash"):
        JWK.from_secret(b"k" * (octets - 1), alg=alg)


def test_section_6_2_1_2_a_coordinate_has_the_size_of_its_curve():
    jwk = SigningKey.generate("ES256").public_jwk()
    assert JWK.from_json(jwk)
    for name in ("x", "y"):
        with pytest.raises(InvalidKey, match="size of its curve"):
            JWK.from_json(jwk | {name: "AAAA" + jwk[name]})


def test_section_6_3_1_1_a_modulus_has_no_leading_zero():
    jwk = SigningKey.generate("RS256", shared=True).public_jwk()
    assert JWK.from_json(jwk)
    # Three zero octets are four characters, so the rest stays canonical.
    with pytest.raises(InvalidKey, match="leading zero"):
        JWK.from_json(jwk | {"n": "AAAA" + jwk["n"]})


def test_every_encryption_algorithm_of_sections_4_1_and_5_1_but_pbes2():
    wrapping = [f"A{bits}{kind}" for kind in ("KW", "GCMKW") for bits in (128, 192, 256)]
    agreement = ["ECDH-ES", *(f"ECDH-ES+A{bits}KW" for bits in (128, 192, 256))]
    named = {"RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "dir", *wrapping, *agreement}
    assert set(KEY_ALGORITHMS) - named == {"RSA-OAEP-384", "RSA-OAEP-512"}
    assert named <= set(KEY_ALGORITHMS)
    assert not [name for name in KEY_ALGORITHMS if "PBES2" in name]
    assert len(CONTENT_ENCRYPTIONS) == 6


def test_appendix_c():
    """ECDH-ES key agreement: Bob's key, Alice's ephemeral key, and the key that they derive."""
    bob = {
        "kty": "EC",
        "crv": "P-256",
        "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
        "d": "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw",
    }
    header = b"""{"alg":"ECDH-ES","enc":"A128GCM","apu":"QWxpY2U","apv":"Qm9i","epk":
        {"kty":"EC","crv":"P-256",
         "x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
         "y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}}"""
    derived = base64.urlsafe_b64decode("VqqN6vgjbSBcIijNcacQGg==")
    compact = encrypt_jwe("Hello Bob", EncryptionKey("dir", derived), enc="A128GCM", header=header)
    options = {"algorithms": ["ECDH-ES"], "encryptions": ["A128GCM"]}
    assert jwe.decrypt(compact, DecryptionKey.from_json(bob), **options).plaintext == b"Hello Bob"
    for changed in (header.replace(b"QWxpY2U", b"RXZl"), header.replace(b"Qm9i", b"")):
        other = encrypt_jwe("Hello Bob", EncryptionKey("dir", derived), enc="A128GCM", header=changed)
        with pytest.raises(DecryptionRejected):
            jwe.decrypt(other, DecryptionKey.from_json(bob), **options)


@pytest.mark.parametrize(
    ("enc", "tag"),
    [
        ("A128CBC-HS256", "652c3fa36b0a7c5b3219fab3a30bc1c4"),
        ("A192CBC-HS384", "8490ac0e58949bfe51875d733f93ac2075168039ccc733d7"),
        ("A256CBC-HS512", "4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5"),
    ],
)
def test_appendix_b(enc, tag):
    """B.1 to B.3: key, vector, additional data and tag as printed; the plaintext comes out."""
    row = CONTENT_ENCRYPTIONS[enc]
    iv = bytes.fromhex("1af38c2dc2b96ffdd86694092341bc04")
    aad = b"The second principle of Auguste Kerckhoffs"
    key = bytes(range(row.key_bytes))
    plaintext = (
        b"A cipher system must not be required to be secret, and it must be able to fall into the hands "
        b"of the enemy without inconvenience"
    )
    _, ciphertext, made = _encrypt(enc, key, iv, plaintext, aad)
    assert made.hex() == tag
    assert decrypt_content(row, key, iv, aad, ciphertext, bytes.fromhex(tag)) == plaintext
    for changed in ((key[::-1], iv, aad), (key, iv[::-1], aad), (key, iv, aad + b".")):
        assert decrypt_content(row, *changed, ciphertext, bytes.fromhex(tag)) is None
