"""The transport that needs nothing but the standard library: one connection for each fetch."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from keybound.errors import PolicyError
from keybound.keys.fetching import FetchFailed, FetchOutcome, Request, Response

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPConnection, HTTPResponse

__all__ = ["HTTPTransport", "check_context", "check_headers", "default_transport", "tls_context"]


_NAT64 = 0x64FF9B << 64
"""64:ff9b::/96, without its last 32 bits."""


class HTTPTransport:
    """Fetches over HTTP/1.1 with blocking sockets, each time on a new connection. Usable from any thread.

    A new connection costs little where there is one every few minutes, sees a changed address, and
    leaves no socket for two processes to share after a fork.

    :param ssl_context: TLS settings, such as private authorities and a client certificate; those of
        :func:`ssl.create_default_context` when left out
    :param ca_file: PEM file with the authorities to trust, instead of the system's
    :param client_certificate: for mutual TLS: a PEM file with certificate and key, or a tuple of the
        file with the certificate and the file with its key
    :param proxy: URL of an HTTP proxy, for everything
    :param trust_environment: whether ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` count
    :param headers: to send with every request
    :param user_agent: value of ``User-Agent``
    :param public_only: refuses to talk to addresses that are not public (loopback, private networks,
        link-local), whatever name led there; cannot be combined with a proxy
    :raises PolicyError: the options contradict each other, or a file cannot be used
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        ca_file: str | None = None,
        client_certificate: str | tuple[str, str] | None = None,
        proxy: str | None = None,
        trust_environment: bool = True,
        headers: Mapping[str, str] | None = None,
        user_agent: str = "keybound",
        public_only: bool = False,
    ) -> None:
        if ssl_context is not None and (ca_file is not None or client_certificate is not None):
            raise PolicyError("ssl_context is the whole of the TLS settings; put the files into it")
        if public_only and proxy is not None:
            raise PolicyError("public_only cannot be held where a proxy connects")
        if ssl_context is None:
            ssl_context = tls_context(ca_file, client_certificate)
        self._context = check_context(ssl_context)
        self._proxy = None if proxy is None else _check_proxy(proxy)
        self._trust_environment = trust_environment and not public_only
        self._headers = check_headers({"User-Agent": user_agent}) | check_headers(headers or {})
        self._public_only = public_only

    def __call__(self, request: Request) -> Response:
        """The answer to ``request``.

        :raises FetchFailed: an address is refused
        :raises OSError: and whatever else goes wrong on the way
        """
        deadline = time.monotonic() + request.total_timeout
        parts = urlsplit(request.url)
        proxy = self._proxy_for(parts)
        connection = self._connection(parts, proxy, request, deadline)
        try:
            connection.connect()
            if self._public_only:
                _check_public(connection.sock.getpeername()[0])
            target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
            through = proxy is not None and parts.scheme == "http"
            headers = {"Accept-Encoding": "identity", "Connection": "close"} | self._headers
            headers |= dict(request.headers) | (_credentials(proxy) if through and proxy else {})
            connection.request(
                request.method, request.url if through else target, request.body, headers=headers
            )
            return _read(connection.getresponse(), request.max_bytes)
        finally:
            connection.close()

    def _proxy_for(self, parts: SplitResult) -> SplitResult | None:
        if self._proxy is not None or not self._trust_environment:
            return self._proxy
        from urllib.request import getproxies, proxy_bypass

        url = getproxies().get(parts.scheme)
        return _check_proxy(url) if url and not proxy_bypass(parts.netloc) else None

    def _connection(
        self, parts: SplitResult, proxy: SplitResult | None, request: Request, deadline: float
    ) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        # Without a port http.client would look for one in the host, and find it in an IPv6 address.
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        to_host, to_port = (host, port) if proxy is None else (proxy.hostname or "", proxy.port or 80)
        timeout = min(request.connect_timeout, request.total_timeout)
        connection: HTTPConnection
        if parts.scheme == "https":
            connection = HTTPSConnection(to_host, to_port, timeout=timeout, context=self._context)
            if proxy is not None:
                connection.set_tunnel(host, port, headers=_credentials(proxy))
        else:
            connection = HTTPConnection(to_host, to_port, timeout=timeout)
        _limit_reading(connection, request.read_timeout, deadline)
        return connection

    def __repr__(self) -> str:
        return "<keybound.keys.HTTPTransport>"


@functools.lru_cache(maxsize=1)
def default_transport() -> HTTPTransport:
    """One for all who need no other: TLS settings with the system's authorities take a megabyte."""
    return HTTPTransport()


def _limit_reading(connection: HTTPConnection, read_timeout: float, deadline: float) -> None:
    """Every piece of the answer gets the time that is left, in its header too: drops add up."""
    import io
    from http.client import HTTPResponse, parse_headers

    class Pieces(io.RawIOBase):
        def __init__(self, sock: Any) -> None:
            self._sock = sock
            # It keeps the socket open for as long as it is read.
            self._octets = sock.makefile("rb", buffering=0)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer is not complete in time")
            self._sock.settimeout(min(read_timeout, left))
            return int(self._octets.readinto(buffer))

        def close(self) -> None:
            self._octets.close()
            super().close()

    class Source:
        def __init__(self, sock: Any) -> None:
            self._sock = sock

        def makefile(self, mode: str) -> io.BufferedReader:
            return io.BufferedReader(Pieces(self._sock))

    class Limited(HTTPResponse):
        def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
            super().__init__(Source(sock), *arguments, **options)  # type: ignore[arg-type]

        def _read_status(self) -> tuple[str, int, str]:
            # RFC 9110, 15.2: any number of interim answers may come first; http.client knows of 100 alone.
            while True:
                version, status, reason = super()._read_status()  # type: ignore[misc]
                if not 100 < status < 200 or status == 101:
                    return version, status, reason
                parse_headers(self.fp)

    connection.response_class = Limited


def _read(response: HTTPResponse, most: int) -> Response:
    from http.client import IncompleteRead

    # Not octets: to append a piece to those would copy all that came before it.
    body = bytearray()
    while len(body) <= most and (piece := response.read1(most + 1 - len(body))):
        body += piece
    # Unlike read(), read1() does not tell a body that breaks off from one that ends.
    if len(body) <= most and response.length:
        raise IncompleteRead(bytes(body), response.length)
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        # RFC 9110, 5.3: several lines of one name are one list.
        before = headers.get(name.lower())
        headers[name.lower()] = value if before is None else f"{before}, {value}"
    return Response(status=response.status, headers=headers, body=bytes(body))


def tls_context(ca_file: str | None, client_certificate: str | tuple[str, str] | None) -> ssl.SSLContext:
    """TLS settings of a client: who is trusted, and as whom it appears.

    :raises PolicyError: a file cannot be used
    """
    import ssl

    try:
        context = ssl.create_default_context(cafile=ca_file)
        if client_certificate is not None:
            files = (client_certificate,) if isinstance(client_certificate, str) else client_certificate
            context.load_cert_chain(*files)
    except (OSError, TypeError, ValueError) as error:
        raise PolicyError(f"ca_file or client_certificate cannot be used: {type(error).__name__}") from None
    return context


def check_context(context: object) -> ssl.SSLContext:
    """``context`` if a client that uses it knows whom it talks to.

    :raises PolicyError: it would take any certificate, or any name in one
    """
    import ssl

    if not isinstance(context, ssl.SSLContext):
        raise PolicyError("TLS settings are given as an ssl.SSLContext")
    if context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname:
        raise PolicyError("these TLS settings trust everybody: verify_mode or check_hostname is off")
    return context


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """``headers`` if they can be sent.

    :raises PolicyError: they are no mapping, or a name or value is not printable ASCII
    """
    if not isinstance(headers, Mapping):
        raise PolicyError("headers must be a mapping")
    for name, value in headers.items():
        texts = isinstance(name, str) and isinstance(value, str)
        if not texts or not name or not (name + value).isascii() or not (name + value).isprintable():
            raise PolicyError("headers must be printable ASCII")
    return dict(headers)


def _check_proxy(url: str) -> SplitResult:
    try:
        # In the environment the scheme is often left out.
        parts = urlsplit(url if "://" in url else f"http://{url}")
        usable = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except (TypeError, ValueError):
        usable = False
    if not usable:
        raise PolicyError("a proxy is given as http://host:port; for other kinds use HttpxTransport")
    return parts


def _credentials(proxy: SplitResult) -> dict[str, str]:
    """Basic authentication from the URL of the proxy (RFC 7617)."""
    if proxy.username is None:
        return {}
    from base64 import b64encode

    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + b64encode(pair.encode()).decode("ascii")}


def _check_public(address: str) -> None:
    from ipaddress import IPv4Address, IPv6Address, ip_address

    peer = ip_address(address.partition("%")[0])
    if isinstance(peer, IPv6Address):
        # What a gateway makes an IPv4 address of again: mapped, 6to4 (RFC 3056) and NAT64 (RFC 6052).
        nat64 = IPv4Address(int(peer) & 0xFFFFFFFF) if int(peer) >> 32 == _NAT64 else None
        peer = peer.ipv4_mapped or peer.sixtofour or nat64 or peer
    if not peer.is_global:
        raise FetchFailed(FetchOutcome.ADDRESS_REFUSED)
