"""One fetch that many wait for, in threads and in event loops."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from concurrent.futures import Future

    from keybound.keys.fetching import FetchOutcome

__all__ = ["Flight", "Plan", "arun", "run"]

Answer = TypeVar("Answer")

# For a thread to notice that its time is over, in seconds.
_GRACE = 0.5


class Flight:
    """One fetch under way, which any number of threads and event loops can wait for.

    :ivar sharing: whether what another process has fetched will do
    :ivar kid: the unknown ``kid`` that it is for, or ``None``
    """

    __slots__ = ("_done", "_expires", "began", "kid", "outcome", "sharing", "started")

    def __init__(
        self, started: float, seconds: float, *, sharing: bool = False, kid: str | None = None
    ) -> None:
        from concurrent.futures import Future

        self.started = started
        self.began = time.monotonic()
        self.outcome: FetchOutcome | None = None
        self.sharing, self.kid = sharing, kid
        self._expires = self.began + seconds + _GRACE
        self._done: Future[None] = Future()
        # From now on nobody who stops waiting can cancel it for the others.
        self._done.set_running_or_notify_cancel()

    def join(self, *, sharing: bool, kid: str | None) -> None:
        """Somebody else waits for it as well, and may want more of it."""
        self.sharing = self.sharing and sharing
        self.kid = kid if self.kid is None else self.kid

    @property
    def overdue(self) -> bool:
        """Whether its time is over, though its thread may still hang somewhere."""
        return time.monotonic() > self._expires

    def land(self) -> None:
        """Wake everybody who waits."""
        self._done.set_result(None)

    def wait(self) -> None:
        """Until it is over, or its time is."""
        from concurrent.futures import TimeoutError as TimedOut

        with suppress(TimedOut):
            self._done.result(max(self._expires - time.monotonic(), 0))

    async def awaited(self) -> None:
        """:meth:`wait` in an event loop."""
        import asyncio

        done = asyncio.wrap_future(self._done)
        try:
            await asyncio.wait({done}, timeout=max(self._expires - time.monotonic(), 0))
        finally:
            # A loop that closes before the end must not be called then; one that has closed cannot be.
            with suppress(RuntimeError):
                done.cancel()


Plan = Generator[Flight, None, Answer]
"""What to do, yielding each flight that has to be waited for: the same for threads and event loops."""


def run(plan: Plan[Answer]) -> Answer:
    """Follow a plan, waiting as a thread does."""
    try:
        while True:
            next(plan).wait()
    except StopIteration as done:
        return cast(Answer, done.value)


async def arun(plan: Plan[Answer]) -> Answer:
    """Follow a plan, waiting as an event loop does."""
    try:
        while True:
            await next(plan).awaited()
    except StopIteration as done:
        return cast(Answer, done.value)
