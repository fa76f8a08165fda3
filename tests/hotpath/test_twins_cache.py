"""Native, pure and no cache at all say the same, whatever happened before; so do their claims."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest

pytest.importorskip("hypothesis")

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import keybound
from keybound.errors import Reason
from keybound.frozen import FrozenDict, FrozenList, freeze
from keybound.testing import CertificateAuthority, FakeClock, FakeIssuer, SigningKey, make_token

START = 1_750_000_000
AUDIENCE = "https://rs.example.com"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SMALL = {"entries": 4, "memory_bytes": 30_000, "lifetime": 30}
OWN = object()
"""The certificate that a token is bound to."""


def mostly(usual: Any, *others: Any) -> Any:
    return st.sampled_from([*[usual] * (len(others) or 3), *others])


# One history for all


def histories(
    lane: Callable[..., Any], pure: Any, native: Any, **options: Any
) -> type[RuleBasedStateMachine]:
    """Random sequences of tokens, certificates, rotations and clocks, put before all lanes at once."""
    authority = CertificateAuthority()
    clients = [authority.issue_client(name) for name in ("a", "b")]
    proofs = [clients[0].der, clients[1].der, clients[0].pem, None, b"junk"]
    keys = [SigningKey.generate("ES256", kid=kid) for kid in ("k1", "k1", "k2")]
    issuer = FakeIssuer("https://as.example.com", key=keys[0], clock=FakeClock(START))
    policy = keybound.AccessTokenValidator(
        issuer=issuer.issuer,
        audience=AUDIENCE,
        keys=keybound.JWKSet.from_json(issuer.jwks()),
        algorithms=["ES256"],
        **options,
    ).policy

    class History(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.tokens: list[tuple[str, bytes | None]] = []
            self.wall, self.watch = FakeClock(START), FakeClock(0.0)
            cache = keybound.CacheSettings(monotonic=self.watch, **SMALL)
            self.cached = [
                lane(twin, policy, keys[0], clock=self.wall, cache=cache) for twin in (pure, native)
            ]
            self.cold = lane(native, policy, keys[0], clock=self.wall, cache=None)

        @rule(
            key=mostly(keys[0], *keys[1:]),
            lifetime=mostly(60) | st.integers(-20, 60),
            nbf=mostly(None) | st.integers(-30, 30),
            issued=mostly(0) | st.integers(-30, 30),
            client=st.none() | st.sampled_from(clients),
            filler=mostly(0, 1500),
        )
        def issue(
            self, key: SigningKey, lifetime: int, nbf: int | None, issued: int, client: Any, filler: int
        ) -> None:
            now = int(self.wall())
            times = {"iat": now + issued, "exp": now + lifetime} | ({} if nbf is None else {"nbf": now + nbf})
            raw = issuer.access_token(
                audience=AUDIENCE, key=key, certificate=client, filler="x" * filler, **times
            )
            self.tokens = [*self.tokens[-7:], (raw, client and client.der)]

        def compare(self, raw: str | bytes, certificate: Any) -> None:
            expected = self.cold.verdict(raw, certificate)
            for cached in self.cached:
                assert cached.verdict(raw, certificate) == expected

        @precondition(lambda self: self.tokens)
        @rule(which=st.integers(0, 7), at=st.integers(0, 400), step=st.integers(1, 63))
        def forge(self, which: int, at: int, step: int) -> None:
            raw, own = self.tokens[which % len(self.tokens)]
            at %= len(raw)
            other = ALPHABET[(ALPHABET.find(raw[at]) + step) % 64]
            self.compare(raw[:at] + other + raw[at + 1 :], own)

        @precondition(lambda self: self.tokens)
        @rule(
            presented=st.lists(
                st.tuples(st.integers(0, 7), mostly(OWN, *proofs), st.booleans()), min_size=1, max_size=8
            )
        )
        def present(self, presented: list[tuple[int, Any, bool]]) -> None:
            for which, proof, as_bytes in presented:
                raw, own = self.tokens[which % len(self.tokens)]
                self.compare(raw.encode() if as_bytes else raw, own if proof is OWN else proof)

        @rule(seconds=mostly(1, -60, -10, -1, -0.25, 0.25, 5, 10, 30) | st.floats(-70, 70))
        def move_the_clock(self, seconds: float) -> None:
            self.wall.advance(seconds)

        @rule(seconds=st.sampled_from([0.5, 15, 29.5, 30]))
        def let_time_pass(self, seconds: float) -> None:
            self.wall.advance(seconds)
            self.watch.advance(seconds)

        @rule(published=mostly(keys[:1], keys[::2], keys, keys[1:]))
        def rotate(self, published: list[SigningKey]) -> None:
            for each in (*self.cached, self.cold):
                each.publish(*published)

        @rule()
        def clear(self) -> None:
            for cached in self.cached:
                cached.cache.clear()

        @invariant()
        def twins_count_the_same(self) -> None:
            in_pure, in_native = (cached.cache.counters() for cached in self.cached)
            assert in_pure == in_native
            assert in_pure["entries"] <= SMALL["entries"]
            assert in_pure["bytes"] <= SMALL["memory_bytes"]

    return History


@pytest.mark.parametrize(
    "options",
    [{}, {"binding": "required"}, {"binding": "ignore"}, {"max_age": 20, "leeway": 0}],
    ids=["default", "binding required", "binding ignored", "age bounded"],
)
def test_cache_never_changes_a_verdict(lane: Any, pure: Any, native: Any, options: dict[str, Any]) -> None:
    run_state_machine_as_test(
        histories(lane, pure, native, **options),
        settings=settings(max_examples=settings.default.max_examples // 4, stateful_step_count=40),
    )


# One value for all

SPACE = st.text(" \t\r\n", max_size=2)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    [
        "",
        "iss",
        "sub",
        "scope",
        "x5t#S256",
        "client_id",
        "cnf",
        '"',
        "\\",
        "/",
        "\u2028",
        "\U0001f600",
        "\x7f",
    ]
)
# fmt: off
NUMBERS = st.sampled_from(
    [
        "0", "-0", "0.0", "-0.0", "0e0", "-0e-5", "1", "-1", "1.0", "1e0", "1E+2", "10e-1", "0.1", "1e22",
        "1e23", "123456789012345678", "9007199254740993", "9223372036854775807", "9223372036854775808",
        "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
        "-18446744073709551616", "100000000000000000000000000000", "1e307", "-1e307", "1e-307", "5e-324",
        "1e-400", "2.2250738585072011e-308", "9007199254740993.0", "0.30000000000000004", "17500000000e-1",
        "1.7976931348623157e307"
    ]
) | st.integers(-(2**70), 2**70).map(str)
# fmt: on
NUMBERS |= st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300).map(repr)


@st.composite
def strings(draw: Any) -> str:
    """A JSON string, each character as it stands or escaped in one of the ways there are."""
    spelled = []
    for character in draw(TEXTS):
        ways = [json.dumps(character)[1:-1]]
        if ord(character) >= 0x20 and character not in '"\\':
            ways.append(character)
        units = character.encode("utf-16-be")
        pairs = [units[i : i + 2].hex() for i in range(0, len(units), 2)]
        ways += ["".join(f"\\u{pair}" for pair in pairs), "".join(f"\\u{pair.upper()}" for pair in pairs)]
        ways += ["\\/"] if character == "/" else []
        spelled.append(draw(st.sampled_from(ways)))
    return f'"{"".join(spelled)}"'


def joined(parts: list[tuple[str, str, str]], brackets: str) -> str:
    return brackets[0] + ",".join("".join(part) for part in parts) + brackets[1]


def objects(values: Any, max_size: int) -> Any:
    # Names may be spelled in several ways: they are unique by what they say.
    members = st.tuples(SPACE, strings(), SPACE, values)
    listed = st.lists(members, max_size=max_size, unique_by=lambda member: orjson.loads(member[1]))
    return st.builds(
        lambda parts, space: (
            joined([(before + name + after, ":", value) for before, name, after, value in parts], "{}")
            if parts
            else "{" + space + "}"
        ),
        listed,
        SPACE,
    )


def arrays(values: Any) -> Any:
    listed = st.lists(st.tuples(SPACE, values, SPACE), max_size=4)
    return st.builds(lambda parts, space: joined(parts, "[]") if parts else "[" + space + "]", listed, SPACE)


SCALARS = strings() | NUMBERS | st.sampled_from(["true", "false", "null"])
VALUES = st.recursive(SCALARS, lambda inner: arrays(inner) | objects(inner, 4), max_leaves=12)
VALUES = st.builds("{}{}{}".format, SPACE, VALUES, SPACE)
OBJECTS = st.builds("{}{}{}".format, SPACE, objects(VALUES, 8), SPACE)


def alike(one: Any, other: Any) -> bool:
    """Equal to the type, the sign of a zero and the order of members."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return repr(one) == repr(other)


@given(OBJECTS | st.builds("{}{}{}".format, SPACE, arrays(VALUES), SPACE))
@example('{"":{"":[]}}')
@example("[]")
def test_frozen_values_are_those_of_orjson(pure: Any, native: Any, text: str) -> None:
    data = text.encode()
    expected = freeze(orjson.loads(data))
    assert type(expected) in (FrozenDict, FrozenList)
    assert native.strict_json.loads(data, 256)[0] == Reason.OK
    assert alike(native.strict_json.load_frozen(data), expected)
    assert alike(pure.strict_json.load_frozen(data), expected)


@pytest.fixture(scope="module")
def open_lanes(lane: Any, pure: Any, native: Any) -> tuple[SigningKey, list[Any]]:
    """Lanes of both twins that look at nothing but the signature and the registered claims."""
    key = SigningKey.generate("HS256")
    policy = keybound.AccessTokenValidator(
        issuer="i",
        audience="a",
        keys=keybound.JWKSet.from_json({"keys": [key.verification_jwk()]}),
        algorithms=["HS256"],
        allow_missing_exp=True,
        binding="ignore",
        limits=keybound.Limits(token_bytes=2**20, json_depth=256),
    ).policy
    return key, [lane(twin, policy, key, clock=FakeClock(START), cache=None) for twin in (pure, native)]


@given(OBJECTS, st.lists(TEXTS, max_size=3), st.booleans())
@example('{ "\\u0061ud" : "x" }', ["\\u0061ud", "aud"], True)
@example('\r\n{"a\\"b":1,"a":2}\t', ['a"b', "a", 'a\\"b', '"'], False)
def test_claim_is_what_claims_say(
    open_lanes: tuple[SigningKey, list[Any]], text: str, others: list[str], claims_first: bool
) -> None:
    """One claim is looked for in the text, all of them are made of it: both say the same."""
    key, lanes = open_lanes
    fields = orjson.loads(text)
    registered = {"iss", "aud", "exp", "nbf", "iat", "sub", "jti", "client_id", "scope", "scp"}
    assume(not registered & fields.keys())
    start, rest = text.split("{", 1)
    separator = "" if rest.lstrip().startswith("}") else ","
    payload = f'{start}{{"iss":"i","aud":"a"{separator}{rest}'.encode()
    expected = freeze(orjson.loads(payload))
    raw = make_token({"alg": "HS256", "kid": key.kid}, payload, key)
    missing = object()
    for each in lanes:
        token = each.validator.validate(raw)
        if claims_first:
            assert alike(token.claims, expected)
        for name in (*expected, *others, *(name + "\0" for name in others), "\ud800"):
            found = token.claim(name, missing)
            assert found is missing if name not in expected else alike(found, expected[name])
        assert alike(token.claims, expected)
        assert token.claims is token.claims
