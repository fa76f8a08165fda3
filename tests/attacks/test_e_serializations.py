"""Texts that two parsers read in two ways."""

from __future__ import annotations

import json
from typing import Any

import pytest

import keybound
from keybound import jws
from keybound.errors import Reason
from keybound.testing import OMIT, SigningKey, make_token

ES256 = {"algorithms": ["ES256"]}


def document(world: Any, header: Any = None, **changed: Any) -> dict[str, Any]:
    protected, payload, signature = world.forge(header=header).split(".")
    members = {"protected": protected, "payload": payload, "signature": signature} | changed
    return {name: value for name, value in members.items() if value is not OMIT}


def refused(call: Any) -> Reason:
    with pytest.raises(keybound.TokenRejected) as caught:
        call()
    return caught.value.reason


CRITS: list[tuple[dict[str, Any], Reason]] = [
    ({"crit": ["x"], "x": 1}, Reason.CRIT_UNSUPPORTED),
    ({"crit": ["exp", "x"], "exp": 1, "x": 1}, Reason.CRIT_UNSUPPORTED),
    ({"crit": []}, Reason.CRIT_INVALID),
    ({"crit": ["alg"]}, Reason.CRIT_INVALID),
    ({"crit": ["x", "x"], "x": 1}, Reason.CRIT_INVALID),
    ({"crit": ["absent"]}, Reason.CRIT_INVALID),
    ({"crit": "x", "x": 1}, Reason.CRIT_INVALID),
    ({"crit": None}, Reason.CRIT_INVALID),
    ({"crit": [1]}, Reason.CRIT_INVALID),
]


@pytest.mark.parametrize(("header", "reason"), CRITS)
def test_e1_e2_e3_e4_e5_crit(world: Any, judge: Any, header: dict[str, Any], reason: Reason) -> None:
    judge.rejects(world.token(header=header), reason)
    assert refused(lambda: jws.verify(world.token(header=header), world.keys, **ES256)) is reason
    assert (
        refused(lambda: jws.verify_json(document(world, header=world.header(**header)), world.keys, **ES256))
        is reason
    )
    unprotected = document(world, header=header)
    assert refused(lambda: jws.verify_json(unprotected, world.keys, **ES256)) is not Reason.SIGNATURE_INVALID
    judge.accepts(world.token(header={name: value for name, value in header.items() if name != "crit"}))


@pytest.mark.parametrize("unprotected", [{"crit": ["b64"], "b64": False}, {"b64": False}, {"crit": ["b64"]}])
def test_e6_critical_parameters_outside_the_protected_header(world: Any, unprotected: dict[str, Any]) -> None:
    for allowed in (True, False):
        given = document(world) | {"header": unprotected}
        reason = refused(
            lambda given=given, allowed=allowed: jws.verify_json(
                given, world.keys, **ES256, allow_unencoded_payload=allowed
            )
        )
        assert reason in (Reason.CRIT_INVALID, Reason.HEADER_MEMBER_INVALID)
    assert jws.verify_json(document(world), world.keys, **ES256)


def test_e7_e8_e33_unencoded_payload_in_a_token(world: Any, judge: Any) -> None:
    """The header is read before the payload is touched; an access token never has b64=false."""
    huge = "x" * 16_000
    for header, reason in (
        ({"b64": False, "crit": ["b64"]}, Reason.CRIT_UNSUPPORTED),
        ({"b64": False}, Reason.B64_NOT_ALLOWED),
    ):
        for payload in (huge, "!", "", world.claims()):
            judge.rejects(world.forge(header=world.header(**header), payload=payload), reason)
    without_crit = world.forge(header=world.header(b64=False), payload="text")
    reason = refused(lambda: jws.verify(without_crit, world.keys, **ES256, allow_unencoded_payload=True))
    assert reason is Reason.CRIT_INVALID
    good = world.forge(header=world.header(b64=False, crit=["b64"]), payload="text")
    assert jws.verify(good, world.keys, **ES256, allow_unencoded_payload=True).payload == b"text"


def test_e9_attached_and_detached_payload(world: Any) -> None:
    raw = world.token()
    assert (
        refused(lambda: jws.verify(raw, world.keys, **ES256, detached_payload=b"{}"))
        is Reason.PAYLOAD_NOT_DETACHED
    )
    protected, _, signature = world.forge(payload=b"text").split(".")
    detached = f"{protected}..{signature}"
    assert jws.verify(detached, world.keys, **ES256, detached_payload=b"text").payload == b"text"
    assert refused(lambda: jws.verify(detached, world.keys, **ES256)) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("name", ["alg", "kid", "typ", "crit"])
def test_e10_parameters_in_both_headers(world: Any, name: str) -> None:
    header = world.header(crit=["x"], x=1) if name == "crit" else world.header()
    given = document(world, header=header) | {"header": {name: header[name]}}
    assert refused(lambda: jws.verify_json(given, world.keys, **ES256)) is Reason.HEADER_MEMBER_REPEATED


@pytest.mark.parametrize("signatures", [[], None, {}, "", 0, [None], [[]], [{}], OMIT])
def test_e11_no_signatures(world: Any, signatures: Any) -> None:
    given = document(world, protected=OMIT, signature=OMIT, signatures=signatures)
    assert refused(lambda: jws.verify_json(given, world.keys, **ES256)) is Reason.SERIALIZATION_INVALID
    good = document(world, protected=OMIT, signature=OMIT, signatures=[document(world, payload=OMIT)])
    assert jws.verify_json(good, world.keys, **ES256)


def test_e12_mixed_encodings(world: Any) -> None:
    plain = document(world, payload=OMIT)
    unencoded = document(world, header=world.header(b64=False, crit=["b64"]), payload=OMIT)
    for signatures in ([plain, unencoded], [unencoded, plain]):
        given = {"payload": document(world)["payload"], "signatures": signatures}
        reason = refused(
            lambda given=given: jws.verify_json(given, world.keys, **ES256, allow_unencoded_payload=True)
        )
        assert reason is Reason.SERIALIZATION_INVALID


def test_e13_the_header_is_that_of_the_signature_that_verified(world: Any) -> None:
    forged = document(world, header=world.header(x="forged"), payload=OMIT) | {"signature": "AA"}
    good = document(world, header=world.header(x="good"), payload=OMIT)
    for signatures in ([forged, good], [good, forged]):
        given = {"payload": document(world)["payload"], "signatures": signatures}
        assert jws.verify_json(given, world.keys, **ES256).header["x"] == "good"
    only = {"payload": document(world)["payload"], "signatures": [forged, forged]}
    assert refused(lambda: jws.verify_json(only, world.keys, **ES256)) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("segment", [0, 1, 2])
@pytest.mark.parametrize("junk", ["=", "==", "!", "!!!!", " ", "\n", "+", "/", "\t", "*", "\x7f"])
def test_e14_e15_e16_lenient_base64(world: Any, judge: Any, segment: int, junk: str) -> None:
    """F-12: padding, white space and the other alphabet."""
    parts = world.token().split(".")
    judge.accepts(".".join(parts))
    parts[segment] += junk
    judge.rejects(".".join(parts), Reason.BASE64URL_INVALID)


def test_e14_trailing_bits(world: Any, judge: Any) -> None:
    """F-12: 64 octets leave four bits over: sixteen texts would be one signature."""
    head, _, signature = world.token().rpartition(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    at = alphabet.index(signature[-1])
    assert at % 16 == 0
    for bits in range(1, 16):
        judge.rejects(f"{head}.{signature[:-1]}{alphabet[at + bits]}", Reason.BASE64URL_INVALID)
    judge.accepts(f"{head}.{signature}")


def test_e17_a_text_that_is_json_and_compact(world: Any, judge: Any) -> None:
    """CVE-2022-39227: a document whose first name looks like a token was read as that token."""
    header, claims, _ = make_token(world.header(), world.claims(sub="admin"), None).split(".")
    mixed = json.dumps({f"  {header}.{claims}.": ""} | document(world))
    judge.rejects(mixed, Reason.BASE64URL_INVALID)
    assert refused(lambda: jws.verify(mixed, world.keys, **ES256)) is Reason.BASE64URL_INVALID
    assert json.loads(jws.verify_json(mixed, world.keys, **ES256).payload) == world.claims()


@pytest.mark.parametrize(
    "header", [{"alg": "dir", "enc": "A128GCM"}, {"alg": "RSA-OAEP", "enc": "A128CBC-HS256"}]
)
def test_e18_e19_e20_e21_encrypted_where_signed_is_expected(
    world: Any, judge: Any, header: dict[str, str]
) -> None:
    key = SigningKey.generate("HS256", kid="1")
    options = {"keys": keybound.JWKSet.from_secret(key.secret, alg="HS256", kid="1"), "algorithms": ["HS256"]}
    segments = make_token(header, world.claims(), key).split(".")
    judge.rejects(".".join([*segments, "AAAA", "AAAA"]), Reason.TOKEN_ENCRYPTED, **options)
    judge.rejects(".".join(segments), Reason.ALG_NOT_ALLOWED, **options)
    judge.accepts(world.forge(header={"alg": "HS256", "kid": "1", "enc": "A128GCM"}, key=key), **options)


def test_e22_json_serialization_as_a_token(world: Any, judge: Any) -> None:
    judge.rejects(json.dumps(document(world)), Reason.TOKEN_MALFORMED)
    judge.rejects(document(world), Reason.TOKEN_NOT_TEXT)
    assert jws.verify_json(document(world), world.keys, **ES256)


@pytest.mark.parametrize("segments", range(8))
def test_e23_number_of_segments(world: Any, judge: Any, segments: int) -> None:
    parts = (world.token().split(".") * 3)[:segments]
    raw = ".".join(parts)
    if segments == 3:
        judge.accepts(raw)
    else:
        expected = {0: Reason.TOKEN_MISSING, 5: Reason.TOKEN_ENCRYPTED}.get(segments, Reason.TOKEN_MALFORMED)
        judge.rejects(raw, expected)


@pytest.mark.parametrize("protected", [OMIT, "", None, {}, [], 5, "e30", "bnVsbA", "W10", "!"])
def test_e24_e31_protected_header_missing_or_empty(world: Any, protected: Any) -> None:
    for extra in ({}, {"header": {"alg": "ES256"}}, {"header": {}}, {"header": None}):
        given = document(world, protected=protected) | extra
        assert refused(lambda given=given: jws.verify_json(given, world.keys, **ES256)) in (
            Reason.SERIALIZATION_INVALID,
            Reason.ALG_MISSING,
            Reason.HEADER_NOT_OBJECT,
            Reason.BASE64URL_INVALID,
        )
    empty = make_token("e30", world.claims(), world.key)
    assert refused(lambda: jws.verify(empty, world.keys, **ES256)) is Reason.ALG_MISSING


@pytest.mark.parametrize(
    "raw", ["X", "Bearer X", "null", "{}", "[]", "..", "a..b", "\0", "undefined", "%00", "💥.💥.💥"]
)
def test_e25_e26_malformed_tokens_are_rejected_and_never_a_crash(world: Any, raw: str) -> None:
    with pytest.raises(keybound.MalformedToken) as caught:
        world.validator().validate(raw)
    assert caught.value.status == 401


def test_e27_long_lists(world: Any, judge: Any) -> None:
    """Work grows with the size and no faster; 100 000 of anything are nothing."""
    many = 100_000
    limits = keybound.Limits(token_bytes=2**24)
    jwk = world.key.public_jwk()
    with pytest.raises(keybound.InvalidKey):
        keybound.JWK.from_json(jwk | {"key_ops": [str(number) for number in range(many)]})
    with pytest.raises(keybound.InvalidKey):
        keybound.JWK.from_json(jwk | {"key_ops": ["verify"] * many})
    judge.rejects("." * many, Reason.TOKEN_MALFORMED, limits=limits)
    audience = [f"urn:{number}" for number in range(many)]
    judge.rejects(world.token(aud=audience), Reason.AUD_MISMATCH, limits=limits)
    judge.accepts(world.token(aud=[*audience, "https://rs.example.com/"]), limits=limits)
    judge.accepts(world.token(scope=" ".join(audience), scp=audience), limits=limits)
    judge.accepts(world.token(**dict.fromkeys(audience, 1)), limits=limits)
    repeated = world.with_text(",".join(f'"{name}":1' for name in [*audience, audience[0]]))
    judge.rejects(repeated, Reason.JSON_DUPLICATE_MEMBER, limits=limits)


def test_e28_repeated_members(world: Any, judge: Any) -> None:
    for text in ('"sub":"a","sub":"b"', '"aud":"x"', '"exp":99999999999', '"\\u0065xp":1'):
        judge.rejects(world.with_text(text), Reason.JSON_DUPLICATE_MEMBER)
    header = json.dumps(world.header())
    for text in ('"alg":"none"', '"\\u0061lg":"ES256"', '"kid":"x"'):
        judge.rejects(world.forge(header=f"{{{text},{header[1:]}".encode()), Reason.JSON_DUPLICATE_MEMBER)
    judge.accepts(world.with_text('"x":{"sub":1},"y":{"sub":2}'))


@pytest.mark.parametrize(
    "octets", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3", b"\x80"]
)
def test_e29_octets_that_are_no_utf_8(world: Any, judge: Any, octets: bytes) -> None:
    for place in (b'{"x":"%b"}', b'{"%b":1}', b"%b", b"{}%b", b'{"x":["%b"]}'):
        judge.rejects(world.forge(payload=place % octets), Reason.JSON_INVALID)
        judge.rejects(world.forge(header=place % octets), Reason.JSON_INVALID)
    judge.accepts(world.forge(payload=world.claims(x="\u00ff")))


@pytest.mark.parametrize("payload", [b"[]", b'"x"', b"5", b"null", b"true", b'[{"sub":"admin"}]'])
def test_e30_payload_that_is_no_object(world: Any, judge: Any, payload: bytes) -> None:
    judge.rejects(world.forge(payload=payload), Reason.PAYLOAD_NOT_OBJECT)
    assert jws.verify(world.forge(payload=payload), world.keys, **ES256).payload == payload
