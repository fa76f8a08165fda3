"""The examples of RFC 8037 (Edwards curves in JOSE), appendix A."""

from __future__ import annotations

import base64
import json

import pytest

from keybound import JWK, DecryptionKey, DecryptionRejected, InvalidKey, JWKSet, SignatureRejected, jwe, jws
from keybound.testing import EncryptionKey, encrypt_jwe
from keybound.testing.encrypting import _concat_kdf

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


# RFC 8037, A.6 and A.7, with the private keys of Bob from RFC 7748 sections 6.1 and 6.2.
AGREEMENTS = [
    (
        "Bob",
        "X25519",
        "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08",
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo",
        "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
        "ECDH-ES+A128KW",
    ),
    (
        "Dave",
        "X448",
        "PreoKbDNIPW8_AtZm2_sz22kYnEHvbDU80W0MCfYuXL8PjT7QjKhPKcG3LV67D2uB73BxnvzNgk",
        "1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d6927c120"
        "bb5ee8972b0d3e21374c9c921b09d1b0366f10b65173992d",
        "mwj3zDG34-Z9ItWuoSEHSic70rg94Jxj-qc9LCLF2bvINmRyQdlT1AxbEtqIEg1TF3-A5TLEH6A",
        "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56"
        "fd2464c335543936521c24403085d59a449a5037514a879d",
        "ECDH-ES+A256KW",
    ),
]


@pytest.mark.parametrize(("kid", "curve", "x", "d", "epk", "z", "alg"), AGREEMENTS, ids=["A.6", "A.7"])
def test_agreement(kid, curve, x, d, epk, z, alg):
    """Appendices A.6 and A.7: the header as printed, and the shared secret Z."""
    private = base64.urlsafe_b64encode(bytes.fromhex(d)).decode().rstrip("=")
    key = DecryptionKey.from_json({"kty": "OKP", "crv": curve, "kid": kid, "x": x, "d": private})
    header = {
        "alg": alg,
        "epk": {"kty": "OKP", "crv": curve, "x": epk},
        "enc": "A128GCM" if curve == "X25519" else "A256GCM",
        "kid": kid,
    }
    wrapping = alg.removeprefix("ECDH-ES+")
    derived = _concat_kdf(bytes.fromhex(z), int(wrapping[1:4]) // 8, alg, b"", b"")
    options = {"algorithms": [alg], "encryptions": [header["enc"]]}
    compact = encrypt_jwe(
        "text", EncryptionKey(wrapping, derived), enc=header["enc"], header=json.dumps(header).encode()
    )
    assert jwe.decrypt(compact, key, **options).plaintext == b"text"
    other = DecryptionKey.from_json(EncryptionKey.generate(alg, curve=curve, kid=kid).private_jwk())
    with pytest.raises(DecryptionRejected):
        jwe.decrypt(compact, other, **options)
