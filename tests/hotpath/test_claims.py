"""Claim checks below the policy: rules that ask for nothing, details of verdicts, the thumbprint."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import pytest

from keybound._hotpath.contract import DETAIL_SHIFT, Binding, ClaimRules
from keybound.errors import Reason

NOTHING_ASKED = ClaimRules(
    issuer=None,
    audiences=(),
    exp_required=False,
    iat_required=False,
    sub_required=False,
    client_id_required=False,
    jti_required=False,
    leeway=0.0,
    max_lifetime=None,
    max_age=None,
    required=(),
    forbidden=(),
    scopes=(),
    binding=Binding.IF_PRESENT,
)
NOW = 1_750_000_000.0
DER = b"\x30\x03abc"
THUMBPRINT = "Ex7vOCsDJdr7kko0gFFm0sy5PMSgMpcBc1RY2ieing0"


def verdict(twins: Any, claims: Any, *, proof: bytes | None = None, **changed: Any) -> int:
    rules = twins.claims.compile_rules(dataclasses.replace(NOTHING_ASKED, **changed))
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return int(twins.claims.check(rules, payload, 32, NOW, proof))


def test_rules_that_ask_for_nothing(twins: Any) -> None:
    assert verdict(twins, {}) == Reason.OK
    assert verdict(twins, {"iss": "any", "aud": "any", "exp": NOW + 1}) == Reason.OK


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": 5}, Reason.ISS_INVALID),
        ({"aud": []}, Reason.AUD_INVALID),
        ({"aud": [5]}, Reason.AUD_INVALID),
        ({"exp": "x"}, Reason.EXP_INVALID),
        ({"exp": NOW}, Reason.TOKEN_EXPIRED),
        ({"nbf": NOW + 1}, Reason.TOKEN_NOT_YET_VALID),
        ({"cnf": {}}, Reason.CNF_INVALID),
        ({"scp": 5}, Reason.SCOPE_INVALID),
    ],
)
def test_what_is_there_has_to_be_right_even_when_nobody_asked(
    twins: Any, claims: dict[str, Any], reason: Reason
) -> None:
    assert verdict(twins, claims) == reason


def test_position_of_a_claim_stands_above_the_reason(twins: Any) -> None:
    names = tuple(f"claim-{number}" for number in range(300))
    claims = dict.fromkeys(names, 1)
    assert verdict(twins, claims, required=names) == Reason.OK
    for position in (0, 1, 255, 256, 299):
        without = {name: 1 for name in names if name != names[position]}
        assert verdict(twins, without, required=names) == Reason.CLAIM_MISSING | position << DETAIL_SHIFT
        only = {names[position]: 1}
        assert verdict(twins, only, forbidden=names) == Reason.CLAIM_FORBIDDEN | position << DETAIL_SHIFT


@pytest.mark.parametrize("text", ["\ud800", "a\ud800", "\udfff\ud800"])
def test_a_lone_surrogate_is_nobodys_name(twins: Any, text: str) -> None:
    """Python text may hold what no JSON text can say."""
    for changed in ({"issuer": text}, {"audiences": (text,)}, {"required": (text,)}, {"scopes": (text,)}):
        assert verdict(twins, {"iss": "x", "aud": "x", "scope": "x"}, **changed) != Reason.OK
    assert verdict(twins, {"iss": "x"}, forbidden=(text,)) == Reason.OK


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.JSON_INVALID),
        (b"{", Reason.JSON_INVALID),
        (b"[]", Reason.PAYLOAD_NOT_OBJECT),
        (b'{"a":1,"a":1}', Reason.JSON_DUPLICATE_MEMBER),
        (b"[" * 33, Reason.JSON_TOO_DEEP),
        (b'{"a":1e308}', Reason.JSON_NUMBER_OUT_OF_RANGE),
    ],
)
def test_payload(twins: Any, payload: bytes, reason: Reason) -> None:
    assert verdict(twins, payload) == reason


@pytest.mark.parametrize(
    ("expected", "proof", "reason"),
    [
        (THUMBPRINT, DER, Reason.OK),
        (THUMBPRINT, hashlib.sha256(DER).digest(), Reason.OK),
        (THUMBPRINT, None, Reason.CERTIFICATE_MISSING),
        (THUMBPRINT, b"", Reason.CERTIFICATE_INVALID),
        (THUMBPRINT, DER + b"\0", Reason.CERTIFICATE_INVALID),
        (THUMBPRINT, bytes(31), Reason.CERTIFICATE_INVALID),
        (THUMBPRINT, bytes(32), Reason.CERTIFICATE_MISMATCH),
        (THUMBPRINT, b"\x30\x01x", Reason.CERTIFICATE_MISMATCH),
        ("", None, Reason.CNF_THUMBPRINT_INVALID),
        (THUMBPRINT[:-1] + "1", DER, Reason.CNF_THUMBPRINT_NOT_CANONICAL),
        (THUMBPRINT[:-1] + "=", DER, Reason.CNF_THUMBPRINT_INVALID),
        (THUMBPRINT[:-1] + "\u00e9", DER, Reason.CNF_THUMBPRINT_INVALID),
        (THUMBPRINT[:-2] + "\u00e9", DER, Reason.CNF_THUMBPRINT_INVALID),
        (THUMBPRINT[:-1] + "\ud800", DER, Reason.CNF_THUMBPRINT_INVALID),
        (THUMBPRINT[:40] + "\ud800", DER, Reason.CNF_THUMBPRINT_INVALID),
        ("+" + THUMBPRINT[1:-1] + "1", DER, Reason.CNF_THUMBPRINT_INVALID),
        ("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", b"", Reason.CNF_THUMBPRINT_OF_NOTHING),
    ],
)
def test_one_comparison_for_every_source_of_a_confirmation(
    twins: Any, expected: str, proof: bytes | None, reason: Reason
) -> None:
    """S001-07, S003-11: introspection and other credentials call the same function as tokens do."""
    assert twins.claims.thumbprint_verdict(expected, proof) == reason
    claims = {"cnf": {"x5t#S256": expected}}
    if "\ud800" not in expected:
        assert verdict(twins, claims, proof=proof) == reason
        assert verdict(twins, json.dumps(claims, ensure_ascii=False).encode(), proof=proof) == reason


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ('"abc"', 3),
        ('"\u00e4\u00f6"', 2),
        ('"\U0001f511"', 1),
        ('"\\u0061\\u0062"', 2),
        ('"\\ud83d\\udd11!"', 2),
        ('"\\\\\\""', 2),
        ('"' + "\u20ac" * 50 + '"', 50),
    ],
)
def test_length_of_an_identifier(twins: Any, text: str, length: int) -> None:
    """In characters, however they are written."""
    payload = f'{{"jti":{text}}}'.encode()
    assert len(json.loads(text)) == length
    assert verdict(twins, payload, max_jti=length) == Reason.OK
    assert verdict(twins, payload, max_jti=length + 1) == Reason.OK
    assert verdict(twins, payload, max_jti=None) == Reason.OK
    if length > 1:
        assert verdict(twins, payload, max_jti=length - 1) == Reason.JTI_INVALID
    assert verdict(twins, {}, max_jti=1) == Reason.OK
    assert verdict(twins, {}, max_jti=1, jti_required=True) == Reason.JTI_MISSING
    assert verdict(twins, {"jti": ["a"]}, max_jti=5) == Reason.JTI_INVALID
