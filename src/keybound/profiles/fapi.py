"""FAPI 1.0, FAPI 2.0 and CIBA."""

from __future__ import annotations

from keybound.kinds import TokenKind
from keybound.profiles.oauth import OAUTH

__all__ = [
    "CIBA",
    "FAPI1_ADVANCED",
    "FAPI1_BASELINE",
    "FAPI2",
    "FAPI2_DRAFT",
    "FAPI2_MESSAGE_SIGNING",
    "FAPI2_MTLS_EVERYWHERE",
    "FAPI_CIBA",
]

# FAPI 1.0 Part 2, 5.2.2 (13) and (17): at most 60 minutes from nbf to exp, and nbf at most as old. What
# lies 60 minutes ahead at most and began at most 60 minutes ago is the same to within those.
_SHORT = {"max_expiry_distance": 3600.0, "max_nbf_age": 3600.0}
_MTLS = ("tls_client_auth", "self_signed_tls_client_auth")

FAPI1_BASELINE = OAUTH.derive(
    name="fapi1-baseline",
    source="FAPI 1.0 Part 1: Baseline, 5.2.2, 6.2.1",
    exp_may_be_waived=False,
    audience_policy="oidc-core",
    client_authentication=(*_MTLS, "private_key_jwt", "client_secret_jwt"),
)
"""Read-only access: no demand on algorithms or binding."""

FAPI1_ADVANCED = FAPI1_BASELINE.derive(
    name="fapi1-advanced",
    source="FAPI 1.0 Part 2: Advanced, 5.2.2, 6.2.1 and 8.6",
    algorithms=("PS256", "ES256"),
    binding="required",
    client_authentication=(*_MTLS, "private_key_jwt"),
    kinds={
        TokenKind.REQUEST_OBJECT: _SHORT | {"required_claims": ("iss", "aud", "exp", "nbf")},
    },
)
"""Read and write access: tokens bound to a certificate, signed requests, the ID token as a detached
signature or JARM."""

FAPI2_DRAFT = OAUTH.derive(
    name="fapi2-draft",
    source="FAPI 2.0 Security Profile, draft after Implementer's Draft 2, 5.3 and 5.4",
    algorithms=("PS256", "ES256", "EdDSA"),
    binding="required",
    exp_may_be_waived=False,
    audience_policy="fapi2-server-draft",
    client_authentication=(*_MTLS, "private_key_jwt"),
)
"""As deployed before the final text: the token endpoint or an array may stand in ``aud`` of assertions."""

FAPI2 = FAPI2_DRAFT.derive(
    name="fapi2",
    source="FAPI 2.0 Security Profile Final, 5.3 and 5.4",
    algorithms=("PS256", "ES256", "EdDSA", "Ed25519"),
    audience_policy="fapi2-final",
)
"""Tokens bound to a certificate or a DPoP key; assertions name the issuer and nothing else."""

FAPI2_MTLS_EVERYWHERE = FAPI2.derive(
    name="fapi2-mtls-everywhere",
    source="FAPI 2.0 Security Profile Final; OpenID FAPI issue 670",
    mtls_endpoints="root",
)
"""For ecosystems that put every endpoint of the metadata's root behind mutual TLS."""

FAPI2_MESSAGE_SIGNING = FAPI2.derive(
    name="fapi2-message-signing",
    source="FAPI 2.0 Message Signing, 5.3 to 5.5",
    kinds={
        TokenKind.REQUEST_OBJECT: {
            "types": frozenset({"oauth-authz-req+jwt"}),
            "typ_required": True,
            "required_claims": ("iss", "aud", "exp", "nbf"),
            **_SHORT,
        },
    },
)
"""FAPI 2.0 with signed requests, signed responses and signed introspection answers."""

CIBA = OAUTH.derive(
    name="ciba",
    source="OpenID Connect CIBA Core 1.0, 7.1 and 7.1.1",
    exp_may_be_waived=False,
    audience_policy="ciba-core",
    kinds={
        TokenKind.REQUEST_OBJECT: {"required_claims": ("iss", "aud", "exp", "iat", "nbf", "jti")},
    },
)
"""Backchannel authentication: a signed request carries all of its times and an identifier."""

FAPI_CIBA = FAPI1_ADVANCED.derive(
    name="fapi-ciba",
    source="FAPI 1.0: CIBA Profile, 5.2.2, with FAPI 1.0 Part 2, 8.6",
    audience_policy="ciba-core",
    kinds={TokenKind.REQUEST_OBJECT: {"required_claims": ("iss", "aud", "exp", "iat", "nbf", "jti")}},
)
"""Backchannel authentication with the algorithms, the binding and the short requests of FAPI 1.0."""
