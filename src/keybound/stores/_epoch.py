"""Since when a server has forgotten nothing.

A server that loses what it was told would let used proofs pass again, and revoked tokens. So every
question to it comes with the time before which the proof cannot have been used, and the answer counts
only if the server has kept everything since. What says so is a mark beside the entries: the time from
which on nothing was lost, and the run of the server that it was made in. Where all entries are gone the
mark is gone with them; a server that was killed may have kept the mark and lost what came after it, but
it is another run. Whoever finds no mark of this run makes a new one, with the present time.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable

from keybound.errors import PolicyError, Unavailable
from keybound.limits import MAX_LEEWAY
from keybound.stores._server import Answer, Call, Conversation, Script, Server, check_seconds

__all__ = ["LOST", "VOUCH", "Epochs", "milliseconds"]

LOST = -1
"""What ``vouched()`` says where there is no mark of this run of the server."""

VOUCH = """
-- KEYS[1]: the mark. ARGV[2]: "1" if another run of the server may have lost entries.
local function vouched()
  local run, since = string.match(redis.call('GET', KEYS[1]) or '', '^(%w*) (%d+)$')
  if not since then return -1 end
  if ARGV[2] == '1' and run ~= string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') then return -1 end
  return tonumber(since)
end
"""
"""Lua: milliseconds since 1970 from which on the server has kept all, or ``LOST``."""

_INSPECT = Script(
    VOUCH
    + """
local memory = redis.call('INFO', 'memory')
local limit = tonumber(string.match(memory, '%smaxmemory:(%d+)') or '0')
local policy = string.match(memory, 'maxmemory_policy:([%w-]+)') or ''
local fault = 0
if limit > 0 and policy ~= 'noeviction' then fault = 1 end
if string.find(redis.call('INFO', 'replication'), 'role:slave', 1, true) then fault = 2 end
return {vouched(), fault, ARGV[1]}
""",
    int,
    int,
)

_FAULTS = {
    1: "the server of the store evicts entries when its memory is full; set maxmemory-policy to noeviction",
    2: "the server of the store is a replica, which learns of entries later than others",
}

_REGARD = 60.0
"""Seconds until a server is inspected anew: it can be configured otherwise while it runs."""

_CLAIM = Script(
    VOUCH
    + """
local mark = redis.call('GET', KEYS[1]) or ''
if string.sub(mark, 1, 7) == 'claimed' or vouched() ~= -1 then return {0, ARGV[1]} end
redis.call('SET', KEYS[1], ARGV[3], 'PX', 10000)
return {1, ARGV[1]}
""",
    int,
)
"""The claim goes by itself if whoever made it does not come back."""

_MARK = """
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
redis.call('SET', KEYS[1], run .. ' ' .. ARGV[2])
return {1, ARGV[1]}
"""

_SETTLE = Script("if redis.call('GET', KEYS[1]) ~= ARGV[3] then return {0, ARGV[1]} end" + _MARK, int)

_DECLARE = Script(_MARK, int)


class Epochs:
    """The marks of one store on its server.

    :param use: names the mark: what one store vouches for is no matter of another
    :param durable: the operator vouches that the server loses nothing it has acknowledged
    :param span: seconds; what is presented later than this after its use is rejected without the server
    :param skew: seconds by which clocks of those who share the server differ, with the leeway they grant
    :raises PolicyError: an option is not what it should be
    """

    def __init__(self, server: Server, *, use: str, durable: bool, span: float, skew: float) -> None:
        if type(durable) is not bool:
            raise PolicyError("durable must be True or False")
        self.server = server
        self.use = use
        self.span = span
        self.skew = check_seconds("skew", skew)
        if self.skew > MAX_LEEWAY:
            raise PolicyError(f"skew must be at most {MAX_LEEWAY} seconds")
        self.watch = "0" if durable else "1"
        self._inspected_until = [-math.inf] * server.tags
        self._toured = False

    def mark(self, tag: int) -> str:
        return self.server.key(tag, self.use + "-since")

    def floor(self, issued_at: float | None, expires_at: float | None) -> float:
        """The time after which the server was told of something for the first time, if it was."""
        # Not before it was issued, apart from the clocks, and no longer than the span before its end.
        by_end = 0.0 if expires_at is None else expires_at - self.span
        by_start = 0.0 if issued_at is None else issued_at - self.skew
        return max(0.0, by_end, by_start)

    def inspect(self, tag: int, present: Callable[[], float]) -> Conversation[None]:
        """See to a group of entries before it is used: for the first time, after a loss, and now and then.

        :raises Unavailable: the server forgets entries when its memory is full, or is a replica
        """
        if self.server.monotonic() < self._inspected_until[tag]:
            return
        yield from self._inspect(tag, present)
        if not self._toured:
            # Not once more because a part is out of reach: those who ask for the others would wait for it.
            self._toured = True
            yield from self._tour(present, self.server.monotonic() + self.server.deadline)

    def _tour(self, present: Callable[[], float], end: float) -> Conversation[None]:
        """See to what was never seen to, so that its mark is made before its first entry comes."""
        for tag in range(self.server.tags):
            if self._inspected_until[tag] == -math.inf and self.server.monotonic() < end:
                try:
                    yield from self._inspect(tag, present)
                except Unavailable:
                    # Part of a cluster is out of reach. It is seen to when it is asked for.
                    continue

    def _inspect(self, tag: int, present: Callable[[], float]) -> Conversation[None]:
        started = self.server.monotonic()
        since, fault = yield Call(_INSPECT, tag, (self.mark(tag),), (self.watch,))
        if fault:
            raise Unavailable(_FAULTS[fault])
        if since == LOST:
            yield from self._renew(tag, present)
        self._inspected_until[tag] = started + _REGARD

    def _renew(self, tag: int, present: Callable[[], float]) -> Conversation[None]:
        """Make a mark, unless somebody else does."""
        keys, claim = (self.mark(tag),), f"claimed by {secrets.token_hex(8)}"
        (mine,) = yield Call(_CLAIM, tag, keys, (self.watch, claim))
        if mine:
            # A time at which the claim stood, while nothing was accepted: it can be vouched for from there.
            since = milliseconds(present())
            (settled,) = yield Call(_SETTLE, tag, keys, (since, claim))
            if settled:
                self.server.counters.count("renewed")

    def ping(self) -> Conversation[None]:
        """Ask whether the server could be asked, in one round trip; of a cluster one of its parts.

        :raises Unavailable: as ``inspect`` does
        """
        _, fault = yield Call(_INSPECT, 0, (self.mark(0),), (self.watch,))
        if fault:
            raise Unavailable(_FAULTS[fault])

    def warm(self, now: float) -> Conversation[None]:
        """Inspect every group now; raises as ``inspect`` does."""
        present = self.server.present(now)
        self._inspected_until = [-math.inf] * self.server.tags
        yield from self._inspect(0, present)
        self._toured = True
        yield from self._tour(present, math.inf)

    def declare(self) -> Conversation[None]:
        """Mark that nothing can have been lost, because there was nothing."""
        for tag in range(self.server.tags):
            yield Call(_DECLARE, tag, (self.mark(tag),), (0,))

    def ask(self, call: Call, present: Callable[[], float]) -> Conversation[Answer]:
        """Make a call, and once more where it finds the mark ``LOST`` and a new one had to be made."""
        yield from self.inspect(call.tag, present)
        answer = yield call
        if answer[0] == LOST:
            self._inspected_until[call.tag] = -math.inf
            yield from self.inspect(call.tag, present)
            answer = yield call
        return answer

    def refusal(self, since: float, floor: float) -> Unavailable:
        """Why something is refused whose first use may have been forgotten."""
        # Somebody else's mark is on the way, or was lost again at once.
        wait = 1.0 if since == LOST else since / 1000 - floor
        return Unavailable(
            "the server of the store is new, or may have lost what it was told before",
            retry_after=max(1.0, wait),
        )


def milliseconds(seconds: float) -> int:
    """``seconds`` in whole milliseconds, rounded up."""
    return math.ceil(seconds * 1000)
