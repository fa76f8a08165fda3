"""Parameters of authorization requests: their types in a request object, and when two are the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from keybound._hotpath import strict_json
from keybound.errors import Reason
from keybound.limits import DEFAULT_LIMITS

__all__ = ["PARAMETERS", "mistyped", "same_value"]


def _text(value: object) -> bool:
    return isinstance(value, str)


def _seconds(value: object) -> bool:
    return type(value) is int and value >= 0


def _positive(value: object) -> bool:
    """A whole number above 0, or one in text, of which some issuers have made a habit."""
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and value.strip("0") != ""
    return type(value) is int and value > 0


def _object(value: object) -> bool:
    return isinstance(value, dict)


def _array(value: object) -> bool:
    return isinstance(value, list)


PARAMETERS: Mapping[str, Callable[[object], bool]] = MappingProxyType(
    {
        # RFC 6749, 4.1.1; RFC 7636, 4.3; RFC 9449, 10.
        **dict.fromkeys(("response_type", "client_id", "redirect_uri", "scope", "state"), _text),
        **dict.fromkeys(("code_challenge", "code_challenge_method", "response_mode", "dpop_jkt"), _text),
        # OpenID Connect Core, 3.1.2.1, 5.2, 5.5 and 7.2.1.
        **dict.fromkeys(("nonce", "display", "prompt", "ui_locales", "claims_locales", "acr_values"), _text),
        **dict.fromkeys(("id_token_hint", "login_hint"), _text),
        "max_age": _seconds,
        **dict.fromkeys(("claims", "registration"), _object),
        # RFC 9396, 2.
        "authorization_details": _array,
        # OpenID Connect CIBA Core, 7.1.
        **dict.fromkeys(("client_notification_token", "login_hint_token", "binding_message"), _text),
        "user_code": _text,
        "requested_expiry": _positive,
    }
)
"""Whether a value is of the type that the parameter has in JSON (RFC 9101, 4); others have any type."""

_SETS = frozenset({"response_type", "scope", "acr_values", "prompt"})
"""Parameters whose value is a list of words between spaces."""


def mistyped(claims: Mapping[str, Any]) -> str | None:
    """The name of a parameter that is not of its type, such as ``null`` for a number."""
    for name, value in claims.items():
        fits = PARAMETERS.get(name)
        if fits is not None and not fits(value):
            return name
    return None


def same_value(name: str, plain: object, signed: object) -> bool:
    """Whether a parameter of the plain request says what the request object says.

    :param plain: text, as it comes in a query or form
    :param signed: the value in the request object
    """
    if not isinstance(plain, str):
        return False
    if name == "scope" and isinstance(signed, str):
        # OpenID Connect Core, 6.1: the plain request has "openid", and the object may have more.
        return set(plain.split()) <= set(signed.split())
    if isinstance(signed, str):
        return plain == signed or (name in _SETS and sorted(plain.split()) == sorted(signed.split()))
    reason, value = strict_json.loads(plain.encode("utf-8", "surrogatepass"), DEFAULT_LIMITS.json_depth)
    return reason == Reason.OK and bool(value == signed)
