"""What ``keybound lint`` says, and how it exits."""

from __future__ import annotations

import json

import pytest

from keybound.configuration import schema_text

CLEAN = """
[keys.main]
jwks_file = "jwks.json"
[validators.accounts]
kind = "access_token"
issuer = "https://as.example.com/tenant"
audience = "https://rs.example.com/"
keys = "main"
profile = "rfc9068"
algorithms = ["ES256"]
"""
WARNED = CLEAN + "leeway = 300\n"
WRONG = CLEAN + 'binding = "ignore"\n'


def test_a_clean_file(shell):
    path = shell.write("gateway.toml", CLEAN.encode())
    assert shell.json("lint", path) == (0, {"errors": 0, "warnings": 0, "findings": []})
    assert "nothing found" in shell.run("lint", path, "--strict").stdout


def test_warnings(shell):
    path = shell.write("gateway.toml", WARNED.encode())
    status, document = shell.json("lint", path)
    assert status == 0
    assert (document["errors"], document["warnings"]) == (0, 1)
    assert document["findings"][0] == {
        "rule": "leeway-long",
        "severity": "warning",
        "place": "validators.accounts.leeway",
        "message": "clocks differ by seconds, not by 60",
        "source": "RFC 7519, 4.1.4; FAPI 2.0 Security Profile, 5.3.2.1",
    }
    assert shell.json("lint", path, "--strict")[0] == 1
    assert "validators.accounts.leeway" in shell.run("lint", path).stdout


def test_errors(shell):
    path = shell.write("gateway.toml", WRONG.encode())
    status, document = shell.json("lint", path)
    assert status == 1
    assert [finding["rule"] for finding in document["findings"]] == ["binding-weakened"]
    result = shell.run("lint", path)
    assert result.exit_code == 1
    assert "1 error, 0 warnings" in result.stdout


def test_standard_input(shell, monkeypatch):
    monkeypatch.chdir(shell.directory)
    assert shell.json("lint", "-", stdin=CLEAN.encode())[0] == 0
    assert shell.json("lint", "-", stdin=WRONG.encode())[0] == 1


@pytest.mark.parametrize("text", [b"[keys", b"\xff", None])
def test_what_cannot_be_read(shell, text):
    path = shell.write("gateway.toml", text) if text else str(shell.directory / "nowhere.toml")
    status, document = shell.json("lint", path)
    assert status == 2
    assert document["error"]["kind"] == "policy"


def test_the_schema(shell):
    result = shell.run("lint", "--schema")
    assert result.exit_code == 0
    assert result.stdout == schema_text()
    assert json.loads(result.stdout)["title"] == "Configuration of Keybound"


def test_wrong_calls(shell):
    assert shell.run("lint").exit_code == 2
    assert shell.run("lint", "--schema", "x.toml").exit_code == 2


def test_places_can_be_copied_from_a_narrow_terminal(shell):
    text = CLEAN.replace("main", "a-name-of-some-length").replace("jwks.json", "nowhere.json")
    path = shell.write("gateway.toml", text.encode())
    shown = shell.run("lint", path, columns=30).stdout.splitlines()
    assert shown == [
        "warning  keys.a-name-of-some-length.jwks_file",
        "         there is no such file",
        "         not-here",
        "0 errors, 1 warning",
    ]
