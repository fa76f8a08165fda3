"""The examples of OpenID Connect Core 1.0, appendix A, which its own key signed: A.7.

The former edition of the text has another issuer, and with it other signatures.
"""

from __future__ import annotations

from typing import Any

import pytest

from keybound.errors import Reason
from keybound.testing import FakeClock

N = (
    "w7Zdfmece8iaB0kiTY8pCtiBtzbptJmP28nSWwtdjRu0f2GFpajvWE4VhfJAjEsOcwYzay7XGN0b-X84BfC8hmCTOj2b2eHT7NsZ"
    "egFPKRUQzJ9wW8ipn_aDJWMGDuB1XyqT1E7DYqjUCEOD1b4FLpy_xPn6oV_TYOfQ9fZdbE5HGxJUzekuGcOKqOQ8M7wfYHhHHLxG"
    "pQVgL0apWuP2gDDOdTtpuld4D2LK1MZK99s9gaSjRHE8JDb1Z4IGhEcEyzkxswVdPndUWzfvWBBWXWxtSUvQGBRkuy1BHOa4sP6F"
    "KjWEeeF7gm7UMs2Nm2QUgNZw6xvEDGaLk4KASdIxRQ"
)
A_2 = (
    "eyJraWQiOiIxZTlnZGs3IiwiYWxnIjoiUlMyNTYifQ.ewogImlzcyI6ICJodHRwczovL3NlcnZlci5leGFtcGxlLmNvbSIsCiAic"
    "3ViIjogIjI0ODI4OTc2MTAwMSIsCiAiYXVkIjogInM2QmhkUmtxdDMiLAogIm5vbmNlIjogIm4tMFM2X1d6QTJNaiIsCiAiZXhwI"
    "jogMTMxMTI4MTk3MCwKICJpYXQiOiAxMzExMjgwOTcwLAogIm5hbWUiOiAiSmFuZSBEb2UiLAogImdpdmVuX25hbWUiOiAiSmFuZ"
    "SIsCiAiZmFtaWx5X25hbWUiOiAiRG9lIiwKICJnZW5kZXIiOiAiZmVtYWxlIiwKICJiaXJ0aGRhdGUiOiAiMDAwMC0xMC0zMSIsC"
    "iAiZW1haWwiOiAiamFuZWRvZUBleGFtcGxlLmNvbSIsCiAicGljdHVyZSI6ICJodHRwOi8vZXhhbXBsZS5jb20vamFuZWRvZS9tZ"
    "S5qcGciCn0.NTibBYW_ZoNHGm4ZrWCqYA9oJaxr1AVrJCze6FEcac4t_EOQiJFbD2nVEPkUXPuMshKjjTn7ESLIFUnfHq8UKTGib"
    "IC8uqrBgQAcUQFMeWeg-PkLvDTHk43Dn4_aNrxhmWwMNQfkjqx3wd2Fvta9j8yG2Qn790Gwb5psGcmBhqMJUUnFrGpyxQDhFIzzo"
    "dmPokM7tnUxBNj-JuES_4CE-BvZICH4jKLp0TMu-WQsVst0ss-vY2RPdU1MzL59mq_eKk8Rv9XhxIr3WteA2ZlrgVyT0cwH3hlCn"
    "RUsLfHtIEb8k1Y_WaqKUu3DaKPxqRi6u0rN7RO2uZYPzC454xe-mg"
)
A_3 = (
    "eyJraWQiOiIxZTlnZGs3IiwiYWxnIjoiUlMyNTYifQ.ewogImlzcyI6ICJodHRwczovL3NlcnZlci5leGFtcGxlLmNvbSIsCiAic"
    "3ViIjogIjI0ODI4OTc2MTAwMSIsCiAiYXVkIjogInM2QmhkUmtxdDMiLAogIm5vbmNlIjogIm4tMFM2X1d6QTJNaiIsCiAiZXhwI"
    "jogMTMxMTI4MTk3MCwKICJpYXQiOiAxMzExMjgwOTcwLAogImF0X2hhc2giOiAiNzdRbVVQdGpQZnpXdEYyQW5wSzlSUSIKfQ.kd"
    "qTmftlaXg5WBYBr1wkxhkqCGZPc0k8vTiV5g2jj67jQ7XkrDamYx2bOkZLdZrpMPIzkdYB1nZI_G8vQGQuamRhJcEIt21kblGPZ-"
    "yhEhdkAiZIZLu38rChalDS2Mh0glE_rke5XXRhmqqoEFFdziFdnO3p61-7y51co84OEAZvARSINQaOWIzvioRfs4zwIFOaT33Vpx"
    "fqr8HDyh31zo9eBW2dSQuCa071z0ENWChWoPliK1JCo_Bk9eDg2uwo2ZwhsvHzj6TMQ0lYOTzufSlSmXIKfjlOsb3nftQeR697_h"
    "A-nMZyAdL8_NRfaC37XnAbW8WB9wCfECp7cuNuOg"
)
A_4 = (
    "eyJraWQiOiIxZTlnZGs3IiwiYWxnIjoiUlMyNTYifQ.ewogImlzcyI6ICJodHRwczovL3NlcnZlci5leGFtcGxlLmNvbSIsCiAic"
    "3ViIjogIjI0ODI4OTc2MTAwMSIsCiAiYXVkIjogInM2QmhkUmtxdDMiLAogIm5vbmNlIjogIm4tMFM2X1d6QTJNaiIsCiAiZXhwI"
    "jogMTMxMTI4MTk3MCwKICJpYXQiOiAxMzExMjgwOTcwLAogImNfaGFzaCI6ICJMRGt0S2RvUWFrM1BrMGNuWHhDbHRBIgp9.MRPi"
    "hYtNIcwKTZ_mcMSPfreVytGR4jfl1Tzbv4tH5Jr4WqONs2lUWrIEpZ2joKbZfAGlouAqwqSYpfR3FQYKYvdgnZ3kjIJ_5M4fAARX"
    "HVSciGyhfqB-OhDUMXSHzFHiGKNY9TKSgRfiXf_314WRujpqaDtj2uoXbppobYXvAZIxWtsOein0-t91LDS39EW4frNWAopKTBBi"
    "_XJPlpLVynWTDvNleEBP6UxIMgYJBKlqsP7RGfHTGk3ReXDacR7RGZlIVGa-0qRyDzvNqD7xfu9aYufUP0oBGqdBGgFVNmwJ7rmB"
    "0gdPtC2eJsXq9svCgBBfhRQZxhx1iLJjNc9nSw"
)
FORMER_A_3 = (
    "eyJraWQiOiIxZTlnZGs3IiwiYWxnIjoiUlMyNTYifQ.ewogImlzcyI6ICJodHRwOi8vc2VydmVyLmV4YW1wbGUuY29tIiwKICJzd"
    "WIiOiAiMjQ4Mjg5NzYxMDAxIiwKICJhdWQiOiAiczZCaGRSa3F0MyIsCiAibm9uY2UiOiAibi0wUzZfV3pBMk1qIiwKICJleHAiO"
    "iAxMzExMjgxOTcwLAogImlhdCI6IDEzMTEyODA5NzAsCiAiYXRfaGFzaCI6ICI3N1FtVVB0alBmeld0RjJBbnBLOVJRIgp9.F9gR"
    "ev0Dt2tKcrBkHy72cmRqnLdzw9FLCCSebV7mWs7o_sv2O5s6zMky2kmhHTVx9HmdvNnx9GaZ8XMYRFeYk8L5NZ7aYlA5W56nsG1i"
    "WOou_-gji0ibWIuuf4Owaho3YSoi7EvsTuLFz6tq-dLyz0dKABMDsiCmJ5wqkPUDTE3QTXjzbUmOzUDli-gCh5QPuZAq0cNW3pf_"
    "2n4zpvTYtbmj12cVcxGIMZby7TMWESRjQ9_o3jvhVNcCGcE0KAQXejhA1ocJhNEvQNqMFGlBb6_0RxxKjDZ-Oa329eGDidOvvp0h"
    "5hoES4a8IuGKS7NOcpp-aFwp0qVMDLI-Xnm-Pg"
)
FORMER_A_6 = (
    "eyJraWQiOiIxZTlnZGs3IiwiYWxnIjoiUlMyNTYifQ.ewogImlzcyI6ICJodHRwOi8vc2VydmVyLmV4YW1wbGUuY29tIiwKICJzd"
    "WIiOiAiMjQ4Mjg5NzYxMDAxIiwKICJhdWQiOiAiczZCaGRSa3F0MyIsCiAibm9uY2UiOiAibi0wUzZfV3pBMk1qIiwKICJleHAiO"
    "iAxMzExMjgxOTcwLAogImlhdCI6IDEzMTEyODA5NzAsCiAiY19oYXNoIjogIkxEa3RLZG9RYWszUGswY25YeENsdEEiCn0.XW6uh"
    "drkBgcGx6zVIrCiROpWURs-4goO1sKA4m9jhJIImiGg5muPUcNegx6sSv43c5DSn37sxCRrDZZm4ZPBKKgtYASMcE20SDgvYJdJS"
    "0cyuFw7Ijp_7WnIjcrl6B5cmoM6ylCvsLMwkoQAxVublMwH10oAxjzD6NEFsu9nipkszWhsPePf_rM4eMpkmCbTzume-fzZIi5Vj"
    "dWGGEmzTg32h3jiex-r5WTHbj-u5HL7u_KP3rmbdYNzlzd1xWRYTUs4E8nOTgzAUwvwXkIQhOh5TPcSMBYy6X3E7-_gr9Ue6n4ND"
    "7hTFhtjYs3cjNKIA08qm5cpVYFMFMG6PkhzLQ"
)

KEY = {"kty": "RSA", "kid": "1e9gdk7", "n": N, "e": "AQAB"}
NONCE = "n-0S6_WzA2Mj"
ACCESS_TOKEN = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
CODE = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"
ISSUED = 1311280970
FORMER = {"issuer": "http://server.example.com"}


@pytest.fixture(scope="module")
def judge(judge_of: Any) -> Any:
    def make(package: Any, **options: Any) -> Any:
        usual = {
            "issuer": "https://server.example.com",
            "client_id": "s6BhdRkqt3",
            "keys": package.JWKSet.from_json({"keys": [KEY]}),
            "algorithms": ["RS256"],
            "clock": FakeClock(ISSUED),
        }
        return package.IDTokenValidator(**usual | options)

    return judge_of(make)


def test_a_2_id_token(judge: Any) -> None:
    token = judge.accepts(A_2, nonce=NONCE)
    assert token.subject == "248289761001"
    assert token.claims["birthdate"] == "0000-10-31"


@pytest.mark.parametrize(("raw", "options"), [(A_3, {}), (FORMER_A_3, FORMER)], ids=["now", "former"])
def test_a_3_at_hash(judge: Any, raw: str, options: dict[str, Any]) -> None:
    token = judge.accepts(raw, nonce=NONCE, access_token=ACCESS_TOKEN, options=options)
    assert token.claims["at_hash"] == "77QmUPtjPfzWtF2AnpK9RQ"
    judge.rejects(raw, Reason.HASH_MISMATCH, claim="at_hash", nonce=NONCE, access_token=CODE, options=options)


@pytest.mark.parametrize(("raw", "options"), [(A_4, {}), (FORMER_A_6, FORMER)], ids=["A.4", "former A.6"])
def test_a_4_and_a_6_c_hash(judge: Any, raw: str, options: dict[str, Any]) -> None:
    """S004-22: the detached signature of a code."""
    token = judge.accepts(raw, nonce=NONCE, code=CODE, options=options)
    assert token.claims["c_hash"] == "LDktKdoQak3Pk0cnXxCltA"
    judge.rejects(raw, Reason.HASH_MISMATCH, claim="c_hash", nonce=NONCE, code=ACCESS_TOKEN, options=options)
    judge.rejects(
        raw, Reason.CLAIM_MISSING, claim="s_hash", nonce=NONCE, state="af0ifjsldkj", options=options
    )


@pytest.mark.parametrize("raw", [A_2, A_3, A_4], ids=["A.2", "A.3", "A.4"])
def test_what_is_wrong_with_them_elsewhere(judge: Any, raw: str) -> None:
    judge.rejects(raw, Reason.TOKEN_EXPIRED, nonce=NONCE, options={"clock": FakeClock(ISSUED + 1010)})
    judge.rejects(raw, Reason.IAT_IN_FUTURE, nonce=NONCE, options={"clock": FakeClock(ISSUED - 11)})
    judge.rejects(raw, Reason.ISS_MISMATCH, nonce=NONCE, options=FORMER)
    judge.rejects(raw, Reason.AUD_MISMATCH, nonce=NONCE, options={"client_id": "another"})
    judge.rejects(raw, Reason.NONCE_MISMATCH, nonce="another")
    judge.rejects(raw, Reason.ALG_NOT_ALLOWED, nonce=NONCE, options={"algorithms": ["PS256"]})
    judge.rejects(raw[:-4] + "AAAA", Reason.SIGNATURE_INVALID, nonce=NONCE)
    judge.accepts(raw, method="validate_hint", options={"clock": FakeClock(ISSUED + 10**9)})
