"""What a server can send to whoever asks it for keys, in octets: each ends in an outcome, and loses nothing.

That no thread ends with an error is part of every test: pytest makes one of it.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from itertools import repeat
from typing import Any

import pytest

import keybound
from keybound import RefreshSettings, Unavailable
from keybound.keys import FetchFailed, FetchOutcome, Request, Response, background
from keybound.keys.http_transport import _check_public
from keybound.testing import FakeClock, FakeIssuer, IssuerServer, SigningKey, faults

WAIT = 20.0
KEYS = json.dumps(FakeIssuer("https://as.example.com").jwks()).encode()
Answer = Callable[[bytes, int], Iterable[bytes]]


class RawServer:
    """Answers each request on a connection of its own with the octets that a test has for it."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.answer: Answer = lambda request, number: [ok()]
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._talk, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _talk(self, connection: socket.socket) -> None:
        # Those who ask go when they have had enough.
        with connection, suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                piece = connection.recv(65536)
                if not piece:
                    return
                request += piece
            self.requests.append(request)
            for piece in self.answer(request, len(self.requests)):
                connection.sendall(piece)

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(WAIT)


def ok(body: bytes = KEYS, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", *headers, b"Content-Length: %d" % len(body), b"", body]
    return b"\r\n".join(lines)


def status(line: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + line, *headers, b"Content-Length: 0", b"", b""])


@pytest.fixture
def raw() -> Iterator[RawServer]:
    with ExitStack() as running:
        server = RawServer()
        running.callback(server.close)
        yield server


@pytest.fixture(params=["http", "httpx"])
def keys(raw: RawServer, request: pytest.FixtureRequest) -> keybound.RemoteJWKSet:
    """The keys of the raw server, over each transport."""
    if request.param == "httpx":
        pytest.importorskip("httpx", reason="httpx is an extra")
    transports = {"http": keybound.HTTPTransport, "httpx": keybound.keys.HttpxTransport}
    return keybound.RemoteJWKSet(
        f"http://127.0.0.1:{raw.port}/jwks",
        allow_http=True,
        keep_fresh=False,
        monotonic=FakeClock(1000.0),
        transport=transports[request.param](),
        refresh=RefreshSettings(total_timeout=0.5),
    )


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OUTCOMES = {
    "10 MB of header": [b"HTTP/1.1 200 OK\r\nX: " + b"a" * 10_000_000 + b"\r\n\r\n"],
    "200 headers": [b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n"],
    "endless headers": [b"HTTP/1.1 200 OK\r\n", *repeat(b"X: aaaaaaaaaa\r\n" * 1000, 5000)],
    "endless 100": [b"HTTP/1.1 100 Continue\r\n\r\n" * 1000] * 5000,
    "endless 103": [b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" * 1000] * 5000,
    "endless body": [b"HTTP/1.1 200 OK\r\n\r\n", *repeat(b" " * 65536, 1000)],
    "endless trailer": [CHUNKED + b"0\r\n", *repeat(b"X: aaaaaaaaaa\r\n" * 1000, 5000)],
    "a chunk of negative size": [CHUNKED + b"-5\r\nabcde\r\n0\r\n\r\n"],
    "a chunk of huge size": [CHUNKED + b"f" * 60_000 + b"\r\nabcde\r\n"],
    "a chunk of no size": [CHUNKED + b"\r\n\r\n"],
    "octets": [bytes(range(256)) * 100],
    "HTTP/0.9": [KEYS],
    "HTTP/9.9": [b"HTTP/9.9 200 OK\r\n\r\n{}"],
    "status 99999": [b"HTTP/1.1 99999 OK\r\n\r\n" + KEYS],
    "status -1": [b"HTTP/1.1 -1 OK\r\n\r\n" + KEYS],
    "101": [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + KEYS],
    "nothing": [],
    "two lengths": [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n" + KEYS],
    "a body that breaks off": [b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + KEYS],
    "gzip twice": [ok(KEYS, b"Content-Encoding: gzip", b"Content-Encoding: gzip")],
    "gzip of nothing": [ok(b"", b"Content-Encoding: gzip")],
    "brotli": [ok(KEYS, b"Content-Encoding: br")],
    "a coding of 10 kB": [ok(KEYS, b"Content-Encoding: " + b"gzip," * 2000)],
    "304 that nobody asked for": [status(b"304 Not Modified")],
    "no location": [status(b"302 Found")],
    "location [": [status(b"302 Found", b"Location: http://[::1")],
    "location with a control": [status(b"302 Found", b"Location: /a\x01b")],
    "location in UTF-8": [status(b"302 Found", "Location: /ä".encode())],
    "location with a port": [status(b"302 Found", b"Location: http://127.0.0.1:99999/")],
    "location of a script": [status(b"302 Found", b"Location: javascript:alert(1)")],
    "location of a file": [status(b"302 Found", b"Location: file:///etc/passwd")],
    "location //": [status(b"302 Found", b"Location: //evil.example/jwks")],
    "two locations": [status(b"302 Found", b"Location: /a", b"Location: http://evil.example/")],
    "location of 60 kB": [status(b"302 Found", b"Location: /" + b"a" * 60_000)],
    "retry-after of 20 digits": [status(b"503 x", b"Retry-After: 99999999999999999999")],
    "retry-after below 0": [status(b"503 x", b"Retry-After: -5")],
    "retry-after in words": [status(b"503 x", b"Retry-After: nan, inf")],
    "retry-after squared": [status(b"503 x", "Retry-After: ²".encode())],
}


@pytest.mark.parametrize("octets", OUTCOMES.values(), ids=OUTCOMES)
def test_every_answer_ends_in_an_outcome(raw: RawServer, keys: keybound.RemoteJWKSet, octets: list[bytes]):
    """F-11, P1, P22, P38: the last good set stays, nothing hangs, and at most one request is repeated."""
    good = keys.get()
    raw.answer = lambda request, number: octets
    outcome = keys.refresh_now()
    assert not outcome.succeeded
    assert keys.get() is good
    assert keys.stats()["failures"] == 1
    assert keys._schedule.due <= 1000 + 300, "no Retry-After puts it off"
    # A redirect within the origin may be followed a few times.
    assert len(raw.requests) <= 1 + 4


TAKEN = {
    "early hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + ok(),
    "100": b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + ok(),
    "102 and 103": b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + ok(),
    "chunks of an octet": CHUNKED + b"".join(b"1\r\n%c\r\n" % octet for octet in KEYS) + b"0\r\n\r\n",
    "cache-control": ok(KEYS, b'Cache-Control: max-age=1e5, max-age="5",,=,max-age, no-cache="a,b"'),
    "cache-control of 50 kB": ok(KEYS, b"Cache-Control: " + b"max-age=1," * 5000),
    "age": ok(KEYS, b"Cache-Control: max-age=10", b"Age: 999999999999", b"Age: 5"),
    "etags": ok(KEYS, b'ETag: "a"', b'ETag: "b"'),
}


@pytest.mark.parametrize("octets", TAKEN.values(), ids=TAKEN)
def test_answers_that_are_odd_and_good(raw: RawServer, keys: keybound.RemoteJWKSet, octets: bytes):
    """RFC 9110, 15.2: interim answers come before the one that counts. P24: Cache-Control within bounds."""
    raw.answer = lambda request, number: [octets]
    assert keys.refresh_now() is FetchOutcome.UPDATED
    assert keys.refresh_now() is FetchOutcome.UNCHANGED
    held = keys._held
    assert held is not None
    assert 60 <= held.lifetime.stale_at - held.lifetime.fetched_at <= 1800


@pytest.mark.parametrize(
    "validator",
    [
        'ETag: "é"'.encode(),
        b'ETag: "\xe9"',
        b'ETag: "' + b"a" * 5000 + b'"',
        b'ETag: "a\r\n X-Evil: 1\r\n\tY: 2"',
        b"ETag: ",
        b"Last-Modified: " + "später".encode(),
        b"Last-Modified: " + b"9" * 5000,
    ],
    ids=lambda validator: repr(validator[:24]),
)
def test_a_validator_that_could_not_be_sent_back_is_none(
    raw: RawServer, keys: keybound.RemoteJWKSet, validator: bytes
):
    """An ETag that a client or server refuses must not make every fetch to come fail."""
    raw.answer = lambda request, number: [ok(KEYS, validator)]
    assert keys.refresh_now() is FetchOutcome.UPDATED
    for _ in range(2):
        assert keys.refresh_now() is FetchOutcome.UNCHANGED
    assert all(len(request) < 2000 for request in raw.requests)
    assert not any(b"\nX-Evil" in request or b"\nY:" in request for request in raw.requests)


def test_a_304_confirms_only_what_was_asked_about(raw: RawServer, keys: keybound.RemoteJWKSet):
    """P8: keys do not live on because something on the way says 304 to everybody."""
    assert keys.refresh_now() is FetchOutcome.UPDATED
    raw.answer = lambda request, number: [status(b"304 Not Modified")]
    assert keys.refresh_now() is FetchOutcome.STATUS_REFUSED
    raw.answer = lambda request, number: [ok(KEYS, b'ETag: "1"')]
    assert keys.refresh_now() is FetchOutcome.UNCHANGED
    raw.answer = lambda request, number: [status(b"304 Not Modified")]
    assert keys.refresh_now() is FetchOutcome.UNCHANGED
    keys.purge()
    assert keys.refresh_now() is FetchOutcome.STATUS_REFUSED
    assert keys.peek() is None


def test_a_redirect_with_credentials_is_refused(raw: RawServer, keys: keybound.RemoteJWKSet):
    target = b"Location: http://user:secret@127.0.0.1:%d/other" % raw.port
    raw.answer = lambda request, number: [status(b"302 Found", target)]
    assert keys.refresh_now() is FetchOutcome.REDIRECT_REFUSED
    assert len(raw.requests) == 1
    raw.answer = lambda request, number: [
        status(b"302 Found", b"Location: other#fragment") if b"/jwks" in request else ok()
    ]
    assert keys.refresh_now() is FetchOutcome.UPDATED
    assert raw.requests[-1].startswith(b"GET /other HTTP/1.1")


def test_an_answer_that_is_none_is_not_asked_for_again(raw: RawServer):
    """P22: one retry for a connection that broke, and none for an answer."""
    raw.answer = lambda request, number: [b"no HTTP at all\r\n\r\n"]
    source = keybound.RemoteJWKSet(f"http://127.0.0.1:{raw.port}/", allow_http=True, keep_fresh=False)
    assert source.refresh_now() is FetchOutcome.MALFORMED
    assert len(raw.requests) == 1


def test_small_pieces_cost_no_more_than_their_octets(raw: RawServer, keys: keybound.RemoteJWKSet):
    """Half a million chunks of one octet: they were copied once for each that followed."""
    keys._settings = RefreshSettings(total_timeout=WAIT)
    most = keys._settings.document_bytes
    raw.answer = lambda request, number: [CHUNKED, b"1\r\n \r\n" * (most - 1), b"2\r\n{}\r\n0\r\n\r\n"]
    assert keys.refresh_now() is FetchOutcome.TOO_LARGE


# Addresses


@pytest.mark.parametrize(
    ("url", "to"),
    [
        ("https://[::1]/jwks", ("::1", 443)),
        ("http://[::1]/jwks", ("::1", 80)),
        ("https://[2001:db8::1]:8443/jwks", ("2001:db8::1", 8443)),
        ("https://as.example.com/jwks", ("as.example.com", 443)),
    ],
)
def test_the_port_of_an_ipv6_address_is_not_its_last_group(url: str, to: tuple[str, int]):
    from urllib.parse import urlsplit

    request = Request(url=url, headers={}, connect_timeout=1, read_timeout=1, total_timeout=1, max_bytes=1)
    connection = keybound.HTTPTransport()._connection(urlsplit(url), None, request, 0.0)
    assert (connection.host, connection.port) == to


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "2002:a00:1::1",
        "2002:7f00:1::",
        "64:ff9b::a00:1",
        "64:ff9b::169.254.169.254",
    ],
)
def test_addresses_that_are_not_public(address: str):
    """P38: also where an IPv4 address is hidden in one of IPv6."""
    with pytest.raises(FetchFailed) as caught:
        _check_public(address)
    assert caught.value.outcome is FetchOutcome.ADDRESS_REFUSED


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"])
def test_addresses_that_are_public(address: str):
    _check_public(address)


@pytest.mark.parametrize("url", ["https://as.example.com/jwks#", "https://as.example.com#"])
def test_an_empty_fragment_is_one(url: str):
    with pytest.raises(keybound.PolicyError, match="fragment"):
        keybound.RemoteJWKSet(url)


# Transports of others


def of(transport: Any, **options: Any) -> keybound.RemoteJWKSet:
    usual: dict[str, Any] = {"keep_fresh": False, "monotonic": FakeClock(1000.0)}
    return keybound.RemoteJWKSet("https://as.example.com/jwks", transport=transport, **usual | options)


async def cancelled(request: Request) -> Response:
    raise asyncio.CancelledError


async def cancels_itself(request: Request) -> Response:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)
    return Response(status=200, body=KEYS)


@pytest.mark.parametrize(
    "transport",
    [
        cancelled,
        cancels_itself,
        lambda request: None,
        lambda request: b"body",
        lambda request: Response(status=200, body="text"),  # type: ignore[arg-type]
        lambda request: Response(status="200", body=KEYS),  # type: ignore[arg-type]
        lambda request: Response(status=200, body=KEYS, headers=None),  # type: ignore[arg-type]
        lambda request: Response(status=200, body=KEYS, headers={"etag": 5}),  # type: ignore[dict-item]
        lambda request: Response(status=503, headers={"retry-after": 5}),  # type: ignore[dict-item]
        lambda request: Response(status=302, headers={"location": b"/"}),  # type: ignore[dict-item]
        lambda request: Response(status=200, body=KEYS, headers={b"etag": "a"}),  # type: ignore[dict-item]
    ],
)
def test_a_transport_that_breaks_its_contract_has_failed(transport: Any):
    keys = of(transport)
    assert keys.refresh_now() is FetchOutcome.TRANSPORT_FAILED
    with pytest.raises(Unavailable):
        keys.get()


@pytest.mark.parametrize(
    "seconds", [float("nan"), float("inf"), -5, "5", True, 1e300, None, 10**400], ids=str
)
def test_a_failure_of_a_transport_says_when_to_come_back_or_does_not(seconds: Any):
    def down(request: Request) -> Response:
        raise FetchFailed(FetchOutcome.STATUS_REFUSED, status=503, retry_after=seconds)

    keys = of(down)
    with pytest.raises(Unavailable) as caught:
        keys.get()
    assert 1 <= caught.value.retry_after <= 60
    assert 1000.5 <= keys._schedule.due <= 1060


@pytest.mark.parametrize(
    "options",
    [{"headers": {5: "a"}}, {"proxy": 5}, {"proxy": b"x"}, {"proxy": "x\0y"}, {"proxy": {}}, {"nonsense": 1}],
    ids=str,
)
def test_options_that_httpx_cannot_use(options: dict[str, Any]):
    """It finds out by using them, with whatever error that ends in."""
    with pytest.raises(keybound.PolicyError, match="httpx"):
        keybound.keys.HttpxTransport(**options)


@pytest.mark.parametrize(
    "proxy", ["://", "http://", "socks5://x", "http://[::1", "http://a b:1", "127.0.0.1:x", "http://\x01:1"]
)
def test_a_proxy_of_the_environment_that_is_none(monkeypatch: pytest.MonkeyPatch, proxy: str):
    """P23: nobody is asked around it, and it ends in an outcome."""
    monkeypatch.setenv("https_proxy", proxy)
    keys = keybound.RemoteJWKSet("https://127.0.0.1:1/jwks", keep_fresh=False)
    assert keys.refresh_now() in (FetchOutcome.TRANSPORT_FAILED, FetchOutcome.MALFORMED)


def test_many_who_do_everything_at_once(monkeypatch: pytest.MonkeyPatch):
    """Purges, imports, refreshes, cancelled tasks and failures in eight threads: no error, hang or leak."""
    monkeypatch.setattr("keybound.keys.flight._GRACE", 0.01)
    choose = random.Random(1)
    bodies = [json.dumps(FakeIssuer("https://as.example.com").jwks()).encode() for _ in range(2)]

    def answer(request: Request) -> Response:
        turn = choose.random()
        if turn < 0.1:
            raise ConnectionResetError
        if turn < 0.2:
            return Response(status=503, headers={"Retry-After": "1"})
        if turn < 0.3:
            return Response(status=304)
        return Response(status=200, body=choose.choice(bodies), headers={"ETag": '"1"'})

    quick = RefreshSettings(
        refresh_after=0.01,
        fresh_for=0.02,
        max_stale=0.3,
        min_fresh=0.01,
        max_fresh=0.05,
        cooldown=0.01,
        unknown_for=0.02,
        backoff=0.005,
        max_backoff=0.02,
        total_timeout=0.5,
    )
    shared = Board()
    sources = [of(answer, refresh=quick, monotonic=time.monotonic, shared=shared) for _ in range(3)]

    async def impatient(keys: keybound.RemoteJWKSet) -> None:
        asking = asyncio.ensure_future(keys.arefresh_for("bogus"))
        await asyncio.sleep(0)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking

    def exchange(keys: keybound.RemoteJWKSet) -> None:
        state = keys.export_state()
        if state is not None:
            choose.choice(sources).import_state(state)

    uses: list[Callable[[keybound.RemoteJWKSet], object]] = [
        lambda keys: keys.get(),
        lambda keys: keys.refresh_for("unknown"),
        lambda keys: keys.refresh_now(),
        lambda keys: keys.purge(),
        lambda keys: keys.stats(),
        lambda keys: asyncio.run(keys.aget("other")),
        lambda keys: asyncio.run(impatient(keys)),
        exchange,
    ]
    done: list[int] = []

    def work() -> None:
        for _ in range(400):
            with suppress(Unavailable):
                choose.choice(uses)(choose.choice(sources))
        done.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    end_of_fetches()
    assert len(done) == 8
    assert [keys._aloft for keys in sources] == [0, 0, 0]
    assert all(keys.stats()["share_failures"] == 0 for keys in sources)


class Board:
    """What sources of one process share."""

    def __init__(self) -> None:
        self.states: dict[str, bytes] = {}

    def load(self, url: str) -> bytes | None:
        return self.states.get(url)

    def store(self, url: str, state: bytes) -> None:
        self.states[url] = state


def test_header_names_are_found_in_any_case():
    keys = of(
        lambda request: Response(status=200, body=KEYS, headers={"ETag": '"1"', "Cache-Control": "no-store"})
    )
    keys.warm()
    held = keys._held
    assert held is not None
    assert held.etag == '"1"'
    assert held.lifetime.stale_at == 1060


# Time


@pytest.mark.parametrize("name", ["connect_timeout", "read_timeout", "total_timeout"])
def test_a_timeout_that_no_platform_can_wait_for_is_refused(name: str):
    """It was taken, and the first who asked got an OverflowError."""
    with pytest.raises(keybound.PolicyError, match=name):
        RefreshSettings(**{name: 1e10})
    assert of(
        lambda request: Response(status=200, body=KEYS), refresh=RefreshSettings(**{name: 86_400})
    ).get()


def test_a_clock_that_breaks_in_a_fetch_ends_no_thread_with_an_error():
    now: list[Any] = [1000.0]

    def answer(request: Request) -> Response:
        now[0] = None
        return Response(status=200, body=KEYS)

    keys = of(answer, monotonic=lambda: now[0], refresh=RefreshSettings(total_timeout=0.2))
    with pytest.raises(Unavailable):
        keys.get()
    now[0] = 2000.0
    keys._transport = lambda request: Response(status=200, body=KEYS)
    assert keys.get()


def test_tasks_of_those_who_are_gone_do_not_pile_up():
    """Who makes a source for each request leaves a task in the timer with each."""

    class Passing:
        def work(self) -> None:
            raise AssertionError

    timer = background.Timer()
    timer._running = True  # nothing is due, and no thread is needed
    kept = [Passing() for _ in range(100)]
    for one in kept:
        timer.add(1e9, background.weakref.WeakMethod(one.work))
    for _ in range(50_000):
        timer.add(1e9, background.weakref.WeakMethod(Passing().work))
    assert len(timer._tasks) <= 1024 + 1
    alive = [task for task in timer._tasks if task[2]() is not None]
    assert len(alive) >= len(kept)


def test_threads_that_hang_for_ever_are_bounded(monkeypatch: pytest.MonkeyPatch):
    """P22: a transport that never returns, asked again and again, is not given a thread each time."""
    monkeypatch.setattr("keybound.keys.flight._GRACE", 0.0)
    release, hanging = threading.Event(), []

    def stuck(request: Request) -> Response:
        hanging.append(1)
        release.wait(WAIT)
        return Response(status=200, body=KEYS)

    keys = of(stuck, refresh=RefreshSettings(total_timeout=0.005))
    for _ in range(40):
        assert keys.refresh_now() is FetchOutcome.TIMED_OUT
    assert len(hanging) == 16
    assert keys.stats()["failures"] == 40
    release.set()
    end_of_fetches()
    assert keys.peek() is None, "what comes too late is not wanted"
    keys._settings = RefreshSettings()
    assert keys.refresh_now() is FetchOutcome.UPDATED


def test_a_handshake_that_does_not_end_is_over_in_time():
    """P22: TLS has begun, and a long certificate never comes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
                while connection.recv(1):
                    connection.sendall(b"\x03")

        server = threading.Thread(target=drip)
        server.start()
        keys = keybound.RemoteJWKSet(
            f"https://127.0.0.1:{listening.getsockname()[1]}/jwks",
            keep_fresh=False,
            refresh=RefreshSettings(connect_timeout=0.2, total_timeout=WAIT),
        )
        assert keys.refresh_now() is FetchOutcome.TIMED_OUT
        server.join(WAIT)
        assert not server.is_alive()


# Event loops and processes


def test_loops_that_are_closed_or_left_behind_change_nothing(server: IssuerServer, source: Any, caplog: Any):
    keys = source()
    hold = server.fault = faults.Hold()
    closed = asyncio.new_event_loop()
    left = closed.create_task(keys.aget())
    closed.run_until_complete(asyncio.sleep(0))
    while not hold.arrived.is_set():
        closed.run_until_complete(asyncio.sleep(0))
    left._log_destroy_pending = False  # type: ignore[attr-defined]
    closed.close()

    async def impatient() -> bool:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(keys.aget(), 0.01)
        return True

    assert asyncio.run(impatient())
    results: list[int] = []
    waiting = [
        threading.Thread(target=lambda: results.append(len(asyncio.run(keys.aget())))) for _ in range(30)
    ]
    for thread in waiting:
        thread.start()
    hold.release()
    for thread in waiting:
        thread.join(WAIT)
    assert results == [1] * 30
    assert server.count() == 1
    assert not caplog.records
    left.get_coro().close()  # type: ignore[union-attr]


EXIT = """
import atexit, sys, threading
import keybound
from keybound.testing import IssuerServer, faults

server = IssuerServer().__enter__()
context = server.client_context()
transport = (
    keybound.HTTPTransport(ssl_context=context)
    if sys.argv[1] == "http" else keybound.keys.HttpxTransport(verify=context)
)
keys = keybound.RemoteJWKSet(server.jwks_uri, transport=transport)
keys.warm()
hold = server.fault = faults.Hold()
threading.Thread(target=keys.refresh_now, daemon=True).start()
assert hold.arrived.wait(20)
atexit.register(lambda: print(len(keys.get()), keys.refresh_for("bogus")) if sys.argv[2] else None)
"""


@pytest.mark.parametrize("transport", ["http", "httpx"])
def test_a_process_ends_while_a_fetch_hangs(transport: str):
    """Nobody waits for the fetch, and nothing is said about it."""
    if transport == "httpx":
        pytest.importorskip("httpx", reason="httpx is an extra")
    done = subprocess.run(
        [sys.executable, "-c", EXIT, transport, ""], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


# Metadata


def test_keys_that_nobody_names_any_more_end(server: IssuerServer):
    """P8: the former keys bridge the time to the new ones, up to max_stale, and are not fetched again."""
    monotonic = FakeClock(1000.0)
    document = {"issuer": server.url, "jwks_uri": server.jwks_uri}
    server.publish("/.well-known/openid-configuration", lambda: document)
    keys = keybound.DiscoveredJWKSet(
        keybound.RemoteMetadata(
            server.url,
            transport=keybound.HTTPTransport(ssl_context=server.client_context()),
            monotonic=monotonic,
            keep_fresh=False,
        )
    )
    keys.warm()
    document["jwks_uri"] = f"{server.url}/nowhere"
    assert keys.refresh_now() is FetchOutcome.STATUS_REFUSED
    before = server.count("/jwks")
    for _ in range(35):
        monotonic.advance(100)
        assert len(keys.get()) == 1
        assert not keys.refresh_for("bogus")
        end_of_fetches()
    assert server.count("/jwks") == before, "the former URL is left alone"
    monotonic.advance(100)
    with pytest.raises(Unavailable):
        keys.get()
    document["jwks_uri"] = server.jwks_uri
    monotonic.advance(100)
    keys.refresh_now()
    assert len(keys.get()) == 1, "named again, they are fetched again"


def end_of_fetches() -> None:
    for thread in threading.enumerate():
        if thread.name == "keybound-fetch":
            thread.join(WAIT)


# Keys


def published(*entries: Any) -> keybound.RemoteJWKSet:
    body = json.dumps({"keys": list(entries)}).encode()
    return of(lambda request: Response(status=200, body=body))


@pytest.mark.parametrize(
    "entry",
    [
        None,
        5,
        [],
        {},
        {"kty": None},
        {"kty": ["RSA"]},
        {"kty": "RSA", "n": "A" * 200_000, "e": "AQAB"},
        {"kty": "RSA", "n": "AQAB", "e": "A" * 100_000},
        {"kty": "EC", "crv": {"a": 1}, "x": "", "y": ""},
        {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
        {"kty": "OKP", "crv": "Ed25519", "x": "!"},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "A"},
    ],
    ids=lambda entry: str(entry)[:40],
)
def test_an_odd_key_decides_nothing(entry: Any):
    """P17: with a good one beside it, it is skipped; alone, the fetch has failed."""
    good = SigningKey.generate("ES256", kid="good").public_jwk()
    keys = published(entry, good)
    assert [key.kid for key in keys.get()] == ["good"]
    assert sum(keys.get().skipped.values()) == 1
    assert published(entry).refresh_now() is FetchOutcome.NOTHING_USABLE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'{"keys":null}',
        b'{"keys":{}}',
        b'{"keys":[]}',
        b'{"keys":[],"keys":[]}',
        b"\xef\xbb\xbf" + KEYS,
        KEYS.decode().encode("utf-16"),
        b'{"keys":' + b"[" * 100_000,
        b'{"keys":[' + b"1" * 400_000 + b"]}",
        b'{"keys":[NaN]}',
        b'{"keys":["\\ud800"]}',
        KEYS + b"\x00",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_documents_that_are_none(body: bytes):
    keys = of(lambda request: Response(status=200, body=body))
    assert keys.refresh_now() in (FetchOutcome.MALFORMED, FetchOutcome.NOTHING_USABLE)
    with pytest.raises(Unavailable):
        keys.get()
