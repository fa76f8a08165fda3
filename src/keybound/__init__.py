"""Keybound validates key-bound OAuth tokens at gateway speed."""

from keybound import profiles
from keybound._about import __version__, about
from keybound._hotpath import BACKEND
from keybound._tables import configure_tables
from keybound.binding import PresentedCertificate, thumbprint
from keybound.errors import (
    BindingRejected,
    ClaimRejected,
    ContextRejected,
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
from keybound.tokens.id_token import IDToken, IDTokenValidator

__all__ = [
    "BACKEND",
    "JWK",
    "AccessToken",
    "AccessTokenValidator",
    "BindingRejected",
    "CacheSettings",
    "ClaimRejected",
    "ContextRejected",
    "HeaderRejected",
    "IDToken",
    "IDTokenValidator",
    "InsufficientScope",
    "InvalidKey",
    "JWKSet",
    "KeyRejected",
    "KeyboundError",
    "Limits",
    "MalformedToken",
    "PolicyError",
    "PresentedCertificate",
    "Reason",
    "SignatureRejected",
    "TokenKind",
    "TokenRejected",
    "Unavailable",
    "__version__",
    "about",
    "classify",
    "configure_tables",
    "jws",
    "profiles",
    "thumbprint",
]
