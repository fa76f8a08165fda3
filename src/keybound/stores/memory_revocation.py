"""A deny-list in the memory of one process."""

from __future__ import annotations

import hashlib
import math
import threading
from heapq import heappop, heappush

from keybound.clock import Clock, system_clock
from keybound.errors import PolicyError, Unavailable
from keybound.limits import MAX_REPLAY_ENTRIES
from keybound.stores._counters import Counters
from keybound.stores._forks import FORKS, Lock
from keybound.stores.revocation import Entry, RevocationList, Token, check_clock, check_token, time_of, traces

__all__ = ["MemoryRevocationList"]

_LONGEST_KEY = 256

_LAG = 600
"""Seconds for which an entry stays longer than it has to: more than the leeway of any sane validator."""


class MemoryRevocationList(RevocationList):
    """Revokes tokens in this process, and in no other; see :class:`~keybound.stores.RevocationList`.

    Reading takes no lock. A full list refuses new entries and forgets none that still count. When the clock
    steps back to before something was forgotten, tokens of that time are refused.

    :param max_entries: revocations at most
    :param token_lifetime: seconds from issue until every token is over, with the leeway of validators
    :param clock: the clock of the validators
    :raises PolicyError: an option is not what it should be
    """

    def __init__(
        self,
        *,
        max_entries: int = 1_000_000,
        token_lifetime: float = 86_400.0,
        clock: Clock = system_clock,
    ) -> None:
        super().__init__(token_lifetime=token_lifetime, clock=clock)
        if type(max_entries) is not int or not 1 <= max_entries <= MAX_REPLAY_ENTRIES:
            raise PolicyError(f"max_entries must be a whole number from 1 to {MAX_REPLAY_ENTRIES}")
        self._max_entries = max_entries
        self._lock = threading.RLock()
        self._entries: dict[bytes, tuple[float, float]] = {}
        self._ends: list[tuple[float, bytes]] = []
        self._forgotten = -math.inf
        self._counters = Counters(("entered", "expired", "refused_full", "revoked", "refused_clock"))
        FORKS.watch(self)

    def is_revoked(self, token: Token) -> bool:
        """See :meth:`keybound.stores.RevocationList.is_revoked`."""
        check_token(token)
        issued_at, expires_at = time_of(token, "iat"), time_of(token, "exp")
        for octets in traces(token):
            entry = self._entries.get(_key(octets))
            if entry is not None and (issued_at is None or issued_at <= entry[0]):
                self._counters.count("revoked")
                return True
        if expires_at is not None and expires_at <= self._forgotten:
            self._counters.count("refused_clock")
            raise Unavailable("the clock stepped back to a time that the deny-list has forgotten")
        return False

    async def ais_revoked(self, token: Token) -> bool:
        """:meth:`is_revoked` for use in an event loop; never waits."""
        return self.is_revoked(token)

    def stats(self) -> dict[str, int]:
        """Counters since the list was made; ``entries`` is of now.

        :returns: ``entered``, ``expired`` (and forgotten since), ``refused_full`` (calls of ``revoke``),
            ``revoked`` and ``refused_clock`` (tokens), ``entries``
        """
        return self._counters.numbers() | {"entries": len(self._entries)}

    def _keep(self, entry: Entry) -> None:
        now = check_clock(self._clock)
        with self._lock:
            self._reclaim(now)
            key = _key(entry.octets)
            before, until = self._entries.get(key, (entry.before, entry.until))
            if key not in self._entries:
                if len(self._entries) >= self._max_entries:
                    self._counters.count("refused_full")
                    raise Unavailable("the deny-list is full")
                heappush(self._ends, (until, key))
            # Replaced as a whole: nobody reads half of it.
            self._entries[key] = max(before, entry.before), max(until, entry.until)
        self._counters.count("entered")

    async def _akeep(self, entry: Entry) -> None:
        self._keep(entry)

    def _locks(self) -> list[Lock]:
        return [self._lock, self._counters.lock]

    def _reclaim(self, now: float) -> None:
        while self._ends and self._ends[0][0] + _LAG <= now:
            end, octets = heappop(self._ends)
            _, until = self._entries[octets]
            if until > end:
                # Extended since.
                heappush(self._ends, (until, octets))
                continue
            self._forgotten = max(self._forgotten, end)
            del self._entries[octets]
            self._counters.count("expired")

    def __repr__(self) -> str:
        return f"<keybound.stores.MemoryRevocationList, {len(self._entries)} entries>"


def _key(octets: bytes) -> bytes:
    """What an entry lies under: bounded, whatever identifiers an issuer chooses."""
    # They begin with a digit, so that no short ones are the hash of long ones.
    return octets if len(octets) <= _LONGEST_KEY else b"#" + hashlib.sha256(octets).digest()
