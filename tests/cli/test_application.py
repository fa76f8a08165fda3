"""The frame around all commands: help, exit statuses, errors, and what they must not repeat."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import keybound
from keybound.cli import output
from keybound.cli.application import application

COMMANDS = sorted(application.commands)


def test_without_a_command_help_is_shown(shell):
    result = shell.run()
    assert result.exit_code == 0
    assert all(name in result.output for name in COMMANDS)


def test_version(shell):
    assert shell.run("--version").output == f"keybound, version {keybound.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(shell, command):
    result = shell.run(command, "--help")
    assert result.exit_code == 0
    assert "--json" in result.output


@pytest.mark.parametrize("command", ["verify", "explain", "inspect"])
def test_help_warns_of_tokens_in_arguments(shell, command):
    assert "visible to other processes" in " ".join(shell.run(command, "--help").output.split())


def test_commands_that_judge_take_the_same_options():
    verify, explain = (
        [option.opts for option in application.commands[name].params] for name in ("verify", "explain")
    )
    assert verify == explain


def test_a_misspelt_command_is_recognized(shell):
    result = shell.run("verfy")
    assert result.exit_code == 2
    assert "did you mean verify?" in result.output


def wrong_calls(token, files):
    policy = ["--issuer", "a", "--audience", "b", "--alg", "ES256"]
    yield [token]
    yield ["about", token]
    yield ["inspect", token, token]
    yield ["inspect", f"--{token}"]
    yield ["inspect", f"@{token}"]
    yield ["thumbprint", token]
    yield ["verify", token]
    yield ["verify", token, *policy]
    yield ["verify", token, *policy, "--jwks", token]
    yield ["verify", token, *policy, "--jwks", files["jwks"], "--pem", files["pem"]]
    yield ["verify", token, *policy, "--jwks", files["private"]]
    yield ["verify", token, *policy, "--secret", files["jwks"]]
    yield ["verify", token, *policy, "--jwks", files["jwks"], "--certificate-sha256", token]
    yield ["verify", token, *policy, "--jwks", files["jwks"], "--certificate", files["jwks"]]
    yield [
        *("verify", token, *policy, "--jwks", files["jwks"]),
        *("--certificate", files["certificate"], "--certificate-sha256", "0" * 64),
    ]
    for option in ("--alg", "--profile", "--binding", "--leeway", "--max-age", "--now", "--certificate"):
        yield ["verify", token, *policy, "--jwks", files["jwks"], option, token]
    for option, value in (("--leeway", "-1"), ("--leeway", "nan"), ("--max-age", "0"), ("--typ", "")):
        yield ["verify", token, *policy, "--jwks", files["jwks"], option, value]


@pytest.mark.parametrize("number", range(26))
def test_a_wrong_call_is_told_without_a_byte_of_the_token(shell, leaks_nothing, number):
    token = shell.world.token(certificate=shell.world.client)
    call = list(wrong_calls(token, shell.files))[number]
    result = shell.run(*call)
    assert result.exit_code == 2
    assert "Error: " in result.output
    leaks_nothing(token, Exception(result.output))

    status, document = shell.json(*call)
    assert status == 2
    assert document["error"]["kind"] in ("usage", "policy")
    assert document["error"]["message"]
    leaks_nothing(token, Exception(str(document)))


def test_no_wrong_call_is_left_out(shell):
    assert len(list(wrong_calls("a.b.c", shell.files))) == 26


@pytest.mark.parametrize(
    ("problem", "shown"),
    [
        (RuntimeError("eyJhbGciOiJub25lIn0"), "RuntimeError"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_what_nobody_expected_is_one_line_and_status_1(monkeypatch, shell, problem, shown):
    def fail(*_):
        raise problem

    monkeypatch.setattr(keybound, "about", fail)
    result = shell.run("about")
    assert result.exit_code == 1
    assert shown in result.output
    assert "eyJ" not in result.output
    assert shell.json("about")[1]["error"]["message"].endswith(shown)


def test_an_outage_is_no_rejection(shell, world):
    configuration = b"""
        [keys.main]
        jwks_uri = "https://localhost:1/jwks"
        [validators.accounts]
        kind = "access_token"
        issuer = "https://as.example.com"
        audience = "https://rs.example.com/"
        keys = "main"
        algorithms = ["ES256"]
    """
    path = shell.write("gateway.toml", configuration)
    for command in ("verify", "explain"):
        status, document = shell.json(command, "--config", path, world.token())
        assert status == 3
        assert document["error"]["kind"] == "unavailable"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_reader_that_has_gone_away_is_no_traceback(form):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-W", "error", "-m", "keybound", "about", *form]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_full_disk_is_one_line(form):
    command = [sys.executable, "-W", "error", "-m", "keybound", "about", *form]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr == b"Error: No space left on device\n"


@pytest.mark.parametrize("library", ["click", "rich"])
def test_without_its_libraries_one_line_names_the_extra(start, library):
    code = f"import sys; sys.modules[{library!r}] = None; from keybound.cli import main; main()"
    done = start("-c", code)
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.decode().splitlines() == [
        'keybound: the command line needs click and rich: pip install "keybound[cli]"'
    ]


def test_another_missing_module_is_a_defect_and_not_hidden(start):
    code = "import sys; sys.modules['keybound.cli.verify'] = None; from keybound.cli import main; main()"
    assert b"ModuleNotFoundError" in start("-c", code).stderr


def test_nothing_printed_can_steer_a_terminal():
    hostile = "\x1b[31m\x00\x07\x7f\x9b\u202e\u2028\ud800\U000e0001 \u00e9\u65e5"
    shown = output.printable(hostile)
    assert shown.isprintable()
    assert shown.startswith("\\u001b[31m\\u0000\\u0007\\u007f\\u009b\\u202e\\u2028\\ud800\\udb40\\udc01")
    assert shown.endswith(" \u00e9\u65e5")


def test_json_is_ascii_and_means_the_same(shell, world):
    text = "\u00e9\u65e5\U0001f600\x7f\x9b\u202e"
    token = world.token(name=text)
    status, document = shell.json("inspect", token, "--now", str(world.now))
    assert status == 0
    assert document["claims"]["name"] == text


def test_a_terminal_without_the_letters_gets_their_escapes(world, start):
    token = world.token(name="\u65e5")
    done = start(
        "-m", "keybound", "inspect", "-", stdin=token.encode(), PYTHONIOENCODING="ascii", PYTHONUTF8="0"
    )
    assert done.returncode == 0, done.stderr
    assert rb"\u65e5" in done.stdout


def test_colours_come_only_when_asked_for(world):
    token = world.token()
    plain = CliRunner().invoke(application, ["inspect", token])
    coloured = CliRunner().invoke(application, ["inspect", token], env={"FORCE_COLOR": "1"}, color=True)
    assert "\x1b[" not in plain.output
    assert "\x1b[" in coloured.output
