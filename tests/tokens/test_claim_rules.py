"""Every claim rule, accepted and rejected, at its boundaries (RFC 7519, 4.1; RFC 9068, 4; RFC 8725, 3)."""

from __future__ import annotations

import json
from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.testing import OMIT, FakeClock

ISSUER = "https://as.example.com/tenant"
AUDIENCE = "https://rs.example.com/"
MICROSECOND = 1e-6
YEAR_9999 = 253_402_300_799

# JSON texts of values that are no NumericDate.
NOT_A_DATE = [
    '"1750000000"',
    "true",
    "false",
    "null",
    "[]",
    "{}",
    "[1750000000]",
    '{"a":1}',
    '""',
    "-1",
    "-0.5",
    "-1e300",
    "253402300800",
    "253402300799.5",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1" + "0" * 300,
    "1e300",
]


def at(world: Any, seconds: float) -> FakeClock:
    return FakeClock(world.now + seconds)


# exp, nbf and iat


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", NOT_A_DATE)
def test_value_that_is_no_date(world: Any, judge: Any, claim: str, value: str) -> None:
    reason = {"exp": Reason.EXP_INVALID, "nbf": Reason.NBF_INVALID, "iat": Reason.IAT_INVALID}[claim]
    judge.rejects(world.with_text(f'"{claim}":{value}', instead_of=claim), reason)


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "+1", "01", ".5", "1.", "1e", "0x10", "1_0", "'1'"]
)
def test_value_that_is_no_json(world: Any, judge: Any, claim: str, value: str) -> None:
    judge.rejects(world.with_text(f'"{claim}":{value}', instead_of=claim), Reason.JSON_INVALID)


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", ["1e400", "-1e400", "1e308", "1" + "0" * 400, "1e99999999999999999999"])
def test_number_that_no_double_holds(world: Any, judge: Any, claim: str, value: str) -> None:
    judge.rejects(world.with_text(f'"{claim}":{value}', instead_of=claim), Reason.JSON_NUMBER_OUT_OF_RANGE)


@pytest.mark.parametrize("value", [YEAR_9999, 2_000_000_000, 2_000_000_000.5, 1.9e9])
def test_exp_that_is_a_date(world: Any, judge: Any, value: float) -> None:
    assert judge.accepts(world.token(exp=value)).expires_at == value


@pytest.mark.parametrize(
    "value", ["0", "-0", "0.0", "-0.0", "0e0", "1e-400", "1.75e9", "1750000000", "17500000000e-1"]
)
def test_nbf_and_iat_in_the_past(world: Any, judge: Any, value: str) -> None:
    judge.accepts(world.with_text(f'"iat":{value}', instead_of="iat"))
    judge.accepts(world.with_text(f'"nbf":{value}'))


@pytest.mark.parametrize(
    ("seconds", "accepted"),
    [(299, True), (300, True), (310 - MICROSECOND, True), (310, False), (310 + MICROSECOND, False)],
)
def test_exp_ends_with_its_leeway(world: Any, judge: Any, seconds: float, accepted: bool) -> None:
    raw, clock = world.token(exp=world.now + 300), at(world, seconds)
    if accepted:
        judge.accepts(raw, clock=clock)
    else:
        judge.rejects(raw, Reason.TOKEN_EXPIRED, clock=clock)


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize(
    ("ahead", "accepted"), [(9, True), (10, True), (10 + MICROSECOND, False), (11, False)]
)
def test_nbf_and_iat_begin_with_their_leeway(
    world: Any, judge: Any, claim: str, ahead: float, accepted: bool
) -> None:
    raw = world.token(**{claim: world.now + ahead})
    if accepted:
        judge.accepts(raw)
    else:
        reason = Reason.TOKEN_NOT_YET_VALID if claim == "nbf" else Reason.IAT_IN_FUTURE
        judge.rejects(raw, reason)


def test_no_leeway_means_none(world: Any, judge: Any) -> None:
    raw, claims = world.token(exp=world.now + 1), {"leeway": 0}
    judge.accepts(raw, clock=at(world, 1 - MICROSECOND), **claims)
    judge.rejects(raw, Reason.TOKEN_EXPIRED, clock=at(world, 1), **claims)
    judge.accepts(world.token(nbf=world.now, iat=world.now), **claims)
    judge.rejects(world.token(nbf=world.now + MICROSECOND), Reason.TOKEN_NOT_YET_VALID, **claims)
    judge.rejects(world.token(iat=world.now + MICROSECOND), Reason.IAT_IN_FUTURE, **claims)


def test_fractional_dates_and_leeway(world: Any, judge: Any) -> None:
    raw = world.token(exp=world.now + 0.5)
    judge.accepts(raw, leeway=0.25, clock=at(world, 0.5))
    judge.rejects(raw, Reason.TOKEN_EXPIRED, leeway=0.25, clock=at(world, 0.75))


def test_exp_is_demanded_unless_the_operator_says_otherwise(world: Any, judge: Any) -> None:
    raw = world.token(exp=OMIT)
    judge.rejects(raw, Reason.EXP_MISSING)
    assert judge.accepts(raw, allow_missing_exp=True).expires_at is None
    # One that is there counts all the same.
    judge.rejects(world.token(lifetime=-60), Reason.TOKEN_EXPIRED, allow_missing_exp=True)
    judge.rejects(world.token(exp=None), Reason.EXP_INVALID, allow_missing_exp=True)


@pytest.mark.parametrize("moment", [float("nan"), float("inf")])
def test_a_clock_that_lies_never_revives_a_token(world: Any, judge: Any, moment: float) -> None:
    judge.rejects(world.token(), Reason.TOKEN_EXPIRED, clock=lambda: moment)


def test_max_lifetime(world: Any, judge: Any) -> None:
    judge.accepts(world.token(lifetime=300), max_lifetime=300)
    judge.accepts(world.token(exp=world.now + 299.5), max_lifetime=299.5)
    judge.rejects(world.token(lifetime=301), Reason.LIFETIME_TOO_LONG, max_lifetime=300)
    judge.rejects(world.token(exp=world.now + 300 + MICROSECOND), Reason.LIFETIME_TOO_LONG, max_lifetime=300)
    # A lifetime that cannot be computed is not within its bound.
    judge.rejects(world.token(iat=OMIT), Reason.IAT_MISSING, max_lifetime=300)
    judge.rejects(world.token(exp=OMIT), Reason.EXP_MISSING, max_lifetime=300, allow_missing_exp=True)
    judge.rejects(world.token(exp=YEAR_9999), Reason.LIFETIME_TOO_LONG, max_lifetime=300)
    judge.rejects(world.token(iat=0), Reason.LIFETIME_TOO_LONG, max_lifetime=300)


def test_max_age(world: Any, judge: Any) -> None:
    def issued(seconds_ago: float) -> str:
        return str(world.token(iat=world.now - seconds_ago, exp=world.now + 300))

    judge.accepts(issued(60), max_age=60)
    judge.accepts(issued(70), max_age=60)
    judge.rejects(issued(70 + MICROSECOND), Reason.TOKEN_TOO_OLD, max_age=60)
    judge.rejects(issued(61), Reason.TOKEN_TOO_OLD, max_age=60, leeway=0)
    judge.rejects(world.token(iat=OMIT), Reason.IAT_MISSING, max_age=60)
    judge.rejects(issued(-11), Reason.IAT_IN_FUTURE, max_age=60)


def bounded(**rules: float) -> keybound.policy.Profile:
    """A profile with these bounds for access tokens."""
    return keybound.profiles.OAUTH.derive(
        name="bounded", source="a test", kinds={keybound.TokenKind.ACCESS_TOKEN: rules}
    )


def test_how_far_ahead_a_token_may_expire(world: Any, judge: Any) -> None:
    def expiring(seconds: float, **claims: Any) -> str:
        return str(world.token(**{"iat": OMIT, "exp": world.now + seconds} | claims))

    near = {"profile": bounded(max_expiry_distance=300)}
    judge.accepts(expiring(300), **near)
    judge.accepts(expiring(310), **near)
    judge.rejects(expiring(310 + MICROSECOND), Reason.LIFETIME_TOO_LONG, **near)
    judge.rejects(expiring(301), Reason.LIFETIME_TOO_LONG, **near, leeway=0)
    judge.rejects(expiring(YEAR_9999 - world.now), Reason.LIFETIME_TOO_LONG, **near)
    judge.rejects(world.token(exp=OMIT), Reason.EXP_MISSING, **near, allow_missing_exp=True)
    # Where the issuer says when it began, it counts from there as well.
    judge.accepts(expiring(250, iat=world.now - 50), **near)
    judge.rejects(expiring(250, iat=world.now - 50 - MICROSECOND), Reason.LIFETIME_TOO_LONG, **near)
    judge.rejects(expiring(305, iat=world.now), Reason.LIFETIME_TOO_LONG, **near)


def test_how_long_ago_a_token_may_have_begun(world: Any, judge: Any) -> None:
    def begun(seconds_ago: float) -> str:
        return str(world.token(nbf=world.now - seconds_ago))

    fresh = {"profile": bounded(max_nbf_age=60)}
    judge.accepts(begun(0), **fresh)
    judge.accepts(begun(70), **fresh)
    judge.rejects(begun(70 + MICROSECOND), Reason.TOKEN_TOO_OLD, **fresh)
    judge.rejects(begun(61), Reason.TOKEN_TOO_OLD, **fresh, leeway=0)
    judge.rejects(begun(-11), Reason.TOKEN_NOT_YET_VALID, **fresh)
    judge.rejects(world.token(), Reason.NBF_MISSING, **fresh)
    judge.rejects(world.token(nbf=None), Reason.NBF_INVALID, **fresh)
    # Both ages count where both are bounded.
    both = {"profile": bounded(max_nbf_age=60), "max_age": 30}
    judge.accepts(world.token(nbf=world.now - 60, iat=world.now - 30), **both)
    judge.rejects(world.token(nbf=world.now - 60, iat=world.now - 41), Reason.TOKEN_TOO_OLD, **both)
    judge.rejects(world.token(nbf=world.now - 71, iat=world.now - 30), Reason.TOKEN_TOO_OLD, **both)


# iss


@pytest.mark.parametrize(
    "issuer",
    [
        "https",
        "",
        ISSUER + "/",
        ISSUER.upper(),
        " " + ISSUER,
        ISSUER + "\x00",
        ISSUER[:-1],
        ISSUER + ISSUER,
        "http://as.example.com/tenant",
        "https://as.example.com:443/tenant",
        "https://\u0430s.example.com/tenant",
    ],
)
def test_another_issuer(world: Any, judge: Any, issuer: str) -> None:
    judge.rejects(world.token(iss=issuer), Reason.ISS_MISMATCH)


@pytest.mark.parametrize("issuer", [None, 5, True, [], [ISSUER], {}, {"iss": ISSUER}])
def test_issuer_of_another_type(world: Any, judge: Any, issuer: Any) -> None:
    judge.rejects(world.token(iss=issuer), Reason.ISS_INVALID)


@pytest.mark.parametrize(
    "text",
    [
        '"iss":"https:\\/\\/as.example.com\\/tenant"',
        '"\\u0069ss":"https://as.example.com/tenant"',
        '"iss":"\\u0068ttps://as.example.com/tenant"',
        '"\\u0069\\u0073\\u0073" : "\\u0068ttps:\\/\\/as.example.com\\u002Ftenant"',
    ],
)
def test_issuer_in_another_json_spelling(world: Any, judge: Any, text: str) -> None:
    assert judge.accepts(world.with_text(text, instead_of="iss")).issuer == ISSUER


@pytest.mark.parametrize(
    "issuer", ["https://as.example.com/ä", "urn:x:\U0001f511", "a\0b", 'a"b\\c/d', "\x7f"]
)
def test_issuer_beyond_ascii(world: Any, judge: Any, issuer: str) -> None:
    for text in (json.dumps(issuer), json.dumps(issuer, ensure_ascii=False)):
        judge.accepts(world.with_text(f'"iss":{text}', instead_of="iss"), issuer=issuer)
    judge.rejects(world.token(iss=issuer + "x"), Reason.ISS_MISMATCH, issuer=issuer)


def test_unicode_forms_are_not_mixed_up(world: Any, judge: Any) -> None:
    composed, decomposed = "https://as.example.com/\u00e9", "https://as.example.com/e\u0301"
    judge.accepts(world.token(iss=composed), issuer=composed)
    judge.rejects(world.token(iss=decomposed), Reason.ISS_MISMATCH, issuer=composed)


# aud


@pytest.mark.parametrize(
    "audience",
    [
        AUDIENCE,
        [AUDIENCE],
        [AUDIENCE, "x"],
        ["x", AUDIENCE],
        ["x"] * 50 + [AUDIENCE],
        [AUDIENCE, AUDIENCE],
        ["", AUDIENCE],
    ],
)
def test_audience(world: Any, judge: Any, audience: Any) -> None:
    expected = (audience,) if isinstance(audience, str) else tuple(audience)
    assert judge.accepts(world.token(aud=audience)).audience == expected


@pytest.mark.parametrize(
    "audience",
    [
        "",
        AUDIENCE[:-1],
        AUDIENCE + "x",
        AUDIENCE.upper(),
        [AUDIENCE[:-1]],
        ["x", "y"],
        [""],
        "https://rs.example.com:443/",
        f" {AUDIENCE}",
        f"{AUDIENCE} x",
        f"x,{AUDIENCE}",
        json.dumps([AUDIENCE]),
    ],
)
def test_another_audience(world: Any, judge: Any, audience: Any) -> None:
    judge.rejects(world.token(aud=audience), Reason.AUD_MISMATCH)


@pytest.mark.parametrize(
    "audience",
    [
        None,
        [],
        {},
        True,
        5,
        1.5,
        [AUDIENCE, 5],
        [5, AUDIENCE],
        [[AUDIENCE]],
        [AUDIENCE, None],
        {"aud": AUDIENCE},
        [{}],
    ],
)
def test_malformed_audience(world: Any, judge: Any, audience: Any) -> None:
    judge.rejects(world.token(aud=audience), Reason.AUD_INVALID)


@pytest.mark.parametrize(
    "text", ['"\\u0061ud":"https:\\/\\/rs.example.com\\/"', '"aud":["x","https://rs.example.com\\u002f"]']
)
def test_audience_in_another_json_spelling(world: Any, judge: Any, text: str) -> None:
    judge.accepts(world.with_text(text, instead_of="aud"))


def test_one_of_several_own_audiences_suffices(world: Any, judge: Any) -> None:
    own = {"audience": [AUDIENCE, "urn:rs"]}
    judge.accepts(world.token(), **own)
    judge.accepts(world.token(aud="urn:rs"), **own)
    judge.accepts(world.token(aud=["x", "urn:rs"]), **own)
    judge.rejects(world.token(aud="urn"), Reason.AUD_MISMATCH, **own)


# sub, client_id, jti


@pytest.mark.parametrize(
    ("claim", "invalid", "missing"),
    [
        ("sub", Reason.SUB_INVALID, Reason.SUB_MISSING),
        ("client_id", Reason.CLIENT_ID_INVALID, Reason.CLIENT_ID_MISSING),
        ("jti", Reason.JTI_INVALID, Reason.JTI_MISSING),
    ],
)
def test_text_claims(world: Any, judge: Any, claim: str, invalid: Reason, missing: Reason) -> None:
    for value in (None, "", 5, 1.5, True, False, [], ["x"], {}, {"x": "y"}):
        judge.rejects(world.token(**{claim: value}), invalid)
    for value in ("x", " ", "\0", "ä", "x" * 1000):
        assert judge.accepts(world.token(**{claim: value}), required_claims=[claim]).claims[claim] == value
    judge.accepts(world.token(**{claim: OMIT}))
    judge.rejects(world.token(**{claim: OMIT}), missing, required_claims=[claim])


def test_typed_attributes(world: Any, judge: Any) -> None:
    token = judge.accepts(world.token(subject="s", client_id="c", scope="b a"))
    assert (token.issuer, token.subject, token.client_id, token.audience) == (ISSUER, "s", "c", (AUDIENCE,))
    assert token.scopes == {"a", "b"}
    assert token.confirmation is None
    assert token.expires_at == world.now + 300
    bare = judge.accepts(world.token(subject=OMIT, client_id=OMIT, scope=OMIT))
    assert (bare.subject, bare.client_id, bare.scopes) == (None, None, frozenset())


# scope and scp


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": ""}, set()),
        ({"scope": "read"}, {"read"}),
        ({"scope": "read write"}, {"read", "write"}),
        ({"scope": " read  read "}, {"read"}),
        ({"scope": OMIT, "scp": "read write"}, {"read", "write"}),
        ({"scope": OMIT, "scp": ["read", "write"]}, {"read", "write"}),
        ({"scope": OMIT, "scp": []}, set()),
        ({"scope": OMIT, "scp": [""]}, set()),
        ({"scope": "read", "scp": ["write"]}, {"read", "write"}),
        ({"scope": "read", "scp": "write"}, {"read", "write"}),
    ],
)
def test_scopes(world: Any, judge: Any, claims: dict[str, Any], scopes: set[str]) -> None:
    raw = world.token(**claims)
    assert judge.accepts(raw).scopes == scopes
    judge.accepts(raw, scopes=sorted(scopes))
    judge.rejects(raw, Reason.SCOPE_INSUFFICIENT, scopes=[*sorted(scopes), "admin"])


@pytest.mark.parametrize("value", [None, 5, True, {}, {"read": 1}, [5], ["read", None], [["read"]], [{}]])
def test_malformed_scope(world: Any, judge: Any, value: Any) -> None:
    judge.rejects(world.token(scp=value), Reason.SCOPE_INVALID)
    judge.rejects(world.token(scope=OMIT, scp=value), Reason.SCOPE_INVALID)
    judge.rejects(world.token(scope=value), Reason.SCOPE_INVALID)
    judge.rejects(world.token(scope=["read"]), Reason.SCOPE_INVALID)


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": "readwrite"},
        {"scope": "READ"},
        {"scope": "read,write"},
        {"scope": "\tread"},
        {"scope": "rea"},
        {"scope": "xread"},
        {"scope": "read\u00a0"},
        {"scope": OMIT, "scp": ["read write"]},
        {"scope": OMIT, "scp": ["READ"]},
    ],
)
def test_scope_tokens_are_compared_whole(world: Any, judge: Any, claims: dict[str, Any]) -> None:
    judge.rejects(world.token(**claims), Reason.SCOPE_INSUFFICIENT, scopes="read")


def test_scope_in_another_json_spelling(world: Any, judge: Any) -> None:
    raw = world.with_text('"sco\\u0070e":"\\u0072ead\\u0020write"')
    assert judge.accepts(raw, scopes="read write").scopes == {"read", "write"}
    raw = world.with_text('"\\u0073cp":["\\u0072ead"]')
    assert judge.accepts(raw, scopes="read").scopes == {"read"}


def test_a_missing_scope_is_the_last_thing_said(world: Any, judge: Any) -> None:
    demand = {"scopes": ["admin"]}
    judge.rejects(world.token(certificate=world.client), Reason.CERTIFICATE_MISSING, **demand)
    judge.rejects(world.token(lifetime=-60), Reason.TOKEN_EXPIRED, **demand)
    judge.rejects(
        world.token(certificate=world.client),
        Reason.SCOPE_INSUFFICIENT,
        certificate=world.client.der,
        **demand,
    )


# the operator's own claims


def test_required_claims(world: Any, judge: Any) -> None:
    demand = {"required_claims": ["acr", "https://example.com/x", "ä"]}
    good = {"acr": "1", "https://example.com/x": False, "ä": 0}
    judge.accepts(world.token(**good), **demand)
    for name in good:
        judge.rejects(world.token(**good | {name: OMIT}), Reason.CLAIM_MISSING, claim=name, **demand)
        judge.rejects(world.token(**good | {name: None}), Reason.CLAIM_MISSING, claim=name, **demand)
    judge.rejects(world.token(nested=good), Reason.CLAIM_MISSING, claim="acr", **demand)
    judge.rejects(world.token(), Reason.CLAIM_MISSING, claim="cnf", required_claims=["cnf"])


def test_forbidden_claims(world: Any, judge: Any) -> None:
    demand = {"forbidden_claims": ["act", "may_act"]}
    judge.accepts(world.token(nested={"act": 1}, Act=1), **demand)
    for name in ("act", "may_act"):
        for value in ({}, None, False, ""):
            judge.rejects(world.token(**{name: value}), Reason.CLAIM_FORBIDDEN, claim=name, **demand)
    judge.rejects(world.with_text('"\\u0061ct":1'), Reason.CLAIM_FORBIDDEN, claim="act", **demand)
    judge.rejects(
        world.token(certificate=world.client), Reason.CLAIM_FORBIDDEN, claim="cnf", forbidden_claims=["cnf"]
    )


def test_claims_inside_other_claims_do_not_count(world: Any, judge: Any) -> None:
    inner = {
        "iss": "x",
        "aud": "x",
        "exp": 0,
        "nbf": 9e9,
        "iat": "x",
        "sub": 5,
        "scope": 5,
        "cnf": {"jkt": "x"},
    }
    judge.accepts(world.token(act=inner, list=[inner]))
    raw = world.forge(payload={"claims": world.claims()})
    judge.rejects(raw, Reason.ISS_MISSING)


def test_names_are_compared_exactly(world: Any, judge: Any) -> None:
    for name in ("Exp", "exp ", "exp\0", "\u0435\u0445\u0440", "ex", "expp"):
        judge.rejects(world.token(exp=OMIT, **{name: world.now + 300}), Reason.EXP_MISSING)
    judge.accepts(world.token(**{"Exp": 0, "exp\0": "x", "CNF": 5, "": 1, "cnf ": {}}))


# RFC 9068


def test_rfc_9068_profile(world: Any, judge: Any) -> None:
    demand = {"profile": keybound.profiles.RFC9068}
    judge.accepts(world.token(), **demand)
    judge.rejects(world.token(header={"typ": OMIT}), Reason.TYP_MISSING, **demand)
    judge.rejects(world.token(header={"typ": "JWT"}), Reason.TYP_NOT_ALLOWED, **demand)
    for claim, reason in (
        ("iss", Reason.ISS_MISSING),
        ("exp", Reason.EXP_MISSING),
        ("aud", Reason.AUD_MISSING),
        ("sub", Reason.SUB_MISSING),
        ("client_id", Reason.CLIENT_ID_MISSING),
        ("iat", Reason.IAT_MISSING),
        ("jti", Reason.JTI_MISSING),
    ):
        judge.rejects(world.token(**{claim: OMIT}), reason, **demand)
        judge.accepts(world.token(), required_claims=[claim])


# JSON that is not what it seems


@pytest.mark.parametrize(
    "text",
    [
        '"sub":"admin","sub":"user"',
        '"\\u0073ub":"admin","sub":"user"',
        '"s\\u0075b":"admin","\\u0073ub":"user"',
        '"exp":99999999999,"exp":1',
        '"x":{"a":1,"a":1}',
        '"x":[{"a":{"b":1,"\\u0062":2}}]',
        '"":1,"":2',
        '"\\ud83d\\udd11":1,"\U0001f511":2',
    ],
)
def test_repeated_names(world: Any, judge: Any, text: str) -> None:
    judge.rejects(world.with_text(text, instead_of="sub"), Reason.JSON_DUPLICATE_MEMBER)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b" ",
        b"{",
        b"{}}",
        b"{}{}",
        b"{},",
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a"}',
        b"\xef\xbb\xbf{}",
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\udc00\\ud800"}',
        b'{"a":"\n"}',
        b"{}\x00",
        b"{/**/}",
        b"nul",
        "{}".encode("utf-16"),
        b'{"a":"\\x41"}',
        b'{"a":tru}',
    ],
)
def test_payload_that_is_no_json(world: Any, judge: Any, payload: bytes) -> None:
    judge.rejects(world.forge(payload=payload), Reason.JSON_INVALID)


@pytest.mark.parametrize("payload", [b"[]", b"null", b"true", b'"x"', b"1", b"[{}]", b' "exp" '])
def test_payload_that_is_no_object(world: Any, judge: Any, payload: bytes) -> None:
    judge.rejects(world.forge(payload=payload), Reason.PAYLOAD_NOT_OBJECT)


def test_white_space_is_json(world: Any, judge: Any) -> None:
    text = json.dumps(world.claims(), indent=2).replace('":', '"\t:\r\n').encode()
    judge.accepts(world.forge(payload=b"\r\n\t " + text + b" \n"))


def test_depth(world: Any, judge: Any) -> None:
    def nested(levels: int) -> str:
        return str(world.with_text('"x":' + "[" * levels + "]" * levels))

    judge.accepts(nested(31))
    judge.rejects(nested(32), Reason.JSON_TOO_DEEP)
    judge.rejects(nested(5_000), Reason.JSON_TOO_DEEP)
    limits = keybound.Limits(json_depth=2)
    judge.accepts(nested(1), limits=limits)
    judge.rejects(nested(2), Reason.JSON_TOO_DEEP, limits=limits)


def test_very_many_claims(world: Any, judge: Any) -> None:
    limits = keybound.Limits(token_bytes=200_000)
    many = {f"claim-{number}": number for number in range(5_000)}
    token = judge.accepts(world.forge(payload=many | world.claims()), limits=limits)
    assert token.claims["claim-4999"] == 4999
    judge.rejects(
        world.forge(payload=world.claims() | many | {"cnf": {"jwk": "x"}}),
        Reason.CNF_UNSUPPORTED,
        limits=limits,
    )


def test_order_of_members_does_not_matter(world: Any, judge: Any) -> None:
    claims = world.claims(cnf={"x5t#S256": world.client.thumbprint}, x=1)
    for first in list(claims):
        claims[first] = claims.pop(first)
        judge.accepts(world.forge(payload=claims), certificate=world.client.der)
