"""Each lesson from the field, beside PyJWT in the same harness: what the one does, and what the other.

    python bench/field.py                # with refreshes that hang for five seconds: about three minutes
    python bench/field.py --hang 0.5     # the same, quickly
    python bench/field.py --only P2 F-8  # some of it

The lessons and their numbers are those of ``tests/demands.py``. Nothing in the table is written down here but
what Keybound must have done; where that is not what it did, the row says ``WRONG`` and the status is 1.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import field_scenes as scenes
import outages
from field_clients import CLIENTS

__all__: list[str] = []

_SPEC = importlib.util.spec_from_file_location("demands", Path(__file__).parents[1] / "tests" / "demands.py")
assert _SPEC is not None
assert _SPEC.loader is not None
demands = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(demands)


class Row(NamedTuple):
    """One lesson.

    :ivar happens: what is done to both
    :ivar scene: does it to a client, and tells what that did
    :ivar held: what Keybound must have done, as a regular expression
    """

    happens: str
    scene: Callable[[Any, float], str]
    held: str


ROWS = {
    "P1": Row("keys due, endpoint 503, 20 tokens", scenes.outage, "20 of 20 accepted, 1 fetch"),
    "P2": Row(
        "1,000 tokens with unknown kids, endpoint 503",
        scenes.unknown_kids_in_an_outage,
        "1,000 refused, 1 fetch; known kid: 20 of 20 accepted",
    ),
    "P3": Row(
        "a known kid while a fetch hangs",
        scenes.refresh_that_hangs,
        r"median .*, [1-9][\d,]+ validations meanwhile; .*",
    ),
    "P4": Row(
        "an event loop while a fetch hangs", scenes.event_loop, r"median lag .*, [1-9][\d,]+ turns meanwhile"
    ),
    "P5": Row(
        "one token, 1,000 times", scenes.same_token, r"1,000 of 1,000 accepted, 1 verified, \S+ \S+ each"
    ),
    "P6": Row(
        "a token that was accepted before, when that has changed",
        scenes.kept_tokens,
        r"in its last seconds: accepted; when it is over: refused \(token_expired\); "
        r"without its certificate: refused \(certificate_missing\); "
        r"its key withdrawn: refused \(key_unknown\)",
    ),
    "P7": Row("1,280 tokens at once", scenes.throughput, r"1,280 of 1,280 accepted, [\d,]+ a second"),
    "P8": Row(
        "a key withdrawn, and a refresh",
        scenes.withdrawn_key,
        r"another token of that key: refused \(key_unknown\)",
    ),
    "F-1": Row("1,000 unknown kids", scenes.unknown_kids, "up: 1 fetch; 503: 1 fetch"),
    "F-2": Row(
        "endpoint 503 for good",
        scenes.outage_to_the_end,
        r"keys due: 20 of 20 accepted; in the end: refused \(Unavailable\)",
    ),
    "F-3": Row(
        "a fetch that hangs",
        scenes.everybody_during_a_refresh,
        r"known kid: median .*; event loop: median lag .*, [1-9][\d,]+ turns",
    ),
    "F-4": Row(
        "a token of a key that is withdrawn",
        scenes.token_of_a_withdrawn_key,
        r"before: accepted; after a refresh: refused \(key_unknown\)",
    ),
    "F-5": Row(
        "one token, three validators",
        scenes.two_policies,
        r"for another audience: refused \(aud_mismatch\); "
        r"where bound tokens are demanded: refused \(cnf_missing\); by the first: accepted",
    ),
    "F-6": Row(
        "a forged token that differs in the middle alone",
        scenes.tokens_alike,
        r"refused \(signature_invalid\)",
    ),
    "F-7": Row(
        "a token that expires",
        scenes.last_second,
        r"in its last seconds: accepted; when it is over: refused \(token_expired\)",
    ),
    "F-8": Row(
        "a certificate-bound token",
        scenes.bound_tokens,
        r"right certificate: accepted; none shown: refused \(certificate_missing\); "
        r"another shown: refused \(certificate_mismatch\); "
        r"thumbprint in hex: refused \(cnf_thumbprint_invalid\); "
        r"cnf.jkt as Bearer: refused \(dpop_proof_missing\)",
    ),
    "F-9": Row(
        "DPoP proofs",
        scenes.proofs,
        r"forged: refused \(signature_invalid\); good, with the same jti: accepted; "
        r"again: refused \(jti_replayed\); same jti, another key: accepted",
    ),
    "F-10": Row(
        "the key is not alone in its set",
        scenes.odd_keys,
        "odd keys before it: accepted; another key with its kid before it: accepted",
    ),
    "F-11": Row(
        "HTML, `{}`, no keys, 10 MB, gzip bomb, redirect to http",
        scenes.answers_that_are_no_set,
        r"keys due: 6 of 6 accepted; redirected to http, a key of there: refused \(key_unknown\)",
    ),
    "F-12": Row("other spellings of a good token", scenes.lax_encodings, "0 of 5 accepted"),
    "F-13": Row(
        "a forged token without kid, 50 keys",
        scenes.fifty_keys,
        r"refused \(key_ambiguous\), 0 fetches, .*",
    ),
    "F-14": Row("crafted tokens, endpoint 503", scenes.crafted_tokens, "11 of 11 refused, 0 accepted"),
    "F-15": Row(
        "junk with a known kid",
        scenes.junk,
        r"64 KB: refused \(token_too_large\) in .*; 1 MB: refused \(token_too_large\) in .*",
    ),
    "F-17": Row(
        "fork() while a thread fetches",
        scenes.fork_during_a_fetch,
        "known kid: accepted; new kid: accepted",
    ),
    "F-18": Row(
        "what error messages repeat",
        scenes.what_messages_say,
        "0 of 7 repeat what the token says, 0 with control characters",
    ),
}


def measure(clients: Sequence[Any], hang: float, only: Sequence[str] = ()) -> tuple[str, list[str]]:
    """A table in Markdown, and the lessons of which Keybound does not do what it must."""
    wrong = []
    names = [client.name for client in clients]
    lines = [f"| Lesson | | {' | '.join(names)} |", "|---|---|" + "---|" * len(names)]
    for lesson in [*(f"P{number}" for number in range(1, 9)), *(f"F-{number}" for number in range(1, 19))]:
        if only and lesson not in only:
            continue
        about = f"| **{lesson}** {demands.FIELD[lesson]}"
        row = ROWS.get(lesson)
        if row is None:
            lines.append(f"{about} | not yet: {demands.LATER[lesson]} |" + " |" * len(names))
            continue
        cells = [row.scene(client, hang) for client in clients]
        if re.fullmatch(row.held, cells[-1]) is None:
            wrong.append(lesson)
            cells[-1] = f"WRONG: {cells[-1]}"
        lines.append(f"{about} | {row.happens} | {' | '.join(cells)} |")
    return "\n".join(lines), wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hang", type=float, default=5.0, help="seconds that a fetch hangs (default: 5)")
    parser.add_argument("--only", nargs="+", default=[], help="lessons, such as P1 and F-3 (default: all)")
    parser.add_argument("--output", type=Path, help="a file for the table")
    arguments = parser.parse_args()
    table, wrong = measure(CLIENTS, arguments.hang, arguments.only)
    print(table)
    if arguments.output is not None:
        arguments.output.write_text(f"{table}\n\n{outages.surroundings()}\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
