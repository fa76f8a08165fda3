"""Deny-lists: what is revoked, for whom, until when, and who says so when nobody knows."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

import keybound
from keybound.errors import PolicyError, Unavailable
from keybound.stores import MemoryRevocationList, RedisRevocationList, RevocationList
from keybound.stores.revocation import as_revocation_check
from keybound.testing import FakeClock

ISSUER = "https://as.example.com/tenant"
NOW = 1_750_000_000.0
SKEW = 30.0


class Claims(dict[str, Any]):
    """Claims that stand for a token that was verified."""

    def claim(self, name: str, default: Any = None) -> Any:
        return self.get(name, default)


def token(**changes: Any) -> Claims:
    claims = {"iss": ISSUER, "sub": "user-1", "sid": "s-1", "jti": "t-1", "iat": NOW, "exp": NOW + 3600}
    return Claims({name: value for name, value in (claims | changes).items() if value is not None})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW + 100)


@pytest.fixture
def make(launch: Any, closing: Any, clock: FakeClock) -> Callable[..., RedisRevocationList]:
    def one(where: Any, **options: Any) -> RedisRevocationList:
        made = RedisRevocationList(where, **{"clock": clock} | options)
        closing.callback(made.close)
        return made

    return one


@pytest.fixture(params=["memory", "redis", "valkey"])
def revocations(request: Any, clock: FakeClock) -> RevocationList:
    if request.param == "memory":
        return MemoryRevocationList(clock=clock)
    server = request.getfixturevalue("launch")(request.param)
    made = request.getfixturevalue("make")(server.url)
    made.declare_nothing_was_revoked()
    return made


class TestWhatIsRevoked:
    def test_one_token(self, revocations):
        assert not revocations.is_revoked(token())
        revocations.revoke(issuer=ISSUER, jti="t-1")
        assert revocations.is_revoked(token())
        assert revocations.is_revoked(token(sub="another", sid=None, iat=NOW + 10**6))
        assert not revocations.is_revoked(token(jti="t-2"))
        assert not revocations.is_revoked(token(jti=None))

    def test_a_session(self, revocations):
        revocations.revoke(issuer=ISSUER, sid="s-1")
        assert revocations.is_revoked(token())
        assert revocations.is_revoked(token(jti="t-2", iat=NOW + 10**6, exp=NOW + 10**6 + 60))
        assert not revocations.is_revoked(token(sid="s-2"))

    def test_what_a_subject_has_by_now(self, revocations, clock):
        revocations.revoke(issuer=ISSUER, sub="user-1")
        assert revocations.is_revoked(token())
        assert revocations.is_revoked(token(iat=clock()))
        assert revocations.is_revoked(token(iat=None))
        # After a new login.
        assert not revocations.is_revoked(token(iat=clock() + 1))
        assert not revocations.is_revoked(token(sub="user-2"))

    def test_g17_another_issuer_or_claim_with_the_same_value(self, revocations):
        revocations.revoke(issuer=ISSUER, sub="x", issued_before=NOW + 10**6)
        assert not revocations.is_revoked(token(iss="https://other.example.com", sub="x"))
        assert not revocations.is_revoked(token(jti="x", sid="x"))
        assert revocations.is_revoked(token(sub="x"))

    def test_it_only_ever_grows(self, revocations, clock):
        revocations.revoke(issuer=ISSUER, sub="user-1", issued_before=NOW + 50, until=NOW + 10_000)
        revocations.revoke(issuer=ISSUER, sub="user-1", issued_before=NOW + 10, until=NOW + 200)
        assert revocations.is_revoked(token(iat=NOW + 50))
        revocations.revoke(issuer=ISSUER, sub="user-1", issued_before=NOW + 90, until=NOW + 200)
        assert revocations.is_revoked(token(iat=NOW + 90))
        assert not revocations.is_revoked(token(iat=NOW + 91))

    def test_logout_tokens(self, revocations):
        """P33: OpenID Connect Back-Channel Logout 1.0, 2.7: sid names a session, sub alone all of them."""
        revocations.log_out(token(iat=NOW + 10, jti="logout-1"))
        assert revocations.is_revoked(token())
        assert not revocations.is_revoked(token(sid="s-2"))
        revocations.log_out(token(iat=NOW + 10, jti="logout-2", sid=None))
        assert revocations.is_revoked(token(sid="s-2"))
        assert not revocations.is_revoked(token(sid="s-3", iat=NOW + 11))
        # The logout token itself is a token, and not the one it revokes.
        assert not revocations.is_revoked(token(jti="logout-2", sid="s-4", iat=NOW + 11))

    @pytest.mark.parametrize(
        "wrong", ["x", None, {"iss": ISSUER}, Claims], ids=["text", "none", "dict", "class"]
    )
    def test_what_is_no_verified_token(self, revocations, wrong):
        async def asynchronously() -> None:
            try:
                with pytest.raises(PolicyError, match="takes a verified token"):
                    await revocations.ais_revoked(wrong)
                with pytest.raises(PolicyError, match="takes a verified token"):
                    await revocations.alog_out(wrong)
            finally:
                if isinstance(revocations, RedisRevocationList):
                    await revocations.aclose()

        with pytest.raises(PolicyError, match="takes a verified token"):
            revocations.is_revoked(wrong)
        with pytest.raises(PolicyError, match="takes a verified token"):
            revocations.log_out(wrong)
        asyncio.run(asynchronously())
        assert revocations.stats()["entered"] == 0

    def test_in_an_event_loop(self, revocations):
        async def all_of_it() -> list[bool]:
            try:
                before = await revocations.ais_revoked(token())
                await revocations.arevoke(issuer=ISSUER, jti="t-1")
                await revocations.alog_out(token(sid="s-9"))
                return [before, await revocations.ais_revoked(token()), await revocations.ais_revoked(
                    token(jti="t-2", sid="s-9")
                )]  # fmt: skip
            finally:
                if isinstance(revocations, RedisRevocationList):
                    await revocations.aclose()

        assert asyncio.run(all_of_it()) == [False, True, True]
        assert revocations.is_revoked(token())

    def test_claims_of_other_types(self, revocations):
        revocations.revoke(issuer=ISSUER, sid="5")
        assert not revocations.is_revoked(token(sid=5))
        assert not revocations.is_revoked(Claims({"iss": 5, "sid": "5", "iat": NOW, "exp": NOW + 60}))
        revocations.revoke(issuer=ISSUER, sub="user-1")
        assert revocations.is_revoked(token(iat="yesterday"))
        assert revocations.is_revoked(token(iat=True))

    def test_verified_tokens(self, world, revocations):
        """The tokens of a validator, also where it answers from its cache."""
        validator = world.validator()
        raw = world.token(jti="t-1")
        assert not revocations.is_revoked(validator.validate(raw))
        revocations.revoke(issuer=ISSUER, jti="t-1")
        again = validator.validate(raw)
        assert validator.stats()["cache"]["hits"] == 1
        assert revocations.is_revoked(again)

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"jti": "a", "sid": "b"},
            {"jti": ""},
            {"sub": 5},
            {"jti": "a", "until": "soon"},
            {"jti": "a", "until": math.nan},
            {"sub": "a", "issued_before": True},
            {"sub": "a", "issued_before": -1},
            {"issuer": None, "sub": "a"},
        ],
        ids=repr,
    )
    def test_what_cannot_be_revoked(self, revocations, options):
        with pytest.raises(PolicyError):
            revocations.revoke(**{"issuer": ISSUER} | options)

    @pytest.mark.parametrize(
        "late", [1e12, 1e18, 1e300, 10**400, math.inf], ids=["1e12", "1e18", "1e300", "huge", "inf"]
    )
    def test_times_beyond_all_times(self, revocations, late):
        """As good as the end of time, for every list alike."""
        revocations.revoke(issuer=ISSUER, jti="t-1", until=late)
        revocations.revoke(issuer=ISSUER, sub="user-1", issued_before=late, until=late)
        assert revocations.is_revoked(token())
        assert revocations.is_revoked(token(jti="t-2", iat=NOW + 10**6))
        assert not revocations.is_revoked(token(jti="t-2", sub="user-2"))

    def test_long_and_odd_values(self, revocations):
        """Nothing moves from one part to the next, and nothing is cut off."""
        values = [
            "x" * 5000,
            "x" * 4999 + "y",
            "\x00",
            "\ud800",
            "#",
            "1:1:",
            "{a}",
            "a\r\nDEL b",
            "\N{SNOWMAN}",
        ]
        for value in values:
            assert not revocations.is_revoked(token(jti=value))
            revocations.revoke(issuer=ISSUER, jti=value)
            assert revocations.is_revoked(token(jti=value))
            assert not revocations.is_revoked(token(jti="t-1", sid=value, sub=value))
        for issuer, value in ((f"{ISSUER}/", "ab"), (ISSUER, "/ab"), (ISSUER[:-1], "tab")):
            assert not revocations.is_revoked(token(iss=issuer, jti=value))
            revocations.revoke(issuer=issuer, jti=value)
            assert revocations.is_revoked(token(iss=issuer, jti=value))


class TestMemory:
    def test_long_values_take_no_more_memory(self, clock):
        revocations = MemoryRevocationList(clock=clock)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for number in range(200):
                revocations.revoke(issuer=ISSUER, jti=f"{number}" + "x" * 10_000)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert after - before < 200 * 1000

    def test_entries_end(self, clock):
        revocations = MemoryRevocationList(clock=clock)
        revocations.revoke(issuer=ISSUER, jti="t-1", until=NOW + 1000)
        revocations.revoke(issuer=ISSUER, jti="t-2", until=NOW + 1000)
        revocations.revoke(issuer=ISSUER, jti="t-2", until=NOW + 5000)
        revocations.revoke(issuer=ISSUER, jti="for good", until=math.inf)
        clock.set(NOW + 2000)
        revocations.revoke(issuer=ISSUER, jti="t-3")
        assert revocations.stats() | {"entered": 5, "expired": 1, "entries": 3} == revocations.stats()
        assert not revocations.is_revoked(token(exp=NOW + 2500))
        assert revocations.is_revoked(token(jti="t-2", exp=NOW + 2500))
        clock.set(NOW + 10**9)
        revocations.revoke(issuer=ISSUER, jti="t-4")
        assert revocations.is_revoked(token(jti="for good", exp=None))
        assert not revocations.is_revoked(token(jti="others", exp=None))

    def test_entries_outstay_the_leeway_of_validators(self, clock):
        revocations = MemoryRevocationList(clock=clock)
        revocations.revoke(issuer=ISSUER, jti="t-1", until=NOW + 1000)
        clock.set(NOW + 1000 + 599)
        revocations.revoke(issuer=ISSUER, jti="t-2")
        assert revocations.stats()["expired"] == 0
        assert revocations.is_revoked(token(exp=NOW + 1000))

    def test_a_clock_that_steps_back_behind_what_was_forgotten(self, clock):
        revocations = MemoryRevocationList(clock=clock)
        revocations.revoke(issuer=ISSUER, jti="t-1", until=NOW + 1000)
        clock.set(NOW + 2000)
        revocations.revoke(issuer=ISSUER, jti="t-2")
        clock.set(NOW + 100)
        with pytest.raises(Unavailable):
            revocations.is_revoked(token(exp=NOW + 900))
        assert not revocations.is_revoked(token(exp=NOW + 1001))
        assert revocations.stats()["refused_clock"] == 1

    def test_a_full_list_refuses_and_forgets_nothing(self, clock):
        revocations = MemoryRevocationList(max_entries=2, clock=clock)
        revocations.revoke(issuer=ISSUER, jti="t-1")
        revocations.revoke(issuer=ISSUER, jti="t-2")
        with pytest.raises(Unavailable):
            revocations.revoke(issuer=ISSUER, jti="t-3")
        revocations.revoke(issuer=ISSUER, jti="t-1", until=NOW + 10**6)
        assert revocations.is_revoked(token())
        assert revocations.is_revoked(token(jti="t-2"))
        clock.advance(86_400 + 601)
        revocations.revoke(issuer=ISSUER, jti="t-3")
        assert repr(revocations) == "<keybound.stores.MemoryRevocationList, 2 entries>"

    @pytest.mark.parametrize("answer", [math.nan, None, "now", True, -1])
    def test_a_clock_that_is_none(self, answer):
        revocations = MemoryRevocationList(clock=lambda: answer)
        with pytest.raises(Unavailable):
            revocations.revoke(issuer=ISSUER, jti="t-1")

    @pytest.mark.parametrize(
        "options",
        [
            {"max_entries": 0},
            {"max_entries": 1.5},
            {"token_lifetime": 0},
            {"token_lifetime": math.inf},
            {"token_lifetime": True},
            {"clock": 5},
        ],
        ids=repr,
    )
    def test_options_that_are_none(self, options):
        with pytest.raises(PolicyError):
            MemoryRevocationList(**options)

    def test_threads_share_it(self, clock):
        revocations = MemoryRevocationList(clock=clock)

        def work(number: int) -> None:
            for entry in range(200):
                revocations.revoke(issuer=ISSUER, jti=f"{number}-{entry}")
                assert revocations.is_revoked(token(jti=f"{number}-{entry}"))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert revocations.stats() | {"entered": 1600, "revoked": 1600} == revocations.stats()


class TestServer:
    WORKER = """
import json, sys
from keybound.stores import RedisRevocationList
class Claims(dict):
    def claim(self, name, default=None):
        return self.get(name, default)
now = float(sys.argv[2])
revocations = RedisRevocationList(sys.argv[1], clock=lambda: now)
for line in sys.stdin:
    print(json.dumps(revocations.is_revoked(Claims(json.loads(line)))), flush=True)
revocations.close()
"""

    def test_in_force_with_the_next_call_of_every_process(self, server, make, clock):
        revocations = make(server.url)
        revocations.declare_nothing_was_revoked()
        command = [sys.executable, "-c", self.WORKER, server.url, str(clock())]
        worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert worker.stdin is not None
        assert worker.stdout is not None

        def asked(**changes: Any) -> bool:
            worker.stdin.write(json.dumps(token(**changes)) + "\n")
            worker.stdin.flush()
            return bool(json.loads(worker.stdout.readline()))

        with worker:
            for number in range(100):
                assert not asked(jti=f"t-{number}")
                revocations.revoke(issuer=ISSUER, jti=f"t-{number}")
                assert asked(jti=f"t-{number}")
            worker.stdin.close()
        assert worker.returncode == 0

    def test_one_round_trip_and_entries_that_end(self, server, make, clock):
        revocations = make(server.url)
        revocations.declare_nothing_was_revoked()
        revocations.revoke(issuer=ISSUER, jti="t-1", until=clock() + 500)
        revocations.revoke(issuer=ISSUER, jti="t-1", until=clock() + 5)
        with server.client() as client:
            (key,) = client.keys("keybound:revoked:*")
            assert 500_000 < client.pttl(key) <= (500 + 2 * SKEW) * 1000
            revocations.revoke(issuer=ISSUER, jti="t-1", until=math.inf)
            assert client.pttl(key) == -1
            revocations.revoke(issuer=ISSUER, jti="t-1")
            assert client.pttl(key) == -1
            before = client.info("commandstats")["cmdstat_evalsha"]["calls"]
            for _ in range(20):
                assert revocations.is_revoked(token())
            assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == before + 20

    @pytest.mark.parametrize("how", ["flushed", "killed", "killed with a mark"])
    def test_a_server_that_lost_revocations(self, launch, kind, make, clock, how):
        kept = {"appendonly": "yes", "appendfsync": "no"} if how == "killed with a mark" else {}
        server = launch(kind, **kept)
        revocations = make(server.url)
        revocations.declare_nothing_was_revoked()
        revocations.revoke(issuer=ISSUER, jti="t-1")
        if how == "flushed":
            with server.client() as client:
                client.flushall()
        else:
            server.kill()
            server.start()
        for issued_at in (NOW, clock() + SKEW - 1, None):
            with pytest.raises(Unavailable) as refused:
                revocations.is_revoked(token(jti="t-2", sid="s-2", iat=issued_at))
            assert refused.value.retry_after >= 1
        assert not revocations.is_revoked(token(jti="t-2", iat=clock() + SKEW + 1))
        assert revocations.stats() | {"renewed": 1, "refused_loss": 3} == revocations.stats()
        # Once everything is entered again, the operator may say so.
        revocations.revoke(issuer=ISSUER, jti="t-1")
        revocations.declare_nothing_was_revoked()
        assert revocations.is_revoked(token())
        assert not revocations.is_revoked(token(jti="t-2"))

    def test_after_a_while_no_token_can_have_been_concerned(self, server, make, clock):
        revocations = make(server.url, token_lifetime=3600)
        with pytest.raises(Unavailable):
            revocations.is_revoked(token(iat=None))
        clock.advance(3600)
        assert not revocations.is_revoked(token(iat=None, exp=clock() + 3600))

    def test_a_durable_server_keeps_its_word(self, launch, kind, make):
        server = launch(kind, appendonly="yes", appendfsync="always")
        revocations = make(server.url, durable=True)
        revocations.declare_nothing_was_revoked()
        revocations.revoke(issuer=ISSUER, jti="t-1")
        server.kill()
        server.start()
        assert revocations.is_revoked(token())
        assert not revocations.is_revoked(token(jti="t-2"))

    def test_revoking_on_a_server_without_a_mark(self, server, make, clock):
        """The first thing that it hears makes the mark, and counts."""
        revocations = make(server.url)
        revocations.revoke(issuer=ISSUER, jti="t-1", until=clock() + 10**6)
        assert revocations.is_revoked(token())
        with pytest.raises(Unavailable):
            revocations.is_revoked(token(jti="t-2"))

    def test_a_server_that_is_gone(self, server, make):
        strict, lenient = make(server.url), make(server.url, on_loss="memory")
        strict.declare_nothing_was_revoked()
        strict.revoke(issuer=ISSUER, jti="t-1")
        lenient.revoke(issuer=ISSUER, jti="t-2")
        server.kill()
        for one in (strict, lenient):
            with pytest.raises(Unavailable):
                one.revoke(issuer=ISSUER, jti="t-3")
        with pytest.raises(Unavailable):
            strict.is_revoked(token())
        # What this process revoked, it knows; the rest it lets pass, and counts.
        assert lenient.is_revoked(token(jti="t-2"))
        assert lenient.is_revoked(token(jti="t-3"))
        assert not lenient.is_revoked(token(jti="t-1"))
        assert lenient.stats()["from_memory"] == 1

        async def later() -> list[bool]:
            try:
                return [await lenient.ais_revoked(token(jti=f"t-{number}")) for number in (1, 2)]
            finally:
                await lenient.aclose()

        assert asyncio.run(later()) == [False, True]

    def test_replays_and_revocations_vouch_for_themselves(self, server, make, closing):
        """To say that nothing was used says nothing about what was revoked."""
        from keybound.stores import RedisReplayStore

        replays = RedisReplayStore(server.url)
        closing.callback(replays.close)
        replays.declare_nothing_was_used()
        with pytest.raises(Unavailable):
            make(server.url).is_revoked(token())

    def test_warm(self, server, make, clock):
        revocations = make(server.url)
        revocations.warm()
        clock.advance(SKEW + 5)
        assert not revocations.is_revoked(token(iat=clock()))

        async def warmed() -> None:
            try:
                await revocations.awarm()
            finally:
                await revocations.aclose()

        asyncio.run(warmed())
        assert revocations.stats()["renewed"] == 1

    @pytest.mark.parametrize(
        "options", [{"on_loss": "accept"}, {"durable": 1}, {"skew": 0}, {"token_lifetime": 0}]
    )
    def test_options_that_are_none(self, options):
        with pytest.raises(PolicyError):
            RedisRevocationList("redis://127.0.0.1:1/0", **options)


class TestCheck:
    """What a validator makes of ``revocation=``."""

    def test_a_list(self, revocations):
        check = as_revocation_check(revocations)
        revocations.revoke(issuer=ISSUER, jti="t-1")

        async def asked() -> list[bool]:
            try:
                return [await check.ais_revoked(token(jti=jti)) for jti in ("t-1", "t-2")]
            finally:
                if isinstance(revocations, RedisRevocationList):
                    await revocations.aclose()

        assert [check.is_revoked(token(jti=jti)) for jti in ("t-1", "t-2")] == [True, False]
        assert asyncio.run(asked()) == [True, False]

    def test_a_function(self):
        check = as_revocation_check(lambda token: token.claim("jti") == "t-1")
        assert check.is_revoked(token())
        assert not check.is_revoked(token(jti="t-2"))
        assert asyncio.run(check.ais_revoked(token()))

    def test_a_coroutine_function(self):
        async def asked(token: Any) -> bool:
            return bool(token.claim("jti") == "t-1")

        class Asked:
            async def __call__(self, token: Any) -> bool:
                return await asked(token)

        for given in (asked, Asked()):
            check = as_revocation_check(given)
            assert asyncio.run(check.ais_revoked(token()))
            assert not asyncio.run(check.ais_revoked(token(jti="t-2")))
            with pytest.raises(Unavailable):
                check.is_revoked(token())

    @pytest.mark.parametrize("answer", [None, 0, 1, "no", []])
    def test_answers_that_are_none(self, answer):
        check = as_revocation_check(lambda token: answer)
        with pytest.raises(Unavailable):
            check.is_revoked(token())
        with pytest.raises(Unavailable):
            asyncio.run(check.ais_revoked(token()))

    @pytest.mark.parametrize("given", [None, 5, "memory", {}, MemoryRevocationList])
    def test_what_is_none(self, given):
        with pytest.raises(keybound.PolicyError):
            as_revocation_check(given)
