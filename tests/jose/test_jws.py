"""The compact serialization: attacks A, B, D and E of the catalogue that need no claims."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

import keybound
from keybound import JWK, JWKSet, Limits, PolicyError, Reason, TokenRejected, jws
from keybound.testing import SigningKey, make_token

KEY = SigningKey.generate("ES256")
KEYS = JWKSet.from_json(KEY.public_jwk())
HEADER = {"alg": "ES256", "kid": KEY.kid}
UNENCODED = HEADER | {"b64": False, "crit": ["b64"]}


def verdict(raw: Any, **options: Any) -> Reason:
    try:
        jws.verify(raw, options.pop("keys", KEYS), **{"algorithms": ["ES256"]} | options)
    except TokenRejected as rejected:
        return rejected.reason
    return Reason.OK


def token(header: Any = HEADER, payload: Any = b"payload", **options: Any) -> str:
    return make_token(header, payload, KEY, **options)


class TestResult:
    def test_header_and_payload(self):
        verified = jws.verify(token(HEADER | {"typ": "x", "a": {"b": [1]}}), KEYS, algorithms=["ES256"])
        assert verified.payload == b"payload"
        assert verified.header == HEADER | {"typ": "x", "a": {"b": [1]}}

    def test_it_is_read_only(self):
        verified = jws.verify(token(HEADER | {"a": {"b": [1]}}), KEYS, algorithms=["ES256"])
        for change in (
            lambda: verified.header.update(alg="none"),
            lambda: verified.header.__setitem__("alg", "none"),
            lambda: verified.header["a"].clear(),
            lambda: verified.header["a"]["b"].append(2),
        ):
            with pytest.raises(TypeError):
                change()
        with pytest.raises(AttributeError):
            verified.payload = b""

    def test_repr_shows_nothing(self):
        text = repr(jws.verify(token(payload=b"secret payload"), KEYS, algorithms=["ES256"]))
        assert "secret" not in text
        assert KEY.kid not in text

    def test_text_and_octets(self):
        for raw in (token(), token().encode()):
            assert jws.verify(raw, KEYS, algorithms=["ES256"]).payload == b"payload"

    def test_a_single_key_serves_as_a_set(self):
        assert verdict(token(), keys=JWK.from_json(KEY.public_jwk())) is Reason.OK

    def test_the_same_token_again(self):
        raw = token()
        assert [verdict(raw) for _ in range(5)] == [Reason.OK] * 5
        assert [verdict(raw[:-1]) for _ in range(5)] == [Reason.BASE64URL_INVALID] * 5

    def test_a_header_remembered_from_one_key_serves_no_other(self):
        raw, stranger = token(), SigningKey.generate("ES256", kid=KEY.kid)
        assert verdict(raw) is Reason.OK
        assert verdict(make_token(HEADER, b"payload", stranger)) is Reason.SIGNATURE_INVALID
        assert verdict(raw, keys=JWKSet.from_json(stranger.public_jwk())) is Reason.SIGNATURE_INVALID
        assert verdict(raw, algorithms=["ES384"]) is Reason.ALG_NOT_ALLOWED


class TestOptions:
    @pytest.mark.parametrize(
        "keys",
        [None, "", b"", KEY.public_jwk(), [], {}, b"x" * 64, JWK, object()],
        ids=lambda value: repr(value)[:12],
    )
    def test_no_keys(self, keys):
        """GHSA-8wpc-h4q6-8fxv: an empty key never turns verification off."""
        for verify in (jws.verify, jws.verify_json):
            with pytest.raises(PolicyError):
                verify(token(), keys, algorithms=["ES256"])

    @pytest.mark.parametrize(
        "algorithms",
        [None, "ES256", b"ES256", [], ["none"], [None], ["HS256", "ES256"], 5, [["ES256"]]],
        ids=repr,
    )
    def test_no_algorithms(self, algorithms):
        for verify in (jws.verify, jws.verify_json):
            with pytest.raises(PolicyError):
                verify(token(), KEYS, algorithms=algorithms)

    def test_the_allow_list_is_mandatory(self):
        """CVE-2016-10555."""
        with pytest.raises(TypeError):
            jws.verify(token(), KEYS)

    @pytest.mark.parametrize("limits", [None, {}, 5, Limits], ids=repr)
    def test_no_limits(self, limits):
        with pytest.raises(PolicyError, match="limits"):
            jws.verify(token(), KEYS, algorithms=["ES256"], limits=limits)

    @pytest.mark.parametrize("payload", ["payload", 5, [], bytearray(b"x")], ids=repr)
    def test_no_detached_payload(self, payload):
        with pytest.raises(PolicyError, match="detached"):
            jws.verify(token(), KEYS, algorithms=["ES256"], detached_payload=payload)

    def test_any_iterable_is_an_allow_list(self):
        for names in (("ES256",), {"ES256"}, iter(["ES256"]), {"ES256": 1}.keys()):
            assert verdict(token(), algorithms=names) is Reason.OK


class TestNone:
    @pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", "noNe ", "null", "NULL"])
    def test_alg_none(self, alg):
        """CVE-2015-2951 and its successors; the control is signed."""
        for signature in ("", "AA", token().rpartition(".")[2]):
            assert (
                verdict(make_token({"alg": alg, "kid": KEY.kid}, b"payload", None, signature=signature))
                is Reason.ALG_NOT_ALLOWED
            )
        assert verdict(token()) is Reason.OK

    @pytest.mark.parametrize("alg", [None, 5, True, [], ["ES256"], {}, {"alg": "ES256"}], ids=repr)
    def test_alg_that_is_no_text(self, alg):
        assert verdict(token({"alg": alg, "kid": KEY.kid})) is Reason.HEADER_MEMBER_INVALID

    def test_no_alg(self):
        assert verdict(token({"kid": KEY.kid})) is Reason.ALG_MISSING
        assert verdict(token({"Alg": "ES256"})) is Reason.ALG_MISSING

    @pytest.mark.parametrize("alg", ["es256", "ES256 ", " ES256", "ES256\0", "ES-256", "\uff25\uff33256"])
    def test_names_are_compared_exactly(self, alg):
        assert verdict(token({"alg": alg, "kid": KEY.kid})) is Reason.ALG_NOT_ALLOWED

    @pytest.mark.parametrize(
        "signature",
        [b"", b"\0", bytes(63), bytes(64), bytes(65), b"\xff" * 64, bytes(31) + b"\1" + bytes(31) + b"\1"],
    )
    def test_signatures_of_nobody(self, signature):
        """CVE-2020-28042 and CVE-2022-21449 (r = s = 0)."""
        assert verdict(token(signature=signature)) is Reason.SIGNATURE_INVALID

    def test_the_psychic_signature_in_der(self):
        assert verdict(token(signature="MAYCAQACAQA")) is Reason.SIGNATURE_INVALID

    def test_r_and_s_are_below_the_order(self):
        order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
        good = base64.urlsafe_b64decode(token().rpartition(".")[2] + "==")
        r, s = good[:32], good[32:]
        for number in (order, 0, 2**256 - 1):
            wrong = number.to_bytes(32, "big")
            for pair in (wrong + s, r + wrong, wrong + wrong):
                assert verdict(token(signature=pair)) is Reason.SIGNATURE_INVALID


class TestSegments:
    @pytest.mark.parametrize("raw", [None, "", b""], ids=repr)
    def test_missing(self, raw):
        assert verdict(raw) is Reason.TOKEN_MISSING

    @pytest.mark.parametrize(
        "raw",
        [5, [], {}, True, bytearray(b"a.b.c"), memoryview(b"a.b.c")],
        ids=lambda value: type(value).__name__,
    )
    def test_neither_text_nor_octets(self, raw):
        assert verdict(raw) is Reason.TOKEN_NOT_TEXT

    @pytest.mark.parametrize("dots", [0, 1, 3, 5, 6, 7, 100, 10_000])
    def test_other_numbers_of_segments(self, dots):
        assert verdict(".".join(["AA"] * (dots + 1))[:16_000]) is Reason.TOKEN_MALFORMED

    def test_five_segments_are_encrypted(self):
        """CVE-2022-3102, CVE-2023-51774: a JWE is not taken for a JWS."""
        header = {"alg": "dir", "enc": "A256GCM", "kid": KEY.kid}
        assert verdict(make_token(header, b"", None).replace("..", "....")) is Reason.TOKEN_ENCRYPTED
        assert verdict("a.b.c.d.e") is Reason.TOKEN_ENCRYPTED

    def test_a_million_dots(self):
        """CVE-2025-30204: counted, not split."""
        assert verdict("." * 1_000_000) is Reason.TOKEN_TOO_LARGE
        assert verdict("." * 1_000_000, limits=Limits(token_bytes=2_000_000)) is Reason.TOKEN_MALFORMED

    @pytest.mark.parametrize("segment", range(3))
    @pytest.mark.parametrize(
        "junk",
        ["=", "==", " ", "\n", "\t", "\0", "+", "/", "%3D", "\u00e9", "\u200b", "\ud800", "*", "!"],
        ids=ascii,
    )
    def test_lenient_base64(self, segment, junk):
        """GHSA-hxm8-2xgr-2p9m: one token, one text."""
        parts = token().split(".")
        original = parts[segment]
        for changed in (original + junk, junk + original, original[:5] + junk + original[5:]):
            parts[segment] = changed
            assert verdict(".".join(parts)) is Reason.BASE64URL_INVALID

    @pytest.mark.parametrize("segment", range(3))
    def test_bits_behind_the_last_octet(self, segment):
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        # Every segment ends with a letter of which two or four bits belong to no octet.
        parts = token(json.dumps(HEADER | {"x": "y"}).encode().ljust(100), b"payload").split(".")
        assert verdict(".".join(parts)) is Reason.OK
        original = parts[segment]
        assert len(original) % 4
        same_octets = alphabet.index(original[-1]) | 1
        parts[segment] = original[:-1] + alphabet[same_octets]
        assert verdict(".".join(parts)) is Reason.BASE64URL_INVALID
        for letter in alphabet.replace(original[-1], ""):
            parts[segment] = original[:-1] + letter
            assert verdict(".".join(parts)) is not Reason.OK

    def test_ceilings(self):
        raw = token(payload=bytes(1000))
        assert verdict(raw, limits=Limits(token_bytes=len(raw))) is Reason.OK
        assert verdict(raw, limits=Limits(token_bytes=len(raw) - 1)) is Reason.TOKEN_TOO_LARGE
        size = raw.index(".")
        assert verdict(raw, limits=Limits(header_bytes=size)) is Reason.OK
        assert verdict(raw, limits=Limits(header_bytes=size - 1)) is Reason.HEADER_TOO_LARGE
        assert verdict(token(HEADER | {"x": "y" * 5000})) is Reason.HEADER_TOO_LARGE
        assert verdict(token(payload=bytes(20_000))) is Reason.TOKEN_TOO_LARGE

    def test_an_error_holds_nothing_of_an_oversized_token(self):
        """CVE-2025-65015."""
        with pytest.raises(TokenRejected) as caught:
            jws.verify("x" * 5_000_000, KEYS, algorithms=["ES256"])
        assert len(str(caught.value)) < 200
        assert len(repr(caught.value)) < 200


class TestHeader:
    @pytest.mark.parametrize(
        ("header", "reason"),
        [
            *((b"", Reason.JSON_INVALID), (b"{", Reason.JSON_INVALID), (b"\xff", Reason.JSON_INVALID)),
            *(
                (b"null", Reason.HEADER_NOT_OBJECT),
                (b"[]", Reason.HEADER_NOT_OBJECT),
                (b'"ES256"', Reason.HEADER_NOT_OBJECT),
            ),
            *(
                (b"5", Reason.HEADER_NOT_OBJECT),
                (b"true", Reason.HEADER_NOT_OBJECT),
                (b"{}", Reason.ALG_MISSING),
            ),
            (b'{"alg":"ES256","alg":"ES256"}', Reason.JSON_DUPLICATE_MEMBER),
            (b'{"alg":"none","\\u0061lg":"ES256"}', Reason.JSON_DUPLICATE_MEMBER),
            (b'{"alg":"ES256","x":{"a":1,"a":2}}', Reason.JSON_DUPLICATE_MEMBER),
            (b'{"alg":"ES256"} x', Reason.JSON_INVALID),
            (b'\xef\xbb\xbf{"alg":"ES256"}', Reason.JSON_INVALID),
            (b'{"alg":"ES256","x":"\xff"}', Reason.JSON_INVALID),
            (b'{"alg":"ES256","x":"\\ud800"}', Reason.JSON_INVALID),
            (b'{"alg":"ES256","x":NaN}', Reason.JSON_INVALID),
            (b'{"alg":"ES256","x":1e400}', Reason.JSON_NUMBER_OUT_OF_RANGE),
            (b'{"alg":"ES256",}', Reason.JSON_INVALID),
            (b'{"alg":"ES256","x":' + b"[" * 40 + b"]" * 40 + b"}", Reason.JSON_TOO_DEEP),
            (b"[" * 3000, Reason.JSON_TOO_DEEP),
            (b'{"alg":"ES256","kid":"\xed\xa0\x80"}', Reason.JSON_INVALID),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_what_is_no_header(self, header, reason):
        assert verdict(token(header)) is reason

    @pytest.mark.parametrize("name", ["typ", "kid", "alg"])
    @pytest.mark.parametrize("value", [None, 5, False, [], {}], ids=repr)
    def test_parameters_of_the_wrong_type(self, name, value):
        assert verdict(token(HEADER | {name: value})) is Reason.HEADER_MEMBER_INVALID

    def test_the_type_is_left_to_the_caller(self):
        assert verdict(token(HEADER | {"typ": "anything/at-all"})) is Reason.OK

    def test_the_payload_may_be_anything(self):
        for payload in (b"", b"\0", b"[]", b"\xff\xfe", b"{", b"null"):
            assert jws.verify(token(payload=payload), KEYS, algorithms=["ES256"]).payload == payload


class TestCritical:
    @pytest.mark.parametrize(
        ("parameters", "reason"),
        [
            ({"crit": ["exp"], "exp": 1}, Reason.CRIT_UNSUPPORTED),
            ({"crit": ["x", "b64"], "x": 1, "b64": True}, Reason.CRIT_UNSUPPORTED),
            ({"crit": ["b64"], "b64": True}, Reason.CRIT_UNSUPPORTED),
            (
                {"crit": ["http://example.invalid/x"], "http://example.invalid/x": True},
                Reason.CRIT_UNSUPPORTED,
            ),
            ({"crit": ["x"]}, Reason.CRIT_INVALID),
            ({"crit": []}, Reason.CRIT_INVALID),
            ({"crit": None}, Reason.CRIT_INVALID),
            ({"crit": "x", "x": 1}, Reason.CRIT_INVALID),
            ({"crit": {"x": 1}, "x": 1}, Reason.CRIT_INVALID),
            ({"crit": True}, Reason.CRIT_INVALID),
            ({"crit": 5}, Reason.CRIT_INVALID),
            ({"crit": [None]}, Reason.CRIT_INVALID),
            ({"crit": [["x"]], "x": 1}, Reason.CRIT_INVALID),
            ({"crit": ["x", "x"], "x": 1}, Reason.CRIT_INVALID),
            ({"crit": ["x", 5], "x": 1}, Reason.CRIT_INVALID),
            ({"crit": [""], "": 1}, Reason.CRIT_UNSUPPORTED),
            ({"crit": ["alg"]}, Reason.CRIT_INVALID),
            ({"crit": ["kid"]}, Reason.CRIT_INVALID),
            ({"crit": ["crit"]}, Reason.CRIT_INVALID),
        ],
        ids=str,
    )
    def test_shapes(self, parameters, reason):
        """CVE-2025-59420, CVE-2026-32597, GHSA-hm7r-c7qw-ghp6: what is critical is understood or refused."""
        assert verdict(token(HEADER | parameters)) is reason

    def test_every_registered_name(self):
        """RFC 7515, 4.1.11: names of the specification itself must not be listed."""
        for name in ("jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty"):
            assert verdict(token(HEADER | {"crit": [name], name: "x"})) is Reason.CRIT_INVALID

    def test_a_parameter_nobody_calls_critical_is_ignored(self):
        assert (
            verdict(token(HEADER | {"exp": 1, "http://example.invalid/x": True, "zip": "DEF"})) is Reason.OK
        )


class TestDetached:
    def test_encoded(self):
        """RFC 7515, F."""
        protected, _, signature = token().split(".")
        raw = f"{protected}..{signature}"
        assert jws.verify(raw, KEYS, algorithms=["ES256"], detached_payload=b"payload").payload == b"payload"
        assert verdict(raw, detached_payload=b"payloaD") is Reason.SIGNATURE_INVALID
        assert verdict(raw, detached_payload=b"") is Reason.SIGNATURE_INVALID
        assert verdict(raw) is Reason.SIGNATURE_INVALID

    def test_an_empty_payload_is_one(self):
        raw = token(payload=b"")
        assert verdict(raw) is Reason.OK
        assert verdict(raw, detached_payload=b"") is Reason.OK

    def test_never_in_place_of_an_attached_one(self):
        """PyJWT 2.14.0: the argument won over what the token carries."""
        assert verdict(token(), detached_payload=b"payload") is Reason.PAYLOAD_NOT_DETACHED
        assert verdict(token(), detached_payload=b"other") is Reason.PAYLOAD_NOT_DETACHED

    def test_the_same_ceiling(self):
        protected, _, signature = token().split(".")
        assert (
            verdict(f"{protected}..{signature}", detached_payload=bytes(16 * 1024 + 1))
            is Reason.TOKEN_TOO_LARGE
        )
        large = token(payload=bytes(10_000)).split(".")
        assert verdict(f"{large[0]}..{large[2]}", detached_payload=bytes(10_000)) is Reason.OK

    def test_malformed_tokens(self):
        for raw, reason in (
            (None, Reason.TOKEN_MISSING),
            (5, Reason.TOKEN_NOT_TEXT),
            ("a.b", Reason.TOKEN_MALFORMED),
            ("a..b.c.d", Reason.TOKEN_ENCRYPTED),
            ("!..c", Reason.BASE64URL_INVALID),
            ("e30..c", Reason.ALG_MISSING),
        ):
            assert verdict(raw, detached_payload=b"x") is reason


class TestUnencoded:
    def unencoded(self, payload: bytes, header: dict[str, Any] = UNENCODED) -> str:
        protected = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=")
        signature = base64.urlsafe_b64encode(KEY.sign(protected + b"." + payload)).rstrip(b"=")
        return f"{protected.decode()}..{signature.decode()}"

    def test_only_when_asked_for(self):
        raw = self.unencoded(b"$.02")
        assert verdict(raw, detached_payload=b"$.02") is Reason.CRIT_UNSUPPORTED
        assert verdict(raw, detached_payload=b"$.02", allow_unencoded_payload=True) is Reason.OK

    def test_only_with_crit(self):
        """RFC 7797, 6."""
        raw = self.unencoded(b"$.02", HEADER | {"b64": False})
        assert verdict(raw, detached_payload=b"$.02", allow_unencoded_payload=True) is Reason.CRIT_INVALID
        assert verdict(raw, detached_payload=b"$.02") is Reason.B64_NOT_ALLOWED

    @pytest.mark.parametrize("b64", [None, 0, 1, "false", [], {}], ids=repr)
    def test_only_a_boolean(self, b64):
        for crit in ({"crit": ["b64"]}, {}):
            raw = self.unencoded(b"x", HEADER | {"b64": b64} | crit)
            assert (
                verdict(raw, detached_payload=b"x", allow_unencoded_payload=True)
                is Reason.HEADER_MEMBER_INVALID
            )

    def test_b64_true_is_the_usual_encoding(self):
        header = HEADER | {"b64": True, "crit": ["b64"]}
        assert verdict(token(header), allow_unencoded_payload=True) is Reason.OK
        assert verdict(token(HEADER | {"b64": True})) is Reason.OK

    def test_any_octets(self):
        for payload in (b"", b".", b"...", b"\0\xff", "€".encode(), b" \n", b"a" * 16_384):
            verified = jws.verify(
                self.unencoded(payload),
                KEYS,
                algorithms=["ES256"],
                detached_payload=payload,
                allow_unencoded_payload=True,
            )
            assert verified.payload == payload

    def test_attached(self):
        """RFC 7797, 5.2: without dots, since those separate the segments."""
        protected, _, signature = self.unencoded(b"no dots here!").split(".")
        raw = f"{protected}.no dots here!.{signature}"
        assert (
            jws.verify(raw, KEYS, algorithms=["ES256"], allow_unencoded_payload=True).payload
            == b"no dots here!"
        )
        protected, _, signature = self.unencoded(b"$.02").split(".")
        assert (
            verdict(f"{protected}.$.02.{signature}", allow_unencoded_payload=True) is Reason.TOKEN_MALFORMED
        )

    def test_the_encoded_form_of_it_does_not_verify(self):
        raw = token(UNENCODED, b"payload")
        protected, payload, signature = raw.split(".")
        options = {"allow_unencoded_payload": True}
        assert jws.verify(raw, KEYS, algorithms=["ES256"], **options).payload == payload.encode()
        assert (
            verdict(f"{protected}..{signature}", detached_payload=b"payload", **options)
            is Reason.SIGNATURE_INVALID
        )

    def test_a_large_payload_is_refused_before_any_work(self):
        """CVE-2026-48525."""
        raw = self.unencoded(b"x")
        assert (
            verdict(raw, detached_payload=bytes(50_000_000), allow_unencoded_payload=True)
            is Reason.TOKEN_TOO_LARGE
        )
        assert (
            verdict(raw.replace("..", "." + "x" * 20_000 + "."), allow_unencoded_payload=True)
            is Reason.TOKEN_TOO_LARGE
        )


def test_every_rejection_is_ours():
    """CVE-2019-17195: whatever comes in, one family of errors comes out."""
    parts = token().split(".")
    for raw in (
        "..",
        "...",
        "a..",
        "..a",
        ".a.",
        "Bearer x",
        "\0",
        "\u20ac.\u20ac.\u20ac",
        b"\xff.\xff.\xff",
        *parts,
        "." + ".".join(parts),
    ):
        with pytest.raises(keybound.TokenRejected):
            jws.verify(raw, KEYS, algorithms=["ES256"])
