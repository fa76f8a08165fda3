"""Compiler and linker flags of the native modules, for GCC and Clang on Linux and macOS.

They are added to what Python was built with and to the user's ``CFLAGS``.
"""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from pathlib import Path

# Cython's output has unused parameters and functions by design.
STRICT_WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-unused-function"]
SANITIZERS = "-fsanitize=address,undefined"


def compile_arguments(root: Path, *, sanitize: bool, trace: bool, strict: bool) -> list[str]:
    """Flags for one C file; ``root`` is kept out of the binary, so builds in any folder are equal."""
    flags = ["-fvisibility=hidden", "-ffunction-sections", "-fdata-sections", "-fstack-protector-strong"]
    flags.append(f"-ffile-prefix-map={root}=keybound")
    if sys.platform == "linux" and platform.machine() == "x86_64":
        flags.append("-fcf-protection")
    if sanitize:
        flags += [
            "-O1",
            "-g",
            "-UNDEBUG",
            "-fno-omit-frame-pointer",
            SANITIZERS,
            "-fno-sanitize-recover=undefined",
        ]
    elif trace:
        flags += ["-Og", "-UNDEBUG"]
    else:
        # Never -Ofast: it changes floating point for the whole process, and exp may be a fraction.
        flags += ["-O3", "-g0", *_fortify()]
    return flags + STRICT_WARNINGS if strict else flags


def link_arguments(module: str, *, sanitize: bool) -> list[str]:
    """Flags that link ``module`` so that it exports its init function and nothing else."""
    flags = [SANITIZERS] if sanitize else []
    if sys.platform == "darwin":
        return [*flags, "-Wl,-dead_strip", f"-Wl,-exported_symbol,_PyInit_{module}"]
    # Without --exclude-libs a host that has loaded OpenSSL globally swaps the crypto under our feet;
    # without noexecstack one assembler file makes the stack of the whole process executable.
    return [
        *flags,
        "-pthread",
        "-Wl,--exclude-libs,ALL",
        "-Wl,--gc-sections",
        "-Wl,-z,relro,-z,now,-z,noexecstack",
    ]


def _fortify() -> list[str]:
    chosen = f"{sysconfig.get_config_var('CFLAGS')} {os.environ.get('CFLAGS')}"
    return [] if "_FORTIFY_SOURCE" in chosen else ["-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"]
