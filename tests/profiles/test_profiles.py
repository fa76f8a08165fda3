"""Profiles as data: what each one sets, on tokens of its own."""

from __future__ import annotations

from typing import Any

import pytest

import keybound
from keybound import profiles
from keybound.errors import Reason
from keybound.testing import FakeIssuer

FAPI = (
    "fapi1-advanced",
    "fapi2-draft",
    "fapi2",
    "fapi2-mtls-everywhere",
    "fapi2-message-signing",
    "fapi-ciba",
)
ECOSYSTEMS = ("brazil", "uk", "cdr", "connectid")
MTLS_ENDPOINTS = {
    "where-needed": {"fapi1-advanced", "fapi2"},
    "aliases": {"brazil", "uk", "cdr", "connectid"},
    "root": {"fapi2-mtls-everywhere"},
}


def validator(world: Any, issuer: FakeIssuer, name: str, **options: Any) -> keybound.AccessTokenValidator:
    return keybound.AccessTokenValidator(
        issuer=issuer.issuer,
        audience="https://rs.example.com",
        keys=keybound.JWKSet.from_json(issuer.jwks()),
        profile=profiles.PROFILES[name],
        clock=world.clock,
        **options,
    )


@pytest.mark.parametrize("name", [*FAPI, *ECOSYSTEMS])
@pytest.mark.parametrize("alg", ["PS256", "ES256", "EdDSA", "RS256", "ES384"])
def test_algorithms_of_fapi(world: Any, name: str, alg: str) -> None:
    """Checklist 1 and 3: RS256 is refused in FAPI; an ecosystem may allow less."""
    issuer = FakeIssuer(alg=alg, clock=world.clock)
    raw = issuer.access_token(certificate=world.client)
    judge = validator(world, issuer, name)
    if alg in (profiles.PROFILES[name].algorithms or ()):
        assert judge.validate(raw, certificate=world.client.der)
        return
    with pytest.raises(keybound.TokenRejected) as caught:
        judge.validate(raw, certificate=world.client.der)
    assert caught.value.reason is Reason.ALG_NOT_ALLOWED


@pytest.mark.parametrize("name", [*FAPI, *ECOSYSTEMS])
def test_tokens_of_fapi_are_bound(world: Any, name: str) -> None:
    """S003-05: a profile that demands bound tokens rejects one without cnf, and one without a certificate."""
    issuer = FakeIssuer(alg="PS256", clock=world.clock)
    judge = validator(world, issuer, name)
    assert judge.validate(issuer.access_token(certificate=world.client), certificate=world.client.der)
    for raw, certificate, reason in (
        (issuer.access_token(), world.client.der, Reason.CNF_MISSING),
        (issuer.access_token(certificate=world.client), None, Reason.CERTIFICATE_MISSING),
        (issuer.access_token(certificate=world.client), world.stranger.der, Reason.CERTIFICATE_MISMATCH),
    ):
        with pytest.raises(keybound.TokenRejected) as caught:
            judge.validate(raw, certificate=certificate)
        assert caught.value.reason is reason


def test_endpoints_over_mutual_tls() -> None:
    """S000-18: each ecosystem says which endpoints of the metadata are meant."""
    for mode, names in MTLS_ENDPOINTS.items():
        assert {name for name in names if profiles.PROFILES[name].mtls_endpoints == mode} == names


def test_every_audience_policy_that_is_named_exists() -> None:
    named = {profile.audience_policy for profile in profiles.PROFILES.values()} - {None}
    assert named <= set(keybound.audience.POLICIES)


@pytest.mark.parametrize("name", profiles.PROFILES)
def test_demands_on_every_kind_can_be_met(name: str) -> None:
    """A policy refuses contradictions when it is made; no profile brings one along."""
    profile = profiles.PROFILES[name]
    for kind in keybound.TokenKind:
        made = keybound.policy.TokenPolicy.create(
            kind, profile=profile, algorithms_=profile.algorithms or ["PS256"], issuer="i", audience="a"
        )
        assert made.claim_rules()


@pytest.mark.parametrize(
    ("name", "required"),
    [
        ("fapi1-advanced", {"iss", "aud", "exp", "nbf"}),
        ("fapi2-message-signing", {"iss", "aud", "exp", "nbf"}),
        ("ciba", {"iss", "aud", "exp", "iat", "nbf", "jti"}),
        ("fapi-ciba", {"iss", "aud", "exp", "iat", "nbf", "jti"}),
    ],
)
def test_request_objects(name: str, required: set[str]) -> None:
    rules = profiles.PROFILES[name].rules(keybound.TokenKind.REQUEST_OBJECT)
    assert set(rules.required_claims) == required
    if name != "ciba":
        assert (rules.max_expiry_distance, rules.max_nbf_age) == (3600, 3600)


def test_typed_request_objects_in_new_deployments_alone() -> None:
    """S002-09: typ is enforced in the profiles for new deployments, and off by default."""
    for name, profile in profiles.PROFILES.items():
        rules = profile.rules(keybound.TokenKind.REQUEST_OBJECT)
        assert rules.typ_required is (name == "fapi2-message-signing")


def test_derived_profiles_leave_their_origin_alone() -> None:
    own = profiles.FAPI2.derive(
        name="own",
        source="our handbook",
        algorithms=("ES256",),
        kinds={keybound.TokenKind.ACCESS_TOKEN: {"max_lifetime": 600.0}},
    )
    assert own.rules(keybound.TokenKind.ACCESS_TOKEN).max_lifetime == 600
    assert profiles.FAPI2.rules(keybound.TokenKind.ACCESS_TOKEN).max_lifetime is None
    assert own.binding == "required"
