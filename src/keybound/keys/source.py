"""What every key source offers, and what may be given in its place."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from keybound.errors import PolicyError
from keybound.jose.jwk import JWK
from keybound.jose.jwk_set import JWKSet

__all__ = ["KeySource", "RefreshingKeySource", "as_key_source"]


@runtime_checkable
class KeySource(Protocol):
    """The keys of one issuer, now. A :class:`~keybound.JWKSet` is its own source."""

    def snapshot(self) -> JWKSet:
        """An immutable set; never waits for I/O while it knows a usable one.

        :raises Unavailable: there is no set to answer with
        """
        ...


@runtime_checkable
class RefreshingKeySource(KeySource, Protocol):
    """A source that can look for a key it does not hold, and that an event loop can wait for.

    Validators take it for one if it has all of these methods; see :class:`~keybound.RemoteJWKSet`.
    """

    def peek(self) -> JWKSet | None:
        """What is at hand without any I/O."""
        ...

    async def aget(self) -> JWKSet:
        """:meth:`snapshot` for an event loop, which it must never block.

        :raises Unavailable: there is no set to answer with
        """
        ...

    def refresh_for(self, kid: str) -> bool:
        """Whether a key of that ``kid`` is at hand now, looked for with due restraint.

        The text is from a token that nobody has verified. Never raises for it.
        """
        ...

    async def arefresh_for(self, kid: str) -> bool:
        """:meth:`refresh_for` for an event loop, which it must never block."""
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
        "keys must be a keybound.JWKSet (JWKSet.from_json, .from_pem, .from_secret) or a key source, "
        "such as keybound.RemoteJWKSet"
    )
