"""Where Keybound gets the time from: one callable, injectable everywhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from keybound.errors import PolicyError, Unavailable

__all__ = ["Clock", "checked", "system_clock"]

Clock = Callable[[], float]
"""Returns seconds since 1970-01-01T00:00:00Z, leap seconds ignored (NumericDate, RFC 7519, 2)."""

system_clock: Clock = time.time
"""The clock of the machine."""


def checked(clock: Clock) -> Clock:
    """``clock``, but what is not a number of seconds is :class:`~keybound.Unavailable`.

    :raises PolicyError: it is not callable
    """
    if clock is time.time or clock is time.monotonic:
        return clock
    if not callable(clock):
        raise PolicyError("a clock must be callable and return seconds")

    def checking() -> float:
        try:
            return math.ldexp(clock(), 0)
        except (TypeError, ValueError, OverflowError):
            raise Unavailable("the clock did not answer with a number of seconds") from None

    return checking
