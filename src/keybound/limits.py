"""Named ceilings, checked before any other work is done on a token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from keybound.errors import PolicyError

__all__ = [
    "DEFAULT_CACHE",
    "DEFAULT_LIMITS",
    "MAX_CANDIDATES",
    "MAX_EMBEDDED_RSA_BITS",
    "MAX_JSON_DEPTH",
    "MAX_KID_LENGTH",
    "MAX_LEEWAY",
    "MAX_LOAD_BALANCER_KEYS",
    "MAX_NUMERIC_DATE",
    "MAX_PUBLISHED_KEYS",
    "MAX_QUESTIONS",
    "MAX_RECIPIENTS",
    "MAX_REDIRECTS",
    "MAX_REMEMBERED_HEADERS",
    "MAX_REPLAY_ENTRIES",
    "MAX_REPORTED_CLIENTS",
    "MAX_REPORTED_CLIENT_ID",
    "MAX_SIGNATURES",
    "MAX_THREADS",
    "MAX_UNKNOWN_KIDS",
    "CacheSettings",
    "Limits",
]

MAX_CANDIDATES = 3
"""Keys tried for one token when several share its ``kid``; bounds the work a forged token can cause."""

MAX_EMBEDDED_RSA_BITS = 4096
"""Modulus of an RSA key that a token brings along; one of an operator may have more."""

MAX_NUMERIC_DATE = 253_402_300_799
"""9999-12-31T23:59:59Z. A larger NumericDate is milliseconds by mistake, or an attack."""

MAX_LEEWAY = 86_400
"""Seconds of clock skew that a policy may grant; more would switch expiry off in all but name."""

MAX_REMEMBERED_HEADERS = 256
"""Protected headers kept by one validator; an issuer uses a few, one per key."""

MAX_THREADS = 256
"""Threads that may share one batch of tokens."""

MAX_REPLAY_ENTRIES = 2**30
"""Used proofs that any store in memory may be told to remember."""

MAX_REPORTED_CLIENTS = 100_000
"""Clients that a report on audiences may be told to count by name."""

MAX_REPORTED_CLIENT_ID = 256
"""Characters of a client identifier that is counted by name in a report on audiences."""

MAX_SIGNATURES = 8
"""Signatures looked at in one general JSON serialization (RFC 7515, 7.2.1)."""

MAX_RECIPIENTS = 8
"""Recipients looked at in one general JSON serialization (RFC 7516, 7.2.1)."""

MAX_PUBLISHED_KEYS = 256
"""Keys in a JWK Set that is fetched; a larger one is refused as a whole."""

MAX_LOAD_BALANCER_KEYS = 256
"""Keys of load balancers that one source may be told to keep, each under a URL of its own."""

MAX_REDIRECTS = 3
"""Redirects followed for one fetch, all within the origin that was asked."""

MAX_QUESTIONS = 1024
"""Tokens that one introspection client may be told to ask about at once, each in a thread."""

MAX_UNKNOWN_KIDS = 256
"""Values of ``kid`` remembered as unknown to their issuer."""

MAX_KID_LENGTH = 256
"""Characters of an unknown ``kid`` for which the issuer is asked; a longer one is just unknown."""

MAX_JSON_DEPTH = 256
"""The deepest nesting that any :class:`Limits` may allow."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Ceilings for one validator.

    :param token_bytes: whole token, or a detached payload, in bytes
    :param header_bytes: encoded protected header, in bytes
    :param json_depth: containers open at once in header or payload
    :param decompressed_bytes: what a compressed token may become (RFC 7516, 4.1.3), in bytes
    :raises PolicyError: a ceiling is not a positive whole number, or ``json_depth`` is above 256
    """

    token_bytes: int = 16 * 1024
    header_bytes: int = 4 * 1024
    json_depth: int = 32
    decompressed_bytes: int = 250_000

    def __post_init__(self) -> None:
        for name, ceiling in (
            ("token_bytes", 2**30),
            ("header_bytes", 2**30),
            ("json_depth", MAX_JSON_DEPTH),
            ("decompressed_bytes", 2**30),
        ):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= ceiling:
                raise PolicyError(f"{name} must be a whole number from 1 to {ceiling}")


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
class CacheSettings:
    """Bounds of a validator's cache of verified tokens; each validator has a cache of its own.

    :param entries: tokens kept at most
    :param memory_bytes: memory of all entries together, by a generous estimate of each
    :param lifetime: seconds after which a signature is verified again
    :param monotonic: clock for ``lifetime``, in seconds; ``None`` for the system's, which no change
        of the wall clock moves
    :raises PolicyError: a bound is not a positive number, or far beyond any use
    """

    entries: int = 4096
    memory_bytes: int = 16 * 1024 * 1024
    lifetime: float = 60.0
    monotonic: Callable[[], float] | None = None

    def __post_init__(self) -> None:
        for name in ("entries", "memory_bytes"):
            value = getattr(self, name)
            if type(value) is not int or not 2 <= value <= 2**40:
                raise PolicyError(f"{name} of the cache must be a whole number from 2 to {2**40}")
        if type(self.lifetime) not in (int, float) or not 0 < self.lifetime <= MAX_NUMERIC_DATE:
            raise PolicyError("lifetime of the cache must be a positive number of seconds")
        if self.monotonic is not None and not callable(self.monotonic):
            raise PolicyError("monotonic must be callable and return seconds")


DEFAULT_CACHE = CacheSettings()
