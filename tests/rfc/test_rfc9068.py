"""The example of RFC 9068 (JWT profile for access tokens), section 2.2."""

from __future__ import annotations

import pytest

from keybound import AccessTokenValidator, JWKSet, Reason, TokenRejected, profiles
from keybound.testing import FakeClock, SigningKey, make_token

KEY = SigningKey.generate("RS256", kid="RjEwOwOA", shared=True)
HEADER = {"typ": "at+JWT", "alg": "RS256", "kid": "RjEwOwOA"}
CLAIMS = {
    "iss": "https://authorization-server.example.com/",
    "sub": "5ba552d67",
    "aud": "https://rs.example.com/",
    "exp": 1639528912,
    "iat": 1618354090,
    "jti": "dbe39bf3a3ba4238a513f51d6e1691c4",
    "client_id": "s6BhdRkqt3",
    "scope": "openid profile reademail",
}


@pytest.fixture(scope="module")
def validator():
    return AccessTokenValidator(
        issuer="https://authorization-server.example.com/",
        audience="https://rs.example.com/",
        keys=JWKSet.from_json(KEY.public_jwk()),
        algorithms=["RS256"],
        profile=profiles.RFC9068,
        clock=FakeClock(1618354090),
    )


def test_the_example(validator):
    token = validator.validate(make_token(HEADER, CLAIMS, KEY))
    assert token.claims == CLAIMS
    assert token.subject == "5ba552d67"
    assert token.client_id == "s6BhdRkqt3"
    assert token.scopes == {"openid", "profile", "reademail"}
    assert token.confirmation is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *(("iss", Reason.ISS_MISSING), ("exp", Reason.EXP_MISSING), ("aud", Reason.AUD_MISSING)),
        *(("sub", Reason.SUB_MISSING), ("client_id", Reason.CLIENT_ID_MISSING)),
        *(("iat", Reason.IAT_MISSING), ("jti", Reason.JTI_MISSING)),
    ],
)
def test_every_claim_of_section_2_2_is_required(validator, name, reason):
    claims = {key: value for key, value in CLAIMS.items() if key != name}
    with pytest.raises(TokenRejected) as caught:
        validator.validate(make_token(HEADER, claims, KEY))
    assert caught.value.reason is reason


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"])
def test_the_type_ignores_case(validator, typ):
    """Section 4 with RFC 7515, 4.1.9."""
    assert validator.validate(make_token(HEADER | {"typ": typ}, CLAIMS, KEY)).claims == CLAIMS


@pytest.mark.parametrize(
    "typ", ["JWT", "jwt", "dpop+jwt", "at+jwt ", "application/", "application/application/at+jwt", ""]
)
def test_other_types_are_refused(validator, typ):
    with pytest.raises(TokenRejected) as caught:
        validator.validate(make_token(HEADER | {"typ": typ}, CLAIMS, KEY))
    assert caught.value.reason is Reason.TYP_NOT_ALLOWED


def test_a_token_without_type_is_refused(validator):
    header = {name: value for name, value in HEADER.items() if name != "typ"}
    with pytest.raises(TokenRejected) as caught:
        validator.validate(make_token(header, CLAIMS, KEY))
    assert caught.value.reason is Reason.TYP_MISSING
