from __future__ import annotations

import pytest

from keybound.cli.times import human_time, timestamp

NOW = 1_750_000_000


@pytest.mark.parametrize(
    ("value", "distance"),
    [
        (NOW, "now"),
        (NOW + 0.4, "now"),
        (NOW + 1, "in 1 second"),
        (NOW - 59, "59 seconds ago"),
        (NOW + 60, "in 1 minute"),
        (NOW - 7200, "2 hours ago"),
        (NOW + 86_400 * 3, "in 3 days"),
    ],
)
def test_distances(value, distance):
    assert human_time(value, NOW).partition(" UTC, ")[2] == distance


@pytest.mark.parametrize(
    "value", [None, True, "1", -1, 253_402_300_800, 1e300, float("nan"), float("inf"), [], {}]
)
def test_not_a_time(value):
    assert human_time(value, NOW) == "not a time"
    assert timestamp(value) is None


def test_both_ends_of_time():
    assert timestamp(0) == "1970-01-01T00:00:00Z"
    assert human_time(253_402_300_799, NOW).startswith("9999-12-31 23:59:59 UTC")
