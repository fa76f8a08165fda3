"""The package as a whole: its example runs, and it shares no code with what it tests."""

from __future__ import annotations

import ast
import doctest
from pathlib import Path

import keybound.testing

ALLOWED = {"keybound.errors", "keybound.clock"}


def test_example_in_the_docstring_runs() -> None:
    outcome = doctest.testmod(keybound.testing)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_public_names_exist_once() -> None:
    names = keybound.testing.__all__
    assert all(hasattr(keybound.testing, name) for name in names)
    assert len(set(names)) == len(names)


def test_forgeries_are_not_made_with_the_code_under_test() -> None:
    folder = Path(keybound.testing.__file__).parent
    files = sorted(folder.glob("*.py"))
    assert files
    imported = {
        name
        for file in files
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        for name in imported_by(node)
        if name.partition(".")[0] == "keybound" and not name.startswith("keybound.testing")
    }
    assert imported <= ALLOWED


def imported_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return []
