"""Keys of AWS load balancers, one by one from a real HTTPS server: outages, attackers and rotations."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import subprocess
import sys
import threading
import uuid
import weakref
from typing import Any

import pytest

import keybound
from keybound import LoadBalancerKeys, PolicyError, Reason, RefreshSettings, Unavailable
from keybound.keys import FetchEvent, FetchOutcome
from keybound.limits import MAX_LOAD_BALANCER_KEYS
from keybound.testing import EncryptionKey, FakeClock, IssuerServer, SigningKey, faults

WAIT = 20.0
"""Seconds after which a test gives up waiting for another thread; none takes that long."""

ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/front/50dc6c495c0c9188"
ISSUER, CLIENT = "https://op.example.com", "client-1"


def bogus() -> str:
    return str(uuid.uuid4())


def end_of_fetches() -> None:
    for thread in threading.enumerate():
        if thread.name == "keybound-fetch":
            thread.join(WAIT)


def segment(part: dict[str, Any]) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(part).encode())


class Place:
    """A region of AWS with load balancers, and whoever stands behind them."""

    def __init__(self, server: IssuerServer, monotonic: FakeClock) -> None:
        self.server, self.monotonic, self.clock = server, monotonic, FakeClock()

    def balancer(self) -> SigningKey:
        """One more load balancer."""
        key = SigningKey.generate("ES256", kid=bogus())
        self.publish(key)
        return key

    def publish(self, key: SigningKey, kid: str | None = None) -> None:
        self.server.publish(f"/{kid or key.kid}", key.public_pem())

    def source(self, **options: Any) -> LoadBalancerKeys:
        usual: dict[str, Any] = {"monotonic": self.monotonic, "keep_fresh": False}
        if "transport" not in options:
            usual["transport"] = keybound.HTTPTransport(ssl_context=self.server.client_context())
        return LoadBalancerKeys(options.pop("url", self.server.url), **usual | options)

    def validator(self, keys: LoadBalancerKeys) -> keybound.LoadBalancerTokenValidator:
        return keybound.LoadBalancerTokenValidator(
            signer=ARN, issuer=ISSUER, client_id=CLIENT, keys=keys, clock=self.clock
        )

    def token(self, key: SigningKey, **changes: Any) -> str:
        fields = {"typ": "JWT", "kid": key.kid, "alg": "ES256", "iss": ISSUER, "client": CLIENT}
        fields |= {"signer": ARN, "exp": int(self.clock()) + 120}
        signing_input = b".".join((segment(fields | changes), segment({"sub": "user-1"})))
        return (signing_input + b"." + base64.urlsafe_b64encode(key.sign(signing_input))).decode()

    def count(self, key: SigningKey) -> int:
        return self.server.count(f"/{key.kid}")


@pytest.fixture
def place(server: IssuerServer, monotonic: FakeClock) -> Place:
    return Place(server, monotonic)


def verdict(judge: Any, raw: str) -> Reason:
    """Of both roads, which agree."""
    found = []
    for present in (judge.validate, lambda raw: asyncio.run(judge.avalidate(raw))):
        try:
            assert present(raw).subject == "user-1"
            found.append(Reason.OK)
        except keybound.TokenRejected as error:
            found.append(error.reason)
    assert found[0] is found[1]
    return found[0]


# One object for everybody


@pytest.mark.parametrize("road", ["validate", "avalidate"])
def test_a_key_is_fetched_when_its_first_token_comes(place: Place, road: str) -> None:
    """P20: the regional endpoint with one key in PEM for each kid."""
    keys, balancers = place.source(), [place.balancer() for _ in range(3)]
    judge = place.validator(keys)
    assert (keys.peek(), len(keys.snapshot()), keys.ready) == (None, 0, True)
    assert place.server.count() == 0, "nothing is fetched before somebody asks"
    for _ in range(2):
        for balancer in balancers:
            answer = getattr(judge, road)(place.token(balancer))
            token = asyncio.run(answer) if asyncio.iscoroutine(answer) else answer
            assert token.subject == "user-1"
    assert [place.count(balancer) for balancer in balancers] == [1, 1, 1]
    assert {key.kid for key in keys.snapshot()} == {balancer.kid for balancer in balancers}
    assert keys.snapshot() is keys.snapshot()
    assert {key.kid for key in keys.peek() or ()} == {balancer.kid for balancer in balancers}


def test_whoever_asks_together_shares_one_fetch(place: Place) -> None:
    """P2: single flight, in threads and event loops."""
    keys, balancer = place.source(), place.balancer()
    judge, hold = place.validator(keys), faults.Hold()
    place.server.fault = hold
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(verdict(judge, place.token(balancer)))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    assert hold.arrived.wait(WAIT)
    hold.release()
    for thread in threads:
        thread.join(WAIT)
    assert found == [Reason.OK] * 8
    assert place.server.count() == 1


@pytest.mark.parametrize("there", [True, False])
def test_whoever_comes_as_a_fetch_ends_takes_what_it_brought(place: Place, there: bool) -> None:
    keys, kid = place.source(), place.balancer().kid if there else bogus()
    look = keys._asked_for

    def overtaken(kid: str) -> Any:
        asked = look(kid)
        keys._asked_for = look  # type: ignore[method-assign]
        assert keys.refresh_for(kid) is there, "somebody else is quicker"
        return asked

    keys._asked_for = overtaken  # type: ignore[method-assign]
    assert keys.refresh_for(kid) is there
    assert place.server.count() == 1


def test_a_loop_goes_on_while_a_token_waits(place: Place) -> None:
    """F-3, P4."""
    keys, known, new = place.source(), place.balancer(), place.balancer()
    judge = place.validator(keys)
    judge.validate(place.token(known))
    hold = place.server.fault = faults.Hold()

    async def main() -> str | None:
        waiting = asyncio.ensure_future(judge.avalidate(place.token(new)))
        while not hold.arrived.is_set():
            await asyncio.sleep(0)
        for _ in range(100):
            assert (await judge.avalidate(place.token(known))).subject == "user-1"
            assert not waiting.done()
        hold.release()
        return (await waiting).subject

    assert asyncio.run(main()) == "user-1"


# What becomes part of a URL


@pytest.mark.parametrize(
    "kid",
    [
        "",
        "7b1a2c3d",
        "../jwks",
        "..%2fjwks",
        "AAAAAAAA-0000-4000-8000-000000000000",
        "aaaaaaaa-0000-4000-8000-00000000000",
        "aaaaaaaa-0000-4000-8000-0000000000000",
        "aaaaaaaa-0000-4000-8000-000000000000\n",
        "aaaaaaaa-0000-4000-8000-000000000000?x",
        "aaaaaaaa-0000-4000-8000-000000000000/..",
        "aaaaaaaa-0000-4000-8000-00000000000\u0661",
        "g" * 8 + "-0000-4000-8000-000000000000",
        "aaaaaaaa000040008000000000000000",
        "{aaaaaaaa-0000-4000-8000-000000000000}",
        "\x00",
        "\ud800",
        "k" * 5000,
    ],
)
def test_nobody_is_asked_for_what_is_no_uuid(place: Place, kid: str) -> None:
    """P38: it comes from a token that nobody has verified."""
    keys = place.source()
    assert not keys.refresh_for(kid)
    assert not asyncio.run(keys.arefresh_for(kid))
    assert place.server.count() == 0
    assert keys.stats()["unknown_kids_refused"] == 2


def test_nobody_is_asked_for_keys_of_other_load_balancers(place: Place) -> None:
    keys, balancer = place.source(), place.balancer()
    judge = place.validator(keys)
    for changes in ({"signer": ARN + "x"}, {"client": "x"}, {"iss": "https://x.example"}):
        assert verdict(judge, place.token(balancer, **changes)) is not Reason.OK
    assert place.server.count() == 0


# F-1: attackers


@pytest.mark.parametrize("fault", [None, faults.status(503), faults.status(403)], ids=["up", "503", "403"])
def test_a_thousand_unknown_kids(place: Place, fault: Any) -> None:
    """F-1, P2: as many fetches as may be made at once, also while the endpoint answers 503."""
    keys, balancer = place.source(), place.balancer()
    judge = place.validator(keys)
    assert verdict(judge, place.token(balancer)) is Reason.OK
    place.server.fault = fault
    forger = SigningKey.generate("ES256", kid="x")
    for _ in range(1000):
        with pytest.raises(keybound.KeyRejected):
            judge.validate(place.token(forger, kid=bogus()))
    # Four at once, of which the good one was the first.
    assert place.server.count() == 4
    assert verdict(judge, place.token(balancer)) is Reason.OK
    place.monotonic.advance(30)
    for _ in range(100):
        assert not keys.refresh_for(bogus())
    assert place.server.count() == 5
    stats = keys.stats()
    assert (stats["unknown_kids"], stats["unknown_kids_refused"]) == (1101, 1101 - 5)
    place.server.fault = None
    place.monotonic.advance(30)
    late = place.balancer()
    assert verdict(judge, place.token(late)) is Reason.OK, "the next one is found after the cooldown"


def test_what_was_not_used_is_saved_up_to_a_bound(place: Place) -> None:
    keys = place.source()
    place.monotonic.advance(86_400)
    for expected in (4, 1, 2):
        before = place.server.count()
        for _ in range(10):
            keys.refresh_for(bogus())
        assert place.server.count() - before == expected
        place.monotonic.advance(30 if expected == 4 else 60)


def test_a_kid_that_is_not_there_is_remembered(place: Place) -> None:
    """P2: a bounded cache of unknown kids, which end by themselves."""
    keys, late = place.source(), SigningKey.generate("ES256", kid=bogus())
    assert not keys.refresh_for(late.kid)
    place.publish(late)
    place.monotonic.advance(299)
    assert not keys.refresh_for(late.kid)
    assert place.count(late) == 1
    place.monotonic.advance(2)
    assert keys.refresh_for(late.kid)
    assert place.count(late) == 2


def test_keys_are_bounded_and_those_in_use_stay(place: Place) -> None:
    """Anybody can have a load balancer with a key that is there."""
    keys, ours = place.source(max_keys=3), place.balancer()
    judge = place.validator(keys)
    assert verdict(judge, place.token(ours)) is Reason.OK
    others = [place.balancer() for _ in range(6)]
    for other in others:
        place.monotonic.advance(30)
        assert verdict(judge, place.token(ours)) is Reason.OK
        forged = place.token(SigningKey.generate("ES256", kid=other.kid))
        assert verdict(judge, forged) is Reason.SIGNATURE_INVALID
    assert len(keys.snapshot()) == 3
    assert keys.stats()["evicted"] == 4
    assert place.count(ours) == 1
    assert [key.kid for key in keys.snapshot()] == [ours.kid, others[4].kid, others[5].kid]


def test_kids_that_are_given_never_make_way(place: Place) -> None:
    ours = [place.balancer() for _ in range(2)]
    keys = place.source(kids=[each.kid for each in ours], max_keys=3)
    assert not keys.ready
    keys.warm()
    assert keys.ready
    assert place.server.count() == 2
    for _ in range(4):
        keys.refresh_for(place.balancer().kid)
    assert {each.kid for each in ours} < {key.kid for key in keys.snapshot()}
    assert len(keys.snapshot()) == 3
    asyncio.run(keys.awarm())
    assert place.server.count() == 6


def test_kids_that_are_given_cost_unknown_ones_nothing(place: Place) -> None:
    """An attacker who uses up what may be asked at once does not keep them out."""
    ours = place.balancer()
    keys = place.source(kids=ours.kid)
    for _ in range(50):
        keys.refresh_for(bogus())
    assert verdict(place.validator(keys), place.token(ours)) is Reason.OK


# F-2: outages


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(faults.status(503), id="503"),
        pytest.param(faults.html(), id="html"),
        pytest.param(faults.reset(), id="reset"),
        pytest.param(faults.body("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"), id="bad key"),
        pytest.param(faults.body(SigningKey.generate("ES384").public_pem()), id="another curve"),
        pytest.param(faults.body(EncryptionKey.generate("ECDH-ES").private_pem()), id="private key"),
        pytest.param(faults.body("x" * 17_000), id="large"),
        pytest.param(faults.gzip_bomb(), id="gzip bomb"),
        pytest.param(faults.redirect("https://localhost/elsewhere"), id="redirect"),
        pytest.param(faults.truncated(), id="truncated"),
        pytest.param(faults.untrusted_certificate(), id="tls"),
    ],
)
def test_an_outage_is_survived_up_to_a_bound(place: Place, fault: Any) -> None:
    """F-2, F-11, P1: the last good key stays in use until ``max_stale``; then nobody can tell."""
    keys, balancer = place.source(), place.balancer()
    judge = place.validator(keys)
    assert verdict(judge, place.token(balancer)) is Reason.OK
    place.server.fault = fault
    for age in (301, 700, 3599):
        place.monotonic.set(1000 + age)
        assert verdict(judge, place.token(balancer)) is Reason.OK
        end_of_fetches()
    assert keys.stats()["stale"]
    assert sum(keys.stats()["fetches"].values()) == 4, "one for each time it was due"
    place.monotonic.set(1000 + 3601)
    for present in (judge.validate, lambda raw: asyncio.run(judge.avalidate(raw))):
        with pytest.raises(Unavailable):
            present(place.token(balancer))
    place.server.fault = None
    place.monotonic.advance(120)
    assert verdict(judge, place.token(balancer)) is Reason.OK


def test_a_cold_start_in_an_outage_is_no_verdict(place: Place) -> None:
    """P16: nobody can tell, so nobody is told that the token is bad, and AWS is asked no more for it."""
    keys, balancer = place.source(), place.balancer()
    judge = place.validator(keys)
    place.server.fault = faults.status(503)
    for _ in range(10):
        for present in (judge.validate, lambda raw: asyncio.run(judge.avalidate(raw))):
            with pytest.raises(Unavailable) as caught:
                present(place.token(balancer))
            assert caught.value.retry_after
    assert (place.server.count(), keys.ready) == (4, False)
    assert judge.stats()["unavailable"] == 20
    place.server.fault = None
    place.monotonic.advance(30)
    assert verdict(judge, place.token(balancer)) is Reason.OK
    assert keys.ready


def test_a_crafted_token_is_no_outage(place: Place) -> None:
    """F-14: where there is a key, a token without one is bad, whatever happens to AWS."""
    keys, balancer = place.source(), place.balancer()
    judge = place.validator(keys)
    assert verdict(judge, place.token(balancer)) is Reason.OK
    forger = SigningKey.generate("ES256", kid=bogus())
    for fault in (None, faults.status(503), faults.reset()):
        place.server.fault = fault
        assert verdict(judge, place.token(forger, kid=bogus())) is Reason.KEY_UNKNOWN
        assert verdict(judge, place.token(forger, kid="no uuid")) is Reason.KEY_UNKNOWN
    place.server.fault = None
    assert verdict(judge, place.token(SigningKey.generate("ES256", kid=balancer.kid))) is (
        Reason.SIGNATURE_INVALID
    )


def test_who_knows_the_key_never_waits(place: Place) -> None:
    """F-3, P3: also where a lock is held."""
    keys, balancer = place.source(), place.balancer()
    judge = place.validator(keys)
    assert verdict(judge, place.token(balancer)) is Reason.OK
    place.monotonic.advance(301)
    hold = place.server.fault = faults.Hold()
    assert verdict(judge, place.token(balancer)) is Reason.OK
    assert hold.arrived.wait(WAIT)
    with keys._lock:
        for _ in range(10):
            assert verdict(judge, place.token(balancer)) is Reason.OK
            place.monotonic.advance(1)
    assert place.server.count() == 2
    hold.release()
    end_of_fetches()
    assert not keys.stats()["stale"]


def test_keys_are_fetched_ahead_of_time_though_nobody_asks(place: Place) -> None:
    """P3, P32: on the real clock."""
    balancer, twice = place.balancer(), threading.Event()
    keys = LoadBalancerKeys(
        place.server.url,
        kids=[balancer.kid],
        transport=keybound.HTTPTransport(ssl_context=place.server.client_context()),
        refresh=RefreshSettings(refresh_after=0.5, fresh_for=1, min_fresh=0.1, max_fresh=1),
        on_event=lambda event: twice.set() if place.server.count() >= 2 else None,
    )
    keys.warm()
    assert twice.wait(WAIT)


# Keys that change


@pytest.mark.parametrize("code", [404, 410])
def test_a_key_that_is_gone_is_gone(place: Place, code: int) -> None:
    """F-4, P8: with the next fetch; and if that was a mistake, the next token brings it back."""
    keys, balancer, other = place.source(), place.balancer(), place.balancer()
    judge = place.validator(keys)
    for each in (balancer, other):
        assert verdict(judge, place.token(each)) is Reason.OK
    place.server.fault = faults.status(code)
    assert keys.refresh_now() == dict.fromkeys((balancer.kid, other.kid), FetchOutcome.STATUS_REFUSED)
    assert len(keys.snapshot()) == 0
    assert verdict(judge, place.token(balancer)) is Reason.KEY_UNKNOWN
    place.server.fault = None
    assert verdict(judge, place.token(other)) is Reason.OK
    place.monotonic.advance(301)
    assert verdict(judge, place.token(balancer)) is Reason.OK


def test_a_refusal_is_not_the_end_of_a_key(place: Place) -> None:
    """403 is what S3 says of what is not there, and what others say of much else."""
    keys, balancer = place.source(), place.balancer()
    judge = place.validator(keys)
    assert verdict(judge, place.token(balancer)) is Reason.OK
    place.server.fault = faults.status(403)
    assert asyncio.run(keys.arefresh_now()) == {balancer.kid: FetchOutcome.STATUS_REFUSED}
    assert verdict(judge, place.token(balancer)) is Reason.OK
    place.monotonic.advance(3601)
    assert verdict(judge, place.token(balancer)) is Reason.KEY_UNKNOWN


def test_another_key_under_the_same_kid(place: Place) -> None:
    """P8: what was signed with the former one is good no more."""
    keys, old = place.source(), place.balancer()
    new = SigningKey.generate("ES256", kid=old.kid)
    judge = place.validator(keys)
    assert verdict(judge, place.token(old)) is Reason.OK
    before = keys.snapshot()
    assert keys.refresh_now() == {old.kid: FetchOutcome.UNCHANGED}
    assert keys.snapshot() is before
    place.publish(new)
    assert keys.refresh_now() == {old.kid: FetchOutcome.UPDATED}
    assert verdict(judge, place.token(new)) is Reason.OK
    assert verdict(judge, place.token(old)) is Reason.SIGNATURE_INVALID


def test_purging_forgets_at_once(place: Place) -> None:
    keys, balancer, pinned = place.source(), place.balancer(), place.balancer()
    keys = place.source(kids=[pinned.kid])
    judge = place.validator(keys)
    for each in (balancer, pinned):
        assert verdict(judge, place.token(each)) is Reason.OK
    keys.purge()
    assert (len(keys.snapshot()), keys.peek(), keys.ready) == (0, None, False)
    late, hold = place.balancer(), faults.Hold()
    place.server.fault = hold
    waiting = threading.Thread(target=keys.refresh_for, args=(late.kid,))
    waiting.start()
    assert hold.arrived.wait(WAIT)
    keys.purge()
    hold.release()
    waiting.join(WAIT)
    end_of_fetches()
    assert len(keys.snapshot()) == 0, "what was asked for before is not wanted any more"
    place.server.fault = None
    for each in (balancer, pinned, late):
        assert verdict(judge, place.token(each)) is Reason.OK


def test_warming_says_what_is_missing(place: Place) -> None:
    keys = place.source(kids=[place.balancer().kid, bogus()])
    with pytest.raises(Unavailable):
        keys.warm()
    with pytest.raises(Unavailable):
        asyncio.run(keys.awarm())
    assert not keys.ready
    assert len(keys.snapshot()) <= 1


# Processes, and objects that go

FORK = """
import os, threading
import keybound
from keybound.testing import IssuerServer, SigningKey, faults

server = IssuerServer().__enter__()
pairs = [SigningKey.generate("ES256", kid=f"aaaaaaaa-0000-4000-8000-00000000000{n}") for n in range(3)]
for pair in pairs:
    server.publish(f"/{pair.kid}", pair.public_pem())
keys = keybound.LoadBalancerKeys(
    server.url, transport=keybound.HTTPTransport(ssl_context=server.client_context())
)
assert keys.refresh_for(pairs[0].kid)
hold = server.fault = faults.Hold()
threading.Thread(target=keys.refresh_for, args=(pairs[1].kid,), daemon=True).start()
assert hold.arrived.wait(20)
keys._lock.acquire()  # the worst moment there is
requests, answers = os.pipe()
child = os.fork()
if child == 0:
    os.close(requests)
    assert keys.refresh_for(pairs[0].kid)
    os.write(answers, b"known\\n")
    assert keys.refresh_for(pairs[1].kid)
    os.write(answers, b"found\\n")
    os._exit(0)
keys._lock.release()
os.close(answers)
read = os.fdopen(requests)
assert read.readline() == "known\\n"
hold.release()
assert read.readline() == "found\\n"
assert os.waitpid(child, 0)[1] == 0
assert keys.refresh_for(pairs[2].kid)
"""


@pytest.mark.skipif(not hasattr(keybound.keys.background.os, "fork"), reason="there is no fork here")
def test_a_child_process_fetches_on_its_own() -> None:
    """F-17, P32: no deadlock though the lock was held and a fetch was under way."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("keep_fresh", [True, False])
def test_a_source_that_nobody_holds_goes(place: Place, keep_fresh: bool) -> None:
    keys, balancer = place.source(keep_fresh=keep_fresh), place.balancer()
    assert keys.refresh_for(balancer.kid)
    end_of_fetches()
    gone = weakref.ref(keys)
    del keys
    gc.collect()
    assert gone() is None


# What operators see and choose


def test_what_operators_see(place: Place) -> None:
    """P35: counters, events and metrics, with nothing from a token."""
    told: list[FetchEvent] = []

    def listen(event: FetchEvent) -> None:
        told.append(event)
        raise OSError("an error of whoever listens is none of the keys")

    keys, balancer, unknown = place.source(on_event=listen), place.balancer(), bogus()
    assert keys.refresh_for(balancer.kid)
    assert not keys.refresh_for(unknown)
    end_of_fetches()
    place.monotonic.advance(700)
    stats = keys.stats()
    assert stats == {
        "fetches": {"updated": 1, "status_refused": 1},
        "failures": 0,
        "age": 700.0,
        "stale": True,
        "ready": True,
        "keys": 1,
        "skipped": {},
        "evicted": 0,
        "unknown_kids": 2,
        "unknown_kids_refused": 0,
    }
    assert [(event.url, event.outcome.value, event.status) for event in told] == [
        (place.server.url, "updated", 200),
        (place.server.url, "status_refused", 404),
    ]
    assert not any(kid in repr((told, keys, stats)) for kid in (balancer.kid, unknown))
    registry = keybound.metrics.Registry()
    registry.add("aws", keys)
    registry.add("front", place.validator(keys))
    samples = {(each.name, dict(each.labels).get("outcome")): each.value for each in registry.samples()}
    assert samples["keybound.fetches", "updated"] == 1
    assert (samples["keybound.keys.used", None], samples["keybound.keys.unknown", None]) == (1, 2)
    assert registry.readiness() == {"aws": True, "front": True}


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("eu-west-1", "https://public-keys.auth.elb.eu-west-1.amazonaws.com"),
        ("ap-southeast-2", "https://public-keys.auth.elb.ap-southeast-2.amazonaws.com"),
        ("us-gov-west-1", "https://s3-us-gov-west-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-west-1"),
    ],
)
def test_regions(region: str, url: str) -> None:
    assert LoadBalancerKeys.in_region(region, keep_fresh=False).url == url


@pytest.mark.parametrize(
    "region", ["", "eu-west", "EU-WEST-1", "eu-west-1.evil.example/", "cn-north-1", None, 5]
)
def test_regions_that_are_none(region: Any) -> None:
    with pytest.raises(PolicyError):
        LoadBalancerKeys.in_region(region)


@pytest.mark.parametrize(
    "options",
    [
        {"url": "http://keys.example"},
        {"url": "https://keys.example/?kid="},
        {"url": "https://keys.example/#"},
        {"url": "https://keys.example/#x"},
        {"url": "keys.example"},
        {"url": None},
        {"kids": ["7b1a2c3d"]},
        {"kids": [5]},
        {"kids": [bogus() for _ in range(3)], "max_keys": 2},
        {"max_keys": 0},
        {"max_keys": MAX_LOAD_BALANCER_KEYS + 1},
        {"max_keys": 2.0},
        {"refresh": None},
        {"transport": "none"},
        {"headers": {"X": "\n"}},
        {"on_event": 5},
        {"monotonic": 5},
        {"clock": 5},
    ],
    ids=str,
)
def test_options_that_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        LoadBalancerKeys(**{"url": "https://keys.example", **options})


def test_a_path_before_the_kid(place: Place) -> None:
    key = SigningKey.generate("ES256", kid=bogus())
    place.server.publish(f"/aws-elb-public-keys/{key.kid}", key.public_pem())
    for url in (f"{place.server.url}/aws-elb-public-keys", f"{place.server.url}/aws-elb-public-keys/"):
        keys = place.source(url=url)
        assert verdict(place.validator(keys), place.token(key)) is Reason.OK
