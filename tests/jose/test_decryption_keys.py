"""Which keys are tried for a token: by kid, by algorithm, and never more than three."""

from __future__ import annotations

from typing import Any

import pytest

import keybound
from keybound import DecryptionKey, DecryptionKeys, InvalidKey, Reason, jwe
from keybound.testing import OMIT, EncryptionKey, SigningKey, encrypt_jwe

RSA = EncryptionKey.generate("RSA-OAEP-256", shared=True, kid="rsa")
EC = EncryptionKey.generate("ECDH-ES", kid="ec")
EC384 = EncryptionKey.generate("ECDH-ES", kid="ec384", curve="P-384")
X25519 = EncryptionKey.generate("ECDH-ES", kid="x", curve="X25519")
RULES: dict[str, Any] = {"algorithms": ["RSA-OAEP-256", "ECDH-ES"], "encryptions": ["A128CBC-HS256"]}
SECRETS: dict[str, Any] = {"algorithms": ["dir", "A128KW"], "encryptions": ["A128CBC-HS256"]}


def keys_of(*keys: EncryptionKey, **changed: Any) -> DecryptionKeys:
    return DecryptionKeys.from_json({"keys": [key.private_jwk() | changed for key in keys]})


def nameless(key: EncryptionKey) -> DecryptionKey:
    return DecryptionKey.from_json(
        {name: value for name, value in key.private_jwk().items() if name != "kid"}
    )


def bare(key: EncryptionKey) -> DecryptionKey:
    return DecryptionKey.from_secret(key.secret, alg=key.alg)


def outcome(compact: str, keys: Any, rules: dict[str, Any] = RULES) -> Reason:
    try:
        assert jwe.decrypt(compact, keys, **rules).plaintext == b"text"
    except keybound.TokenRejected as rejected:
        return rejected.reason
    return Reason.OK


@pytest.mark.parametrize("key", [RSA, EC, EC384, X25519], ids=lambda key: key.kid)
def test_by_kid(key):
    keys = keys_of(RSA, EC, EC384, X25519)
    assert outcome(encrypt_jwe(b"text", key), keys) is Reason.OK
    assert outcome(encrypt_jwe(b"text", key, header={"kid": "other"}), keys) is Reason.KEY_UNKNOWN
    wrong = next(other for other in (EC, EC384) if other.curve != key.curve)
    # The kid of a key on another curve, or of another type.
    assert outcome(encrypt_jwe(b"text", key, header={"kid": wrong.kid}), keys) is Reason.KEY_UNSUITABLE


def test_without_kid_the_one_that_fits():
    keys = keys_of(RSA, EC, EC384, X25519)
    for key in (RSA, EC, EC384, X25519):
        assert outcome(encrypt_jwe(b"text", key, header={"kid": OMIT}), keys) is Reason.OK
    other = EncryptionKey.generate("ECDH-ES", kid="ec2")
    two = keys_of(RSA, EC, other)
    assert outcome(encrypt_jwe(b"text", EC, header={"kid": OMIT}), two) is Reason.KEY_AMBIGUOUS
    assert outcome(encrypt_jwe(b"text", RSA, header={"kid": OMIT}), two) is Reason.OK
    assert outcome(encrypt_jwe(b"text", X25519, header={"kid": OMIT}), two) is Reason.KEY_UNSUITABLE


def test_a_key_without_kid_answers_for_a_kid_that_nobody_has():
    keys = DecryptionKeys([nameless(EC), *keys_of(RSA)])
    assert outcome(encrypt_jwe(b"text", EC, header={"kid": "any"}), keys) is Reason.OK
    assert outcome(encrypt_jwe(b"text", EC, header={"kid": "rsa"}), keys) is Reason.KEY_UNSUITABLE
    assert outcome(encrypt_jwe(b"text", RSA, header={"kid": "any"}), keys) is Reason.KEY_UNSUITABLE
    two = DecryptionKeys([nameless(EC), nameless(EncryptionKey.generate("ECDH-ES"))])
    assert outcome(encrypt_jwe(b"text", EC, header={"kid": "any"}), two) is Reason.KEY_AMBIGUOUS
    assert outcome(encrypt_jwe(b"text", EC, header={"kid": OMIT}), two) is Reason.KEY_AMBIGUOUS


def test_a_single_key():
    key = keys_of(EC).keys[0]
    assert outcome(encrypt_jwe(b"text", EC), key) is Reason.OK
    assert outcome(encrypt_jwe(b"text", X25519, header={"kid": "ec"}), key) is Reason.KEY_UNSUITABLE


def test_s004_24_secrets_without_a_kid_stand_for_each_other():
    """S004-24: the former client_secret decrypts for as long as it stands beside the new one."""
    new, old, older, other = (EncryptionKey.generate("dir") for _ in range(4))
    three = DecryptionKeys(bare(secret) for secret in (new, old, older))
    for header in ({"kid": OMIT}, {"kid": "any"}):
        for secret in (new, old, older):
            assert outcome(encrypt_jwe(b"text", secret, header=header), three, SECRETS) is Reason.OK
        assert outcome(encrypt_jwe(b"text", other, header=header), three, SECRETS) is Reason.DECRYPTION_FAILED
        alone = encrypt_jwe(b"text", old, header=header)
        assert outcome(alone, DecryptionKeys([bare(new)]), SECRETS) is Reason.DECRYPTION_FAILED
    with pytest.raises(InvalidKey, match="more than 3 secrets"):
        DecryptionKeys(bare(secret) for secret in (new, old, older, other))


def test_a_secret_with_a_kid_is_meant_by_its_kid():
    named, unnamed = EncryptionKey.generate("dir", kid="1"), EncryptionKey.generate("dir")
    keys = DecryptionKeys([*keys_of(named), bare(unnamed)])
    assert outcome(encrypt_jwe(b"text", unnamed, header={"kid": OMIT}), keys, SECRETS) is Reason.KEY_AMBIGUOUS
    assert outcome(encrypt_jwe(b"text", unnamed, header={"kid": "any"}), keys, SECRETS) is Reason.OK
    assert outcome(encrypt_jwe(b"text", named), keys, SECRETS) is Reason.OK


def test_secrets_do_not_share_a_kid():
    one, other = (EncryptionKey.generate("dir", kid="1") for _ in range(2))
    with pytest.raises(InvalidKey, match="two secrets share a kid"):
        keys_of(one, other)


def test_private_keys_may_share_a_kid():
    """One attempt with each, and never more than three."""
    keys = [EncryptionKey.generate("ECDH-ES", kid="1") for _ in range(4)]
    four = keys_of(*keys)
    verdicts = [outcome(encrypt_jwe(b"text", key), four) for key in keys]
    assert verdicts == [Reason.OK, Reason.OK, Reason.OK, Reason.DECRYPTION_FAILED]
    assert outcome(encrypt_jwe(b"text", keys[0], header={"kid": OMIT}), four) is Reason.KEY_AMBIGUOUS


def test_secrets_of_other_algorithms_are_not_tried():
    direct, wrap = EncryptionKey.generate("dir", kid="1"), EncryptionKey.generate("A128KW", kid="2")
    keys = DecryptionKeys([bare(wrap), bare(direct)])
    assert outcome(encrypt_jwe(b"text", direct), keys, SECRETS) is Reason.OK
    assert outcome(encrypt_jwe(b"text", wrap), keys, SECRETS) is Reason.OK
    assert (
        outcome(encrypt_jwe(b"text", direct), DecryptionKeys([bare(wrap)]), SECRETS) is Reason.KEY_UNSUITABLE
    )
    # Sixteen octets, but for wrapping alone.
    misused = encrypt_jwe(b"text", EncryptionKey("dir", wrap.secret, kid="2"), enc="A128GCM")
    assert outcome(misused, keys_of(wrap), SECRETS | {"encryptions": ["A128GCM"]}) is Reason.KEY_UNSUITABLE


class TestSets:
    def test_what_is_not_for_decryption_is_skipped_and_counted(self):
        documents = [
            EC.private_jwk(),
            EC.public_jwk(),
            SigningKey.generate("ES256").private_jwk(),
            5,
            {"kty": "x"},
        ]
        keys = DecryptionKeys.from_json({"keys": documents})
        assert [key.kid for key in keys] == ["ec"]
        assert len(keys) == 1
        assert sum(keys.skipped.values()) == 4
        assert repr(keys) == "<keybound.DecryptionKeys of 1 keys, 4 skipped>"
        assert keys.snapshot() is keys

    def test_a_single_jwk(self):
        assert len(DecryptionKeys.from_json(EC.private_jwk())) == 1
        with pytest.raises(InvalidKey, match="public"):
            DecryptionKeys.from_json(EC.public_jwk())

    @pytest.mark.parametrize(
        "document", ["{}", "[]", {"keys": {}}, {"keys": []}, {"keys": [EC.public_jwk()]}, None]
    )
    def test_no_keys(self, document):
        with pytest.raises(InvalidKey):
            DecryptionKeys.from_json(document)

    def test_secrets_and_private_keys_do_not_mix(self):
        secret = EncryptionKey.generate("dir")
        with pytest.raises(InvalidKey, match="mix"):
            keys_of(EC, secret)
        assert len(keys_of(EC, RSA)) == len(keys_of(secret, EncryptionKey.generate("A128KW"))) == 2

    @pytest.mark.parametrize("keys", [[], [None], [EC.private_jwk()], None, "keys", [keybound.DecryptionKey]])
    def test_only_keys(self, keys):
        with pytest.raises(InvalidKey):
            DecryptionKeys(keys)

    def test_it_cannot_be_changed(self):
        keys = keys_of(EC)
        with pytest.raises(AttributeError):
            keys.keys = ()
        with pytest.raises(AttributeError):
            del keys.keys
        with pytest.raises(TypeError):
            keys.skipped["x"] = 1

    def test_what_is_no_set(self):
        for keys in (
            None,
            EC.private_jwk(),
            [keys_of(EC).keys[0]],
            keybound.JWKSet.from_json(SigningKey.generate("ES256").public_jwk()),
        ):
            with pytest.raises(keybound.PolicyError, match="DecryptionKey"):
                jwe.decrypt("a.b.c.d.e", keys, **RULES)
