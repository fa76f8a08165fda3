"""Tokens that are expensive to refuse. No clock is read here: what counts is what is not even begun."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

import keybound
from keybound import JWK, jws
from keybound.errors import Reason
from keybound.testing import OMIT, SigningKey, make_token

ES256 = {"algorithms": ["ES256"]}


@pytest.mark.parametrize("form", [str, str.encode])
def test_f1_a_million_dots(world: Any, judge: Any, form: Any) -> None:
    """Nothing is allocated for a dot, with a ceiling that lets them through as well as with the usual one."""
    dots = form("." * 1_000_000)
    wide = world.validator(limits=keybound.Limits(token_bytes=2**21))
    for validator, reason in ((wide, Reason.TOKEN_MALFORMED), (world.validator(), Reason.TOKEN_TOO_LARGE)):
        judge.rejects(dots, reason, validator=validator)
        tracemalloc.start()
        try:
            with pytest.raises(keybound.MalformedToken):
                validator.validate(dots)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 2 * len(dots)


def test_f2_size_comes_first(world: Any, judge: Any) -> None:
    """P21: too large wins over everything else that is wrong with a token, in front of every entry."""
    for raw in ("x" * 20_000, "=" * 20_000, "." * 20_000, "a.b." + "\u00e9" * 20_000, b"\xff" * 20_000):
        judge.rejects(raw, Reason.TOKEN_TOO_LARGE)
        for call in (jws.verify, jws.verify_json):
            with pytest.raises(keybound.TokenRejected) as caught:
                call(raw, world.keys, **ES256)
            assert caught.value.reason is Reason.TOKEN_TOO_LARGE
    header = "x" * 5_000 + ".!.!"
    judge.rejects(header, Reason.HEADER_TOO_LARGE)
    judge.accepts(world.token())


@pytest.mark.parametrize("bracket", [b"[", b'{"a":'])
def test_f3_f4_nesting(world: Any, judge: Any, bracket: bytes) -> None:
    deep = bracket * 100_000
    wide = keybound.Limits(token_bytes=2**21, header_bytes=2**21, json_depth=256)
    for limits in (wide, keybound.Limits(token_bytes=2**21, header_bytes=2**21)):
        judge.rejects(world.forge(payload=deep), Reason.JSON_TOO_DEEP, limits=limits)
        judge.rejects(world.forge(header=deep), Reason.JSON_TOO_DEEP, limits=limits)
    with pytest.raises(keybound.InvalidKey):
        JWK.from_json(deep)
    with pytest.raises(keybound.TokenRejected):
        jws.verify_json(deep, world.keys, **ES256, limits=wide)


@pytest.mark.parametrize("count", [0, 2**31, 2**63, 10**300])
def test_f5_f6_iterations_the_token_asks_for(world: Any, judge: Any, count: int) -> None:
    header = {"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": count, "p2s": "AAAA"}
    raw = make_token(header, world.claims(), None)
    judge.rejects(raw, Reason.ALG_NOT_ALLOWED)
    judge.rejects(raw + ".AAAA.AAAA", Reason.TOKEN_ENCRYPTED)
    judge.accepts(world.token(header={"p2c": count}))


def test_f7_f8_compressed_and_encrypted_tokens_are_not_opened(world: Any, judge: Any) -> None:
    header = make_token({"alg": "dir", "enc": "A128GCM", "zip": "DEF"}, b"", None).split(".")[0]
    for middle in ("", "AAAA", "null"):
        judge.rejects(f"{header}.{middle}.AAAA.AAAA.AAAA", Reason.TOKEN_ENCRYPTED)
    # In a signed token zip says nothing.
    judge.accepts(world.token(header={"zip": "DEF"}))


def test_f10_every_refusal_is_like_the_first(world: Any, judge: Any) -> None:
    validator = world.validator()
    forged = world.token(key=SigningKey.generate("ES256", kid=world.key.kid))
    for _ in range(10):
        judge.rejects(forged, Reason.SIGNATURE_INVALID, validator=validator)
        judge.rejects(world.token(aud="x"), Reason.AUD_MISMATCH, validator=validator)
    judge.accepts(world.token(), validator=validator)


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat", "x"])
@pytest.mark.parametrize(
    "digits", ["9" * 5_000, "-" + "9" * 5_000, "0." + "9" * 5_000, "1e5000", "1E-5000", "9" * 300]
)
def test_f12_numbers_of_5000_digits(world: Any, judge: Any, claim: str, digits: str) -> None:
    raw = world.with_text(f'"{claim}":{digits}', instead_of=claim)
    (verdict,) = judge.verdicts(world.validator(), raw)
    small = digits.startswith(("0.", "1E-"))
    if (small and claim != "exp") or (claim == "x" and len(digits) == 300):
        assert verdict == Reason.OK
    else:
        assert verdict != Reason.OK
        with pytest.raises(keybound.TokenRejected):
            world.validator().validate(raw)


def test_f13_detached_payloads_have_a_ceiling_too(world: Any) -> None:
    protected, _, signature = world.token().split(".")
    for payload in (b"x" * 16_385, b"x" * 5_000_000):
        with pytest.raises(keybound.TokenRejected) as caught:
            jws.verify(f"{protected}..{signature}", world.keys, **ES256, detached_payload=payload)
        assert caught.value.reason is Reason.TOKEN_TOO_LARGE
        given = {"protected": protected, "signature": signature}
        with pytest.raises(keybound.TokenRejected) as caught:
            jws.verify_json(given, world.keys, **ES256, detached_payload=payload)
        assert caught.value.reason is Reason.TOKEN_TOO_LARGE
        with pytest.raises(keybound.TokenRejected) as caught:
            jws.verify_json(given | {"payload": "A" * len(payload)}, world.keys, **ES256)
        assert caught.value.reason is Reason.TOKEN_TOO_LARGE


def test_f14_huge_rsa_numbers() -> None:
    jwk = SigningKey.generate("RS256", shared=True).public_jwk()
    for changed in (
        {"n": "_" * 2731},
        {"n": "_" * 100_000},
        {"e": "_" * 7},
        {"e": "_" * 683},
        {"e": jwk["n"]},
    ):
        with pytest.raises(keybound.InvalidKey):
            JWK.from_json(jwk | changed)
    assert JWK.from_json(jwk).bits == 2048


def in_pure_python(world: Any, keys: keybound.JWKSet) -> Callable[[object], Any]:
    """The road of the pure twin, where what is called can be seen."""
    from keybound._hotpath.pure import signature, token

    policy = world.validator().policy
    compiled = token.CompiledPolicy(policy.header_rules(), policy.claim_rules())
    index = token.KeyIndex(
        (key.kid, signature.load_key(key._kind, key._material), key._mask) for key in keys.keys
    )
    return lambda raw: token.validate(compiled, index, raw, world.now, None)


def parts_at_work(call: Callable[[], Any]) -> set[str]:
    """The modules of the hot path in which functions were called."""
    seen = set()

    def watch(frame: FrameType, event: str, argument: object) -> None:
        package, _, module = frame.f_globals["__name__"].rpartition(".")
        if package.startswith("keybound._hotpath"):
            seen.add(module)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(before)
    return seen


@pytest.mark.parametrize("size", [64 * 1024, 1024 * 1024])
@pytest.mark.parametrize("form", [str, str.encode])
def test_large_junk_is_refused_before_any_work(world: Any, judge: Any, size: int, form: Any) -> None:
    """F-15, P21: nothing is decoded, parsed or verified, and nothing is copied."""
    good = world.token()
    protected, payload, signature = good.split(".")
    junk = form(f"{protected}.{payload}{'A' * size}.{signature}")
    judge.rejects(junk, Reason.TOKEN_TOO_LARGE)
    judged = in_pure_python(world, world.keys)
    assert parts_at_work(lambda: judged(good)) > {"base64url", "strict_json", "signature", "claims"}
    assert parts_at_work(lambda: judged(junk)) == {"token", "compact"}
    validator = world.validator()
    tracemalloc.start()
    try:
        with pytest.raises(keybound.MalformedToken):
            validator.validate(junk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size / 4


def test_forged_tokens_cost_at_most_three_signatures(
    world: Any, judge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-13, P21 (lavinmq#2077): fifty keys make a forged token no dearer. Counted in the pure twin."""
    from keybound._hotpath.pure import signature

    signers = [SigningKey.generate("ES256", kid=kid) for kid in ["same"] * 10 + [str(n) for n in range(40)]]
    keys = keybound.JWKSet.from_json({"keys": [key.public_jwk() for key in signers]})
    judged = in_pure_python(world, keys)
    count = 0

    def counted(*arguments: Any) -> bool:
        nonlocal count
        count += 1
        return False

    monkeypatch.setattr(signature, "verify", counted)
    stranger = SigningKey.generate("ES256")
    for kid, reason, cost in (
        ("same", Reason.SIGNATURE_INVALID, 3),
        ("7", Reason.SIGNATURE_INVALID, 1),
        ("unknown", Reason.KEY_UNKNOWN, 0),
        (OMIT, Reason.KEY_AMBIGUOUS, 0),
    ):
        count = 0
        raw = world.token(key=stranger, header={"kid": kid})
        assert judged(raw) == reason
        assert count == cost
    for early in ({"alg": "RS256"}, {"typ": "dpop+jwt"}, {"crit": ["x"], "x": 1}):
        count = 0
        raw = world.token(key=stranger, header={"kid": "7"} | early)
        assert judged(raw) != Reason.OK
        assert count == 0


def test_no_token_makes_keybound_unavailable(world: Any) -> None:
    """F-14: a crafted token is rejected; 503 belongs to key sources."""
    for raw in (
        None,
        "",
        "x",
        b"\xff",
        "." * 10**6,
        world.token()[:-1],
        world.token(header={"kid": "x" * 3000}),
    ):
        with pytest.raises(keybound.TokenRejected):
            world.validator().validate(raw)
