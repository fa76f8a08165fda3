"""JWE in the JSON serializations: shapes, headers in three places, several recipients."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

import keybound
from keybound import DecryptionKey, DecryptionKeys, Limits, Reason, jwe
from keybound.testing import OMIT, EncryptionKey, encrypt_jwe, encrypt_jwe_json

TEXT = b"Live long and prosper."
KEY = EncryptionKey.generate("A128KW", kid="1")
OTHER = EncryptionKey.generate("A128KW", kid="2")
GCMKW = EncryptionKey.generate("A128GCMKW", kid="3")
RULES: dict[str, Any] = {"algorithms": ["A128KW", "A128GCMKW"], "encryptions": ["A128CBC-HS256"]}


def decrypt(document: Any, *keys: EncryptionKey, **options: Any) -> jwe.DecryptedJWE:
    held = DecryptionKeys.from_json({"keys": [key.private_jwk() for key in keys or (KEY,)]})
    return jwe.decrypt_json(document, held, **RULES | options)


def refused(document: Any, *keys: EncryptionKey, **options: Any) -> Reason:
    with pytest.raises(keybound.TokenRejected) as caught:
        decrypt(document, *keys, **options)
    assert caught.value.__context__ is None
    return caught.value.reason


def changed(document: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {name: value for name, value in (document | members).items() if value is not OMIT}


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


FLATTENED = encrypt_jwe_json(TEXT, KEY)
GENERAL = encrypt_jwe_json(TEXT, [KEY])


class TestForms:
    @pytest.mark.parametrize("document", [FLATTENED, GENERAL], ids=["flattened", "general"])
    def test_text_octets_and_mappings(self, document):
        text = json.dumps(document)
        for form in (document, text, text.encode(), f" {text}\n"):
            opened = decrypt(form)
            assert (opened.plaintext, opened.aad, opened.header["alg"]) == (TEXT, None, "A128KW")

    def test_a_compact_one_taken_apart(self):
        names = ("protected", "encrypted_key", "iv", "ciphertext", "tag")
        document = dict(zip(names, encrypt_jwe(TEXT, KEY).split("."), strict=True))
        assert decrypt(document).plaintext == TEXT

    def test_additional_data(self):
        for document in (
            encrypt_jwe_json(TEXT, KEY, aad=b"more"),
            encrypt_jwe_json(TEXT, [KEY], aad=b"more"),
        ):
            assert decrypt(document).aad == b"more"
            for aad in (OMIT, encoded("less"), "AAAA"):
                assert refused(changed(document, aad=aad)) is Reason.DECRYPTION_FAILED
        assert refused(changed(FLATTENED, aad="AAAA")) is Reason.DECRYPTION_FAILED

    def test_content_without_octets(self):
        key = EncryptionKey.generate("dir", enc="A128GCM")
        document = encrypt_jwe_json(b"", key, enc="A128GCM")
        assert document["ciphertext"] == ""
        options = {"algorithms": ["dir"], "encryptions": ["A128GCM"]}
        assert decrypt(document, key, **options).plaintext == b""

    def test_unknown_members_are_ignored(self):
        """RFC 7516, 7.2.1."""
        assert decrypt(FLATTENED | {"payload": "AAAA", "signature": 5}).plaintext == TEXT


class TestShape:
    @pytest.mark.parametrize("name", ["protected", "iv", "ciphertext", "tag", "aad", "encrypted_key"])
    @pytest.mark.parametrize("value", [None, 5, [], {}, True])
    def test_texts_that_are_none(self, name, value):
        assert refused(changed(FLATTENED, **{name: value})) is Reason.JWE_SERIALIZATION_INVALID

    @pytest.mark.parametrize("name", ["protected", "iv", "tag", "aad", "encrypted_key"])
    def test_f8_what_is_empty_is_left_out(self, name):
        """RFC 7516, 7.2.1; a null or empty encrypted_key crashed others (CVE-2026-34986)."""
        assert refused(changed(FLATTENED, **{name: ""})) is Reason.JWE_SERIALIZATION_INVALID

    @pytest.mark.parametrize("name", ["iv", "ciphertext", "tag"])
    def test_what_must_be_there(self, name):
        assert refused(changed(FLATTENED, **{name: OMIT})) is Reason.JWE_SERIALIZATION_INVALID

    def test_missing_encrypted_key(self):
        assert refused(changed(FLATTENED, encrypted_key=OMIT)) is Reason.ENCRYPTED_KEY_INVALID
        entry = changed(GENERAL["recipients"][0], encrypted_key=OMIT)
        assert refused(changed(GENERAL, recipients=[entry])) is Reason.ENCRYPTED_KEY_INVALID

    @pytest.mark.parametrize("name", ["protected", "iv", "ciphertext", "tag", "aad", "encrypted_key"])
    @pytest.mark.parametrize("text", ["AA==", "A", "A!", "AB", "\u00e9AAA"])
    def test_strict_base64url(self, name, text):
        assert refused(changed(FLATTENED, **{name: text})) is Reason.BASE64URL_INVALID

    @pytest.mark.parametrize("name", ["header", "unprotected"])
    @pytest.mark.parametrize("value", [None, 5, [], {}, "", "e30"])
    def test_headers_that_are_none(self, name, value):
        assert refused(changed(FLATTENED, **{name: value})) is Reason.JWE_SERIALIZATION_INVALID

    @pytest.mark.parametrize(
        "recipients",
        [None, 5, "", {}, [], [None], [[]], [5], GENERAL["recipients"] * 9, [GENERAL["recipients"][0], None]],
        ids=lambda value: str(value)[:20],
    )
    def test_recipients_that_are_none(self, recipients):
        assert refused(changed(GENERAL, recipients=recipients)) is Reason.JWE_SERIALIZATION_INVALID
        assert decrypt(changed(GENERAL, recipients=GENERAL["recipients"] * 8)).plaintext == TEXT

    @pytest.mark.parametrize("name", ["header", "encrypted_key"])
    def test_flattened_and_general_at_once(self, name):
        assert refused(GENERAL | {name: FLATTENED[name]}) is Reason.JWE_SERIALIZATION_INVALID

    @pytest.mark.parametrize(
        ("document", "reason"),
        [
            (None, Reason.TOKEN_MISSING),
            (5, Reason.TOKEN_NOT_TEXT),
            ("", Reason.JSON_INVALID),
            ("[]", Reason.JWE_SERIALIZATION_INVALID),
            ("{}", Reason.JWE_SERIALIZATION_INVALID),
            ({1: object()}, Reason.JWE_SERIALIZATION_INVALID),
            ('{"iv":"AA","iv":"AA"}', Reason.JSON_DUPLICATE_MEMBER),
            ("a.b.c.d.e", Reason.JSON_INVALID),
            (b"\xff", Reason.JSON_INVALID),
            ("\ud800", Reason.JSON_INVALID),
            ({"padding": "x" * 20_000}, Reason.TOKEN_TOO_LARGE),
        ],
        ids=lambda value: str(value)[:20],
    )
    def test_what_is_no_document(self, document, reason):
        assert refused(document) is reason


class TestHeaders:
    @pytest.mark.parametrize("place", ["header", "unprotected"])
    @pytest.mark.parametrize("name", ["enc", "kid", "alg"])
    def test_e10_a_parameter_in_two_places(self, place, name):
        document = encrypt_jwe_json(TEXT, KEY, protected={"kid": "1", "alg": "A128KW"})
        assert refused(document) is Reason.HEADER_MEMBER_REPEATED
        twice = changed(FLATTENED, header={"alg": "A128KW", "enc": "A128CBC-HS256", "kid": "1"})
        assert refused(twice) is Reason.HEADER_MEMBER_REPEATED
        spread = changed(FLATTENED, unprotected={name: "A128KW"})
        assert refused(spread) is Reason.HEADER_MEMBER_REPEATED

    def test_alg_may_stand_anywhere(self):
        """It differs between recipients; enc does not, and has to be protected."""
        parameters = {"alg": "A128KW", "kid": "1"}
        protected = changed(encrypt_jwe_json(TEXT, KEY, protected=parameters), header=OMIT)
        shared = changed(encrypt_jwe_json(TEXT, KEY, unprotected=parameters), header=OMIT)
        for document in (protected, shared, FLATTENED):
            opened = decrypt(document)
            assert opened.plaintext == TEXT
            assert dict(opened.header) == parameters | {"enc": "A128CBC-HS256"}

    @pytest.mark.parametrize("place", ["header", "unprotected"])
    def test_enc_that_is_not_protected(self, place):
        document = encrypt_jwe_json(TEXT, KEY, protected={"enc": OMIT, "x": 1})
        document[place] = document.get(place, {}) | {"enc": "A128CBC-HS256"}
        assert refused(document) is Reason.ENC_MISSING

    @pytest.mark.parametrize("place", ["header", "unprotected"])
    @pytest.mark.parametrize(
        ("parameters", "reason"),
        [
            ({"zip": "DEF"}, Reason.HEADER_MEMBER_INVALID),
            ({"crit": ["x"], "x": 1}, Reason.CRIT_INVALID),
            ({"typ": 5}, Reason.HEADER_MEMBER_INVALID),
        ],
    )
    def test_what_has_to_be_protected(self, place, parameters, reason):
        document = changed(FLATTENED, **{place: FLATTENED.get(place, {}) | parameters})
        assert refused(document, allow_compression=True) is reason

    def test_crit_over_an_unprotected_parameter(self):
        document = encrypt_jwe_json(TEXT, KEY, protected={"crit": ["x"]}, unprotected={"x": 1})
        assert refused(document) is Reason.CRIT_UNSUPPORTED

    def test_without_alg_or_any_protected_header(self):
        assert refused(changed(FLATTENED, header={"kid": "1"})) is Reason.ALG_MISSING
        assert refused(changed(FLATTENED, protected=OMIT)) is Reason.ENC_MISSING
        assert refused(changed(FLATTENED, protected="W10")) is Reason.HEADER_NOT_OBJECT

    def test_compression(self):
        document = encrypt_jwe_json(b"a" * 5000, KEY, compress=True)
        assert refused(document) is Reason.ZIP_NOT_ALLOWED
        assert decrypt(document, allow_compression=True).plaintext == b"a" * 5000
        small = Limits(decompressed_bytes=4999)
        assert refused(document, allow_compression=True, limits=small) is Reason.CONTENT_TOO_LARGE


class TestRecipients:
    def test_each_opens_with_its_own_key(self):
        document = encrypt_jwe_json(TEXT, [KEY, OTHER, GCMKW])
        for key in (KEY, OTHER, GCMKW):
            opened = decrypt(document, key)
            assert opened.plaintext == TEXT
            assert (opened.header["kid"], opened.header["alg"]) == (key.kid, key.alg)
        stranger = EncryptionKey.generate("A128KW", kid="9")
        assert refused(document, stranger) is Reason.KEY_UNKNOWN

    def test_the_rules_of_one_do_not_stop_another(self):
        document = encrypt_jwe_json(TEXT, [GCMKW, KEY])
        assert decrypt(document, KEY, algorithms=["A128KW"]).plaintext == TEXT
        assert refused(document, GCMKW, algorithms=["A128KW"]) is Reason.KEY_UNKNOWN
        assert refused(encrypt_jwe_json(TEXT, [GCMKW]), KEY, algorithms=["A128KW"]) is Reason.ALG_NOT_ALLOWED
        broken = changed(document, recipients=[{"header": 5}, document["recipients"][1]])
        assert decrypt(broken).plaintext == TEXT

    def test_forged_ones_before_the_good_one(self):
        good = encrypt_jwe_json(TEXT, [KEY])
        (entry,) = good["recipients"]
        forged = entry | {"encrypted_key": encrypt_jwe_json(TEXT, KEY)["encrypted_key"]}
        assert decrypt(changed(good, recipients=[forged, forged, entry])).plaintext == TEXT
        assert refused(changed(good, recipients=[forged, forged])) is Reason.DECRYPTION_FAILED

    def test_a_document_costs_three_attempts(self):
        """However many recipients it lists, and however many keys share a kid."""
        good = encrypt_jwe_json(TEXT, [KEY])
        (entry,) = good["recipients"]
        forged = entry | {"encrypted_key": encrypt_jwe_json(TEXT, KEY)["encrypted_key"]}
        assert refused(changed(good, recipients=[*[forged] * 3, entry])) is Reason.DECRYPTION_FAILED
        # Two attempts for each recipient: two for the first, and one is left for the second.
        one, other = (EncryptionKey.generate("ECDH-ES+A128KW", kid="1") for _ in range(2))
        options = {"algorithms": ["ECDH-ES+A128KW"]}
        good = encrypt_jwe_json(TEXT, [other])
        (entry,) = good["recipients"]
        forged = entry | {"encrypted_key": encrypt_jwe_json(TEXT, other)["encrypted_key"]}
        for recipients, opens in (([entry, forged], True), ([forged, entry], False)):
            document = changed(good, recipients=recipients)
            if opens:
                assert decrypt(document, one, other, **options).plaintext == TEXT
            else:
                assert refused(document, one, other, **options) is Reason.DECRYPTION_FAILED

    def test_sizes_cost_no_attempt(self):
        good = encrypt_jwe_json(TEXT, [KEY])
        (entry,) = good["recipients"]
        short = entry | {"encrypted_key": "AAAA"}
        assert decrypt(changed(good, recipients=[*[short] * 7, entry])).plaintext == TEXT


def test_keys_and_options():
    key = DecryptionKey.from_json(KEY.private_jwk())
    assert jwe.decrypt_json(FLATTENED, key, **RULES).plaintext == TEXT
    with pytest.raises(keybound.PolicyError):
        jwe.decrypt_json(FLATTENED, None, **RULES)
    with pytest.raises(keybound.PolicyError):
        jwe.decrypt_json(FLATTENED, key, **RULES | {"limits": None})
