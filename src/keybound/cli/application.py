"""The command group, and the one place where an exception becomes a message and an exit status."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, TextIO

import click

from keybound import __version__
from keybound.cli import output
from keybound.cli.about import about
from keybound.cli.audience import audience
from keybound.cli.bench import bench
from keybound.cli.demo import demo
from keybound.cli.explain import explain
from keybound.cli.inspect import inspect
from keybound.cli.lint import lint
from keybound.cli.profile import profile
from keybound.cli.thumbprint import thumbprint
from keybound.cli.verify import verify
from keybound.errors import KeyboundError, PolicyError, Unavailable

__all__ = ["application"]

_OPTION = re.compile(r"-{1,2}[a-z][a-z0-9-]{0,30}")


class Application(click.Group):
    """A group whose messages repeat nothing that might be a token."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> NoReturn:
        """Run a command and exit; see :func:`keybound.cli.main` for the statuses."""
        arguments = list(sys.argv[1:] if args is None else args)
        for stream in (sys.stdout, sys.stderr):
            # A terminal that cannot show a letter of a claim gets its escape, not a traceback.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        options["standalone_mode"] = False
        try:
            status = super().main(arguments, *rest, **options)
        except Exception as problem:
            status = _report(problem, as_json="--json" in arguments)
        sys.exit(status)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands:
            close = difflib.get_close_matches(args[0], self.commands, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(self.commands))}"
            ctx.fail(f"no such command; {hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Application, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="keybound")
@click.pass_context
def application(ctx: click.Context) -> None:
    """Validate key-bound OAuth access tokens (RFC 9068, RFC 8705) from the command line.

    Exit status: 0 accepted or fine, 1 rejected or not as expected, 2 a wrong call, file or policy,
    3 nobody can tell now, such as when the issuer's keys cannot be fetched.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for _command in (about, audience, bench, demo, explain, inspect, lint, profile, thumbprint, verify):
    application.add_command(_command)


def _report(problem: Exception, *, as_json: bool) -> int:
    """Tell what went wrong, without a traceback and without a byte of a token; the exit status."""
    if isinstance(problem, click.UsageError):
        command = problem.ctx.command_path if problem.ctx else "keybound"
        output.show_error("usage", _usage_message(problem), hint=f"{command} --help", as_json=as_json)
        return 2
    if isinstance(problem, PolicyError):
        output.show_error("policy", str(problem), as_json=as_json)
        return 2
    if isinstance(problem, Unavailable):
        # A script that takes 1 for a rejection must not take an outage for one.
        output.show_error("unavailable", str(problem), as_json=as_json)
        return 3
    if isinstance(problem, OSError):
        # Most likely standard output itself, so this is the one error that JSON on it cannot carry.
        _give_up(sys.stdout)
        output.show_error("unexpected", problem.strerror or type(problem).__name__, as_json=False)
        return 1
    if isinstance(problem, click.Abort):
        output.show_error("interrupted", "interrupted", as_json=as_json)
        return 1
    # Only messages of Keybound's own errors are known to be free of token bytes.
    message = str(problem) if isinstance(problem, KeyboundError) else f"a defect: {type(problem).__name__}"
    output.show_error("unexpected", message, as_json=as_json)
    return 1


def _give_up(stream: TextIO) -> None:
    """Let what is still buffered for ``stream`` go nowhere, or the interpreter complains when it exits."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _usage_message(problem: click.UsageError) -> str:
    """click's message, less what it quotes of an unknown option, which could be anything."""
    if isinstance(problem, click.NoSuchOption) and not _OPTION.fullmatch(problem.option_name):
        return "no such option"
    return problem.format_message()
