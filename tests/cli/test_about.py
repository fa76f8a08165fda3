from __future__ import annotations

import json

import keybound


def test_json_is_what_the_function_says(shell):
    assert shell.json("about") == (0, json.loads(json.dumps(keybound.about())))


def test_tables_show_backend_and_every_algorithm(shell):
    result = shell.run("about")
    assert result.exit_code == 0
    facts = keybound.about()
    for text in (
        facts["version"],
        facts["backend"],
        facts["crypto"],
        facts["platform"],
        *facts["algorithms"],
    ):
        assert text in result.output


def test_a_person_reads_words(shell):
    shown = shell.run("about").output
    assert "{" not in shown
    assert str(keybound.about()["tables"]["limit_bytes"]) in shown
