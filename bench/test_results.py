"""The committed results belong together, and the comparison with them finds losses and nothing else."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import check
import pytest
import report
from run import ALGORITHMS, KEYS, SECTIONS, SIZES, THREADS, surroundings

COMMITTED: dict[str, Any] = json.loads((report.COMMITTED / "results.json").read_text(encoding="utf-8"))


def test_reports_are_made_of_the_results() -> None:
    for name, text in (
        ("results.md", report.markdown(COMMITTED)),
        ("summary.md", report.summary(COMMITTED) + "\n"),
    ):
        assert (report.COMMITTED / name).read_text(encoding="utf-8") == text


def test_results_are_whole() -> None:
    sections = COMMITTED["sections"]
    assert list(sections) == list(SECTIONS)
    assert tuple(sections["validation"]) == tuple(sections["again"]) == ALGORITHMS
    assert all(list(sections["sizes"][algorithm]) == list(map(str, SIZES)) for algorithm in ALGORITHMS)
    assert list(sections["keys"]) == list(map(str, KEYS))
    assert list(sections["threads"]["RS256"]["keybound"]["best"]) == list(map(str, THREADS))
    assert report.wrong_verdicts(COMMITTED) == []


def test_the_readme_of_the_project_is_written_in_one_place(tmp_path: Path) -> None:
    begin, end = report.MARKERS
    page = tmp_path / "README.md"
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    report._put_into(page, "new \\1")
    assert page.read_text() == f"before\n{begin}\nnew \\1\n{end}\nafter\n"
    page.write_text("no place")
    with pytest.raises(ValueError, match="0 places"):
        report._put_into(page, "new")


def slower(factor: float) -> Any:
    sections = copy.deepcopy(COMMITTED["sections"])
    for peer in ("keybound", "keybound-claims"):
        sections["validation"]["RS256"]["peers"][peer]["best"] *= factor
    return sections


@pytest.mark.parametrize(("factor", "status"), [(0.5, 0), (1.0, 0), (1.1, 0), (1.2, 1)])
def test_a_loss_is_found(capsys: pytest.CaptureFixture[str], factor: float, status: int) -> None:
    assert check.compare(COMMITTED, COMMITTED, lambda algorithms: slower(factor)) == status
    assert ("LOST" in capsys.readouterr().out) == bool(status)


def test_a_loss_that_does_not_come_back_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    runs: list[list[str]] = []

    def run(algorithms: Any) -> Any:
        runs.append(list(algorithms))
        return slower(2.0 if len(runs) == 1 else 1.0)

    assert check.compare(COMMITTED, COMMITTED, run) == 0
    assert runs == [list(ALGORITHMS), ["RS256"]]
    assert "measuring again: RS256" in capsys.readouterr().out


def test_a_ratio_that_is_missing_is_lost() -> None:
    sections = copy.deepcopy(COMMITTED["sections"])
    del sections["validation"]["RS256"]["peers"]["keybound"]["best"]
    del sections["validation"]["RS256"]["peers"]["ryjwt"]["best"]
    assert check.compare(COMMITTED, COMMITTED, lambda algorithms: sections) == 1


@pytest.mark.parametrize(
    ("change", "own", "rival"),
    [
        ({}, False, False),
        ({"versions": {}}, False, True),
        ({"machine": {"model": "another"}}, False, True),
        ({"machine": {"features": []}}, True, True),
        ({"machine": {"platform": "Linux aarch64"}}, True, True),
        ({"python": "3.99.0"}, True, True),
    ],
)
def test_what_cannot_be_compared_is_skipped(change: dict[str, Any], own: bool, rival: bool) -> None:
    now = COMMITTED | {
        name: COMMITTED[name] | value if name == "machine" else value for name, value in change.items()
    }
    assert bool(check.reason_to_skip(COMMITTED, now, None)) is own
    assert bool(check.reason_to_skip(COMMITTED, now, "ryjwt")) is rival


def test_on_another_machine_nothing_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    def never(algorithms: Any) -> Any:
        raise AssertionError("measured")

    assert check.compare(COMMITTED, COMMITTED | {"python": "3.99.0"}, never) == 0
    assert "nothing was compared" in capsys.readouterr().out


def test_surroundings_have_what_is_compared() -> None:
    now = surroundings()
    assert now.keys() == COMMITTED.keys() - {"rounds", "loads", "sections"}
    assert now["machine"].keys() == COMMITTED["machine"].keys()
    assert check.reason_to_skip(now, now, "ryjwt") is None
    assert json.loads(json.dumps(now)) == now
