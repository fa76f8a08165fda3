"""Keys from a real HTTPS server: outages, attackers and rotations, each on a clock that stands still.

Numbers F-1 and so on are those of the list of tests that operators of gateways asked for.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import threading
import weakref
from typing import Any

import pytest

import keybound
from keybound import RefreshSettings, Unavailable
from keybound.keys import FetchEvent, FetchOutcome, Request, Response
from keybound.limits import MAX_KID_LENGTH, MAX_PUBLISHED_KEYS
from keybound.testing import FakeClock, IssuerServer, SigningKey, faults

WAIT = 20.0
"""Seconds after which a test gives up waiting for another thread; none takes that long."""

DOWN = pytest.mark.parametrize(
    "fault",
    [
        pytest.param(faults.status(503), id="503"),
        pytest.param(faults.status(404), id="404"),
        pytest.param(faults.html(), id="html"),
        pytest.param(faults.reset(), id="reset"),
    ],
)


def in_threads(work: Any, count: int) -> list[Any]:
    results: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait()
        results[number] = work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert not any(thread.is_alive() for thread in threads)
    return results


def settle(keys: keybound.RemoteJWKSet) -> None:
    """Wait for the fetch under way, if there is one, and for what it has to tell."""
    flight = keys._flight
    if flight is not None:
        flight.wait()
    end_of_fetches()


def end_of_fetches() -> None:
    for thread in threading.enumerate():
        if thread.name == "keybound-fetch":
            thread.join(WAIT)


def fetches(keys: keybound.RemoteJWKSet) -> dict[str, int]:
    counted: dict[str, int] = keys.stats()["fetches"]
    return counted


# One object for everybody


def test_first_use_fetches_and_the_next_ones_do_not(server: IssuerServer, source: Any):
    keys = source()
    assert server.count() == 0, "nothing is fetched before somebody asks"
    assert keys.peek() is None
    assert not keys.ready
    found = keys.get()
    assert [key.kid for key in found] == [server.issuer.key.kid]
    assert keys.get() is found
    assert keys.snapshot() is found
    assert keys.peek() is found
    assert keys.get(server.issuer.key.kid) is found
    assert asyncio.run(keys.aget()) is found
    assert keys.ready
    assert server.count() == 1


def test_threads_that_come_first_together_share_one_fetch(server: IssuerServer, source: Any):
    """P2: single flight, also where nothing is known yet."""
    keys = source()
    found = in_threads(lambda number: keys.get(), 32)
    assert len({id(each) for each in found}) == 1
    assert server.count() == 1


def test_event_loops_and_threads_share_one_fetch(server: IssuerServer, source: Any):
    """P4: one object, usable from any thread and any event loop."""
    keys = source()
    hold = server.fault = faults.Hold()

    async def several() -> Any:
        waiting = [asyncio.ensure_future(keys.aget()) for _ in range(10)]
        await asyncio.sleep(0)
        return await asyncio.gather(*waiting)

    def ask(number: int) -> Any:
        if number == 0:
            assert hold.arrived.wait(WAIT)
            hold.release()
        return asyncio.run(several()) if number % 2 else [keys.get()]

    found = in_threads(ask, 6)
    assert len({id(each) for list_ in found for each in list_}) == 1
    assert server.count() == 1


def test_a_task_that_is_cancelled_takes_nobody_along(server: IssuerServer, source: Any):
    keys = source()
    hold = server.fault = faults.Hold()

    async def both() -> Any:
        first, second = (asyncio.ensure_future(keys.aget()) for _ in range(2))
        while not hold.arrived.is_set():
            await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        hold.release()
        return await second

    assert len(asyncio.run(both())) == 1
    assert server.count() == 1


def test_a_loop_that_ends_early_is_not_called(server: IssuerServer, source: Any, caplog: Any):
    keys = source()
    hold = server.fault = faults.Hold()

    async def impatient() -> None:
        asyncio.ensure_future(keys.aget())  # noqa: RUF006
        while not hold.arrived.is_set():
            await asyncio.sleep(0)

    asyncio.run(impatient())
    hold.release()
    assert len(keys.get()) == 1
    assert not caplog.records


# F-1: unknown kids


@pytest.mark.parametrize("state", ["up", "503", "hanging", "html"])
def test_unknown_kids_cause_one_fetch(server: IssuerServer, source: Any, monotonic: FakeClock, state: str):
    """F-1, P2: 1,000 distinct bogus kids cause one fetch, whatever the endpoint answers."""
    keys = source(refresh=RefreshSettings(total_timeout=0.3))
    good = keys.get()
    hold = faults.Hold()
    server.fault = {"up": None, "503": faults.status(503), "hanging": hold, "html": faults.html()}[state]
    assert not any(keys.refresh_for(f"bogus-{number}") for number in range(1000))
    assert server.count() == 2
    assert keys.get(server.issuer.key.kid) is good, "who knows the kid is not affected"
    figures = keys.stats()
    assert (figures["unknown_kids"], figures["unknown_kids_refused"]) == (1000, 999)


@DOWN
def test_unknown_kids_cause_one_fetch_per_cooldown(
    server: IssuerServer, source: Any, monotonic: FakeClock, fault: Any
):
    """F-1: the cooldown counts from the attempt, failed or not."""
    keys = source(refresh=RefreshSettings(cooldown=30))
    keys.warm()
    server.fault = fault
    per_attempt = None
    for step in range(1, 4):
        before = server.count()
        assert not any(keys.refresh_for(f"bogus-{step}-{number}") for number in range(50))
        monotonic.advance(29)
        assert not keys.refresh_for(f"late-{step}")
        attempt = server.count() - before
        per_attempt = per_attempt or attempt
        # A connection that broke was tried once more, within the same attempt.
        assert attempt == per_attempt == (2 if fetches(keys).get("connection_failed") else 1)
        monotonic.advance(1)


def test_threads_with_unknown_kids_share_one_fetch(server: IssuerServer, source: Any):
    keys = source()
    keys.warm()
    assert not any(in_threads(lambda number: keys.refresh_for(f"bogus-{number}"), 32))
    assert server.count() == 2


def test_the_first_waits_and_the_others_are_told_at_once(server: IssuerServer, source: Any):
    """Decision "unknown kid during cooldown"."""
    keys = source()
    keys.warm()
    server.issuer.rotate()
    hold = server.fault = faults.Hold()
    answers: list[bool] = []
    first = threading.Thread(target=lambda: answers.append(keys.refresh_for(server.issuer.key.kid)))
    first.start()
    assert hold.arrived.wait(WAIT)
    assert not keys.refresh_for(server.issuer.key.kid), "while the first still waits"
    assert not answers
    hold.release()
    first.join(WAIT)
    assert answers == [True]
    assert keys.refresh_for(server.issuer.key.kid), "and now it is known to all"
    assert server.count() == 2


def test_a_rotated_key_is_found_once_the_cooldown_is_over(
    server: IssuerServer, source: Any, monotonic: FakeClock
):
    """F-1: cooldown expiry picks up a rotated key."""
    keys = source()
    keys.warm()
    assert not keys.refresh_for("bogus")
    server.issuer.rotate()
    kid = server.issuer.key.kid
    assert not keys.refresh_for(kid)
    monotonic.advance(30)
    assert keys.refresh_for(kid)
    assert kid in [key.kid for key in keys.get()]


def test_a_kid_that_is_dead_does_not_cause_a_fetch_with_every_cooldown(
    server: IssuerServer, source: Any, monotonic: FakeClock
):
    """P2: bounded negative-kid cache."""
    keys = source()
    keys.warm()
    for _ in range(5):
        assert not keys.refresh_for("withdrawn")
        monotonic.advance(30)
    assert server.count() == 2
    assert not keys.refresh_for("another")
    assert server.count() == 3


def test_an_outage_is_no_proof_that_a_kid_is_dead(server: IssuerServer, source: Any, monotonic: FakeClock):
    keys = source()
    keys.warm()
    server.issuer.rotate()
    server.fault = faults.status(503)
    assert not keys.refresh_for(server.issuer.key.kid)
    server.fault = None
    monotonic.advance(30)
    assert keys.refresh_for(server.issuer.key.kid)


def test_a_kid_too_long_for_any_issuer_causes_no_fetch(server: IssuerServer, source: Any):
    """P2: kid length cap."""
    keys = source()
    keys.warm()
    assert not keys.refresh_for("k" * (MAX_KID_LENGTH + 1))
    assert server.count() == 1
    assert not keys.refresh_for("k" * MAX_KID_LENGTH)
    assert server.count() == 2


def test_a_refresh_never_evicts_good_keys(server: IssuerServer, source: Any):
    """P2: an attacker's kid that fails to be found changes nothing."""
    keys = source()
    before = keys.get()
    server.fault = faults.bad_keys(alone=True)
    assert not keys.refresh_for("bogus")
    assert keys.get() is before
    assert fetches(keys) == {"nothing_usable": 1, "updated": 1}


def test_event_loops_wait_for_unknown_kids_without_blocking(server: IssuerServer, source: Any):
    """P4: the loop goes on while the fetch hangs."""
    keys = source()
    keys.warm()
    server.issuer.rotate()
    hold = server.fault = faults.Hold()

    async def main() -> int:
        steps = 0
        seeking = asyncio.ensure_future(keys.arefresh_for(server.issuer.key.kid))
        while not hold.arrived.is_set():
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
            assert not seeking.done()
            assert len(keys.get()) == 1
            steps += 1
        hold.release()
        assert await seeking
        return steps

    assert asyncio.run(main()) == 100


# F-2: outages


@DOWN
def test_an_outage_is_survived_until_the_hard_bound(
    server: IssuerServer, source: Any, monotonic: FakeClock, fault: Any
):
    """F-2, P1: keys stay good until max_stale, then it is Unavailable, with the time to come back."""
    events: list[FetchEvent] = []
    keys = source(on_event=events.append)
    good = keys.get()
    server.fault = fault
    for age in (269, 301, 601, 1800, 3599):
        monotonic.set(1000 + age)
        assert keys.get() is good
        assert keys.ready
        settle(keys)
    assert keys.stats()["stale"]
    assert [event.stale for event in events] == [False, False, True, True, True]
    assert all(event.usable for event in events)
    monotonic.set(1000 + 3600)
    assert not keys.ready
    assert keys.peek() is None
    for ask in (keys.get, keys.snapshot, keys.warm, lambda: asyncio.run(keys.aget())):
        with pytest.raises(Unavailable) as caught:
            ask()
        assert caught.value.status == 503
        assert 1 <= caught.value.retry_after <= 60
        assert str(caught.value).endswith(f" [{events[-1].outcome}]")
    server.fault = None
    monotonic.advance(60)
    assert [key.kid for key in keys.get()] == [key.kid for key in good]


def test_an_outage_costs_one_fetch_per_backoff_step(server: IssuerServer, source: Any, monotonic: FakeClock):
    """F-2: 20 of 20 look-ups passed, and they did not make 20 fetches."""
    keys = source()
    keys.warm()
    server.fault = faults.status(503)
    monotonic.advance(601)
    for _ in range(20):
        assert keys.get(server.issuer.key.kid)
        settle(keys)
    assert server.count() == 2
    for pause, count in ((1, 3), (2, 4), (4, 5), (8, 6), (16, 7), (32, 8), (60, 9), (60, 10)):
        monotonic.advance(pause)
        for _ in range(20):
            keys.get()
            settle(keys)
        assert server.count() == count


def test_a_cold_start_in_an_outage_is_bounded_too(server: IssuerServer, source: Any, monotonic: FakeClock):
    keys = source()
    server.fault = faults.status(503, {"Retry-After": "20"})
    for _ in range(20):
        with pytest.raises(Unavailable) as caught:
            keys.get()
        assert caught.value.retry_after == 20
    assert server.count() == 1
    server.fault = None
    monotonic.advance(20)
    assert keys.get()


def test_no_wall_clock_keeps_keys_alive(server: IssuerServer, source: Any, monotonic: FakeClock):
    """P19: a wall clock that steps back extends nothing."""
    wall = FakeClock()
    keys = source(clock=wall)
    keys.warm()
    wall.advance(-1_000_000)
    server.fault = faults.status(503)
    monotonic.advance(3600)
    with pytest.raises(Unavailable):
        keys.get()


def test_a_withdrawn_key_is_gone_with_the_next_refresh(
    server: IssuerServer, source: Any, monotonic: FakeClock
):
    """F-4, P8: pyjwt#1051 kept it for ever."""
    keys = source()
    old = server.issuer.key
    keys.warm()
    server.issuer.rotate(keep_previous=False)
    monotonic.advance(300)
    keys.get()
    settle(keys)
    assert old.kid not in [key.kid for key in keys.get()]


def test_an_unchanged_document_keeps_the_same_set(server: IssuerServer, source: Any, monotonic: FakeClock):
    """P24: caches of verified tokens stay warm: by 304, by equal octets, and in another order."""
    server.issuer.rotate()
    keys = source()
    good = keys.get()
    assert keys.refresh_now() is FetchOutcome.UNCHANGED
    assert server.requests[-1].headers["if-none-match"]
    server.etags = False
    assert keys.refresh_now() is FetchOutcome.UNCHANGED
    shuffled = {"keys": server.issuer.jwks()["keys"][::-1]}
    server.fault = faults.body(json.dumps(shuffled))
    assert keys.refresh_now() is FetchOutcome.UNCHANGED
    assert keys.get() is good
    server.fault = None
    server.issuer.rotate()
    assert keys.refresh_now() is FetchOutcome.UPDATED
    assert keys.get() is not good


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_a_key_replaced_under_its_kid_is_another_key(server: IssuerServer, source: Any, alg: str):
    keys = source()
    first = SigningKey.generate(alg, kid="same")
    server.fault = faults.bad_keys(first.public_jwk(), alone=True)
    good = keys.get()
    server.fault = faults.bad_keys(SigningKey.generate(alg, kid="same").public_jwk(), alone=True)
    assert keys.refresh_now() is FetchOutcome.UPDATED
    assert keys.get() is not good


# F-3: readers never wait


def test_who_knows_the_key_never_waits(server: IssuerServer, source: Any, monotonic: FakeClock):
    """F-3, P3: a refresh that hangs is nobody's concern but its own."""
    keys = source()
    good = keys.get()
    monotonic.advance(601)
    hold = server.fault = faults.Hold()
    assert keys.get() is good, "this one starts it"
    assert hold.arrived.wait(WAIT)
    kid = server.issuer.key.kid
    assert all(each is good for each in in_threads(lambda number: keys.get(kid), 16))
    assert asyncio.run(keys.aget(kid)) is good
    assert server.count() == 2
    hold.release()
    settle(keys)
    assert not keys.stats()["stale"]


def test_a_lock_that_is_held_stops_no_reader(server: IssuerServer, source: Any, monotonic: FakeClock):
    keys = source()
    good = keys.get()
    for age in (0, 301, 3000):
        monotonic.set(1000 + age)
        with keys._lock:
            assert keys.snapshot() is good
            assert keys.get(server.issuer.key.kid) is good
            assert asyncio.run(keys.aget(server.issuer.key.kid)) is good
            assert keys.refresh_for(server.issuer.key.kid)


def test_keys_are_fetched_ahead_of_time_though_nobody_asks(server: IssuerServer):
    """P3, P32: refresh ahead in the background, on the real clock."""
    asked_twice = threading.Event()
    keys = keybound.RemoteJWKSet(
        server.jwks_uri,
        transport=keybound.HTTPTransport(ssl_context=server.client_context()),
        refresh=RefreshSettings(refresh_after=0.5, fresh_for=1, min_fresh=0.1, max_fresh=1),
        on_event=lambda event: asked_twice.set() if server.count() >= 2 else None,
    )
    keys.warm()
    assert asked_twice.wait(WAIT)
    assert fetches(keys)["unchanged"] >= 1


@pytest.mark.parametrize("keep_fresh", [True, False])
def test_a_source_that_nobody_holds_goes(server: IssuerServer, source: Any, keep_fresh: bool):
    keys = source(keep_fresh=keep_fresh)
    keys.warm()
    settle(keys)
    gone = weakref.ref(keys)
    del keys
    end_of_fetches()
    gc.collect()
    assert gone() is None


# F-10 and F-11: what is published


def test_odd_keys_are_skipped_and_counted(server: IssuerServer, source: Any):
    """F-10, P17: AKP, X25519, malformed, secrets, non-objects; the others stay good."""
    keys = source()
    server.fault = faults.bad_keys()
    assert [key.kid for key in keys.get()] == [server.issuer.key.kid]
    skipped = keys.stats()["skipped"]
    assert sum(skipped.values()) == len(faults.ODD_KEYS)
    assert not any(kid in reason for reason in skipped for kid in ("akp", "x25519", "no-modulus"))


@pytest.mark.parametrize("entry", faults.ODD_KEYS, ids=str)
def test_a_set_without_usable_keys_replaces_nothing(server: IssuerServer, source: Any, entry: Any):
    """F-10, P17: the refresh fails only when no usable key remains."""
    keys = source()
    good = keys.get()
    server.fault = faults.bad_keys(entry, alone=True)
    assert keys.refresh_now() is FetchOutcome.NOTHING_USABLE
    assert keys.get() is good


def test_a_published_private_key_is_not_used(server: IssuerServer, source: Any):
    leaked = SigningKey.generate("ES256", kid="leaked")
    keys = source()
    server.fault = faults.bad_keys(leaked.public_jwk() | {"d": "A" * 43})
    assert "leaked" not in [key.kid for key in keys.get()]
    assert len(keys.get()) == 1


def test_keys_without_kid_alg_or_use_and_with_the_same_kid(server: IssuerServer, source: Any):
    """F-10, P18."""
    bare = {name: value for name, value in SigningKey.generate("ES256").public_jwk().items() if name != "kid"}
    bare.pop("alg", None)
    bare.pop("use", None)
    twins = [SigningKey.generate("ES256", kid="twin").public_jwk() for _ in range(2)]
    keys = source()
    server.fault = faults.bad_keys(bare, *twins)
    assert len(keys.get()) == 4
    assert not keys.stats()["skipped"]


BAD_ANSWERS = {
    "html": (faults.html(), FetchOutcome.MALFORMED),
    "object": (faults.body("{}"), FetchOutcome.NOTHING_USABLE),
    "no-keys": (faults.body('{"keys":[]}'), FetchOutcome.NOTHING_USABLE),
    "keys-object": (faults.body('{"keys":{}}'), FetchOutcome.NOTHING_USABLE),
    "single-jwk": (faults.body('{"kty":"oct"}'), FetchOutcome.NOTHING_USABLE),
    "array": (faults.body("[]"), FetchOutcome.MALFORMED),
    "nothing": (faults.body(""), FetchOutcome.MALFORMED),
    "not-utf8": (faults.body(b'{"keys":[],"\xff":1}'), FetchOutcome.MALFORMED),
    "repeated": (faults.body('{"keys":[],"keys":[]}'), FetchOutcome.MALFORMED),
    "deep": (faults.body("[" * 100_000), FetchOutcome.MALFORMED),
    "10-mb": (faults.body(b" " * 10_000_000), FetchOutcome.TOO_LARGE),
    "many-keys": (faults.bad_keys(*[{}] * MAX_PUBLISHED_KEYS), FetchOutcome.TOO_LARGE),
    "gzip-bomb": (faults.gzip_bomb(), FetchOutcome.TOO_LARGE),
    "not-gzip": (faults.body("{}", {"Content-Encoding": "gzip"}), FetchOutcome.MALFORMED),
    "brotli": (faults.body("{}", {"Content-Encoding": "br"}), FetchOutcome.MALFORMED),
    "truncated": (faults.truncated(), FetchOutcome.CONNECTION_FAILED),
    "reset": (faults.reset(), FetchOutcome.CONNECTION_FAILED),
    "tls": (faults.untrusted_certificate(), FetchOutcome.TLS_FAILED),
    "204": (faults.status(204), FetchOutcome.STATUS_REFUSED),
    "503": (faults.status(503), FetchOutcome.STATUS_REFUSED),
    "no-location": (faults.status(302), FetchOutcome.REDIRECT_REFUSED),
    "other-host": (faults.redirect("https://localhost:1/jwks"), FetchOutcome.REDIRECT_REFUSED),
    "to-http": (faults.redirect("http://127.0.0.1/jwks"), FetchOutcome.REDIRECT_REFUSED),
    "to-file": (faults.redirect("file:///etc/passwd"), FetchOutcome.REDIRECT_REFUSED),
    "loop": (faults.redirect("/somewhere", 308), FetchOutcome.STATUS_REFUSED),
}


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_a_bad_answer_replaces_nothing(server: IssuerServer, source: Any, answer: str):
    """F-11, P1: the previous set stays, and the outcome is counted."""
    keys = source()
    good = keys.get()
    server.fault, outcome = BAD_ANSWERS[answer]
    assert keys.refresh_now() is outcome
    assert keys.get() is good
    assert fetches(keys) == {"updated": 1, str(outcome): 1}
    assert keys.stats()["failures"] == 1
    server.fault = None
    assert keys.refresh_now() is FetchOutcome.UNCHANGED
    assert keys.stats()["failures"] == 0


def test_a_304_that_nobody_asked_for_is_no_answer(server: IssuerServer, source: Any):
    keys = source()
    server.fault = faults.status(304)
    assert keys.refresh_now() is FetchOutcome.STATUS_REFUSED
    assert keys.peek() is None


def test_redirects_within_the_origin_are_followed_up_to_a_ceiling(server: IssuerServer, source: Any):
    """P38."""
    server.publish("/keys/current", server.issuer.jwks)
    server.fault = faults.redirect("/keys/current", 307)
    keys = source()
    assert keys.refresh_now() is FetchOutcome.UPDATED
    server.fault = faults.Fault(lambda exchange: exchange.send(302, {"Location": exchange.path + "x"}, b""))
    before = server.count()
    assert keys.refresh_now() is FetchOutcome.REDIRECT_REFUSED
    assert server.count() == before + 4
    server.fault = faults.status(302)
    assert keys.refresh_now() is FetchOutcome.REDIRECT_REFUSED
    assert server.count() == before + 5, "nowhere is nowhere to go"


def test_compressed_answers_are_read_within_the_ceiling(server: IssuerServer, source: Any):
    import gzip

    keys = source()
    packed = gzip.compress(json.dumps(server.issuer.jwks()).encode())
    server.fault = faults.body(packed, {"Content-Encoding": "gzip"})
    assert keys.refresh_now() is FetchOutcome.UPDATED
    server.fault = faults.body(packed + b"\0", {"Content-Encoding": "gzip"})
    assert keys.refresh_now() is FetchOutcome.MALFORMED
    server.fault = faults.body(packed[:-1], {"Content-Encoding": "gzip"})
    assert keys.refresh_now() is FetchOutcome.MALFORMED


# P24: what the issuer says about its answers


@pytest.mark.parametrize(
    ("headers", "refreshed_at"),
    [
        ({}, 300),
        ({"Cache-Control": "public, max-age=900, must-revalidate"}, 450),
        ({"Cache-Control": 'Max-Age="900"'}, 450),
        ({"Cache-Control": "max-age=900", "Age": "700"}, 100),
        ({"Cache-Control": "max-age=86400"}, 900),
        ({"Cache-Control": "max-age=1"}, 30),
        ({"Cache-Control": "no-store"}, 30),
        ({"Cache-Control": "no-cache, max-age=900"}, 30),
        ({"Cache-Control": "max-age=-1"}, 300),
        ({"Cache-Control": "max-age=" + "9" * 5000}, 300),
    ],
    ids=str,
)
def test_cache_control(
    server: IssuerServer, source: Any, monotonic: FakeClock, headers: Any, refreshed_at: float
):
    """P24: honoured within bounds; no-store does not mean one fetch per request."""
    server.headers |= headers
    keys = source()
    keys.warm()
    monotonic.advance(refreshed_at * 0.89)
    for _ in range(10):
        keys.get()
        settle(keys)
    assert server.count() == 1
    monotonic.set(1000 + refreshed_at)
    for _ in range(10):
        keys.get()
        settle(keys)
    assert server.count() == 2


def test_last_modified_is_used_where_there_is_no_etag(server: IssuerServer, source: Any):
    server.etags = False
    server.headers["Last-Modified"] = "Sat, 21 Nov 2026 06:00:00 GMT"
    keys = source()
    keys.warm()
    server.fault = faults.status(304)
    assert keys.refresh_now() is FetchOutcome.UNCHANGED
    sent = server.requests[-1].headers
    assert sent["if-modified-since"] == server.headers["Last-Modified"]
    assert "if-none-match" not in sent


# P22: deadlines


@pytest.mark.parametrize("fault", ["drip", "hanging"])
def test_the_total_deadline_holds(server: IssuerServer, source: Any, fault: str):
    """P22: drops do not add up to more than the total."""
    server.fault = faults.drip() if fault == "drip" else faults.Hold()
    keys = source(refresh=RefreshSettings(total_timeout=0.3))
    assert keys.refresh_now() is FetchOutcome.TIMED_OUT
    with pytest.raises(Unavailable):
        keys.get()


def test_the_read_deadline_holds(server: IssuerServer, source: Any):
    server.fault = faults.Hold()
    keys = source(refresh=RefreshSettings(read_timeout=0.2, total_timeout=WAIT))
    assert keys.refresh_now() is FetchOutcome.TIMED_OUT


def test_a_transport_that_never_returns_holds_up_nobody_for_long(
    server: IssuerServer, source: Any, monotonic: FakeClock
):
    """DNS, for one, knows no deadline."""
    release = threading.Event()

    def stuck(request: Request) -> Response:
        release.wait(WAIT)
        return Response(status=200, body=json.dumps(server.issuer.jwks()).encode())

    keys = source(transport=stuck, refresh=RefreshSettings(total_timeout=0.1))
    with pytest.raises(Unavailable):
        keys.get()
    with pytest.raises(Unavailable):
        keys.get()
    assert fetches(keys) == {"timed_out": 1}, "given up, and not replaced before its time"
    monotonic.advance(1)
    working = keybound.HTTPTransport(ssl_context=server.client_context())
    keys._transport = working
    assert keys.get(), "a new fetch does not wait for the one that hangs"
    good = keys.peek()
    release.set()
    end_of_fetches()
    assert keys.peek() is good
    assert fetches(keys) == {"timed_out": 1, "updated": 1}


def test_a_broken_connection_is_tried_once_more(server: IssuerServer, source: Any):
    """P22: one retry; and none for an answer."""
    broken: list[int] = []

    def once(exchange: Any) -> None:
        broken.append(1)
        exchange.reset() if len(broken) == 1 else exchange.answer()

    server.fault = faults.Fault(once)
    keys = source()
    assert keys.refresh_now() is FetchOutcome.UPDATED
    assert server.count() == 2


def test_a_server_that_is_gone(source: Any, server: IssuerServer):
    keys = source()
    good = keys.get()
    server.close()
    assert keys.refresh_now() is FetchOutcome.CONNECTION_FAILED
    assert keys.get() is good


# What operators do


def test_purge_forgets_at_once(server: IssuerServer, source: Any):
    """P8."""
    keys = source()
    keys.warm()
    keys.purge()
    assert keys.peek() is None
    server.fault = faults.status(503)
    with pytest.raises(Unavailable):
        keys.get()
    keys.purge()
    server.fault = None
    assert keys.get(), "and without a cooldown or backoff"


def test_what_was_under_way_when_purged_is_not_taken(server: IssuerServer, source: Any):
    keys = source()
    keys.warm()
    hold = server.fault = faults.Hold()
    waiting = threading.Thread(target=keys.refresh_now)
    waiting.start()
    assert hold.arrived.wait(WAIT)
    under_way = keys._flight
    keys.purge()
    server.issuer.rotate(keep_previous=False)
    server.fault = None
    fresh = keys.get()
    hold.release()
    under_way.wait()
    waiting.join(WAIT)
    assert keys.peek() is fresh


def test_refresh_now_asks_after_it_was_called(server: IssuerServer, source: Any, monotonic: FakeClock):
    """An answer that was under way before may be older than the reason to ask."""
    keys = source()
    keys.warm()
    monotonic.advance(301)
    hold = server.fault = faults.Hold()
    keys.get()
    assert hold.arrived.wait(WAIT)
    outcomes: list[FetchOutcome] = []
    asking = threading.Thread(target=lambda: outcomes.append(keys.refresh_now()))
    asking.start()
    hold.release()
    asking.join(WAIT)
    assert outcomes == [FetchOutcome.UNCHANGED]
    assert server.count() == 3
    assert asyncio.run(keys.arefresh_now()) is FetchOutcome.UNCHANGED
    assert server.count() == 4


def test_warm_raises_where_it_cannot(server: IssuerServer, source: Any, monotonic: FakeClock):
    """P25."""
    keys = source()
    server.fault = faults.status(503)
    with pytest.raises(Unavailable):
        keys.warm()
    monotonic.advance(60)
    with pytest.raises(Unavailable):
        asyncio.run(keys.awarm())
    monotonic.advance(60)
    server.fault = None
    asyncio.run(keys.awarm())
    keys.warm()
    assert server.count() == 3


def test_state_survives_a_restart(server: IssuerServer, source: Any, monotonic: FakeClock):
    """P25, P32: a new process begins with the keys of the old one, as old as they are."""
    wall = FakeClock()
    first = source(clock=wall)
    assert first.export_state() is None
    first.warm()
    monotonic.advance(100)
    state = first.export_state()
    server.fault = faults.status(503)
    wall.advance(1000)
    later = FakeClock(5.0)
    second = source(clock=wall, monotonic=later)
    assert second.import_state(state)
    assert second.get(server.issuer.key.kid)
    assert second.stats()["age"] == pytest.approx(1100)
    assert second.stats()["stale"]
    settle(second)
    later.advance(2499)
    assert second.ready
    later.advance(2)
    assert not second.ready
    server.fault = None
    third = source(clock=wall, monotonic=later)
    assert third.import_state(state)
    third.refresh_now()
    assert server.requests[-1].headers["if-none-match"], "the ETag came along"
    assert third.stats()["fetches"] == {"unchanged": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"url": "https://other.example.com/jwks"},
        {"version": 2},
        {"fetched_at": 0},
        {"fetched_at": 1_750_000_061.0},
        {"fetched_at": 1e300},
        {"fetched_at": "now"},
        {"fetched_at": None},
        {"fresh_for": []},
        {"document": '{"keys":[]}'},
        {"document": "<html>"},
        {"document": None},
        {"etag": "a\r\nX: y"},
        {"etag": 5},
    ],
    ids=str,
)
def test_states_that_are_not_taken(source: Any, change: dict[str, Any]):
    wall = FakeClock()
    keys = source(clock=wall)
    keys.warm()
    fields = json.loads(keys.export_state())
    other = source(clock=wall)
    assert not other.import_state(json.dumps(fields | change).encode())
    assert other.peek() is None
    assert other.import_state(json.dumps(fields | {"fetched_at": wall() + 59}).encode()), (
        "clocks differ a bit"
    )


@pytest.mark.parametrize("state", [b"", b"[]", b"5", b"null", b"{}", b"\xff", b'"version"'])
def test_states_that_are_none(source: Any, state: bytes):
    assert not source().import_state(state)


def test_an_older_state_does_not_replace_younger_keys(
    server: IssuerServer, source: Any, monotonic: FakeClock
):
    wall = FakeClock()
    old = source(clock=wall)
    old.warm()
    state = old.export_state()
    server.issuer.rotate(keep_previous=False)
    monotonic.advance(10)
    wall.advance(10)
    new = source(clock=wall)
    good = new.get()
    assert not new.import_state(state)
    assert new.peek() is good


# P35: what operators see


def test_events_tell_of_every_fetch(server: IssuerServer, source: Any, monotonic: FakeClock):
    events: list[FetchEvent] = []
    keys = source(on_event=events.append)
    keys.warm()
    server.fault = faults.status(429)
    keys.refresh_now()
    server.fault = None
    monotonic.advance(2000)
    keys.refresh_now()
    end_of_fetches()
    told = [(event.outcome, event.status, event.failures, event.age, event.usable) for event in events]
    assert told == [
        (FetchOutcome.UPDATED, 200, 0, 0, True),
        (FetchOutcome.STATUS_REFUSED, 429, 1, 0, True),
        (FetchOutcome.UNCHANGED, 304, 0, 0, True),
    ]
    assert all(event.url == server.jwks_uri and event.duration >= 0 for event in events)


def test_a_listener_that_fails_changes_nothing(source: Any):
    def fail(event: FetchEvent) -> None:
        raise RuntimeError("in the listener")

    keys = source(on_event=fail)
    assert keys.get()
    assert keys.refresh_now() is FetchOutcome.UNCHANGED


def test_nothing_printed_holds_a_kid(server: IssuerServer, source: Any):
    """F-18."""
    keys = source()
    keys.warm()
    evil = "kid\r\nX-Injected: 1\x1b[31m"
    keys.refresh_for(evil)
    texts = [repr(keys), str(keys.stats()), str(keys._schedule)]
    assert not any("kid\r" in text or "\x1b" in text for text in texts)
    assert not any(evil in str(request) or "Injected" in str(request) for request in server.requests)


# F-14: whose fault it is


@DOWN
def test_no_kid_makes_keys_unavailable(server: IssuerServer, source: Any, monotonic: FakeClock, fault: Any):
    """F-14 (dam#2863): asking for a kid is never an error while there are keys."""
    keys = source()
    good = keys.get()
    server.fault = fault
    for age in (0, 700, 3599):
        monotonic.set(1000 + age)
        for kid in ("", "bogus", "\x00", "k" * 5000, "\ud800"):
            assert not keys.refresh_for(kid)
            assert not asyncio.run(keys.arefresh_for(kid))
            assert keys.get(kid) is good


# F-17: processes

FORK = """
import os, sys, threading
import keybound
from keybound.testing import IssuerServer, faults

server = IssuerServer().__enter__()
keys = keybound.RemoteJWKSet(
    server.jwks_uri, transport=keybound.HTTPTransport(ssl_context=server.client_context())
)
keys.warm()
hold = server.fault = faults.Hold()
threading.Thread(target=keys.refresh_now, daemon=True).start()
assert hold.arrived.wait(20)
keys._lock.acquire()  # the worst moment there is
requests, answers = os.pipe()
child = os.fork()
if child == 0:
    # The server has stayed with the parent; this one's keys have not.
    os.close(requests)
    assert len(keys.get()) == 1
    assert keys.refresh_for(server.issuer.key.kid)
    os.write(answers, b"known\\n")
    outcome = keys.refresh_now()
    os.write(answers, str(outcome).encode() + b"\\n")
    assert not keys.refresh_for("bogus")
    os._exit(0)
keys._lock.release()
os.close(answers)
read = os.fdopen(requests)
assert read.readline() == "known\\n"
hold.release()
assert read.readline() == "unchanged\\n"
assert os.waitpid(child, 0)[1] == 0
keys.refresh_now()
ports = [request for request in server.requests]
print(len(ports), threading.active_count() > 1)
"""


@pytest.mark.skipif(not hasattr(keybound.keys.background.os, "fork"), reason="there is no fork here")
def test_a_child_process_refreshes_on_its_own():
    """F-17, P32: no deadlock though the lock was held and a fetch was under way, no shared socket."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    # Warm-up, the parent's that was under way, the child's two, the parent's last.
    assert done.stdout.split()[0] == "5"


def test_importing_and_making_starts_no_thread():
    """P32: no threads started at import, nor before the first fetch."""
    code = """
import threading, keybound
keys = keybound.RemoteJWKSet("https://as.example.com/jwks")
print(threading.active_count(), keys.ready)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]


# P38 and options


@pytest.mark.parametrize(
    "url",
    [
        "http://as.example.com/jwks",
        "//as.example.com/jwks",
        "/jwks",
        "",
        "as.example.com/jwks",
        "ftp://as.example.com/jwks",
        "file:///etc/jwks.json",
        "https:///jwks",
        "https://",
        "https://user:pass@as.example.com/jwks",
        "https://as.example.com/jwks#keys",
        "https://as.example.com/a b",
        "https://as.example.com\\@evil.example/jwks",
        "https://as.example.com/\r\nX: y",
        "https://as.example.com:99999/",
        "https://as.example.com:0/",
        "https://[::1/",
        "https://ä.example.com/",
        b"https://as.example.com/jwks",
        None,
    ],
    ids=str,
)
def test_urls_that_are_refused(url: Any):
    """P38: https only unless opted out."""
    with pytest.raises(keybound.PolicyError, match="URL"):
        keybound.RemoteJWKSet(url)


def test_http_has_to_be_typed_out():
    with IssuerServer(tls=False) as plain:
        with pytest.raises(keybound.PolicyError, match="allow_http"):
            keybound.RemoteJWKSet(plain.jwks_uri)
        with pytest.raises(keybound.PolicyError, match="allow_http"):
            keybound.RemoteJWKSet(plain.jwks_uri, allow_http="no")  # type: ignore[arg-type]
        assert len(keybound.RemoteJWKSet(plain.jwks_uri, allow_http=True, keep_fresh=False).get()) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"refresh": None},
        {"refresh": {}},
        {"transport": "https"},
        {"on_event": 5},
        {"monotonic": 5},
        {"clock": None},
        {"headers": {"X": "a\r\nb"}},
        {"headers": {"": "a"}},
        {"headers": {"X": 5}},
    ],
    ids=str,
)
def test_options_that_are_refused(options: dict[str, Any]):
    with pytest.raises(keybound.PolicyError):
        keybound.RemoteJWKSet("https://as.example.com/jwks", **options)


@pytest.mark.parametrize("answer", [None, "5", float("nan"), pytest.param(object(), id="object")], ids=str)
def test_a_clock_that_breaks_its_contract_makes_no_key_good(source: Any, answer: Any):
    now: list[Any] = [1000.0]
    keys = source(monotonic=lambda: now[0])
    keys.warm()
    now[0] = answer
    with pytest.raises(Unavailable):
        keys.get()
