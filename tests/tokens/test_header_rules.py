"""What the header and the serialization may look like (RFC 7515, 4.1 and 5.2; RFC 8725, 3)."""

from __future__ import annotations

import json
from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.testing import OMIT, SigningKey

# typ


@pytest.mark.parametrize(
    "typ", ["at+jwt", "application/at+jwt", "AT+JWT", "Application/At+Jwt", "JWT", "jwt", "application/jwt"]
)
def test_type_accepted(world: Any, judge: Any, typ: str) -> None:
    judge.accepts(world.token(header={"typ": typ}))


@pytest.mark.parametrize(
    "typ",
    [
        "",
        "dpop+jwt",
        "logout+jwt",
        "oauth-authz-req+jwt",
        "at+jwt ",
        " at+jwt",
        "at+jwt;v=1",
        "application/",
        "at",
        "application/application/at+jwt",
        "text/at+jwt",
        "at+jwt\x00",
        "JOSE",
        "\u212aWT",
        "\uff41t+jwt",
        "application/x",
    ],
)
def test_another_type(world: Any, judge: Any, typ: str) -> None:
    judge.rejects(world.token(header={"typ": typ}), Reason.TYP_NOT_ALLOWED)


@pytest.mark.parametrize("typ", [None, 5, True, [], ["at+jwt"], {}])
def test_type_of_another_type(world: Any, judge: Any, typ: Any) -> None:
    judge.rejects(world.token(header={"typ": typ}), Reason.HEADER_MEMBER_INVALID)


def test_no_type(world: Any, judge: Any) -> None:
    judge.accepts(world.token(header={"typ": OMIT}))
    judge.rejects(world.token(header={"typ": OMIT}), Reason.TYP_MISSING, profile=keybound.profiles.RFC9068)


def test_own_types(world: Any, judge: Any) -> None:
    own = {"types": ["Application/Example+JWT", "at+jwt"]}
    judge.accepts(world.token(header={"typ": "example+jwt"}), **own)
    judge.accepts(world.token(header={"typ": "application/AT+jwt"}), **own)
    judge.rejects(world.token(header={"typ": "JWT"}), Reason.TYP_NOT_ALLOWED, **own)


# crit and b64


@pytest.mark.parametrize(
    "header",
    [
        {"crit": []},
        {"crit": None},
        {"crit": "exp", "exp": 1},
        {"crit": {"exp": 1}, "exp": 1},
        {"crit": True},
        {"crit": 1},
        {"crit": [1]},
        {"crit": [None]},
        {"crit": [["exp"]], "exp": 1},
        {"crit": ["exp", "exp"], "exp": 1},
        {"crit": ["absent"]},
        {"crit": ["alg"]},
        {"crit": ["typ"]},
        {"crit": ["kid"]},
        {"crit": ["crit"]},
        {"crit": ["x5t#S256"], "x5t#S256": "x"},
        {"crit": ["exp", "alg"], "exp": 1},
    ],
    ids=json.dumps,
)
def test_malformed_crit(world: Any, judge: Any, header: dict[str, Any]) -> None:
    judge.rejects(world.token(header=header), Reason.CRIT_INVALID)


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": [""], "": 1},
        {"crit": ["b64"], "b64": True},
        {"crit": ["b64"], "b64": False},
        {"crit": ["http://example.com/x", "b64"], "http://example.com/x": None, "b64": True},
        {"crit": ["ALG"], "ALG": "none"},
    ],
    ids=json.dumps,
)
def test_extension_that_is_not_supported(world: Any, judge: Any, header: dict[str, Any]) -> None:
    judge.rejects(world.token(header=header), Reason.CRIT_UNSUPPORTED)


def test_extensions_that_are_not_critical_are_ignored(world: Any, judge: Any) -> None:
    header = {
        "exp": 1,
        "zip": "DEF",
        "cty": "JWT",
        "b64": True,
        "x": {"crit": ["y"]},
        "enc": "A128GCM",
        "p2c": 2**31,
    }
    assert judge.accepts(world.token(header=header)).header["x"] == {"crit": ["y"]}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (False, Reason.B64_NOT_ALLOWED),
        (None, Reason.HEADER_MEMBER_INVALID),
        ("false", Reason.HEADER_MEMBER_INVALID),
        (0, Reason.HEADER_MEMBER_INVALID),
        ([], Reason.HEADER_MEMBER_INVALID),
    ],
)
def test_b64(world: Any, judge: Any, value: Any, reason: Reason) -> None:
    judge.rejects(world.token(header={"b64": value}), reason)


# alg and kid


@pytest.mark.parametrize(
    "alg", ["none", "None", "NONE", "nOnE", "", "es256", "ES256 ", "ES256\0", "RS256", "HS256", "dir"]
)
def test_algorithm_that_is_not_allowed(world: Any, judge: Any, alg: str) -> None:
    judge.rejects(world.token(header={"alg": alg}), Reason.ALG_NOT_ALLOWED)


@pytest.mark.parametrize("alg", [None, 5, True, ["ES256"], {"ES256": 1}])
def test_algorithm_of_another_type(world: Any, judge: Any, alg: Any) -> None:
    judge.rejects(world.token(header={"alg": alg}), Reason.HEADER_MEMBER_INVALID)


def test_alg_in_another_json_spelling(world: Any, judge: Any) -> None:
    header = f'{{"\\u0061lg":"\\u0045S256","k\\u0069d":"{world.key.kid}"}}'.encode()
    judge.accepts(world.forge(header=header))


@pytest.mark.parametrize("kid", [None, 5, True, [], {}, ["kid"]])
def test_key_identifier_of_another_type(world: Any, judge: Any, kid: Any) -> None:
    judge.rejects(world.token(header={"kid": kid}), Reason.HEADER_MEMBER_INVALID)


@pytest.mark.parametrize(
    "kid",
    ["", " ", "../../../../dev/null", "x' UNION SELECT 'key", "|id", "\0", "ä", "\U0001f511", "x" * 2_000],
)
def test_key_identifier_nobody_has(world: Any, judge: Any, kid: str) -> None:
    judge.rejects(world.token(header={"kid": kid}), Reason.KEY_UNKNOWN)


@pytest.mark.parametrize("kid", ["", 'ä/"\\', "\U0001f511", "\0"])
def test_odd_key_identifier_that_exists(world: Any, judge: Any, kid: str) -> None:
    key = SigningKey.generate("ES256", kid=kid)
    keys = keybound.JWKSet.from_json({"keys": [key.public_jwk(), world.key.public_jwk()]})
    judge.accepts(world.token(key=key), keys=keys)
    judge.rejects(world.token(header={"kid": kid}), Reason.SIGNATURE_INVALID, keys=keys)


def test_no_key_identifier(world: Any, judge: Any) -> None:
    raw = world.token(header={"kid": OMIT})
    judge.accepts(raw)
    other = SigningKey.generate("ES384")
    keys = keybound.JWKSet.from_json({"keys": [world.key.public_jwk(), other.public_jwk()]})
    judge.accepts(raw, keys=keys)
    judge.rejects(raw, Reason.KEY_UNSUITABLE, keys=keybound.JWKSet.from_json({"keys": [other.public_jwk()]}))


def test_several_keys_of_one_identifier(world: Any, judge: Any) -> None:
    signers = [SigningKey.generate("ES256", kid="same") for _ in range(4)]
    keys = keybound.JWKSet.from_json({"keys": [key.public_jwk() for key in signers]})
    for key in signers[:3]:
        judge.accepts(world.token(key=key), keys=keys)
    # A forged token costs at most three signature operations.
    judge.rejects(world.token(key=signers[3]), Reason.SIGNATURE_INVALID, keys=keys)


def test_keys_of_one_identifier_are_filtered_by_what_they_can_do(world: Any, judge: Any) -> None:
    odd = [SigningKey.generate(alg, kid="same") for alg in ("ES384", "ES512", "ES256K", "Ed25519")]
    good = SigningKey.generate("ES256", kid="same")
    keys = keybound.JWKSet.from_json({"keys": [key.public_jwk() for key in (*odd, good)]})
    judge.accepts(world.token(key=good), keys=keys)


# header as a document


@pytest.mark.parametrize("header", [b"[]", b"null", b'"alg"', b"1", b'[{"alg":"ES256"}]'])
def test_header_that_is_no_object(world: Any, judge: Any, header: bytes) -> None:
    judge.rejects(world.forge(header=header), Reason.HEADER_NOT_OBJECT)


@pytest.mark.parametrize(
    "header", [b"", b"{", b'{"alg":"ES256"', b'{"alg":"\xff"}', b"\xef\xbb\xbf{}", b'{"alg":NaN}']
)
def test_header_that_is_no_json(world: Any, judge: Any, header: bytes) -> None:
    judge.rejects(world.forge(header=header), Reason.JSON_INVALID)


@pytest.mark.parametrize(
    "text", ['"alg":"none"', '"\\u0061lg":"none"', '"kid":"x"', '"k\\u0069d":"x"', '"x":{"a":1,"\\u0061":2}']
)
def test_repeated_header_parameters(world: Any, judge: Any, text: str) -> None:
    rest = json.dumps(world.header())[1:]
    judge.rejects(world.forge(header=f"{{{text},{rest}".encode()), Reason.JSON_DUPLICATE_MEMBER)
    judge.accepts(world.forge(header=f'{{"other":1,{rest}'.encode()))


def test_depth_and_numbers_of_the_header(world: Any, judge: Any) -> None:
    judge.accepts(world.token(header={"x": json.loads("[" * 31 + "]" * 31)}))
    judge.rejects(world.token(header={"x": json.loads("[" * 32 + "]" * 32)}), Reason.JSON_TOO_DEEP)
    judge.rejects(world.forge(header=b'{"x":1e400}'), Reason.JSON_NUMBER_OUT_OF_RANGE)


def test_the_signature_covers_the_text_and_not_what_it_means(world: Any, judge: Any) -> None:
    """Exactly the text that was signed counts: the same JSON in another spelling does not verify."""
    protected, payload, signature = world.token().split(".")
    respelled = world.forge(header=world.header(x=1)).split(".")[0]
    judge.rejects(f"{respelled}.{payload}.{signature}", Reason.SIGNATURE_INVALID)
    judge.accepts(f"{protected}.{payload}.{signature}")


# ceilings


def test_size_of_the_token(world: Any, judge: Any) -> None:
    raw = world.token()
    for form in (raw, raw.encode()):
        judge.accepts(form, limits=keybound.Limits(token_bytes=len(raw)))
        judge.rejects(form, Reason.TOKEN_TOO_LARGE, limits=keybound.Limits(token_bytes=len(raw) - 1))


def test_size_of_the_header(world: Any, judge: Any) -> None:
    raw = world.token()
    size = raw.index(".")
    judge.accepts(raw, limits=keybound.Limits(header_bytes=size))
    judge.rejects(raw, Reason.HEADER_TOO_LARGE, limits=keybound.Limits(header_bytes=size - 1))


# segments


@pytest.mark.parametrize("dots", [0, 1, 3, 5, 6, 7, 100])
def test_number_of_segments(judge: Any, dots: int) -> None:
    judge.rejects("." * dots or "x", Reason.TOKEN_MALFORMED)
    judge.rejects(".".join("A" * (dots + 1)).encode(), Reason.TOKEN_MALFORMED)


def test_five_segments_are_encrypted(judge: Any) -> None:
    judge.rejects("....", Reason.TOKEN_ENCRYPTED)
    judge.rejects("eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAA.AAAA.AAAA", Reason.TOKEN_ENCRYPTED)


@pytest.mark.parametrize("raw", [None, "", b""])
def test_no_token(judge: Any, raw: Any) -> None:
    error = judge.rejects(raw, Reason.TOKEN_MISSING)
    assert error.challenge() == "Bearer"


@pytest.mark.parametrize(
    "raw", [0, 1.5, True, [], ["a.b.c"], {}, object(), bytearray(b"a.b.c"), memoryview(b"a.b.c")]
)
def test_token_that_is_no_text(judge: Any, raw: Any) -> None:
    judge.rejects(raw, Reason.TOKEN_NOT_TEXT)


def test_str_and_bytes_are_the_same_token(world: Any, judge: Any) -> None:
    raw = world.token()
    assert judge.accepts(raw).claims == judge.accepts(raw.encode()).claims


@pytest.mark.parametrize("segment", [0, 1, 2])
@pytest.mark.parametrize(
    "junk", ["=", "==", " ", "\n", "\r\n", "+", "/", "!", "\0", "\x80", "\u212a", "é", "\ud800"]
)
def test_segment_that_is_no_base64url(world: Any, judge: Any, segment: int, junk: str) -> None:
    for place in (0, 5, None):
        parts = world.token().split(".")
        text = parts[segment]
        parts[segment] = text + junk if place is None else text[:place] + junk + text[place:]
        judge.rejects(".".join(parts), Reason.BASE64URL_INVALID)


@pytest.mark.parametrize("segment", [0, 1, 2])
def test_last_character_of_a_segment(world: Any, judge: Any, segment: int) -> None:
    """Only one spelling of the trailing bits is canonical (RFC 4648, 3.5)."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # 64-byte signatures leave four spare bits; the other two segments are padded until they do.
    for padding in range(3):
        raw = world.forge(header=world.header(x="x" * padding), payload=world.claims(x="x" * padding))
        parts = raw.split(".")
        if len(parts[segment]) % 4 == 2:
            break
    judge.accepts(raw)
    last = alphabet.index(parts[segment][-1])
    for bits in range(1, 16):
        twin = parts[segment][:-1] + alphabet[last | bits]
        judge.rejects(".".join([*parts[:segment], twin, *parts[segment + 1 :]]), Reason.BASE64URL_INVALID)


@pytest.mark.parametrize("prefix", ["Bearer ", "bearer ", " ", "\t", "DPoP ", '"'])
def test_token_with_something_around_it(world: Any, judge: Any, prefix: str) -> None:
    judge.rejects(prefix + world.token(), Reason.BASE64URL_INVALID)


def test_signature_wins_over_claims(world: Any, judge: Any) -> None:
    """A forger learns nothing about the policy, and no caller sees "expired" on a forged token."""
    forged = world.token(key=SigningKey.generate("ES256", kid=world.key.kid), lifetime=-1, iss="x", aud="x")
    judge.rejects(forged, Reason.SIGNATURE_INVALID)
    judge.rejects(world.forge(payload=b"not json", signature=b"\1" * 64), Reason.SIGNATURE_INVALID)
