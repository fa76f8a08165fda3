"""Asks a Redis or Valkey, in threads and in event loops, and never for longer than agreed."""

from __future__ import annotations

import base64
import math
import secrets
import threading
import weakref
from collections.abc import Callable, Generator
from contextlib import suppress
from hashlib import sha1
from typing import Any, NamedTuple, TypeVar

from keybound.errors import PolicyError, Unavailable
from keybound.stores._counters import Counters
from keybound.stores._forks import FORKS, Lock

__all__ = ["COUNTED", "Answer", "Call", "Conversation", "Script", "Server", "check_seconds"]

COUNTED = ("asked", "failed", "spared")
"""What is counted here: calls that were answered, that failed, and that a failure before made pointless."""

_CLUSTER_TAGS = 64
"""Groups of keys, each of which a cluster keeps in one place."""

_STEPS = 4
"""Connect and answer, and both once more on a new connection: what the deadline is divided by."""

_THREADS = 1 << 16
"""Connections of a blocking client at most, which is none: each thread that asks has one."""

_TASKS = 64
"""Connections of an event loop at most. Tasks beyond them wait their turn, and the server answers no sooner
if it is asked over more."""

Answered = TypeVar("Answered")


class Script:
    """Lua that the server runs in one step. ``ARGV[1]`` comes back as the last part of every answer.

    :param parts: types of the others
    """

    def __init__(self, text: str, *parts: type) -> None:
        self.text, self.parts = text, parts
        # The server names scripts by their SHA-1; nothing depends on its strength.
        self.sha = sha1(text.encode(), usedforsecurity=False).hexdigest()


class Call(NamedTuple):
    """One round trip."""

    script: Script
    tag: int
    keys: tuple[str, ...]
    arguments: tuple[str | int, ...] = ()


Answer = list[Any]
Conversation = Generator[Call, Answer, Answered]
"""What a store asks and concludes, written once for threads and event loops; errors are thrown into it."""


class Server:
    """One server, or a cluster or whatever else the given client leads to.

    After a failure nobody asks for ``pause`` seconds, and then one caller at a time, until one is answered.
    """

    def __init__(
        self,
        server: object,
        *,
        async_client: object,
        namespace: str,
        deadline: float,
        pause: float,
        monotonic: Callable[[], float],
        counters: Counters,
    ) -> None:
        if not isinstance(namespace, str) or not 1 <= len(namespace) <= 64 or not _plain(namespace):
            raise PolicyError("namespace must be up to 64 letters, digits and any of . _ - : /")
        self.deadline = check_seconds("deadline", deadline)
        self.pause = check_seconds("pause", pause)
        if not callable(monotonic):
            raise PolicyError("monotonic must be callable and return seconds")
        self.monotonic = monotonic
        self._namespace = namespace
        self._url = server if isinstance(server, str) else None
        if self._url is None and (not hasattr(server, "evalsha") or _is_async(server)):
            raise PolicyError("server must be a URL or a blocking client, as of the redis package")
        if async_client is not None and not _is_async(async_client):
            raise PolicyError("async_client must be a client of redis.asyncio")
        self._client: Any = server if self._url is None else _from_url(self._url, self.deadline)
        self._async_client: Any = async_client
        for client in (server, async_client):
            _check_timeout(client)
        self._loops: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        self.tags = _CLUSTER_TAGS if hasattr(self._client, "nodes_manager") else 1
        self._again: list[float] = [-math.inf] * self.tags
        self._lock = threading.RLock()
        self.counters = counters
        FORKS.watch(self)

    def tag(self, digest: bytes) -> int:
        """The group of what has this digest."""
        return digest[0] % self.tags

    def key(self, tag: int, use: str, digest: bytes = b"") -> str:
        """A key in one of the groups, each of which the server keeps in one place."""
        # Redis Cluster specification, hash tags: what stands in braces decides where a key lies.
        place = [f"{{{tag:02x}}}"] if self.tags > 1 else []
        name = [base64.urlsafe_b64encode(digest).rstrip(b"=").decode()] if digest else []
        return ":".join((self._namespace, *place, use, *name))

    def present(self, now: float) -> Callable[[], float]:
        """The caller's time, going on: a conversation may be held up."""
        started = self.monotonic()
        return lambda: now + self.monotonic() - started

    def hold(self, conversation: Conversation[Answered]) -> Answered:
        """Have a conversation in this thread.

        :raises Unavailable: the server cannot be asked, or does not answer properly
        """
        try:
            call = next(conversation)
            while True:
                try:
                    answer = self._ask(call)
                except Unavailable as error:
                    call = conversation.throw(error)
                else:
                    call = conversation.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def ahold(self, conversation: Conversation[Answered]) -> Answered:
        """:meth:`hold` for use in an event loop."""
        import asyncio

        client = self._client_of_loop()
        if client is None:
            return await asyncio.to_thread(self.hold, conversation)
        try:
            call = next(conversation)
            while True:
                try:
                    answer = await asyncio.wait_for(self._aask(client, call), self.deadline)
                except Unavailable as error:
                    call = conversation.throw(error)
                except asyncio.TimeoutError:
                    call = conversation.throw(self._failed(call.tag))
                else:
                    call = conversation.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def answers(self, conversation: Conversation[object]) -> bool:
        """Whether a conversation ends well, in this thread."""
        try:
            self.hold(conversation)
        except Exception:
            return False
        return True

    async def aanswers(self, conversation: Conversation[object]) -> bool:
        """:meth:`answers` for use in an event loop."""
        try:
            await self.ahold(conversation)
        except Exception:
            return False
        return True

    def close(self) -> None:
        """Close the connections of this thread's client, if they were made from a URL."""
        if self._url is not None:
            self._client.close()

    async def aclose(self) -> None:
        """Close the connections of this event loop, if they were made from a URL."""
        import asyncio

        with self._lock:
            client = self._loops.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def _locks(self) -> list[Lock]:
        return [self._lock, self.counters.lock]

    def _client_of_loop(self) -> Any:
        """Connections belong to an event loop; every loop has its own."""
        import asyncio

        if self._url is None:
            return self._async_client
        loop = asyncio.get_running_loop()
        with self._lock:
            if loop not in self._loops:
                # Connections hold their loop, and so keep it here, with their sockets, beyond its end.
                for over in [each for each in self._loops if each.is_closed()]:
                    del self._loops[over]
                self._loops[loop] = _from_url(self._url, self.deadline, asynchronous=True)
            return self._loops[loop]

    def _ask(self, call: Call) -> Answer:
        self._enter(call.tag)
        nonce, arguments = _arguments(call)
        # Whatever goes wrong between here and the server: nobody can tell what it would have said.
        try:
            try:
                answer = self._client.evalsha(call.script.sha, *arguments)
            except Exception as error:
                if not _script_is_missing(error):
                    raise
                answer = self._client.eval(call.script.text, *arguments)
        except Exception as error:
            if self._url is not None:
                # What refuses may be a master no more, and its name lead to another by now.
                with suppress(Exception):
                    self._client.connection_pool.disconnect(inuse_connections=False)
            raise self._failed(call.tag) from error
        return self._answered(call, nonce, answer)

    async def _aask(self, client: Any, call: Call) -> Answer:
        self._enter(call.tag)
        nonce, arguments = _arguments(call)
        try:
            try:
                answer = await client.evalsha(call.script.sha, *arguments)
            except Exception as error:
                if not _script_is_missing(error):
                    raise
                answer = await client.eval(call.script.text, *arguments)
        except Exception as error:
            if self._url is not None:
                with suppress(Exception):
                    await client.connection_pool.disconnect(inuse_connections=False)
            raise self._failed(call.tag) from error
        return self._answered(call, nonce, answer)

    def _enter(self, tag: int) -> None:
        """Go on to the server, unless it has failed a moment ago; then one goes and the others do not."""
        if self._again[tag] == -math.inf:
            return
        with self._lock:
            now = self.monotonic()
            wait = self._again[tag] - now
            if wait <= 0:
                self._again[tag] = now + self.pause
                return
        self.counters.count("spared")
        raise _unreachable(wait)

    def _failed(self, tag: int) -> Unavailable:
        self.counters.count("failed")
        with self._lock:
            self._again[tag] = self.monotonic() + self.pause
        return _unreachable(self.pause)

    def _answered(self, call: Call, nonce: str, answer: object) -> Answer:
        """An answer to this very question, and not to one that was abandoned on the same connection."""
        parts = [_text(part) for part in answer] if isinstance(answer, list) else []
        if not parts or parts.pop() != nonce or tuple(map(type, parts)) != call.script.parts:
            raise self._failed(call.tag)
        self.counters.count("asked")
        self._again[call.tag] = -math.inf
        return parts


def check_seconds(name: str, value: object) -> float:
    """``value`` as a positive number of seconds.

    :raises PolicyError: it is none
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:  # type: ignore[operator]
        raise PolicyError(f"{name} must be a positive number of seconds")
    return float(value)  # type: ignore[arg-type]


def _from_url(url: str, deadline: float, *, asynchronous: bool = False) -> Any:
    try:
        import redis
        from redis.backoff import NoBackoff
    except ModuleNotFoundError as error:
        raise PolicyError('a URL needs the redis package: pip install "keybound[redis]"') from error
    if asynchronous:
        from redis.asyncio import BlockingConnectionPool as Pool
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
    else:
        from redis import ConnectionPool as Pool  # type: ignore[assignment]
        from redis import Redis  # type: ignore[assignment]
        from redis.retry import Retry  # type: ignore[assignment]
    times = {"socket_timeout": deadline / _STEPS, "socket_connect_timeout": deadline / _STEPS}
    options: dict[str, Any] = times | {
        # A connection that has been idle may be gone. To ask again is safe: see the nonce.
        "retry": Retry(NoBackoff(), 1),
        "retry_on_error": [redis.ConnectionError, redis.TimeoutError],
    }
    if url.startswith("rediss:"):
        # Until 6.0 the package took a certificate for any name.
        options["ssl_check_hostname"] = True
    try:
        if asynchronous:
            pool = Pool.from_url(url, max_connections=_TASKS, timeout=deadline, **options)
        else:
            pool = Pool.from_url(url, max_connections=_THREADS, **options)
        # Options of the URL go before others, and nobody looks at them until there is a connection.
        pool.connection_class(**pool.connection_kwargs)
    except Exception:
        # Not from the error: it may hold the URL, and the URL a password.
        raise PolicyError(
            "server is not a URL of redis://, rediss:// or unix:// with options of the redis package"
        ) from None
    if any(pool.connection_kwargs[name] != seconds for name, seconds in times.items()):
        raise PolicyError("deadline is what bounds the time for an answer: leave timeouts out of the URL")
    return Redis.from_pool(pool)


def _is_async(client: object) -> bool:
    # Both kinds have the same methods, and hand on what those of the other would do.
    return ".asyncio" in type(client).__module__


def _check_timeout(client: object) -> None:
    """Refuse a client that could wait for ever, where it shows."""
    pool = getattr(client, "connection_pool", None)
    options = getattr(pool, "connection_kwargs", None)
    if isinstance(options, dict) and options.get("socket_timeout", 0) is None:
        raise PolicyError("give the client a socket_timeout: a server that hangs must not hang its callers")


def _plain(namespace: str) -> bool:
    return namespace.isascii() and all(part.isalnum() or part in "._-:/" for part in namespace)


def _arguments(call: Call) -> tuple[str, tuple[str | int, ...]]:
    # Also tells the same question, sent twice by the client because a connection broke, from another one.
    nonce = secrets.token_urlsafe(9)
    return nonce, (len(call.keys), *call.keys, nonce, *call.arguments)


def _script_is_missing(error: Exception) -> bool:
    # By its name, which is the same for every client of this protocol.
    return type(error).__name__ == "NoScriptError"


def _text(part: object) -> object:
    return part.decode("ascii", "replace") if isinstance(part, bytes) else part


def _unreachable(wait: float) -> Unavailable:
    return Unavailable("the server of the store does not answer", retry_after=max(0.1, wait))
