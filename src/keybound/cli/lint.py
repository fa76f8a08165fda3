"""``keybound lint``: what is unsafe or contradictory in a configuration file, and the rule behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from keybound.cli.inputs import Command, Document
from keybound.cli.output import json_option, show, verdict

if TYPE_CHECKING:
    from keybound.configuration import Finding

__all__ = ["lint"]

_STYLES = {"error": "bad", "warning": "warn"}


class _Path(Document):
    """A path, because what a file names is looked for beside it; or the text on standard input for ``-``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(value, param, ctx) if value == "-" else value


@click.command(cls=Command)
@click.argument("file", type=_Path(), required=False)
@click.option("--strict", is_flag=True, help="Exit with status 1 for warnings too.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of configuration files instead.")
@json_option
def lint(file: str | bytes | None, strict: bool, schema: bool, as_json: bool) -> int:
    """Judge a configuration FILE in TOML, or - for standard input.

    Nothing is fetched, and no secret has to be at hand. The exit status is 1 if there is an error, and 2 if
    the file cannot be read or is not TOML.
    """
    # Knows every option of every part of Keybound, which the other commands need not wait for.
    from keybound import configuration

    if schema:
        if file is not None:
            raise click.UsageError("--schema takes no FILE")
        click.echo(configuration.schema_text(), nl=False)
        return 0
    if file is None:
        raise click.UsageError("give a FILE, or --schema")
    # A path with a line break is still a path here.
    findings = configuration.lint(Path(file) if isinstance(file, str) else file)
    errors = sum(finding.severity == "error" for finding in findings)
    document = {
        "errors": errors,
        "warnings": len(findings) - errors,
        "findings": [asdict(finding) for finding in findings],
    }
    show(document, lambda screen: _render(screen, findings, errors), as_json=as_json)
    return 1 if errors or (strict and findings) else 0


def _render(screen: Console, findings: Sequence[Finding], errors: int) -> None:
    for finding in findings:
        # Lines and no table: places are long, and to be copied whole.
        severity = (finding.severity.ljust(8), _STYLES[finding.severity])
        screen.print(Text.assemble(severity, " ", (finding.place, "label")), soft_wrap=True)
        source = "" if finding.source.startswith("none:") else finding.source.replace("`", "")
        for line in (Text(finding.message), Text(f"{finding.rule}  {source}".rstrip(), "quiet")):
            screen.print(Padding(line, (0, 0, 0, 9), expand=False))
    counted = f"{_count(errors, 'error')}, {_count(len(findings) - errors, 'warning')}"
    screen.print(verdict(not errors, counted if findings else "nothing found"))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
