"""The memory of both twins: what is kept of tokens, headers, certificates and keys, and how much of it."""

from __future__ import annotations

import gc
import json
import os
import sys
import tracemalloc
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import keybound
from keybound._hotpath import contract
from keybound.errors import Reason
from keybound.limits import MAX_REMEMBERED_HEADERS
from keybound.testing import FakeClock, FakeIssuer, SigningKey

AUDIENCE = "https://rs.example.com"
EVERYTHING = keybound.CacheSettings(entries=2**30, memory_bytes=2**40)


@pytest.fixture(scope="module")
def issuer() -> FakeIssuer:
    """Signs with a secret, for speed."""
    return FakeIssuer("https://as.example.com", alg="HS256", clock=FakeClock())


@pytest.fixture
def make(lane: Any, twins: Any, issuer: FakeIssuer) -> Callable[..., Any]:
    """``make(*keys, cache=..., **options)``: a lane of each twin; the issuer's key if none is given."""

    def make_lane(*keys: SigningKey, cache: Any = EVERYTHING, **options: Any) -> Any:
        usual = {"issuer": issuer.issuer, "audience": AUDIENCE, "algorithms": [(*keys, issuer.key)[0].alg]}
        made = keybound.JWKSet.from_json(issuer.jwks())
        if keys:
            made = keybound.JWKSet.from_json({"keys": [key.verification_jwk() for key in keys]})
        policy = keybound.AccessTokenValidator(**usual | {"keys": made} | options).policy
        return lane(twins, policy, *(keys or (issuer.key,)), clock=issuer.clock, cache=cache)

    return make_lane


def copy_of(raw: str) -> str:
    """A string of its own, as each request brings one."""
    return (raw + ".")[:-1]


def growth(work: Callable[[], Any]) -> int:
    """Bytes that are there after ``work`` and were not before."""
    # What is there already is not looked at, neither now nor when all else is collected.
    gc.freeze()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.unfreeze()


# The estimate of what a token occupies

SHAPES: dict[str, Any] = {
    "nothing more": {},
    "ten claims": {f"claim{i}": f"value{i}" for i in range(10)},
    "one long text": {"a": "x" * 6000},
    "one long text with one wide character": {"a": "x" * 6000 + "\U0001f600"},
    "one long text of Latin-1": {"a": "é" * 1500},
    "texts of two bytes": {"a": ["ab"] * 1200},
    "different texts of two bytes": {"a": [f"{i:x}" for i in range(1200)]},
    "wide texts": {"a": ["\U0001f600a"] * 700},
    "integers": {"a": list(range(1000, 2200))},
    "big integers": {"a": [10**17 + i for i in range(300)]},
    "integers beyond 64 bits": {"a": [10**30 + i for i in range(200)]},
    "fractions": {"a": [i + 0.5 for i in range(1000)]},
    "small integers": {"a": [1] * 3000},
    "literals": {"a": [None, True, False] * 300},
    "empty arrays": {"a": [[]] * 2000},
    "empty objects": {"a": [{}] * 2000},
    "arrays of one": {"a": [[1]] * 1500},
    "arrays of one text": {"a": [["ab"]] * 1000},
    "arrays of five": {"a": [[1, 2, 3, 4, 5]] * 500},
    "objects of one": {"a": [{"ab": 1}] * 800},
    "objects of one text": {"a": [{"ab": "cd"}] * 600},
    "objects of six": {"a": [{f"a{i}": i for i in range(6)}] * 150},
    "objects of eleven": {"a": [{f"a{i}": i for i in range(11)}] * 80},
    "many members": {f"k{i}": i for i in range(800)},
    "many members with texts": {f"k{i}": f"v{i}" for i in range(500)},
    "deep arrays": {"a": [json.loads("[" * 28 + "]" * 28)] * 100},
    "deep objects": {"a": [json.loads('{"ab":' * 28 + "1" + "}" * 28)] * 40},
}
SIZES = [5, 6, 10, 11, 21, 22, 42, 43, 85, 86, 170, 171, 341, 342]
SHAPES |= {f"{size} members": {f"k{i}": f"v{i}" for i in range(size)} for size in SIZES}
SHAPES |= {f"arrays of {size}": {"a": [[7] * size] * (1500 // size)} for size in (2, 4, 8, 9, 16, 17, 25)}


def spelled(claims: Any, ascii_only: bool) -> bytes:
    return json.dumps(claims, separators=(",", ":"), ensure_ascii=ascii_only).encode()


@pytest.mark.parametrize("shape", SHAPES)
def test_values_occupy_less_than_the_footprint(twins: Any, shape: str) -> None:
    for text in dict.fromkeys(spelled(SHAPES[shape], ascii_only) for ascii_only in (True, False)):
        kept: list[Any] = [twins.strict_json.load_frozen(text)] * 20

        def keep(text: bytes = text, kept: list[Any] = kept) -> None:
            for i in range(len(kept)):
                kept[i] = twins.strict_json.load_frozen(text)

        # The text itself, with the header of its bytes object.
        assert growth(keep) <= len(kept) * (twins.strict_json.footprint(text) - len(text) + 64)


@pytest.mark.parametrize("shape", SHAPES)
def test_twins_count_the_same(pure: Any, native: Any, shape: str) -> None:
    for ascii_only in (True, False):
        text = spelled(SHAPES[shape], ascii_only)
        assert pure.strict_json.footprint(text) == native.strict_json.footprint(text)


def test_footprint_of_what_is_no_json_yet(pure: Any, native: Any) -> None:
    for text in (b"", b"{}", b"[]", b'"\\"', b'"\x7f"', b'"\x80"', bytes(range(256)), b"{[,:]}" * 1000):
        assert pure.strict_json.footprint(text) == native.strict_json.footprint(text)
    assert pure.strict_json.footprint(b"") == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_cached_tokens_occupy_less_than_is_counted(make: Any, issuer: FakeIssuer, shape: str) -> None:
    tokens = [issuer.access_token(audience=AUDIENCE, **SHAPES[shape]) for _ in range(15)]
    lane = make()
    # What is there once, whatever comes later.
    lane.validator.validate(issuer.access_token(audience=AUDIENCE)).claims  # noqa: B018

    def fill() -> None:
        for raw in tokens:
            token = lane.validator.validate(copy_of(raw))
            token.claims, token.header  # noqa: B018

    before = lane.cache.counters()["bytes"]
    occupied = growth(fill)
    counted = lane.cache.counters()["bytes"] - before
    assert lane.cache.counters()["entries"] == 16
    assert occupied <= counted


def test_estimate_is_not_wild(make: Any, issuer: FakeIssuer) -> None:
    """Else the cache would hold a fraction of what it could: an estimate that is above what CPython 3.10
    occupies, and counts each header as if it came once, is far above what 3.12 and one header need."""
    tokens = [issuer.access_token(audience=AUDIENCE) for _ in range(200)]
    lane = make()

    def fill() -> None:
        for raw in tokens:
            lane.validator.validate(copy_of(raw)).claims  # noqa: B018

    occupied = growth(fill)
    assert occupied <= lane.cache.counters()["bytes"] <= 3 * occupied


def test_headers_that_come_once_are_counted(make: Any, issuer: FakeIssuer) -> None:
    """A token keeps its header alive, also when no other token has the same."""
    fill_in = {"a": [[]] * 400}
    tokens = [
        issuer.access_token(audience=AUDIENCE, header={"x": i, **fill_in})
        for i in range(2 * MAX_REMEMBERED_HEADERS)
    ]
    lane = make()
    occupied = growth(lambda: [lane.validator.validate(copy_of(raw)) and None for raw in tokens])
    assert occupied <= lane.cache.counters()["bytes"] * 1.1


def test_flood_of_distinct_tokens_keeps_memory_bounded(make: Any, issuer: FakeIssuer) -> None:
    bound = 200_000
    lane = make(cache=keybound.CacheSettings(memory_bytes=bound))
    tokens = [issuer.access_token(audience=AUDIENCE, a=[[]] * (i % 300)) for i in range(600)]

    def flood() -> None:
        for raw in tokens:
            lane.validator.validate(copy_of(raw)).claims  # noqa: B018
            assert lane.cache.counters()["bytes"] <= bound

    assert growth(flood) <= bound
    assert lane.cache.counters()["dropped"] > 300


def test_clearing_frees_the_memory(make: Any, issuer: FakeIssuer) -> None:
    lane = make()
    tokens = [issuer.access_token(audience=AUDIENCE) for _ in range(300)]
    lane.validator.validate(tokens[0])

    def fill_and_clear() -> None:
        for raw in tokens:
            lane.validator.validate(copy_of(raw)).claims  # noqa: B018
        lane.cache.clear()

    assert growth(fill_and_clear) < 20_000


# Keys that are gone


def test_former_keys_are_let_go(make: Any) -> None:
    first, second = (SigningKey.generate("ES256") for _ in range(2))
    issuer = FakeIssuer("https://as.example.com", key=first, clock=FakeClock())
    raws = [issuer.access_token(audience=AUDIENCE, key=key) for key in (first, second)]
    lane = make(first, issuer=issuer.issuer)
    former = lane._index
    references = sys.getrefcount(former)
    assert lane.verdict(raws[0]) == Reason.OK
    assert lane.verdict(raws[0]) == Reason.OK
    assert sys.getrefcount(former) > references
    lane.publish(second)
    assert lane.verdict(raws[1]) == Reason.OK
    # The lane itself has let go of it as well.
    assert sys.getrefcount(former) == references - 1


def test_rotation_after_rotation_does_not_add_up(make: Any, issuer: FakeIssuer) -> None:
    keys = [SigningKey.generate("HS256") for _ in range(MAX_REMEMBERED_HEADERS)]
    raws = [issuer.access_token(audience=AUDIENCE, key=key) for key in keys]
    lane = make()

    def rotate() -> None:
        for key, raw in zip(keys, raws, strict=True):
            lane.publish(key)
            assert lane.verdict(raw) == Reason.OK

    rotate()
    # Far less than an index of one key.
    assert growth(rotate) < 400 * len(keys)
    assert lane.cache.counters()["entries"] == 1


# The memo of headers


def test_forged_headers_are_not_remembered(make: Any, issuer: FakeIssuer) -> None:
    lane = make(cache=None)
    forger = SigningKey("HS256", os.urandom(32), kid=issuer.key.kid)
    known = [
        issuer.access_token(audience=AUDIENCE, key=forger, header={"x": f"{i}" * 200}) for i in range(500)
    ]
    unknown = [issuer.access_token(audience=AUDIENCE, header={"kid": f"{i}" * 200}) for i in range(500)]
    lane.verdict(known[0])

    def flood() -> None:
        for raw in known:
            assert lane.verdict(raw) == Reason.SIGNATURE_INVALID
        for raw in unknown:
            assert lane.verdict(raw) == Reason.KEY_UNKNOWN

    assert growth(flood) < 20_000


def test_remembered_headers_are_bounded(make: Any, issuer: FakeIssuer) -> None:
    lane = make(cache=None)
    raws = [
        issuer.access_token(audience=AUDIENCE, header={"x": f"{i:04}" * 250})
        for i in range(8 * MAX_REMEMBERED_HEADERS)
    ]
    lane.verdict(raws[0])
    # The header, the values in it, and the handful of objects around them.
    largest = len(raws[0]) + contract.TEXT_FACTOR * 1400 + 2000
    occupied = growth(lambda: [lane.verdict(raw) for raw in raws])
    assert occupied < MAX_REMEMBERED_HEADERS * largest
    for raw in raws[:5] + raws[-5:]:
        assert lane.verdict(raw) == Reason.OK


@pytest.mark.parametrize("cache", [None, EVERYTHING], ids=["no cache", "cache"])
def test_header_seen_before_does_not_choose_a_former_key(make: Any, cache: Any) -> None:
    first, second = (SigningKey.generate("ES256", kid="same") for _ in range(2))
    other = SigningKey.generate("ES256", kid="other")
    issuer = FakeIssuer("https://as.example.com", key=first, clock=FakeClock())
    of_first, of_second = (issuer.access_token(audience=AUDIENCE, key=key) for key in (first, second))
    assert of_first.split(".")[0] == of_second.split(".")[0]
    lane = make(first, issuer=issuer.issuer, cache=cache)
    good, bad, unknown = Reason.OK, Reason.SIGNATURE_INVALID, Reason.KEY_UNKNOWN
    steps = [((first,), good, bad), ((second,), bad, good), ((first, second), good, good)]
    steps += [((other,), unknown, unknown), ((other, first), good, bad), ((second, other), bad, good)]
    for keys, *expected in steps * 2:
        lane.publish(*keys)
        for _ in range(3):
            assert [lane.verdict(of_first), lane.verdict(of_second)] == expected


def test_header_with_another_policy(make: Any, issuer: FakeIssuer) -> None:
    """Two validators have two memos."""
    raw = issuer.access_token(audience=AUDIENCE)
    lenient, strict = make(), make(types=["jwt"])
    for _ in range(3):
        assert lenient.verdict(raw) == Reason.OK
        assert strict.verdict(raw) == Reason.TYP_NOT_ALLOWED


# The memo of thumbprints


def certificates(size: int, count: int) -> list[bytes]:
    """DER SEQUENCEs of ``size`` bytes, each different."""
    inner = size - 4
    return [
        b"\x30\x82" + inner.to_bytes(2, "big") + i.to_bytes(4, "big") * (inner // 4) for i in range(count)
    ]


@pytest.mark.parametrize("size", [contract.REMEMBERED_CERTIFICATE_BYTES, 1024])
def test_remembered_certificates_are_bounded(make: Any, issuer: FakeIssuer, size: int) -> None:
    lane = make()
    raw = issuer.access_token(audience=AUDIENCE)
    lane.verdict(raw)
    presented = certificates(size, 2 * contract.REMEMBERED_CERTIFICATES + 10)

    def present() -> None:
        for der in presented:
            assert lane.verdict(raw, der[:-1] + der[-1:]) == Reason.OK

    assert growth(present) < contract.REMEMBERED_CERTIFICATES * (size + 250)


def test_large_certificates_are_not_remembered(make: Any, issuer: FakeIssuer) -> None:
    lane = make()
    raw = issuer.access_token(audience=AUDIENCE)
    lane.verdict(raw)
    presented = certificates(contract.REMEMBERED_CERTIFICATE_BYTES + 4, 300)
    assert growth(lambda: [lane.verdict(raw, der[:-1] + der[-1:]) for der in presented]) < 20_000


def test_each_certificate_has_its_own_thumbprint(make: Any, issuer: FakeIssuer) -> None:
    lane = make()
    presented = certificates(512, 30)
    tokens = [issuer.access_token(audience=AUDIENCE, certificate=der) for der in presented]
    for _ in range(2):
        for own, raw in enumerate(tokens):
            for other, der in enumerate(presented):
                expected = Reason.OK if own == other else Reason.CERTIFICATE_MISMATCH
                assert lane.verdict(raw, der) == expected


# Claims on demand


def test_token_that_no_validator_made_has_no_claims(twins: Any) -> None:
    kind = twins.token.VerifiedToken
    with pytest.raises(TypeError, match="validator"):
        kind()
    hollow = kind.__new__(kind)
    for read in (lambda: hollow.header, lambda: hollow.claims, lambda: hollow.claim("sub")):
        with pytest.raises((AttributeError, TypeError)):
            read()


def test_name_of_a_claim_is_text(make: Any, issuer: FakeIssuer) -> None:
    class Name(str):
        __slots__ = ()

    lane = make()
    token = lane.validator.validate(issuer.access_token(audience=AUDIENCE))
    assert token.claim(Name("sub")) == "user-1"
    for name in (b"sub", 5, None, ["sub"], SimpleNamespace()):
        with pytest.raises(TypeError, match="text"):
            token.claim(name)
    for name in ("\ud800", "\udc80sub", "", "sub\0", "SUB", "su", "subs"):
        assert token.claim(name) is None
        assert token.claim(name, 5) == 5
