"""The command itself: run, measure, show."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.text import Text

from keybound._about import about
from keybound.cli.demo.cases import ALGORITHMS, Outcome, run_cases
from keybound.cli.demo.throughput import SLICE_SECONDS, SLICES, Throughput, measure_all, measure_repeated
from keybound.cli.inputs import Command
from keybound.cli.output import console, grid, json_option, printable, show_json, verdict

__all__ = ["demo"]


@click.command(cls=Command)
@json_option
def demo(as_json: bool) -> int:
    """Attack a resource server on this machine, then measure.

    Makes a certificate authority, an authorization server key and client certificates in memory,
    serves a resource over mutual TLS on 127.0.0.1, and calls it with good, stolen and forged tokens.
    Nothing leaves the machine. Exit status 0 only if every outcome is the expected one.
    """
    outcomes = run_cases()
    good = all(outcome.as_expected for outcome in outcomes)
    if as_json:
        show_json(_document(outcomes, list(measure_all()), measure_repeated(), good))
    else:
        screen = console()
        _show_outcomes(screen, outcomes, good)
        _show_throughput(screen)
    return 0 if good else 1


def _document(
    outcomes: list[Outcome], throughput: list[Throughput], repeated: float, good: bool
) -> dict[str, Any]:
    facts = about()
    return {
        "as_expected": good,
        "outcomes": [
            {
                "case": outcome.case.name,
                "status": outcome.answer.status,
                "reason": outcome.answer.reason,
                "challenge": outcome.answer.challenge,
                "expected_reason": outcome.case.expected.code,
                "as_expected": outcome.as_expected,
            }
            for outcome in outcomes
        ],
        "backend": facts["backend"],
        "crypto": facts["crypto"],
        "throughput": [
            {
                "alg": row.alg,
                "key": row.key,
                "validations_per_second": round(row.per_second),
                "microseconds": round(1e6 / row.per_second, 2),
                "library": row.library,
            }
            for row in throughput
        ],
        "repeated_validations_per_second": round(repeated),
    }


def _show_outcomes(screen: Console, outcomes: list[Outcome], good: bool) -> None:
    screen.print(
        Text(
            "An authorization server signs access tokens bound to a client's certificate (RFC 8705). "
            f"A resource server on this machine takes {' and '.join(ALGORITHMS)} over mutual TLS. "
            "This is what its clients get:",
        )
    )
    table = grid("The client sends", "HTTP", "Reason and WWW-Authenticate as received", lines=True)
    for outcome in outcomes:
        answer = outcome.answer
        style = ("good" if answer.status == 200 else "warn") if outcome.as_expected else "bad"
        reason = answer.reason or "no answer"
        challenge = answer.challenge or ""
        if not outcome.as_expected:
            reason += f" (expected {outcome.case.expected.code})"
        table.add_row(
            outcome.case.name,
            Text(str(answer.status or "-"), style),
            Text.assemble(
                (printable(reason), style), "\n" if challenge else "", (printable(challenge), "quiet")
            ),
        )
    screen.print(table)
    right = sum(outcome.as_expected for outcome in outcomes)
    screen.print(verdict(good, f"{right} of {len(outcomes)} outcomes are the expected ones."))
    screen.print()


def _show_throughput(screen: Console) -> None:
    facts = about()
    table = grid(
        "alg", "Key", "Validations/s", "Microseconds", "Verified by", title="One core, whole validations"
    )
    for column in table.columns[2:4]:
        column.justify = "right"
    with screen.status("Measuring ..."):
        for row in measure_all():
            table.add_row(
                row.alg, row.key, f"{row.per_second:,.0f}", f"{1e6 / row.per_second:.1f}", row.library
            )
        repeated = measure_repeated()
    screen.print(table)
    screen.print(f"A token seen before, from the cache: {repeated:,.0f} validations/s.")
    screen.print(
        Text(
            "The table is without that cache: signature, claims and binding of every token; best of "
            f"{SLICES} slices of {SLICE_SECONDS * 1000:.0f} ms, one thread; {facts['backend']} backend, "
            f"{facts['crypto']}, Python {facts['python']}, {facts['platform']}.",
            "quiet",
        )
    )
