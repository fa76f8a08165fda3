"""A deny-list on a Redis or Valkey that many processes share."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from contextlib import suppress

from keybound.clock import Clock, system_clock
from keybound.errors import PolicyError, Unavailable
from keybound.stores._counters import Counters
from keybound.stores._epoch import LOST, VOUCH, Epochs, milliseconds
from keybound.stores._server import COUNTED, Call, Conversation, Script, Server
from keybound.stores.memory_revocation import MemoryRevocationList
from keybound.stores.redis_replay import OnLoss
from keybound.stores.revocation import Entry, RevocationList, Token, check_clock, check_token, time_of, traces

__all__ = ["RedisRevocationList"]

_REVOKED, _GOOD, _FORGOTTEN = 1, 0, -2
_FOR_GOOD = 0

_KEEP = Script(
    VOUCH
    + """
-- KEYS: mark, entry. ARGV[3]: tokens issued up to then, in ms. ARGV[4]: ms to keep it, 0 for good.
if vouched() == -1 then return {-1, ARGV[1]} end
local before = math.max(tonumber(ARGV[3]), tonumber(redis.call('GET', KEYS[2]) or '-1'))
local kept = redis.call('PTTL', KEYS[2])
local life = tonumber(ARGV[4])
redis.call('SET', KEYS[2], string.format('%.0f', before))
if life > 0 and kept ~= -1 then
  redis.call('PEXPIRE', KEYS[2], string.format('%.0f', math.max(life, kept)))
end
return {0, ARGV[1]}
""",
    int,
)

_CHECK = Script(
    VOUCH
    + """
-- KEYS: mark, entries. ARGV[3]: floor in ms. ARGV[4]: time of issue in ms, -1 if nobody knows.
for number = 2, #KEYS do
  local before = redis.call('GET', KEYS[number])
  if before and tonumber(ARGV[4]) <= tonumber(before) then return {1, 0, ARGV[1]} end
end
local since = vouched()
if since == -1 then return {-1, 0, ARGV[1]} end
if tonumber(ARGV[3]) < since then return {-2, since, ARGV[1]} end
return {0, 0, ARGV[1]}
""",
    int,
    int,
)

_EVER = 2**53
"""Milliseconds that no time of issue reaches: the largest whole number that Lua tells from its neighbours."""


class RedisRevocationList(RevocationList):
    """Revokes tokens for every process that shares a Redis or Valkey, with the very next presentation.

    Each check is one round trip. A server that may have lost revocations vouches for no token that was
    issued before: see ``durable``, which suits a deny-list, and :meth:`declare_nothing_was_revoked`.

    :param server: URL or client, as for :class:`~keybound.stores.RedisReplayStore`; as are ``async_client``,
        ``namespace``, ``deadline``, ``pause``, ``skew`` and ``monotonic``
    :param token_lifetime: seconds from issue until every token is over, with the leeway of validators
    :param durable: the server loses nothing that it has acknowledged
    :param on_loss: ``"refuse"`` raises :class:`~keybound.Unavailable` while the server cannot tell;
        ``"memory"`` then knows of revocations by this process, and of no others
    :param clock: the clock of the validators
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
        token_lifetime: float = 86_400.0,
        skew: float = 30.0,
        durable: bool = False,
        on_loss: OnLoss = "refuse",
        clock: Clock = system_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(token_lifetime=token_lifetime, clock=clock)
        if on_loss not in ("refuse", "memory"):
            raise PolicyError('on_loss must be "refuse" or "memory"')
        self._counters = Counters(
            ("entered", "good", "revoked", "refused_loss", "from_memory", "renewed", *COUNTED)
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
            use="revoked",
            durable=durable,
            span=self._token_lifetime,
            skew=skew,
        )
        memory = MemoryRevocationList(token_lifetime=token_lifetime, clock=clock)
        self._memory = memory if on_loss == "memory" else None

    def is_revoked(self, token: Token) -> bool:
        """See :meth:`keybound.stores.RevocationList.is_revoked`; one round trip."""
        if self._memory is None:
            return self._server.hold(self._check(token))
        if self._memory.is_revoked(token):
            return True
        try:
            return self._server.hold(self._check(token))
        except Unavailable:
            self._counters.count("from_memory")
            return False

    async def ais_revoked(self, token: Token) -> bool:
        """:meth:`is_revoked` for use in an event loop."""
        if self._memory is None:
            return await self._server.ahold(self._check(token))
        if self._memory.is_revoked(token):
            return True
        try:
            return await self._server.ahold(self._check(token))
        except Unavailable:
            self._counters.count("from_memory")
            return False

    def warm(self) -> None:
        """See to the server before the first token comes.

        :raises Unavailable: the server does not answer, or evicts entries when its memory is full
        """
        self._server.hold(self._epochs.warm(check_clock(self._clock)))

    async def awarm(self) -> None:
        """:meth:`warm` for use in an event loop."""
        await self._server.ahold(self._epochs.warm(check_clock(self._clock)))

    def is_ready(self) -> bool:
        """Whether the store could answer now, for a readiness probe. It never raises.

        The server is asked, in one round trip within ``deadline``, unless it failed less than ``pause``
        seconds ago; of a cluster one part. With ``on_loss="memory"`` there is always an answer.
        """
        return self._memory is not None or self._server.answers(self._epochs.ping())

    async def ais_ready(self) -> bool:
        """:meth:`is_ready` for use in an event loop."""
        return self._memory is not None or await self._server.aanswers(self._epochs.ping())

    def declare_nothing_was_revoked(self) -> None:
        """Make the server vouch for all the past: for the very first start, or when every revocation that
        was lost has been entered again.

        :raises Unavailable: the server does not answer
        """
        self._server.hold(self._epochs.declare())

    def stats(self) -> dict[str, int]:
        """Counters since the list was made.

        :returns: ``entered`` (calls of ``revoke``), ``good`` and ``revoked`` (tokens that were asked about),
            ``refused_loss`` (tokens whose revocation may have been lost), ``from_memory`` (accepted while the
            server could not tell), ``renewed`` (times that a loss was found); of calls to the server
            ``asked`` (and answered), ``failed`` and ``spared`` (not made after a failure)
        """
        return self._counters.numbers()

    def close(self) -> None:
        """Close connections that were made from a URL, but for those of event loops."""
        self._server.close()

    async def aclose(self) -> None:
        """Close connections of this event loop that were made from a URL."""
        await self._server.aclose()

    def _keep(self, entry: Entry) -> None:
        self._note(entry)
        self._server.hold(self._entered(entry))

    async def _akeep(self, entry: Entry) -> None:
        self._note(entry)
        await self._server.ahold(self._entered(entry))

    def _note(self, entry: Entry) -> None:
        # A full memory is no reason to keep a revocation from everybody else.
        with suppress(Unavailable):
            if self._memory is not None:
                self._memory._keep(entry)

    def _entered(self, entry: Entry) -> Conversation[None]:
        now = check_clock(self._clock)
        tag = self._tag(entry.issuer)
        before = _EVER if entry.before == math.inf else milliseconds(entry.before)
        life = entry.until - now + 2 * self._epochs.skew
        kept = _FOR_GOOD if life == math.inf else max(1, milliseconds(life))
        keys = (self._epochs.mark(tag), self._key(tag, entry.octets))
        call = Call(_KEEP, tag, keys, (self._epochs.watch, before, kept))
        (outcome,) = yield from self._epochs.ask(call, self._server.present(now))
        if outcome == LOST:
            raise self._epochs.refusal(LOST, 0)
        self._counters.count("entered")

    def _check(self, token: Token) -> Conversation[bool]:
        check_token(token)
        now = check_clock(self._clock)
        issued_at = time_of(token, "iat")
        tag = self._tag(str(token.claim("iss")))
        floor = self._epochs.floor(issued_at, time_of(token, "exp"))
        keys = (self._epochs.mark(tag), *(self._key(tag, octets) for octets in traces(token)))
        issued = -1 if issued_at is None else math.floor(issued_at * 1000)
        call = Call(_CHECK, tag, keys, (self._epochs.watch, math.floor(floor * 1000), issued))
        outcome, since = yield from self._epochs.ask(call, self._server.present(now))
        if outcome in (_REVOKED, _GOOD):
            self._counters.count("revoked" if outcome == _REVOKED else "good")
            return bool(outcome == _REVOKED)
        self._counters.count("refused_loss")
        raise self._epochs.refusal(LOST if outcome == LOST else since, floor)

    def _tag(self, issuer: str) -> int:
        # All that one token can be revoked by lies in one place.
        return self._server.tag(hashlib.sha256(issuer.encode("utf-8", "surrogatepass")).digest())

    def _key(self, tag: int, octets: bytes) -> str:
        return self._server.key(tag, "revoked", hashlib.sha256(octets).digest())

    def __repr__(self) -> str:
        return "<keybound.stores.RedisRevocationList>"
