"""The cache of verified tokens: bounded, per validator, and good for one set of keys."""

cimport cython

from keybound.errors import Unavailable

__all__ = ["TokenCache"]

cdef extern from "time.h" nogil:
    ctypedef long time_t
    cdef struct timespec:
        time_t tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec *value)
    int CLOCK_MONOTONIC


cdef double seconds(answer) except? -1.0:
    """What a clock that was given has answered."""
    try:
        return answer
    except (TypeError, ValueError, OverflowError):
        pass
    raise Unavailable("the clock did not answer with a number of seconds")


@cython.final
@cython.auto_pickle(False)
cdef class Entry:
    """A token that was verified; written once, before it is stored."""


@cython.final
@cython.auto_pickle(False)
cdef class TokenCache:
    """Two generations of entries: a full young one becomes the old one, and the old one goes.

    Lookup is by the whole token. Entries die when another key index than the one that verified them is
    asked about.
    """

    def __init__(self, settings):
        self._young, self._old = {}, {}
        self._half_entries = max(1, settings.entries // 2)
        self._half_memory = settings.memory_bytes // 2
        self._lifetime = settings.lifetime
        self._monotonic = settings.monotonic

    def __reduce__(self):
        raise TypeError("a cache of verified tokens cannot be pickled")

    def counters(self):
        """Hits, misses and dropped entries since the start; entries and bytes now."""
        with cython.critical_section(self):
            return {
                "hits": self._hits,
                "misses": self._misses,
                "dropped": self._dropped,
                "entries": len(self._young) + len(self._old),
                "bytes": self._young_cost + self._old_cost,
            }

    def clear(self):
        """Forget every token."""
        with cython.critical_section(self):
            self._forget()

    cdef double now(self) except? -1.0:
        cdef timespec value
        if self._monotonic is not None:
            return seconds(self._monotonic())
        clock_gettime(CLOCK_MONOTONIC, &value)
        return value.tv_sec + value.tv_nsec * 1e-9

    cdef Entry find(self, str raw, keys):
        cdef Entry entry
        cdef double now = self.now()
        with cython.critical_section(self):
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

    cdef int store(self, str raw, keys, Entry entry) except -1:
        if entry.cost <= self._half_memory:
            entry.fresh_until = self.now() + self._lifetime
            with cython.critical_section(self):
                # Another thread may have come with newer keys in the meantime.
                if keys is self._keys:
                    self._put(raw, entry)
        return 0

    cdef int drop(self, str raw) except -1:
        """Forget one token, so that no clock that steps back finds it again."""
        with cython.critical_section(self):
            self._dropped += self._remove(raw)
        return 0

    # What follows is called under the lock.

    cdef int _forget(self) except -1:
        self._dropped += len(self._young) + len(self._old)
        self._young, self._old = {}, {}
        self._young_cost = self._old_cost = 0
        return 0

    cdef int _remove(self, str raw) except -1:
        """How many entries there were: a token is in one generation at most."""
        cdef Entry entry = self._young.pop(raw, None)
        if entry is not None:
            self._young_cost -= entry.cost
            return 1
        entry = self._old.pop(raw, None)
        if entry is not None:
            self._old_cost -= entry.cost
            return 1
        return 0

    cdef int _put(self, str raw, Entry entry) except -1:
        """Into the young generation, which makes way when it is full."""
        self._remove(raw)
        if len(self._young) >= self._half_entries or self._young_cost + entry.cost > self._half_memory:
            self._dropped += len(self._old)
            self._old, self._old_cost = self._young, self._young_cost
            self._young, self._young_cost = {}, 0
        self._young[raw] = entry
        self._young_cost += entry.cost
        return 0
