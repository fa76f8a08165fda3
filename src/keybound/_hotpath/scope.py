"""Scope of an access token, as a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["scope_tokens"]


def scope_tokens(claims: Mapping[str, Any]) -> list[str]:
    """Tokens of ``scope`` (RFC 8693, 4.2) and of ``scp``, each once, in order.

    :param claims: claims whose scope syntax was checked before
    """
    listed = claims.get("scp", "")
    tokens = str(claims.get("scope", "")).split(" ")
    tokens += listed.split(" ") if isinstance(listed, str) else listed
    return [token for token in dict.fromkeys(tokens) if token]
