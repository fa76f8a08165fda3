"""Compact JWS from raw parts, valid or not: where every attack in the tests comes from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypeAlias

from keybound.testing import _base64url
from keybound.testing.signing_keys import SigningKey

__all__ = ["Part", "Signer", "make_token"]

Part: TypeAlias = "Mapping[str, object] | bytes | str"
"""A mapping is written as JSON and encoded; bytes are encoded as they are; text is the finished segment."""

Signer: TypeAlias = "SigningKey | Callable[[bytes], bytes] | None"
"""What makes the signature octets out of the signing input; ``None`` leaves the signature empty."""


def make_token(header: Part, payload: Part, key: Signer, *, signature: bytes | str | None = None) -> str:
    """A compact JWS (RFC 7515, 7.1) of exactly these parts. Nothing is added, checked or corrected.

    The three forms of a part reach every layer: ``{"exp": float("nan")}`` writes the ``NaN`` that
    JSON does not have, ``b'{"a":1,"a":2}'`` repeats a member, ``"e30="`` carries padding.

    :param header: JOSE header, see :data:`Part`; ``alg`` and ``kid`` are not filled in from ``key``
    :param payload: payload, see :data:`Part`
    :param key: signs ``segment || "." || segment`` as it stands in the token; see :data:`Signer`
    :param signature: stands in place of the real signature: octets to encode, or the finished segment
    """
    signing_input = f"{_segment(header)}.{_segment(payload)}"
    if signature is None:
        signature = _sign(key, signing_input.encode())
    return f"{signing_input}.{_segment(signature)}"


def _segment(part: Part) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, bytes):
        part = json.dumps(dict(part), separators=(",", ":")).encode()
    return _base64url.encode(part)


def _sign(key: Signer, signing_input: bytes) -> bytes:
    if key is None:
        return b""
    return key.sign(signing_input) if isinstance(key, SigningKey) else key(signing_input)
