"""S002-14: policies of audiences as tables, compared, from files, and asked about one ``aud``."""

from __future__ import annotations

import json

import pytest

from keybound.audience import POLICIES
from keybound.cli.inputs import MAX_INPUT_BYTES

ISSUER = "https://as.example.com"
TOKEN = f"{ISSUER}/token"
METADATA = {
    "issuer": ISSUER,
    "token_endpoint": TOKEN,
    "backchannel_authentication_endpoint": f"{ISSUER}/bc",
    "authorization_endpoint": f"{ISSUER}/authorize",
}
OWN = """
name = "ours"
source = "Handbook"
[client_assertion.token_endpoint]
accept = ["issuer"]
form = "sole"
"""


@pytest.fixture
def metadata(shell):
    return "--metadata", shell.write("metadata.json", json.dumps(METADATA).encode())


def lines(result):
    """What a table shows, row by row."""
    rows = (line.strip("│").split("│") for line in result.output.splitlines() if "│" in line)
    return [[cell.strip() for cell in row] for row in rows]


def test_list(shell):
    result = shell.run("audience")
    assert result.exit_code == 0
    assert [row[0] for row in lines(result)] == ["Policy", *POLICIES]
    status, document = shell.json("audience")
    assert status == 0
    assert document == {
        "policies": [{"name": policy.name, "source": policy.source} for policy in POLICIES.values()]
    }


def test_table(shell):
    result = shell.run("audience", "camara-strict-v1")
    assert result.exit_code == 0
    assert "issue 127" in result.output
    assert "Client assertions" in result.output
    assert lines(result) == [
        ["received at", "issuer", "token", "bc", "authz", "itself", "another", "array"],
        ["token", "R", "A", "R", "R", "A", "R", "R"],
        ["bc", "R", "R", "A", "R", "A", "R", "R"],
        ["received at", "issuer", "token", "bc", "authz", "itself", "another", "array"],
        ["authz", "R", "R", "R", "A", "A", "R", "R"],
        ["par", "R", "R", "R", "A", "R", "R", "R"],
    ]


@pytest.mark.parametrize("name", POLICIES)
def test_what_is_printed_as_json_is_a_policy_file(shell, name):
    status, document = shell.json("audience", name)
    assert status == 0
    path = shell.write("again.json", json.dumps(document["policy"]).encode())
    assert shell.json("audience", path) == (0, document)


@pytest.mark.parametrize("form", ["toml", "-"])
def test_policy_of_ones_own(shell, form):
    path = shell.write("ours.toml", OWN.encode()) if form == "toml" else "-"
    status, document = shell.json("audience", path, stdin=OWN.encode())
    assert status == 0
    assert document["tables"]["client_assertion"] == [
        {
            "received_at": "token_endpoint",
            "cells": {
                "issuer": "A",
                "token_endpoint": "R",
                "backchannel_authentication_endpoint": "R",
                "authorization_endpoint": "R",
                "this_endpoint": "R",
                "any_endpoint": "R",
            },
            "array": "sole",
        }
    ]


def test_difference(shell):
    status, document = shell.json("audience", "camara-pr121", "camara-strict-v2")
    assert status == 0
    assert document["policies"] == ["camara-pr121", "camara-strict-v2"]
    differences = [tuple(cell.values()) for cell in document["differences"]]
    assert [cell for cell in differences if cell[0] == "client_assertion"] == [
        ("client_assertion", "token_endpoint", "array", ["A", "R"]),
        ("client_assertion", "backchannel_authentication_endpoint", "array", ["A", "R"]),
    ]
    assert ("request_object", "any_endpoint", "rule", ["yes", "no"]) in differences
    assert ("request_object", "authorization_endpoint", "issuer", ["A", "R"]) in differences
    shown = lines(shell.run("audience", "camara-pr121", "camara-strict-v2"))
    assert ["Client assertions", "token", "array", "A", "R"] in shown
    assert len(shown) == 1 + len(differences)


def test_no_difference(shell):
    assert shell.json("audience", "rfc7523bis", "rfc7523bis")[1]["differences"] == []
    assert "They judge alike." in shell.run("audience", "camara-strict-v1", "camara-strict-v2").output


def test_one_aud_before_all_policies(shell, metadata):
    """S002-04"""
    status, document = shell.json(
        "audience", "--aud", TOKEN, *metadata, "--at", "backchannel_authentication_endpoint"
    )
    assert status == 0
    outcomes = {entry["policy"]: entry["outcome"] for entry in document["verdicts"]}
    assert list(outcomes) == list(POLICIES)
    assert outcomes["camara-strict-v1"] == outcomes["camara-strict-v2"] == "reject"
    assert outcomes["camara-interop"] == "accept"
    assert outcomes["ciba-core"] == "warn"


@pytest.mark.parametrize(
    ("name", "aud", "status", "code"),
    [
        ("rfc7523bis", ISSUER, 0, "ok"),
        ("rfc7523bis", f'["{ISSUER}"]', 0, "ok"),
        ("rfc7523bis", f'["{ISSUER}", "{TOKEN}"]', 1, "aud_not_sole"),
        ("rfc7523bis", "[1]", 1, "aud_invalid"),
        ("rfc7523bis", "", 1, "aud_mismatch"),
        ("fapi2-final", f' ["{ISSUER}"]', 1, "aud_array"),
        ("oidc-core", ISSUER, 0, "aud_not_recommended"),
    ],
)
def test_one_aud_before_one_policy(shell, metadata, name, aud, status, code):
    assert shell.run("audience", name, "--aud", aud, *metadata).exit_code == status
    found, document = shell.json("audience", name, "--aud", aud, *metadata)
    assert found == status
    (entry,) = document["verdicts"]
    assert (entry["policy"], entry["code"]) == (name, code)


def test_request_object(shell, metadata):
    """S002-12"""
    ask = ("--aud", ISSUER, *metadata, "--at", "authorization_endpoint", "--request-object")
    assert shell.run("audience", "fapi2-final", *ask).exit_code == 0
    result = shell.run("audience", "camara-strict-v1", *ask)
    assert result.exit_code == 1
    assert "accepted by none" in result.output


def test_a_policy_that_cannot_judge_says_why(shell, metadata):
    status, document = shell.json(
        "audience", "camara-strict-v1", "--aud", ISSUER, *metadata, "--at", "authorization_endpoint"
    )
    assert status == 1
    (entry,) = document["verdicts"]
    assert entry["outcome"] is entry["code"] is None
    assert "no rule" in entry["why"]


def test_aud_of_a_token(shell, world, metadata):
    token = world.token(aud=[ISSUER, TOKEN])
    path = shell.write("token", token.encode())
    status, document = shell.json("audience", "oidc-core", "--token", f"@{path}", *metadata)
    assert status == 0
    assert document["aud"] == [ISSUER, TOKEN]
    status, document = shell.json("audience", "oidc-core", "--token", "-", *metadata, stdin=b"{}")
    assert status == 2
    missing = world.forge(payload={"iss": "a"})
    assert shell.json("audience", "oidc-core", "--token", missing, *metadata)[1]["verdicts"][0]["code"] == (
        "aud_missing"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["camara"],
        ["camara-fina1"],
        ["\0"],
        ["."],
        ["a" * 5000],
        ["oidc-core", "ciba-core", "fapi2-final"],
        ["--aud", TOKEN],
        ["--aud", "[", "--metadata", "METADATA"],
        ["--aud", TOKEN, "--token", "a.b.c", "--metadata", "METADATA"],
        ["--aud", TOKEN, "--metadata", "no-such-file"],
        ["--metadata", "METADATA"],
        ["--request-object"],
        ["--surprise"],
    ],
    ids=lambda arguments: " ".join(arguments)[:40].encode("unicode_escape").decode(),
)
def test_wrong_calls(shell, metadata, arguments):
    call = ["audience", *(metadata[1] if word == "METADATA" else word for word in arguments)]
    assert shell.run(*call).exit_code == 2
    status, document = shell.json(*call)
    assert status == 2
    assert document["error"]["kind"] == "usage"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"name = 5", b"\xff", b"a" * (MAX_INPUT_BYTES + 1)])
def test_files_that_hold_no_policy(shell, data):
    status, document = shell.json("audience", shell.write("policy", data))
    assert status == 2
    assert document["error"]["kind"] in ("policy", "usage")


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"issuer":1,"issuer":2}'])
def test_files_that_hold_no_metadata(shell, data):
    path = shell.write("metadata.json", data)
    assert shell.json("audience", "--aud", TOKEN, "--metadata", path)[0] == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"issuer": "as.example.com"}, "--metadata: issuer must be an absolute http or https URL"),
        ({"issuer": None}, "--metadata: issuer must be an absolute http or https URL"),
        ({"token_endpoint": "/token"}, "--metadata: token_endpoint must be an absolute http or https URL"),
        ({"mtls_endpoint_aliases": []}, "--metadata: mtls_endpoint_aliases must be a JSON object"),
    ],
)
def test_wrong_metadata_is_one_error(shell, changes, message):
    path = shell.write("metadata.json", json.dumps(METADATA | changes).encode())
    status, document = shell.json("audience", "--aud", TOKEN, "--metadata", path)
    assert status == 2
    assert (document["error"]["kind"], document["error"]["message"]) == ("usage", message)


def test_a_misspelt_name_is_recognized_and_nothing_typed_is_repeated(shell):
    assert "did you mean camara-final?" in " ".join(shell.run("audience", "camara-fina1").output.split())
    token = shell.world.token()
    assert token[:12] not in shell.run("audience", token).output
    assert token[:12] not in shell.run("audience", "--at", token, token).output
