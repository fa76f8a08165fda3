"""One peer in a process of its own: it checks the peer's verdicts, and times it a turn at a time.

Requests and replies are JSON, one a line. ``run.py`` starts it as ``python worker.py PEER CPU``.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

from cases import Case
from peers import PEERS, Peer, Validator

__all__ = ["problems", "ready"]

_BATCH_NANOSECONDS = 2_000_000
"""Long enough for the clock, short enough to fit between two interruptions by other processes."""

_BATCHES_PER_TURN = 5


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


class _Stopwatch:
    """Times one validator on the good tokens of one case."""

    def __init__(self, validator: Validator, case: Case) -> None:
        self._validate = validator.validate
        self._tokens = [token for token, _ in case.good]
        self._batch = self._tokens
        once = min(self._time() for _ in range(3)) / len(self._tokens)
        calls = max(1, round(_BATCH_NANOSECONDS / once))
        repeats, rest = divmod(calls, len(self._tokens))
        self._batch = self._tokens * repeats + self._tokens[:rest]

    def turn(self) -> list[float]:
        """Nanoseconds per validation, of each batch of one turn."""
        # The caches of the processor hold what the previous peer left there.
        for token in self._tokens[:8]:
            self._validate(token)
        return [self._time() / len(self._batch) for _ in range(_BATCHES_PER_TURN)]

    def _time(self) -> int:
        validate = self._validate
        # When a collection falls due depends on all that was allocated before, not on this batch.
        gc.collect()
        gc.disable()
        try:
            started = time.process_time_ns()
            for token in self._batch:
                validate(token)
            return time.process_time_ns() - started
        finally:
            gc.enable()


def _serve(peer: Peer) -> None:
    stopwatch: _Stopwatch | None = None
    replies = os.fdopen(os.dup(1), "w")
    # What a library prints must not get between the replies.
    os.dup2(2, 1)
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        reply: object
        if "case" in request:
            case = Case(**request["case"])
            reply, validator = ready(peer, case)
            stopwatch = _Stopwatch(validator, case) if validator else None
        else:
            reply = stopwatch.turn() if stopwatch else []
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    name, cpu = sys.argv[1:]
    if cpu != "any":
        os.sched_setaffinity(0, {int(cpu)})
    # joserfc warns on every EdDSA token; the first one would be printed.
    warnings.simplefilter("ignore")
    _serve(PEERS[name])
