"""The examples of RFC 7519 (JSON Web Token), section 3.1 and appendix A."""

from __future__ import annotations

import pytest

import keybound
from keybound import AccessTokenValidator, JWKSet, MalformedToken, Reason
from keybound.testing import FakeClock

KEYS = JWKSet.from_json(
    {
        "kty": "oct",
        "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    }
)
EXAMPLE = (
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)
ENCRYPTED = (
    "eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.QR1Owv2ug2WyPBnbQrRARTeEk9kDO2w8qDcjiHnSJflSdv1i"
    "NqhWXaKH4MqAkQtMoNfABIPJaZm0HaA415sv3aeuBWnD8J-Ui7Ah6cWafs3ZwwFKDFUUsWHSK-IPKxLGTkND09XyjORj_CHAgOPJ"
    "-Sd8ONQRnJvWn_hXV1BNMHzUjPyYwEsRhDhzjAD26imasOTsgruobpYGoQcXUwFDn7moXPRfDE8-NoQX7N7ZYMmpUDkR-Cx9obNG"
    "wJQ3nM52YCitxoQVPzjbl7WBuB7AohdBoZOdZ24WlN1lVIeh8v1K4krB8xgKvRU8kgFrEn_a1rZgN5TiysnmzTROF869lQ.AxY8D"
    "CtDaGlsbGljb3RoZQ.MKOle7UQrG6nSxTLX6Mqwt0orbHvAKeWnDYvpIAeZ72deHxz3roJDXQyhxx0wKaMHDjUEOKIwrtkHthpqE"
    "anSBNYHZgmNOV7sln1Eu9g3J8.fiK51VwhsxJ-siBMR-YFiA"
)
NESTED = (
    "eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2IiwiY3R5IjoiSldUIn0.g_hEwksO1Ax8Qn7HoN-BVeBoa8FXe0kp"
    "yk_XdcSmxvcM5_P296JXXtoHISr_DD_MqewaQSH4dZOQHoUgKLeFly-9RI11TG-_Ge1bZFazBPwKC5lJ6OLANLMd0QSL4fYEb9ER"
    "e-epKYE3xb2jfY1AltHqBO-PM6j23Guj2yDKnFv6WO72tteVzm_2n17SBFvhDuR9a2nHTE67pe0XGBUS_TK7ecA-iVq5COeVdJR4"
    "U4VZGGlxRGPLRHvolVLEHx6DYyLpw30Ay9R6d68YCLi9FYTq3hIXPK_-dmPlOUlKvPr1GgJzRoeC9G5qCvdcHWsqJGTO_z3Wfo5z"
    "sqwkxruxwA.UmVkbW9uZCBXQSA5ODA1Mg.VwHERHPvCNcHHpTjkoigx3_ExK0Qc71RMEParpatm0X_qpg-w8kozSjfNIPPXiTBBL"
    "XR65CIPkFqz4l1Ae9w_uowKiwyi9acgVztAi-pSL8GQSXnaamh9kX1mdh3M_TT-FZGQFQsFhu0Z72gJKGdfGE-OE7hS1zuBD5oEU"
    "fk0Dmb0VzWEzpxxiSSBbBAzP10l56pPfAtrjEYw-7ygeMkwBl6Z_mLS6w6xUgKlvW6ULmkV-uLC4FUiyKECK4e3WZYKw1bpgIqGY"
    "sw2v_grHjszJZ-_I5uM-9RA8ycX9KqPRp9gc6pXmoU_-27ATs9XCvrZXUtK2902AUzqpeEUJYjWWxSNsS-r1TJ1I-FMJ4XyAiGrf"
    "mo9hQPcNBYxPz3GQb28Y5CLSQfNgKSGt0A4isp1hBUXBHAndgtcslt7ZoQJaKe_nNJgNliWtWpJ_ebuOpEl8jdhehdccnRMIwAmU"
    "1n7SPkmhIl1HlSOpvcvDfhUN5wuqU955vOBvfkBOh5A11UzBuo2WlgZ6hYi9-e3w29bR0C2-pp3jbqxEDw3iWaf2dc5b-LnR0FEY"
    "XvI_tYk5rd_J9N0mg0tQ6RbpxNEMNoA9QWk5lgdPvbh9BaO195abQ.AVO9iT5AV4CzvDJCdhSFlQ"
)


def validator(now: float) -> AccessTokenValidator:
    return AccessTokenValidator(
        issuer="joe", audience="https://rs.example.com", keys=KEYS, algorithms=["HS256"], clock=FakeClock(now)
    )


def test_the_example_verifies():
    """Section 3.1."""
    verified = keybound.jws.verify(EXAMPLE, KEYS, algorithms=["HS256"])
    assert verified.header == {"typ": "JWT", "alg": "HS256"}
    assert verified.payload == b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'


def test_the_example_is_no_access_token():
    """It names no audience; it has expired since."""
    with pytest.raises(keybound.ClaimRejected) as caught:
        validator(1300819379).validate(EXAMPLE)
    assert caught.value.reason is Reason.AUD_MISSING
    explanation = validator(1300819380 + 11).explain(EXAMPLE)
    assert Reason.TOKEN_EXPIRED in [check.reason for check in explanation.checks]


@pytest.mark.parametrize("token", [ENCRYPTED, NESTED], ids=["A.1", "A.2"])
def test_encrypted_examples(token):
    """Appendix A: encrypted, and encrypted with a signed token inside."""
    with pytest.raises(MalformedToken) as caught:
        validator(1300819379).validate(token)
    assert caught.value.reason is Reason.TOKEN_ENCRYPTED


def test_the_unsecured_example():
    """Section 6.1."""
    token = "eyJhbGciOiJub25lIn0." + EXAMPLE.split(".")[1] + "."
    with pytest.raises(keybound.HeaderRejected) as caught:
        validator(1300819379).validate(token)
    assert caught.value.reason is Reason.ALG_NOT_ALLOWED
