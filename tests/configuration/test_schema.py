"""The JSON Schema and the tables behind it: nothing is missing, and both judge alike."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import keybound
from keybound import toml
from keybound.clients import ClientSecretBasic, ClientSecretPost, MutualTLS, PrivateKeyJWT
from keybound.configuration import schema, schema_text, tables
from keybound.configuration.introspection import CLIENT_AUTHENTICATION
from keybound.configuration.options import NOT_IN_A_FILE, OPTIONS, VALIDATORS, options_of, parameters_of
from keybound.configuration.source import problems_of
from keybound.configuration.tables import LEFT_OUT
from keybound.configuration.values import MapOf, OneOf, Table, Value
from keybound.keys import DirectoryDocuments, RemoteMetadata
from keybound.kinds import TokenKind
from keybound.limits import CacheSettings, Limits
from keybound.policy import KindRules, Profile
from keybound.stores import (
    MemoryReplayStore,
    MemoryRevocationList,
    RedisDocuments,
    RedisReplayStore,
    RedisRevocationList,
)

SCHEMA = json.loads(schema_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_shipped_schema_is_that_of_the_tables() -> None:
    """If not: ``python -m keybound.configuration`` prints what has to be shipped."""
    assert schema.generated_schema() == SCHEMA


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_kind_has_a_validator() -> None:
    public = {name for name in keybound.__all__ if name.endswith("Validator")}
    assert set(VALIDATORS.values()) == public
    assert set(VALIDATORS) - {str(kind) for kind in TokenKind} == {"load_balancer_token"}
    assert {str(kind) for kind in TokenKind} <= set(VALIDATORS)


@pytest.mark.parametrize("kind", VALIDATORS)
def test_every_option_of_a_validator_can_be_configured(kind: str) -> None:
    options = parameters_of(getattr(keybound, VALIDATORS[kind]))
    assert set(options) - NOT_IN_A_FILE == set(options_of(kind)) <= set(OPTIONS)
    described = SCHEMA["$defs"][VALIDATORS[kind]]["properties"]
    assert set(options_of(kind)) <= set(described)
    undocumented = [
        name for name, value in described.items() if name != "kind" and "description" not in value
    ]
    assert undocumented == []


def test_no_row_is_for_an_option_that_nobody_has() -> None:
    known = {name for kind in VALIDATORS for name in options_of(kind)}
    assert set(OPTIONS) == known


def table_of(section: str, kind: str | None) -> Table:
    value = tables.SECTIONS[section]
    assert isinstance(value, MapOf)
    if kind is None:
        assert isinstance(value.member, Table)
        return value.member
    assert isinstance(value.member, OneOf)
    return value.member.tables[kind]


@pytest.mark.parametrize(
    ("made", "section", "kind", "instead"),
    [
        (keybound.RemoteJWKSet, "keys", "jwks_uri", {"url": "jwks_uri"}),
        (RemoteMetadata, "keys", "issuer", {}),
        (keybound.LoadBalancerKeys, "keys", "load_balancer_url", {"url": "load_balancer_url"}),
        (keybound.LoadBalancerKeys, "keys", "load_balancer_region", {"url": "load_balancer_region"}),
        (keybound.FileJWKSet, "keys", "jwks_file", {"path": "jwks_file"}),
        (DirectoryDocuments, "shared_documents", "directory", {}),
        (RedisDocuments, "shared_documents", "redis", {"server": "url"}),
        (MemoryReplayStore, "stores", "memory", {}),
        (RedisReplayStore, "stores", "redis", {"server": "url"}),
        (MemoryRevocationList, "revocation_lists", "memory", {}),
        (RedisRevocationList, "revocation_lists", "redis", {"server": "url"}),
        (keybound.IntrospectionClient, "introspection_clients", None, {}),
        (keybound.IssuerRouter, "routers", "validators", {}),
    ],
)
def test_every_option_of_what_has_a_table_can_be_configured(
    made: Any, section: str, kind: str | None, instead: dict[str, str]
) -> None:
    configurable = {instead.get(name, name) for name in set(parameters_of(made)) - LEFT_OUT[made]}
    assert LEFT_OUT[made] <= set(parameters_of(made))
    assert set(table_of(section, kind).members) - {"url_env"} == configurable


@pytest.mark.parametrize(
    ("method", "made", "instead"),
    [
        ("client_secret_basic", ClientSecretBasic, "client_secret"),
        ("client_secret_post", ClientSecretPost, "client_secret"),
        ("private_key_jwt", PrivateKeyJWT, "private_key"),
        ("tls_client_auth", MutualTLS, None),
        ("self_signed_tls_client_auth", MutualTLS, None),
    ],
)
def test_every_option_of_client_authentication_can_be_configured(
    method: str, made: Any, instead: str | None
) -> None:
    outside = {f"{instead}_env", f"{instead}_file"} if instead else set()
    members = set(CLIENT_AUTHENTICATION[method].members)
    assert members - outside == set(parameters_of(made)) - {instead, "clock"}
    assert outside <= members


def members_of(table: Value) -> set[str]:
    assert isinstance(table, Table)
    return set(table.members)


def test_every_setting_can_be_configured() -> None:
    transport = table_of("keys", "jwks_uri").members["transport"]
    assert (
        members_of(transport) == set(parameters_of(keybound.HTTPTransport)) - LEFT_OUT[keybound.HTTPTransport]
    )
    for name, made in (("limits", Limits), ("decryption", keybound.Decryption)):
        assert members_of(OPTIONS[name]) == set(parameters_of(made))
    cache = OPTIONS["cache"].ways[0]  # type: ignore[attr-defined]
    assert members_of(cache) == {field.name for field in dataclasses.fields(CacheSettings)} - {"monotonic"}
    profile = tables.SECTIONS["profiles"].member  # type: ignore[attr-defined]
    fields = {field.name for field in dataclasses.fields(Profile)} - {"name"}
    assert members_of(profile) == fields | {"derive"}
    rules = profile.members["kinds"].members["access_token"]
    assert members_of(rules) == {field.name for field in dataclasses.fields(KindRules)}


def test_the_file_with_everything_in_it_uses_every_table(everything: str) -> None:
    document = toml.loads(everything)
    assert list(VALIDATOR.iter_errors(document)) == []
    assert set(document) == set(tables.SECTIONS)
    for section in ("keys", "shared_documents", "decryption_keys", "stores", "audience_policies"):
        value = tables.SECTIONS[section].member  # type: ignore[attr-defined]
        used = {value.kind_of(members) for members in document[section].values()}
        # By a variable or by a file, which are tables of one form.
        alike = {"secret_env", "client_secret_file"} if section == "decryption_keys" else set()
        if section == "shared_documents" and not hasattr(os, "geteuid"):
            alike = {"directory"}
        assert used == set(value.tables) - alike
    assert {members["kind"] for members in document["validators"].values()} == set(VALIDATORS)
    shown = {members["authentication"]["method"] for members in document["introspection_clients"].values()}
    assert shown == set(CLIENT_AUTHENTICATION)
    assert {"tenants" in members for members in document["routers"].values()} == {True, False}


def leaves(part: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, member in items:
        yield from leaves(member, (*way, key))


NOT_OF_FORM = (
    "must be a name in",
    "must be a preset",
    "needs [server]",
    "needs a client_certificate",
    "comes from",
    "belongs to",
    "is what",
)


@given(st.data())
def test_the_schema_and_the_reader_judge_alike(everything: str, data: st.DataObject) -> None:
    """One change to a good file: both see it, or neither does."""
    document = copy.deepcopy(toml.loads(everything))
    way = data.draw(st.sampled_from([way for way in leaves(document) if way]))
    inner = document
    for key in way[:-1]:
        inner = inner[key]
    value = data.draw(
        st.sampled_from(
            [
                "",
                "x",
                "ES256",
                "memory",
                "a b",
                0,
                1,
                -1,
                1.5,
                -0.5,
                True,
                False,
                [],
                ["x"],
                [5],
                {},
                {"x": 1},
            ]
        )
    )
    action = data.draw(st.sampled_from(["replace", "add", "remove"]))
    if action == "replace":
        inner[way[-1]] = value
    elif action == "remove":
        del inner[way[-1]]
    elif isinstance(inner, dict):
        inner[
            data.draw(st.sampled_from(["x", "kind", "url", "token_endpoint", "a b", "", "fapi2", "secret"]))
        ] = value
    # What a name stands for, and what goes together, no schema says.
    told = [problem for problem in problems_of(document) if not problem.message.startswith(NOT_OF_FORM)]
    assert bool(told) != VALIDATOR.is_valid(document), (way, value, told)
