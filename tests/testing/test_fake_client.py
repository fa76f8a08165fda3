"""A client in memory: what it signs is what the specifications ask for, and what a test asks for instead."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from keybound.errors import PolicyError
from keybound.testing import OMIT, FakeClient, FakeClock, SigningKey

NOW = 1_700_000_000


def part(token: str, number: int) -> dict[str, Any]:
    segment = token.split(".")[number]
    members: dict[str, Any] = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return members


@pytest.fixture
def client() -> FakeClient:
    return FakeClient("client-1", clock=FakeClock(NOW + 0.9))


def test_assertion(client: FakeClient) -> None:
    token = client.assertion(audience="https://as.example.com/token")
    claims = part(token, 1)
    assert isinstance(claims.pop("jti"), str)
    assert part(token, 0) == {"alg": "ES256", "typ": "JWT", "kid": client.key.kid}
    assert claims == {
        "iss": "client-1",
        "sub": "client-1",
        "aud": "https://as.example.com/token",
        "iat": NOW,
        "exp": NOW + 60,
    }


def test_request_object(client: FakeClient) -> None:
    token = client.request_object(state=OMIT, max_age=60, lifetime=-5)
    claims = part(token, 1)
    assert part(token, 0)["typ"] == "oauth-authz-req+jwt"
    assert (claims["iss"], claims["client_id"], claims["max_age"]) == ("client-1", "client-1", 60)
    assert (claims["nbf"], claims["iat"], claims["exp"]) == (NOW, NOW, NOW - 5)
    assert not {"sub", "state"} & set(claims)


def test_identifiers_are_unique(client: FakeClient) -> None:
    for make in (client.assertion, client.request_object):
        assert len({part(make(), 1)["jti"] for _ in range(50)}) == 50


def test_a_secret_has_no_kid() -> None:
    client = FakeClient(alg="HS256")
    assert part(client.assertion(), 0) == {"alg": "HS256", "typ": "JWT"}
    assert part(client.assertion(header={"kid": "k"}), 0)["kid"] == "k"
    assert part(client.assertion(key=SigningKey.generate("ES256", kid="e")), 0)["kid"] == "e"


def test_keys_change(client: FakeClient) -> None:
    old = client.key
    new = client.rotate(alg="PS256")
    assert [key["kid"] for key in client.jwks()["keys"]] == [old.kid, new.kid]
    assert part(client.assertion(), 0)["alg"] == "PS256"
    client.rotate(keep_previous=False)
    assert [key["kid"] for key in client.jwks()["keys"]] == [client.key.kid]
    with pytest.raises(PolicyError):
        FakeClient(alg="none")


def test_what_it_shows(client: FakeClient) -> None:
    assert repr(client) == "FakeClient('client-1')"
