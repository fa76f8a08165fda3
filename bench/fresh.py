"""What can only be measured in a process that has done nothing yet: start-up and memory.

``run.py`` starts it as ``python fresh.py QUESTION PEER`` with a JSON document on standard input, and
reads a JSON document from its standard output. Nothing but the standard library is imported before
the clock starts.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from cases import Case
from peers import PEERS, Peer, access_token_validator

__all__: list[str] = []

_STATM = Path("/proc/self/statm")
_TABLE_USES = 64
"""More than a key needs to earn its table."""


def start(peer: Peer, document: Any) -> dict[str, float]:
    """Processor time in milliseconds of the import, and of the import to the first accepted token."""
    case = Case(**document)
    started = time.process_time_ns()
    import_module(peer.module)
    imported = time.process_time_ns()
    validator = peer.prepare(case)
    validator.validate(case.good[0][0])
    return {
        "import_ms": (imported - started) / 1e6,
        "first_ms": (time.process_time_ns() - started) / 1e6,
    }


def keys(peer: Peer, document: Any) -> dict[str, float]:
    """Bytes per key of a key set, beside the parsed JSON that it was made from."""
    case = Case(**document)
    # Everything that the first key brings along is there before the others are counted.
    warm = peer.prepare(Case(**document | {"jwks": case.jwks[:2]}))
    prepared = []
    used = _growth(lambda: prepared.append(peer.prepare(case)))
    assert warm is not None
    return {"bytes": used / len(case.jwks)}


def cached(peer: Peer, document: Any) -> dict[str, float]:
    """Bytes per token in Keybound's cache, the text of the token included.

    :param document: ``case``, and ``claims``: whether all claims of every token are read
    """
    keybound = import_module("keybound")
    case = Case(**document["case"])
    certificate = case.certificate_der
    texts = [token.encode() for token, _ in case.good]
    settings = keybound.CacheSettings(entries=4 * len(texts), memory_bytes=2**40)
    access_token_validator(case, settings).validate(case.good[0][0], certificate=certificate)
    validator = access_token_validator(case, settings)
    validate, read = validator.validate, document["claims"]

    def fill() -> None:
        for text in texts:
            token = validate(text.decode(), certificate=certificate)
            if read:
                token.claims  # noqa: B018  # builds them

    used = _growth(fill)
    counters = validator.stats()["cache"]
    assert counters["entries"] == len(texts)
    return {"bytes": used / len(texts), "counted": counters["bytes"] / len(texts)}


def tables(peer: Peer, document: Any) -> dict[str, float]:
    """Size and build time of one key's table; empty for an algorithm that has none.

    :param document: cases with one key each
    """
    signature = import_module("keybound._hotpath").signature
    built = []
    for fields in document:
        case = Case(**fields)
        validate = access_token_validator(case).validate
        certificate, token = case.certificate_der, case.good[0][0]
        before = signature.table_counters()
        for _ in range(_TABLE_USES):
            started = time.process_time_ns()
            validate(token, certificate=certificate)
            took = time.process_time_ns() - started
            now = signature.table_counters()
            if now["built"] > before["built"]:
                built.append((now["bytes"] - before["bytes"], took))
                break
    return {"bytes": built[0][0], "build_us": min(took for _, took in built) / 1000} if built else {}


def _growth(work: Callable[[], None]) -> int:
    """Bytes by which the resident memory of this process has grown."""
    gc.collect()
    before = _resident()
    work()
    gc.collect()
    return _resident() - before


def _resident() -> int:
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


_QUESTIONS: dict[str, Callable[[Peer, Any], dict[str, float]]] = {
    "start": start,
    "keys": keys,
    "cached": cached,
    "tables": tables,
}

if __name__ == "__main__":
    question, name = sys.argv[1:]
    warnings.simplefilter("ignore")
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    reply = _QUESTIONS[question](PEERS[name], json.load(sys.stdin))
    print(json.dumps(reply), file=replies, flush=True)
