"""What an operator may say about the tables of hot keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import keybound

MEGABYTE = 1024 * 1024


@pytest.fixture(autouse=True)
def defaults_afterwards() -> Iterator[None]:
    yield
    keybound.configure_tables(memory_bytes=64 * MEGABYTE)


def test_the_bound_is_shown() -> None:
    keybound.configure_tables(memory_bytes=3 * MEGABYTE)
    shown = keybound.about()["tables"]["limit_bytes"]
    assert shown == (3 * MEGABYTE if keybound.BACKEND == "native" else 0)


def test_no_memory_means_no_tables() -> None:
    keybound.configure_tables(memory_bytes=0)
    assert keybound.about()["tables"]["algorithms"] == []


@pytest.mark.parametrize("value", [-1, 1.5, True, "64", None, 2**41])
def test_memory_is_a_whole_number(value: Any) -> None:
    with pytest.raises(keybound.PolicyError, match="memory_bytes"):
        keybound.configure_tables(memory_bytes=value)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "16", 2**32])
def test_uses_is_a_whole_number(value: Any) -> None:
    with pytest.raises(keybound.PolicyError, match="uses"):
        keybound.configure_tables(memory_bytes=MEGABYTE, uses=value)
