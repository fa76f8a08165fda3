"""The twins read every JSON text alike, and the pure twin's two ways of reading agree."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("hypothesis")

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keybound._hotpath.pure import strict_json
from keybound.errors import Reason

SPACES = st.text(" \t\n\r", max_size=3)
NAMES = st.text(max_size=12) | st.sampled_from(["iss", "a", "b", "", "x5t#S256", "k" * 20])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40)
)

NUMBERS = st.builds(
    lambda sign, whole, fraction, power: sign + whole + fraction + power,
    st.sampled_from(["", "-", "+"]),
    st.from_regex(r"\A[0-9]{0,3}(0{0,320})\Z"),
    st.from_regex(r"\A(\.[0-9]{0,3}0{0,330}[0-9]{0,2})?\Z"),
    st.from_regex(r"\A([eE][+-]?[0-9]{0,4})?\Z"),
)

TOKENS = (
    st.sampled_from(
        ["{", "}", "[", "]", ",", ":", "true", "false", "null", '"', "\\", '""', '"a"', '"a":', '"\\u0061":']
    )
    | st.sampled_from(
        ['"b":', '"\\ud83d\\ude00"', '"\\ud83d"', '"é"', " ", "\n", "\x0b", "\x00", "1e308", "\ufeff"]
    )
    | NUMBERS
)


@st.composite
def spelled(draw: st.DrawFn, value: object = None) -> str:
    """JSON text of a random value in one of its many spellings; names may repeat."""

    def text(inner: object) -> str:
        before, after = draw(SPACES), draw(SPACES)
        if isinstance(inner, list):
            return before + "[" + ",".join(map(text, inner)) + "]" + after
        if isinstance(inner, dict):
            members = list(inner.items())
            if members and draw(st.integers(0, 9)) == 0:
                members.append(draw(st.sampled_from(members)))
            spelled_members = (
                draw(SPACES) + string(name) + draw(SPACES) + ":" + text(item) for name, item in members
            )
            return before + "{" + ",".join(spelled_members) + "}" + after
        return before + (string(inner) if isinstance(inner, str) else json.dumps(inner)) + after

    def string(inner: str) -> str:
        return json.dumps(inner, ensure_ascii=draw(st.booleans()))

    values = st.recursive(
        SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=40
    )
    return text(draw(values))


TEXTS = spelled().map(lambda text: text.encode("utf-8", "surrogatepass"))
SOUP = st.lists(TOKENS, max_size=30).map(lambda tokens: "".join(tokens).encode())


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(TEXTS))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(
            st.binary(max_size=3) | st.sampled_from([b'"', b"\\", b"}", b",", b"\\u00"])
        )
    return bytes(data)


DATA = TEXTS | damaged() | SOUP | NUMBERS.map(str.encode)
DEPTHS = st.sampled_from([32, 256, 1, 2, 3])


@settings(max_examples=400)
@given(DATA, DEPTHS)
@example(b'{"a" :1,"a":2}', 32)
@example(b'{"a":1,"a":"\\":"}', 32)
def test_the_quick_proof_never_says_more_than_the_scan(data, max_depth):
    reason, value = strict_json.loads(data, max_depth)
    assert strict_json._scan(data, max_depth) == reason
    assert value == (orjson.loads(data) if reason == Reason.OK else None)


@settings(max_examples=400)
@given(DATA)
def test_orjson_accepts_what_the_scan_accepts_and_only_that(data):
    reason = strict_json._scan(data, 256)
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        # Beyond the largest double orjson refuses as well.
        assert reason in (Reason.JSON_INVALID, Reason.JSON_NUMBER_OUT_OF_RANGE, Reason.JSON_DUPLICATE_MEMBER)
    else:
        assert reason != Reason.JSON_INVALID


@settings(max_examples=600)
@given(DATA, DEPTHS)
def test_twins_agree(native, data, max_depth):
    assert native.strict_json.loads(data, max_depth) == strict_json.loads(data, max_depth)
