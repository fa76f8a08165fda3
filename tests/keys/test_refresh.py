"""When a document is fetched again: decisions without I/O, on a clock that is a number."""

from __future__ import annotations

from typing import Any

import pytest

from keybound import PolicyError, RefreshSettings
from keybound.keys.refresh import Schedule
from keybound.limits import MAX_UNKNOWN_KIDS

NEVER, ALWAYS = 0.0, 1.0


def schedule(jitter: float = NEVER, **settings: Any) -> Schedule:
    return Schedule(RefreshSettings(**settings), lambda: jitter)


def test_ages_are_in_order():
    """P1: refreshed before it is stale, and stale before it is gone."""
    settings = RefreshSettings()
    assert settings.refresh_after < settings.fresh_for < settings.max_stale == 3600
    times = schedule().succeeded(100.0, None)
    assert times == (100.0, 400.0, 700.0, 3700.0)


@pytest.mark.parametrize(
    "options",
    [
        {"refresh_after": 600},
        {"fresh_for": 3600},
        {"max_stale": 600},
        {"min_fresh": 2000},
        {"backoff": 61},
        *({name: 0} for name in RefreshSettings.__dataclass_fields__),
        *({name: -1.0} for name in RefreshSettings.__dataclass_fields__),
        *({name: "5"} for name in RefreshSettings.__dataclass_fields__),
        {"cooldown": True},
        {"cooldown": float("nan")},
        {"cooldown": float("inf")},
        {"document_bytes": 1024.5},
    ],
    ids=str,
)
def test_what_cannot_be_set(options: dict[str, Any]):
    with pytest.raises(PolicyError):
        RefreshSettings(**options)


def test_a_tighter_bound_can_be_set():
    """Decision "keys past freshness": stale up to an hour, and tightenable to minutes."""
    settings = RefreshSettings(refresh_after=60, fresh_for=120, max_stale=300)
    assert Schedule(settings, lambda: 0).succeeded(0, 3600).stale_at == 300


@pytest.mark.parametrize(
    ("max_age", "fresh_for"),
    [(None, 600), (0, 60), (-5, 60), (59, 60), (61, 61), (900, 900), (1801, 1800), (86_400, 1800)],
)
def test_what_the_issuer_says_is_honoured_within_bounds(max_age: float | None, fresh_for: float):
    """P24: max-age clamped to [min, max]; the refresh ahead keeps its share."""
    times = schedule().succeeded(0, max_age)
    assert (times.refresh_at, times.stale_at, times.dead_at) == (fresh_for / 2, fresh_for, 3600)


def test_refreshes_are_spread():
    """P32: many processes that started together do not ask together."""
    assert schedule(ALWAYS).succeeded(0, None).refresh_at == 270
    assert schedule(0.5).succeeded(0, None).refresh_at == 285


def test_failures_back_off_up_to_a_bound_with_jitter():
    """P1: one fetch per backoff step."""
    plan, pauses = schedule(), []
    for _ in range(80):
        plan.failed(0)
        pauses.append(plan.due)
        plan.due = 0
    assert pauses[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pauses[-1] == 60
    jittered = schedule(ALWAYS)
    jittered.failed(0)
    assert jittered.due == 0.5
    assert not jittered.may_refresh(0.4)
    assert jittered.may_refresh(0.5)


def test_success_ends_the_backoff():
    plan = schedule()
    for _ in range(5):
        plan.failed(0)
    plan.succeeded(10, None)
    assert plan.failures == 0
    plan.failed(400)
    assert plan.due == 401


@pytest.mark.parametrize(("asked", "pause"), [(None, 1), (0, 1), (20, 20), (3600, 60)])
def test_retry_after_is_honoured_within_bounds(asked: float | None, pause: float):
    plan = schedule()
    plan.failed(0, asked)
    assert plan.due == pause


def test_a_failure_ahead_of_time_does_not_bring_the_next_fetch_forward():
    plan = schedule()
    plan.succeeded(0, None)
    plan.failed(10)
    assert plan.due == 300


def test_the_cooldown_counts_from_the_attempt():
    """P2: not from the last success."""
    plan = schedule()
    assert plan.reserve("a", 0)
    assert not plan.reserve("a", 0)
    plan.failed(5)
    assert not plan.reserve("b", 29.9)
    assert plan.reserve("b", 30)
    assert not plan.reserve("c", 59.9)


def test_unknown_kids_and_scheduled_fetches_have_their_own_reservations():
    """P2."""
    plan = schedule()
    plan.succeeded(0, None)
    assert plan.reserve("a", 299)
    assert plan.may_refresh(300)
    plan.failed(300)
    assert not plan.may_refresh(300.5)
    assert plan.reserve("b", 329)


def test_a_kid_that_was_not_there_is_not_asked_for_again_for_a_while():
    plan = schedule()
    assert plan.reserve("dead", 0)
    plan.not_found("dead", 1)
    assert not plan.reserve("dead", 100)
    assert plan.reserve("other", 100), "and it uses up nobody's cooldown"
    assert plan.reserve("dead", 301)


def test_new_keys_end_what_was_known_of_unknown_ones():
    plan = schedule()
    plan.not_found("new", 0)
    plan.succeeded(10, None, confirmed=True)
    assert not plan.reserve("new", 50)
    plan.succeeded(60, None)
    assert plan.reserve("new", 70)


def test_what_is_remembered_of_unknown_kids_is_bounded():
    plan = schedule(cooldown=1)
    for number in range(MAX_UNKNOWN_KIDS + 1):
        plan.not_found(str(number), 0)
    assert len(plan._unknown) == MAX_UNKNOWN_KIDS
    assert plan.reserve("0", 2), "the oldest went"
    assert not plan.reserve("1", 4)
    plan.not_found("1", 4)
    assert len(plan._unknown) == MAX_UNKNOWN_KIDS


def test_forgetting_allows_everything_at_once():
    plan = schedule()
    plan.succeeded(0, None)
    plan.reserve("a", 0)
    plan.not_found("a", 0)
    plan.forget()
    assert plan.may_refresh(1)
    assert plan.reserve("a", 1)
