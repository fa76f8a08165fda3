"""Answers about tokens that were active, kept for a short time: bounded, found by the whole token alone."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import NamedTuple

from keybound.limits import CacheSettings

__all__ = ["AnswerCache"]

# What an entry takes besides its payload, estimated from above.
_ENTRY_BYTES = 512


class _Entry(NamedTuple):
    payload: bytes
    until: float


class AnswerCache:
    """Claims by the hash of the token they are about; the oldest goes first.

    :param settings: bounds; without any, nothing is kept
    """

    def __init__(self, settings: CacheSettings | None) -> None:
        self._settings = settings
        self._monotonic = (settings and settings.monotonic) or time.monotonic
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._bytes = self._hits = self._misses = 0
        self.generation = 0

    def find(self, key: bytes) -> bytes | None:
        """The payload for a token, if its time is not over."""
        if self._settings is None:
            return None
        with self._lock:
            entry = self._entries.get(key)
            # Written so that a clock that says NaN finds nothing.
            if entry is not None and not self._monotonic() < entry.until:
                self._remove(key)
                entry = None
            if entry is None:
                self._misses += 1
                return None
            self._hits += 1
            return entry.payload

    def now(self) -> float:
        """What the clock of lifetimes says."""
        return self._monotonic()

    def store(self, key: bytes, payload: bytes, generation: int, asked_at: float) -> None:
        """Keep an answer that was asked for in this generation, for ``lifetime`` from then on."""
        settings = self._settings
        if settings is None or len(payload) + _ENTRY_BYTES > settings.memory_bytes:
            return
        with self._lock:
            if generation != self.generation:
                return
            self._remove(key)
            self._entries[key] = _Entry(payload, asked_at + settings.lifetime)
            self._bytes += len(payload) + _ENTRY_BYTES
            while len(self._entries) > settings.entries or self._bytes > settings.memory_bytes:
                self._remove(next(iter(self._entries)))

    def drop(self, key: bytes) -> None:
        """Forget one token."""
        with self._lock:
            self._remove(key)

    def clear(self) -> None:
        """Forget everything, also what is being asked for now."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0
            self.generation += 1

    def counters(self) -> dict[str, int]:
        """Hits and misses since the start; entries and bytes now."""
        with self._lock:
            return {
                "hits": self._hits,
                "misses": self._misses,
                "entries": len(self._entries),
                "bytes": self._bytes,
            }

    def _remove(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= len(entry.payload) + _ENTRY_BYTES

    def _after_fork(self) -> None:
        # Who held it has stayed with the parent, perhaps half way through.
        self._lock = threading.Lock()
        self._entries.clear()
        self._bytes = 0
