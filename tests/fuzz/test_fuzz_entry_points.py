"""The C cores under the sanitizers: seeds, bounded mutations, and verdicts known from elsewhere."""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from keybound._hotpath.pure import strict_json
from keybound.errors import Reason

ROOT = Path(__file__).parents[2]
FUZZ, CORE = ROOT / "ext" / "fuzz", ROOT / "ext" / "core"
SHARED = ROOT.parent / "shared" / "vectors"
VECTORS = Path(os.environ.get("KEYBOUND_VECTORS", SHARED)) / "JSONTestSuite"
MUTATIONS = int(os.environ.get("KEYBOUND_FUZZ_MUTATIONS", "20000"))
COMPILER = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Werror"]
SANITIZED = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]

# KB_JSON_ codes of ext/core/json_scan.h.
REASONS = {
    1: Reason.OK,
    2: Reason.JSON_INVALID,
    3: Reason.JSON_DUPLICATE_MEMBER,
    4: Reason.JSON_TOO_DEEP,
    5: Reason.JSON_NUMBER_OUT_OF_RANGE,
}

CLAIMS = (
    b'{"iss":"https://as.example.com","sub":"8f14e45f","aud":["https://rs.example.org/","x"],"exp":1767225600,'
    b'"iat":1767222000.5,"client_id":"s6BhdRkqt3","scope":"accounts payments",'
    b'"act":{"sub":null,"x":[true,false,{}]},'
    b'"cnf":{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}'
)
SEEDS = [
    CLAIMS,
    b"{" + b",".join(b'"k%d":%d' % (i, i) for i in range(40)) + b"}",
    b"{" + b",".join(b'"\\u006b%d":{"a":1,"b":2}' % i for i in range(40)) + b"}",
    '{"\\u00e9\\ud83d\\ude00":"\\"\\\\\\/\\b\\f\\n\\r\\t","é漢😀":[-0.5e-3,1e307,[[]]], "a" : 1}'.encode(),
    b'{"x":{"a":1,"\\u0061":2},"y":1}',
    b"[" * 32 + b"]" * 32,
    b"[[1e308],[1e-400],[0e999]]",
    b"eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6IjEifQ",
    b"AA",
    b"",
]

pytestmark = pytest.mark.skipif(
    COMPILER is None or not FUZZ.is_dir(), reason="needs a C compiler and the source tree"
)
Build = Callable[..., Path]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    folder = tmp_path_factory.mktemp("fuzz")

    def run(name: str, sources: Sequence[Path], *flags: str) -> Path:
        assert COMPILER
        program = folder / f"{name}{''.join(flags)}"
        command = [COMPILER, *STRICT, *SANITIZED, *flags, *map(str, sources), "-o", str(program)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if "fsanitize" in done.stderr or "asan" in done.stderr:
            pytest.skip("the compiler has no sanitizers")
        assert done.returncode == 0, done.stderr
        return program

    return run


@pytest.fixture(scope="session")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("seeds")
    for number, seed in enumerate(SEEDS):
        (folder / str(number)).write_bytes(seed)
    return [folder, VECTORS] if VECTORS.is_dir() else [folder]


@pytest.mark.parametrize("portable", [(), ("-DKB_PORTABLE",)], ids=["fastest", "portable"])
@pytest.mark.parametrize("core", ["base64url", "json_scan"])
def test_entry_point(build, seeds, core, portable):
    sources = [FUZZ / f"fuzz_{core}.c", FUZZ / "driver.c", CORE / f"{core}.c"]
    program = build(f"fuzz_{core}", sources, *portable)
    command = [str(program), "-m", str(MUTATIONS), "-s", "1", *map(str, seeds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"{MUTATIONS} mutations\n")


@pytest.fixture(scope="session", params=[(), ("-DKB_PORTABLE",)], ids=["fastest", "portable"])
def verdicts(build, request) -> Callable[[Sequence[tuple[bytes, int]]], list[Reason]]:
    program = build("json_verdict", [FUZZ / "json_verdict.c", CORE / "json_scan.c"], *request.param)

    def ask(questions: Sequence[tuple[bytes, int]]) -> list[Reason]:
        records = b"".join(struct.pack("=II", len(text), depth) + text for text, depth in questions)
        done = subprocess.run([str(program)], input=records, capture_output=True, check=True)
        assert len(done.stdout) == len(questions)
        return [REASONS[code] for code in done.stdout]

    return ask


@pytest.mark.skipif(not VECTORS.is_dir(), reason="the published JSON vectors are not here")
def test_published_vectors(verdicts):
    # RFC 8259, 4 leaves repeated names open, and the suite counts them as good; we do not.
    repeats = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}
    paths = sorted(VECTORS.glob("[yn]_*.json"))
    assert {path.name[0] for path in paths} == {"y", "n"}
    found = verdicts([(path.read_bytes(), 32) for path in paths])
    for path, reason in zip(paths, found, strict=True):
        if path.name in repeats:
            assert reason == Reason.JSON_DUPLICATE_MEMBER, path.name
        else:
            assert (reason == Reason.OK) == path.name.startswith("y_"), path.name


def test_core_agrees_with_the_pure_scanner(verdicts):
    chance = random.Random(8259)
    pieces = rb'" \ { } [ ] : , true null 1e308 -0 "a":1, \u0061 \ud83d\ude00 9999 . e'.split(b" ")
    pieces += [b"\xff", b"\n", b" ", b""]
    questions = []
    for _ in range(MUTATIONS // 4):
        data = bytearray(chance.choice(SEEDS))
        for _ in range(chance.randint(1, 3)):
            at = chance.randint(0, len(data))
            data[at : at + chance.randint(0, 2)] = chance.choice(pieces)
        questions.append((bytes(data), chance.choice([1, 2, 32, 256])))
    found = verdicts(questions)
    for (text, depth), reason in zip(questions, found, strict=True):
        assert strict_json._scan(text, depth) == reason, (text, depth)
    assert set(found) == set(REASONS.values())


def test_no_payload_costs_quadratic_time(verdicts):
    """P21: texts of one megabyte that are slow only for a scanner that compares all names with all."""
    count = 2**16
    wide = b"{" + b",".join(b'"aaaa%06daaaa":1' % i for i in range(count)) + b"}"
    nested = b"[" + b",".join([b'{"a":1,"b":2}'] * count) + b"]"
    assert verdicts([(wide, 32), (nested, 32), (wide[:-1] + b',"aaaa000000aaaa":1}', 32)]) == [
        Reason.OK,
        Reason.OK,
        Reason.JSON_DUPLICATE_MEMBER,
    ]
