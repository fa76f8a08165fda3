"""One fetch of a small document over any transport: redirects, retry, ceilings, and what went wrong."""

from __future__ import annotations

import enum
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import cast
from urllib.parse import SplitResult, quote_plus, urlencode, urljoin, urlsplit

from keybound.errors import PolicyError
from keybound.keys.refresh import RefreshSettings
from keybound.limits import MAX_NUMERIC_DATE, MAX_REDIRECTS

__all__ = [
    "FetchFailed",
    "FetchOutcome",
    "Request",
    "Response",
    "Transport",
    "check_url",
    "fetch",
    "form_body",
    "form_quoted",
    "freshness_of",
    "post",
]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}


class FetchOutcome(str, enum.Enum):
    """How a fetch ended; ``str(outcome)`` is a stable code for metrics."""

    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SHARED = "shared"
    CONNECTION_FAILED = "connection_failed"
    TIMED_OUT = "timed_out"
    TLS_FAILED = "tls_failed"
    STATUS_REFUSED = "status_refused"
    ADDRESS_REFUSED = "address_refused"
    REDIRECT_REFUSED = "redirect_refused"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    NOTHING_USABLE = "nothing_usable"
    TRANSPORT_FAILED = "transport_failed"

    def __str__(self) -> str:
        return self.value

    @property
    def succeeded(self) -> bool:
        """Whether what is held is young enough now: confirmed by the issuer, or by what others share."""
        return self.confirmed or self is FetchOutcome.SHARED

    @property
    def confirmed(self) -> bool:
        """Whether the document is known to be as the issuer publishes it now."""
        return self in (FetchOutcome.UPDATED, FetchOutcome.UNCHANGED)


class FetchFailed(Exception):
    """A fetch that brought nothing. Never leaves Keybound; a transport may raise it.

    :param status: of the HTTP answer, if there was one
    :param retry_after: seconds after which the server wants to be asked again (RFC 9110, 10.2.3)
    """

    def __init__(
        self, outcome: FetchOutcome, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        self.outcome, self.status, self.retry_after = outcome, status, retry_after
        super().__init__(outcome, status)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a transport is asked for: a ``GET`` or ``POST`` whose redirects it does not follow.

    :ivar headers: to send, besides what the transport adds
    :ivar method: ``"GET"`` or ``"POST"``
    :ivar body: of a ``POST``
    :ivar connect_timeout: seconds for the connection
    :ivar read_timeout: seconds between two pieces of the answer
    :ivar total_timeout: seconds until the answer must be complete
    :ivar max_bytes: a longer body may be cut anywhere above it
    """

    url: str
    # They say who asks, and a body what about: neither is for logs.
    headers: Mapping[str, str] = field(repr=False)
    connect_timeout: float
    read_timeout: float
    total_timeout: float
    max_bytes: int
    method: str = "GET"
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Response:
    """What a transport answers.

    :ivar headers: with names in lower case
    :ivar body: as it came, in the content coding of the header
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


Transport = Callable[[Request], "Response | Awaitable[Response]"]
"""A function, or a coroutine function, that answers a :class:`Request`. It is called in a thread of its
own, a coroutine in an event loop of its own; whatever it raises counts as a failed fetch."""


def check_url(url: object, *, allow_http: bool) -> str:
    """``url`` if it may be fetched from.

    :raises PolicyError: it is not an absolute https URL, or carries credentials or a fragment
    """
    parts = _split(url)
    if parts is None or parts.scheme not in _PORTS:
        raise PolicyError("the URL must be absolute, in printable ASCII, with the scheme https")
    if parts.scheme == "http" and allow_http is not True:
        raise PolicyError("the URL must use https; allow_http=True trusts everybody on the way")
    if parts.username is not None or parts.password is not None or "#" in cast(str, url):
        raise PolicyError("the URL must carry neither credentials nor a fragment")
    return cast(str, url)


def _split(url: object) -> SplitResult | None:
    """The parts of an absolute URL; urlsplit itself drops or takes what others would not."""
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or set(url) & set(" \\"):
        return None
    try:
        parts = urlsplit(url)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    """Scheme, host and port (RFC 6454, 4)."""
    parts = _split(url)
    return None if parts is None else (parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme))


def _redirected(url: str, location: str | None) -> str | None:
    """Where a redirect leads, without its fragment; ``None`` if it leads nowhere."""
    if not location:
        return None
    try:
        target = urljoin(url, location).partition("#")[0]
    except ValueError:
        return None
    parts = _split(target)
    # Credentials are for nobody whom the operator has not named them for.
    return target if parts is not None and parts.username is parts.password is None else None


def fetch(
    url: str,
    *,
    transport: Transport,
    headers: Mapping[str, str],
    settings: RefreshSettings,
    spent: float = 0.0,
) -> Response:
    """The answer to a ``GET``: status 200 with the body decoded, or 304.

    :param spent: seconds of the total that are over already
    :raises FetchFailed: there is no such answer
    """
    deadline = time.monotonic() + settings.total_timeout - spent
    request = Request(
        url=url,
        headers=headers,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        total_timeout=settings.total_timeout,
        max_bytes=settings.document_bytes,
    )
    for _ in range(MAX_REDIRECTS + 1):
        response = _with_one_retry(transport, request, deadline)
        if response.status == 200:
            return replace(response, body=_decoded(response, settings.document_bytes))
        if response.status == 304:
            return response
        if response.status not in _REDIRECTS:
            raise FetchFailed(
                FetchOutcome.STATUS_REFUSED,
                status=response.status,
                retry_after=_seconds(response.headers.get("retry-after", "")),
            )
        target = _redirected(request.url, response.headers.get("location"))
        # Another origin would be trusted with what only this one was trusted with.
        if target is None or _origin(target) != _origin(url):
            break
        request = replace(request, url=target)
    raise FetchFailed(FetchOutcome.REDIRECT_REFUSED, status=response.status)


def post(request: Request, *, transport: Transport) -> Response:
    """The answer to a ``POST`` that is sent once: status 200, with the body decoded.

    What is sent may be good for one use, and is for nobody else: it is neither repeated nor redirected.

    :raises FetchFailed: there is no such answer
    """
    response = _ask(transport, request, time.monotonic() + request.total_timeout)
    if response.status == 200:
        return replace(response, body=_decoded(response, request.max_bytes))
    refused = FetchOutcome.REDIRECT_REFUSED if response.status in _REDIRECTS else FetchOutcome.STATUS_REFUSED
    raise FetchFailed(
        refused, status=response.status, retry_after=_seconds(response.headers.get("retry-after", ""))
    )


def form_body(parameters: Mapping[str, str]) -> bytes:
    """Parameters as ``application/x-www-form-urlencoded`` (RFC 6749, appendix B)."""
    return urlencode(dict(parameters)).encode("ascii")


def form_quoted(value: str) -> str:
    """One value in that encoding."""
    return quote_plus(value)


def _with_one_retry(transport: Transport, request: Request, deadline: float) -> Response:
    """A connection that broke is tried once more; an answer, good or bad, is an answer."""
    try:
        return _ask(transport, request, deadline)
    except FetchFailed as failed:
        if failed.outcome is not FetchOutcome.CONNECTION_FAILED:
            raise
    return _ask(transport, request, deadline)


def _ask(transport: Transport, request: Request, deadline: float) -> Response:
    left = deadline - time.monotonic()
    if left <= 0:
        raise FetchFailed(FetchOutcome.TIMED_OUT)
    try:
        answer = transport(replace(request, total_timeout=left))
        response = answer if isinstance(answer, Response) else _run(answer, left)
    except FetchFailed as failed:
        # As a transport may have made it.
        seconds = failed.retry_after
        usable = type(seconds) in (int, float) and 0 <= cast(float, seconds) <= MAX_NUMERIC_DATE
        outcome = (
            failed.outcome if isinstance(failed.outcome, FetchOutcome) else FetchOutcome.TRANSPORT_FAILED
        )
        raise FetchFailed(outcome, status=failed.status, retry_after=seconds if usable else None) from None
    except Exception as error:
        # The traceback would keep sockets and buffers alive, and nobody reads it.
        raise FetchFailed(_outcome_of(error)) from None
    if not isinstance(response, Response) or not _is_well_formed(response):
        raise FetchFailed(FetchOutcome.TRANSPORT_FAILED)
    return replace(response, headers={name.lower(): value for name, value in response.headers.items()})


def _is_well_formed(response: Response) -> bool:
    headers = response.headers
    return (
        type(response.body) is bytes
        and type(response.status) is int
        and isinstance(headers, Mapping)
        and all(isinstance(text, str) for header in headers.items() for text in header)
    )


def _run(answer: Awaitable[Response], seconds: float) -> Response:
    import asyncio

    async def waited() -> Response:
        try:
            return await asyncio.wait_for(answer, seconds)
        except asyncio.CancelledError:
            # By itself: nobody else knows of this task.
            raise FetchFailed(FetchOutcome.TRANSPORT_FAILED) from None

    return asyncio.run(waited())


def _outcome_of(error: Exception) -> FetchOutcome:
    import asyncio
    import ssl
    from http.client import HTTPException, IncompleteRead

    # Its own class until Python 3.11.
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
        return FetchOutcome.TIMED_OUT
    # A connection that ends within a record breaks off, it does not fail to be trusted.
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        return FetchOutcome.TLS_FAILED
    if isinstance(error, (OSError, IncompleteRead)):
        return FetchOutcome.CONNECTION_FAILED
    if isinstance(error, HTTPException):
        # An answer, but none of HTTP.
        return FetchOutcome.MALFORMED
    return FetchOutcome.TRANSPORT_FAILED


def _decoded(response: Response, most: int) -> bytes:
    """The body without its content coding, which nobody asked for and some send all the same."""
    body = response.body
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if len(body) > most:
        raise FetchFailed(FetchOutcome.TOO_LARGE, status=response.status)
    if coding in ("identity", ""):
        return body
    if coding not in ("gzip", "x-gzip"):
        raise FetchFailed(FetchOutcome.MALFORMED, status=response.status)
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        # Never more than the ceiling: a few kilobytes can stand for gigabytes.
        plain = inflate.decompress(body, most + 1)
    except zlib.error:
        raise FetchFailed(FetchOutcome.MALFORMED, status=response.status) from None
    if len(plain) > most:
        raise FetchFailed(FetchOutcome.TOO_LARGE, status=response.status)
    if not inflate.eof or inflate.unused_data:
        raise FetchFailed(FetchOutcome.MALFORMED, status=response.status)
    return plain


def freshness_of(response: Response) -> float | None:
    """Seconds for which a cache may call the answer fresh from now on (RFC 9111, 4.2); ``None`` if it is
    silent about that.
    """
    directives = {}
    for directive in response.headers.get("cache-control", "").lower().split(","):
        name, _, value = directive.partition("=")
        directives[name.strip()] = value.strip().strip('"')
    if directives.keys() & {"no-store", "no-cache"}:
        return 0.0
    max_age = _seconds(directives.get("max-age", ""))
    # What lay in a cache on the way is that much older (RFC 9111, 4.2.3).
    return None if max_age is None else max_age - (_seconds(response.headers.get("age", "")) or 0.0)


def _seconds(text: str) -> float | None:
    """delay-seconds (RFC 9111, 1.2.2); a date or anything else is ``None``."""
    text = text.strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None
