"""How documents are fetched: both transports that come along, over real sockets, and one's own functions."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import keybound
from keybound import RefreshSettings
from keybound.keys import FetchFailed, FetchOutcome, HttpxTransport, Request, Response
from keybound.testing import CertificateAuthority, IssuerServer, faults

WAIT = 20.0


@pytest.fixture(params=["http", "httpx", "httpx-client"])
def kind(request: Any) -> str:
    if request.param != "http":
        pytest.importorskip("httpx", reason="httpx is an extra")
    return str(request.param)


def transport(kind: str, context: ssl.SSLContext, **options: Any) -> Any:
    """A transport of that kind with these TLS settings; options by the names of HTTPTransport."""
    if kind == "http":
        return keybound.HTTPTransport(ssl_context=context, **options)
    if "user_agent" in options:
        options["headers"] = options.get("headers", {}) | {"User-Agent": options.pop("user_agent")}
    if kind == "httpx":
        return HttpxTransport(verify=context, **options)
    import httpx

    return HttpxTransport(httpx.Client(verify=context, **options))


def keys_of(server: IssuerServer, transport: Any, **options: Any) -> keybound.RemoteJWKSet:
    usual = {"allow_http": server.url.startswith("http:"), "keep_fresh": False}
    return keybound.RemoteJWKSet(server.jwks_uri, transport=transport, **usual | options)


# Every transport


ANSWERS = {
    "good": (None, FetchOutcome.UPDATED),
    "503": (faults.status(503), FetchOutcome.STATUS_REFUSED),
    "html": (faults.html(), FetchOutcome.MALFORMED),
    "truncated": (faults.truncated(), FetchOutcome.CONNECTION_FAILED),
    "reset": (faults.reset(), FetchOutcome.CONNECTION_FAILED),
    "tls": (faults.untrusted_certificate(), FetchOutcome.TLS_FAILED),
    "gzip-bomb": (faults.gzip_bomb(), FetchOutcome.TOO_LARGE),
    "10-mb": (faults.body(b" " * 10_000_000), FetchOutcome.TOO_LARGE),
    "within-origin": (faults.redirect("/jwks?again"), FetchOutcome.UPDATED),
    "to-http": (faults.redirect("http://127.0.0.1/jwks"), FetchOutcome.REDIRECT_REFUSED),
    "other-origin": (faults.redirect("https://localhost:1/jwks"), FetchOutcome.REDIRECT_REFUSED),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_outcomes_are_the_same_with_every_transport(server: IssuerServer, kind: str, answer: str):
    """F-11."""
    server.fault, outcome = ANSWERS[answer]
    keys = keys_of(server, transport(kind, server.client_context()))
    assert keys.refresh_now() is outcome
    assert keys.ready is outcome.succeeded


@pytest.mark.parametrize("fault", ["hanging", "drip"])
def test_deadlines_hold_with_every_transport(server: IssuerServer, kind: str, fault: str):
    """P22."""
    if (kind, fault) == ("httpx-client", "drip"):
        pytest.skip("a client of one's own has the deadlines that httpx offers: no total one")
    server.fault = faults.Hold() if fault == "hanging" else faults.drip()
    keys = keys_of(
        server,
        transport(kind, server.client_context()),
        refresh=RefreshSettings(read_timeout=0.3, total_timeout=0.4),
    )
    assert keys.refresh_now() is FetchOutcome.TIMED_OUT


def test_nobody_listens(server: IssuerServer, kind: str):
    keys = keys_of(server, transport(kind, server.client_context()))
    server.close()
    assert keys.refresh_now() is FetchOutcome.CONNECTION_FAILED


def test_client_certificates(authority: CertificateAuthority, kind: str):
    """S000-16: the JWK Set is fetched over mutual TLS."""
    client = authority.issue_client("gateway")
    with IssuerServer(authority=authority, client_auth="required") as server:
        without = keys_of(server, transport(kind, server.client_context()))
        assert not without.refresh_now().succeeded
        assert not without.ready
        keys = keys_of(server, transport(kind, server.client_context(client)))
        assert keys.refresh_now() is FetchOutcome.UPDATED
        assert server.requests[-1].certificate == client.der


def test_headers_and_user_agent(server: IssuerServer, kind: str):
    """P23."""
    chosen = transport(kind, server.client_context(), headers={"X-Gateway": "a"}, user_agent="gw/1")
    keys = keys_of(server, chosen, headers={"X-Tenant": "b", "Accept": "application/jwk-set+json"})
    keys.warm()
    sent = server.requests[-1].headers
    assert (sent["x-gateway"], sent["x-tenant"], sent["user-agent"]) == ("a", "b", "gw/1")
    assert (sent["accept"], sent["accept-encoding"]) == ("application/jwk-set+json", "identity")


def test_the_user_agent_says_who_asks(server: IssuerServer, kind: str):
    if kind == "httpx-client":
        pytest.skip("a client of one's own has its own")
    keys_of(server, transport(kind, server.client_context())).warm()
    assert server.requests[-1].headers["user-agent"] == "keybound"


# Proxies


class Proxy:
    """A proxy for CONNECT and for plain requests, which knows no more than it is asked."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        self.seen.append(head)
        method, target, _ = head.split(b" ", 2)
        place = target if method == b"CONNECT" else target.split(b"/")[2]
        host, _, port = place.decode().rpartition(":")
        upstream = socket.create_connection((host, int(port)))
        if method == b"CONNECT":
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            upstream.sendall(head.replace(target, b"/" + target.split(b"/", 3)[3], 1))
        ways = [threading.Thread(target=pump, args=pair) for pair in ((client, upstream), (upstream, client))]
        for way in ways:
            way.start()
        for way in ways:
            way.join()
        client.close()
        upstream.close()


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while octets := source.recv(65536):
            sink.sendall(octets)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy()
    yield proxy
    proxy.close()


@pytest.fixture(autouse=True)
def no_proxies_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_a_proxy_with_credentials(server: IssuerServer, proxy: Proxy, kind: str):
    """P23."""
    url = f"http://user:p%40ss@127.0.0.1:{proxy.port}"
    keys = keys_of(server, transport(kind, server.client_context(), proxy=url))
    assert keys.refresh_now() is FetchOutcome.UPDATED
    (head,) = proxy.seen
    assert head.startswith(b"CONNECT 127.0.0.1:")
    assert b"proxy-authorization: basic dXNlcjpwQHNz".lower() in head.lower()
    assert not any("authorization" in name for name in server.requests[-1].headers)


def test_the_environment_names_a_proxy(
    server: IssuerServer, proxy: Proxy, kind: str, monkeypatch: pytest.MonkeyPatch
):
    """P23."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    keys = keys_of(server, transport(kind, server.client_context()))
    assert keys.refresh_now() is FetchOutcome.UPDATED
    assert len(proxy.seen) == 1
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    keys_of(server, transport(kind, server.client_context())).warm()
    assert len(proxy.seen) == 1


def test_the_environment_can_be_left_aside(
    server: IssuerServer, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    context = server.client_context()
    for options in ({"trust_environment": False}, {"public_only": True}):
        keys_of(server, keybound.HTTPTransport(ssl_context=context, **options)).refresh_now()
    assert proxy.seen == []


def test_plain_http_through_a_proxy(proxy: Proxy):
    with IssuerServer(tls=False) as plain:
        proxied = keybound.HTTPTransport(proxy=f"http://user@127.0.0.1:{proxy.port}")
        keys = keys_of(plain, proxied, allow_http=True)
        assert keys.refresh_now() is FetchOutcome.UPDATED
        (head,) = proxy.seen
        assert head.startswith(f"GET {plain.jwks_uri} HTTP/1.1".encode())
        assert b"Proxy-Authorization: Basic dXNlcjo=" in head


# The one without dependencies


def test_files_for_tls(tmp_path: Path, authority: CertificateAuthority):
    """S000-16, P23: private authorities and client certificates as files."""
    client = authority.issue_client("gateway")
    ca, both, certificate, key = (tmp_path / name for name in ("ca", "both", "certificate", "key"))
    ca.write_bytes(authority.pem)
    both.write_bytes(client.private_key_pem + client.pem)
    certificate.write_bytes(client.pem)
    key.write_bytes(client.private_key_pem)
    with IssuerServer(authority=authority, client_auth="required") as server:
        for files in (str(both), (str(certificate), str(key))):
            keys = keys_of(server, keybound.HTTPTransport(ca_file=str(ca), client_certificate=files))
            assert keys.refresh_now() is FetchOutcome.UPDATED


def test_authorities_of_the_system_do_not_know_a_private_one(server: IssuerServer):
    keys = keybound.RemoteJWKSet(server.jwks_uri, keep_fresh=False)
    assert keys.refresh_now() is FetchOutcome.TLS_FAILED


def test_the_name_in_the_certificate_counts(authority: CertificateAuthority, server: IssuerServer):
    elsewhere = authority.issue_server("as.example.com")
    server.fault = faults.Fault(
        lambda exchange: exchange.answer(), elsewhere.server_context([], client_auth="optional")
    )
    keys = keys_of(server, keybound.HTTPTransport(ssl_context=server.client_context()))
    assert keys.refresh_now() is FetchOutcome.TLS_FAILED
    assert server.count() == 0


def test_addresses_that_are_not_public_can_be_refused(server: IssuerServer):
    """P38: the private-network block is an option, and looks at the address and not at the name."""
    context = server.client_context()
    for url in (server.jwks_uri, server.jwks_uri.replace("127.0.0.1", "localhost")):
        blocked = keybound.HTTPTransport(ssl_context=context, public_only=True)
        keys = keybound.RemoteJWKSet(url, transport=blocked, keep_fresh=False)
        assert keys.refresh_now() is FetchOutcome.ADDRESS_REFUSED
    assert server.count() == 0


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("::ffff:93.184.215.14", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("0.0.0.0", False),
        ("100.64.0.1", False),
    ],
)
def test_public_addresses(address: str, public: bool):
    from keybound.keys.http_transport import _check_public

    if public:
        _check_public(address)
    else:
        with pytest.raises(FetchFailed):
            _check_public(address)


def lenient(mode: ssl.VerifyMode) -> ssl.SSLContext:
    """TLS settings that take any name, or with ``CERT_NONE`` any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = mode
    return context


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"ssl_context": lenient(ssl.CERT_NONE)}, id="any certificate"),
        pytest.param({"ssl_context": lenient(ssl.CERT_REQUIRED)}, id="any name"),
        {"ssl_context": "default"},
        pytest.param(
            {"ssl_context": ssl.create_default_context(), "ca_file": "ca.pem"}, id="two authorities"
        ),
        pytest.param(
            {"ssl_context": ssl.create_default_context(), "client_certificate": "client.pem"},
            id="two clients",
        ),
        {"ca_file": "there-is-none.pem"},
        {"ca_file": 5},
        {"client_certificate": ("there-is-none.pem", "there-is-none.key")},
        {"client_certificate": ()},
        {"client_certificate": __file__},
        {"public_only": True, "proxy": "http://proxy.example.com:3128"},
        {"proxy": "https://proxy.example.com:3128"},
        {"proxy": "socks5://proxy.example.com"},
        {"proxy": "http://"},
        {"proxy": 5},
        {"proxy": "http://[::1"},
        {"headers": {"X": "a\nb"}},
        {"headers": "X: a"},
        {"user_agent": "a\r\nX: y"},
    ],
    ids=str,
)
def test_options_that_are_refused(options: dict[str, Any]):
    with pytest.raises(keybound.PolicyError) as caught:
        keybound.HTTPTransport(**options)
    assert "there-is-none" not in str(caught.value)


# httpx


def test_options_of_httpx_that_are_refused():
    httpx = pytest.importorskip("httpx", reason="httpx is an extra")
    for options in (
        {"verify": False},
        {"verify": True},
        {"verify": None},
        {"verify": lenient(ssl.CERT_NONE)},
        {"no_such_option": 5},
        {"proxy": "nonsense://x"},
        {"client": httpx.AsyncClient()},
        {"client": 5},
        {"client": httpx.Client(), "trust_env": False},
    ):
        with pytest.raises(keybound.PolicyError):
            HttpxTransport(**options)


# Functions of one's own


def answer_of(server: IssuerServer) -> Response:
    return Response(status=200, body=json.dumps(server.issuer.jwks()).encode())


def test_a_function(server: IssuerServer):
    """P23: any callable will do."""
    asked: list[Request] = []

    def ask(request: Request) -> Response:
        asked.append(request)
        return answer_of(server)

    keys = keys_of(server, ask)
    assert keys.get(server.issuer.key.kid)
    assert asked[0].url == server.jwks_uri
    assert 0 < asked[0].total_timeout <= 5
    assert server.count() == 0


def test_a_coroutine_function_for_threads_and_loops(server: IssuerServer):
    """P4, P23."""
    loops: set[Any] = set()

    async def ask(request: Request) -> Response:
        loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0)
        return answer_of(server)

    async def main() -> None:
        keys = keys_of(server, ask)
        assert await keys.aget(server.issuer.key.kid)
        # In a loop of its own: waiting in this one, as synchronous callers do, cannot lock it up.
        assert keys.refresh_now() is FetchOutcome.UNCHANGED
        assert asyncio.get_running_loop() not in loops

    asyncio.run(main())
    assert keys_of(server, ask).get()


def test_a_coroutine_that_takes_too_long(server: IssuerServer):
    async def ask(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    keys = keys_of(server, ask, refresh=RefreshSettings(total_timeout=0.1))
    assert keys.refresh_now() is FetchOutcome.TIMED_OUT


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [
        (ValueError("x"), FetchOutcome.TRANSPORT_FAILED),
        (KeyError("x"), FetchOutcome.TRANSPORT_FAILED),
        (keybound.Unavailable("x"), FetchOutcome.TRANSPORT_FAILED),
        (OSError("x"), FetchOutcome.CONNECTION_FAILED),
        (ConnectionResetError("x"), FetchOutcome.CONNECTION_FAILED),
        (TimeoutError("x"), FetchOutcome.TIMED_OUT),
        (asyncio.TimeoutError("x"), FetchOutcome.TIMED_OUT),
        (ssl.SSLError("x"), FetchOutcome.TLS_FAILED),
        (ssl.SSLCertVerificationError("x"), FetchOutcome.TLS_FAILED),
        (FetchFailed(FetchOutcome.ADDRESS_REFUSED), FetchOutcome.ADDRESS_REFUSED),
    ],
    ids=repr,
)
def test_what_a_function_raises_is_a_failed_fetch(server: IssuerServer, raised: Exception, outcome: Any):
    def ask(request: Request) -> Response:
        raise raised

    keys = keys_of(server, ask)
    assert keys.refresh_now() is outcome


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"{}",
        (200, b"{}"),
        Response(status="200", body=b"{}"),  # type: ignore[arg-type]
        Response(status=200, body="{}"),  # type: ignore[arg-type]
        Response(status=200, body=bytearray(b"{}")),  # type: ignore[arg-type]
    ],
    ids=str,
)
def test_what_a_function_must_not_answer(server: IssuerServer, answer: Any):
    assert keys_of(server, lambda request: answer).refresh_now() is FetchOutcome.TRANSPORT_FAILED
