"""Keybound's own hot functions, one benchmark each, every result checked."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from cases import Case, make_case
from peers import access_token_validator
from pytest_benchmark.fixture import BenchmarkFixture

import keybound
from keybound._hotpath import base64url, strict_json
from keybound.jose.algorithms import ALGORITHMS
from keybound.testing import SigningKey, dpop_proof

DEPTH = 32


def validator_for(case: Case) -> keybound.AccessTokenValidator:
    validator: keybound.AccessTokenValidator = access_token_validator(case)
    return validator


@pytest.fixture(scope="module")
def case() -> Case:
    return make_case("ES256")


@pytest.fixture
def payload(case: Case) -> bytes:
    text = base64url.decode(case.good[0][0].split(".")[1])
    assert text is not None
    return text


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_validate(benchmark: BenchmarkFixture, algorithm: str) -> None:
    case = make_case(algorithm)
    validator = validator_for(case)
    token, claims = case.good[0]
    verified: keybound.AccessToken = benchmark(validator.validate, token, certificate=case.certificate_der)
    assert verified.claims == claims


def test_reject_bad_signature(benchmark: BenchmarkFixture, case: Case) -> None:
    validator = validator_for(case)
    token = case.bad["flipped bit in the signature"]

    def reject() -> keybound.Reason:
        try:
            validator.validate(token, certificate=case.certificate_der)
        except keybound.TokenRejected as rejected:
            return rejected.reason
        raise AssertionError("a forged token was accepted")

    assert benchmark(reject) is keybound.Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("known", [False, True], ids=["new key", "known key"])
def test_dpop_proof(benchmark: BenchmarkFixture, known: bool) -> None:
    proofs = keybound.DPoPProofValidator(algorithms=["ES256"], replay=None)
    regular = SigningKey.generate("ES256")

    def fresh() -> tuple[tuple[str], dict[str, str]]:
        raw = dpop_proof(regular if known else SigningKey.generate("ES256"), access_token="token")
        url = "https://rs.example.com/resource"
        return (raw,), {"method": "GET", "url": url, "access_token": "token"}

    proof = benchmark.pedantic(proofs.validate, setup=fresh, rounds=200)  # type: ignore[no-untyped-call]
    assert (proof.thumbprint == regular.thumbprint) is known


def test_read_claims(benchmark: BenchmarkFixture, case: Case) -> None:
    validator = validator_for(case)
    token, claims = case.good[0]

    def fresh() -> tuple[tuple[keybound.AccessToken], dict[str, Any]]:
        # The claims of a token are parsed once; only the first reading is of interest.
        return (validator.validate(token, certificate=case.certificate_der),), {}

    def read(verified: keybound.AccessToken) -> Any:
        return verified.claims

    verdict = benchmark.pedantic(read, setup=fresh, rounds=1000)  # type: ignore[no-untyped-call]
    assert verdict == claims


def test_base64url_decode(benchmark: BenchmarkFixture, case: Case) -> None:
    segment = case.good[0][0].split(".")[1]
    assert json.loads(benchmark(base64url.decode, segment)) == case.good[0][1]


def test_base64url_encode(benchmark: BenchmarkFixture, case: Case, payload: bytes) -> None:
    assert benchmark(base64url.encode, payload) == case.good[0][0].split(".")[1]


def test_strict_json_loads(benchmark: BenchmarkFixture, case: Case, payload: bytes) -> None:
    assert benchmark(strict_json.loads, payload, DEPTH) == (keybound.Reason.OK, case.good[0][1])


def test_certificate_thumbprint(benchmark: BenchmarkFixture, case: Case) -> None:
    thumbprint = benchmark(keybound.thumbprint, case.certificate_der)
    assert base64url.decode(thumbprint) == hashlib.sha256(case.certificate_der).digest()
    assert thumbprint == case.good[0][1]["cnf"]["x5t#S256"]
