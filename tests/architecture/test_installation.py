"""The installed package is what its metadata says it is, and loads in a process of its own."""

from __future__ import annotations

import ctypes.util
import os
import subprocess
import sys
import sysconfig
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path

import pytest

import keybound

SOURCE = Path(__file__).parents[2] / "src"
NATIVE_MODULES = sorted(path.stem for path in (SOURCE / "keybound/_hotpath/native").glob("*.pyi"))
INSTALLED = distribution("keybound")
FILES = {str(path) for path in INSTALLED.files or () if not path.match("*.pyc")}
WHEEL = Parser().parsestr(INSTALLED.read_text("WHEEL") or "")
IS_NATIVE = WHEEL["Root-Is-Purelib"] == "false"

from_a_wheel = pytest.mark.skipif(
    "keybound/__init__.py" not in FILES, reason="an editable installation lists no files of the package"
)
native_only = pytest.mark.skipif(keybound.BACKEND != "native", reason="the native modules are not in use")


def run_isolated(code: str) -> str:
    """What ``code`` prints in a new interpreter that turns every warning into an error."""
    environment = {name: value for name, value in os.environ.items() if name != "KEYBOUND_PURE"}
    command = [sys.executable, "-I", "-W", "error", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@from_a_wheel
def test_backend_is_the_one_that_the_wheel_claims():
    expected = "native" if IS_NATIVE else "pure"
    assert run_isolated("import keybound; print(keybound.BACKEND)") == expected


@from_a_wheel
def test_wheel_holds_the_package_and_nothing_else():
    expected = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*")
        if path.suffix in (".py", ".pyi", ".json") or path.name == "py.typed"
    }
    if IS_NATIVE:
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        expected |= {f"keybound/_hotpath/native/{module}{suffix}" for module in NATIVE_MODULES}
    assert {name for name in FILES if name.startswith("keybound/")} == expected


@from_a_wheel
def test_wheel_stays_small():
    """P25: less than 4 MB when this was written; a library linked as a whole would double it."""
    sizes = [path.size or 0 for path in INSTALLED.files or () if not path.match("*.pyc")]
    assert 0 < sum(sizes) < 8 * 1024 * 1024


@from_a_wheel
def test_wheel_is_tagged_for_what_is_inside():
    pure = {"py3-none-any"}
    assert (set(WHEEL.get_all("Tag")) == pure) == (not IS_NATIVE)


@from_a_wheel
def test_wheel_carries_the_licence_of_everything_in_it():
    names = set(INSTALLED.metadata.get_all("License-File"))
    licenses = {name.partition(".dist-info/licenses/")[2] for name in FILES if ".dist-info/licenses/" in name}
    assert licenses == names
    assert "LICENSE" in names
    linked = {"aws-lc/LICENSE", "aws-lc/third_party/s2n-bignum/s2n-bignum-imported/LICENSE"}
    assert linked <= names if IS_NATIVE else not linked & names


@native_only
@pytest.mark.parametrize("module", NATIVE_MODULES)
def test_native_module_loads_alone(module):
    run_isolated(f"import keybound._hotpath.native.{module}")


@native_only
@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python always has a GIL")
def test_import_leaves_the_gil_off():
    assert run_isolated("import keybound, sys; print(sys._is_gil_enabled())") == "False"


@native_only
@pytest.mark.skipif(
    ctypes.util.find_library("crypto") is None, reason="there is no OpenSSL on this machine to collide with"
)
def test_global_openssl_does_not_replace_the_linked_library():
    """A host that embeds Python may have loaded OpenSSL with its symbols global."""
    library = ctypes.util.find_library("crypto")
    code = f"import ctypes; ctypes.CDLL({library!r}, mode=ctypes.RTLD_GLOBAL); import keybound"
    assert run_isolated(f"{code}; print(keybound.about()['crypto'])").startswith("AWS-LC")
