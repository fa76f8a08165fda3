"""JSON without lenience (RFC 8259, and stricter), built by orjson.

Good text pays for orjson and a short look at the result that proves it sound. Everything else is
read again by an exact scanner, which mirrors the C scanner: the first error by byte position
decides the reason.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from keybound._hotpath.contract import (
    CONTAINER_BYTES,
    MEMBER_BYTES,
    PLAIN_TEXT_FACTOR,
    TEXT_FACTOR,
    VALUE_BYTES,
)
from keybound.errors import Reason
from keybound.frozen import freeze
from keybound.limits import MAX_JSON_DEPTH

__all__ = ["footprint", "load_frozen", "loads"]

OK = int(Reason.OK)

# A finite double is below 1.8e308, so a leading digit worth 10^308 may already round to infinity
# (RFC 8259, 6: numbers of greater magnitude are not interoperable).
_OUT_OF_RANGE_EXPONENT = 308
# Below every double that the text of a number out of range can round to.
_SUSPICIOUS = 9e307
# Far above any length of a text; a longer exponent need not be read.
_EXPONENT_DIGITS = 15


def load_frozen(data: bytes) -> Any:
    """The value of an object or array that :func:`loads` has accepted, read-only."""
    return freeze(orjson.loads(data))


def footprint(data: bytes) -> int:
    """Bytes of memory that a JSON text and its value occupy, estimated from above."""
    containers = data.count(b"{") + data.count(b"[")
    structure = (
        CONTAINER_BYTES * containers + MEMBER_BYTES * data.count(b":") + VALUE_BYTES * data.count(b",")
    )
    plain = data.isascii() and b"\\" not in data
    return structure + (PLAIN_TEXT_FACTOR if plain else TEXT_FACTOR) * len(data)


def loads(data: bytes, max_depth: int) -> tuple[int, Any]:
    """Parse one JSON text.

    :param data: UTF-8 without a byte order mark
    :param max_depth: containers open at once, at most 256
    :returns: ``OK`` and the value, or ``JSON_INVALID``, ``JSON_DUPLICATE_MEMBER``,
        ``JSON_TOO_DEEP`` or ``JSON_NUMBER_OUT_OF_RANGE`` and ``None``
    """
    max_depth = min(max_depth, MAX_JSON_DEPTH)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    else:
        if _is_sound(data, value, max_depth):
            return OK, value
    reason = _scan(data, max_depth)
    return reason, orjson.loads(data) if reason == OK else None


def _is_sound(data: bytes, value: Any, max_depth: int) -> bool:
    """Whether ``value`` shows that its text repeats no name, is not too deep and its numbers fit.

    May say no to good text, never yes to bad.
    """
    names = depth = 0
    level = [value]
    while level:
        inner: list[Any] = []
        containers = False
        for item in level:
            kind = type(item)
            if kind is dict:
                containers = True
                names += len(item)
                inner.extend(item.values())
            elif kind is list:
                containers = True
                inner.extend(item)
            elif kind is float and not -_SUSPICIOUS < item < _SUSPICIOUS:
                return False
        depth += containers
        level = inner
    # Every name in the text is followed by a colon. Strings may hold the same two characters, so
    # there may be more such places than names, never fewer; a repeated name is gone from `value`.
    return depth <= max_depth and data.count(b'":') == names and _SPACE_BEFORE_COLON.search(data) is None


class _Refused(Exception):
    def __init__(self, reason: Reason) -> None:
        self.reason = reason


_SPACE_BEFORE_COLON = re.compile(rb"[ \t\n\r]:")
_SPACE = re.compile(rb"[ \t\n\r]*")
_PLAIN = re.compile(rb"[\x20\x21\x23-\x5b\x5d-\x7f]*")
# Escapes with surrogates in pairs only (RFC 7493, 2.1), and well-formed UTF-8 (Unicode, table 3-7).
_NOT_PLAIN = re.compile(
    rb"""\\["\\/bfnrt]
    | \\u(?: [0-9A-Ca-cEFef][0-9A-Fa-f]{3} | [Dd][0-7][0-9A-Fa-f]{2}
        | [Dd][89ABab][0-9A-Fa-f]{2} \\u[Dd][C-Fc-f][0-9A-Fa-f]{2} )
    | [\xc2-\xdf][\x80-\xbf]
    | \xe0[\xa0-\xbf][\x80-\xbf] | [\xe1-\xec\xee\xef][\x80-\xbf]{2} | \xed[\x80-\x9f][\x80-\xbf]
    | \xf0[\x90-\xbf][\x80-\xbf]{2} | [\xf1-\xf3][\x80-\xbf]{3} | \xf4[\x80-\x8f][\x80-\xbf]{2}""",
    re.VERBOSE,
)
_NUMBER = re.compile(rb"-?(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")
_LITERAL = re.compile(rb"true|false|null")

_Names = list[str]


def _scan(data: bytes, max_depth: int) -> int:
    """The reason that belongs to this text. Iterative, so that no text decides how deep we recurse."""
    containers: list[_Names | None] = []
    try:
        at = _after(_SPACE, data, 0)
        while True:
            if data[at : at + 1] in (b"{", b"["):
                at, empty = _open(data, at, containers, max_depth)
                if not empty:
                    continue
            else:
                at = _scalar_end(data, at)
            at = _after(_SPACE, data, at)
            while containers and data[at : at + 1] != b",":
                at = _close(data, at, containers)
            if not containers:
                return OK if at == len(data) else Reason.JSON_INVALID
            at = _next(data, at + 1, containers[-1])
    except _Refused as refused:
        return int(refused.reason)


def _after(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    match = pattern.match(data, at)
    if match is None:
        raise _Refused(Reason.JSON_INVALID)
    return match.end()


def _open(data: bytes, at: int, containers: list[_Names | None], max_depth: int) -> tuple[int, bool]:
    """Open the container at ``at``; its first value, or its end if it is empty."""
    if len(containers) >= max_depth:
        raise _Refused(Reason.JSON_TOO_DEEP)
    names: _Names | None = [] if data[at : at + 1] == b"{" else None
    containers.append(names)
    inside = _after(_SPACE, data, at + 1)
    if data[inside : inside + 1] == _closing(names):
        return inside, True
    return _next(data, inside, names), False


def _close(data: bytes, at: int, containers: list[_Names | None]) -> int:
    names = containers[-1]
    if data[at : at + 1] != _closing(names):
        raise _Refused(Reason.JSON_INVALID)
    if names is not None and len(set(names)) != len(names):
        raise _Refused(Reason.JSON_DUPLICATE_MEMBER)
    containers.pop()
    return _after(_SPACE, data, at + 1)


def _closing(names: _Names | None) -> bytes:
    return b"]" if names is None else b"}"


def _next(data: bytes, at: int, names: _Names | None) -> int:
    """Where the next value of a container begins; in an object its name comes first."""
    at = _after(_SPACE, data, at)
    if names is None:
        return at
    end = _string_end(data, at)
    names.append(orjson.loads(data[at:end]))
    colon = _after(_SPACE, data, end)
    if data[colon : colon + 1] != b":":
        raise _Refused(Reason.JSON_INVALID)
    return _after(_SPACE, data, colon + 1)


def _scalar_end(data: bytes, at: int) -> int:
    first = data[at : at + 1]
    if first == b'"':
        return _string_end(data, at)
    if first in (b"t", b"f", b"n"):
        return _after(_LITERAL, data, at)
    return _number_end(data, at)


def _string_end(data: bytes, at: int) -> int:
    if data[at : at + 1] != b'"':
        raise _Refused(Reason.JSON_INVALID)
    at = _after(_PLAIN, data, at + 1)
    while data[at : at + 1] != b'"':
        at = _after(_PLAIN, data, _after(_NOT_PLAIN, data, at))
    return at + 1


def _number_end(data: bytes, at: int) -> int:
    match = _NUMBER.match(data, at)
    if match is None:
        raise _Refused(Reason.JSON_INVALID)
    whole, fraction, sign, power = match.groups()
    after = data[match.end() : match.end() + 1]
    if power is None and (after in (b"e", b"E") or (after == b"." and fraction is None)):
        raise _Refused(Reason.JSON_INVALID)
    if _leading_exponent(whole, fraction or b"", sign, power or b"0") >= _OUT_OF_RANGE_EXPONENT:
        raise _Refused(Reason.JSON_NUMBER_OUT_OF_RANGE)
    return match.end()


def _leading_exponent(whole: bytes, fraction: bytes, sign: bytes | None, power: bytes) -> int:
    """Decimal exponent of the first digit that is not 0; of a zero, one that is in range."""
    digits = (whole + fraction).lstrip(b"0")
    if not digits:
        return 0
    significant = power.lstrip(b"0")
    exponent = 10**_EXPONENT_DIGITS if len(significant) > _EXPONENT_DIGITS else int(significant or b"0")
    return len(digits) - len(fraction) - 1 + (-exponent if sign == b"-" else exponent)
