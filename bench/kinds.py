"""What other kinds of token cost beside an access token of the same algorithm, in one interleaved run.

    python bench/kinds.py                          # every algorithm: about two minutes
    python bench/kinds.py --algorithms ES256 --rounds 50

An assertion is good once, so every lap has a replay store of its own, of the usual kind.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cases import make_case
from peers import access_token_validator
from run import ALGORITHMS

import keybound
from keybound.audience import POLICIES
from keybound.stores import MemoryReplayStore
from keybound.testing import FakeClient

__all__ = ["CONTESTANTS", "Contestant", "measure", "table"]

POOL = 512
"""Distinct tokens of one lap."""

_LIFETIME = 3600
_SERVER = {
    "issuer": "https://as.example.com",
    "token_endpoint": "https://as.example.com/token",
    "authorization_endpoint": "https://as.example.com/authorize",
}


@dataclass
class Contestant:
    """One kind of token.

    :ivar work: what is timed, for one token
    :ivar renew: makes every token new again
    :ivar best: the least nanoseconds per token of any lap so far
    """

    work: Callable[[str], object]
    tokens: Sequence[str]
    renew: Callable[[], object] = lambda: None
    best: float = field(default=float("inf"))

    def lap(self) -> None:
        """Every token once, in processor time; the least lap counts, as in the other benchmarks."""
        self.renew()
        work, tokens = self.work, self.tokens
        gc.collect()
        gc.disable()
        started = time.process_time_ns()
        for token in tokens:
            work(token)
        elapsed = time.process_time_ns() - started
        gc.enable()
        self.best = min(self.best, elapsed / len(tokens))


def access_token(algorithm: str) -> Contestant:
    """Bound to a certificate, which comes along."""
    case = make_case(algorithm, pool=POOL)
    validate, certificate = access_token_validator(case).validate, case.certificate_der
    return Contestant(
        lambda token: validate(token, certificate=certificate).subject, [token for token, _ in case.good]
    )


def client_assertion(algorithm: str) -> Contestant:
    """With an audience policy and a replay store."""
    client = FakeClient(alg=algorithm)
    validator = keybound.ClientAssertionValidator(**_of(client), replay=MemoryReplayStore())
    return Contestant(
        lambda token: validator.validate(token).client_id,
        [client.assertion(lifetime=_LIFETIME) for _ in range(POOL)],
        lambda: setattr(validator._uses, "store", MemoryReplayStore()),
    )


def request_object(algorithm: str) -> Contestant:
    """With an audience policy and the plain parameters beside it, all parameters built."""
    client = FakeClient(alg=algorithm)
    validator = keybound.RequestObjectValidator(**_of(client))
    plain = {"client_id": client.client_id, "response_type": "code", "scope": "openid"}
    return Contestant(
        lambda token: validator.validate(token, parameters=plain).parameters,
        [client.request_object(lifetime=_LIFETIME) for _ in range(POOL)],
    )


def _of(client: FakeClient) -> dict[str, Any]:
    algorithm = client.key.alg
    secret = algorithm.startswith("HS")
    return {
        "client_id": client.client_id,
        # As a client has it: a secret has no kid.
        "keys": keybound.JWKSet.from_secret(client.key.secret, alg=algorithm)
        if secret
        else keybound.JWKSet.from_json(client.jwks()),
        "audience": POLICIES["fapi2-final"].bind_metadata(_SERVER),
        "algorithms": [algorithm],
    }


CONTESTANTS: dict[str, Callable[[str], Contestant]] = {
    "access token": access_token,
    "client assertion": client_assertion,
    "request object": request_object,
}
"""The first is what the others are compared with."""


def measure(algorithm: str, rounds: int) -> dict[str, float]:
    """Microseconds per token; in every round each kind has one lap, in an order drawn anew."""
    contestants = {name: make(algorithm) for name, make in CONTESTANTS.items()}
    order = list(contestants.values())
    for _ in range(rounds):
        random.shuffle(order)
        for contestant in order:
            contestant.lap()
    return {name: contestant.best / 1000 for name, contestant in contestants.items()}


def table(algorithms: Sequence[str], rounds: int) -> str:
    """A table in Markdown: microseconds, and how many more than an access token takes."""
    first, *others = CONTESTANTS
    rows = [
        f"| `alg` | {first} | " + " | ".join(f"{name} | more" for name in others) + " |",
        "|---|---:|" + "---:|---:|" * len(others),
    ]
    for algorithm in algorithms:
        times = measure(algorithm, rounds)
        cells = [f"{times[name]:.1f} | {times[name] - times[first]:+.1f}" for name in others]
        rows.append(f"| `{algorithm}` | {times[first]:.1f} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def surroundings() -> str:
    """When, with what and how busy the machine was."""
    return (
        f"Microseconds per token, the least of many laps of {POOL}, in processor time of one core. "
        f"Measured on {time.strftime('%Y-%m-%d')}: {keybound.BACKEND}, Python {platform.python_version()}, "
        f"{os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f}."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--algorithms", nargs="+", default=ALGORITHMS, choices=ALGORITHMS, metavar="ALG")
    parser.add_argument("--rounds", type=int, default=100, help="laps of each kind (default: 100)")
    parser.add_argument("--output", type=Path, help="a file for the table")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    result = table(arguments.algorithms, arguments.rounds)
    print(result)
    if arguments.output is not None:
        arguments.output.write_text(f"{result}\n\n{surroundings()}\n", encoding="utf-8")
