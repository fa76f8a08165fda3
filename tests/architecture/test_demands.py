"""Every demand of the founding documents and every lesson from the field is held, or said to be for later."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
_SPEC = importlib.util.spec_from_file_location("demands", TESTS / "demands.py")
assert _SPEC is not None
assert _SPEC.loader is not None
demands = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(demands)


SENTENCES = demands.DEMANDS | demands.FIELD


def test_every_demand_is_held_or_for_later():
    held = {named for named, tests in demands.holders().items() if tests}
    assert set(SENTENCES) - held == set(demands.LATER)


def test_the_document_lists_tests_that_there_are():
    """It may lack a new one; what it says is true."""
    rows = re.findall(
        r"^\| ([SFP]\S+) \| (.*?) \| (.*?) \|$", (TESTS / "DEMANDS.md").read_text("utf-8"), re.MULTILINE
    )
    assert [(named, text) for named, text, _ in rows] == list(SENTENCES.items())
    holders = demands.holders()
    for named, _, held in rows:
        listed = re.findall(r"`([^`]+)`", held)
        assert set(listed) <= set(holders[named]), named
        assert bool(listed) is (named not in demands.LATER), named


def test_no_test_names_a_demand_that_there_is_not():
    named, lessons = set(), set()
    for path in TESTS.rglob("test_*.py"):
        source = path.read_text(encoding="utf-8")
        named |= set(re.findall(r"\bS00\d-\d\d[a-z]?\b", source))
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lessons |= demands.lessons_in(ast.get_docstring(node) or "")
    assert named <= set(demands.DEMANDS)
    assert lessons <= set(demands.FIELD)


def test_curves_are_no_lessons():
    for text in ("P-256", "P256 and P384", "SHA-1, GP10, P100", "an F-256, F-100", "RFC-8", "XF-8"):
        assert demands.lessons_in(text) == set(), text
    assert demands.lessons_in("F-2, P1, P7b (F-16): on P-256") == {"F-2", "P1", "P7b", "F-16"}
