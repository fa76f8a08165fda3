"""Parameters of an authorization response as they came to the redirection endpoint, each of them once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from keybound.errors import PolicyError, Reason, rejection

__all__ = ["RESPONSE_PARAMETERS", "single_values"]

RESPONSE_PARAMETERS = frozenset(
    {
        "code",
        "state",
        "error",
        "error_description",
        "error_uri",
        "access_token",
        "token_type",
        "expires_in",
        "scope",
        "id_token",
    }
)
"""What a response that is no JWT may say (RFC 6749, 4.1.2 and 4.2.2; OpenID Connect Core, 3.2.2.5)."""


def single_values(parameters: Mapping[str, Any] | Iterable[tuple[str, str]]) -> dict[str, str]:
    """The parameters that have a value.

    :raises MalformedToken: one comes twice (RFC 6749, 3.1)
    :raises PolicyError: something is not text
    """
    found: dict[str, str] = {}
    for name, value in _pairs(parameters):
        if not isinstance(name, str) or not isinstance(value, str):
            raise PolicyError("response parameters must be text")
        if name in found:
            known = name in RESPONSE_PARAMETERS or name in ("iss", "response")
            raise rejection(Reason.PARAMETER_REPEATED, claim=name if known else None)
        found[name] = value
    # RFC 6749, 3.1: sent without a value is as good as omitted.
    return {name: value for name, value in found.items() if value}


def _pairs(parameters: object) -> Iterator[tuple[object, object]]:
    for pair in _entries(parameters):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise PolicyError("response parameters must be pairs, or a mapping")
        name, value = pair
        if not isinstance(value, (list, tuple)):
            yield name, value
            continue
        yield from ((name, one) for one in value)


def _entries(parameters: object) -> Iterable[object]:
    # Mappings of frameworks have one more method, which does not hide that a name comes twice:
    # Starlette and httpx the first, Django and Werkzeug the second; that of aiohttp hides nothing.
    for method in ("multi_items", "lists", "items"):
        entries = getattr(parameters, method, None)
        if callable(entries) and isinstance(parameters, Mapping):
            listed: Iterable[object] = entries()
            return listed
    if not isinstance(parameters, Iterable) or isinstance(parameters, (str, bytes, Mapping)):
        raise PolicyError("response parameters must be decoded, as pairs or a mapping")
    return parameters
