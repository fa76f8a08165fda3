"""The examples of RFC 7797 (unencoded payload), section 4."""

from __future__ import annotations

import pytest

from keybound import JWKSet, Reason, TokenRejected, jws
from keybound.testing import SigningKey, make_token

KEYS = JWKSet.from_json(
    {
        "kty": "oct",
        "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    }
)
ENCODED = "eyJhbGciOiJIUzI1NiJ9.JC4wMg.5mvfOroL-g7HyqJoozehmsaqmvTYGEq5jTI1gVvoEoQ"
PROTECTED = "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19"
SIGNATURE = "A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY"
FLATTENED = {"protected": PROTECTED, "payload": "$.02", "signature": SIGNATURE}


def test_the_usual_encoding():
    """Section 4.1."""
    assert jws.verify(ENCODED, KEYS, algorithms=["HS256"]).payload == b"$.02"


def test_unencoded_and_detached():
    """Section 4.2, compact."""
    options = {"algorithms": ["HS256"], "detached_payload": b"$.02", "allow_unencoded_payload": True}
    verified = jws.verify(f"{PROTECTED}..{SIGNATURE}", KEYS, **options)
    assert verified.payload == b"$.02"
    assert verified.header == {"alg": "HS256", "b64": False, "crit": ["b64"]}


def test_unencoded_in_json():
    """Section 4.2, flattened."""
    verified = jws.verify_json(FLATTENED, KEYS, algorithms=["HS256"], allow_unencoded_payload=True)
    assert verified.payload == b"$.02"


def test_only_when_asked_for():
    for verify, token, options in (
        (jws.verify, f"{PROTECTED}..{SIGNATURE}", {"detached_payload": b"$.02"}),
        (jws.verify_json, FLATTENED, {}),
    ):
        with pytest.raises(TokenRejected) as caught:
            verify(token, KEYS, algorithms=["HS256"], **options)
        assert caught.value.reason is Reason.CRIT_UNSUPPORTED


def test_attached_text_is_text_of_a_url():
    """Section 5.2: octets that no URL holds are refused, whether the token is str or bytes."""
    key = SigningKey.generate("HS256")
    keys = JWKSet.from_secret(key.secret, alg="HS256")
    options = {"algorithms": ["HS256"], "allow_unencoded_payload": True}
    for text, good in ((b"plain", True), ("caf\u00e9".encode(), False)):
        signature = key.sign(PROTECTED.encode() + b"." + text)
        compact = (
            make_token(PROTECTED, "-", key, signature=signature).encode().replace(b".-.", b"." + text + b".")
        )
        for token in (compact, compact.decode()):
            if good:
                assert jws.verify(token, keys, **options).payload == text
            else:
                with pytest.raises(TokenRejected) as caught:
                    jws.verify(token, keys, **options)
                assert caught.value.reason is Reason.BASE64URL_INVALID
