"""The cache of verified tokens: bounded, per validator, and good for one set of keys."""

from __future__ import annotations

import math
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from keybound.errors import Unavailable
from keybound.limits import CacheSettings

__all__ = ["TokenCache"]


def seconds(answer: Any) -> float:
    """What a clock that was given has answered.

    :raises Unavailable: it is not a number
    """
    # What C takes for a double: no text, which float() would.
    with suppress(TypeError, ValueError, OverflowError):
        return math.ldexp(answer, 0)
    raise Unavailable("the clock did not answer with a number of seconds")


@dataclass(slots=True)
class Entry:
    """A token that was verified; written once, before it is stored."""

    token: Any
    cost: int
    fresh_until: float = 0.0


class TokenCache:
    """Two generations of entries: a full young one becomes the old one, and the old one goes.

    Lookup is by the whole token. Entries die when another key index than the one that verified them is
    asked about.
    """

    def __init__(self, settings: CacheSettings) -> None:
        self._lock = threading.Lock()
        self._keys: object = None
        self._young: dict[str, Entry] = {}
        self._old: dict[str, Entry] = {}
        self._young_cost = self._old_cost = 0
        self._half_entries = max(1, settings.entries // 2)
        self._half_memory = settings.memory_bytes // 2
        self._lifetime = settings.lifetime
        self._monotonic = settings.monotonic or time.monotonic
        self._hits = self._misses = self._dropped = 0

    def counters(self) -> dict[str, int]:
        """Hits, misses and dropped entries since the start; entries and bytes now."""
        with self._lock:
            return {
                "hits": self._hits,
                "misses": self._misses,
                "dropped": self._dropped,
                "entries": len(self._young) + len(self._old),
                "bytes": self._young_cost + self._old_cost,
            }

    def clear(self) -> None:
        """Forget every token."""
        with self._lock:
            self._forget()

    def find(self, raw: str, keys: object) -> Entry | None:
        """The entry of a token, if it is still fresh and was verified with these keys."""
        now = seconds(self._monotonic())
        with self._lock:
            if keys is not self._keys:
                self._forget()
                self._keys = keys
            entry = self._young.get(raw)
            if entry is None:
                entry = self._old.get(raw)
                if entry is not None:
                    self._put(raw, entry)
            # True for a fresh entry, so a clock that says NaN finds none.
            if entry is not None and now < entry.fresh_until:
                self._hits += 1
                return entry
            self._misses += 1
            self._dropped += self._remove(raw)
            return None

    def store(self, raw: str, keys: object, entry: Entry) -> None:
        """Keep a token that was verified with these keys just now."""
        if entry.cost <= self._half_memory:
            entry.fresh_until = seconds(self._monotonic()) + self._lifetime
            with self._lock:
                # Another thread may have come with newer keys in the meantime.
                if keys is self._keys:
                    self._put(raw, entry)

    def drop(self, raw: str) -> None:
        """Forget one token, so that no clock that steps back finds it again."""
        with self._lock:
            self._dropped += self._remove(raw)

    def _after_fork(self) -> None:
        # The thread that holds it has stayed with the parent, and may have been in the middle of something.
        self._lock = threading.Lock()
        self._forget()

    # What follows is called under the lock.

    def _forget(self) -> None:
        self._dropped += len(self._young) + len(self._old)
        self._young, self._old = {}, {}
        self._young_cost = self._old_cost = 0

    def _remove(self, raw: str) -> int:
        """How many entries there were: a token is in one generation at most."""
        entry = self._young.pop(raw, None)
        if entry is not None:
            self._young_cost -= entry.cost
            return 1
        entry = self._old.pop(raw, None)
        if entry is not None:
            self._old_cost -= entry.cost
            return 1
        return 0

    def _put(self, raw: str, entry: Entry) -> None:
        """Into the young generation, which makes way when it is full."""
        self._remove(raw)
        if len(self._young) >= self._half_entries or self._young_cost + entry.cost > self._half_memory:
            self._dropped += len(self._old)
            self._old, self._old_cost = self._young, self._young_cost
            self._young, self._young_cost = {}, 0
        self._young[raw] = entry
        self._young_cost += entry.cost
