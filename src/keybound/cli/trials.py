"""What is measured on a user's machine: the validation of access tokens of one algorithm."""

from __future__ import annotations

from dataclasses import dataclass, field

from keybound._about import about
from keybound.cli.stopwatch import Stopwatch
from keybound.jose.jwk_set import JWKSet
from keybound.limits import DEFAULT_CACHE, CacheSettings
from keybound.testing import CertificateAuthority, FakeIssuer, SigningKey
from keybound.tokens.access_token import AccessTokenValidator

__all__ = ["KINDS", "Trial", "make_trial"]

KINDS = ("unbound", "bound", "again")
"""New tokens without ``cnf``; new tokens with their certificate; one such token again, from the cache."""

_AUDIENCE = "https://rs.example.com"
_TOKENS = 32


@dataclass(frozen=True)
class Trial:
    """One algorithm, ready to be timed. Every token has been accepted once.

    :ivar alg: the algorithm
    :ivar key: its curve, or the size of its key
    :ivar library: who verifies its signatures
    :ivar token_bytes: size of a bound token
    :ivar stopwatches: by the names in :data:`KINDS`
    :ivar samples: nanoseconds per validation of each batch so far, by the same names
    """

    alg: str
    key: str
    library: str
    token_bytes: int
    stopwatches: dict[str, Stopwatch[str]]
    samples: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def take_turn(self) -> None:
        """Measure a few batches of each kind."""
        for kind, stopwatch in self.stopwatches.items():
            self.samples[kind] += stopwatch.turn()

    def microseconds(self, kind: str) -> float:
        """The least time of one validation so far; a turn must have been taken."""
        return min(self.samples[kind]) / 1000


def make_trial(alg: str) -> Trial:
    """Make keys, a client certificate, tokens and validators for ``alg``."""
    client = CertificateAuthority().issue_client("client-1")
    # RSA keys take long to make and say nothing more by being fresh.
    issuer = FakeIssuer(key=SigningKey.generate(alg, shared=True))
    keys = JWKSet.from_json(issuer.jwks())

    def validator(cache: CacheSettings | None) -> AccessTokenValidator:
        return AccessTokenValidator(
            issuer=issuer.issuer, audience=_AUDIENCE, keys=keys, algorithms=[alg], cache=cache
        )

    def tokens(certificate: bytes | None) -> list[str]:
        return [
            issuer.access_token(audience=_AUDIENCE, certificate=certificate, lifetime=24 * 3600)
            for _ in range(_TOKENS)
        ]

    bound, certificate = tokens(client.der), client.der
    every_time, remembered = validator(None).validate, validator(DEFAULT_CACHE).validate
    stopwatches = {
        "unbound": Stopwatch(lambda raw: every_time(raw).subject, tokens(None)),
        "bound": Stopwatch(lambda raw: every_time(raw, certificate=certificate).subject, bound),
        "again": Stopwatch(
            lambda raw: remembered(raw, certificate=certificate).subject, bound[:1], copies=True
        ),
    }
    size = keys.keys[0].curve or f"{keys.keys[0].bits} bits"
    libraries = about()["algorithms"]
    # RFC 9864, 2.2: a curve of EdDSA is an algorithm of that name, and says more than EdDSA does.
    return Trial(alg, size, libraries.get(size, libraries[alg]), len(bound[0]), stopwatches)
