"""What the README shows of the benchmarks is what the committed results say."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench/results"
README = (ROOT / "README.md").read_text(encoding="utf-8")
SUMMARY = (RESULTS / "summary.md").read_text(encoding="utf-8")


def test_the_readme_shows_the_committed_summary():
    name = re.escape("bench/results/summary.md")
    (shown,) = re.findall(rf"<!-- begin of {name} -->\n(.*?)<!-- end of {name} -->", README, re.DOTALL)
    assert shown == SUMMARY


def test_the_summary_says_when_where_and_with_what_it_was_measured():
    document = json.loads((RESULTS / "results.json").read_text(encoding="utf-8"))
    for fact in (document["date"], document["machine"]["model"], f"Python {document['python']}"):
        assert fact in SUMMARY
    assert all(f"`{algorithm}`" in SUMMARY for algorithm in document["sections"]["validation"])


def test_every_plot_that_is_shown_was_drawn():
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert "bench/results/peers.svg" in shown
    for path in shown:
        assert (ROOT / path).read_text(encoding="utf-8").count("<svg") == 1
