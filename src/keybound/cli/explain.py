"""``keybound explain``: every check on one token, one by one."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.text import Text

from keybound.cli.inputs import Command
from keybound.cli.options import TOKEN_NOTE, Request, request_options
from keybound.cli.output import grid, json_option, printable, show, verdict
from keybound.clients.introspection import IntrospectionClient
from keybound.errors import Reason, TokenRejected
from keybound.tokens.explain import Check, Explanation
from keybound.tokens.issuer_router import IssuerRouter

__all__ = ["explain"]

_STYLES = {"passed": "good", "failed": "bad", "skipped": "quiet"}


@click.command(cls=Command, help=f"List every check on a token, passed or not.\n\n{TOKEN_NOTE}")
@json_option
@request_options
def explain(request: Request, as_json: bool) -> int:
    explanation = _explanation(request)
    show(_document(explanation), lambda screen: _render(screen, explanation), as_json=as_json)
    return 0 if explanation.reason is Reason.OK else 1


def _explanation(request: Request) -> Explanation:
    validator = request.validator
    if isinstance(validator, IssuerRouter):
        try:
            validator = validator.validator_for(request.token)
        except TokenRejected as rejected:
            return Explanation((Check("issuer router", "failed", rejected.reason),))
    if isinstance(validator, IntrospectionClient):
        raise click.UsageError("an introspection client makes no checks that could be listed: verify asks it")
    return validator.explain(request.token, certificate=request.certificate)


def _document(explanation: Explanation) -> dict[str, Any]:
    return {
        "reason": explanation.reason.code,
        "description": explanation.reason.description,
        "checks": [
            {
                "name": check.name,
                "outcome": check.outcome,
                "reason": check.reason.code if check.reason is not None else None,
                "note": check.note or None,
            }
            for check in explanation.checks
        ],
    }


def _render(screen: Console, explanation: Explanation) -> None:
    table = grid("Check", "Outcome", "Why")
    for check in explanation.checks:
        style = _STYLES[check.outcome]
        table.add_row(check.name, Text(check.outcome, style), Text(printable(_why(check)), style))
    screen.print(table)
    good = explanation.reason is Reason.OK
    headline = "Every check passed" if good else f"Rejected: {explanation.reason.code}"
    screen.print(verdict(good, headline, "" if good else "the first check that failed"))


def _why(check: Check) -> str:
    if check.reason is None:
        return check.note
    note = f" ({check.note})" if check.note else ""
    return f"{check.reason.description}{note} [{check.reason.code}]"
