"""The replay store on a real server: atomic among all who share it, and honest about what was lost."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

import keybound
from keybound.errors import PolicyError, Reason, TokenRejected, Unavailable
from keybound.stores import RedisReplayStore, RedisRevocationList, ReplayStore
from keybound.stores.replay import as_replay_store

NOW = 1_750_000_000.0
LATER = NOW + 1000
"""Long after the first call of ``ready`` stores, which found an empty server at NOW."""

SKEW, SPAN = 30.0, 3900.0


class Ticks:
    """A monotonic clock that stands until it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def put(
    store: ReplayStore, jti: str, principal: str = "client-1", *, now: float = LATER, **changes: Any
) -> bool:
    options = {"kind": "dpop_proof", "expires_at": now + 60, "issued_at": now} | changes
    return store.put(options.pop("kind"), principal, jti, now=now, **options)


class Forwarder:
    """A name that leads to one server, and later to another; connections stay where they are."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Forwarder:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in [self._listener, *self._sockets]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in [self._listener, *self._sockets]:
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                self._sockets += [near, far]
                for one, other in ((near, far), (far, near)):
                    self._threads.append(threading.Thread(target=self._hand_on, args=(one, other)))
                    self._threads[-1].start()

    def _hand_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while octets := one.recv(65536):
                other.sendall(octets)
            other.shutdown(socket.SHUT_RDWR)


@contextmanager
def pretended(reply: Callable[[bytes], bytes]) -> Iterator[int]:
    """A port where somebody greets as a server does, and answers scripts in its own way."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    while asked := connection.recv(65536):
                        if b"EVAL" in asked:
                            connection.sendall(reply(asked))
                            break
                        connection.sendall(b"+OK\r\n" * len(re.findall(rb"^\*\d+\r$", asked, re.MULTILINE)))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.fixture
def monotonic() -> Ticks:
    return Ticks()


@pytest.fixture
def make(server: Any, closing: Any, monotonic: Ticks) -> Callable[..., RedisReplayStore]:
    def one(where: object = server.url, **options: Any) -> RedisReplayStore:
        store = RedisReplayStore(where, **{"monotonic": monotonic} | options)
        closing.callback(store.close)
        return store

    return one


@pytest.fixture
def store(make: Callable[..., RedisReplayStore]) -> RedisReplayStore:
    """One that has been in use for a while."""
    used = make()
    used.warm(now=NOW)
    return used


class TestOnce:
    def test_first_and_second_use(self, store, make):
        """S002-05: the same jti from the same client is rejected, at the same endpoint and at another."""
        another = make()
        assert put(store, "a")
        assert not put(store, "a")
        assert not put(another, "a")
        assert put(another, "b")
        assert not put(store, "b")
        assert store.stats() | {"accepted": 1, "replayed": 2} == store.stats()

    def test_g19_principals_kinds_and_namespaces_have_their_own(self, store, make):
        other = make(namespace="staging:2")
        other.warm(now=NOW)
        for kind in ("dpop_proof", "client_assertion"):
            for principal in ("client-1", "client-2"):
                for one in (store, other):
                    assert put(one, "a", principal, kind=kind)
                    assert not put(one, "a", principal, kind=kind)

    def test_in_event_loops_and_beside_threads(self, store):
        """One object serves any number of event loops, one after another, and blocking callers."""

        async def several(jti: str) -> list[bool]:
            times: dict[str, Any] = {"now": LATER, "expires_at": LATER + 60, "issued_at": LATER}
            calls = (store.aput("dpop_proof", "client-1", jti, **times) for _ in range(5))
            try:
                return await asyncio.gather(*calls)
            finally:
                await store.aclose()

        assert sorted(asyncio.run(several("a"))) == [False] * 4 + [True]
        assert sorted(asyncio.run(several("b"))) == [False] * 4 + [True]
        assert not put(store, "a")
        assert put(store, "c")
        assert asyncio.run(several("c")) == [False] * 5

    def test_clients_of_the_user(self, server, make, store, closing):
        """As they are: pools, names and decoding are the user's; without an async client, threads ask."""
        import redis.asyncio

        client = closing.enter_context(server.client(decode_responses=True))
        one = make(client)
        assert put(one, "a")
        assert not put(store, "a")

        async def both() -> list[bool]:
            times: dict[str, Any] = {"now": LATER, "expires_at": LATER + 60, "issued_at": LATER}
            by_thread = await one.aput("dpop_proof", "client-1", "b", **times)
            async with redis.asyncio.Redis(port=server.port, socket_timeout=5) as given:
                other = make(client, async_client=given)
                return [by_thread, await other.aput("dpop_proof", "client-1", "b", **times)]

        assert asyncio.run(both()) == [True, False]

    def test_one_round_trip(self, server, store):
        with server.client() as client:
            put(store, "warm")
            before = client.info("commandstats")
            for number in range(20):
                put(store, f"jti-{number}")
            after = client.info("commandstats")
        calls = {name: after[name]["calls"] - before.get(name, {"calls": 0})["calls"] for name in after}
        # The rest runs inside the script: see the store's own list of commands.
        assert calls["cmdstat_evalsha"] == 20
        assert {name for name, count in calls.items() if count} <= {
            "cmdstat_evalsha", "cmdstat_get", "cmdstat_set", "cmdstat_info",
        }  # fmt: skip

    def test_keys_are_short_and_expire(self, server, store):
        put(store, "j" * 16_000, "p" * 4000, expires_at=LATER + 60)
        with server.client() as client:
            (key,) = client.keys("keybound:used:*")
            assert len(key) == len("keybound:used:") + 43
            assert (60 + SKEW) * 1000 < client.pttl(key) <= (60 + 2 * SKEW) * 1000
            assert client.keys("*") == client.keys("keybound:*")

    def test_many_tasks_take_turns(self, server, store):
        """No more connections than a server likes, and nobody is refused for that."""

        async def burst() -> list[bool]:
            times: dict[str, Any] = {"now": LATER, "expires_at": LATER + 60, "issued_at": LATER}
            puts = [store.aput("dpop_proof", "client-1", f"jti-{each // 2}", **times) for each in range(800)]
            try:
                answers = await asyncio.gather(*puts)
                with server.client() as client:
                    assert client.info("clients")["connected_clients"] < 100
                return answers
            finally:
                await store.aclose()

        patient = RedisReplayStore(server.url, deadline=60)
        store, before = patient, store
        assert sum(asyncio.run(burst())) == 400
        assert before.stats()["failed"] == patient.stats()["failed"] == 0
        patient.close()

    def test_connections_do_not_outlive_their_event_loop(self, server, store):
        code = """
import asyncio, gc, sys
from keybound.stores import RedisReplayStore
now = float(sys.argv[2])
store = RedisReplayStore(sys.argv[1], deadline=60)
for number in range(10):
    assert asyncio.run(store.aput("k", "p", str(number), expires_at=now + 60, now=now, issued_at=now))
    gc.collect()
print(store._server._client.info("clients")["connected_clients"] - 1)
store.close()
"""
        # Nobody has closed them, of which Python warns.
        command = [sys.executable, "-W", "ignore", "-c", code, server.url, str(LATER)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        # That of the store itself, and of the last event loop.
        assert int(done.stdout) <= 2, done.stderr

    def test_a_put_that_is_cancelled(self, server, store):
        """It may have used the proof up; it never lets it in twice, nor spoils the connection for others."""

        async def run() -> None:
            times: dict[str, Any] = {"now": LATER, "expires_at": LATER + 60, "issued_at": LATER}
            try:
                for turns in range(60):
                    proof = ("dpop_proof", "client-1", f"jti-{turns}")
                    first = asyncio.ensure_future(store.aput(*proof, **times))
                    for _ in range(turns % 20):
                        await asyncio.sleep(0)
                    first.cancel()
                    outcomes = await asyncio.gather(first, return_exceptions=True)
                    outcomes.append(await store.aput(*proof, **times))
                    assert outcomes.count(True) <= 1
                    assert not await store.aput(*proof, **times)
            finally:
                await store.aclose()

        asyncio.run(run())
        assert store.stats()["failed"] == 0

    def test_scripts_that_the_server_has_forgotten(self, server, store):
        assert put(store, "a")
        with server.client() as client:
            client.script_flush()
        assert not put(store, "a")
        assert put(store, "b")


class TestRaces:
    WORKER = """
import json, sys
from keybound.errors import Unavailable
from keybound.stores import RedisReplayStore
store = RedisReplayStore(sys.argv[1], pause=1e-6, deadline=8)
print("ready", flush=True)
for line in sys.stdin:
    task = json.loads(line)
    accepted = []
    for jti, issued_at in task["proofs"]:
        times = {"issued_at": issued_at, "expires_at": issued_at + 600, "now": task["now"]}
        try:
            if store.put("dpop_proof", "client-1", jti, **times):
                accepted.append(jti)
        except Unavailable:
            pass
    print(json.dumps(accepted), flush=True)
store.close()
"""

    @pytest.fixture
    def workers(self, server):
        """Four processes, to which a test gives proofs and the time, and which say what they accept."""
        command = [sys.executable, "-c", self.WORKER, server.url]
        pipe = subprocess.PIPE
        started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
        try:
            for worker in started:
                assert worker.stdout.readline() == "ready\n"
            yield started
        finally:
            for worker in started:
                worker.stdin.close()
                worker.stdout.read()
                worker.stdout.close()
                worker.wait()

    @staticmethod
    def tell(workers: list[Any], proofs: list[tuple[str, float]], now: float) -> None:
        for worker in workers:
            worker.stdin.write(json.dumps({"proofs": proofs, "now": now}) + "\n")
            worker.stdin.flush()

    @staticmethod
    def hear(workers: list[Any]) -> list[str]:
        return [jti for worker in workers for jti in json.loads(worker.stdout.readline())]

    def test_four_processes_accept_each_proof_once(self, store, workers):
        proofs = [(f"jti-{number}", LATER) for number in range(500)]
        self.tell(workers, proofs, LATER)
        assert sorted(self.hear(workers)) == sorted(jti for jti, _ in proofs)
        self.tell(workers, proofs, LATER + 300)
        assert self.hear(workers) == []

    def test_killed_and_restarted_during_a_run(self, server, store, workers):
        """No proof is accepted twice, whatever is lost, and new ones are accepted again."""
        proofs: list[tuple[str, float]] = []
        accepted: list[str] = []
        now = LATER
        for turn in range(4):
            fresh = [(f"jti-{turn}-{number}", now) for number in range(150)]
            proofs += fresh
            self.tell(workers, fresh, now)
            if turn % 2:
                server.kill()
                server.start()
            accepted += self.hear(workers)
            # All of them again, while the server has forgotten most.
            self.tell(workers, proofs, now)
            accepted += self.hear(workers)
            now += SKEW + 5
            last = [(f"last-{turn}", now)]
            proofs += last
            self.tell(workers, proofs, now)
            heard = self.hear(workers)
            assert f"last-{turn}" in heard
            accepted += heard
        assert len(accepted) == len(set(accepted))
        assert len(accepted) > 300

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    def test_fork(self, server, store):
        """Children share no connection with their parent, and what one of them uses is used for all."""
        code = """
import os, sys
from keybound.stores import RedisReplayStore
now = float(sys.argv[2])
store = RedisReplayStore(sys.argv[1], deadline=60)
def put(jti):
    return store.put("kind", "principal", jti, expires_at=now + 60, now=now, issued_at=now)
assert put("before")
children = []
for number in range(4):
    child = os.fork()
    if not child:
        accepted = sum(put(f"jti-{each}") for each in range(100))
        os._exit(accepted if not put("before") else 255)
    children.append(child)
mine = sum(put(f"jti-{each}") for each in range(100))
print(mine + sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
store.close()
"""
        command = [sys.executable, "-c", code, server.url, str(LATER)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout == "100\n", done.stderr

    def test_threads_share_one_store(self, store):
        accepted: list[int] = []
        barrier = threading.Barrier(8)

        def work() -> None:
            barrier.wait()
            accepted.append(sum(put(store, f"jti-{number}") for number in range(200)))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(accepted) == 200


class TestLoss:
    def refused(self, store: ReplayStore, jti: str = "a", **changes: Any) -> float:
        with pytest.raises(Unavailable) as refused:
            put(store, jti, **changes)
        return float(refused.value.retry_after or 0)

    def test_an_empty_server_vouches_for_nothing_before(self, make):
        store = make()
        assert self.refused(store, now=NOW) == pytest.approx(SKEW, abs=0.01)
        assert self.refused(store, now=NOW + SKEW - 1) == pytest.approx(1, abs=0.01)
        assert put(store, "a", now=NOW + SKEW)
        # Issued before, or nobody knows when.
        self.refused(store, "b", now=NOW + SKEW, issued_at=NOW + SKEW - 1)
        self.refused(store, "b", now=NOW + 900, issued_at=None)
        assert self.refused(store, "b", now=NOW + 900, issued_at=None) == pytest.approx(SPAN - 960, abs=0.01)
        assert put(store, "b", now=NOW + SPAN - 60, issued_at=None)
        assert store.stats() | {"renewed": 1, "refused_loss": 5} == store.stats()

    def test_who_comes_later_finds_the_mark(self, make):
        make().warm(now=NOW)
        other = make()
        assert put(other, "a", now=LATER)
        assert other.stats()["renewed"] == 0

    def test_the_very_first_start(self, make):
        store = make()
        store.declare_nothing_was_used()
        assert put(store, "a", now=NOW, issued_at=None)
        assert not put(store, "a", now=NOW, issued_at=None)

    @pytest.mark.parametrize("durable", [False, True])
    def test_a_flushed_server(self, server, make, durable):
        store = make(durable=durable)
        store.warm(now=NOW)
        assert put(store, "a")
        with server.client() as client:
            client.flushall()
        # The proof that was used, another one of that time, and one from after the loss was found.
        self.refused(store, "a", now=LATER + 1, issued_at=LATER)
        self.refused(store, "b", now=LATER + SKEW + 2, issued_at=LATER)
        assert put(store, "c", now=LATER + SKEW + 2)
        self.refused(store, "a", now=LATER + SKEW + 2, issued_at=LATER)

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"appendonly": "yes", "appendfsync": "no"},
            {"appendonly": "yes", "appendfsync": "everysec"},
            {"save": "3600 1"},
        ],
        ids=["nothing", "aof-no", "aof-everysec", "snapshot"],
    )
    def test_a_killed_server_may_have_kept_its_mark_and_lost_what_came_after(
        self, launch, kind, make, options
    ):
        server = launch(kind, **options)
        store = make(server.url)
        store.warm(now=NOW)
        with server.client() as client:
            client.save()
        assert put(store, "a")
        server.kill()
        server.start()
        with pytest.raises(Unavailable):
            put(store, "b", issued_at=LATER - 1)
        # What it does remember, it says; what it may have forgotten, it does not guess.
        try:
            assert not put(store, "a", now=LATER + 1, issued_at=LATER)
        except Unavailable:
            assert store.stats()["refused_loss"] == 2
        assert put(store, "c", now=LATER + SKEW + 2)
        assert store.stats()["renewed"] == 2

    def test_a_durable_server_is_believed_after_it_was_killed(self, launch, kind, make):
        server = launch(kind, appendonly="yes", appendfsync="always")
        store = make(server.url, durable=True)
        store.warm(now=NOW)
        for number in range(50):
            assert put(store, f"jti-{number}")
        server.kill()
        server.start()
        assert not any(put(store, f"jti-{number}") for number in range(50))
        assert put(store, "new", issued_at=LATER - 100)
        assert store.stats()["renewed"] == 1

    def test_the_skew_has_to_cover_the_leeway(self, server, make):
        """What the linter's rule ``skew-below-leeway`` is about: a proof whose issuer's clock is ahead."""
        ahead = {"issued_at": LATER + 25, "expires_at": LATER + 116}
        short, enough = (make(skew=skew, namespace=str(skew)) for skew in (10, 30))
        for store in (short, enough):
            store.warm(now=NOW)
            assert put(store, "a", **ahead)
        with server.client() as client:
            client.flushall()
        assert put(short, "a", **ahead), "it counts as issued after the loss, and was used before"
        with pytest.raises(Unavailable):
            put(enough, "a", **ahead)

    def test_a_claim_that_nobody_settles_goes_by_itself(self, server, make):
        with server.client() as client:
            client.set("keybound:used-since", "claimed by somebody", px=10_000)
            store = make()
            self.refused(store, now=LATER)
            assert client.get("keybound:used-since") == b"claimed by somebody"
            client.delete("keybound:used-since")
        self.refused(store, now=LATER)
        assert put(store, "a", now=LATER + SKEW + 1)

    def test_a_conversation_that_was_held_up(self, server, make, monotonic):
        """The mark is of the time at which it was claimed, not of the time at which the caller came."""

        class Slow:
            def __init__(self, client: Any) -> None:
                self._client = client

            def evalsha(self, *arguments: Any) -> Any:
                monotonic.now += 7
                return self._client.evalsha(*arguments)

            def eval(self, *arguments: Any) -> Any:
                return self._client.eval(*arguments)

        with server.client() as client:
            store = make(Slow(client))
            self.refused(store, now=LATER)
            since = int(client.get("keybound:used-since").split()[1])
        assert since == (LATER + 14) * 1000


class TestOutage:
    def test_a_killed_server(self, server, store, monotonic):
        assert put(store, "a")
        server.kill()
        with pytest.raises(Unavailable) as refused:
            put(store, "b")
        assert refused.value.retry_after == 1.0
        # For a second nobody asks any more.
        for _ in range(100):
            with pytest.raises(Unavailable):
                put(store, "b")
        assert store.stats() | {"failed": 1, "spared": 100} == store.stats()
        monotonic.now += 1.0
        with pytest.raises(Unavailable):
            put(store, "b")
        assert store.stats() | {"failed": 2, "spared": 100} == store.stats()
        server.start()
        with pytest.raises(Unavailable) as refused:
            put(store, "b")
        assert store.stats()["spared"] == 101
        monotonic.now += 1.0
        with pytest.raises(Unavailable):
            put(store, "b")
        assert store.stats() | {"failed": 2, "refused_loss": 1, "renewed": 2} == store.stats()
        assert put(store, "c", now=LATER + SKEW + 1)

    def test_idle_connections_that_were_cut(self, server, store):
        assert put(store, "a")
        with server.client() as client:
            client.client_kill_filter(_type="normal", skipme=True)
        assert not put(store, "a")
        assert put(store, "b")
        assert store.stats()["failed"] == 0

    @pytest.mark.parametrize("in_a_loop", [False, True], ids=["put", "aput"])
    def test_a_master_no_more(self, launch, kind, make, closing, monotonic, in_a_loop):
        """A name that leads to another server leads there after one refusal, and not when connections end."""
        first, second = launch(kind), launch(kind)
        forwarder = closing.enter_context(Forwarder(first.port))
        store = make(f"redis://127.0.0.1:{forwarder.port}/0")
        store.warm(now=NOW)
        times: dict[str, Any] = {"now": LATER, "expires_at": LATER + 60, "issued_at": LATER}

        async def use(jti: str) -> bool:
            if not in_a_loop:
                return store.put("dpop_proof", "client-1", jti, **times)
            return await store.aput("dpop_proof", "client-1", jti, **times)

        async def run() -> None:
            assert await use("a")
            with first.client() as client:
                client.replicaof("127.0.0.1", second.port)
            forwarder.target = second.port
            with pytest.raises(Unavailable) as refused:
                await use("b")
            assert type(refused.value.__cause__).__name__ == "ReadOnlyError"
            monotonic.now += 1
            with pytest.raises(Unavailable, match="lost"):
                await use("b")
            assert store.stats()["failed"] == 1
            await store.aclose()

        asyncio.run(run())

    @pytest.mark.parametrize("durable", [True, False])
    def test_a_server_that_hangs(self, server, make, monotonic, durable):
        store = make(deadline=0.2, durable=durable)
        store.warm(now=NOW)
        assert put(store, "a")
        server.hang()
        with pytest.raises(Unavailable):
            put(store, "b")
        monotonic.now += 1.0

        async def late() -> None:
            try:
                await store.aput("dpop_proof", "client-1", "b", now=LATER, expires_at=LATER + 60)
            finally:
                await store.aclose()

        with pytest.raises(Unavailable):
            asyncio.run(late())
        server.resume()
        monotonic.now += 1.0
        assert not put(store, "a")
        assert put(store, "c")

    def test_memory_does_not_lift_the_bound_of_a_principal(self, make):
        """The server can tell, and says no: each process would let the same proof in once."""
        stores = [make(on_loss="memory", max_per_principal=2) for _ in range(2)]
        stores[0].warm(now=NOW)
        assert put(stores[0], "a")
        assert put(stores[0], "b")
        for store in stores:
            with pytest.raises(Unavailable, match="as many proofs as it may"):
                put(store, "c")

            async def again(store: RedisReplayStore = store) -> None:
                times: dict[str, Any] = {"now": LATER, "expires_at": LATER + 60, "issued_at": LATER}
                try:
                    await store.aput("dpop_proof", "client-1", "d", **times)
                finally:
                    await store.aclose()

            with pytest.raises(Unavailable, match="as many proofs as it may"):
                asyncio.run(again())
            assert store.stats() | {"from_memory": 0, "refused_principal": 2} == store.stats()

    def test_memory_steps_in_if_asked_to(self, server, make, monotonic):
        store = make(on_loss="memory")
        store.warm(now=NOW)
        assert put(store, "a")
        server.kill()
        assert not put(store, "a")
        assert put(store, "b")
        assert not put(store, "b")
        assert store.stats() | {"accepted": 1, "from_memory": 1, "replayed": 2} == store.stats()
        monotonic.now += 1.0
        server.start()
        # It does not know b, this process does; and of what it cannot tell, memory tells.
        assert not put(store, "b")
        assert put(store, "c")
        assert store.stats()["from_memory"] == 2

        async def twice() -> list[bool]:
            times: dict[str, Any] = {"now": LATER, "expires_at": LATER + 60}
            try:
                return [await store.aput("dpop_proof", "client-1", "d", **times) for _ in range(2)]
            finally:
                await store.aclose()

        assert asyncio.run(twice()) == [True, False]

    def test_a_server_that_is_made_to_evict(self, server, store, monotonic):
        """It is inspected again once in a while, for it can be configured otherwise while it runs."""
        assert put(store, "a")
        with server.client() as client:
            client.config_set("maxmemory", "100mb")
            client.config_set("maxmemory-policy", "allkeys-lru")
            monotonic.now += 61
            with pytest.raises(Unavailable, match="noeviction"):
                put(store, "b")
            client.config_set("maxmemory-policy", "noeviction")
        assert put(store, "b")

    def test_a_server_that_evicts_is_no_store(self, server, make):
        with server.client() as client:
            client.config_set("maxmemory", "100mb")
            client.config_set("maxmemory-policy", "volatile-lru")
            store = make()
            for _ in range(2):
                with pytest.raises(Unavailable, match="noeviction"):
                    put(store, "a")
            client.config_set("maxmemory-policy", "noeviction")
        store.warm(now=NOW)
        assert put(store, "a")

    def test_a_full_server(self, server, store, monotonic):
        with server.client() as client:
            client.config_set("maxmemory", "1")
            with pytest.raises(Unavailable):
                put(store, "a")
            client.config_set("maxmemory", "0")
        monotonic.now += 1.0
        assert put(store, "a")

    @pytest.mark.parametrize(
        "answer",
        [
            "-LOADING Redis is loading the dataset in memory\r\n",
            "-MOVED 3999 127.0.0.1:1\r\n",
            "-NOAUTH Authentication required.\r\n",
            "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
            "-NOSCRIPT No matching script.\r\n",
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            "*0\r\n",
            "$-1\r\n",
            ":1\r\n",
            "*1\r\n{nonce}",
            "*3\r\n:1\r\n$-1\r\n{nonce}",
            "*3\r\n$1\r\n1\r\n$1\r\n0\r\n{nonce}",
            "*3\r\n*1\r\n:1\r\n:0\r\n{nonce}",
            "*4\r\n:1\r\n:0\r\n:0\r\n{nonce}",
        ],
    )
    def test_answers_that_are_none(self, make, closing, answer):
        """Whatever it is that answers there, nothing else than ``Unavailable`` comes of it."""

        def reply(asked: bytes) -> bytes:
            parts = re.findall(rb"\$\d+\r\n(.*?)\r\n", asked, re.DOTALL)
            nonce = parts[3 + int(parts[2])].decode()
            return answer.replace("{nonce}", f"${len(nonce)}\r\n{nonce}\r\n").encode()

        port = closing.enter_context(pretended(reply))
        store = make(f"redis://127.0.0.1:{port}/0?protocol=2", deadline=8)
        revocations = RedisRevocationList(f"redis://127.0.0.1:{port}/0?protocol=2", deadline=8)
        closing.callback(revocations.close)
        calls: list[Callable[[], Any]] = [
            lambda: put(store, "a"),
            lambda: revocations.revoke(issuer="https://as.example.com", jti="a"),
        ]
        for call in calls:
            with pytest.raises(Unavailable):
                call()
        store.close()
        revocations.close()
        assert store.stats() | {"accepted": 0, "failed": 1} == store.stats()

    def test_answers_to_other_questions(self, make, closing):
        """A server, or what stands before it, that mixes up connections."""
        questions: list[bytes] = []

        def reply(asked: bytes) -> bytes:
            questions.append(asked)
            return b"*3\r\n:1\r\n:0\r\n$5\r\nother\r\n"

        port = closing.enter_context(pretended(reply))
        store = make(f"redis://127.0.0.1:{port}/0?protocol=2", deadline=4)
        with pytest.raises(Unavailable):
            put(store, "a")
        store.close()
        assert len(questions) == 1
        assert store.stats() | {"accepted": 0, "failed": 1} == store.stats()


class TestBounds:
    def test_a_noisy_principal_reaches_its_own_bound(self, make, server):
        store = make(max_per_principal=10)
        store.warm(now=NOW)
        for number in range(10):
            assert put(store, f"jti-{number}")
        with pytest.raises(Unavailable) as refused:
            put(store, "one more")
        assert 1 <= refused.value.retry_after <= SPAN
        assert not put(store, "jti-0")
        assert put(store, "jti-0", "client-2")
        assert store.stats()["refused_principal"] == 1
        with server.client() as client:
            (counter,) = (key for key in client.keys("keybound:many:*") if client.get(key) == b"10")
            assert 0 < client.pttl(counter) <= SPAN * 1000
            client.delete(counter)
        assert put(store, "one more")

    def test_a_proof_that_lives_too_long(self, store):
        assert put(store, "a", expires_at=LATER + SPAN)
        with pytest.raises(TokenRejected) as rejected:
            put(store, "b", expires_at=LATER + SPAN + 1)
        assert rejected.value.reason is Reason.LIFETIME_TOO_LONG
        assert store.stats()["refused_lifetime"] == 1

    def test_a_proof_that_is_over(self, store):
        assert not put(store, "a", expires_at=LATER)
        assert store.stats() | {"over": 1, "accepted": 0} == store.stats()

    @pytest.mark.parametrize("wrong", [float("nan"), float("inf"), True, "1750000000", -1])
    @pytest.mark.parametrize("name", ["now", "expires_at", "issued_at"])
    def test_no_time_at_all(self, store, name, wrong):
        times: dict[str, Any] = {"now": LATER, "expires_at": LATER + 60, "issued_at": LATER}
        with pytest.raises(Unavailable):
            store.put("dpop_proof", "client-1", "a", **times | {name: wrong})

    @pytest.mark.parametrize(
        ("where", "options"),
        [
            ("http://127.0.0.1/", {}),
            ("", {}),
            (None, {}),
            (5, {}),
            ("redis://127.0.0.1:1/", {"async_client": 5}),
            ("redis://127.0.0.1:1/", {"namespace": ""}),
            ("redis://127.0.0.1:1/", {"namespace": "a b"}),
            ("redis://127.0.0.1:1/", {"namespace": "{a}"}),
            ("redis://127.0.0.1:1/?socket_timeout=3600", {}),
            ("redis://127.0.0.1:1/?socket_connect_timeout=0", {}),
            ("redis://127.0.0.1:1/?no_such_option=1", {}),
            ("redis://127.0.0.1:1/", {"namespace": "x" * 65}),
            ("redis://127.0.0.1:1/", {"deadline": 0}),
            ("redis://127.0.0.1:1/", {"deadline": float("inf")}),
            ("redis://127.0.0.1:1/", {"deadline": True}),
            ("redis://127.0.0.1:1/", {"pause": -1}),
            ("redis://127.0.0.1:1/", {"max_lifetime": "60"}),
            ("redis://127.0.0.1:1/", {"skew": float("nan")}),
            ("redis://127.0.0.1:1/", {"skew": 90_000}),
            ("redis://127.0.0.1:1/", {"durable": "yes"}),
            ("redis://127.0.0.1:1/", {"max_per_principal": 0}),
            ("redis://127.0.0.1:1/", {"on_loss": "accept"}),
            ("redis://127.0.0.1:1/", {"monotonic": 5}),
        ],
        ids=repr,
    )
    def test_options_that_are_none(self, where, options):
        with pytest.raises(PolicyError):
            RedisReplayStore(where, **options)

    def test_clients_of_the_wrong_kind(self, server):
        import redis.asyncio

        with pytest.raises(PolicyError):
            RedisReplayStore(redis.asyncio.Redis(port=server.port, socket_timeout=1))
        with pytest.raises(PolicyError):
            RedisReplayStore(server.url, async_client=server.client())
        with pytest.raises(PolicyError, match="socket_timeout"):
            RedisReplayStore(redis.Redis(port=server.port, socket_timeout=None))

    def test_nothing_shows_the_password(self):
        store = RedisReplayStore("redis://user:hunter2@127.0.0.1:1/0")
        with pytest.raises(Unavailable) as refused:
            put(store, "a")
        assert "hunter2" not in f"{store!r} {store.stats()} {refused.value}"
        with pytest.raises(PolicyError) as wrong:
            RedisReplayStore("redis://user:hunter2@127.0.0.1:port/0")
        assert "hunter2" not in str(wrong.value)
        assert wrong.value.__cause__ is None

    def test_it_is_a_replay_store(self, store):
        assert as_replay_store(store) is store
        assert issubclass(PolicyError, keybound.KeyboundError)
