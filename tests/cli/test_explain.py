from __future__ import annotations

import keybound


def test_a_good_token_passes_every_check(shell, world):
    token = world.token(certificate=world.client)
    arguments = ["explain", token, *shell.policy(certificate=shell.files["certificate"])]
    status, document = shell.json(*arguments)
    assert status == 0
    assert document["reason"] == "ok"
    assert {check["outcome"] for check in document["checks"]} == {"passed", "skipped"}
    result = shell.run(*arguments)
    assert result.exit_code == 0
    assert "Every check passed" in result.output


def test_every_failure_is_listed_and_the_first_one_decides(shell, world):
    token = world.token(audience="https://other.example/", lifetime=-60, certificate=world.client)
    arguments = ["explain", token, *shell.policy(certificate=shell.files["stranger"])]
    status, document = shell.json(*arguments)
    assert status == 1
    assert document["reason"] == "aud_mismatch"
    failed = {check["name"]: check["reason"] for check in document["checks"] if check["outcome"] == "failed"}
    assert failed == {
        "audience": "aud_mismatch",
        "expiration time": "token_expired",
        "confirmation": "certificate_mismatch",
    }
    result = shell.run(*arguments)
    assert result.exit_code == 1
    assert "Rejected: aud_mismatch" in result.output
    assert all(f"[{reason}]" in result.output for reason in failed.values())


def test_checks_are_those_of_the_validator(shell, world):
    token = world.token()
    _, document = shell.json("explain", token, *shell.policy(required_claims=None, require_claim="nope"))
    checks = world.validator(required_claims=["nope"]).explain(token).checks
    assert [
        (check["name"], check["outcome"], check["reason"], check["note"] or "")
        for check in document["checks"]
    ] == [(check.name, check.outcome, check.reason and check.reason.code, check.note) for check in checks]
    assert document["reason"] == keybound.Reason.CLAIM_MISSING.code


def test_junk_is_explained_without_being_shown(shell):
    result = shell.run("explain", "-", *shell.policy(), stdin=b"\x00\xff\x1b[31mjunk")
    assert result.exit_code == 1
    assert "token_malformed" in result.output
    assert "junk" not in result.output
