from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any

import pytest

from keybound.errors import PolicyError
from keybound.testing import (
    OMIT,
    CertificateAuthority,
    FakeClock,
    FakeIssuer,
    SigningKey,
    self_signed_client,
)


def decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def header_of(token: str) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(decoded(token.split(".", 1)[0]))
    return header


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(decoded(token.split(".")[1]))
    return claims


def kids_of(issuer: FakeIssuer) -> list[str]:
    return [jwk["kid"] for jwk in issuer.jwks()["keys"]]


@pytest.fixture
def issuer() -> FakeIssuer:
    return FakeIssuer(clock=FakeClock(1_700_000_000.9))


def test_access_token_is_what_rfc_9068_asks_for(issuer: FakeIssuer) -> None:
    token = issuer.access_token()
    claims = claims_of(token)
    jti = claims.pop("jti")
    assert header_of(token) == {"alg": "ES256", "typ": "at+jwt", "kid": issuer.key.kid}
    assert isinstance(jti, str)
    assert claims == {
        "iss": "https://as.example.com",
        "sub": "user-1",
        "aud": "https://rs.example.com",
        "client_id": "client-1",
        "iat": 1_700_000_000,
        "exp": 1_700_000_300,
        "scope": "read write",
    }


def test_jti_is_unique(issuer: FakeIssuer) -> None:
    assert len({claims_of(issuer.access_token())["jti"] for _ in range(50)}) == 50


def test_time_comes_from_the_clock() -> None:
    clock = FakeClock(1_000)
    issuer = FakeIssuer(clock=clock)
    clock.advance(50)
    claims = claims_of(issuer.access_token(lifetime=-10))
    assert (claims["iat"], claims["exp"]) == (1_050, 1_040)


def test_time_is_that_of_the_system_without_a_clock() -> None:
    before = int(time.time())
    assert before <= claims_of(FakeIssuer().access_token())["iat"] <= int(time.time())


def test_options_and_claims_replace_defaults(issuer: FakeIssuer) -> None:
    others: dict[str, Any] = {"https://example.com/claim": [1, None]}
    token = issuer.access_token(
        audience=["a", "b"],
        subject="s",
        client_id="c",
        scope="x",
        lifetime=0.5,
        acr="urn:x",
        iss="https://other.example",
        **others,
    )
    claims = claims_of(token)
    assert claims["aud"] == ["a", "b"]
    assert (claims["sub"], claims["client_id"], claims["scope"]) == ("s", "c", "x")
    assert claims["exp"] == 1_700_000_000.5
    assert claims["acr"] == "urn:x"
    assert claims["iss"] == "https://other.example"
    assert claims["https://example.com/claim"] == [1, None]


def test_omit_leaves_out_and_none_writes_null(issuer: FakeIssuer) -> None:
    claims = claims_of(issuer.access_token(audience=OMIT, scope=OMIT, jti=OMIT, exp=OMIT, nbf=None))
    assert claims.keys() == {"iss", "sub", "client_id", "iat", "nbf"}
    assert claims["nbf"] is None
    assert repr(OMIT) == "OMIT"


def test_header_parameters(issuer: FakeIssuer) -> None:
    header = header_of(issuer.access_token(header={"kid": OMIT, "typ": "JWT", "crit": ["x"]}))
    assert header == {"alg": "ES256", "typ": "JWT", "crit": ["x"]}


def test_certificate_in_every_form_gives_the_same_confirmation(issuer: FakeIssuer) -> None:
    client = self_signed_client("client-1")
    digest = hashlib.sha256(client.der).digest()
    expected = {"x5t#S256": base64.urlsafe_b64encode(digest).decode().rstrip("=")}
    pem = client.pem
    for form in (client, client.der, pem, b"\n" + pem, pem.decode(), client.certificate):
        assert claims_of(issuer.access_token(certificate=form))["cnf"] == expected


def test_certificate_octets_need_not_be_a_certificate(issuer: FakeIssuer) -> None:
    nothing = claims_of(issuer.access_token(certificate=b""))["cnf"]["x5t#S256"]
    assert nothing == "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


def test_certificate_of_a_server_can_be_bound_too(issuer: FakeIssuer) -> None:
    server = CertificateAuthority().issue_server("rs.example.com")
    assert claims_of(issuer.access_token(certificate=server))["cnf"] == {"x5t#S256": server.thumbprint}


@pytest.mark.parametrize(
    "text", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_text_that_holds_no_certificate(issuer: FakeIssuer, text: str) -> None:
    with pytest.raises(PolicyError):
        issuer.access_token(certificate=text)


def test_binding_to_a_key(issuer: FakeIssuer) -> None:
    key = SigningKey.generate("ES256")
    client = self_signed_client("client-1")
    assert claims_of(issuer.access_token(dpop_key=key))["cnf"] == {"jkt": key.thumbprint}
    both = claims_of(issuer.access_token(dpop_key=key, certificate=client))["cnf"]
    assert both == {"x5t#S256": client.thumbprint, "jkt": key.thumbprint}


def test_explicit_cnf_wins(issuer: FakeIssuer) -> None:
    assert claims_of(issuer.access_token(certificate=b"x", cnf={"jkt": "y"}))["cnf"] == {"jkt": "y"}


def test_authorization_response_is_what_jarm_asks_for(issuer: FakeIssuer) -> None:
    token = issuer.authorization_response(state="s", iss=OMIT, extra=1)
    assert header_of(token) == {"alg": "ES256", "typ": "JWT", "kid": issuer.key.kid}
    assert claims_of(token) == {
        "aud": "client-1",
        "exp": 1_700_000_300,
        "code": "SplxlOBeZQQYbYS6WxSbIA",
        "state": "s",
        "extra": 1,
    }
    said = claims_of(issuer.authorization_response(client_id=["a"], error="access_denied", lifetime=-1))
    assert said == {"iss": issuer.issuer, "aud": ["a"], "exp": 1_699_999_999, "error": "access_denied"}


def test_plain_authorization_response_is_what_rfc_9207_asks_for(issuer: FakeIssuer) -> None:
    assert issuer.plain_authorization_response(state="s", code="c", scope="read") == {
        "code": "c",
        "state": "s",
        "iss": issuer.issuer,
        "scope": "read",
    }
    assert issuer.plain_authorization_response(error="access_denied", iss=OMIT) == {"error": "access_denied"}
    assert issuer.plain_authorization_response(code=OMIT, iss="x") == {"iss": "x"}


def test_another_key_signs_under_its_own_name(issuer: FakeIssuer) -> None:
    other = SigningKey.generate("HS256", kid="other")
    token = issuer.access_token(key=other)
    signing_input, _, signature = token.rpartition(".")
    assert (header_of(token)["alg"], header_of(token)["kid"]) == ("HS256", "other")
    assert decoded(signature) == other.sign(signing_input.encode())
    assert "other" not in kids_of(issuer)


def test_sign_adds_nothing(issuer: FakeIssuer) -> None:
    token = issuer.sign({"iss": "x", "sub": OMIT}, typ="JWT")
    assert claims_of(token) == {"iss": "x"}
    assert header_of(token)["typ"] == "JWT"


def test_rotation_keeps_the_previous_key(issuer: FakeIssuer) -> None:
    old = issuer.key
    new = issuer.rotate()
    assert issuer.key is new
    assert kids_of(issuer) == [old.kid, new.kid]
    assert header_of(issuer.access_token())["kid"] == new.kid


def test_rotation_without_the_previous_keys(issuer: FakeIssuer) -> None:
    issuer.rotate()
    new = issuer.rotate(keep_previous=False, alg="Ed25519")
    assert kids_of(issuer) == [new.kid]
    assert header_of(issuer.access_token())["alg"] == "Ed25519"


def test_rotation_keeps_algorithm_and_curve() -> None:
    issuer = FakeIssuer(key=SigningKey.generate("EdDSA", curve="Ed448"))
    new = issuer.rotate()
    assert (new.alg, new.curve) == ("EdDSA", "Ed448")
    assert issuer.rotate(alg="ES384").curve == "P-384"
    assert issuer.rotate(alg="EdDSA").curve == "Ed25519"


def test_published_key_does_not_sign_yet(issuer: FakeIssuer) -> None:
    following = SigningKey.generate("ES256")
    current = issuer.key
    issuer.publish(following)
    assert kids_of(issuer) == [current.kid, following.kid]
    assert issuer.key is current


def test_removed_key_still_signs_but_is_not_published(issuer: FakeIssuer) -> None:
    kid = issuer.key.kid
    issuer.remove(kid)
    assert issuer.jwks() == {"keys": []}
    assert header_of(issuer.access_token())["kid"] == kid
    with pytest.raises(PolicyError):
        issuer.remove(kid)


def test_jwks_holds_no_private_member() -> None:
    issuer = FakeIssuer(alg="ES256")
    issuer.publish(SigningKey.generate("RS256", shared=True))
    issuer.publish(SigningKey.generate("Ed448"))
    for jwk in issuer.jwks()["keys"]:
        assert not jwk.keys() & {"d", "p", "q", "dp", "dq", "qi", "k"}


def test_issuer_with_a_shared_secret_hands_it_to_the_verifier() -> None:
    issuer = FakeIssuer(alg="HS256")
    (jwk,) = issuer.jwks()["keys"]
    assert decoded(jwk["k"]) == issuer.key.secret


def test_unknown_algorithm() -> None:
    with pytest.raises(PolicyError):
        FakeIssuer(alg="none")
