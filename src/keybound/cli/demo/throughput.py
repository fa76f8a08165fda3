"""How many validations a second one core does, measured on whole tokens with their certificates."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from keybound._about import about
from keybound.cli.demo.cases import AUDIENCE
from keybound.jose.algorithms import ALGORITHMS
from keybound.jose.jwk_set import JWKSet
from keybound.testing import CertificateAuthority, FakeIssuer, SigningKey
from keybound.tokens.access_token import AccessTokenValidator

__all__ = ["SLICES", "SLICE_SECONDS", "Throughput", "measure_all"]

SLICES = 20
SLICE_SECONDS = 0.01
_TOKENS = 16


@dataclass(frozen=True)
class Throughput:
    """What was measured for one algorithm.

    :ivar alg: the algorithm
    :ivar key: its curve, or the size of its key
    :ivar per_second: validations a second in the best slice, which others on this machine disturbed least
    :ivar library: who verified the signatures
    """

    alg: str
    key: str
    per_second: float
    library: str


def measure_all() -> Iterator[Throughput]:
    """Measure every algorithm, one after the other, on the calling thread."""
    client = CertificateAuthority().issue_client("client-1").der
    libraries = about()["algorithms"]
    for alg in ALGORITHMS:
        # RSA keys take long to make and say nothing more by being fresh.
        issuer = FakeIssuer(key=SigningKey.generate(alg, shared=True))
        keys = JWKSet.from_json(issuer.jwks())
        validator = AccessTokenValidator(
            issuer=issuer.issuer, audience=AUDIENCE, keys=keys, algorithms=[alg], binding="required"
        )
        tokens = [issuer.access_token(audience=AUDIENCE, certificate=client) for _ in range(_TOKENS)]
        size = keys.keys[0].curve or f"{keys.keys[0].bits} bits"
        # RFC 9864, 2.2: a curve of EdDSA is an algorithm of that name, and says more than EdDSA does.
        library = libraries.get(size, libraries[alg])
        yield Throughput(alg, size, _best(validator, tokens, client), library)


def _best(validator: AccessTokenValidator, tokens: list[str], certificate: bytes) -> float:
    _slice(validator, tokens, certificate, 0)  # warm up
    return max(_slice(validator, tokens, certificate, SLICE_SECONDS) for _ in range(SLICES))


def _slice(validator: AccessTokenValidator, tokens: list[str], certificate: bytes, seconds: float) -> float:
    """Validations a second; a token that is not accepted raises."""
    done, elapsed = 0, 0.0
    start = time.perf_counter()
    while True:
        for token in tokens:
            validator.validate(token, certificate=certificate)
        done += len(tokens)
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return done / elapsed
