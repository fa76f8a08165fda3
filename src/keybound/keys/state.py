"""What a process leaves of a document for others: the format of ``export_state()``."""

from __future__ import annotations

from typing import NamedTuple, cast

import orjson

__all__ = ["SKEW", "State", "is_header", "read_state", "write_state"]

_VERSION = 1

SKEW = 60.0
"""Clocks of two machines that share a state are this far apart at most, in seconds."""


class State(NamedTuple):
    """A document, and when it was known to be current.

    :ivar recorded: when the issuer was asked, by the wall clock of whoever asked
    :ivar fresh_for: seconds from then, by what the issuer said
    """

    recorded: float
    fresh_for: float
    body: bytes
    etag: str | None
    last_modified: str | None


def write_state(url: str, state: State) -> bytes:
    """A state of the document at that URL, as JSON."""
    return orjson.dumps(
        {
            "version": _VERSION,
            "url": url,
            "fetched_at": state.recorded,
            "fresh_for": state.fresh_for,
            "etag": state.etag,
            "last_modified": state.last_modified,
            "document": state.body.decode(),
        }
    )


def read_state(octets: bytes, url: str) -> State | None:
    """What :func:`write_state` has written for that URL; ``None`` for anything else."""
    try:
        fields = orjson.loads(octets)
        if (fields["version"], fields["url"]) != (_VERSION, url):
            return None
        state = State(
            _number(fields["fetched_at"]),
            _number(fields["fresh_for"]),
            fields["document"].encode(),
            fields["etag"],
            fields["last_modified"],
        )
    except (ArithmeticError, ValueError, TypeError, LookupError, AttributeError):
        return None
    return state if is_header(state.etag) and is_header(state.last_modified) else None


def is_header(value: object) -> bool:
    """Whether it can be sent in the header of a request, or is nothing to send."""
    return value is None or (isinstance(value, str) and value.isascii() and value.isprintable())


def _number(value: object) -> float:
    # Not what float() takes besides: truth values, and texts such as "inf".
    if type(value) not in (int, float):
        raise TypeError("no number")
    return float(cast(float, value))
