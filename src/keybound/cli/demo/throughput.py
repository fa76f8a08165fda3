"""How many validations a second one core does, measured on whole tokens with their certificate."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from keybound._about import about
from keybound.cli.demo.cases import AUDIENCE
from keybound.jose.algorithms import ALGORITHMS
from keybound.jose.jwk_set import JWKSet
from keybound.limits import DEFAULT_CACHE, CacheSettings
from keybound.testing import CertificateAuthority, FakeIssuer, SigningKey
from keybound.tokens.access_token import AccessTokenValidator

__all__ = ["SLICES", "SLICE_SECONDS", "Throughput", "Traffic", "measure_all", "measure_repeated"]

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


class Traffic:
    """Bound tokens of one algorithm, their certificate, and the validator they are put to.

    :param cache: of the validator. Without one, every presentation of a token is verified from the start.
    """

    def __init__(self, alg: str, *, cache: CacheSettings | None) -> None:
        # RSA keys take long to make and say nothing more by being fresh.
        issuer = FakeIssuer(key=SigningKey.generate(alg, shared=True))
        self.keys = JWKSet.from_json(issuer.jwks())
        self.validator = AccessTokenValidator(
            issuer=issuer.issuer,
            audience=AUDIENCE,
            keys=self.keys,
            algorithms=[alg],
            binding="required",
            cache=cache,
        )
        self._certificate = CertificateAuthority().issue_client("client-1").der
        self._tokens = [
            issuer.access_token(audience=AUDIENCE, certificate=self._certificate) for _ in range(_TOKENS)
        ]

    def per_second(self) -> float:
        """Validations a second in the best slice, after a warm-up; a token that is not accepted raises."""
        self._slice(0)
        return max(self._slice(SLICE_SECONDS) for _ in range(SLICES))

    def _slice(self, seconds: float) -> float:
        done, elapsed = 0, 0.0
        start = time.perf_counter()
        while True:
            for token in self._tokens:
                self.validator.validate(token, certificate=self._certificate)
            done += len(self._tokens)
            elapsed = time.perf_counter() - start
            if elapsed >= seconds:
                return done / elapsed


def measure_all() -> Iterator[Throughput]:
    """Measure every algorithm, one after the other, on the calling thread."""
    libraries = about()["algorithms"]
    for alg in ALGORITHMS:
        traffic = Traffic(alg, cache=None)
        key = traffic.keys.keys[0]
        size = key.curve or f"{key.bits} bits"
        # RFC 9864, 2.2: a curve of EdDSA is an algorithm of that name, and says more than EdDSA does.
        yield Throughput(alg, size, traffic.per_second(), libraries.get(size, libraries[alg]))


def measure_repeated() -> float:
    """Validations a second of tokens that the validator has verified before, by whatever algorithm."""
    return Traffic("ES256", cache=DEFAULT_CACHE).per_second()
