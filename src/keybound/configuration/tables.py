"""The sections of a file beside validators: keys, stores, the authorization server, profiles, policies."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, get_args

import keybound
from keybound._hotpath import strict_json
from keybound._hotpath.contract import AudienceForm, Marker
from keybound.audience import FORMS, KINDS, POLICIES, AudiencePolicy, Party
from keybound.audience.policy import AudienceRule
from keybound.configuration.introspection import INTROSPECTION_CLIENT
from keybound.configuration.options import (
    VALIDATORS,
    parameters_of,
    settings,
    texts_of,
    validator_table,
)
from keybound.configuration.place import NAME
from keybound.configuration.routing import ROUTER
from keybound.configuration.transport import TRANSPORT
from keybound.configuration.values import (
    CONTENT,
    DIRECTORY,
    FLAG,
    NUMBER,
    PATH,
    TEXT,
    TEXTS,
    VARIABLE,
    WHOLE,
    Choice,
    Either,
    ListOf,
    MapOf,
    OneOf,
    Reference,
    Table,
    Value,
)
from keybound.errors import PolicyError, Reason
from keybound.jose.algorithms import ALGORITHMS
from keybound.jose.jwe_algorithms import CONTENT_ENCRYPTIONS, KEY_ALGORITHMS
from keybound.keys import DirectoryDocuments, DiscoveredJWKSet, RemoteMetadata, WellKnown
from keybound.kinds import TokenKind
from keybound.policy import AudienceClaim, BindingMode, KindRules, MtlsEndpoints, Profile
from keybound.profiles import PRESETS, PROFILES
from keybound.stores import (
    MemoryReplayStore,
    MemoryRevocationList,
    RedisDocuments,
    RedisReplayStore,
    RedisRevocationList,
)
from keybound.stores.redis_replay import OnLoss

__all__ = ["FILE", "JUDGES", "LEFT_OUT", "SECTIONS", "make_profile"]

LEFT_OUT: Mapping[Callable[..., Any], frozenset[str]] = {
    keybound.RemoteJWKSet: frozenset({"on_event", "monotonic", "clock"}),
    RemoteMetadata: frozenset({"on_event", "monotonic", "clock"}),
    keybound.LoadBalancerKeys: frozenset({"on_event", "monotonic", "clock"}),
    keybound.FileJWKSet: frozenset({"monotonic"}),
    keybound.HTTPTransport: frozenset({"ssl_context"}),
    keybound.IntrospectionClient: frozenset(),
    keybound.IssuerRouter: frozenset(),
    DirectoryDocuments: frozenset(),
    RedisDocuments: frozenset({"monotonic"}),
    MemoryReplayStore: frozenset(),
    RedisReplayStore: frozenset({"async_client", "monotonic"}),
    MemoryRevocationList: frozenset({"clock"}),
    RedisRevocationList: frozenset({"async_client", "clock", "monotonic"}),
}
"""What of the classes behind the tables is code, and stays with the program."""


def _members(made: Callable[..., Any], rows: Mapping[str, Value]) -> dict[str, Value]:
    """The rows of the parameters that ``made`` has, in its order."""
    return {name: rows[name] for name in parameters_of(made) if name in rows}


_FETCHED = {
    "allow_http": FLAG,
    "refresh": settings(keybound.RefreshSettings),
    "transport": TRANSPORT,
    "headers": MapOf(TEXT),
    "keep_fresh": FLAG,
    "shared": Reference("shared_documents"),
}
_SIGNS = {"alg": Choice(tuple(ALGORITHMS)), "kid": TEXT}
_DECRYPTS = {"alg": Choice((*KEY_ALGORITHMS, *CONTENT_ENCRYPTIONS)), "kid": TEXT}
_VARIABLES = Either((VARIABLE, ListOf(VARIABLE)))
_CONTENTS = Either((CONTENT, ListOf(CONTENT)))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _secrets(alg: str, secret_env: Any = None, secret_file: Any = None, kid: str | None = None) -> Any:
    given = _listed(secret_file if secret_env is None else secret_env)
    return keybound.JWKSet([keybound.JWK.from_secret(secret, alg=alg, kid=kid) for secret in given])


_OF_LOAD_BALANCERS = {"kids": TEXTS, "max_keys": WHOLE}


def _load_balancer_keys(
    load_balancer_region: str | None = None, load_balancer_url: str = "", **options: Any
) -> Any:
    if load_balancer_region is None:
        return keybound.LoadBalancerKeys(load_balancer_url, **options)
    return keybound.LoadBalancerKeys.in_region(load_balancer_region, **options)


def _decryption_pem(pem_file: bytes, password_env: bytes | None = None, **options: Any) -> Any:
    return keybound.DecryptionKeys(
        [keybound.DecryptionKey.from_pem(pem_file, password=password_env, **options)]
    )


def _decryption_secret(alg: str, kid: str | None = None, **secret: Any) -> Any:
    ((key, given),) = secret.items()
    client = key.startswith("client_secret")
    make = keybound.DecryptionKey.from_client_secret if client else keybound.DecryptionKey.from_secret
    return keybound.DecryptionKeys([make(one, alg=alg, kid=kid) for one in _listed(given)])


_KEYS = OneOf(
    {
        "jwks_file": Table(
            {"jwks_file": PATH, "check_after": NUMBER},
            make=lambda jwks_file, **options: keybound.FileJWKSet(jwks_file, **options),
            texts=texts_of(keybound.FileJWKSet)
            | {"jwks_file": "a JWK Set or a JWK in JSON, read again when it changes"},
            title="FileJWKSet",
        ),
        "jwks_uri": Table(
            {"jwks_uri": TEXT, **_members(keybound.RemoteJWKSet, _FETCHED)},
            make=lambda jwks_uri, **options: keybound.RemoteJWKSet(jwks_uri, **options),
            texts=texts_of(keybound.RemoteJWKSet) | {"jwks_uri": "where the issuer publishes its keys"},
            title="RemoteJWKSet",
        ),
        "issuer": Table(
            {
                "issuer": TEXT,
                **_members(RemoteMetadata, {"form": Choice(get_args(WellKnown)), "url": TEXT, **_FETCHED}),
            },
            make=lambda issuer, **options: DiscoveredJWKSet(RemoteMetadata(issuer, **options)),
            texts=texts_of(RemoteMetadata)
            | {"issuer": "whose metadata tells where its keys are, while everything runs"},
            title="DiscoveredJWKSet",
        ),
        **{
            key: Table(
                {key: TEXT, **_members(keybound.LoadBalancerKeys, {**_FETCHED, **_OF_LOAD_BALANCERS})},
                make=_load_balancer_keys,
                texts=texts_of(keybound.LoadBalancerKeys) | {key: text},
                title=f"LoadBalancerKeys-by-{key.rpartition('_')[2]}",
            )
            for key, text in (
                ("load_balancer_region", "AWS region whose load balancers sign, such as eu-west-1"),
                ("load_balancer_url", "where AWS publishes their keys, to which / and the kid are added"),
            )
        },
        "pem_file": Table(
            {"pem_file": CONTENT, **_SIGNS},
            make=lambda pem_file, **options: keybound.JWKSet.from_pem(pem_file, **options),
            texts={"pem_file": "a public key or certificate"},
            title="JWKSet-from-pem",
        ),
        **{
            key: Table(
                {key: value, **_SIGNS},
                needed=("alg",),
                make=_secrets,
                texts={key: "the secret, or several: the current one first, then old ones that still do"},
                title=f"JWKSet-from-{key}".replace("_", "-"),
            )
            for key, value in (("secret_env", _VARIABLES), ("secret_file", _CONTENTS))
        },
    }
)

_OF_A_CLIENT = "the client_secret that the key is made of, or several, the current one first"

_DECRYPTION_KEYS = OneOf(
    {
        "jwks_file": Table(
            {"jwks_file": CONTENT},
            make=lambda jwks_file: keybound.DecryptionKeys.from_json(jwks_file),
            texts={"jwks_file": "private or symmetric keys: a JWK Set or a JWK in JSON"},
            title="DecryptionKeys-from-json",
        ),
        "pem_file": Table(
            {"pem_file": CONTENT, "password_env": VARIABLE, **_DECRYPTS},
            make=_decryption_pem,
            texts={"pem_file": "a private key"},
            title="DecryptionKey-from-pem",
        ),
        **{
            key: Table(
                {key: value, **_DECRYPTS},
                needed=("alg",),
                make=_decryption_secret,
                texts={key: text},
                title=f"DecryptionKey-from-{key}".replace("_", "-"),
            )
            for key, value, text in (
                ("secret_env", _VARIABLES, "the symmetric key, or several, the current one first"),
                ("secret_file", _CONTENTS, "the symmetric key, or several, the current one first"),
                ("client_secret_env", _VARIABLES, _OF_A_CLIENT),
                ("client_secret_file", _CONTENTS, _OF_A_CLIENT),
            )
        },
    }
)


_SERVER_OF_STORES = {
    "url": TEXT,
    "url_env": VARIABLE,
    "namespace": TEXT,
    "deadline": NUMBER,
    "pause": NUMBER,
    "lifetime": NUMBER,
    "max_lifetime": NUMBER,
    "token_lifetime": NUMBER,
    "skew": NUMBER,
    "durable": FLAG,
    "max_per_principal": WHOLE,
    "on_loss": Choice(get_args(OnLoss)),
}
_TEXTS_OF_SERVERS = {
    "url": "redis://, rediss:// or unix://, without a password",
    "url_env": "variable that holds the URL, which may have a password",
    "token_lifetime": "seconds from issue until every token is over, with the leeway of validators",
}


def _on_redis(made: Callable[..., Any]) -> Table:
    """The table of what a Redis or Valkey remembers."""
    members = {"url": TEXT, "url_env": VARIABLE, **_members(made, _SERVER_OF_STORES)}

    def make(url: str | None = None, url_env: bytes | None = None, **options: Any) -> Any:
        return made(url if url_env is None else os.fsdecode(url_env), **options)

    return Table(
        members,
        one_of=("url", "url_env"),
        make=make,
        texts=texts_of(RedisReplayStore) | texts_of(made) | _TEXTS_OF_SERVERS,
        title=made.__name__,
        timed="clock" in parameters_of(made),
    )


_STORES = OneOf(
    {
        "memory": Table(
            {"max_entries": WHOLE, "max_per_principal": WHOLE},
            make=MemoryReplayStore,
            texts=texts_of(MemoryReplayStore),
            title="MemoryReplayStore",
        ),
        "redis": _on_redis(RedisReplayStore),
    },
    key="kind",
)

_SHARED_DOCUMENTS = OneOf(
    {
        "directory": Table(
            {"path": DIRECTORY},
            needed=("path",),
            make=DirectoryDocuments,
            texts=texts_of(DirectoryDocuments),
            title="DirectoryDocuments",
        ),
        "redis": _on_redis(RedisDocuments),
    },
    key="kind",
)

_REVOCATION_LISTS = OneOf(
    {
        "memory": Table(
            {"max_entries": WHOLE, "token_lifetime": NUMBER},
            make=MemoryRevocationList,
            texts=texts_of(MemoryRevocationList) | _TEXTS_OF_SERVERS,
            title="MemoryRevocationList",
            timed=True,
        ),
        "redis": _on_redis(RedisRevocationList),
    },
    key="kind",
)

_ENDPOINT = r"^[a-z][a-z0-9_]*_endpoint$"


def _metadata(document: bytes) -> dict[str, Any]:
    reason, members = strict_json.loads(document, 16)
    if reason != Reason.OK or not isinstance(members, dict):
        raise PolicyError("metadata_file must hold a JSON object without repeated names")
    return members


_SERVER = OneOf(
    {
        "metadata_file": Table(
            {"metadata_file": CONTENT},
            make=lambda metadata_file: _metadata(metadata_file),
            texts={"metadata_file": "its metadata document in JSON (RFC 8414, 2)"},
            title="server-by-document",
        ),
        "issuer": Table(
            {"issuer": TEXT, "mtls_endpoint_aliases": Table({}, others=(_ENDPOINT, TEXT))},
            others=(_ENDPOINT, TEXT),
            texts={
                "issuer": "issuer identifier",
                "mtls_endpoint_aliases": "URLs of endpoints behind mutual TLS (RFC 8705, 5)",
            },
            title="server-by-members",
        ),
    }
)

_KIND_RULES = Table(
    {
        "types": TEXTS,
        "typ_required": FLAG,
        "required_claims": TEXTS,
        "forbidden_claims": TEXTS,
        "expected_claims": MapOf(TEXT),
        "algorithms": ListOf(_SIGNS["alg"]),
        "max_lifetime": NUMBER,
        "max_age": NUMBER,
        "max_expiry_distance": NUMBER,
        "max_nbf_age": NUMBER,
        "audience_form": Choice(FORMS),
        "audience_claim": Choice(get_args(AudienceClaim)),
        "tolerated_markers": ListOf(Choice(tuple(str(marker.name).lower() for marker in Marker))),
    },
    make=lambda **rules: {name: _RULES.get(name, _as_given)(value) for name, value in rules.items()},
    texts=texts_of(KindRules),
    title="KindRules",
)


def _as_given(value: Any) -> Any:
    return value


_RULES: Mapping[str, Callable[[Any], Any]] = {
    "types": lambda types: frozenset(name.lower().removeprefix("application/") for name in _listed(types)),
    **dict.fromkeys(
        ("required_claims", "forbidden_claims", "algorithms"), lambda names: tuple(_listed(names))
    ),
    "expected_claims": lambda pairs: tuple(pairs.items()),
    "audience_form": lambda form: AudienceForm[form.upper()],
    "tolerated_markers": lambda names: sum(Marker[name.upper()] for name in set(names)),
}


class _NameOf(Reference):
    """A reference that stays a name, because what it stands for is looked up where it is used."""

    def meaning(self, value: Any, place: str, surroundings: Any) -> str:
        return str(value)


_PROFILE = Table(
    {
        "derive": Choice((*PROFILES, *PRESETS)),
        "source": TEXT,
        "kinds": Table({str(kind): _KIND_RULES for kind in TokenKind}),
        "algorithms": ListOf(_SIGNS["alg"]),
        "binding": Choice(get_args(BindingMode)),
        "audience_policy": _NameOf("audience_policies", tuple(POLICIES)),
        "client_authentication": ListOf(TEXT),
        "mtls_endpoints": Choice(get_args(MtlsEndpoints)),
        "exp_may_be_waived": FLAG,
    },
    needed=("derive",),
    texts=texts_of(Profile) | {"derive": "the profile or preset from which only what is given here differs"},
    title="Profile",
)


def make_profile(name: str, derive: str, **changes: Any) -> Profile:
    """The profile that a table describes."""
    base = PROFILES[derive] if derive in PROFILES else PRESETS[derive].profile
    kinds = {TokenKind(kind): rules for kind, rules in changes.pop("kinds", {}).items()}
    for key in ("algorithms", "client_authentication"):
        if key in changes:
            changes[key] = tuple(changes[key])
    return base.derive(
        name=name, source=changes.pop("source", f"derived from {derive}"), kinds=kinds, **changes
    )


_RULE = Table(
    {
        "accept": ListOf(TEXT),
        "recommend": ListOf(TEXT),
        "form": Choice(FORMS),
        "recommend_form": Choice(FORMS),
    },
    needed=("accept",),
    texts=texts_of(AudienceRule),
    title="AudienceRule",
)
_AUDIENCE_POLICY = OneOf(
    {
        "file": Table(
            {"file": CONTENT},
            make=lambda file: AudiencePolicy.from_toml(file).to_mapping(),
            texts={"file": "an audience policy in TOML"},
            title="AudiencePolicy-in-a-file",
        ),
        "source": Table(
            {
                "source": TEXT,
                "note": TEXT,
                "obliges": Choice(get_args(Party)),
                "aliases": FLAG,
                **dict.fromkeys(KINDS, MapOf(_RULE, _ENDPOINT)),
            },
            texts=texts_of(AudiencePolicy),
            title="AudiencePolicy",
        ),
    }
)

_VALIDATOR = OneOf({kind: validator_table(kind) for kind in VALIDATORS}, key="kind")

SECTIONS: Mapping[str, Value] = {
    "server": _SERVER,
    "shared_documents": MapOf(_SHARED_DOCUMENTS, NAME),
    "keys": MapOf(_KEYS, NAME),
    "decryption_keys": MapOf(_DECRYPTION_KEYS, NAME),
    "stores": MapOf(_STORES, NAME),
    "revocation_lists": MapOf(_REVOCATION_LISTS, NAME),
    "profiles": MapOf(_PROFILE, NAME, taken=tuple(PROFILES)),
    "audience_policies": MapOf(_AUDIENCE_POLICY, NAME, taken=tuple(POLICIES)),
    "validators": MapOf(_VALIDATOR, NAME),
    "introspection_clients": MapOf(INTROSPECTION_CLIENT, NAME),
    "routers": MapOf(ROUTER, NAME),
}
"""What a file may hold, by section."""

JUDGES = ("validators", "introspection_clients", "routers")
"""The sections of what a program gives tokens to. No name occurs in two of them."""

FILE = Table(
    SECTIONS,
    texts={
        "server": "the authorization server that audience policies are applied to",
        "shared_documents": "where processes share what they fetch, by names that keys use",
        "keys": "what signatures are verified with, by names that validators use",
        "decryption_keys": "what encrypted tokens are opened with, by names that validators use",
        "stores": "what remembers used proofs, by names that validators use",
        "revocation_lists": "what remembers revoked tokens, by names that validators use",
        "profiles": "named policies of your own, each derived from one that Keybound has",
        "audience_policies": "which aud is accepted at which endpoint, by names that validators use",
        "validators": "the validators, by the names under which the program finds them",
        "introspection_clients": "what asks about opaque tokens, by names like those of validators",
        "routers": "validators by the issuer of a token, by names like those of validators",
    },
    title="Configuration of Keybound",
)
"""A whole file."""
