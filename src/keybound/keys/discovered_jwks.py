"""Keys of an issuer that is known by its identifier alone: its metadata says where they are."""

from __future__ import annotations

import threading
from typing import Any

from keybound.errors import PolicyError
from keybound.jose.jwk_set import JWKSet
from keybound.keys import background
from keybound.keys.fetching import FetchOutcome, Transport
from keybound.keys.flight import Plan, arun, run
from keybound.keys.metadata import IssuerMetadata, RemoteMetadata
from keybound.keys.remote_jwks import RemoteJWKSet

__all__ = ["DiscoveredJWKSet"]


class DiscoveredJWKSet:
    """The keys at the ``jwks_uri`` of an issuer's metadata. Usable as ``keys=`` of every validator, from any
    thread and any event loop at once.

    When the metadata names another ``jwks_uri``, the keys there take over as soon as they have been
    fetched; until then those of the former one stay in use, up to ``max_stale``, and are not fetched again.

    :param metadata: of the issuer; its refresh settings, clocks and headers hold for the keys as well
    :param transport: fetches the keys, in place of what fetches the metadata: an issuer may ask for a
        client certificate at the one and not at the other
    :raises PolicyError: ``metadata`` is no :class:`RemoteMetadata`
    """

    def __init__(self, metadata: RemoteMetadata, *, transport: Transport | None = None) -> None:
        if not isinstance(metadata, RemoteMetadata):
            raise PolicyError("metadata must be a keybound.RemoteMetadata")
        self._metadata = metadata
        self._transport = transport
        self._lock = threading.Lock()
        self._keys: RemoteJWKSet | None = None
        self._next: RemoteJWKSet | None = None
        background.adopt(self)
        self._purged = False

    @property
    def metadata(self) -> RemoteMetadata:
        """Where the keys are said to be."""
        return self._metadata

    @property
    def ready(self) -> bool:
        """Whether there are keys to answer with, without asking anybody."""
        return self.peek() is not None

    def peek(self) -> JWKSet | None:
        """What is held and usable, or ``None``. Never touches the network and never causes a fetch."""
        keys = self._keys
        return None if keys is None else keys.peek()

    def snapshot(self) -> JWKSet:
        """The keys as they are now; waits for I/O only while there are none.

        :raises Unavailable: there are none, and the issuer cannot be reached
        """
        return run(self._looking())

    def get(self, kid: str | None = None) -> JWKSet:
        """The keys; for a ``kid`` that is not among them, after asking the issuer if that is allowed now.

        :raises Unavailable: there are none, and the issuer cannot be reached
        """
        return run(self._getting(kid))

    async def aget(self, kid: str | None = None) -> JWKSet:
        """:meth:`get` in an event loop, which it never blocks."""
        return await arun(self._getting(kid))

    def refresh_for(self, kid: str) -> bool:
        """Whether a key of that ``kid`` is at hand, after asking the issuer if that is allowed now."""
        keys = self._keys
        return keys is not None and keys.refresh_for(kid)

    async def arefresh_for(self, kid: str) -> bool:
        """:meth:`refresh_for` in an event loop, which it never blocks."""
        keys = self._keys
        return keys is not None and await keys.arefresh_for(kid)

    def warm(self) -> None:
        """Fetch metadata and keys unless there are usable ones: for the start of a process.

        :raises Unavailable: one of them cannot be fetched
        """
        run(self._looking())

    async def awarm(self) -> None:
        """:meth:`warm` in an event loop."""
        await arun(self._looking())

    def refresh_now(self) -> FetchOutcome:
        """Fetch metadata and keys whatever their age, and wait for them.

        :returns: how the fetch of the keys ended, or that of the metadata if it failed
        """
        return run(self._refreshing())

    async def arefresh_now(self) -> FetchOutcome:
        """:meth:`refresh_now` in an event loop."""
        return await arun(self._refreshing())

    def purge(self) -> None:
        """Forget what is held, at once."""
        with self._lock:
            dropped = self._keys, self._next
            self._keys = self._next = None
            self._purged = True
        for keys in dropped:
            # What it has under way is for nobody any more.
            if keys is not None:
                keys.purge()
        self._metadata.purge()

    def stats(self) -> dict[str, Any]:
        """Counters for operators: of the ``metadata``, and of the ``keys`` once there are any."""
        keys = self._keys
        return {"metadata": self._metadata.stats(), "keys": {} if keys is None else keys.stats()}

    def _looking(self) -> Plan[JWKSet]:
        source = yield from self._source()
        return (yield from source._looking())

    def _getting(self, kid: str | None) -> Plan[JWKSet]:
        source = yield from self._source()
        return (yield from source._getting(kid))

    def _refreshing(self) -> Plan[FetchOutcome]:
        outcome = yield from self._metadata._refreshing()
        if not outcome.succeeded:
            return outcome
        metadata = yield from self._metadata._looking()
        keys = self._keys
        if keys is not None and keys.url == metadata.jwks_uri:
            keys._retire(False)
            return (yield from keys._refreshing())
        candidate = self._candidate(metadata)
        outcome = yield from candidate._refreshing()
        if outcome.succeeded:
            self._take(candidate)
        return outcome

    def _source(self) -> Plan[RemoteJWKSet]:
        """The keys in use, those of the ``jwks_uri`` that the metadata names if they are at hand."""
        metadata = yield from self._metadata._looking()
        keys = self._keys
        if keys is not None and keys.url == metadata.jwks_uri:
            keys._retire(False)
            return keys
        candidate = self._candidate(metadata)
        if keys is not None and keys.ready and not candidate.ready:
            # Nobody who has keys waits for others; the next one finds them. The former ones end in due time.
            keys._retire(True)
            candidate._refresh_in_background(candidate._monotonic())
            return keys
        yield from candidate._looking()
        self._take(candidate)
        return candidate

    def _take(self, candidate: RemoteJWKSet) -> None:
        """From now on these are the keys, unless somebody has purged or the metadata has moved on."""
        with self._lock:
            if self._next is candidate:
                self._keys, self._next, self._purged = candidate, None, False

    def _candidate(self, metadata: IssuerMetadata) -> RemoteJWKSet:
        with self._lock:
            if self._next is None or self._next.url != metadata.jwks_uri:
                self._next = self._metadata._keys_at(metadata.jwks_uri, self._transport)
                self._next._purged = self._purged
            return self._next

    def _after_fork(self) -> None:
        # The thread that holds it has stayed with the parent.
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<keybound.DiscoveredJWKSet {'ready' if self.ready else 'not ready'}>"
