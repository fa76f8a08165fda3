"""A replay store in the memory of one process."""

from __future__ import annotations

import math
import secrets
import threading
from array import array
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from keybound.errors import PolicyError, Unavailable
from keybound.limits import MAX_REPLAY_ENTRIES
from keybound.stores._counters import Counters
from keybound.stores._forks import FORKS, Lock
from keybound.stores.replay import FURTHEST_EXPIRY, check_times, proof_text

__all__ = ["MemoryReplayStore"]

if TYPE_CHECKING:
    _Bucket = tuple[list[int], array[int]]

_SHARDS = 16
_SLOTS = 8192
_LEFT, _RIGHT = 4, 17
_TAG = (1 << 30) - 1
"""Bits of a principal's tag: four for the shard, then thirteen for each of its two slots."""

_SMALLEST_SHARE = 1024
"""No more principals than these can have filled their shares, so that slots of full ones stay rare."""

_WIDTH = 8
_LAG = 5
"""Seconds: the narrowest bucket, and how long an entry stays for threads whose time is a little older."""

_NEAR = 4096
_RECLAIMED = 64

_FIRST = "accepted"
_SEEN = "replayed"
_OVER = "over"
_FULL = "refused_full"
_PRINCIPAL_FULL = "refused_principal"
_FORGOTTEN = "refused_clock"
_MESSAGES = {
    _FULL: "the replay store is full",
    _PRINCIPAL_FULL: "the replay store holds as many proofs of one principal as it may",
    _FORGOTTEN: "the clock stepped back to a time that the replay store has forgotten",
}


class MemoryReplayStore:
    """Remembers used proofs in this process, and in no other.

    Processes that were forked have a store each from the fork on: what one of them has accepted, another
    accepts again. Where several processes serve, they have to share a store on a server.

    What can no longer be presented is forgotten, a little at a time, while other proofs come in. A full
    store refuses what is new, and never forgets what could still be presented. A principal
    with many proofs reaches its own bound first. When the clock steps back to before something was
    forgotten, proofs of that time are refused.

    :param max_entries: proofs remembered at most; a million take about 100 MB
    :param max_per_principal: proofs of one principal remembered at most; an eighth of ``max_entries`` if
        left out, and never less than one in 1024 of them
    :raises PolicyError: a bound is not a whole number in its range
    """

    def __init__(self, *, max_entries: int = 1_000_000, max_per_principal: int | None = None) -> None:
        _check_bound("max_entries", max_entries, 1, MAX_REPLAY_ENTRIES)
        share = max(1, max_entries // 8) if max_per_principal is None else max_per_principal
        _check_bound("max_per_principal", share, -(-max_entries // _SMALLEST_SHARE), max_entries)
        self._budget = _Budget(max_entries)
        self._shards = [_Shard(self._budget, share) for _ in range(_SHARDS)]
        # hash() of str is SipHash over its memory. Secrets of the store's own, in front, make it what nobody
        # can foretell, also where PYTHONHASHSEED is set: nobody outside can choose what meets in one entry,
        # slot or shard. They also tell apart texts of different width whose memory would be the same.
        self._proof_salt = secrets.token_hex(16)
        self._principal_salt = secrets.token_hex(16)
        self._counters = Counters((_SEEN, _OVER, *_MESSAGES))
        FORKS.watch(self)

    def put(
        self,
        kind: str,
        principal: str,
        jti: str,
        *,
        expires_at: float,
        now: float,
        issued_at: float | None = None,
    ) -> bool:
        """See :meth:`keybound.stores.ReplayStore.put`; ``issued_at`` makes no difference here."""
        plain = now.__class__ is expires_at.__class__ is float
        # Anything but the usual: whole numbers, a proof whose time is over, no time at all.
        if not (plain and 0.0 <= now < expires_at <= FURTHEST_EXPIRY) and not check_times(expires_at, now):
            self._counters.count(_OVER)
            return False
        key = hash(self._proof_salt + proof_text(kind, principal, jti))
        tag = hash(self._principal_salt + principal) & _TAG
        shard = self._shards[tag & _SHARDS - 1]
        outcome = shard.add(key, tag, expires_at, now)
        if outcome is _FULL:
            self._make_room(now)
            outcome = shard.add(key, tag, expires_at, now)
        if outcome is _FIRST:
            return True
        self._counters.count(outcome)
        if outcome is _SEEN:
            return False
        raise Unavailable(_MESSAGES[outcome], retry_after=shard.relief(now))

    async def aput(
        self,
        kind: str,
        principal: str,
        jti: str,
        *,
        expires_at: float,
        now: float,
        issued_at: float | None = None,
    ) -> bool:
        """:meth:`put` for use in an event loop; never waits."""
        return self.put(kind, principal, jti, expires_at=expires_at, now=now)

    def stats(self) -> dict[str, int]:
        """Counters for operators, since the store was made; ``entries`` is of now.

        :returns: ``accepted`` (first uses), ``replayed``, ``over`` (presented when their time was past),
            ``refused_full``, ``refused_principal``, ``refused_clock``, ``expired`` (and forgotten since),
            ``entries``
        """
        entries = sum(len(shard.entries) for shard in self._shards)
        expired = sum(shard.expired for shard in self._shards)
        counted = self._counters.numbers()
        return {_FIRST: entries + expired, **counted, "expired": expired, "entries": entries}

    def _make_room(self, now: float) -> None:
        """Collect what the shards hold of the common budget without need."""
        for shard in self._shards:
            with shard.lock:
                shard.reclaim(now)
                shard.give_back()

    def _locks(self) -> list[Lock]:
        """Every lock, in the order in which they may be held together."""
        shards = [shard.lock for shard in self._shards]
        return [*shards, self._budget.lock, self._counters.lock]

    def __repr__(self) -> str:
        return f"<keybound.stores.MemoryReplayStore, {self.stats()['entries']} entries>"


class _Budget:
    """Entries that no shard has asked for yet."""

    def __init__(self, entries: int) -> None:
        self.lock = threading.RLock()
        self.left = entries
        # Shards come here once in a while, and not with every entry.
        self.portion = max(1, entries // (_SHARDS * 64))

    def take(self) -> int:
        with self.lock:
            taken = min(self.left, self.portion)
            self.left -= taken
            return taken

    def give(self, entries: int) -> None:
        with self.lock:
            self.left += entries


class _Shard:
    """The entries of some principals, as hashes.

    Entries that expire at about the same time lie in one bucket. How many a principal has is counted in
    two slots that it shares with few others, with different ones in both: the lesser count may be too
    high, and then refuses what it should not, but it is never too low.
    """

    __slots__ = (
        "acquire", "buckets", "budget", "credit", "due", "ends", "entries", "expired", "forgotten", "left",
        "lock", "near", "release", "right", "share", "wake",
    )  # fmt: skip

    def __init__(self, budget: _Budget, share: int) -> None:
        # Reentrant, because a finalizer that runs in between may put something itself.
        self.lock = threading.RLock()
        self.acquire, self.release = self.lock.acquire, self.lock.release
        self.budget = budget
        self.share = share
        self.credit = 0
        self.entries: set[int] = set()
        self.left = [0] * _SLOTS
        self.right = [0] * _SLOTS
        self.buckets: dict[int, _Bucket] = {}
        self.near: dict[float, _Bucket] = {}
        self.ends: list[int] = []
        self.due: _Bucket = ([], array("I"))
        self.wake = math.inf
        self.forgotten = -1
        self.expired = 0

    def add(self, key: int, tag: int, expires_at: float, now: float) -> str:
        """What has become of an entry: it is new, or there already, or refused."""
        entries, left, right = self.entries, self.left, self.right
        one, other = tag >> _LEFT & _SLOTS - 1, tag >> _RIGHT
        # In half the time that "with" takes.
        self.acquire()
        try:
            if self.wake <= now:
                self.reclaim(now)
            many, also = left[one], right[other]
            if expires_at <= self.forgotten:
                return self._refusal(key, _FORGOTTEN)
            if many >= self.share and also >= self.share:
                return self._refusal(key, _PRINCIPAL_FULL)
            if not self.credit and not self._borrow():
                return self._refusal(key, _FULL)
            hashes, tags = self.near.get(expires_at // _WIDTH) or self._bucket(expires_at, now)
            before = len(entries)
            entries.add(key)
            if len(entries) == before:
                return _SEEN
            hashes.append(key)
            tags.append(tag)
            left[one] = many + 1
            right[other] = also + 1
            self.credit -= 1
            return _FIRST
        finally:
            self.release()

    def relief(self, now: float) -> float:
        """Seconds until entries may be forgotten next: a guess, for those who were refused."""
        return min(max(1.0, self.wake - now), 60.0)

    # What follows is called under the lock.

    def reclaim(self, now: float) -> None:
        """Forget some entries whose time is over: more than come in meanwhile, and without a pause."""
        if not self.due[0]:
            if not self.ends or self.ends[0] + _LAG > now:
                self.wake = self.ends[0] + _LAG if self.ends else math.inf
                return
            # From here on nobody can tell whether a proof that ends before was used.
            self.forgotten = heappop(self.ends)
            self.due = self.buckets.pop(self.forgotten)
            self.near.clear()
        hashes, tags = self.due
        count = min(_RECLAIMED, len(hashes))
        self.entries.difference_update(hashes[-count:])
        for tag in tags[-count:]:
            self.left[tag >> _LEFT & _SLOTS - 1] -= 1
            self.right[tag >> _RIGHT] -= 1
        del hashes[-count:], tags[-count:]
        self.expired += count
        self.credit += count
        if self.credit > 2 * self.budget.portion:
            self.give_back()

    def give_back(self) -> None:
        self.budget.give(self.credit)
        self.credit = 0

    def _borrow(self) -> int:
        self.credit = self.budget.take()
        return self.credit

    def _refusal(self, key: int, otherwise: str) -> str:
        return _SEEN if key in self.entries else otherwise

    def _bucket(self, expires_at: float, now: float) -> _Bucket:
        """Where an entry waits. The further away its end, the longer it may outstay it: by a quarter."""
        width = max(_WIDTH, 1 << max(0, int(expires_at - now).bit_length() - 3))
        end = (int(expires_at) // width + 1) * width
        found = self.buckets.get(end)
        if found is None:
            found = self.buckets[end] = ([], array("I"))
            heappush(self.ends, end)
            self.wake = min(self.wake, self.ends[0] + _LAG)
        if len(self.near) >= _NEAR:
            self.near.clear()
        self.near[expires_at // _WIDTH] = found
        return found


def _check_bound(name: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise PolicyError(f"{name} must be a whole number from {least} to {most}")
