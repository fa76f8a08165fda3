"""Tables belong to the process: each test here starts without any and leaves the defaults behind."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keybound._hotpath.contract import Kind

# differential.py is a command as well, so it and what it needs are importable by name.
sys.path.insert(0, str(Path(__file__).parent))

DEFAULTS = 64 << 20, 16


@pytest.fixture
def native() -> Iterator[Any]:
    """The native signature module, with no table in it."""
    try:
        signature = importlib.import_module("keybound._hotpath.native.signature")
    except ModuleNotFoundError:
        if os.environ.get("KEYBOUND_REQUIRE_NATIVE", "0") not in ("", "0"):
            raise
        pytest.skip("the native twin is not built")
    configured = signature.table_counters()["limit_bytes"], DEFAULTS[1]
    signature.configure_tables(0, 1)
    signature.configure_tables(*DEFAULTS)
    if not signature.serves_tables(Kind.P256):
        pytest.skip("no tables on this machine")
    yield signature
    signature.configure_tables(0, 1)
    signature.configure_tables(*configured)
