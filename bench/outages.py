"""What an issuer's trouble does to those who already know its keys: Keybound beside PyJWT's PyJWKClient.

    python bench/outages.py              # with refreshes that hang for five seconds: about a minute
    python bench/outages.py --hang 0.5   # the same, quickly

A real HTTPS server on loopback answers, hangs or fails; both clients get the same tokens. What is left
to time in production (a set that is due, a cooldown that is over) is moved on here: for Keybound by the
clock it was given, for PyJWT by short times and waiting.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keybound
from keybound.testing import FakeClock, IssuerServer, SigningKey, faults

__all__: list[str] = []

AUDIENCE = "https://rs.example.com"
UNKNOWN = 1000
SHORT = 0.5
"""Seconds of PyJWT's cooldown and lifespan here, in place of 30 and 300."""


class Keybound:
    """Keys that keep themselves up to date."""

    name = "keybound"

    def __init__(self, server: IssuerServer, **options: Any) -> None:
        """:param options: as for the validator, in place of those here"""
        self.clock = FakeClock(0.0)
        self.keys = keybound.RemoteJWKSet(
            server.jwks_uri,
            transport=keybound.HTTPTransport(ssl_context=server.client_context()),
            monotonic=self.clock,
        )
        usual: dict[str, Any] = {"audience": AUDIENCE, "algorithms": ["ES256"], "cache": None}
        self.validator = keybound.AccessTokenValidator(
            issuer=server.issuer.issuer, keys=self.keys, **usual | options
        )

    def validate(self, raw: str) -> object:
        return self.validator.validate(raw)

    async def avalidate(self, raw: str) -> object:
        return await self.validator.avalidate(raw)

    def let_cooldown_pass(self) -> None:
        self.clock.advance(30)

    def let_keys_expire(self) -> None:
        self.clock.advance(601)

    def refresh(self) -> None:
        self.keys.refresh_now()


class PyJWT:
    """As its documentation shows it; there is no asynchronous form."""

    name = "pyjwt"
    caches_keys = False

    def __init__(self, server: IssuerServer) -> None:
        import jwt

        self.jwt = jwt
        self.issuer = server.issuer.issuer
        self.client = jwt.PyJWKClient(
            server.jwks_uri,
            ssl_context=server.client_context(),
            cooldown_duration=SHORT,
            lifespan=60,
            cache_keys=self.caches_keys,
        )

    def validate(self, raw: str) -> object:
        key = self.client.get_signing_key_from_jwt(raw)
        return self.jwt.decode(raw, key, algorithms=["ES256"], audience=AUDIENCE, issuer=self.issuer)

    async def avalidate(self, raw: str) -> object:
        return self.validate(raw)

    def let_cooldown_pass(self) -> None:
        time.sleep(SHORT * 1.1)

    def let_keys_expire(self) -> None:
        self.client.jwk_set_cache.lifespan = SHORT
        time.sleep(SHORT * 1.1)

    def refresh(self) -> None:
        with suppress(Exception):
            self.client.get_jwk_set(refresh=True)


class PyJWTCachingKeys(PyJWT):
    """With the cache that spares its lock to those who know the key, and has no bound in time."""

    name = "pyjwt, cache_keys=True"
    caches_keys = True


CLIENTS: tuple[Callable[[IssuerServer], Any], ...] = (PyJWT, PyJWTCachingKeys, Keybound)


class Scene:
    """One client and a server that nothing has happened to yet."""

    def __init__(self, client: Callable[[IssuerServer], Any]) -> None:
        self.server = IssuerServer().__enter__()
        self.client = client(self.server)
        self.attacker = SigningKey.generate("ES256")
        self.good = self.token()
        self.client.validate(self.good)

    def token(self, kid: str | None = None, **options: Any) -> str:
        if kid is not None:
            options |= {"header": {"kid": kid}, "key": self.attacker}
        usual = {"audience": AUDIENCE, "lifetime": 86_400}
        return self.server.issuer.access_token(**usual | options)

    def accepts(self, raw: str) -> bool:
        try:
            self.client.validate(raw)
        except Exception:  # every library has its own
            return False
        return True

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, *error: object) -> None:
        self.server.close()


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.3f} ms"


def latency(client: Any, hang: float) -> dict[str, str]:
    """Validations of a token with a known kid while a fetch for an unknown one hangs."""
    idle, busy = waits(client, hang)
    return {
        "known kid, no fetch: median": milliseconds(statistics.median(idle)),
        f"known kid, a fetch hangs {hang:g} s: median": milliseconds(statistics.median(busy)),
        f"known kid, a fetch hangs {hang:g} s: worst": milliseconds(max(busy)),
    }


def waits(client: Any, hang: float) -> tuple[list[float], list[float]]:
    """Seconds that each validation took: without a fetch, and while one hangs."""
    with Scene(client) as scene:
        idle = [timed(scene) for _ in range(2000)]
        scene.client.let_cooldown_pass()
        hold = scene.server.fault = faults.Hold()
        stranger = threading.Thread(target=scene.accepts, args=(scene.token("bogus"),))
        stranger.start()
        hold.arrived.wait(30)
        threading.Timer(hang, hold.release).start()
        busy: list[float] = []
        end = time.perf_counter() + hang
        while time.perf_counter() < end:
            busy.append(timed(scene))
        stranger.join()
        return idle, busy


def timed(scene: Scene) -> float:
    started = time.perf_counter()
    assert scene.accepts(scene.good)
    return time.perf_counter() - started


def lag(client: Any, hang: float) -> dict[str, str]:
    """How late an event loop is while one task waits for a key and others validate."""
    figures = {}
    for state, hangs in (("no fetch", False), (f"a fetch hangs {hang:g} s", True)):
        late = lateness(client, hang, hangs=hangs)
        figures |= {
            f"event loop, {state}: median lag": milliseconds(statistics.median(late)),
            f"event loop, {state}: 99.9 % below": milliseconds(late[int(len(late) * 0.999)]),
            f"event loop, {state}: worst lag": milliseconds(late[-1]),
            f"event loop, {state}: later than 1 ms": f"{sum(lap > 0.001 for lap in late)} of {len(late)}",
        }
    return figures


def lateness(client: Any, hang: float, *, hangs: bool) -> list[float]:
    """Seconds by which the turns of an event loop were late, the least first."""
    with Scene(client) as scene:
        scene.client.let_cooldown_pass()
        if hangs:
            hold = scene.server.fault = faults.Hold()
            threading.Timer(hang, hold.release).start()
        return sorted(asyncio.run(heartbeat(scene, hang, unknown=hangs)))


async def heartbeat(scene: Scene, seconds: float, *, unknown: bool) -> list[float]:
    async def accepted(presented: Awaitable[object]) -> None:
        with suppress(Exception):
            await presented

    waiting = (
        asyncio.ensure_future(accepted(scene.client.avalidate(scene.token("bogus")))) if unknown else None
    )
    late: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        await asyncio.sleep(0)
        late.append(time.perf_counter() - started)
        await accepted(scene.client.avalidate(scene.good))
    if waiting is not None:
        await waiting
    return late


def amplification(client: Any, hang: float) -> dict[str, str]:
    """Fetches that tokens with unknown kids cause, once a cooldown is over."""
    return {
        f"fetches for {UNKNOWN:,} unknown kids, endpoint {state}": str(fetches_for_unknown(client, fault))
        for state, fault in (("up", None), ("503", faults.status(503)))
    }


def fetches_for_unknown(client: Any, fault: faults.Fault | None) -> int:
    """How many of them there are."""
    with Scene(client) as scene:
        scene.client.let_cooldown_pass()
        scene.server.fault = fault
        tokens = [scene.token(f"bogus-{number}") for number in range(UNKNOWN)]
        before = scene.server.count()
        assert not any(scene.accepts(raw) for raw in tokens)
        return scene.server.count() - before


def outage(client: Any, hang: float) -> dict[str, str]:
    """Tokens with a known kid when the keys are due and the endpoint answers 503."""
    with Scene(client) as scene:
        scene.client.let_keys_expire()
        scene.server.fault = faults.status(503)
        before = scene.server.count()
        passed = sum(scene.accepts(scene.good) for _ in range(20))
        # For those who fetch in the background to have done so.
        time.sleep(SHORT)
        return {
            "known kid accepted, keys due, endpoint 503": f"{passed} of 20",
            "fetches for that": str(scene.server.count() - before),
        }


def withdrawal(client: Any, hang: float) -> dict[str, str]:
    """A token whose key was withdrawn, after the new set was fetched."""
    with Scene(client) as scene:
        scene.server.issuer.rotate(keep_previous=False)
        scene.client.refresh()
        return {
            "token of a withdrawn key, after a refresh": "accepted"
            if scene.accepts(scene.good)
            else "rejected"
        }


def surroundings() -> str:
    """When, with what and how busy the machine was: the worst of many turns is what others did to it."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("pyjwt", "cryptography"))
    return (
        f"Measured on {time.strftime('%Y-%m-%d')}: {keybound.BACKEND}, "
        f"Python {platform.python_version()}, {versions}, "
        f"{os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f}."
    )


SECTIONS: tuple[Callable[[Any, float], dict[str, str]], ...] = (
    latency,
    lag,
    amplification,
    outage,
    withdrawal,
)


def measure(clients: tuple[Any, ...], hang: float) -> str:
    """A table in Markdown: a row for each figure, a column for each client."""
    names = [client.name for client in clients]
    rows = ["| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for section in SECTIONS:
        columns = [section(client, hang) for client in clients]
        rows += [f"| {row} | " + " | ".join(column[row] for column in columns) + " |" for row in columns[0]]
    return "\n".join(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hang", type=float, default=5.0, help="seconds that a fetch hangs (default: 5)")
    parser.add_argument("--output", type=Path, help="a file for the table")
    arguments = parser.parse_args()
    table = measure(CLIENTS, arguments.hang)
    print(table)
    if arguments.output is not None:
        arguments.output.write_text(f"{table}\n\n{surroundings()}\n", encoding="utf-8")
