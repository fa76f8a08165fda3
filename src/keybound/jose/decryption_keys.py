"""Several decryption keys, chosen between by ``kid``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NoReturn, Protocol, runtime_checkable

from keybound.errors import InvalidKey, PolicyError, Reason, Unavailable
from keybound.jose.decryption_key import DecryptionKey
from keybound.jose.jwe_algorithms import ContentEncryption, KeyAlgorithm, KeyType
from keybound.jose.jwk import parse_json_object
from keybound.jose.jwk_set import JWKSet
from keybound.limits import MAX_CANDIDATES

__all__ = ["DecryptionKeySource", "DecryptionKeys", "as_decryption_key_source", "decryption_keys_of"]


class DecryptionKeys:
    """The decryption keys of one recipient, immutable.

    Secrets without a ``kid`` stand for each other, as in a :class:`~keybound.JWKSet`: while a secret is
    exchanged, the old one opens as well as the new one. Of several secrets that could be used for a token the
    first is the current one; validators count what was encrypted with another as ``old_secrets``.

    :ivar keys: the usable keys, in the order of the document
    :ivar skipped: why keys of the document were left out, with how many (RFC 7517, 5: ignore what
        is not understood)
    """

    __slots__ = ("keys", "skipped")

    keys: tuple[DecryptionKey, ...]
    skipped: Mapping[str, int]

    def __init__(self, keys: Iterable[DecryptionKey], *, skipped: Mapping[str, int] | None = None) -> None:
        """Keys as they are, with the count of those that were left out before.

        :raises InvalidKey: there is no key, secrets share a ``kid`` or stand beside private keys, or more
            than three have none
        """
        object.__setattr__(self, "keys", tuple(keys) if isinstance(keys, Iterable) else (keys,))
        object.__setattr__(self, "skipped", MappingProxyType(dict(skipped or {})))
        if not all(isinstance(key, DecryptionKey) for key in self.keys):
            raise InvalidKey("DecryptionKeys are made of DecryptionKey objects")
        if not self.keys:
            raise InvalidKey("there is no usable decryption key")
        # As in a JWK Set: a kid that picks between the two lets the token choose the family (RFC 8725, 3.1).
        if len({key.kty == "oct" for key in self.keys}) == 2:
            raise InvalidKey("the decryption keys mix secrets with private keys")
        kids = Counter(key.kid for key in self.keys if key.kty == "oct")
        # Each of these may be meant, and every token would be tried with all of them.
        if kids.pop(None, 0) > MAX_CANDIDATES:
            raise InvalidKey(f"more than {MAX_CANDIDATES} secrets have no kid")
        if any(count > 1 for count in kids.values()):
            raise InvalidKey("two secrets share a kid")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("DecryptionKeys are immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("DecryptionKeys are immutable")

    def __reduce__(self) -> NoReturn:
        raise TypeError("DecryptionKeys cannot be pickled or copied")

    @classmethod
    def from_json(cls, document: str | bytes | Mapping[str, Any]) -> DecryptionKeys:
        """Keys from a JWK Set document with private or symmetric keys, or from a single JWK.

        Keys that are not for decryption, or cannot be used, are skipped and counted.

        :raises InvalidKey: the document is malformed, or holds no usable key
        """
        members = parse_json_object(document)
        if "keys" not in members and "kty" in members:
            return cls([DecryptionKey.from_json(members)])
        listed = members.get("keys")
        if not isinstance(listed, (list, tuple)):
            raise InvalidKey("keys is not a list")
        usable, skipped = [], Counter[str]()
        for entry in listed:
            try:
                if not isinstance(entry, Mapping):
                    raise InvalidKey("an entry is not a JSON object")
                usable.append(DecryptionKey.from_json(entry))
            except InvalidKey as unusable:
                skipped[str(unusable)] += 1
        return cls(usable, skipped=skipped)

    def snapshot(self) -> DecryptionKeys:
        """The keys as they are now: this object itself, since it never changes."""
        return self

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[DecryptionKey]:
        return iter(self.keys)

    def __repr__(self) -> str:
        return f"<keybound.DecryptionKeys of {len(self.keys)} keys, {sum(self.skipped.values())} skipped>"

    def _current(self, algorithm: KeyAlgorithm, encryption: ContentEncryption) -> DecryptionKey | None:
        """The first secret for an algorithm: all others are old."""
        fitting = (key for key in self.keys if key.kty == "oct" and key._serves(algorithm, encryption, None))
        return next(fitting, None)

    def _candidates(
        self,
        kid: str | None,
        algorithm: KeyAlgorithm,
        encryption: ContentEncryption,
        curve: KeyType | None,
    ) -> tuple[DecryptionKey, ...] | int:
        """The keys to try for a token, at most three, or the reason why there is none.

        :param kid: as in the token header
        :param curve: of ``epk``, or ``None`` where there is no ``epk``
        """
        pool = fitting = tuple(key for key in self.keys if key._serves(algorithm, encryption, curve))
        if kid is not None:
            if any(key.kid == kid for key in self.keys):
                named = tuple(key for key in fitting if key.kid == kid)
                return named[:MAX_CANDIDATES] or Reason.KEY_UNSUITABLE
            if all(key.kid is not None for key in self.keys):
                return Reason.KEY_UNKNOWN
            # A kid nobody has can only be meant for a key that the operator loaded without one.
            pool = tuple(key for key in fitting if key.kid is None)
        if len(pool) == 1 or all(key.kid is None and key.kty == "oct" for key in fitting):
            return pool[:MAX_CANDIDATES] or Reason.KEY_UNSUITABLE
        return Reason.KEY_AMBIGUOUS if pool else Reason.KEY_UNSUITABLE


@runtime_checkable
class DecryptionKeySource(Protocol):
    """The decryption keys of one recipient, now. :class:`DecryptionKeys` are their own source."""

    def snapshot(self) -> DecryptionKeys:
        """An immutable set; never waits for I/O while it knows a usable one.

        :raises Unavailable: there is no set to answer with
        """
        ...


def as_decryption_key_source(keys: object) -> DecryptionKeySource:
    """``keys`` as a source: a source, :class:`DecryptionKeys`, or a single :class:`DecryptionKey`.

    :raises PolicyError: it is anything else
    """
    if isinstance(keys, DecryptionKey):
        return DecryptionKeys([keys])
    # A set of keys that verify has the same method.
    if isinstance(keys, DecryptionKeySource) and not isinstance(keys, (type, JWKSet)):
        return keys
    raise PolicyError("keys must be keybound.DecryptionKeys, a keybound.DecryptionKey or a source of them")


def decryption_keys_of(source: DecryptionKeySource) -> DecryptionKeys:
    """The keys that a source answers with.

    :raises Unavailable: it answers with something else
    """
    keys = source.snapshot()
    if not isinstance(keys, DecryptionKeys):
        raise Unavailable("the key source did not answer with keybound.DecryptionKeys")
    return keys
