"""Keybound validates key-bound OAuth tokens at gateway speed."""

import importlib
import typing

from keybound import events, profiles
from keybound._about import __version__, about
from keybound._hotpath import BACKEND
from keybound._tables import configure_tables
from keybound.binding import PresentedCertificate, thumbprint
from keybound.errors import (
    BindingRejected,
    ClaimRejected,
    ContextRejected,
    DecryptionRejected,
    HeaderRejected,
    InsufficientScope,
    InvalidKey,
    KeyboundError,
    KeyRejected,
    MalformedToken,
    PolicyError,
    Reason,
    SignatureRejected,
    TokenRejected,
    Unavailable,
)
from keybound.jose import jws
from keybound.jose.jwk import JWK
from keybound.jose.jwk_set import JWKSet
from keybound.kinds import TokenKind, classify
from keybound.limits import CacheSettings, Limits
from keybound.tokens.access_token import AccessToken, AccessTokenValidator

if typing.TYPE_CHECKING:
    from keybound import audience, metrics
    from keybound.audience import AudiencePolicy
    from keybound.clients.introspection import IntrospectionClient
    from keybound.jose import jwe
    from keybound.jose.decryption import Decryption
    from keybound.jose.decryption_key import DecryptionKey
    from keybound.jose.decryption_keys import DecryptionKeys
    from keybound.jose.jwe_algorithms import DeprecatedAlgorithmWarning
    from keybound.keys import (
        DiscoveredJWKSet,
        FileJWKSet,
        HTTPTransport,
        LoadBalancerKeys,
        RecreationWarning,
        RefreshSettings,
        RemoteJWKSet,
        RemoteMetadata,
    )
    from keybound.tokens.authorization_response import (
        AuthorizationErrorResponse,
        AuthorizationResponse,
        AuthorizationResponseValidator,
    )
    from keybound.tokens.client_assertion import (
        CLIENT_ASSERTION_TYPE,
        ClientAssertion,
        ClientAssertionValidator,
    )
    from keybound.tokens.demands import AuthorizationDetails, Demands
    from keybound.tokens.dpop_nonces import DPoPNonces
    from keybound.tokens.dpop_proof import DPoPProof, DPoPProofValidator
    from keybound.tokens.id_token import IDToken, IDTokenValidator
    from keybound.tokens.introspection import IntrospectionResponse, IntrospectionResponseValidator
    from keybound.tokens.issuer_router import IssuerRouter
    from keybound.tokens.load_balancer import LoadBalancerToken, LoadBalancerTokenValidator
    from keybound.tokens.logout_token import LogoutToken, LogoutTokenValidator
    from keybound.tokens.request_object import RequestObject, RequestObjectValidator
    from keybound.tokens.response_mode import ResponseMode
    from keybound.tokens.security_event_token import SecurityEventToken, SecurityEventTokenValidator

__all__ = [
    "BACKEND",
    "CLIENT_ASSERTION_TYPE",
    "JWK",
    "AccessToken",
    "AccessTokenValidator",
    "AudiencePolicy",
    "AuthorizationDetails",
    "AuthorizationErrorResponse",
    "AuthorizationResponse",
    "AuthorizationResponseValidator",
    "BindingRejected",
    "CacheSettings",
    "ClaimRejected",
    "ClientAssertion",
    "ClientAssertionValidator",
    "ContextRejected",
    "DPoPNonces",
    "DPoPProof",
    "DPoPProofValidator",
    "Decryption",
    "DecryptionKey",
    "DecryptionKeys",
    "DecryptionRejected",
    "Demands",
    "DeprecatedAlgorithmWarning",
    "DiscoveredJWKSet",
    "FileJWKSet",
    "HTTPTransport",
    "HeaderRejected",
    "IDToken",
    "IDTokenValidator",
    "InsufficientScope",
    "IntrospectionClient",
    "IntrospectionResponse",
    "IntrospectionResponseValidator",
    "InvalidKey",
    "IssuerRouter",
    "JWKSet",
    "KeyRejected",
    "KeyboundError",
    "Limits",
    "LoadBalancerKeys",
    "LoadBalancerToken",
    "LoadBalancerTokenValidator",
    "LogoutToken",
    "LogoutTokenValidator",
    "MalformedToken",
    "PolicyError",
    "PresentedCertificate",
    "Reason",
    "RecreationWarning",
    "RefreshSettings",
    "RemoteJWKSet",
    "RemoteMetadata",
    "RequestObject",
    "RequestObjectValidator",
    "ResponseMode",
    "SecurityEventToken",
    "SecurityEventTokenValidator",
    "SignatureRejected",
    "TokenKind",
    "TokenRejected",
    "Unavailable",
    "__version__",
    "about",
    "audience",
    "classify",
    "configure_tables",
    "events",
    "jwe",
    "jws",
    "metrics",
    "profiles",
    "thumbprint",
]


def __getattr__(name: str) -> object:
    """Import what few need when it is first asked for (PEP 562)."""
    places = {
        "AudiencePolicy": "audience",
        "DPoPNonces": "tokens.dpop_nonces",
        **dict.fromkeys(("DPoPProof", "DPoPProofValidator"), "tokens.dpop_proof"),
        "Decryption": "jose.decryption",
        "DecryptionKey": "jose.decryption_key",
        "DecryptionKeys": "jose.decryption_keys",
        "DeprecatedAlgorithmWarning": "jose.jwe_algorithms",
        **dict.fromkeys(("AuthorizationDetails", "Demands"), "tokens.demands"),
        **dict.fromkeys(
            ("CLIENT_ASSERTION_TYPE", "ClientAssertion", "ClientAssertionValidator"),
            "tokens.client_assertion",
        ),
        **dict.fromkeys(
            ("AuthorizationErrorResponse", "AuthorizationResponse", "AuthorizationResponseValidator"),
            "tokens.authorization_response",
        ),
        "ResponseMode": "tokens.response_mode",
        **dict.fromkeys(("IDToken", "IDTokenValidator"), "tokens.id_token"),
        **dict.fromkeys(("IntrospectionResponse", "IntrospectionResponseValidator"), "tokens.introspection"),
        **dict.fromkeys(("RequestObject", "RequestObjectValidator"), "tokens.request_object"),
        **dict.fromkeys(("LoadBalancerToken", "LoadBalancerTokenValidator"), "tokens.load_balancer"),
        **dict.fromkeys(("LogoutToken", "LogoutTokenValidator"), "tokens.logout_token"),
        **dict.fromkeys(("SecurityEventToken", "SecurityEventTokenValidator"), "tokens.security_event_token"),
        **dict.fromkeys(("DiscoveredJWKSet", "FileJWKSet", "HTTPTransport"), "keys"),
        **dict.fromkeys(
            ("LoadBalancerKeys", "RecreationWarning", "RefreshSettings", "RemoteJWKSet", "RemoteMetadata"),
            "keys",
        ),
        "IntrospectionClient": "clients.introspection",
        "IssuerRouter": "tokens.issuer_router",
        "audience": "audience",
        "jwe": "jose.jwe",
        "metrics": "metrics",
    }
    if name not in places:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"keybound.{places[name]}")
    return globals().setdefault(name, getattr(module, name, module))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
