"""NumericDate (RFC 7519, 2) in words, and the time that a command is told to assume."""

from __future__ import annotations

import datetime
from typing import Any, cast

import click

from keybound.clock import Clock, system_clock
from keybound.limits import MAX_NUMERIC_DATE

__all__ = ["TIME_CLAIMS", "Now", "human_time", "now_option", "timestamp"]

TIME_CLAIMS = frozenset({"exp", "nbf", "iat", "auth_time", "updated_at"})
"""Claims that hold a NumericDate (RFC 7519, 4.1; OpenID Connect Core, 2 and 5.1)."""

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


class Now(click.ParamType):  # type: ignore[type-arg]  # no generic in older versions of click
    """A point in time as a clock that stands still."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Clock:
        if callable(value):
            return cast(Clock, value)  # the default, or converted before
        seconds = _seconds(value)
        if seconds is None:
            self.fail("must be seconds since 1970 or a time such as 2026-01-31T12:00:00Z", param, ctx)
        return lambda: seconds


now_option = click.option(
    "--now",
    "clock",
    type=Now(),
    default=lambda: system_clock,
    help="Judge as of this time: seconds since 1970, or 2026-01-31T12:00:00Z.",
)


def human_time(value: object, now: float) -> str:
    """A NumericDate as UTC and as a distance from ``now``; what is not one is called so."""
    moment = _moment(value)
    if moment is None:
        return "not a time"
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC, {_distance(moment.timestamp() - now)}"


def timestamp(value: object) -> str | None:
    """A NumericDate as RFC 3339 writes it; ``None`` for what is not one."""
    moment = _moment(value)
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def _moment(value: object) -> datetime.datetime | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MAX_NUMERIC_DATE:
        return None
    return datetime.datetime.fromtimestamp(value, datetime.timezone.utc)


def _distance(seconds: float) -> str:
    for size, unit in _UNITS:
        count = int(abs(seconds) // size)
        if count:
            span = f"{count} {unit}{'s' if count > 1 else ''}"
            return f"in {span}" if seconds > 0 else f"{span} ago"
    return "now"


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        try:
            # Python 3.10 does not read the Z of RFC 3339.
            moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            return None
        seconds = moment.timestamp() if moment.tzinfo else -1
    return seconds if 0 <= seconds <= MAX_NUMERIC_DATE else None
