from __future__ import annotations

import pytest

from keybound.testing import OMIT, make_token


def inspect(shell, token):
    return shell.json("inspect", token, "--now", str(shell.world.now))


def codes(document):
    return [warning["code"] for warning in document["warnings"]]


def test_a_good_token_is_decoded_and_still_unverified(shell, world):
    token = world.token(certificate=world.client)
    status, document = inspect(shell, token)
    assert status == 0
    assert list(document) == [
        "verified",
        "header",
        "claims",
        "signature_bytes",
        "times",
        "problems",
        "warnings",
    ]
    assert document["verified"] is False
    assert document["header"] == world.header()
    assert document["claims"]["cnf"] == {"x5t#S256": world.client.thumbprint}
    assert document["signature_bytes"] == 64
    assert document["times"] == {"iat": "2025-06-15T15:06:40Z", "exp": "2025-06-15T15:11:40Z"}
    assert document["problems"] == document["warnings"] == []


def test_people_see_the_label_and_times_in_words(shell, world):
    result = shell.run("inspect", world.token(certificate=world.client), "--now", str(world.now + 7200))
    assert result.exit_code == 0
    assert "UNVERIFIED" in result.output.splitlines()[1]
    assert "2025-06-15 15:11:40 UTC, 1 hour ago" in result.output
    assert "64 bytes, not checked" in result.output
    assert "[token_expired]" in result.output
    assert "No warnings" not in result.output


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"alg": "none"}, "alg_none"),
        ({"alg": "nOnE"}, "alg_none"),
        ({"alg": "ES999"}, "alg_unknown"),
        ({"alg": 7}, "alg_unknown"),
        ({"alg": OMIT}, "alg_missing"),
        ({"alg": "HS256"}, "alg_symmetric"),
        ({"alg": "EdDSA"}, "alg_deprecated"),
        ({"typ": OMIT}, "typ_missing"),
        ({"typ": "JWT"}, "typ_not_allowed"),
        ({"typ": 1}, "header_member_invalid"),
        ({"kid": OMIT}, "kid_missing"),
        ({"crit": ["x"], "x": 1}, "crit_unsupported"),
        ({"crit": []}, "crit_invalid"),
        ({"jku": "https://evil.example/"}, "key_in_header"),
        ({"jwk": {}}, "key_in_header"),
    ],
)
def test_warns_about_the_header(shell, world, header, code):
    token = world.token(certificate=world.client, header=header)
    status, document = inspect(shell, token)
    assert status == 0
    assert codes(document) == [code]


def test_several_header_warnings_stand_side_by_side(shell, world):
    header = {"alg": "none", "typ": OMIT, "kid": OMIT, "crit": ["x"], "x": 1, "x5u": "a", "x5c": []}
    _, document = inspect(shell, world.token(certificate=world.client, header=header))
    expected = [
        "alg_none",
        "typ_missing",
        "crit_unsupported",
        "kid_missing",
        "key_in_header",
        "key_in_header",
    ]
    assert codes(document) == expected


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"cnf": OMIT}, "cnf_missing"),
        ({"cnf": {"jkt": "a"}}, "cnf_jkt_invalid"),
        ({"cnf": {"jwk": {}}}, "cnf_unsupported"),
        ({"cnf": {"x5t#S256": "a"}}, "cnf_thumbprint_invalid"),
        (
            {"cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}},
            "cnf_thumbprint_not_canonical",
        ),
        ({"exp": "soon"}, "exp_invalid"),
        ({"exp": True}, "exp_invalid"),
        ({"iss": OMIT}, "iss_missing"),
        ({"aud": OMIT}, "aud_missing"),
        ({"lifetime": 90_000}, "lifetime_too_long"),
        ({"lifetime": -1}, "token_expired"),
        ({"nbf": 2_000_000_000}, "token_not_yet_valid"),
        ({"jti": OMIT}, "jti_missing"),
    ],
)
def test_warns_about_the_claims(shell, world, claims, code):
    token = world.issuer.access_token(**{"certificate": world.client} | claims)
    assert codes(inspect(shell, token)[1]) == [code]


def test_what_is_not_a_time_is_called_so(shell, world):
    token = world.token(exp="soon", nbf=True, auth_time=-1)
    _, document = inspect(shell, token)
    assert [document["times"][name] for name in ("exp", "nbf", "auth_time")] == [None] * 3
    assert shell.run("inspect", token).output.count("not a time") == 3


def test_hostile_text_is_shown_escaped(shell, world):
    header = {"kid": "\x1b]0;title\x07"}
    token = world.token(name="[bold]\u202e\x9b31m\r\n[/bold] :smile:", header=header)
    result = shell.run("inspect", token)
    assert all(char.isprintable() or char == "\n" for char in result.output)
    assert "[bold]\\u202e\\u009b31m\\r\\n[/bold] :smile:" in result.output
    assert "\\u001b]0;title\\u0007" in result.output


@pytest.mark.parametrize(
    ("token", "problems"),
    [
        (b"", ["token_missing"]),
        (b"\x00\xff", ["token_malformed"]),
        (b"a.b.c.d.e", ["token_encrypted"]),
        (b"a.b." + b"c" * 16384, ["token_too_large"]),
        (b"\xff.=.+", ["base64url_invalid"] * 3),
        (make_token(b"[]", b"7", None).encode(), ["header_not_object", "payload_not_object"]),
        (make_token(b"{", b'{"a":1,"a":2}', None).encode(), ["json_invalid", "json_duplicate_member"]),
        (make_token({}, b"[" * 9000, None).encode(), ["json_too_deep"]),
        (make_token({}, b'{"\xff": 1}', None).encode(), ["json_invalid"]),
    ],
)
def test_what_cannot_be_decoded_is_told_part_by_part(shell, token, problems):
    status, document = shell.json("inspect", "-", stdin=token)
    assert status == 1
    assert [problem["reason"] for problem in document["problems"]] == problems
    result = shell.run("inspect", "-", stdin=token)
    assert result.exit_code == 1
    assert result.output.count("Cannot be decoded") == len(problems)
    assert all(char.isprintable() or char == "\n" for char in result.output)


def test_the_readable_half_of_a_broken_token_is_shown(shell, world):
    header, _, signature = world.token().split(".")
    _, document = inspect(shell, f"{header}.!.{signature}")
    assert document["header"] == world.header()
    assert document["claims"] is None
    assert [problem["where"] for problem in document["problems"]] == ["payload"]


def test_what_is_no_token_alone_is_told(shell, world, leaks_nothing):
    token = world.token()
    for typed in (f"Bearer {token}", f"dpop {token}", shell.files["jwks"]):
        status, document = shell.json("inspect", typed)
        assert status == 2
        leaks_nothing(token, Exception(str(document)))
    assert "write @ before it" in shell.json("inspect", shell.files["jwks"])[1]["error"]["message"]
