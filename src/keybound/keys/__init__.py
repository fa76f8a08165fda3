"""Key sources: where a validator gets the issuer's keys from."""

import importlib
from typing import TYPE_CHECKING

from keybound.keys.source import KeySource, RefreshingKeySource, as_key_source

if TYPE_CHECKING:
    from keybound.keys.discovered_jwks import DiscoveredJWKSet
    from keybound.keys.fetching import FetchFailed, FetchOutcome, Request, Response, Transport
    from keybound.keys.file_jwks import FileJWKSet
    from keybound.keys.http_transport import HTTPTransport
    from keybound.keys.httpx_transport import HttpxTransport
    from keybound.keys.load_balancer_keys import LoadBalancerKeys
    from keybound.keys.metadata import IssuerMetadata, RemoteMetadata, WellKnown, well_known_url
    from keybound.keys.recreation import RecreationWarning
    from keybound.keys.refresh import RefreshSettings
    from keybound.keys.remote_document import FetchEvent
    from keybound.keys.remote_jwks import RemoteJWKSet
    from keybound.keys.shared_documents import DirectoryDocuments, SharedDocuments

__all__ = [
    "DirectoryDocuments",
    "DiscoveredJWKSet",
    "FetchEvent",
    "FetchFailed",
    "FetchOutcome",
    "FileJWKSet",
    "HTTPTransport",
    "HttpxTransport",
    "IssuerMetadata",
    "KeySource",
    "LoadBalancerKeys",
    "RecreationWarning",
    "RefreshSettings",
    "RefreshingKeySource",
    "RemoteJWKSet",
    "RemoteMetadata",
    "Request",
    "Response",
    "SharedDocuments",
    "Transport",
    "WellKnown",
    "as_key_source",
    "well_known_url",
]


def __getattr__(name: str) -> object:
    """Import what not everybody needs when it is first asked for (PEP 562)."""
    places = {
        **dict.fromkeys(("FetchFailed", "FetchOutcome", "Request", "Response", "Transport"), "fetching"),
        **dict.fromkeys(("IssuerMetadata", "RemoteMetadata", "WellKnown", "well_known_url"), "metadata"),
        **dict.fromkeys(("DirectoryDocuments", "SharedDocuments"), "shared_documents"),
        "DiscoveredJWKSet": "discovered_jwks",
        "FetchEvent": "remote_document",
        "FileJWKSet": "file_jwks",
        "HTTPTransport": "http_transport",
        "HttpxTransport": "httpx_transport",
        "LoadBalancerKeys": "load_balancer_keys",
        "RecreationWarning": "recreation",
        "RefreshSettings": "refresh",
        "RemoteJWKSet": "remote_jwks",
    }
    if name not in places:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"keybound.keys.{places[name]}")
    return globals().setdefault(name, getattr(module, name))
