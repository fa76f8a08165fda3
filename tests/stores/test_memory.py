"""The replay store in memory: accepts once, forgets in time, and refuses rather than guess."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybound.errors import PolicyError, Unavailable
from keybound.stores import MemoryReplayStore, ReplayStore
from keybound.stores.replay import FURTHEST_EXPIRY, as_replay_store, proof_octets

NOW = 1_750_000_000.0
KIND = "dpop_proof"


def put(store: ReplayStore, jti: str, principal: str = "client-1", **changes: Any) -> bool:
    options = {"kind": KIND, "expires_at": NOW + 60, "now": NOW} | changes
    return store.put(options.pop("kind"), principal, jti, **options)


def fill(store: ReplayStore, count: int, principal: str = "client-1", **changes: Any) -> None:
    for number in range(count):
        assert put(store, f"filler-{number}", principal, **changes)


@pytest.fixture
def store() -> MemoryReplayStore:
    return MemoryReplayStore()


@pytest.fixture
def _frequent_switches() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


class TestOnce:
    def test_first_and_second_use(self, store):
        """S002-05: the same jti from the same client is rejected when it is presented again."""
        assert put(store, "a")
        assert not put(store, "a")
        assert not put(store, "a", now=NOW + 59.9)
        assert put(store, "b")

    def test_g21_another_expiry_is_no_other_proof(self, store):
        assert put(store, "a", expires_at=NOW + 60)
        assert not put(store, "a", expires_at=NOW + 600)
        assert not put(store, "a", expires_at=NOW + 1)

    def test_g19_principals_and_kinds_have_their_own(self, store):
        for kind, principal in itertools.product(
            ("dpop_proof", "client_assertion"), ("client-1", "client-2")
        ):
            assert put(store, "a", principal, kind=kind)
            assert not put(store, "a", principal, kind=kind)

    @given(st.lists(st.tuples(st.text(), st.text(), st.text()), unique=True))
    def test_different_proofs_have_different_octets(self, proofs):
        assert len({proof_octets(*proof) for proof in proofs}) == len(proofs)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (("ab", "c", "d"), ("a", "bc", "d")),
            (("a", "bc", "d"), ("a", "b", "cd")),
            (("a", "1:b", "c"), ("a", "1", ":bc")),
            (("1:1:a", "b", "c"), ("1", "1:ab", "c")),
            (("a", "b", "š"), ("a", "b", "a\x01")),
            (("a", "b", "\ud83d"), ("a", "b", "\ud83e")),
        ],
    )
    def test_nothing_moves_from_one_part_to_the_next(self, store, one, other):
        for kind, principal, jti in (one, other):
            assert store.put(kind, principal, jti, expires_at=NOW + 60, now=NOW)
            assert not store.put(kind, principal, jti, expires_at=NOW + 60, now=NOW)

    def test_in_an_event_loop(self, store):
        async def both() -> list[bool]:
            arguments: dict[str, Any] = {"expires_at": NOW + 60, "now": NOW}
            return [await store.aput(KIND, "client-1", "a", **arguments) for _ in range(2)]

        assert asyncio.run(both()) == [True, False]

    @pytest.mark.usefixtures("_frequent_switches")
    def test_threads_share_it(self, store):
        accepted: list[int] = []
        barrier = threading.Barrier(8)

        def work() -> None:
            barrier.wait()
            accepted.append(
                sum(put(store, f"jti-{number}", f"client-{number % 7}") for number in range(2000))
            )

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(accepted) == 2000
        assert store.stats()["replayed"] == 7 * 2000


class TestTime:
    def test_kept_until_the_proof_is_over_and_no_shorter(self, store):
        """F-9: a proof from the future is kept to the end of its own window, not for one window from now."""
        assert put(store, "a", expires_at=NOW + 300)
        for late in (61, 120, 299.999):
            assert not put(store, "a", expires_at=NOW + 300, now=NOW + late)
        assert store.stats()["replayed"] == 3

    @pytest.mark.parametrize("life", [0.5, 1, 7.99, 8, 60, 61, 3600, 86_400, 10**8])
    def test_entries_live_as_long_as_their_proofs(self, life):
        for offset in (0.0, 0.25, 3.75, 7.999):
            store = MemoryReplayStore()
            now = NOW + offset
            assert put(store, "a", now=now, expires_at=now + life)
            just_before = math.nextafter(now + life, 0)
            fill(store, 300, "other", now=just_before, expires_at=just_before + 10**6)
            assert not put(store, "a", now=just_before, expires_at=now + life)

    @pytest.mark.parametrize("life", [1, 60, 3600, 86_400])
    def test_entries_are_forgotten_soon_after(self, store, life):
        fill(store, 1000, expires_at=NOW + life)
        later = NOW + life * 1.26 + 20
        for number in range(500):
            assert put(store, f"later-{number}", now=later, expires_at=later + 10**6)
        assert store.stats()["expired"] == 1000
        assert store.stats()["entries"] == 500
        assert put(store, "filler-0", now=later, expires_at=later + 60)

    def test_a_proof_that_is_over_is_not_accepted(self, store):
        assert not put(store, "a", expires_at=NOW)
        assert not put(store, "a", expires_at=NOW - 1)
        assert not put(store, "a", expires_at=0, now=NOW)
        assert store.stats() | {"over": 3} == store.stats()
        assert store.stats()["entries"] == 0

    def test_a_clock_that_steps_back_within_memory(self, store):
        assert put(store, "a", expires_at=NOW + 60)
        assert not put(store, "a", expires_at=NOW + 60, now=NOW - 1000)
        assert put(store, "b", expires_at=NOW + 60, now=NOW - 1000)

    def test_a_clock_that_steps_back_behind_what_was_forgotten(self, store):
        assert put(store, "a", expires_at=NOW + 60)
        assert put(store, "b", expires_at=NOW + 5000)
        for number in range(10):
            put(store, f"later-{number}", now=NOW + 1000, expires_at=NOW + 5000)
        assert store.stats()["expired"] == 1
        with pytest.raises(Unavailable) as refused:
            put(store, "a", expires_at=NOW + 60)
        assert 1 <= refused.value.retry_after <= 60
        with pytest.raises(Unavailable):
            put(store, "never seen", expires_at=NOW + 60)
        # What cannot have been forgotten is still known, and what is new there is still new.
        assert not put(store, "b", expires_at=NOW + 5000)
        assert put(store, "c", expires_at=NOW + 5000)
        assert store.stats()["refused_clock"] == 2

    def test_a_clock_that_was_wrong_once_does_not_stop_the_store(self, store):
        """What was forgotten decides how long, not how far the clock went astray."""
        assert put(store, "a", expires_at=NOW + 60)
        assert put(store, "b", now=NOW + 10**9, expires_at=NOW + 10**9 + 60)
        assert put(store, "c", now=NOW, expires_at=NOW + 120)
        with pytest.raises(Unavailable):
            put(store, "a", now=NOW, expires_at=NOW + 60)

    def test_threads_with_slightly_older_times(self, store):
        fill(store, 100, expires_at=NOW + 0.5)
        # The last of them is the end of the bucket that NOW is in, and a little less than the lag.
        for late in (0, 3, 8, 12):
            assert put(store, f"ahead-{late}", now=NOW + late, expires_at=NOW + late + 60)
            assert put(store, f"behind-{late}", now=NOW, expires_at=NOW + 0.5)

    @pytest.mark.parametrize(
        "wrong", [math.nan, math.inf, -math.inf, True, None, "1750000000", -1.0, 1e300, [1]]
    )
    @pytest.mark.parametrize("name", ["now", "expires_at"])
    def test_no_time_at_all(self, store, name, wrong):
        with pytest.raises(Unavailable):
            put(store, "a", **{name: wrong})
        assert store.stats()["entries"] == 0
        assert put(store, "a")

    def test_whole_numbers_and_the_last_second(self, store):
        assert put(store, "a", now=int(NOW), expires_at=int(NOW) + 60)
        assert put(store, "b", now=int(NOW), expires_at=FURTHEST_EXPIRY)
        assert not put(store, "a", now=int(NOW), expires_at=int(NOW) + 60)

    @pytest.mark.parametrize("proof", [(b"a", "b", "c"), ("a", None, "c"), ("a", "b", 5), ("a", "b", ["c"])])
    def test_what_is_no_text(self, store, proof):
        with pytest.raises(Unavailable):
            store.put(*proof, expires_at=NOW + 60, now=NOW)


class TestBounds:
    @pytest.mark.parametrize("most", [1, 7, 100, 5000])
    def test_a_full_store_refuses_and_forgets_nothing(self, most):
        store = MemoryReplayStore(max_entries=most, max_per_principal=most)
        for number in range(most):
            assert put(store, f"jti-{number}", f"client-{number}")
        for number in range(50):
            with pytest.raises(Unavailable) as refused:
                put(store, "new", f"other-{number}")
            assert refused.value.retry_after >= 1
        assert not any(put(store, f"jti-{number}", f"client-{number}") for number in range(most))
        assert store.stats()["refused_full"] == 50

    def test_a_full_store_recovers_when_entries_expire(self):
        store = MemoryReplayStore(max_entries=1000, max_per_principal=1000)
        for number in range(1000):
            assert put(store, f"jti-{number}", f"client-{number}")
        later = NOW + 100
        # All by one principal, while the room is that of many.
        for number in range(900):
            assert put(store, f"jti-{number}", "one", now=later, expires_at=later + 60)

    def test_a_noisy_principal_reaches_its_own_bound(self):
        store = MemoryReplayStore(max_entries=1000, max_per_principal=100)
        fill(store, 100, "noisy")
        for number in range(50):
            with pytest.raises(Unavailable):
                put(store, f"more-{number}", "noisy")
        assert not put(store, "filler-0", "noisy")
        for number in range(500):
            assert put(store, "jti", f"quiet-{number}")
        assert store.stats()["refused_principal"] == 50

    def test_a_noisy_principal_is_heard_again_when_its_proofs_expire(self):
        store = MemoryReplayStore(max_entries=1000, max_per_principal=100)
        fill(store, 100, "noisy")
        later = NOW + 100
        for number in range(100):
            assert put(store, f"later-{number}", "noisy", now=later, expires_at=later + 60)
        with pytest.raises(Unavailable):
            put(store, "one more", "noisy", now=later, expires_at=later + 60)

    def test_an_eighth_is_the_share_of_one_by_default(self):
        store = MemoryReplayStore(max_entries=80)
        fill(store, 10)
        with pytest.raises(Unavailable):
            put(store, "one more")

    @pytest.mark.parametrize(
        "bounds",
        [
            {"max_entries": 0},
            {"max_entries": -1},
            {"max_entries": 2**31},
            {"max_entries": 10.0},
            {"max_entries": True},
            {"max_entries": None},
            {"max_per_principal": 0},
            {"max_per_principal": 976},
            {"max_per_principal": 1_000_001},
            {"max_per_principal": "5"},
            {"max_entries": 10, "max_per_principal": 11},
        ],
    )
    def test_bounds_that_are_none(self, bounds):
        with pytest.raises(PolicyError):
            MemoryReplayStore(**bounds)

    def test_smallest_and_largest_bounds(self):
        MemoryReplayStore(max_entries=1, max_per_principal=1)
        MemoryReplayStore(max_entries=1_000_000, max_per_principal=977)
        MemoryReplayStore(max_entries=2**30)


def test_counters(store):
    put(store, "a")
    put(store, "a")
    put(store, "b", expires_at=NOW)
    expected = {"accepted": 1, "replayed": 1, "over": 1, "expired": 0, "entries": 1}
    assert store.stats() == expected | {
        "refused_full": 0,
        "refused_principal": 0,
        "refused_clock": 0,
    }
    assert repr(store) == "<keybound.stores.MemoryReplayStore, 1 entries>"


def test_what_is_a_replay_store(store):
    assert as_replay_store(store) is store
    for other in (None, {}, MemoryReplayStore, "memory", object()):
        with pytest.raises(PolicyError):
            as_replay_store(other)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork_while_threads_put():
    """Children inherit no lock that is held, and remember what was used before the fork."""
    code = """
import os, sys, threading, warnings
warnings.simplefilter("ignore")
from keybound.stores import MemoryReplayStore
sys.setswitchinterval(1e-6)
store, times = MemoryReplayStore(), {"expires_at": 1060.0, "now": 1000.0}
assert store.put("kind", "before", "jti", **times)
done = threading.Event()
def work(name):
    number = 0
    while not done.is_set():
        store.put("kind", f"{name}-{number % 50}", str(number), **times)
        number += 1
threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
for thread in threads:
    thread.start()
for _ in range(50):
    child = os.fork()
    if not child:
        fresh = all(store.put("kind", f"child-{number}", "jti", **times) for number in range(200))
        known = not store.put("kind", "before", "jti", **times)
        os._exit(0 if fresh and known and store.stats() else 1)
    assert os.waitpid(child, 0)[1] == 0
done.set()
for thread in threads:
    thread.join()
print("done")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "done\n", done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the memory of the process from /proc")
def test_a_million_entries_fit_in_150_megabytes():
    code = """
from keybound.stores import MemoryReplayStore
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
before, store = resident(), MemoryReplayStore()
for number in range(1_000_000):
    times = {"expires_at": 1000.0 + number % 300, "now": 0.0}
    assert store.put("dpop_proof", f"{number:043}", f"{number:036}", **times)
print(resident() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert int(done.stdout) <= 150_000_000, done.stderr
