"""Scope of an access token, as a list."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["scope_tokens"]


def scope_tokens(scope: str, listed: str | Iterable[str]) -> list[str]:
    """Tokens of ``scope`` (RFC 8693, 4.2) and of ``scp``, each once, in order.

    :param scope: space-delimited
    :param listed: space-delimited too, or a list
    """
    tokens = scope.split(" ")
    tokens += listed.split(" ") if isinstance(listed, str) else listed
    return [token for token in dict.fromkeys(tokens) if token]
