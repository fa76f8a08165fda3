"""Keys that decrypt: a private key or a secret, checked once, and bound to what it may be used for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from keybound._hotpath import base64url, digest
from keybound.errors import InvalidKey
from keybound.jose import private_key
from keybound.jose.disguise import is_key_in_disguise
from keybound.jose.jwe_algorithms import (
    CONTENT_ENCRYPTIONS,
    KEY_ALGORITHMS,
    ContentEncryption,
    KeyAlgorithm,
    KeyManagement,
    KeyType,
)
from keybound.jose.jwk import binary_member, key_operations, octets, parse_json_object

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa, x448, x25519

    PrivateKey = (
        rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey | x448.X448PrivateKey
    )

__all__ = ["DecryptionKey"]


class DecryptionKey:
    """One private key or secret, immutable. It never prints itself and cannot be pickled.

    :ivar kid: key identifier, or ``None``
    :ivar alg: the one algorithm the key is for, or ``None`` where every algorithm of its type is
    :ivar bits: size of the modulus, of the curve's field or of the secret, in bits
    """

    __slots__ = ("_encryptions", "_names", "_private", "_type", "alg", "bits", "kid")

    kid: str | None
    alg: str | None
    bits: int
    _type: KeyType
    _private: Any
    _names: frozenset[str]
    _encryptions: frozenset[str]

    def __init__(self) -> None:
        raise TypeError(
            "a DecryptionKey is made by DecryptionKey.from_json(), .from_pem(), .from_der(), .from_key(), "
            ".from_secret() or .from_client_secret()"
        )

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a DecryptionKey is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a DecryptionKey is immutable")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a DecryptionKey cannot be pickled or copied")

    def __repr__(self) -> str:
        parts = [self.kty, self.curve or f"{self.bits} bits", self.alg or "any algorithm of its type"]
        return f"<keybound.DecryptionKey {', '.join(parts)}>"

    @classmethod
    def from_json(cls, jwk: str | bytes | Mapping[str, Any]) -> DecryptionKey:
        """A key from its JWK form, private or symmetric (RFC 7518, 6; RFC 8037, 2).

        A symmetric key has to name its ``alg``. That of RFC 7520 section 5.6, which names the content
        encryption instead, is for ``dir`` with that encryption.

        :raises InvalidKey: it is malformed, public, unsafe, or not meant for decryption
        """
        members = parse_json_object(jwk)
        if members.get("use", "enc") != "enc":
            raise InvalidKey("use says that the key is not for encryption")
        key_type = _type_named(members.get("kty"), members.get("crv"))
        secret = key_type is KeyType.SECRET
        private = binary_member(members, "k") if secret else private_key.load_jwk(key_type, members)
        alg, kid = members.get("alg"), members.get("kid")
        return cls._make(key_type, private, alg=alg, kid=kid, operations=key_operations(members))

    @classmethod
    def from_pem(
        cls,
        pem: str | bytes,
        *,
        kid: str | None = None,
        alg: str | None = None,
        password: str | bytes | None = None,
    ) -> DecryptionKey:
        """A key from the PEM of a private key: PKCS #8, encrypted or not, PKCS #1 or SEC 1.

        :raises InvalidKey: it is malformed, public or unsafe, or the password is not that of the key
        """
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        return cls._parse(load_pem_private_key, octets(pem), password, kid, alg)

    @classmethod
    def from_der(
        cls,
        der: bytes,
        *,
        kid: str | None = None,
        alg: str | None = None,
        password: str | bytes | None = None,
    ) -> DecryptionKey:
        """A key from the DER of a private key; see :meth:`from_pem`.

        :raises InvalidKey: as for :meth:`from_pem`
        """
        from cryptography.hazmat.primitives.serialization import load_der_private_key

        return cls._parse(load_der_private_key, octets(der), password, kid, alg)

    @classmethod
    def from_key(cls, key: PrivateKey, *, kid: str | None = None, alg: str | None = None) -> DecryptionKey:
        """A key from a private key object of ``cryptography``.

        :raises InvalidKey: it is public, unsafe, or of a type that JWE has no algorithm for
        """
        return cls._make(private_key.type_of(key), key, alg=alg, kid=kid)

    @classmethod
    def from_secret(cls, secret: str | bytes, *, alg: str, kid: str | None = None) -> DecryptionKey:
        """A shared secret of exactly the size of its algorithm; text is taken as its UTF-8 bytes.

        :param alg: ``dir``, a key wrapping algorithm, or a content encryption, which means ``dir`` with
            that encryption alone
        :raises InvalidKey: it has another size, or is a key of another type in disguise
        """
        return cls._make(KeyType.SECRET, octets(secret), alg=alg, kid=kid)

    @classmethod
    def from_client_secret(
        cls, client_secret: str | bytes, *, alg: str, kid: str | None = None
    ) -> DecryptionKey:
        """The key that OpenID Connect makes out of a ``client_secret`` (OpenID Connect Core, 10.2).

        It is the hash of the secret, cut to size, so the secret itself must be at hand and cannot be
        kept as a hash.

        :param alg: a key wrapping algorithm; or, for ``dir``, the content encryption, which gives its size
        :raises InvalidKey: the secret is empty or is a key of another type in disguise, or ``alg`` does
            not tell the size
        """
        secret = octets(client_secret)
        if not secret or is_key_in_disguise(secret):
            raise InvalidKey("the client_secret is empty, or is a public key, certificate or JWK")
        size = _size_of(alg)
        # OpenID Connect Core, 10.2: the shortest SHA-2 that is long enough, truncated from the left.
        bits = next(bits for bits in (256, 384, 512) if size * 8 <= bits)
        return cls._make(KeyType.SECRET, digest.sha2(bits, secret)[:size], alg=alg, kid=kid)

    @classmethod
    def _parse(
        cls, load: Any, data: bytes, password: str | bytes | None, kid: str | None, alg: str | None
    ) -> DecryptionKey:
        if data.count(b"PRIVATE KEY-----") > 2:
            raise InvalidKey("there is more than one private key; give the one that is meant")
        secret = None if password is None else octets(password)
        try:
            key = load(data, secret)
        except Exception:
            # The loaders raise several types; every one of them means the same here.
            raise InvalidKey("this is not a private key, or the password is wrong or missing") from None
        return cls.from_key(key, kid=kid, alg=alg)

    @classmethod
    def _make(
        cls,
        key_type: KeyType,
        private: Any,
        *,
        alg: str | None,
        kid: str | None,
        operations: frozenset[str] | None = None,
    ) -> DecryptionKey:
        for label, text in (("alg", alg), ("kid", kid)):
            if text is not None and not isinstance(text, str):
                raise InvalidKey(f"{label} is not text")
        rows: tuple[KeyAlgorithm, ...]
        encryptions: tuple[ContentEncryption, ...] = ()
        if key_type is KeyType.SECRET:
            if is_key_in_disguise(private):
                raise InvalidKey("the secret is a public key, certificate or JWK; everybody could use it")
            bits = len(private) * 8
            rows, encryptions = _rows_of_secret(alg, bits)
        else:
            bits = private_key.bits_of(private)
            rows = _rows_of_private_key(key_type, alg)
        if operations is not None:
            rows = tuple(row for row in rows if row.operations & operations)
            if not rows:
                raise InvalidKey("key_ops does not allow decrypting")
        self = object.__new__(cls)
        for name, value in (
            ("_type", key_type),
            ("_private", private),
            ("_names", frozenset(row.name for row in rows)),
            ("_encryptions", frozenset(row.name for row in encryptions)),
            ("alg", alg),
            ("bits", bits),
            ("kid", kid),
        ):
            object.__setattr__(self, name, value)
        return self

    @property
    def kty(self) -> str:
        """``"RSA"``, ``"EC"``, ``"OKP"`` or ``"oct"`` (RFC 7518, 6.1; RFC 8037, 2)."""
        return self._type.kty

    @property
    def curve(self) -> str | None:
        """Name of the curve (RFC 7518, 6.2.1.1; RFC 8037, 2), or ``None``."""
        return self._type.curve

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Names of the key management algorithms this key may be used with."""
        return tuple(name for name in KEY_ALGORITHMS if name in self._names)

    def to_dict(self) -> dict[str, str]:
        """The public JWK, for others to encrypt with, with ``kid`` and ``alg`` if known.

        :raises InvalidKey: the key is a secret, which has no public form
        """
        if self._type is KeyType.SECRET:
            raise InvalidKey("a secret has no public form")
        members = {"kty": self.kty} | ({"crv": self.curve} if self.curve else {})
        values = (base64url.encode(part) for part in private_key.public_material(self._private))
        members |= dict(zip(private_key.PUBLIC_MEMBERS[self.kty], values, strict=True))
        extra = {"kid": self.kid, "alg": self.alg, "use": "enc"}
        return members | {name: value for name, value in extra.items() if value is not None}

    def _serves(self, algorithm: KeyAlgorithm, encryption: ContentEncryption, curve: KeyType | None) -> bool:
        """Whether the key is of use for a token with this ``alg``, ``enc`` and ``epk``."""
        if algorithm.name not in self._names or curve not in (None, self._type):
            return False
        return algorithm.management is not KeyManagement.DIRECT or encryption.name in self._encryptions


def _type_named(kty: object, curve: object) -> KeyType:
    for key_type in KeyType:
        if key_type.kty == kty and (key_type.curve is None or key_type.curve == curve):
            return key_type
    raise InvalidKey("kty and crv are not those of a key that JWE has an algorithm for")


def _size_of(alg: object) -> int:
    """Size in bytes of the secret that an algorithm or content encryption takes."""
    row = KEY_ALGORITHMS.get(alg) if isinstance(alg, str) else None
    encryption = CONTENT_ENCRYPTIONS.get(alg) if isinstance(alg, str) else None
    if encryption is not None:
        return encryption.key_bytes
    if row is None or KeyType.SECRET not in row.types or not row.bits:
        raise InvalidKey("alg must be a key wrapping algorithm or, for dir, the content encryption")
    return row.bits // 8


def _rows_of_private_key(key_type: KeyType, alg: str | None) -> tuple[KeyAlgorithm, ...]:
    """What the key may be used with: its ``alg`` alone if it has one (RFC 8725, 3.1)."""
    rows = tuple(row for row in KEY_ALGORITHMS.values() if key_type in row.types and alg in (None, row.name))
    if not rows:
        raise InvalidKey("alg is not a key management algorithm for this type of key")
    return rows


def _rows_of_secret(
    alg: str | None, bits: int
) -> tuple[tuple[KeyAlgorithm, ...], tuple[ContentEncryption, ...]]:
    """The one algorithm of a secret, and what the secret decrypts directly if that is ``dir``."""
    if alg is None:
        raise InvalidKey("a secret must name its alg: it is for one algorithm and no other")
    row = KEY_ALGORITHMS.get("dir" if alg in CONTENT_ENCRYPTIONS else alg)
    if row is None or KeyType.SECRET not in row.types:
        raise InvalidKey("alg is not an algorithm for a secret")
    fitting = (each for each in CONTENT_ENCRYPTIONS.values() if each.key_bytes * 8 == bits)
    encryptions = tuple(each for each in fitting if alg in ("dir", each.name))
    if not (encryptions if row.management is KeyManagement.DIRECT else bits == row.bits):
        raise InvalidKey("the secret does not have the size of its algorithm (RFC 7518, 4.4, 4.5 and 4.7)")
    return (row,), encryptions
