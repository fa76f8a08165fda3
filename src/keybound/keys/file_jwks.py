"""Keys in a file that somebody else replaces: a mounted secret, a sidecar, a deployment."""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path
from typing import Any

from keybound.clock import Clock, checked
from keybound.errors import InvalidKey, PolicyError
from keybound.jose.jwk_set import JWKSet
from keybound.keys import background

__all__ = ["FileJWKSet"]


class FileJWKSet:
    """The JWK Set in a file, read again when the file changes. Usable as ``keys=`` of every validator.

    A file that is gone, unreadable or holds no usable set changes nothing: the last good set stays in
    use, without a bound in time, and ``stats()`` counts the failure. The keys are the operator's own, so
    they follow the rules of :meth:`keybound.JWKSet.from_json`.

    :param path: of a JWK Set, or a single JWK, in JSON
    :param check_after: seconds between two looks at the file
    :param monotonic: clock for that
    :raises PolicyError: the file cannot be read now, or an option is impossible
    :raises InvalidKey: the file holds no usable set now
    """

    def __init__(
        self, path: str | os.PathLike[str], *, check_after: float = 1.0, monotonic: Clock = time.monotonic
    ) -> None:
        if type(check_after) not in (int, float) or not check_after > 0:
            raise PolicyError("check_after must be a positive number of seconds")
        if not isinstance(path, (str, os.PathLike)):
            raise PolicyError("path must be text or a path")
        self._path = Path(path)
        self._check_after, self._monotonic = check_after, checked(monotonic)
        self._reloads = self._failures = 0
        self._lock = threading.Lock()
        try:
            self._mark, self._keys = self._load()
        except OSError as error:
            raise PolicyError(f"the file with the keys cannot be read: {type(error).__name__}") from None
        except InvalidKey:
            raise
        except ValueError:  # a path with a NUL
            raise PolicyError("the file with the keys cannot be read: there is no such file") from None
        self._check_at = self._monotonic() + check_after
        background.adopt(self)

    def snapshot(self) -> JWKSet:
        """The keys as they are now."""
        # Who finds somebody else looking takes what there is.
        if self._monotonic() >= self._check_at and self._lock.acquire(blocking=False):
            try:
                self._check_at = self._monotonic() + self._check_after
                if self._look() != self._mark:
                    self._reload()
            finally:
                self._lock.release()
        return self._keys

    def reload(self) -> bool:
        """Read the file now, changed or not. Returns whether it held a usable set."""
        with self._lock:
            return self._reload()

    def stats(self) -> dict[str, Any]:
        """Counters for operators: ``reloads`` and ``failures`` so far, ``keys`` in use, and the keys of
        the file that were ``skipped``, by reason.
        """
        return {
            "reloads": self._reloads,
            "failures": self._failures,
            "keys": len(self._keys),
            "skipped": dict(self._keys.skipped),
        }

    def _reload(self) -> bool:
        try:
            self._mark, self._keys = self._load()
        except (OSError, InvalidKey):
            self._failures += 1
            # Looked at again when it changes again.
            self._mark = self._look()
            return False
        self._reloads += 1
        return True

    def _load(self) -> tuple[object, JWKSet]:
        # Marked before it is read: what is written in between is found with the next look.
        mark = self._look()
        # Not waiting for whoever writes to a pipe, in the thread of whoever asks.
        with open(self._path, "rb", opener=_without_waiting) as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise FileNotFoundError
            return mark, JWKSet.from_json(opened.read())

    def _look(self) -> object:
        """What tells one state of the file from another; ``None`` if there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def _after_fork(self) -> None:
        # The thread that holds it has stayed with the parent.
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<keybound.FileJWKSet of {len(self._keys)} keys>"


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
