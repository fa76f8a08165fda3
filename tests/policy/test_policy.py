"""What an operator may not ask for: unsafe, contradictory or impossible options."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

import pytest

import keybound
from keybound import profiles
from keybound._hotpath.contract import MARKERS, AudienceForm, Marker
from keybound.errors import Reason
from keybound.kinds import TokenKind
from keybound.testing import OMIT

ISSUER = "https://as.example.com/tenant"
HUGE = 10**400


@pytest.mark.parametrize(
    "options",
    [
        {"issuer": ""},
        {"issuer": None},
        {"issuer": b"https://as.example.com"},
        {"issuer": ["https://as.example.com"]},
        {"audience": ""},
        {"audience": ()},
        {"audience": []},
        {"audience": None},
        {"audience": [""]},
        {"audience": [None]},
        {"audience": b"rs"},
        {"audience": [b"rs"]},
        {"audience": 5},
        {"keys": None},
        {"keys": ""},
        {"keys": b""},
        {"keys": "secret"},
        {"keys": {"keys": []}},
        {"keys": []},
        {"keys": keybound.JWKSet},
        {"algorithms": None},
        {"algorithms": []},
        {"algorithms": "ES256"},
        {"algorithms": b"ES256"},
        {"algorithms": ["none"]},
        {"algorithms": ["ES256", "none"]},
        {"algorithms": ["es256"]},
        {"algorithms": [None]},
        {"algorithms": [["ES256"]]},
        {"algorithms": ["ES256", "HS256"]},
        {"algorithms": ["RS256", "PS256", "HS512"]},
        {"algorithms": 5},
        {"profile": None},
        {"profile": "rfc9068"},
        {"profile": {}},
        {"types": []},
        {"types": [""]},
        {"types": ["application/"]},
        {"types": [None]},
        {"types": 5},
        {"types": b"at+jwt"},
        {"leeway": -1},
        {"leeway": None},
        {"leeway": True},
        {"leeway": "10"},
        {"leeway": float("nan")},
        {"leeway": float("inf")},
        {"leeway": HUGE},
        {"leeway": 86_401},
        {"max_lifetime": 0},
        {"max_lifetime": -1},
        {"max_lifetime": True},
        {"max_lifetime": "300"},
        {"max_lifetime": float("nan")},
        {"max_lifetime": HUGE},
        {"max_age": 0},
        {"max_age": float("inf")},
        {"max_age": HUGE},
        {"required_claims": [""]},
        {"required_claims": [None]},
        {"required_claims": b"acr"},
        {"required_claims": 5},
        {"required_claims": None},
        {"forbidden_claims": [5]},
        {"forbidden_claims": 5},
        {"required_claims": ["acr"], "forbidden_claims": ["acr"]},
        {"forbidden_claims": ["exp"]},
        {"forbidden_claims": ["iss"]},
        {"forbidden_claims": ["aud"]},
        {"forbidden_claims": ["iat"], "max_age": 60},
        {"forbidden_claims": ["iat"], "max_lifetime": 60},
        {"forbidden_claims": ["exp"], "max_lifetime": 60, "allow_missing_exp": True},
        {"forbidden_claims": ["cnf"], "binding": "required"},
        {"forbidden_claims": ["sub"], "profile": profiles.RFC9068},
        {"forbidden_claims": ["scope", "scp"], "scopes": ["read"]},
        {"allow_missing_exp": True, "profile": profiles.RFC9068},
        {"allow_missing_exp": True, "required_claims": ["exp"]},
        {"allow_missing_exp": "false"},
        {"allow_missing_exp": 0},
        {"allow_missing_exp": None},
        {"scopes": [""]},
        {"scopes": [None]},
        {"scopes": 5},
        {"scopes": b"read"},
        {"scopes": ["read write"]},
        {"scopes": ['a"b']},
        {"scopes": ["a\\b"]},
        {"scopes": ["é"]},
        {"scopes": 'a"b'},
        {"binding": "off"},
        {"binding": ""},
        {"binding": False},
        {"binding": ["required"]},
        {"decryption": "key"},
        {"decryption": keybound.Decryption},
        {"limits": None},
        {"limits": {}},
        {"limits": 5},
        {"clock": None},
        {"clock": 5},
    ],
    ids=lambda options: ",".join(f"{name}={value!r:.30}" for name, value in options.items()),
)
def test_refused_when_the_validator_is_made(world: Any, options: dict[str, Any]) -> None:
    world.validator()
    with pytest.raises(keybound.PolicyError) as caught:
        world.validator(**options)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("missing", ["issuer", "audience", "keys"])
def test_mandatory_options(world: Any, missing: str) -> None:
    options = {"issuer": "i", "audience": "a", "keys": world.keys, "algorithms": ["ES256"]}
    keybound.AccessTokenValidator(**options)
    del options[missing]
    with pytest.raises(TypeError):
        keybound.AccessTokenValidator(**options)


def test_algorithms_are_mandatory_unless_the_profile_brings_them(world: Any, judge: Any) -> None:
    profile = dataclasses.replace(profiles.OAUTH, name="own", algorithms=("ES256",))
    judge.accepts(world.token(), profile=profile, algorithms=None)
    wider = profile.derive(name="wider", source="a test", algorithms=("ES256", "ES384"))
    judge.rejects(world.token(), Reason.ALG_NOT_ALLOWED, profile=wider, algorithms=["ES384"])


@pytest.mark.parametrize("given", [["ES384"], ["ES256", "ES384"], ["HS256"]])
def test_algorithms_are_within_those_of_the_profile(world: Any, judge: Any, given: list[str]) -> None:
    own = profiles.OAUTH.derive(name="own", source="a test", algorithms=("ES256", "PS256"))
    judge.accepts(world.token(), profile=own, algorithms=["ES256"])
    with pytest.raises(keybound.PolicyError, match="profile own does not allow"):
        world.validator(profile=own, algorithms=given)
    of_the_kind = own.derive(
        name="kind", source="a test", kinds={TokenKind.ACCESS_TOKEN: {"algorithms": ("ES256",)}}
    )
    with pytest.raises(keybound.PolicyError, match="profile kind does not allow"):
        world.validator(profile=of_the_kind, algorithms=["PS256"])


def test_profiles_set_what_the_operator_did_not(world: Any, judge: Any) -> None:
    demands = {"types": frozenset({"at+jwt"}), "typ_required": True, "required_claims": ("exp", "acr")}
    profile = profiles.OAUTH.derive(
        name="strict", source="a test", kinds={TokenKind.ACCESS_TOKEN: demands}, binding="required"
    )
    bound = world.token(certificate=world.client, acr="1")
    judge.accepts(bound, profile=profile, certificate=world.client.der)
    judge.rejects(world.token(acr="1"), Reason.CNF_MISSING, profile=profile)
    judge.rejects(bound, Reason.CERTIFICATE_MISSING, profile=profile, binding="required")
    for weaker in ("if-present", "ignore"):
        with pytest.raises(keybound.PolicyError, match="demands bound tokens"):
            world.validator(profile=profile, binding=weaker)


@pytest.mark.parametrize("bound", ["max_lifetime", "max_age"])
def test_no_token_is_kept_for_longer_than_it_can_be_good(world: Any, judge: Any, bound: str) -> None:
    world.validator(cache=keybound.CacheSettings(lifetime=300), **{bound: 300})
    with pytest.raises(keybound.PolicyError, match=bound):
        world.validator(cache=keybound.CacheSettings(lifetime=301), **{bound: 300})
    # Who says nothing about the cache has contradicted nothing.
    judge.accepts(world.token(lifetime=30), **{bound: 30})


def test_profiles_table() -> None:
    for name, profile in profiles.PROFILES.items():
        assert profile.name == name
        assert profile.source
        for kind in TokenKind:
            rules = profile.rules(kind)
            assert rules.types == {media_type.lower() for media_type in rules.types}
        assert profile.binding != "ignore"
        with pytest.raises(dataclasses.FrozenInstanceError):
            profile.binding = "ignore"  # type: ignore[misc]
    with pytest.raises(TypeError):
        profiles.PROFILES["own"] = profiles.OAUTH  # type: ignore[index]


def test_later_changes_of_the_operators_lists_have_no_effect(world: Any, judge: Any) -> None:
    """Options are read once; the caller's objects are neither kept nor changed."""
    options: dict[str, Any] = {
        "audience": ["https://rs.example.com/"],
        "algorithms": ["ES256"],
        "required_claims": ["acr"],
        "forbidden_claims": ["act"],
        "scopes": ["read"],
        "types": ["at+jwt"],
    }
    validator = world.validator(**options)
    before = {name: list(value) for name, value in options.items()}
    judge.rejects(world.token(), Reason.CLAIM_MISSING, claim="acr", validator=validator)
    assert options == before
    for value in options.values():
        value.clear()
    judge.accepts(world.token(acr="1"), validator=validator)
    judge.rejects(world.token(), Reason.CLAIM_MISSING, claim="acr", validator=validator)
    judge.rejects(world.token(acr="1", aud="x"), Reason.AUD_MISMATCH, validator=validator)


def test_options_may_be_any_iterable(world: Any, judge: Any) -> None:
    judge.accepts(
        world.token(acr="1"),
        audience=iter(["x", "https://rs.example.com/"]),
        algorithms=(name for name in ["ES256", "ES256"]),
        required_claims={"acr": 1},
        scopes={"read", "write"},
        types=("at+jwt",),
    )
    judge.accepts(world.token(acr="1"), required_claims="acr", forbidden_claims="act", scopes="read write")


class Site(str, enum.Enum):
    ISSUER = "https://as.example.com/tenant"
    AUDIENCE = "https://rs.example.com/"
    CLAIM = "acr"
    SCOPE = "read"


def test_text_of_an_enum_is_its_value(world: Any, judge: Any) -> None:
    options = {"issuer": Site.ISSUER, "audience": [Site.AUDIENCE], "scopes": [Site.SCOPE]}
    judge.accepts(world.token(acr=1), required_claims=[Site.CLAIM], **options)
    judge.rejects(
        world.token(acr=1), Reason.CLAIM_FORBIDDEN, claim="acr", forbidden_claims=[Site.CLAIM], **options
    )


def test_the_binding_is_looked_away_from_only_when_typed_out(world: Any) -> None:
    assert world.validator().policy.binding == "if-present"
    assert world.validator(binding=None).policy.binding == "if-present"
    assert world.validator(binding="ignore").policy.binding == "ignore"


def test_policy_is_frozen(world: Any) -> None:
    policy = world.validator().policy
    for field in dataclasses.fields(policy):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(policy, field.name, None)


@pytest.mark.parametrize("name", ["token_bytes", "header_bytes", "json_depth"])
@pytest.mark.parametrize("value", [0, -1, True, 1.5, "5", None, 2**31, HUGE])
def test_limits_refused(name: str, value: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        keybound.Limits(**{name: value})


def test_limits() -> None:
    assert keybound.Limits() == keybound.Limits(token_bytes=16_384, header_bytes=4_096, json_depth=32)
    assert keybound.Limits(json_depth=256).json_depth == 256
    with pytest.raises(keybound.PolicyError):
        keybound.Limits(json_depth=257)
    with pytest.raises(dataclasses.FrozenInstanceError):
        keybound.Limits().token_bytes = 5  # type: ignore[misc]


def test_a_profile_without_the_kind_makes_no_validator(world: Any) -> None:
    profile = dataclasses.replace(profiles.OAUTH, kinds={})
    with pytest.raises(keybound.PolicyError, match="access_token"):
        world.validator(profile=profile)


def test_options_tighten_what_a_profile_bounds(world: Any, judge: Any) -> None:
    kinds = {TokenKind.ACCESS_TOKEN: {"max_lifetime": 300.0}}
    profile = profiles.OAUTH.derive(name="short", source="a test", kinds=kinds)
    judge.rejects(world.token(lifetime=301), Reason.LIFETIME_TOO_LONG, profile=profile)
    judge.rejects(world.token(lifetime=301), Reason.LIFETIME_TOO_LONG, profile=profile, max_lifetime=600)
    judge.rejects(world.token(lifetime=101), Reason.LIFETIME_TOO_LONG, profile=profile, max_lifetime=100)
    judge.accepts(world.token(lifetime=100), profile=profile, max_lifetime=100)


@pytest.mark.parametrize("expected", [{"a": "b"}, {"a": "b", "c": "\u00e9\U0001f511"}])
def test_expected_claims(world: Any, judge: Any, expected: dict[str, str]) -> None:
    judge.accepts(world.token(**expected), expected_claims=expected)
    last = list(expected)[-1]
    for other in ("", "B", ["b"], 1, None, True, {"b": "b"}):
        token = world.token(**expected | {last: other})
        judge.rejects(token, Reason.CLAIM_MISMATCH, claim=last, expected_claims=expected)
    judge.rejects(world.token(), Reason.CLAIM_MISMATCH, claim="a", expected_claims=expected)


def test_how_aud_may_be_written(world: Any, judge: Any) -> None:
    """S002-01: under a policy that demands a string, an array is refused even with one member."""
    forms = {
        form: profiles.OAUTH.derive(
            name="form", source="a test", kinds={TokenKind.ACCESS_TOKEN: {"audience_form": form}}
        )
        for form in AudienceForm
    }
    audience = world.claims()["aud"]
    one, two = world.token(audience=[audience]), world.token(audience=[audience, "https://other.example"])
    judge.accepts(world.token(), profile=forms[AudienceForm.STRING])
    judge.rejects(one, Reason.AUD_ARRAY, profile=forms[AudienceForm.STRING])
    judge.rejects(world.token(audience=[]), Reason.AUD_ARRAY, profile=forms[AudienceForm.STRING])
    judge.accepts(world.token(), profile=forms[AudienceForm.SOLE])
    judge.accepts(one, profile=forms[AudienceForm.SOLE])
    judge.rejects(two, Reason.AUD_NOT_SOLE, profile=forms[AudienceForm.SOLE])
    judge.rejects(world.token(audience=[audience, 5]), Reason.AUD_INVALID, profile=forms[AudienceForm.SOLE])
    judge.accepts(two, profile=forms[AudienceForm.ANY])


MARKS = dict.fromkeys(MARKERS, "x") | {"sub": ISSUER}


@pytest.mark.parametrize("name", MARKS)
def test_marks_of_other_kinds(world: Any, judge: Any, name: str) -> None:
    """SX-01: an access token carries nothing that only other kinds carry."""
    claims = {name: MARKS[name]}
    if MARKERS.get(name) == Marker.RESPONSE:
        judge.accepts(world.token(**claims))
        claims["sub"] = OMIT
    for value in (MARKS[name], *(() if name == "sub" else (None, 5, [], {}))):
        judge.rejects(world.token(**claims | {name: value}), Reason.KIND_MISMATCH)


def test_an_escaped_subject_is_still_the_issuer(world: Any, judge: Any) -> None:
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in ISSUER)
    judge.rejects(world.with_text(f'"sub":"{escaped}"', instead_of="sub"), Reason.KIND_MISMATCH)
    judge.rejects(world.with_text(f'"s\\u0075b":"{escaped}"', instead_of="sub"), Reason.KIND_MISMATCH)
    judge.rejects(world.with_text('"\\u0068tm":1'), Reason.KIND_MISMATCH)
    judge.accepts(world.with_text(f'"sub":"{escaped}x"', instead_of="sub"))


def test_marks_that_an_issuer_is_known_for_can_be_tolerated(world: Any, judge: Any) -> None:
    kinds = {TokenKind.ACCESS_TOKEN: {"tolerated_markers": Marker.NONCE | Marker.HASH}}
    profile = profiles.OAUTH.derive(name="odd", source="a test", kinds=kinds)
    judge.accepts(world.token(nonce="n", at_hash="h"), profile=profile)
    judge.rejects(world.token(nonce="n", htm="GET"), Reason.KIND_MISMATCH, profile=profile)


ACCESS = TokenKind.ACCESS_TOKEN


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"source": None},
        {"algorithms": 5},
        {"algorithms": []},
        {"algorithms": ["none"]},
        {"binding": "off"},
        {"audience_policy": 5},
        {"mtls_endpoints": "everywhere"},
        {"client_authentication": 5},
        {"exp_may_be_waived": "no"},
        {"no_such_field": 1},
        {"kinds": 5},
        {"kinds": {"another_kind": {}}},
        {"kinds": {ACCESS: 5}},
        {"kinds": {ACCESS: {"no_such_field": 1}}},
        {"kinds": {ACCESS: {"types": ()}}},
        {"kinds": {ACCESS: {"types": 5}}},
        {"kinds": {ACCESS: {"typ_required": "no"}}},
        {"kinds": {ACCESS: {"required_claims": 5}}},
        {"kinds": {ACCESS: {"forbidden_claims": [1]}}},
        {"kinds": {ACCESS: {"expected_claims": ["ab"]}}},
        {"kinds": {ACCESS: {"algorithms": ["rs256"]}}},
        {"kinds": {ACCESS: {"max_lifetime": "600"}}},
        {"kinds": {ACCESS: {"audience_form": "sole"}}},
        {"kinds": {ACCESS: {"audience_claim": "azp"}}},
        {"kinds": {ACCESS: {"tolerated_markers": "nonce"}}},
    ],
    ids=str,
)
def test_no_profile_can_be_made_of_it(changes: dict[str, Any]) -> None:
    with pytest.raises(keybound.PolicyError):
        profiles.OAUTH.derive(**{"name": "own", "source": "a test"} | changes)


def test_kinds_of_a_profile_are_rules() -> None:
    with pytest.raises(keybound.PolicyError):
        dataclasses.replace(profiles.OAUTH, kinds={ACCESS: {"types": {"jwt"}}})


def test_one_text_is_a_list_of_one() -> None:
    """Not one of its letters, and no type that is a part of it."""
    change = {"types": "application/AT+JWT", "required_claims": "acr", "expected_claims": {"tid": "1"}}
    own = profiles.OAUTH.derive(name="own", source="a test", algorithms="ES256", kinds={ACCESS: change})
    rules = own.rules(ACCESS)
    assert own.algorithms == ("ES256",)
    assert (rules.types, rules.required_claims) == (frozenset({"at+jwt"}), ("acr",))
    assert rules.expected_claims == (("tid", "1"),)


def test_a_policy_for_audiences_that_nobody_knows() -> None:
    own = profiles.FAPI2.derive(name="own", source="a test", audience_policy="house")
    with pytest.raises(keybound.PolicyError, match="POLICIES"):
        keybound.ClientAssertionValidator(
            client_id="client-1",
            keys=keybound.JWKSet.from_secret("s" * 32, alg="HS256"),
            audience={"issuer": ISSUER, "token_endpoint": f"{ISSUER}/token"},
            profile=own,
            replay=None,
        )
