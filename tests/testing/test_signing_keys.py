from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, utils

from keybound.errors import PolicyError
from keybound.testing import ALGORITHMS, SigningKey

MESSAGE = b"header.payload"
SHA2: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
VARIANTS = [(alg, None) for alg in ALGORITHMS] + [("EdDSA", "Ed25519"), ("EdDSA", "Ed448")]
ASYMMETRIC = [(alg, curve) for alg, curve in VARIANTS if not alg.startswith("HS")]


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text: str) -> int:
    return int.from_bytes(decoded(text), "big")


def generated(alg: str, curve: str | None) -> SigningKey:
    return SigningKey.generate(alg, curve=curve, shared=True)


def public_key_of(jwk: dict[str, str]) -> Any:
    """The public key read from the JWK alone, so that ``public_jwk`` is judged by what it says."""
    if jwk["kty"] == "RSA":
        return rsa.RSAPublicNumbers(number(jwk["e"]), number(jwk["n"])).public_key()
    if jwk["kty"] == "EC":
        curves: dict[str, ec.EllipticCurve] = {
            "P-256": ec.SECP256R1(),
            "P-384": ec.SECP384R1(),
            "P-521": ec.SECP521R1(),
            "secp256k1": ec.SECP256K1(),
        }
        curve = curves[jwk["crv"]]
        return ec.EllipticCurvePublicNumbers(number(jwk["x"]), number(jwk["y"]), curve).public_key()
    if jwk["crv"] == "Ed25519":
        return ed25519.Ed25519PublicKey.from_public_bytes(decoded(jwk["x"]))
    return ed448.Ed448PublicKey.from_public_bytes(decoded(jwk["x"]))


def verify(alg: str, jwk: dict[str, str], signature: bytes, message: bytes) -> None:
    if alg.startswith("HS"):
        expected = hmac.digest(decoded(jwk["k"]), message, f"sha{alg[2:]}")
        if not hmac.compare_digest(signature, expected):
            raise InvalidSignature
        return
    key = public_key_of(jwk)
    if alg.startswith("Ed"):
        key.verify(signature, message)
        return
    digest = SHA2[alg[2:5]]
    if alg.startswith("RS"):
        key.verify(signature, message, padding.PKCS1v15(), digest)
    elif alg.startswith("PS"):
        pss = padding.PSS(padding.MGF1(digest), salt_length=digest.digest_size)
        key.verify(signature, message, pss, digest)
    else:
        half = len(signature) // 2
        r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(digest))


@pytest.mark.parametrize(("alg", "curve"), VARIANTS)
def test_signature_verifies_with_the_published_jwk(alg: str, curve: str | None) -> None:
    key = generated(alg, curve)
    signature = key.sign(MESSAGE)
    verify(alg, key.verification_jwk(), signature, MESSAGE)
    with pytest.raises(InvalidSignature):
        verify(alg, key.verification_jwk(), signature, MESSAGE + b"x")


@pytest.mark.parametrize(
    ("alg", "octets"),
    [("ES256", 64), ("ES384", 96), ("ES512", 132), ("ES256K", 64), ("Ed25519", 64), ("Ed448", 114)],
)
def test_signature_has_the_length_of_the_rfc(alg: str, octets: int) -> None:
    key = SigningKey.generate(alg)
    assert {len(key.sign(bytes([i]))) for i in range(64)} == {octets}


@pytest.mark.parametrize(
    ("alg", "curve", "crv"),
    [
        ("EdDSA", None, "Ed25519"),
        ("EdDSA", "Ed448", "Ed448"),
        ("Ed25519", None, "Ed25519"),
        ("Ed448", None, "Ed448"),
    ],
)
def test_edwards_curve(alg: str, curve: str | None, crv: str) -> None:
    key = SigningKey.generate(alg, curve=curve)
    assert key.public_jwk()["crv"] == key.curve == crv
    assert key.public_jwk()["alg"] == alg


@pytest.mark.parametrize(("alg", "curve"), ASYMMETRIC)
def test_public_jwk_and_pem_hold_the_same_public_key_and_nothing_private(alg: str, curve: str | None) -> None:
    key = generated(alg, curve)
    jwk = key.public_jwk()
    assert jwk.keys() <= {"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"}
    assert (jwk["kid"], jwk["alg"], jwk["use"]) == (key.kid, alg, "sig")
    assert key.public_pem().startswith(b"-----BEGIN PUBLIC KEY-----")
    assert serialization.load_pem_public_key(key.public_pem()) == public_key_of(jwk)
    assert key.verification_jwk() == jwk


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "ES256K"])
def test_ec_members_have_the_width_of_the_field(alg: str) -> None:
    width = {"ES256": 32, "ES384": 48, "ES512": 66, "ES256K": 32}[alg]
    for _ in range(16):
        jwk = SigningKey.generate(alg).private_jwk()
        assert {len(decoded(jwk[name])) for name in "xyd"} == {width}


def test_private_jwk_of_rsa_is_the_whole_key() -> None:
    key = SigningKey.generate("RS256", shared=True)
    jwk = key.private_jwk()
    numbers = rsa.RSAPrivateNumbers(
        p=number(jwk["p"]),
        q=number(jwk["q"]),
        d=number(jwk["d"]),
        dmp1=number(jwk["dp"]),
        dmq1=number(jwk["dq"]),
        iqmp=number(jwk["qi"]),
        public_numbers=rsa.RSAPublicNumbers(number(jwk["e"]), number(jwk["n"])),
    )
    assert numbers.private_key().private_numbers() == key.private_key.private_numbers()  # type: ignore[union-attr]


def test_private_jwk_of_okp_is_the_seed() -> None:
    key = SigningKey.generate("Ed25519")
    small = ed25519.Ed25519PrivateKey.from_private_bytes(decoded(key.private_jwk()["d"]))
    assert SigningKey("Ed25519", small).public_jwk() == key.public_jwk()
    key = SigningKey.generate("Ed448")
    large = ed448.Ed448PrivateKey.from_private_bytes(decoded(key.private_jwk()["d"]))
    assert SigningKey("Ed448", large).public_jwk() == key.public_jwk()


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_secret_is_as_long_as_the_hash_and_stands_in_the_oct_jwk(alg: str) -> None:
    key = SigningKey.generate(alg)
    assert len(key.secret) == int(alg[2:]) // 8
    assert decoded(key.private_jwk()["k"]) == decoded(key.verification_jwk()["k"]) == key.secret


def test_what_a_kind_of_key_does_not_have_is_an_error() -> None:
    secret = SigningKey.generate("HS256")
    for absent in (secret.public_jwk, secret.public_pem, lambda: secret.private_key):
        with pytest.raises(PolicyError):
            absent()
    with pytest.raises(PolicyError):
        _ = SigningKey.generate("ES256").secret


def test_kid_is_the_jwk_thumbprint_unless_given() -> None:
    key = SigningKey.generate("ES256")
    required = {name: key.public_jwk()[name] for name in ("crv", "kty", "x", "y")}
    digest = hashlib.sha256(json.dumps(required, separators=(",", ":")).encode()).digest()
    assert decoded(key.kid) == digest
    assert SigningKey("ES256", key.private_key).kid == key.kid
    assert SigningKey.generate("ES256", kid="k1").public_jwk()["kid"] == "k1"


def test_kid_reproduces_the_example_of_rfc_8037_appendix_a3() -> None:
    seed = decoded("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
    key = SigningKey("EdDSA", ed25519.Ed25519PrivateKey.from_private_bytes(seed))
    assert key.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_hs256_reproduces_the_example_of_rfc_7515_appendix_a1() -> None:
    secret = decoded("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
    signing_input = (
        b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
        b"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    expected = decoded("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert SigningKey("HS256", secret).sign(signing_input) == expected


def test_only_shared_rsa_keys_are_reused() -> None:
    first = SigningKey.generate("RS256", shared=True)
    assert SigningKey.generate("PS512", shared=True).kid == first.kid
    assert SigningKey.generate("RS256").kid != first.kid
    assert SigningKey.generate("ES256", shared=True).kid != SigningKey.generate("ES256", shared=True).kid


def test_rsa_size() -> None:
    key = SigningKey.generate("RS256", rsa_bits=1024)
    assert number(key.public_jwk()["n"]).bit_length() == 1024


def test_confusion_key_signs_with_the_public_key_as_secret() -> None:
    public_pem = SigningKey.generate("ES256").public_pem()
    assert SigningKey("HS256", public_pem).sign(MESSAGE) == hmac.digest(public_pem, MESSAGE, "sha256")


@pytest.mark.parametrize("alg", ["none", "", "HS257", "RS1", "ES256 ", "eddsa", "RSA-OAEP"])
def test_unknown_algorithm(alg: str) -> None:
    with pytest.raises(PolicyError):
        SigningKey.generate(alg)
    with pytest.raises(PolicyError):
        SigningKey(alg, b"secret")


@pytest.mark.parametrize(("alg", "curve"), [("ES256", "P-256"), ("Ed448", "Ed448"), ("EdDSA", "X25519")])
def test_curve_belongs_to_eddsa(alg: str, curve: str) -> None:
    with pytest.raises(PolicyError):
        SigningKey.generate(alg, curve=curve)


@pytest.mark.parametrize(
    ("alg", "other"),
    [("RS256", "ES256"), ("ES256", "ES384"), ("ES256K", "ES256"), ("Ed25519", "Ed448"), ("HS256", "Ed25519")],
)
def test_material_must_fit_the_algorithm(alg: str, other: str) -> None:
    with pytest.raises(PolicyError):
        SigningKey(alg, SigningKey.generate(other).private_key)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_secret_fits_only_hmac(alg: str) -> None:
    with pytest.raises(PolicyError):
        SigningKey(alg, b"x" * 64)


def test_repr_shows_no_secret() -> None:
    assert repr(SigningKey("HS256", b"topsecret" * 4, kid="k")) == "SigningKey(alg='HS256', kid='k')"
