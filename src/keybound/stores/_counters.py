"""Counters that threads share."""

from __future__ import annotations

import threading
from collections.abc import Iterable

__all__ = ["Counters"]


class Counters:
    """Named numbers that only grow; all of them start at 0."""

    def __init__(self, names: Iterable[str]) -> None:
        # Reentrant, because a finalizer that runs in between may count something itself.
        self.lock = threading.RLock()
        self._numbers = dict.fromkeys(names, 0)

    def count(self, name: str) -> None:
        with self.lock:
            self._numbers[name] += 1

    def numbers(self) -> dict[str, int]:
        with self.lock:
            return dict(self._numbers)
