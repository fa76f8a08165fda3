"""The twins and the stubs of the native one offer the same names with the same signatures."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest

import keybound._hotpath
from keybound._hotpath import pure as pure_package

MODULES = (
    "base64url",
    "batch",
    "cache",
    "claims",
    "digest",
    "self_signed",
    "signature",
    "strict_json",
    "token",
)
STUBS = Path(keybound._hotpath.__file__).parent / "native"
# The pure twin alone: its checks one by one, for `explain`.
PURE_ALONE = {"claims": {"CHECKS", "Proof", "check_claims"}}


def stub(module: str) -> ast.Module:
    return ast.parse((STUBS / f"{module}.pyi").read_text("utf-8"))


def names_in(*classes: Any) -> set[str]:
    """Methods and attributes of classes in a stub."""
    members = [member for node in classes for member in node.body]
    methods = {member.name for member in members if isinstance(member, ast.FunctionDef)}
    return methods | {
        member.target.id
        for member in members
        if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name)
    }


def named(node: ast.stmt, base: ast.expr) -> bool:
    return isinstance(node, ast.ClassDef) and isinstance(base, ast.Name) and node.name == base.id


def parameters_of_stub(node: ast.FunctionDef) -> list[str]:
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return [name for name in names if name != "self"]


def parameters_of(function: Any) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


def test_no_module_is_left_out() -> None:
    assert {path.stem for path in STUBS.glob("*.pyi")} == set(MODULES)
    folder = Path(pure_package.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(MODULES)
    assert set(keybound._hotpath.__all__) == {*MODULES, "BACKEND"}


@pytest.mark.parametrize("module", MODULES)
def test_public_names(native: Any, pure: Any, module: str) -> None:
    in_pure, in_native = getattr(pure, module).__all__, getattr(native, module).__all__
    assert set(in_pure) - PURE_ALONE.get(module, set()) == set(in_native)
    assert list(in_native) == sorted(in_native)
    assert all(hasattr(getattr(native, module), name) for name in in_native)
    assert all(hasattr(getattr(pure, module), name) for name in in_pure)


@pytest.mark.parametrize("module", MODULES)
def test_stub_names_what_there_is(pure: Any, module: str) -> None:
    defined = {node.name for node in stub(module).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert defined == set(getattr(pure, module).__all__) - PURE_ALONE.get(module, set())


@pytest.mark.parametrize("module", MODULES)
def test_functions_take_the_same_parameters(native: Any, pure: Any, module: str) -> None:
    for node in stub(module).body:
        if not isinstance(node, ast.FunctionDef):
            continue
        in_pure = getattr(getattr(pure, module), node.name)
        in_native = getattr(getattr(native, module), node.name)
        assert parameters_of_stub(node) == parameters_of(in_pure), node.name
        assert parameters_of_stub(node) == parameters_of(in_native), node.name


@pytest.mark.parametrize("module", MODULES)
def test_classes_offer_the_same_attributes(native: Any, pure: Any, module: str) -> None:
    for node in stub(module).body:
        if not isinstance(node, ast.ClassDef):
            continue
        in_stub = names_in(node)
        for base in node.bases:
            in_stub |= names_in(*(other for other in stub(module).body if named(other, base)))
        in_native = getattr(getattr(native, module), node.name)
        public = {name for name in dir(in_native) if not name.startswith("_")}
        assert public == {name for name in in_stub if not name.startswith("_")}, node.name
        in_pure = getattr(getattr(pure, module), node.name)
        # The pure twin compiles claim rules into themselves.
        if module != "claims":
            missing = {name for name in public if not hasattr(in_pure, name)}
            assert not missing, f"{node.name}: {missing}"


@pytest.mark.parametrize("name", ["VerifiedToken", "KeyIndex", "CompiledHeader", "Validator"])
def test_methods_take_the_same_parameters(native: Any, pure: Any, name: str) -> None:
    (node,) = (node for node in stub("token").body if isinstance(node, ast.ClassDef) and node.name == name)
    for member in node.body:
        if not isinstance(member, ast.FunctionDef) or member.name == "__init__" or member.decorator_list:
            continue
        for twin in (native, pure):
            method = getattr(getattr(twin.token, name), member.name)
            assert parameters_of_stub(member) == parameters_of(method), member.name


def test_pure_documents_what_both_do(pure: Any) -> None:
    for module in MODULES:
        for name in getattr(pure, module).__all__:
            documented = getattr(getattr(pure, module), name)
            if inspect.isfunction(documented) or inspect.isclass(documented):
                assert documented.__doc__, f"{module}.{name}"


def test_the_switch_hands_out_one_twin_only() -> None:
    chosen = {
        importlib.import_module(getattr(keybound._hotpath, name).__name__).__package__ for name in MODULES
    }
    assert chosen == {f"keybound._hotpath.{keybound.BACKEND}"}
