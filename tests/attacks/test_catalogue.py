"""The catalogue of published attacks: every one has a test here, or a reason why it cannot be one.

A is about signatures that were not checked, B about algorithms and keys that were mixed up, C about
weak keys and keys that leaked, D about where a key comes from, E about serializations, F about
denial of service, G about claims, H about cryptography. A test is named after the attacks it shows
Keybound not to have.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ATTACKS = {"a": 17, "b": 29, "c": 12, "d": 28, "e": 33, "f": 14, "g": 30, "h": 17}

KEY_FETCHING = "about fetching keys over the network; the keys of a validator are given to it"
IN_FRONT = "about the server in front of the validator, which sees no request"
BY_VECTORS = "about single signatures; the published vectors in tests/vectors hold them"
NO_DEPENDENCY = "about a library that Keybound does not use"
NOT_HERE = {
    "c8": "a list of leaked secrets is the operator's; secrets below the size of the hash are refused",
    **dict.fromkeys(["d7", "d8", "d9", "d10", "d11", "d15", "d16", "d19", "d20"], KEY_FETCHING),
    "d24": "about the signer of load balancer tokens; no profile for them",
    "d26": "about private keys, which are refused",
    "d27": IN_FRONT,
    "e32": "the same as f1",
    "f9": "there is no pattern in any policy",
    "f11": IN_FRONT,
    "g13": IN_FRONT,
    "g14": IN_FRONT,
    "g27": IN_FRONT,
    "g29": IN_FRONT,
    "g30": IN_FRONT,
    **dict.fromkeys(["h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8"], BY_VECTORS),
    "h11": "about curves that are in no table",
    "h12": "about comparing byte by byte; see the side channels in SECURITY.md",
    "h13": NO_DEPENDENCY,
    "h17": NO_DEPENDENCY,
}


def ids_in_test_names() -> set[str]:
    names = [
        node.name
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    return {found for name in names for found in re.findall(r"(?<=_)[a-h]\d+(?=_)", name)}


def test_every_attack_is_accounted_for() -> None:
    every = {f"{section}{number}" for section, count in ATTACKS.items() for number in range(1, count + 1)}
    assert ids_in_test_names() | set(NOT_HERE) == every
    assert not ids_in_test_names() & set(NOT_HERE)
