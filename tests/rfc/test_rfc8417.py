"""The examples of RFC 8417 (security event tokens), sections 2.1 and 2.4."""

from __future__ import annotations

from typing import Any

import pytest

from keybound.errors import Reason
from keybound.testing import FakeClock, FakeIssuer

FIGURES: dict[str, dict[str, Any]] = {
    "1": {
        "iss": "https://scim.example.com",
        "iat": 1458496025,
        "jti": "3d0c3cf797584bd193bd0fb1bd4e7d30",
        "aud": [
            "https://jhub.example.com/Feeds/98d52461fa5bbc879593b7754",
            "https://jhub.example.com/Feeds/5d7604516b1d08641d7676ee7",
        ],
        "sub": "https://scim.example.com/Users/44f6142df96bd6ab61e7521d9",
        "events": {
            "urn:ietf:params:scim:event:passwordReset": {"id": "44f6142df96bd6ab61e7521d9"},
            "https://example.com/scim/event/passwordResetExt": {"resetAttempts": 5},
        },
    },
    "3": {
        "iss": "https://my.med.example.org",
        "iat": 1458496025,
        "jti": "fb4e75b5411e4e19b6c0fe87950f7749",
        "aud": ["https://rp.example.com"],
        "events": {
            "https://openid.net/heart/specs/consent.html": {
                "iss": "https://connect.example.com",
                "sub": "248289761001",
                "consentUri": ["https://terms.med.example.org/labdisclosure.html#Agree"],
            }
        },
    },
    "4": {
        "iss": "https://idp.example.com/",
        "jti": "756E69717565206964656E746966696572",
        "iat": 1508184845,
        "aud": "636C69656E745F6964",
        "events": {
            "https://schemas.openid.net/secevent/risc/event-type/account-disabled": {
                "subject": {
                    "subject_type": "iss-sub",
                    "iss": "https://idp.example.com/",
                    "sub": "7375626A656374",
                },
                "reason": "hijacking",
            }
        },
    },
}
LOGOUT = {
    "iss": "https://server.example.com",
    "sub": "248289761001",
    "aud": "s6BhdRkqt3",
    "iat": 1471566154,
    "jti": "bWJq",
    "sid": "08a5019c-17e1-4977-8f42-65a12843ea02",
    "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
}
UNSECURED = (
    "eyJ0eXAiOiJzZWNldmVudCtqd3QiLCJhbGciOiJub25lIn0."
    "eyJqdGkiOiI0ZDM1NTllYzY3NTA0YWFiYTY1ZDQwYjAzNjNmYWFkOCIsImlhdCI6MTQ1ODQ5NjQwNCwiaXNzIjoiaHR0cHM6Ly9z"
    "Y2ltLmV4YW1wbGUuY29tIiwiYXVkIjpbImh0dHBzOi8vc2NpbS5leGFtcGxlLmNvbS9GZWVkcy85OGQ1MjQ2MWZhNWJiYzg3OTU5"
    "M2I3NzU0IiwiaHR0cHM6Ly9zY2ltLmV4YW1wbGUuY29tL0ZlZWRzLzVkNzYwNDUxNmIxZDA4NjQxZDc2NzZlZTciXSwiZXZlbnRz"
    "Ijp7InVybjppZXRmOnBhcmFtczpzY2ltOmV2ZW50OmNyZWF0ZSI6eyJyZWYiOiJodHRwczovL3NjaW0uZXhhbXBsZS5jb20vVXNl"
    "cnMvNDRmNjE0MmRmOTZiZDZhYjYxZTc1MjFkOSIsImF0dHJpYnV0ZXMiOlsiaWQiLCJuYW1lIiwidXNlck5hbWUiLCJwYXNzd29y"
    "ZCIsImVtYWlscyJdfX19."
)
ISSUER = FakeIssuer()


def judge_at(judge_of: Any, claims: dict[str, Any], kind: str, **to: Any) -> Any:
    def make(package: Any, **options: Any) -> Any:
        usual = {"issuer": claims["iss"], "keys": package.JWKSet.from_json(ISSUER.jwks())}
        usual |= {"algorithms": ["ES256"], "clock": FakeClock(claims["iat"])}
        return getattr(package, kind)(**usual | to | options)

    return judge_of(make)


@pytest.mark.parametrize("figure", FIGURES)
def test_figures(judge_of: Any, figure: str) -> None:
    claims = FIGURES[figure]
    audience = claims["aud"] if isinstance(claims["aud"], str) else claims["aud"][-1]
    judge = judge_at(judge_of, claims, "SecurityEventTokenValidator", audience=audience)
    token = judge.accepts(ISSUER.sign(claims, typ="secevent+jwt"))
    assert (token.claims, token.events) == (claims, claims["events"])
    judge.rejects(ISSUER.sign(claims | {"aud": "x"}, typ="secevent+jwt"), Reason.AUD_MISMATCH)


def test_figure_2_is_a_logout_token_of_a_draft(judge_of: Any) -> None:
    judge = judge_at(judge_of, LOGOUT, "LogoutTokenValidator", client_id="s6BhdRkqt3")
    for typ in ("JWT", "logout+jwt"):
        raw = ISSUER.sign(LOGOUT, typ=typ)
        judge.rejects(raw, Reason.EXP_MISSING)
        token = judge.accepts(raw, options={"allow_missing_exp": True})
        assert token.session_id == "08a5019c-17e1-4977-8f42-65a12843ea02"
        assert judge.accepts(ISSUER.sign(LOGOUT | {"exp": 1471566274}, typ=typ)).subject == "248289761001"
    events = judge_at(judge_of, LOGOUT, "SecurityEventTokenValidator", audience="s6BhdRkqt3")
    events.rejects(ISSUER.sign(LOGOUT, typ="JWT"), Reason.KIND_MISMATCH)


def test_the_unsecured_one_of_section_2_4_is_refused(judge_of: Any) -> None:
    claims = {"iss": "https://scim.example.com", "iat": 1458496404}
    audience = "https://scim.example.com/Feeds/98d52461fa5bbc879593b7754"
    judge = judge_at(judge_of, claims, "SecurityEventTokenValidator", audience=audience)
    judge.rejects(UNSECURED, Reason.ALG_NOT_ALLOWED)
