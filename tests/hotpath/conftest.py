"""The two twins of the hot path, as one parametrised fixture."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import keybound
from keybound.binding import proof_of
from keybound.testing import SigningKey


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


class Lane:
    """The road of one twin behind a cache, with keys that can be exchanged."""

    def __init__(
        self,
        twin: Twins,
        policy: Any,
        *keys: SigningKey,
        clock: Callable[[], float],
        cache: keybound.CacheSettings | None,
    ) -> None:
        self._twin = twin
        self.publish(*keys)
        self.cache = None if cache is None else twin.cache.TokenCache(cache)
        self.validator = twin.token.Validator(
            twin.token.CompiledPolicy(policy.header_rules(), policy.claim_rules()),
            source=self,
            static_keys=None,
            clock=clock,
            to_proof=proof_of,
            reject=Verdict,
            cache=self.cache,
        )

    def publish(self, *keys: SigningKey) -> None:
        loaded = [keybound.JWK.from_json(key.verification_jwk()) for key in keys]
        self._index = self._twin.token.KeyIndex(
            (key.kid, self._twin.signature.load_key(key._kind, key._material), key._mask) for key in loaded
        )

    def snapshot(self) -> Lane:
        return self

    def verdict(self, raw: Any, certificate: Any = None) -> int:
        try:
            self.validator.validate(raw, certificate=certificate)
        except Verdict as verdict:
            return int(verdict.args[0])
        return int(keybound.Reason.OK)


class Verdict(Exception):
    """What the hot path says, in place of an exception of Keybound."""


@pytest.fixture(scope="session")
def lane() -> type[Lane]:
    return Lane
