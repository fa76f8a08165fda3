"""The named audience policies: what each text says, and nothing else."""

from __future__ import annotations

from types import MappingProxyType

from keybound.audience.names import ANY_ENDPOINT, ISSUER, THIS_ENDPOINT
from keybound.audience.policy import AudiencePolicy, AudienceRule

__all__ = ["POLICIES"]

_TOKEN = "token_endpoint"
_BACKCHANNEL = "backchannel_authentication_endpoint"
_AUTHORIZATION = "authorization_endpoint"
_PUSHED = "pushed_authorization_request_endpoint"

_THREAD = "CAMARA IdentityAndConsentManagement, issue 127 of 2024, "
_PROFILE = "CAMARA Security and Interoperability Profile"

# RFC 9126, 2.1: a request object that is pushed is the one that would go to the authorization endpoint.
_STRICT_REQUEST_OBJECT = tuple(
    AudienceRule(at=at, accept=(_AUTHORIZATION,), form="string") for at in (_AUTHORIZATION, _PUSHED)
)

_POLICIES = (
    AudiencePolicy(
        name="oidc-core",
        source="OpenID Connect Core 1.0 with errata set 2, section 9",
        note="Any value that identifies the server will do; which these are is read as in camara-final.",
        client_assertion=(
            AudienceRule(at=ANY_ENDPOINT, accept=(ISSUER, _TOKEN, THIS_ENDPOINT), recommend=(_TOKEN,)),
        ),
    ),
    AudiencePolicy(
        name="ciba-core",
        source="OpenID Connect CIBA Core 1.0, section 7.1",
        client_assertion=(
            AudienceRule(at=ANY_ENDPOINT, accept=(ISSUER, _TOKEN, _BACKCHANNEL), recommend=(ISSUER,)),
        ),
    ),
    AudiencePolicy(
        name="fapi2-server-draft",
        source="FAPI 2.0 Security Profile, draft after Implementer's Draft 2, section 5.3.2",
        client_assertion=(AudienceRule(at=ANY_ENDPOINT, accept=(ISSUER, _TOKEN, THIS_ENDPOINT)),),
    ),
    AudiencePolicy(
        name="fapi2-client",
        source="FAPI 2.0 Security Profile, draft after Implementer's Draft 2, section 5.3.3",
        note="What clients shall send and, with a warning, what they should not.",
        obliges="client",
        client_assertion=(AudienceRule(at=ANY_ENDPOINT, accept=(ISSUER,), recommend_form="string"),),
    ),
    AudiencePolicy(
        name="fapi2-final",
        source="FAPI 2.0 Security Profile Final, section 5.3.2.1",
        client_assertion=(AudienceRule(at=ANY_ENDPOINT, accept=(ISSUER,), form="string"),),
    ),
    AudiencePolicy(
        name="rfc7523bis",
        source="draft-ietf-oauth-rfc7523bis-11",
        client_assertion=(AudienceRule(at=ANY_ENDPOINT, accept=(ISSUER,), form="sole"),),
    ),
    AudiencePolicy(
        name="camara-endpoint-only",
        source=_THREAD + "opening post",
        client_assertion=(AudienceRule(at=ANY_ENDPOINT, accept=(THIS_ENDPOINT,), form="string"),),
    ),
    AudiencePolicy(
        name="camara-strict-v1",
        source=_THREAD + "first table",
        client_assertion=(
            AudienceRule(at=_TOKEN, accept=(_TOKEN,), form="string"),
            AudienceRule(at=_BACKCHANNEL, accept=(_BACKCHANNEL,), form="string"),
        ),
        request_object=_STRICT_REQUEST_OBJECT,
    ),
    AudiencePolicy(
        name="camara-interop",
        source=_THREAD + "table for interoperability",
        client_assertion=(
            AudienceRule(at=_TOKEN, accept=(ISSUER, _TOKEN)),
            AudienceRule(at=_BACKCHANNEL, accept=(ISSUER, _TOKEN, _BACKCHANNEL)),
        ),
    ),
    AudiencePolicy(
        name="camara-interop-text",
        source=_THREAD + "text for interoperability",
        client_assertion=(AudienceRule(at=ANY_ENDPOINT, accept=(ISSUER, _TOKEN, THIS_ENDPOINT)),),
    ),
    AudiencePolicy(
        name="camara-pr121",
        source=_THREAD + "table of pull request 121",
        client_assertion=(
            AudienceRule(at=_TOKEN, accept=(_TOKEN,)),
            AudienceRule(at=_BACKCHANNEL, accept=(_BACKCHANNEL,)),
        ),
    ),
    AudiencePolicy(
        name="camara-pr121-first-text",
        source=_THREAD + "first text of pull request 121",
        note=(
            "The text goes by flow: pushed requests are part of the code flow, and the token endpoint "
            "is read as in the table of the same pull request for CIBA as well."
        ),
        client_assertion=(
            AudienceRule(at=_TOKEN, accept=(_TOKEN,)),
            AudienceRule(at=_PUSHED, accept=(_TOKEN,)),
            AudienceRule(at=_BACKCHANNEL, accept=(_BACKCHANNEL,)),
        ),
    ),
    AudiencePolicy(
        name="camara-strict-v2",
        source=_THREAD + "second strict table",
        client_assertion=(
            AudienceRule(at=_TOKEN, accept=(_TOKEN,), form="string"),
            AudienceRule(at=_BACKCHANNEL, accept=(_BACKCHANNEL,), form="string"),
        ),
        request_object=_STRICT_REQUEST_OBJECT,
    ),
    AudiencePolicy(
        name="camara-earlier",
        source=_THREAD + "the earlier text",
        client_assertion=(AudienceRule(at=ANY_ENDPOINT, accept=(_TOKEN,)),),
    ),
    AudiencePolicy(
        name="camara-final",
        source=_PROFILE + " 0.2.0, Client Authentication; issue 127, closing text",
        note="The text goes by flow: pushed requests are part of the code flow.",
        client_assertion=(
            AudienceRule(at=_TOKEN, accept=(ISSUER, _TOKEN), recommend=(_TOKEN,)),
            AudienceRule(at=_PUSHED, accept=(ISSUER, _TOKEN, _PUSHED), recommend=(_TOKEN,)),
            AudienceRule(at=_BACKCHANNEL, accept=(ISSUER, _TOKEN, _BACKCHANNEL), recommend=(_BACKCHANNEL,)),
            AudienceRule(at=ANY_ENDPOINT, accept=(ISSUER, _TOKEN, THIS_ENDPOINT)),
        ),
    ),
    AudiencePolicy(
        name="camara-2026",
        source=_PROFILE + " at commit f922b8a of 2026",
        note="Any value that identifies the server will do; which these are is read as in camara-final.",
        client_assertion=(
            AudienceRule(at=ANY_ENDPOINT, accept=(ISSUER, _TOKEN, THIS_ENDPOINT), recommend=(THIS_ENDPOINT,)),
        ),
        request_object=(
            AudienceRule(at=_AUTHORIZATION, accept=(ISSUER, _AUTHORIZATION), recommend=(_AUTHORIZATION,)),
            AudienceRule(at=_PUSHED, accept=(ISSUER, _AUTHORIZATION), recommend=(_AUTHORIZATION,)),
            AudienceRule(at=_BACKCHANNEL, accept=(ISSUER, _BACKCHANNEL), recommend=(_BACKCHANNEL,)),
        ),
    ),
)

POLICIES: MappingProxyType[str, AudiencePolicy] = MappingProxyType(
    {policy.name: policy for policy in _POLICIES}
)
"""Every audience policy by its name."""
