"""Keys that AWS publishes one by one, each in PEM under a URL of its own, for its load balancers."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from keybound.clock import Clock, checked, system_clock
from keybound.errors import InvalidKey, PolicyError, Unavailable
from keybound.jose.jwk import JWK
from keybound.jose.jwk_set import JWKSet
from keybound.keys import background
from keybound.keys.fetching import FetchFailed, FetchOutcome, Response, Transport, check_url
from keybound.keys.flight import Flight, Plan, arun, run
from keybound.keys.recreation import KEY_SOURCES
from keybound.keys.refresh import DEFAULT_REFRESH, RefreshSettings, Schedule
from keybound.keys.remote_document import RECREATED, FetchEvent, Held, RemoteDocument
from keybound.limits import MAX_LOAD_BALANCER_KEYS

__all__ = ["LoadBalancerKeys"]

_KID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]{1,16}){1,3}-\d{1,2}")
# Keys of load balancers that this process has not heard of, which may turn up all at once.
_AT_ONCE = 4
_DOCUMENT_BYTES = 16 * 1024
_GONE = (404, 410)
# S3 says so as well of what is not there, to those who may not list it.
_NOT_THERE = (*_GONE, 403)


class LoadBalancerKeys:
    """The keys of AWS Application Load Balancers, each fetched by its ``kid`` and kept up to date.

    Usable as ``keys=`` of :class:`keybound.LoadBalancerTokenValidator`, from any thread and any event loop at
    once.

    Each key is kept by the rules of :class:`keybound.RemoteJWKSet`: fetched ahead of time in the background,
    and used until it is ``refresh.max_stale`` old while AWS cannot be reached. A key that AWS does not have
    any more is gone with the next fetch.

    A ``kid`` becomes part of a URL, so nobody is asked for one that is no UUID in lower case. For one that
    was not heard of, whoever asks first waits for one fetch. Four of these may follow each other at once and
    one more in each ``refresh.cooldown``, whatever comes of them; all others are told no at once.

    :param url: to which ``/`` and the ``kid`` are added; see :meth:`in_region`
    :param kids: of the load balancers that are known beforehand: their keys are fetched by :meth:`warm`,
        never make way, and cost no unknown one its turn
    :param max_keys: so many are kept, ``kids`` included; of the others the one makes way that has verified
        nothing for longest
    :param allow_http: as for :class:`keybound.RemoteJWKSet`, and so are the others
    :param refresh: how long a key is used, how often it is asked for, deadlines; no answer may be larger than
        16 KB
    :param transport: fetches them
    :param headers: to send besides those of the transport
    :param keep_fresh: whether keys are fetched again in time even while nobody asks for them
    :param on_event: called with a :class:`keybound.keys.FetchEvent` after every fetch, whose ``url`` has no
        ``kid``, since that may be from a token that nobody has verified
    :param monotonic: clock for all ages, in seconds
    :param clock: wall clock
    :raises PolicyError: an option is unsafe or impossible
    """

    def __init__(
        self,
        url: str,
        *,
        kids: Iterable[str] = (),
        max_keys: int = 16,
        allow_http: bool = False,
        refresh: RefreshSettings = DEFAULT_REFRESH,
        transport: Transport | None = None,
        headers: Mapping[str, str] | None = None,
        keep_fresh: bool = True,
        on_event: Callable[[FetchEvent], object] | None = None,
        monotonic: Clock = time.monotonic,
        clock: Clock = system_clock,
    ) -> None:
        if type(max_keys) is not int or not 1 <= max_keys <= MAX_LOAD_BALANCER_KEYS:
            raise PolicyError(f"max_keys must be a whole number from 1 to {MAX_LOAD_BALANCER_KEYS}")
        if not isinstance(refresh, RefreshSettings):
            raise PolicyError("refresh must be a keybound.RefreshSettings")
        if on_event is not None and not callable(on_event):
            raise PolicyError("on_event must be callable")
        self._url = _checked_base(url, allow_http)
        self._on_event, self._monotonic = on_event, checked(monotonic)
        self._options: dict[str, Any] = {
            "allow_http": allow_http,
            "refresh": replace(refresh, document_bytes=min(refresh.document_bytes, _DOCUMENT_BYTES)),
            "transport": transport,
            "shared": None,
            "headers": {"Accept": "*/*"} | dict(headers or {}),
            "keep_fresh": keep_fresh,
            "on_event": None if on_event is None else self._tell,
            "monotonic": monotonic,
            "clock": clock,
        }
        pinned = [kids] if isinstance(kids, str) else list(kids)
        if not all(_is_kid(kid) for kid in pinned) or len(pinned) > max_keys:
            raise PolicyError("kids are UUIDs in lower case, and no more than max_keys")
        self._pinned, self._max_keys = frozenset(pinned), max_keys
        self._schedule = Schedule(refresh, random.random, at_once=_AT_ONCE)
        self._fetches: Counter[FetchOutcome] = Counter()
        self._failures = self._unknown_kids = self._unasked_kids = self._evicted = self._changes = 0
        self._lock = threading.Lock()
        # Replaced as wholes: whoever reads needs no lock.
        self._known: Mapping[str, _KeyAt] = {kid: self._document(kid) for kid in pinned}
        self._asked: dict[str, _KeyAt] = {}
        self._snapshot: tuple[JWKSet, float] = JWKSet._of_none(), float("-inf")
        # Checks the options that are those of each document.
        self._document("")
        # Who brings a clock tests something.
        self._counted = monotonic is not time.monotonic
        if not self._counted:
            KEY_SOURCES.tell(self._url, RECREATED.format(self._url))
        background.adopt(self)

    @classmethod
    def in_region(cls, region: str, **options: Any) -> LoadBalancerKeys:
        """The keys of the load balancers of one region.

        :param region: such as ``"eu-west-1"`` or ``"us-gov-west-1"``
        :param options: as for the class, all but ``url``
        :raises PolicyError: it is none, or one of those in China, whose endpoints have to be given as ``url``
        """
        return cls(region_url(region), **options)

    @property
    def url(self) -> str:
        """Where the keys are published, without ``kid``."""
        return self._url

    @property
    def ready(self) -> bool:
        """Whether it can answer: with the keys of ``kids``, or without those unless AWS cannot be reached."""
        if self._pinned:
            known = self._known
            return all(kid in known and known[kid].ready for kid in self._pinned)
        return not self._failures or self.peek() is not None

    def snapshot(self) -> JWKSet:
        """The keys that are held now, which may be none. Never waits for I/O."""
        keys, until = self._snapshot
        return keys if self._monotonic() < until else self._looked_through()

    def peek(self) -> JWKSet | None:
        """The keys that are held now, or ``None``. Never touches the network and never causes a fetch."""
        keys = self._held_now()
        return JWKSet(keys) if keys else None

    async def aget(self) -> JWKSet:
        """:meth:`snapshot` for an event loop."""
        return self.snapshot()

    def refresh_for(self, kid: str) -> bool:
        """Whether the key of that ``kid`` is at hand, after asking AWS if that is allowed now.

        :raises Unavailable: AWS cannot be reached, and the key was held and is too old, or none is held
        """
        return run(self._seeking(kid))

    async def arefresh_for(self, kid: str) -> bool:
        """:meth:`refresh_for` in an event loop, which it never blocks."""
        return await arun(self._seeking(kid))

    def warm(self) -> None:
        """Fetch the keys of ``kids`` that are not at hand: for the start of a process.

        :raises Unavailable: one of them cannot be fetched
        """
        run(self._warming())

    async def awarm(self) -> None:
        """:meth:`warm` in an event loop."""
        await arun(self._warming())

    def refresh_now(self) -> dict[str, FetchOutcome]:
        """Fetch every key that is held, whatever its age, and wait for it. What is held stays if that fails.

        :returns: how each fetch ended, by ``kid``
        """
        return run(self._refreshing())

    async def arefresh_now(self) -> dict[str, FetchOutcome]:
        """:meth:`refresh_now` in an event loop."""
        return await arun(self._refreshing())

    def purge(self) -> None:
        """Forget every key, at once. The next use of each fetches it."""
        with self._lock:
            documents = list(self._known.values())
            self._known = {kid: self._document(kid) for kid in self._pinned}
            self._asked = {}
            self._schedule.forget()
            self._changed()
        for document in documents:
            # What is under way may have been asked for before there was a reason to purge.
            document.purge()

    def stats(self) -> dict[str, Any]:
        """Counters for operators.

        :returns: ``fetches`` by outcome; ``failures`` in a row; ``age`` in seconds of the oldest key, or
            ``None``; ``stale``: whether one is older than it should be; ``ready``; ``keys`` that are held;
            ``skipped``: always empty; ``evicted``: how many made way; ``unknown_kids`` that were asked about,
            and how many of those while AWS was not to be asked, ``unknown_kids_refused``
        """
        now = self._monotonic()
        lifetimes = [each._held.lifetime for each in self._known.values() if each._held is not None]
        with self._lock:
            fetches = {str(outcome): count for outcome, count in sorted(self._fetches.items())}
        return {
            "fetches": fetches,
            "failures": self._failures,
            "age": max((now - each.fetched_at for each in lifetimes), default=None),
            "stale": any(now >= each.stale_at for each in lifetimes),
            "ready": self.ready,
            "keys": len(self._held_now()),
            "skipped": {},
            "evicted": self._evicted,
            "unknown_kids": self._unknown_kids,
            "unknown_kids_refused": self._unasked_kids,
        }

    def _used(self, kid: str) -> None:
        """A token was verified with this key."""
        known = self._known.get(kid)
        if known is not None:
            known.used_at = self._monotonic()

    def _document(self, kid: str) -> _KeyAt:
        return _KeyAt(self, kid, f"{self._url}/{kid}", **self._options)

    def _held_now(self) -> list[JWK]:
        return [key for each in self._known.values() if (key := each.peek()) is not None]

    def _looked_through(self) -> JWKSet:
        """The keys that are held; those that are due are fetched again in the background."""
        now, changes, before = self._monotonic(), self._changes, self._snapshot[0]
        looks = [each.look(now) for each in self._known.values()]
        keys = self._held_now()
        if len(keys) != len(before) or any(one is not other for one, other in zip(keys, before, strict=True)):
            before = JWKSet(keys) if keys else JWKSet._of_none()
        # Who finds somebody else at it leaves it to them.
        if self._lock.acquire(blocking=False):
            try:
                if changes == self._changes:
                    self._snapshot = before, min(looks, default=float("inf"))
            finally:
                self._lock.release()
        return before

    # What follows decides, and waits only by yielding.

    def _warming(self) -> Plan[None]:
        for kid in sorted(self._pinned):
            known = self._known.get(kid)
            if known is not None:
                yield from known._looking()

    def _refreshing(self) -> Plan[dict[str, FetchOutcome]]:
        outcomes = {}
        for kid, document in self._known.items():
            outcomes[kid] = yield from document._refreshing()
        return outcomes

    def _seeking(self, kid: str) -> Plan[bool]:
        known = self._known.get(kid)
        if known is not None:
            return (yield from known.seeking())
        asked = self._asked_for(kid)
        if asked is not None:
            # Whoever comes when its fetch has ended takes what it brought.
            flight = asked._depart(self._monotonic(), lambda now: self._asked.get(kid) is asked)
            if flight is not None:
                yield flight
            known = self._known.get(kid)
            if known is not None and known.peek() is not None:
                return True
        # Of what AWS said is not there, or cannot be, there is no doubt.
        if _is_kid(kid) and self._failures and not self._held_now():
            after = max(self._schedule.unknown_due - self._monotonic(), 1.0)
            raise Unavailable("the keys of the load balancers cannot be fetched now", retry_after=after)
        return False

    def _asked_for(self, kid: str) -> _KeyAt | None:
        """The document under this ``kid``, if it may be asked for now."""
        now = self._monotonic()
        with self._lock:
            self._unknown_kids += 1
            asked = self._known.get(kid) or self._asked.get(kid)
            if asked is not None:
                return asked
            if not _is_kid(kid) or not self._schedule.reserve(kid, now):
                self._unasked_kids += 1
                return None
            # Of those that hang where no deadline reaches nothing is wanted any more.
            self._asked = {each: asked for each, asked in self._asked.items() if not asked.hangs}
            asked = self._asked[kid] = self._document(kid)
            return asked

    # What follows runs where a fetch ends.

    def _settle(self, document: _KeyAt, outcome: FetchOutcome) -> None:
        kid, now = document.kid, self._monotonic()
        with self._lock:
            self._fetches[outcome] += 1
            first, self._counted = not self._counted, True
            definite = outcome.succeeded or document.status in _NOT_THERE
            self._failures = 0 if definite else self._failures + 1
            if self._asked.get(kid) is document:
                del self._asked[kid]
                if outcome.succeeded:
                    self._adopt(document, now)
                elif definite:
                    self._schedule.not_found(kid, now)
            elif document.status in _GONE and kid not in self._pinned:
                # Not remembered as unknown: if it was a mistake, the next token brings it back.
                self._known = {each: known for each, known in self._known.items() if known is not document}
            self._changed()
        if first:
            KEY_SOURCES.count(self._url)

    def _adopt(self, document: _KeyAt, now: float) -> None:
        document.used_at = now
        known = {**self._known, document.kid: document}
        if len(known) > self._max_keys:
            loose = [each for each in known.values() if each.kid not in self._pinned]
            del known[min(loose, key=lambda each: each.used_at).kid]
            self._evicted += 1
        self._known = known

    def _changed(self) -> None:
        self._changes += 1
        self._snapshot = self._snapshot[0], float("-inf")

    def _tell(self, event: FetchEvent) -> None:
        if self._on_event is not None:
            self._on_event(replace(event, url=self._url))

    def _after_fork(self) -> None:
        # The threads that hold the lock or fetch have stayed with the parent; the keys have not.
        self._lock = threading.Lock()
        self._asked = {}

    def __repr__(self) -> str:
        return f"<keybound.LoadBalancerKeys {'ready' if self.ready else 'not ready'}>"


class _KeyAt(RemoteDocument[JWK]):
    """One key at its URL.

    :ivar used_at: when it last verified a token, or was fetched first
    :ivar status: of the last answer, or ``None``
    """

    _own = False

    def __init__(self, owner: LoadBalancerKeys, kid: str, url: str, **options: Any) -> None:
        self.kid, self.used_at = kid, float("-inf")
        self.status: int | None = None
        self._owner = owner
        super().__init__(url, parse=self._parsed, same=_same, **options)

    @property
    def hangs(self) -> bool:
        """Whether a fetch is under way for longer than any may be."""
        flight = self._flight
        return flight is not None and flight.overdue

    def look(self, now: float) -> float:
        """Have it fetched if it is due, and tell when to look again."""
        held = self._held
        if held is None:
            return float("inf")
        if now < held.lifetime.refresh_at:
            return held.lifetime.refresh_at
        self._refresh_in_background(now)
        # The end of a fetch makes everybody look again.
        return min(max(held.lifetime.dead_at, now), max(self._schedule.due, now + 1))

    def seeking(self) -> Plan[bool]:
        """Whether it is at hand, fetched if that is allowed now.

        :raises Unavailable: it cannot be fetched
        """
        try:
            yield from self._looking()
        except Unavailable:
            if self.status in _NOT_THERE:
                return False
            raise
        return True

    def _parsed(self, body: bytes) -> JWK:
        if not body.strip().startswith(b"-----BEGIN PUBLIC KEY-----"):
            raise FetchFailed(FetchOutcome.MALFORMED)
        try:
            return JWK.from_pem(body, kid=self.kid, alg="ES256")
        except InvalidKey:
            raise FetchFailed(FetchOutcome.NOTHING_USABLE) from None

    def _conclude(
        self,
        flight: Flight,
        result: Response | FetchFailed,
        before: Held[JWK] | None = None,
        value: JWK | None = None,
    ) -> FetchOutcome:
        outcome = super()._conclude(flight, result, before, value)
        self.status = result.status
        if self.status in _GONE:
            self._held = None
        self._owner._settle(self, outcome)
        return outcome


def region_url(region: str) -> str:
    """Where the keys of a region are (AWS, Authenticate users using an Application Load Balancer).

    :raises PolicyError: it is no region, or one whose endpoint is not known
    """
    if not isinstance(region, str) or not _REGION.fullmatch(region) or region.startswith("cn-"):
        raise PolicyError("region must be one of AWS; for those in China, give the url")
    if region.startswith("us-gov-"):
        return f"https://s3-{region}.amazonaws.com/aws-elb-public-keys-prod-{region}"
    return f"https://public-keys.auth.elb.{region}.amazonaws.com"


def _checked_base(url: str, allow_http: bool) -> str:
    checked_url = check_url(url, allow_http=allow_http)
    if "?" in checked_url or "#" in checked_url:
        raise PolicyError("url must end where the kid is added: without a query")
    return checked_url.rstrip("/")


def _is_kid(kid: object) -> bool:
    return isinstance(kid, str) and _KID.fullmatch(kid) is not None


def _same(old: JWK, new: JWK) -> bool:
    return (old._kind, old._material) == (new._kind, new._material)
