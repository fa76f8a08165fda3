"""Private keys of ``cryptography``: made from a JWK, told apart, and checked against their public part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from keybound._hotpath.contract import Kind
from keybound.errors import InvalidKey
from keybound.jose import numbers
from keybound.jose.jwe_algorithms import KeyType
from keybound.jose.jwk import binary_member

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa, x448, x25519

    AgreementKey: TypeAlias = ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey | x448.X448PrivateKey
    PrivateKey: TypeAlias = rsa.RSAPrivateKey | AgreementKey

__all__ = ["PUBLIC_MEMBERS", "bits_of", "load_jwk", "public_material", "type_of"]

PUBLIC_MEMBERS = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}
"""The members of a public JWK by its ``kty``, in the order of their material."""

_KINDS = {
    KeyType.RSA: Kind.RSA,
    KeyType.P256: Kind.P256,
    KeyType.P384: Kind.P384,
    KeyType.P521: Kind.P521,
}
_TYPES = {kind: key_type for key_type, kind in _KINDS.items()}
_CRT = ("p", "q", "dp", "dq", "qi")


def load_jwk(key_type: KeyType, members: Mapping[str, Any]) -> PrivateKey:
    """A key from the members of a private JWK (RFC 7518, 6.2.2 and 6.3.2; RFC 8037, 2).

    :raises InvalidKey: it is public, malformed or unsafe, or its public part belongs to another key
    """
    if "d" not in members:
        raise InvalidKey("this is a public key; decrypting takes the private one")
    try:
        key = (_load_rsa if key_type is KeyType.RSA else _load_curve)(key_type, members)
    except InvalidKey:
        raise
    except Exception:
        # What cryptography raises for numbers that are no key differs between versions.
        raise InvalidKey("the parameters are not a private key") from None
    given = tuple(binary_member(members, name) for name in PUBLIC_MEMBERS[key_type.kty])
    if public_material(key) != given:
        raise InvalidKey("the public members are not those of the private key")
    return key


def _load_rsa(key_type: KeyType, members: Mapping[str, Any]) -> PrivateKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    if "oth" in members:
        raise InvalidKey("an RSA key of more than two primes is refused")
    material = tuple(binary_member(members, name) for name in PUBLIC_MEMBERS["RSA"])
    # Before anything is computed with numbers of any size.
    numbers.check(_KINDS[key_type], material)
    n, e = (int.from_bytes(part, "big") for part in material)
    d = int.from_bytes(binary_member(members, "d"), "big")
    if any(name in members for name in _CRT):
        # RFC 7518, 6.3.2: with one of them come all of them.
        p, q, dp, dq, qi = (int.from_bytes(binary_member(members, name), "big") for name in _CRT)
    else:
        p, q = rsa.rsa_recover_prime_factors(n, e, d)
        dp, dq, qi = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, rsa.RSAPublicNumbers(e, n)).private_key()


def _load_curve(key_type: KeyType, members: Mapping[str, Any]) -> PrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519

    d = binary_member(members, "d")
    if key_type is KeyType.X25519:
        return x25519.X25519PrivateKey.from_private_bytes(d)
    if key_type is KeyType.X448:
        return x448.X448PrivateKey.from_private_bytes(d)
    # RFC 7518, 6.2.2.1: full size, leading zeros included.
    if len(d) != key_type.coordinate_bytes:
        raise InvalidKey("d does not have the size of its curve")
    curves: dict[KeyType, ec.EllipticCurve] = {
        KeyType.P256: ec.SECP256R1(),
        KeyType.P384: ec.SECP384R1(),
        KeyType.P521: ec.SECP521R1(),
    }
    return ec.derive_private_key(int.from_bytes(d, "big"), curves[key_type])


def type_of(key: object) -> KeyType:
    """What a private key is.

    :raises InvalidKey: it is not private, or of a type that JWE has no algorithm for
    """
    from cryptography.hazmat.primitives.asymmetric import ec, rsa, x448, x25519

    if isinstance(key, x25519.X25519PrivateKey):
        return KeyType.X25519
    if isinstance(key, x448.X448PrivateKey):
        return KeyType.X448
    if isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        key_type = _TYPES.get(numbers.material_of(key.public_key())[0])
        if key_type is not None:
            return key_type
    raise InvalidKey("this is not a private key that JWE has an algorithm for")


def public_material(key: Any) -> tuple[bytes, ...]:
    """The octets of the public members of a key, in the order of :data:`PUBLIC_MEMBERS`."""
    public = key.public_key()
    return (public.public_bytes_raw(),) if type_of(key).kty == "OKP" else numbers.material_of(public)[1]


def bits_of(key: PrivateKey) -> int:
    """Size of the modulus or of the curve's field in bits, once it is known to be safe.

    :raises InvalidKey: a number has the wrong size or a value nobody should use
    """
    key_type = type_of(key)
    if key_type.kty == "OKP":
        return key_type.coordinate_bytes * 8
    return numbers.check(_KINDS[key_type], public_material(key))
