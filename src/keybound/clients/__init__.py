"""Clients at an authorization server: where they call it, and how they prove who they are."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from keybound.clients.endpoints import ClientOverMtls, EndpointResolver, Reception

if TYPE_CHECKING:
    from keybound.clients.authentication import (
        ClientAuthentication,
        ClientSecretBasic,
        ClientSecretPost,
        MutualTLS,
        PrivateKeyJWT,
    )
    from keybound.clients.introspection import IntrospectionClient

__all__ = [
    "ClientAuthentication",
    "ClientOverMtls",
    "ClientSecretBasic",
    "ClientSecretPost",
    "EndpointResolver",
    "IntrospectionClient",
    "MutualTLS",
    "PrivateKeyJWT",
    "Reception",
]


def __getattr__(name: str) -> object:
    """Import what not everybody needs when it is first asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    place = "introspection" if name == "IntrospectionClient" else "authentication"
    module = importlib.import_module(f"keybound.clients.{place}")
    return globals().setdefault(name, getattr(module, name))
