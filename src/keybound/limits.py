"""Named ceilings, checked before any other work is done on a token."""

from __future__ import annotations

from dataclasses import dataclass

from keybound.errors import PolicyError

__all__ = [
    "DEFAULT_LIMITS",
    "MAX_CANDIDATES",
    "MAX_JSON_DEPTH",
    "MAX_NUMERIC_DATE",
    "MAX_REMEMBERED_HEADERS",
    "MAX_SIGNATURES",
    "Limits",
]

MAX_CANDIDATES = 3
"""Keys tried for one token when several share its ``kid``; bounds the work a forged token can cause."""

MAX_NUMERIC_DATE = 253_402_300_799
"""9999-12-31T23:59:59Z. A larger NumericDate is milliseconds by mistake, or an attack."""

MAX_REMEMBERED_HEADERS = 256
"""Protected headers kept by one validator; an issuer uses a few, one per key."""

MAX_SIGNATURES = 8
"""Signatures looked at in one general JSON serialization (RFC 7515, 7.2.1)."""

MAX_JSON_DEPTH = 256
"""The deepest nesting that any :class:`Limits` may allow."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Ceilings for one validator.

    :param token_bytes: whole token, or a detached payload, in bytes
    :param header_bytes: encoded protected header, in bytes
    :param json_depth: containers open at once in header or payload
    :raises PolicyError: a ceiling is not a positive whole number, or ``json_depth`` is above 256
    """

    token_bytes: int = 16 * 1024
    header_bytes: int = 4 * 1024
    json_depth: int = 32

    def __post_init__(self) -> None:
        for name, ceiling in (
            ("token_bytes", 2**30),
            ("header_bytes", 2**30),
            ("json_depth", MAX_JSON_DEPTH),
        ):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= ceiling:
                raise PolicyError(f"{name} must be a whole number from 1 to {ceiling}")


DEFAULT_LIMITS = Limits()
