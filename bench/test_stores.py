"""The figures of stores can be had, and what the outage shows is what SECURITY.md promises."""

from __future__ import annotations

import shutil
import sys

import pytest
import stores

needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="there is no redis-server")


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the memory of the process from /proc")
def test_memory(capsys: pytest.CaptureFixture[str]) -> None:
    stores.memory(2000)
    assert [row[0] for row in rows(capsys.readouterr().out)] == ["of 8 principals", "of 2,000 principals"]


@needs_redis
def test_server(capsys: pytest.CaptureFixture[str]) -> None:
    stores.server("redis-server", 50)
    assert [row[0] for row in rows(capsys.readouterr().out)] == ["1 process", "4 processes"]


@needs_redis
def test_outage(capsys: pytest.CaptureFixture[str]) -> None:
    stores.outage("redis-server")
    seconds = rows(capsys.readouterr().out)
    assert [row[1] for row in seconds] == ["up"] * 2 + ["down"] * 3 + ["up"] * 7
    for _, state, first, replays, refused, *_ in seconds:
        assert int(first) == int(replays)
        assert state == "up" or (first, int(refused) > 0) == ("0", True)
    assert int(seconds[-1][2]) > 0
