"""JSON Web Keys (RFC 7517): a key is parsed once, checked, and bound to what it may verify."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn, cast

import orjson

from keybound._hotpath import base64url, digest, signature, strict_json
from keybound._hotpath.contract import CURVES, Algorithm, Family, Kind
from keybound.errors import InvalidKey, Reason
from keybound.jose import numbers
from keybound.jose.algorithms import ALGORITHMS, algorithms_for
from keybound.limits import MAX_JSON_DEPTH

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey

__all__ = ["JWK", "PRIVATE_MEMBERS", "binary_member", "key_operations", "octets", "parse_json_object"]

_CURVES_OF_OKP = {"Ed25519": Kind.ED25519, "Ed448": Kind.ED448}
_TYPES = (
    {Kind.SECRET: "oct", Kind.RSA: "RSA"}
    | dict.fromkeys(CURVES.values(), "EC")
    | dict.fromkeys(_CURVES_OF_OKP.values(), "OKP")
)
_CURVE_NAMES = {kind: name for name, kind in (CURVES | _CURVES_OF_OKP).items()}
_MEMBERS = {"oct": ("k",), "RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}
PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth")
"""What a public key never has (RFC 7518, 6.2.2 and 6.3.2; RFC 8037, 2)."""

_THUMBPRINT_URI = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:"


class JWK:
    """One verification key, immutable.

    :ivar kid: key identifier, or ``None``
    :ivar alg: the one algorithm the key is for, or ``None`` where every algorithm of its type is
    :ivar bits: size of the modulus, of the curve's field or of the secret, in bits
    """

    __slots__ = ("_handle", "_kind", "_mask", "_material", "alg", "bits", "kid")

    kid: str | None
    alg: str | None
    bits: int
    _handle: signature.VerifyKey
    _kind: Kind
    _mask: int
    _material: tuple[bytes, ...]

    def __init__(self) -> None:
        raise TypeError(
            "a JWK is made by JWK.from_json(), .from_pem(), .from_der(), .from_key() or .from_secret()"
        )

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a JWK is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a JWK is immutable")

    def __repr__(self) -> str:
        parts = [self.kty, self.curve or f"{self.bits} bits", self.alg or "any algorithm of its type"]
        return f"<keybound.JWK {', '.join(parts)}>"

    @classmethod
    def from_json(cls, jwk: str | bytes | Mapping[str, Any]) -> JWK:
        """A key from its JWK form.

        :raises InvalidKey: it is malformed, private, unsafe, or not meant for verifying signatures
        """
        members = parse_json_object(jwk)
        kty = members.get("kty")
        if not isinstance(kty, str) or kty not in _MEMBERS:
            raise InvalidKey("kty is not RSA, EC, OKP or oct")
        if kty != "oct" and any(name in members for name in PRIVATE_MEMBERS):
            raise InvalidKey("this is a private key; only its public part belongs here")
        _check_purpose(members)
        kind = _kind_of(kty, members)
        material = tuple(binary_member(members, name) for name in _MEMBERS[kty])
        return cls._make(kind, material, alg=members.get("alg"), kid=members.get("kid"))

    @classmethod
    def from_pem(cls, pem: str | bytes, *, kid: str | None = None, alg: str | None = None) -> JWK:
        """A key from PEM: a public key, a PKCS#1 RSA public key, or an X.509 certificate.

        :raises InvalidKey: it is malformed, private or unsafe
        """
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        data = octets(pem)
        if b"PRIVATE KEY-----" in data:
            raise InvalidKey("this is a private key; only its public part belongs here")
        if data.count(b"-----BEGIN ") > 1:
            raise InvalidKey("there is more than one PEM block; give the one that is the key")
        certificate = b"-----BEGIN CERTIFICATE-----" in data
        try:
            loaded = x509.load_pem_x509_certificate(data) if certificate else load_pem_public_key(data)
        except Exception:
            # The loaders raise several types; every one of them means the same here.
            raise InvalidKey("this is not the PEM of a public key or certificate") from None
        return cls.from_key(cast(Any, loaded), kid=kid, alg=alg)

    @classmethod
    def from_der(cls, der: bytes, *, kid: str | None = None, alg: str | None = None) -> JWK:
        """A key from DER: SubjectPublicKeyInfo (RFC 5280, 4.1), PKCS#1 RSA public key, or X.509 certificate.

        :raises InvalidKey: it is malformed, private or unsafe
        """
        key = numbers.load_der(octets(der)) if isinstance(der, bytes) else None
        if key is None:
            raise InvalidKey("this is not the DER of a public key or certificate")
        return cls.from_key(key, kid=kid, alg=alg)

    @classmethod
    def from_key(
        cls, key: PublicKey | x509.Certificate, *, kid: str | None = None, alg: str | None = None
    ) -> JWK:
        """A key from a public key or certificate object of ``cryptography``.

        :raises InvalidKey: it is private, unsafe, or of a type that JWS has no algorithm for
        """
        kind, material = numbers.material_of(key)
        return cls._make(kind, material, alg=alg, kid=kid)

    @classmethod
    def from_secret(cls, secret: str | bytes, *, alg: str, kid: str | None = None) -> JWK:
        """A shared secret for HMAC (RFC 7518, 3.2); text is taken as its UTF-8 bytes.

        :raises InvalidKey: it is shorter than the hash, or is a key of another type in disguise
        """
        return cls._make(Kind.SECRET, (octets(secret),), alg=alg, kid=kid)

    @classmethod
    def _make(cls, kind: Kind, material: tuple[bytes, ...], *, alg: str | None, kid: str | None) -> JWK:
        for label, text in (("alg", alg), ("kid", kid)):
            if text is not None and not isinstance(text, str):
                raise InvalidKey(f"{label} is not text")
        bits = _check_strength(kind, material)
        rows = _rows(kind, alg, bits)
        handle = signature.load_key(kind, material)
        if handle is None:
            raise InvalidKey(
                "the parameters are not a key: the point is not on the curve, or a number is out of range"
            )
        self = object.__new__(cls)
        for name, value in (
            ("_handle", handle),
            ("_kind", kind),
            ("_mask", sum(1 << row.index for row in rows)),
            ("_material", material),
            ("alg", alg),
            ("bits", bits),
            ("kid", kid),
        ):
            object.__setattr__(self, name, value)
        return self

    @property
    def kty(self) -> str:
        """``"RSA"``, ``"EC"``, ``"OKP"`` or ``"oct"`` (RFC 7518, 6.1; RFC 8037, 2)."""
        return _TYPES[self._kind]

    @property
    def curve(self) -> str | None:
        """Name of the curve (RFC 7518, 6.2.1.1; RFC 8037, 2), or ``None``."""
        return _CURVE_NAMES.get(self._kind)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Names of the algorithms this key may verify."""
        return tuple(row.name for row in ALGORITHMS.values() if self._mask >> row.index & 1)

    def to_dict(self) -> dict[str, str]:
        """The public members as RFC 7518 section 6 writes them, with ``kid`` and ``alg`` if known.

        :raises InvalidKey: the key is a secret, which has no public form
        """
        if self._kind is Kind.SECRET:
            raise InvalidKey("a secret has no public form")
        extra = {"kid": self.kid, "alg": self.alg, "use": "sig"}
        return self._required_members() | {name: value for name, value in extra.items() if value is not None}

    def thumbprint(self) -> str:
        """JWK thumbprint with SHA-256 in base64url, 43 characters (RFC 7638, 3)."""
        canonical = orjson.dumps(self._required_members(), option=orjson.OPT_SORT_KEYS)
        return base64url.encode(digest.sha2(256, canonical))

    def thumbprint_uri(self) -> str:
        """The thumbprint as a URI (RFC 9278, 3)."""
        return _THUMBPRINT_URI + self.thumbprint()

    def _required_members(self) -> dict[str, str]:
        """What RFC 7638 section 3.2 and RFC 8037 section 2 hash, and nothing else."""
        members = {"kty": self.kty} | ({"crv": self.curve} if self.curve else {})
        values = (base64url.encode(part) for part in self._material)
        return members | dict(zip(_MEMBERS[self.kty], values, strict=True))


def parse_json_object(document: str | bytes | Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object from text, bytes or a mapping, without repeated member names (RFC 7517, 4).

    :raises InvalidKey: it is anything else
    """
    if isinstance(document, Mapping):
        return dict(document)
    reason, value = strict_json.loads(octets(document), MAX_JSON_DEPTH)
    if reason != Reason.OK or type(value) is not dict:
        raise InvalidKey("the JWK or JWK Set is not JSON, or no object, or it repeats a name")
    return value


def octets(value: object) -> bytes:
    """Text or octets as ``bytes`` and no subclass, which is all that the hot path takes.

    A lone surrogate becomes octets that are not UTF-8, for the parser to refuse.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if not isinstance(value, bytes):
        raise InvalidKey("a key is given as str or bytes, a JWK also as a mapping")
    return bytes(value)


def _check_purpose(members: Mapping[str, Any]) -> None:
    """``use`` (RFC 7517, 4.2) and ``key_ops`` (4.3)."""
    if members.get("use", "sig") != "sig":
        raise InvalidKey("use says that the key is not for signatures")
    operations = key_operations(members)
    if operations is not None and "verify" not in operations:
        raise InvalidKey("key_ops does not allow verifying")


def key_operations(members: Mapping[str, Any]) -> frozenset[str] | None:
    """The members of ``key_ops`` (RFC 7517, 4.3), or ``None`` where the key has none.

    :raises InvalidKey: it is malformed
    """
    if "key_ops" not in members:
        return None
    operations = members["key_ops"]
    if not isinstance(operations, (list, tuple)) or not all(isinstance(name, str) for name in operations):
        raise InvalidKey("key_ops is not a list of names")
    distinct = frozenset(operations)
    if len(distinct) != len(operations):
        raise InvalidKey("key_ops repeats a name")
    return distinct


def _kind_of(kty: str, members: Mapping[str, Any]) -> Kind:
    if kty in ("oct", "RSA"):
        return Kind.SECRET if kty == "oct" else Kind.RSA
    curve = members.get("crv")
    kind = (CURVES if kty == "EC" else _CURVES_OF_OKP).get(curve) if isinstance(curve, str) else None
    if kind is None:
        raise InvalidKey("crv is not a curve that JWS has an algorithm for")
    return kind


def binary_member(members: Mapping[str, Any], name: str) -> bytes:
    """The octets of a member in base64url.

    :raises InvalidKey: it is missing, or not canonical
    """
    value = members.get(name)
    data = base64url.decode(value) if isinstance(value, str) else None
    if data is None:
        raise InvalidKey(f"{name} is missing or not canonical base64url")
    return data


def _rows(kind: Kind, alg: str | None, bits: int) -> tuple[Algorithm, ...]:
    """What the key may verify: its ``alg`` alone if it has one (RFC 8725, 3.1)."""
    rows = algorithms_for(kind)
    if alg is not None:
        rows = tuple(row for row in rows if row.name == alg)
        if not rows:
            raise InvalidKey("alg is not a signature algorithm for this type of key")
    # RFC 7518, 3.2: a key of the same size as the hash output or larger must be used.
    rows = tuple(row for row in rows if row.family is not Family.HMAC or bits >= row.bits)
    if not rows:
        raise InvalidKey("the secret is shorter than the hash of its algorithm (RFC 7518, 3.2)")
    return rows


def _check_strength(kind: Kind, material: tuple[bytes, ...]) -> int:
    """Size of the key in bits, once it is known to be safe to load."""
    if kind is Kind.SECRET:
        # Few resource servers hold secrets; the others need not pay for it at import time.
        from keybound.jose.disguise import is_key_in_disguise

        if is_key_in_disguise(material[0]):
            raise InvalidKey("the secret is a public key, certificate or JWK; everybody could sign with it")
        return len(material[0]) * 8
    return numbers.check(kind, material)
