"""Every demand of the documents that started this project is held by a test, or said to be for later."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
_SPEC = importlib.util.spec_from_file_location("demands", TESTS / "demands.py")
assert _SPEC is not None
assert _SPEC.loader is not None
demands = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(demands)


def test_every_demand_is_held_or_for_later():
    held = {demand for demand, tests in demands.holders().items() if tests}
    assert set(demands.DEMANDS) - held == set(demands.LATER)


def test_the_document_lists_tests_that_there_are():
    """It may lack a new one; what it says is true."""
    rows = re.findall(
        r"^\| (S\S+) \| (.*?) \| (.*?) \|$", (TESTS / "DEMANDS.md").read_text("utf-8"), re.MULTILINE
    )
    assert [(demand, text) for demand, text, _ in rows] == list(demands.DEMANDS.items())
    holders = demands.holders()
    for demand, _, held in rows:
        listed = re.findall(r"`([^`]+)`", held)
        assert set(listed) <= set(holders[demand]), demand
        assert bool(listed) is (demand not in demands.LATER), demand


def test_no_test_names_a_demand_that_there_is_not():
    named = set()
    for path in TESTS.rglob("*.py"):
        named |= set(re.findall(r"\bS00\d-\d\d[a-z]?\b", path.read_text(encoding="utf-8")))
    assert named <= set(demands.DEMANDS)
