"""Keys that an issuer publishes at its ``jwks_uri`` (RFC 8414, 2; RFC 7517, 5)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from keybound.clock import Clock, system_clock
from keybound.errors import InvalidKey
from keybound.jose.jwk import JWK, parse_json_object
from keybound.jose.jwk_set import JWKSet
from keybound.keys.fetching import FetchFailed, FetchOutcome, Transport
from keybound.keys.flight import Flight, Plan, arun, run
from keybound.keys.refresh import DEFAULT_REFRESH, RefreshSettings
from keybound.keys.remote_document import FetchEvent, Held, RemoteDocument
from keybound.keys.shared_documents import SharedDocuments
from keybound.limits import MAX_KID_LENGTH, MAX_PUBLISHED_KEYS

__all__ = ["RemoteJWKSet"]


class RemoteJWKSet(RemoteDocument[JWKSet]):
    """The keys of an issuer, fetched from its JWK Set URL and kept up to date. Usable as ``keys=`` of every
    validator, from any thread and any event loop at once.

    The first use fetches; :meth:`warm` does so when the process starts. From then on a ``kid`` that is
    known never waits: readers see an immutable set, which one background thread replaces as a whole.
    While the issuer cannot be reached, or answers with something that is no set of usable keys, the last
    good set stays in use until it is ``refresh.max_stale`` old. A ``kid`` that is not in the set makes
    the first who asks wait for one fetch; during the cooldown after it all others are told at once.

    :param url: the ``jwks_uri``; taken from the configuration, never from a token
    :param allow_http: also takes an ``http`` URL; whoever is on the way can then replace the keys
    :param refresh: how long a set is used, how often it is asked for, deadlines and sizes
    :param transport: fetches it: a :class:`~keybound.HTTPTransport` with private authorities, a client
        certificate or a proxy, a :class:`keybound.keys.HttpxTransport`, or a function of your own
    :param headers: to send besides those of the transport
    :param keep_fresh: whether it is fetched again in time even while nobody asks for it
    :param shared: where processes share what they fetch, so that one fetch serves all of them
    :param on_event: called with a :class:`keybound.keys.FetchEvent` after every fetch, in the thread that
        fetched; what it raises is ignored
    :param monotonic: clock for all ages, in seconds; no change of the wall clock moves it
    :param clock: wall clock, for the age of an exported state
    :raises PolicyError: an option is unsafe or impossible
    """

    def __init__(
        self,
        url: str,
        *,
        allow_http: bool = False,
        refresh: RefreshSettings = DEFAULT_REFRESH,
        transport: Transport | None = None,
        headers: Mapping[str, str] | None = None,
        keep_fresh: bool = True,
        shared: SharedDocuments | None = None,
        on_event: Callable[[FetchEvent], object] | None = None,
        monotonic: Clock = time.monotonic,
        clock: Clock = system_clock,
    ) -> None:
        super().__init__(
            url,
            parse=_parse,
            same=_same,
            allow_http=allow_http,
            refresh=refresh,
            transport=transport,
            headers=headers,
            keep_fresh=keep_fresh,
            shared=shared,
            on_event=on_event,
            monotonic=monotonic,
            clock=clock,
        )
        self._unknown_kids = self._unasked_kids = 0

    def snapshot(self) -> JWKSet:
        """The keys as they are now; waits for I/O only while there are none.

        :raises Unavailable: there are none, and the issuer cannot be reached
        """
        held = self._held
        # Where most calls end: no lock, no generator, no further call.
        if held is not None and self._monotonic() < held.lifetime.refresh_at:
            return held.value
        return run(self._looking())

    def get(self, kid: str | None = None) -> JWKSet:
        """The keys; for a ``kid`` that is not among them, after asking the issuer if that is allowed now.

        :raises Unavailable: there are none, and the issuer cannot be reached
        """
        return run(self._getting(kid))

    async def aget(self, kid: str | None = None) -> JWKSet:
        """:meth:`get` in an event loop, which it never blocks."""
        held = self._held
        if kid is None and held is not None and self._monotonic() < held.lifetime.refresh_at:
            return held.value
        return await arun(self._getting(kid))

    def refresh_for(self, kid: str) -> bool:
        """Whether a key of that ``kid`` is at hand, after asking the issuer if that is allowed now.

        Only the first who asks waits, for one fetch at most; its failure is no error here.
        """
        return run(self._seeking(kid))

    async def arefresh_for(self, kid: str) -> bool:
        """:meth:`refresh_for` in an event loop, which it never blocks."""
        return await arun(self._seeking(kid))

    def stats(self) -> dict[str, Any]:
        """Counters for operators.

        :returns: besides those of every document ``keys`` in use; ``skipped`` keys of the document by
            reason; ``unknown_kids`` that were asked about, and how many of those while the issuer was
            not to be asked, ``unknown_kids_refused``
        """
        keys = self.peek()
        return super().stats() | {
            "keys": 0 if keys is None else len(keys),
            "skipped": {} if keys is None else dict(keys.skipped),
            "unknown_kids": self._unknown_kids,
            "unknown_kids_refused": self._unasked_kids,
        }

    def _getting(self, kid: str | None) -> Plan[JWKSet]:
        keys = yield from self._looking()
        if kid is not None and not _names(keys, kid) and (yield from self._seeking(kid)):
            keys = yield from self._looking()
        return keys

    def _seeking(self, kid: str) -> Plan[bool]:
        if _names(self.peek(), kid):
            return True
        flight = self._flight_for(kid)
        if flight is None:
            return False
        yield flight
        if _names(self.peek(), kid):
            return True
        if flight.outcome is not None and flight.outcome.confirmed:
            with self._lock:
                self._schedule.not_found(kid, self._monotonic())
        return False

    def _flight_for(self, kid: str) -> Flight | None:
        now = self._monotonic()
        with self._lock:
            self._unknown_kids += 1
            # No issuer names its keys like that, and what is remembered of unknown ones stays small.
            if len(kid) > MAX_KID_LENGTH or not self._schedule.reserve(kid, now):
                self._unasked_kids += 1
                return None
        return self._depart(now, kid=kid)

    def _suffices(self, held: Held[JWKSet], kid: str | None, now: float) -> bool:
        if kid is None:
            return super()._suffices(held, kid, now)
        # Not to ask again so soon is the same as if this process had asked.
        return _names(held.value, kid) or now - held.lifetime.fetched_at < self._settings.cooldown


def _parse(body: bytes) -> JWKSet:
    try:
        listed = parse_json_object(body).get("keys")
    except InvalidKey:
        raise FetchFailed(FetchOutcome.MALFORMED) from None
    if isinstance(listed, list) and len(listed) > MAX_PUBLISHED_KEYS:
        raise FetchFailed(FetchOutcome.TOO_LARGE)
    try:
        return JWKSet.from_published({"keys": listed})
    except InvalidKey:
        raise FetchFailed(FetchOutcome.NOTHING_USABLE) from None


def _names(keys: JWKSet | None, kid: str) -> bool:
    return keys is not None and any(key.kid == kid for key in keys.keys)


def _same(old: JWKSet, new: JWKSet) -> bool:
    """Whether the keys are the same, in whatever order an issuer lists them today."""
    return old.skipped == new.skipped and _identities(old) == _identities(new)


def _identities(keys: JWKSet) -> set[tuple[Any, ...]]:
    return {_identity(key) for key in keys.keys}


def _identity(key: JWK) -> tuple[Any, ...]:
    return key.kid, key.alg, key._kind, key._material
