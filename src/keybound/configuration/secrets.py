"""Secrets that were written into a file, where every copy and every commit of it holds them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from keybound.configuration.place import Problem, below

__all__ = ["secrets_in"]

_NAMES = frozenset({"secret", "client_secret", "password", "private_key", "key", "pem"})
_OF_JWKS = frozenset({"k", "d", "p", "q"})
_HEADERS = re.compile(r"(?i)authorization|cookie|api-?key|token|secret")
_URL_WITH_PASSWORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*:[^/?#@]+@")
_PRIVATE_PEM = "PRIVATE KEY-----"
_ADVICE = "a secret does not belong into the file: name a variable or another file that holds it"


def secrets_in(document: Mapping[str, Any]) -> Iterator[Problem]:
    """The places of a file that hold a secret, as far as one can tell."""
    left: list[tuple[str, str, Any]] = [("", "", document)]
    while left:
        place, key, value = left.pop()
        if isinstance(value, Mapping):
            left += [(below(place, name), str(name), member) for name, member in reversed([*value.items()])]
        elif isinstance(value, list):
            left += [(f"{place}[{at}]", key, member) for at, member in reversed([*enumerate(value)])]
        elif isinstance(value, str) and _is_secret(place, key, value):
            yield Problem(place, _ADVICE)


def _is_secret(place: str, key: str, value: str) -> bool:
    parts = place.split(".")
    in_keys = parts[0] in ("keys", "decryption_keys") and len(parts) > 2
    # Below these, names are those of claims.
    named = key in _NAMES and parts[0] not in ("validators", "routers")
    header = len(parts) > 1 and parts[-2] == "headers" and _HEADERS.search(key) is not None
    written = _PRIVATE_PEM in value or _URL_WITH_PASSWORD.match(value) is not None
    return written or header or named or (in_keys and key in _OF_JWKS)
