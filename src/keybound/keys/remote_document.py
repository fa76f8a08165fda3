"""A document that somebody else publishes: fetched by one thread for all, swapped as a whole, never waited
for while there is a usable one.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from keybound.clock import Clock, checked
from keybound.errors import PolicyError, Unavailable
from keybound.keys import background
from keybound.keys.fetching import (
    FetchFailed,
    FetchOutcome,
    Response,
    Transport,
    check_url,
    fetch,
    freshness_of,
)
from keybound.keys.flight import Flight, Plan, arun, run
from keybound.keys.http_transport import check_headers, default_transport
from keybound.keys.recreation import KEY_SOURCES
from keybound.keys.refresh import Lifetime, RefreshSettings, Schedule
from keybound.keys.shared_documents import SharedDocuments
from keybound.keys.state import SKEW, State, is_header, read_state, write_state

__all__ = ["RECREATED", "FetchEvent", "Held", "RemoteDocument"]

T = TypeVar("T")

_ACCEPT = "application/json, application/jwk-set+json"
# States that are there one after the other; in an outage it is one.
_SEEN = 8
# Threads that hang where no deadline reaches, until they are over; each has been given up after its time.
_MOST_ALOFT = 16
# An ETag is a hash or a date in practice; servers refuse long headers.
_VALIDATOR_LENGTH = 1024
RECREATED = (
    "key sources for {} were made and used within ten minutes: a new one for each request or token fetches "
    "each time, and loses the cooldown and the keys to live on in an outage. Make one when the process "
    "starts, keep it, and give it to all validators; threads and event loops share it"
)
"""What is said of one URL for which too many of them were made."""


@dataclass(frozen=True)
class FetchEvent:
    """One fetch that has ended, for metrics and logs.

    :ivar url: as configured
    :ivar outcome: how it ended
    :ivar status: of the HTTP answer, or ``None`` if there was none
    :ivar duration: seconds
    :ivar failures: how many fetches have failed in a row, this one included
    :ivar age: seconds since the document in use was last known to be current, ``None`` without one
    :ivar stale: whether it is older than it should be
    :ivar usable: whether there is a document to answer with
    """

    url: str
    outcome: FetchOutcome
    status: int | None
    duration: float
    failures: int
    age: float | None
    stale: bool
    usable: bool


@dataclass(frozen=True)
class Held(Generic[T]):
    """What is held of a document, immutable."""

    value: T
    body: bytes
    lifetime: Lifetime
    etag: str | None
    last_modified: str | None


class RemoteDocument(Generic[T]):
    """A document at a URL, as ``parse`` understands it. Usable from any thread and any event loop.

    :param url: where it is published
    :param parse: makes the value of the octets; raises :class:`FetchFailed` if they are not usable
    :param same: whether two values are worth the same, so that the older can stay in use
    :param allow_http: also takes an ``http`` URL; whoever is on the way can then replace the document
    :param refresh: how long it is used and how often it is asked for
    :param transport: fetches it; one of :mod:`keybound.keys` or a function of your own; without one
        an :class:`~keybound.HTTPTransport` with the system's authorities
    :param headers: to send besides those of the transport
    :param keep_fresh: whether it is fetched again in time even while nobody asks for it
    :param shared: where processes share what they fetch, so that one fetch serves all of them
    :param on_event: called after every fetch, in the thread that fetched; what it raises is ignored
    :param monotonic: clock for all ages, in seconds; no change of the wall clock moves it
    :param clock: wall clock, for the age of an exported state
    :raises PolicyError: an option is unsafe or impossible
    """

    _own = True
    """Whether somebody has made it, and not another document on the way."""

    def __init__(
        self,
        url: str,
        *,
        parse: Callable[[bytes], T],
        same: Callable[[T, T], bool],
        allow_http: bool,
        refresh: RefreshSettings,
        transport: Transport | None,
        headers: Mapping[str, str] | None,
        keep_fresh: bool,
        shared: SharedDocuments | None,
        on_event: Callable[[FetchEvent], object] | None,
        monotonic: Clock,
        clock: Clock,
    ) -> None:
        if not isinstance(refresh, RefreshSettings):
            raise PolicyError("refresh must be a keybound.RefreshSettings")
        for name, value in (("transport", transport), ("on_event", on_event)):
            if value is not None and not callable(value):
                raise PolicyError(f"{name} must be callable")
        if shared is not None and not isinstance(shared, SharedDocuments):
            raise PolicyError("shared must have the methods of keybound.keys.SharedDocuments")
        self._url = check_url(url, allow_http=allow_http)
        self._parse, self._same = parse, same
        self._settings, self._headers = refresh, check_headers(headers or {})
        self._transport = default_transport() if transport is None else transport
        self._keep_fresh, self._on_event = keep_fresh, on_event
        self._monotonic, self._clock = checked(monotonic), checked(clock)
        self._held: Held[T] | None = None
        self._flight: Flight | None = None
        self._purged = self._retired = False
        self._schedule = Schedule(refresh, random.random)
        self._fetches: Counter[FetchOutcome] = Counter()
        self._failure: FetchOutcome | None = None
        self._armed = False
        self._aloft = 0
        self._shared = shared
        self._sharing = threading.Lock()
        self._share_failures = 0
        # No clock that steps back makes a state younger that has been seen.
        self._seen: deque[float] = deque(maxlen=_SEEN)
        self._lock = threading.Lock()
        # Who brings a clock tests something.
        self._counted = not self._own or monotonic is not time.monotonic
        background.adopt(self)
        if not self._counted:
            KEY_SOURCES.tell(self._url, RECREATED.format(self._url))

    @property
    def url(self) -> str:
        """Where the document is published."""
        return self._url

    @property
    def ready(self) -> bool:
        """Whether there is a document to answer with, without asking anybody."""
        return self.peek() is not None

    def peek(self) -> T | None:
        """What is held and usable, or ``None``. Never touches the network and never causes a fetch."""
        held = self._held
        return held.value if held is not None and self._monotonic() < held.lifetime.dead_at else None

    def warm(self) -> None:
        """Fetch the document unless there is a usable one: for the start of a process.

        :raises Unavailable: it cannot be fetched
        """
        run(self._looking())

    async def awarm(self) -> None:
        """:meth:`warm` in an event loop."""
        await arun(self._looking())

    def refresh_now(self) -> FetchOutcome:
        """Fetch the document whatever its age, and wait for it. What is held stays if that fails.

        :returns: how the fetch ended
        """
        return run(self._refreshing())

    async def arefresh_now(self) -> FetchOutcome:
        """:meth:`refresh_now` in an event loop."""
        return await arun(self._refreshing())

    def purge(self) -> None:
        """Forget what is held, at once. The next use fetches it, or is :class:`~keybound.Unavailable`."""
        with self._lock:
            self._held = None
            # What is under way may have been asked for before there was a reason to purge.
            self._flight = None
            # So may what others share.
            self._purged = True
            self._schedule.forget()

    def export_state(self) -> bytes | None:
        """What is held, for :meth:`import_state` of another process; ``None`` if there is nothing usable.

        It holds public keys and no secret, but whoever can change it chooses the keys.
        """
        held, now = self._held, self._monotonic()
        if held is None or now >= held.lifetime.dead_at:
            return None
        return self._exported(held, self._clock() - (now - held.lifetime.fetched_at))

    def import_state(self, state: bytes) -> bool:
        """Take over what :meth:`export_state` gave, with its age, unless what is held is younger.

        :returns: whether it was taken; what is malformed, of another URL, too old or from the future is not
        """
        found = self._understood(state)
        if found is None:
            return False
        with self._lock:
            taken = self._take(*found)
        if taken:
            self._arm()
        return taken

    def stats(self) -> dict[str, Any]:
        """Counters for operators.

        :returns: ``fetches`` by outcome; ``failures`` in a row; ``age`` in seconds of what is held, or
            ``None``; ``stale`` and ``ready``; ``share_failures``: how often ``shared`` could not be used
        """
        with self._lock:
            fetches = {str(outcome): count for outcome, count in sorted(self._fetches.items())}
            failures = self._schedule.failures
        held, now = self._held, self._monotonic()
        return {
            "fetches": fetches,
            "failures": failures,
            "age": None if held is None else now - held.lifetime.fetched_at,
            "stale": held is not None and now >= held.lifetime.stale_at,
            "ready": self.ready,
            "share_failures": self._share_failures,
        }

    # What follows decides, and waits only by yielding.

    def _looking(self) -> Plan[T]:
        """The value; a fetch is waited for only where there is none."""
        # A second time for those whose flight was in the air when somebody purged.
        for _ in range(2):
            held, now = self._held, self._monotonic()
            if held is not None and now < held.lifetime.dead_at:
                if now >= held.lifetime.refresh_at:
                    self._refresh_in_background(now)
                return held.value
            flight = self._depart(now, self._schedule.may_refresh)
            if flight is None:
                break
            yield flight
        value = self.peek()
        if value is None:
            why = "" if self._failure is None else f" [{self._failure}]"
            raise Unavailable(
                f"the keys or metadata of the issuer cannot be fetched now{why}",
                retry_after=max(self._schedule.due - self._monotonic(), 1.0),
            )
        return value

    def _retire(self, retired: bool) -> None:
        """Nobody names it any more, or somebody does again: what is held lives on, and nothing is fetched."""
        if self._retired is not retired:
            self._retired = retired
            self._arm()

    def _refreshing(self) -> Plan[FetchOutcome]:
        outcome = None
        # What is under way already may have been answered before this was called; what comes after, not.
        while (flight := self._flight) is not None and not flight.overdue:
            yield flight
            if self._flight is flight:
                break
        flight = self._depart(self._monotonic(), sharing=False)
        if flight is not None:
            yield flight
            outcome = flight.outcome
        return FetchOutcome.TIMED_OUT if outcome is None else outcome

    def _refresh_in_background(self, now: float, *, wait: bool = False) -> None:
        """Without ``wait`` for a reader, who waits neither for the fetch nor for whoever else sees to it."""
        flight = self._flight
        if now >= self._schedule.due and (flight is None or flight.overdue):
            self._depart(now, self._schedule.may_refresh, wait=wait)

    def _depart(
        self,
        now: float,
        allowed: Callable[[float], bool] | None = None,
        *,
        wait: bool = True,
        sharing: bool = True,
        kid: str | None = None,
    ) -> Flight | None:
        """The flight under way, or else a new one if that is ``allowed`` now."""
        if self._retired or not self._lock.acquire(blocking=wait):
            return None
        try:
            flight = self._flight
            if flight is not None:
                if not flight.overdue:
                    flight.join(sharing=sharing, kid=kid)
                    return flight
                # It hangs where no deadline reaches, such as in the resolver; what it brings is not wanted.
                self._flight = None
                flight.outcome = self._conclude(flight, FetchFailed(FetchOutcome.TIMED_OUT))
            if allowed is not None and not allowed(now):
                return None
            flight = self._flight = Flight(
                now, self._settings.total_timeout, sharing=sharing and not self._purged, kid=kid
            )
            crowded = self._aloft >= _MOST_ALOFT
            self._aloft += not crowded
            if not self._counted:
                self._counted = True
                KEY_SOURCES.count(self._url)
        finally:
            self._lock.release()
        try:
            if crowded:
                # They all hang, and one more would as well.
                self._land(flight, FetchFailed(FetchOutcome.TIMED_OUT))
            else:
                background.start(lambda: self._fly(flight))
        except RuntimeError:
            self._come_down()
            self._land(flight, FetchFailed(FetchOutcome.TRANSPORT_FAILED))
        return flight

    def _come_down(self) -> None:
        with self._lock:
            self._aloft -= 1

    # What follows runs in the thread of a fetch.

    def _fly(self, flight: Flight) -> None:
        # A clock that breaks its contract is told to those who ask, and not to this thread.
        try:
            with suppress(Unavailable):
                if not self._fly_elsewhere(flight) and self._fly_to_issuer(flight):
                    self._share()
        finally:
            self._come_down()

    def _fly_to_issuer(self, flight: Flight) -> bool:
        result: Response | FetchFailed = FetchFailed(FetchOutcome.TRANSPORT_FAILED)
        held = self._held
        value: T | None = None
        try:
            headers = {"Accept": _ACCEPT} | dict(self._headers) | _conditions(held)
            answer = fetch(
                self._url,
                transport=self._transport,
                headers=headers,
                settings=self._settings,
                spent=time.monotonic() - flight.began,
            )
            value = self._read(held, answer)
            result = answer
        except FetchFailed as failed:
            result = failed
        except Exception:
            # Of a parser, or of a transport behind the call: no answer to use, whatever it was.
            result = FetchFailed(FetchOutcome.TRANSPORT_FAILED)
        finally:
            self._land(flight, result, held, value)
        return flight.outcome is not None and flight.outcome.confirmed

    def _fly_elsewhere(self, flight: Flight) -> bool:
        """Look at what others have fetched. Returns whether the issuer need not be asked any more."""
        if self._shared is None or not flight.sharing:
            return False
        found = None
        with self._sharing_alone() as alone:
            state = self._shared.load(self._url) if alone else None
            # A character can take six octets of JSON, and what is around it takes a few.
            if state is not None and len(state) <= 6 * self._settings.document_bytes + 65536:
                found = self._understood(state)
        if found is None or not self._take_elsewhere(flight, found):
            return False
        flight.land()
        self._arm()
        self._report(flight, None)
        return True

    def _take_elsewhere(self, flight: Flight, found: tuple[State, T]) -> bool:
        with self._lock, suppress(Unavailable):
            # Somebody may have purged meanwhile, or want to hear it from the issuer.
            if self._flight is not flight or not flight.sharing or found[0].recorded in self._seen:
                return False
            held, now = (self._held if self._take(*found) else None), self._monotonic()
            # What is not young enough is taken all the same: the issuer may not answer.
            if held is None or not self._suffices(held, flight.kid, now):
                return False
            if flight.kid is not None:
                self._schedule.asked_elsewhere(held.lifetime.fetched_at)
            self._flight, flight.outcome = None, FetchOutcome.SHARED
            self._fetches[FetchOutcome.SHARED] += 1
            return True
        return False

    def _share(self) -> None:
        """Leave what was fetched for others."""
        held = self._held
        if self._shared is None or held is None:
            return
        with self._sharing_alone() as alone:
            recorded = self._clock() - (self._monotonic() - held.lifetime.fetched_at)
            with self._lock:
                self._seen.append(recorded)
            if alone:
                self._shared.store(self._url, self._exported(held, recorded))

    @contextmanager
    def _sharing_alone(self) -> Iterator[bool]:
        """No failure of what is shared is one of the keys; where one thread hangs, no other goes."""
        alone = self._sharing.acquire(blocking=False)
        try:
            yield alone
        except Exception:
            self._share_failures += 1
        finally:
            if alone:
                self._sharing.release()

    def _exported(self, held: Held[T], recorded: float) -> bytes:
        fresh_for = held.lifetime.stale_at - held.lifetime.fetched_at
        return write_state(self._url, State(recorded, fresh_for, held.body, held.etag, held.last_modified))

    def _understood(self, octets: bytes) -> tuple[State, T] | None:
        """A state of this document, with the value of its octets."""
        state = read_state(octets, self._url)
        if state is None or len(state.body) > self._settings.document_bytes:
            return None
        try:
            return state, self._parse(state.body)
        except FetchFailed:
            return None

    def _take(self, state: State, value: T) -> bool:
        """Hold it from now on, unless what is held is younger. Needs the lock."""
        age = self._clock() - state.recorded
        if not -SKEW < age < self._settings.max_stale:
            return False
        before, fetched_at = self._held, self._monotonic() - max(age, 0.0)
        self._seen.append(state.recorded)
        if before is not None and before.lifetime.fetched_at >= fetched_at:
            return False
        unchanged = before is not None and self._same(before.value, value)
        lifetime = self._schedule.succeeded(fetched_at, state.fresh_for, unchanged)
        kept = before.value if before is not None and unchanged else value
        self._held = Held(kept, state.body, lifetime, state.etag, state.last_modified)
        return True

    def _suffices(self, held: Held[T], kid: str | None, now: float) -> bool:
        """Whether what another process has fetched makes a fetch of this one's own needless."""
        return now < held.lifetime.refresh_at

    def _read(self, held: Held[T] | None, response: Response) -> T:
        asked = bool(_conditions(held))
        if held is not None and (asked if response.status == 304 else response.body == held.body):
            return held.value
        if response.status == 304:
            # Nobody has asked for that.
            raise FetchFailed(FetchOutcome.STATUS_REFUSED, status=304)
        value = self._parse(response.body)
        return held.value if held is not None and self._same(held.value, value) else value

    def _land(
        self,
        flight: Flight,
        result: Response | FetchFailed,
        before: Held[T] | None = None,
        value: T | None = None,
    ) -> None:
        """Take over what was fetched, unless nobody wants it any more; then wake those who wait."""
        try:
            with self._lock:
                wanted = self._flight is flight
                if wanted:
                    self._flight = None
                    flight.outcome = self._conclude(flight, result, before, value)
        finally:
            flight.land()
        if wanted:
            self._arm()
            self._report(flight, result.status)

    def _conclude(
        self,
        flight: Flight,
        result: Response | FetchFailed,
        before: Held[T] | None = None,
        value: T | None = None,
    ) -> FetchOutcome:
        if isinstance(result, FetchFailed) or value is None:
            outcome = result.outcome if isinstance(result, FetchFailed) else FetchOutcome.TRANSPORT_FAILED
            self._schedule.failed(self._monotonic(), getattr(result, "retry_after", None))
            self._failure = outcome
        else:
            unchanged = before is not None and value is before.value
            outcome = FetchOutcome.UNCHANGED if unchanged else FetchOutcome.UPDATED
            lifetime = self._schedule.succeeded(flight.started, freshness_of(result), unchanged)
            confirmed = before is not None and result.status == 304
            body = before.body if before is not None and confirmed else result.body
            etag, modified = (_kept(result.headers.get(name)) for name in ("etag", "last-modified"))
            if before is not None and confirmed:
                # RFC 9111, 4.3.4: what a 304 does not name stays as it was.
                etag, modified = etag or before.etag, modified or before.last_modified
            self._held = Held(value, body, lifetime, etag, modified)
            self._purged, self._failure = False, None
        self._fetches[outcome] += 1
        return outcome

    def _arm(self) -> None:
        """See to it that the next scheduled fetch happens though nobody asks."""
        if self._keep_fresh and not self._armed and not self._retired:
            self._armed = True
            background.later(max(self._schedule.due - self._monotonic(), 1.0), self._when_due)

    def _when_due(self) -> None:
        self._armed = False
        self._refresh_in_background(self._monotonic(), wait=True)
        if self._flight is None:
            # Somebody has asked in the meantime, and the next fetch is due later.
            self._arm()

    def _report(self, flight: Flight, status: int | None) -> None:
        if self._on_event is None or flight.outcome is None:
            return
        figures = self.stats()
        event = FetchEvent(
            url=self._url,
            outcome=flight.outcome,
            status=status,
            duration=time.monotonic() - flight.began,
            failures=figures["failures"],
            age=figures["age"],
            stale=figures["stale"],
            usable=figures["ready"],
        )
        # An error of whoever listens is none of the keys.
        with suppress(Exception):
            self._on_event(event)

    def _after_fork(self) -> None:
        # The threads that hold the lock or fetch have stayed with the parent; the keys have not.
        self._lock, self._sharing = threading.Lock(), threading.Lock()
        self._flight = None
        self._aloft = 0
        self._armed = False

    def __repr__(self) -> str:
        return f"<keybound.{type(self).__name__} {'ready' if self.ready else 'not ready'}>"


def _kept(validator: str | None) -> str | None:
    """What is sent back, unless nobody could: a header that is refused would refuse every fetch to come."""
    return validator if validator and len(validator) <= _VALIDATOR_LENGTH and is_header(validator) else None


def _conditions(held: Held[Any] | None) -> dict[str, str]:
    """Ask for an answer only if the document is another one (RFC 9110, 13.1)."""
    if held is None:
        return {}
    if held.etag is not None:
        return {"If-None-Match": held.etag}
    return {} if held.last_modified is None else {"If-Modified-Since": held.last_modified}
