"""How long a short call takes: processor time, in batches, of which the least counts.

What else a machine does only ever adds time, so the least of many batches is what the work itself
costs. ``bench/`` of the source repository measures with the same class.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from typing import Generic, TypeVar

__all__ = ["BATCHES_PER_TURN", "Stopwatch"]

BATCHES_PER_TURN = 5

_BATCH_NANOSECONDS = 2_000_000
"""Long enough for the clock, short enough to fit between two interruptions by other processes."""

_MAX_COPIES = 512
"""Texts copied for one batch; many more would not stay in the processor's caches."""

_TRIAL_CALLS = 16

Input = TypeVar("Input")


class Stopwatch(Generic[Input]):
    """Times one function over inputs that take turns.

    :param work: called with one input; what it raises ends the measurement
    :param inputs: at least one
    :param copies: for texts in ASCII: hand over a new object in every call, as a server gets it, whose
        hash nobody has computed yet
    """

    def __init__(
        self, work: Callable[[Input], object], inputs: Sequence[Input], *, copies: bool = False
    ) -> None:
        self._work = work
        self._copies = copies
        self._inputs = list(inputs)
        self._batch = self._inputs[:_TRIAL_CALLS]
        once = min(self._time() for _ in range(3)) / len(self._batch)
        calls = max(1, round(_BATCH_NANOSECONDS / max(once, 1.0)))
        self._batch = list(islice(cycle(self._inputs), min(calls, _MAX_COPIES) if copies else calls))

    def turn(self, batches: int = BATCHES_PER_TURN) -> list[float]:
        """Nanoseconds per call, of each batch of one turn."""
        # The caches of the processor hold what ran before.
        for value in self._batch[:8]:
            self._work(value)
        return [self._time() / len(self._batch) for _ in range(batches)]

    def full_pass(self) -> float:
        """Nanoseconds per call over every input once."""
        self._batch = self._inputs
        return self._time() / len(self._batch)

    def _time(self) -> int:
        work, batch = self._work, self._batch
        if self._copies:
            batch = [str(value).encode().decode() for value in batch]  # type: ignore[misc]
        # When a collection falls due depends on all that was allocated before, not on this batch.
        collecting = gc.isenabled()
        gc.collect()
        gc.disable()
        try:
            started = time.process_time_ns()
            for value in batch:
                work(value)
            return time.process_time_ns() - started
        finally:
            if collecting:
                gc.enable()
