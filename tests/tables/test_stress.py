"""The books of the tables under the sanitizers, without an interpreter that holds a lock of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

EXT = Path(__file__).parents[2] / "ext"
COMPILER = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")

pytestmark = pytest.mark.skipif(
    COMPILER is None or not EXT.is_dir(), reason="needs a C compiler and the source tree"
)


@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_threads_use_earn_lose_and_free_tables(tmp_path: Path, sanitizer: str) -> None:
    """A key that dies while another thread evicts its table was freed too early once."""
    assert COMPILER
    program = tmp_path / "stress"
    sources = [str(EXT / "fuzz" / "stress_tables.c"), str(EXT / "crypto" / "table.c")]
    flags = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-g", "-O1", "-pthread"]
    flags += [f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all"]
    command = [COMPILER, *flags, *sources, "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if "fsanitize" in built.stderr or "san" in built.stderr:
        pytest.skip("this compiler has no such sanitizer")
    assert built.returncode == 0, built.stderr
    # This test runs where another sanitizer is preloaded, too.
    quiet = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False, env=quiet)
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("the thread sanitizer cannot run under this kernel")
    assert done.returncode == 0, done.stdout + done.stderr
