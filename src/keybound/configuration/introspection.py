"""The table of what asks about opaque tokens: where, as whom, and what an answer has to pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keybound
from keybound.clients import ClientSecretBasic, ClientSecretPost, MutualTLS, PrivateKeyJWT
from keybound.configuration.options import settings, texts_of
from keybound.configuration.transport import TRANSPORT
from keybound.configuration.values import (
    CONTENT,
    FLAG,
    NUMBER,
    TEXT,
    VARIABLE,
    WHOLE,
    Choice,
    Either,
    MapOf,
    Off,
    OneOf,
    Reference,
    Table,
)
from keybound.errors import PolicyError
from keybound.jose.algorithms import ALGORITHMS
from keybound.limits import CacheSettings

__all__ = ["CLIENT_AUTHENTICATION", "INTROSPECTION_CLIENT"]

_SIGNING = tuple(name for name, row in ALGORITHMS.items() if row.family.name != "HMAC")
_CLIENT_ID = "identifier of this resource server as a client"


def _text(secret: bytes) -> str:
    try:
        # RFC 6749, A.2: a secret is printable, so the line break that editors put at the end is none of it.
        return secret.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise PolicyError("the client_secret must be text in UTF-8") from None


def _with_secret(made: Callable[[str, str], Any]) -> Table:
    def make(client_id: str, **secret: bytes) -> Any:
        return made(client_id, _text(*secret.values()))

    return Table(
        {"client_id": TEXT, "client_secret_env": VARIABLE, "client_secret_file": CONTENT},
        needed=("client_id",),
        one_of=("client_secret_env", "client_secret_file"),
        make=make,
        texts={
            "client_id": _CLIENT_ID,
            "client_secret_env": "variable that holds the secret",
            "client_secret_file": "file that holds the secret; a line break at its end is no part of it",
        },
        title=made.__name__,
    )


def _private_key_jwt(client_id: str, **options: Any) -> PrivateKeyJWT:
    key = options.pop("private_key_env", None) or options.pop("private_key_file")
    return PrivateKeyJWT(client_id, key, **options)


def _mutual_tls(client_id: str) -> MutualTLS:
    return MutualTLS(client_id)


def _by_certificate(method: str) -> Table:
    return Table(
        {"client_id": TEXT},
        needed=("client_id",),
        make=_mutual_tls,
        texts={"client_id": f"{_CLIENT_ID}; the client_certificate of transport proves it"},
        title=f"MutualTLS-{method}".replace("_", "-"),
    )


CLIENT_AUTHENTICATION: Mapping[str, Table] = {
    "client_secret_basic": _with_secret(ClientSecretBasic),
    "client_secret_post": _with_secret(ClientSecretPost),
    "private_key_jwt": Table(
        {
            "client_id": TEXT,
            "private_key_file": CONTENT,
            "private_key_env": VARIABLE,
            "alg": Choice(_SIGNING),
            "audience": TEXT,
            "kid": TEXT,
            "typ": TEXT,
            "lifetime": NUMBER,
        },
        needed=("client_id", "alg", "audience"),
        one_of=("private_key_file", "private_key_env"),
        make=_private_key_jwt,
        texts=texts_of(PrivateKeyJWT)
        | {
            "client_id": _CLIENT_ID,
            "private_key_file": "file that holds the key in PEM, without password",
            "private_key_env": "variable that holds the key in PEM, without password",
        },
        title="PrivateKeyJWT",
        timed=True,
    ),
    **{method: _by_certificate(method) for method in ("tls_client_auth", "self_signed_tls_client_auth")},
}
"""How a client proves who it is, by the names of RFC 8414, 2, and RFC 8705, 2."""

_TEXTS = {
    "endpoint": "URL of the introspection endpoint",
    "validator": "name of a table in [validators] of kind introspection_response, which answers have to pass",
    "authentication": "how this resource server proves who it is",
    "local": "name of a table in [validators] of kind access_token, which validates tokens that are JWTs by "
    "itself and has the last word on them",
    "cache": "bounds of the cache of answers, or false for no cache; its lifetime is for how long a token "
    "that the server revokes stays good",
    "transport": "with a client_certificate for mutual TLS",
    "parameters": "more parameters for every request, such as resource",
}

INTROSPECTION_CLIENT = Table(
    {
        "endpoint": TEXT,
        "validator": Reference("validators"),
        "authentication": OneOf(CLIENT_AUTHENTICATION, key="method"),
        "local": Reference("validators"),
        "cache": Either((settings(CacheSettings, "monotonic"), Off())),
        "transport": TRANSPORT,
        "parameters": MapOf(TEXT),
        "allow_http": FLAG,
        "connect_timeout": NUMBER,
        "read_timeout": NUMBER,
        "total_timeout": NUMBER,
        "max_questions": WHOLE,
    },
    needed=("endpoint", "validator", "authentication"),
    make=lambda endpoint, **options: keybound.IntrospectionClient(endpoint, **options),
    texts=texts_of(keybound.IntrospectionClient) | _TEXTS,
    title="IntrospectionClient",
)
"""A :class:`keybound.IntrospectionClient`."""
