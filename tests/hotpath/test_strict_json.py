"""JSON without lenience: what is refused, for which reason, and that good text keeps its values."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from keybound.errors import Reason

OK = Reason.OK
INVALID = Reason.JSON_INVALID
DUPLICATE = Reason.JSON_DUPLICATE_MEMBER
DEEP = Reason.JSON_TOO_DEEP
NUMBER = Reason.JSON_NUMBER_OUT_OF_RANGE

SHARED = Path(__file__).parents[3] / "shared" / "vectors"
VECTORS = Path(os.environ.get("KEYBOUND_VECTORS", SHARED)) / "JSONTestSuite"


def words(text: str) -> list[str]:
    return text.split()


GOOD = [
    *words(r"""
{} [] null true false "" "a" {"":0} {"a":{"a":{"a":1}}} [{"a":1},{"a":1}] {"a":"a","b":"a"}
{"a\"":1} {"a":"\":","b":1} {"a":1,"A":2} {"aa":1,"a":2,"":3} {"a":1,"a\u0000":2} {"a":[{"b":1},2]}
"\u0000" "\ud83d\ude00" "\uD83D\uDE00" "\"\\\/\b\f\n\r\t\u00e9" {"\ud83d\ude00":1,"x":2}
"""),
    ' {"a" : [ 1 , 2 ] } ',
    "\r\n\t []",
    '"\x7f\x80é\ud7ff\ue000\uffff\U0010ffff"',
    '{"é":1,"e\u0301":2}',
]

GOOD_NUMBERS = [
    *words("""
0 -0 1 1.5 -1.5e3 1E+2 1e-2 9.999e307 1e307 -9.999e307 0e999999999999999999999 0.0e400 1e-400
18446744073709551615 18446744073709551616 -9223372036854775809
"""),
    "1" + "0" * 307,
    "9" * 308,
    "0." + "0" * 500 + "1e800",
    "1" + "0" * 400 + "e-400",
    "1e-" + "9" * 5000,
    "0e" + "9" * 5000,
    "1e" + "0" * 5000 + "1",
]

INVALID_TEXT = [
    *words(r"""
{ } [ ] [1 [1, [1,] [,1] {] [} [1} {"a":1] []] {}{} {"a"} {"a":} {"a":1,} {,"a":1} {1:1} {a:1} {'a':1}
{"a"::1} nul nulll NULL True tru NaN Infinity -Infinity undefined /**/1 1// [1;2] {"a"=1} (1) <1>
01 - -01 +1 .5 1. 1.e1 1e 1e+ 1e1.5 0x1 1_0 1a --1 1-1 1.5.5 1ee1
" "a "\ "\" "\x41" "\u" "\u12" "\u123g" "\u 123" "\U0041" "\a" "\'" 'a' a "a"b
"\ud800" "\udc00" "\ud800\ud800" "\ud800a" "\ud800\n" "\udc00\ud800" "\ud800\u0041" {"\ud800":1}
"""),
    *["", " ", "[1 2]", '{"a" 1}', '{"a":1 "b":2}', "1 2", "- 1", "1" * 400 + "."],
]

INVALID_OCTETS = [
    *(b'"' + bytes([control]) + b'"' for control in range(32)),
    *(bytes([space]) + b"1" for space in (0, 8, 0x0B, 0x0C, 0x7F, 0x85, 0xA0)),
    b'{"a":1}\x00',
    # UTF-8 that is none (Unicode, table 3-7), and byte order marks.
    *(
        b'"' + octets + b'"'
        for octets in (
            *(bytes([lead]) for lead in (*range(0x80, 0xC2), *range(0xF5, 0x100))),
            *(bytes([lead]) + b"(" for lead in range(0xC2, 0xF5)),
            *(b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf"),
            *(b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80"),
            *(b"\xe2\x82", b"\xf0\x9f\x98", b"\xe2\x28\xa1", b"\xe2\x82(", b"\xf0\x9f\x98("),
        )
    ),
    b'{"\xff":1}',
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00",
]

REPEATED = [
    *words(r"""
{"a":1,"a":1} {"a":1,"b":2,"a":3} {"":1,"":2} {"a":1,"\u0061":2} {"\u0061":1,"\u0061":2} [{"a":1,"a":2}]
{"x":{"a":1,"a":2}} {"x":[[{"a":1,"a":2}]]} {"é":1,"\u00e9":2} {"😀":1,"\ud83d\ude00":2} {"/":1,"\/":2}
{"a":"\":","a":2} {"x":1,"a":{"x":1},"x":2} {"a\"":1,"a\u0022":2} {"ab":1,"ab":2} {"a":1,"a":"\":"}
"""),
    *['{"a" :1,"a":2}', '{"a":1,"a"\n:2}'],
]

OUT_OF_RANGE = [
    *words("""
1e308 1e309 1.7e308 1.9e308 1e999999999999999999999999 0.1e309 10e307 0.001e311 1E+308 1.0e308
"""),
    "1" + "0" * 308,
    "9" * 309,
    "1" * 400 + ".5",
    "1" * 400 + "e-50",
    "0." + "0" * 400 + "1e709",
    "1e" + "9" * 5000,
    "1e" + "0" * 5000 + "308",
]


def shortened(text: object) -> str:
    return ascii(text)[:40]


def reason(twins, text: str | bytes, max_depth: int = 32) -> int:
    """The verdict, the same wherever the text stands between white space."""
    data = text.encode() if isinstance(text, str) else text
    found, value = twins.strict_json.loads(data, max_depth)
    assert value is None or found == OK
    # A control character makes the native scanner read string by string; so does length.
    assert twins.strict_json.loads(b"\t" + data + b"\n", max_depth)[0] == found
    assert twins.strict_json.loads(b" " * 64 + data + b" " * 64, max_depth)[0] == found
    assert twins.strict_json.loads(data + b" " * 3000, max_depth)[0] == found
    return found


@pytest.mark.parametrize("text", GOOD, ids=shortened)
def test_good_text(twins, text):
    assert reason(twins, text) == OK
    assert twins.strict_json.loads(text.encode(), 32)[1] == json.loads(text)


@pytest.mark.parametrize("text", GOOD_NUMBERS, ids=shortened)
def test_good_numbers(twins, text):
    assert reason(twins, text) == OK
    value = twins.strict_json.loads(text.encode(), 32)[1]
    # orjson turns whole numbers beyond 64 bits into floats; both twins do.
    assert value == pytest.approx(float(text), rel=1e-15, abs=0)
    fits = text.lstrip("-").isdigit() and -(2**63) <= int(text) < 2**64
    assert type(value) is (int if fits else float)


@pytest.mark.parametrize("text", [*INVALID_TEXT, *INVALID_OCTETS], ids=shortened)
def test_invalid_text(twins, text):
    assert reason(twins, text) == INVALID


@pytest.mark.parametrize("text", REPEATED, ids=shortened)
def test_repeated_names(twins, text):
    assert reason(twins, text) == DUPLICATE


# Around the places where the scanners change their way of comparing and their storage.
@pytest.mark.parametrize("count", [2, 4, 5, 8, 15, 16, 17, 31, 32, 33, 34, 64, 65, 1000])
@pytest.mark.parametrize(
    "spelling", ["k{:04}", "{:04}k", "the ends of names are alike {:04} in all", "\\u006b{:04}"]
)
def test_many_names(twins, count, spelling):
    names = [spelling.format(i) for i in range(count)]
    members = [f'"{name}":{i}' for i, name in enumerate(names)]
    text = "{" + ",".join(members) + "}"
    assert reason(twins, text) == OK
    assert list(twins.strict_json.loads(text.encode(), 32)[1].values()) == list(range(count))
    for one in {0, count // 2, count - 2}:
        for other in {0, count // 3, count - 1} - {one}:
            repeated = list(members)
            repeated[one] = f'"{names[other]}":-1'
            assert reason(twins, "{" + ",".join(repeated) + "}") == DUPLICATE
            assert reason(twins, '{"first":1,"inner":{' + ",".join(repeated) + "}}") == DUPLICATE


def test_equal_names_in_sibling_objects_are_not_repeated(twins):
    keys = ['{"kty":"EC","kid":"1","x":{"kid":"1"}}'] * 500
    assert reason(twins, '{"keys":[' + ",".join(keys) + "]}") == OK


@pytest.mark.parametrize("depth", [1, 2, 31, 32, 256])
def test_depth(twins, depth):
    for text in (
        "[" * depth + "]" * depth,
        '{"a":' * depth + "1" + "}" * depth,
        "[" * (depth - 1) + "{}" + "]" * (depth - 1),
    ):
        assert reason(twins, text, depth) == OK
        assert reason(twins, text, depth - 1) == DEEP
    assert reason(twins, "[" + "[]," * 500 + '{"a":"[[[["}]', 2) == OK


def test_depth_has_a_ceiling(twins):
    assert reason(twins, "[" * 256 + "]" * 256, 100_000) == OK
    assert reason(twins, "[" * 257 + "]" * 257, 100_000) == DEEP
    assert reason(twins, "[" * 1_000_000, 256) == DEEP


@pytest.mark.parametrize("number", OUT_OF_RANGE, ids=shortened)
def test_numbers_out_of_range(twins, number):
    for text in (number, "-" + number, f"[{number}]", f'{{"a":{number}}}'):
        assert reason(twins, text) == NUMBER


def test_no_number_becomes_infinite(twins):
    for digits in ("1", "9" * 20, "1" * 300, "0." + "9" * 20):
        for power in range(330):
            found, value = twins.strict_json.loads(f"{digits}e{power}".encode(), 1)
            assert found == NUMBER or math.isfinite(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1,"a":2', INVALID),
        ('{"a":1,"a":2}x', DUPLICATE),
        ('{"a":1,"a":2,"b":1e400}', NUMBER),
        ('{"b":1e400,"a":1,"a":2}', NUMBER),
        ('{"x":{"a":1,"a":2},"b":1e400}', DUPLICATE),
        ("[1e400", NUMBER),
        ("[1e400x", NUMBER),
        ("1e400.", NUMBER),
        ("[[1e400]]", DEEP),
        ("[1e400,[]]", NUMBER),
        ("[x,[]]", INVALID),
        ("[[x]]", DEEP),
        ('{"a":1,"a":[]}', DEEP),
        ('[{"a" 1}]', DEEP),
    ],
)
def test_first_error_decides(twins, text, expected):
    assert reason(twins, text, 1 if expected in (DEEP, NUMBER) and "[" in text else 32) == expected


def suite(kind: str) -> list[Path]:
    return sorted(VECTORS.glob(f"{kind}_*.json"))


@pytest.mark.skipif(not VECTORS.is_dir(), reason="the published JSON vectors are not here")
def test_published_vectors(twins):
    accepted, refused = suite("y"), suite("n")
    assert accepted
    assert refused
    # RFC 8259, 4 leaves repeated names open, and the suite counts them as good; we do not.
    repeats = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}
    for path in accepted:
        expected = DUPLICATE if path.name in repeats else OK
        assert (path.name, reason(twins, path.read_bytes())) == (path.name, expected)
    for path in refused:
        assert twins.strict_json.loads(path.read_bytes(), 32)[0] != OK, path.name
    for path in suite("i"):
        found, value = twins.strict_json.loads(path.read_bytes(), 32)
        assert (found == OK) == (value is not None), path.name


@pytest.mark.parametrize("size", [10, 15, 16, 17, 31, 63, 64, 65, 127, 128, 2047, 2048, 2049, 5000])
def test_strings_end_where_they_end(twins, size):
    """Around the block sizes of the scanner, and its switch to reading string by string."""
    for width in range(max(0, size - 20), size - 8):
        text = '{"a":"' + "x" * width + '"}'
        for tail in ("", '"', "\\", "x", "\n", "é", "\x00"):
            data = (text[:-2] + tail + '"}').encode()
            try:
                expected = json.loads(data)
            except ValueError:
                expected = None
            found, value = twins.strict_json.loads(data, 32)
            assert (found, value) == (OK if expected else INVALID, expected)
        assert twins.strict_json.loads(text[:-1].encode(), 32) == (INVALID, None)
        assert twins.strict_json.loads(text[:-2].encode(), 32) == (INVALID, None)
