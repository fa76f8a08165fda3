"""What a request with a DPoP proof costs (RFC 9449), beside the one signature operation it cannot avoid.

    python bench/dpop.py [--rounds 60]

A request is a bound access token that the validator has seen before and a new ES256 proof of it. All
variants take turns in one process, in an order drawn anew; the least batch of each counts.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import random
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import keybound
from keybound._hotpath import base64url, signature
from keybound._hotpath.contract import Family
from keybound.stores import MemoryReplayStore
from keybound.testing import FakeIssuer, SigningKey, dpop_proof

__all__ = ["BUDGET", "measure", "table"]

AUDIENCE = "https://rs.example.com"
URL = "https://rs.example.com/accounts"
BATCH = 32
"""Requests in one batch."""

BUDGET = (1.15, 5.0)
"""What a token in the cache and a proof of a new key may take: so many times the signature operation, and
so many microseconds more."""


NAMES = (
    "signature operation alone",
    "new key",
    "new key, replay store",
    "known key",
    "known key, replay store",
    "token alone, proof at hand",
)


class Request(NamedTuple):
    """A token and its proof, and what the library needs to verify the proof's signature alone."""

    token: str
    proof: str
    key: signature.VerifyKey
    data: bytes
    octets: bytes

    def copied(self) -> Request:
        """With texts of its own, as a server gets them, whose hash nobody has computed yet."""
        return self._replace(token=self.token.encode().decode(), proof=self.proof.encode().decode())


Work = Callable[[Request], object]


class Bench:
    """A resource server with and without a replay store, and who makes requests to it."""

    def __init__(self) -> None:
        self.issuer = FakeIssuer("https://as.example.com")
        self.tokens = keybound.AccessTokenValidator(
            issuer=self.issuer.issuer,
            audience=AUDIENCE,
            keys=keybound.JWKSet.from_json(self.issuer.jwks()),
            algorithms=["ES256"],
        )
        self.proofs, self.storing = (
            keybound.DPoPProofValidator(algorithms=["ES256"], replay=replay)
            for replay in (None, MemoryReplayStore())
        )
        self.regular = SigningKey.generate("ES256")
        for request in self.requests([self.regular] * 40):  # so that its key has earned a table
            self.proof(self.proofs, request)
            self.proof(self.storing, request)

    def requests(self, keys: list[SigningKey]) -> list[Request]:
        """New requests, whose tokens the validator has seen before."""
        made = []
        for key in keys:
            token = self.issuer.access_token(audience=AUDIENCE, dpop_key=key)
            proof = dpop_proof(key, url=URL, access_token=token)
            data, _, octets = proof.rpartition(".")
            loaded = keybound.JWK.from_json(key.public_jwk())._handle
            made.append(Request(token, proof, loaded, data.encode(), base64url.decode(octets) or b""))
        warming = keybound.DPoPProofValidator(algorithms=["ES256"], replay=None)
        for request in made:
            self.tokens.validate(request.token, dpop=self.proof(warming, request))
        return made

    def variants(self) -> dict[str, tuple[list[Request], Work]]:
        """For each variant its requests, all of them new, and its work."""
        strangers = self.requests([SigningKey.generate("ES256") for _ in range(BATCH)])
        regulars = self.requests([self.regular] * BATCH)
        presented = {request.proof: self.proof(self.proofs, request) for request in regulars}
        work = (
            (strangers, _verify),
            (strangers, self.both(self.proofs)),
            (strangers, self.both(self.storing)),
            (regulars, self.both(self.proofs)),
            (regulars, self.both(self.storing)),
            (regulars, lambda request: self.tokens.validate(request.token, dpop=presented[request.proof])),
        )
        return dict(zip(NAMES, work, strict=True))

    def proof(self, proofs: keybound.DPoPProofValidator, request: Request) -> keybound.DPoPProof:
        return proofs.validate(request.proof, method="GET", url=URL, access_token=request.token)

    def both(self, proofs: keybound.DPoPProofValidator) -> Work:
        """What a server does for each request."""

        def work(request: Request) -> keybound.AccessToken:
            proof = proofs.validate(request.proof, method="GET", url=URL, access_token=request.token)
            return self.tokens.validate(request.token, dpop=proof)

        return work


def _verify(request: Request) -> object:
    if not signature.verify(request.key, Family.ECDSA, 256, request.data, request.octets):
        raise ValueError("signature does not verify")
    return request


def _time(batch: list[Request], work: Work) -> float:
    """Microseconds for each request of a batch, in processor time."""
    batch = [request.copied() for request in batch]
    gc.collect()
    gc.disable()
    try:
        started = time.process_time_ns()
        for request in batch:
            work(request)
        return (time.process_time_ns() - started) / len(batch) / 1000
    finally:
        gc.enable()


def measure(rounds: int) -> dict[str, float]:
    """The least microseconds of each variant."""
    bench = Bench()
    best: dict[str, float] = {}
    for _ in range(rounds):
        variants = list(bench.variants().items())
        random.shuffle(variants)
        for name, (batch, work) in variants:
            best[name] = min(best.get(name, float("inf")), _time(batch, work))
    return {name: best[name] for name in NAMES}


def table(best: dict[str, float]) -> str:
    """The figures as Markdown."""
    floor = best["signature operation alone"]
    rows = [f"| {name} | {value:.2f} | {value / floor:.2f} |" for name, value in best.items()]
    allowed = floor * BUDGET[0] + BUDGET[1]
    budget = f"| budget for a new key: {BUDGET[0]} times the operation plus {BUDGET[1]:.0f} µs | "
    return "\n".join(
        [
            "| | µs | to the operation |",
            "|---|---:|---:|",
            *rows,
            f"{budget}{allowed:.2f} | {allowed / floor:.2f} |",
        ]
    )


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=60, help="batches of each variant")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(table(measure(options.rounds)))
    facts = keybound.about()
    print(
        f"\nMeasured on {time.strftime('%Y-%m-%d')}: {keybound.BACKEND}, Python {platform.python_version()}, "
        f"{facts['crypto']}, {os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f}."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
