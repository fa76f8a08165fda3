"""DPoP proofs for tests are what RFC 9449, 4.2 says, and everything in them can be replaced."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from keybound.testing import ALGORITHMS, OMIT, FakeClock, SigningKey, dpop_proof

KEY = SigningKey.generate("ES256")


def decoded(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def parts(raw: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload, _ = raw.split(".")
    return decoded(header), decoded(payload)


def test_proof_is_what_rfc_9449_asks_for() -> None:
    header, claims = parts(dpop_proof(KEY, clock=FakeClock(1_700_000_000.9)))
    public = {name: value for name, value in KEY.public_jwk().items() if name in ("kty", "crv", "x", "y")}
    assert header == {"typ": "dpop+jwt", "alg": "ES256", "jwk": public}
    assert isinstance(claims.pop("jti"), str)
    assert claims == {"htm": "GET", "htu": "https://rs.example.com/resource", "iat": 1_700_000_000}


def test_every_proof_has_an_identifier_of_its_own() -> None:
    assert len({parts(dpop_proof(KEY))[1]["jti"] for _ in range(20)}) == 20


def test_hash_of_the_token_and_nonce() -> None:
    _, claims = parts(dpop_proof(KEY, access_token="a.b.c", nonce="n"))
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"a.b.c").digest()).decode().rstrip("=")
    assert (claims["ath"], claims["nonce"]) == (digest, "n")


def test_everything_can_be_replaced_or_left_out() -> None:
    header, claims = parts(
        dpop_proof(
            KEY,
            method=5,
            url=None,
            header={"typ": OMIT, "jwk": {}, "x": 1},
            jti=OMIT,
            iat="now",
            htu=OMIT,
            other=True,
        )
    )
    assert header == {"alg": "ES256", "jwk": {}, "x": 1}
    assert claims == {"htm": 5, "iat": "now", "other": True}


def test_another_key_can_sign() -> None:
    other = SigningKey.generate("ES256")
    raw = dpop_proof(KEY, signer=other)
    assert parts(raw)[0]["jwk"]["x"] == KEY.public_jwk()["x"]
    assert raw.rpartition(".")[2] != dpop_proof(KEY).rpartition(".")[2]


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_algorithm(alg: str) -> None:
    """Shared secrets too, for the proof that must be refused."""
    key = SigningKey.generate(alg, shared=True)
    header, _ = parts(dpop_proof(key))
    assert header["alg"] == alg
    assert not {"d", "p", "alg", "kid"} & set(header["jwk"])
    assert (header["jwk"]["kty"] == "oct") == alg.startswith("HS")
