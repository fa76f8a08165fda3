"""The examples of RFC 9101 (JWT-secured authorization request), sections 4 and 5."""

from __future__ import annotations

from typing import Any

import pytest

from keybound import JWKSet, Reason, RequestObjectValidator, TokenRejected
from keybound.testing import make_token

# Section 4; line breaks are for display there, too.
REQUEST_OBJECT = (
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsyYmRjIn0.ewogICAgImlzcyI6ICJzNkJoZF"
    "JrcXQzIiwKICAgICJhdWQiOiAiaHR0cHM6Ly9zZXJ2ZXIuZXhhbXBsZS5jb20iLAog"
    "ICAgInJlc3BvbnNlX3R5cGUiOiAiY29kZSBpZF90b2tlbiIsCiAgICAiY2xpZW50X2"
    "lkIjogInM2QmhkUmtxdDMiLAogICAgInJlZGlyZWN0X3VyaSI6ICJodHRwczovL2Ns"
    "aWVudC5leGFtcGxlLm9yZy9jYiIsCiAgICAic2NvcGUiOiAib3BlbmlkIiwKICAgIC"
    "JzdGF0ZSI6ICJhZjBpZmpzbGRraiIsCiAgICAibm9uY2UiOiAibi0wUzZfV3pBMk1q"
    "IiwKICAgICJtYXhfYWdlIjogODY0MDAKfQ.Nsxa_18VUElVaPjqW_ToI1yrEJ67BgK"
    "b5xsuZRVqzGkfKrOIX7BCx0biSxYGmjK9KJPctH1OC0iQJwXu5YVY-vnW0_PLJb1C2"
    "HG-ztVzcnKZC2gE4i0vgQcpkUOCpW3SEYXnyWnKzuKzqSb1wAZALo5f89B_p6QA6j6"
    "JwBSRvdVsDPdulW8lKxGTbH82czCaQ50rLAg3EYLYaCb4ik4I1zGXE4fvim9FIMs8O"
    "CMmzwIB5S-ujFfzwFjoyuPEV4hJnoVUmXR_W9typPf846lGwA8h9G9oNTIuX8Ft2jf"
    "pnZdFmLg3_wr3Wa5q3a-lfbgF3S9H_8nN3j1i7tLR_5Nz-g"
)
KEY = {
    "kty": "RSA",
    "kid": "k2bdc",
    "n": "x5RbkAZkmpRxia65qRQ1wwSMSxQUnS7gcpVTV_cdHmfmG2ltd2yabEO9XadD8"
    "pJNZubINPpmgHh3J1aD9WRwS05ucmFq3CfFsluLt13_7oX5yDRSKX7poXmT_5"
    "ko8k4NJZPMAO8fPToDTH7kHYbONSE2FYa5GZ60CUsFhSonI-dcMDJ0Ary9lxI"
    "w5k2z4TAdARVWcS7sD07VhlMMshrwsPHBQgTatlkxyIHXbYdtak8fqvNAwr7O"
    "lVEvM_Ipf5OfmdB8Sd-wjzaBsyP4VhJKoi_qdgSzpC694XZeYPq45Sw-q51iF"
    "UlcOlTCI7z6jltUtnR6ySn6XDGFnzH5Fe5ypw",
    "e": "AQAB",
}
CLAIMS = {
    "iss": "s6BhdRkqt3",
    "aud": "https://server.example.com",
    "response_type": "code id_token",
    "client_id": "s6BhdRkqt3",
    "redirect_uri": "https://client.example.org/cb",
    "scope": "openid",
    "state": "af0ifjsldkj",
    "nonce": "n-0S6_WzA2Mj",
    "max_age": 86400,
}


def validator(**options: Any) -> RequestObjectValidator:
    usual = {
        "client_id": "s6BhdRkqt3",
        "keys": JWKSet.from_json(KEY),
        "audience": "https://server.example.com",
        "algorithms": ["RS256"],
    }
    return RequestObjectValidator(**usual | options)


def test_the_example_of_section_4() -> None:
    request = validator().validate(REQUEST_OBJECT)
    assert request.claims == CLAIMS
    assert request.parameters == {name: CLAIMS[name] for name in CLAIMS if name not in ("iss", "aud")}
    assert (request.client_id, request.max_age, request.nonce) == ("s6BhdRkqt3", 86400, "n-0S6_WzA2Mj")


def test_the_request_of_section_5_1() -> None:
    """``GET /authorize?client_id=s6BhdRkqt3&request=...``"""
    parameters = {"client_id": "s6BhdRkqt3", "request": REQUEST_OBJECT}
    assert validator().validate(parameters["request"], parameters=parameters).state == "af0ifjsldkj"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"client_id": "another"}, Reason.ISS_MISMATCH),
        ({"audience": "https://server.example.com/"}, Reason.AUD_MISMATCH),
        ({"algorithms": ["PS256"]}, Reason.ALG_NOT_ALLOWED),
        ({"explicit_typing": True}, Reason.TYP_MISSING),
        ({"max_expiry_distance": 3600}, Reason.EXP_MISSING),
        ({"max_nbf_age": 3600}, Reason.NBF_MISSING),
    ],
)
def test_the_example_under_other_rules(options: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(TokenRejected) as caught:
        validator(**options).validate(REQUEST_OBJECT)
    assert caught.value.reason is reason


def test_the_unsigned_form_does_not_exist() -> None:
    """Section 10.5"""
    with pytest.raises(TokenRejected) as caught:
        validator().validate(make_token({"alg": "none"}, CLAIMS, None))
    assert caught.value.reason is Reason.ALG_NOT_ALLOWED
