"""The cache of verified tokens, from outside: a hit says what a validation without a cache would say."""

from __future__ import annotations

import datetime
import math
import os
import subprocess
import sys
from typing import Any

import pytest

import keybound
from keybound import profiles
from keybound.errors import PolicyError, Reason
from keybound.frozen import FrozenDict, FrozenList
from keybound.testing import OMIT, SigningKey

LEEWAY = 10
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.fixture
def place(world: Any) -> Any:
    """A world whose clock may be moved."""
    return type(world)()


class Stopwatch:
    """A clock for the lifetime of entries."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Rotating:
    """A key source whose set can be exchanged."""

    def __init__(self, *keys: SigningKey) -> None:
        self.publish(*keys)

    def publish(self, *keys: SigningKey) -> None:
        self.current = keybound.JWKSet.from_json({"keys": [key.verification_jwk() for key in keys]})

    def snapshot(self) -> keybound.JWKSet:
        return self.current


def verdict(validator: keybound.AccessTokenValidator, raw: Any, certificate: Any = None) -> Reason:
    try:
        validator.validate(raw, certificate=certificate)
    except keybound.TokenRejected as rejected:
        return rejected.reason
    return Reason.OK


def counters(validator: keybound.AccessTokenValidator) -> dict[str, int]:
    return validator.stats()["cache"]


def is_hit(validator: keybound.AccessTokenValidator, raw: Any, certificate: Any = None) -> bool:
    """Whether the token is accepted out of the cache."""
    before = counters(validator)["hits"]
    validator.validate(raw, certificate=certificate)
    return counters(validator)["hits"] == before + 1


# What a hit returns


def test_hit_returns_equal_claims(place: Any) -> None:
    """P5: the cache is on without being asked for, and a hit says what a verification would."""
    validator = place.validator()
    raw = place.token(certificate=place.client, nested={"a": [{"b": 1.5}, None, "ü"]})
    cold = place.validator(cache=None).validate(raw, certificate=place.client.der)
    tokens = [validator.validate(raw, certificate=place.client.der) for _ in range(3)]
    assert counters(validator)["hits"] == 2
    for token in tokens:
        assert type(token) is keybound.AccessToken
        assert token.claims == cold.claims
        assert token.header == cold.header
        assert token.scopes == cold.scopes
        assert repr(token) == repr(cold)


def test_nobody_can_change_what_the_next_one_gets(place: Any) -> None:
    validator = place.validator()
    raw = place.token(roles=["reader"], nested={"a": {"b": []}})
    first = validator.validate(raw)
    before = repr(first.claims)
    with pytest.raises(TypeError):
        first.claims["sub"] = "admin"
    with pytest.raises(TypeError):
        first.claims["roles"].append("admin")
    with pytest.raises(TypeError):
        first.claims["nested"]["a"]["b"].append(1)
    with pytest.raises(TypeError):
        first.claim("nested")["a"] = {}
    with pytest.raises(TypeError):
        first.header["kid"] = "x"
    for name in ("claims", "header", "_claims", "_header", "_payload", "anything"):
        with pytest.raises(AttributeError):
            setattr(first, name, {})
    assert is_hit(validator, raw)
    second = validator.validate(raw)
    assert repr(second.claims) == before
    assert type(second.claims) is FrozenDict
    assert type(second.claims["roles"]) is FrozenList
    assert type(second.claims["nested"]["a"]) is FrozenDict
    assert type(second.header) is FrozenDict


def test_copy_of_the_claims_is_the_callers_own(place: Any) -> None:
    validator = place.validator()
    raw = place.token()
    mine = dict(validator.validate(raw).claims)
    mine["sub"] = "admin"
    assert validator.validate(raw).subject == "user-1"


def test_str_and_bytes_are_one_token(place: Any) -> None:
    validator = place.validator()
    raw = place.token()
    assert not is_hit(validator, raw)
    assert is_hit(validator, raw.encode())
    assert is_hit(validator, raw)
    assert counters(validator)["entries"] == 1
    validator.clear_cache()
    assert not is_hit(validator, raw.encode())
    assert is_hit(validator, raw)


def test_what_is_no_text_is_never_looked_up(place: Any) -> None:
    class Text(str):
        __slots__ = ()

    validator = place.validator()
    raw = place.token()
    validator.validate(raw)
    for other in (Text(raw), bytearray(raw.encode()), memoryview(raw.encode())):
        assert verdict(validator, other) is Reason.TOKEN_NOT_TEXT
    assert verdict(validator, None) is Reason.TOKEN_MISSING
    assert verdict(validator, "") is Reason.TOKEN_MISSING
    assert counters(validator)["hits"] == 0


def test_text_outside_ascii_is_refused_with_a_cache_too(place: Any) -> None:
    validator = place.validator()
    raw = place.token()
    validator.validate(raw)
    for other in (raw[:-1] + "é", raw + "\u2028", raw + "\udc80", raw.encode() + b"\xe9", b"\xff\xfe"):
        assert verdict(validator, other) is verdict(place.validator(cache=None), other) is not Reason.OK
    assert counters(validator)["entries"] == 1


def test_str_and_bytes_are_never_compared() -> None:
    """Under ``python -bb`` a comparison of the two is an error."""
    script = """
import keybound
from keybound.testing import FakeIssuer
issuer = FakeIssuer("https://as.example.com", alg="HS256")
keys = keybound.JWKSet.from_json(issuer.jwks())
validator = keybound.AccessTokenValidator(
    issuer=issuer.issuer, audience="rs", keys=keys, algorithms=["HS256"])
raw = issuer.access_token(audience="rs")
for form in (raw, raw.encode(), raw, bytearray(raw, "ascii")):
    try:
        validator.validate(form)
    except keybound.TokenRejected as rejected:
        assert rejected.reason is keybound.Reason.TOKEN_NOT_TEXT
assert validator.stats()["cache"]["hits"] == 2
"""
    done = subprocess.run([sys.executable, "-bb", "-c", script], env=os.environ, check=False)
    assert done.returncode == 0


# The certificate, on every hit


def presented_forms(place: Any) -> dict[str, Any]:
    der = place.client.der
    return {
        "right": der,
        "right PEM": place.client.pem,
        "right, as a hash": keybound.PresentedCertificate.from_der(der),
        "none": None,
        "another": place.stranger.der,
        "another, as a hash": keybound.PresentedCertificate.from_der(place.stranger.der),
        "one byte off": der[:-1] + bytes([der[-1] ^ 1]),
        "cut": der[:-1],
        "extended": der + b"\0",
        "empty": b"",
        "empty text": "",
        "junk": b"junk",
        "junk text": "junk",
        "junk of 32 bytes": bytes(32),
        "a number": 5,
        "the hash of nothing": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
        "hexadecimal of another": keybound.PresentedCertificate.from_der(place.stranger.der).digest.hex(),
    }


@pytest.mark.parametrize("binding", ["if-present", "required", "ignore"])
def test_binding_is_checked_on_a_hit_as_without_a_cache(place: Any, binding: Any) -> None:
    """F-8, P6: a bound token without its certificate, or with another, is refused each time."""
    cached, cold = place.validator(binding=binding), place.validator(binding=binding, cache=None)
    bound, unbound = place.token(certificate=place.client), place.token()
    cached.validate(bound, certificate=place.client.der)
    if binding != "required":
        cached.validate(unbound)
    hits = counters(cached)["hits"]
    verdicts = set()
    for raw in (bound, unbound):
        for name, certificate in presented_forms(place).items():
            expected = verdict(cold, raw, certificate)
            assert verdict(cached, raw, certificate) is expected, name
            verdicts.add(expected)
    if binding == "ignore":
        assert verdicts == {Reason.OK}
    else:
        assert {
            Reason.OK,
            Reason.CERTIFICATE_MISSING,
            Reason.CERTIFICATE_MISMATCH,
            Reason.CERTIFICATE_INVALID,
        } <= verdicts
    # Not one of them was answered by a validation from the start, nor cost the owner the entry.
    expected_hits = (1 if binding == "required" else 2) * len(presented_forms(place))
    assert counters(cached)["hits"] - hits == expected_hits
    assert is_hit(cached, bound, place.client.der)


def test_entry_made_with_another_form_of_the_certificate(place: Any) -> None:
    validator = place.validator()
    raw = place.token(certificate=place.client)
    validator.validate(raw, certificate=keybound.PresentedCertificate.from_der(place.client.der))
    assert is_hit(validator, raw, place.client.der)
    assert is_hit(validator, raw, place.client.pem)
    assert verdict(validator, raw) is Reason.CERTIFICATE_MISSING


def test_certificates_that_differ_in_one_byte(place: Any) -> None:
    """Whatever is remembered of a certificate is remembered by all of it."""
    validator = place.validator()
    raw = place.token(certificate=place.client)
    der = place.client.der
    for _ in range(2):
        assert verdict(validator, raw, der) is Reason.OK
        for at in range(4, len(der), 7):
            altered = der[:at] + bytes([der[at] ^ 0x20]) + der[at + 1 :]
            assert verdict(validator, raw, altered) is Reason.CERTIFICATE_MISMATCH


# Time, on every hit


def test_cached_in_the_last_second_of_its_life(place: Any) -> None:
    """F-7, P6 (mod_oauth2#14): exp is compared with each hit."""
    validator = place.validator()
    exp = int(place.now) + 300
    raw = place.token(exp=exp)
    place.clock.set(exp - 1)
    validator.validate(raw)
    place.clock.set(math.nextafter(exp + LEEWAY, 0))
    assert is_hit(validator, raw)
    place.clock.set(exp + LEEWAY)
    assert verdict(validator, raw) is Reason.TOKEN_EXPIRED
    assert counters(validator)["entries"] == 0
    place.clock.set(exp + LEEWAY + 1)
    assert verdict(validator, raw) is Reason.TOKEN_EXPIRED


def test_clock_that_steps_back_finds_nothing(place: Any) -> None:
    """F-7: whatever the clock says then is the answer of a new validation, not an old one."""
    validator = place.validator()
    raw = place.token(lifetime=300)
    validator.validate(raw)
    place.clock.advance(300 + LEEWAY)
    assert verdict(validator, raw) is Reason.TOKEN_EXPIRED
    place.clock.advance(-100)
    assert counters(validator)["entries"] == 0
    assert not is_hit(validator, raw)


@pytest.mark.parametrize(
    ("claim", "reason"), [("nbf", Reason.TOKEN_NOT_YET_VALID), ("iat", Reason.IAT_IN_FUTURE)]
)
def test_clock_that_steps_back_before_the_token(place: Any, claim: str, reason: Reason) -> None:
    validator = place.validator()
    start = int(place.now)
    raw = place.token(**{"iat": OMIT, "nbf": OMIT} | {claim: start})
    validator.validate(raw)
    place.clock.set(start - LEEWAY)
    assert is_hit(validator, raw)
    place.clock.set(math.nextafter(start - LEEWAY, 0))
    assert verdict(validator, raw) is reason
    assert counters(validator)["entries"] == 0
    place.clock.set(start)
    assert not is_hit(validator, raw)


def test_age_on_a_hit(place: Any) -> None:
    validator = place.validator(max_age=60)
    start = int(place.now)
    raw = place.token(lifetime=600)
    validator.validate(raw)
    place.clock.set(start + 60 + LEEWAY)
    assert is_hit(validator, raw)
    place.clock.set(math.nextafter(start + 60 + LEEWAY, math.inf))
    assert verdict(validator, raw) is Reason.TOKEN_TOO_OLD
    assert counters(validator)["entries"] == 0


@pytest.mark.parametrize(
    ("bounds", "seconds", "reason"),
    [
        ({"max_nbf_age": 80}, 70, Reason.TOKEN_TOO_OLD),
        ({"max_expiry_distance": 600}, -10, Reason.LIFETIME_TOO_LONG),
    ],
)
def test_bounds_of_a_profile_on_a_hit(
    place: Any, bounds: dict[str, float], seconds: float, reason: Reason
) -> None:
    kinds = {keybound.TokenKind.ACCESS_TOKEN: bounds}
    profile = keybound.profiles.OAUTH.derive(name="bounded", source="a test", kinds=kinds)
    validator = place.validator(profile=profile)
    start = int(place.now)
    raw = place.token(iat=OMIT, nbf=start - 20, exp=start + 600)
    validator.validate(raw)
    place.clock.set(start + seconds)
    assert is_hit(validator, raw)
    place.clock.set(math.nextafter(start + seconds, math.copysign(math.inf, seconds)))
    assert verdict(validator, raw) is reason
    assert counters(validator)["entries"] == 0


@pytest.mark.parametrize(
    "text",
    ['"nbf":0', '"nbf":-0', '"nbf":2.5', '"nbf":17500003e2', '"exp":1750000300.25', '"exp":17500003E2'],
)
def test_times_of_every_spelling_on_a_hit(place: Any, text: str) -> None:
    """What is checked again is the very number that the token says."""
    cached, cold = place.validator(), place.validator(cache=None)
    raw = place.with_text(text, instead_of=text[1:4])
    for seconds in (0, 299, 300.25, 309.75, 310, 310.25, 311):
        place.clock.set(1_750_000_000 + seconds)
        assert verdict(cached, raw) is verdict(cold, raw)
        assert verdict(cached, raw) is verdict(cold, raw)


def test_clock_that_says_nan(place: Any) -> None:
    validator = place.validator()
    raw = place.token()
    validator.validate(raw)
    place.clock.set(math.nan)
    assert verdict(validator, raw) is Reason.TOKEN_EXPIRED
    assert counters(validator)["entries"] == 0


def test_token_that_never_expires(place: Any) -> None:
    watch = Stopwatch()
    validator = place.validator(allow_missing_exp=True, cache=keybound.CacheSettings(monotonic=watch))
    raw = place.token(exp=OMIT)
    validator.validate(raw)
    place.clock.advance(10**9)
    assert is_hit(validator, raw)
    watch.now += 60
    assert not is_hit(validator, raw)


# The lifetime of an entry


def test_lifetime_to_the_moment(place: Any) -> None:
    watch = Stopwatch()
    validator = place.validator(cache=keybound.CacheSettings(lifetime=30, monotonic=watch))
    raw = place.token()
    validator.validate(raw)
    watch.now = math.nextafter(1030, 0)
    assert is_hit(validator, raw)
    watch.now = 1030.0
    assert not is_hit(validator, raw)
    # Verified anew, with a lifetime of its own.
    watch.now = math.nextafter(1060, 0)
    assert is_hit(validator, raw)


def test_hits_do_not_extend_the_lifetime(place: Any) -> None:
    watch = Stopwatch()
    validator = place.validator(cache=keybound.CacheSettings(entries=4, lifetime=30, monotonic=watch))
    raw = place.token()
    validator.validate(raw)
    for second in range(1, 30):
        watch.now = 1000 + second
        assert is_hit(validator, raw)
        validator.validate(place.token())
    watch.now = 1030
    assert not is_hit(validator, raw)


@pytest.mark.parametrize("jump", [-250, -9, 9, 250])
def test_wall_clock_does_not_extend_the_lifetime(place: Any, jump: float) -> None:
    """P6, P19: the lifetime of an entry is measured on a clock of its own."""
    watch = Stopwatch()
    validator = place.validator(cache=keybound.CacheSettings(lifetime=30, monotonic=watch))
    raw = place.token(iat=OMIT)
    validator.validate(raw)
    place.clock.advance(jump)
    assert is_hit(validator, raw)
    watch.now += 30
    assert not is_hit(validator, raw)


def test_clock_of_the_lifetime_that_says_nan_finds_nothing(place: Any) -> None:
    watch = Stopwatch()
    validator = place.validator(cache=keybound.CacheSettings(monotonic=watch))
    raw = place.token()
    validator.validate(raw)
    watch.now = math.nan
    assert not is_hit(validator, raw)
    assert not is_hit(validator, raw)
    watch.now = 1000.0
    assert not is_hit(validator, raw)


@pytest.mark.parametrize("answer", [None, "1000", b"1", 10**400, 1j, []])
def test_clock_of_the_lifetime_that_says_no_number(place: Any, answer: Any) -> None:
    watch = Stopwatch()
    validator = place.validator(cache=keybound.CacheSettings(monotonic=watch))
    raw = place.token()
    validator.validate(raw)
    watch.now = answer
    with pytest.raises(keybound.Unavailable):
        validator.validate(raw)
    with pytest.raises(keybound.Unavailable):
        validator.validate_many([raw])
    watch.now = 1000
    assert is_hit(validator, raw)


def test_without_a_clock_given_the_system_counts(place: Any) -> None:
    validator = place.validator(cache=keybound.CacheSettings(lifetime=3600))
    raw = place.token()
    validator.validate(raw)
    assert is_hit(validator, raw)


# Only good tokens are kept


def test_rejected_tokens_leave_nothing_behind(place: Any) -> None:
    """P6: only what was accepted is kept."""
    validator = place.validator(scopes="write", required_claims=["tenant"], binding="required")
    good = {"certificate": place.client, "tenant": "t"}
    rejected = [
        place.token(**good | {"lifetime": -60}),
        place.token(**good | {"audience": "https://other.example.com"}),
        place.token(**good | {"iss": "https://evil.example.com"}),
        place.token(**good | {"scope": "read"}),
        place.token(**good | {"tenant": OMIT}),
        place.token(**good | {"nbf": int(place.now) + 60}),
        place.token(tenant="t"),
        place.token(**good | {"key": SigningKey.generate("ES256", kid=place.key.kid)}),
        place.token(**good | {"key": SigningKey.generate("ES256")}),
        place.token(**good)[:-2],
        place.token(**good, header={"typ": "JOSE"}),
        place.token(**good, header={"crit": ["x"], "x": 1}),
        "a.b.c",
        "",
        "x" * 20_000,
    ]
    for raw in rejected:
        first = verdict(validator, raw, place.client.der)
        assert first is not Reason.OK
        assert verdict(validator, raw, place.client.der) is first
    raw = place.token(**good)
    assert verdict(validator, raw, place.stranger.der) is Reason.CERTIFICATE_MISMATCH
    assert verdict(validator, raw) is Reason.CERTIFICATE_MISSING
    assert counters(validator)["entries"] == counters(validator)["bytes"] == counters(validator)["hits"] == 0
    assert verdict(validator, raw, place.client.der) is Reason.OK
    assert counters(validator)["entries"] == 1


def test_token_that_becomes_valid_is_accepted_then(place: Any) -> None:
    validator = place.validator()
    raw = place.token(nbf=int(place.now) + 60)
    assert verdict(validator, raw) is Reason.TOKEN_NOT_YET_VALID
    place.clock.advance(60)
    assert verdict(validator, raw) is Reason.OK


def test_key_that_arrives_later_is_found(place: Any) -> None:
    new = SigningKey.generate("ES256")
    source = Rotating(place.key)
    validator = place.validator(keys=source)
    raw = place.token(key=new)
    assert verdict(validator, raw) is Reason.KEY_UNKNOWN
    source.publish(place.key, new)
    assert verdict(validator, raw) is Reason.OK


# Entries die with their key


def test_key_that_leaves_takes_its_tokens_along(place: Any) -> None:
    """P6, P8: an entry dies with its key."""
    old, new = place.key, SigningKey.generate("ES256")
    source = Rotating(old, new)
    validator = place.validator(keys=source)
    of_old, of_new = place.token(key=old), place.token(key=new)
    for raw in (of_old, of_new):
        validator.validate(raw)
        assert is_hit(validator, raw)
    source.publish(new)
    assert verdict(validator, of_old) is Reason.KEY_UNKNOWN
    assert verdict(validator, of_new) is Reason.OK
    assert verdict(validator, of_old) is Reason.KEY_UNKNOWN
    source.publish(old, new)
    assert not is_hit(validator, of_old)


def test_another_key_under_the_same_kid(place: Any) -> None:
    old = place.key
    new = SigningKey.generate("ES256", kid=old.kid)
    source = Rotating(old)
    validator = place.validator(keys=source)
    of_old, of_new = place.token(key=old), place.token(key=new)
    assert verdict(validator, of_old) is Reason.OK
    assert is_hit(validator, of_old)
    source.publish(new)
    assert verdict(validator, of_old) is Reason.SIGNATURE_INVALID
    assert verdict(validator, of_new) is Reason.OK
    assert is_hit(validator, of_new)
    source.publish(old)
    assert verdict(validator, of_new) is Reason.SIGNATURE_INVALID
    assert verdict(validator, of_old) is Reason.OK


def test_entries_of_former_keys_are_gone_with_the_next_call(place: Any) -> None:
    source = Rotating(place.key)
    validator = place.validator(keys=source)
    for _ in range(5):
        validator.validate(place.token())
    assert counters(validator)["entries"] == 5
    source.publish(place.key, SigningKey.generate("ES256"))
    assert verdict(validator, "a.b.c") is not Reason.OK
    after = counters(validator)
    assert (after["entries"], after["bytes"], after["dropped"]) == (0, 0, 5)


class Interrupting(Stopwatch):
    """Does something else at the moment when a verified token is about to be kept."""

    def __init__(self, meanwhile: Any) -> None:
        super().__init__()
        self._calls, self._meanwhile = 0, meanwhile

    def __call__(self) -> float:
        # Asked first by the look-up, then by the keeping.
        self._calls += 1
        if self._calls == 2:
            self._meanwhile()
        return self.now


def test_token_of_former_keys_is_not_kept_when_newer_ones_have_come(place: Any) -> None:
    """A rotation between the verification and the keeping, as another thread could see it."""
    old, new = place.key, SigningKey.generate("ES256")
    source = Rotating(old)
    of_old, of_new = place.token(key=old), place.token(key=new)

    def rotate() -> None:
        source.publish(new)
        validator.validate(of_new)

    validator = place.validator(keys=source, cache=keybound.CacheSettings(monotonic=Interrupting(rotate)))
    assert verdict(validator, of_old) is Reason.OK
    assert verdict(validator, of_old) is Reason.KEY_UNKNOWN
    assert counters(validator)["entries"] == 1


def test_token_that_two_threads_verify_is_counted_once(place: Any) -> None:
    raw = place.token()
    watch = Interrupting(lambda: validator.validate(raw))
    validator = place.validator(cache=keybound.CacheSettings(monotonic=watch))
    validator.validate(raw)
    other = place.validator()
    other.validate(raw)
    assert counters(validator)["misses"] == 2
    assert counters(validator)["entries"] == 1
    assert counters(validator)["bytes"] == counters(other)["bytes"]


def test_source_that_fails_answers_nothing_from_the_cache(place: Any) -> None:
    class Failing(Rotating):
        fails = False

        def snapshot(self) -> keybound.JWKSet:
            if self.fails:
                raise keybound.Unavailable("no keys")
            return super().snapshot()

    source = Failing(place.key)
    validator = place.validator(keys=source)
    raw = place.token()
    validator.validate(raw)
    source.fails = True
    with pytest.raises(keybound.Unavailable):
        validator.validate(raw)
    source.fails = False
    assert is_hit(validator, raw)


# Validators do not share


@pytest.mark.parametrize(
    ("strict", "reason"),
    [
        ({"audience": "https://other.example.com"}, Reason.AUD_MISMATCH),
        ({"issuer": "https://other.example.com"}, Reason.ISS_MISMATCH),
        ({"binding": "required"}, Reason.CNF_MISSING),
        ({"scopes": "admin"}, Reason.SCOPE_INSUFFICIENT),
        ({"required_claims": ["tenant"]}, Reason.CLAIM_MISSING),
        ({"forbidden_claims": ["jti"]}, Reason.CLAIM_FORBIDDEN),
        ({"max_lifetime": 60}, Reason.LIFETIME_TOO_LONG),
        ({"max_age": 1, "leeway": 0}, Reason.TOKEN_TOO_OLD),
        ({"leeway": 0}, Reason.TOKEN_EXPIRED),
        ({"types": ["jwt"]}, Reason.TYP_NOT_ALLOWED),
        ({"algorithms": ["ES384"]}, Reason.ALG_NOT_ALLOWED),
        ({"limits": keybound.Limits(token_bytes=100)}, Reason.TOKEN_TOO_LARGE),
        ({"keys": keybound.JWK.from_json(SigningKey.generate("ES256").verification_jwk())}, None),
    ],
)
def test_validators_of_different_policy(place: Any, strict: dict[str, Any], reason: Reason | None) -> None:
    """F-5, P6 (lua-resty-openidc#399, #569): no verdict of one is an answer of the other."""
    lenient, other = place.validator(), place.validator(**strict)
    raw = place.token(lifetime=120)
    # In the leeway of the lenient one, if the strict one has none.
    place.clock.advance(125 if strict == {"leeway": 0} else 5)
    for _ in range(2):
        assert verdict(lenient, raw) is Reason.OK
        rejected = verdict(other, raw)
        assert rejected is (reason or Reason.KEY_UNKNOWN)
        assert verdict(lenient, raw) is Reason.OK
    assert counters(lenient)["hits"] == 3
    assert counters(other)["entries"] == 0


def test_validator_that_ignores_binding_shares_nothing(place: Any) -> None:
    """F-5, P6 (mod_oauth2#76): who looks away does so alone."""
    raw = place.token(certificate=place.client)
    ignoring, checking = place.validator(binding="ignore"), place.validator()
    for _ in range(2):
        assert verdict(ignoring, raw, place.stranger.der) is Reason.OK
        assert verdict(checking, raw, place.stranger.der) is Reason.CERTIFICATE_MISMATCH
        assert verdict(checking, raw) is Reason.CERTIFICATE_MISSING
        assert verdict(checking, raw, place.client.der) is Reason.OK


def test_profiles_share_nothing(place: Any) -> None:
    lax, strict = place.validator(), place.validator(profile=profiles.RFC9068)
    raw = place.token(jti=OMIT)
    for _ in range(2):
        assert verdict(lax, raw) is Reason.OK
        assert verdict(strict, raw) is Reason.JTI_MISSING


# Tokens that look alike


def test_every_character_counts(place: Any) -> None:
    """A cached token with one character changed is another token, and a forged one."""
    validator = place.validator()
    raw = place.token()
    validator.validate(raw)
    for at, character in enumerate(raw):
        other = BASE64URL[(BASE64URL.find(character) + 1) % 64]
        assert verdict(validator, raw[:at] + other + raw[at + 1 :]) is not Reason.OK, at
    assert counters(validator)["hits"] == 0
    assert counters(validator)["entries"] == 1
    assert is_hit(validator, raw)


def test_every_bit_of_the_signature_counts(place: Any) -> None:
    validator = place.validator()
    header, payload, signature = place.token().split(".")
    raw = f"{header}.{payload}.{signature}"
    validator.validate(raw)
    for at, character in enumerate(signature):
        for bit in range(6):
            other = BASE64URL[BASE64URL.index(character) ^ 1 << bit]
            forged = f"{header}.{payload}.{signature[:at]}{other}{signature[at + 1 :]}"
            assert verdict(validator, forged) in (Reason.SIGNATURE_INVALID, Reason.BASE64URL_INVALID)
    assert is_hit(validator, raw)


def test_parts_of_cached_tokens_do_not_combine(place: Any) -> None:
    validator = place.validator()
    tokens = [place.token(subject=name) for name in ("alice", "admin")]
    for raw in tokens:
        validator.validate(raw)
    (header, alice, by_alice), (_, admin, by_admin) = (raw.split(".") for raw in tokens)
    for forged in (f"{header}.{admin}.{by_alice}", f"{header}.{alice}.{by_admin}"):
        assert verdict(validator, forged) is Reason.SIGNATURE_INVALID
    assert [validator.validate(raw).subject for raw in tokens] == ["alice", "admin"]


def test_prefixes_and_suffixes_are_other_tokens(place: Any) -> None:
    """F-6, P6: a part of a token is not the token."""
    validator = place.validator()
    raw = place.token()
    validator.validate(raw)
    for size in (1, 2, 3, 4, 43, 86, len(raw) // 2):
        for other in (raw[:-size], raw[size:], raw + raw[-size:], raw[:size] + raw):
            assert verdict(validator, other) is not Reason.OK
    for other in (raw + " ", " " + raw, raw + "\n", raw + "=", raw + "\0", raw + ".", "Bearer " + raw):
        assert verdict(validator, other) is not Reason.OK
    assert is_hit(validator, raw)


def test_tokens_alike_at_both_ends_keep_their_own_claims(place: Any) -> None:
    """F-6, P6 (CVE-2026-35030): signatures are deterministic and the claims differ in the middle alone."""
    secret = SigningKey.generate("HS256")
    keys = keybound.JWKSet.from_json({"keys": [secret.verification_jwk()]})
    validator = place.validator(keys=keys, algorithms=["HS256"])
    padding = "x" * 300
    tokens = {
        name: place.token(key=secret, jti="j", a=padding, middle=name, z=padding)
        for name in map(str, range(100, 200))
    }
    for _ in range(2):
        for name, raw in tokens.items():
            assert validator.validate(raw).claims["middle"] == name
    assert counters(validator)["hits"] == 100


# Bounds


@pytest.mark.parametrize("entries", [2, 3, 8, 9])
def test_entries_are_bounded(place: Any, entries: int) -> None:
    """P6: by number."""
    validator = place.validator(cache=keybound.CacheSettings(entries=entries))
    for _ in range(40):
        raw = place.token()
        validator.validate(raw)
        assert is_hit(validator, raw)
        assert counters(validator)["entries"] <= entries
    final = counters(validator)
    assert final["entries"] + final["dropped"] == 40


def test_bytes_are_bounded(place: Any) -> None:
    """P6: and by memory."""
    validator = place.validator(cache=keybound.CacheSettings(memory_bytes=60_000))
    for size in [10, 100, 1000, 3000] * 10:
        validator.validate(place.token(filler="x" * size))
        assert counters(validator)["bytes"] <= 60_000
    assert counters(validator)["entries"] > 0


def test_token_too_big_for_the_cache_is_validated_each_time(place: Any) -> None:
    validator = place.validator(cache=keybound.CacheSettings(memory_bytes=20_000))
    big = place.token(filler="x" * 9_000)
    assert not is_hit(validator, big)
    assert not is_hit(validator, big)
    assert counters(validator)["entries"] == 0
    small = place.token()
    validator.validate(small)
    assert is_hit(validator, small)


def test_tokens_in_use_survive_a_flood(place: Any) -> None:
    """What is presented again and again stays, whatever passes by once."""
    validator = place.validator(cache=keybound.CacheSettings(entries=16))
    used = place.token()
    validator.validate(used)
    for _ in range(50):
        validator.validate(place.token())
        assert is_hit(validator, used)


def test_token_in_use_is_counted_once(place: Any) -> None:
    validator = place.validator(cache=keybound.CacheSettings(entries=4))
    tokens = [place.token(jti=str(number)) for number in range(3)]
    for raw in tokens:
        validator.validate(raw)
    before = counters(validator)
    assert before["entries"] == 3
    for _ in range(3):
        assert is_hit(validator, tokens[0])
        assert counters(validator)["entries"] == 3
        assert counters(validator)["bytes"] == before["bytes"]


def test_token_whose_time_is_over_is_dropped_wherever_it_stands(place: Any) -> None:
    """Its last look-up made it one of the newer tokens, or it stands among the older ones."""
    validator = place.validator(cache=keybound.CacheSettings(entries=4))
    short, *others = (place.token(lifetime=lifetime) for lifetime in (60, 300, 300))
    for raw in (short, *others):
        validator.validate(raw)
    place.clock.advance(60 + LEEWAY)
    assert verdict(validator, short) is Reason.TOKEN_EXPIRED
    assert counters(validator)["entries"] == 2
    place.clock.advance(-60)
    assert not is_hit(validator, short)


def test_text_beyond_the_ceiling_is_not_looked_up(place: Any) -> None:
    """A look-up reads all of the text: what is too large is refused before that."""
    validator = place.validator()
    assert verdict(validator, "x" * 16_385) is Reason.TOKEN_TOO_LARGE
    assert counters(validator)["misses"] == 0
    assert verdict(validator, "x" * 16_384) is Reason.TOKEN_MALFORMED
    assert counters(validator)["misses"] == 1


# Counters, clearing and settings


def test_counters(place: Any) -> None:
    """P5: hits and misses are counted."""
    validator = place.validator(cache=keybound.CacheSettings(entries=4))
    zero = {"hits": 0, "misses": 0, "dropped": 0, "entries": 0, "bytes": 0}
    assert counters(validator) == zero
    tokens = [place.token() for _ in range(3)]
    validator.validate(tokens[0])
    one = counters(validator)
    assert one == zero | {"misses": 1, "entries": 1, "bytes": one["bytes"]}
    assert one["bytes"] > len(tokens[0])
    validator.validate(tokens[0])
    assert counters(validator) == one | {"hits": 1}
    validator.validate(tokens[1])
    validator.validate(tokens[2])
    assert counters(validator) == {
        "hits": 1,
        "misses": 3,
        "dropped": 0,
        "entries": 3,
        "bytes": counters(validator)["bytes"],
    }
    validator.clear_cache()
    assert counters(validator) == {"hits": 1, "misses": 3, "dropped": 3, "entries": 0, "bytes": 0}


def test_a_token_verified_twice_is_counted_once(place: Any) -> None:
    watch = Stopwatch()
    validator = place.validator(cache=keybound.CacheSettings(lifetime=1, monotonic=watch))
    raw = place.token()
    validator.validate(raw)
    size = counters(validator)["bytes"]
    for _ in range(5):
        watch.now += 1
        validator.validate(raw)
        assert (counters(validator)["entries"], counters(validator)["bytes"]) == (1, size)


def test_cleared_cache_verifies_anew(place: Any) -> None:
    validator = place.validator()
    raw = place.token()
    validator.validate(raw)
    validator.clear_cache()
    assert not is_hit(validator, raw)
    assert is_hit(validator, raw)


def test_no_cache(place: Any) -> None:
    validator = place.validator(cache=None)
    raw = place.token()
    for _ in range(2):
        validator.validate(raw)
    assert validator.stats()["cache"] == {}
    validator.clear_cache()
    place.clock.advance(400)
    assert verdict(validator, raw) is Reason.TOKEN_EXPIRED


def test_batch_shares_the_cache(place: Any) -> None:
    validator = place.validator()
    bound, unbound, expired = place.token(certificate=place.client), place.token(), place.token(lifetime=-60)
    raws = [bound, unbound, expired, bound, bound]
    certificates = [place.client.der, None, None, place.stranger.der, None]
    for _ in range(2):
        results = validator.validate_many(raws, certificates=certificates)
        assert [getattr(result, "reason", Reason.OK) for result in results] == [
            Reason.OK,
            Reason.OK,
            Reason.TOKEN_EXPIRED,
            Reason.CERTIFICATE_MISMATCH,
            Reason.CERTIFICATE_MISSING,
        ]
    assert counters(validator)["entries"] == 2
    assert is_hit(validator, bound, place.client.der)
    assert is_hit(validator, unbound)


@pytest.mark.parametrize("name", ["entries", "memory_bytes"])
@pytest.mark.parametrize("value", [1, 0, -1, True, 4096.0, "4096", None, math.nan, 2**40 + 1, 10**30])
def test_bound_that_is_none(name: str, value: Any) -> None:
    with pytest.raises(PolicyError, match=name):
        keybound.CacheSettings(**{name: value})


@pytest.mark.parametrize(
    "value",
    [0, 0.0, -1, math.nan, math.inf, -math.inf, 10**400, True, "60", None, datetime.timedelta(seconds=60)],
)
def test_lifetime_that_is_none(value: Any) -> None:
    with pytest.raises(PolicyError, match="lifetime"):
        keybound.CacheSettings(lifetime=value)


def test_clock_that_is_none() -> None:
    with pytest.raises(PolicyError, match="monotonic"):
        keybound.CacheSettings(monotonic=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("cache", [True, False, 4096, {"entries": 5}, keybound.CacheSettings])
def test_cache_that_is_none(world: Any, cache: Any) -> None:
    with pytest.raises(PolicyError, match="cache"):
        world.validator(cache=cache)


@pytest.mark.parametrize(
    "settings",
    [{"entries": 2}, {"memory_bytes": 2}, {"lifetime": 5e-324}, {"entries": 2**40, "memory_bytes": 2**40}],
)
def test_settings_at_their_limits_work(place: Any, settings: dict[str, Any]) -> None:
    validator = place.validator(cache=keybound.CacheSettings(**settings))
    raw = place.token()
    assert [verdict(validator, raw) for _ in range(3)] == [Reason.OK] * 3
    assert verdict(validator, raw[:-4]) is not Reason.OK
