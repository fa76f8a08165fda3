"""The examples of OpenID Connect CIBA Core 1.0, sections 7.1, 7.1.1 and 10.1.

They were all signed with one key, which its signatures give away: two ECDSA signatures leave one key that
verifies both.
"""

from __future__ import annotations

from typing import Any

import pytest

from keybound import ClientAssertionValidator, JWKSet, Reason, RequestObjectValidator, TokenRejected, profiles
from keybound.audience import POLICIES
from keybound.stores import MemoryReplayStore
from keybound.testing import FakeClock

KEY = {
    "kty": "EC",
    "crv": "P-256",
    "kid": "ltacesbw",
    "x": "tPJIbtojnG98O-zakLMUGb94fd206kfRqU6fL7zfsMU",
    "y": "Hrr9Br-utnh-8vW2v4X9llYXZUA9ImIkC5Zazo4RM5w",
}
# Section 7.1: the assertion at the backchannel authentication endpoint.
AT_BACKCHANNEL = (
    "eyJraWQiOiJsdGFjZXNidyIsImFsZyI6IkVTMjU2In0.eyJpc3MiOiJzNkJoZFJrcX"
    "QzIiwic3ViIjoiczZCaGRSa3F0MyIsImF1ZCI6Imh0dHBzOi8vc2VydmVyLmV4YW1w"
    "bGUuY29tIiwianRpIjoiYmRjLVhzX3NmLTNZTW80RlN6SUoyUSIsImlhdCI6MTUzNz"
    "gxOTQ4NiwiZXhwIjoxNTM3ODE5Nzc3fQ.Ybr8mg_3E2OptOSsA8rnelYO_y1L-yFaF"
    "_j1iemM3ntB61_GN3APe5cl_-5a6cvGlP154XAK7fL-GaZSdnd9kg"
)
# Section 10.1: the assertion at the token endpoint.
AT_TOKEN = (
    "eyJraWQiOiJsdGFjZXNidyIsImFsZyI6IkVTMjU2In0.eyJpc3MiOiJzNkJoZFJrcX"
    "QzIiwic3ViIjoiczZCaGRSa3F0MyIsImF1ZCI6Imh0dHBzOi8vc2VydmVyLmV4YW1w"
    "bGUuY29tL3Rva2VuIiwianRpIjoiLV9wMTZqNkhjaVhvMzE3aHZaMzEyYyIsImlhdC"
    "I6MTUzNzgxOTQ5MSwiZXhwIjoxNTM3ODE5NzgyfQ.BjaEoqZb-81gE5zz4UYwNpC3Q"
    "VSeX5XhH176vg35zjkbq3Zmv_UpHB2ZugRVa344WchTQVpaSSShLbvha4yziA"
)
# Section 7.1.1: the signed authentication request.
REQUEST = (
    "eyJraWQiOiJsdGFjZXNidyIsImFsZyI6IkVTMjU2In0.eyJpc3MiOiJzNkJoZFJrcX"
    "QzIiwiYXVkIjoiaHR0cHM6Ly9zZXJ2ZXIuZXhhbXBsZS5jb20iLCJleHAiOjE1Mzc4"
    "MjAwODYsImlhdCI6MTUzNzgxOTQ4NiwibmJmIjoxNTM3ODE4ODg2LCJqdGkiOiI0TF"
    "RDcUFDQzJFU0M1QldDbk4zajU4RW5BIiwic2NvcGUiOiJvcGVuaWQgZW1haWwgZXhh"
    "bXBsZS1zY29wZSIsImNsaWVudF9ub3RpZmljYXRpb25fdG9rZW4iOiI4ZDY3ZGM3OC"
    "03ZmFhLTRkNDEtYWFiZC02NzcwN2IzNzQyNTUiLCJiaW5kaW5nX21lc3NhZ2UiOiJX"
    "NFNDVCIsImxvZ2luX2hpbnRfdG9rZW4iOiJleUpyYVdRaU9pSnNkR0ZqWlhOaWR5SX"
    "NJbUZzWnlJNklrVlRNalUySW4wLmV5SnpkV0pmYVdRaU9uc2labTl5YldGMElqb2lj"
    "R2h2Ym1VaUxDSndhRzl1WlNJNklpc3hNek13TWpneE9EQXdOQ0o5ZlEuR1NxeEpzRm"
    "JJeW9qZGZNQkR2M01PeUFwbENWaVZrd1FXenRoQ1d1dTlfZ25LSXFFQ1ppbHdBTnQx"
    "SGZJaDN4M0pGamFFcS01TVpfQjNxZWIxMU5BdmcifQ.ELJvZ2RfBl05bq7nx7pXhag"
    "zL9R75mUwO-yZScB1aT3mp480fCQ5KjRVDwomMMjiMKUI4sx8VrPgAZuTfsNSvA"
)
NOW = 1537819486
SERVER = {
    "issuer": "https://server.example.com",
    "token_endpoint": "https://server.example.com/token",
    "backchannel_authentication_endpoint": "https://server.example.com/bc-authorize",
}
BACKCHANNEL = "backchannel_authentication_endpoint"
OF_THE_CLIENT: dict[str, Any] = {
    "client_id": "s6BhdRkqt3",
    "keys": JWKSet.from_json(KEY),
    "algorithms": ["ES256"],
    "clock": FakeClock(NOW),
}


def assertions(policy: str) -> ClientAssertionValidator:
    audience = POLICIES[policy].bind_metadata(SERVER)
    return ClientAssertionValidator(**OF_THE_CLIENT, audience=audience, replay=MemoryReplayStore())


def requests(**options: Any) -> RequestObjectValidator:
    usual = {
        "audience": "https://server.example.com",
        "profile": profiles.CIBA,
        "replay": MemoryReplayStore(),
    }
    return RequestObjectValidator(**OF_THE_CLIENT | usual | options)


def test_the_assertions() -> None:
    validator = assertions("ciba-core")
    first = validator.validate(AT_BACKCHANNEL, endpoint=BACKCHANNEL)
    assert first.claims == {
        "iss": "s6BhdRkqt3",
        "sub": "s6BhdRkqt3",
        "aud": "https://server.example.com",
        "jti": "bdc-Xs_sf-3YMo4FSzIJ2Q",
        "iat": 1537819486,
        "exp": 1537819777,
    }
    assert first.warning is None
    # The specification recommends the issuer, and names the token endpoint in its own example.
    second = validator.validate(AT_TOKEN)
    assert (second.audience, second.warning) == (("https://server.example.com/token",), "aud_not_recommended")


@pytest.mark.parametrize(
    ("policy", "raw", "endpoint", "reason"),
    [
        ("camara-strict-v2", AT_BACKCHANNEL, BACKCHANNEL, Reason.AUD_MISMATCH),
        ("camara-strict-v2", AT_TOKEN, "token_endpoint", Reason.OK),
        ("camara-strict-v2", AT_TOKEN, BACKCHANNEL, Reason.AUD_MISMATCH),
        ("camara-interop", AT_TOKEN, BACKCHANNEL, Reason.OK),
        ("rfc7523bis", AT_TOKEN, "token_endpoint", Reason.AUD_MISMATCH),
        ("fapi2-final", AT_BACKCHANNEL, BACKCHANNEL, Reason.OK),
    ],
)
def test_the_assertions_under_other_policies(policy: str, raw: str, endpoint: str, reason: Reason) -> None:
    """S002-04"""
    try:
        assertions(policy).validate(raw, endpoint=endpoint)
        found = Reason.OK
    except TokenRejected as rejected:
        found = rejected.reason
    assert found is reason


def test_the_request() -> None:
    validator = requests()
    request = validator.validate(REQUEST, endpoint=BACKCHANNEL)
    assert request.scopes == {"openid", "email", "example-scope"}
    assert request.binding_message == "W4SCT"
    assert (request.identifier, request.expires_at) == ("4LTCqACC2ESC5BWCnN3j58EnA", 1537820086)
    assert set(request.parameters) == {
        "scope",
        "client_notification_token",
        "binding_message",
        "login_hint_token",
    }
    with pytest.raises(TokenRejected) as caught:
        validator.validate(REQUEST, endpoint=BACKCHANNEL)
    assert caught.value.reason is Reason.JTI_REPLAYED


def test_neither_passes_for_the_other() -> None:
    """S002-06, S002-07"""
    for judge, raw, reason in (
        (assertions("ciba-core"), REQUEST, Reason.KIND_MISMATCH),
        (requests(), AT_BACKCHANNEL, Reason.NBF_MISSING),
        (requests(profile=profiles.OAUTH), AT_BACKCHANNEL, Reason.SUBJECT_IS_CLIENT),
    ):
        with pytest.raises(TokenRejected) as caught:
            judge.validate(raw, endpoint=BACKCHANNEL)  # type: ignore[attr-defined]
        assert caught.value.reason is reason


def test_the_window_of_fapi() -> None:
    """FAPI-CIBA: ten minutes on either side are within an hour; a day later nothing is."""
    fapi = requests(profile=profiles.FAPI_CIBA)
    assert fapi.validate(REQUEST, endpoint=BACKCHANNEL).issued_at == NOW
    with pytest.raises(TokenRejected) as caught:
        requests(profile=profiles.FAPI_CIBA, clock=FakeClock(NOW + 86_400)).validate(REQUEST)
    assert caught.value.reason is Reason.TOKEN_EXPIRED
