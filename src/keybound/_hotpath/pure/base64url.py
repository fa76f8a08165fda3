"""Strict base64url (RFC 7515, 2), both ways."""

from __future__ import annotations

import binascii

__all__ = ["decode", "encode"]

_TO_BASE64 = bytes.maketrans(b"-_", b"+/")
_FROM_BASE64 = bytes.maketrans(b"+/", b"-_")


def encode(data: bytes) -> str:
    """Encode without padding."""
    return _spell(data).decode("ascii")


def decode(text: str | bytes) -> bytes | None:
    """Decode the one canonical spelling of some bytes.

    :returns: the bytes, or ``None`` for anything else: padding, white space, ``+``, ``/``, any
        other character, an impossible length, or trailing bits that are not zero (RFC 4648, 3.5)
    """
    if type(text) is str:
        if not text.isascii():
            return None
        spelled = text.encode("ascii")
    elif type(text) is bytes:
        spelled = text
    else:
        return None
    try:
        data = binascii.a2b_base64(spelled.translate(_TO_BASE64) + b"=" * (-len(spelled) % 4))
    except binascii.Error:
        return None
    # The standard library skips what it does not know; only a canonical text comes back as it went.
    return data if _spell(data) == spelled else None


def _spell(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").translate(_FROM_BASE64)
