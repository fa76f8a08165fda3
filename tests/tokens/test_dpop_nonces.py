"""Nonces that any process with the secret recognises (RFC 9449, 8 and 9)."""

from __future__ import annotations

import pickle
import re
from typing import Any

import pytest

import keybound
from keybound.errors import Unavailable
from keybound.testing import FakeClock

OLD, NEW, OTHER = b"o" * 32, b"n" * 48, b"x" * 32


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_another_process_recognises_it(clock: FakeClock) -> None:
    issued = keybound.DPoPNonces(NEW, clock=clock).issue()
    assert keybound.DPoPNonces(NEW, clock=clock).recognizes(issued)
    assert not keybound.DPoPNonces(OTHER, clock=clock).recognizes(issued)
    # RFC 9449, 8.1: 1*NQCHAR, which a header can carry.
    assert re.fullmatch(r"[A-Za-z0-9_-]{30}", issued)


def test_lifetime(clock: FakeClock) -> None:
    nonces = keybound.DPoPNonces(NEW, lifetime=120, clock=clock)
    issued = nonces.issue()
    for advance, good in ((0, True), (120, True), (0.9, True), (0.1, False), (1e6, False)):
        clock.advance(advance)
        assert nonces.recognizes(issued) is good
    assert nonces.issue() != issued


def test_clocks_of_two_processes_may_differ(clock: FakeClock) -> None:
    ahead = FakeClock(clock() + 10)
    issued = keybound.DPoPNonces(NEW, clock=ahead).issue()
    nonces = keybound.DPoPNonces(NEW, clock=clock)
    assert nonces.recognizes(issued)
    ahead.advance(1)
    assert not nonces.recognizes(keybound.DPoPNonces(NEW, clock=ahead).issue())


def test_rotation(clock: FakeClock) -> None:
    before = keybound.DPoPNonces(OLD, clock=clock)
    during = keybound.DPoPNonces([NEW, OLD], clock=clock)
    after = keybound.DPoPNonces([NEW], clock=clock)
    old, new = before.issue(), during.issue()
    assert during.recognizes(old)
    assert during.recognizes(new)
    assert after.recognizes(new)
    assert not after.recognizes(old)
    assert not before.recognizes(new)


def test_nothing_else_is_recognised(clock: FakeClock) -> None:
    nonces = keybound.DPoPNonces(NEW, clock=clock)
    issued = nonces.issue()
    for at in range(len(issued)):
        changed = issued[:at] + ("A" if issued[at] != "A" else "B") + issued[at + 1 :]
        assert not nonces.recognizes(changed)
    for other in (
        None,
        5,
        b"",
        issued.encode(),
        "",
        "x",
        issued + "A",
        issued[:-1],
        issued + "=",
        "é",
        "A" * 30,
    ):
        assert not nonces.recognizes(other)


@pytest.mark.parametrize("secrets", [b"", b"short", b"x" * 31, [], [b"x"], "x" * 32, [NEW, "x" * 32], 5])
def test_secrets_that_are_refused(secrets: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        keybound.DPoPNonces(secrets)


@pytest.mark.parametrize("lifetime", [0, -1, 86_401, float("nan"), float("inf"), True, "60", None])
def test_lifetimes_that_are_refused(lifetime: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        keybound.DPoPNonces(NEW, lifetime=lifetime)


def test_clocks_that_break_their_contract() -> None:
    with pytest.raises(keybound.PolicyError):
        keybound.DPoPNonces(NEW, clock=5)  # type: ignore[arg-type]
    good = keybound.DPoPNonces(NEW).issue()
    for answer in (None, float("nan"), float("inf"), -1, 1e30, "x"):
        nonces = keybound.DPoPNonces(NEW, clock=lambda answer=answer: answer)  # type: ignore[misc]
        with pytest.raises(Unavailable):
            nonces.issue()
        with pytest.raises(Unavailable):
            nonces.recognizes(good)


def test_secrets_are_not_shown() -> None:
    nonces = keybound.DPoPNonces(NEW)
    assert "n" * 8 not in repr(nonces)
    assert "n" * 8 not in str(nonces)
    with pytest.raises(TypeError):
        pickle.dumps(nonces)
