"""Documents that the processes of one machine or cluster share, so that one fetch serves all of them."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol, runtime_checkable

from keybound.errors import PolicyError

__all__ = ["DirectoryDocuments", "SharedDocuments"]

_MOST = 16 * 1024 * 1024
# Of a process that ended while it wrote.
_ABANDONED = 3600.0


@runtime_checkable
class SharedDocuments(Protocol):
    """Where processes leave the JWK Sets and metadata that they fetched for each other; never tokens.

    Both methods are called in the thread of a fetch, by one thread at a time for each key source. Whatever
    they raise means that there is nothing. Whoever can write here chooses the keys.
    """

    def load(self, url: str) -> bytes | None:
        """What was stored last for that URL, or ``None``."""
        ...

    def store(self, url: str, state: bytes) -> None:
        """Keep what :meth:`~keybound.RemoteJWKSet.export_state` gave, in place of what was there."""
        ...


class DirectoryDocuments:
    """One file for each URL in a directory, for the processes of one user on one machine (POSIX).

    The directory and its files must belong to this user or to root, and nobody else may write to them:
    whoever can, chooses the keys. That is looked at each time. Files are replaced as a whole.

    :param path: the directory; the first who stores makes it, for this user alone, if it is not there
    :raises PolicyError: it cannot be used, others may write to it, or this platform does not tell
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not hasattr(os, "geteuid"):
            raise PolicyError("this platform does not tell who owns a directory; share through a server")
        if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
            raise PolicyError("path must be text or a path")
        self._path = os.fspath(path)
        try:
            with suppress(FileNotFoundError), self._opened():
                pass
        except (OSError, ValueError) as error:
            raise PolicyError(f"the directory cannot be used: {type(error).__name__}") from None

    def load(self, url: str) -> bytes | None:
        """See :meth:`SharedDocuments.load`.

        :raises OSError: it cannot be read
        :raises PolicyError: others may write to it
        """
        with suppress(FileNotFoundError), self._opened() as directory:
            # Whatever else bears that name must not be followed, or waited for.
            file = os.open(_name(url), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
            with open(file, "rb") as opened:
                status = os.fstat(file)
                if not stat.S_ISREG(status.st_mode):
                    raise PolicyError("what bears the name of a shared document is no file")
                _check_owner(status)
                return opened.read(_MOST)
        return None

    def store(self, url: str, state: bytes) -> None:
        """See :meth:`SharedDocuments.store`.

        :raises OSError: it cannot be written
        :raises PolicyError: others may write to the directory
        """
        name = _name(url)
        draft = f"{name}.{secrets.token_hex(8)}"
        with suppress(FileExistsError):
            os.mkdir(self._path, 0o700)
        with self._opened() as directory:
            _sweep(directory, f"{name}.")
            file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory)
            try:
                with open(file, "wb") as opened:
                    opened.write(state)
                os.replace(draft, name, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                os.unlink(draft, dir_fd=directory)
                raise

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The directory itself, so that what is looked at is what is used."""
        directory = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _check_owner(os.fstat(directory))
            yield directory
        finally:
            os.close(directory)

    def __repr__(self) -> str:
        return "<keybound.keys.DirectoryDocuments>"


def _name(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()


def _check_owner(status: os.stat_result) -> None:
    if status.st_uid not in (os.geteuid(), 0):
        raise PolicyError("shared documents belong to another user, who could choose the keys")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PolicyError("others may write to the shared documents, and so choose the keys")


def _sweep(directory: int, drafts: str) -> None:
    for name in os.listdir(directory):
        if name.startswith(drafts):
            with suppress(FileNotFoundError):
                if time.time() - os.stat(name, dir_fd=directory).st_mtime > _ABANDONED:
                    os.unlink(name, dir_fd=directory)
