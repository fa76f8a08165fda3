"""Examples of RFC 9470 (Step Up Authentication Challenge Protocol): figures 2, 3 and 6."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from keybound.testing import FakeClock, SigningKey, make_token

KEY = SigningKey.generate("ES256", kid="LTacESbw")
# 6.1, figure 6.
HEADER = {"typ": "at+JWT", "alg": "ES256", "kid": "LTacESbw"}
CLAIMS = {
    "iss": "https://as.example.net",
    "sub": "someone@example.net",
    "aud": "https://rs.example.com",
    "exp": 1646343000,
    "iat": 1646340200,
    "jti": "e1j3V_bKic8-LAEB_lccD0G",
    "client_id": "s6BhdRkqt3",
    "scope": "purchase",
    "auth_time": 1646340198,
    "acr": "myACR",
}


def require(package: ModuleType, claims: dict[str, Any], *, now: float = 1646340200, **demands: Any) -> Any:
    validator = package.AccessTokenValidator(
        issuer="https://as.example.net",
        audience="https://rs.example.com",
        keys=package.JWKSet.from_json(KEY.public_jwk()),
        algorithms=["ES256"],
        profile=package.profiles.RFC9068,
        leeway=0,
        clock=FakeClock(now),
    )
    token = validator.validate(make_token(HEADER, claims, KEY))
    return validator.require(token, package.Demands(**demands))


def challenged(package: ModuleType, claims: dict[str, Any], **options: Any) -> dict[str, str]:
    """The parameters of the challenge."""
    with pytest.raises(package.InsufficientScope) as caught:
        require(package, claims, **options)
    assert caught.value.status == 401
    scheme, _, parameters = caught.value.challenge().partition(" ")
    assert scheme == "Bearer"
    pairs = [parameter.split("=", 1) for parameter in parameters.split(", ")]
    return {name: value.strip('"') for name, value in pairs}


def test_the_token(package: ModuleType) -> None:
    assert require(package, CLAIMS, scopes="purchase", acr_values="myACR", max_age=5).subject


def test_another_level(package: ModuleType) -> None:
    """Section 3, figure 2."""
    found = challenged(package, CLAIMS | {"acr": "0"}, acr_values="myACR")
    assert found.pop("error_description")
    assert found == {"error": "insufficient_user_authentication", "acr_values": "myACR"}


def test_a_more_recent_authentication(package: ModuleType) -> None:
    """Section 3, figure 3; a token without the time is no proof of it."""
    assert require(package, CLAIMS, now=1646340203, max_age=5)
    without = {name: value for name, value in CLAIMS.items() if name != "auth_time"}
    for claims, now in ((CLAIMS, 1646340204), (without, 1646340200)):
        found = challenged(package, claims, now=now, max_age=5)
        assert found.pop("error_description")
        assert found == {"error": "insufficient_user_authentication", "max_age": "5"}


def test_both_and_the_scope(package: ModuleType) -> None:
    """Section 3: all three may occur in the same challenge."""
    found = challenged(package, CLAIMS, scopes="refund", acr_values="other myACR2", max_age=5)
    assert (found["acr_values"], found["max_age"], found["scope"]) == ("other myACR2", "5", "refund")
