"""The numbers inside a key: which are safe, and how to take them out of a ``cryptography`` key."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

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

_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P


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
    if kind is Kind.ED25519:
        _check_ed25519(material[0])
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


def _check_ed25519(encoded: bytes) -> None:
    """Refuse what RFC 8032 section 5.1.3 does not decode, and points of small order.

    Under a key of small order (RFC 8032, 5.1.7 without the cofactor) signatures verify for
    messages nobody signed. Libraries differ on both, so neither gets that far.
    """
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= _P:
        raise InvalidKey("the Ed25519 public key is not canonical (RFC 8032, 5.1.3)")
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    square = u * pow(v, -1, _P) % _P
    if pow(square, (_P - 1) // 2, _P) not in (0, 1) or (square == 0 and sign):
        raise InvalidKey("the Ed25519 public key is not a point of the curve (RFC 8032, 5.1.3)")
    if _small_order(y, square):
        raise InvalidKey("the Ed25519 public key is a point of small order")


def _small_order(y: int, x_squared: int) -> bool:
    """Whether doubling the point three times gives the neutral element; in terms of y alone."""
    for _ in range(3):
        y_squared = y * y % _P
        product = _D * x_squared * y_squared % _P
        # RFC 8032, 5.1.4 in affine form for P + P: y3 = (y^2 + x^2) / (1 - d x^2 y^2).
        y3 = (y_squared + x_squared) * pow(1 - product, -1, _P) % _P
        y, x_squared = y3, (y3 * y3 - 1) * pow(_D * y3 * y3 + 1, -1, _P) % _P
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
