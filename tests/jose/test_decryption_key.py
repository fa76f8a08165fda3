"""Keys that decrypt: what is taken, what is refused, and what a key may be used for."""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
from types import MappingProxyType
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, PublicFormat

import keybound
from keybound import DecryptionKey, InvalidKey, jwe
from keybound._hotpath import base64url
from keybound.testing import EncryptionKey, SigningKey, encrypt_jwe

CURVES = ("P-256", "P-384", "P-521", "X25519", "X448")
KEYS = {curve: EncryptionKey.generate("ECDH-ES", curve=curve) for curve in CURVES}
KEYS["RSA"] = EncryptionKey.generate("RSA-OAEP-256", shared=True)
EC, OKP, RSA = (KEYS[name].private_jwk() for name in ("P-256", "X25519", "RSA"))
WRAP = EncryptionKey.generate("A128KW").private_jwk()
CRT = ("p", "q", "dp", "dq", "qi")
RULES: dict[str, Any] = {"encryptions": ["A128CBC-HS256"]}


def without(members: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name not in names}


def encoded(data: bytes) -> str:
    return base64url.encode(data)


def pem_of(key: Any, form: PrivateFormat, password: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(Encoding.PEM, form, encryption)


class TestForms:
    @pytest.mark.parametrize("name", KEYS)
    def test_every_form_is_the_same_key(self, name):
        key = KEYS[name]
        text, pem = json.dumps(key.private_jwk()), key.private_pem()
        der = key.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, serialization.NoEncryption())
        locked = pem_of(key.private_key, PrivateFormat.PKCS8, b"sesame")
        forms = [
            DecryptionKey.from_json(key.private_jwk()),
            DecryptionKey.from_json(MappingProxyType(key.private_jwk())),
            DecryptionKey.from_json(text),
            DecryptionKey.from_json(text.encode()),
            DecryptionKey.from_pem(pem),
            DecryptionKey.from_pem(pem.decode()),
            DecryptionKey.from_pem(b"# comment\n" + pem),
            DecryptionKey.from_pem(locked, password="sesame"),
            DecryptionKey.from_pem(locked, password=b"sesame"),
            DecryptionKey.from_der(der),
            DecryptionKey.from_key(key.private_key),
        ]
        compact = encrypt_jwe(b"text", key)
        for form in forms:
            assert jwe.decrypt(compact, form, algorithms=[key.alg], **RULES).plaintext == b"text"
            assert without(form.to_dict(), "kid", "alg") == without(key.public_jwk(), "kid", "alg")
        assert forms[0].to_dict() == key.public_jwk()

    def test_old_forms(self):
        for name in ("RSA", "P-256"):
            pem = pem_of(KEYS[name].private_key, PrivateFormat.TraditionalOpenSSL)
            assert DecryptionKey.from_pem(pem, kid="1", alg=KEYS[name].alg).kid == "1"

    @pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521"])
    def test_leading_zeros_belong_to_the_private_number(self, curve):
        key = EncryptionKey("ECDH-ES", ec.derive_private_key(1, KEYS[curve].private_key.curve))
        assert DecryptionKey.from_json(key.private_jwk()).curve == curve

    def test_rsa_without_its_primes(self):
        """RFC 7518, 6.3.2: d alone is a private key, if a slow one."""
        key = DecryptionKey.from_json(without(RSA, *CRT))
        compact = encrypt_jwe(b"text", KEYS["RSA"])
        assert jwe.decrypt(compact, key, algorithms=["RSA-OAEP-256"], **RULES).plaintext == b"text"

    def test_secrets(self):
        secret = b"sixteen octets.."
        forms = [
            DecryptionKey.from_secret(secret, alg="A128KW"),
            DecryptionKey.from_secret(secret.decode(), alg="A128KW"),
            DecryptionKey.from_json({"kty": "oct", "k": encoded(secret), "alg": "A128KW"}),
        ]
        compact = encrypt_jwe(b"text", EncryptionKey("A128KW", secret))
        for form in forms:
            assert jwe.decrypt(compact, form, algorithms=["A128KW"], **RULES).plaintext == b"text"

    def test_generated_key_of_any_curve_of_the_field_is_told_apart(self):
        assert {name: DecryptionKey.from_json(key.private_jwk()).bits for name, key in KEYS.items()} == {
            "P-256": 256,
            "P-384": 384,
            "P-521": 521,
            "X25519": 256,
            "X448": 448,
            "RSA": 2048,
        }


class TestRefused:
    @pytest.mark.parametrize(
        "document", ["", "[]", "5", "{", b"\xff", None, 5, [], '{"kty":"EC","kty":"EC"}', "{}"]
    )
    def test_what_is_no_jwk(self, document):
        with pytest.raises(InvalidKey):
            DecryptionKey.from_json(document)

    @pytest.mark.parametrize(
        ("jwk", "why"),
        [
            (without(EC, "d"), "public key"),
            (without(RSA, "d"), "public key"),
            (without(OKP, "d"), "public key"),
            (EC | {"kty": "OKP"}, "kty and crv"),
            (EC | {"kty": None}, "kty and crv"),
            (EC | {"kty": []}, "kty and crv"),
            (EC | {"crv": "secp256k1"}, "kty and crv"),
            (EC | {"crv": {}}, "kty and crv"),
            (OKP | {"crv": "Ed25519"}, "kty and crv"),
            (EC | {"use": "sig"}, "use"),
            (EC | {"use": None}, "use"),
            (EC | {"alg": "ES256"}, "alg"),
            (EC | {"alg": "RSA-OAEP-256"}, "alg"),
            (EC | {"alg": 5}, "alg"),
            (EC | {"alg": []}, "alg"),
            (RSA | {"alg": "ECDH-ES"}, "alg"),
            (RSA | {"alg": "dir"}, "alg"),
            (EC | {"kid": 5}, "kid"),
            (EC | {"x": EC["y"]}, "public members"),
            (EC | {"y": encoded(bytes(32))}, "public members"),
            (EC | {"y": None}, "y is missing"),
            (EC | {"d": EC["d"] + "="}, "d is missing or not canonical"),
            (EC | {"d": encoded(bytes(32))}, "not a private key"),
            (EC | {"d": encoded(b"\xff" * 32)}, "private key"),
            (EC | {"d": encoded(bytes(33))}, "size of its curve"),
            (EC | {"d": encoded(bytes(31))}, "size of its curve"),
            (EC | {"d": None}, "d is missing"),
            (OKP | {"d": encoded(bytes(31))}, "not a private key"),
            (OKP | {"x": encoded(bytes(32))}, "public members"),
            (RSA | {"n": RSA["p"]}, "modulus"),
            (RSA | {"e": "AQ"}, "exponent"),
            (RSA | {"n": RSA["n"][:-4] + "AAAQ"}, "not a private key"),
            (RSA | {"d": RSA["e"]}, "not a private key"),
            (RSA | {"dp": RSA["dq"]}, "not a private key"),
            (without(RSA, "qi"), "qi is missing"),
            (without(RSA, *CRT) | {"d": "AAAA"}, "not a private key"),
            (RSA | {"oth": []}, "two primes"),
        ],
    )
    def test_jwk(self, jwk, why):
        with pytest.raises(InvalidKey, match=why):
            DecryptionKey.from_json(jwk)

    def test_rsa_below_2048_bits(self):
        short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        with pytest.raises(InvalidKey, match="2048"):
            DecryptionKey.from_key(short)
        with pytest.raises(InvalidKey, match="2048"):
            DecryptionKey.from_json(EncryptionKey("RSA-OAEP-256", short).private_jwk())

    @pytest.mark.parametrize(
        "key",
        [
            ec.generate_private_key(ec.SECP256K1()),
            ec.generate_private_key(ec.SECP256R1()).public_key(),
            ed25519.Ed25519PrivateKey.generate(),
            *(b"sixteen octets..", None, object(), rsa.RSAPrivateKey),
        ],
        ids=lambda key: type(key).__name__,
    )
    def test_other_keys(self, key):
        with pytest.raises(InvalidKey):
            DecryptionKey.from_key(key)

    def test_other_texts(self):
        key = KEYS["P-256"].private_key
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        locked = pem_of(key, PrivateFormat.PKCS8, b"sesame")
        pem = KEYS["P-256"].private_pem()
        for text in (public, b"", b"-----BEGIN PRIVATE KEY-----", locked, pem + pem, "\ud800", None, 5):
            with pytest.raises(InvalidKey):
                DecryptionKey.from_pem(text)
            with pytest.raises(InvalidKey):
                DecryptionKey.from_der(text)
        for password in ("other", b"", 5, "\ud800"):
            with pytest.raises(InvalidKey):
                DecryptionKey.from_pem(locked, password=password)

    def test_a_password_nobody_asked_for(self):
        with pytest.raises(InvalidKey, match="password"):
            DecryptionKey.from_pem(KEYS["P-256"].private_pem(), password="sesame")


class TestSecrets:
    @pytest.mark.parametrize(
        ("alg", "octets"),
        [
            *(("A128KW", 16), ("A192KW", 24), ("A256KW", 32)),
            *(("A128GCMKW", 16), ("A192GCMKW", 24), ("A256GCMKW", 32)),
            *(("A128GCM", 16), ("A192GCM", 24), ("A256GCM", 32)),
            *(("A128CBC-HS256", 32), ("A192CBC-HS384", 48), ("A256CBC-HS512", 64)),
        ],
    )
    def test_size_is_exact(self, alg, octets):
        assert DecryptionKey.from_secret(b"k" * octets, alg=alg).bits == octets * 8
        for other in (0, octets - 1, octets + 1, octets * 2):
            with pytest.raises(InvalidKey, match="size"):
                DecryptionKey.from_secret(b"k" * other, alg=alg)

    @pytest.mark.parametrize("octets", [0, 1, 15, 17, 31, 33, 63, 65, 128])
    def test_sizes_nothing_takes_directly(self, octets):
        with pytest.raises(InvalidKey, match="size"):
            DecryptionKey.from_secret(b"k" * octets, alg="dir")

    def test_a_secret_is_for_one_algorithm(self):
        with pytest.raises(InvalidKey, match="name its alg"):
            DecryptionKey.from_json(without(WRAP, "alg"))
        for alg in ("RSA-OAEP-256", "ECDH-ES", "HS256", "none", "PBES2-HS256+A128KW", ""):
            with pytest.raises(InvalidKey, match="not an algorithm for a secret"):
                DecryptionKey.from_secret(b"k" * 32, alg=alg)
        with pytest.raises(InvalidKey, match="alg is not text"):
            DecryptionKey.from_secret(b"k" * 32, alg=["dir"])

    def test_dir_with_one_encryption_alone(self):
        """RFC 7520, 5.6: a key whose alg is the content encryption."""
        secret = b"k" * 32
        free, bound = (DecryptionKey.from_secret(secret, alg=alg) for alg in ("dir", "A256GCM"))
        assert free.algorithms == bound.algorithms == ("dir",)
        for enc in ("A128CBC-HS256", "A256GCM"):
            compact = encrypt_jwe(b"text", EncryptionKey("dir", secret), enc=enc)
            options: dict[str, Any] = {"algorithms": ["dir"], "encryptions": ["A128CBC-HS256", "A256GCM"]}
            assert jwe.decrypt(compact, free, **options).plaintext == b"text"
            if enc == "A256GCM":
                assert jwe.decrypt(compact, bound, **options).plaintext == b"text"
            else:
                with pytest.raises(keybound.KeyRejected):
                    jwe.decrypt(compact, bound, **options)

    @pytest.mark.parametrize("form", [Encoding.PEM, Encoding.DER])
    def test_e19_public_keys_in_the_place_of_a_secret(self, form):
        public = KEYS["RSA"].private_key.public_key().public_bytes(form, PublicFormat.SubjectPublicKeyInfo)
        for secret in (public, public[:64], encoded(public).encode()[:64]):
            with pytest.raises(InvalidKey, match="public key"):
                DecryptionKey.from_secret(secret, alg="A256CBC-HS512")
            with pytest.raises(InvalidKey, match="public key"):
                DecryptionKey.from_client_secret(secret, alg="A128KW")

    @pytest.mark.parametrize(
        ("alg", "hashed"),
        [
            *(("A128KW", "sha256"), ("A192GCMKW", "sha256"), ("A256KW", "sha256")),
            *(("A128GCM", "sha256"), ("A128CBC-HS256", "sha256"), ("A192CBC-HS384", "sha384")),
            ("A256CBC-HS512", "sha512"),
        ],
    )
    def test_s004_24_client_secret(self, alg, hashed):
        """S004-24: a client_secret decrypts (OpenID Connect Core, 10.2): its hash, cut from the left."""
        secret = "ein Geheimnis über ZJYCqe3GGRvdrudKyZS0XhGv_Z45DuKhCUk0gBR1vZk"
        key = DecryptionKey.from_client_secret(secret, alg=alg, kid="client-1")
        digest = hashlib.new(hashed, secret.encode()).digest()
        enc = alg if "KW" not in alg else "A128CBC-HS256"
        sender = EncryptionKey("dir" if enc == alg else alg, digest[: key.bits // 8], kid="client-1")
        compact = encrypt_jwe(b"text", sender, enc=enc)
        opened = jwe.decrypt(compact, key, algorithms=[sender.alg], encryptions=[enc])
        assert opened.plaintext == b"text"

    @pytest.mark.parametrize(
        ("secret", "alg"),
        [
            ("", "A128KW"),
            ("secret", "dir"),
            ("secret", "RSA-OAEP-256"),
            ("secret", None),
            (None, "A128KW"),
            ("s", []),
        ],
    )
    def test_client_secrets_that_make_no_key(self, secret, alg):
        with pytest.raises(InvalidKey):
            DecryptionKey.from_client_secret(secret, alg=alg)


class TestPurpose:
    @pytest.mark.parametrize(
        ("jwk", "good", "bad"),
        [
            (RSA, ["decrypt"], ["encrypt", "wrapKey", "verify"]),
            (RSA, ["unwrapKey", "sign"], []),
            (EC, ["deriveKey"], ["decrypt", "unwrapKey"]),
            (OKP, ["deriveBits"], ["sign"]),
            (WRAP, ["unwrapKey", "wrapKey"], ["decrypt"]),
            (EncryptionKey.generate("A128GCMKW").private_jwk(), ["decrypt"], ["encrypt"]),
            (EncryptionKey.generate("dir").private_jwk(), ["encrypt", "decrypt"], ["unwrapKey"]),
        ],
    )
    def test_key_ops(self, jwk, good, bad):
        assert DecryptionKey.from_json(jwk | {"key_ops": good}).algorithms == (jwk["alg"],)
        for operations in (bad, [], [*good, *good], good[0], None, [None], {good[0]: 1}):
            with pytest.raises(InvalidKey, match="key_ops"):
                DecryptionKey.from_json(jwk | {"key_ops": operations})

    def test_a_key_without_alg_is_for_its_family(self):
        key = DecryptionKey.from_json(without(RSA, "alg"))
        assert key.algorithms == ("RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512", "RSA-OAEP", "RSA1_5")
        agreement = ("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW")
        for curve in CURVES:
            assert DecryptionKey.from_key(KEYS[curve].private_key).algorithms == agreement

    def test_signing_keys_are_not_for_decryption(self):
        with pytest.raises(InvalidKey):
            DecryptionKey.from_json(SigningKey.generate("ES256").private_jwk())
        with pytest.raises(InvalidKey):
            DecryptionKey.from_json(SigningKey.generate("HS256").private_jwk())


class TestObject:
    def test_it_cannot_be_changed(self):
        key = DecryptionKey.from_json(EC)
        for name in ("kid", "alg", "bits", "_private", "other"):
            with pytest.raises(AttributeError):
                setattr(key, name, None)
        with pytest.raises(AttributeError):
            del key.kid
        with pytest.raises(TypeError):
            DecryptionKey()

    def test_it_cannot_be_copied_or_pickled(self):
        for made in (DecryptionKey.from_json(EC), keybound.DecryptionKeys([DecryptionKey.from_json(EC)])):
            for copied in (copy.copy, copy.deepcopy, pickle.dumps):
                with pytest.raises(TypeError):
                    copied(made)

    @pytest.mark.parametrize("jwk", [RSA, EC, OKP, WRAP], ids=lambda jwk: jwk["alg"])
    def test_it_never_prints_itself(self, jwk):
        key = DecryptionKey.from_json(jwk)
        policy = keybound.Decryption(keys=key, algorithms=[jwk["alg"]], **RULES)
        for shown in (key, keybound.DecryptionKeys([key]), policy):
            for text in (repr(shown), str(shown), f"{shown}"):
                assert not [value for name, value in jwk.items() if len(value) > 16 and value[:8] in text], (
                    text
                )

    def test_a_secret_has_no_public_form(self):
        with pytest.raises(InvalidKey, match="public form"):
            DecryptionKey.from_json(WRAP).to_dict()
