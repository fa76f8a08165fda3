"""Keybound against other JOSE libraries, as ratios from one interleaved run.

    python bench/run.py [--algorithms RS256 ES256] [--peers ryjwt pyjwt] [--rounds 40] [--json FILE]

``README.md`` says what is measured and how to read it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from cases import Case, make_case
from peers import BASELINE, PEERS, Peer

__all__ = ["main"]

ALGORITHMS = ("HS256", "RS256", "PS256", "ES256", "ES384", "ES512", "ES256K", "EdDSA")
OURS = frozenset(name for name, peer in PEERS.items() if peer.distribution == "keybound")
PURE = "keybound-pure"
_WORKER = Path(__file__).with_name("worker.py")
_LIBRARIES_BENEATH = ("cryptography", "orjson", "msgspec")


class Worker:
    """The process of one peer."""

    def __init__(self, peer: Peer, cpu: str) -> None:
        self.state: dict[str, str] = {}
        self.samples: list[float] = []
        self._process = subprocess.Popen(
            [sys.executable, str(_WORKER), peer.name, cpu],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("KEYBOUND_")}
            | dict(peer.environment),
        )

    def prepare(self, case: Case) -> None:
        self.samples = []
        self.state = self._ask({"case": case.to_json()})

    def take_turn(self) -> None:
        self.samples += self._ask({})

    def close(self) -> None:
        self._process.communicate()

    def _ask(self, request: dict[str, Any]) -> Any:
        requests, replies = self._process.stdin, self._process.stdout
        assert requests is not None
        assert replies is not None
        print(json.dumps(request), file=requests, flush=True)
        reply = replies.readline()
        if not reply:
            raise RuntimeError(f"a worker died with status {self._process.wait()}")
        return json.loads(reply)

    def result(self) -> dict[str, Any]:
        """Nanoseconds per validation: the least, and the median over all batches."""
        if not self.samples:
            return self.state
        return self.state | {
            "best": min(self.samples),
            "median": median(self.samples),
            "batches": len(self.samples),
        }


def measure(algorithm: str, workers: dict[str, Worker], rounds: int) -> dict[str, dict[str, Any]]:
    """One result per peer; in every round each peer has one turn, in an order drawn anew."""
    case = make_case(algorithm)
    for worker in workers.values():
        worker.prepare(case)
    running = [worker for worker in workers.values() if worker.state["state"] == "ready"]
    for _ in range(rounds):
        random.shuffle(running)
        for worker in running:
            worker.take_turn()
    return {name: worker.result() for name, worker in workers.items()}


# --- report ---------------------------------------------------------------------------------------


def markdown(report: dict[str, Any]) -> str:
    """The whole report as Markdown."""
    results = report["results"]
    sections = [_heading(report), _table(results, BASELINE), *_findings(results)]
    if any(PURE in peers for peers in results.values()):
        sections.insert(2, _table(results, PURE))
    return "\n\n".join(sections)


def _heading(report: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    return (
        f"{report['date']}; {report['machine']}; Python {report['python']}; {report['rounds']} rounds\n\n"
        f"{versions}\n\n"
        "Every column after the microseconds is a ratio: time of that peer divided by time of Keybound, best "
        "batch of each. Above 1 Keybound is faster. Microseconds hold for this machine only."
    )


def _table(results: dict[str, dict[str, Any]], base: str) -> str:
    peers = [name for name in next(iter(results.values())) if name != base and name in _columns(base)]
    rows = [["", f"{base}, µs", *peers], ["---", *["---:"] * (len(peers) + 1)]]
    for algorithm, row in results.items():
        own = row.get(base, {}).get("best")
        cells = [_cell(row[name], own) for name in peers]
        rows.append([algorithm, f"{own / 1000:.2f}" if own else _state(row[base]), *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _columns(base: str) -> Iterable[str]:
    return PEERS if base == BASELINE else [name for name in PEERS if name not in OURS]


def _cell(result: dict[str, Any], own: float | None) -> str:
    if "best" not in result or own is None:
        return _state(result)
    return f"{result['best'] / own:.2f}"


def _state(result: dict[str, Any]) -> str:
    state: str = result["state"]
    return {"unsupported": "-", "wrong": "WRONG"}.get(state, state)


def _findings(results: dict[str, dict[str, Any]]) -> list[str]:
    """Who is faster than Keybound, and whose verdicts are wrong."""
    lines = []
    for algorithm, row in results.items():
        own = row[BASELINE].get("best")
        rivals = {
            name: result["best"] for name, result in row.items() if name not in OURS and "best" in result
        }
        if own and rivals and (best := min(rivals, key=rivals.__getitem__)) and rivals[best] < own:
            lines.append(
                f"* {algorithm}: {best} is faster, Keybound takes {own / rivals[best]:.2f} times as long"
            )
        lines += [
            f"* {algorithm}: {name} was not timed: {result['problem']}"
            for name, result in row.items()
            if "problem" in result
        ]
    return ["\n".join(lines)] if lines else []


# --- surroundings ---------------------------------------------------------------------------------


def _machine() -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.partition(":")[2].strip()
            for line in cpuinfo.read_text().splitlines()
            if "model name" in line
        ]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}"


def _versions(peers: Iterable[str]) -> dict[str, str]:
    names = [*dict.fromkeys(PEERS[name].distribution for name in peers), *_LIBRARIES_BENEATH]
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _cpu() -> str:
    """One processor for everybody, as only one worker runs at a time; ``any`` where that cannot be said."""
    return str(max(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else "any"


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--algorithms", nargs="+", default=ALGORITHMS, metavar="ALG", help=" ".join(ALGORITHMS)
    )
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS), metavar="PEER")
    parser.add_argument(
        "--rounds", type=int, default=40, help="turns of each peer per algorithm (default 40)"
    )
    parser.add_argument("--cpu", default=_cpu(), help="number of the CPU to run on, or 'any'")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON, too")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and return 1 if a verdict was wrong."""
    options = _arguments(arguments)
    chosen = [name for name in PEERS if name in {BASELINE, *options.peers}]
    workers = {name: Worker(PEERS[name], options.cpu) for name in chosen}
    results = {}
    for algorithm in options.algorithms:
        print(f"{algorithm} ...", file=sys.stderr, flush=True)
        results[algorithm] = measure(algorithm, workers, options.rounds)
    for worker in workers.values():
        worker.close()
    report = {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": _machine(),
        "python": platform.python_version(),
        "rounds": options.rounds,
        "versions": _versions(chosen),
        "results": results,
    }
    print(markdown(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return int(any(result["state"] == "wrong" for row in results.values() for result in row.values()))


if __name__ == "__main__":
    sys.exit(main())
