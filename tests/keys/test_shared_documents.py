"""P32: processes that share what they fetch, and what that must never change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import keybound
from keybound import RefreshSettings, Unavailable
from keybound.keys import DirectoryDocuments, FetchEvent, FetchOutcome, SharedDocuments
from keybound.testing import CertificateAuthority, FakeClock, IssuerServer, faults

posix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this platform tells of no owner")
pytestmark = posix

WAIT = 20.0


class Board:
    """What a test has all its sources share, in this process."""

    def __init__(self) -> None:
        self.states: dict[str, bytes] = {}
        self.loads = self.stores = 0

    def load(self, url: str) -> bytes | None:
        self.loads += 1
        return self.states.get(url)

    def store(self, url: str, state: bytes) -> None:
        self.stores += 1
        self.states[url] = state


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def wall() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sharing(source: Any, board: Board, wall: FakeClock) -> Callable[..., keybound.RemoteJWKSet]:
    """``sharing(**options)``: one more source on the same board, as of another process."""
    return lambda **options: source(**{"shared": board, "clock": wall} | options)


def settle(*sources: keybound.RemoteJWKSet) -> None:
    """Wait for fetches, and for what they leave for others."""
    for keys in sources:
        if keys._flight is not None:
            keys._flight.wait()
    for thread in threading.enumerate():
        if thread.name == "keybound-fetch":
            thread.join(WAIT)


def outcomes(keys: keybound.RemoteJWKSet) -> dict[str, int]:
    counted: dict[str, int] = keys.stats()["fetches"]
    return counted


def test_one_fetch_serves_all(server: IssuerServer, sharing: Any, monotonic: FakeClock, wall: FakeClock):
    events: list[FetchEvent] = []
    first, second = sharing(), sharing(on_event=events.append)
    good = first.get()
    settle()
    assert [key.kid for key in second.get()] == [key.kid for key in good]
    settle()
    assert server.count() == 1
    assert outcomes(second) == {"shared": 1}
    assert [(event.outcome, event.status, event.usable) for event in events] == [
        (FetchOutcome.SHARED, None, True)
    ]
    for step in range(1, 6):
        monotonic.advance(300)
        wall.advance(300)
        for keys in (first, second):
            keys.get()
            settle(keys)
        assert server.count() == 1 + step


def test_what_is_shared_keeps_its_age(sharing: Any, monotonic: FakeClock, wall: FakeClock):
    first = sharing()
    first.warm()
    settle()
    monotonic.advance(200)
    wall.advance(200)
    second = sharing()
    second.warm()
    assert second.stats()["age"] == pytest.approx(200)
    assert second._held.lifetime.dead_at == pytest.approx(1000 + 3600)


def test_what_is_shared_but_due_is_fetched(server: IssuerServer, sharing: Any, monotonic: Any, wall: Any):
    sharing().warm()
    settle()
    monotonic.advance(301)
    wall.advance(301)
    second = sharing()
    second.warm()
    assert server.count() == 2
    assert server.requests[-1].headers["if-none-match"], "and with the ETag that came along"
    assert outcomes(second) == {"unchanged": 1}


def test_an_outage_at_the_start_is_survived(server: IssuerServer, sharing: Any, monotonic: Any, wall: Any):
    """P1: what another process fetched is used up to max_stale, also by one that is new."""
    sharing().warm()
    settle()
    server.fault = faults.status(503)
    monotonic.advance(3000)
    wall.advance(3000)
    late = sharing()
    assert late.get()
    assert late.stats()["stale"]
    assert outcomes(late) == {"status_refused": 1}
    monotonic.advance(600)
    wall.advance(600)
    with pytest.raises(Unavailable):
        late.get()
    with pytest.raises(Unavailable):
        sharing().get()


def test_a_wall_clock_that_steps_back_extends_nothing(
    server: IssuerServer, sharing: Any, monotonic: Any, wall: Any
):
    """P19: a state that was seen does not become younger."""
    keys, other = sharing(), sharing()
    keys.warm()
    settle()
    other.warm()
    server.fault = faults.status(503)
    for _ in range(8):
        monotonic.advance(500)
        wall.advance(-500)
        for each in (keys, other):
            if each.ready:
                each.get()
                settle(each)
    for each in (keys, other):
        assert not each.ready
        monotonic.advance(60)
        with pytest.raises(Unavailable):
            each.get()


def test_unknown_kids_cause_one_fetch_in_all(server: IssuerServer, sharing: Any, monotonic: Any, wall: Any):
    """F-1, P2: the cooldown is that of all who share."""
    several = [sharing() for _ in range(4)]
    for keys in several:
        keys.warm()
        settle()
    monotonic.advance(40)
    wall.advance(40)
    for keys in several:
        assert not any(keys.refresh_for(f"bogus-{number}") for number in range(250))
        settle()
    assert server.count() == 2
    server.issuer.rotate()
    monotonic.advance(29)
    wall.advance(29)
    assert not any(keys.refresh_for(server.issuer.key.kid) for keys in several)
    monotonic.advance(1)
    wall.advance(1)
    for keys in several:
        assert keys.refresh_for(server.issuer.key.kid), "a rotated key is found by all when it is over"
        settle()
    assert server.count() == 3


def test_the_cooldown_counts_from_the_fetch_of_whoever_asked(
    server: IssuerServer, sharing: Any, monotonic: Any, wall: Any
):
    first, second = sharing(), sharing()
    first.warm()
    settle()
    second.warm()
    monotonic.advance(40)
    wall.advance(40)
    assert not first.refresh_for("bogus")
    settle()
    server.issuer.rotate()
    monotonic.advance(20)
    wall.advance(20)
    assert not second.refresh_for(server.issuer.key.kid)
    assert outcomes(second) == {"shared": 2}
    monotonic.advance(10)
    wall.advance(10)
    assert second.refresh_for(server.issuer.key.kid), "not remembered as unknown: nobody asked the issuer"


def test_a_kid_that_is_shared_is_found_without_a_fetch(
    server: IssuerServer, sharing: Any, monotonic: Any, wall: Any
):
    first, second = sharing(), sharing()
    first.warm()
    settle()
    second.warm()
    monotonic.advance(50)
    wall.advance(50)
    server.issuer.rotate()
    first.refresh_now()
    settle()
    monotonic.advance(100)
    wall.advance(100)
    assert second.refresh_for(server.issuer.key.kid)
    assert server.count() == 2


def test_a_withdrawn_key_is_gone_with_the_next_refresh(
    server: IssuerServer, sharing: Any, monotonic: Any, wall: Any
):
    """F-4, P8: what is taken is never older than refresh_after, so removal takes as long as without."""
    several = [sharing() for _ in range(3)]
    old = server.issuer.key
    for keys in several:
        keys.warm()
        settle()
        monotonic.advance(100)
        wall.advance(100)
    server.issuer.rotate(keep_previous=False)
    monotonic.advance(300)
    wall.advance(300)
    for keys in several:
        keys.get()
        settle(keys)
        assert old.kid not in [key.kid for key in keys.get()]
    assert server.count() == 2


def test_refresh_now_asks_the_issuer(server: IssuerServer, sharing: Any):
    first, second = sharing(), sharing()
    first.warm()
    settle()
    second.warm()
    server.issuer.rotate(keep_previous=False)
    assert second.refresh_now() is FetchOutcome.UPDATED
    settle()
    third = sharing()
    assert third.get(server.issuer.key.kid)
    assert outcomes(third) == {"shared": 1}, "and leaves the answer for others"
    assert server.count() == 2


def test_refresh_now_makes_a_look_elsewhere_a_fetch(server: IssuerServer, sharing: Any, board: Board):
    """It begins while a scheduled one is under way, and hears it from the issuer all the same."""
    sharing().warm()
    settle()
    arrived, release = threading.Event(), threading.Event()
    load = board.load

    def slow(url: str) -> bytes | None:
        state = load(url)
        arrived.set()
        assert release.wait(WAIT)
        return state

    board.load = slow  # type: ignore[method-assign]
    keys = sharing()
    waiting = threading.Thread(target=keys.warm)
    waiting.start()
    assert arrived.wait(WAIT)
    flight = keys._depart(1000.0, sharing=False)
    release.set()
    assert flight is not None
    flight.wait()
    waiting.join(WAIT)
    assert flight.outcome is FetchOutcome.UNCHANGED or flight.outcome is FetchOutcome.UPDATED
    assert server.count() == 2


def test_purge_does_not_read_what_is_shared(server: IssuerServer, sharing: Any):
    keys = sharing()
    keys.warm()
    settle()
    keys.purge()
    server.fault = faults.status(503)
    with pytest.raises(Unavailable):
        keys.get()
    server.fault = None
    keys.purge()
    assert keys.get()
    assert outcomes(keys) == {"status_refused": 1, "updated": 2}


def test_purge_reaches_the_keys_that_metadata_names(server: IssuerServer, board: Board, monotonic: Any):
    document = {"issuer": server.url, "jwks_uri": server.jwks_uri}
    server.publish("/.well-known/openid-configuration", lambda: document)
    transport = keybound.HTTPTransport(ssl_context=server.client_context())

    def make() -> keybound.DiscoveredJWKSet:
        return keybound.DiscoveredJWKSet(
            keybound.RemoteMetadata(
                server.url, transport=transport, monotonic=monotonic, keep_fresh=False, shared=board
            )
        )

    first = make()
    first.warm()
    settle()
    second = make()
    second.warm()
    assert len(server.requests) == 2
    assert set(board.states) == {
        server.jwks_uri,
        server.url + "/.well-known/openid-configuration",
    }
    second.purge()
    server.fault = faults.status(503)
    with pytest.raises(Unavailable):
        second.get()
    assert second.stats()["keys"] == {}


def test_what_was_under_way_when_purged_is_not_shared(server: IssuerServer, sharing: Any, board: Board):
    keys = sharing()
    hold = server.fault = faults.Hold()
    failed: list[bool] = []

    def wait() -> None:
        with pytest.raises(Unavailable):
            keys.get()
        failed.append(True)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert hold.arrived.wait(WAIT)
    keys.purge()
    server.fault = faults.status(503)
    hold.release()
    settle()
    waiting.join(WAIT)
    assert failed
    assert board.stores == 0


# What is shared is judged like anything else


@pytest.mark.parametrize(
    "change",
    [
        {"url": "https://other.example.com/jwks"},
        {"version": 2},
        {"fetched_at": 0},
        {"fetched_at": 1_750_000_061.0},
        {"fetched_at": None},
        {"fetched_at": "1750000000"},
        {"fetched_at": True},
        {"fresh_for": []},
        {"fresh_for": "inf"},
        {"document": '{"keys":[]}'},
        {"document": "<html>"},
        {"document": " " * 600_000 + '{"keys":[]}'},
        {"etag": "a\r\nX: y"},
        {"last_modified": 5},
        None,
        b"",
        b"\xff",
        b"x" * 4_000_000,
        "text",
        5,
    ],
    ids=lambda change: str(change)[:40],
)
def test_states_that_are_not_taken(server: IssuerServer, sharing: Any, board: Board, change: Any):
    sharing().warm()
    settle()
    if isinstance(change, dict):
        fields = json.loads(board.states[server.jwks_uri]) | change
        board.states[server.jwks_uri] = json.dumps(fields).encode()
    else:
        board.states[server.jwks_uri] = change
    keys = sharing()
    assert [key.kid for key in keys.get()] == [server.issuer.key.kid]
    assert outcomes(keys) == {"updated": 1}
    settle()
    assert sharing().get(), "and what is stored then is good"


class Broken:
    """Fails as whatever somebody brings may."""

    def load(self, url: str) -> bytes | None:
        raise RuntimeError("down")

    def store(self, url: str, state: bytes) -> None:
        raise OSError("down")


def test_a_failure_is_never_one_of_the_keys(server: IssuerServer, sharing: Any, monotonic: Any):
    keys = sharing(shared=Broken())
    assert keys.get()
    settle()
    assert keys.stats()["share_failures"] == 2
    assert keys.refresh_now() is FetchOutcome.UNCHANGED
    settle()
    assert keys.stats()["share_failures"] == 3
    assert server.count() == 2


def test_one_that_hangs_holds_up_one_fetch(server: IssuerServer, sharing: Any, monotonic: Any):
    release, loads = threading.Event(), []

    class Stuck(Board):
        def load(self, url: str) -> bytes | None:
            loads.append(url)
            release.wait(WAIT)
            return None

    keys = sharing(shared=Stuck(), refresh=RefreshSettings(total_timeout=0.1))
    with pytest.raises(Unavailable):
        keys.get()
    monotonic.advance(60)
    keys._settings = RefreshSettings()
    assert keys.get(), "the next one asks the issuer"
    assert keys.refresh_now() is FetchOutcome.UNCHANGED
    assert len(loads) == 1
    release.set()
    settle()


@pytest.mark.parametrize("shared", [5, object(), "redis://", {}], ids=str)
def test_what_is_no_shared_documents(shared: Any):
    with pytest.raises(keybound.PolicyError, match="shared"):
        keybound.RemoteJWKSet("https://as.example.com/jwks", shared=shared)


# A directory


def test_a_directory_keeps_what_it_is_given(tmp_path: Path):
    documents = DirectoryDocuments(tmp_path / "shared")
    assert isinstance(documents, SharedDocuments)
    assert documents.load("https://a.example.com/jwks") is None
    assert not (tmp_path / "shared").exists(), "made by the first who stores"
    documents.store("https://a.example.com/jwks", b"one")
    documents.store("https://a.example.com/jwks", b"two")
    documents.store("https://b.example.com/jwks?../../x", b"three")
    again = DirectoryDocuments(str(tmp_path / "shared"))
    assert again.load("https://a.example.com/jwks") == b"two"
    assert again.load("https://b.example.com/jwks?../../x") == b"three"
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o700
    found = sorted((tmp_path / "shared").iterdir())
    assert len(found) == 2
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in found)


@pytest.fixture
def shared_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    DirectoryDocuments(folder).store("https://a.example.com/jwks", b"one")
    return folder


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777, 0o722])
def test_a_directory_that_others_can_write_to_is_refused(shared_folder: Path, mode: int):
    documents = DirectoryDocuments(shared_folder)
    shared_folder.chmod(mode)
    with pytest.raises(keybound.PolicyError, match="others may write"):
        documents.load("https://a.example.com/jwks")
    with pytest.raises(keybound.PolicyError, match="others may write"):
        documents.store("https://a.example.com/jwks", b"two")
    with pytest.raises(keybound.PolicyError, match="others may write"):
        DirectoryDocuments(shared_folder)


@pytest.mark.parametrize("what", ["writable", "link", "pipe", "folder"])
def test_files_that_are_not_ours_are_refused(shared_folder: Path, tmp_path: Path, what: str):
    (file,) = shared_folder.iterdir()
    if what == "writable":
        file.chmod(0o666)
    else:
        file.unlink()
        elsewhere = tmp_path / "elsewhere"
        elsewhere.write_bytes(b"evil")
        {"link": lambda: file.symlink_to(elsewhere), "pipe": lambda: os.mkfifo(file), "folder": file.mkdir}[
            what
        ]()
    with pytest.raises((keybound.PolicyError, OSError)):
        DirectoryDocuments(shared_folder).load("https://a.example.com/jwks")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_what_belongs_to_somebody_else_is_refused(shared_folder: Path):
    (file,) = shared_folder.iterdir()
    os.chown(file, 12345, 12345)
    with pytest.raises(keybound.PolicyError, match="another user"):
        DirectoryDocuments(shared_folder).load("https://a.example.com/jwks")
    os.chown(shared_folder, 12345, 12345)
    with pytest.raises(keybound.PolicyError, match="another user"):
        DirectoryDocuments(shared_folder)


@pytest.mark.parametrize("path", [None, 5, "", "a\0b", b"bytes"], ids=str)
def test_paths_that_are_none(path: Any):
    with pytest.raises(keybound.PolicyError):
        DirectoryDocuments(path).store("https://a.example.com/jwks", b"")


def test_a_file_is_no_directory(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(keybound.PolicyError):
        DirectoryDocuments(tmp_path / "file")


def test_drafts_of_those_who_died_are_swept(shared_folder: Path):
    (file,) = shared_folder.iterdir()
    old, young = (shared_folder / f"{file.name}.{name}" for name in ("old", "young"))
    for draft in (old, young):
        draft.write_bytes(b"half")
    os.utime(old, (0, 0))
    DirectoryDocuments(shared_folder).store("https://a.example.com/jwks", b"two")
    assert sorted(shared_folder.iterdir()) == sorted([file, young])


def test_readers_never_see_half_of_it(shared_folder: Path):
    documents, url = DirectoryDocuments(shared_folder), "https://a.example.com/jwks"
    seen: set[bytes | None] = set()
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            seen.add(documents.load(url))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(200):
        documents.store(url, bytes([number % 2 + 65]) * 100_000)
    over.set()
    for reader in readers:
        reader.join(WAIT)
    assert seen <= {b"one", b"A" * 100_000, b"B" * 100_000}


# Processes

WORKER = """
import sys, threading
import keybound
from keybound.keys import DirectoryDocuments
from keybound.testing import FakeClock

url, authority, folder = sys.argv[1:4]
monotonic, wall = FakeClock(1000.0), FakeClock()
keys = keybound.RemoteJWKSet(
    url, transport=keybound.HTTPTransport(ca_file=authority), monotonic=monotonic, clock=wall,
    keep_fresh=False, shared=DirectoryDocuments(folder) if folder else None,
)
for line in sys.stdin:
    verb, argument = line.split()
    if verb == "advance":
        monotonic.advance(float(argument))
        wall.advance(float(argument))
    elif verb == "kids":
        assert not any(keys.refresh_for(f"bogus-{number}") for number in range(int(argument)))
    kids = ",".join(sorted(key.kid for key in keys.get()))
    for thread in threading.enumerate():
        if thread.name == "keybound-fetch":
            thread.join(20)
    print(kids, flush=True)
"""


class Worker:
    """A process with one source."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, verb: str, argument: float = 0) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{verb} {argument}\n")
        self.process.stdin.flush()

    def kids(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def do(self, verb: str, argument: float = 0) -> str:
        self.tell(verb, argument)
        return self.kids()

    def close(self) -> None:
        with self.process as process:
            assert process.stdin is not None
            process.stdin.close()
        assert self.process.returncode == 0


@pytest.fixture
def workers(
    server: IssuerServer, authority: CertificateAuthority, tmp_path: Path
) -> Iterator[Callable[[bool], list[Worker]]]:
    pem = tmp_path / "authority.pem"
    pem.write_bytes(authority.pem)
    with ExitStack() as running:

        def start(share: bool) -> list[Worker]:
            folder = str(tmp_path / "shared") if share else ""
            started = [Worker(server.jwks_uri, str(pem), folder) for _ in range(4)]
            for worker in started:
                running.callback(worker.close)
            return started

        yield start


@pytest.mark.parametrize(("share", "warm", "refresh", "attack"), [(False, 4, 40, 4), (True, 1, 10, 1)])
def test_fetches_of_four_processes(
    server: IssuerServer, workers: Any, share: bool, warm: int, refresh: int, attack: int
):
    """P32: fetches for a start, for ten refreshes, and for 4,000 unknown kids; with and without sharing."""
    four = workers(share)
    assert len({worker.do("get") for worker in four}) == 1
    assert server.count() == warm
    for _ in range(10):
        for worker in four:
            worker.do("advance", 300)
            worker.do("get")
    assert server.count() == warm + refresh
    for worker in four:
        worker.do("advance", 10)
    for worker in four:
        worker.do("kids", 1000)
    assert server.count() == warm + refresh + attack


def test_processes_that_start_at_the_same_moment(server: IssuerServer, workers: Any):
    """No lock is held across processes: at worst each fetches once, and from then on they share."""
    four = workers(True)
    for worker in four:
        worker.tell("get")
    assert len({worker.kids() for worker in four}) == 1
    assert 1 <= server.count() <= 4
    before = server.count()
    for worker in four:
        worker.do("advance", 300)
        worker.do("get")
    assert server.count() == before + 1


def test_a_key_that_was_withdrawn_is_gone_in_every_process(server: IssuerServer, workers: Any):
    four = workers(True)
    for worker in four:
        worker.do("get")
    server.issuer.rotate(keep_previous=False)
    for worker in four:
        worker.do("advance", 300)
        assert worker.do("get") == server.issuer.key.kid
    assert server.count() == 2


FORK = """
import os, sys, threading
import keybound
from keybound.keys import DirectoryDocuments
from keybound.testing import IssuerServer

server = IssuerServer().__enter__()
keys = keybound.RemoteJWKSet(
    server.jwks_uri, shared=DirectoryDocuments(sys.argv[1]),
    transport=keybound.HTTPTransport(ssl_context=server.client_context()),
)
keys.warm()
keys._sharing.acquire()  # as if a thread of the parent were at it
for thread in threading.enumerate():
    if "process_request" in thread.name:
        thread.join(20)  # the server's: OpenSSL would leave the child its locks
child = os.fork()
if child == 0:
    assert keys.refresh_now().confirmed
    for thread in threading.enumerate():
        if thread.name == "keybound-fetch":
            thread.join(20)
    assert keys.stats()["share_failures"] == 0
    assert not keys._sharing.locked()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_child_process_shares_on_its_own(tmp_path: Path):
    """F-17."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK, str(tmp_path / "shared")]
    subprocess.run(command, check=True, timeout=60)
