"""One peer in a process of its own: it checks the peer's verdicts, and times it a turn at a time.

Requests and replies are JSON, one a line. ``run.py`` starts it as ``python worker.py PEER CPU``.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from typing import Any

from cases import Case
from peers import PEERS, Peer, Validator

from keybound.cli.stopwatch import Stopwatch

__all__ = ["MANY", "Crowd", "problems", "ready", "stopwatch_of"]

MANY = 64
"""Tokens in one batch."""

_CROWD_NANOSECONDS = 60_000_000
"""Work for one turn of several threads; many times the interval at which the interpreter switches them."""


def problems(peer: Peer, validator: Validator, case: Case) -> Iterator[str]:
    """Every verdict of the peer that is wrong."""
    for token, claims in case.good:
        try:
            result = validator.validate(token)
            if peer.read_claims is not None and peer.read_claims(result) != claims:
                yield "returns wrong claims"
                return
        except Exception as error:
            yield f"rejects a good token: {type(error).__name__}: {error}"
            return
    if validator.validate_many is not None:
        tokens = [token for token, _ in case.good[:MANY]]
        verified = validator.validate_many(tokens, 1)
        if [peer.read_claims(token) for token in verified if peer.read_claims] != [
            claims for _, claims in case.good[:MANY]
        ]:
            yield "returns wrong claims for a batch"
    for name in sorted(peer.rejects):
        try:
            validator.validate(case.bad[name])
        except validator.rejection:
            continue
        except Exception as error:
            yield f"fails on a token ({name}): {type(error).__name__}: {error}"
        else:
            yield f"accepts a token: {name}"


def ready(peer: Peer, case: Case) -> tuple[dict[str, str], Validator | None]:
    """The state of the peer for a case, and its validator if it may be timed."""
    if case.algorithm in peer.lacks:
        return {"state": "unsupported"}, None
    try:
        validator = peer.prepare(case)
    except ImportError as error:
        return {"state": "not installed", "problem": str(error)}, None
    except Exception as error:
        return {"state": "wrong", "problem": f"cannot be prepared: {type(error).__name__}: {error}"}, None
    wrong = "; ".join(problems(peer, validator, case))
    return ({"state": "wrong", "problem": wrong}, None) if wrong else ({"state": "ready"}, validator)


def stopwatch_of(validator: Validator, case: Case, kind: str) -> Stopwatch[Any]:
    """What is timed: ``new`` tokens in turn, one token ``again`` and again, or ``batch`` after batch."""
    tokens = [token for token, _ in case.good]
    if kind == "again":
        return Stopwatch(validator.validate, tokens[:1], copies=True)
    if kind == "batch":
        many = validator.validate_many
        assert many is not None
        return Stopwatch(lambda batch: many(batch, 1), [tokens[:MANY]])
    return Stopwatch(validator.validate, tokens)


class Crowd:
    """The tokens of a case, validated by several threads at once; wall-clock time."""

    def __init__(self, validator: Validator, case: Case, kind: str) -> None:
        self._validator = validator
        tokens = [token for token, _ in case.good]
        once = Stopwatch(validator.validate, tokens).turn(1)[0]
        calls = max(len(tokens), round(_CROWD_NANOSECONDS / once))
        self._tokens = list(islice(cycle(tokens), calls))
        self._many = kind == "batch"

    def turn(self, threads: int) -> float:
        """Nanoseconds per validation, of all threads together."""
        gc.collect()
        return (self._in_one_call if self._many else self._side_by_side)(threads) / len(self._tokens)

    def _in_one_call(self, threads: int) -> int:
        many = self._validator.validate_many
        assert many is not None
        started = time.perf_counter_ns()
        many(self._tokens, threads)
        return time.perf_counter_ns() - started

    def _side_by_side(self, threads: int) -> int:
        gate = threading.Barrier(threads + 1)

        def work(tokens: list[str], validate: Callable[[str], Any] = self._validator.validate) -> None:
            gate.wait()
            for token in tokens:
                validate(token)

        crowd = [threading.Thread(target=work, args=(self._tokens[n::threads],)) for n in range(threads)]
        for thread in crowd:
            thread.start()
        gate.wait()
        started = time.perf_counter_ns()
        for thread in crowd:
            thread.join()
        return time.perf_counter_ns() - started


def _serve(peer: Peer) -> None:
    case: Case | None = None
    validator: Validator | None = None
    stopwatch: Stopwatch[Any] | None = None
    crowd: Crowd | None = None
    replies = os.fdopen(os.dup(1), "w")
    # What a library prints must not get between the replies.
    os.dup2(2, 1)
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        reply: object = []
        if "case" in request:
            stopwatch = crowd = validator = None
            gc.unfreeze()
            case = Case(**request["case"])
            reply, validator = ready(peer, case)
            # The collections between batches then look at what the batches left, and not at everything.
            gc.collect()
            gc.freeze()
        if validator is not None and case is not None and "measure" in request:
            kind = request["kind"]
            if request["measure"] == "threads":
                crowd = crowd or Crowd(validator, case, kind)
                reply = [crowd.turn(request["threads"])]
            else:
                stopwatch = stopwatch or stopwatch_of(validator, case, kind)
                reply = [stopwatch.full_pass()] if request["measure"] == "pass" else stopwatch.turn()
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    name, cpu = sys.argv[1:]
    if cpu != "any":
        os.sched_setaffinity(0, {int(cpu)})
    # joserfc warns on every EdDSA token; the first one would be printed.
    warnings.simplefilter("ignore")
    _serve(PEERS[name])
