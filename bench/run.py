"""Keybound against other JOSE libraries, as ratios from one interleaved run.

    python bench/run.py [--quick | --all] [--sections ...] [--algorithms ...] [--output bench/results]
    python bench/run.py --check bench/results/results.json

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
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import check
import report
from cases import Case, make_case, random_keys
from peers import BASELINE, FLOOR, OURS, PEERS, Peer
from worker import MANY

import keybound

__all__ = ["ALGORITHMS", "main", "measure", "surroundings"]

ALGORITHMS = ("HS256", "RS256", "PS256", "ES256", "ES384", "ES512", "ES256K", "EdDSA")
SIZES = (1024, 2560, 8192, 16384)
"""Bytes of a token, beside the usual 510 to 810."""

KEYS = (1, 10, 100, 1000, 10_000)
THREADS = (1, 2, 4, 8)

_HERE = Path(__file__).parent
_LIBRARIES_BENEATH = ("cryptography", "orjson", "msgspec")
_RIVALS = tuple(name for name in PEERS if name not in OURS)
_KEY_SET_ALGORITHM = "ES256"
_STARTS = 7
_CACHED_TOKENS = 4000
_COUNTED_KEYS = 2000

Results = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Plan:
    """What to measure and how often; ``rounds`` are turns of each peer."""

    sections: Sequence[str]
    algorithms: Sequence[str]
    peers: Sequence[str]
    sizes: Sequence[int]
    keys: Sequence[int]
    threads: Sequence[int]
    rounds: int
    few_rounds: int
    cpu: str

    def chosen(self, *names: str) -> list[str]:
        """Those of the names, in their order, that take part."""
        return [name for name in names if name in self.peers]


class Worker:
    """The process of one peer."""

    def __init__(self, peer: Peer, cpu: str) -> None:
        self.state: dict[str, str] = {}
        self.samples: list[float] = []
        self.kind = "new"
        self._process = subprocess.Popen(
            [sys.executable, str(_HERE / "worker.py"), peer.name, cpu],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_environment(peer),
        )

    def prepare(self, case: str, kind: str = "new") -> None:
        """Hand over a case as JSON; ``kind`` of work as in ``worker.stopwatch_of``."""
        self.samples, self.kind = [], kind
        self.state = self._ask(f'{{"case": {case}}}')

    def take_turn(self, measure: str = "turn", **options: Any) -> None:
        self.samples += self._ask(json.dumps({"measure": measure, "kind": self.kind, **options}))

    def close(self) -> None:
        self._process.communicate()

    def _ask(self, request: str) -> Any:
        requests, replies = self._process.stdin, self._process.stdout
        assert requests is not None
        assert replies is not None
        print(request, file=requests, flush=True)
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


@contextmanager
def _workers(names: Iterable[str], cpu: str) -> Iterator[dict[str, Worker]]:
    workers = {name: Worker(PEERS[name], cpu) for name in names}
    try:
        yield workers
    finally:
        for worker in workers.values():
            worker.close()


def _environment(peer: Peer) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("KEYBOUND_")}
    return own | dict(peer.environment)


def measure(
    case: Case,
    workers: dict[str, Worker],
    rounds: int,
    *,
    kind: str = "new",
    turn: Callable[[Worker], None] = Worker.take_turn,
) -> Results:
    """One result per worker; in every round each has one turn, in an order drawn anew."""
    text = json.dumps(case.to_json())
    for worker in workers.values():
        worker.prepare(text, kind)
    running = [worker for worker in workers.values() if worker.state["state"] == "ready"]
    for _ in range(rounds):
        random.shuffle(running)
        for worker in running:
            turn(worker)
    return {name: worker.result() for name, worker in workers.items()}


# --- sections -------------------------------------------------------------------------------------


def validation(plan: Plan) -> Results:
    """New tokens of the usual size, by algorithm."""
    results = {}
    without = ("keybound-again", "keybound-pure-again")
    with _workers([name for name in plan.peers if name not in without], plan.cpu) as workers:
        for algorithm in plan.algorithms:
            _say(f"new tokens, {algorithm}")
            case = make_case(algorithm)
            results[algorithm] = {
                "bytes": len(case.good[0][0]),
                "peers": measure(case, workers, plan.rounds),
            }
    return results


def again(plan: Plan) -> Results:
    """The same token again, by algorithm."""
    results = {}
    names = plan.chosen("keybound-again", "keybound-pure-again", *_RIVALS)
    with _workers(names, plan.cpu) as workers:
        for algorithm in plan.algorithms:
            _say(f"the same token again, {algorithm}")
            case = make_case(algorithm)
            results[algorithm] = {
                "bytes": len(case.good[0][0]),
                "peers": measure(case, workers, plan.few_rounds, kind="again"),
            }
    return results


def sizes(plan: Plan) -> Results:
    """New tokens filled up to a size, and the same again, by algorithm and size."""
    results: Results = {}
    usual = plan.chosen("keybound", "keybound-claims", "keybound-pure", *FLOOR, *_RIVALS)
    with (
        _workers(usual, plan.cpu) as workers,
        _workers(plan.chosen("keybound-again"), plan.cpu) as remembering,
    ):
        for algorithm in plan.algorithms:
            results[algorithm] = {}
            for size in plan.sizes:
                _say(f"tokens of {size} bytes, {algorithm}")
                case = make_case(algorithm, size=size)
                peers = measure(case, workers, plan.few_rounds)
                peers |= measure(case, remembering, plan.few_rounds, kind="again")
                results[algorithm][str(size)] = {"bytes": len(case.good[0][0]), "peers": peers}
    return results


def keys(plan: Plan) -> Results:
    """Tokens of one key out of a set, and of all its keys in turn, by the size of the set."""
    results: Results = {}
    names = [name for name in plan.chosen("keybound", "keybound-pure", *_RIVALS) if PEERS[name].sets]
    with _workers(names, plan.cpu) as workers:
        for count in plan.keys:
            _say(f"one of {count} keys")
            case = make_case(_KEY_SET_ALGORITHM, keys=count)
            results[str(count)] = {"one": measure(case, workers, plan.few_rounds)}
    with _workers(plan.chosen("keybound", "keybound-untabled"), plan.cpu) as workers:
        for count in plan.keys:
            _say(f"{count} keys in turn")
            case = make_case(_KEY_SET_ALGORITHM, keys=count, every_key_signs=True, pool=1000)
            results[str(count)]["all"] = _steady(case, workers)
    return results


def _steady(case: Case, workers: dict[str, Worker]) -> Results:
    """Whole passes over all tokens, once every key that earns a table has had the time to."""

    def whole_pass(worker: Worker) -> None:
        worker.take_turn("pass")

    results = measure(case, workers, 24, turn=whole_pass)
    for worker in workers.values():
        worker.samples = worker.samples[-4:]
    return {name: worker.result() for name, worker in workers.items()} if results else {}


def threads(plan: Plan) -> Results:
    """Wall-clock time with several threads, by algorithm and number of threads."""
    results: Results = {}
    names = plan.chosen("keybound", "ryjwt", "oxyjwt", "joserfc", "pyjwt")
    with _workers(names, "any") as workers, _workers(plan.chosen("keybound"), "any") as batching:
        for algorithm in plan.algorithms:
            _say(f"threads, {algorithm}")
            case = make_case(algorithm)
            result = _by_threads(case, workers, plan, "new")
            if "keybound" in batching:
                result["keybound-batch"] = _by_threads(case, batching, plan, "batch")["keybound"]
            results[algorithm] = result
    return results


def _by_threads(case: Case, workers: dict[str, Worker], plan: Plan, kind: str) -> dict[str, Any]:
    text = json.dumps(case.to_json())
    samples: dict[str, dict[int, list[float]]] = {}
    for name, worker in workers.items():
        worker.prepare(text, kind)
        samples[name] = {number: [] for number in plan.threads}
    ready = [name for name, worker in workers.items() if worker.state["state"] == "ready"]
    turns = [(name, number) for name in ready for number in plan.threads]
    for _ in range(plan.few_rounds // 2 + 1):
        random.shuffle(turns)
        for name, number in turns:
            worker = workers[name]
            worker.samples = []
            worker.take_turn("threads", threads=number)
            samples[name][number] += worker.samples
    return {
        name: workers[name].state
        | ({"best": {str(n): min(times) for n, times in samples[name].items()}} if name in ready else {})
        for name in workers
    }


def batches(plan: Plan) -> Results:
    """One thread: tokens one at a time, and the same tokens in batches, by algorithm."""
    results: Results = {}
    with (
        _workers(plan.chosen("keybound"), plan.cpu) as singly,
        _workers(plan.chosen("keybound"), plan.cpu) as together,
    ):
        for algorithm in plan.algorithms:
            _say(f"batches, {algorithm}")
            text = json.dumps(make_case(algorithm).to_json())
            one, many = singly["keybound"], together["keybound"]
            one.prepare(text)
            many.prepare(text, "batch")
            for _ in range(plan.few_rounds):
                one.take_turn()
                many.take_turn()
            many.samples = [sample / MANY for sample in many.samples]
            results[algorithm] = {"one": one.result(), "batch": many.result(), "tokens": MANY}
    return results


def startup(plan: Plan) -> Results:
    """Milliseconds of import, and to the first accepted token, of new processes in turn."""
    text = json.dumps(make_case(_KEY_SET_ALGORITHM).to_json())
    names = plan.chosen("keybound", "keybound-pure", *_RIVALS)
    answers: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for number in range(_STARTS):
        _say(f"start-up, {number + 1} of {_STARTS}")
        for name in names:
            if (answer := _fresh("start", name, text)) is not None:
                answers[name].append(answer)
    return {
        name: {key: min(answer[key] for answer in all_answers) for key in all_answers[0]}
        for name, all_answers in answers.items()
        if all_answers
    }


def memory(plan: Plan) -> Results:
    """Bytes of resident memory per key, per cached token and per table."""
    if not Path("/proc/self/statm").exists():
        return {}
    results: Results = {"keys": {}, "cached": {}, "tables": {}}
    for algorithm in ("ES256", "RS256"):
        _say(f"memory of keys, {algorithm}")
        document = make_case(algorithm).to_json() | {
            "jwks": random_keys(algorithm, _COUNTED_KEYS),
            "pem": None,
        }
        names = [name for name in plan.chosen("keybound", *_RIVALS) if PEERS[name].sets]
        found = {name: _fresh("keys", name, json.dumps(document)) for name in names}
        results["keys"][algorithm] = {name: answer for name, answer in found.items() if answer}
    for size in (0, 2560, 16384):
        _say("memory of cached tokens")
        case = make_case("HS256", size=size, pool=_CACHED_TOKENS).to_json()
        answers = {
            name: _fresh("cached", "keybound", json.dumps({"case": case, "claims": claims}))
            for name, claims in (("unread", False), ("claims", True))
        }
        results["cached"][str(len(case["good"][0][0]))] = answers
    for algorithm in ALGORITHMS:
        _say(f"tables, {algorithm}")
        cases = [make_case(algorithm).to_json() for _ in range(3)]
        if answer := _fresh("tables", "keybound", json.dumps(cases)):
            results["tables"][algorithm] = answer
    return results


def _fresh(question: str, name: str, document: str) -> dict[str, float] | None:
    """The answer of a new process, or ``None`` if the library is not installed."""
    done = subprocess.run(
        [sys.executable, str(_HERE / "fresh.py"), question, name],
        input=document,
        capture_output=True,
        text=True,
        env=_environment(PEERS[name]),
        check=False,
    )
    if done.returncode and "ModuleNotFoundError" in done.stderr:
        return None
    if done.returncode:
        raise RuntimeError(f"{name} failed on {question}: {done.stderr}")
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


SECTIONS: dict[str, Callable[[Plan], Results]] = {
    section.__name__: section
    for section in (validation, again, sizes, keys, threads, batches, startup, memory)
}


# --- surroundings ---------------------------------------------------------------------------------


def surroundings() -> dict[str, Any]:
    """When, where and with what: everything that a ratio may depend on."""
    facts = keybound.about()
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "machine": {
            "model": _model(),
            "cpus": os.cpu_count(),
            "platform": facts["platform"],
            "features": facts["cpu"],
            "tables": facts["tables"]["algorithms"],
            "crypto": facts["crypto"],
        },
        "python": platform.python_version(),
        "versions": _versions(),
    }


def _model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.processor() or platform.machine()
    fields = dict(
        [part.strip() for part in line.split(":", 1)]
        for line in cpuinfo.read_text().splitlines()
        if ":" in line
    )
    # Clouds hide the product's name; family and model tell generations apart.
    numbers = " ".join(fields[name] for name in ("cpu family", "model") if name in fields)
    name = fields.get("model name", platform.machine())
    return f"{name} ({numbers})" if numbers else name


def _versions() -> dict[str, str]:
    versions = {}
    for name in [*dict.fromkeys(peer.distribution for peer in PEERS.values()), *_LIBRARIES_BENEATH]:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _cpu() -> str:
    """One processor for everybody, as only one worker runs at a time; ``any`` where that cannot be said."""
    return str(max(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else "any"


def _load() -> float:
    """Processes that wanted a CPU in the last minute, this run's one included; 0 where nobody counts."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


# --- command --------------------------------------------------------------------------------------


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--all", action="store_true", help="every section (about six minutes)")
    extent.add_argument("--quick", action="store_true", help="every section, thinly (about a minute)")
    extent.add_argument("--check", type=Path, metavar="FILE", help="compare ratios with earlier results")
    parser.add_argument("--sections", nargs="+", choices=list(SECTIONS), metavar="SECTION")
    parser.add_argument("--algorithms", nargs="+", choices=ALGORITHMS, metavar="ALG")
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), metavar="PEER")
    parser.add_argument("--rounds", type=int, help="turns of each peer per algorithm")
    parser.add_argument("--cpu", default=_cpu(), help="number of the CPU to run on, or 'any'")
    parser.add_argument("--output", type=Path, metavar="DIRECTORY", help="write JSON, Markdown and plots")
    return parser.parse_args(arguments)


def _plan(options: argparse.Namespace) -> Plan:
    quick = options.quick
    everything = options.all or quick
    rounds = options.rounds or (8 if quick else 40)
    slow = {"authlib", "jwcrypto", "python-jose", "keybound-pure", "keybound-pure-again"}
    wanted = options.peers or [name for name in PEERS if not (quick and name in slow)]
    return Plan(
        sections=options.sections or (list(SECTIONS) if everything else ["validation", "again"]),
        algorithms=options.algorithms or (("HS256", "RS256", "ES256") if quick else ALGORITHMS),
        peers=[name for name in PEERS if name in {BASELINE, *wanted}],
        sizes=(2560,) if quick else SIZES,
        keys=(1, 100) if quick else KEYS,
        threads=(1, 2) if quick else THREADS,
        rounds=rounds,
        few_rounds=max(1, rounds * 3 // 8),
        cpu=options.cpu,
    )


def main(arguments: list[str] | None = None) -> int:
    """Run and print; return 1 if a verdict was wrong, or a ratio was lost."""
    options = _arguments(arguments)
    plan = _plan(options)
    if options.check:
        return check.compare(
            json.loads(options.check.read_text()),
            surroundings(),
            lambda algorithms: _for_check(plan, algorithms),
        )
    started = time.monotonic()
    results, loads = {}, {}
    for name in plan.sections:
        loads[name] = _load()
        results[name] = SECTIONS[name](plan)
    document = surroundings() | {"rounds": plan.rounds, "loads": loads, "sections": results}
    print(report.markdown(document))
    if options.output:
        report.write(document, options.output)
    _say(f"{time.monotonic() - started:.0f} seconds")
    return int(bool(report.wrong_verdicts(document)))


def _for_check(plan: Plan, algorithms: Sequence[str]) -> dict[str, Results]:
    thin = Plan(
        **vars(plan) | {"algorithms": algorithms, "peers": check.PEERS, "rounds": 16, "few_rounds": 8}
    )
    return {"validation": validation(thin), "again": again(thin)}


if __name__ == "__main__":
    sys.exit(main())
