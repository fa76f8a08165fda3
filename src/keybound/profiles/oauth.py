"""Tokens of OAuth 2.0 and OpenID Connect as their base specifications have them."""

from __future__ import annotations

from types import MappingProxyType

from keybound._hotpath.contract import AudienceForm
from keybound.kinds import TokenKind
from keybound.policy import KindRules, Profile

__all__ = ["OAUTH", "RFC9068"]

OAUTH = Profile(
    name="oauth",
    source="RFC 7519 with RFC 8725, 3; typ as authorization servers send it today",
    exp_may_be_waived=True,
    kinds=MappingProxyType(
        {
            TokenKind.ACCESS_TOKEN: KindRules(types=frozenset({"at+jwt", "jwt"}), required_claims=("exp",)),
            # OpenID Connect Core, 2.
            TokenKind.ID_TOKEN: KindRules(
                types=frozenset({"jwt"}), required_claims=("iss", "sub", "aud", "exp", "iat")
            ),
            # RFC 7523, 3; OpenID Connect Core, 9.
            TokenKind.CLIENT_ASSERTION: KindRules(
                types=frozenset({"jwt", "client-authentication+jwt"}),
                required_claims=("iss", "sub", "aud", "exp", "jti"),
                # "Unreasonably far in the future" (RFC 7523, 3 (4)) is more than a day.
                max_expiry_distance=86_400,
            ),
            # RFC 9101, 4 and 10.8.
            TokenKind.REQUEST_OBJECT: KindRules(
                types=frozenset({"jwt", "oauth-authz-req+jwt"}), required_claims=("iss", "aud")
            ),
            # JARM, 2.1: aud is the client that the response is for.
            TokenKind.AUTHORIZATION_RESPONSE: KindRules(
                types=frozenset({"jwt"}),
                required_claims=("iss", "aud", "exp"),
                audience_form=AudienceForm.SOLE,
            ),
            # RFC 9449, 4.2.
            TokenKind.DPOP_PROOF: KindRules(
                types=frozenset({"dpop+jwt"}),
                typ_required=True,
                required_claims=("jti", "htm", "htu", "iat"),
            ),
            # RFC 9701, 5.
            TokenKind.INTROSPECTION_RESPONSE: KindRules(
                types=frozenset({"token-introspection+jwt"}),
                typ_required=True,
                required_claims=("iss", "aud", "iat", "token_introspection"),
            ),
            # OpenID Connect Back-Channel Logout, 2.4.
            TokenKind.LOGOUT_TOKEN: KindRules(
                types=frozenset({"jwt", "logout+jwt"}),
                required_claims=("iss", "aud", "iat", "exp", "jti", "events"),
                forbidden_claims=("nonce",),
            ),
            # RFC 8417, 2.2 and 2.3.
            TokenKind.SECURITY_EVENT_TOKEN: KindRules(
                types=frozenset({"jwt", "secevent+jwt"}), required_claims=("iss", "iat", "jti", "events")
            ),
        }
    ),
)
"""JWTs as most authorization servers issue them; the default."""

RFC9068 = OAUTH.derive(
    name="rfc9068",
    source="RFC 9068, 2.1 and 2.2",
    exp_may_be_waived=False,
    kinds={
        TokenKind.ACCESS_TOKEN: {
            "types": frozenset({"at+jwt"}),
            "typ_required": True,
            "required_claims": ("iss", "exp", "aud", "sub", "client_id", "iat", "jti"),
        }
    },
)
"""JWT Profile for OAuth 2.0 Access Tokens: typed, with the full set of claims."""
