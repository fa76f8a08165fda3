"""Tokens that are signed and then encrypted (RFC 7519, 11.2), on the seam that all validators share."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.jose.nesting import Opener
from keybound.testing import (
    CertificateAuthority,
    EncryptionKey,
    FakeClock,
    FakeIssuer,
    SigningKey,
    dpop_proof,
    encrypt_jwe,
)

CLOCK = FakeClock()
PROVIDER = FakeIssuer("https://op.example.com", alg="ES256", clock=CLOCK)
RECIPIENT = EncryptionKey.generate("ECDH-ES+A256KW")
ENC = "A256GCM"


def decrypting(package: ModuleType) -> Any:
    return package.Decryption(
        keys=package.DecryptionKey.from_json(RECIPIENT.private_jwk()),
        algorithms=[RECIPIENT.alg],
        encryptions=[ENC],
    )


def make(package: ModuleType, *, encrypted: bool = True, **options: Any) -> Any:
    usual = {
        "issuer": PROVIDER.issuer,
        "client_id": "client-1",
        "keys": package.JWKSet.from_json(PROVIDER.jwks()),
        "algorithms": ["ES256"],
        "clock": CLOCK,
        "decryption": decrypting(package) if encrypted else None,
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


# Access tokens: RFC 9068, 4


CLIENT = CertificateAuthority().issue_client("client-1")


def access(package: ModuleType, *, encrypted: bool = True, **options: Any) -> Any:
    usual = {
        "issuer": PROVIDER.issuer,
        "audience": "https://rs.example.com",
        "keys": package.JWKSet.from_json(PROVIDER.jwks()),
        "algorithms": ["ES256"],
        "clock": CLOCK,
        "decryption": decrypting(package) if encrypted else None,
    }
    return package.AccessTokenValidator(**usual | options)


@pytest.fixture(scope="module")
def access_judge(judge_of: Any) -> Any:
    return judge_of(access)


def test_access_tokens(access_judge: Any) -> None:
    """RFC 9068, 4: encrypted where that was agreed on, and refused where they are not."""
    assert access_judge.accepts(encrypt(PROVIDER.access_token())).scopes == {"read", "write"}
    access_judge.rejects(PROVIDER.access_token(), Reason.TOKEN_NOT_ENCRYPTED)
    access_judge.rejects(encrypt(PROVIDER.access_token(lifetime=-60)), Reason.TOKEN_EXPIRED)
    access_judge.rejects(encrypt("not a token"), Reason.CONTENT_NOT_SIGNED)
    plain = {"encrypted": False}
    access_judge.rejects(encrypt(PROVIDER.access_token()), Reason.TOKEN_ENCRYPTED, options=plain)


def test_access_tokens_bound_to_a_certificate(access_judge: Any) -> None:
    raw = encrypt(PROVIDER.access_token(certificate=CLIENT))
    access_judge.accepts(raw, certificate=CLIENT.der)
    access_judge.rejects(raw, Reason.CERTIFICATE_MISSING)
    access_judge.rejects(raw, Reason.CERTIFICATE_MISMATCH, certificate=bytes(32))


def test_access_tokens_bound_to_a_key(package: ModuleType) -> None:
    """RFC 9449, 4.2: the proof is made for the token as it is presented, encrypted."""
    holder, url = SigningKey.generate("ES256"), "https://rs.example.com/"
    signed = PROVIDER.access_token(dpop_key=holder)
    raw = encrypt(signed)
    proofs = package.DPoPProofValidator(algorithms=["ES256"], replay=None, clock=CLOCK)

    def proof(token: str, key: SigningKey = holder) -> Any:
        made = dpop_proof(key, url=url, access_token=token, clock=CLOCK)
        return proofs.validate(made, method="GET", url=url, access_token=token)

    validator = access(package)
    good, inner, other = proof(raw), proof(signed), proof(raw, SigningKey.generate("ES256"))
    for _ in range(2):
        assert validator.validate(raw, dpop=good).confirmation
    found = validator.validate_many([raw] * 4, dpop_proofs=[good, None, inner, other])
    assert found[0].confirmation
    reasons = [str(rejected.reason) for rejected in found[1:]]
    assert reasons == ["dpop_proof_missing", "dpop_token_mismatch", "dpop_key_mismatch"]
    for given, reason in zip((None, inner, other), reasons, strict=True):
        with pytest.raises(package.TokenRejected) as caught:
            validator.validate(raw, dpop=given)
        assert str(caught.value.reason) == reason == str(validator.explain(raw, dpop=given).reason)


def test_what_is_inside_is_kept(package: ModuleType) -> None:
    """The same token in another envelope is the same token; a hit opens the envelope nonetheless."""
    signed, validator = PROVIDER.access_token(), access(package)
    assert validator.validate(encrypt(signed)) is validator.validate(encrypt(signed))
    with pytest.raises(package.TokenRejected):
        validator.validate(signed)
    counters = validator.stats()["cache"]
    assert (counters["hits"], counters["misses"]) == (1, 1)


def test_batches(package: ModuleType) -> None:
    good, bad = encrypt(PROVIDER.access_token()), encrypt(PROVIDER.access_token(lifetime=-60))
    raws = [good, PROVIDER.access_token(), bad, encrypt("x"), good, "", None]
    found = access(package).validate_many(raws, threads=2)
    codes = [str(one.reason) if isinstance(one, package.TokenRejected) else "ok" for one in found]
    assert codes[:5] == ["ok", "token_not_encrypted", "token_expired", "content_not_signed", "ok"]
    assert len(codes) == len(raws)
    assert "ok" not in codes[5:]


def test_explanations(package: ModuleType) -> None:
    validator = access(package)
    good = validator.explain(encrypt(PROVIDER.access_token()))
    assert (good.checks[0].name, good.checks[0].outcome, str(good.reason)) == ("encryption", "passed", "ok")
    late = validator.explain(encrypt(PROVIDER.access_token(lifetime=-60)))
    assert str(late.reason) == "token_expired"
    closed = validator.explain(PROVIDER.access_token())
    assert str(closed.reason) == "token_not_encrypted"
    assert {check.outcome for check in closed.checks[1:]} == {"skipped"}


class Source:
    """Keys that become known when they are asked for."""

    def __init__(self, package: ModuleType) -> None:
        keys = [SigningKey.generate("ES256").public_jwk()]
        self.known = package.JWKSet.from_json({"keys": keys})
        self.later = package.JWKSet.from_json(PROVIDER.jwks())
        self.asked: list[object] = []

    def snapshot(self) -> Any:
        return self.known

    def peek(self) -> Any:
        return self.known

    async def aget(self) -> Any:
        return self.known

    def refresh_for(self, kid: str) -> bool:
        self.asked.append(kid)
        self.known = self.later
        return True

    async def arefresh_for(self, kid: str) -> bool:
        return self.refresh_for(kid)


def present(validator: Any, raw: str, way: str) -> Any:
    if way == "batch":
        return validator.validate_many([raw])[0]
    return asyncio.run(validator.avalidate(raw)) if way == "async" else validator.validate(raw)


@pytest.mark.parametrize("way", ["sync", "async", "batch"])
def test_unknown_keys_inside_are_asked_for(package: ModuleType, way: str) -> None:
    source = Source(package)
    token = present(access(package, keys=source), encrypt(PROVIDER.access_token()), way)
    assert token.subject == "user-1"
    assert source.asked == [PROVIDER.key.kid]


@pytest.mark.parametrize("way", ["sync", "async", "batch"])
def test_nobody_asks_an_issuer_for_the_keys_of_the_recipient(package: ModuleType, way: str) -> None:
    """The reason is the same, the key is another."""
    source = Source(package)
    stranger = EncryptionKey.generate(RECIPIENT.alg)
    raw = encrypt(PROVIDER.access_token(), key=stranger)
    try:
        found = present(access(package, keys=source), raw, way)
    except package.TokenRejected as rejected:
        found = rejected
    assert (type(found).__name__, str(found.reason)) == ("KeyRejected", "key_unknown")
    assert source.asked == []
