"""Every public name says what it is, and every example in a docstring does what it shows."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import keybound

PUBLIC = [
    "keybound",
    *(
        module.name
        for module in pkgutil.walk_packages(keybound.__path__, "keybound.")
        if not re.search(r"\._|keybound\.cli", module.name)
    ),
]


def callables(module: str) -> Iterator[tuple[str, Any]]:
    """What a module offers to be called, and the public members of its classes."""
    loaded = importlib.import_module(module)
    for name in getattr(loaded, "__all__", ()):
        value = getattr(loaded, name)
        if isinstance(value, types.GenericAlias):
            continue  # a class too, to Python 3.10; its text is below it
        if inspect.isroutine(value) or inspect.isclass(value):
            yield f"{module}.{name}", value
        for member, inner in vars(value).items() if inspect.isclass(value) else ():
            if not member.startswith("_") and (inspect.isroutine(inner) or isinstance(inner, property)):
                yield f"{module}.{name}.{member}", inner


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_callable_is_documented(module):
    assert importlib.import_module(module).__doc__
    assert [name for name, value in callables(module) if not inspect.getdoc(value)] == []


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_constant_is_documented(module):
    """By the text below it, since a constant has no docstring of its own."""
    loaded = importlib.import_module(module)
    body = ast.parse(Path(str(loaded.__file__)).read_bytes()).body
    for node, following in zip(body, [*body[1:], None], strict=True):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        if names & set(getattr(loaded, "__all__", ())) - {
            "__version__",
            "DEFAULT_CACHE",
            "DEFAULT_LIMITS",
            "DEFAULT_REFRESH",
        }:
            assert isinstance(following, ast.Expr), names
            assert isinstance(following.value, ast.Constant), names


@pytest.mark.parametrize("module", PUBLIC)
def test_examples_do_what_they_show(module):
    loaded = importlib.import_module(module)
    assert doctest.testmod(loaded, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    examples = [
        test.name for name in PUBLIC for test in finder.find(importlib.import_module(name)) if test.examples
    ]
    assert {
        "keybound.testing",
        "keybound.jose.jwe.decrypt",
        "keybound.jose.jws.verify",
        "keybound.binding.certificate.thumbprint",
    } <= set(examples)


@pytest.mark.parametrize(
    "function",
    [
        *(
            keybound.AccessTokenValidator,
            keybound.JWK.from_json,
            keybound.JWK.from_pem,
            keybound.JWK.from_secret,
        ),
        *(keybound.JWKSet.from_json, keybound.jws.verify, keybound.jws.verify_json, keybound.thumbprint),
        *(keybound.PresentedCertificate.from_sha256, keybound.TokenRejected.challenge, keybound.Limits),
        keybound.AccessTokenValidator.validate,
        *(
            keybound.Decryption,
            keybound.DecryptionKey.from_json,
            keybound.jwe.decrypt,
            keybound.jwe.decrypt_json,
        ),
    ],
    ids=lambda function: function.__qualname__,
)
def test_errors_are_documented(function):
    assert ":raises " in (inspect.getdoc(function) or "")
