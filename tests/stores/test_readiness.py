"""Whether stores, and everything that stands on them, could answer: a real server is asked, and killed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import keybound
from keybound.metrics import Registry
from keybound.stores import (
    MemoryReplayStore,
    MemoryRevocationList,
    RedisReplayStore,
    RedisRevocationList,
)
from keybound.testing import FakeClock, FakeIssuer

Ask = Callable[[Any], Any]


async def _aready(store: Any) -> bool:
    try:
        return bool(await store.ais_ready())
    finally:
        await store.aclose()


def ready(store: Any) -> bool:
    """The same answer for threads and for event loops."""
    answer: bool = store.is_ready()
    return answer


def ready_in_a_loop(store: Any) -> bool:
    return asyncio.run(_aready(store))


@pytest.fixture(params=[ready, ready_in_a_loop], ids=["is_ready", "ais_ready"])
def ask(request: Any) -> Ask:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=[RedisReplayStore, RedisRevocationList])
def made(request: Any, server: Any, closing: Any) -> Callable[..., Any]:
    def make(**options: Any) -> Any:
        store = request.param(server.url, **{"monotonic": FakeClock(0.0)} | options)
        closing.callback(store.close)
        return store

    return make


def test_a_server_that_comes_and_goes(server: Any, made: Any, ask: Ask) -> None:
    monotonic = FakeClock(0.0)
    store = made(monotonic=monotonic, pause=5.0)
    assert ask(store)
    server.kill()
    assert not ask(store)
    server.start()
    # One that has failed is left alone for a while, by probes as by everybody.
    assert not ask(store)
    assert store.stats()["spared"] == 1
    monotonic.advance(5)
    assert ask(store)


def test_one_round_trip(server: Any, made: Any, ask: Ask) -> None:
    store = made()
    for _ in range(3):
        assert ask(store)
    assert store.stats()["asked"] == 3
    with server.client() as client:
        assert client.dbsize() == 0, "a probe marks nothing, and makes no server vouch for anything"


def test_a_server_that_hangs(server: Any, made: Any, ask: Ask) -> None:
    store = made(deadline=0.2)
    server.hang()
    assert not ask(store)
    server.resume()


def test_a_server_that_evicts(server: Any, made: Any, ask: Ask) -> None:
    """Every proof would be refused, so it is not ready either."""
    store = made()
    with server.client() as client:
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        assert not ask(store)
        client.config_set("maxmemory-policy", "noeviction")
    assert ask(store)


def test_where_memory_steps_in_there_is_an_answer(server: Any, made: Any, ask: Ask) -> None:
    store = made(on_loss="memory")
    server.kill()
    assert ask(store)
    assert store.stats()["asked"] == store.stats()["failed"] == 0


def test_answers_that_are_none(made: Any, ask: Ask) -> None:
    """Whatever a client of the user's does, nothing foreign comes out."""
    store = made()

    def fail(*arguments: Any) -> Any:
        raise ZeroDivisionError

    store._server._client.evalsha = fail
    store._server._client_of_loop = lambda: None
    assert not ask(store)


class Gateway:
    """Validators of all kinds that stand on one replay store and one deny-list."""

    def __init__(self, replay: Any, revocation: Any) -> None:
        issuer = FakeIssuer("https://as.example.com")
        self.keys = keybound.JWKSet.from_json(issuer.jwks())
        rest: dict[str, Any] = {"keys": self.keys, "algorithms": ["ES256"]}
        self.tokens = keybound.AccessTokenValidator(
            issuer=issuer.issuer, audience="api", revocation=revocation, **rest
        )
        self.assertions = keybound.ClientAssertionValidator(
            client_id="client-1", audience=issuer.issuer, replay=replay, **rest
        )
        self.proofs = keybound.DPoPProofValidator(algorithms=["ES256"], replay=replay)
        self.answers = keybound.IntrospectionResponseValidator(
            issuer=issuer.issuer, audience="api", revocation=revocation
        )
        self.router = keybound.IssuerRouter([self.tokens])

    def watch(self) -> Registry:
        registry = Registry()
        for name, part in vars(self).items():
            if name != "keys":
                registry.add(name, part)
        return registry


@pytest.mark.parametrize("in_a_loop", [False, True], ids=["readiness", "areadiness"])
def test_validators_stand_on_their_stores(server: Any, closing: Any, in_a_loop: bool) -> None:
    """P16, P35: one honest call, in which each server is asked once."""
    monotonic = FakeClock(0.0)
    replay = RedisReplayStore(server.url, monotonic=monotonic, namespace="replay")
    revoked = RedisRevocationList(server.url, monotonic=monotonic, namespace="revoked")
    for store in (replay, revoked):
        closing.callback(store.close)
    gateway = Gateway(replay, revoked)
    registry = gateway.watch()

    async def asked() -> dict[str, bool]:
        try:
            return await registry.areadiness()
        finally:
            await replay.aclose()
            await revoked.aclose()

    def look() -> dict[str, bool]:
        return asyncio.run(asked()) if in_a_loop else registry.readiness()

    assert look() == dict.fromkeys(("tokens", "assertions", "proofs", "answers", "router"), True)
    assert (replay.stats()["asked"], revoked.stats()["asked"]) == (1, 1)
    server.kill()
    assert look() == dict.fromkeys(("tokens", "assertions", "proofs", "answers", "router"), False)
    assert (replay.stats()["failed"], revoked.stats()["failed"]) == (1, 1)
    server.start()
    monotonic.advance(2)
    assert all(look().values())


def test_stores_in_memory_are_at_hand() -> None:
    registry = Gateway(MemoryReplayStore(), MemoryRevocationList()).watch()
    registry.add("replay", MemoryReplayStore())
    registry.add("revoked", MemoryRevocationList())
    assert all(registry.readiness().values())
    assert all(asyncio.run(registry.areadiness()).values())
