"""The table of the field runs, and Keybound does what each of its rows says it must."""

from __future__ import annotations

import importlib.util

import field
import pytest
from field_clients import Keybound, PyJWT


@pytest.mark.parametrize("lesson", field.ROWS)
def test_keybound_does_what_the_lesson_asks_for(lesson: str) -> None:
    table, wrong = field.measure((Keybound,), 0.2, [lesson])
    assert not wrong, table


@pytest.mark.skipif(importlib.util.find_spec("jwt") is None, reason="PyJWT is not installed")
def test_both_have_an_answer() -> None:
    # To two of them it takes PyJWT a thousand fetches.
    lessons = set(field.ROWS) - {"P2", "F-1"}
    table, wrong = field.measure((PyJWT, Keybound), 0.2, [*lessons, "F-16"])
    assert not wrong, table
    rows = {row[0].split("**")[1]: row for row in (line.split(" | ") for line in table.splitlines()[2:])}
    assert rows.pop("F-16")[1].startswith("not yet: ")
    assert rows.keys() == lessons
    assert all(len(row) == 4 and all(cell.strip(" |") for cell in row) for row in rows.values())


def test_there_is_a_row_for_each_lesson() -> None:
    asked = [*(f"P{number}" for number in range(1, 9)), *(f"F-{number}" for number in range(1, 19))]
    assert [lesson for lesson in asked if lesson not in field.demands.LATER] == list(field.ROWS)


def test_another_answer_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    row = field.ROWS["F-12"]._replace(scene=lambda client, hang: "1 of 5 accepted (padding)")
    monkeypatch.setitem(field.ROWS, "F-12", row)
    table, wrong = field.measure((Keybound,), 0.2, ["F-12"])
    assert wrong == ["F-12"]
    assert "WRONG: 1 of 5 accepted (padding)" in table
