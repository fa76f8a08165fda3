"""P32: documents that processes share through a real server, which may fail in every way."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import Any

import pytest

import keybound
from keybound.keys import SharedDocuments
from keybound.stores import RedisDocuments
from keybound.testing import FakeClock, IssuerServer

URL = "https://as.example.com/jwks"


@pytest.fixture
def documents(server: Any, closing: ExitStack) -> RedisDocuments:
    made = RedisDocuments(server.url)
    closing.callback(made.close)
    return made


def test_what_is_stored_is_loaded(documents: RedisDocuments, server: Any):
    assert isinstance(documents, SharedDocuments)
    assert documents.load(URL) is None
    state = bytes(range(256)) * 100
    documents.store(URL, state)
    assert documents.load(URL) == state
    documents.store(URL, b"")
    documents.store(URL + "/other", b"other")
    assert documents.load(URL) in (None, b"")
    assert documents.load(URL + "/other") == b"other"
    assert documents.stats()["stored"] == 3
    assert "redis://" not in repr(documents)
    with server.client() as client:
        assert all(client.ttl(key) > 86_000 for key in client.scan_iter())


def test_what_somebody_else_left_there_is_an_error(documents: RedisDocuments, server: Any):
    documents.store(URL, b"state")
    with server.client() as client:
        (key,) = client.keys()
        client.set(key, b"\xff\x00 no base64")
        with pytest.raises(ValueError, match="ASCII"):
            documents.load(URL)
        client.delete(key)
        client.lpush(key, "a list")
        with pytest.raises(keybound.Unavailable):
            documents.load(URL)


def fetches_end() -> None:
    for thread in threading.enumerate():
        if thread.name == "keybound-fetch":
            thread.join(20)


def test_keys_are_shared_while_the_server_lives(server: Any, closing: ExitStack):
    monotonic = FakeClock(1000.0)
    with IssuerServer() as issuer:
        transport = keybound.HTTPTransport(ssl_context=issuer.client_context())
        sources = []
        for _ in range(3):
            documents = RedisDocuments(server.url, monotonic=monotonic)
            closing.callback(documents.close)
            sources.append(
                keybound.RemoteJWKSet(
                    issuer.jwks_uri,
                    transport=transport,
                    shared=documents,
                    keep_fresh=False,
                    monotonic=monotonic,
                )
            )
        for keys in sources:
            keys.warm()
            fetches_end()
        assert issuer.count() == 1
        server.kill()
        for keys in sources:
            assert keys.refresh_now().confirmed, "without the server each fetches for itself"
            fetches_end()
            assert keys.stats()["share_failures"] == 1
        assert issuer.count() == 4


def test_a_server_that_hangs_takes_no_longer_than_agreed(server: Any, closing: ExitStack):
    documents = RedisDocuments(server.url, deadline=0.2)
    closing.callback(documents.close)
    documents.load(URL)
    server.hang()
    with pytest.raises(keybound.Unavailable):
        documents.load(URL)
    with pytest.raises(keybound.Unavailable):
        documents.store(URL, b"state")
    assert documents.stats()["spared"] == 1
    server.resume()


@pytest.mark.parametrize(
    "options",
    [
        {"server": "http://redis.example.com"},
        {"server": None},
        {"namespace": ""},
        {"deadline": 0},
        {"lifetime": -1},
        {"lifetime": float("inf")},
    ],
    ids=str,
)
def test_options_that_are_refused(options: dict[str, Any]):
    with pytest.raises(keybound.PolicyError):
        RedisDocuments(**{"server": "redis://127.0.0.1:1"} | options)
