"""A clock that moves only when it is told to."""

from __future__ import annotations

import threading

__all__ = ["FakeClock"]


class FakeClock:
    """A :data:`keybound.clock.Clock`: call it for the time. Safe to share between threads.

    :param now: seconds since 1970-01-01T00:00:00Z (NumericDate, RFC 7519, 2)
    """

    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self._now = now
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move by ``seconds``; a negative number steps the clock back."""
        with self._lock:
            self._now += seconds

    def set(self, now: float) -> None:
        """Jump to ``now``, in seconds since 1970-01-01T00:00:00Z."""
        with self._lock:
            self._now = now

    def __repr__(self) -> str:
        return f"FakeClock({self._now!r})"
