"""What a child process inherits: no lock that another thread held, and nothing half done."""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Protocol, TypeAlias

__all__ = ["FORKS", "Lock", "Locked"]

Lock: TypeAlias = "AbstractContextManager[Any]"
"""Held by ``with``."""


class Locked(Protocol):
    """An object with locks of its own."""

    def _locks(self) -> list[Lock]:
        """All of them, in the order in which they may be held together."""
        ...


class _Forks:
    """Holds the locks of all watched objects while the process forks."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._watched: weakref.WeakSet[Locked] = weakref.WeakSet()
        self._held = ExitStack()
        self._registered = not hasattr(os, "register_at_fork")

    def watch(self, owner: Locked) -> None:
        with self._lock:
            self._watched.add(owner)
            # Not before there is something to watch: importing the package leaves the process as it is.
            if not self._registered:
                os.register_at_fork(before=self._hold, after_in_parent=self._free, after_in_child=self._free)
                self._registered = True

    def _hold(self) -> None:
        self._held.enter_context(self._lock)
        for owner in list(self._watched):
            for lock in owner._locks():
                self._held.enter_context(lock)

    def _free(self) -> None:
        self._held.close()


FORKS = _Forks()
"""All of this process."""
