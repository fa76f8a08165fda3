"""``keybound about``: what is running here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console

import keybound
from keybound.cli.inputs import Command
from keybound.cli.output import grid, json_option, show, show_facts

__all__ = ["about"]


@click.command(cls=Command)
@json_option
def about(as_json: bool) -> int:
    """Show versions, backend, libraries and processor features."""
    document = keybound.about()
    show(document, lambda screen: _render(screen, document), as_json=as_json)
    return 0


def _render(screen: Console, document: Mapping[str, Any]) -> None:
    # The algorithms have a table of their own; how many keys this new process holds tells nobody anything.
    shown = {name: value for name, value in document.items() if name not in ("algorithms", "tables")}
    hot = {"tables_for": document["tables"]["algorithms"], "tables_limit": document["tables"]["limit_bytes"]}
    show_facts(screen, ((name, _words(value)) for name, value in (shown | hot).items()))
    table = grid("alg", "verified by", title="Algorithms")
    for name, library in document["algorithms"].items():
        table.add_row(name, library)
    screen.print()
    screen.print(table)


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else str(value)
