"""Ecosystems: what their rule books add to the profiles they rest on."""

from __future__ import annotations

from keybound.kinds import TokenKind
from keybound.profiles.fapi import FAPI1_ADVANCED, FAPI2
from keybound.profiles.oauth import OAUTH

__all__ = ["BRAZIL", "CAMARA_2024", "CAMARA_2026", "CDR", "CONNECTID", "UK"]

CAMARA_2024 = OAUTH.derive(
    name="camara-2024",
    source="CAMARA Security and Interoperability Profile 0.2.0; OpenID Connect Core; CIBA Core",
    exp_may_be_waived=False,
    audience_policy="camara-final",
    client_authentication=("private_key_jwt",),
    kinds={TokenKind.REQUEST_OBJECT: {"required_claims": ("iss", "aud", "exp", "iat", "nbf", "jti")}},
)
"""Network APIs: the recommended audience of an assertion depends on the flow, others draw a warning."""

CAMARA_2026 = CAMARA_2024.derive(
    name="camara-2026",
    source="CAMARA Security and Interoperability Profile at commit f922b8a of 2026",
    audience_policy="camara-2026",
    kinds={TokenKind.CLIENT_ASSERTION: {"max_expiry_distance": 300.0}},
)
"""Network APIs: an assertion should name the endpoint it goes to, and lives for five minutes."""

BRAZIL = FAPI1_ADVANCED.derive(
    name="brazil",
    source="Open Finance Brasil Financial-grade API Security Profile 1.0, 5.2.2 and 6.1",
    algorithms=("PS256",),
    client_authentication=("private_key_jwt",),
    mtls_endpoints="aliases",
)
"""Open Finance Brasil."""

UK = FAPI1_ADVANCED.derive(
    name="uk",
    source="UK Open Banking Security Profile, with FAPI 1.0 Part 2: Advanced",
    algorithms=("PS256",),
    client_authentication=("tls_client_auth", "private_key_jwt"),
    mtls_endpoints="aliases",
)
"""UK Open Banking."""

CDR = FAPI1_ADVANCED.derive(
    name="cdr",
    source="Australian Consumer Data Standards, Security Profile, with FAPI 1.0 Part 2: Advanced",
    client_authentication=("private_key_jwt",),
    mtls_endpoints="aliases",
)
"""The Australian Consumer Data Right."""

CONNECTID = FAPI2.derive(
    name="connectid",
    source="ConnectID (Australia) Security Profile, with FAPI 2.0 Security Profile",
    algorithms=("PS256",),
    client_authentication=("private_key_jwt",),
    mtls_endpoints="aliases",
)
"""ConnectID of Australian Payments Plus."""
