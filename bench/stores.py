"""What it costs to remember used proofs, and what happens while the server is gone.

    python bench/stores.py memory     # one process: time and memory of a million proofs
    python bench/stores.py server     # a redis-server of its own: one process, then four
    python bench/stores.py outage     # the same server is killed and returns, second by second

A ``valkey-server`` or another program of the same kind: ``--program valkey-server``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keybound import TokenRejected, Unavailable
from keybound.stores import MemoryReplayStore, RedisReplayStore, ReplayStore

__all__: list[str] = []

NOW = 1_750_000_000.0
TURNS = 3


def resident() -> int:
    """Memory of this process in bytes (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def time_of_puts(put: Callable[..., bool], proofs: list[tuple[str, str, str]], now: float) -> float:
    """Seconds of this process for all of them; every one expires within five minutes."""
    started = time.process_time()
    for number, proof in enumerate(proofs):
        put(*proof, expires_at=now + 60 + number % 240, now=now, issued_at=now)
    return time.process_time() - started


def accept(kind: str, principal: str, jti: str, *, expires_at: float, now: float, issued_at: float) -> bool:
    """Remembers nothing: what the loop and its arguments cost."""
    return True


def million(count: int, principals: int, results: Any) -> None:
    """In a process of its own, whose memory nobody has used: microseconds, microseconds, MB."""
    proofs = [("dpop_proof", f"{number % principals:043}", f"{number:036}") for number in range(count)]
    loop = min(time_of_puts(accept, proofs, NOW) for _ in range(TURNS))
    first, second, grown = [], [], 0
    for _ in range(TURNS):
        store = MemoryReplayStore(max_entries=2 * count, max_per_principal=count)
        before = resident()
        first.append(time_of_puts(store.put, proofs, NOW))
        # What an earlier turn gave back is taken again, and does not show.
        grown = max(grown, resident() - before)
        second.append(time_of_puts(store.put, proofs, NOW + 600))
        del store
    results.put(((min(first) - loop) / count * 1e6, (min(second) - loop) / count * 1e6, grown / 1e6))


def memory(count: int) -> None:
    """A million proofs, and a million more while the first expire."""
    print(f"| MemoryReplayStore, {count:,} proofs | put, us | put while as many expire, us | memory, MB |")
    print("|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for principals in (8, count):
        results = context.Queue()
        process = context.Process(target=million, args=(count, principals, results))
        process.start()
        first, second, grown = results.get()
        process.join()
        print(f"| of {principals:,} principals | {first:.2f} | {second:.2f} | {grown:.0f} |", flush=True)


@contextmanager
def running(program: str, folder: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server without persistence, once it answers."""
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
    with subprocess.Popen([program, *options], stdout=subprocess.DEVNULL) as process:
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.01)
            yield process
        finally:
            process.kill()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def work(url: str, name: int, count: int, start: Any, results: Any) -> None:
    """One process of several; tells how long its calls took, sorted."""
    store = RedisReplayStore(url)
    times = []
    start.wait()
    for number in range(count):
        began = time.perf_counter()
        store.put("dpop_proof", f"{name:043}", f"{number:036}", expires_at=NOW + 60, now=NOW, issued_at=NOW)
        times.append(time.perf_counter() - began)
    store.close()
    results.put(sorted(times))


def server(program: str, count: int) -> None:
    """Each process alone with its connection, all on one server."""
    port = free_port()
    print("| RedisReplayStore | puts per second | median, us | 99 of 100 within, us |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, running(program, folder, port):
        url = f"redis://127.0.0.1:{port}/0"
        RedisReplayStore(url).declare_nothing_was_used()
        context = multiprocessing.get_context("spawn")
        for processes in (1, 4):
            start, results = context.Barrier(processes + 1), context.Queue()
            names = range(processes * 100, processes * 101)
            started = [
                context.Process(target=work, args=(url, name, count, start, results)) for name in names
            ]
            for process in started:
                process.start()
            start.wait()
            began = time.perf_counter()
            times = sorted(each for _ in started for each in results.get())
            elapsed = time.perf_counter() - began
            for process in started:
                process.join()
            print(
                f"| {processes} process{'es' if processes > 1 else ''} | {len(times) / elapsed:,.0f} "
                f"| {times[len(times) // 2] * 1e6:.0f} | {times[len(times) * 99 // 100] * 1e6:.0f} |"
            )


def outage(program: str) -> None:
    """A thousand calls a second at most; the server is killed after two seconds and returns after five."""
    port = free_port()
    store = RedisReplayStore(f"redis://127.0.0.1:{port}/0", skew=3)
    print("| second | server | first uses | replays | refused | slowest call, ms | refused for |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        up = running(program, folder, port)
        process = up.__enter__()
        store.declare_nothing_was_used()
        began = time.time()
        for second in range(12):
            if second == 2:
                process.kill()
                process.wait()
            if second == 5:
                up = running(program, folder, port)
                process = up.__enter__()
            told = one_second(store, began + second)
            print(f"| {second} | {'down' if 2 <= second < 5 else 'up'} | {told} |", flush=True)
        process.kill()
        process.wait()
    store.close()


def one_second(store: ReplayStore, began: float) -> str:
    """New proofs, each presented twice."""
    first = replays = refused = 0
    slowest = wait = 0.0
    while (now := time.time()) < began + 1:
        for _ in range(2):
            called = time.perf_counter()
            try:
                if store.put("dpop_proof", "client", f"{now}", expires_at=now + 60, now=now, issued_at=now):
                    first += 1
                else:
                    replays += 1
            except (Unavailable, TokenRejected) as error:
                refused += 1
                wait = getattr(error, "retry_after", None) or 0.0
            slowest = max(slowest, time.perf_counter() - called)
        time.sleep(0.001)
    until = f"{wait:.1f} s more" if refused else "-"
    return f"{first} | {replays} | {refused} | {slowest * 1000:.1f} | {until}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("memory", "server", "outage"))
    parser.add_argument("--program", default="redis-server")
    parser.add_argument(
        "--count", type=int, help="proofs: a million in memory, 10,000 per process on a server"
    )
    options = parser.parse_args()
    if options.what == "memory":
        memory(options.count or 1_000_000)
    elif options.what == "server":
        server(options.program, options.count or 10_000)
    else:
        outage(options.program)


if __name__ == "__main__":
    main()
