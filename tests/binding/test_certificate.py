"""A presented certificate in every form, and what is none (RFC 8705, 3.1; X.690, 10.1; RFC 7468)."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

import keybound
from keybound import PresentedCertificate
from keybound.errors import Reason
from keybound.testing import self_signed_client, thumbprint_of

OF_NOTHING = hashlib.sha256(b"").digest()


def forms_of(client: Any) -> dict[str, Any]:
    digest = hashlib.sha256(client.der).digest()
    pem = client.pem.decode()
    body = "".join(pem.split("-----")[2].split())
    return {
        "der": client.der,
        "pem bytes": client.pem,
        "pem text": pem,
        "pem with CRLF": pem.replace("\n", "\r\n"),
        "pem with spaces for line ends": pem.replace("\n", " "),
        "pem folded with tabs": pem.replace("\n", "\n\t").rstrip(),
        "pem in one line": f"-----BEGIN CERTIFICATE-----{body}-----END CERTIFICATE-----",
        "pem after white space": f"\n  {pem}\n\n",
        "x509": client.certificate,
        "presented": PresentedCertificate(digest),
        "32 bytes": digest,
        "lower hex": digest.hex(),
        "upper hex": digest.hex().upper(),
        "mixed hex": digest.hex()[:32] + digest.hex()[32:].upper(),
        "base64": base64.b64encode(digest).decode(),
        "base64 without padding": base64.b64encode(digest).decode().rstrip("="),
        "base64url": client.thumbprint,
        "base64url with padding": client.thumbprint + "=",
    }


FORMS = tuple(forms_of(self_signed_client("any")))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_certificate(world: Any, judge: Any, form: str) -> None:
    given = forms_of(world.client)[form]
    assert keybound.thumbprint(given) == world.client.thumbprint == thumbprint_of(world.client.der)
    raw = world.token(certificate=world.client)
    judge.accepts(raw, certificate=given)
    judge.rejects(raw, Reason.CERTIFICATE_MISMATCH, certificate=forms_of(world.stranger)[form])


@pytest.mark.parametrize("key_type", ["ec", "rsa", "ed25519"])
def test_every_kind_of_key(world: Any, judge: Any, key_type: Any) -> None:
    client = self_signed_client("client", key_type=key_type)
    judge.accepts(world.token(certificate=client), certificate=client.der)


def test_hash_texts_of_every_alphabet() -> None:
    """Digests whose texts have no letter that tells base64 from base64url, and some that have both."""
    for number in range(500):
        digest = hashlib.sha256(b"%d" % number).digest()
        standard, url = base64.b64encode(digest).decode(), base64.urlsafe_b64encode(digest).decode()
        for text in (digest.hex(), standard, standard[:-1], url, url[:-1]):
            assert PresentedCertificate.from_sha256(text).digest == digest


def sequence(content: bytes, length: bytes | None = None) -> bytes:
    size = len(content)
    if length is None:
        octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
        length = bytes([size]) if size < 0x80 else bytes([0x80 | len(octets)]) + octets
    return b"\x30" + length + content


BODY = bytes(range(1, 256)) * 3

MALFORMED_DER = {
    "nothing": b"",
    "one byte": b"x",
    "tag alone": b"\x30",
    "empty sequence": b"\x30\x00",
    "trailing byte": sequence(BODY) + b"\0",
    "trailing line end": sequence(BODY) + b"\n",
    "one byte short": sequence(BODY)[:-1],
    "leading byte": b"\0" + sequence(BODY),
    "two in a row": sequence(BODY) * 2,
    "a set": b"\x31" + sequence(BODY)[1:],
    "an octet string": b"\x04" + sequence(BODY)[1:],
    "indefinite length": sequence(BODY + b"\0\0", b"\x80"),
    "reserved length": sequence(BODY, b"\xff"),
    "length with a leading zero": sequence(BODY, b"\x83\0" + len(BODY).to_bytes(2, "big")),
    "long form of a short length": sequence(BODY[:100], b"\x81\x64"),
    "long form of zero": b"\x30\x81\x00" + BODY[:33],
    "length beyond the end": sequence(BODY, b"\x82\xff\xff"),
    "five length octets": sequence(BODY, b"\x85\0\0\0" + len(BODY).to_bytes(2, "big")),
    "cut in the length": b"\x30\x84\x00\x00",
    "more than 64 KiB": sequence(b"x" * 65_536),
    "5 MB": sequence(b"x" * 5_000_000),
    "PEM of nothing": b"-----BEGIN CERTIFICATE-----  -----END CERTIFICATE-----",
    "31 bytes": bytes(31),
    "33 bytes": bytes(33),
    "hash of nothing": OF_NOTHING,
}


@pytest.mark.parametrize("case", MALFORMED_DER)
def test_malformed_certificates(world: Any, judge: Any, case: str) -> None:
    given = MALFORMED_DER[case]
    with pytest.raises(keybound.BindingRejected) as caught:
        keybound.thumbprint(given)
    assert caught.value.reason is Reason.CERTIFICATE_INVALID
    with pytest.raises(keybound.BindingRejected):
        PresentedCertificate.from_der(given)
    judge.rejects(world.token(certificate=world.client), Reason.CERTIFICATE_INVALID, certificate=given)


@pytest.mark.parametrize("size", [1, 30, 31, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF - 4])
def test_nothing_looks_inside_a_certificate(world: Any, judge: Any, size: int) -> None:
    """S003-02: one DER SEQUENCE of whatever; only its hash counts. The lengths are those of X.690."""
    der = sequence(b"\xff" * size)
    certificate = PresentedCertificate.from_der(der)
    assert certificate.digest == hashlib.sha256(der).digest()
    judge.accepts(world.token(cnf={"x5t#S256": thumbprint_of(der)}), certificate=certificate)


def test_32_bytes_are_a_hash_even_when_they_look_like_der(world: Any, judge: Any) -> None:
    """No certificate is that short; whoever means DER says so with from_der()."""
    lookalike = sequence(bytes(30))
    assert len(lookalike) == 32
    raw = world.token(cnf={"x5t#S256": thumbprint_of(lookalike)})
    judge.rejects(raw, Reason.CERTIFICATE_MISMATCH, certificate=lookalike)
    judge.accepts(raw, certificate=PresentedCertificate.from_der(lookalike))
    assert PresentedCertificate.from_sha256(lookalike).digest == lookalike


@pytest.mark.parametrize(
    "change",
    [
        lambda pem: "x" + pem,
        lambda pem: pem + "x",
        lambda pem: pem * 2,
        lambda pem: pem.replace("BEGIN", "begin"),
        lambda pem: pem.replace("-----END CERTIFICATE-----", ""),
        lambda pem: pem.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
        lambda pem: pem.replace("CERTIFICATE", "PRIVATE KEY"),
        lambda pem: pem.replace("MII", "MI!I"),
        lambda pem: pem.replace("MII", "MII=", 1),
        lambda pem: pem.replace("M", "-", 1),
        lambda pem: pem.replace("M", "\0M", 1),
        lambda pem: pem.replace("M", "é", 1),
        lambda pem: pem.replace("M", "\ud800", 1),
        lambda pem: pem.replace("\n", "%0A"),
        lambda pem: '"' + pem + '"',
        lambda pem: "Subject: x\n" + pem,
        lambda pem: "-----BEGIN CERTIFICATE-----\n" + "A" * 200_000 + "\n-----END CERTIFICATE-----\n",
        lambda pem: "-----BEGIN CERTIFICATE-----" + " " * 5_000_000,
        lambda pem: "-----BEGIN CERTIFICATE-----",
        lambda pem: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    ],
)
def test_malformed_pem(world: Any, judge: Any, change: Any) -> None:
    good = world.client.pem.decode()
    assert PresentedCertificate.from_pem(good).thumbprint == world.client.thumbprint
    bad = change(good)
    for given in (bad, bad.encode("utf-8", "surrogatepass")):
        with pytest.raises(keybound.BindingRejected):
            PresentedCertificate.from_pem(given)
        judge.rejects(world.token(certificate=world.client), Reason.CERTIFICATE_INVALID, certificate=given)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text + "A",
        lambda text: text + "==",
        lambda text: " " + text,
        lambda text: text + "\n",
        lambda text: text[:-1] + "!",
        lambda text: text[:-1] + "é",
        lambda text: text[:-1] + "\ud800",
        lambda text: "-+" + text[2:],
        lambda text: "_/" + text[2:],
        lambda text: "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2",
        lambda text: "bwcK0esc3ACC3DB2Y5/lESsXE8o9ltc05O89jdN+dg2",
        lambda text: "bwcK0esc3ACC3DB2Y5/lESsXE8o9ltc05O89jdN+dg2=",
        lambda text: "a" * 63,
        lambda text: "a" * 65,
        lambda text: "g" * 64,
        lambda text: ":".join(["ab"] * 32),
        lambda text: "ab" * 20,
        lambda text: OF_NOTHING.hex(),
        lambda text: base64.b64encode(OF_NOTHING).decode(),
        lambda text: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
        lambda text: "(null)",
    ],
)
def test_malformed_hashes(world: Any, judge: Any, change: Any) -> None:
    bad = change(world.client.thumbprint)
    with pytest.raises(keybound.BindingRejected) as caught:
        PresentedCertificate.from_sha256(bad)
    assert caught.value.reason is Reason.CERTIFICATE_INVALID
    judge.rejects(world.token(certificate=world.client), Reason.CERTIFICATE_INVALID, certificate=bad)


@pytest.mark.parametrize(
    "value", [0, 1.5, True, [], {}, object(), bytearray(32), memoryview(bytes(32)), b"x".join]
)
def test_certificates_of_another_type(world: Any, judge: Any, value: Any) -> None:
    judge.rejects(world.token(certificate=world.client), Reason.CERTIFICATE_INVALID, certificate=value)
    makers = (PresentedCertificate, PresentedCertificate.from_der, PresentedCertificate.from_pem)
    makers += (PresentedCertificate.from_sha256, PresentedCertificate.from_certificate, keybound.thumbprint)
    for make in makers:
        with pytest.raises(keybound.BindingRejected):
            make(value)


def test_presented_certificate_as_an_object(world: Any) -> None:
    certificate = PresentedCertificate.from_der(world.client.der)
    assert repr(certificate) == f"<keybound.PresentedCertificate {world.client.thumbprint}>"
    assert certificate == PresentedCertificate.from_pem(world.client.pem)
    assert certificate != PresentedCertificate.from_der(world.stranger.der)
    assert certificate != world.client.thumbprint
    assert len({certificate, PresentedCertificate(certificate.digest)}) == 1
    for name in ("digest", "thumbprint", "other"):
        with pytest.raises(AttributeError):
            setattr(certificate, name, bytes(32))
        with pytest.raises(AttributeError):
            delattr(certificate, name)
    for again in (copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))):
        assert again(certificate) == certificate


# Forms that stand for themselves; the others belong to a header or to a server and are read elsewhere.
ENCODINGS = {
    "pem",
    "pem-spaces",
    "pem-lf-tab",
    "sha256-hex-lower",
    "sha256-hex-upper",
    "sha256-base64",
    "der-latin1",
}


def samples() -> list[Any]:
    shared = os.environ.get("KEYBOUND_VECTORS")
    folder = Path(shared).parent if shared else Path(__file__).parents[3] / "shared"
    path = folder / "client-certificate-samples.json"
    if not path.exists():
        reason = "the published samples are not here; KEYBOUND_VECTORS names a folder beside them"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason))]
    found = [
        sample
        for sample in json.loads(path.read_text("utf-8"))
        if sample["encoding"] in ENCODINGS or sample["encoding"].startswith("sha1")
    ]
    return [pytest.param(sample, id=sample["id"]) for sample in found if isinstance(sample["value"], str)]


@pytest.mark.parametrize("sample", samples())
def test_samples_of_real_servers_and_proxies(sample: dict[str, Any]) -> None:
    value = sample["value"]
    given = value.encode("latin-1") if sample["encoding"] == "der-latin1" else value
    if sample["expect"] == "cert":
        assert keybound.thumbprint(given) == sample["x5t_s256"]
    else:
        with pytest.raises(keybound.BindingRejected):
            keybound.thumbprint(given)
