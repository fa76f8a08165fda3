"""JWK Sets (RFC 7517, 5): an immutable snapshot of an issuer's keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from keybound._hotpath import token
from keybound._hotpath.contract import HeaderRules, Kind
from keybound.errors import InvalidKey
from keybound.jose.jwk import JWK, parse_json_object
from keybound.limits import MAX_CANDIDATES

__all__ = ["JWKSet"]


class JWKSet:
    """Keys of one issuer, immutable. Usable as ``keys=`` of every validator.

    :ivar keys: the usable keys, in the order of the document
    :ivar skipped: why keys of the document were left out, with how many (RFC 7517, 5: ignore what
        is not understood)
    """

    __slots__ = ("_compiled", "_index", "keys", "skipped")

    keys: tuple[JWK, ...]
    skipped: Mapping[str, int]
    _index: token.KeyIndex
    _compiled: dict[HeaderRules, token.CompiledHeader]

    def __init__(self, keys: Iterable[JWK], *, skipped: Mapping[str, int] | None = None) -> None:
        """Keys as they are, with the count of those that were left out before.

        Secrets without a ``kid`` stand for each other, so that an old one is accepted beside a new one. Of
        several secrets for one algorithm the first is the current one; validators count what was signed with
        another as ``old_secrets``.

        :raises InvalidKey: there is no key, secrets share a ``kid`` or stand beside public keys, or more
            than three have none
        """
        object.__setattr__(self, "keys", tuple(keys) if isinstance(keys, Iterable) else (keys,))
        object.__setattr__(self, "skipped", MappingProxyType(dict(skipped or {})))
        if not all(isinstance(key, JWK) for key in self.keys):
            raise InvalidKey("a JWKSet is made of JWK objects")
        if not self.keys:
            raise InvalidKey("the JWK Set holds no usable key")
        # A kid that picks between a secret and a public key lets the token choose the family (RFC 8725, 3.1).
        if len({key._kind is Kind.SECRET for key in self.keys}) == 2:
            raise InvalidKey("the JWK Set mixes secrets with public keys")
        secrets = [key.kid for key in self.keys if key._kind is Kind.SECRET]
        _check_kids_of_secrets(secrets)
        # Each of these may be meant, and every token would be compared with all of them.
        if secrets.count(None) > MAX_CANDIDATES:
            raise InvalidKey(f"more than {MAX_CANDIDATES} secrets have no kid")
        index = token.KeyIndex((key.kid, key._handle, key._mask) for key in self.keys)
        object.__setattr__(self, "_index", index)
        object.__setattr__(self, "_compiled", {})

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a JWKSet is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a JWKSet is immutable")

    @classmethod
    def _of_none(cls) -> JWKSet:
        """What a source answers with that holds no key yet, and can be asked for each by its ``kid``."""
        self = object.__new__(cls)
        nothing: Mapping[str, int] = MappingProxyType({})
        members = {"keys": (), "skipped": nothing, "_index": token.KeyIndex(()), "_compiled": {}}
        for name, value in members.items():
            object.__setattr__(self, name, value)
        return self

    @classmethod
    def from_json(cls, document: str | bytes | Mapping[str, Any]) -> JWKSet:
        """Keys from a JWK Set document, or from a single JWK.

        Keys that cannot be used are skipped and counted; a private key is an error, because
        whoever published it must know.

        :raises InvalidKey: the document is malformed, holds a private key, or no usable key
        """
        members = parse_json_object(document)
        if "keys" not in members and "kty" in members:
            return cls([JWK.from_json(members)])
        listed = members.get("keys")
        if not isinstance(listed, (list, tuple)):
            raise InvalidKey("keys is not a list")
        # Also where one of the two cannot be used: which of them was meant is not ours to guess.
        _check_kids_of_secrets(entry.get("kid") for entry in listed if _type_of(entry) == "oct")
        return cls._sorted_out(listed, _usable)

    @classmethod
    def from_published(cls, document: str | bytes | Mapping[str, Any]) -> JWKSet:
        """Keys from a JWK Set that somebody else publishes, and may change at any time.

        Here one entry never decides about the others: private keys and secrets, which everybody has
        read by now, are skipped and counted like every key that cannot be used.

        :raises InvalidKey: the document is malformed, or holds no usable key
        """
        listed = parse_json_object(document).get("keys")
        if not isinstance(listed, (list, tuple)):
            raise InvalidKey("keys is not a list")
        return cls._sorted_out(listed, _usable_by_everybody)

    @classmethod
    def _sorted_out(cls, listed: Iterable[object], load: Callable[[object], JWK]) -> JWKSet:
        usable, skipped = [], Counter[str]()
        for entry in listed:
            try:
                usable.append(load(entry))
            except InvalidKey as unusable:
                if load is _usable and _is_private(entry):
                    raise
                skipped[str(unusable)] += 1
        return cls(usable, skipped=skipped)

    @classmethod
    def from_pem(cls, pem: str | bytes, *, kid: str | None = None, alg: str | None = None) -> JWKSet:
        """One key from PEM; see :meth:`JWK.from_pem`."""
        return cls([JWK.from_pem(pem, kid=kid, alg=alg)])

    @classmethod
    def from_der(cls, der: bytes, *, kid: str | None = None, alg: str | None = None) -> JWKSet:
        """One key from DER; see :meth:`JWK.from_der`."""
        return cls([JWK.from_der(der, kid=kid, alg=alg)])

    @classmethod
    def from_key(cls, key: Any, *, kid: str | None = None, alg: str | None = None) -> JWKSet:
        """One key from an object of ``cryptography``; see :meth:`JWK.from_key`."""
        return cls([JWK.from_key(key, kid=kid, alg=alg)])

    @classmethod
    def from_secret(cls, secret: str | bytes, *, alg: str, kid: str | None = None) -> JWKSet:
        """One shared secret; see :meth:`JWK.from_secret`."""
        return cls([JWK.from_secret(secret, alg=alg, kid=kid)])

    def snapshot(self) -> JWKSet:
        """The keys as they are now: this object itself, since it never changes."""
        return self

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[JWK]:
        return iter(self.keys)

    def __repr__(self) -> str:
        return f"<keybound.JWKSet of {len(self.keys)} keys, {sum(self.skipped.values())} skipped>"


def _check_kids_of_secrets(kids: Iterable[object]) -> None:
    """Public keys may share a ``kid``: others publish them. Secrets are the operator's own.

    :raises InvalidKey: a ``kid`` does not tell which secret it means (RFC 7517, 4.5)
    """
    named = [kid for kid in kids if isinstance(kid, str)]
    if len(set(named)) != len(named):
        raise InvalidKey("two secrets share a kid")


def _usable(entry: object) -> JWK:
    if not isinstance(entry, Mapping):
        raise InvalidKey("an entry is not a JSON object")
    return JWK.from_json(entry)


def _usable_by_everybody(entry: object) -> JWK:
    if _type_of(entry) == "oct":
        raise InvalidKey("a secret that is published is none")
    return _usable(entry)


def _type_of(entry: object) -> object:
    return entry.get("kty") if isinstance(entry, Mapping) else None


def _is_private(entry: object) -> bool:
    return isinstance(entry, Mapping) and _type_of(entry) in ("RSA", "EC", "OKP") and "d" in entry
