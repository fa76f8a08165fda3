"""Validators with keys from a real HTTPS server, on both twins: what outages, attackers and rotations do to
tokens. Numbers F-1 and so on are those of the list of tests that operators of gateways asked for.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import keybound
from keybound import JWKSet, Reason, RefreshSettings, RemoteJWKSet, TokenRejected, Unavailable
from keybound.binding import proof_of
from keybound.testing import OMIT, FakeClock, IssuerServer, SigningKey, faults
from keybound.tokens._validator import rejection_of

AUDIENCE = "https://rs.example.com"
WAIT = 20.0


def twins() -> Iterator[str]:
    yield "pure"
    try:
        importlib.import_module("keybound._hotpath.native.token")
    except ModuleNotFoundError:
        if os.environ.get("KEYBOUND_REQUIRE_NATIVE", "0") not in ("", "0"):
            raise
    else:
        yield "native"


class Adapted:
    """A source for the twin that is not in use: the same keys in an index of its own."""

    def __init__(self, twin: str, source: RemoteJWKSet) -> None:
        self._token = importlib.import_module(f"keybound._hotpath.{twin}.token")
        self._signature = importlib.import_module(f"keybound._hotpath.{twin}.signature")
        self.source = source
        self.refresh_for = source.refresh_for
        self._sets: dict[JWKSet, Any] = {}

    def snapshot(self) -> Any:
        keys = self.source.snapshot()
        if keys not in self._sets:
            index = self._token.KeyIndex(
                (key.kid, self._signature.load_key(key._kind, key._material), key._mask) for key in keys.keys
            )
            self._sets[keys] = type("Snapshot", (), {"_index": index})()
        return self._sets[keys]


class Place:
    """An issuer behind HTTPS and a resource server that validates its tokens by every road there is."""

    def __init__(self, twin: str, server: IssuerServer, keys: RemoteJWKSet, clock: FakeClock) -> None:
        self.server, self.keys, self.clock = server, keys, clock
        self.issuer = server.issuer
        self.issuer.clock = clock
        options = {"issuer": self.issuer.issuer, "audience": AUDIENCE, "algorithms": ["ES256"]}
        self.validator = keybound.AccessTokenValidator(**options, keys=keys, clock=clock)
        self.twin = self.validator if twin == keybound.BACKEND else self._lay(twin)

    def _lay(self, twin: str) -> Any:
        token, cache = (
            importlib.import_module(f"keybound._hotpath.{twin}.{name}") for name in ("token", "cache")
        )
        rules = self.validator.policy.claim_rules()
        return token.Validator(
            token.CompiledPolicy(self.validator.policy.header_rules(), rules),
            source=Adapted(twin, self.keys),
            static_keys=None,
            clock=self.clock,
            to_proof=proof_of,
            reject=rejection_of(rules),
            cache=cache.TokenCache(keybound.CacheSettings()),
        )

    def token(self, kid: str | None = None, **options: Any) -> str:
        if kid is not None:
            options["header"] = {"kid": kid}
        return self.issuer.access_token(**{"audience": AUDIENCE} | options)

    def verdict(self, raw: Any) -> Reason:
        return verdict(lambda: self.twin.validate(raw))

    def every_verdict(self, raw: Any) -> set[Reason]:
        """By the synchronous, the asynchronous and the batched call, and by both twins."""
        (in_batch,) = self.validator.validate_many([raw])
        return {
            self.verdict(raw),
            verdict(lambda: self.validator.validate(raw)),
            verdict(lambda: asyncio.run(self.validator.avalidate(raw))),
            in_batch.reason if isinstance(in_batch, TokenRejected) else Reason.OK,
        }


def verdict(present: Callable[[], object]) -> Reason:
    try:
        present()
    except TokenRejected as rejected:
        return rejected.reason
    return Reason.OK


def settle(keys: RemoteJWKSet) -> None:
    flight = keys._flight
    if flight is not None:
        flight.wait()


@pytest.fixture(params=twins())
def place(request: Any, server: IssuerServer, source: Any) -> Place:
    return Place(request.param, server, source(), FakeClock())


DOWN = pytest.mark.parametrize(
    "fault", [faults.status(503), faults.html(), faults.reset()], ids=["503", "html", "reset"]
)


# F-1, F-14: unknown kids


@pytest.mark.parametrize("fault", [None, faults.status(503)], ids=["up", "503"])
def test_a_thousand_bogus_kids_cause_one_fetch(place: Place, fault: Any):
    """F-1, P2 (apollo#784): one upstream fetch; a legit kid is unaffected throughout."""
    good = place.token()
    assert place.every_verdict(good) == {Reason.OK}
    place.server.fault = fault
    attacker = SigningKey.generate("ES256")
    for number in range(1000):
        bogus = place.token(f"bogus-{number}", key=attacker)
        assert place.verdict(bogus) is Reason.KEY_UNKNOWN
        if number % 100 == 0:
            assert place.every_verdict(bogus) == {Reason.KEY_UNKNOWN}
            assert place.every_verdict(good) == {Reason.OK}
    assert place.server.count() == 2


def test_a_batch_of_bogus_kids_causes_one_fetch(place: Place):
    """F-1."""
    place.keys.warm()
    batch = [place.token(f"bogus-{number}") for number in range(500)] + [place.token()]
    results = place.validator.validate_many(batch)
    assert [result.reason for result in results[:-1]] == [Reason.KEY_UNKNOWN] * 500
    assert isinstance(results[-1], keybound.AccessToken)
    assert place.server.count() == 2


def test_event_loops_with_bogus_kids_cause_one_fetch(place: Place):
    """F-1, P4."""
    place.keys.warm()

    async def present(number: int) -> Reason:
        try:
            await place.validator.avalidate(place.token(f"bogus-{number}"))
        except TokenRejected as rejected:
            return rejected.reason
        return Reason.OK

    async def main() -> list[Reason]:
        return await asyncio.gather(*(present(number) for number in range(200)))

    assert set(asyncio.run(main())) == {Reason.KEY_UNKNOWN}
    assert place.server.count() == 2


@DOWN
def test_no_token_makes_the_validator_unavailable(place: Place, monotonic: FakeClock, fault: Any):
    """F-14 (dam#2863): a crafted token is rejected, whatever it holds and whatever the issuer does."""
    place.keys.warm()
    place.server.fault = fault
    attacker = SigningKey.generate("ES256")
    crafted = [
        place.token("bogus", key=attacker),
        place.token("k" * 1000, key=attacker),
        place.token("../../jwks?kid=\r\n", key=attacker),
        place.token("", key=attacker),
        place.token("\ud83d\ude00", key=attacker),
        place.token(header={"kid": OMIT}, key=attacker),
        place.token(header={"kid": 5}),
        place.token(header={"kid": "bogus", "jku": place.server.jwks_uri, "x5u": place.server.url}),
        place.token(header={"kid": "bogus", "alg": "none"}),
        "",
        "a.b.c",
        "....",
        b"\xff.\xff.\xff",
        None,
    ]
    for age in (0, 700, 3500):
        monotonic.set(1000 + age)
        for raw in crafted:
            assert Reason.OK not in place.every_verdict(raw)
        assert place.verdict(place.token()) is Reason.OK


@pytest.mark.parametrize(
    "change",
    [
        {"header": {"kid": "bogus", "alg": "RS256"}},
        {"header": {"kid": "bogus", "typ": "dpop+jwt"}},
        {"header": {"kid": "bogus", "crit": ["exp"]}},
        {"header": {"kid": OMIT}},
        {"key": SigningKey.generate("ES256", kid="x"), "header": {"kid": OMIT}},
    ],
    ids=str,
)
def test_what_is_rejected_for_another_reason_causes_no_fetch(place: Place, change: dict[str, Any]):
    place.keys.warm()
    place.every_verdict(place.token(**change))
    assert place.server.count() == 1


def test_nothing_of_a_kid_is_told(place: Place, leaks_nothing: Any):
    """F-18: neither to whoever reads the exception nor to the issuer."""
    place.keys.warm()
    raw = place.token("evil\r\n\x1b[31mkid")
    with pytest.raises(TokenRejected) as caught:
        place.twin.validate(raw)
    leaks_nothing(raw, caught.value)
    assert "evil" not in str(caught.value)
    assert not any("evil" in str(request) for request in place.server.requests)


# Rotation


@pytest.mark.parametrize("road", ["sync", "async", "batch", "twin"])
def test_a_new_key_is_found_with_its_first_token(place: Place, road: str):
    """P8, F-1: whoever comes first with a new kid is served, and costs one fetch."""
    place.keys.warm()
    place.issuer.rotate()
    raw = place.token()
    if road == "batch":
        results = place.validator.validate_many([raw, place.token("bogus"), raw, "a.b.c"])
        assert [isinstance(result, keybound.AccessToken) for result in results] == [True, False, True, False]
    elif road == "async":
        assert asyncio.run(place.validator.avalidate(raw)).issuer == place.issuer.issuer
    else:
        assert verdict(lambda: (place.twin if road == "twin" else place.validator).validate(raw)) is Reason.OK
    assert place.server.count() == 2


@pytest.mark.parametrize("road", ["sync", "async"])
@pytest.mark.parametrize("kind", ["id_token", "logout_token", "authorization_response"])
def test_every_kind_of_validator_finds_new_keys(place: Place, kind: str, road: str):
    validators, call = {
        "id_token": (keybound.IDTokenValidator, {"nonce": None}),
        "logout_token": (keybound.LogoutTokenValidator, {}),
        "authorization_response": (keybound.AuthorizationResponseValidator, {"state": None}),
    }[kind]
    validator = validators(
        issuer=place.issuer.issuer,
        client_id="client-1",
        keys=place.keys,
        algorithms=["ES256"],
        clock=place.clock,
    )

    def present() -> object:
        raw = getattr(place.issuer, kind)()
        if road == "sync":
            return validator.validate(raw, **call)
        return asyncio.run(validator.avalidate(raw, **call))

    assert present().issuer == place.issuer.issuer
    place.issuer.rotate()
    assert present().issuer == place.issuer.issuer
    assert place.server.count() == 2


def test_threads_that_come_with_a_new_key(place: Place):
    """One waits, and the others are told at once or find it known; all agree from then on."""
    place.keys.warm()
    place.issuer.rotate()
    raw, verdicts = place.token(), []
    barrier = threading.Barrier(16)

    def present() -> None:
        barrier.wait()
        verdicts.append(place.verdict(raw))

    threads = [threading.Thread(target=present) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert set(verdicts) <= {Reason.OK, Reason.KEY_UNKNOWN}
    assert Reason.OK in verdicts
    assert place.verdict(raw) is Reason.OK
    assert place.server.count() == 2


def test_tokens_of_a_withdrawn_key_die_with_the_next_refresh(place: Place):
    """F-4, P8 (pyjwt#1051): those that were verified and kept, too."""
    raw = place.token()
    for _ in range(3):
        assert place.every_verdict(raw) == {Reason.OK}
    assert place.validator.stats()["cache"]["hits"] > 0
    place.issuer.rotate(keep_previous=False)
    assert place.every_verdict(raw) == {Reason.OK}
    place.keys.refresh_now()
    assert place.every_verdict(raw) == {Reason.KEY_UNKNOWN}
    assert place.every_verdict(place.token()) == {Reason.OK}


def test_tokens_of_a_purged_set_die_at_once(place: Place):
    """P8."""
    raw = place.token()
    assert place.every_verdict(raw) == {Reason.OK}
    place.issuer.rotate(keep_previous=False)
    place.keys.purge()
    assert place.every_verdict(raw) == {Reason.KEY_UNKNOWN}


def test_an_unchanged_document_keeps_kept_tokens(place: Place):
    """A refresh that changes nothing costs nobody a signature."""
    raw = place.token()
    place.validator.validate(raw)
    for etags in (True, False):
        place.server.etags = etags
        place.keys.refresh_now()
        before = place.validator.stats()["cache"]["hits"]
        place.validator.validate(raw)
        assert place.validator.stats()["cache"]["hits"] == before + 1


# F-2: outages


@DOWN
def test_known_keys_pass_through_an_outage(place: Place, monotonic: FakeClock, fault: Any):
    """F-2, P1, P16: then it is 503 and never 401 (mecatl#449)."""
    raw, bogus = place.token(lifetime=86_400), place.token("bogus")
    assert place.every_verdict(raw) == {Reason.OK}
    place.server.fault = fault
    for age in (100, 299, 301, 601, 3599):
        monotonic.set(1000 + age)
        assert place.every_verdict(raw) == {Reason.OK}
        assert place.every_verdict(bogus) == {Reason.KEY_UNKNOWN}
        settle(place.keys)
    monotonic.set(1000 + 3600)
    for present in (
        lambda: place.twin.validate(raw),
        lambda: place.validator.validate(bogus),
        lambda: place.validator.validate_many([raw]),
        lambda: asyncio.run(place.validator.avalidate(raw)),
    ):
        with pytest.raises(Unavailable) as caught:
            present()
        assert caught.value.retry_after is not None
    place.server.fault = None
    monotonic.advance(60)
    assert place.every_verdict(raw) == {Reason.OK}


# F-3: nobody waits who does not have to


def test_a_refresh_that_hangs_holds_up_nobody(place: Place, monotonic: FakeClock):
    """F-3, P3: measured 1.90 s in PyJWT for a known kid."""
    raw = place.token(lifetime=86_400)
    assert place.verdict(raw) is Reason.OK
    monotonic.advance(601)
    hold = place.server.fault = faults.Hold()
    assert place.verdict(raw) is Reason.OK
    assert hold.arrived.wait(WAIT)
    waiting = threading.Thread(target=place.verdict, args=(place.token("bogus"),))
    waiting.start()
    for _ in range(100):
        assert place.verdict(raw) is Reason.OK
    assert place.every_verdict(raw) == {Reason.OK}
    assert waiting.is_alive()
    hold.release()
    waiting.join(WAIT)
    assert place.server.count() == 2


@pytest.mark.parametrize("state", ["cold", "unknown kid"])
def test_a_loop_goes_on_while_a_token_waits(place: Place, state: str):
    """F-3, P4: an asynchronous validation never blocks its loop."""
    if state == "unknown kid":
        place.keys.warm()
        place.issuer.rotate()
    hold = place.server.fault = faults.Hold()

    async def main() -> str:
        waiting = asyncio.ensure_future(place.validator.avalidate(place.token()))
        while not hold.arrived.is_set():
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
            assert not waiting.done()
        hold.release()
        return (await waiting).issuer

    assert asyncio.run(main()) == place.issuer.issuer


def test_a_cold_start_in_an_outage_is_no_verdict(place: Place):
    """P16: nobody can tell, so nobody is told that the token is bad."""
    place.server.fault = faults.status(503)
    for raw in (place.token(), "nonsense"):
        for present in (place.twin.validate, lambda raw: asyncio.run(place.validator.avalidate(raw))):
            with pytest.raises(Unavailable):
                present(raw)
    assert place.server.count() == 1


# Sources of one's own


class Growing:
    """A source as an operator may write one, with the methods that validators look for."""

    def __init__(self, first: JWKSet, later: JWKSet) -> None:
        self.current, self.later = first, later
        self.asked: list[str] = []

    def snapshot(self) -> JWKSet:
        return self.current

    def peek(self) -> JWKSet:
        return self.current

    async def aget(self) -> JWKSet:
        return self.current

    def refresh_for(self, kid: str) -> bool:
        self.asked.append(kid)
        self.current = self.later
        return True

    async def arefresh_for(self, kid: str) -> bool:
        return self.refresh_for(kid)


@pytest.mark.parametrize("road", ["validate", "avalidate", "validate_many"])
def test_a_source_of_ones_own_is_asked_once_for_a_kid(place: Place, road: str):
    first = JWKSet.from_json(place.issuer.jwks())
    place.issuer.rotate()
    source = Growing(first, JWKSet.from_json(place.issuer.jwks()))
    validator = keybound.AccessTokenValidator(
        issuer=place.issuer.issuer, audience=AUDIENCE, keys=source, algorithms=["ES256"], clock=place.clock
    )

    def present(raw: str) -> Reason:
        if road == "validate_many":
            (result,) = validator.validate_many([raw])
            return result.reason if isinstance(result, TokenRejected) else Reason.OK
        if road == "avalidate":
            return verdict(lambda: asyncio.run(validator.avalidate(raw)))
        return verdict(lambda: validator.validate(raw))

    assert present(place.token()) is Reason.OK
    assert present(place.token("bogus")) is Reason.KEY_UNKNOWN, "though the source said that it has it"
    assert source.asked == [place.issuer.key.kid, "bogus"]


def test_a_source_that_only_has_a_snapshot_is_not_asked(place: Place):
    class Still:
        def snapshot(self) -> JWKSet:
            return place.keys.get()

    validator = keybound.AccessTokenValidator(
        issuer=place.issuer.issuer, audience=AUDIENCE, keys=Still(), algorithms=["ES256"], clock=place.clock
    )
    assert verdict(lambda: validator.validate(place.token())) is Reason.OK
    assert verdict(lambda: asyncio.run(validator.avalidate(place.token("bogus")))) is Reason.KEY_UNKNOWN
    assert place.server.count() == 1


@pytest.mark.parametrize("answer", [None, {}, pytest.param(object(), id="object")], ids=repr)
def test_a_source_that_answers_with_something_else_while_a_loop_waits(place: Place, answer: Any):
    source = Growing(answer, answer)
    validator = keybound.AccessTokenValidator(
        issuer=place.issuer.issuer, audience=AUDIENCE, keys=source, algorithms=["ES256"]
    )
    with pytest.raises(Unavailable, match="key source"):
        asyncio.run(validator.avalidate(place.token()))


def test_a_tighter_bound_makes_it_unavailable_earlier(
    server: IssuerServer, source: Any, monotonic: FakeClock
):
    """Decision "keys past freshness": tightenable; jazz#2205 fails closed after five minutes."""
    tight = RefreshSettings(refresh_after=60, fresh_for=120, max_stale=300)
    place = Place(keybound.BACKEND, server, source(refresh=tight), FakeClock())
    raw = place.token()
    assert place.verdict(raw) is Reason.OK
    server.fault = faults.status(503)
    monotonic.advance(299)
    assert place.verdict(raw) is Reason.OK
    settle(place.keys)
    monotonic.advance(1)
    with pytest.raises(Unavailable):
        place.twin.validate(raw)
