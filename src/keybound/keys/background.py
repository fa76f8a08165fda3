"""Threads for what must not happen in the caller's: none before the first fetch, none across a fork."""

from __future__ import annotations

import heapq
import itertools
import os
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, runtime_checkable

__all__ = ["Forkable", "adopt", "later", "start"]


# Below what a platform may take for the timeout of a lock.
_LONGEST_WAIT = 86_400.0
# Tasks from which on it pays to look for those that nobody is left for.
_CROWDED = 1024


@runtime_checkable
class Forkable(Protocol):
    """Something with locks or threads that a child process does not inherit."""

    def _after_fork(self) -> None:
        """Begin anew, in the child."""


def start(work: Callable[[], None]) -> None:
    """Run ``work`` in a daemon thread of its own.

    :raises RuntimeError: there is no thread to be had
    """
    threading.Thread(target=work, name="keybound-fetch", daemon=True).start()


def later(seconds: float, work: Callable[[], None]) -> None:
    """Run ``work``, which must not wait for anything, once that many seconds have passed.

    It is kept by a weak reference: a bound method of something that is gone is not called any more.
    """
    _timer.add(time.monotonic() + seconds, weakref.WeakMethod(work))


def adopt(forkable: Forkable) -> None:
    """Tell ``forkable`` when it finds itself in a child process, as long as it lives."""
    _forkables.add(forkable)


class Timer:
    """One thread for all that is to be done later."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._tasks: list[tuple[float, int, weakref.WeakMethod[Callable[[], None]]]] = []
        self._numbers = itertools.count()
        self._crowded = _CROWDED
        self._running = False

    def add(self, at: float, work: weakref.WeakMethod[Callable[[], None]]) -> None:
        with self._changed:
            if len(self._tasks) >= self._crowded:
                # Those who are gone have left their tasks, and some are made faster than these fall due.
                self._tasks = [task for task in self._tasks if task[2]() is not None]
                heapq.heapify(self._tasks)
                self._crowded = max(2 * len(self._tasks), _CROWDED)
            heapq.heappush(self._tasks, (at, next(self._numbers), work))
            if self._running:
                self._changed.notify()
                return
            self._running = True
        try:
            threading.Thread(target=self._run, name="keybound-timer", daemon=True).start()
        except RuntimeError:
            # No thread to be had: what is due is then found by those who ask for it.
            self._running = False

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._tasks or (left := self._tasks[0][0] - time.monotonic()) > 0:
                    self._changed.wait(min(left, _LONGEST_WAIT) if self._tasks else None)
                work = heapq.heappop(self._tasks)[2]()
            if work is not None:
                # One that fails must not take those of the others along.
                with suppress(Exception):
                    work()
            # What it belongs to may go now, and not only when the next task comes.
            del work


_timer = Timer()
_forkables: weakref.WeakSet[Forkable] = weakref.WeakSet()


def _after_fork() -> None:
    global _timer
    _timer = Timer()
    for forkable in list(_forkables):
        forkable._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
