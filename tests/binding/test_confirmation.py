"""``cnf`` against the presented certificate: fail closed, whatever it holds (RFC 7800, 3; RFC 8705, 3)."""

from __future__ import annotations

import base64
import datetime
import hashlib
import inspect
import json
import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.testing import OMIT, CertificateAuthority, self_signed_client

RFC_8705_EXAMPLE = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"
OF_NOTHING = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


# What the confirmation may hold


@pytest.mark.parametrize("value", [None, True, 5, "", "x", [], [{}], {}, [{"x5t#S256": OF_NOTHING}]])
def test_malformed_confirmation(world: Any, judge: Any, value: Any) -> None:
    for certificate in (None, world.client.der):
        judge.rejects(world.token(cnf=value), Reason.CNF_INVALID, certificate=certificate)


@pytest.mark.parametrize(
    "member",
    [
        "jwk",
        "jwe",
        "kid",
        "jku",
        "x5t",
        "x5t#s256",
        "X5T#S256",
        "x5t#S256 ",
        "x5t#S256\0",
        "",
        "x5t#S512",
        "ä",
    ],
)
def test_method_that_is_not_supported(world: Any, judge: Any, member: str) -> None:
    """S003-04: a method that is not understood is never taken for none."""
    for value in (world.client.thumbprint, {}, None):
        judge.rejects(world.token(cnf={member: value}), Reason.CNF_UNSUPPORTED, certificate=world.client.der)


def test_several_methods(world: Any, judge: Any) -> None:
    good = world.client.thumbprint
    for other in ({"jkt": good}, {"x5t": good}, {"": None}, {"x5t#S512": good}, {"jkt": good, "kid": "x"}):
        for confirmation in ({"x5t#S256": good} | other, other | {"x5t#S256": good}):
            judge.rejects(world.token(cnf=confirmation), Reason.CNF_AMBIGUOUS, certificate=world.client.der)


def test_repeated_methods(world: Any, judge: Any) -> None:
    good, bad = world.client.thumbprint, world.stranger.thumbprint
    for text in (
        f'"cnf":{{"x5t#S256":"{good}","x5t#S256":"{good}"}}',
        f'"cnf":{{"x5t#S256":"{bad}","x5t\\u0023S256":"{good}"}}',
        f'"cnf":{{"x5t#S256":"{bad}"}},"cnf":{{"x5t#S256":"{good}"}}',
        f'"cnf":{{"x5t#S256":"{bad}"}},"c\\u006ef":{{"x5t#S256":"{good}"}}',
        '"cnf":null,"cnf":null',
    ):
        judge.rejects(world.with_text(text), Reason.JSON_DUPLICATE_MEMBER, certificate=world.client.der)


@pytest.mark.parametrize(
    "text",
    [
        '"cnf":{{"x5t#S256":"{}"}}',
        '"cnf" : {{ "x5t#S256" : "{}" }} ',
        '"c\\u006ef":{{"x5t#S256":"{}"}}',
        '"cnf":{{"x5t\\u0023S256":"{}"}}',
        '"\\u0063\\u006e\\u0066":{{"\\u0078\\u0035\\u0074\\u0023\\u0053\\u0032\\u0035\\u0036":"{}"}}',
    ],
)
def test_confirmation_in_another_json_spelling(world: Any, judge: Any, text: str) -> None:
    raw = world.with_text(text.format(world.client.thumbprint))
    assert judge.accepts(raw, certificate=world.client.der).confirmation == {
        "x5t#S256": world.client.thumbprint
    }
    judge.rejects(raw, Reason.CERTIFICATE_MISMATCH, certificate=world.stranger.der)
    judge.rejects(raw, Reason.CERTIFICATE_MISSING)


def test_thumbprint_in_another_json_spelling(world: Any, judge: Any) -> None:
    good = world.client.thumbprint
    every = "".join(f"\\u{ord(character):04x}" for character in good)
    for text in (every, every[:6] + good[1:], good[:-1] + every[-6:]):
        raw = world.with_text(f'"cnf":{{"x5t#S256":"{text}"}}')
        judge.accepts(raw, certificate=world.client.der)
        judge.rejects(raw, Reason.CERTIFICATE_MISMATCH, certificate=world.stranger.der)


@pytest.mark.parametrize("value", [None, 5, True, [], {}, ["x"], 1.5])
def test_thumbprint_of_another_type(world: Any, judge: Any, value: Any) -> None:
    raw = world.token(cnf={"x5t#S256": value})
    judge.rejects(raw, Reason.CNF_THUMBPRINT_INVALID, certificate=world.client.der)


@pytest.mark.parametrize(
    "change",
    [
        lambda digest, text: "",
        lambda digest, text: text[:-1],
        lambda digest, text: text + "A",
        lambda digest, text: text + "=",
        lambda digest, text: text + "\0",
        lambda digest, text: " " + text[:-1],
        lambda digest, text: text[:-1] + "=",
        lambda digest, text: text[:20] + "+" + text[21:],
        lambda digest, text: text[:20] + "/" + text[21:],
        lambda digest, text: text[:20] + "\n" + text[21:],
        lambda digest, text: text[:20] + "é" + text[21:],
        lambda digest, text: text[:20] + "é" + text[22:],
        lambda digest, text: text[:-1] + "é",
        lambda digest, text: text[:-2] + "é",
        lambda digest, text: text[:-1] + "\x80",
        lambda digest, text: "+" + text[1:-1] + "1",
        lambda digest, text: digest.hex(),
        lambda digest, text: digest.hex().upper(),
        lambda digest, text: base64.b64encode(digest).decode(),
        lambda digest, text: base64.urlsafe_b64encode(digest.hex().encode()).decode().rstrip("="),
        lambda digest, text: base64.urlsafe_b64encode(digest[:20]).decode().rstrip("="),
        lambda digest, text: base64.urlsafe_b64encode(digest * 2).decode().rstrip("="),
    ],
)
def test_thumbprint_in_another_encoding(world: Any, judge: Any, change: Any) -> None:
    """F-8, S001-06: no hexadecimal, no padding, no SHA-1; and the reason says what is wrong."""
    digest = hashlib.sha256(world.client.der).digest()
    raw = world.token(cnf={"x5t#S256": change(digest, world.client.thumbprint)})
    for certificate in (None, world.client.der):
        judge.rejects(raw, Reason.CNF_THUMBPRINT_INVALID, certificate=certificate)


def test_thumbprint_of_the_pem(world: Any, judge: Any) -> None:
    wrong = base64.urlsafe_b64encode(hashlib.sha256(world.client.pem).digest()).decode().rstrip("=")
    raw = world.token(cnf={"x5t#S256": wrong})
    judge.rejects(raw, Reason.CERTIFICATE_MISMATCH, certificate=world.client.der)
    judge.rejects(raw, Reason.CERTIFICATE_MISMATCH, certificate=world.client.pem)


def test_the_example_of_rfc_8705_is_not_canonical(world: Any, judge: Any) -> None:
    """S004-08b: section 3.1's own value has trailing bits; the canonical spelling ends in ``dg0``."""
    raw = world.token(cnf={"x5t#S256": RFC_8705_EXAMPLE})
    digest = base64.urlsafe_b64decode(RFC_8705_EXAMPLE + "=")
    for certificate in (None, digest, world.client.der):
        judge.rejects(raw, Reason.CNF_THUMBPRINT_NOT_CANONICAL, certificate=certificate)
    judge.accepts(world.token(cnf={"x5t#S256": RFC_8705_EXAMPLE[:-1] + "0"}), certificate=digest)


def test_every_spelling_of_the_last_character(world: Any, judge: Any) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    good = world.client.thumbprint
    for character in alphabet:
        raw = world.token(cnf={"x5t#S256": good[:-1] + character})
        if character == good[-1]:
            judge.accepts(raw, certificate=world.client.der)
        elif alphabet.index(character) % 4:
            judge.rejects(raw, Reason.CNF_THUMBPRINT_NOT_CANONICAL, certificate=world.client.der)
        else:
            judge.rejects(raw, Reason.CERTIFICATE_MISMATCH, certificate=world.client.der)


def test_thumbprint_of_nothing(world: Any, judge: Any) -> None:
    raw = world.token(cnf={"x5t#S256": OF_NOTHING})
    for certificate in (None, b"", hashlib.sha256(b"").digest(), OF_NOTHING, world.client.der):
        judge.rejects(raw, Reason.CNF_THUMBPRINT_OF_NOTHING, certificate=certificate)


@pytest.mark.parametrize("position", [0, 1, 15, 16, 30, 31])
def test_one_bit_of_the_hash(world: Any, judge: Any, position: int) -> None:
    digest = bytearray(hashlib.sha256(world.client.der).digest())
    raw = world.token(certificate=world.client)
    judge.accepts(raw, certificate=bytes(digest))
    digest[position] ^= 1
    judge.rejects(raw, Reason.CERTIFICATE_MISMATCH, certificate=bytes(digest))


# What the operator may choose


def test_modes(world: Any, judge: Any) -> None:
    bound, bearer = world.token(certificate=world.client), world.token()
    right, wrong = world.client.der, world.stranger.der
    for mode in ("if-present", "required"):
        judge.accepts(bound, certificate=right, binding=mode)
        judge.rejects(bound, Reason.CERTIFICATE_MISMATCH, certificate=wrong, binding=mode)
        judge.rejects(bound, Reason.CERTIFICATE_MISSING, binding=mode)
        judge.rejects(bound, Reason.CERTIFICATE_INVALID, certificate=b"x", binding=mode)
    judge.accepts(bearer, binding="if-present")
    judge.rejects(bearer, Reason.CNF_MISSING, binding="required")
    judge.rejects(bearer, Reason.CNF_MISSING, certificate=right, binding="required")
    for raw in (bound, bearer, world.token(cnf=None), world.token(cnf={"jkt": "x"})):
        for certificate in (None, right, wrong, b"x"):
            judge.accepts(raw, certificate=certificate, binding="ignore")


@pytest.mark.parametrize(
    "certificate", [b"", b"x", "", "x", "(null)", 5, object(), b"\x30\x00", b"x" * 5_000_000]
)
def test_unbound_tokens_do_not_care_about_certificates(world: Any, judge: Any, certificate: Any) -> None:
    """S000-08: an unexpected certificate, even a malformed one, is neither a failure nor a success."""
    judge.accepts(world.token(), certificate=certificate)
    judge.accepts(world.token(), certificate=world.stranger.der)
    judge.rejects(world.token(), Reason.CNF_MISSING, certificate=certificate, binding="required")


def test_other_reasons_come_before_the_binding(world: Any, judge: Any) -> None:
    for certificate in (None, world.stranger.der, b"x"):
        judge.rejects(
            world.token(certificate=world.client, lifetime=-60), Reason.TOKEN_EXPIRED, certificate=certificate
        )


# What the founding documents demand


def test_s003_01_tokens_of_public_clients_are_checked_too(world: Any, judge: Any) -> None:
    raw = world.token(certificate=world.client, client_id=OMIT, subject=OMIT)
    judge.accepts(raw, certificate=world.client.der)
    judge.rejects(raw, Reason.CERTIFICATE_MISMATCH, certificate=world.stranger.der)
    judge.rejects(raw, Reason.CERTIFICATE_MISSING)


def test_s003_02_the_dates_and_the_issuer_of_a_certificate_do_not_matter(world: Any, judge: Any) -> None:
    long_ago = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)
    expired = CertificateAuthority("nobody knows it").issue_client("client", not_after=long_ago)
    judge.accepts(world.token(certificate=expired), certificate=expired.der)


def test_s003_02_no_x509_library_on_the_path(world: Any) -> None:
    """The whole way from DER to the verdict, in a process of its own, without ``cryptography``."""
    if keybound.BACKEND != "native":
        pytest.skip("the pure twin is built on cryptography")
    script = (
        "import json, sys, keybound\n"
        "given = json.load(sys.stdin)\n"
        "keys = keybound.JWKSet.from_json(given['jwks'])\n"
        "names = {name: given[name] for name in ('issuer', 'audience')}\n"
        "clock = lambda: given['now']\n"
        "validator = keybound.AccessTokenValidator(**names, keys=keys, algorithms=['ES256'], clock=clock)\n"
        "der = bytes.fromhex(given['der'])\n"
        "token = validator.validate(given['raw'], certificate=der)\n"
        "assert token.confirmation['x5t#S256'] == keybound.thumbprint(der)\n"
        "try:\n"
        "    validator.validate(given['raw'], certificate=der + b'x')\n"
        "except keybound.BindingRejected as rejected:\n"
        "    print(rejected.reason, any(name.partition('.')[0] == 'cryptography' for name in sys.modules))\n"
    )
    given = {
        "jwks": world.issuer.jwks(),
        "issuer": world.issuer.issuer,
        "audience": "https://rs.example.com/",
        "now": world.now,
        "raw": world.token(certificate=world.client),
        "der": world.client.der.hex(),
    }
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("certificate_invalid False\n", "")


def test_s003_03_self_signed(world: Any, judge: Any) -> None:
    client = self_signed_client("client")
    judge.accepts(world.token(certificate=client), certificate=client.der)
    judge.rejects(
        world.token(certificate=client),
        Reason.CERTIFICATE_MISMATCH,
        certificate=self_signed_client("client").der,
    )


def test_s003_04_a_present_confirmation_is_never_ignored_by_default(world: Any, judge: Any) -> None:
    for confirmation in (
        {},
        None,
        {"jkt": "x"},
        {"x5t#S256": "x"},
        {"kid": "x", "jkt": "x"},
        "x",
        [],
        0,
        False,
    ):
        for certificate in (None, world.client.der):
            verdicts = judge.verdicts(world.validator(), world.token(cnf=confirmation), certificate)
            assert len(verdicts) == 1
            assert Reason.OK not in verdicts


def test_s003_05_a_route_that_demands_bound_tokens(world: Any, judge: Any) -> None:
    judge.rejects(world.token(), Reason.CNF_MISSING, binding="required", certificate=world.client.der)
    judge.rejects(world.token(certificate=world.client), Reason.CERTIFICATE_MISSING, binding="required")


def test_s003_06_the_hash_alone_will_do(world: Any, judge: Any) -> None:
    verified = keybound.PresentedCertificate.from_sha256(hashlib.sha256(world.client.der).hexdigest())
    judge.accepts(world.token(certificate=world.client), certificate=verified)


def test_s003_08_every_request_is_checked_with_its_own_certificate(world: Any, judge: Any) -> None:
    validator, raw = world.validator(), world.token(certificate=world.client)
    for _ in range(5):
        judge.accepts(raw, certificate=world.client.der, validator=validator)
        judge.rejects(raw, Reason.CERTIFICATE_MISMATCH, certificate=world.stranger.der, validator=validator)
        judge.rejects(raw, Reason.CERTIFICATE_MISSING, validator=validator)


def test_s003_10_a_certificate_says_nothing_about_a_token(world: Any, judge: Any) -> None:
    """Revocation is the token's: a certificate that still shakes hands does not revive an expired token."""
    raw = world.token(certificate=world.client, lifetime=-60)
    judge.rejects(raw, Reason.TOKEN_EXPIRED, certificate=world.client.der)


def test_s001_05_another_certificate_of_the_same_client(world: Any, judge: Any) -> None:
    authority = CertificateAuthority()
    first, second = (authority.issue_client("same-client") for _ in range(2))
    raw = world.token(certificate=first)
    judge.accepts(raw, certificate=first.der)
    judge.rejects(raw, Reason.CERTIFICATE_MISMATCH, certificate=second.der)


def test_s004_08_the_confirmation_is_what_the_token_says(world: Any, judge: Any) -> None:
    token = judge.accepts(world.token(certificate=world.client), certificate=world.client.der)
    assert token.confirmation == {"x5t#S256": keybound.thumbprint(world.client.der)}


def test_s000_17_the_certificate_is_data(world: Any, judge: Any) -> None:
    """A gateway has shaken hands long ago; here it arrives as octets or text, in any form."""
    raw = world.token(certificate=world.client)
    hashed = hashlib.sha256(world.client.der)
    for certificate in (
        world.client.der,
        world.client.pem,
        world.client.pem.decode(),
        hashed.digest(),
        keybound.PresentedCertificate.from_sha256(hashed.hexdigest()),
    ):
        judge.accepts(raw, certificate=certificate)


@pytest.mark.parametrize("twin", ["pure", "native"])
def test_s003_09_thumbprints_are_compared_in_constant_time(twin: str) -> None:
    """The comparison itself, as it is written: no branch and no early end between the 32 octets."""
    if twin == "pure":
        from keybound._hotpath.pure import claims

        source = inspect.getsource(claims.thumbprint_verdict)
        assert "compare_digest(" in source
        assert "==" not in source.partition("compare_digest(")[2].splitlines()[0]
        return
    source = pathlib.Path(__file__).parents[2].joinpath("ext/claims.pyx").read_text(encoding="utf-8")
    (loop,) = re.findall(r"int kb_equal_digests\(.*?for \([^)]*\) \{(.*?)\}", source, re.DOTALL)
    assert "difference |=" in loop
    assert not re.search(r"\b(if|return|break)\b|\?|&&|\|\|", loop)


def test_s004_09_a_resource_can_demand_a_certificate_with_every_request(world: Any, judge: Any) -> None:
    judge.accepts(world.token(certificate=world.client), certificate=world.client.der, binding="required")
    for raw in (world.token(), world.token(certificate=world.client)):
        for verdict in judge.verdicts(world.validator(binding="required"), raw, None):
            assert verdict in (Reason.CNF_MISSING, Reason.CERTIFICATE_MISSING)
