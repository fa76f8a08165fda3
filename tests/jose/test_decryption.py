"""The policy object that validators take: what it opens, and what it hands on."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import keybound
from keybound import Decryption, DecryptionKey, DecryptionKeys, JWKSet, Limits, PolicyError, Reason, jws
from keybound.jose.registered_encryption import REGISTERED_ENCRYPTIONS, registered_encryption
from keybound.testing import (
    OMIT,
    EncryptionKey,
    FakeClock,
    FakeIssuer,
    SigningKey,
    encrypt_jwe,
    encrypt_jwe_json,
    make_token,
)

KEY = EncryptionKey.generate("ECDH-ES+A256KW", curve="X25519", kid="1")
SIGNED = make_token({"alg": "ES256"}, {"iss": "https://as.example.com"}, SigningKey.generate("ES256"))
JWT = {"cty": "JWT"}


def policy(key: EncryptionKey = KEY, **options: Any) -> Decryption:
    defaults: dict[str, Any] = {
        "keys": DecryptionKey.from_json(key.private_jwk()),
        "algorithms": [key.alg],
        "encryptions": ["A128CBC-HS256"],
    }
    return Decryption(**defaults | options)


class TestContent:
    @pytest.mark.parametrize(
        "alg",
        [f"{family}{bits}" for family in ("HS", "RS", "PS", "ES") for bits in (256, 384, 512)],
    )
    def test_s004_15_s004_16_what_was_signed_comes_out(self, alg):
        """S004-15, S004-16: a JWE around a JWS of each of the twelve algorithms."""
        signer = SigningKey.generate(alg, shared=True)
        signed = make_token({"alg": alg}, {"code": "x"}, signer)
        opened = policy().open(encrypt_jwe(signed, KEY, header=JWT))
        assert opened == signed.encode()
        keys = JWKSet.from_json(signer.verification_jwk())
        assert jws.verify(opened, keys, algorithms=[alg]).payload == b'{"code":"x"}'

    def test_s004_15_a_plain_token_is_rejected(self):
        """S004-15: where encryption is registered, a plain JWS is not enough."""
        assert policy().open(SIGNED) == Reason.TOKEN_NOT_ENCRYPTED
        assert policy().open(encrypt_jwe(SIGNED, KEY, header=JWT)) == SIGNED.encode()

    @pytest.mark.parametrize(
        "content",
        [
            *("", "{}", '{"iss":"https://as.example.com"}', "text", "a.b", "a.b.c.d", "a.b.c.d.e"),
            *("..", ".a.b", "a.b.c\n", "a.b.c=", " a.b.c"),
            *(b"\xff.\xff.\xff", "\u00e9.\u00e9.\u00e9", '{"code":"a.b.c"} \u00e9'),
            encrypt_jwe(SIGNED, KEY, header=JWT),
        ],
        ids=lambda content: str(content)[:20],
    )
    def test_s004_15_content_that_is_not_signed_is_rejected(self, content):
        """S004-15: a JWE whose content is not a JWS, be it claims in the open or another JWE."""
        assert policy().open(encrypt_jwe(content, KEY, header=JWT)) == Reason.CONTENT_NOT_SIGNED

    def test_a5_an_unsigned_token_inside_is_for_the_validator_to_reject(self):
        """CVE-2026-29000: what was decrypted is not yet verified."""
        unsigned = make_token({"alg": "none"}, {"sub": "admin"}, None)
        opened = policy().open(encrypt_jwe(unsigned, KEY, header=JWT))
        assert opened == unsigned.encode()
        with pytest.raises(keybound.HeaderRejected) as caught:
            jws.verify(
                opened, JWKSet.from_json(SigningKey.generate("ES256").public_jwk()), algorithms=["ES256"]
            )
        assert caught.value.reason is Reason.ALG_NOT_ALLOWED

    @pytest.mark.parametrize("cty", ["JWT", "jwt", "application/jwt", "Application/JWT"])
    def test_cty(self, cty):
        """RFC 7519, 5.2; RFC 7515, 4.1.10."""
        assert policy().open(encrypt_jwe(SIGNED, KEY, header={"cty": cty})) == SIGNED.encode()

    @pytest.mark.parametrize(
        "cty", ["", "JWE", "json", "at+jwt", "application/json", "text/jwt", "JWT ", "jw\u017f"]
    )
    def test_other_cty(self, cty):
        compact = encrypt_jwe(SIGNED, KEY, header={"cty": cty})
        for judged in (policy(), policy(allow_missing_cty=True)):
            assert judged.open(compact) == Reason.CTY_NOT_ALLOWED

    def test_missing_cty(self):
        compact = encrypt_jwe(SIGNED, KEY)
        assert policy().open(compact) == Reason.CTY_MISSING
        assert policy(allow_missing_cty=True).open(compact) == SIGNED.encode()

    def test_text_and_octets(self):
        compact = encrypt_jwe(SIGNED, KEY, header=JWT)
        assert policy().open(compact) == policy().open(compact.encode()) == SIGNED.encode()

    def test_e22_compact_alone(self):
        document = encrypt_jwe_json(SIGNED, KEY, protected=JWT)
        assert policy().open(document) == Reason.TOKEN_NOT_TEXT
        assert policy().open(str(document)) == Reason.JWE_MALFORMED
        assert policy().open(None) == Reason.TOKEN_MISSING

    def test_compression_and_limits(self):
        compact = encrypt_jwe(SIGNED, KEY, header=JWT, compress=True)
        assert policy().open(compact) == Reason.ZIP_NOT_ALLOWED
        assert policy(allow_compression=True).open(compact) == SIGNED.encode()
        small = policy(allow_compression=True, limits=Limits(decompressed_bytes=10))
        assert small.open(compact) == Reason.CONTENT_TOO_LARGE
        assert policy(limits=Limits(token_bytes=100)).open(compact) == Reason.TOKEN_TOO_LARGE
        assert policy(limits=Limits(header_bytes=100)).open(compact) == Reason.HEADER_TOO_LARGE


class TestPolicy:
    @pytest.mark.parametrize(
        "options",
        [
            {"keys": None},
            pytest.param({"keys": KEY.private_jwk()}, id="keys: a JWK"),
            {"keys": DecryptionKeys},
            {"keys": JWKSet.from_json(SigningKey.generate("ES256").public_jwk())},
            {"algorithms": []},
            {"algorithms": "ECDH-ES"},
            {"algorithms": ["PBES2-HS256+A128KW"]},
            {"algorithms": ["ECDH-ES", "dir"]},
            {"algorithms": ["RSA-OAEP-256"]},
            {"algorithms": ["ECDH-ES+A128KW"]},
            {"encryptions": []},
            {"encryptions": ["A128CBC"]},
            {"encryptions": None},
            {"allow_deprecated": ["RSA1_5"]},
            {"allow_deprecated": "RSA1_5"},
            {"allow_deprecated": None},
            {"allow_compression": "false"},
            {"allow_missing_cty": 0},
            {"limits": None},
        ],
        ids=str,
    )
    def test_what_cannot_be_used(self, options):
        with pytest.raises(PolicyError):
            policy(**options)

    def test_a_secret_that_no_encryption_takes(self):
        secret = DecryptionKey.from_secret(b"k" * 16, alg="dir")
        with pytest.raises(PolicyError, match="no key is of use"):
            policy(keys=secret, algorithms=["dir"], encryptions=["A256GCM"])
        assert policy(keys=secret, algorithms=["dir"], encryptions=["A256GCM", "A128GCM"])

    def test_both_allow_lists_are_mandatory(self):
        for name in ("keys", "algorithms", "encryptions"):
            options: dict[str, Any] = {"keys": KEY, "algorithms": [KEY.alg], "encryptions": ["A128GCM"]}
            del options[name]
            with pytest.raises(TypeError):
                Decryption(**options)

    def test_it_cannot_be_changed(self):
        algorithms = [KEY.alg]
        made = policy(algorithms=algorithms, encryptions=iter(["A128CBC-HS256", "A256GCM"]))
        algorithms.append("ECDH-ES")
        assert made.algorithms == (KEY.alg,)
        assert made.encryptions == ("A128CBC-HS256", "A256GCM")
        for name in ("keys", "algorithms", "limits", "_rules"):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(made, name, None)
        assert policy() != made

    @pytest.mark.filterwarnings("ignore::keybound.DeprecatedAlgorithmWarning")
    def test_s004_17_deprecated_algorithms_open_once_typed_out(self):
        """S004-17"""
        for alg in ("RSA1_5", "RSA-OAEP"):
            key = EncryptionKey.generate(alg, shared=True)
            made = policy(key, allow_deprecated=iter([alg]))
            assert made.allow_deprecated == (alg,)
            assert made.open(encrypt_jwe(SIGNED, key, header=JWT)) == SIGNED.encode()


class Rollover:
    """A source of keys that lets the former secret go after half an hour."""

    def __init__(self, clock: FakeClock, new: EncryptionKey, old: EncryptionKey) -> None:
        self.clock, self.end = clock, clock() + 1800
        self.both = DecryptionKeys(DecryptionKey.from_secret(key.secret, alg="dir") for key in (new, old))
        self.new = DecryptionKeys(self.both.keys[:1])

    def snapshot(self) -> DecryptionKeys:
        return self.both if self.clock() < self.end else self.new


class TestKeySources:
    def test_s004_24_the_former_secret_decrypts_for_as_long_as_its_source_says(self):
        """S004-24 with S004-23: symmetric encryption is one of the places, tested at 29:59 and 30:01."""
        clock = FakeClock()
        new, old = (EncryptionKey.generate("dir") for _ in range(2))
        judged = policy(keys=Rollover(clock, new, old), algorithms=["dir"])
        for header in (JWT, JWT | {"kid": OMIT}):
            assert judged.open(encrypt_jwe(SIGNED, new, header=header)) == SIGNED.encode()
        former = encrypt_jwe(SIGNED, old, header=JWT)
        clock.advance(1799)
        assert judged.open(former) == SIGNED.encode()
        clock.advance(2)
        assert judged.open(former) == Reason.DECRYPTION_FAILED
        assert judged.open(encrypt_jwe(SIGNED, new, header=JWT)) == SIGNED.encode()

    @pytest.mark.parametrize("answer", [None, "keys", KEY.private_jwk()])
    def test_a_source_that_breaks_its_contract_is_an_outage(self, answer):
        class Broken:
            def snapshot(self) -> Any:
                return answer

        with pytest.raises(keybound.Unavailable):
            policy(keys=Broken()).open(encrypt_jwe(SIGNED, KEY, header=JWT))

    def test_an_outage_stays_one(self):
        class Down:
            def snapshot(self) -> Any:
                raise keybound.Unavailable("the vault is sealed", retry_after=5)

        with pytest.raises(keybound.Unavailable, match="sealed"):
            policy(keys=Down()).open(encrypt_jwe(SIGNED, KEY, header=JWT))


CLIENT = {"authorization_encrypted_response_alg": "ECDH-ES+A256KW"}
ENC = "authorization_encrypted_response_enc"
SERVER = {
    "authorization_encryption_alg_values_supported": ["RSA-OAEP-256", "ECDH-ES+A256KW"],
    "authorization_encryption_enc_values_supported": ["A128CBC-HS256", "A256GCM"],
}


class TestMetadata:
    def registered(self, client: Any, server: Any = None, **options: Any) -> Decryption | None:
        keys = DecryptionKey.from_key(KEY.private_key, kid="1")
        return Decryption.from_metadata("authorization_response", client, keys=keys, server=server, **options)

    def test_s004_20_what_the_client_registered_is_applied(self):
        """S004-20: authorization_encrypted_response_alg and authorization_encrypted_response_enc."""
        made = self.registered(CLIENT | {ENC: "A256GCM"})
        assert made is not None
        assert (made.algorithms, made.encryptions) == (("ECDH-ES+A256KW",), ("A256GCM",))
        assert made.open(encrypt_jwe(SIGNED, KEY, enc="A256GCM", header=JWT)) == SIGNED.encode()
        other = encrypt_jwe(SIGNED, KEY, enc="A128CBC-HS256", header=JWT)
        assert made.open(other) == Reason.ENC_NOT_ALLOWED
        direct = encrypt_jwe(SIGNED, EncryptionKey("ECDH-ES", KEY.private_key, kid="1"), header=JWT)
        assert made.open(direct) == Reason.ALG_NOT_ALLOWED

    def test_s004_20_enc_has_a_default(self):
        """S004-20: A128CBC-HS256 where only alg is registered (JARM, 3)."""
        for client in (CLIENT, CLIENT | {ENC: None}):
            made = self.registered(client)
            assert made is not None
            assert made.encryptions == ("A128CBC-HS256",)

    def test_s004_20_no_registration_is_no_encryption(self):
        """S004-20"""
        for client in (
            {},
            {"authorization_encrypted_response_alg": None},
            {"id_token_encrypted_response_alg": "dir"},
        ):
            assert self.registered(client) is None
        with pytest.raises(PolicyError, match="without authorization_encrypted_response_alg"):
            self.registered({ENC: "A256GCM"})

    def test_s004_19_the_server_bounds_it(self):
        """S004-19: authorization_encryption_alg_values_supported and .._enc_values_supported."""
        assert self.registered(CLIENT, SERVER)
        assert self.registered(CLIENT | {ENC: "A256GCM"}, SERVER)
        for client, member in (
            (CLIENT | {"authorization_encrypted_response_alg": "ECDH-ES"}, "alg"),
            (CLIENT | {ENC: "A128GCM"}, "enc"),
        ):
            assert self.registered(client)
            with pytest.raises(PolicyError, match=f"authorization_encryption_{member}_values_supported"):
                self.registered(client, SERVER)
            # What the server does not publish, it does not bound (JARM, 4: OPTIONAL).
            assert self.registered(client, {})

    @pytest.mark.parametrize(
        ("client", "server"),
        [
            *((None, None), ([], None), ("text", None), (CLIENT, []), (CLIENT, "text")),
            ({"authorization_encrypted_response_alg": ["dir"]}, None),
            ({"authorization_encrypted_response_alg": ""}, None),
            ({"authorization_encrypted_response_alg": "none"}, None),
            ({"authorization_encrypted_response_alg": "PBES2-HS256+A128KW"}, None),
            ({"authorization_encrypted_response_alg": "RSA-OAEP-256"}, None),
            ({"authorization_encrypted_response_alg": "RSA1_5"}, None),
            (CLIENT | {ENC: 5}, None),
            (CLIENT | {ENC: "A128CBC"}, None),
            (CLIENT, {"authorization_encryption_alg_values_supported": "ECDH-ES+A256KW"}),
            (CLIENT, {"authorization_encryption_alg_values_supported": []}),
            (CLIENT, {"authorization_encryption_enc_values_supported": [None]}),
        ],
        ids=str,
    )
    def test_metadata_that_cannot_be_used(self, client, server):
        with pytest.raises(PolicyError):
            self.registered(client, server)

    @pytest.mark.parametrize("kind", [None, "", "access_token", [], 5])
    def test_other_kinds(self, kind):
        with pytest.raises(PolicyError, match="kind must be one of"):
            registered_encryption(kind, CLIENT)

    def test_names_of_the_members(self):
        """OpenID Connect Registration, 2; JARM, 3; RFC 9701, 6: and the lists in the server's metadata."""
        names = {kind: members[0] for kind, members in REGISTERED_ENCRYPTIONS.items()}
        assert names == {
            "id_token": "id_token_encrypted_response_alg",
            "userinfo": "userinfo_encrypted_response_alg",
            "request_object": "request_object_encryption_alg",
            "authorization_response": "authorization_encrypted_response_alg",
            "introspection_response": "introspection_encrypted_response_alg",
        }
        lists = {kind: members[2] for kind, members in REGISTERED_ENCRYPTIONS.items()}
        assert lists == {
            "id_token": "id_token_encryption_alg_values_supported",
            "userinfo": "userinfo_encryption_alg_values_supported",
            "request_object": "request_object_encryption_alg_values_supported",
            "authorization_response": "authorization_encryption_alg_values_supported",
            "introspection_response": "introspection_encryption_alg_values_supported",
        }
        kinds = {kind.value for kind in keybound.TokenKind}
        assert set(REGISTERED_ENCRYPTIONS) - {"userinfo"} <= kinds

    def test_a_kind_may_be_given_as_such(self):
        kind = keybound.TokenKind.AUTHORIZATION_RESPONSE
        assert registered_encryption(kind, CLIENT) == ("ECDH-ES+A256KW", "A128CBC-HS256")


def test_a_whole_nested_token():
    """RFC 7519, 7.2: decrypt, then validate what came out."""
    issuer = FakeIssuer("https://as.example.com")
    validator = keybound.AccessTokenValidator(
        issuer=issuer.issuer,
        audience="https://rs.example.com",
        keys=JWKSet.from_json(issuer.jwks()),
        algorithms=["ES256"],
        clock=issuer.clock,
    )
    nested = encrypt_jwe(issuer.access_token(audience="https://rs.example.com"), KEY, header=JWT)
    assert validator.validate(policy().open(nested)).issuer == issuer.issuer
    with pytest.raises(keybound.MalformedToken) as caught:
        validator.validate(nested)
    assert caught.value.reason is Reason.TOKEN_ENCRYPTED
