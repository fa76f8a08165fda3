from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from keybound.testing import FakeClock


def test_stands_still_until_told() -> None:
    clock = FakeClock()
    assert clock() == clock() == 1_750_000_000.0


def test_advances_and_steps_back() -> None:
    clock = FakeClock(100.0)
    clock.advance(2.5)
    assert clock() == 102.5
    clock.advance(-10)
    assert clock() == 92.5


def test_jumps() -> None:
    clock = FakeClock()
    clock.set(5)
    assert clock() == 5


def test_loses_no_step_between_threads() -> None:
    clock = FakeClock(0)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(clock.advance, [1] * 4000))
    assert clock() == 4000
