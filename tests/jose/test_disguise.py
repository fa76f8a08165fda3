"""Public keys in every dress, given as a secret (attacks B1 to B14: CVE-2015-9235 and its successors)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybound import JWK, InvalidKey, JWKSet, jws
from keybound.testing import CertificateAuthority, SigningKey, make_token

ALGS = ("RS256", "ES256", "ES384", "ES512", "ES256K", "Ed25519", "Ed448")
KEYS = {alg: SigningKey.generate(alg, shared=True) for alg in ALGS}


def dresses() -> dict[str, bytes]:
    """Every form in which a public key lies around."""
    forms = {}
    for alg, key in KEYS.items():
        public: Any = key.private_key.public_key()
        forms[f"{alg} PEM"] = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        forms[f"{alg} DER"] = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        forms[f"{alg} JWK"] = json.dumps(key.public_jwk()).encode()
        forms[f"{alg} JWK without spaces"] = json.dumps(key.public_jwk(), separators=(",", ":")).encode()
        forms[f"{alg} JWK Set"] = json.dumps({"keys": [key.public_jwk()]}, indent=2).encode()
        forms[f"{alg} list of JWKs"] = json.dumps([key.public_jwk()]).encode()
        forms[f"{alg} JWK as Python prints it"] = repr(key.public_jwk()).encode()
        if alg not in ("ES256K", "Ed448"):
            forms[f"{alg} OpenSSH"] = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
            forms[f"{alg} OpenSSH octets"] = base64.b64decode(forms[f"{alg} OpenSSH"].split()[1])
    rsa: Any = KEYS["RS256"].private_key.public_key()
    forms["PKCS1 PEM"] = rsa.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    forms["PKCS1 DER"] = rsa.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    for kind in ("rsa", "ec", "ed25519"):
        certificate = CertificateAuthority(key_type=kind).certificate
        forms[f"{kind} certificate PEM"] = certificate.public_bytes(Encoding.PEM)
        forms[f"{kind} certificate DER"] = certificate.public_bytes(Encoding.DER)
    forms["SSH2"] = b"---- BEGIN SSH2 PUBLIC KEY ----\n" + base64.b64encode(forms["RS256 OpenSSH octets"])
    forms["private PEM"] = KEYS["ES256"].private_key.private_bytes(
        Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return forms


DRESSES = dresses()


def refused(secret: str | bytes) -> bool:
    try:
        JWK.from_secret(secret, alg="HS256")
    except InvalidKey as reason:
        return "everybody could sign" in str(reason)
    return False


@pytest.mark.parametrize("form", DRESSES)
class TestOneForm:
    def test_as_it_is(self, form):
        assert refused(DRESSES[form])

    def test_as_an_oct_jwk(self, form):
        k = base64.urlsafe_b64encode(DRESSES[form]).rstrip(b"=").decode()
        with pytest.raises(InvalidKey, match="everybody could sign"):
            JWK.from_json({"kty": "oct", "k": k, "alg": "HS256"})
        with pytest.raises(InvalidKey):
            JWKSet.from_json({"keys": [{"kty": "oct", "k": k}]})

    def test_in_base64(self, form):
        for encode in (base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes):
            text = encode(DRESSES[form])
            assert refused(text)
            assert refused(text.rstrip(b"=\n"))
            assert refused(text.decode())

    def test_in_base64_behind_something(self, form):
        text = base64.b64encode(DRESSES[form])
        assert all(refused(before + text) for before in (b"a", b"ab", b"abc", b"data:;base64,", b" \n"))

    def test_in_hexadecimal(self, form):
        assert refused(DRESSES[form].hex())
        assert refused(DRESSES[form].hex(":").upper())
        assert refused("0x" + DRESSES[form].hex())

    def test_behind_every_octet(self, form):
        """A list of what may stand before a key is never complete."""
        assert [octet for octet in range(256) if not refused(bytes([octet]) + DRESSES[form])] == []

    def test_behind_a_byte_order_mark_white_space_or_a_comment(self, form):
        for before in ("\ufeff", "\u200b", "\n \t", "# key\n", "//", "\x00\x00"):
            assert refused(before.encode() + DRESSES[form])

    def test_before_something(self, form):
        assert all(refused(DRESSES[form] + after) for after in (b"\n", b"\0", b" ", b"more", b"=="))


@pytest.mark.parametrize(
    "form", [form for form in DRESSES if "PEM" in form or "JWK" in form or "SSH2" in form]
)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_text_in_wide_characters(form, encoding):
    assert refused(DRESSES[form].decode().encode(encoding))


@pytest.mark.parametrize("alg", ALGS)
def test_the_attack_itself(alg):
    """HS256 keyed with the public key: refused as a secret, and unknown to a set of public keys."""
    pem = KEYS[alg].public_pem()
    token = make_token({"alg": "HS256"}, b"{}", SigningKey("HS256", pem))
    with pytest.raises(InvalidKey):
        JWKSet.from_secret(pem, alg="HS256")
    for names in (["HS256"], [alg]):
        with pytest.raises(Exception, match=r"alg_not_allowed|key_unsuitable"):
            jws.verify(token, JWKSet.from_pem(pem), algorithms=names)
    control = make_token({"alg": alg}, b"{}", KEYS[alg])
    assert jws.verify(control, JWKSet.from_pem(pem), algorithms=[alg]).payload == b"{}"


@pytest.mark.parametrize(
    "secret",
    [
        bytes(range(256)),
        b"0" * 64,
        b"\x30\x82" * 32,
        b"\x30\x82\x01\x0a\x02\x82" * 10,
        b"{" * 100,
        b"[1, 2, 3]                                     ",
        "correct horse battery staple correct horse battery staple",
        "a passphrase that speaks of ssh and of keys, but is none",
        b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-P0A",
        "5f4dcc3b5aa765d61d8327deb882cf995f4dcc3b5aa765d61d8327deb882cf99",
        b"\xff" * 1000,
    ],
    ids=range(11),
)
def test_secrets_that_are_secrets(secret):
    key = JWK.from_secret(secret, alg="HS256")
    data = secret.encode() if isinstance(secret, str) else secret
    token = make_token({"alg": "HS256"}, b"{}", SigningKey("HS256", data))
    assert jws.verify(token, key, algorithms=["HS256"]).payload == b"{}"


def test_random_secrets_are_secrets():
    for _ in range(200):
        secret = SigningKey.generate("HS512").secret
        assert JWK.from_secret(secret, alg="HS512").bits == 512
