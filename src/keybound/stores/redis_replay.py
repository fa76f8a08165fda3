"""A replay store on a Redis or Valkey that many processes share."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from typing import Literal

from keybound.errors import PolicyError, Reason, Unavailable, rejection
from keybound.stores._counters import Counters
from keybound.stores._epoch import LOST, VOUCH, Epochs, milliseconds
from keybound.stores._server import COUNTED, Call, Conversation, Script, Server, check_seconds
from keybound.stores.memory import MemoryReplayStore
from keybound.stores.replay import check_times, proof_octets

__all__ = ["OnLoss", "RedisReplayStore"]

OnLoss = Literal["refuse", "memory"]
"""What to do while the server cannot tell: refuse, or ask the memory of this process."""

_FIRST, _SEEN, _FORGOTTEN, _PRINCIPAL_FULL = 1, 0, -2, -3

_PUT = Script(
    VOUCH
    + """
-- KEYS: mark, proof, principal.
-- ARGV[3]: floor in ms. ARGV[4]: ms until the proof is over. ARGV[5], [6]: bound and its period in ms.
local known = redis.call('GET', KEYS[2])
if known then return {known == ARGV[1] and 1 or 0, 0, ARGV[1]} end
local since = vouched()
if since == -1 then return {-1, 0, ARGV[1]} end
if tonumber(ARGV[3]) < since then return {-2, since, ARGV[1]} end
local bound = tonumber(ARGV[5])
if bound > 0 then
  if tonumber(redis.call('GET', KEYS[3]) or '0') >= bound then
    return {-3, redis.call('PTTL', KEYS[3]), ARGV[1]}
  end
  if redis.call('INCR', KEYS[3]) == 1 then redis.call('PEXPIRE', KEYS[3], ARGV[6]) end
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[4])
return {1, 0, ARGV[1]}
""",
    int,
    int,
)


class _Bounded(Unavailable):
    """The server can tell, and the answer is no: memory, which nobody shares, must not say otherwise."""


class RedisReplayStore:
    """Remembers used proofs on a Redis or Valkey. Every process that shares it sees a proof used at once.

    A server that may have lost entries (it is empty, it was restarted, another one has taken its place)
    vouches for nothing that could have been used before: proofs issued before are refused until they are
    over. It needs the commands GET, SET, INCR, PEXPIRE, PTTL, INFO, EVAL and EVALSHA, and the
    ``maxmemory-policy`` ``noeviction``.

    :param server: URL (``redis://``, ``rediss://``, ``unix://``), or a client of the redis package with a
        ``socket_timeout``: plain, of a cluster, or of a master that sentinels know
    :param async_client: the same for :meth:`aput`, where ``server`` is a client; without it, threads ask
    :param namespace: first part of every key; those who share proofs share it
    :param deadline: seconds that a connection made from a URL has for one answer, with a second attempt
    :param pause: seconds for which a server that failed is left alone, but for one call at a time
    :param max_lifetime: greatest distance of ``expires_at``, in seconds; proofs beyond are rejected. So long
        can a loss concern a proof that does not say when it was issued
    :param skew: seconds between the clocks of those who share the store, with their leeway for ``iat``
    :param durable: the server loses nothing that it has acknowledged, not even when it is killed or another
        one takes its place (``appendfsync always``); then only an empty server has lost something
    :param max_per_principal: proofs that a principal may use within ``max_lifetime`` seconds, or ``None``
    :param on_loss: ``"refuse"`` raises :class:`~keybound.Unavailable` while the server cannot tell;
        ``"memory"`` asks the memory of this process, and so accepts a proof once per process
    :param monotonic: clock for ``pause``, in seconds
    :raises PolicyError: an option is unsafe or impossible
    """

    def __init__(
        self,
        server: object,
        *,
        async_client: object = None,
        namespace: str = "keybound",
        deadline: float = 1.0,
        pause: float = 1.0,
        max_lifetime: float = 3900.0,
        skew: float = 30.0,
        durable: bool = False,
        max_per_principal: int | None = None,
        on_loss: OnLoss = "refuse",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if on_loss not in ("refuse", "memory"):
            raise PolicyError('on_loss must be "refuse" or "memory"')
        bounded = max_per_principal is not None
        if bounded and (type(max_per_principal) is not int or max_per_principal < 1):
            raise PolicyError("max_per_principal must be a positive whole number or None")
        self._counters = Counters(
            (
                "accepted",
                "replayed",
                "over",
                "refused_lifetime",
                "refused_principal",
                "refused_loss",
                "from_memory",
                "renewed",
                *COUNTED,
            )
        )
        self._server = Server(
            server,
            async_client=async_client,
            namespace=namespace,
            deadline=deadline,
            pause=pause,
            monotonic=monotonic,
            counters=self._counters,
        )
        self._epochs = Epochs(
            self._server,
            use="used",
            durable=durable,
            span=check_seconds("max_lifetime", max_lifetime),
            skew=skew,
        )
        self._bound = max_per_principal or 0
        self._memory = MemoryReplayStore() if on_loss == "memory" else None

    def put(
        self,
        kind: str,
        principal: str,
        jti: str,
        *,
        expires_at: float,
        now: float,
        issued_at: float | None = None,
    ) -> bool:
        """See :meth:`keybound.stores.ReplayStore.put`; one round trip.

        :raises TokenRejected: ``lifetime_too_long``: the proof lives longer than ``max_lifetime``
        """
        if not self._in_time(expires_at, now, issued_at):
            return False
        conversation = self._conversation(kind, principal, jti, expires_at, now, issued_at)
        if self._memory is None:
            return self._server.hold(conversation)
        remembered = self._remember(kind, principal, jti, expires_at, now)
        try:
            return remembered is not False and self._server.hold(conversation)
        except _Bounded:
            raise
        except Unavailable as error:
            return self._from_memory(remembered, error)

    async def aput(
        self,
        kind: str,
        principal: str,
        jti: str,
        *,
        expires_at: float,
        now: float,
        issued_at: float | None = None,
    ) -> bool:
        """:meth:`put` for use in an event loop."""
        if not self._in_time(expires_at, now, issued_at):
            return False
        conversation = self._conversation(kind, principal, jti, expires_at, now, issued_at)
        if self._memory is None:
            return await self._server.ahold(conversation)
        remembered = self._remember(kind, principal, jti, expires_at, now)
        try:
            return remembered is not False and await self._server.ahold(conversation)
        except _Bounded:
            raise
        except Unavailable as error:
            return self._from_memory(remembered, error)

    def warm(self, *, now: float) -> None:
        """See to the server before the first proof comes; ``now`` as for :meth:`put`.

        What a server that lost something refuses, it refuses from here on, and not from the first proof on.

        :raises Unavailable: the server does not answer, or evicts entries when its memory is full
        """
        check_times(now, now)
        self._server.hold(self._epochs.warm(now))

    async def awarm(self, *, now: float) -> None:
        """:meth:`warm` for use in an event loop."""
        check_times(now, now)
        await self._server.ahold(self._epochs.warm(now))

    def is_ready(self) -> bool:
        """Whether the store could answer now, for a readiness probe. It never raises.

        The server is asked, in one round trip within ``deadline``, unless it failed less than ``pause``
        seconds ago; of a cluster one part. With ``on_loss="memory"`` there is always an answer.
        """
        return self._memory is not None or self._server.answers(self._epochs.ping())

    async def ais_ready(self) -> bool:
        """:meth:`is_ready` for use in an event loop."""
        return self._memory is not None or await self._server.aanswers(self._epochs.ping())

    def declare_nothing_was_used(self) -> None:
        """Make the server vouch for all the past: for the very first start, and no other.

        Said of a server that has lost proofs, it lets them be used again.

        :raises Unavailable: the server does not answer
        """
        self._server.hold(self._epochs.declare())

    def stats(self) -> dict[str, int]:
        """Counters since the store was made.

        :returns: ``accepted`` (first uses), ``replayed``, ``over`` (presented when their time was past),
            ``refused_lifetime``, ``refused_principal``, ``refused_loss`` (may have been used before the
            server lost something), ``from_memory`` (accepted while the server could not tell), ``renewed``
            (times that a loss was found); of calls to the server ``asked`` (and answered), ``failed`` and
            ``spared`` (not made after a failure)
        """
        return self._counters.numbers()

    def close(self) -> None:
        """Close connections that were made from a URL, but for those of event loops."""
        self._server.close()

    async def aclose(self) -> None:
        """Close connections of this event loop that were made from a URL."""
        await self._server.aclose()

    def _in_time(self, expires_at: float, now: float, issued_at: float | None) -> bool:
        if issued_at is not None:
            check_times(issued_at, now)
        if not check_times(expires_at, now):
            self._counters.count("over")
            return False
        # What is remembered for longer than a loss is, would come back after one.
        if expires_at - now > self._epochs.span:
            self._counters.count("refused_lifetime")
            raise rejection(Reason.LIFETIME_TOO_LONG)
        return True

    def _conversation(
        self, kind: str, principal: str, jti: str, expires_at: float, now: float, issued_at: float | None
    ) -> Conversation[bool]:
        epochs, server = self._epochs, self._server
        owner = hashlib.sha256(proof_octets("", principal, "")).digest()
        proof = hashlib.sha256(proof_octets(kind, principal, jti)).digest()
        tag = server.tag(owner)
        floor = epochs.floor(issued_at, expires_at)
        call = Call(
            _PUT,
            tag,
            (epochs.mark(tag), server.key(tag, "used", proof), server.key(tag, "many", owner)),
            (
                epochs.watch,
                math.floor(floor * 1000),
                # From the distance, so that it does not matter what the server takes for the time. Another
                # process, whose clock is late, accepts the proof for longer.
                milliseconds(expires_at - now + 2 * epochs.skew),
                self._bound,
                milliseconds(epochs.span),
            ),
        )
        return self._put(call, self._server.present(now), floor)

    def _put(self, call: Call, present: Callable[[], float], floor: float) -> Conversation[bool]:
        outcome, detail = yield from self._epochs.ask(call, present)
        if outcome == _FIRST:
            self._counters.count("accepted")
            return True
        if outcome == _SEEN:
            self._counters.count("replayed")
            return False
        if outcome == _PRINCIPAL_FULL:
            self._counters.count("refused_principal")
            wait = max(1.0, detail / 1000)
            raise _Bounded("a principal has used as many proofs as it may", retry_after=wait)
        self._counters.count("refused_loss")
        raise self._epochs.refusal(outcome if outcome == LOST else detail, floor)

    def _remember(self, kind: str, principal: str, jti: str, expires_at: float, now: float) -> bool | None:
        """What the memory of this process says, or ``None`` if it does not know."""
        assert self._memory is not None
        try:
            first = self._memory.put(kind, principal, jti, expires_at=expires_at, now=now)
        except Unavailable:
            return None
        if not first:
            self._counters.count("replayed")
        return first

    def _from_memory(self, remembered: bool | None, error: Unavailable) -> bool:
        if remembered is None:
            raise error
        self._counters.count("from_memory")
        return True

    def __repr__(self) -> str:
        return "<keybound.stores.RedisReplayStore>"
