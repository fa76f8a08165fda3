"""The examples of RFC 7517 (JSON Web Key), and those of RFC 7638 and RFC 9278 (its thumbprints)."""

from __future__ import annotations

import pytest

from keybound import JWK, InvalidKey, JWKSet

MODULUS = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB"
    "ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8"
    "KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
    "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
)
EC = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "use": "enc",
    "kid": "1",
}
RSA = {"kty": "RSA", "n": MODULUS, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
CERTIFICATE = (
    "MIIDQjCCAiqgAwIBAgIGATz/FuLiMA0GCSqGSIb3DQEBBQUAMGIxCzAJBgNVBAYTAlVTMQswCQYDVQQIEwJDTzEPMA0GA1UEBxMG"
    "RGVudmVyMRwwGgYDVQQKExNQaW5nIElkZW50aXR5IENvcnAuMRcwFQYDVQQDEw5CcmlhbiBDYW1wYmVsbDAeFw0xMzAyMjEyMzI5"
    "MTVaFw0xODA4MTQyMjI5MTVaMGIxCzAJBgNVBAYTAlVTMQswCQYDVQQIEwJDTzEPMA0GA1UEBxMGRGVudmVyMRwwGgYDVQQKExNQ"
    "aW5nIElkZW50aXR5IENvcnAuMRcwFQYDVQQDEw5CcmlhbiBDYW1wYmVsbDCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEB"
    "AL64zn8/QnHYMeZ0LncoXaEde1fiLm1jHjmQsF/449IYALM9if6amFtPDy2yvz3YlRij66s5gyLCyO7ANuVRJx1NbgizcAblIgjt"
    "df/u3WG7K+IiZhtELto/A7Fck9Ws6SQvzRvOE8uSirYbgmj6He4iO8NCyvaK0jIQRMMGQwsU1quGmFgHIXPLfnpnfajr1rVTAwtg"
    "V5LEZ4Iel+W1GC8ugMhyr4/p1MtcIM42EA8BzE6ZQqC7VPqPvEjZ2dbZkaBhPbiZAS3YeYBRDWm1p1OZtWamT3cEvqqPpnjL1XyW"
    "+oyVVkaZdklLQp2Btgt9qr21m42f4wTw+Xrp6rCKNb0CAwEAATANBgkqhkiG9w0BAQUFAAOCAQEAh8zGlfSlcI0o3rYDPBB07aXN"
    "swb4ECNIKG0CETTUxmXl9KUL+9gGlqCz5iWLOgWsnrcKcY0vXPG9J1r9AqBNTqNgHq2G03X09266X5CpOe1zFo+Owb1zxtp3PehF"
    "dfQJ610CDLEaS9V9Rqp17hCyybEpOGVwe8fnk+fbEL2Bo3UPGrpsHzUoaGpDftmWssZkhpBJKVMJyf/RuP2SmmaIzmnw9JiSlYhz"
    "o4tpzd5rFXhjRbg4zW9C+2qok+2+qDM1iJ684gPHMIY8aLWrdgQTxkumGmTqgawR+N5MDtdPTEQ0XfIBc2cJEUyMTY5MPvACWpkA"
    "6SdS4xSvdXK3IVfOWA=="
)
MODULUS_OF_THE_CERTIFICATE = (
    "vrjOfz9Ccdgx5nQudyhdoR17V-IubWMeOZCwX_jj0hgAsz2J_pqYW08PLbK_PdiVGKPrqzmDIsLI7sA25VEnHU1uCLNwBuUiCO11"
    "_-7dYbsr4iJmG0Qu2j8DsVyT1azpJC_NG84Ty5KKthuCaPod7iI7w0LK9orSMhBEwwZDCxTWq4aYWAchc8t-emd9qOvWtVMDC2BX"
    "ksRngh6X5bUYLy6AyHKvj-nUy1wgzjYQDwHMTplCoLtU-o-8SNnZ1tmRoGE9uJkBLdh5gFENabWnU5m1ZqZPdwS-qo-meMvVfJb6"
    "jJVWRpl2SUtCnYG2C32qvbWbjZ_jBPD5eunqsIo1vQ"
)


def test_public_keys():
    """Appendix A.1: the EC key is for encryption, so only the RSA key may verify."""
    keys = JWKSet.from_json({"keys": [EC, RSA]})
    assert [(key.kty, key.kid, key.algorithms) for key in keys] == [("RSA", "2011-04-29", ("RS256",))]
    assert sum(keys.skipped.values()) == 1


def test_private_keys():
    """Appendix A.2."""
    private = EC | {"d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}
    with pytest.raises(InvalidKey, match="private"):
        JWKSet.from_json({"keys": [RSA, private]})


def test_symmetric_keys():
    """Appendix A.3: the first is for AES key wrap."""
    keys = JWKSet.from_json(
        {
            "keys": [
                {"kty": "oct", "alg": "A128KW", "k": "GawgguFyGrWKav7AX4VKUg"},
                {
                    "kty": "oct",
                    "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAz"
                    "Zr1Z9CAow",
                    "kid": "HMAC key used in JWS spec Appendix A.1 example",
                },
            ]
        }
    )
    assert [key.kid for key in keys] == ["HMAC key used in JWS spec Appendix A.1 example"]
    assert sum(keys.skipped.values()) == 1


def test_certificate_in_a_jwk():
    """Appendix B: the key counts; the certificate beside it is the same key but not needed."""
    import base64

    jwk = {
        "kty": "RSA",
        "use": "sig",
        "kid": "1b94c",
        "n": MODULUS_OF_THE_CERTIFICATE,
        "e": "AQAB",
        "x5c": [CERTIFICATE],
    }
    key = JWK.from_json(jwk)
    assert key.kid == "1b94c"
    assert key.thumbprint() == JWK.from_der(base64.b64decode(CERTIFICATE)).thumbprint()


def test_the_first_example():
    """Section 3."""
    key = JWK.from_json(
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            "kid": "Public key used in JWS spec Appendix A.3 example",
        }
    )
    assert key.algorithms == ("ES256",)


def test_thumbprint():
    """RFC 7638, 3.1 takes the RSA key of this document."""
    assert JWK.from_json(RSA).thumbprint() == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert JWK.from_json(EC | {"use": "sig"}).thumbprint() == "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"


def test_thumbprint_uri():
    """RFC 9278, 3 takes the thumbprint of RFC 7638."""
    uri = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert JWK.from_json(RSA).thumbprint_uri() == uri
