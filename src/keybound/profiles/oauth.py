"""Access tokens of OAuth 2.0."""

from __future__ import annotations

from keybound.policy import Profile

__all__ = ["OAUTH", "RFC9068"]

OAUTH = Profile(
    name="oauth",
    source="RFC 7519 with RFC 8725, 3; typ as authorization servers send it today",
    types=frozenset({"at+jwt", "jwt"}),
    typ_required=False,
    required_claims=("exp",),
)
"""JWT access tokens as most authorization servers issue them; the default."""

RFC9068 = Profile(
    name="rfc9068",
    source="RFC 9068, 2.1 and 2.2",
    types=frozenset({"at+jwt"}),
    typ_required=True,
    required_claims=("iss", "exp", "aud", "sub", "client_id", "iat", "jti"),
)
"""JWT Profile for OAuth 2.0 Access Tokens: typed, with the full set of claims."""
