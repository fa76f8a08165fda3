"""Documents that processes share through a Redis or Valkey."""

from __future__ import annotations

import hashlib
import math
import time
from base64 import b64decode, b64encode
from collections.abc import Callable

from keybound.stores._counters import Counters
from keybound.stores._server import COUNTED, Answer, Call, Conversation, Script, Server, check_seconds

__all__ = ["RedisDocuments"]

_LOAD = Script("return {redis.call('GET', KEYS[1]) or '', ARGV[1]}", str)
_STORE = Script("redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])\nreturn {ARGV[1]}")


class RedisDocuments:
    """One entry for each URL on a Redis or Valkey, as ``shared=`` of :class:`~keybound.RemoteJWKSet`.

    Whoever can write to the server chooses the keys of every process that shares it: let nobody else have
    its password, and use ``rediss://`` where others are on the way.

    :param server: URL or client, as for :class:`~keybound.stores.RedisReplayStore`; as are ``namespace``,
        ``deadline``, ``pause`` and ``monotonic``
    :param lifetime: seconds for which a document is kept; what is older than ``max_stale`` is not used anyway
    :raises PolicyError: an option is unsafe or impossible
    """

    def __init__(
        self,
        server: object,
        *,
        namespace: str = "keybound",
        deadline: float = 1.0,
        pause: float = 1.0,
        lifetime: float = 86_400.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._counters = Counters(("loaded", "stored", *COUNTED))
        self._server = Server(
            server,
            async_client=None,
            namespace=namespace,
            deadline=deadline,
            pause=pause,
            monotonic=monotonic,
            counters=self._counters,
        )
        self._lifetime = math.ceil(min(check_seconds("lifetime", lifetime), 1e10) * 1000)

    def load(self, url: str) -> bytes | None:
        """See :meth:`keybound.keys.SharedDocuments.load`; one round trip.

        :raises Unavailable: the server does not answer
        :raises ValueError: what is there was not stored here
        """
        (found,) = self._server.hold(self._ask(_LOAD, url))
        self._counters.count("loaded")
        return b64decode(found, validate=True) if found else None

    def store(self, url: str, state: bytes) -> None:
        """See :meth:`keybound.keys.SharedDocuments.store`; one round trip.

        :raises Unavailable: the server does not answer
        """
        self._server.hold(self._ask(_STORE, url, b64encode(state).decode("ascii"), self._lifetime))
        self._counters.count("stored")

    def stats(self) -> dict[str, int]:
        """Counters since it was made.

        :returns: ``loaded`` and ``stored``; of calls to the server ``asked`` (and answered), ``failed`` and
            ``spared`` (not made after a failure)
        """
        return self._counters.numbers()

    def close(self) -> None:
        """Close connections that were made from a URL."""
        self._server.close()

    def _ask(self, script: Script, url: str, *arguments: str | int) -> Conversation[Answer]:
        digest = hashlib.sha256(url.encode()).digest()
        tag = self._server.tag(digest)
        return (yield Call(script, tag, (self._server.key(tag, "document", digest),), arguments))

    def __repr__(self) -> str:
        return "<keybound.stores.RedisDocuments>"
