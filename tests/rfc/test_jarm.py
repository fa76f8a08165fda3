"""Examples of JARM (JWT Secured Authorization Response Mode) and of RFC 9207, as they stand there.

The key that signed the examples of JARM is not published: their signature is where they end, and their
claims are signed anew.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

import keybound
from keybound._hotpath import base64url
from keybound.errors import Reason
from keybound.testing import FakeClock, FakeIssuer, SigningKey, make_token

ISSUER = "https://accounts.example.com"
CLIENT = "s6BhdRkqt3"
STATE = "S8NJ7uqk5fY4EjNvP_G_FtyJu6pUsvH9jsYni9dMAJw"
# One minute before the examples expire.
CLOCK = FakeClock(1311281970 - 60)
SIGNER = FakeIssuer(ISSUER, key=SigningKey.generate("ES256", kid="laeb"), clock=CLOCK)
HEADER = {"kid": "laeb", "alg": "ES256"}

# 2.1.1 and 2.1.2.
CODE = b"""{
   "iss":"https://accounts.example.com",
   "aud":"s6BhdRkqt3",
   "exp":1311281970,
   "code":"PyyFaux2o7Q0YfXBU32jhw.5FXSQpvr8akv9CeRDSd0QA",
   "state":"S8NJ7uqk5fY4EjNvP_G_FtyJu6pUsvH9jsYni9dMAJw"
}"""
ERROR = b"""{
   "iss":"https://accounts.example.com",
   "aud":"s6BhdRkqt3",
   "exp":1311281970,
   "error":"access_denied",
   "state":"S8NJ7uqk5fY4EjNvP_G_FtyJu6pUsvH9jsYni9dMAJw"
}"""
TOKEN = b"""{
   "iss":"https://accounts.example.com",
   "aud":"s6BhdRkqt3",
   "exp":1311281970,
   "access_token":"2YotnFZFEjr1zCsicMWpAA",
   "state":"S8NJ7uqk5fY4EjNvP_G_FtyJu6pUsvH9jsYni9dMAJw",
   "token_type":"bearer",
   "expires_in":3600,
   "scope":"example"
}"""
# 2.3.1 and 2.3.2.
QUERY = (
    "eyJraWQiOiJsYWViIiwiYWxnIjoiRVMyNTYifQ.eyAgImlzcyI6ICJodHRwczovL2FjY291"
    "bnRzLmV4YW1wbGUuY29tIiwgICJhdWQiOiAiczZCaGRSa3F0MyIsICAiZXhwIjogMTMxMTI4MTk3MCwg"
    "ICJjb2RlIjogIlB5eUZhdXgybzdRMFlmWEJVMzJqaHcuNUZYU1FwdnI4YWt2OUNlUkRTZDBRQSIsICAi"
    "c3RhdGUiOiAiUzhOSjd1cWs1Zlk0RWpOdlBfR19GdHlKdTZwVXN2SDlqc1luaTlkTUFKdyJ9.4VdtknV"
    "Z9zFYDVLagJpVBD436bjPMcSgOaPDPFgTEkNyCs2uIHYJ2XML6d2w1AUsm5GBG77DBisZNhLWfug6dA"
)
FRAGMENT = (
    "eyJraWQiOiJsYWViIiwiYWxnIjoiRVMyNTYifQ.eyAgImlzcyI6ICJodHRwczovL2FjY291"
    "bnRzLmV4YW1wbGUuY29tIiwgICJhdWQiOiAiczZCaGRSa3F0MyIsICAiZXhwIjogMTMxMTI4MTk3MCwg"
    "ICJhY2Nlc3NfdG9rZW4iOiAiMllvdG5GWkZFanIxekNzaWNNV3BBQSIsICAic3RhdGUiOiAiUzhOSjd1"
    "cWs1Zlk0RWpOdlBfR19GdHlKdTZwVXN2SDlqc1luaTlkTUFKdyIsICAidG9rZW5fdHlwZSI6ICJiZWFy"
    "ZXIiLCAgImV4cGlyZXNfaW4iOiAzNjAwLCAgInNjb3BlIjogImV4YW1wbGUifQ.g_96IM2t_6Dazm1Jp"
    "b2gbO2EXe5IKTw2bYS7l9Y1RI8HbNPYN5EdNjxcWeL5LTQaUAZ2PtJoHbTdjMvNa3xbVg"
)


def make(package: Any, **options: Any) -> Any:
    usual = {
        "issuer": ISSUER,
        "client_id": CLIENT,
        "keys": package.JWKSet.from_json(SIGNER.jwks()),
        "algorithms": ["ES256"],
        "clock": CLOCK,
    }
    return package.AuthorizationResponseValidator(**usual | options)


@pytest.fixture(scope="module")
def judge(judge_of: Any) -> Any:
    return judge_of(make)


def test_response_type_code(judge: Any) -> None:
    """JARM, 2.1.1."""
    response = judge.accepts(make_token(HEADER, CODE, SIGNER.key), state=STATE)
    assert response.parameters == {"code": "PyyFaux2o7Q0YfXBU32jhw.5FXSQpvr8akv9CeRDSd0QA", "state": STATE}


def test_error_response(judge: Any) -> None:
    """JARM, 2.1.1."""
    response = judge.accepts(make_token(HEADER, ERROR, SIGNER.key), state=STATE)
    assert isinstance(response, keybound.AuthorizationErrorResponse)
    assert (response.error, response.state) == ("access_denied", STATE)


def test_response_type_token(judge: Any) -> None:
    """JARM, 2.1.2."""
    response = judge.accepts(make_token(HEADER, TOKEN, SIGNER.key), state=STATE)
    assert (response.access_token, response.parameters["expires_in"]) == ("2YotnFZFEjr1zCsicMWpAA", 3600)


@pytest.mark.parametrize(("raw", "claims"), [(QUERY, CODE), (FRAGMENT, TOKEN)])
def test_encoded_responses(judge: Any, raw: str, claims: bytes) -> None:
    """JARM, 2.3.1 and 2.3.2: all of it is good but the signature, which is of another key."""
    header, payload = (base64url.decode(segment) or b"" for segment in raw.split(".")[:2])
    assert (json.loads(header), json.loads(payload)) == (HEADER, json.loads(claims))
    judge.rejects(raw, Reason.SIGNATURE_INVALID, state=STATE)
    signed = {"response": make_token(header, payload, SIGNER.key)}
    assert judge.accepts(signed, method="validate_response", state=STATE).signed


HONEST = "https://honest.as.example"


@pytest.mark.parametrize(
    "parameters",
    [
        {
            "code": "x1848ZT64p4IirMPT0R-X3141MFPTuBX-VFL_cvaplMH58",
            "state": "ZWVlNDBlYzA1NjdkMDNhYjg3ZjUxZjAyNGQzMTM2NzI",
            "iss": HONEST,
        },
        {
            "error": "access_denied",
            "state": "N2JjNGJhY2JiZjRhYzA3MGJkMzNmMDE5OWJhZmJhZjA",
            "iss": HONEST,
        },
    ],
)
def test_issuer_identification(judge: Any, parameters: dict[str, str]) -> None:
    """RFC 9207, 2.1 and 2.2; and at a client that had asked another server."""
    beside = {"method": "validate_response", "state": parameters["state"]}
    options = {"issuer": HONEST, "plain_responses": "iss-required"}
    assert judge.accepts(parameters, options=options, **beside).issuer == HONEST
    options["issuer"] = "https://attacker.example"
    judge.rejects(parameters, Reason.ISS_MISMATCH, options=options, **beside)
