"""The words in which audience policies are written."""

from __future__ import annotations

from typing import Literal, TypeGuard, get_args

from keybound.errors import PolicyError

__all__ = [
    "ANY_ENDPOINT",
    "FORMS",
    "ISSUER",
    "KINDS",
    "THIS_ENDPOINT",
    "Form",
    "Kind",
    "endpoint_name",
    "is_metadata_name",
]

Kind = Literal["client_assertion", "request_object"]
"""What is judged: a client assertion (RFC 7523, 3) or a request object (RFC 9101, 4)."""

KINDS: tuple[Kind, ...] = get_args(Kind)
"""Every :data:`Kind`."""

Form = Literal["any", "sole", "string"]
"""The forms of ``aud`` (RFC 7519, 4.1.3) that are accepted, from the widest to the narrowest.

``"any"``: text, or an array with one accepted member among others. ``"sole"``: text, or an array of
one member. ``"string"``: text; an array is refused even with one member.
"""

FORMS: tuple[Form, ...] = get_args(Form)
"""Every :data:`Form`, from the widest to the narrowest."""

ISSUER = "issuer"
"""As a value: the issuer identifier."""

THIS_ENDPOINT = "this_endpoint"
"""As a value: the URL of the endpoint at which the token is received."""

ANY_ENDPOINT = "any_endpoint"
"""As a value: the URL of any endpoint in the metadata. As a place: every endpoint without its own rule."""


def is_metadata_name(value: object) -> TypeGuard[str]:
    """Whether ``value`` looks like the name of an endpoint in metadata."""
    if not isinstance(value, str) or not value.endswith("_endpoint"):
        return False
    return value.isascii() and value.isidentifier() and value == value.lower() and value[0] != "_"


def endpoint_name(value: object) -> str:
    """``value`` if it can be the name of an endpoint in metadata (RFC 8414, 2; RFC 9126, 5; CIBA, 4).

    :raises PolicyError: it cannot
    """
    if not is_metadata_name(value):
        raise PolicyError("an endpoint goes by its metadata name, such as token_endpoint")
    if value in (THIS_ENDPOINT, ANY_ENDPOINT):
        raise PolicyError(f"{value} is not an endpoint of its own")
    return value
