from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybound.cli.inputs import MAX_INPUT_BYTES
from keybound.testing import SigningKey

# RFC 7638, 3.1
RFC7638_KEY = {
    "kty": "RSA",
    "n": (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV"
        "4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0"
        "zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-cs"
        "FCur-kEgU8awapJzKnqDKgw"
    ),
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}
RFC7638_THUMBPRINT = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("form", ["certificate", "der"])
def test_certificate(shell, world, form):
    status, document = shell.json("thumbprint", shell.files[form])
    assert status == 0
    assert document["certificate"]["x5t#S256"] == world.client.thumbprint
    assert len(bytes.fromhex(document["certificate"]["sha256"])) == 32
    assert document["keys"] == []
    assert world.client.thumbprint in shell.run("thumbprint", shell.files[form]).output


def test_key_of_the_rfc(shell):
    data = json.dumps(RFC7638_KEY).encode()
    status, document = shell.json("thumbprint", "-", stdin=data)
    assert status == 0
    assert document == {
        "certificate": None,
        "keys": [
            {
                "kid": "2011-04-29",
                "kty": "RSA",
                "crv": None,
                "bits": 2048,
                "thumbprint": RFC7638_THUMBPRINT,
                "uri": f"urn:ietf:params:oauth:jwk-thumbprint:sha-256:{RFC7638_THUMBPRINT}",
            }
        ],
        "skipped": {},
    }
    lines = shell.run("thumbprint", "-", stdin=data).output.splitlines()
    assert f"thumbprint  {RFC7638_THUMBPRINT}" in lines


def test_public_key_in_pem_and_der(shell, world):
    public = world.key.private_key.public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for path in (shell.files["pem"], shell.write("key.der", der)):
        _, document = shell.json("thumbprint", path)
        assert [key["thumbprint"] for key in document["keys"]] == [world.key.kid]
        assert document["certificate"] is None


def test_every_key_of_a_set_and_what_was_skipped(shell, world):
    other = SigningKey.generate("Ed25519")
    encrypting = SigningKey.generate("ES256").public_jwk() | {"use": "enc"}
    keys = [world.key.public_jwk(), encrypting, other.public_jwk()]
    path = shell.write("set.json", json.dumps({"keys": keys}).encode())
    _, document = shell.json("thumbprint", path)
    assert [key["thumbprint"] for key in document["keys"]] == [world.key.kid, other.kid]
    assert sum(document["skipped"].values()) == 1
    assert "Skipped 1: use says" in shell.run("thumbprint", path).output


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 100,
        b"\x30\x00",
        b"\x30\x03\x02\x01\x01",
        b"\xff\xfe\xfd",
        b"{",
        b"{}",
        b'{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}',
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b" " * (MAX_INPUT_BYTES + 1),
    ],
)
def test_junk_is_a_wrong_call(shell, data):
    result = shell.run("thumbprint", "-", stdin=data)
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")
    assert shell.json("thumbprint", "-", stdin=data)[0] == 2


def test_several_certificates_are_a_wrong_call(shell, world):
    chain = shell.write("chain.pem", world.client.pem + world.stranger.pem)
    result = shell.run("thumbprint", chain)
    assert result.exit_code == 2
    assert "exactly one certificate" in result.output


def test_private_keys_are_refused_and_not_shown(shell, world):
    result = shell.run("thumbprint", shell.files["private"])
    assert result.exit_code == 2
    assert "private key" in result.output
    assert world.key.private_jwk()["d"] not in result.output
