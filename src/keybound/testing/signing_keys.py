"""Private keys and secrets that sign, one algorithm each."""

from __future__ import annotations

import hmac
import secrets
from typing import TypeAlias

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, utils

from keybound.errors import PolicyError
from keybound.testing import _private_keys

__all__ = ["ALGORITHMS", "PrivateKey", "SigningKey"]

PrivateKey: TypeAlias = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
)
"""What ``cryptography`` signs with."""

# This table stands apart from the one that Keybound validates with on purpose: a wrong row there
# must not agree with itself here.
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES: dict[str, ec.EllipticCurve] = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
    "ES256K": ec.SECP256K1(),
}
_EDWARDS: dict[str, type[ed25519.Ed25519PrivateKey] | type[ed448.Ed448PrivateKey]] = {
    "Ed25519": ed25519.Ed25519PrivateKey,
    "Ed448": ed448.Ed448PrivateKey,
}

ALGORITHMS: tuple[str, ...] = (
    *(family + size for family in ("HS", "RS", "PS") for size in _HASHES),
    *_CURVES,
    "EdDSA",
    *_EDWARDS,
)
"""Every ``alg`` that can sign here (RFC 7518, 3.1; RFC 8037, 3.1; RFC 8812, 3.2; RFC 9864, 2)."""


class SigningKey:
    """A private key or secret bound to one ``alg``. Its ``repr`` shows neither.

    :param alg: one of :data:`ALGORITHMS`
    :param material: ``cryptography`` private key, or the secret of HS256, HS384 and HS512 as bytes of
        any length (the public key of somebody else, for the confusion attack of RFC 8725, 2.1)
    :param kid: key identifier; the JWK thumbprint (RFC 7638, 3) when not given
    :raises PolicyError: ``alg`` is not known, or ``material`` cannot sign with it
    """

    __slots__ = ("_material", "alg", "kid")

    def __init__(self, alg: str, material: PrivateKey | bytes, *, kid: str | None = None) -> None:
        if not _fits(alg, material):
            raise PolicyError(f"this kind of key cannot sign with {alg}")
        self._material = material
        self.alg = alg
        self.kid = _private_keys.thumbprint(material) if kid is None else kid

    @classmethod
    def generate(
        cls,
        alg: str,
        *,
        kid: str | None = None,
        rsa_bits: int = 2048,
        curve: str | None = None,
        shared: bool = False,
    ) -> SigningKey:
        """A new random key for ``alg``.

        :param alg: one of :data:`ALGORITHMS`
        :param kid: key identifier; the JWK thumbprint (RFC 7638, 3) when not given
        :param rsa_bits: size of an RSA modulus in bits
        :param curve: ``"Ed25519"`` (default) or ``"Ed448"``, for ``alg="EdDSA"`` only (RFC 8037, 3.1)
        :param shared: take the one RSA key of that size that this process keeps, instead of spending
            50 to 200 ms on a new one; no effect on other kinds. Shared keys equal each other.
        :raises PolicyError: ``alg`` or ``curve`` is not known
        """
        if alg not in ALGORITHMS:
            raise PolicyError("not a JWS algorithm that keybound.testing knows")
        if curve is not None and (alg != "EdDSA" or curve not in _EDWARDS):
            raise PolicyError("curve is Ed25519 or Ed448 and belongs to EdDSA")
        return cls(alg, _generate(alg, rsa_bits, curve, shared), kid=kid)

    @property
    def private_key(self) -> PrivateKey:
        """The ``cryptography`` private key.

        :raises PolicyError: the key is a shared secret
        """
        if isinstance(self._material, bytes):
            raise PolicyError("a shared secret has no private key")
        return self._material

    @property
    def secret(self) -> bytes:
        """The secret shared with the verifier.

        :raises PolicyError: the key is asymmetric
        """
        if not isinstance(self._material, bytes):
            raise PolicyError("an asymmetric key has no shared secret")
        return self._material

    @property
    def curve(self) -> str | None:
        """``crv`` of an EC or OKP key (RFC 7518, 6.2.1.1; RFC 8037, 2), else ``None``."""
        return _private_keys.required_members(self._material).get("crv")

    @property
    def thumbprint(self) -> str:
        """The JWK thumbprint with SHA-256 (RFC 7638, 3), 43 characters: the ``jkt`` of RFC 9449."""
        return _private_keys.thumbprint(self._material)

    def sign(self, signing_input: bytes) -> bytes:
        """The signature octets of a JWS (RFC 7518, 3; RFC 8037, 3.1): ``r || s`` for ECDSA, not DER."""
        key = self._material
        if isinstance(key, bytes):
            return hmac.digest(key, signing_input, _hash(self.alg).name)
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(signing_input, _rsa_padding(self.alg), _hash(self.alg))
        if isinstance(key, ec.EllipticCurvePrivateKey):
            r, s = utils.decode_dss_signature(key.sign(signing_input, ec.ECDSA(_hash(self.alg))))
            size = _private_keys.coordinate_bytes(key)
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        return key.sign(signing_input)

    def public_jwk(self) -> dict[str, str]:
        """The public JWK (RFC 7517, 4) with ``kid``, ``alg`` and ``use``.

        :raises PolicyError: the key is a shared secret
        """
        return _private_keys.required_members(self.private_key) | self._common_members()

    def private_jwk(self) -> dict[str, str]:
        """The private JWK (RFC 7518, 6), or the ``oct`` JWK of a shared secret."""
        return (
            _private_keys.required_members(self._material)
            | _private_keys.private_members(self._material)
            | self._common_members()
        )

    def verification_jwk(self) -> dict[str, str]:
        """What the verifier needs: the public JWK, or the ``oct`` JWK of a shared secret."""
        return _private_keys.required_members(self._material) | self._common_members()

    def public_pem(self) -> bytes:
        """The public key as PEM SubjectPublicKeyInfo (RFC 7468, 13).

        :raises PolicyError: the key is a shared secret
        """
        return self.private_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def _common_members(self) -> dict[str, str]:
        return {"kid": self.kid, "alg": self.alg, "use": "sig"}

    def __repr__(self) -> str:
        return f"SigningKey(alg={self.alg!r}, kid={self.kid!r})"


def _hash(alg: str) -> hashes.HashAlgorithm:
    return _HASHES[alg[2:5]]


def _rsa_padding(alg: str) -> padding.AsymmetricPadding:
    if alg.startswith("RS"):
        return padding.PKCS1v15()
    digest = _hash(alg)
    # RFC 7518, 3.5: the salt is as long as the hash, and MGF1 uses the same hash.
    return padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)


def _fits(alg: str, material: PrivateKey | bytes) -> bool:
    if alg not in ALGORITHMS:
        return False
    if isinstance(material, bytes):
        return alg.startswith("HS")
    if isinstance(material, rsa.RSAPrivateKey):
        return alg.startswith(("RS", "PS"))
    if isinstance(material, ec.EllipticCurvePrivateKey):
        return alg in _CURVES and _CURVES[alg].name == material.curve.name
    return isinstance(material, tuple(_EDWARDS.values()) if alg == "EdDSA" else _EDWARDS.get(alg, ()))


def _generate(alg: str, rsa_bits: int, curve: str | None, shared: bool) -> PrivateKey | bytes:
    if alg.startswith("HS"):
        return secrets.token_bytes(_hash(alg).digest_size)
    if alg in _CURVES:
        return ec.generate_private_key(_CURVES[alg])
    if alg.startswith("Ed"):
        return _EDWARDS[curve or ("Ed25519" if alg == "EdDSA" else alg)].generate()
    return _private_keys.rsa_key(rsa_bits, shared=shared)
