"""JWE in the compact serialization: what opens, what does not, and that nothing tells why not."""

from __future__ import annotations

import base64
import functools
import json
import secrets
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding

import keybound
from keybound import DecryptionKey, Limits, PolicyError, Reason, jwe
from keybound.jose import key_management
from keybound.jose.jwe_algorithms import CONTENT_ENCRYPTIONS, KEY_ALGORITHMS
from keybound.jose.jwe_header import DecryptionRules, check_fields
from keybound.testing import (
    ENCRYPTION_ALGORITHMS,
    ENCRYPTIONS,
    OMIT,
    EncryptionKey,
    encrypt_jwe,
)
from keybound.testing.encrypting import _concat_kdf

pytestmark = pytest.mark.filterwarnings("ignore::keybound.DeprecatedAlgorithmWarning")

TEXT = b"Live long and prosper. \xff\x00"
DEPRECATED = ("RSA1_5", "RSA-OAEP")
WRAP = EncryptionKey.generate("A128KW", kid="1")
GCMKW = EncryptionKey.generate("A128GCMKW", kid="1")
EC = EncryptionKey.generate("ECDH-ES+A128KW", kid="1")
RSA = EncryptionKey.generate("RSA-OAEP-256", kid="1", shared=True)
RSA1_5 = EncryptionKey.generate("RSA1_5", kid="1", shared=True)
DIRECT = EncryptionKey.generate("dir", kid="1")
EVERY_WAY = [WRAP, GCMKW, EC, RSA, RSA1_5, DIRECT, EncryptionKey.generate("ECDH-ES", kid="1", curve="X25519")]
every_way = pytest.mark.parametrize("key", EVERY_WAY, ids=lambda key: key.alg)


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@functools.cache
def held(key: EncryptionKey) -> DecryptionKey:
    return DecryptionKey.from_json(key.private_jwk())


def decrypt(compact: Any, key: EncryptionKey, *, enc: str = "A128CBC-HS256", **options: Any) -> Any:
    chosen = {
        "algorithms": [key.alg],
        "encryptions": [enc],
        "allow_deprecated": [key.alg] if key.alg in DEPRECATED else [],
    }
    return jwe.decrypt(compact, held(key), **chosen | options)


def refused(compact: Any, key: EncryptionKey, **options: Any) -> keybound.TokenRejected:
    with pytest.raises(keybound.TokenRejected) as caught:
        decrypt(compact, key, **options)
    return caught.value


def replaced(compact: str, segment: int, text: str) -> str:
    segments = compact.split(".")
    segments[segment] = text
    return ".".join(segments)


class TestEveryAlgorithm:
    @pytest.mark.parametrize("enc", ENCRYPTIONS)
    @pytest.mark.parametrize("alg", [alg for alg in ENCRYPTION_ALGORITHMS if "ECDH" not in alg])
    def test_opens(self, alg, enc):
        key = EncryptionKey.generate(alg, enc=enc, shared=True)
        opened = decrypt(encrypt_jwe(TEXT, key, enc=enc), key, enc=enc)
        assert opened.plaintext == TEXT
        assert (opened.header["alg"], opened.header["enc"], opened.aad) == (alg, enc, None)
        assert refused(encrypt_jwe(TEXT, self.other(key, enc), enc=enc), key, enc=enc).reason in (
            Reason.DECRYPTION_FAILED,
            Reason.KEY_UNKNOWN,
        )

    @pytest.mark.parametrize("parties", [{}, {"apu": "QWxpY2U", "apv": "Qm9i"}, {"apu": ""}, {"apv": "Qm9i"}])
    @pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521", "X25519", "X448"])
    @pytest.mark.parametrize("alg", [alg for alg in ENCRYPTION_ALGORITHMS if "ECDH" in alg])
    def test_opens_by_agreement(self, alg, curve, parties):
        for enc in ENCRYPTIONS:
            key = EncryptionKey.generate(alg, curve=curve)
            compact = encrypt_jwe(TEXT, key, enc=enc, header=parties)
            assert decrypt(compact, key, enc=enc).plaintext == TEXT
            # Another key of the same name.
            other = EncryptionKey.generate(alg, curve=curve, kid=key.kid)
            assert refused(compact, other, enc=enc).reason is Reason.DECRYPTION_FAILED

    def other(self, key: EncryptionKey, enc: str) -> EncryptionKey:
        if key.alg.startswith("RSA"):
            return EncryptionKey.generate(key.alg, rsa_bits=3072, kid=key.kid, shared=True)
        return EncryptionKey.generate(key.alg, enc=enc, kid=key.kid)

    @pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 31, 32, 33, 8_000])
    @pytest.mark.parametrize("enc", ENCRYPTIONS)
    def test_sizes_of_content(self, enc, size):
        text = secrets.token_bytes(size)
        key = EncryptionKey.generate("dir", enc=enc)
        assert decrypt(encrypt_jwe(text, key, enc=enc), key, enc=enc).plaintext == text

    def test_text_and_octets(self):
        compact = encrypt_jwe(TEXT, WRAP)
        assert decrypt(compact, WRAP) == decrypt(compact.encode(), WRAP)

    def test_nothing_is_printed(self):
        opened = decrypt(encrypt_jwe("a secret plaintext", WRAP), WRAP)
        assert "secret" not in f"{opened}{opened!r}"
        with pytest.raises(AttributeError):
            opened.plaintext = b""


class TestAllowLists:
    @every_way
    def test_what_is_not_listed(self, key):
        compact = encrypt_jwe(TEXT, key)
        other = "dir" if key.alg != "dir" and isinstance(key.material, bytes) else "ECDH-ES+A256KW"
        other = "A256KW" if key.alg == "dir" else other
        options = {"algorithms": [other], "allow_deprecated": []}
        assert refused(compact, key, **options).reason is Reason.ALG_NOT_ALLOWED
        assert refused(compact, key, enc="A256GCM").reason is Reason.ENC_NOT_ALLOWED
        assert decrypt(compact, key, encryptions=["A256GCM", "A128CBC-HS256"]).plaintext == TEXT

    @pytest.mark.parametrize(
        "alg", ["none", "None", "PBES2-HS256+A128KW", "a128kw", "A128KW ", "HS256", "RS256", "", "A256KW"]
    )
    def test_other_algorithms(self, alg):
        header = {"alg": alg, "p2c": 2**31, "p2s": "AAAA"}
        assert refused(encrypt_jwe(TEXT, WRAP, header=header), WRAP).reason is Reason.ALG_NOT_ALLOWED

    @pytest.mark.parametrize("enc", ["none", "A128CBC", "a128cbc-hs256", "XC20P", "", "A128KW"])
    def test_other_encryptions(self, enc):
        assert refused(encrypt_jwe(TEXT, WRAP, header={"enc": enc}), WRAP).reason is Reason.ENC_NOT_ALLOWED

    def test_both_are_mandatory(self):
        key = DecryptionKey.from_json(WRAP.private_jwk())
        for options in ({}, {"algorithms": ["A128KW"]}, {"encryptions": ["A128GCM"]}):
            with pytest.raises(TypeError):
                jwe.decrypt("a.b.c.d.e", key, **options)
        for options in (
            {"algorithms": []},
            {"encryptions": []},
            {"algorithms": "A128KW"},
            {"encryptions": "A128GCM"},
        ):
            with pytest.raises(PolicyError):
                decrypt(encrypt_jwe(TEXT, WRAP), WRAP, **options)

    def test_alg_and_key_belong_together(self):
        """A key for RSA-OAEP-256 is not tried with RSA1_5, whatever the allow-list holds (RFC 8725, 3.1)."""
        forged = encrypt_jwe(TEXT, RSA1_5, header={"kid": RSA.kid})
        options = {"algorithms": ["RSA-OAEP-256", "RSA1_5"], "allow_deprecated": ["RSA1_5"]}
        assert refused(forged, RSA, **options).reason is Reason.KEY_UNSUITABLE
        assert decrypt(encrypt_jwe(TEXT, RSA), RSA, **options).plaintext == TEXT

    @pytest.mark.parametrize(
        "options",
        [
            *({"limits": None}, {"limits": 5}, {"allow_compression": "false"}, {"allow_compression": 1}),
            *({"allow_deprecated": "RSA1_5"}, {"allow_deprecated": None}, {"allow_deprecated": [5]}),
        ],
    )
    def test_options_that_cannot_be_used(self, options):
        with pytest.raises(PolicyError):
            decrypt(encrypt_jwe(TEXT, WRAP), WRAP, **options)


class TestHeader:
    @pytest.mark.parametrize(
        ("header", "reason"),
        [
            ({"alg": OMIT}, Reason.ALG_MISSING),
            ({"alg": None}, Reason.HEADER_MEMBER_INVALID),
            ({"alg": ["A128KW"]}, Reason.HEADER_MEMBER_INVALID),
            ({"enc": OMIT}, Reason.ENC_MISSING),
            ({"enc": None}, Reason.HEADER_MEMBER_INVALID),
            ({"enc": ["A128CBC-HS256"]}, Reason.HEADER_MEMBER_INVALID),
            ({"kid": 5}, Reason.HEADER_MEMBER_INVALID),
            ({"kid": None}, Reason.HEADER_MEMBER_INVALID),
            ({"typ": 5}, Reason.HEADER_MEMBER_INVALID),
            ({"cty": ["JWT"]}, Reason.HEADER_MEMBER_INVALID),
            ({"zip": 5}, Reason.HEADER_MEMBER_INVALID),
            ({"zip": "DEF"}, Reason.ZIP_NOT_ALLOWED),
            ({"zip": ""}, Reason.ZIP_NOT_ALLOWED),
            ({"crit": ["exp"], "exp": 1}, Reason.CRIT_UNSUPPORTED),
            ({"crit": ["b64"], "b64": True}, Reason.CRIT_UNSUPPORTED),
            ({"crit": []}, Reason.CRIT_INVALID),
            ({"crit": ["absent"]}, Reason.CRIT_INVALID),
            ({"crit": ["x", "x"], "x": 1}, Reason.CRIT_INVALID),
            ({"crit": "x", "x": 1}, Reason.CRIT_INVALID),
            ({"crit": None}, Reason.CRIT_INVALID),
            ({"crit": [1]}, Reason.CRIT_INVALID),
            *(({"crit": [name], name: "x"}, Reason.CRIT_INVALID) for name in ("p2s", "p2c", "x5t", "apu")),
            ({"crit": ["enc"]}, Reason.CRIT_INVALID),
            ({"padding": "x" * 4_000}, Reason.HEADER_TOO_LARGE),
            (
                {"deep": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]},
                Reason.JSON_TOO_DEEP,
            ),
            (b'{"alg":"A128KW","enc":"A128CBC-HS256","alg":"A128KW"}', Reason.JSON_DUPLICATE_MEMBER),
            (b'{"alg":"A128KW","enc":"A128CBC-HS256","\\u0065nc":"A128GCM"}', Reason.JSON_DUPLICATE_MEMBER),
            (b'{"alg":"A128KW","enc":"A128CBC-HS256","x":1e999}', Reason.JSON_NUMBER_OUT_OF_RANGE),
            (b"[]", Reason.HEADER_NOT_OBJECT),
            (b"", Reason.JSON_INVALID),
            (b'{"alg":"A128KW",}', Reason.JSON_INVALID),
            (b"\xff", Reason.JSON_INVALID),
        ],
        ids=str,
    )
    def test_rejected(self, header, reason):
        assert refused(encrypt_jwe(TEXT, WRAP, header=header), WRAP).reason is reason

    @pytest.mark.parametrize(
        "header",
        [
            {"kid": OMIT},
            {"typ": "JWT", "cty": "anything"},
            {"b64": False},
            {"jwk": {"kty": "oct", "k": "AAAA"}, "jku": "https://attacker.example/", "x5u": 5},
            {"epk": "not used", "apu": 5, "iv": 5, "tag": 5, "p2c": 2**31, "p2s": ""},
            {"iss": "https://as.example.com", "x": [{"y": None}]},
        ],
        ids=str,
    )
    def test_accepted(self, header):
        opened = decrypt(encrypt_jwe(TEXT, WRAP, header=header), WRAP)
        assert opened.plaintext == TEXT
        assert all(opened.header.get(name, OMIT) == value for name, value in header.items())

    @pytest.mark.parametrize(
        "header",
        [
            *(
                {"iv": OMIT},
                {"iv": None},
                {"iv": 5},
                {"iv": "AAAA"},
                {"iv": "A" * 15},
                {"iv": "A" * 16 + "="},
            ),
            *(
                {"iv": "A" * 24},
                {"tag": OMIT},
                {"tag": None},
                {"tag": ""},
                {"tag": "A" * 20},
                {"tag": "A" * 24},
            ),
            {"tag": "A" * 21 + "B"},
        ],
        ids=str,
    )
    def test_iv_and_tag_of_the_key_wrapping(self, header):
        """RFC 7518, 4.7.1: present, and of exactly 96 and 128 bits."""
        assert refused(encrypt_jwe(TEXT, GCMKW, header=header), GCMKW).reason is Reason.HEADER_MEMBER_INVALID
        wrong = encrypt_jwe(TEXT, GCMKW, header={"tag": "A" * 22})
        assert refused(wrong, GCMKW).reason is Reason.DECRYPTION_FAILED

    @pytest.mark.parametrize("name", ["apu", "apv"])
    @pytest.mark.parametrize("value", [None, 5, "QQ==", "Q", "Q!", "QWxpY2V", ["QQ"], "\u00e9"])
    def test_parties(self, name, value):
        compact = encrypt_jwe(TEXT, EC, header={})
        header = json.loads(decoded(compact.split(".")[0])) | {name: value}
        forged = replaced(compact, 0, encoded(json.dumps(header).encode()))
        assert refused(forged, EC).reason is Reason.HEADER_MEMBER_INVALID

    def test_parties_are_authenticated(self):
        compact = encrypt_jwe(TEXT, EC, header={"apu": "QWxpY2U"})
        header = json.loads(decoded(compact.split(".")[0])) | {"apu": "RXZl"}
        forged = replaced(compact, 0, encoded(json.dumps(header).encode()))
        assert refused(forged, EC).reason is Reason.DECRYPTION_FAILED

    @pytest.mark.parametrize(
        "epk",
        [
            *(OMIT, None, "", 5, [], {}, {"kty": "EC"}, {"kty": "EC", "crv": "P-256"}),
            {"kty": "OKP", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
            {"kty": "EC", "crv": "X25519", "x": "A" * 43},
            {"kty": "EC", "crv": "secp256k1", "x": "A" * 43, "y": "A" * 43},
            {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43},
            {"kty": "RSA", "n": "AAAA", "e": "AQAB"},
            {"kty": ["EC"], "crv": {}, "x": "A" * 43, "y": "A" * 43},
            {"kty": "EC", "crv": "P-256", "x": "A" * 43},
            {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": None},
            {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": 5},
            {"kty": "EC", "crv": "P-256", "x": "A" * 42, "y": "A" * 43},
            {"kty": "EC", "crv": "P-256", "x": "A" * 44, "y": "A" * 43},
            {"kty": "EC", "crv": "P-256", "x": "A" * 43 + "=", "y": "A" * 43},
            {"kty": "EC", "crv": "P-256", "x": "A" * 42 + "B", "y": "A" * 43},
            {"kty": "EC", "crv": "P-256", "x": "A" * 10_000, "y": "A" * 43},
            {"kty": "OKP", "crv": "X25519", "x": "A" * 42},
            {"kty": "OKP", "crv": "X25519", "x": ""},
            pytest.param(EC.private_jwk(), id="a private key"),
        ],
        ids=lambda epk: str(epk)[:60],
    )
    def test_ephemeral_keys_that_are_none(self, epk):
        limits = Limits(token_bytes=100_000, header_bytes=100_000)
        rejected = refused(encrypt_jwe(TEXT, EC, header={"epk": epk}), EC, limits=limits)
        assert rejected.reason is Reason.EPK_INVALID

    def test_ephemeral_key_on_another_curve(self):
        """The private key is bound to its curve, so the token is not for it."""
        for curve in ("P-384", "X25519"):
            other = EncryptionKey.generate("ECDH-ES+A128KW", curve=curve, kid=EC.kid)
            assert refused(encrypt_jwe(TEXT, other), EC).reason is Reason.KEY_UNSUITABLE


class TestShape:
    @pytest.mark.parametrize("segments", range(9))
    def test_number_of_segments(self, segments):
        parts = (encrypt_jwe(TEXT, WRAP).split(".") * 2)[:segments]
        if segments == 5:
            assert decrypt(".".join(parts), WRAP).plaintext == TEXT
            return
        expected = {0: Reason.TOKEN_MISSING, 3: Reason.TOKEN_NOT_ENCRYPTED}.get(
            segments, Reason.JWE_MALFORMED
        )
        assert refused(".".join(parts), WRAP).reason is expected

    @pytest.mark.parametrize(
        ("raw", "reason"),
        [
            (None, Reason.TOKEN_MISSING),
            ("", Reason.TOKEN_MISSING),
            (b"", Reason.TOKEN_MISSING),
            (5, Reason.TOKEN_NOT_TEXT),
            (["a.b.c.d.e"], Reason.TOKEN_NOT_TEXT),
            (bytearray(b"a.b.c.d.e"), Reason.TOKEN_NOT_TEXT),
            ("\u00e9.b.c.d.e", Reason.BASE64URL_INVALID),
            ("x" * 16_385, Reason.TOKEN_TOO_LARGE),
            ("." * 1_000_000, Reason.TOKEN_TOO_LARGE),
            ("....", Reason.JSON_INVALID),
            ("{}", Reason.JWE_MALFORMED),
        ],
        ids=lambda value: str(value)[:20],
    )
    def test_what_is_no_token(self, raw, reason):
        assert refused(raw, WRAP).reason is reason

    @pytest.mark.parametrize("segment", range(5))
    @pytest.mark.parametrize("junk", ["=", "==", "!", " ", "\n", "+", "/", "\x7f"])
    def test_strict_base64url(self, segment, junk):
        compact = encrypt_jwe(TEXT, WRAP)
        text = compact.split(".")[segment]
        assert refused(replaced(compact, segment, text + junk), WRAP).reason is Reason.BASE64URL_INVALID

    @pytest.mark.parametrize("segment", [1, 2, 3, 4])
    def test_trailing_bits(self, segment):
        """One token, one text: 16 octets leave four bits over."""
        compact = encrypt_jwe(b"x", WRAP)
        text = compact.split(".")[segment]
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        spare = {0: 1, 2: 16, 3: 4}[len(text) % 4]
        for bits in range(1, spare):
            other = text[:-1] + alphabet[alphabet.index(text[-1]) + bits]
            assert refused(replaced(compact, segment, other), WRAP).reason is Reason.BASE64URL_INVALID
        assert decrypt(compact, WRAP).plaintext == b"x"

    @every_way
    def test_sizes_of_the_encrypted_key(self, key):
        compact = encrypt_jwe(TEXT, key)
        good = decoded(compact.split(".")[1])
        for size in {0, 1, 8, 15, 16, 24, 32, 40, 48, 255, 257} - {len(good)}:
            reason = refused(replaced(compact, 1, encoded(bytes(size))), key).reason
            if key.alg.startswith("RSA") and size:
                assert reason is Reason.DECRYPTION_FAILED
            else:
                assert reason is Reason.ENCRYPTED_KEY_INVALID

    @pytest.mark.parametrize("enc", ENCRYPTIONS)
    def test_sizes_of_iv_and_tag(self, enc):
        """Attack H15: tags that are cut short, down to nothing, are refused before anything is computed."""
        compact = encrypt_jwe(TEXT, key := EncryptionKey.generate("dir", enc=enc), enc=enc)
        iv, tag = (decoded(compact.split(".")[segment]) for segment in (2, 4))
        for size in {*range(40), 64} - {len(iv)}:
            cut = replaced(compact, 2, encoded((iv * 9)[:size]))
            assert refused(cut, key, enc=enc).reason is Reason.IV_INVALID
        for size in {*range(40), 64} - {len(tag)}:
            cut = replaced(compact, 4, encoded((tag * 9)[:size]))
            assert refused(cut, key, enc=enc).reason is Reason.TAG_INVALID
        assert decrypt(compact, key, enc=enc).plaintext == TEXT


def texts_of(rejected: BaseException) -> tuple[Any, ...]:
    return (
        type(rejected),
        str(rejected),
        repr(rejected),
        rejected.args,
        vars(rejected),
        rejected.__cause__,
        rejected.__context__,
        rejected.challenge(),
    )


class TestFailures:
    @every_way
    def test_every_failure_looks_the_same(self, key):
        """RFC 7516, 11.5: wrong key, wrong point, bad padding, bad tag, bad content."""
        compact = encrypt_jwe(TEXT, key)
        seen = {}
        for segment in range(1, 5):
            octets = decoded(compact.split(".")[segment])
            for at in {0, len(octets) // 2, len(octets) - 1} if octets else ():
                changed = bytearray(octets)
                changed[at] ^= 1
                forged = replaced(compact, segment, encoded(bytes(changed)))
                seen[f"{segment}.{at}"] = texts_of(refused(forged, key))
        padded = json.dumps(json.loads(decoded(compact.split(".")[0]))).encode()
        seen["header"] = texts_of(refused(replaced(compact, 0, encoded(padded)), key))
        assert {str(texts) for texts in seen.values()} == {str(seen["header"])}
        assert refused(replaced(compact, 0, encoded(padded)), key).reason is Reason.DECRYPTION_FAILED
        assert seen["header"][5:7] == (None, None)
        assert decrypt(compact, key).plaintext == TEXT

    @pytest.mark.parametrize("key", [key for key in EVERY_WAY if key.alg != "dir"], ids=lambda key: key.alg)
    def test_a_random_key_takes_the_place_of_one_that_is_not_found(self, key):
        """So content is tried all the same, and never twice with the same key."""
        decryption_key = DecryptionKey.from_json(key.private_jwk())
        compact = encrypt_jwe(TEXT, key)
        fields = json.loads(decoded(compact.split(".")[0]))
        if "epk" in fields:
            fields["epk"] |= {"x": "A" * 43}
        rules = DecryptionRules(
            algorithms=(KEY_ALGORITHMS[key.alg],),
            encryptions=(CONTENT_ENCRYPTIONS["A128CBC-HS256"],),
            compression=False,
            limits=Limits(),
        )
        header = check_fields(rules, fields, fields)
        wrong = secrets.token_bytes(len(decoded(compact.split(".")[1])))
        found = {key_management.content_key(header, decryption_key, wrong) for _ in range(3)}
        assert len(found) == 3
        assert {len(each) for each in found} == {32}

    @pytest.mark.parametrize("enc", ENCRYPTIONS)
    def test_content_keys_of_another_size(self, enc):
        """A key that unwraps, but to something that is no key of this encryption."""
        for size in (16, 24, 32, 40, 48, 64):
            if size == CONTENT_ENCRYPTIONS[enc].key_bytes:
                continue
            wrapped = RSA.private_key.public_key().encrypt(
                bytes(size),
                padding.OAEP(
                    mgf=padding.MGF1(key_management._OAEP_HASHES[256]),
                    algorithm=key_management._OAEP_HASHES[256],
                    label=None,
                ),
            )
            compact = replaced(encrypt_jwe(TEXT, RSA, enc=enc), 1, encoded(wrapped))
            assert refused(compact, RSA, enc=enc).reason is Reason.DECRYPTION_FAILED

    @pytest.mark.parametrize(
        ("curve", "points"),
        [
            (
                "X25519",
                [
                    "00" * 32,
                    "01" + "00" * 31,
                    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                    "ec" + "ff" * 30 + "7f",
                    "ed" + "ff" * 30 + "7f",
                    "ee" + "ff" * 30 + "7f",
                ],
            ),
            ("X448", ["00" * 56, "01" + "00" * 55, "fe" + "ff" * 27 + "fe" + "ff" * 27]),
        ],
    )
    def test_points_of_small_order(self, curve, points):
        """RFC 7748, 6 and RFC 8037, 3.2: an agreement on zero is none."""
        key = EncryptionKey.generate("ECDH-ES", curve=curve)
        zero = bytes(32 if curve == "X25519" else 56)
        for point in points:
            epk = {"kty": "OKP", "crv": curve, "x": encoded(bytes.fromhex(point))}
            header = json.dumps({"alg": "ECDH-ES", "enc": "A128GCM", "kid": key.kid, "epk": epk}).encode()
            # What somebody would send who counts on the secret being zero.
            sender = EncryptionKey("dir", _concat_kdf(zero, 16, "A128GCM", b"", b""))
            forged = encrypt_jwe(TEXT, sender, enc="A128GCM", header=header)
            assert refused(forged, key, enc="A128GCM").reason is Reason.DECRYPTION_FAILED


class TestCompression:
    def test_only_when_asked_for(self):
        compact = encrypt_jwe(TEXT * 100, WRAP, compress=True)
        assert refused(compact, WRAP).reason is Reason.ZIP_NOT_ALLOWED
        assert decrypt(compact, WRAP, allow_compression=True).plaintext == TEXT * 100
        assert decrypt(encrypt_jwe(TEXT, WRAP), WRAP, allow_compression=True).plaintext == TEXT

    @pytest.mark.parametrize("method", ["def", "DEFLATE", "GZIP", "", "DEF "])
    def test_other_methods(self, method):
        compact = encrypt_jwe(TEXT, WRAP, header={"zip": method})
        assert refused(compact, WRAP, allow_compression=True).reason is Reason.ZIP_NOT_ALLOWED

    def test_the_ceiling_is_exact(self):
        limits = Limits(decompressed_bytes=1000)
        options = {"allow_compression": True, "limits": limits}
        for size in (0, 1, 999, 1000):
            compact = encrypt_jwe(b"a" * size, WRAP, compress=True)
            assert decrypt(compact, WRAP, **options).plaintext == b"a" * size
        for size in (1001, 1002, 100_000):
            compact = encrypt_jwe(b"a" * size, WRAP, compress=True)
            assert refused(compact, WRAP, **options).reason is Reason.CONTENT_TOO_LARGE

    @pytest.mark.parametrize(
        "content",
        [b"", b"\xff", b"text", b"\x03", b"\x03\x00\x00", bytes.fromhex("789c030000000001"), b"\x03\x00" * 2],
    )
    def test_what_is_no_deflate(self, content):
        """Cut short, followed by something, or in the format of zlib (RFC 1950)."""
        compact = encrypt_jwe(content, WRAP, header={"zip": "DEF"})
        assert refused(compact, WRAP, allow_compression=True).reason is Reason.COMPRESSION_INVALID
        good = encrypt_jwe(b"\x03\x00", WRAP, header={"zip": "DEF"})
        assert decrypt(good, WRAP, allow_compression=True).plaintext == b""

    def test_it_comes_after_authentication(self):
        compact = encrypt_jwe(b"\xff", WRAP, header={"zip": "DEF"})
        forged = replaced(compact, 4, "A" * 22)
        assert refused(forged, WRAP, allow_compression=True).reason is Reason.DECRYPTION_FAILED
