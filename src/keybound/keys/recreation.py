"""Tells of what is made again for each request: it never gets to use what it has learned."""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Hashable

__all__ = ["KEY_SOURCES", "VALIDATORS", "RecreationWarning", "Recreations"]

_PERIOD = 600.0
# What is remembered for each of them is a few octets; only what is used over and over matters.
_NAMES = 256


class RecreationWarning(UserWarning):
    """A key source or validator is made anew again and again, and begins each time with nothing.

    Given once for each URL or policy, at the place that makes it. Who means it, as a program that tests
    others may, filters the warning.
    """


class Recreations:
    """How often something was made under one name within ten minutes; how many of them live does not matter.

    :param most: so many are nothing to talk about
    :param monotonic: clock, in seconds
    """

    def __init__(self, most: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._most, self._monotonic = most, monotonic
        self._counts: dict[Hashable, tuple[float, int]] = {}
        self._told: set[Hashable] = set()
        self._lock = threading.Lock()

    def count(self, name: Hashable) -> None:
        """One more, which others have paid for."""
        now = self._monotonic()
        with self._lock:
            since, count = self._counts.pop(name, (now, 0))
            if now - since >= _PERIOD:
                since, count = now, 0
            self._counts[name] = since, count + 1
            if len(self._counts) > _NAMES:
                # The one that was counted longest ago.
                oldest = next(iter(self._counts))
                del self._counts[oldest]
                self._told.discard(oldest)

    def tell(self, name: Hashable, text: str) -> None:
        """Warn whoever makes one more of what was made too often; once."""
        now = self._monotonic()
        with self._lock:
            since, count = self._counts.get(name, (now, 0))
            if count < self._most or name in self._told or now - since >= _PERIOD:
                return
            self._told.add(name)
        warnings.warn(f"{self._most} {text}", RecreationWarning, stacklevel=_outside())

    def _after_fork(self) -> None:
        # The thread that holds it has stayed with the parent.
        self._lock = threading.Lock()


def _outside() -> int:
    """How far up the code is that uses Keybound, counted from :func:`warnings.warn`'s caller."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("keybound."):
        level, frame = level + 1, frame.f_back
    return level


KEY_SOURCES = Recreations(20)
"""Remote documents by URL, counted with the first fetch of each: one that is not used costs nothing."""

VALIDATORS = Recreations(1000)
"""Validators that have a cache, by their policy and keys."""


def _after_fork() -> None:
    KEY_SOURCES._after_fork()
    VALIDATORS._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
