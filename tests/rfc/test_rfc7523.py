"""The examples of RFC 7523 (JWT profile for client authentication), sections 2.2 and 4."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Any
from urllib.parse import parse_qsl

import pytest

from keybound import CLIENT_ASSERTION_TYPE, ClientAssertionValidator, JWKSet, Reason, TokenRejected
from keybound.testing import FakeClient, FakeClock, SigningKey, make_token

# Section 2.2, without the line breaks; the assertion is abridged there after its header.
HEADER = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjIyIn0"
FORM = (
    "grant_type=authorization_code&"
    "code=n0esc3NRze7LTCu7iYzS6a5acc3f0ogp4&"
    "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&"
    "client_assertion="
)
# Section 4: an authorization grant, which is of the same format and no client authentication.
GRANT_HEADER = {"alg": "ES256", "kid": "16"}
GRANT = {
    "iss": "https://jwt-idp.example.com",
    "sub": "mailto:mike@example.com",
    "aud": "https://jwt-rp.example.net",
    "nbf": 1300815780,
    "exp": 1300819380,
    "http://claims.example.com/member": True,
}


def test_the_request_of_section_2_2() -> None:
    header = json.loads(urlsafe_b64decode(HEADER + "="))
    assert header == {"alg": "RS256", "kid": "22"}
    client = FakeClient("s6BhdRkqt3", key=SigningKey.generate("RS256", kid="22", shared=True))
    signed = client.assertion(audience="https://as.example.com", header=header | {"typ": "JWT"})
    bare = make_token(HEADER, claims_of(signed), client.key)
    assert bare.startswith(HEADER + ".")
    validator = ClientAssertionValidator(
        client_id="s6BhdRkqt3",
        keys=JWKSet.from_json(client.jwks()),
        audience="https://as.example.com",
        algorithms=["RS256"],
        replay=None,
    )
    form = dict(parse_qsl(FORM + bare))
    assert form["client_assertion_type"] == CLIENT_ASSERTION_TYPE
    assert validator.validate_form(form).client_id == "s6BhdRkqt3"
    abridged = dict(parse_qsl(FORM + HEADER + ".eyJpc3Mi.cC4hiUPo"))
    with pytest.raises(TokenRejected) as caught:
        validator.validate_form(abridged)
    assert caught.value.error == "invalid_client"


def test_the_grant_of_section_4_authenticates_no_client() -> None:
    key = SigningKey.generate("ES256", kid="16")
    clock = FakeClock(1300815780)

    def verdict(**changed: Any) -> Reason:
        validator = ClientAssertionValidator(
            client_id="https://jwt-idp.example.com",
            keys=JWKSet.from_json(key.public_jwk()),
            audience="https://jwt-rp.example.net",
            algorithms=["ES256"],
            replay=None,
            clock=clock,
        )
        try:
            validator.validate(make_token(GRANT_HEADER, GRANT | changed, key))
        except TokenRejected as rejected:
            return rejected.reason
        return Reason.OK

    assert verdict(jti="1") is Reason.CLAIM_MISMATCH
    assert verdict(sub="https://jwt-idp.example.com") is Reason.JTI_MISSING
    # What section 3 (2) asks of client authentication.
    assert verdict(sub="https://jwt-idp.example.com", jti="1") is Reason.OK


def claims_of(token: str) -> dict[str, Any]:
    segment = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return claims
