"""The protected header, read once for both twins and remembered by them by its encoded bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from keybound._hotpath.contract import Algorithm, HeaderRules
from keybound.errors import Reason
from keybound.frozen import FrozenDict, freeze

__all__ = [
    "NO_HEADER",
    "REGISTERED",
    "Header",
    "NoHeader",
    "check_fields",
    "critical_names",
    "decode_header",
    "media_type",
    "parse_header",
]

REGISTERED = frozenset({"alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit"})
"""Header parameter names of RFC 7515 section 4.1, which ``crit`` must not list (4.1.11)."""


class Header(NamedTuple):
    """A protected header that passed its rules.

    ``jwk``, ``jku``, ``x5u`` and ``x5c`` stay in ``fields`` for the application to see and are
    never looked at here: the key comes from the operator (RFC 8725, 3.10).
    """

    algorithm: Algorithm
    kid: str | None
    b64: bool
    fields: FrozenDict


class NoHeader(NamedTuple):
    """In place of a header, where claims came without one."""

    fields: FrozenDict


NO_HEADER = NoHeader(freeze({}))
"""The one there is."""


class _Base64url(Protocol):
    def decode(self, text: bytes, /) -> bytes | None: ...


class _StrictJSON(Protocol):
    def loads(self, data: bytes, max_depth: int, /) -> tuple[int, Any]: ...


class _Ceilings(Protocol):
    """What :class:`HeaderRules` and :class:`keybound.Limits` have in common."""

    @property
    def header_bytes(self) -> int: ...

    @property
    def json_depth(self) -> int: ...


def parse_header(
    rules: HeaderRules, encoded: bytes, base64url: _Base64url, strict_json: _StrictJSON
) -> Header | int:
    """Decode and check a protected header; a reason if it breaks a rule.

    :param encoded: the first segment of a compact JWS
    :param base64url: the twin to decode with
    :param strict_json: the twin to parse with
    """
    reason, fields = decode_header(rules, encoded, base64url, strict_json)
    return check_fields(rules, fields, fields) if reason == Reason.OK else reason


def decode_header(
    ceilings: _Ceilings, encoded: bytes, base64url: _Base64url, strict_json: _StrictJSON
) -> tuple[int, dict[str, Any]]:
    """A reason, and the parameters of an encoded header if the reason is ``OK``."""
    if len(encoded) > ceilings.header_bytes:
        return Reason.HEADER_TOO_LARGE, {}
    text = base64url.decode(encoded)
    if text is None:
        return Reason.BASE64URL_INVALID, {}
    reason, fields = strict_json.loads(text, ceilings.json_depth)
    if reason != Reason.OK:
        return reason, {}
    return (Reason.OK, fields) if type(fields) is dict else (Reason.HEADER_NOT_OBJECT, {})


def check_fields(rules: HeaderRules, fields: dict[str, Any], protected: Mapping[str, Any]) -> Header | int:
    """Check header parameters: the rules apply to ``fields``, integrity demands to ``protected``.

    The two differ only in the JSON serializations with an unprotected header (RFC 7515, 7.2).
    """
    # RFC 8725, 3.1: an algorithm nobody signed for is an attacker's choice.
    if "alg" not in protected:
        return Reason.ALG_MISSING
    name = protected["alg"]
    if type(name) is not str:
        return Reason.HEADER_MEMBER_INVALID
    row = next((row for row in rules.algorithms if row.name == name), None)
    if row is None:
        return Reason.ALG_NOT_ALLOWED
    verdict = _check_type(rules, fields) or _check_critical(rules, fields, protected)
    if verdict:
        return verdict
    kid = fields.get("kid")
    if "kid" in fields and type(kid) is not str:
        return Reason.HEADER_MEMBER_INVALID
    return Header(row, kid, fields.get("b64") is not False, freeze(fields))


def _check_type(rules: HeaderRules, fields: dict[str, Any]) -> int:
    if "typ" not in fields:
        return Reason.TYP_MISSING if rules.typ_required else 0
    value = fields["typ"]
    if type(value) is not str:
        return Reason.HEADER_MEMBER_INVALID
    if rules.types is None:
        return 0
    return 0 if media_type(value) in rules.types else Reason.TYP_NOT_ALLOWED


def media_type(value: str) -> str:
    """A ``typ`` or ``cty`` in the form in which it is compared; empty if it is no media type."""
    # Media types ignore case (RFC 2045, 5.1); "application/" may be left out (RFC 7515, 4.1.9 and 4.1.10).
    return value.lower().removeprefix("application/") if value.isascii() else ""


def critical_names(
    fields: Mapping[str, Any], protected: Mapping[str, Any], registered: frozenset[str]
) -> frozenset[str] | int:
    """The names that ``crit`` lists (RFC 7515, 4.1.11), or the reason why it is malformed.

    :param registered: names that the specifications of the format define, which it must not list
    """
    if "crit" not in fields:
        return frozenset()
    names = protected.get("crit")
    if type(names) is not list or not names or not all(type(name) is str for name in names):
        return Reason.CRIT_INVALID
    listed = frozenset(names)
    if len(listed) != len(names) or not listed.issubset(fields) or listed & registered:
        return Reason.CRIT_INVALID
    return listed


def _check_critical(rules: HeaderRules, fields: dict[str, Any], protected: Mapping[str, Any]) -> int:
    """``crit`` (RFC 7515, 4.1.11) and the one extension that may be understood, ``b64`` (RFC 7797)."""
    names = critical_names(fields, protected, REGISTERED)
    if isinstance(names, int):
        return names
    if names - ({"b64"} if rules.b64 else set()):
        return Reason.CRIT_UNSUPPORTED
    if "b64" not in fields:
        return 0
    if type(fields["b64"]) is not bool or "b64" not in protected:
        return Reason.HEADER_MEMBER_INVALID
    if fields["b64"]:
        return 0
    if not rules.b64:
        return Reason.B64_NOT_ALLOWED
    # RFC 7797, 6: whoever does not understand b64 must fail, so it has to be critical.
    return 0 if "b64" in names else Reason.CRIT_INVALID
