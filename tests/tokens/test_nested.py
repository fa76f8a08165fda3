"""Tokens that are signed and then encrypted (RFC 7519, 11.2), on the seam that all validators share."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.jose.nesting import Opener
from keybound.testing import EncryptionKey, FakeClock, FakeIssuer, SigningKey, encrypt_jwe

CLOCK = FakeClock()
PROVIDER = FakeIssuer("https://op.example.com", alg="ES256", clock=CLOCK)
RECIPIENT = EncryptionKey.generate("ECDH-ES+A256KW")
ENC = "A256GCM"


def make(package: ModuleType, *, encrypted: bool = True, **options: Any) -> Any:
    decryption = package.Decryption(
        keys=package.DecryptionKey.from_json(RECIPIENT.private_jwk()),
        algorithms=[RECIPIENT.alg],
        encryptions=[ENC],
    )
    usual = {
        "issuer": PROVIDER.issuer,
        "client_id": "client-1",
        "keys": package.JWKSet.from_json(PROVIDER.jwks()),
        "algorithms": ["ES256"],
        "clock": CLOCK,
        "decryption": decryption if encrypted else None,
    }
    return package.IDTokenValidator(**usual | options)


@pytest.fixture(scope="module")
def judge(judge_of: Any) -> Any:
    return judge_of(make)


def encrypt(content: str, **options: Any) -> str:
    return encrypt_jwe(content, options.pop("key", RECIPIENT), enc=ENC, header={"cty": "JWT"}, **options)


def test_what_is_inside_is_verified(judge: Any) -> None:
    token = judge.accepts(encrypt(PROVIDER.id_token()), nonce=None)
    assert token.subject == "user-1"
    forged = PROVIDER.id_token(key=SigningKey.generate("ES256", kid=PROVIDER.key.kid))
    judge.rejects(encrypt(forged), Reason.SIGNATURE_INVALID, nonce=None)
    judge.rejects(encrypt(PROVIDER.id_token(client_id="client-2")), Reason.AUD_MISMATCH, nonce=None)
    judge.rejects(encrypt(PROVIDER.id_token(lifetime=-60)), Reason.TOKEN_EXPIRED, nonce=None)


def test_a_hint_is_opened_as_well(judge: Any) -> None:
    expired = PROVIDER.id_token(lifetime=-60)
    judge.accepts(encrypt(expired), method="validate_hint")
    judge.rejects(expired, Reason.TOKEN_NOT_ENCRYPTED, method="validate_hint")


def test_one_layer_each_and_in_this_order(judge: Any) -> None:
    """S004-15: with decryption, signed alone is refused; without it, what is encrypted is."""
    signed = PROVIDER.id_token()
    judge.rejects(signed, Reason.TOKEN_NOT_ENCRYPTED, nonce=None)
    judge.rejects(encrypt(signed), Reason.TOKEN_ENCRYPTED, nonce=None, options={"encrypted": False})
    judge.rejects(encrypt('{"sub":"user-1"}'), Reason.CONTENT_NOT_SIGNED, nonce=None)
    judge.rejects(encrypt(encrypt(signed)), Reason.CONTENT_NOT_SIGNED, nonce=None)
    # Two dots make no token: what they part goes the road of every token.
    judge.rejects(encrypt("a.b.c"), Reason.BASE64URL_INVALID, nonce=None)


def test_what_is_for_another_recipient(judge: Any) -> None:
    other = EncryptionKey.generate(RECIPIENT.alg, kid=RECIPIENT.kid)
    judge.rejects(encrypt(PROVIDER.id_token(), key=other), Reason.DECRYPTION_FAILED, nonce=None)


@pytest.mark.parametrize("raw", ["", None, 5, "a.b", "a.b.c.d", "a.b.c.d.e", b"\xff.b.c.d.e"])
def test_what_is_no_token(judge: Any, raw: Any) -> None:
    with pytest.raises(keybound.TokenRejected):
        make(keybound).validate(raw, nonce=None)


@pytest.mark.parametrize("decryption", ["key", 5, True, {}, keybound.Decryption, object()])
def test_what_does_not_decrypt(decryption: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        make(keybound, decryption=decryption)


def test_decryption_may_happen_elsewhere() -> None:
    class Vault(Opener):
        def open(self, raw: object) -> bytes | int:
            return PROVIDER.id_token().encode() if raw == "sealed" else Reason.DECRYPTION_FAILED

    assert make(keybound, decryption=Vault()).validate("sealed", nonce=None).subject == "user-1"
    with pytest.raises(keybound.DecryptionRejected):
        make(keybound, decryption=Vault()).validate("other", nonce=None)
