"""JWS signature verification dispatch: one key handle, one verify, on ``cryptography``."""

from __future__ import annotations

import hmac
from typing import Any, NoReturn, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from keybound._hotpath.contract import Family, Kind

__all__ = [
    "VerifyKey",
    "configure_tables",
    "cpu_features",
    "library",
    "load_key",
    "provider",
    "serves_tables",
    "table_counters",
    "verify",
]

_HASHES: dict[int, hashes.HashAlgorithm] = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}
_CURVES: dict[int, ec.EllipticCurve] = {
    Kind.P256: ec.SECP256R1(),
    Kind.P384: ec.SECP384R1(),
    Kind.P521: ec.SECP521R1(),
    Kind.SECP256K1: ec.SECP256K1(),
}
_FAMILIES: dict[int, frozenset[int]] = {
    Family.HMAC: frozenset({Kind.SECRET}),
    Family.RSA_PKCS1: frozenset({Kind.RSA}),
    Family.RSA_PSS: frozenset({Kind.RSA}),
    Family.ECDSA: frozenset(_CURVES),
    Family.EDDSA: frozenset({Kind.ED25519, Kind.ED448}),
}


def library() -> str:
    """Name and version of the crypto library that verifies."""
    from cryptography.hazmat.backends.openssl import backend

    return backend.openssl_version_text()


def cpu_features() -> tuple[str, ...]:
    """Processor features the library uses; it does not tell."""
    return ()


def provider(kind: int) -> str:
    """The library that verifies signatures of this kind of key."""
    return "hashlib" if kind == Kind.SECRET else "cryptography"


def serves_tables(kind: int) -> bool:
    """Whether hot keys of this kind get tables on this machine; here none do."""
    return False


def configure_tables(limit_bytes: int, uses: int) -> None:
    """Bound the memory of key tables and set how many uses earn a key one; there are none here."""


def table_counters() -> dict[str, int]:
    """Counters of the key tables of this process; there are none here."""
    return dict.fromkeys(("tables", "bytes", "built", "evicted", "undecided", "limit_bytes"), 0)


class VerifyKey:
    """A key that can only verify, parsed once and immutable. Made by :func:`load_key`."""

    __slots__ = ("_key", "kind", "width")

    kind: int
    width: int

    def __init__(self) -> None:
        raise TypeError("VerifyKey is made by load_key()")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("VerifyKey is immutable")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key handle cannot be pickled")


def load_key(kind: int, material: tuple[bytes, ...]) -> VerifyKey | None:
    """A key handle from raw parameters, big-endian as in RFC 7518 section 6.

    :param kind: a :class:`~keybound._hotpath.contract.Kind`
    :param material: ``(n, e)`` for RSA, ``(x, y)`` for a curve of RFC 7518, ``(x,)`` for a curve of
        RFC 8037, ``(k,)`` for a secret
    :returns: ``None`` if the parameters are not a key, such as a point off the curve
    """
    try:
        loaded, width = _load(kind, material)
    except (ValueError, TypeError):
        return None
    key = object.__new__(VerifyKey)
    object.__setattr__(key, "kind", int(kind))
    object.__setattr__(key, "_key", loaded)
    object.__setattr__(key, "width", width)
    return key


def _load(kind: int, material: tuple[bytes, ...]) -> tuple[Any, int]:
    """The library's key and the exact size of its signatures in bytes (0: depends on the hash)."""
    numbers = [int.from_bytes(part, "big") for part in material]
    if kind == Kind.SECRET:
        (secret,) = material
        return bytes(secret), 0
    if kind == Kind.RSA:
        n, e = numbers
        return rsa.RSAPublicNumbers(e, n).public_key(), (n.bit_length() + 7) // 8
    if kind in _CURVES:
        x, y = numbers
        curve = _CURVES[kind]
        given = ec.EllipticCurvePublicNumbers(x, y, curve)
        key = given.public_key()
        # The library reduces coordinates above the field instead of refusing them (SEC 1, 3.2.2.1).
        if key.public_numbers() != given:
            raise ValueError("a coordinate is out of range")
        return key, 2 * ((curve.key_size + 7) // 8)
    (point,) = material
    if kind == Kind.ED25519:
        return ed25519.Ed25519PublicKey.from_public_bytes(point), 64
    if kind == Kind.ED448:
        return ed448.Ed448PublicKey.from_public_bytes(point), 114
    raise ValueError("unknown kind of key")


def verify(key: VerifyKey, family: int, bits: int, data: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is the signature of ``data`` under ``key``.

    :param family: a :class:`~keybound._hotpath.contract.Family`
    :param bits: size of the hash in bits, 0 where the scheme brings its own
    :returns: ``False`` too where the key is of another kind than the family needs, or where there is
        no such family or hash
    """
    if key.kind not in _FAMILIES.get(family, ()) or (family != Family.EDDSA and bits not in _HASHES):
        return False
    handle = cast(Any, key)._key
    if family == Family.HMAC:
        return hmac.compare_digest(hmac.digest(handle, data, f"sha{bits}"), signature)
    # RFC 7518, 3.3 to 3.5: a signature has exactly one length.
    if len(signature) != key.width:
        return False
    try:
        if family == Family.RSA_PKCS1:
            handle.verify(signature, data, padding.PKCS1v15(), _HASHES[bits])
        elif family == Family.RSA_PSS:
            # RFC 7518, 3.5: the salt is as long as the hash, and MGF1 uses the same hash.
            scheme = padding.PSS(padding.MGF1(_HASHES[bits]), salt_length=bits // 8)
            handle.verify(signature, data, scheme, _HASHES[bits])
        elif family == Family.ECDSA:
            half = key.width // 2
            r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
            handle.verify(encode_dss_signature(r, s), data, ec.ECDSA(_HASHES[bits]))
        else:
            handle.verify(signature, data)
    except InvalidSignature:
        return False
    return True
