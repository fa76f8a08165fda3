"""The examples of RFC 7515 (JSON Web Signature), appendices A, E and F."""

from __future__ import annotations

import base64
import json

import pytest

from keybound import JWK, HeaderRejected, JWKSet, Reason, SignatureRejected, TokenRejected, jws

PAYLOAD = b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'
ENCODED = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

A1_KEY = {
    "kty": "oct",
    "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
}
A1 = f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{ENCODED}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

A2_MODULUS = (
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR"
    "T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB"
    "dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia"
    "GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
)
A2_KEY = {"kty": "RSA", "n": A2_MODULUS, "e": "AQAB"}
A2_SIGNATURE = (
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9"
    "uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB"
    "_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rq"
    "Vt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
)
A2 = f"eyJhbGciOiJSUzI1NiJ9.{ENCODED}.{A2_SIGNATURE}"

A3_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
A3_SIGNATURE = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
A3 = f"eyJhbGciOiJFUzI1NiJ9.{ENCODED}.{A3_SIGNATURE}"

A4_KEY = {
    "kty": "EC",
    "crv": "P-521",
    "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
    "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
}
A4 = (
    "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA."
    "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8Ga"
    "SwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
)

A6 = {
    "payload": ENCODED,
    "signatures": [
        {"protected": "eyJhbGciOiJSUzI1NiJ9", "header": {"kid": "2010-12-29"}, "signature": A2_SIGNATURE},
        {
            "protected": "eyJhbGciOiJFUzI1NiJ9",
            "header": {"kid": "e9bc097a-ce51-4036-9562-d2ade882db0d"},
            "signature": A3_SIGNATURE,
        },
    ],
}
A7 = {"payload": ENCODED} | A6["signatures"][1]

EXAMPLES = [
    ("HS256", A1_KEY, A1, PAYLOAD),
    ("RS256", A2_KEY, A2, PAYLOAD),
    ("ES256", A3_KEY, A3, PAYLOAD),
    ("ES512", A4_KEY, A4, b"Payload"),
]
IDS = ["A.1", "A.2", "A.3", "A.4"]


@pytest.mark.parametrize(("alg", "key", "token", "payload"), EXAMPLES, ids=IDS)
def test_compact_examples(alg, key, token, payload):
    verified = jws.verify(token, JWK.from_json(key), algorithms=[alg])
    assert verified.payload == payload
    assert verified.header["alg"] == alg


@pytest.mark.parametrize(("alg", "key", "token", "payload"), EXAMPLES, ids=IDS)
def test_any_other_payload_does_not_verify(alg, key, token, payload):
    protected, _, signature = token.split(".")
    with pytest.raises(SignatureRejected):
        jws.verify(f"{protected}.e30.{signature}", JWK.from_json(key), algorithms=[alg])


@pytest.mark.parametrize(("alg", "key", "token", "payload"), EXAMPLES, ids=IDS)
def test_detached_content(alg, key, token, payload):
    """Appendix F."""
    protected, _, signature = token.split(".")
    options = {"algorithms": [alg], "detached_payload": payload}
    assert jws.verify(f"{protected}..{signature}", JWK.from_json(key), **options).payload == payload


@pytest.mark.parametrize("alg", ["HS256", "ES256"])
def test_unsecured(alg):
    """Appendix A.5."""
    keys = JWKSet.from_json(A1_KEY if alg == "HS256" else A3_KEY)
    with pytest.raises(HeaderRejected) as caught:
        jws.verify(f"eyJhbGciOiJub25lIn0.{ENCODED}.", keys, algorithms=[alg])
    assert caught.value.reason is Reason.ALG_NOT_ALLOWED


def test_general_json():
    """Appendix A.6: each of the two keys alone suffices, and the header is that of its signature."""
    for key, alg, kid in (
        (A2_KEY, "RS256", "2010-12-29"),
        (A3_KEY, "ES256", "e9bc097a-ce51-4036-9562-d2ade882db0d"),
    ):
        for document in (A6, json.dumps(A6)):
            verified = jws.verify_json(
                document, JWKSet.from_json(key | {"kid": kid}), algorithms=["RS256", "ES256"]
            )
            assert verified.payload == PAYLOAD
            assert verified.header == {"alg": alg, "kid": kid}


def test_flattened_json():
    """Appendix A.7."""
    verified = jws.verify_json(json.dumps(A7), JWK.from_json(A3_KEY), algorithms=["ES256"])
    assert verified.payload == PAYLOAD


def test_negative_case_for_crit():
    """Appendix E: must be rejected because of ``crit``, even where "none" would be allowed."""
    token = (
        "eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFt"
        "cGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA."
    )
    with pytest.raises(TokenRejected):
        jws.verify(token, JWK.from_json(A3_KEY), algorithms=["ES256"])
    header = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
    allowed = base64.urlsafe_b64encode(json.dumps(header | {"alg": "ES256"}).encode()).rstrip(b"=").decode()
    with pytest.raises(HeaderRejected) as caught:
        jws.verify(f"{allowed}.RkFJTA.AAAA", JWK.from_json(A3_KEY), algorithms=["ES256"])
    assert caught.value.reason is Reason.CRIT_UNSUPPORTED


def test_base64url_without_padding():
    """Appendix C."""
    from keybound._hotpath import base64url

    assert base64url.encode(bytes([3, 236, 255, 224, 193])) == "A-z_4ME"
    assert base64url.decode("A-z_4ME") == bytes([3, 236, 255, 224, 193])
