"""RFC 9449: every example of a proof, a token and a challenge, with the clock set back."""

from __future__ import annotations

import pytest

import keybound
from keybound.errors import Reason, Scheme, rejection
from keybound.testing import FakeClock

# Section 4.1, and 4.2 decoded; section 5 shows it again.
TOKEN_REQUEST = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik"
    "VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR"
    "nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE"
    "QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIj"
    "oiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwia"
    "WF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg"
    "4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
# Section 5, the refresh.
REFRESH_REQUEST = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik"
    "VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR"
    "nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE"
    "QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIj"
    "oiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwia"
    "WF0IjoxNTYyMjY1Mjk2fQ.pAqut2IRDm_De6PR93SYmGBPXpwrAk90e8cP2hjiaG5Qs"
    "GSuKDYW7_X620BxqhvYC8ynrrvZLTk41mSRroapUA"
)
# Section 7.1.
RESOURCE_REQUEST = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik"
    "VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR"
    "nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE"
    "QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIj"
    "oiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0Z"
    "WRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNF"
    "c05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71E"
    "OptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
ACCESS_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
# Section 6.1.
JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
BOUND_TOKEN = (
    "eyJhbGciOiJFUzI1NiIsImtpZCI6IkJlQUxrYiJ9.eyJzdWIiOiJzb21lb25lQGV4YW1"
    "wbGUuY29tIiwiaXNzIjoiaHR0cHM6Ly9zZXJ2ZXIuZXhhbXBsZS5jb20iLCJuYmYiOjE"
    "1NjIyNjI2MTEsImV4cCI6MTU2MjI2NjIxNiwiY25mIjp7ImprdCI6IjBaY09DT1JaTll"
    "5LURXcHFxMzBqWnlKR0hUTjBkMkhnbEJWM3VpZ3VBNEkifX0.3Tyo8VTcn6u_PboUmAO"
    "YUY1kfAavomW_YwYMkmRNizLJoQzWy2fCo79Zi5yObpIzjWb5xW4OGld7ESZrh0fsrA"
)
JWK = {
    "kty": "EC",
    "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
    "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
    "crv": "P-256",
}


def validator_at(time: float, **options: object) -> keybound.DPoPProofValidator:
    usual = {"algorithms": ["ES256", "PS256"], "replay": None, "clock": FakeClock(time)}
    return keybound.DPoPProofValidator(**usual | options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("raw", "issued", "jti"),
    [(TOKEN_REQUEST, 1562262616, "-BwC3ESc6acc2lTc"), (REFRESH_REQUEST, 1562265296, "-BwC3ESc6acc2lTc")],
)
def test_token_request_of_sections_4_1_and_5(raw: str, issued: int, jti: str) -> None:
    request = {"method": "POST", "url": "https://server.example.com/token"}
    proof = validator_at(issued).validate(raw, **request)
    assert proof.claims == {
        "jti": jti,
        "htm": "POST",
        "htu": "https://server.example.com/token",
        "iat": issued,
    }
    assert proof.header == {"typ": "dpop+jwt", "alg": "ES256", "jwk": JWK}
    assert proof.thumbprint == JKT
    # Today it is too old, and at a resource it lacks the hash of a token.
    for validator, more, reason in (
        (validator_at(issued + 3600), {}, Reason.TOKEN_TOO_OLD),
        (validator_at(issued - 3600), {}, Reason.IAT_IN_FUTURE),
        (validator_at(issued), {"access_token": ACCESS_TOKEN}, Reason.CLAIM_MISSING),
        (validator_at(issued), {"method": "GET"}, Reason.CLAIM_MISMATCH),
        (validator_at(issued, algorithms=["PS256"]), {}, Reason.ALG_NOT_ALLOWED),
    ):
        with pytest.raises(keybound.TokenRejected) as caught:
            validator.validate(raw, **request | more)
        assert caught.value.reason is reason


def test_resource_request_of_section_7_1() -> None:
    validator = validator_at(1562262618)
    request = {"method": "GET", "url": "https://resource.example.org/protectedresource"}
    proof = validator.validate(RESOURCE_REQUEST, access_token=ACCESS_TOKEN, **request)
    assert proof.claim("ath") == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    assert (proof.identifier, proof.thumbprint) == ("e1j3V_bKic8-LAEB", JKT)
    for other, reason in (
        (ACCESS_TOKEN[:-1], Reason.CLAIM_MISMATCH),
        (None, Reason.CLAIM_FORBIDDEN),
    ):
        with pytest.raises(keybound.TokenRejected) as caught:
            validator.validate(RESOURCE_REQUEST, access_token=other, **request)
        assert (caught.value.reason, caught.value.claim) == (reason, "ath")


def test_confirmation_of_section_6_1() -> None:
    """The issuer's key is not in the RFC, so the token is explained and not verified."""
    spare = keybound.JWK.from_json(JWK)
    validator = keybound.AccessTokenValidator(
        issuer="https://server.example.com",
        audience="https://rs.example.com",
        keys=spare,
        algorithms=["ES256"],
        clock=FakeClock(1562262620),
    )
    by_name = {check.name: check for check in validator.explain(BOUND_TOKEN).checks}
    assert by_name["confirmation"].reason is Reason.DPOP_PROOF_MISSING
    assert by_name["issuer"].outcome == "passed"
    with pytest.raises(keybound.SignatureRejected):
        validator.validate(BOUND_TOKEN)


def test_challenges_of_sections_7_1_7_2_and_9() -> None:
    """Our descriptions are our own; everything around them is as the RFC shows it."""
    assert (
        rejection(Reason.TOKEN_MISSING, scheme=Scheme("DPoP", ("ES256", "PS256"))).challenge()
        == 'DPoP algs="ES256 PS256"'
    )
    assert rejection(Reason.TOKEN_MISSING).challenge(algs=["ES256", "PS256"]) == (
        'Bearer, DPoP algs="ES256 PS256"'
    )
    mismatch = rejection(Reason.DPOP_KEY_MISMATCH, scheme=Scheme("DPoP", ("ES256",))).challenge()
    assert mismatch == (
        f'DPoP error="invalid_token", error_description="{Reason.DPOP_KEY_MISMATCH.description}", '
        'algs="ES256"'
    )
    bearer = rejection(Reason.SIGNATURE_INVALID).challenge(algs=["ES256", "PS256"])
    assert bearer == (
        f'Bearer error="invalid_token", error_description="{Reason.SIGNATURE_INVALID.description}", '
        'DPoP algs="ES256 PS256"'
    )
    nonce = rejection(Reason.DPOP_NONCE_MISSING).challenge()
    assert nonce == (
        f'DPoP error="use_dpop_nonce", error_description="{Reason.DPOP_NONCE_MISSING.description}"'
    )


def test_token_request_without_a_nonce_of_section_8() -> None:
    """An authorization server answers with 400 and JSON (RFC 6749, 5.2)."""
    with pytest.raises(keybound.TokenRejected) as caught:
        validator_at(1562262616).validate(
            TOKEN_REQUEST,
            method="POST",
            url="https://server.example.com/token",
            nonce="eyJ7S_zG.eyJH0-Z.HX4w-7v",
        )
    assert caught.value.error_response() == {
        "error": "use_dpop_nonce",
        "error_description": "A nonce is required in the DPoP proof",
    }
