"""Validators from a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from keybound.audience import AudiencePolicy, ReportOnly
from keybound.clients.introspection import IntrospectionClient
from keybound.clock import Clock, system_clock
from keybound.configuration.building import Builder
from keybound.configuration.source import Text, check, read
from keybound.configuration.tables import JUDGES, SECTIONS
from keybound.errors import PolicyError
from keybound.keys import KeySource, SharedDocuments
from keybound.policy import Profile, text_list
from keybound.stores import ReplayStore, RevocationList
from keybound.tokens.issuer_router import IssuerRouter

__all__ = ["Configuration", "load", "validators_in"]


@dataclass(frozen=True, repr=False)
class Configuration:
    """What a configuration file describes, ready for use. Every mapping is read-only and by name.

    :ivar validators: the validators
    :ivar introspection_clients: what asks about opaque tokens
    :ivar routers: validators by issuer
    :ivar keys: the key sources of ``[keys]``, for those who warm or watch them
    :ivar shared_documents: where processes share what they fetch
    :ivar stores: the replay stores
    :ivar revocation_lists: the deny-lists, for those who revoke tokens
    :ivar server: metadata of the authorization server, or ``None``
    :ivar profiles: the profiles that the file derives
    :ivar audience_policies: the audience policies of the file, not applied to a server yet
    :ivar audience_reports: what counts, by validators with a stricter policy that is only reported
    """

    validators: Mapping[str, Any]
    introspection_clients: Mapping[str, IntrospectionClient]
    routers: Mapping[str, IssuerRouter[Any]]
    keys: Mapping[str, KeySource]
    shared_documents: Mapping[str, SharedDocuments]
    stores: Mapping[str, ReplayStore]
    revocation_lists: Mapping[str, RevocationList]
    server: Mapping[str, Any] | None
    profiles: Mapping[str, Profile]
    audience_policies: Mapping[str, AudiencePolicy]
    audience_reports: Mapping[str, ReportOnly]

    def __repr__(self) -> str:
        return f"<keybound.configuration.Configuration of {len(self.validators)} validators>"


def load(
    source: Text,
    *,
    only: str | Iterable[str] | None = None,
    directory: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
    clock: Clock = system_clock,
) -> Configuration:
    """Make the validators that a configuration file in TOML describes.

    Nothing is fetched yet. A Redis or a key server that cannot be reached now is no error here.

    :param source: a path; or the text of a file, as ``bytes`` or as a ``str`` of more than one line. A
        ``str`` of one line is a path
    :param only: names of the validators, introspection clients and routers to make, with what they need;
        everything if left out. The rest of the file is checked for its form alone, so that a process needs
        no secrets but its own
    :param directory: where relative paths begin: that of the file if left out, for a text the current one
    :param environment: the variables that the file may name; those of the process if left out
    :param clock: for every validator; returns seconds since 1970-01-01T00:00:00Z
    :raises PolicyError: ``source`` is neither path nor text, or ``only`` names nothing in the file
    :raises ConfigurationError: the file cannot be read, is not TOML, or holds what is unknown, of the wrong
        type, missing, unsafe or contradictory; ``.place`` tells where, and is empty for the whole file
    """
    read_in = read(source, directory)
    check(read_in.document)
    builder = Builder(read_in, environment=environment, clock=clock)
    sections = [section for section in SECTIONS if section != "server"]
    for section in sections if only is None else ():
        for name in builder.names(section):
            builder.named(section, name)
    for name in () if only is None else text_list("only", only):
        found = [section for section in JUDGES if name in builder.names(section)]
        if not found:
            raise PolicyError("only names a validator that is not in the file")
        builder.named(found[0], name)
    made = {section: MappingProxyType(builder.made(section)) for section in sections}
    del made["decryption_keys"]
    reports = {name: policy for name, policy in builder.applied.items() if isinstance(policy, ReportOnly)}
    server = builder.server()
    return Configuration(
        **made,
        server=None if server is None else MappingProxyType(dict(server)),
        audience_reports=MappingProxyType(reports),
    )


def validators_in(
    source: Text, *, kind: str | None = None, directory: str | os.PathLike[str] | None = None
) -> tuple[str, ...]:
    """The names of what validates tokens in a file, of which nothing is made.

    :param source: as for :func:`load`
    :param kind: of those for one kind alone, such as ``"access_token"``: validators, routers all of whose
        validators are, and for access tokens introspection clients
    :param directory: as for :func:`load`
    :raises PolicyError: as for :func:`load`, for the form of the file
    """
    document = read(source, directory).document
    check(document)
    return tuple(
        name
        for section in JUDGES
        for name, given in document.get(section, {}).items()
        if kind is None or _kinds(section, given, document) == {kind}
    )


def _kinds(section: str, given: Mapping[str, Any], document: Mapping[str, Any]) -> set[str]:
    """The kinds of tokens that a table is for."""
    if section == "introspection_clients":
        return {"access_token"}
    if section == "validators":
        return {given["kind"]}
    if "each" in given:
        return {given["each"]["kind"]}
    return {document["validators"][name]["kind"] for name in given["validators"]}
