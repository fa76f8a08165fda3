"""What can go wrong between an issuer and whoever fetches its keys, for :class:`IssuerServer`.

A fault is in place as long as it is assigned to ``server.fault``. One of your own is a :class:`Fault`
made of a function that answers an :class:`Exchange`.
"""

from __future__ import annotations

import gzip
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from keybound.testing.certificates import CertificateAuthority

__all__ = [
    "ODD_KEYS",
    "Exchange",
    "Fault",
    "Hold",
    "bad_keys",
    "body",
    "drip",
    "gzip_bomb",
    "html",
    "redirect",
    "reset",
    "status",
    "truncated",
    "untrusted_certificate",
]

ODD_KEYS: tuple[object, ...] = (
    {"kty": "AKP", "kid": "akp", "alg": "ML-DSA-44", "pub": "AAAA"},
    {"kty": "OKP", "kid": "x25519", "crv": "X25519", "x": "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo"},
    {"kty": "RSA", "kid": "no-modulus", "e": "AQAB"},
    {"kty": "EC", "kid": "off-curve", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
    {"kty": "oct", "kid": "secret", "alg": "HS256", "k": "A" * 43},
    {"kid": "no-type"},
    {"kty": "EC", "kid": 7},
    "not an object",
    None,
)
"""Entries of a JWK Set that no verifier can use, each in its own way (RFC 7517, 5)."""


class Exchange(Protocol):
    """One request that is to be answered."""

    @property
    def path(self) -> str:
        """Path and query of the request."""

    @property
    def document(self) -> bytes:
        """What would be answered if nothing were wrong."""

    @property
    def closing(self) -> threading.Event:
        """Set when the server closes: nothing may wait any longer."""

    def answer(self) -> None:
        """Answer as if nothing were wrong."""

    def send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Answer with these, ``Content-Length`` added unless it is given."""

    def write(self, data: bytes) -> None:
        """Send octets as they are."""

    def reset(self) -> None:
        """Break the connection off, as a crash does."""


class Fault:
    """Something that goes wrong with every request while it is in place.

    :param respond: answers instead of the server
    :param context: TLS settings of the server to use instead of its own
    """

    def __init__(self, respond: Callable[[Exchange], None], context: ssl.SSLContext | None = None) -> None:
        self.respond = respond
        self.context = context


class Hold(Fault):
    """A server that does not answer until it is told to: as slow as a test needs it, without a sleep.

    :ivar arrived: set as soon as a request waits
    """

    def __init__(self) -> None:
        super().__init__(self._wait)
        self.arrived = threading.Event()
        self._released = threading.Event()

    def release(self) -> None:
        """Answer what waits, and from now on everything."""
        self._released.set()

    def _wait(self, exchange: Exchange) -> None:
        self.arrived.set()
        while not self._released.wait(0.01) and not exchange.closing.is_set():
            pass
        exchange.answer()


def status(code: int, headers: Mapping[str, str] | None = None) -> Fault:
    """An HTTP error with a page for people; ``headers`` such as ``Retry-After``."""
    page = b"<html><body>An error occurred.</body></html>"
    return Fault(
        lambda exchange: exchange.send(code, {"Content-Type": "text/html"} | dict(headers or {}), page)
    )


def body(content: bytes | str, headers: Mapping[str, str] | None = None) -> Fault:
    """Status 200 with something else than the document."""
    octets = content.encode() if isinstance(content, str) else content
    return Fault(lambda exchange: exchange.send(200, dict(headers or {}), octets))


def html() -> Fault:
    """The login page of whoever stands in between, with status 200."""
    return body("<!doctype html><title>Sign in</title>", {"Content-Type": "text/html"})


def bad_keys(*entries: object, alone: bool = False) -> Fault:
    """The JWK Set with ``entries`` before its own, :data:`ODD_KEYS` when none are given.

    :param alone: without its own
    """

    def respond(exchange: Exchange) -> None:
        own = [] if alone else json.loads(exchange.document)["keys"]
        listed = [*(entries or ODD_KEYS), *own]
        exchange.send(
            200, {"Content-Type": "application/jwk-set+json"}, json.dumps({"keys": listed}).encode()
        )

    return Fault(respond)


def truncated() -> Fault:
    """The connection ends in the middle of the document."""

    def respond(exchange: Exchange) -> None:
        half = exchange.document[: len(exchange.document) // 2]
        exchange.send(200, {"Content-Length": str(len(exchange.document))}, half)

    return Fault(respond)


def reset() -> Fault:
    """The connection breaks off without an answer."""
    return Fault(lambda exchange: exchange.reset())


def drip(interval: float = 0.02) -> Fault:
    """One octet of the answer every ``interval`` seconds, from its header on: never idle, never done."""

    def respond(exchange: Exchange) -> None:
        for octet in b"HTTP/1.1 200 OK\r\nX-Padding: " + b"a" * 65536:
            if exchange.closing.wait(interval):
                return
            exchange.write(bytes([octet]))

    return Fault(respond)


def gzip_bomb(size: int = 64 * 1024 * 1024) -> Fault:
    """A short answer that is ``size`` bytes of white space once it is decompressed."""
    bomb = gzip.compress(b" " * size)
    return body(bomb, {"Content-Encoding": "gzip"})


def redirect(location: str, code: int = 302) -> Fault:
    """Every request is sent elsewhere; a ``location`` within the server is answered there."""

    def respond(exchange: Exchange) -> None:
        if exchange.path == location:
            exchange.answer()
        else:
            exchange.send(code, {"Location": location}, b"")

    return Fault(respond)


def untrusted_certificate(host: str = "127.0.0.1") -> Fault:
    """The server presents a certificate that nobody trusts."""
    stranger = CertificateAuthority("Somebody else").issue_server(host, "localhost")
    return Fault(lambda exchange: exchange.answer(), stranger.server_context([], client_auth="optional"))
