"""Private keys and secrets that a JWE can be made for, one algorithm each."""

from __future__ import annotations

import secrets
from typing import TypeAlias

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x448, x25519

from keybound.errors import PolicyError
from keybound.testing import _private_keys

__all__ = ["ENCRYPTIONS", "ENCRYPTION_ALGORITHMS", "AgreementKey", "EncryptionKey"]

AgreementKey: TypeAlias = ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey | x448.X448PrivateKey
"""What ``cryptography`` agrees on a secret with."""

# These tables stand apart from those that Keybound decrypts with on purpose: a wrong row there must
# not agree with itself here.
WRAPPING_BYTES = {"A128": 16, "A192": 24, "A256": 32}
CONTENT_BYTES = {
    "A128CBC-HS256": 32,
    "A192CBC-HS384": 48,
    "A256CBC-HS512": 64,
    "A128GCM": 16,
    "A192GCM": 24,
    "A256GCM": 32,
}
_CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
_OCTET_CURVES: dict[str, type[x25519.X25519PrivateKey] | type[x448.X448PrivateKey]] = {
    "X25519": x25519.X25519PrivateKey,
    "X448": x448.X448PrivateKey,
}

ENCRYPTION_ALGORITHMS: tuple[str, ...] = (
    "RSA1_5",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "RSA-OAEP-384",
    "RSA-OAEP-512",
    "ECDH-ES",
    *(f"ECDH-ES+{size}KW" for size in WRAPPING_BYTES),
    *(f"{size}{kind}" for kind in ("KW", "GCMKW") for size in WRAPPING_BYTES),
    "dir",
)
"""Every ``alg`` that a JWE can be made with here (RFC 7518, 4.1; RFC 8037, 3.2)."""

ENCRYPTIONS: tuple[str, ...] = tuple(CONTENT_BYTES)
"""Every ``enc`` that a JWE can be made with here (RFC 7518, 5.1)."""


class EncryptionKey:
    """A private key or secret bound to one ``alg``. Its ``repr`` shows neither.

    :param alg: one of :data:`ENCRYPTION_ALGORITHMS`
    :param material: ``cryptography`` private key, or the secret as bytes of any length
    :param kid: key identifier; the JWK thumbprint (RFC 7638, 3) when not given
    :raises PolicyError: ``alg`` is not known, or ``material`` is not of its type
    """

    __slots__ = ("alg", "kid", "material")

    def __init__(
        self, alg: str, material: rsa.RSAPrivateKey | AgreementKey | bytes, *, kid: str | None = None
    ):
        if not _fits(alg, material):
            raise PolicyError(f"this kind of key cannot be used with {alg}")
        self.material = material
        self.alg = alg
        self.kid = _private_keys.thumbprint(material) if kid is None else kid

    @classmethod
    def generate(
        cls,
        alg: str,
        *,
        enc: str = "A128CBC-HS256",
        curve: str | None = None,
        kid: str | None = None,
        rsa_bits: int = 2048,
        shared: bool = False,
    ) -> EncryptionKey:
        """A new random key for ``alg``.

        :param alg: one of :data:`ENCRYPTION_ALGORITHMS`
        :param enc: one of :data:`ENCRYPTIONS`, which gives the secret of ``alg="dir"`` its size
        :param curve: ``"P-256"`` (default), ``"P-384"``, ``"P-521"``, ``"X25519"`` or ``"X448"``, for
            ECDH-ES only
        :param kid: key identifier; the JWK thumbprint (RFC 7638, 3) when not given
        :param rsa_bits: size of an RSA modulus in bits
        :param shared: take the one RSA key of that size that this process keeps, see
            :meth:`SigningKey.generate`
        :raises PolicyError: ``alg``, ``enc`` or ``curve`` is not known
        """
        if alg not in ENCRYPTION_ALGORITHMS or enc not in ENCRYPTIONS:
            raise PolicyError("not a JWE algorithm that keybound.testing knows")
        if curve is not None and not (alg.startswith("ECDH-ES") and curve in _CURVES | _OCTET_CURVES):
            raise PolicyError("curve is P-256, P-384, P-521, X25519 or X448 and belongs to ECDH-ES")
        if alg.startswith("RSA"):
            return cls(alg, _private_keys.rsa_key(rsa_bits, shared=shared), kid=kid)
        if alg.startswith("ECDH-ES"):
            return cls(alg, generate_agreement_key(curve or "P-256"), kid=kid)
        size = CONTENT_BYTES[enc] if alg == "dir" else WRAPPING_BYTES[alg[:4]]
        return cls(alg, secrets.token_bytes(size), kid=kid)

    @property
    def secret(self) -> bytes:
        """The secret shared with who encrypts.

        :raises PolicyError: the key is asymmetric
        """
        if not isinstance(self.material, bytes):
            raise PolicyError("an asymmetric key has no shared secret")
        return self.material

    @property
    def private_key(self) -> rsa.RSAPrivateKey | AgreementKey:
        """The ``cryptography`` private key.

        :raises PolicyError: the key is a shared secret
        """
        if isinstance(self.material, bytes):
            raise PolicyError("a shared secret has no private key")
        return self.material

    @property
    def curve(self) -> str | None:
        """``crv`` of an EC or OKP key (RFC 7518, 6.2.1.1; RFC 8037, 2), else ``None``."""
        return _private_keys.required_members(self.material).get("crv")

    def public_jwk(self) -> dict[str, str]:
        """The public JWK (RFC 7517, 4) with ``kid``, ``alg`` and ``use``.

        :raises PolicyError: the key is a shared secret
        """
        return _private_keys.required_members(self.private_key) | self._common_members()

    def private_jwk(self) -> dict[str, str]:
        """The private JWK (RFC 7518, 6), or the ``oct`` JWK of a shared secret: what decrypts."""
        private = _private_keys.private_members(self.material)
        return _private_keys.required_members(self.material) | private | self._common_members()

    def private_pem(self) -> bytes:
        """The private key as PEM PKCS #8 (RFC 7468, 10), not encrypted.

        :raises PolicyError: the key is a shared secret
        """
        return self.private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def _common_members(self) -> dict[str, str]:
        return {"kid": self.kid, "alg": self.alg, "use": "enc"}

    def __repr__(self) -> str:
        return f"EncryptionKey(alg={self.alg!r}, kid={self.kid!r})"


def generate_agreement_key(curve: str) -> AgreementKey:
    return ec.generate_private_key(_CURVES[curve]) if curve in _CURVES else _OCTET_CURVES[curve].generate()


def _fits(alg: str, material: object) -> bool:
    if alg not in ENCRYPTION_ALGORITHMS:
        return False
    if isinstance(material, ec.EllipticCurvePrivateKey):
        return alg.startswith("ECDH-ES") and material.curve.name in {curve.name for curve in _CURVES.values()}
    if isinstance(material, rsa.RSAPrivateKey):
        return alg.startswith("RSA")
    if isinstance(material, bytes):
        return alg == "dir" or alg.startswith("A")
    return alg.startswith("ECDH-ES") and isinstance(material, tuple(_OCTET_CURVES.values()))
