"""How an authorization response comes back to the client (OAuth 2.0 Multiple Response Type Encoding
Practices, 2.1; OAuth 2.0 Form Post Response Mode; JARM, 2.3)."""

from __future__ import annotations

import enum
from types import MappingProxyType

from keybound.errors import PolicyError

__all__ = ["ResponseMode"]

_RESPONSE_TYPES = frozenset({"code", "token", "id_token", "none"})
# What is worth stealing as it stands; a code is not, without what the client keeps to itself.
_CARRY_TOKENS = frozenset({"token", "id_token"})


class ResponseMode(str, enum.Enum):
    """A value of ``response_mode``.

    >>> from keybound import ResponseMode
    >>> ResponseMode.JWT.resolve("code")
    <ResponseMode.QUERY_JWT: 'query.jwt'>
    >>> ResponseMode.JWT.resolve("code id_token")
    <ResponseMode.FRAGMENT_JWT: 'fragment.jwt'>
    """

    QUERY = "query"
    FRAGMENT = "fragment"
    FORM_POST = "form_post"
    QUERY_JWT = "query.jwt"
    FRAGMENT_JWT = "fragment.jwt"
    FORM_POST_JWT = "form_post.jwt"
    JWT = "jwt"

    def __str__(self) -> str:
        return self.value

    @property
    def secured(self) -> bool:
        """Whether the response is a JWT."""
        return self is ResponseMode.JWT or self.value.endswith(".jwt")

    def resolve(self, response_type: str, *, encrypted: bool = False) -> ResponseMode:
        """The mode that this one means for a response type; ``jwt`` alone means different ones.

        :param response_type: as in the authorization request, such as ``"code"`` or ``"code id_token"``
        :param encrypted: whether responses are encrypted, so that tokens may stand in a URL (JARM, 2.3.1)
        :raises PolicyError: the response type is not known, or this mode would show its tokens in a URL
        """
        carries_tokens = bool(_types(response_type) & _CARRY_TOKENS)
        mode = _SHORTHAND[carries_tokens] if self is ResponseMode.JWT else self
        exposed = mode is ResponseMode.QUERY or (mode is ResponseMode.QUERY_JWT and not encrypted)
        if exposed and carries_tokens:
            raise PolicyError(f"{mode} would show the tokens of this response type in a URL")
        return mode


_SHORTHAND = MappingProxyType({False: ResponseMode.QUERY_JWT, True: ResponseMode.FRAGMENT_JWT})
"""What ``jwt`` means, by whether the response carries tokens (JARM, 2.3.4)."""


def _types(response_type: object) -> frozenset[str]:
    named = frozenset(response_type.split(" ")) if isinstance(response_type, str) else frozenset[str]()
    if not named or not named <= _RESPONSE_TYPES or ("none" in named and len(named) > 1):
        raise PolicyError(f"response_type must be made of {', '.join(sorted(_RESPONSE_TYPES))}")
    return named
