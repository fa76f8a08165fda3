from __future__ import annotations

import base64

import pytest

from keybound.testing import SigningKey, make_token


def decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def parts(token: str) -> list[bytes]:
    return [decoded(segment) for segment in token.split(".")]


def test_mappings_become_compact_json_in_their_order() -> None:
    header, payload, signature = parts(make_token({"typ": "JWT", "alg": "none"}, {"b": 1, "a": [None]}, None))
    assert header == b'{"typ":"JWT","alg":"none"}'
    assert payload == b'{"b":1,"a":[null]}'
    assert signature == b""


def test_nothing_is_taken_from_the_key() -> None:
    key = SigningKey.generate("ES256")
    assert parts(make_token({}, {}, key))[0] == b"{}"


def test_key_signs_the_two_segments_as_they_stand() -> None:
    key = SigningKey.generate("HS256")
    token = make_token({"alg": "HS256"}, {"sub": "a"}, key)
    signing_input, _, signature = token.rpartition(".")
    assert decoded(signature) == key.sign(signing_input.encode())


def test_a_callable_signs_too() -> None:
    seen = []

    def backwards(signing_input: bytes) -> bytes:
        seen.append(signing_input)
        return signing_input[::-1]

    token = make_token(b"h", b"p", backwards)
    assert seen == [b"aA.cA"]
    assert parts(token)[2] == b"Ac.Aa"


@pytest.mark.parametrize(
    "raw", [b'{"alg":"none","alg":"HS256"}', b"[]", b"", b"{", b"\xef\xbb\xbf{}", b"\xff", b'{"a":1e999}']
)
def test_octets_pass_as_they_are(raw: bytes) -> None:
    assert parts(make_token(raw, raw, None)) == [raw, raw, b""]


def test_json_that_json_does_not_allow() -> None:
    numbers = {"exp": float("nan"), "nbf": float("-inf"), "iat": 10**400}
    payload = parts(make_token({}, numbers, None))[1]
    assert payload == b'{"exp":NaN,"nbf":-Infinity,"iat":' + b"1" + b"0" * 400 + b"}"
    assert parts(make_token({}, {"sub": "\ud800"}, None))[1] == b'{"sub":"\\ud800"}'


def test_text_is_the_finished_segment() -> None:
    assert make_token("e30=", "+/ \n", None, signature="a.b") == "e30=.+/ \n.a.b"


def test_signature_override() -> None:
    key = SigningKey.generate("ES256")
    assert make_token({}, {}, key, signature=b"").endswith(".")
    assert parts(make_token({}, {}, key, signature=b"\x00" * 64))[2] == b"\x00" * 64


def test_unencoded_payload_of_rfc_7797() -> None:
    key = SigningKey.generate("HS256")
    header = {"alg": "HS256", "b64": False, "crit": ["b64"]}
    signing_input, _, signature = make_token(header, "$.02", key).rpartition(".")
    assert signing_input.endswith(".$.02")
    assert decoded(signature) == key.sign(signing_input.encode())
