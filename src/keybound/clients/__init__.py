"""Clients at an authorization server: where they call it, and how they prove who they are."""

from __future__ import annotations

from keybound.clients.endpoints import ClientOverMtls, EndpointResolver, Reception

__all__ = ["ClientOverMtls", "EndpointResolver", "Reception"]
