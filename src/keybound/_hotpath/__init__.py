"""The switch between the native modules and their pure twins; everybody imports the hot path from here.

``KEYBOUND_PURE=1`` forces pure. ``KEYBOUND_REQUIRE_NATIVE=1`` makes a missing native build an
error. Only a missing module falls back: a broken one raises.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

__all__ = [
    "BACKEND",
    "base64url",
    "batch",
    "cache",
    "claims",
    "digest",
    "self_signed",
    "signature",
    "strict_json",
    "token",
]


def _choose() -> str:
    pure, required = (
        os.environ.get(name, "0") not in ("", "0") for name in ("KEYBOUND_PURE", "KEYBOUND_REQUIRE_NATIVE")
    )
    if pure and required:
        raise ImportError("KEYBOUND_PURE and KEYBOUND_REQUIRE_NATIVE contradict each other")
    if pure:
        return "pure"
    try:
        import keybound._hotpath.native.token  # noqa: F401
    except ModuleNotFoundError as missing:
        if required or missing.name != "keybound._hotpath.native.token":
            raise
        return "pure"
    return "native"


BACKEND = _choose()
"""``"native"`` or ``"pure"``."""

if TYPE_CHECKING or BACKEND == "pure":
    from keybound._hotpath.pure import (
        base64url,
        batch,
        cache,
        claims,
        digest,
        self_signed,
        signature,
        strict_json,
        token,
    )
else:
    from keybound._hotpath.native import (
        base64url,
        batch,
        cache,
        claims,
        digest,
        self_signed,
        signature,
        strict_json,
        token,
    )
