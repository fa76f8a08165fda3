"""Whether what is watched could answer now: keys at hand, and stores that say so themselves."""

from __future__ import annotations

from typing import Any

from keybound.keys import KeySource, RefreshingKeySource
from keybound.tokens._outcomes import Counting

__all__ = ["Inquiry"]


class Inquiry:
    """One look at everything. What several stand on is asked once.

    Whoever fails to say is not ready, whatever it raises: code of the operator's is among them.
    """

    def __init__(self) -> None:
        # With what was asked, so that nothing else gets its number meanwhile.
        self._answers: dict[int, tuple[object, bool]] = {}

    def of(self, watched: Any) -> bool:
        """Whether ``watched``, and all that it stands on, could answer."""
        try:
            return all(self._answer(part) for part in _parts(watched))
        except Exception:
            return False

    async def aof(self, watched: Any) -> bool:
        """:meth:`of` for an event loop."""
        try:
            for part in _parts(watched):
                if not await self._aanswer(part):
                    return False
        except Exception:
            return False
        return True

    def _answer(self, part: Any) -> bool:
        if id(part) not in self._answers:
            self._answers[id(part)] = part, False
            asks = getattr(part, "is_ready", None)
            self._answers[id(part)] = part, _has_keys(part) if asks is None else asks() is True
        return self._answers[id(part)][1]

    async def _aanswer(self, part: Any) -> bool:
        asks = getattr(part, "ais_ready", None)
        if asks is None:
            return self._answer(part)
        if id(part) not in self._answers:
            self._answers[id(part)] = part, False
            self._answers[id(part)] = part, await asks() is True
        return self._answers[id(part)][1]


def _parts(watched: Any) -> list[Any]:
    return list(watched._stands_on()) if isinstance(watched, Counting) else [watched]


def _has_keys(part: Any) -> bool:
    """By what is at hand, without asking anybody. What has no keys and says nothing is ready."""
    if hasattr(part, "ready"):
        return part.ready is True
    if isinstance(part, RefreshingKeySource):
        return part.peek() is not None
    if isinstance(part, KeySource):
        part.snapshot()
    return True
