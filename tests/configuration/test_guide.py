"""The example in the guide to configuration files is a good one."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import keybound
from keybound import configuration, toml
from keybound.configuration import schema_text
from keybound.configuration.schema import generated_schema
from keybound.testing import FakeIssuer

GUIDE = Path(__file__).parents[2] / "src/keybound/configuration/README.md"
FILES = {
    "ca.pem": "ca.pem",
    "client-1.json": "jwks.json",
    "decryption.pem": "encrypted.pem",
    "rs-1.pem": "plain.pem",
}


@pytest.fixture
def example(tmp_path: Path, directory: Path) -> Path:
    """The file of the guide, among what it names."""
    (text,) = re.findall(r"^```toml\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    for name, like in FILES.items():
        shutil.copy(directory / like, tmp_path / name)
    path = tmp_path / "gateway.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def variables(environment: dict[str, str]) -> dict[str, str]:
    return {
        "PORTAL_SECRET": environment["CLIENT_SECRET"],
        "PORTAL_SECRET_BEFORE": environment["FORMER_SECRET"],
        "DECRYPTION_PASSWORD": environment["PASSWORD"],
        "REDIS_URL": environment["REDIS_URL"],
    }


def test_it_can_be_loaded(example: Path, variables: dict[str, str]) -> None:
    made = configuration.load(example, environment=variables)
    assert {name: type(validator).__name__ for name, validator in made.validators.items()} == {
        "accounts": "AccessTokenValidator",
        "deployments": "AccessTokenValidator",
        "proofs": "DPoPProofValidator",
        "client-1": "ClientAssertionValidator",
        "portal": "ClientAssertionValidator",
        "answers": "IntrospectionResponseValidator",
    }
    assert list(made.introspection_clients) == ["opaque"]
    assert {name: len(router.validators) for name, router in made.routers.items()} == {
        "gateway": 2,
        "workforce": 2,
    }
    assert list(made.audience_reports) == ["portal"]
    assert made.validators["accounts"].policy.max_lifetime == 600


def test_the_linter_finds_nothing(example: Path, variables: dict[str, str]) -> None:
    assert configuration.lint(example, environment=variables) == ()


def test_the_linter_needs_neither_secrets_nor_keys(example: Path) -> None:
    for name in FILES:
        example.with_name(name).unlink()
    found = configuration.lint(example, environment={})
    assert {finding.rule for finding in found} == {"not-here"}


def test_the_schema_accepts_it(example: Path) -> None:
    schema: Any = generated_schema()
    jsonschema.Draft202012Validator(schema).validate(toml.loads(example.read_text(encoding="utf-8")))
    assert schema_text().startswith("{")


def test_its_validators_validate(tmp_path: Path, example: Path, variables: dict[str, str]) -> None:
    issuer = FakeIssuer("https://as.example.com", alg="ES256")
    example.with_name("accounts.json").write_text(json.dumps(issuer.jwks()))
    text = example.read_text(encoding="utf-8")
    text = text.replace('jwks_uri = "https://as.example.com/jwks"', 'jwks_file = "accounts.json"')
    text = re.sub(r"^(refresh|transport|shared|decryption) = .*$", "", text, flags=re.MULTILINE)
    accounts = configuration.load(text, directory=tmp_path, environment=variables).validators["accounts"]
    with pytest.raises(keybound.TokenRejected, match="cnf_missing"):
        accounts.validate(issuer.access_token(audience="https://rs.example.org/", lifetime=300))
