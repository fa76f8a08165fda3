"""A batch answers for each token what one call for it alone would."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import pytest

import keybound
from keybound.testing import CertificateAuthority, FakeClock, FakeIssuer, SigningKey, make_token

ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed448"]


@pytest.fixture(scope="module")
def world() -> dict[str, Any]:
    clock = FakeClock()
    issuer = FakeIssuer(alg="ES256", clock=clock)
    keys = {"ES256": issuer.key}
    for alg in ALGORITHMS:
        if alg != "ES256":
            keys[alg] = SigningKey.generate(alg, shared=alg.startswith(("RS", "PS")), kid=alg)
            issuer.publish(keys[alg])
    authority = CertificateAuthority()
    return {
        "clock": clock,
        "issuer": issuer,
        "keys": keys,
        "certificates": [authority.issue_client(f"client-{number}").der for number in range(3)],
    }


def validator(world: dict[str, Any], **options: Any) -> keybound.AccessTokenValidator:
    options = {"cache": None, "algorithms": ALGORITHMS} | options
    return keybound.AccessTokenValidator(
        issuer=world["issuer"].issuer,
        audience="https://rs.example.com",
        keys=keybound.JWKSet.from_json(world["issuer"].jwks()),
        clock=world["clock"],
        **options,
    )


def alone(judge: keybound.AccessTokenValidator, raw: Any, certificate: Any) -> Any:
    try:
        return judge.validate(raw, certificate=certificate)
    except keybound.TokenRejected as rejected:
        return rejected


def outcome(result: Any) -> Any:
    if isinstance(result, keybound.TokenRejected):
        return type(result), result.reason, result.claim
    return type(result), result.claims, result.header


def mixture(world: dict[str, Any], count: int) -> list[tuple[Any, Any]]:
    """Good, forged, stale and malformed tokens of every algorithm, each with some certificate."""
    pick = random.Random(count)
    issuer, certificates = world["issuer"], world["certificates"]
    pairs: list[tuple[Any, Any]] = []
    for _ in range(count):
        alg = pick.choice(ALGORITHMS)
        certificate = pick.choice([*certificates, None, b"x"])
        bound_to = certificate if certificate in certificates and pick.random() < 0.8 else None
        raw: Any = issuer.access_token(
            key=world["keys"][alg],
            certificate=bound_to,
            lifetime=pick.choice([300, 300, 300, -60]),
            audience=pick.choice(["https://rs.example.com"] * 4 + ["https://other.example.com"]),
        )
        change = pick.randrange(12)
        if change == 0:
            place = pick.randrange(len(raw))
            raw = raw[:place] + pick.choice("Aa0_.") + raw[place + 1 :]
        elif change == 1:
            raw = pick.choice(
                [None, "", 5, "a.b", "a.b.c.d.e", "é.b.c", "x" * 20_000, raw + "=", raw.encode()]
            )
        pairs.append((raw, certificate))
    return pairs


@pytest.mark.parametrize(
    ("count", "threads"), [*product([1, 2, 63, 64, 65, 400], [1, 2, 5]), (1000, 2), (1000, 64)]
)
def test_each_result_is_that_of_one_call(world: dict[str, Any], count: int, threads: int) -> None:
    """P7: one native call for a batch, on as many cores as it is given."""
    judge, pairs = validator(world), mixture(world, count)
    expected = [outcome(alone(judge, raw, certificate)) for raw, certificate in pairs]
    results = judge.validate_many(
        (raw for raw, _ in pairs), certificates=(certificate for _, certificate in pairs), threads=threads
    )
    assert [outcome(result) for result in results] == expected


def test_the_mixture_holds_both_kinds(world: dict[str, Any]) -> None:
    judge = validator(world)
    outcomes = [alone(judge, raw, certificate) for raw, certificate in mixture(world, 400)]
    accepted = sum(isinstance(result, keybound.AccessToken) for result in outcomes)
    reasons = {result.reason for result in outcomes if isinstance(result, keybound.TokenRejected)}
    assert accepted > 40
    assert len(reasons) >= 8


@pytest.mark.parametrize("place", [0, 150, 299])
def test_an_error_of_the_caller_among_many(world: dict[str, Any], place: int) -> None:
    judge, raws = validator(world), [world["issuer"].access_token() for _ in range(300)]
    proofs: list[Any] = [None] * 300
    proofs[place] = object()
    with pytest.raises(keybound.PolicyError):
        judge.validate_many(raws, dpop_proofs=proofs, threads=4)
    assert all(isinstance(token, keybound.AccessToken) for token in judge.validate_many(raws, threads=4))


def test_without_certificates_a_bound_token_is_rejected(world: dict[str, Any]) -> None:
    issuer = world["issuer"]
    raws = [issuer.access_token(), issuer.access_token(certificate=world["certificates"][0])]
    bearer, bound = validator(world).validate_many(raws)
    assert isinstance(bearer, keybound.AccessToken)
    assert isinstance(bound, keybound.TokenRejected)
    assert bound.reason is keybound.Reason.CERTIFICATE_MISSING


def test_an_empty_batch_has_no_results(world: dict[str, Any]) -> None:
    assert validator(world).validate_many([]) == []


def test_one_forged_signature_spoils_no_other_of_its_key(world: dict[str, Any]) -> None:
    # Signatures of one key share an inversion: zeros, and a number that is no residue, stand among good ones.
    issuer, key = world["issuer"], world["issuer"].key
    good = [issuer.access_token() for _ in range(40)]
    spoilt = list(good)
    forgeries = [b"\0" * 64, b"\xff" * 64, b"\0" * 32 + b"\x01" * 32, b"\x01" * 32 + b"\0" * 32, b""]
    for place, signature in zip(range(3, 40, 8), forgeries, strict=True):
        header, payload, _ = good[place].split(".")
        spoilt[place] = make_token(header, payload, key, signature=signature)
    results = validator(world).validate_many(spoilt, threads=1)
    rejected = [place for place, result in enumerate(results) if isinstance(result, keybound.TokenRejected)]
    assert rejected == list(range(3, 40, 8))


def test_a_batch_fills_the_cache_and_is_served_from_it(world: dict[str, Any]) -> None:
    judge = validator(world, cache=keybound.CacheSettings())
    certificate, other = world["certificates"][:2]
    raws = [world["issuer"].access_token(certificate=certificate) for _ in range(10)]
    first = judge.validate_many(raws, certificates=[certificate] * 10)
    second = judge.validate_many(raws, certificates=[certificate] * 10)
    assert all(cached is fresh for cached, fresh in zip(second, first, strict=True))
    assert judge.stats()["cache"]["hits"] == 10
    stolen = judge.validate_many(raws, certificates=[other] * 10)
    assert {result.reason for result in stolen if isinstance(result, keybound.TokenRejected)} == {
        keybound.Reason.CERTIFICATE_MISMATCH
    }
    assert len(stolen) == 10


def test_required_claims_are_named(world: dict[str, Any]) -> None:
    judge = validator(world, required_claims=["tenant"])
    (rejected,) = judge.validate_many([world["issuer"].access_token()])
    assert isinstance(rejected, keybound.ClaimRejected)
    assert rejected.claim == "tenant"


@pytest.mark.parametrize(
    "options",
    [
        {"certificates": []},
        {"certificates": [None, None]},
        {"threads": 0},
        {"threads": True},
        {"threads": 1.5},
        {"threads": 100_000},
    ],
)
def test_what_makes_no_sense_is_refused(world: dict[str, Any], options: dict[str, Any]) -> None:
    with pytest.raises(keybound.PolicyError):
        validator(world).validate_many([world["issuer"].access_token()], **options)


@pytest.mark.parametrize("raws", [None, 5])
def test_tokens_come_as_an_iterable(world: dict[str, Any], raws: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        validator(world).validate_many(raws)
