"""``keybound audience``: audience policies as tables, their differences, and what they say of one ``aud``."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from keybound._hotpath import strict_json
from keybound.audience import KINDS, POLICIES, AudiencePolicy, AudienceVerdict, Kind
from keybound.audience.binding import Server, bind
from keybound.audience.table import LEGEND, TITLES, columns, differences, facts, place, rows, short
from keybound.cli.inputs import Command, Document, Token
from keybound.cli.inspect import decode
from keybound.cli.options import TOKEN_NOTE
from keybound.cli.output import grid, json_option, show, show_facts, verdict
from keybound.errors import PolicyError, Reason
from keybound.limits import DEFAULT_LIMITS

__all__ = ["audience"]

_HELP = f"""Show audience policies, compare two, or judge an aud by them.

Without POLICY: all that have a name. With one: its table. With two: where they differ. POLICY is a name, or
a file in TOML or JSON.

With --aud or --token: what each POLICY, or without any each policy that has a name, says of one aud at one
endpoint of the server with this --metadata. The exit status is 1 if none accepts it.

{TOKEN_NOTE}"""

_STYLES = {
    "A": "good",
    "accept": "good",
    "W": "warn",
    "warn": "warn",
    "sole": "warn",
    "R": "bad",
    "reject": "bad",
}


class _Policy(Document):
    """A policy by its name, or from a file."""

    name = "policy"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, AudiencePolicy) or value in POLICIES:
            return POLICIES.get(value, value)
        if value != "-" and not os.path.exists(value):
            close = difflib.get_close_matches(value, POLICIES, n=1)
            hint = f"did you mean {close[0]}?" if close else "and no file of this name"
            self.fail(f"there is no policy of this name; {hint}", param, ctx)
        document = super().convert(value, param, ctx)
        is_json = document.lstrip()[:1] == b"{"
        return AudiencePolicy.from_json(document) if is_json else AudiencePolicy.from_toml(document)


class _Audience(click.ParamType):  # type: ignore[type-arg]  # no generic in older versions of click
    """A value of ``aud``: text, or a JSON array."""

    name = "aud"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str) or not value.lstrip().startswith("["):
            return value
        reason, array = strict_json.loads(value.encode("utf-8", "surrogateescape"), DEFAULT_LIMITS.json_depth)
        if reason != Reason.OK:
            self.fail("is neither text nor a JSON array", param, ctx)
        return array


@click.command(cls=Command, help=_HELP)
@click.argument("policies", nargs=-1, type=_Policy(), metavar="[POLICY]...")
@click.option("--aud", type=_Audience(), help="Text or JSON array to judge.")
@click.option("--token", type=Token(), help="Unverified token, the aud of which is judged.")
@click.option(
    "--metadata", type=Document(), help="Metadata of the authorization server (RFC 8414) in a file."
)
@click.option("--at", "endpoint", default="token_endpoint", show_default=True, help="Where it is received.")
@click.option("--request-object", is_flag=True, help="A request object, and no client assertion.")
@json_option
def audience(
    policies: tuple[AudiencePolicy, ...],
    aud: Any,
    token: bytes | None,
    metadata: bytes | None,
    endpoint: str,
    request_object: bool,
    as_json: bool,
) -> int:
    if aud is not None or token is not None:
        if metadata is None or (aud is not None and token is not None):
            raise click.UsageError("to judge, give --metadata, and either --aud or --token")
        value = aud if token is None else _aud_of(token)
        kind: Kind = "request_object" if request_object else "client_assertion"
        return _judge(
            policies or POLICIES.values(), value, _server(metadata), endpoint, kind, as_json=as_json
        )
    if metadata is not None or request_object:
        raise click.UsageError("--metadata and --request-object are for --aud and --token")
    if len(policies) > 2:
        raise click.UsageError("two policies can be compared, and no more")
    if len(policies) == 2:
        return _compare(*policies, as_json=as_json)
    return _show_one(*policies, as_json=as_json) if policies else _list(as_json=as_json)


def _list(*, as_json: bool) -> int:
    document = {"policies": [{"name": policy.name, "source": policy.source} for policy in POLICIES.values()]}

    def render(screen: Console) -> None:
        table = grid("Policy", "Source")
        for policy in POLICIES.values():
            table.add_row(policy.name, policy.source)
        screen.print(table)

    show(document, render, as_json=as_json)
    return 0


def _show_one(policy: AudiencePolicy, *, as_json: bool) -> int:
    values = columns(policy)
    tables = {kind: list(rows(policy, kind, values)) for kind in KINDS}
    document = {
        "policy": policy.to_mapping(),
        "tables": {
            kind: [{"received_at": row.at, "cells": row.cells, "array": row.array} for row in found]
            for kind, found in tables.items()
        },
    }

    def render(screen: Console) -> None:
        show_facts(screen, [("policy", policy.name), *facts(policy)])
        for kind, found in tables.items():
            table = grid("received at", *map(short, values), "array", title=TITLES[kind])
            for row in found:
                table.add_row(row.place, *_coloured((*row.cells.values(), row.array)))
            screen.print(table)
        screen.print(LEGEND, style="quiet")

    show(document, render, as_json=as_json)
    return 0


def _compare(first: AudiencePolicy, second: AudiencePolicy, *, as_json: bool) -> int:
    found = list(differences(first, second))
    names = (first.name, second.name)
    document = {
        "policies": names,
        "differences": [
            {"kind": cell.kind, "received_at": cell.at, "aud": cell.value, "verdicts": cell.cells}
            for cell in found
        ],
    }

    def render(screen: Console) -> None:
        if not found:
            screen.print("They judge alike.")
            return
        table = grid("", "received at", "aud", *names)
        for cell in found:
            table.add_row(TITLES[cell.kind], place(cell.at), short(cell.value), *_coloured(cell.cells))
        screen.print(table)
        screen.print(LEGEND, style="quiet")

    show(document, render, as_json=as_json)
    return 0


def _judge(
    policies: Iterable[AudiencePolicy],
    aud: Any,
    server: Server,
    endpoint: str,
    kind: Kind,
    *,
    as_json: bool,
) -> int:
    verdicts = [(policy.name, _verdict(policy, aud, server, endpoint, kind)) for policy in policies]
    document = {
        "aud": aud,
        "kind": kind,
        "received_at": endpoint,
        "verdicts": [{"policy": name, **_facts(said)} for name, said in verdicts],
    }
    accepted = any(isinstance(said, AudienceVerdict) and said for _, said in verdicts)

    def render(screen: Console) -> None:
        table = grid("Policy", "Verdict", "Why")
        for entry in document["verdicts"]:
            outcome = entry["outcome"] or "none"
            table.add_row(entry["policy"], Text(outcome, _STYLES.get(outcome, "quiet")), entry["why"])
        screen.print(table)
        screen.print(verdict(accepted, "accepted by at least one" if accepted else "accepted by none"))

    show(document, render, as_json=as_json)
    return 0 if accepted else 1


def _verdict(
    policy: AudiencePolicy, aud: Any, server: Server, endpoint: str, kind: Kind
) -> AudienceVerdict | str:
    """What the policy says, or why it can say nothing."""
    try:
        return bind(policy, server).judge(endpoint, aud, kind=kind)
    except PolicyError as problem:
        return str(problem)


def _facts(said: AudienceVerdict | str) -> dict[str, Any]:
    if isinstance(said, str):
        return {"outcome": None, "code": None, "why": said}
    return {"outcome": said.outcome, "code": said.code, "why": said.description}


def _aud_of(token: bytes) -> Any:
    """``aud`` of a token that nobody has verified."""
    claims = decode(token)["claims"]
    if claims is None:
        raise click.UsageError("--token is not a token whose claims can be read")
    return claims.get("aud")


def _server(document: bytes) -> Server:
    """The server that every policy is applied to. What is wrong with it is wrong for all of them."""
    reason, value = strict_json.loads(document, DEFAULT_LIMITS.json_depth)
    if reason != Reason.OK or type(value) is not dict:
        raise click.UsageError("--metadata is not a JSON object")
    try:
        return Server.from_metadata(value)
    except PolicyError as problem:
        raise click.UsageError(f"--metadata: {problem}") from None


def _coloured(cells: Iterable[str]) -> Iterator[Text]:
    return (Text(cell, _STYLES.get(cell, "")) for cell in cells)
