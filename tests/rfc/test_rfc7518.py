"""Rules of RFC 7518 (JSON Web Algorithms) that its examples elsewhere take for granted."""

from __future__ import annotations

import pytest

from keybound import JWK, InvalidKey, JWKSet, Reason, TokenRejected, jws
from keybound.jose.algorithms import ALGORITHMS
from keybound.testing import SigningKey, make_token

SIGNED = [f"{family}{bits}" for family in ("HS", "RS", "PS", "ES") for bits in (256, 384, 512)]


def test_every_signature_algorithm_of_section_3_1_but_none():
    assert set(SIGNED).issubset(ALGORITHMS)
    assert "none" not in ALGORITHMS


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_section_3_4_a_signature_is_r_and_s_in_full(alg):
    key = SigningKey.generate(alg)
    keys = JWKSet.from_json(key.public_jwk())
    header, payload, _ = make_token({"alg": alg}, {"a": 1}, key).split(".")
    good = key.sign(f"{header}.{payload}".encode())
    sizes = {"ES256": 64, "ES384": 96, "ES512": 132}
    assert len(good) == sizes[alg]
    assert jws.verify(make_token(header, payload, None, signature=good), keys, algorithms=[alg])
    half = len(good) // 2
    for other in (
        good[:-1],
        good + b"\0",
        b"\0" + good,
        good[half:],
        b"\0" + good[:half] + b"\0" + good[half:],
    ):
        with pytest.raises(TokenRejected) as caught:
            jws.verify(make_token(header, payload, None, signature=other), keys, algorithms=[alg])
        assert caught.value.reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(("alg", "octets"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_section_3_2_a_secret_is_as_long_as_the_hash(alg, octets):
    assert JWK.from_secret(b"k" * octets, alg=alg).bits == 8 * octets
    with pytest.raises(InvalidKey, match="shorter than the hash"):
        JWK.from_secret(b"k" * (octets - 1), alg=alg)


def test_section_6_2_1_2_a_coordinate_has_the_size_of_its_curve():
    jwk = SigningKey.generate("ES256").public_jwk()
    assert JWK.from_json(jwk)
    for name in ("x", "y"):
        with pytest.raises(InvalidKey, match="size of its curve"):
            JWK.from_json(jwk | {name: "AAAA" + jwk[name]})


def test_section_6_3_1_1_a_modulus_has_no_leading_zero():
    jwk = SigningKey.generate("RS256", shared=True).public_jwk()
    assert JWK.from_json(jwk)
    # Three zero octets are four characters, so the rest stays canonical.
    with pytest.raises(InvalidKey, match="leading zero"):
        JWK.from_json(jwk | {"n": "AAAA" + jwk["n"]})
