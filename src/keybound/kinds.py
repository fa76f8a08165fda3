"""The kinds of token, and what tells one from another (RFC 8725, 3.11 and 3.12).

Every JWT is of exactly one kind. A validator accepts its own: by the type in the header where
issuers write one, and by markers in the claims, which only some kinds carry, where they do not.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from keybound._hotpath.contract import Marker
from keybound._hotpath.markers import markers

__all__ = ["FOREIGN_MARKERS", "LOGOUT_EVENT", "TYPES", "TokenKind", "classify"]


class TokenKind(str, enum.Enum):
    """What a JWT, or a JSON answer, is."""

    ACCESS_TOKEN = "access_token"
    ID_TOKEN = "id_token"
    CLIENT_ASSERTION = "client_assertion"
    REQUEST_OBJECT = "request_object"
    AUTHORIZATION_RESPONSE = "authorization_response"
    DPOP_PROOF = "dpop_proof"
    INTROSPECTION_RESPONSE = "introspection_response"
    LOGOUT_TOKEN = "logout_token"
    SECURITY_EVENT_TOKEN = "security_event_token"

    def __str__(self) -> str:
        return self.value


TYPES: Mapping[str, TokenKind] = MappingProxyType(
    {
        "at+jwt": TokenKind.ACCESS_TOKEN,
        "client-authentication+jwt": TokenKind.CLIENT_ASSERTION,
        "oauth-authz-req+jwt": TokenKind.REQUEST_OBJECT,
        "dpop+jwt": TokenKind.DPOP_PROOF,
        "token-introspection+jwt": TokenKind.INTROSPECTION_RESPONSE,
        "logout+jwt": TokenKind.LOGOUT_TOKEN,
        "secevent+jwt": TokenKind.SECURITY_EVENT_TOKEN,
    }
)
"""``typ`` values that belong to one kind alone (RFC 9068, 2.1; draft-ietf-oauth-rfc7523bis, 4; RFC 9101,
10.8; RFC 9449, 4.2; RFC 9701, 4; OpenID Connect Back-Channel Logout, 2.4; RFC 8417, 2.3)."""

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
"""What makes a security event token a logout token (OpenID Connect Back-Channel Logout, 2.4)."""

_ALL = sum(Marker)

FOREIGN_MARKERS: Mapping[TokenKind, int] = MappingProxyType(
    {
        kind: _ALL & ~own
        for kind, own in {
            TokenKind.ACCESS_TOKEN: Marker.ACCESS | Marker.SUBJECT,
            TokenKind.ID_TOKEN: Marker.NONCE | Marker.HASH | Marker.SUBJECT,
            TokenKind.CLIENT_ASSERTION: Marker.SUBJECT | Marker.SELF,
            # A subject that is the client has a reason of its own (RFC 9101, 10.8).
            TokenKind.REQUEST_OBJECT: (
                Marker.REQUEST | Marker.NONCE | Marker.ACCESS | Marker.SUBJECT | Marker.SELF
            ),
            # An authorization response may tell the scope (RFC 6749, 4.2.2).
            TokenKind.AUTHORIZATION_RESPONSE: Marker.RESPONSE | Marker.ACCESS,
            # RFC 9449, 4.2: a proof may hold what else it likes, and its type is always there.
            TokenKind.DPOP_PROOF: _ALL,
            TokenKind.INTROSPECTION_RESPONSE: Marker.INTROSPECTION,
            TokenKind.LOGOUT_TOKEN: Marker.EVENTS | Marker.SUBJECT,
            TokenKind.SECURITY_EVENT_TOKEN: _ALL & ~(Marker.PROOF | Marker.INTROSPECTION),
        }.items()
    }
)
"""Markers that a token of a kind never carries, as bits of :class:`~keybound._hotpath.contract.Marker`."""


def classify(header: Mapping[str, Any], claims: Mapping[str, Any]) -> TokenKind | None:
    """The kind that header and claims speak of, verified or not; ``None`` where they could be several.

    For logs and for people. A validator does not ask this: it refuses what is not its own kind.
    """
    typ = header.get("typ")
    if isinstance(typ, str) and (known := TYPES.get(typ.lower().removeprefix("application/"))):
        return known
    found = markers(claims)
    kind = next((kind for marker, kind in _TELLING if marker & found), None)
    if kind is TokenKind.SECURITY_EVENT_TOKEN and isinstance(claims["events"], Mapping):
        return TokenKind.LOGOUT_TOKEN if LOGOUT_EVENT in claims["events"] else kind
    return kind


_TELLING = (
    (Marker.PROOF, TokenKind.DPOP_PROOF),
    (Marker.EVENTS, TokenKind.SECURITY_EVENT_TOKEN),
    (Marker.INTROSPECTION, TokenKind.INTROSPECTION_RESPONSE),
    (Marker.REQUEST, TokenKind.REQUEST_OBJECT),
    (Marker.RESPONSE, TokenKind.AUTHORIZATION_RESPONSE),
    (Marker.SELF, TokenKind.CLIENT_ASSERTION),
    (Marker.HASH | Marker.NONCE, TokenKind.ID_TOKEN),
    (Marker.ACCESS, TokenKind.ACCESS_TOKEN),
)
"""The kind that a marker tells of, the surest first."""
