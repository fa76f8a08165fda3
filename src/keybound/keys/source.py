"""What every key source offers, and what may be given in its place."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from keybound.errors import PolicyError
from keybound.jose.jwk import JWK
from keybound.jose.jwk_set import JWKSet

__all__ = ["KeySource", "as_key_source"]


@runtime_checkable
class KeySource(Protocol):
    """The keys of one issuer, now. A :class:`~keybound.JWKSet` is its own source."""

    def snapshot(self) -> JWKSet:
        """An immutable set; never waits for I/O while it knows a usable one.

        :raises Unavailable: there is no set to answer with
        """
        ...


def as_key_source(keys: object) -> KeySource:
    """``keys`` as a source: a source, a :class:`~keybound.JWKSet`, or a single :class:`~keybound.JWK`.

    :raises PolicyError: it is anything else; key material is parsed once, not with every token
    """
    if isinstance(keys, JWK):
        return JWKSet([keys])
    if isinstance(keys, KeySource) and not isinstance(keys, type):
        return keys
    raise PolicyError(
        "keys must be a keybound.JWKSet (JWKSet.from_json, .from_pem, .from_secret) or a key source"
    )
