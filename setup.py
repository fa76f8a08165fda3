"""Builds the native hot path out of ``ext``; all that can be said as data stands in ``pyproject.toml``.

Switches, each an environment variable set to 1 (``ext/README.md`` says more):
``KEYBOUND_PURE``            no native modules; neither Cython nor a compiler is touched
``KEYBOUND_REQUIRE_NATIVE``  a native build that fails is an error (``CIBUILDWHEEL`` does the same)
``KEYBOUND_SANITIZE``        address and undefined-behaviour sanitizers, with assertions
``KEYBOUND_TRACE``           line tracing, so that coverage sees ``.pyx`` files
``KEYBOUND_WERROR``          compiler warnings are errors
``KEYBOUND_PORTABLE``        tables use the arithmetic for processors without BMI2 and ADX
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
import sysconfig
from glob import glob
from pathlib import Path
from textwrap import shorten

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.modified import newer_group

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT / "ext"), str(ROOT / "ext" / "crypto")]

import awslc_source  # noqa: E402
import s2n_bignum  # noqa: E402
from build_flags import compile_arguments, link_arguments  # noqa: E402
from generate_contract import write_contract  # noqa: E402

PACKAGE = "keybound._hotpath.native"
# Native module: the C that is compiled into it besides ext/<module>.pyx.
MODULES = {
    "base64url": ["ext/core/base64url.c"],
    "digest": [],
    "signature": ["ext/crypto/awslc.c"],
    "strict_json": ["ext/core/json_scan.c"],
    "claims": ["ext/core/json_scan.c", "ext/core/base64url.c"],
    "cache": [],
    "batch": ["ext/core/base64url.c", "ext/core/parallel.c"],
    "self_signed": ["ext/core/json_scan.c", "ext/core/base64url.c"],
    "token": ["ext/core/json_scan.c", "ext/core/base64url.c"],
}
WITH_CRYPTO = "signature"
# Verification against tables of the key, where s2n-bignum has arithmetic for the machine.
TABLES = [f"ext/crypto/{name}.c" for name in ("arithmetic", "curve", "edwards", "rsa_public", "table")]
DIRECTIVES = {
    "language_level": "3",
    "binding": True,
    "boundscheck": False,
    "wraparound": False,
    # A promise that Cython does not check; ext/README.md says why it holds.
    "freethreading_compatible": True,
}


def switch(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")


SWITCHES = ("PURE", "SANITIZE", "TRACE", "WERROR", "PORTABLE")
PURE, SANITIZE, TRACE, WERROR, PORTABLE = (switch(f"KEYBOUND_{name}") for name in SWITCHES)
VARIANT = "-".join(name.lower() for name in SWITCHES if switch(f"KEYBOUND_{name}")) or "release"
REQUIRED = switch("KEYBOUND_REQUIRE_NATIVE") or switch("CIBUILDWHEEL")
if PURE and switch("KEYBOUND_REQUIRE_NATIVE"):
    sys.exit("KEYBOUND_PURE and KEYBOUND_REQUIRE_NATIVE contradict each other")


def extensions() -> list[Extension]:
    tracing = [("CYTHON_TRACE", "1"), ("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")]
    return [
        Extension(
            f"{PACKAGE}.{module}",
            [f"ext/{module}.pyx", *sources],
            include_dirs=["ext", "ext/crypto"],
            define_macros=tracing if TRACE else [],
            # A changed flag or header must rebuild; Cython itself follows .pxd files.
            depends=["setup.py", "ext/build_flags.py", *sorted(glob("ext/c*/*.h"))],
            extra_compile_args=compile_arguments(ROOT, sanitize=SANITIZE, trace=TRACE, strict=WERROR),
            extra_link_args=link_arguments(module, sanitize=SANITIZE),
        )
        for module, sources in MODULES.items()
    ]


class BuildNative(build_ext):
    """All modules or none: a build that fails leaves a pure package and one line that says why."""

    awslc: Path | None = None

    def run(self) -> None:
        inplace = self.inplace
        try:
            self.check_machine()
            super().run()
        except Exception as problem:
            if REQUIRED:
                raise
            expected = isinstance(problem, awslc_source.NativeUnavailable)
            shown = shorten(f"{type(problem).__name__}: {problem}", 100)
            reason = problem if expected else f"{shown} (pip -v shows all of it)"
            awslc_source.tell(f"keybound: installing in pure Python, without the native engine: {reason}")
            self.become_pure([self.build_lib, "src"] if inplace else [self.build_lib])

    def check_machine(self) -> None:
        if sys.implementation.name != "cpython":
            raise awslc_source.NativeUnavailable(f"{platform.python_implementation()} is not CPython")
        if os.name == "nt":
            raise awslc_source.NativeUnavailable("there is no native build for Windows yet")
        if not Path(sysconfig.get_path("include"), "Python.h").is_file():
            raise awslc_source.NativeUnavailable("the C headers of Python are not installed")
        # One compiler for AWS-LC and for the modules, and one that exists.
        os.environ["CC"] = shlex.join(awslc_source.find_compiler())

    def build_extensions(self) -> None:
        self.translate()
        self.awslc = awslc_source.obtain()
        for extension in self.extensions:
            if extension.name == f"{PACKAGE}.{WITH_CRYPTO}":
                library = str(self.awslc / "lib" / "libcrypto.a")
                extension.include_dirs.append(str(self.awslc / "include"))
                self.add_tables(extension)
                extension.extra_objects.append(library)
                extension.depends.append(library)
        super().build_extensions()

    def add_tables(self, extension: Extension) -> None:
        assembler = s2n_bignum.sources(self.awslc)
        if assembler:
            self.compiler.src_extensions.append(".S")
            extension.sources += [*TABLES, *assembler]
            extension.define_macros.append(("KB_TABLES", "1"))
            if PORTABLE:
                extension.define_macros.append(("KB_PORTABLE", "1"))
            # Only the init function may be seen from outside.
            extension.define_macros.append(("S2N_BN_HIDE_SYMBOLS", "1"))
            extension.include_dirs.append(str(s2n_bignum.imported(self.awslc) / "include"))

    def translate(self) -> None:
        """Cython to C, kept apart per switch and Python; coverage finds a ``.c`` only beside its ``.pyx``."""
        from Cython.Build import cythonize

        write_contract(ROOT)
        folder = Path("." if TRACE else os.path.join(self.build_temp, "cython"))
        seams = [*glob("ext/*.pxd"), *glob("src/keybound/_hotpath/native/*.pxd")]
        translations = [folder / "ext" / f"{module}.c" for module in MODULES]
        translated = cythonize(
            self.extensions,
            include_path=["src", "ext"],
            # Cython does not look for a module's own .pxd outside the folder of its .pyx.
            force=any(not file.exists() or newer_group(seams, str(file)) for file in translations),
            build_dir=None if TRACE else str(folder),
            compiler_directives={**DIRECTIVES, "linetrace": TRACE},
        )
        # cythonize() returns new objects that lack what setuptools has noted on the old ones.
        sources = {extension.name: extension.sources for extension in translated}
        for extension in self.extensions:
            extension.sources = sources[extension.name]

    def become_pure(self, folders: list[str]) -> None:
        """Forget the native modules, also those that an earlier build left behind."""
        for extension in self.extensions:
            for folder in folders:
                Path(folder, self.get_ext_filename(extension.name)).unlink(missing_ok=True)
        self.extensions = self.distribution.ext_modules = []
        self.awslc = None
        if wheel := self.distribution.get_command_obj("bdist_wheel", create=False):
            wheel.root_is_pure = True


class Wheel(bdist_wheel):
    """A native wheel also carries the licence texts of what is linked into it (PEP 639)."""

    def write_wheelfile(self, wheelfile_base: str, *arguments: str) -> None:
        super().write_wheelfile(wheelfile_base, *arguments)
        awslc = self.get_finalized_command("build_ext").awslc
        if awslc is None:
            return
        shutil.copytree(awslc / "licenses", Path(wheelfile_base, "licenses", "aws-lc"))
        metadata = Path(wheelfile_base, "METADATA")
        own = "License-File: LICENSE\n"
        linked = "".join(f"License-File: aws-lc/{text}\n" for text in awslc_source.LICENSES)
        metadata.write_text(
            metadata.read_text(encoding="utf-8").replace(own, own + linked, 1), encoding="utf-8"
        )


setup(
    ext_modules=[] if PURE else extensions(),
    cmdclass={"build_ext": BuildNative, "bdist_wheel": Wheel},
    # A folder per set of switches: nothing else makes setuptools and Cython rebuild when one changes.
    options={"build": {"build_base": "build/" + VARIANT}},
)
