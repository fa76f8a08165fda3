"""A fake issuer over real HTTP or HTTPS, on loopback, that fails the way you want it to."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal
from urllib.parse import parse_qsl

from keybound.testing.certificates import CertificateAuthority, ClientCertificate
from keybound.testing.fake_issuer import FakeIssuer
from keybound.testing.faults import Fault

__all__ = ["IssuerServer", "ReceivedRequest"]

_HOST = "127.0.0.1"
_TIMEOUT = 30.0
_INTROSPECTION = "/introspect"
_SIGNED = "application/token-introspection+jwt"


@dataclass(frozen=True)
class ReceivedRequest:
    """What a client has sent.

    :ivar headers: with names in lower case
    :ivar certificate: the client certificate in DER, or ``None``
    :ivar body: of a ``POST``
    """

    method: str
    path: str
    headers: Mapping[str, str]
    certificate: bytes | None
    body: bytes = b""

    @property
    def form(self) -> dict[str, str]:
        """Parameters of the body (RFC 6749, appendix B)."""
        return dict(parse_qsl(self.body.decode("ascii"), keep_blank_values=True))


class IssuerServer:
    """An HTTPS server that publishes the keys and metadata of a :class:`FakeIssuer`; a context manager.

    >>> from keybound.testing import faults
    >>> with IssuerServer() as server:
    ...     before = server.count()
    ...     key = server.issuer.rotate()  # published with the next request
    ...     server.fault = faults.status(503)  # or any other of keybound.testing.faults
    ...     server.fault = None
    >>> before
    0

    :param issuer: whose keys; a new one named after the server when left out
    :param tls: whether it speaks HTTPS
    :param authority: issues its certificate, and those of its clients; a new one when left out
    :param client_auth: whether it asks for a client certificate of the authority
    :ivar fault: what goes wrong now, or ``None``
    :ivar headers: to send with every good answer, such as ``Cache-Control``
    :ivar answers: what its introspection endpoint says of a token, by the token (RFC 7662, 2.2); all others
        are not active
    :ivar authenticate: whether the endpoint knows the client that has sent a request; otherwise 401
    :ivar resource_server: to whom signed answers are addressed (RFC 9701, 5)
    :ivar etags: whether documents have an ``ETag``, and ``If-None-Match`` is answered with 304
    """

    def __init__(
        self,
        issuer: FakeIssuer | None = None,
        *,
        tls: bool = True,
        authority: CertificateAuthority | None = None,
        client_auth: Literal["required", "optional"] | None = None,
    ) -> None:
        self.authority = authority or CertificateAuthority()
        self.fault: Fault | None = None
        self.headers: dict[str, str] = {"Content-Type": "application/jwk-set+json"}
        self.etags = True
        self.answers: dict[str, Mapping[str, object]] = {}
        self.authenticate: Callable[[ReceivedRequest], bool] = lambda request: True
        self.resource_server = "https://rs.example.com"
        self._context = self._server_context(client_auth) if tls else None
        self._received: list[ReceivedRequest] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(self)
        self.issuer = issuer or FakeIssuer(self.url)
        self._documents: dict[str, Callable[[], object]] = {
            "/jwks": self.issuer.jwks,
            "/.well-known/openid-configuration": self._metadata,
            "/.well-known/oauth-authorization-server": self._metadata,
        }

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{'http' if self._context is None else 'https'}://{_HOST}:{self._server.server_port}"

    @property
    def jwks_uri(self) -> str:
        """Where the keys are (RFC 8414, 2)."""
        return f"{self.url}/jwks"

    @property
    def introspection_endpoint(self) -> str:
        """Where tokens are asked about (RFC 7662, 2)."""
        return f"{self.url}{_INTROSPECTION}"

    @property
    def requests(self) -> list[ReceivedRequest]:
        """All requests so far, in the order of their arrival."""
        with self._lock:
            return list(self._received)

    def count(self, path: str | None = None) -> int:
        """How many requests there were, for ``path`` or for all."""
        return sum(1 for request in self.requests if path in (None, request.path))

    def publish(self, path: str, document: object) -> None:
        """Answer ``path`` with a document: octets, something to write as JSON, or a function for either."""
        self._documents[path] = document if callable(document) else lambda: document

    def client_context(self, certificate: ClientCertificate | None = None) -> ssl.SSLContext:
        """TLS settings of a client that trusts this server, and presents ``certificate`` if it is given."""
        if certificate is None:
            return self.authority.client_context()
        return certificate.client_context(self.authority)

    def close(self) -> None:
        """Answer what waits, and stop."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> IssuerServer:
        # The default poll interval is what closing would take.
        serve = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="keybound-testing-issuer", daemon=True
        )
        serve.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"IssuerServer({self.url!r})"

    def _server_context(self, client_auth: Literal["required", "optional"] | None) -> ssl.SSLContext:
        context = self.authority.issue_server(_HOST, "localhost").server_context(
            self.authority, client_auth=client_auth or "optional"
        )
        if client_auth is None:
            context.verify_mode = ssl.CERT_NONE
        return context

    def _receive(self, request: ReceivedRequest) -> None:
        with self._lock:
            self._received.append(request)

    def _document(self, path: str) -> bytes | None:
        find = self._documents.get(path.partition("?")[0])
        if find is None:
            return None
        document = find()
        return document if isinstance(document, bytes) else json.dumps(document).encode()

    def _metadata(self) -> dict[str, str]:
        return {
            "issuer": self.issuer.issuer,
            "jwks_uri": self.jwks_uri,
            "introspection_endpoint": self.introspection_endpoint,
        }

    def _introspect(self, request: ReceivedRequest) -> tuple[str, bytes]:
        """Media type and body of the answer."""
        answer = self.answers.get(request.form.get("token", ""), {"active": False})
        if request.headers.get("accept") != _SIGNED:
            return "application/json", json.dumps(dict(answer)).encode()
        return _SIGNED, self.issuer.introspection_jwt(answer, audience=self.resource_server).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A test that ends with a connection open does not wait for it.
    block_on_close = False
    request_queue_size = 256

    def __init__(self, owner: IssuerServer) -> None:
        self.owner = owner
        super().__init__((_HOST, 0), _Handler)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        # In the thread of the connection: a handshake must not hold up the others.
        fault = self.owner.fault
        context = (fault and fault.context) or self.owner._context
        try:
            request.settimeout(_TIMEOUT)
            if self.owner._context is not None and context is not None:
                request = context.wrap_socket(request, server_side=True)
        except OSError:
            self.shutdown_request(request)
            return
        super().process_request_thread(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what a test of faults is about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    request_body = b""

    def do_POST(self) -> None:
        self.request_body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def do_GET(self) -> None:
        self.close_connection = True
        owner, fault = self.server.owner, self.server.owner.fault
        owner._receive(self._received())
        if fault is None:
            self.answer()
        else:
            fault.respond(self)

    @property
    def document(self) -> bytes:
        if self.command == "POST":
            return self.server.owner._introspect(self._received())[1]
        return self.server.owner._document(self.path) or b"{}"

    @property
    def closing(self) -> threading.Event:
        return self.server.owner._closing

    def answer(self) -> None:
        owner = self.server.owner
        if self.command == "POST":
            self.introspect()
            return
        document = owner._document(self.path)
        if document is None:
            self.send(HTTPStatus.NOT_FOUND, {}, b"")
            return
        headers = dict(owner.headers)
        if owner.etags:
            headers["ETag"] = f'"{hashlib.sha256(document).hexdigest()[:16]}"'
            if self.headers.get("If-None-Match") == headers["ETag"]:
                self.send(HTTPStatus.NOT_MODIFIED, headers, b"")
                return
        self.send(HTTPStatus.OK, headers, document)

    def introspect(self) -> None:
        owner, request = self.server.owner, self._received()
        if self.path != _INTROSPECTION:
            self.send(HTTPStatus.NOT_FOUND, {}, b"")
        elif not owner.authenticate(request):
            self.send(HTTPStatus.UNAUTHORIZED, {}, b'{"error":"invalid_client"}')
        else:
            media_type, body = owner._introspect(request)
            self.send(HTTPStatus.OK, {"Content-Type": media_type}, body)

    def send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in (
            {"Content-Length": str(len(body)), "Connection": "close"} | dict(headers)
        ).items():
            self.send_header(name, value)
        self.end_headers()
        self.write(body)

    def write(self, data: bytes) -> None:
        self.wfile.write(data)

    def reset(self) -> None:
        # RST in place of FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Nothing: the output belongs to the tests."""

    def _received(self) -> ReceivedRequest:
        peer = self.connection.getpeercert(True) if isinstance(self.connection, ssl.SSLSocket) else None
        headers = {name.lower(): value for name, value in self.headers.items()}
        return ReceivedRequest(self.command, self.path, headers, peer, self.request_body)
