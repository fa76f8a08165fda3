"""What signing and encryption keys have in common: RSA keys to share, and the JWK form."""

from __future__ import annotations

import functools
import hashlib
import json
import threading
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x448, x25519

from keybound.testing import _base64url

__all__ = [
    "Material",
    "PrivateKey",
    "coordinate_bytes",
    "private_members",
    "required_members",
    "rsa_key",
    "thumbprint",
]

OctetKey: TypeAlias = (
    ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey | x25519.X25519PrivateKey | x448.X448PrivateKey
)
PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | OctetKey
Material: TypeAlias = PrivateKey | bytes

_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1"}
_OCTET_CURVES: dict[type[OctetKey], str] = {
    ed25519.Ed25519PrivateKey: "Ed25519",
    ed448.Ed448PrivateKey: "Ed448",
    x25519.X25519PrivateKey: "X25519",
    x448.X448PrivateKey: "X448",
}

_SHARED_LOCK = threading.Lock()


def rsa_key(bits: int, *, shared: bool) -> rsa.RSAPrivateKey:
    """A new RSA key, or the one of that size that this process keeps."""
    if not shared:
        return _new_rsa_key(bits)
    with _SHARED_LOCK:  # or two threads that come first would each get a key of their own
        return _shared_rsa_key(bits)


def _new_rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@functools.cache
def _shared_rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return _new_rsa_key(bits)


def coordinate_bytes(key: ec.EllipticCurvePrivateKey) -> int:
    return (key.curve.key_size + 7) // 8


def required_members(material: Material) -> dict[str, str]:
    """The members that RFC 7638, 3.2 lists for this ``kty``, in the order in which it hashes them."""
    if isinstance(material, bytes):
        return {"k": _base64url.encode(material), "kty": "oct"}
    if isinstance(material, rsa.RSAPrivateKey):
        numbers = material.public_key().public_numbers()
        return {"e": _base64url.encode_uint(numbers.e), "kty": "RSA", "n": _base64url.encode_uint(numbers.n)}
    if isinstance(material, ec.EllipticCurvePrivateKey):
        size, point = coordinate_bytes(material), material.public_key().public_numbers()
        x, y = (_base64url.encode_uint(value, size=size) for value in (point.x, point.y))
        return {"crv": _CURVES[material.curve.name], "kty": "EC", "x": x, "y": y}
    curve = next(crv for kind, crv in _OCTET_CURVES.items() if isinstance(material, kind))
    return {"crv": curve, "kty": "OKP", "x": _base64url.encode(material.public_key().public_bytes_raw())}


def private_members(material: Material) -> dict[str, str]:
    """The members that only the private JWK has (RFC 7518, 6.2.2 and 6.3.2; RFC 8037, 2)."""
    if isinstance(material, bytes):
        return {}
    if isinstance(material, rsa.RSAPrivateKey):
        numbers = material.private_numbers()
        integers = {
            "d": numbers.d,
            "p": numbers.p,
            "q": numbers.q,
            "dp": numbers.dmp1,
            "dq": numbers.dmq1,
            "qi": numbers.iqmp,
        }
        return {name: _base64url.encode_uint(value) for name, value in integers.items()}
    if isinstance(material, ec.EllipticCurvePrivateKey):
        scalar = material.private_numbers().private_value
        return {"d": _base64url.encode_uint(scalar, size=coordinate_bytes(material))}
    return {"d": _base64url.encode(material.private_bytes_raw())}


def thumbprint(material: Material) -> str:
    text = json.dumps(required_members(material), separators=(",", ":"), sort_keys=True)
    return _base64url.encode(hashlib.sha256(text.encode()).digest())
