"""P31: a key source or validator that is made anew for each request is told of, and nobody else is."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import keybound
from keybound.keys import FetchOutcome, Request, Response, recreation
from keybound.testing import FakeClock, FakeIssuer, IssuerServer

ENOUGH = 20
"""Key sources for one URL that are made and used without a word."""


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests of this process have made is no matter here."""
    from keybound.keys import load_balancer_keys, remote_document
    from keybound.tokens import _validator

    sources, validators = recreation.Recreations(ENOUGH), recreation.Recreations(50)
    for module in (remote_document, load_balancer_keys):
        monkeypatch.setattr(module, "KEY_SOURCES", sources)
    monkeypatch.setattr(_validator, "VALIDATORS", validators)


@pytest.fixture
def told() -> Iterator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        yield seen


@pytest.fixture
def issuer() -> FakeIssuer:
    return FakeIssuer("https://as.example.com")


@pytest.fixture
def fresh(issuer: FakeIssuer) -> Callable[..., keybound.RemoteJWKSet]:
    """``fresh(name)``: a key source as a program makes it, on the clock of the machine."""
    body = json.dumps(issuer.jwks()).encode()

    def make(name: str = "jwks", **options: Any) -> keybound.RemoteJWKSet:
        return keybound.RemoteJWKSet(
            f"https://as.example.com/{name}",
            transport=lambda request: Response(status=200, body=body),
            keep_fresh=False,
            **options,
        )

    return make


def test_one_for_each_request_is_told_of_once(fresh: Any, told: Any):
    """P31."""
    for _ in range(3 * ENOUGH):
        assert len(fresh().get()) == 1
        gc.collect(0)
    (warning,) = told
    assert warning.category is keybound.RecreationWarning
    assert warning.filename == __file__, "where it is made, and not within Keybound"
    for hint in ("20", "https://as.example.com/jwks", "when the process starts", "share"):
        assert hint in str(warning.message)


def test_it_is_told_where_the_next_one_is_made(fresh: Any, told: Any):
    for _ in range(ENOUGH):
        fresh().warm()
    assert not told
    fresh()
    assert len(told) == 1


def test_as_an_error_it_stops_who_makes_it_and_nobody_who_asks(fresh: Any):
    kept = [fresh() for _ in range(ENOUGH + 5)]
    assert all(len(keys.get()) == 1 for keys in kept)
    with pytest.raises(keybound.RecreationWarning):
        fresh()
    assert len(fresh().get()) == 1


def test_what_is_made_and_not_used_costs_nothing(fresh: Any, told: Any):
    for _ in range(10 * ENOUGH):
        assert not fresh().ready
    assert not told


def test_every_url_has_its_own_count(fresh: Any, told: Any):
    for number in range(10 * ENOUGH):
        fresh(f"tenant-{number % 20}").get()
    assert not told


def test_one_that_is_asked_all_the_time_counts_once(fresh: Any, told: Any):
    keys = fresh()
    for _ in range(3 * ENOUGH):
        assert keys.refresh_now() is not FetchOutcome.TRANSPORT_FAILED
    fresh()
    assert not told


def test_an_outage_counts_too(told: Any):
    def down(request: Request) -> Response:
        raise ConnectionRefusedError

    for _ in range(ENOUGH + 1):
        keys = keybound.RemoteJWKSet("https://as.example.com/jwks", transport=down, keep_fresh=False)
        with pytest.raises(keybound.Unavailable):
            keys.get()
    assert len(told) == 1


def test_whoever_brings_a_clock_tests_something(fresh: Any, told: Any):
    for _ in range(3 * ENOUGH):
        fresh(monotonic=FakeClock(1000.0)).get()
    assert not told


def test_metadata_is_counted_and_not_the_keys_it_names(server: IssuerServer, told: Any):
    transport = keybound.HTTPTransport(ssl_context=server.client_context())
    document = {"issuer": server.url, "jwks_uri": server.jwks_uri}
    server.publish("/.well-known/openid-configuration", lambda: document)
    kept = []
    for _ in range(ENOUGH + 1):
        metadata = keybound.RemoteMetadata(server.url, transport=transport, keep_fresh=False)
        kept.append(keybound.DiscoveredJWKSet(metadata))
        kept[-1].warm()
    (warning,) = told
    assert ".well-known" in str(warning.message)
    assert warning.filename == __file__


def test_a_deployment_a_minute_is_no_request(told: Any):
    now = FakeClock(0.0)
    counts = recreation.Recreations(ENOUGH, now)
    for _ in range(1000):
        counts.tell("name", "times")
        counts.count("name")
        now.advance(60)
    assert not told


def test_memory_is_bounded(told: Any):
    counts = recreation.Recreations(2)
    for number in range(10_000):
        counts.count(number)
        counts.count(number)
        counts.tell(number, "times")
    assert len(counts._counts) <= 256
    assert len(counts._told) <= 256
    assert len(told) == 10_000, "each name once"


def test_threads_are_told_once(fresh: Any, told: Any):
    def work() -> None:
        for _ in range(ENOUGH):
            fresh().get()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    fresh()
    assert len(told) == 1


def make(keys: Any, **options: Any) -> keybound.AccessTokenValidator:
    usual = {
        "issuer": "https://as.example.com",
        "audience": "https://rs.example.org/",
        "algorithms": ["ES256"],
    }
    return keybound.AccessTokenValidator(keys=keys, **usual | options)


def test_a_validator_for_each_request_is_told_of_once(issuer: FakeIssuer, told: Any):
    keys = keybound.JWKSet.from_json(issuer.jwks())
    for _ in range(50):
        make(keys)
    assert not told
    for _ in range(100):
        make(keys)
    (warning,) = told
    assert warning.category is keybound.RecreationWarning
    assert warning.filename == __file__
    assert "AccessTokenValidators" in str(warning.message)


@pytest.mark.parametrize("what", ["audience", "keys", "clock", "cache"])
def test_validators_that_differ_are_not_told_of(issuer: FakeIssuer, told: Any, what: str):
    keys = [keybound.JWKSet.from_json(issuer.jwks()) for _ in range(100)]
    for number in range(100):
        options: dict[str, Any] = {
            "audience": {"audience": f"https://rs-{number}.example.org/"},
            "keys": {},
            "clock": {"clock": FakeClock()},
            "cache": {"cache": None},
        }[what]
        make(keys[number if what == "keys" else 0], **options)
    assert not told


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_process_counts_though_the_lock_was_held():
    code = """
import os
from keybound.keys import recreation
recreation.KEY_SOURCES._lock.acquire()
recreation.VALIDATORS._lock.acquire()
child = os.fork()
if child == 0:
    recreation.KEY_SOURCES.count("name")
    recreation.VALIDATORS.tell("name", "times")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_keys_of_load_balancers(told: Any):
    """By the URL of all of them: that of each is of a token."""

    def make() -> keybound.LoadBalancerKeys:
        return keybound.LoadBalancerKeys(
            "https://keys.example.com", transport=lambda request: Response(status=404), keep_fresh=False
        )

    keys = make()
    for _ in range(ENOUGH + 5):
        keys.refresh_for("7b1a2c3d-0000-4000-8000-000000000000")
        keys.purge()
    assert not told
    for _ in range(ENOUGH):
        make().refresh_for("7b1a2c3d-0000-4000-8000-000000000000")
    (warning,) = told
    assert warning.category is keybound.RecreationWarning
    assert "https://keys.example.com were" in str(warning.message)
