"""What ``keybound profile`` shows."""

from __future__ import annotations

import pytest

from keybound import profiles


def test_list_of_all(shell):
    status, document = shell.json("profile")
    assert status == 0
    assert list(document) == [*profiles.PROFILES, *profiles.PRESETS]
    assert document["fapi2"] == profiles.FAPI2.source


@pytest.mark.parametrize("name", [*profiles.PROFILES, *profiles.PRESETS])
def test_each_can_be_shown(shell, name):
    status, document = shell.json("profile", name)
    assert status == 0
    assert document["source"] == (profiles.PROFILES | profiles.PRESETS)[name].source
    result = shell.run("profile", name)
    assert result.exit_code == 0
    assert name in result.stdout


def test_what_a_profile_demands(shell):
    document = shell.json("profile", "fapi2")[1]
    assert document["algorithms"] == ["PS256", "ES256", "EdDSA", "Ed25519"]
    assert document["binding"] == "required"
    assert document["audience_policy"] == "fapi2-final"
    assert document["dpop_proof.types"] == ["dpop+jwt"]
    assert document["dpop_proof.typ_required"] is True


def test_what_differs(shell):
    status, document = shell.json("profile", "fapi2", "fapi2-mtls-everywhere")
    assert status == 0
    assert document == {
        "source": {
            "fapi2": profiles.FAPI2.source,
            "fapi2-mtls-everywhere": profiles.FAPI2_MTLS_EVERYWHERE.source,
        },
        "mtls_endpoints": {"fapi2": "where-needed", "fapi2-mtls-everywhere": "root"},
    }
    assert shell.json("profile", "fapi2", "fapi2")[1] == {}
    assert "root" in shell.run("profile", "fapi2", "fapi2-mtls-everywhere").stdout


def test_preset_with_its_templates(shell):
    document = shell.json("profile", "entra-v2")[1]
    assert document["issuer"] == "https://login.microsoftonline.com/{tenant}/v2.0"
    assert document["expected_claims"] == {"ver": "2.0", "tid": "{tenant}"}


def test_what_does_not_differ_and_what_cannot(shell):
    assert shell.run("profile", "fapi2", "fapi2").stdout == "nothing differs\n"
    assert shell.json("profile", "fapi2", "entra-v2")[0] == 2
    assert shell.json("profile", "entra-v2", "fapi2")[0] == 2


def test_names_of_switches_are_not_broken(shell):
    shown = shell.run("profile", "fapi2", "fapi1-advanced", columns=80).stdout
    assert "request_object.max_expiry_distance " in shown


def test_help_does_not_repeat_every_name(shell):
    assert "[OPTIONS] [NAME] [OTHER]" in shell.run("profile", "--help").output


def test_wrong_names(shell):
    assert shell.json("profile", "fapi3")[0] == 2
    assert shell.json("profile", "fapi2", "nothing")[0] == 2
