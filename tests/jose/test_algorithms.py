"""The table of algorithms: every row verifies what ``cryptography`` signs, and only that."""

from __future__ import annotations

import pytest

import keybound
from keybound import PolicyError, jws
from keybound._hotpath.contract import Family, Kind
from keybound.errors import Reason, SignatureRejected
from keybound.jose.algorithms import ALGORITHMS, algorithms_for, select
from keybound.testing import ALGORITHMS as SIGNED
from keybound.testing import SigningKey, make_token

NAMES = (
    *("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "Ed448"),
)
VARIANTS = [(alg, None) for alg in SIGNED] + [("EdDSA", "Ed448")]


def generated(alg: str, curve: str | None) -> tuple[SigningKey, keybound.JWKSet]:
    key = SigningKey.generate(alg, curve=curve, shared=True)
    return key, keybound.JWKSet.from_json(key.verification_jwk())


def test_the_names():
    assert tuple(ALGORITHMS) == NAMES
    assert set(SIGNED) == set(NAMES)


def test_none_is_no_row():
    assert not [name for name in ALGORITHMS if name.lower() == "none"]
    assert all(row.family in Family and row.kinds for row in ALGORITHMS.values())


def test_rows_are_numbered_by_their_place():
    assert [row.index for row in ALGORITHMS.values()] == list(range(len(NAMES)))
    assert [row.name for row in ALGORITHMS.values()] == list(NAMES)


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        ALGORITHMS["none"] = ALGORITHMS["HS256"]
    with pytest.raises(AttributeError):
        ALGORITHMS["HS256"].bits = 0


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (Kind.SECRET, ["HS256", "HS384", "HS512"]),
        (Kind.RSA, ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]),
        (Kind.P256, ["ES256"]),
        (Kind.P384, ["ES384"]),
        (Kind.P521, ["ES512"]),
        (Kind.SECP256K1, ["ES256K"]),
        (Kind.ED25519, ["EdDSA", "Ed25519"]),
        (Kind.ED448, ["EdDSA", "Ed448"]),
    ],
)
def test_each_kind_of_key_has_its_own_algorithms(kind, names):
    assert [row.name for row in algorithms_for(kind)] == names


def test_an_allow_list_keeps_its_order_and_drops_repetitions():
    assert [row.name for row in select(["PS256", "ES256", "PS256"])] == ["PS256", "ES256"]
    assert [row.name for row in select(name for name in ("ES256",))] == ["ES256"]


@pytest.mark.parametrize(
    "names",
    [
        *(None, 5, "ES256", b"ES256", "", [], (), {}),
        *(["none"], ["None"], [""], ["es256"], ["ES256 "], ["RS256", "none"], ["ES521"], ["A256GCM"]),
        *([None], [["ES256"]], [b"ES256"], [ALGORITHMS["ES256"]]),
    ],
    ids=repr,
)
def test_what_is_no_allow_list(names):
    with pytest.raises(PolicyError, match="algorithms"):
        select(names)


@pytest.mark.parametrize("names", [["HS256", "RS256"], ["ES256", "HS512"], list(NAMES)], ids=len)
def test_secrets_and_public_keys_are_never_allowed_together(names):
    with pytest.raises(PolicyError, match="mixes HMAC"):
        select(names)


@pytest.mark.parametrize(("alg", "curve"), VARIANTS)
def test_real_signatures_verify(alg, curve):
    key, keys = generated(alg, curve)
    for payload in (b"", b"{}", bytes(range(256)) * 8):
        token = make_token({"alg": alg, "kid": key.kid}, payload, key)
        assert jws.verify(token, keys, algorithms=[alg]).payload == payload


@pytest.mark.parametrize(("alg", "curve"), VARIANTS)
def test_changed_signatures_do_not(alg, curve):
    key, keys = generated(alg, curve)
    header, payload = {"alg": alg, "kid": key.kid}, b"payload"
    good = key.sign(make_token(header, payload, None).rpartition(".")[0].encode())
    changed = [
        bytes([*good[:at], good[at] ^ bit, *good[at + 1 :]])
        for at in (0, len(good) // 2, -1 % len(good))
        for bit in (1, 128)
    ]
    for signature in [
        *changed,
        b"",
        b"\0",
        good[:1],
        good[:-1],
        good[1:],
        good + b"\0",
        b"\0" + good,
        bytes(len(good)),
        b"\xff" * len(good),
    ]:
        token = make_token(header, payload, None, signature=signature)
        with pytest.raises(SignatureRejected):
            jws.verify(token, keys, algorithms=[alg])


@pytest.mark.parametrize(("alg", "curve"), VARIANTS)
def test_no_other_algorithm_takes_the_signature(alg, curve):
    """The name is not checked here but the mathematics: the key is loaded for every algorithm of its type."""
    key = SigningKey.generate(alg, curve=curve, shared=True)
    document = {name: value for name, value in key.verification_jwk().items() if name != "alg"}
    same_family = [name for name in NAMES if (name[0] == "H") == (alg[0] == "H")]
    keys = keybound.JWKSet.from_json(document)
    same = {row.name for row in ALGORITHMS.values() if row.family is Family.EDDSA}
    for name in same_family:
        token = make_token({"alg": name, "kid": key.kid}, b"payload", key)
        if name == alg or (alg in same and name in keys.keys[0].algorithms):
            assert jws.verify(token, keys, algorithms=same_family).payload == b"payload"
        else:
            with pytest.raises(keybound.TokenRejected) as caught:
                jws.verify(token, keys, algorithms=same_family)
            assert caught.value.reason in (Reason.SIGNATURE_INVALID, Reason.KEY_UNSUITABLE)


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "ES256K"])
def test_ecdsa_signatures_are_not_der(alg):
    from cryptography.hazmat.primitives.asymmetric import utils

    key, keys = generated(alg, None)
    unsigned = make_token({"alg": alg}, b"payload", None).rpartition(".")[0]
    pair = key.sign(unsigned.encode())
    half = len(pair) // 2
    der = utils.encode_dss_signature(int.from_bytes(pair[:half], "big"), int.from_bytes(pair[half:], "big"))
    for signature in (der, pair[half:] + pair[:half], pair[:half], pair + bytes(half)):
        with pytest.raises(SignatureRejected):
            jws.verify(
                make_token({"alg": alg}, b"payload", None, signature=signature), keys, algorithms=[alg]
            )


@pytest.mark.parametrize("size", [0, 4, 16, 31])
def test_truncated_tags_are_refused(size):
    key, keys = generated("HS256", None)
    token = make_token({"alg": "HS256"}, b"payload", lambda data: key.sign(data)[:size])
    with pytest.raises(SignatureRejected):
        jws.verify(token, keys, algorithms=["HS256"])


@pytest.mark.parametrize("salt", [0, 1, 20, 31, 33, 64, 222])
def test_the_salt_of_pss_is_as_long_as_the_hash(salt):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    key, keys = generated("PS256", None)
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
    token = make_token(
        {"alg": "PS256"}, b"x", lambda data: key.private_key.sign(data, scheme, hashes.SHA256())
    )
    with pytest.raises(SignatureRejected):
        jws.verify(token, keys, algorithms=["PS256"])


def test_the_mask_generation_of_pss_uses_the_same_hash():
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    key, keys = generated("PS256", None)
    scheme = padding.PSS(padding.MGF1(hashes.SHA1()), 32)
    token = make_token(
        {"alg": "PS256"}, b"x", lambda data: key.private_key.sign(data, scheme, hashes.SHA256())
    )
    with pytest.raises(SignatureRejected):
        jws.verify(token, keys, algorithms=["PS256"])
