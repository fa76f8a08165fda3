"""The compact serialization, split at its dots, and what comes out of one that was encrypted."""

from __future__ import annotations

from keybound._hotpath.contract import HeaderRules
from keybound.errors import Reason

__all__ = ["OpenedWithOldSecret", "split"]


class OpenedWithOldSecret(bytes):
    """A signed token that was encrypted with a secret which is being replaced."""

    __slots__ = ()


def split(rules: HeaderRules, raw: object) -> tuple[bytes, bytes, bytes] | int:
    """The three segments of a compact JWS (RFC 7515, 7.1), or the reason why there are not three."""
    if type(raw) is not str and type(raw) is not bytes:
        return Reason.TOKEN_MISSING if raw is None else Reason.TOKEN_NOT_TEXT
    if not raw:
        return Reason.TOKEN_MISSING
    if len(raw) > rules.token_bytes:
        return Reason.TOKEN_TOO_LARGE
    if isinstance(raw, str) and not raw.isascii():
        return Reason.BASE64URL_INVALID
    data = raw.encode("ascii") if isinstance(raw, str) else raw
    dots = data.count(b".")
    if dots != 2:
        # RFC 7516, 9: five segments are a JWE.
        return Reason.TOKEN_ENCRYPTED if dots == 4 else Reason.TOKEN_MALFORMED
    protected, payload, encoded_signature = data.split(b".")
    return protected, payload, encoded_signature
