"""Validators from configuration files, and what is refused with its place."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import keybound
from keybound import configuration, profiles
from keybound._hotpath.contract import AudienceForm, Marker
from keybound.audience import POLICIES, ReportOnly
from keybound.keys import DirectoryDocuments, DiscoveredJWKSet
from keybound.kinds import TokenKind
from keybound.limits import DEFAULT_CACHE
from keybound.stores import (
    MemoryReplayStore,
    MemoryRevocationList,
    RedisDocuments,
    RedisReplayStore,
    RedisRevocationList,
)

SMALL = """
[keys.main]
jwks_file = "jwks.json"
[validators.accounts]
kind = "access_token"
issuer = "https://as.example.com"
audience = "https://rs.example.org/"
keys = "main"
algorithms = ["ES256"]
"""


def test_every_kind_of_table(load: Any, everything: str) -> None:
    made = load(everything)
    kinds = {name: type(validator).__name__ for name, validator in made.validators.items()}
    assert kinds == {
        "accounts": "AccessTokenValidator",
        "tenant": "AccessTokenValidator",
        "login": "IDTokenValidator",
        "client": "ClientAssertionValidator",
        "reported": "ClientAssertionValidator",
        "response": "AuthorizationResponseValidator",
        "logout": "LogoutTokenValidator",
        "events": "SecurityEventTokenValidator",
        "request": "RequestObjectValidator",
        "proofs": "DPoPProofValidator",
        "introspection": "IntrospectionResponseValidator",
        "balancer": "LoadBalancerTokenValidator",
    }
    sources = {name: type(source) for name, source in made.keys.items()}
    assert sources == {
        "file": keybound.FileJWKSet,
        "remote": keybound.RemoteJWKSet,
        "discovered": DiscoveredJWKSet,
        "pem": keybound.JWKSet,
        "balancers": keybound.LoadBalancerKeys,
        "balancers-elsewhere": keybound.LoadBalancerKeys,
        "secrets": keybound.JWKSet,
        "secret-file": keybound.JWKSet,
    }
    assert {name: type(store) for name, store in made.stores.items()} == {
        "memory": MemoryReplayStore,
        "redis": RedisReplayStore,
    }
    assert {name: type(denied) for name, denied in made.revocation_lists.items()} == {
        "shared": RedisRevocationList,
        "own": MemoryRevocationList,
    }
    assert {name: type(shared) for name, shared in made.shared_documents.items()} == {
        "machine": DirectoryDocuments if hasattr(os, "geteuid") else RedisDocuments,
        "cluster": RedisDocuments,
    }
    assert made.server is not None
    assert made.server["token_endpoint"] == "https://as.example.com/token"
    authentication = {
        name: type(client._authentication).__name__ for name, client in made.introspection_clients.items()
    }
    assert authentication == {
        "opaque": "PrivateKeyJWT",
        "header": "ClientSecretBasic",
        "body": "ClientSecretPost",
        "certificate": "MutualTLS",
        "own-certificate": "MutualTLS",
    }
    assert {name: len(router.validators) for name, router in made.routers.items()} == {
        "gateway": 2,
        "workforce": 2,
    }
    for mapping in (
        made.introspection_clients,
        made.routers,
        made.validators,
        made.keys,
        made.stores,
        made.server,
        made.profiles,
    ):
        with pytest.raises(TypeError):
            mapping["x"] = None  # type: ignore[index]


def test_what_options_become(load: Any, everything: str) -> None:
    made = load(everything)
    policy = made.validators["accounts"].policy
    assert policy.issuer == "https://as.example.com"
    assert policy.audience == ("https://rs.example.org/", "urn:rs")
    assert (policy.leeway, policy.max_age, policy.max_lifetime) == (5, 300, 600)
    assert policy.scopes == ("accounts",)
    assert policy.required_claims == ("client_id", "sub")
    assert policy.forbidden_claims == ("act",)
    assert policy.expected_claims == (("tenant", "1"), ("realm", "main"))
    assert policy.limits == keybound.Limits(token_bytes=8192, json_depth=8)
    assert policy.types == {"at+jwt"}
    assert policy.audience_form is AudienceForm.SOLE
    assert policy.binding == "required"
    assert made.validators["accounts"].keys is made.keys["file"]
    tenant = made.validators["tenant"]
    assert tenant.stats()["cache"] == {}
    assert dict(tenant.policy.expected_claims)["azp"] == "client-1"
    assert (
        tenant.keys.url
        == "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/discovery/v2.0/keys"
    )
    assert made.validators["response"].policy.algorithms[0].name == "ES256"
    assert [key.kid for key in made.keys["secret-file"].keys] == ["s"]
    assert len(made.keys["secrets"]) == 2


def test_profiles_of_the_file(load: Any, everything: str) -> None:
    ours = load(everything).profiles["ours"]
    assert ours.name == "ours"
    assert ours.source == "our handbook"
    assert ours.mtls_endpoints == "aliases"
    rules = ours.rules(TokenKind.ACCESS_TOKEN)
    assert rules.typ_required is profiles.RFC9068.rules(TokenKind.ACCESS_TOKEN).typ_required is True
    assert rules.tolerated_markers == Marker.NONCE
    assert ours.rules(TokenKind.ID_TOKEN) == profiles.RFC9068.rules(TokenKind.ID_TOKEN)
    derived = load('[profiles.own]\nderive = "keycloak"\nalgorithms = ["ES256"]').profiles["own"]
    assert derived.algorithms == ("ES256",)
    assert derived.kinds == profiles.PRESETS["keycloak"].profile.kinds


def test_validators_work(load: Any, issuer: Any, clock: Any) -> None:
    accounts = load(SMALL, clock=clock).validators["accounts"]
    token = issuer.access_token(audience="https://rs.example.org/", lifetime=300)
    assert accounts.validate(token).issuer == "https://as.example.com"
    clock.advance(311)
    with pytest.raises(keybound.TokenRejected, match="token_expired"):
        accounts.validate(token)


def test_revoked_tokens(load: Any, issuer: Any, clock: Any) -> None:
    made = load(SMALL + 'revocation = "denied"\n[revocation_lists.denied]\nkind = "memory"\n', clock=clock)
    token = issuer.access_token(audience="https://rs.example.org/", lifetime=300, jti="1")
    made.validators["accounts"].validate(token)
    made.revocation_lists["denied"].revoke(issuer="https://as.example.com", jti="1")
    with pytest.raises(keybound.TokenRejected, match="token_revoked"):
        made.validators["accounts"].validate(token)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this platform tells of no owner")
def test_documents_that_are_shared(load: Any, tmp_path: Path) -> None:
    """P32: the directory is looked for beside the file, and nothing is made of it yet."""
    text = (
        '[shared_documents.machine]\nkind = "directory"\npath = "shared"\n'
        '[keys.main]\njwks_uri = "https://as.example.com/jwks"\nshared = "machine"\n'
    )
    made = configuration.load(text, directory=tmp_path)
    keys: Any = made.keys["main"]
    assert keys._shared is made.shared_documents["machine"]
    assert list(tmp_path.iterdir()) == []
    made.shared_documents["machine"].store("https://as.example.com/jwks", b"state")
    assert [path.name for path in tmp_path.iterdir()] == ["shared"]
    assert configuration.lint(text, directory=tmp_path)


BALANCER = """
[validators.front]
kind = "load_balancer_token"
preset = "aws-alb"
client_id = "client-1"

[validators.front.parameters]
issuer = "https://op.example.com"
region = "eu-west-1"
account = "123456789012"
balancer = "front/50dc6c495c0c9188"
"""


def test_load_balancers(load: Any) -> None:
    """P20, P26: a preset gives the signer, the issuer and where the keys are, each by its kid."""
    front = load(BALANCER).validators["front"]
    assert isinstance(front.keys, keybound.LoadBalancerKeys)
    assert front.keys.url == "https://public-keys.auth.elb.eu-west-1.amazonaws.com"
    with pytest.raises(configuration.ConfigurationError, match=r"front\.signer: comes from the preset"):
        load(BALANCER.replace("client_id", 'signer = "arn:x"\nclient_id'))
    with pytest.raises(configuration.ConfigurationError, match=r"front\.parameters"):
        load(BALANCER.replace("account", "amount"))
    with pytest.raises(configuration.ConfigurationError, match=r"keys\.x: region"):
        load(
            BALANCER.replace("client_id", 'keys = "x"\nclient_id') + '[keys.x]\nload_balancer_region = "x"\n'
        )


def test_some_of_a_file(load: Any, everything: str) -> None:
    """A process needs no secret but its own."""
    made = load(everything, only="accounts", environment={})
    assert list(made.validators) == ["accounts"]
    assert list(made.keys) == ["file"]
    assert list(made.revocation_lists) == ["shared"]
    assert not made.stores
    assert not made.audience_reports
    some = load(everything, only=["reported", "client"])
    assert list(some.validators) == ["client", "reported"]
    assert list(some.audience_reports) == ["reported"]
    with pytest.raises(keybound.PolicyError, match="only"):
        load(everything, only="nobody")
    with pytest.raises(configuration.ConfigurationError):
        load(everything + "unknown = 1\n", only="accounts")


def test_names_of_validators(everything: str) -> None:
    assert configuration.validators_in(everything, kind="client_assertion") == ("client", "reported")
    assert configuration.validators_in(everything, kind="refresh_token") == ()
    assert configuration.validators_in(everything, kind="introspection_response") == ("introspection",)
    for_access_tokens = ("accounts", "tenant", "opaque", "header", "body", "certificate", "own-certificate")
    found = configuration.validators_in(everything, kind="access_token")
    assert found == (*for_access_tokens, "gateway", "workforce")
    # Stores, shared places, deny-lists and the table for each tenant have one; clients and routers not.
    assert len(configuration.validators_in(everything)) == everything.count("\nkind = ") - 7 + 7
    with pytest.raises(configuration.ConfigurationError):
        configuration.validators_in("[validators.x]\n")


def test_audience_policies_are_applied_to_the_server(load: Any, everything: str) -> None:
    """S002-14: an operator loads his own policy, and runs a stricter one in report-only mode."""
    made = load(everything)
    assert set(made.audience_policies) == {"house", "elsewhere"}
    assert made.audience_policies["elsewhere"].name == "elsewhere"
    assert set(made.audience_reports) == {"reported"}
    report = made.audience_reports["reported"]
    assert isinstance(report, ReportOnly)
    assert (report.snapshot().enforced, report.snapshot().stricter) == ("elsewhere", "fapi2-final")


def test_the_policy_of_the_profile_needs_no_name(load: Any) -> None:
    text = """
[server]
metadata_file = "metadata.json"
[keys.main]
pem_file = "key.pem"
[stores.once]
kind = "memory"
[validators.client]
kind = "client_assertion"
client_id = "client-1"
keys = "main"
profile = "fapi2"
replay = "once"
"""
    load(text)
    with pytest.raises(configuration.ConfigurationError, match="needs \\[server\\]") as caught:
        load(text.replace('[server]\nmetadata_file = "metadata.json"', ""))
    assert caught.value.place == "validators.client.audience_policy"
    own = text + '[profiles.house]\nderive = "fapi2"\naudience_policy = "own"\n'
    own += '[audience_policies.own]\nsource = "x"\nclient_assertion.any_endpoint.accept = ["any_endpoint"]\n'
    load(own.replace('profile = "fapi2"', 'profile = "house"'))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.toml", "there is no such file$"),
        (Path("nowhere.toml"), "there is no such file$"),
        ("a\0b", "there is no such file$"),
        ("a=1", "there is no such file; text of one line is given as bytes$"),
        (".", "the configuration cannot be read: Is a directory$"),
        (b"[keys", "this is not TOML"),
        ("[keys\n", "this is not TOML"),
    ],
)
def test_what_cannot_be_read(source: Any, message: str) -> None:
    with pytest.raises(configuration.ConfigurationError, match=message) as caught:
        configuration.load(source)
    assert caught.value.place == ""


def test_text_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(configuration.ConfigurationError) as caught:
        configuration.load(b"a=1")
    assert caught.value.place == "a"
    directory = tmp_path / "stage=test"
    directory.mkdir()
    (directory / "gateway.toml").write_text("")
    assert not configuration.load(str(directory / "gateway.toml")).validators


def test_a_file_and_its_directory(tmp_path: Path, issuer: Any, directory: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(SMALL.replace("jwks.json", str(directory / "jwks.json")))
    for given_ in (path, str(path), os.fspath(path)):
        assert set(configuration.load(given_).validators) == {"accounts"}
    (tmp_path / "jwks.json").write_bytes((directory / "jwks.json").read_bytes())
    path.write_text(SMALL)
    assert configuration.load(path).validators["accounts"].keys.stats()["keys"] == 1
    assert configuration.load(path, directory=directory).validators
    assert configuration.load(SMALL, directory=directory).validators
    with pytest.raises(configuration.ConfigurationError, match="there is no such file") as caught:
        configuration.load(SMALL, directory=tmp_path / "elsewhere")
    assert caught.value.place == "keys.main.jwks_file"


@pytest.mark.parametrize(
    "source", ["nowhere.toml", Path("nowhere.toml"), "", "a\0b", None, 5, {"keys": {}}, []]
)
def test_what_is_no_file(source: Any) -> None:
    with pytest.raises(keybound.PolicyError, match="configuration"):
        configuration.load(source)


@pytest.mark.parametrize("text", [b"\xff", b"[keys", b"a = " + b"[" * 5000, "x\n=\n"])
def test_what_is_no_toml(text: Any) -> None:
    with pytest.raises(keybound.PolicyError, match="TOML"):
        configuration.load(text)


REFUSED = [
    # Unknown, of the wrong type, or the name of nothing.
    ("leewai = 5", "", "validators.accounts.leewai", "not known here"),
    ("leeway = '5'", "", "validators.accounts.leeway", "must be a number"),
    ("leeway = true", "", "validators.accounts.leeway", "must be a number"),
    ("leeway = inf", "", "validators.accounts.leeway", "must be a number"),
    ("leeway = -1", "", "validators.accounts.leeway", "must be a number"),
    ("leeway = 1979-05-27", "", "validators.accounts.leeway", "must be a number"),
    ("limits = { token_bytes = 1.5 }", "", "validators.accounts.limits.token_bytes", "whole number"),
    ("limits = 5", "", "validators.accounts.limits", "must be a table"),
    ("cache = true", "", "validators.accounts.cache", "can be false"),
    ("cache = 'none'", "", "validators.accounts.cache", "must be a table"),
    ("allow_missing_exp = 1", "", "validators.accounts.allow_missing_exp", "true or false"),
    ("scopes = []", "", "validators.accounts.scopes", "something in it"),
    ("scopes = ['a', 5]", "", "validators.accounts.scopes[1]", "non-empty text"),
    ("scopes = 5", "", "validators.accounts.scopes", "non-empty text"),
    ("expected_claims = { a = 1 }", "", "validators.accounts.expected_claims.a", "non-empty text"),
    ("binding = 'off'", "", "validators.accounts.binding", "if-present, required, ignore"),
    ("profile = 'fapi3'", "", "validators.accounts.profile", "must be a name in [profiles]"),
    ("nonce = 'x'", "", "validators.accounts.nonce", "not known here"),
    ("", '"jwks.json"\ncheck_after = "1"', "keys.main.check_after", "must be a number"),
    ("", '"jwks.json"\njwks_uri = "https://x.example"', "keys.main", "one of jwks_file, jwks_uri"),
    ("", '"nowhere.json"', "keys.main.jwks_file", "no such file"),
    ("", '"a\\u0000b"', "keys.main.jwks_file", "the path of a file"),
    ("[stores.x]\nkind = 'file'", "", "stores.x.kind", "one of memory, redis"),
    ("[stores.x]\nkind = 'redis'", "", "stores.x", "one of url, url_env"),
    ("[stores.x]\nmax_entries = 5", "", "stores.x.kind", "one of memory, redis"),
    ("[stores]\nx = 5", "", "stores.x", "must be a table"),
    ("[shared_documents.x]\nkind = 'file'", "", "shared_documents.x.kind", "one of directory, redis"),
    ("[shared_documents.x]\nkind = 'directory'", "", "shared_documents.x.path", "is missing"),
    ("[shared_documents.x]\nkind = 'directory'\npath = ''", "", "shared_documents.x.path", "a directory"),
    ("[keys.x]\njwks_uri = 'https://a/'\nshared = 'no'", "", "keys.x.shared", "[shared_documents]"),
    ("[keys.secret]\nsecret_env = 'CLIENT_SECRET'", "", "keys.secret.alg", "is missing"),
    ("[keys.secret]\nsecret_env = 'NO_SUCH'\nalg = 'HS256'", "", "keys.secret.secret_env", "not set"),
    ("[keys.secret]\nsecret_env = 'A B'\nalg = 'HS256'", "", "keys.secret.secret_env", "name of a variable"),
    ("[keys.'a b']\njwks_file = 'jwks.json'", "", "keys.?", "letters, digits"),
    ("[profiles.fapi2]\nderive = 'fapi2'", "", "profiles.fapi2", "take another"),
    ("[profiles.own]\nalgorithms = ['ES256']", "", "profiles.own.derive", "is missing"),
    ("[profiles.own]\nderive = 'fapi2'\nkinds.x.types = ['a']", "", "profiles.own.kinds.x", "not known"),
    (
        "[audience_policies.house]\nsource = 'x'\nform = 'any'",
        "",
        "audience_policies.house.form",
        "not known",
    ),
    ("[audience_policies.fapi2-final]\nsource = 'x'", "", "audience_policies.fapi2-final", "take another"),
    ("[server]\nissuer = 'https://as.example.com'\njwks_uri = 'x'", "", "server.jwks_uri", "not known"),
    ("[server]\ntoken_endpoint = 'https://as.example.com'", "", "server", "metadata_file, issuer"),
    ("[validator.x]\nkind = 'access_token'", "", "validator", "not known here"),
    ("[validators.x]\nkind = 'refresh_token'", "", "validators.x.kind", "must be one of access_token"),
    ("[validators.x]\nkind = 'dpop_token'", "", "validators.x.kind", "must be one of"),
    ("[validators.x]\nissuer = 'y'", "", "validators.x.kind", "must be one of"),
    # What goes together, and what does not.
    ("parameters = { tenant = 'x' }", "", "validators.accounts.parameters", "belongs to a preset"),
    ("preset = 'google'", "", "validators.accounts.preset", "must be one of"),
    ("preset = 'github-actions'", "", "validators.accounts.issuer", "comes from the preset"),
    # What the constructors refuse.
    ("leeway = 86401", "", "validators.accounts.leeway", "0 to 86400"),
    ("max_age = 0", "", "validators.accounts.max_age", "seconds from 1"),
    ("limits = { json_depth = 0 }", "", "validators.accounts.limits.json_depth", "from 1 to 256"),
    ("cache = { lifetime = 0 }", "", "validators.accounts.cache.lifetime", "positive"),
    ("cache = { lifetime = 90 }\nmax_age = 60", "", "validators.accounts", "above max_age"),
    ("scopes = ['a\"b']", "", "validators.accounts", "RFC 6749"),
    ("profile = 'brazil'", "", "validators.accounts.algorithms", "does not allow"),
    (
        "profile = 'fapi1-advanced'\nbinding = 'ignore'",
        "",
        "validators.accounts.profile",
        "demands bound tokens",
    ),
    ("profile = 'rfc9068'\nallow_missing_exp = true", "", "validators.accounts.profile", "demands exp"),
    ("required_claims = ['a']\nforbidden_claims = ['a']", "", "validators.accounts", "both required and"),
    ("[stores.x]\nkind = 'memory'\nmax_entries = 0", "", "stores.x.max_entries", "from 1 to"),
    ("[stores.x]\nkind = 'redis'\nurl = 'ftp://x'", "", "stores.x", "URL"),
    ("[keys.x]\njwks_uri = 'http://x.example/jwks'", "", "keys.x", "http"),
    (
        "[keys.x]\njwks_uri = 'https://x'\nrefresh = { max_stale = 5 }",
        "",
        "keys.x.refresh.refresh_after",
        "below",
    ),
    ("[keys.x]\njwks_uri = 'https://x'\nheaders = { \"a\\nb\" = 'c' }", "", "keys.x.headers", "printable"),
    ("[keys.x]\npem_file = 'jwks.json'", "", "keys.x", "PEM"),
    ("[keys.x]\npem_file = 'plain.pem'", "", "keys.x", "private key"),
    ("[decryption_keys.x]\npem_file = 'encrypted.pem'", "", "decryption_keys.x", "password"),
    ("[decryption_keys.x]\njwks_file = 'jwks.json'", "", "decryption_keys.x", ""),
]


@pytest.mark.parametrize(("more", "keys", "place", "message"), REFUSED, ids=lambda part: str(part)[:60])
def test_what_is_refused_names_its_place(load: Any, more: str, keys: str, place: str, message: str) -> None:
    text = SMALL.replace('"jwks.json"', keys or '"jwks.json"') + more
    with pytest.raises(configuration.ConfigurationError) as caught:
        load(text)
    assert caught.value.place == place
    assert message in caught.value.message
    assert str(caught.value) == f"{place}: {caught.value.message}"
    assert caught.value.__cause__ is None
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.place, again.message) == (caught.value.place, caught.value.message)


@pytest.mark.parametrize("option", ["issuer", "audience", "keys", "algorithms"])
def test_mandatory_options(load: Any, option: str) -> None:
    lines = [line for line in SMALL.splitlines() if not line.startswith(f"{option} =")]
    with pytest.raises(configuration.ConfigurationError, match="is missing") as caught:
        load("\n".join(lines))
    assert caught.value.place == f"validators.accounts.{option}"


@pytest.mark.parametrize(
    "text",
    [
        "[keys.x]\nsecret = 'SECRET-TEXT-1234'\nalg = 'HS256'",
        "[keys.x]\npem = 'SECRET-TEXT-1234'",
        "[keys.x]\nk = 'SECRET-TEXT-1234'",
        "[decryption_keys.x]\npem_file = 'a'\npassword = 'SECRET-TEXT-1234'",
        "[stores.x]\nkind = 'redis'\nurl = 'redis://:SECRET-TEXT-1234@redis.example.com'",
        "[keys.x]\njwks_uri = 'https://user:SECRET-TEXT-1234@as.example.com/jwks'",
        "[keys.x]\njwks_uri = 'https://x'\nheaders = { Authorization = 'Bearer SECRET-TEXT-1234' }",
        "[keys.x]\njwks_uri = 'https://x'\ntransport = { proxy = 'http://u:SECRET-TEXT-1234@proxy:1' }",
        "[keys.x]\njwks_uri = 'https://x'\ntransport = { headers = { X-Api-Key = 'SECRET-TEXT-1234' } }",
        "[keys.x]\npem_file = '''-----BEGIN PRIVATE KEY-----\nSECRET-TEXT-1234'''",
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(
    load: Any, lint: Any, leaks_nothing: Any, text: str
) -> None:
    with pytest.raises(
        configuration.ConfigurationError, match="a secret does not belong into the file"
    ) as caught:
        load(text)
    leaks_nothing("SECRET-TEXT-1234", caught.value)
    found = [finding for finding in lint(text) if finding.rule == "secret-in-file"]
    assert [finding.place for finding in found] == [caught.value.place]
    assert "SECRET-TEXT" not in repr(lint(text))


@pytest.mark.parametrize(
    "text",
    [
        "SECRET-TEXT-1234 = 1\n[x]\n",
        "[keys.'SECRET TEXT 1234']\njwks_file = 'SECRET TEXT 1234'\n",
        "[keys.x]\nsecret_env = 'SECRET_TEXT_1234'\nalg = 'SECRET-TEXT-1234'\n",
        "[validators.x]\nkind = 'SECRET-TEXT-1234'\n",
        "[validators.x]\nkind = 'access_token'\nkeys = 'SECRET-TEXT-1234'\n",
        "[validators.x]\nkind = 'access_token'\nprofile = 'SECRET-TEXT-1234'\nbinding = 'SECRET-TEXT-1234'\n",
        "[keys.x]\nsecret_env = 'SHORT'\nalg = 'HS512'\n",
    ],
)
def test_values_are_not_repeated(load: Any, lint: Any, text: str) -> None:
    environment = {"SHORT": "SECRET-TEXT-1234"}
    with pytest.raises(configuration.ConfigurationError) as caught:
        load(text, environment=environment)
    for finding in (str(caught.value), *map(repr, lint(text, environment=environment))):
        assert "TEXT-1234" not in finding.replace("SECRET-TEXT-1234", "", int(text.startswith("SECRET")))
        assert "TEXT 1234" not in finding


def test_nothing_prints_a_secret(load: Any, everything: str, environment: dict[str, str]) -> None:
    made = load(everything)
    shown = repr(made) + repr(made.keys) + repr(made.stores) + repr(made.validators)
    assert not [name for name, secret in environment.items() if secret[:8] in shown]


def test_an_empty_file_configures_nothing(load: Any) -> None:
    made = load("\n")
    assert not made.validators
    assert made.server is None


def test_the_usual_cache_stays_nobodys_decision(load: Any) -> None:
    """A validator from a file behaves as one made with the same options and no others."""
    assert load(SMALL + "max_lifetime = 30").validators["accounts"].stats()["cache"] != {}
    assert DEFAULT_CACHE.lifetime > 30


leaves = st.one_of(
    st.text(max_size=8),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.sampled_from(["memory", "redis", "access_token", "main", "ES256", "jwks.json", *POLICIES]),
)
NAMES = """introspection_clients routers endpoint validator authentication local tenants each
keys stores server profiles audience_policies validators main kind issuer audience jwks_file
jwks_uri url algorithms leeway cache decryption replay derive kinds access_token source accept preset
parameters"""
names = st.sampled_from(NAMES.split())
documents = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names | st.text(max_size=4), inner)),
    max_leaves=24,
)


@given(st.dictionaries(names, documents, max_size=4))
def test_whatever_a_file_holds_is_judged(tmp_path_factory: Any, document: dict[str, Any]) -> None:
    """Any tables end in a configuration or a PolicyError, and the linter never fails on them."""
    from keybound.configuration.building import Builder
    from keybound.configuration.linter import findings_in
    from keybound.configuration.source import Source, check
    from keybound.configuration.tables import SECTIONS

    source = Source(document, Path("nowhere"))
    try:
        check(document)
        builder = Builder(source, environment={})
        for section in (section for section in SECTIONS if section != "server"):
            for name in builder.names(section):
                builder.named(section, name)
    except keybound.PolicyError:
        found = findings_in(source, {})
        assert any(finding.severity == "error" or finding.rule == "not-here" for finding in found)
    else:
        assert not [finding for finding in findings_in(source, {}) if finding.rule in ("form", "refused")]
