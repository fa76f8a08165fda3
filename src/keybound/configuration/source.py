"""A configuration file as it is read: its tables, and where its relative paths begin."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from keybound import toml
from keybound.audience import KINDS
from keybound.configuration.place import ConfigurationError, Problem, below
from keybound.configuration.secrets import secrets_in
from keybound.configuration.tables import FILE
from keybound.errors import PolicyError

__all__ = ["Source", "Text", "check", "problems_of", "read"]

Text = str | bytes | os.PathLike[str]
"""A path, or the text of a document: ``bytes``, or a ``str`` of more than one line."""


class Source(NamedTuple):
    """:ivar document: the tables of the file
    :ivar directory: where relative paths begin
    """

    document: Mapping[str, Any]
    directory: Path


def read(source: Text, directory: str | os.PathLike[str] | None = None) -> Source:
    """Read a file, or take the text of one.

    :param directory: where relative paths begin: that of the file if left out, for a text the current one
    :raises PolicyError: it cannot be read, or is not TOML
    """
    is_text = isinstance(source, (bytes, bytearray)) or (isinstance(source, str) and "\n" in source)
    if is_text:
        return Source(toml.loads(source), Path(directory or "."))  # type: ignore[arg-type]
    if not isinstance(source, (str, os.PathLike)):
        raise PolicyError("a configuration is a path, or the text of a file in TOML")
    try:
        path = Path(source)
        text = path.read_bytes()
    except OSError as error:
        raise PolicyError(f"the configuration cannot be read: {type(error).__name__}") from None
    except ValueError:
        raise PolicyError("the configuration cannot be read: there is no such file") from None
    return Source(toml.loads(text), path.parent if directory is None else Path(directory))


def problems_of(document: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the form of a file: unknown keys, wrong types, names of nothing."""
    names = {
        section: frozenset(name for name in members if isinstance(name, str))
        for section, members in document.items()
        if isinstance(members, Mapping)
    }
    yield from FILE.problems(document, "", names)
    validators = document.get("validators", {})
    for name, members in validators.items() if isinstance(validators, Mapping) else ():
        if isinstance(members, Mapping):
            yield from _combinations(members, below("validators", name), document)


def _combinations(members: Mapping[str, Any], place: str, document: Mapping[str, Any]) -> Iterator[Problem]:
    """What goes together in the table of a validator, and what does not."""
    if "preset" in members and "issuer" in members:
        yield Problem(below(place, "issuer"), "comes from the preset; leave one of the two out")
    if "parameters" in members and "preset" not in members:
        yield Problem(below(place, "parameters"), "belongs to a preset, and there is none")
    if members.get("kind") in KINDS and "audience_policy" in members:
        if "audience" in members:
            yield Problem(below(place, "audience"), "is what the audience policy decides; leave one out")
        if "server" not in document:
            yield Problem(below(place, "audience_policy"), "needs [server], which it is applied to")


def check(document: Mapping[str, Any]) -> None:
    """:raises ConfigurationError: the form of a file is wrong, or it holds a secret"""
    for problem in chain(secrets_in(document), problems_of(document)):
        raise ConfigurationError(*problem)
