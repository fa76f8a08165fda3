"""What a command reads: a token as typed or from a pipe; keys and certificates from files."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import click

__all__ = ["MAX_INPUT_BYTES", "Command", "Document", "Token", "token_argument"]

MAX_INPUT_BYTES = 1024 * 1024
"""Read from one file or pipe at most; a JWK Set of a thousand keys fits."""


class Document(click.ParamType):  # type: ignore[type-arg]  # no generic in older versions of click
    """The bytes of a file; of standard input for ``-``. No message repeats what was typed, maybe by slip."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        if isinstance(value, bytes):
            return value
        try:
            if value == "-":
                return self._bounded(sys.stdin.buffer, param, ctx)
            with Path(value).open("rb") as file:
                return self._bounded(file, param, ctx)
        except OSError as problem:
            self.fail(f"cannot be read: {problem.strerror or type(problem).__name__}", param, ctx)
        except (ValueError, AttributeError):
            # A path with a NUL; a process that was started without a standard input (sys.stdin is None).
            self.fail("cannot be read: there is no such file", param, ctx)

    def _bounded(self, stream: BinaryIO, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        data = stream.read(MAX_INPUT_BYTES + 1)
        if len(data) > MAX_INPUT_BYTES:
            self.fail(f"is larger than {MAX_INPUT_BYTES} bytes", param, ctx)
        return data


class Token(Document):
    """A token as typed, from ``@file`` or from ``-``; white space around it in a file is not part of it."""

    name = "token"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        if isinstance(value, bytes):
            return value
        if value == "-":
            return super().convert(value, param, ctx).strip()
        if value.startswith("@"):
            return super().convert(value[1:], param, ctx).strip()
        if value.lower().startswith(("bearer ", "dpop ")):
            self.fail("give the token alone, without the scheme before it", param, ctx)
        with suppress(OSError, ValueError):  # a token is too long for a name, and may hold a NUL
            if Path(value).is_file():
                self.fail("is the name of a file; write @ before it", param, ctx)
        return bytes(value.encode("utf-8", "surrogateescape"))


token_argument = click.argument("token", type=Token())


class Command(click.Command):
    """A command that does not repeat surplus arguments: one of them may be a token."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True
        surplus = super().parse_args(ctx, args)
        if surplus and not ctx.resilient_parsing:
            ctx.fail(f"too many arguments: {len(surplus)} more than the command takes")
        return surplus
