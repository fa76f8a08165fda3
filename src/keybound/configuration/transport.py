"""The table of a transport: over what way something is fetched, or somebody asked."""

from __future__ import annotations

from typing import Any

import keybound
from keybound.configuration.options import texts_of
from keybound.configuration.values import FLAG, PATH, TEXT, Either, ListOf, MapOf, Table

__all__ = ["TRANSPORT"]


def _with_pair(options: dict[str, Any]) -> dict[str, Any]:
    certificate = options.get("client_certificate")
    return options | ({"client_certificate": tuple(certificate)} if isinstance(certificate, list) else {})


TRANSPORT = Table(
    {
        "ca_file": PATH,
        "client_certificate": Either((PATH, ListOf(PATH))),
        "proxy": TEXT,
        "trust_environment": FLAG,
        "headers": MapOf(TEXT),
        "user_agent": TEXT,
        "public_only": FLAG,
    },
    make=lambda **options: keybound.HTTPTransport(**_with_pair(options)),
    texts=texts_of(keybound.HTTPTransport),
    title="HTTPTransport",
)
"""A :class:`keybound.HTTPTransport`."""
