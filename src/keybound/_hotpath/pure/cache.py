"""The cache of verified tokens: bounded, per validator, and good for one set of keys."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from keybound.limits import CacheSettings

__all__ = ["TokenCache"]


@dataclass
class Entry:
    """A token that was verified with ``keys``; written once, before it is stored."""

    token: Any
    keys: object
    cost: int
    fresh_until: float = 0.0


class TokenCache:
    """Two generations of entries: a full young one becomes the old one, and the old one goes.

    Lookup is by the whole token. What is found counts only for the very key index that verified it.
    """

    def __init__(self, settings: CacheSettings) -> None:
        self._lock = threading.Lock()
        self._young: dict[object, Entry] = {}
        self._old: dict[object, Entry] = {}
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
            self._dropped += len(self._young) + len(self._old)
            self._young, self._old = {}, {}
            self._young_cost = self._old_cost = 0

    def find(self, raw: object, keys: object) -> Entry | None:
        """The entry of a token, if it is still fresh and was verified with these keys."""
        now = self._monotonic()
        with self._lock:
            entry = self._young.get(raw)
            if entry is None:
                entry = self._old.pop(raw, None)
                if entry is not None:
                    self._old_cost -= entry.cost
                    self._put(raw, entry)
            if entry is None or entry.keys is not keys or now >= entry.fresh_until:
                self._misses += 1
                return None
            self._hits += 1
            return entry

    def store(self, raw: object, entry: Entry) -> None:
        """Keep a token that was verified just now."""
        if entry.cost <= self._half_memory:
            entry.fresh_until = self._monotonic() + self._lifetime
            with self._lock:
                self._put(raw, entry)

    def drop(self, raw: object) -> None:
        """Forget one token, so that no clock that steps back finds it again."""
        with self._lock:
            entry = self._young.pop(raw, None)
            if entry is not None:
                self._young_cost -= entry.cost
                self._dropped += 1

    def _put(self, raw: object, entry: Entry) -> None:
        """Under the lock: into the young generation, which makes way when it is full."""
        replaced = self._young.pop(raw, None)
        if replaced is not None:
            self._young_cost -= replaced.cost
        if len(self._young) >= self._half_entries or self._young_cost + entry.cost > self._half_memory:
            self._dropped += len(self._old)
            self._old, self._old_cost = self._young, self._young_cost
            self._young, self._young_cost = {}, 0
        self._young[raw] = entry
        self._young_cost += entry.cost
