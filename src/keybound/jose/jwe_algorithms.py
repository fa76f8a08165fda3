"""The JWE algorithms, one row each: how the content key is found, and how the content is decrypted.

Nothing below these tables compares algorithm names. PBES2 (RFC 7518, 4.8) is not a row and is not to
become one: it lets whoever wrote the token choose how long the recipient computes.
"""

from __future__ import annotations

import enum
import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from keybound.errors import PolicyError

__all__ = [
    "CONTENT_ENCRYPTIONS",
    "KEY_ALGORITHMS",
    "ContentEncryption",
    "ContentMode",
    "DeprecatedAlgorithmWarning",
    "KeyAlgorithm",
    "KeyManagement",
    "KeyType",
    "select_algorithms",
    "select_encryptions",
    "warn_of_deprecated",
]


class DeprecatedAlgorithmWarning(UserWarning):
    """A policy admits an algorithm that is no longer thought safe, because the operator asked for it."""


class KeyType(enum.Enum):
    """What a decryption key is: its type and, where that has curves, its curve (RFC 7518, 6; RFC 8037, 2)."""

    SECRET = "oct", None, 0
    RSA = "RSA", None, 0
    P256 = "EC", "P-256", 32
    P384 = "EC", "P-384", 48
    P521 = "EC", "P-521", 66
    X25519 = "OKP", "X25519", 32
    X448 = "OKP", "X448", 56

    def __init__(self, kty: str, curve: str | None, coordinate_bytes: int) -> None:
        self.kty = kty
        self.curve = curve
        self.coordinate_bytes = coordinate_bytes


class KeyManagement(enum.Enum):
    """How the recipient comes by the content encryption key (RFC 7516, 2)."""

    RSA_PKCS1 = enum.auto()
    RSA_OAEP = enum.auto()
    AGREEMENT = enum.auto()
    AES_KEY_WRAP = enum.auto()
    AES_GCM_KEY_WRAP = enum.auto()
    DIRECT = enum.auto()


class ContentMode(enum.Enum):
    """How content is encrypted and authenticated (RFC 7518, 5)."""

    CBC_HMAC = enum.auto()
    GCM = enum.auto()


@dataclass(frozen=True)
class KeyAlgorithm:
    """One ``alg`` of RFC 7518 section 4.1; consumers get the row, not the name.

    ``bits`` is the size of the hash for RSA, and that of the key that wraps the content key for all
    others; 0 where there is none. ``operations`` are the members of ``key_ops`` that allow it
    (RFC 7517, 4.3).
    """

    name: str
    management: KeyManagement
    bits: int
    types: tuple[KeyType, ...]
    operations: frozenset[str]
    deprecated: bool = False

    @property
    def wraps(self) -> bool:
        """Whether there is an encrypted key; else it must be empty (RFC 7516, 5.2 step 10)."""
        direct = self.management is KeyManagement.AGREEMENT and not self.bits
        return not direct and self.management is not KeyManagement.DIRECT


@dataclass(frozen=True)
class ContentEncryption:
    """One ``enc`` of RFC 7518 section 5.1; sizes in bytes."""

    name: str
    mode: ContentMode
    key_bytes: int
    iv_bytes: int
    tag_bytes: int
    hash_bits: int = 0


_SECRET = (KeyType.SECRET,)
_RSA = (KeyType.RSA,)
_CURVES = tuple(kind for kind in KeyType if kind.curve)
_DECRYPT = frozenset({"decrypt"})
_UNWRAP = frozenset({"unwrapKey"})
# Web Crypto marks a key that decrypts keys as one that decrypts.
_EITHER = _DECRYPT | _UNWRAP
_DERIVE = frozenset({"deriveKey", "deriveBits"})

_KEY_ROWS = (
    # RFC 7518, 4.3, and the registrations of the W3C for SHA-384 and SHA-512
    KeyAlgorithm("RSA-OAEP-256", KeyManagement.RSA_OAEP, 256, _RSA, _EITHER),
    KeyAlgorithm("RSA-OAEP-384", KeyManagement.RSA_OAEP, 384, _RSA, _EITHER),
    KeyAlgorithm("RSA-OAEP-512", KeyManagement.RSA_OAEP, 512, _RSA, _EITHER),
    KeyAlgorithm("RSA-OAEP", KeyManagement.RSA_OAEP, 160, _RSA, _EITHER, deprecated=True),
    # RFC 7518, 4.2; RFC 8725, 3.2 advises against it
    KeyAlgorithm("RSA1_5", KeyManagement.RSA_PKCS1, 0, _RSA, _EITHER, deprecated=True),
    # RFC 7518, 4.6; RFC 8037, 3.2
    KeyAlgorithm("ECDH-ES", KeyManagement.AGREEMENT, 0, _CURVES, _DERIVE),
    KeyAlgorithm("ECDH-ES+A128KW", KeyManagement.AGREEMENT, 128, _CURVES, _DERIVE),
    KeyAlgorithm("ECDH-ES+A192KW", KeyManagement.AGREEMENT, 192, _CURVES, _DERIVE),
    KeyAlgorithm("ECDH-ES+A256KW", KeyManagement.AGREEMENT, 256, _CURVES, _DERIVE),
    # RFC 7518, 4.4
    KeyAlgorithm("A128KW", KeyManagement.AES_KEY_WRAP, 128, _SECRET, _UNWRAP),
    KeyAlgorithm("A192KW", KeyManagement.AES_KEY_WRAP, 192, _SECRET, _UNWRAP),
    KeyAlgorithm("A256KW", KeyManagement.AES_KEY_WRAP, 256, _SECRET, _UNWRAP),
    # RFC 7518, 4.7
    KeyAlgorithm("A128GCMKW", KeyManagement.AES_GCM_KEY_WRAP, 128, _SECRET, _EITHER),
    KeyAlgorithm("A192GCMKW", KeyManagement.AES_GCM_KEY_WRAP, 192, _SECRET, _EITHER),
    KeyAlgorithm("A256GCMKW", KeyManagement.AES_GCM_KEY_WRAP, 256, _SECRET, _EITHER),
    # RFC 7518, 4.5
    KeyAlgorithm("dir", KeyManagement.DIRECT, 0, _SECRET, _DECRYPT),
)
_CONTENT_ROWS = (
    # RFC 7518, 5.2.3 to 5.2.5
    ContentEncryption("A128CBC-HS256", ContentMode.CBC_HMAC, 32, 16, 16, 256),
    ContentEncryption("A192CBC-HS384", ContentMode.CBC_HMAC, 48, 16, 24, 384),
    ContentEncryption("A256CBC-HS512", ContentMode.CBC_HMAC, 64, 16, 32, 512),
    # RFC 7518, 5.3
    ContentEncryption("A128GCM", ContentMode.GCM, 16, 12, 16),
    ContentEncryption("A192GCM", ContentMode.GCM, 24, 12, 16),
    ContentEncryption("A256GCM", ContentMode.GCM, 32, 12, 16),
)

KEY_ALGORITHMS: MappingProxyType[str, KeyAlgorithm] = MappingProxyType({row.name: row for row in _KEY_ROWS})
"""Every key management algorithm Keybound decrypts with, by its ``alg`` value."""

CONTENT_ENCRYPTIONS: MappingProxyType[str, ContentEncryption] = MappingProxyType(
    {row.name: row for row in _CONTENT_ROWS}
)
"""Every content encryption algorithm Keybound decrypts, by its ``enc`` value."""

_Row = TypeVar("_Row", KeyAlgorithm, ContentEncryption)


def select_algorithms(names: Iterable[str], allow_deprecated: Iterable[str]) -> tuple[KeyAlgorithm, ...]:
    """The rows of an allow-list of ``alg`` values.

    :param allow_deprecated: the deprecated ones among ``names``, typed out once more
    :raises PolicyError: the list is empty, is one string, names an algorithm that does not exist here or
        a deprecated one that is not typed out, or mixes secrets with private keys
    """
    rows = _select("algorithms", names, KEY_ALGORITHMS)
    typed_out = set(_texts("allow_deprecated", allow_deprecated))
    for row in rows:
        if row.deprecated and row.name not in typed_out:
            raise PolicyError(
                f"{row.name} is deprecated: leave it out, or name it in allow_deprecated as well"
            )
    if typed_out - {row.name for row in rows if row.deprecated}:
        raise PolicyError("allow_deprecated names what is not a deprecated member of algorithms")
    # As for signatures: which kind of key decides must not be the choice of the token (RFC 8725, 3.1).
    if len({KeyType.SECRET in row.types for row in rows}) == 2:
        raise PolicyError("algorithms mixes secrets with private keys; a public key could pass for a secret")
    return rows


def select_encryptions(names: Iterable[str]) -> tuple[ContentEncryption, ...]:
    """The rows of an allow-list of ``enc`` values.

    :raises PolicyError: the list is empty, is one string, or names an algorithm that does not exist here
    """
    return _select("encryptions", names, CONTENT_ENCRYPTIONS)


def warn_of_deprecated(rows: Iterable[KeyAlgorithm]) -> None:
    """Warn the caller of Keybound of each deprecated algorithm that a policy admits."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "keybound":
        level, frame = level + 1, frame.f_back
    for row in rows:
        if row.deprecated:
            warnings.warn(
                f"{row.name} is admitted for decryption; it is deprecated (RFC 8725, 3.2)",
                DeprecatedAlgorithmWarning,
                stacklevel=level,
            )


def _select(option: str, names: Iterable[str], table: MappingProxyType[str, _Row]) -> tuple[_Row, ...]:
    wanted = _texts(option, names)
    if not wanted:
        raise PolicyError(f"{option} is empty: name what tokens are encrypted with")
    if any(name not in table for name in wanted):
        raise PolicyError(f"{option} holds a name that is not one of {', '.join(table)}")
    return tuple(table[name] for name in dict.fromkeys(wanted))


def _texts(option: str, names: Iterable[str]) -> list[str]:
    if isinstance(names, (str, bytes)) or not isinstance(names, Iterable):
        raise PolicyError(f"{option} must be a list of names")
    wanted = list(names)
    if not all(isinstance(name, str) for name in wanted):
        raise PolicyError(f"{option} holds something that is not text")
    return wanted
