"""The command line in this process and in one of its own, over the world that all tests share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from keybound.cli.application import application


class Shell:
    """Runs ``keybound`` among the files of one world: its keys, certificates and nothing else."""

    def __init__(self, world: Any, directory: Path) -> None:
        self.world = world
        self.directory = directory
        public = world.key.public_pem()
        self.files = {
            "jwks": self.write("jwks.json", json.dumps(world.issuer.jwks()).encode()),
            "jwk": self.write("jwk.json", json.dumps(world.key.public_jwk()).encode()),
            "private": self.write("private.json", json.dumps(world.key.private_jwk()).encode()),
            "pem": self.write("key.pem", public),
            "certificate": self.write("certificate.pem", world.client.pem),
            "der": self.write("certificate.der", world.client.der),
            "stranger": self.write("stranger.pem", world.stranger.pem),
        }

    def write(self, name: str, data: bytes) -> str:
        path = self.directory / name
        path.write_bytes(data)
        return str(path)

    def policy(self, **changes: Any) -> list[str]:
        """Options that accept a token of the world; ``None`` leaves one out."""
        usual = {
            "issuer": self.world.issuer.issuer,
            "audience": "https://rs.example.com/",
            "jwks": self.files["jwks"],
            "alg": "ES256",
            "now": str(self.world.now),
        }
        chosen = {
            name.replace("_", "-"): value for name, value in (usual | changes).items() if value is not None
        }
        return [part for name, value in chosen.items() for part in (f"--{name}", str(value))]

    def run(self, *arguments: str, stdin: bytes | None = None, columns: int = 200) -> Result:
        """A command in this process. It ends by exiting, never by any other exception."""
        environment = {"COLUMNS": str(columns), "NO_COLOR": "1"}
        result = CliRunner().invoke(application, list(arguments), input=stdin, env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    def json(self, *arguments: str, stdin: bytes | None = None) -> tuple[int, dict[str, Any]]:
        """Exit status and document of a command with ``--json``, which prints nothing else."""
        result = self.run(*arguments, "--json", stdin=stdin)
        assert all(" " <= char <= "~" or char == "\n" for char in result.output)
        return result.exit_code, json.loads(result.output)


@pytest.fixture
def shell(world: Any, tmp_path: Path) -> Shell:
    return Shell(world, tmp_path)


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """``start(*arguments, stdin=b"")``: Python in a process of its own, every warning an error."""

    def run(*arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-W", "error", *arguments]
        return subprocess.run(
            command, input=stdin, env=os.environ | environment, capture_output=True, check=False
        )

    return run
