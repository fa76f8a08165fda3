"""The flattened and the general JSON serialization (RFC 7515, 7.2)."""

from __future__ import annotations

import base64
import json
from types import MappingProxyType
from typing import Any

import pytest

from keybound import JWKSet, Limits, Reason, TokenRejected, jws
from keybound.testing import SigningKey

KEY, SECOND = SigningKey.generate("ES256"), SigningKey.generate("Ed25519")
STRANGER = SigningKey.generate("ES256")
KEYS = JWKSet.from_json({"keys": [KEY.public_jwk(), SECOND.public_jwk()]})
HEADER = {"alg": "ES256", "kid": KEY.kid}
UNENCODED = {"b64": False, "crit": ["b64"]}
ABSENT: Any = object()


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


PAYLOAD = encoded(b"payload")


def entry(
    protected: Any = HEADER,
    *,
    header: Any = ABSENT,
    payload: str = PAYLOAD,
    key: SigningKey = KEY,
) -> dict[str, Any]:
    """One signature; ``protected`` as a mapping, as octets to encode, as finished text, or absent."""
    members: dict[str, Any] = {}
    if protected is not ABSENT:
        octets = json.dumps(protected).encode() if isinstance(protected, dict) else protected
        members["protected"] = encoded(octets) if isinstance(octets, bytes) else octets
    if header is not ABSENT:
        members["header"] = header
    signed = f"{members.get('protected', '')}.{payload}".encode("utf-8", "surrogatepass")
    return members | {"signature": encoded(key.sign(signed))}


def flattened(*arguments: Any, payload: Any = PAYLOAD, **options: Any) -> dict[str, Any]:
    return {"payload": payload} | entry(*arguments, payload=payload, **options)


def general(*signatures: Any, payload: Any = PAYLOAD) -> dict[str, Any]:
    return {"payload": payload, "signatures": list(signatures)}


def verdict(document: Any, **options: Any) -> Reason:
    try:
        jws.verify_json(document, options.pop("keys", KEYS), **{"algorithms": ["ES256", "Ed25519"]} | options)
    except TokenRejected as rejected:
        return rejected.reason
    return Reason.OK


class TestForms:
    @pytest.mark.parametrize("document", [flattened(), general(entry())], ids=["flattened", "general"])
    def test_text_octets_and_mapping(self, document):
        text = json.dumps(document)
        for form in (document, MappingProxyType(document), text, text.encode(), f" {text}\n"):
            verified = jws.verify_json(form, KEYS, algorithms=["ES256"])
            assert verified.payload == b"payload"
            assert verified.header == HEADER

    def test_the_unprotected_header_is_shown_too(self):
        verified = jws.verify_json(flattened(header={"x": {"y": [1]}}), KEYS, algorithms=["ES256"])
        assert verified.header == HEADER | {"x": {"y": [1]}}

    def test_a_mapping_is_left_as_it_was(self):
        document = flattened(header={"x": {"y": {"z": []}}})
        before = json.dumps(document)
        jws.verify_json(document, KEYS, algorithms=["ES256"])
        assert json.dumps(document) == before
        assert type(document["header"]["x"]["y"]) is dict

    def test_unknown_members_are_ignored(self):
        """RFC 7515, 7.2: additional members that are not understood must be ignored."""
        assert verdict(flattened() | {"extra": [1]}) is Reason.OK
        assert verdict(general(entry() | {"extra": 1}) | {"extra": None}) is Reason.OK

    def test_a_compact_token_is_not_taken(self):
        """CVE-2022-39227: what is parsed in one way is never parsed in the other."""
        protected, payload, signature = (flattened()[name] for name in ("protected", "payload", "signature"))
        compact = f"{protected}.{payload}.{signature}"
        assert verdict(compact) is Reason.JSON_INVALID
        assert jws.verify(compact, KEYS, algorithms=["ES256"]).payload == b"payload"
        for document in (json.dumps(flattened()), json.dumps(general(entry()))):
            with pytest.raises(TokenRejected):
                jws.verify(document, KEYS, algorithms=["ES256"])

    @pytest.mark.parametrize(
        ("document", "reason"),
        [
            *((None, Reason.TOKEN_MISSING), (5, Reason.TOKEN_NOT_TEXT), ([], Reason.TOKEN_NOT_TEXT)),
            *(("", Reason.JSON_INVALID), (b"\xff", Reason.JSON_INVALID), ("\ud800", Reason.JSON_INVALID)),
            *(("[]", Reason.SERIALIZATION_INVALID), ("null", Reason.SERIALIZATION_INVALID)),
            *(('"x"', Reason.SERIALIZATION_INVALID), ("5", Reason.SERIALIZATION_INVALID)),
            *(("{}", Reason.PAYLOAD_MISSING), ({}, Reason.PAYLOAD_MISSING)),
            *(
                ('{"payload":"",}', Reason.JSON_INVALID),
                ('{"payload":"","payload":""}', Reason.JSON_DUPLICATE_MEMBER),
            ),
            ("[" * 10_000, Reason.JSON_TOO_DEEP),
            ('{"payload":"","x":1e400}', Reason.JSON_NUMBER_OUT_OF_RANGE),
            ({"payload": "", "signature": "", "x": object()}, Reason.SERIALIZATION_INVALID),
            ({"payload": "", "signature": "", 5: ""}, Reason.SERIALIZATION_INVALID),
            ({"payload": "\ud800", "signature": ""}, Reason.SERIALIZATION_INVALID),
        ],
        ids=lambda value: ascii(value)[:30],
    )
    def test_no_document(self, document, reason):
        assert verdict(document) is reason

    def test_a_nested_mapping(self):
        deep: dict[str, Any] = {}
        for _ in range(100_000):
            deep = {"x": deep}
        assert verdict(flattened() | {"header": deep}) is Reason.SERIALIZATION_INVALID
        shallow: dict[str, Any] = {}
        for _ in range(40):
            shallow = {"x": shallow}
        assert verdict(flattened() | {"header": shallow}) is Reason.JSON_TOO_DEEP

    def test_ceilings(self):
        document = flattened(payload=encoded(bytes(1000)))
        size = len(json.dumps(document, separators=(",", ":")))
        for form in (document, json.dumps(document, separators=(",", ":"))):
            assert verdict(form, limits=Limits(token_bytes=size)) is Reason.OK
            assert verdict(form, limits=Limits(token_bytes=size - 1)) is Reason.TOKEN_TOO_LARGE
        assert verdict(flattened(), limits=Limits(header_bytes=10)) is Reason.HEADER_TOO_LARGE
        assert verdict('{"payload":"' + "\u20ac" * 6000 + '","signature":""}') is Reason.TOKEN_TOO_LARGE

    def test_errors_hold_nothing_of_the_document(self):
        with pytest.raises(TokenRejected) as caught:
            jws.verify_json('{"payload":"marker-of-this-test"', KEYS, algorithms=["ES256"])
        assert "marker" not in str(caught.value) + repr(caught.value.__context__)


class TestMembers:
    @pytest.mark.parametrize("value", [None, 5, True, [], {}], ids=repr)
    @pytest.mark.parametrize("name", ["payload", "signature", "protected"])
    def test_texts_that_are_none(self, name, value):
        assert verdict(flattened() | {name: value}) is Reason.SERIALIZATION_INVALID

    @pytest.mark.parametrize("value", [None, 5, True, [], "", "{}"], ids=repr)
    def test_an_unprotected_header_is_an_object(self, value):
        assert verdict(flattened() | {"header": value}) is Reason.SERIALIZATION_INVALID
        assert verdict(general(entry() | {"header": value})) is Reason.SERIALIZATION_INVALID

    def test_empty_headers_are_left_out(self):
        """RFC 7515, 7.2.1: absent when empty."""
        assert verdict(flattened() | {"header": {}}) is Reason.SERIALIZATION_INVALID
        assert verdict(flattened("", header=HEADER)) is Reason.SERIALIZATION_INVALID
        assert verdict(flattened(b"{}", header=HEADER)) is Reason.ALG_MISSING

    def test_payload_missing(self):
        """CVE-2024-21664 was a crash at what is not there."""
        for document in (flattened(), general(entry())):
            del document["payload"]
            assert verdict(document) is Reason.PAYLOAD_MISSING

    def test_signature_missing(self):
        assert verdict({"payload": ""}) is Reason.SERIALIZATION_INVALID
        assert verdict(general({})) is Reason.SERIALIZATION_INVALID
        assert verdict(general({"protected": entry()["protected"]})) is Reason.SERIALIZATION_INVALID

    @pytest.mark.parametrize(
        "signatures",
        [None, [], {}, "", 5, entry(), [None], [[]], [5], ["x"]],
        ids=lambda value: repr(value)[:12],
    )
    def test_signatures_that_are_none(self, signatures):
        """joserfc 1.7.4: an empty list verified everything."""
        assert verdict({"payload": "", "signatures": signatures}) is Reason.SERIALIZATION_INVALID

    def test_one_form_or_the_other(self):
        """RFC 7515, 7.2.2: a flattened document has no "signatures"."""
        for stray in (
            {"signature": entry()["signature"]},
            {"protected": entry()["protected"]},
            {"header": {"x": 1}},
        ):
            assert verdict(general(entry()) | stray) is Reason.SERIALIZATION_INVALID
        for signatures in (None, [], [entry()]):
            assert verdict(flattened() | {"signatures": signatures}) is Reason.SERIALIZATION_INVALID

    def test_lenient_base64(self):
        for name in ("protected", "payload", "signature"):
            for junk in ("=", " ", "\n", "+", "/", "\u00e9", "\0"):
                assert verdict(flattened() | {name: flattened()[name] + junk}) is Reason.BASE64URL_INVALID


class TestHeaders:
    def test_alg_counts_where_it_is_protected(self):
        """GHSA-jc38-x7x8-2xc8."""
        assert verdict(flattened(ABSENT, header=HEADER)) is Reason.ALG_MISSING
        assert verdict(flattened({"kid": KEY.kid}, header={"alg": "ES256"})) is Reason.ALG_MISSING
        assert verdict(flattened({"kid": KEY.kid}, header={"alg": "none"})) is Reason.ALG_MISSING

    def test_kid_may_be_unprotected(self):
        assert verdict(flattened({"alg": "ES256"}, header={"kid": KEY.kid})) is Reason.OK
        assert verdict(flattened({"alg": "ES256"}, header={"kid": "x"})) is Reason.KEY_UNKNOWN
        assert verdict(flattened({"alg": "ES256"}, header={"kid": 5})) is Reason.HEADER_MEMBER_INVALID

    @pytest.mark.parametrize("name", ["alg", "kid", "typ", "crit", "b64", "x"])
    def test_nothing_is_in_both(self, name):
        """RFC 7515, 7.2.1; joserfc 1.3.1 let the unprotected one win."""
        value = {"alg": "ES256", "kid": KEY.kid}.get(name, "x")
        assert (
            verdict(flattened(HEADER | {name: value}, header={name: value})) is Reason.HEADER_MEMBER_REPEATED
        )

    def test_crit_is_protected(self):
        """CVE-2025-59420."""
        assert verdict(flattened(header={"crit": ["x"], "x": 1})) is Reason.CRIT_INVALID
        assert (
            verdict(flattened(header={"crit": ["b64"], "b64": True}), allow_unencoded_payload=True)
            is Reason.CRIT_INVALID
        )
        assert verdict(flattened(HEADER | {"crit": ["x"]}, header={"x": 1})) is Reason.CRIT_UNSUPPORTED
        assert verdict(flattened(HEADER | {"crit": ["x"]})) is Reason.CRIT_INVALID

    def test_b64_is_protected(self):
        for b64 in (True, False):
            document = flattened(header={"b64": b64})
            assert verdict(document, allow_unencoded_payload=True) is Reason.HEADER_MEMBER_INVALID
        document = flattened(HEADER | {"crit": ["b64"]}, header={"b64": False})
        assert verdict(document, allow_unencoded_payload=True) is Reason.HEADER_MEMBER_INVALID

    @pytest.mark.parametrize(
        ("protected", "reason"),
        [
            *(
                (b"[]", Reason.HEADER_NOT_OBJECT),
                (b"null", Reason.HEADER_NOT_OBJECT),
                (b"{", Reason.JSON_INVALID),
            ),
            *(
                (b"\xff", Reason.JSON_INVALID),
                ("!", Reason.BASE64URL_INVALID),
                ("e30=", Reason.BASE64URL_INVALID),
            ),
            (b'{"alg":"ES256","alg":"ES256"}', Reason.JSON_DUPLICATE_MEMBER),
            ({"alg": "none"}, Reason.ALG_NOT_ALLOWED),
            ({"alg": "HS256"}, Reason.ALG_NOT_ALLOWED),
            ({"alg": None}, Reason.HEADER_MEMBER_INVALID),
        ],
        ids=str,
    )
    def test_what_is_no_protected_header(self, protected, reason):
        assert verdict(flattened(protected)) is reason

    def test_repeated_members_of_the_unprotected_header(self):
        text = json.dumps(flattened(header={"x": 1})).replace('{"x": 1}', '{"x": 1, "x": 1}')
        assert verdict(text) is Reason.JSON_DUPLICATE_MEMBER


class TestSeveralSignatures:
    OTHER = entry({"alg": "Ed25519", "kid": SECOND.kid}, key=SECOND)
    BAD = entry(key=STRANGER)

    def test_one_good_one_is_enough(self):
        for signatures in (
            [entry(), self.BAD],
            [self.BAD, entry()],
            [self.OTHER, entry()],
            [self.BAD, self.OTHER],
        ):
            assert verdict(general(*signatures)) is Reason.OK

    def test_the_header_is_that_of_the_good_one(self):
        """CVE-2016-9122: which of them verified?"""
        bad = entry(HEADER | {"role": "admin"}, key=STRANGER)
        for signatures in ([bad, self.OTHER], [self.OTHER, bad]):
            verified = jws.verify_json(general(*signatures), KEYS, algorithms=["ES256", "Ed25519"])
            assert verified.header == {"alg": "Ed25519", "kid": SECOND.kid}

    def test_none_of_an_algorithm_that_is_not_allowed(self):
        document = general(entry(), self.OTHER)
        assert jws.verify_json(document, KEYS, algorithms=["Ed25519"]).header["alg"] == "Ed25519"
        assert verdict(general(entry()), algorithms=["Ed25519"]) is Reason.ALG_NOT_ALLOWED

    def test_malformed_ones_beside_a_good_one(self):
        for odd in ({}, {"signature": 5}, entry(b"["), entry({"alg": "none"}), entry(ABSENT, header=HEADER)):
            assert verdict(general(odd, entry())) is Reason.OK
            assert verdict(general(odd)) is not Reason.OK

    def test_the_verdict_that_came_furthest_is_told(self):
        signatures = [entry({"alg": "none"}), entry({"alg": "ES256", "kid": "x"}), self.BAD]
        assert verdict(general(*signatures)) is Reason.SIGNATURE_INVALID
        assert verdict(general(*signatures[:2])) is Reason.KEY_UNKNOWN
        assert verdict(general(*signatures[:1])) is Reason.ALG_NOT_ALLOWED

    def test_eight_are_looked_at(self):
        assert verdict(general(*[self.BAD] * 7, entry())) is Reason.OK
        assert verdict(general(entry(), *[self.BAD] * 8)) is Reason.SERIALIZATION_INVALID

    @pytest.mark.parametrize(
        "other", [{}, {"b64": True}, {"alg": "none"}, {"alg": "HS256"}, {"kid": "x"}], ids=str
    )
    def test_b64_is_the_same_for_all(self, other):
        """RFC 7797, 3. It holds for signatures that are not looked at further, too."""
        unencoded = entry(HEADER | UNENCODED, payload="text")
        document = general(unencoded, entry(HEADER | other, payload="text"), payload="text")
        assert verdict(general(unencoded, payload="text"), allow_unencoded_payload=True) is Reason.OK
        for options in ({"allow_unencoded_payload": True}, {}):
            assert verdict(document, **options) is Reason.SERIALIZATION_INVALID
            assert (
                verdict(document | {"signatures": document["signatures"][::-1]}, **options)
                is Reason.SERIALIZATION_INVALID
            )

    def test_both_unencoded(self):
        second = entry({"alg": "Ed25519", "kid": SECOND.kid} | UNENCODED, payload="text", key=SECOND)
        first = entry(HEADER | UNENCODED, payload="text", key=STRANGER)
        document = general(first, second, payload="text")
        verified = jws.verify_json(
            document, KEYS, algorithms=["ES256", "Ed25519"], allow_unencoded_payload=True
        )
        assert verified.payload == b"text"


class TestDetached:
    def test_payload_left_out(self):
        """RFC 7515, F."""
        for document in (flattened(), general(entry())):
            del document["payload"]
            assert verdict(document, detached_payload=b"payload") is Reason.OK
            assert verdict(document, detached_payload=b"other") is Reason.SIGNATURE_INVALID

    def test_never_beside_an_attached_one(self):
        assert verdict(flattened(), detached_payload=b"payload") is Reason.PAYLOAD_NOT_DETACHED
        assert verdict(flattened(payload=""), detached_payload=b"") is Reason.PAYLOAD_NOT_DETACHED

    def test_unencoded(self):
        document = entry(HEADER | UNENCODED, payload="$.02")
        options = {"detached_payload": b"$.02", "allow_unencoded_payload": True}
        assert verdict(document, **options) is Reason.OK
        assert verdict(document, detached_payload=b"$.02") is Reason.CRIT_UNSUPPORTED

    def test_the_same_ceiling(self):
        document = flattened()
        del document["payload"]
        assert verdict(document, detached_payload=bytes(16 * 1024 + 1)) is Reason.TOKEN_TOO_LARGE


class TestUnencoded:
    @pytest.mark.parametrize(
        "payload", ["", ".", "$.02", "\u20ac\U0001f600", "\0", '"', "\\", " "], ids=ascii
    )
    def test_any_text(self, payload):
        """RFC 7797, 5.3: the text as JSON has it, in UTF-8."""
        document = flattened(HEADER | UNENCODED, payload=payload)
        for form in (document, json.dumps(document), json.dumps(document, ensure_ascii=False).encode()):
            verified = jws.verify_json(form, KEYS, algorithms=["ES256"], allow_unencoded_payload=True)
            assert verified.payload == payload.encode()
        assert verdict(document) is Reason.CRIT_UNSUPPORTED

    def test_without_crit(self):
        document = flattened(HEADER | {"b64": False}, payload="text")
        assert verdict(document, allow_unencoded_payload=True) is Reason.CRIT_INVALID
        assert verdict(document) is Reason.B64_NOT_ALLOWED
