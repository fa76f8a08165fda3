"""One key handle, one verify: every family, and every way a signature is not one (RFC 7518, 3)."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from keybound import JWK
from keybound._hotpath.contract import Kind
from keybound.jose.algorithms import ALGORITHMS
from keybound.testing import SigningKey

DATA = b"eyJhbGciOiJ4In0.e30"
SIGNERS = {name: SigningKey.generate(name, shared=True) for name in ALGORITHMS}


def loaded(twins: Any, alg: str) -> Any:
    key = JWK.from_json(SIGNERS[alg].verification_jwk())
    return twins.signature.load_key(key._kind, key._material)


def verify(twins: Any, alg: str, signature: bytes, *, data: bytes = DATA, key: Any = None) -> bool:
    row = ALGORITHMS[alg]
    result = twins.signature.verify(key or loaded(twins, alg), row.family, row.bits, data, signature)
    assert type(result) is bool
    return result


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_good_signature(twins: Any, alg: str) -> None:
    for data in (DATA, b"", b"\0", b"x" * 100_000):
        assert verify(twins, alg, SIGNERS[alg].sign(data), data=data)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_other_data(twins: Any, alg: str) -> None:
    good = SIGNERS[alg].sign(DATA)
    for data in (b"", DATA[:-1], DATA + b"\0", DATA.upper(), DATA * 2):
        assert not verify(twins, alg, good, data=data)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_byte_of_a_signature_counts(twins: Any, alg: str) -> None:
    good, key = SIGNERS[alg].sign(DATA), loaded(twins, alg)
    assert verify(twins, alg, good, key=key)
    for position in range(len(good)):
        forged = bytearray(good)
        forged[position] ^= 1 << position % 8
        assert not verify(twins, alg, bytes(forged), key=key)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_signature_has_one_length(twins: Any, alg: str) -> None:
    """RFC 7518, 3.2 to 3.5: neither shorter nor longer, nor DER (H2: ECDSA lengths)."""
    good, key = SIGNERS[alg].sign(DATA), loaded(twins, alg)
    half = len(good) // 2
    forms = [b"", b"\0", good[:1], good[:-1], good[1:], good + b"\0", b"\0" + good, good * 2, good[:half]]
    forms.append(b"\0" + good[:half] + b"\0" + good[half:])
    for forged in (*forms, bytes(len(good)), b"\xff" * len(good), bytes(5_000)):
        assert not verify(twins, alg, forged, key=key)


@pytest.mark.parametrize("alg", [name for name in ALGORITHMS if name.startswith("ES")])
def test_zero_and_order_in_ecdsa(twins: Any, alg: str) -> None:
    """CVE-2022-21449: r and s are from 1 to n - 1."""
    good, key = SIGNERS[alg].sign(DATA), loaded(twins, alg)
    half = len(good) // 2
    r, s = good[:half], good[half:]
    zero, one = bytes(half), bytes(half - 1) + b"\1"
    for forged in (
        zero + zero,
        zero + s,
        r + zero,
        one + zero,
        zero + one,
        one + one,
        s + r,
        b"\xff" * half + s,
    ):
        assert not verify(twins, alg, forged, key=key)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_another_key(twins: Any, alg: str) -> None:
    other = SigningKey.generate(alg)
    assert not verify(twins, alg, other.sign(DATA))


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("other", ALGORITHMS)
def test_a_key_of_another_kind_never_verifies(twins: Any, alg: str, other: str) -> None:
    """Whatever the row above says, the handle knows what it is."""
    row, key = ALGORITHMS[alg], loaded(twins, other)
    for data in (DATA, b""):
        assert key.kind in row.kinds or not verify(twins, alg, SIGNERS[alg].sign(data), data=data, key=key)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "Ed25519", "Ed448"])
def test_public_key_as_a_secret(twins: Any, alg: str) -> None:
    """B1, B18: the octets of a public key are no HMAC secret, in whatever order."""
    handle, material = loaded(twins, alg), JWK.from_json(SIGNERS[alg].verification_jwk())._material
    for secret in (*material, b"".join(material), SIGNERS[alg].public_pem(), b"\0", b""):
        forged = SigningKey("HS256", secret).sign(DATA)
        assert not verify(twins, "HS256", forged, key=handle)


@pytest.mark.parametrize("family", [0, 6, -1, 2**31 - 1])
def test_family_that_does_not_exist(twins: Any, family: int) -> None:
    for alg in ("HS256", "RS256", "ES256", "Ed25519"):
        assert twins.signature.verify(loaded(twins, alg), family, 256, DATA, SIGNERS[alg].sign(DATA)) is False


@pytest.mark.parametrize("alg", ["HS256", "RS256", "PS256", "ES256"])
@pytest.mark.parametrize("bits", [0, 1, 160, 224, 384, 512, 1024, -256])
def test_hash_that_was_not_used(twins: Any, alg: str, bits: int) -> None:
    row, good = ALGORITHMS[alg], SIGNERS[alg].sign(DATA)
    assert twins.signature.verify(loaded(twins, alg), row.family, bits, DATA, good) is False


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_key_handle(twins: Any, alg: str) -> None:
    key = loaded(twins, alg)
    assert type(key) is twins.signature.VerifyKey
    assert key.kind in ALGORITHMS[alg].kinds
    for name in ("kind", "_key", "other"):
        with pytest.raises(AttributeError):
            setattr(key, name, 1)
    for again in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            again(key)
    with pytest.raises(TypeError):
        twins.signature.VerifyKey()


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.SECRET, Kind.RSA)])
def test_points_off_the_curve(twins: Any, kind: Kind) -> None:
    """H9: a point that is not one, of the right size."""
    size = {Kind.P384: 48, Kind.P521: 66, Kind.ED448: 57}.get(kind, 32)
    parts = 1 if kind in (Kind.ED25519, Kind.ED448) else 2
    if parts == 2:
        for octet in (b"\0", b"\1", b"\xff"):
            assert twins.signature.load_key(kind, (octet * size,) * parts) is None
    for wrong in (size - 1, size + 1, 0):
        if parts == 1:
            assert twins.signature.load_key(kind, (b"\1" * wrong,)) is None


@pytest.mark.parametrize("kind", [0, 9, -1, 1000])
def test_kind_that_does_not_exist(twins: Any, kind: int) -> None:
    assert twins.signature.load_key(kind, (b"\1" * 32,)) is None
    assert twins.signature.load_key(kind, (b"\1" * 32, b"\1" * 32)) is None


def test_what_is_running(twins: Any) -> None:
    assert twins.signature.library()
    assert all(isinstance(name, str) for name in twins.signature.cpu_features())
    assert {twins.signature.provider(kind) for kind in Kind} <= {"AWS-LC", "cryptography", "hashlib"}
