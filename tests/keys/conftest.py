"""A real HTTPS server for each test, and sources of its keys on a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import keybound
from keybound.testing import CertificateAuthority, FakeClock, IssuerServer


@pytest.fixture(scope="session")
def authority() -> CertificateAuthority:
    return CertificateAuthority()


@pytest.fixture
def server(authority: CertificateAuthority) -> Iterator[IssuerServer]:
    with IssuerServer(authority=authority) as running:
        yield running


@pytest.fixture
def make_server(authority: CertificateAuthority) -> Iterator[Callable[..., IssuerServer]]:
    """``make_server(**options)``: one more server, which ends with the test."""
    with ExitStack() as running:
        yield lambda **options: running.enter_context(IssuerServer(authority=authority, **options))


@pytest.fixture
def monotonic() -> FakeClock:
    return FakeClock(1000.0)


@pytest.fixture
def source(server: IssuerServer, monotonic: FakeClock) -> Callable[..., keybound.RemoteJWKSet]:
    """``source(**options)``: the keys of the server; nothing is fetched unless somebody asks."""

    def make(**options: Any) -> keybound.RemoteJWKSet:
        usual: dict[str, Any] = {"monotonic": monotonic, "keep_fresh": False}
        if "transport" not in options:
            usual["transport"] = keybound.HTTPTransport(ssl_context=server.client_context())
        return keybound.RemoteJWKSet(options.pop("url", server.jwks_uri), **usual | options)

    return make
