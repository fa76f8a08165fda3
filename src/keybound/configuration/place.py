"""Places in a configuration file, and what is wrong there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from keybound.errors import PolicyError

__all__ = ["NAME", "ConfigurationError", "Missing", "Problem", "at", "below", "is_name"]

NAME = "^[A-Za-z0-9_-]{1,64}$"
"""What a table may be called: a bare key of TOML, and no longer than people read."""


class Problem(NamedTuple):
    """:ivar place: dotted names from the top of the file
    :ivar message: a fixed sentence; nothing that the file holds as a value
    """

    place: str
    message: str


class ConfigurationError(PolicyError):
    """What a configuration file says cannot be used.

    :ivar place: where, as dotted names, such as ``validators.accounts.leeway``; empty for the whole file
    :ivar message: why, without the place
    """

    def __init__(self, place: str, message: str) -> None:
        self.place = place
        self.message = message
        super().__init__(f"{place}: {message}" if place else message)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.place, self.message)


class Missing(ConfigurationError):
    """What the file points to is not on this machine: another file, or a variable of the environment."""


def is_name(key: object) -> bool:
    """Whether a key may be the name of a table."""
    return isinstance(key, str) and re.match(NAME, key) is not None and not key.endswith("\n")


def below(place: str, key: object) -> str:
    """The place of a member. A key that nobody would choose may be anything, and is not repeated."""
    shown = str(key) if is_name(key) else "?"
    return f"{place}.{shown}" if place else shown


@contextmanager
def at(place: str, *options: str) -> Iterator[None]:
    """Let what is refused within say where it stands.

    :param options: those of the table at ``place``; a message that begins with one of them is about it
    :raises ConfigurationError: in place of every :class:`~keybound.PolicyError`
    """
    try:
        yield
    except ConfigurationError:
        raise
    except PolicyError as problem:
        message = str(problem)
        first = message.partition(" ")[0]
        raise ConfigurationError(below(place, first) if first in options else place, message) from None
