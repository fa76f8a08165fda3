"""Introspection clients from a file ask a real server, and prove who they are as the file says."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import keybound
from keybound import configuration
from keybound.testing import CertificateAuthority, IssuerServer, SigningKey

AUTHORITY = CertificateAuthority()
CLIENT = AUTHORITY.issue_client("rs-1")
KEY = SigningKey.generate("ES256")
PEM = KEY.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
TOKEN = "2YotnFZFEjr1zCsicMWpAA"
SECRET = "p\u00e4ss w+rd"

FILE = """
[keys.main]
jwks_file = "jwks.json"

[validators.answers]
kind = "introspection_response"
issuer = "https://as.example.com"
audience = "https://rs.example.org/"
required_claims = "exp"

[validators.accounts]
kind = "access_token"
issuer = "https://as.example.com"
audience = "https://rs.example.org/"
keys = "main"
algorithms = ["ES256"]

[introspection_clients.opaque]
endpoint = "ENDPOINT"
validator = "answers"
transport = { ca_file = "authority.pem" }
parameters = { resource = "https://rs.example.org/" }
authentication = { method = "client_secret_basic", client_id = "rs-1", client_secret_env = "RS_SECRET" }
"""
AUTHENTICATION = FILE.splitlines()[-1]


@pytest.fixture
def server() -> Iterator[IssuerServer]:
    with IssuerServer(authority=AUTHORITY, client_auth="optional") as server:
        yield server


@pytest.fixture
def made(server: IssuerServer, directory: Path, issuer: Any, clock: Any) -> Any:
    """``made(...)``: the client of the file above, with other lines in place of some."""
    (directory / "authority.pem").write_bytes(AUTHORITY.pem)
    (directory / "rs.pem").write_bytes(CLIENT.pem)
    (directory / "rs.key").write_bytes(CLIENT.private_key_pem)
    (directory / "rs-secret").write_text(SECRET + "\n", encoding="utf-8")
    (directory / "bytes").write_bytes(b"\xff" * 40)
    (directory / "rs-assertion.pem").write_bytes(PEM)
    server.answers[TOKEN] = issuer.introspection_response(audience="https://rs.example.org/")

    def made(changes: dict[str, str] | None = None, **options: Any) -> keybound.IntrospectionClient:
        text = FILE.replace("ENDPOINT", server.introspection_endpoint)
        for old, new in (changes or {}).items():
            assert old in text
            text = text.replace(old, new)
        found = configuration.load(
            text,
            directory=directory,
            environment={"RS_SECRET": SECRET, "RS_KEY": PEM.decode()},
            clock=clock,
            **options,
        )
        return found.introspection_clients["opaque"]

    return made


def test_it_asks(made: Any, server: IssuerServer) -> None:
    """P34: from a file, for threads and event loops, with what the file says."""
    client = made()
    assert client.validate(TOKEN).subject == "user-1"
    assert asyncio.run(client.avalidate(TOKEN)).subject == "user-1"
    (request,) = server.requests
    assert request.form["resource"] == "https://rs.example.org/"
    assert base64.b64decode(request.headers["authorization"].partition(" ")[2]) == b"rs-1:p%C3%A4ss+w%2Brd"
    with pytest.raises(keybound.TokenRejected, match="token_inactive"):
        client.validate("unknown")


def test_the_cache_is_that_of_the_file(made: Any, server: IssuerServer) -> None:
    uncached = made({AUTHENTICATION: AUTHENTICATION + "\ncache = false"})
    uncached.validate(TOKEN)
    uncached.validate(TOKEN)
    assert server.count("/introspect") == 2


def test_its_validator_is_that_of_the_file(made: Any, server: IssuerServer, issuer: Any) -> None:
    del server.answers[TOKEN]["exp"]  # type: ignore[attr-defined]
    with pytest.raises(keybound.TokenRejected, match="exp_missing"):
        made().validate(TOKEN)


def test_local_tokens(made: Any, server: IssuerServer, issuer: Any) -> None:
    raw = issuer.access_token(audience="https://rs.example.org/", lifetime=300)
    client = made({AUTHENTICATION: AUTHENTICATION + '\nlocal = "accounts"'}, only="opaque")
    assert client.validate(raw).subject
    assert client.local.stats()["accepted"] == 1
    assert server.count() == 0


@pytest.mark.parametrize("where", ['client_secret_env = "RS_SECRET"', 'client_secret_file = "rs-secret"'])
def test_a_secret_in_the_body(made: Any, server: IssuerServer, where: str) -> None:
    """The line break that an editor puts at the end of a file is no part of the secret."""
    shown = f'authentication = {{ method = "client_secret_post", client_id = "rs-1", {where} }}'
    made({AUTHENTICATION: shown}).validate(TOKEN)
    form = server.requests[0].form
    assert (form["client_id"], form["client_secret"]) == ("rs-1", SECRET)


@pytest.mark.parametrize("where", ['private_key_env = "RS_KEY"', 'private_key_file = "rs-assertion.pem"'])
def test_an_assertion(made: Any, server: IssuerServer, clock: Any, where: str) -> None:
    """With the clock of the file's validators, and everything that the table says."""
    shown = f"""
[introspection_clients.opaque.authentication]
method = "private_key_jwt"
client_id = "rs-1"
{where}
alg = "ES256"
audience = "https://as.example.com"
typ = "client-authentication+jwt"
kid = "1"
lifetime = 30
"""
    made({AUTHENTICATION: shown}).validate(TOKEN)
    judge = keybound.ClientAssertionValidator(
        client_id="rs-1",
        keys=keybound.JWKSet.from_json({"keys": [KEY.public_jwk() | {"kid": "1"}]}),
        algorithms=["ES256"],
        audience="https://as.example.com",
        explicit_typing=True,
        max_lifetime=30,
        clock=clock,
        replay=keybound.stores.MemoryReplayStore(),
    )
    assert judge.validate_form(server.requests[0].form, endpoint="introspection_endpoint").client_id == "rs-1"


@pytest.mark.parametrize("method", ["tls_client_auth", "self_signed_tls_client_auth"])
def test_a_certificate(made: Any, server: IssuerServer, method: str) -> None:
    changes = {
        AUTHENTICATION: f'authentication = {{ method = "{method}", client_id = "rs-1" }}',
        'ca_file = "authority.pem"': 'ca_file = "authority.pem", client_certificate = ["rs.pem", "rs.key"]',
    }
    made(changes).validate(TOKEN)
    assert server.requests[0].certificate == CLIENT.der
    assert server.requests[0].form["client_id"] == "rs-1"


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ('validator = "answers"', 'validator = "accounts"', "validator", "kind introspection_response"),
        ('validator = "answers"', 'validator = "nobody"', "validator", "must be a name in"),
        ('validator = "answers"', 'validator = "answers"\nlocal = "answers"', "local", "kind access_token"),
        ('validator = "answers"\n', "", "validator", "is missing"),
        (AUTHENTICATION, "", "authentication", "is missing"),
        ("client_secret_basic", "none", "authentication.method", "must be one of client_secret_basic"),
        ("client_secret_env", "secret_env", "authentication.secret_env", "is not known here"),
        ("RS_SECRET", "NO_SUCH", "authentication.client_secret_env", "is not set"),
        ("client_secret_basic", "tls_client_auth", "authentication.client_secret_env", "is not known here"),
        (
            AUTHENTICATION,
            'authentication = { method = "tls_client_auth", client_id = "rs-1" }',
            "transport",
            "needs a client_certificate",
        ),
        (
            AUTHENTICATION,
            'authentication = { method = "client_secret_post", client_id = "a", '
            'client_secret_file = "bytes" }',
            "authentication",
            "text in UTF-8",
        ),
        (
            AUTHENTICATION,
            'authentication = { method = "private_key_jwt", client_id = "a", alg = "ES256", audience = "b", '
            'private_key_file = "rs-secret" }',
            "authentication",
            "private key in PEM",
        ),
        (
            AUTHENTICATION,
            'authentication = { method = "private_key_jwt", client_id = "a", alg = "HS256", audience = "b", '
            'private_key_file = "rs-assertion.pem" }',
            "authentication.alg",
            "must be one of",
        ),
        ("https://127", "http://127", "", "http"),
        (AUTHENTICATION, AUTHENTICATION + "\nconnect_timeout = 0", "connect_timeout", "above 0"),
        (AUTHENTICATION, AUTHENTICATION + "\ncache = { lifetime = 0 }", "cache.lifetime", "positive"),
        ("[introspection_clients.opaque]", "[introspection_clients.accounts]", None, "take another name"),
    ],
    ids=lambda part: str(part)[:60],
)
def test_what_is_refused(made: Any, old: str, new: str, place: str | None, message: str) -> None:
    with pytest.raises(configuration.ConfigurationError) as caught:
        made({old: new})
    assert message in caught.value.message
    expected = "introspection_clients.accounts" if place is None else f"introspection_clients.opaque.{place}"
    assert caught.value.place == expected.rstrip(".")


@pytest.mark.parametrize(
    "line",
    [
        'client_secret = "SECRET-TEXT"',
        'private_key = "SECRET-TEXT"',
        'private_key_file = "-----BEGIN PRIVATE KEY-----SECRET-TEXT"',
    ],
)
def test_a_secret_in_the_file_itself(made: Any, lint: Any, leaks_nothing: Any, line: str) -> None:
    shown = f'authentication = {{ method = "client_secret_basic", client_id = "rs-1", {line} }}'
    with pytest.raises(configuration.ConfigurationError, match="does not belong into the file") as caught:
        made({AUTHENTICATION: shown})
    leaks_nothing("SECRET-TEXT", caught.value)
    found = lint(FILE.replace(AUTHENTICATION, shown))
    assert "secret-in-file" in [finding.rule for finding in found]


def test_nothing_prints_the_secret(made: Any) -> None:
    client = made()
    assert "p\u00e4ss" not in repr(client) + repr(client._authentication)
