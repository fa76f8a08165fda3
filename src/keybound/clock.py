"""Where Keybound gets the time from: one callable, injectable everywhere."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Clock", "system_clock"]

Clock = Callable[[], float]
"""Returns seconds since 1970-01-01T00:00:00Z, leap seconds ignored (NumericDate, RFC 7519, 2)."""

system_clock: Clock = time.time
"""The clock of the machine."""
