"""Importing the package costs little and does nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

import keybound

FOUNDATION = "dataclasses, datetime, enum, importlib.metadata, inspect, json, orjson, re, typing"
MOST = 2
"""The budget of 60 ms holds on an idle machine (see bench/results); on a busy one the ratio says more."""
RUNS = 12

WATCHED = """
import json, sys
events = []
def hook(event, arguments):
    acts = (
        "socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system", "os.mkdir",
        "os.remove", "os.rename", "os.putenv", "shutil.", "tempfile.", "urllib.", "_thread.", "signal.",
    )
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if event.startswith(acts) or writes:
        events.append(event)
sys.addaudithook(hook)
before = set(sys.modules)
environment = dict(__import__("os").environ)
import keybound
modules = sorted(set(sys.modules) - before)
import logging, threading, warnings
print(json.dumps({
    "backend": keybound.BACKEND,
    "events": events,
    "modules": modules,
    "threads": threading.active_count(),
    "handlers": len(logging.getLogger().handlers) + len(logging.getLogger("keybound").handlers),
    "filters": [str(entry) for entry in warnings.filters if "keybound" in str(entry)],
    "environment": dict(__import__("os").environ) == environment,
}))
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def observed() -> dict[str, Any]:
    done = run("-B", "-W", "error", "-c", WATCHED)
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_nothing_is_opened_started_or_written(observed):
    """P32: and no thread before there is a use for one."""
    assert observed["events"] == []
    assert observed["threads"] == 1
    assert observed["environment"]


def test_logging_and_warnings_are_left_alone(observed):
    assert observed["handlers"] == 0
    assert observed["filters"] == []


def test_what_few_need_is_not_loaded(observed):
    """Sockets, event loops and the command line, and ``keybound.testing``."""
    # On some Pythons orjson alone brings uuid, and with it subprocess.
    alone = run("-c", "import json, orjson, sys; print(json.dumps([*sys.modules]))").stdout
    loaded = {name.partition(".")[0] for name in observed["modules"]} - set(json.loads(alone))
    assert not loaded & {"socket", "ssl", "asyncio", "http", "subprocess", "click", "rich"}
    parts = {name.split(".")[1] for name in observed["modules"] if name.startswith("keybound.")}
    assert not [name for name in observed["modules"] if "jwe" in name or "decrypt" in name]
    assert not parts & {"audience", "cli", "testing", "server", "integrations", "compat"}


def test_cryptography_is_not_loaded_in_native_mode(observed):
    """It takes longer to load than all the rest; only PEM, DER and Ed448 need it."""
    if observed["backend"] != "native":
        pytest.skip("the pure twin verifies with cryptography")
    assert not [name for name in observed["modules"] if name.partition(".")[0] == "cryptography"]


@pytest.mark.skipif(keybound.BACKEND != "native", reason="the pure twin verifies with cryptography")
def test_cryptography_is_not_loaded_to_verify_a_token():
    code = """
import sys, keybound
jwk = {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
       "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
token = "eyJhbGciOiJFUzI1NiJ9." + payload + "." + signature
keybound.jws.verify(token, keybound.JWKSet.from_json(jwk), algorithms=["ES256"])
assert "cryptography" not in sys.modules
"""
    run("-c", code)


def import_time_ms(modules: str) -> float:
    """Processor time of an import with all that it imports, in a new process."""
    code = f"import time; start = time.process_time(); import {modules}; print(time.process_time() - start)"
    return float(run("-c", code).stdout) * 1000


def test_import_time(record_property):
    """P25: the package costs little more than what it stands on; of both the least of several runs counts."""
    own = others = float("inf")
    for _turn in range(RUNS):
        own, others = min(own, import_time_ms("keybound")), min(others, import_time_ms(FOUNDATION))
    record_property("import_time_ms", own)
    if keybound.BACKEND == "native":
        assert own < MOST * others
    else:
        assert own > 0, "reported; cryptography decides how long it takes"


def test_the_switches_contradict_each_other():
    environment = os.environ | {"KEYBOUND_PURE": "1", "KEYBOUND_REQUIRE_NATIVE": "1"}
    command = [sys.executable, "-c", "import keybound"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "contradict" in done.stderr


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_pure_by_environment(value):
    environment = {name: text for name, text in os.environ.items() if name != "KEYBOUND_REQUIRE_NATIVE"}
    command = [sys.executable, "-c", "import keybound; print(keybound.BACKEND, keybound.about()['backend'])"]
    done = subprocess.run(
        command, env=environment | {"KEYBOUND_PURE": value}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["pure", "pure"]
