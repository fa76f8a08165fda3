"""A directory with the files that configurations of these tests name."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from keybound import configuration
from keybound.testing import CertificateAuthority, FakeClock, FakeIssuer, SigningKey

ENVIRONMENT = {
    "CLIENT_SECRET": "s3cr3t-" * 8,
    "FORMER_SECRET": "f0rm3r-" * 8,
    "PASSWORD": "p4ssw0rd",
    "REDIS_URL": "redis://user:p4ssw0rd@redis.example.com/0",
}

POLICY = """
name = "anything"
source = "another handbook"
[client_assertion.token_endpoint]
accept = ["token_endpoint"]
"""


@pytest.fixture(scope="session")
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def issuer(clock: FakeClock) -> FakeIssuer:
    return FakeIssuer("https://as.example.com", alg="ES256", clock=clock)


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    return dict(ENVIRONMENT)


@pytest.fixture(scope="session")
def everything() -> str:
    text = Path(__file__).with_name("everything.toml").read_text(encoding="utf-8")
    # A platform that does not tell who owns a directory has no directories to share.
    own = 'kind = "directory"\npath = "shared"\n'
    assert own in text
    return text if hasattr(os, "geteuid") else text.replace(own, 'kind = "redis"\nurl_env = "REDIS_URL"\n')


@pytest.fixture(scope="session")
def directory(issuer: FakeIssuer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("configuration")
    authority = CertificateAuthority()
    client = authority.issue_client("gateway")
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encrypted = private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(ENVIRONMENT["PASSWORD"].encode())
    )
    curve = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    plain = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for name, data in {
        "jwks.json": json.dumps(issuer.jwks()).encode(),
        "rsa.json": json.dumps(SigningKey.generate("RS256", kid="r").public_jwk()).encode(),
        "key.pem": issuer.key.public_pem(),
        "secret": b"0123456789" * 4,
        "octets": bytes(range(16)),
        "encrypted.pem": encrypted,
        "plain.pem": plain,
        "private.json": json.dumps(private_jwk(curve)).encode(),
        "ca.pem": authority.pem,
        "client.pem": client.pem,
        "client.key": client.private_key_pem,
        "policy.toml": POLICY.encode(),
        "metadata.json": b'{"issuer": "https://as.example.com", "token_endpoint": "https://as.example.com/t"}',
    }.items():
        (place / name).write_bytes(data)
    return place


def private_jwk(numbers: Any) -> dict[str, str]:
    from keybound._hotpath import base64url

    octets = {"x": numbers.public_numbers.x, "y": numbers.public_numbers.y, "d": numbers.private_value}
    members = {name: base64url.encode(value.to_bytes(32, "big")) for name, value in octets.items()}
    return {"kty": "EC", "crv": "P-256", **members}


@pytest.fixture
def load(directory: Path) -> Callable[..., configuration.Configuration]:
    """``load(text)``: a configuration beside the files that these tests name."""

    def load(text: str, **options: Any) -> configuration.Configuration:
        return configuration.load(
            text.encode(), **{"directory": directory, "environment": ENVIRONMENT} | options
        )

    return load


@pytest.fixture
def lint(directory: Path) -> Callable[..., tuple[configuration.Finding, ...]]:
    """``lint(text)``: findings in a configuration beside the files that these tests name."""

    def lint(text: str, **options: Any) -> tuple[configuration.Finding, ...]:
        return configuration.lint(
            text.encode(), **{"directory": directory, "environment": ENVIRONMENT} | options
        )

    return lint
