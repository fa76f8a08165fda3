"""Wycheproof's signature vectors on the verification of both twins.

Nothing here names a file: the algorithm follows from the key and the hash that a group declares.
What is valid by rules that no JWS algorithm has (another hash, salt length, curve or encoding) must
be refused under every algorithm of the key.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from keybound import JWK, InvalidKey
from keybound._hotpath.contract import Algorithm, Kind
from keybound.jose.algorithms import ALGORITHMS, algorithms_for

Group = dict[str, Any]
CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512", "secp256k1": "ES256K"}


def home_of_ecdsa(group: Group) -> Algorithm | None:
    row = ALGORITHMS.get(CURVES.get(group["publicKey"]["curve"], ""))
    return row if row and group["sha"] == f"SHA-{row.bits}" else None


def home_of_pkcs1(group: Group) -> Algorithm | None:
    return ALGORITHMS.get(f"RS{group['sha'].removeprefix('SHA-')}")


def home_of_pss(group: Group) -> Algorithm | None:
    row = ALGORITHMS.get(f"PS{group['sha'].removeprefix('SHA-')}")
    # RFC 7518, 3.5: the salt is as long as the hash, and MGF1 uses the same hash.
    same = (
        row and group["mgf"] == "MGF1" and group["mgfSha"] == group["sha"] and group["sLen"] * 8 == row.bits
    )
    return row if same else None


def home_of_eddsa(group: Group) -> Algorithm | None:
    return ALGORITHMS["EdDSA"]


def home_of_hmac(group: Group) -> Algorithm | None:
    row = ALGORITHMS.get(group["algorithm"].replace("HMACSHA", "HS"))
    # RFC 7518, 3.2: the tag is the whole output of the hash.
    return row if row and group["tagSize"] == row.bits else None


def nowhere(group: Group) -> None:
    """ECDSA signatures in DER are none of JOSE's (RFC 7518, 3.4)."""


HOMES: dict[str, Callable[[Group], Algorithm | None]] = {
    "EcdsaP1363Verify": home_of_ecdsa,
    "EcdsaVerify": nowhere,
    "EcdsaBitcoinVerify": nowhere,
    "EddsaVerify": home_of_eddsa,
    "RsassaPkcs1Verify": home_of_pkcs1,
    "RsassaPssVerify": home_of_pss,
    "RsassaPssWithParametersVerify": home_of_pss,
}


@pytest.fixture(params=["native", "tables", "pure"])
def signature(request: pytest.FixtureRequest) -> Iterator[Any]:
    """``native`` leaves all to the library; with ``tables`` each key has its table from the first use."""
    module = twin("native" if request.param == "tables" else request.param)
    limit = module.table_counters()["limit_bytes"]
    module.configure_tables(64 << 20 if request.param == "tables" else 0, 1)
    yield module
    module.configure_tables(limit, 16)


def twin(name: str) -> Any:
    if name == "native":
        return pytest.importorskip("keybound._hotpath.native.signature", reason="this installation is pure")
    return importlib.import_module(f"keybound._hotpath.{name}.signature")


def is_usable(group: Group) -> bool:
    """Whether JWS has an algorithm for a key of this size and curve (RFC 7518, 3.3 to 3.5)."""
    key = group["publicKey"]
    if "modulus" in key:
        return (
            2048 <= int(key["modulus"], 16).bit_length() <= 16384
            and 2 < int(key["publicExponent"], 16) < 2**32
        )
    return key["curve"] in {*CURVES, "edwards25519", "edwards448"}


def key_of(group: Group) -> JWK | None:
    """The group's key, or ``None`` where it is right to refuse it."""
    try:
        return JWK.from_pem(group["publicKeyPem"])
    except InvalidKey:
        assert not is_usable(group)
        return None


def is_good(signature: Any, handle: Any, row: Algorithm, message: str, proof: str) -> bool:
    verdict = signature.verify(handle, row.family, row.bits, bytes.fromhex(message), bytes.fromhex(proof))
    assert type(verdict) is bool
    return verdict


def wrongly_judged(signature: Any, handle: Any, group: Group, home: Algorithm, proof: str) -> list[int]:
    return [
        case["tcId"]
        for case in group["tests"]
        if case["result"] != "acceptable"
        and is_good(signature, handle, home, case["msg"], case[proof]) is not (case["result"] == "valid")
    ]


def wrongly_accepted(
    signature: Any, handle: Any, group: Group, rows: Iterable[Algorithm], proof: str
) -> list[int]:
    """Cases valid elsewhere that pass here. (An invalid one may be a good JWS because of its fault.)"""
    return [
        case["tcId"]
        for case in group["tests"]
        if case["result"] == "valid"
        and any(is_good(signature, handle, row, case["msg"], case[proof]) for row in rows)
    ]


def scheme(row: Algorithm) -> tuple[int, int]:
    """What is computed; ``EdDSA`` and ``Ed25519`` are two names of one (RFC 9864, 2.2)."""
    return row.family, row.bits


@pytest.mark.wycheproof(*HOMES)
def test_signatures(signature, wycheproof_groups):
    for group in wycheproof_groups:
        key, home = key_of(group), HOMES[group["type"]](group)
        if key is None:
            continue
        handle = signature.load_key(key._kind, key._material)
        if home:
            assert wrongly_judged(signature, handle, group, home, "sig") == []
        others = [row for row in algorithms_for(key._kind) if not home or scheme(row) != scheme(home)]
        assert wrongly_accepted(signature, handle, group, others, "sig") == []


@pytest.mark.wycheproof("MacTest")
def test_message_authentication_codes(signature, wycheproof_groups):
    for group in wycheproof_groups:
        home = home_of_hmac(group)
        for case in group["tests"]:
            handle = signature.load_key(Kind.SECRET, (bytes.fromhex(case["key"]),))
            alone = group | {"tests": [case]}
            if home:
                assert wrongly_judged(signature, handle, alone, home, "tag") == []
            others = [row for row in algorithms_for(Kind.SECRET) if row is not home]
            assert wrongly_accepted(signature, handle, alone, others, "tag") == []


@pytest.mark.wycheproof(*HOMES)
def test_twins_agree_where_either_verdict_is_acceptable(wycheproof_groups):
    native, pure = twin("native"), twin("pure")
    for group in wycheproof_groups:
        key, home = key_of(group), HOMES[group["type"]](group)
        if key is None or home is None:
            continue
        handles = [(module, module.load_key(key._kind, key._material)) for module in (native, pure)]
        for case in (case for case in group["tests"] if case["result"] == "acceptable"):
            verdicts = {is_good(*handle, home, case["msg"], case["sig"]) for handle in handles}
            assert len(verdicts) == 1, case["tcId"]


@pytest.mark.wycheproof(*HOMES)
def test_keys_are_the_same_from_pem_der_and_jwk(wycheproof_groups):
    for group in wycheproof_groups:
        key = key_of(group)
        if key is None:
            continue
        assert JWK.from_der(bytes.fromhex(group["publicKeyDer"])).thumbprint() == key.thumbprint()
        jwk = group.get("publicKeyJwk") or group.get("keyJwk")
        if jwk:
            assert JWK.from_json(jwk).thumbprint() == key.thumbprint()
            assert JWK.from_json(jwk).alg == jwk.get("alg")
