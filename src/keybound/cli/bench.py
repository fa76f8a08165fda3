"""``keybound bench``: how long validations take on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from keybound._about import about
from keybound.cli.inputs import Command
from keybound.cli.options import OneOf
from keybound.cli.output import console, grid, json_option, show
from keybound.cli.stopwatch import BATCHES_PER_TURN
from keybound.cli.trials import KINDS, Trial, make_trial
from keybound.jose.algorithms import ALGORITHMS

__all__ = ["bench"]


@click.command(cls=Command)
@click.option(
    "--alg",
    "algorithms",
    type=OneOf(list(ALGORITHMS)),
    metavar="ALG",
    multiple=True,
    help="Algorithm to measure, such as ES256. Repeatable. [default: all]",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="Turns of each algorithm; more are slower and steadier.",
)
@json_option
def bench(algorithms: tuple[str, ...], rounds: int, as_json: bool) -> int:
    """Measure whole validations on this machine, on one core.

    Keys, certificates and tokens are made in memory. Measured are new tokens without and with a
    client certificate, each verified in full, and the same bound token again, from the cache. Times
    are processor time; the least of all batches counts. To compare Keybound with other libraries,
    see bench/README.md in the source repository.
    """
    trials = _measure(list(dict.fromkeys(algorithms)) or list(ALGORITHMS), rounds)
    document = _document(trials, rounds)
    show(document, lambda screen: _render(screen, document), as_json=as_json)
    return 0


def _measure(algorithms: list[str], rounds: int) -> list[Trial]:
    """Each algorithm has one turn in every round, so that what disturbs the machine hits them alike."""
    screen = console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    )
    with bar:
        step = bar.add_task("Making keys and tokens", total=len(algorithms) * (rounds + 1))
        trials = []
        for alg in algorithms:
            trials.append(make_trial(alg))
            bar.advance(step)
        bar.update(step, description="Measuring")
        for _ in range(rounds):
            for trial in trials:
                trial.take_turn()
                bar.advance(step)
    return trials


def _document(trials: Iterable[Trial], rounds: int) -> dict[str, Any]:
    facts = about()
    return {
        **{name: facts[name] for name in ("version", "backend", "python", "platform", "crypto", "cpu")},
        "batches": rounds * BATCHES_PER_TURN,
        "algorithms": [
            {
                "alg": trial.alg,
                "key": trial.key,
                "library": trial.library,
                "token_bytes": trial.token_bytes,
                "microseconds": {kind: round(trial.microseconds(kind), 2) for kind in KINDS},
                "bound_per_second": round(1e6 / trial.microseconds("bound")),
            }
            for trial in trials
        ],
    }


def _render(screen: Console, document: dict[str, Any]) -> None:
    columns = ("alg", "Key", "Bytes", "Unbound", "Bound", "Bound, again", "Bound, a second")
    table = grid(*columns, title="One core, microseconds for a whole validation")
    for column in table.columns[2:7]:
        column.justify = "right"
    for row in document["algorithms"]:
        times = (f"{row['microseconds'][kind]:.2f}" for kind in KINDS)
        table.add_row(
            row["alg"],
            row["key"],
            str(row["token_bytes"]),
            *times,
            f"{row['bound_per_second']:,}",
        )
    screen.print(table)
    screen.print(
        Text(
            f"Least of {document['batches']} batches, processor time; {document['backend']} backend, "
            f"{document['crypto']}, Python {document['python']}, {document['platform']}.",
            "quiet",
        )
    )
