"""The examples of RFC 8705 (certificate-bound access tokens), section 3.1 and appendix A."""

from __future__ import annotations

import pytest

import keybound
from keybound import JWK, AccessTokenValidator, BindingRejected, JWKSet, PresentedCertificate, Reason
from keybound.testing import CertificateAuthority, FakeClock, FakeIssuer

CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx
ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ
/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID
SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV
bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=
-----END CERTIFICATE-----"""
THUMBPRINT = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"
NOT_CANONICAL = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"
CLAIMS = {
    "iss": "https://server.example.com",
    "sub": "ty.webb@example.com",
    "exp": 1493726400,
    "nbf": 1493722800,
}


@pytest.fixture(scope="module")
def issuer():
    return FakeIssuer("https://server.example.com", clock=FakeClock(1493722800))


@pytest.fixture(scope="module")
def validator(issuer):
    return AccessTokenValidator(
        issuer=issuer.issuer,
        audience="https://rs.example.com",
        keys=JWKSet.from_json(issuer.jwks()),
        algorithms=["ES256"],
        clock=issuer.clock,
    )


def test_thumbprint():
    """Appendix A."""
    assert keybound.thumbprint(CERTIFICATE) == THUMBPRINT
    assert PresentedCertificate.from_sha256(THUMBPRINT) == PresentedCertificate.from_pem(CERTIFICATE)


def test_public_key():
    """Appendix A: the JWK of the same key, as a client would register it."""
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": "1yfLHCpXqFjxCeHHHMVDTcLscpb07KUxudBmOMn8C7Q",
        "y": "8_coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8",
    }
    assert JWK.from_pem(CERTIFICATE).thumbprint() == JWK.from_json(jwk).thumbprint()


def test_the_example_certificate_opens_a_token_bound_to_it(issuer, validator):
    token = issuer.access_token(certificate=CERTIFICATE, **CLAIMS)
    assert validator.validate(token, certificate=CERTIFICATE).confirmation == {"x5t#S256": THUMBPRINT}
    for certificate, reason in (
        (None, Reason.CERTIFICATE_MISSING),
        (CertificateAuthority().issue_client("mtls").der, Reason.CERTIFICATE_MISMATCH),
    ):
        with pytest.raises(BindingRejected) as caught:
            validator.validate(token, certificate=certificate)
        assert caught.value.reason is reason


@pytest.mark.parametrize("certificate", [None, CERTIFICATE], ids=["none", "some"])
def test_the_thumbprint_of_section_3_1_is_not_canonical(issuer, validator, certificate):
    """Its last letter carries bits that belong to no octet (RFC 4648, 3.5)."""
    token = issuer.access_token(cnf={"x5t#S256": NOT_CANONICAL}, **CLAIMS)
    with pytest.raises(BindingRejected) as caught:
        validator.validate(token, certificate=certificate)
    assert caught.value.reason is Reason.CNF_THUMBPRINT_NOT_CANONICAL
