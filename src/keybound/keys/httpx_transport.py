"""The transport over httpx, for what its own does not do: SOCKS and TLS proxies, HTTP/2, a client you have.

``pip install "keybound[httpx]"``
"""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import Any

from keybound.errors import PolicyError
from keybound.keys.fetching import FetchFailed, FetchOutcome, Request, Response
from keybound.keys.http_transport import check_context

__all__ = ["HttpxTransport"]


class HttpxTransport:
    """Fetches with ``httpx``. Usable from any thread.

    :param client: a synchronous client to use, which the caller closes; without one, each fetch has an
        ``httpx.AsyncClient`` and an event loop of its own, which holds ``total_timeout`` to the letter
    :param options: for ``httpx.AsyncClient``: ``verify`` (an :class:`ssl.SSLContext`), ``proxy``,
        ``trust_env``, ``headers``, ``http2``
    :raises PolicyError: httpx is not installed, or cannot be used with these options
    """

    def __init__(self, client: Any = None, **options: Any) -> None:
        try:
            import httpx
        except ModuleNotFoundError:
            raise PolicyError('httpx is not installed: pip install "keybound[httpx]"') from None
        if client is not None and (options or not isinstance(client, httpx.Client)):
            raise PolicyError("client must be an httpx.Client, which brings its own options")
        self._client: Any = client
        try:
            # Made once: the list of authorities takes long to load.
            self._options: dict[str, Any] = {
                "verify": check_context(options.get("verify", httpx.create_ssl_context())),
                "headers": {"User-Agent": "keybound"} | dict(options.get("headers") or {}),
            }
            self._options = options | self._options
            if client is None:
                httpx.AsyncClient(**self._options)
        except PolicyError:
            raise
        except Exception as error:
            # httpx finds out about some options by using them.
            raise PolicyError(f"httpx cannot be used with these options: {type(error).__name__}") from None

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        """The answer to ``request``, or a coroutine for it."""
        return self._ask(request) if self._client is not None else self._ask_in_a_loop(request)

    def _ask(self, request: Request) -> Response:
        import httpx

        deadline = time.monotonic() + request.total_timeout
        body = bytearray()
        try:
            with self._client.stream(request.method, request.url, **_options(request)) as response:
                for piece in response.iter_raw():
                    body += piece
                    if time.monotonic() > deadline:
                        raise FetchFailed(FetchOutcome.TIMED_OUT)
                    if len(body) > request.max_bytes:
                        break
        except httpx.HTTPError as error:
            raise _failure(error) from None
        return _response(response, body)

    async def _ask_in_a_loop(self, request: Request) -> Response:
        import httpx

        body = bytearray()
        try:
            async with (
                httpx.AsyncClient(**self._options) as client,
                client.stream(request.method, request.url, **_options(request)) as response,
            ):
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) > request.max_bytes:
                        break
        except httpx.HTTPError as error:
            raise _failure(error) from None
        return _response(response, body)

    def __repr__(self) -> str:
        return "<keybound.keys.HttpxTransport>"


def _options(request: Request) -> dict[str, Any]:
    import httpx

    return {
        "content": request.body,
        "headers": {"Accept-Encoding": "identity"} | dict(request.headers),
        "timeout": httpx.Timeout(request.read_timeout, connect=request.connect_timeout),
        "follow_redirects": False,
    }


def _response(response: Any, body: bytearray) -> Response:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Response(status=response.status_code, headers=headers, body=bytes(body))


def _failure(error: Exception) -> FetchFailed:
    import ssl

    import httpx

    if isinstance(error, httpx.TimeoutException):
        return FetchFailed(FetchOutcome.TIMED_OUT)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            return FetchFailed(FetchOutcome.TLS_FAILED)
        cause = cause.__cause__ or cause.__context__
    return FetchFailed(FetchOutcome.CONNECTION_FAILED)
