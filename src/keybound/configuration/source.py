"""A configuration file as it is read: its tables, and where its relative paths begin."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from keybound import toml
from keybound.audience import KINDS
from keybound.configuration.place import ConfigurationError, Problem, at, below
from keybound.configuration.routing import TENANTED
from keybound.configuration.secrets import secrets_in
from keybound.configuration.tables import FILE, JUDGES
from keybound.errors import PolicyError

__all__ = ["Source", "Text", "check", "problems_of", "read"]

_OVER_MUTUAL_TLS = ("tls_client_auth", "self_signed_tls_client_auth")

Text = str | bytes | os.PathLike[str]
"""A path, or the text of a document: ``bytes``, or a ``str`` of more than one line.

A ``str`` of one line is always a path, whatever is in it: paths may hold ``=`` too.
"""


class Source(NamedTuple):
    """:ivar document: the tables of the file
    :ivar directory: where relative paths begin
    """

    document: Mapping[str, Any]
    directory: Path


def read(source: Text, directory: str | os.PathLike[str] | None = None) -> Source:
    """Read a file, or take the text of one.

    :param directory: where relative paths begin: that of the file if left out, for a text the current one
    :raises PolicyError: it is neither a path nor a text
    :raises ConfigurationError: it cannot be read, or is not TOML
    """
    is_text = isinstance(source, (bytes, bytearray)) or (isinstance(source, str) and "\n" in source)
    if is_text:
        return Source(_parsed(source), Path(directory or "."))  # type: ignore[arg-type]
    if not isinstance(source, (str, os.PathLike)):
        raise PolicyError("a configuration is a path, or the text of a file in TOML")
    try:
        path = Path(source)
        text = path.read_bytes()
    except (FileNotFoundError, ValueError):
        # A path with a NUL is a ValueError.
        hint = "; text of one line is given as bytes" if "=" in os.fsdecode(source) else ""
        message = f"the configuration cannot be read: there is no such file{hint}"
        raise ConfigurationError("", message) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError("", f"the configuration cannot be read: {reason}") from None
    return Source(_parsed(text), path.parent if directory is None else Path(directory))


def _parsed(text: str | bytes) -> dict[str, Any]:
    with at(""):
        return toml.loads(text)


def problems_of(document: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the form of a file: unknown keys, wrong types, names of nothing."""
    names = {
        section: frozenset(name for name in members if isinstance(name, str))
        for section, members in document.items()
        if isinstance(members, Mapping)
    }
    yield from FILE.problems(document, "", names)
    tables = {section: dict(_tables(document, section)) for section in JUDGES}
    for name, members in tables["validators"].items():
        yield from _combinations(members, below("validators", name), document)
    for name, members in tables["introspection_clients"].items():
        yield from _of_client(members, below("introspection_clients", name), tables["validators"])
    for name, members in tables["routers"].items():
        yield from _of_router(members, below("routers", name), document)
    for section, taken in (("introspection_clients", ("validators",)), ("routers", JUDGES[:2])):
        for name in tables[section]:
            if any(name in tables[other] for other in taken):
                yield Problem(below(section, name), "is what something else is called; take another name")


def _tables(document: Mapping[str, Any], section: str) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    members = document.get(section, {})
    for name, table in members.items() if isinstance(members, Mapping) else ():
        if isinstance(table, Mapping):
            yield name, table


def _of_client(
    members: Mapping[str, Any], place: str, validators: Mapping[Any, Mapping[str, Any]]
) -> Iterator[Problem]:
    """What goes together in the table of an introspection client."""
    for key, kind in (("validator", "introspection_response"), ("local", "access_token")):
        name = members.get(key)
        if isinstance(name, str) and name in validators and validators[name].get("kind") != kind:
            yield Problem(below(place, key), f"must be a name in [validators] of kind {kind}")
    shown, transport = members.get("authentication"), members.get("transport", {})
    over_mutual_tls = isinstance(shown, Mapping) and shown.get("method") in _OVER_MUTUAL_TLS
    if over_mutual_tls and isinstance(transport, Mapping) and "client_certificate" not in transport:
        yield Problem(below(place, "transport"), "needs a client_certificate: mutual TLS is how it is known")


def _of_router(members: Mapping[str, Any], place: str, document: Mapping[str, Any]) -> Iterator[Problem]:
    """What goes together in the table of a router."""
    each = members.get("each")
    if not isinstance(each, Mapping):
        return
    yield from _combinations(each, below(place, "each"), document)
    if each.get("preset") not in TENANTED:
        wanted = f"must be a preset that has tenants: {', '.join(TENANTED)}"
        yield Problem(below(below(place, "each"), "preset"), wanted)
    parameters = each.get("parameters")
    if isinstance(parameters, Mapping) and "tenant" in parameters:
        yield Problem(below(below(below(place, "each"), "parameters"), "tenant"), "comes from tenants")


def _combinations(members: Mapping[str, Any], place: str, document: Mapping[str, Any]) -> Iterator[Problem]:
    """What goes together in the table of a validator, and what does not."""
    for key in ("issuer", "signer"):
        if "preset" in members and key in members:
            yield Problem(below(place, key), "comes from the preset; leave one of the two out")
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
