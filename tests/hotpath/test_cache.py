"""Cached answers: never for another token, policy, key set, certificate or time than they were given for."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import keybound
from keybound._hotpath.contract import Binding, ClaimRules, HeaderRules
from keybound.binding import proof_of
from keybound.errors import Reason
from keybound.jose.algorithms import ALGORITHMS
from keybound.testing import FakeClock, SigningKey

HS256 = ALGORITHMS["HS256"]
KEY = SigningKey("HS256", b"a secret that only the tests of the cache know", kid="1")
ISSUER, AUDIENCE = "https://as.example.com", "https://rs.example.com/"
START = 1_750_000_000.0
AHEAD = 1000


class Refused(Exception):
    pass


class Bench:
    """A validator of one twin with a cache, a wall clock and a monotonic clock."""

    def __init__(
        self,
        twins: Any,
        *,
        binding: Binding = Binding.IF_PRESENT,
        max_age: float | None = None,
        **bounds: Any,
    ):
        self.twins, self.wall, self.monotonic = twins, FakeClock(START), FakeClock(0.0)
        self.keys = self.index()
        self.cache = twins.cache.TokenCache(keybound.CacheSettings(monotonic=self.monotonic, **bounds))
        header = HeaderRules(algorithms=(HS256,), token_bytes=16_384, header_bytes=4096, json_depth=32)
        claims = ClaimRules(
            issuer=ISSUER,
            audiences=(AUDIENCE,),
            exp_required=True,
            iat_required=max_age is not None,
            sub_required=False,
            client_id_required=False,
            jti_required=False,
            leeway=10.0,
            max_lifetime=None,
            max_age=max_age,
            required=(),
            forbidden=(),
            scopes=(),
            binding=binding,
        )
        self.validator = twins.token.Validator(
            twins.token.CompiledPolicy(header, claims),
            source=self,
            static_keys=None,
            clock=self.wall,
            to_proof=proof_of,
            reject=Refused,
            cache=self.cache,
        )

    def index(self) -> Any:
        handle = self.twins.signature.load_key(1, (KEY.secret,))
        return self.twins.token.KeyIndex([("1", handle, 1 << HS256.index)])

    # What a validator asks of a key source.
    def snapshot(self) -> Any:
        return self

    @property
    def _index(self) -> Any:
        return self.keys

    def present(self, raw: Any, certificate: Any = None) -> Reason:
        try:
            self.validator.validate(raw, certificate=certificate)
        except Refused as refused:
            return Reason(refused.args[0])
        return Reason.OK

    @property
    def hits(self) -> int:
        return int(self.cache.counters()["hits"])


def token(world: Any, **claims: Any) -> str:
    usual = {"iss": ISSUER, "aud": AUDIENCE, "iat": START, "exp": START + AHEAD}
    return str(world.forge(header={"alg": "HS256", "kid": "1"}, payload=usual | claims, key=KEY))


def bound(world: Any, **claims: Any) -> str:
    return token(world, cnf={"x5t#S256": world.client.thumbprint}, **claims)


def test_same_token_again(twins: Any, world: Any) -> None:
    bench, raw = Bench(twins), token(world)
    first = bench.validator.validate(raw)
    assert bench.validator.validate(raw) is first
    assert bench.hits == 1


def test_text_and_octets_do_not_get_in_each_others_way(twins: Any, world: Any) -> None:
    bench, raw = Bench(twins), token(world)
    for form in (raw, raw.encode()) * 2:
        assert bench.present(form) is Reason.OK


def test_only_good_tokens_are_kept(twins: Any, world: Any) -> None:
    bench = Bench(twins)
    for raw in (token(world, exp=START - 60), token(world, aud="x"), "", "a.b.c", token(world)[:-4] + "AAAA"):
        for _ in range(3):
            assert bench.present(raw) is not Reason.OK
    assert bench.hits == 0
    assert bench.cache.counters()["entries"] == 0


def test_whole_token_counts(twins: Any, world: Any) -> None:
    """CVE-2026-35030: what begins and ends like a good token is not that token."""
    bench, raw = Bench(twins), token(world, x="y" * 100)
    assert bench.present(raw) is Reason.OK
    middle = len(raw) // 2
    for position in (0, 20, middle, len(raw) - 20, len(raw) - 2):
        other = "A" if raw[position] != "A" else "B"
        assert bench.present(raw[:position] + other + raw[position + 1 :]) is not Reason.OK
    for near in (raw + "=", " " + raw, raw + "\n", raw[:-1], raw + "A", raw.swapcase()):
        assert bench.present(near) is not Reason.OK
    assert bench.hits == 0


def test_size_comes_before_the_look_up(twins: Any, world: Any) -> None:
    bench = Bench(twins)
    for raw in ("x" * 16_385, b"x" * 5_000_000):
        assert bench.present(raw) is Reason.TOKEN_TOO_LARGE
    assert bench.cache.counters()["misses"] == 0


def test_text_of_another_class_is_not_looked_up(twins: Any, world: Any) -> None:
    raw = token(world)

    class Chameleon(str):
        def __hash__(self) -> int:
            return hash(raw)

        def __eq__(self, other: object) -> bool:
            return True

    bench = Bench(twins)
    assert bench.present(raw) is Reason.OK
    assert bench.present(Chameleon("x")) is Reason.TOKEN_NOT_TEXT
    assert bench.hits == 0


def test_expiry_is_checked_on_every_hit(twins: Any, world: Any) -> None:
    bench, raw = Bench(twins, lifetime=10_000), token(world)
    assert bench.present(raw) is Reason.OK
    bench.wall.set(START + AHEAD + 10 - 1e-6)
    assert bench.present(raw) is Reason.OK
    assert bench.hits == 1
    bench.wall.set(START + AHEAD + 10)
    assert bench.present(raw) is Reason.TOKEN_EXPIRED


def test_a_clock_that_steps_back_does_not_revive_an_entry(twins: Any, world: Any) -> None:
    """What has expired is looked at from the start, signature and all."""
    bench, raw = Bench(twins, lifetime=10_000), token(world)
    assert bench.present(raw) is Reason.OK
    bench.wall.set(START + AHEAD + 11)
    assert bench.present(raw) is Reason.TOKEN_EXPIRED
    hits = bench.hits
    bench.keys = twins.token.KeyIndex([])
    bench.wall.set(START)
    assert bench.present(raw) is Reason.KEY_UNKNOWN
    assert bench.hits == hits


@pytest.mark.parametrize("moment", [float("nan"), float("inf")])
def test_a_clock_that_lies(twins: Any, world: Any, moment: float) -> None:
    bench, raw = Bench(twins), token(world)
    assert bench.present(raw) is Reason.OK
    bench.wall.set(moment)
    assert bench.present(raw) is Reason.TOKEN_EXPIRED


def test_other_times_are_checked_on_every_hit(twins: Any, world: Any) -> None:
    bench = Bench(twins, max_age=100)
    for claim, reason in (("nbf", Reason.TOKEN_NOT_YET_VALID), ("iat", Reason.IAT_IN_FUTURE)):
        raw = token(world, **{claim: START + 5})
        assert bench.present(raw) is Reason.OK
        bench.wall.advance(-20)
        assert bench.present(raw) is reason
        bench.wall.advance(20)
    raw = token(world)
    bench.wall.advance(110)
    assert bench.present(raw) is Reason.OK
    bench.wall.advance(1)
    assert bench.present(raw) is Reason.TOKEN_TOO_OLD


def test_binding_is_checked_on_every_hit(twins: Any, world: Any) -> None:
    """S003-08, and the mTLS and non-mTLS verifiers that shared a cache."""
    bench, raw = Bench(twins), bound(world)
    forms = [
        (world.client.der, Reason.OK),
        (world.client.pem, Reason.OK),
        (world.client.thumbprint, Reason.OK),
        (world.stranger.der, Reason.CERTIFICATE_MISMATCH),
        (world.stranger.thumbprint, Reason.CERTIFICATE_MISMATCH),
        (world.client.der + b"\0", Reason.CERTIFICATE_INVALID),
        (b"x", Reason.CERTIFICATE_INVALID),
        (None, Reason.CERTIFICATE_MISSING),
    ]
    assert bench.present(raw) is Reason.CERTIFICATE_MISSING
    for _ in range(3):
        for certificate, reason in forms:
            assert bench.present(raw, certificate) is reason
    assert bench.hits > len(forms), "a mismatch throws nothing out"


def test_bearer_tokens_take_any_certificate_from_the_cache_too(twins: Any, world: Any) -> None:
    bench, raw = Bench(twins), token(world)
    for certificate in (None, b"x", world.client.der, world.stranger.der):
        assert bench.present(raw, certificate) is Reason.OK


def test_caches_of_two_policies_do_not_mix(twins: Any, world: Any) -> None:
    lax, strict = Bench(twins, binding=Binding.IGNORE), Bench(twins, binding=Binding.REQUIRED)
    raw, bearer = bound(world), token(world)
    for _ in range(2):
        assert lax.present(raw) is Reason.OK
        assert lax.present(bearer) is Reason.OK
        assert strict.present(raw) is Reason.CERTIFICATE_MISSING
        assert strict.present(raw, world.client.der) is Reason.OK
        assert strict.present(bearer, world.client.der) is Reason.CNF_MISSING


def test_entry_dies_with_its_keys(twins: Any, world: Any) -> None:
    """A key that is gone takes its tokens along; so does any new snapshot."""
    bench, raw = Bench(twins), token(world)
    assert bench.present(raw) is Reason.OK
    assert bench.present(raw) is Reason.OK
    bench.keys = twins.token.KeyIndex([])
    assert bench.present(raw) is Reason.KEY_UNKNOWN
    bench.keys = bench.index()
    hits = bench.hits
    assert bench.present(raw) is Reason.OK
    assert bench.hits == hits
    assert bench.present(raw) is Reason.OK
    assert bench.hits == hits + 1


def test_lifetime_of_an_entry(twins: Any, world: Any) -> None:
    bench, raw = Bench(twins, lifetime=60), token(world)
    assert bench.present(raw) is Reason.OK
    bench.monotonic.set(60 - 1e-6)
    assert bench.present(raw) is Reason.OK
    assert bench.hits == 1
    bench.monotonic.set(60)
    assert bench.present(raw) is Reason.OK
    assert bench.hits == 1, "its signature is verified anew"
    assert bench.present(raw) is Reason.OK
    assert bench.hits == 2


def test_bounded_in_entries(twins: Any, world: Any) -> None:
    bench = Bench(twins, entries=10)
    raws = [token(world, jti=str(number)) for number in range(100)]
    for raw in raws:
        assert bench.present(raw) is Reason.OK
        assert bench.cache.counters()["entries"] <= 10
    for raw in raws:
        assert bench.present(raw) is Reason.OK


def test_a_token_in_use_stays(twins: Any, world: Any) -> None:
    bench, busy = Bench(twins, entries=10), token(world)
    for number in range(100):
        assert bench.present(busy) is Reason.OK
        assert bench.present(token(world, jti=str(number))) is Reason.OK
    assert bench.hits >= 90


def test_bounded_in_bytes(twins: Any, world: Any) -> None:
    bench = Bench(twins, memory_bytes=20_000)
    for number in range(50):
        assert bench.present(token(world, jti=str(number), x="y" * 500)) is Reason.OK
        assert bench.cache.counters()["bytes"] <= 20_000
    assert bench.cache.counters()["dropped"] > 0
    huge = token(world, x="y" * 5000)
    for _ in range(2):
        assert bench.present(huge) is Reason.OK
    assert bench.hits == 0


def test_bytes_come_back_when_entries_go(twins: Any, world: Any) -> None:
    """Dropping, renewing and clearing leave no count behind."""
    bench = Bench(twins, entries=8)
    for number in range(50):
        raw = token(world, jti=str(number % 5))
        bench.present(raw)
        bench.wall.set(START + (2000 if number % 7 == 0 else 0))
        bench.present(raw)
        bench.wall.set(START)
        bench.monotonic.advance(25)
    counters = bench.cache.counters()
    assert counters["entries"] <= 8
    assert (counters["bytes"] > 0) == (counters["entries"] > 0)
    bench.cache.clear()
    assert bench.cache.counters()["entries"] == bench.cache.counters()["bytes"] == 0


def test_several_threads(twins: Any, world: Any) -> None:
    bench = Bench(twins, entries=8)
    raws = [(bound(world, jti=str(number)), number) for number in range(12)]
    wrong: list[Any] = []

    def work() -> None:
        for _ in range(30):
            for raw, number in raws:
                good = bench.validator.validate(raw, certificate=world.client.der)
                if good.claims["jti"] != str(number):
                    wrong.append(good)
                if bench.present(raw, world.stranger.der) is not Reason.CERTIFICATE_MISMATCH:
                    wrong.append(number)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert bench.cache.counters()["entries"] <= 8


def test_public_switches(world: Any) -> None:
    validator, raw = world.validator(), world.token()
    validator.validate(raw)
    validator.validate(raw)
    assert validator.stats()["cache"]["hits"] == 1
    validator.clear_cache()
    assert validator.stats()["cache"]["entries"] == 0
    without = world.validator(cache=None)
    assert without.validate(raw) is not without.validate(raw)
    assert without.stats() == {"cache": {}}
    without.clear_cache()


@pytest.mark.parametrize(
    "bounds",
    [
        {"entries": 1},
        {"entries": True},
        {"entries": 2.5},
        {"entries": None},
        {"memory_bytes": 0},
        {"memory_bytes": "x"},
        {"lifetime": 0},
        {"lifetime": -1},
        {"lifetime": True},
        {"lifetime": float("nan")},
        {"lifetime": float("inf")},
        {"lifetime": 10**400},
        {"monotonic": 5},
    ],
)
def test_bounds_refused(bounds: dict[str, Any]) -> None:
    with pytest.raises(keybound.PolicyError):
        keybound.CacheSettings(**bounds)


@pytest.mark.parametrize("cache", [5, "x", {}, True, False, keybound.CacheSettings])
def test_cache_of_another_type(world: Any, cache: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        world.validator(cache=cache)
