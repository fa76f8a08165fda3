"""The examples of RFC 8037 (Edwards curves in JOSE), appendix A."""

from __future__ import annotations

import pytest

from keybound import JWK, InvalidKey, JWKSet, SignatureRejected, jws

PUBLIC = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
TOKEN = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    ".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)


def test_private_key():
    """Appendix A.1."""
    with pytest.raises(InvalidKey, match="private"):
        JWK.from_json(PUBLIC | {"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"})


def test_public_key_and_thumbprint():
    """Appendices A.2 and A.3."""
    key = JWK.from_json(PUBLIC)
    assert key.curve == "Ed25519"
    assert key.thumbprint() == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_signature():
    """Appendices A.4 and A.5."""
    assert (
        jws.verify(TOKEN, JWK.from_json(PUBLIC), algorithms=["EdDSA"]).payload
        == b"Example of Ed25519 signing"
    )
    with pytest.raises(SignatureRejected):
        jws.verify(TOKEN.replace("RXhh", "RXhi"), JWK.from_json(PUBLIC), algorithms=["EdDSA"])


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "OKP", "crv": "X25519", "kid": "Bob", "x": "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"},
        {
            "kty": "OKP",
            "crv": "X448",
            "kid": "Dave",
            "x": "PreoKbDNIPW8_AtZm2_sz22kYnEHvbDU80W0MCfYuXL8PjT7QjKhPKcG3LV67D2uB73BxnvzNgk",
        },
    ],
    ids=["A.6", "A.7"],
)
def test_keys_for_agreement_are_skipped(jwk):
    """Appendices A.6 and A.7."""
    keys = JWKSet.from_json({"keys": [jwk, PUBLIC]})
    assert [key.curve for key in keys] == ["Ed25519"]
    assert sum(keys.skipped.values()) == 1
