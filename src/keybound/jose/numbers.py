"""The numbers inside a key: which are safe, and how to take them out of a ``cryptography`` key."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, NamedTuple

from keybound._hotpath.contract import Kind
from keybound.errors import InvalidKey

__all__ = ["check", "load_der", "material_of"]

RSA_BITS: Final = (2048, 16384)
"""RFC 7518, 3.3 and 3.5 set the floor; above the ceiling one verification costs milliseconds."""

RSA_EXPONENT_BITS: Final = 32
"""Every crypto library takes exponents of this size; a larger one only makes verification slow."""

FIELD_BITS: Final = {
    Kind.P256: 256,
    Kind.P384: 384,
    Kind.P521: 521,
    Kind.SECP256K1: 256,
    Kind.ED25519: 256,
    Kind.ED448: 456,
}


class _Edwards(NamedTuple):
    """The curve a x^2 + y^2 = 1 + d x^2 y^2 over the field of p elements (RFC 8032, 5.1 and 5.2)."""

    p: int
    a: int
    d: int


_EDWARDS: Final = {
    Kind.ED25519: _Edwards(2**255 - 19, -1, -121665 * pow(121666, -1, 2**255 - 19)),
    Kind.ED448: _Edwards(2**448 - 2**224 - 1, 1, -39081),
}


def check(kind: Kind, material: tuple[bytes, ...]) -> int:
    """Size of a public key in bits, once its numbers are known to be well-formed and safe.

    Whether a point lies on its curve is left to the library that loads it.

    :raises InvalidKey: a number has the wrong size or a value nobody should use
    """
    if kind is Kind.RSA:
        return _check_rsa(*material)
    size = (FIELD_BITS[kind] + 7) // 8
    # RFC 7518, 6.2.1.2 and RFC 8037, 2: full size, leading zeros included.
    if any(len(part) != size for part in material):
        raise InvalidKey("a coordinate does not have the size of its curve")
    if kind in _EDWARDS:
        _check_edwards(_EDWARDS[kind], material[0])
    return FIELD_BITS[kind]


def _check_rsa(n: bytes, e: bytes) -> int:
    # RFC 7518, 2 (Base64urlUInt): the fewest octets that hold the number.
    if not n or not e or n[0] == 0 or e[0] == 0:
        raise InvalidKey("n or e is empty or has a leading zero")
    bits = int.from_bytes(n, "big").bit_length()
    if not RSA_BITS[0] <= bits <= RSA_BITS[1]:
        raise InvalidKey(f"an RSA modulus must have {RSA_BITS[0]} to {RSA_BITS[1]} bits (RFC 7518, 3.3)")
    if len(e) * 8 > RSA_EXPONENT_BITS:
        raise InvalidKey(f"an RSA public exponent above {RSA_EXPONENT_BITS} bits is refused")
    if n[-1] % 2 == 0:
        raise InvalidKey("the RSA modulus is even")
    if e[-1] % 2 == 0 or e == b"\x01":
        raise InvalidKey("the RSA public exponent is even or 1")
    if _is_of_roca_form(int.from_bytes(n, "big")):
        raise InvalidKey("the RSA modulus can be factored (CVE-2017-15361)")
    return bits


def _is_of_roca_form(n: int) -> bool:
    """Whether ``n`` comes from the generator that made both primes out of powers of 65537.

    To every small prime such a modulus is a power of 65537 as well; one other in 2**27 is so by chance.
    """
    return all(n % prime in powers for prime, powers in _powers_of_65537())


@cache
def _powers_of_65537() -> tuple[tuple[int, frozenset[int]], ...]:
    primes = (number for number in range(3, 168) if all(number % factor for factor in range(2, number)))
    return tuple(
        (prime, frozenset(pow(65537, exponent, prime) for exponent in range(prime))) for prime in primes
    )


def _check_edwards(curve: _Edwards, encoded: bytes) -> None:
    """Refuse what RFC 8032 sections 5.1.3 and 5.2.3 do not decode, and points of small order.

    Under a key of small order (RFC 8032, 5.1.7 without the cofactor) signatures verify for
    messages nobody signed. Libraries differ on all of this, so none of it gets that far.
    """
    p, a, d = curve
    sign, y = divmod(int.from_bytes(encoded, "little"), 1 << (8 * len(encoded) - 1))
    if y >= p:
        raise InvalidKey("the public key is not canonical (RFC 8032, 5.1.3 and 5.2.3)")
    x_squared = (1 - y * y) * pow(a - d * y * y, -1, p) % p
    if pow(x_squared, (p - 1) // 2, p) not in (0, 1) or (x_squared == 0 and sign):
        raise InvalidKey("the public key is not a point of its curve (RFC 8032, 5.1.3 and 5.2.3)")
    if _has_small_order(curve, y, x_squared):
        raise InvalidKey("the public key is a point of small order")


def _has_small_order(curve: _Edwards, y: int, x_squared: int) -> bool:
    """Whether doubling the point three times gives the neutral element; in terms of y alone."""
    p, a, d = curve
    for _ in range(3):
        y_squared = y * y
        # The addition law of twisted Edwards curves for P + P: y3 = (y^2 - a x^2) / (1 - d x^2 y^2).
        y = (y_squared - a * x_squared) * pow(1 - d * x_squared * y_squared, -1, p) % p
        x_squared = (1 - y * y) * pow(a - d * y * y, -1, p) % p
    return y == 1


def material_of(key: Any) -> tuple[Kind, tuple[bytes, ...]]:
    """Kind and raw parameters of a public key or certificate object of ``cryptography``.

    :raises InvalidKey: it is private, or of a type that JWS has no algorithm for
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    if isinstance(key, x509.Certificate):
        try:
            key = key.public_key()
        except Exception:
            raise InvalidKey("the certificate holds a key of another type") from None
    if isinstance(key, rsa.RSAPublicKey):
        public = key.public_numbers()
        return Kind.RSA, (_octets(public.n), _octets(public.e))
    if isinstance(key, ec.EllipticCurvePublicKey):
        kind = {
            "secp256r1": Kind.P256,
            "secp384r1": Kind.P384,
            "secp521r1": Kind.P521,
            "secp256k1": Kind.SECP256K1,
        }.get(key.curve.name)
        if kind is None:
            raise InvalidKey("the curve of the key has no JWS algorithm")
        size, point = (FIELD_BITS[kind] + 7) // 8, key.public_numbers()
        return kind, (point.x.to_bytes(size, "big"), point.y.to_bytes(size, "big"))
    if isinstance(key, ed25519.Ed25519PublicKey):
        return Kind.ED25519, (key.public_bytes_raw(),)
    if isinstance(key, ed448.Ed448PublicKey):
        return Kind.ED448, (key.public_bytes_raw(),)
    if hasattr(key, "public_key"):
        raise InvalidKey("this is a private key; only its public part belongs here")
    raise InvalidKey("this is not a public key that JWS has an algorithm for")


def load_der(der: bytes) -> Any:
    """A public key or certificate object from DER, or ``None``."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    for load in (load_der_public_key, x509.load_der_x509_certificate):
        try:
            return load(der)
        except Exception:
            continue
    return None


def _octets(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
