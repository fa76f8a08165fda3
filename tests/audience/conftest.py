"""One authorization server with an endpoint of every kind, each at a URL of its own."""

from __future__ import annotations

from typing import Any

import pytest

SHORT = {
    "token": "token_endpoint",
    "bc": "backchannel_authentication_endpoint",
    "authz": "authorization_endpoint",
    "par": "pushed_authorization_request_endpoint",
    "introspection": "introspection_endpoint",
    "other": "revocation_endpoint",
}
ISSUER = "https://as.example.com/tenant"


class Server:
    """Its metadata, as the arguments of ``bind``, and by the short names of the tables."""

    issuer = ISSUER
    names = SHORT

    def __init__(self) -> None:
        self.endpoints = {name: f"{ISSUER}/{short}" for short, name in SHORT.items()}
        self.aliases = {"token_endpoint": "https://mtls.as.example.com/tenant/token"}

    def bind(self, policy: Any, **changes: Any) -> Any:
        return policy.bind(**{"issuer": self.issuer, "endpoints": self.endpoints} | changes)

    def url(self, short: str, *, at: str = "") -> str:
        """The URL behind a column of a table; ``itself`` is that of the row."""
        if short == "issuer":
            return self.issuer
        return self.endpoints[SHORT[at if short == "itself" else short]]


@pytest.fixture(scope="session")
def server() -> Server:
    return Server()
