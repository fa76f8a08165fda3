"""Where the published test vectors are, and which of them are there."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path

import pytest

VECTORS = Path(os.environ.get("KEYBOUND_VECTORS") or Path(__file__).parents[3] / "shared/vectors")
ABSENT = "the published vectors are not here; KEYBOUND_VECTORS names the folder that holds them"


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "wycheproof(*types): once per Wycheproof file that holds groups of one of these types",
        "vector_file(*patterns): once per file of the published vectors whose path fits a pattern",
    ):
        config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Files are found by what is in them, so that new ones are run as soon as they are put there."""
    found: dict[str, object] = {}
    if marker := metafunc.definition.get_closest_marker("wycheproof"):
        for path in sorted(VECTORS.rglob("*_test.json")):
            groups = [group for group in groups_of(path) if group["type"] in marker.args]
            if groups:
                found[path.stem.removesuffix("_test")] = groups
        parametrize(metafunc, "wycheproof_groups", found)
    elif marker := metafunc.definition.get_closest_marker("vector_file"):
        found |= {path.stem: path for pattern in marker.args for path in sorted(VECTORS.glob(pattern))}
        parametrize(metafunc, "vector_file", found)


def parametrize(metafunc: pytest.Metafunc, name: str, found: dict[str, object]) -> None:
    absent = pytest.param(None, marks=pytest.mark.skip(reason=ABSENT))
    metafunc.parametrize(name, [*found.values()] or [absent], ids=[*found] or ["absent"])


@functools.cache
def groups_of(path: Path) -> list[dict[str, object]]:
    """The groups of a file, each with the ``algorithm`` that the file declares for all of them."""
    document = json.loads(path.read_bytes())
    return [group | {"algorithm": document.get("algorithm", "")} for group in document["testGroups"]]
