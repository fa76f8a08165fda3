"""The fake issuer over real sockets does what its faults say, as a client that is not Keybound sees it."""

from __future__ import annotations

import gzip
import http.client
import json
import ssl
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest

from keybound.testing import CertificateAuthority, FakeIssuer, IssuerServer, faults

AUTHORITY = CertificateAuthority()


def get(
    server: IssuerServer, path: str = "/jwks", *, context: Any = None, headers: Any = None
) -> tuple[http.client.HTTPResponse, bytes]:
    host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
    if server.url.startswith("https:"):
        connection: Any = http.client.HTTPSConnection(
            host, port, context=context or server.client_context(), timeout=20
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=20)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


@pytest.fixture
def server() -> Any:
    with IssuerServer(authority=AUTHORITY) as running:
        yield running


def test_it_publishes_what_the_issuer_publishes_now(server: IssuerServer):
    assert server.issuer.issuer == server.url
    for _ in range(2):
        response, body = get(server)
        assert (response.status, json.loads(body)) == (200, server.issuer.jwks())
        server.issuer.rotate()
    assert server.count() == server.count("/jwks") == 2
    assert server.count("/other") == 0
    assert server.requests[0].method == "GET"


def test_an_issuer_of_ones_own_without_tls():
    issuer = FakeIssuer("https://as.example.com", alg="RS256")
    with IssuerServer(issuer, tls=False) as server:
        assert server.jwks_uri.startswith("http://127.0.0.1:")
        assert json.loads(get(server)[1]) == issuer.jwks()


def test_other_documents(server: IssuerServer):
    server.publish("/octets", b"abc")
    server.publish("/json", {"a": 1})
    server.publish("/now", lambda: {"count": server.count("/now")})
    assert get(server, "/octets")[1] == b"abc"
    assert json.loads(get(server, "/json?x=y")[1]) == {"a": 1}
    assert json.loads(get(server, "/now")[1]) == {"count": 1}
    assert get(server, "/nothing")[0].status == 404


def test_conditional_requests(server: IssuerServer):
    server.headers["Cache-Control"] = "max-age=60"
    response, _ = get(server)
    tag = response.headers["ETag"]
    assert response.headers["Cache-Control"] == "max-age=60"
    assert get(server, headers={"If-None-Match": tag})[0].status == 304
    server.issuer.rotate()
    assert get(server, headers={"If-None-Match": tag})[0].status == 200
    server.etags = False
    assert "ETag" not in get(server)[0].headers


@pytest.mark.parametrize("client_auth", ["required", "optional"])
def test_client_certificates(client_auth: Any):
    client = AUTHORITY.issue_client("client-1")
    with IssuerServer(authority=AUTHORITY, client_auth=client_auth) as server:
        assert get(server, context=server.client_context(client))[0].status == 200
        assert server.requests[-1].certificate == client.der
        if client_auth == "optional":
            assert get(server)[0].status == 200
            assert server.requests[-1].certificate is None
        else:
            with pytest.raises(OSError):  # noqa: PT011  (the alert or the reset, whichever comes first)
                get(server)


def test_who_does_not_trust_the_authority_is_not_answered(server: IssuerServer):
    with pytest.raises(ssl.SSLCertVerificationError):
        get(server, context=ssl.create_default_context())
    assert server.count() == 0
    assert get(server)[0].status == 200


@pytest.mark.parametrize("form", ["openid-configuration", "oauth-authorization-server"])
def test_it_publishes_its_metadata(server: IssuerServer, form: str):
    response, body = get(server, f"/.well-known/{form}")
    assert response.status == 200
    assert json.loads(body) == {
        "issuer": server.url,
        "jwks_uri": server.jwks_uri,
        "introspection_endpoint": server.introspection_endpoint,
    }


def test_a_hold_waits_for_its_release(server: IssuerServer):
    hold = server.fault = faults.Hold()
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(get(server)[0].status))
    asking.start()
    assert hold.arrived.wait(20)
    assert not answers
    hold.release()
    asking.join(20)
    assert answers == [200]
    assert get(server)[0].status == 200


def test_closing_answers_what_waits():
    with IssuerServer(tls=False) as server:
        hold = server.fault = faults.Hold()
        asking = threading.Thread(target=get, args=(server,))
        asking.start()
        assert hold.arrived.wait(20)
    asking.join(20)
    assert not asking.is_alive()


def test_statuses_and_pages(server: IssuerServer):
    server.fault = faults.status(503, {"Retry-After": "7"})
    response, body = get(server)
    assert (response.status, response.headers["Retry-After"]) == (503, "7")
    assert b"<html>" in body
    server.fault = faults.html()
    response, body = get(server)
    assert (response.status, response.headers["Content-Type"]) == (200, "text/html")
    assert b"<title>" in body
    server.fault = None
    assert get(server)[0].status == 200


def test_bad_keys_stand_before_the_good_ones(server: IssuerServer):
    server.fault = faults.bad_keys()
    listed = json.loads(get(server)[1])["keys"]
    assert listed == [*faults.ODD_KEYS, *server.issuer.jwks()["keys"]]
    server.fault = faults.bad_keys("a", alone=True)
    assert json.loads(get(server)[1]) == {"keys": ["a"]}


def test_what_breaks_off(server: IssuerServer):
    server.fault = faults.truncated()
    with pytest.raises(http.client.IncompleteRead):
        get(server)
    server.fault = faults.reset()
    with pytest.raises((ConnectionError, ssl.SSLError)):
        get(server)


def test_what_drips(server: IssuerServer):
    server.fault = faults.drip(0.001)
    connection = http.client.HTTPSConnection(
        "127.0.0.1", server._server.server_port, context=server.client_context()
    )
    connection.request("GET", "/jwks")
    assert connection.sock.recv(1) == b"H"
    assert connection.sock.recv(1) == b"T"
    connection.close()


def test_what_is_larger_than_it_looks(server: IssuerServer):
    server.fault = faults.gzip_bomb(1_000_000)
    response, body = get(server)
    assert response.headers["Content-Encoding"] == "gzip"
    assert len(body) < 10_000
    assert gzip.decompress(body) == b" " * 1_000_000


def test_redirects(server: IssuerServer):
    server.fault = faults.redirect("/jwks?elsewhere", 307)
    response, _ = get(server)
    assert (response.status, response.headers["Location"]) == (307, "/jwks?elsewhere")
    assert get(server, "/jwks?elsewhere")[0].status == 200


def test_a_certificate_that_nobody_trusts(server: IssuerServer):
    server.fault = faults.untrusted_certificate()
    with pytest.raises(ssl.SSLCertVerificationError):
        get(server)
    server.fault = None
    assert get(server)[0].status == 200


def test_it_prints_where_it_is(server: IssuerServer):
    assert repr(server) == f"IssuerServer('{server.url}')"
