"""A resource server and its clients: HTTP over mutual TLS on the loopback interface."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from keybound.errors import Reason, TokenRejected
from keybound.tokens.access_token import AccessTokenValidator

__all__ = ["Answer", "call", "serve"]

HOST = "127.0.0.1"
_PATIENCE_SECONDS = 10


@dataclass(frozen=True)
class Answer:
    """A response as the HTTP client received it.

    :ivar status: HTTP status, or ``None`` if the connection gave none
    :ivar reason: the reason that the resource server logged in its body, or ``None``
    :ivar challenge: the ``WWW-Authenticate`` header, or ``None``
    """

    status: int | None
    reason: str | None
    challenge: str | None


class _Resource(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext, validator: AccessTokenValidator) -> None:
        super().__init__((HOST, 0), _Handler)
        # The handshake belongs to the thread of its connection, not to the one that accepts.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.validator = validator

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client sees that its connection broke; nothing goes to the terminal."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Resource
    connection: ssl.SSLSocket

    def do_GET(self) -> None:
        scheme, _, credentials = self.headers.get("Authorization", "").partition(" ")
        token = credentials.strip() if scheme.lower() == "bearer" else ""
        try:
            self.server.validator.validate(token, certificate=self.connection.getpeercert(True))
        except TokenRejected as rejected:
            self._answer(rejected.status, rejected.reason, rejected.challenge())
        else:
            self._answer(200, Reason.OK)

    def _answer(self, status: int, reason: Reason, challenge: str | None = None) -> None:
        body = orjson.dumps({"reason": reason.code})
        self.send_response(status)
        if challenge is not None:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """The table says it all."""


@contextmanager
def serve(context: ssl.SSLContext, validator: AccessTokenValidator) -> Iterator[int]:
    """A resource server as long as the block runs.

    :param context: asks for a client certificate and may do without
    :returns: the port it listens on
    """
    with _Resource(context, validator) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def call(port: int, context: ssl.SSLContext, token: str) -> Answer:
    """One request with a bearer token (RFC 6750, 2.1) over a connection of its own."""
    connection = http.client.HTTPSConnection(HOST, port, context=context, timeout=_PATIENCE_SECONDS)
    with closing(connection):
        try:
            connection.request("GET", "/accounts", headers={"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            reason = orjson.loads(response.read())["reason"]
        except (OSError, http.client.HTTPException):
            return Answer(None, None, None)
        return Answer(response.status, reason, response.getheader("WWW-Authenticate"))
