"""Imports point down only, and what comes from outside is imported where its risk is meant to be."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import keybound

PACKAGE = Path(keybound.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

LAYERS = (
    ("errors", "events", "limits", "clock", "frozen", "toml"),
    ("_hotpath",),
    ("jose",),
    ("binding", "keys", "stores", "proxies"),
    ("kinds",),
    ("profiles", "policy", "audience"),
    ("tokens", "clients"),
    ("metrics",),
    ("_about", "_tables", ""),
    ("cli", "configuration", "server", "integrations", "compat", "testing", "__main__"),
)
"""From the bottom to the top; the empty name is the package itself, whose names are the public ones."""

ANYWHERE = {"orjson"}
ONLY_IN = {
    "cryptography": {"jose", "binding", "clients", "_hotpath", "testing"},
    "click": {"cli"},
    "httpx": {"keys"},
    "opentelemetry": {"metrics"},
    "prometheus_client": {"metrics"},
    "redis": {"stores"},
    "rich": {"cli"},
    "rich_click": {"cli"},
    # Python 3.10 has no tomllib, and takes tomli in its place.
    "tomli": {"toml"},
    "tomllib": {"toml"},
}
"""Third-party modules and the parts of the package that may know them."""

NETWORK = {
    "asyncio",
    "ftplib",
    "http",
    "imaplib",
    "select",
    "selectors",
    "smtplib",
    "socket",
    "socketserver",
    "urllib",
    "xmlrpc",
}
NETWORK_IN = {"keys", "stores", "server", "cli", "testing"}
PROCESSES = {"multiprocessing", "pty", "subprocess"}
UNSAFE = {"marshal", "pickle", "shelve"}


def part_of(module: str) -> str:
    """The part of the package a module belongs to: the name below ``keybound``."""
    return module.partition(".")[2].partition(".")[0]


def rank(part: str) -> int:
    return next(rank for rank, parts in enumerate(LAYERS) if part in parts)


def imports(module: str, *, at_import_time: bool = False) -> Iterator[str]:
    """Full names of what a module imports, sooner or later, or only what importing it imports.

    What stands under ``TYPE_CHECKING`` couples nothing at run time.
    """
    for node in statements(ast.parse(MODULES[module].read_bytes()), into_functions=not at_import_time):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports by a relative name"
            source = str(node.module)
            for name in node.names:
                inner = f"{source}.{name.name}"
                yield inner if inner in MODULES else source


def statements(tree: ast.AST, *, into_functions: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        if into_functions or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from statements(node, into_functions=into_functions)


def outside(module: str) -> set[str]:
    return {name.partition(".")[0] for name in imports(module)} - {"keybound"}


def test_every_part_has_its_layer():
    parts = {part_of(module) for module in MODULES}
    assert parts <= {part for layer in LAYERS for part in layer}


@pytest.mark.parametrize("module", MODULES)
def test_arrows_point_down(module):
    mine = rank(part_of(module))
    up = {name for name in imports(module) if name.startswith("keybound") and rank(part_of(name)) > mine}
    assert not up


def test_no_circles():
    graph = {
        module: {
            name for name in imports(module, at_import_time=True) if name in MODULES and name != "keybound"
        }
        for module in MODULES
    }
    assert set(TopologicalSorter(graph).static_order()) >= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_third_party_modules(module):
    foreign = outside(module) - set(sys.stdlib_module_names) - ANYWHERE
    assert foreign <= set(ONLY_IN), "a new dependency needs a decision and a row in ONLY_IN"
    assert not {name for name in foreign if part_of(module) not in ONLY_IN[name]}


@pytest.mark.parametrize("module", MODULES)
def test_sockets_and_processes(module):
    part, known = part_of(module), outside(module)
    assert part in NETWORK_IN or not known & NETWORK
    assert part in NETWORK_IN or "ssl" not in known
    assert not known & PROCESSES
    assert not known & UNSAFE


def test_the_hot_path_knows_cryptography_in_its_twins_alone():
    knowing = {
        module for module in MODULES if part_of(module) == "_hotpath" and "cryptography" in outside(module)
    }
    assert knowing
    assert all(module.startswith("keybound._hotpath.pure.") for module in knowing)


def test_the_twins_are_chosen_in_one_place():
    """All take the hot path from ``keybound._hotpath``; ``explain`` runs on the pure checks on purpose."""
    direct = {
        module: name
        for module in MODULES
        if part_of(module) != "_hotpath"
        for name in imports(module)
        if name.startswith(("keybound._hotpath.pure", "keybound._hotpath.native"))
    }
    assert direct == {"keybound.tokens.explain": "keybound._hotpath.pure.claims"}


def test_the_contract_and_the_reasons_stand_alone():
    """The build loads both by their path, before the package can be imported."""
    for module in ("keybound.errors", "keybound._hotpath.contract"):
        assert outside(module) <= set(sys.stdlib_module_names)
        assert not [name for name in imports(module) if name.startswith("keybound")]
