from __future__ import annotations

import datetime
import json

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybound.cli.inputs import MAX_INPUT_BYTES
from keybound.testing import OMIT, FakeIssuer, IssuerServer, SigningKey, faults

KEYS_OF_DOCUMENT = [
    "accepted",
    "reason",
    "number",
    "description",
    "claim",
    "status",
    "challenge",
    "header",
    "claims",
]


@pytest.fixture
def bound(world):
    return world.token(certificate=world.client)


def test_accepts_a_bound_token_with_its_certificate(shell, world, bound):
    for file in ("certificate", "der"):
        status, document = shell.json("verify", bound, *shell.policy(certificate=shell.files[file]))
        assert status == 0
        assert list(document) == KEYS_OF_DOCUMENT
        assert (document["accepted"], document["reason"], document["status"]) == (True, "ok", 200)
        assert document["header"] == world.header()
        assert document["claims"]["cnf"] == {"x5t#S256": world.client.thumbprint}
    result = shell.run("verify", bound, *shell.policy(certificate=shell.files["certificate"]))
    assert result.exit_code == 0
    assert result.output.startswith("ACCEPTED  bound to the presented certificate")
    assert world.client.thumbprint in result.output


def test_accepts_the_hash_of_the_certificate(shell, world, bound):
    for text in (world.client.thumbprint, world.client.certificate.fingerprint(SHA256()).hex()):
        assert shell.run("verify", bound, *shell.policy(certificate_sha256=text)).exit_code == 0


def test_rejects_the_token_of_somebody_else(shell, bound, leaks_nothing):
    arguments = ["verify", bound, *shell.policy(certificate=shell.files["stranger"])]
    assert shell.json(*arguments) == (
        1,
        {
            "accepted": False,
            "reason": "certificate_mismatch",
            "number": 612,
            "description": "The token is bound to another certificate",
            "claim": None,
            "status": 401,
            "challenge": 'Bearer error="invalid_token", '
            'error_description="The token is bound to another certificate"',
            "header": None,
            "claims": None,
        },
    )
    result = shell.run(*arguments)
    assert result.exit_code == 1
    assert result.output.startswith("REJECTED  certificate_mismatch")
    assert 'Bearer error="invalid_token", error_description="The token is bound' in result.output
    leaks_nothing(bound, Exception(result.output))


def test_binding_can_be_demanded_and_typed_away(shell, world, bound):
    assert (
        shell.json("verify", world.token(), *shell.policy(binding="required"))[1]["reason"] == "cnf_missing"
    )
    assert "whoever holds it" in shell.run("verify", world.token(), *shell.policy()).output
    assert "was NOT checked" in shell.run("verify", bound, *shell.policy(binding="ignore")).output


@pytest.mark.parametrize("option", ["jwks", "jwk", "pem"])
def test_keys_in_every_form(shell, world, option):
    name = "pem" if option == "pem" else "jwks"
    policy = shell.policy(**{"jwks": None, name: shell.files[option]})
    assert shell.run("verify", world.token(), *policy).exit_code == 0


def test_key_in_der(shell, world):
    der = world.key.private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    policy = shell.policy(jwks=None, der=shell.write("key.der", der))
    assert shell.run("verify", world.token(), *policy).exit_code == 0


def test_shared_secret_is_the_file_byte_for_byte(shell, world):
    key = SigningKey("HS256", bytes(range(1, 33)) + b"\n")
    token = FakeIssuer(world.issuer.issuer, key=key, clock=world.clock).access_token(
        audience="https://rs.example.com/"
    )
    policy = shell.policy(jwks=None, alg="HS256", secret=shell.write("secret", key.secret))
    assert shell.run("verify", token, *policy).exit_code == 0
    policy = shell.policy(jwks=None, alg="HS256", secret=shell.write("secret", key.secret[:-1]))
    assert shell.json("verify", token, *policy)[1]["reason"] == "signature_invalid"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"issuer": "https://other.example"}, "iss_mismatch"),
        ({"audience": "https://other.example"}, "aud_mismatch"),
        ({"alg": "PS256"}, "alg_not_allowed"),
        ({"profile": "rfc9068", "typ": "other"}, "typ_not_allowed"),
        ({"scope": "admin"}, "scope_insufficient"),
        ({"require_claim": "acr"}, "claim_missing"),
        ({"forbid_claim": "jti"}, "claim_forbidden"),
        ({"max_lifetime": 299}, "lifetime_too_long"),
        ({"now": 1}, "iat_in_future"),
    ],
)
def test_every_option_reaches_the_policy(shell, world, options, reason):
    status, document = shell.json("verify", world.token(), *shell.policy(**options))
    assert status == 1
    assert document["reason"] == reason
    if reason.startswith("claim_"):
        assert document["claim"] in options.values()
    if reason == "scope_insufficient":
        assert document["status"] == 403
        assert document["challenge"].endswith('scope="admin"')


def test_time_can_be_set_in_both_notations(shell, world):
    expires = world.now + 300
    text = datetime.datetime.fromtimestamp(expires + 10, datetime.timezone.utc).isoformat()
    for now in (expires + 10, text, text.replace("+00:00", "Z")):
        assert shell.json("verify", world.token(), *shell.policy(now=now))[1]["reason"] == "token_expired"
    assert shell.run("verify", world.token(), *shell.policy(now=expires + 9)).exit_code == 0
    assert shell.run("verify", world.token(), *shell.policy(now=expires + 59, leeway=60)).exit_code == 0
    _, document = shell.json("verify", world.token(), *shell.policy(now=expires, max_age=60))
    assert document["reason"] == "token_too_old"


def test_missing_exp_is_accepted_only_when_typed_out(shell, world):
    token = world.token(exp=OMIT)
    assert shell.json("verify", token, *shell.policy())[1]["reason"] == "exp_missing"
    assert shell.run("verify", token, "--allow-missing-exp", *shell.policy()).exit_code == 0


def test_token_from_a_file_and_from_standard_input(shell, world):
    text = f"\n {world.token()}\r\n".encode()
    assert shell.run("verify", f"@{shell.write('token', text)}", *shell.policy()).exit_code == 0
    assert shell.run("verify", "-", *shell.policy(), stdin=text).exit_code == 0


def test_token_through_a_real_pipe(shell, world, start):
    done = start(
        "-m", "keybound", "verify", "-", "--json", *shell.policy(), stdin=world.token().encode() + b"\n"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["claims"]["sub"] == "user-1"


@pytest.mark.parametrize(
    ("junk", "reason"),
    [
        (b"", "token_missing"),
        (b"\x00", "token_malformed"),
        (b"\x00.\x00.\x00", "base64url_invalid"),
        (b"\xff\xfe.\xc3\x28.\x80", "base64url_invalid"),
        (b"." * 16384, "token_malformed"),
        (b"a.b." + b"c" * 16384, "token_too_large"),
        (b"a.b.c.d.e", "token_encrypted"),
        (b"junkjunkjunk.junkjunkjunk.junkjunkjunk", "json_invalid"),
    ],
)
def test_junk_is_rejected_with_a_reason(shell, junk, reason):
    status, document = shell.json("verify", "-", *shell.policy(), stdin=junk)
    assert (status, document["reason"]) == (1, reason)
    shown = shell.run("verify", "-", *shell.policy(), stdin=junk).output
    assert "junkjunk" not in shown
    assert all(char.isprintable() or char == "\n" for char in shown)


def test_an_argument_that_is_not_text_is_rejected(shell):
    assert shell.json("verify", "\udcff\udcfe.a.b", *shell.policy())[1]["reason"] == "base64url_invalid"


@pytest.mark.parametrize("option", ["jwks", "pem", "der", "certificate"])
@pytest.mark.parametrize("data", [b"", b"\x00" * 100, b"\xff\xfe{}", b"{}", b"-----BEGIN CERTIFICATE-----\n"])
def test_files_of_junk_are_a_wrong_call(shell, world, option, data):
    keys = {} if option == "certificate" else {"jwks": None}
    policy = shell.policy(**keys | {option: shell.write("junk", data)})
    result = shell.run("verify", world.token(), *policy)
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")


@pytest.mark.parametrize("option", ["jwks", "certificate"])
def test_files_that_cannot_be_read_are_a_wrong_call(shell, world, option):
    huge = shell.write("huge", b" " * (MAX_INPUT_BYTES + 1))
    for path, why in (
        (huge, f"is larger than {MAX_INPUT_BYTES} bytes"),
        (str(shell.directory / "missing"), "No such file or directory"),
        (str(shell.directory), "Is a directory"),
        ("nul\x00byte", "there is no such file"),
    ):
        result = shell.run("verify", world.token(), *shell.policy(**{option: path}))
        assert result.exit_code == 2
        assert why in result.output
    assert shell.run("verify", f"@{huge}", *shell.policy()).exit_code == 2
    assert shell.run("verify", "-", *shell.policy(), stdin=b"a" * (MAX_INPUT_BYTES + 1)).exit_code == 2


@pytest.mark.parametrize(
    "now", ["", "yesterday", "-1", "inf", "nan", "1e300", "2026-01-31T12:00:00", "2026-13-01Z"]
)
def test_times_that_are_none_are_a_wrong_call(shell, world, now):
    result = shell.run("verify", world.token(), *shell.policy(now=None), f"--now={now}")
    assert result.exit_code == 2
    assert "'--now'" in result.output


CONFIGURATION = """
[keys.main]
jwks_file = "jwks.json"
[keys.elsewhere]
secret_env = "NO_SUCH_VARIABLE"
alg = "HS256"
[validators.login]
kind = "id_token"
issuer = "https://as.example.com/tenant"
client_id = "client-1"
keys = "elsewhere"
algorithms = ["HS256"]
"""
ACCOUNTS = """
[validators.accounts]
kind = "access_token"
issuer = "https://as.example.com/tenant"
audience = "https://rs.example.com/"
keys = "main"
algorithms = ["ES256"]
"""


def test_the_policy_may_come_from_a_file(shell, world):
    path = shell.write("gateway.toml", (CONFIGURATION + ACCOUNTS).encode())
    for named in ([], ["--validator", "accounts"]):
        options = ["--config", path, *named, "--now", str(world.now)]
        status, document = shell.json("verify", world.token(), *options)
        assert (status, document["accepted"]) == (0, True)
        assert shell.json("verify", world.token(aud="x"), *options)[0] == 1
        assert shell.json("explain", world.token(), *options)[0] == 0


@pytest.mark.parametrize(
    "options",
    [
        ["--validator", "login"],
        ["--validator", "nobody"],
        ["--issuer", "https://as.example.com/tenant"],
        ["--leeway", "5"],
        ["--allow-missing-exp"],
    ],
)
def test_a_file_is_the_whole_policy(shell, world, options):
    path = shell.write("gateway.toml", (CONFIGURATION + ACCOUNTS).encode())
    status, document = shell.json("verify", world.token(), "--config", path, *options)
    assert (status, document["error"]["kind"]) == (2, "usage")


ROUTER = """
[validators.other]
kind = "access_token"
issuer = "https://other.example.com"
audience = "https://rs.example.com/"
keys = "main"
algorithms = ["ES256"]
binding = "ignore"

[routers.both]
validators = ["accounts", "other"]
"""


def test_a_router_of_a_file(shell, world):
    path = shell.write("gateway.toml", (CONFIGURATION + ACCOUNTS + ROUTER).encode())
    options = ["--config", path, "--validator", "both", "--now", str(world.now)]
    for command in ("verify", "explain"):
        assert shell.json(command, world.token(), *options)[0] == 0
        status, document = shell.json(command, world.token(iss="https://unknown.example"), *options)
        assert (status, document["reason"]) == (1, "iss_unknown")
    bound = world.token(certificate=world.client)
    certified = [*options, "--certificate", shell.files["certificate"]]
    assert "bound to the presented certificate" in shell.run("verify", bound, *certified).output
    unchecked = world.token(certificate=world.client, iss="https://other.example.com")
    assert "was NOT checked" in shell.run("verify", unchecked, *options).output


OPAQUE = """
[validators.answers]
kind = "introspection_response"
issuer = "https://as.example.com/tenant"
audience = "https://rs.example.com/"

[introspection_clients.opaque]
endpoint = "{endpoint}"
validator = "answers"
local = "accounts"
authentication = {{ method = "client_secret_post", client_id = "rs-1", client_secret_file = "secret" }}
transport = {{ ca_file = "ca.pem" }}
"""


def test_an_introspection_client_of_a_file(shell, world):
    with IssuerServer() as server:
        shell.write("secret", b"s3cret\n")
        shell.write("ca.pem", server.authority.pem)
        text = CONFIGURATION + ACCOUNTS + OPAQUE.format(endpoint=server.introspection_endpoint)
        path = shell.write("gateway.toml", text.encode())
        options = ["--config", path, "--validator", "opaque", "--now", str(world.now)]
        server.answers["2YotnFZF"] = {"active": True, "sub": "user-1", "exp": world.now + 60}
        status, document = shell.json("verify", "2YotnFZF", *options)
        assert (status, document["claims"]["sub"]) == (0, "user-1")
        assert server.requests[0].form["client_secret"] == "s3cret"
        assert shell.json("verify", "unknown", *options)[1]["reason"] == "token_inactive"
        bound = world.token(certificate=world.client)
        certified = [*options, "--certificate", shell.files["certificate"]]
        assert "bound to the presented certificate" in shell.run("verify", bound, *certified).output
        assert server.count("/introspect") == 2
        assert shell.json("explain", "2YotnFZF", *options)[1]["error"]["kind"] == "usage"
        server.fault = faults.status(503)
        status, document = shell.json("verify", "2YotnFZF", *options)
        assert (status, document["error"]["kind"]) == (3, "unavailable")


def test_which_validator_of_a_file(shell, world):
    several = CONFIGURATION + ACCOUNTS + ACCOUNTS.replace("accounts", "more")
    path, now = shell.write("gateway.toml", several.encode()), ["--now", str(world.now)]
    message = shell.json("verify", world.token(), "--config", path, *now)[1]["error"]["message"]
    assert "accounts, more" in message
    assert shell.json("verify", world.token(), "--config", path, "--validator", "more", *now)[0] == 0
    assert shell.json("verify", world.token(), "--config", str(shell.directory / "nowhere"))[0] == 2
    assert shell.json("verify", world.token(), "--validator", "accounts", *shell.policy())[0] == 2
    assert shell.json("verify", world.token())[0] == 2
