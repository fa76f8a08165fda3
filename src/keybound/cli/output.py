"""How results are shown: rich tables for people, JSON for programs, no raw control character in either."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click
import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from keybound.cli.times import TIME_CLAIMS, human_time

__all__ = [
    "console",
    "grid",
    "json_option",
    "members",
    "printable",
    "show",
    "show_error",
    "show_facts",
    "show_json",
    "verdict",
]

_THEME = Theme({"good": "bold green", "bad": "bold red", "warn": "yellow", "label": "cyan", "quiet": "dim"})
_BEYOND_ASCII = re.compile(r"[^\x00-\x7e]")

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def printable(text: str) -> str:
    """``text`` with everything escaped that could steer a terminal or reorder a line (C0, C1, bidi)."""
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def show(document: Mapping[str, Any], render: Callable[[Console], None], *, as_json: bool) -> None:
    """Print ``document`` as JSON, or let ``render`` print it for people."""
    if as_json:
        show_json(document)
    else:
        render(console())


def show_json(document: Mapping[str, Any]) -> None:
    """Print indented JSON in ASCII: it survives every locale, and C1 and bidi characters stay escaped."""
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
    click.echo(_BEYOND_ASCII.sub(lambda match: _escape(match[0]), text))


def console(*, stderr: bool = False) -> Console:
    """A console on which text is never markup; colours obey NO_COLOR and the terminal."""
    return Console(stderr=stderr, theme=_THEME, markup=False, highlight=False, emoji=False)


def show_error(kind: str, message: str, *, hint: str | None = None, as_json: bool) -> None:
    """Print an error: as JSON on standard output, or as a line on standard error."""
    if as_json:
        show_json({"error": {"kind": kind, "message": message}})
        return
    errors = console(stderr=True)
    errors.print(Text.assemble(("Error: ", "bad"), printable(message)))
    if hint:
        errors.print(Text(f"Try: {hint}", "quiet"))


def grid(*columns: str, title: str | None = None, lines: bool = False) -> Table:
    """An empty table with these column heads."""
    table = Table(box=box.ROUNDED, title=title, title_justify="left", title_style="bold", show_lines=lines)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def show_facts(screen: Console, rows: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one a line and never broken, so that they can be copied whole."""
    listed = [(printable(name), printable(value)) for name, value in rows]
    width = max((len(name) for name, _ in listed), default=0)
    for name, value in listed:
        screen.print(Text.assemble((name.ljust(width), "label"), "  ", value), soft_wrap=True)


def members(title: str, values: Mapping[str, Any], now: float) -> Table:
    """The members of a JSON object as they are, times also in words."""
    table = grid("Name", "Value", title=title)
    table.columns[0].style = "label"
    for name, value in values.items():
        text = Text(printable(orjson.dumps(value).decode()))
        if name in TIME_CLAIMS:
            text.append(f"  {human_time(value, now)}", "quiet")
        table.add_row(printable(name), text)
    return table


def verdict(good: bool, headline: str, detail: str = "") -> Text:
    """One line that says it all."""
    return Text.assemble((headline, "good" if good else "bad"), f"  {detail}" if detail else "")


def _escape(char: str) -> str:
    """JSON escapes of one character, as UTF-16 code units (RFC 8259, 7)."""
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
