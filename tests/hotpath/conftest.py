"""The two twins of the hot path, as one parametrised fixture."""

from __future__ import annotations

import importlib
import importlib.util
import os
from types import ModuleType

import pytest


class Twins:
    """One implementation of the hot path; its modules are loaded when they are first named."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, module: str) -> ModuleType:
        if importlib.util.find_spec(f"keybound._hotpath.pure.{module}") is None:
            raise AttributeError(module)
        return load_twin(self.name, module)

    def __repr__(self) -> str:
        return self.name


def load_twin(name: str, module: str) -> ModuleType:
    """The module, or a skip where the native build is missing and nothing demands it."""
    path = f"keybound._hotpath.{name}.{module}"
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as missing:
        if missing.name != path:
            raise
        if name == "native" and os.environ.get("KEYBOUND_REQUIRE_NATIVE", "0") in ("", "0"):
            pytest.skip(f"{path} is not built")
        raise


@pytest.fixture(scope="session", params=["pure", "native"])
def twins(request: pytest.FixtureRequest) -> Twins:
    """Runs the test once for each twin: ``twins.strict_json.loads(...)``."""
    return Twins(request.param)


@pytest.fixture(scope="session")
def pure() -> Twins:
    return Twins("pure")


@pytest.fixture(scope="session")
def native() -> Twins:
    """The native twin, for tests that compare it with the pure one."""
    return Twins("native")
