"""Introspection answers, plain (RFC 7662) and signed (RFC 9701): every rule, on both twins."""

from __future__ import annotations

import asyncio
import base64
import collections
import hashlib
import json
from types import ModuleType
from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.testing import (
    OMIT,
    CertificateAuthority,
    EncryptionKey,
    FakeClock,
    FakeIssuer,
    SigningKey,
    dpop_proof,
    encrypt_jwe,
    make_token,
)

ISSUER = "https://as.example.com/tenant"
AUDIENCE = "https://rs.example.com/"
CLOCK = FakeClock()
SERVER = FakeIssuer(ISSUER, alg="ES256", clock=CLOCK)
AUTHORITY = CertificateAuthority()
CLIENT, STRANGER = AUTHORITY.issue_client("client-1"), AUTHORITY.issue_client("client-2")
KEY, OTHER_KEY = SigningKey.generate("ES256"), SigningKey.generate("ES256")
NOTHING = base64.urlsafe_b64encode(hashlib.sha256(b"").digest()).decode().rstrip("=")


def answer(**members: Any) -> dict[str, Any]:
    return SERVER.introspection_response(**{"audience": AUDIENCE} | members)


def plain(**members: Any) -> str:
    return json.dumps(answer(**members))


def signed(response: Any = None, **claims: Any) -> str:
    return SERVER.introspection_jwt(
        answer() if response is None else response, **{"audience": AUDIENCE} | claims
    )


def make(package: ModuleType, **options: Any) -> Any:
    usual = {"issuer": ISSUER, "audience": AUDIENCE, "clock": CLOCK}
    return package.IntrospectionResponseValidator(**usual | options)


def make_signed(package: ModuleType, **options: Any) -> Any:
    usual = {"keys": package.JWKSet.from_json(SERVER.jwks()), "algorithms": ["ES256"]}
    return make(package, **usual | options)


def make_access(package: ModuleType, **options: Any) -> Any:
    usual = {"issuer": ISSUER, "audience": AUDIENCE, "clock": CLOCK, "algorithms": ["ES256"]}
    keys = package.JWKSet.from_json(SERVER.jwks())
    return package.AccessTokenValidator(**usual | {"keys": keys} | options)


@pytest.fixture(scope="module")
def judge(judge_of: Any) -> Any:
    return judge_of(make)


@pytest.fixture(scope="module")
def judge_signed(judge_of: Any) -> Any:
    return judge_of(make_signed)


@pytest.fixture(scope="module")
def judge_access(judge_of: Any) -> Any:
    return judge_of(make_access)


def test_what_a_good_answer_says(judge: Any, judge_signed: Any) -> None:
    members = answer(username="jdoe", extension_field="twenty-seven", certificate=CLIENT)
    for raw, asked in ((json.dumps(members), judge), (signed(members), judge_signed)):
        good = asked.accepts(raw, certificate=CLIENT.der)
        assert (good.issuer, good.subject, good.client_id) == (ISSUER, "user-1", "client-1")
        assert (good.audience, good.scopes) == ((AUDIENCE,), {"read", "write"})
        assert (good.username, good.token_type) == ("jdoe", "Bearer")
        assert good.expires_at == good.issued_at + 300
        assert good.confirmation == {"x5t#S256": CLIENT.thumbprint}
        assert (good.claims, good.claim("extension_field")) == (members, "twenty-seven")
        assert good.header == {}
        assert repr(good) == "<keybound.IntrospectionResponse bound>"
    assert repr(judge.accepts(plain())) == "<keybound.IntrospectionResponse bearer>"


def test_forms_of_a_plain_answer(judge: Any) -> None:
    members = answer()
    text = json.dumps(members)
    for raw in (
        text,
        text.encode(),
        members,
        collections.OrderedDict(members),
        collections.ChainMap(members),
    ):
        assert judge.accepts(raw).claims == members


def test_nothing_but_active_is_asked_for(judge: Any, judge_signed: Any) -> None:
    """RFC 7662, 2.2: every other member is OPTIONAL."""
    bare = judge.accepts('{"active":true}')
    assert bare.issuer is bare.subject is bare.client_id is bare.expires_at is bare.issued_at is None
    assert bare.username is bare.token_type is bare.confirmation is bare.identifier is None
    assert (bare.audience, bare.scopes) == ((), frozenset())
    judge_signed.accepts(signed({"active": True}))
    for profile in ("OAUTH", "RFC9068"):
        options = {"profile": getattr(keybound.profiles, profile)}
        assert make(keybound, **options).validate('{"active":true}')


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ("iss", Reason.ISS_MISSING),
        ("aud", Reason.AUD_MISSING),
        ("exp", Reason.EXP_MISSING),
        ("iat", Reason.IAT_MISSING),
        ("nbf", Reason.NBF_MISSING),
        ("sub", Reason.SUB_MISSING),
        ("client_id", Reason.CLIENT_ID_MISSING),
        ("jti", Reason.JTI_MISSING),
        ("username", Reason.CLAIM_MISSING),
    ],
)
def test_unless_the_policy_asks(judge: Any, judge_signed: Any, claim: str, reason: Reason) -> None:
    asking = {"required_claims": [claim]}
    named = claim if reason is Reason.CLAIM_MISSING else None
    whole = answer(username="jdoe", nbf=0)
    judge.accepts(whole, options=asking)
    without = {name: value for name, value in whole.items() if name != claim}
    judge.accepts(without)
    judge.rejects(without, reason, claim=named, options=asking)
    judge_signed.rejects(signed(without), reason, claim=named, options=asking)


@pytest.mark.parametrize(
    "active", [False, OMIT, None, "true", "True", 1, 1.0, 0, [], [True], {}, {"active": True}]
)
def test_what_is_not_active(judge: Any, judge_signed: Any, active: Any) -> None:
    """The JSON true and nothing else (RFC 7662, 2.2)."""
    for raw, asked in ((plain(active=active), judge), (signed(answer(active=active)), judge_signed)):
        error = asked.rejects(raw, Reason.TOKEN_INACTIVE)
        assert (error.status, error.error) == (401, "invalid_token")
        # Of what is not active nothing else counts.
        asked.rejects(raw, Reason.TOKEN_INACTIVE, options={"binding": "required", "scopes": ["admin"]})
    judge.rejects('{"active":false}', Reason.TOKEN_INACTIVE)
    judge.rejects('{"error":"invalid_client"}', Reason.TOKEN_INACTIVE)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, Reason.TOKEN_MISSING),
        ("", Reason.TOKEN_MISSING),
        (b"", Reason.TOKEN_MISSING),
        (5, Reason.TOKEN_NOT_TEXT),
        (["active"], Reason.TOKEN_NOT_TEXT),
        (bytearray(b'{"active":true}'), Reason.TOKEN_NOT_TEXT),
        ("true", Reason.PAYLOAD_NOT_OBJECT),
        ("[]", Reason.PAYLOAD_NOT_OBJECT),
        ("{", Reason.JSON_INVALID),
        ("<html>", Reason.JSON_INVALID),
        ("a.b.c", Reason.JSON_INVALID),
        ("\ud800", Reason.JSON_INVALID),
        (b"\xff", Reason.JSON_INVALID),
        (b'\xef\xbb\xbf{"active":true}', Reason.JSON_INVALID),
        ('{"active":true,"exp":NaN}', Reason.JSON_INVALID),
        ('{"active":false,"active":true}', Reason.JSON_DUPLICATE_MEMBER),
        ('{"active":true,"cnf":{"x5t#S256":"a","x5t#S256":"b"}}', Reason.JSON_DUPLICATE_MEMBER),
        ('{"active":true,"exp":1e400}', Reason.JSON_NUMBER_OUT_OF_RANGE),
        ('{"active":true,"x":' + "[" * 32 + "]" * 32 + "}", Reason.JSON_TOO_DEEP),
        ('{"active":true,"x":"' + "x" * 16_400 + '"}', Reason.TOKEN_TOO_LARGE),
        ({"active": True, "x": "x" * 16_400}, Reason.TOKEN_TOO_LARGE),
        ({"active": True, "x": object()}, Reason.JSON_INVALID),
        ({"active": True, "x": {1}}, Reason.JSON_INVALID),
        ({"active": True, "x": "\ud800"}, Reason.JSON_INVALID),
        ({"active": True, "x": 10**400}, Reason.JSON_INVALID),
        ({"active": True, 5: 5}, Reason.JSON_INVALID),
        ({}, Reason.TOKEN_INACTIVE),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_answer(judge: Any, raw: Any, reason: Reason) -> None:
    judge.rejects(raw, reason)


def test_what_contains_itself(judge: Any) -> None:
    endless: dict[str, Any] = {"active": True}
    endless["x"] = endless
    judge.rejects(endless, Reason.JSON_INVALID)
    deep: Any = {}
    for _ in range(40):
        deep = {"x": deep}
    judge.rejects({"active": True, "x": deep}, Reason.JSON_TOO_DEEP)


# One code path, two sources, same verdicts

NOW = int(CLOCK())
CASES: list[tuple[dict[str, Any], dict[str, Any], Any]] = [
    ({}, {}, None),
    ({"iss": OMIT}, {}, None),
    ({"iss": None}, {}, None),
    ({"iss": [ISSUER]}, {}, None),
    ({"iss": ISSUER + "/"}, {}, None),
    ({"aud": OMIT}, {}, None),
    ({"aud": None}, {}, None),
    ({"aud": []}, {}, None),
    ({"aud": [5]}, {}, None),
    ({"aud": "https://other.example.com/"}, {}, None),
    ({"aud": ["x", AUDIENCE]}, {}, None),
    ({"exp": OMIT}, {}, None),
    *(
        ({name: value}, {}, None)
        for name in ("exp", "nbf", "iat")
        for value in (None, "1", True, -1, [], 1e300)
    ),
    ({"exp": NOW - 10}, {}, None),
    ({"exp": NOW - 9}, {}, None),
    ({"exp": NOW + 0.5}, {"leeway": 0}, None),
    ({"exp": NOW}, {"leeway": 0}, None),
    ({"nbf": NOW + 10}, {}, None),
    ({"nbf": NOW + 11}, {}, None),
    ({"iat": NOW + 10}, {}, None),
    ({"iat": NOW + 11}, {}, None),
    ({"iat": OMIT}, {"max_age": 60}, None),
    ({"iat": NOW - 70}, {"max_age": 60}, None),
    ({"iat": NOW - 71}, {"max_age": 60}, None),
    ({}, {"max_lifetime": 300}, None),
    ({}, {"max_lifetime": 299}, None),
    *(
        ({name: value}, {}, None)
        for name in ("sub", "client_id", "jti")
        for value in (None, "", 5, ["x"], OMIT)
    ),
    *(({}, {"required_claims": [name]}, None) for name in ("sub", "client_id", "jti", "nbf", "acr", "scope")),
    *(({name: OMIT}, {"required_claims": [name]}, None) for name in ("sub", "client_id", "jti")),
    ({"scope": ["read"]}, {}, None),
    ({"scope": 5}, {}, None),
    ({"scp": 5}, {}, None),
    ({"scp": ["read", 5]}, {}, None),
    ({"scp": ["admin"]}, {"scopes": ["admin", "read"]}, None),
    ({}, {"scopes": ["admin"]}, None),
    ({"scope": OMIT}, {"scopes": ["read"]}, None),
    ({"scope": "read\twrite"}, {"scopes": ["read"]}, None),
    ({"act": {}}, {"forbidden_claims": ["act"]}, None),
    ({"token_use": "id"}, {"expected_claims": {"token_use": "access"}}, None),
    ({"token_use": "access"}, {"expected_claims": {"token_use": "access"}}, None),
    *(
        ({name: "x"}, {}, None)
        for name in ("nonce", "at_hash", "htm", "events", "response_type", "token_introspection")
    ),
    ({"sub": ISSUER}, {}, None),
    ({"sub": OMIT, "code": "x"}, {}, None),
    ({}, {"binding": "required"}, None),
    ({}, {"binding": "required"}, CLIENT.der),
    *(({"cnf": value}, {}, CLIENT.der) for value in (None, {}, [], "x", 5, True)),
    *(({"cnf": {"x5t#S256": value}}, {}, CLIENT.der) for value in (None, "", "x", 5, "ab" * 32, NOTHING)),
    ({"cnf": {"x5t#S256": CLIENT.thumbprint}}, {}, CLIENT.der),
    ({"cnf": {"x5t#S256": CLIENT.thumbprint}}, {"binding": "required"}, CLIENT.der),
    ({"cnf": {"x5t#S256": CLIENT.thumbprint}}, {}, None),
    ({"cnf": {"x5t#S256": CLIENT.thumbprint}}, {}, STRANGER.der),
    ({"cnf": {"x5t#S256": CLIENT.thumbprint}}, {}, b"x"),
    ({"cnf": {"x5t#S256": CLIENT.thumbprint}}, {"binding": "ignore"}, None),
    ({"cnf": {"x5t#S256": CLIENT.thumbprint + "="}}, {}, CLIENT.der),
    ({"cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}, {}, CLIENT.der),
    ({"cnf": {"x5t#S256": CLIENT.thumbprint, "jkt": "x"}}, {}, CLIENT.der),
    ({"cnf": {"kid": "x"}}, {}, CLIENT.der),
    ({"cnf": {"jwk": {}}}, {}, CLIENT.der),
    ({"cnf": {"x5t#S256": CLIENT.thumbprint}}, {"scopes": ["admin"]}, None),
    ({"cnf": {"x5t#S256": CLIENT.thumbprint}}, {"scopes": ["admin"]}, CLIENT.der),
]


def spelled(value: Any) -> str:
    """For the name of a test: what is new with each run by what it is."""
    text = repr(value)
    for name, there in {
        "CLIENT": CLIENT.thumbprint,
        "CLIENT.der": repr(CLIENT.der),
        "STRANGER.der": repr(STRANGER.der),
        "KEY": KEY.thumbprint,
        "OTHER_KEY": OTHER_KEY.thumbprint,
    }.items():
        text = text.replace(there, name)
    return text[:60]


def verdict(package: ModuleType, maker: Any, options: dict[str, Any], raw: Any, **beside: Any) -> Any:
    try:
        maker(package, **options).validate(raw, **beside)
    except package.TokenRejected as rejected:
        return str(rejected.reason), rejected.claim, rejected.scope, rejected.status, rejected.challenge()
    return "ok"


@pytest.mark.parametrize(("changed", "options", "certificate"), CASES, ids=spelled)
def test_one_code_path_two_sources_same_verdicts(
    packages: Any, changed: dict[str, Any], options: dict[str, Any], certificate: Any
) -> None:
    """S001-07, S004-08: a JWT access token, a JSON answer and a signed answer with the same claims."""
    claims = {name: value for name, value in (answer(token_type=OMIT) | changed).items() if value is not OMIT}
    sources = (
        (make_access, SERVER.sign({k: v for k, v in claims.items() if k != "active"}, typ="at+jwt")),
        (make, json.dumps(claims)),
        (make, claims),
        (make_signed, signed(claims)),
    )
    # What is optional in an answer alone.
    asking = options | {"required_claims": ["iss", "aud", "exp", *options.get("required_claims", ())]}
    verdicts = set()
    for package in packages:
        with package.at_work():
            for maker, raw in sources:
                verdicts.add(verdict(package.keybound, maker, asking, raw, certificate=certificate))
    assert len(verdicts) == 1


URL = "https://rs.example.com/accounts"
OPAQUE = "2YotnFZFEjr1zCsicMWpAA"


def proof(package: ModuleType, key: SigningKey, access_token: str) -> Any:
    header = dpop_proof(key, method="GET", url=URL, access_token=access_token, clock=CLOCK)
    validator = package.DPoPProofValidator(algorithms=["ES256"], replay=None, clock=CLOCK)
    return validator.validate(header, method="GET", url=URL, access_token=access_token)


@pytest.mark.parametrize(
    "confirmation",
    [
        None,
        {"jkt": KEY.thumbprint},
        {"jkt": OTHER_KEY.thumbprint},
        {"jkt": "x"},
        {"jkt": 5},
        {"jkt": KEY.thumbprint, "x5t#S256": CLIENT.thumbprint},
        {"x5t#S256": CLIENT.thumbprint},
    ],
    ids=spelled,
)
@pytest.mark.parametrize("key", [None, KEY, OTHER_KEY], ids=["no proof", "proof", "another key"])
@pytest.mark.parametrize("of_another", [False, True], ids=["", "of another token"])
@pytest.mark.parametrize(
    "options", [{}, {"binding": "required"}, {"binding": "ignore"}, {"scopes": "admin"}], ids=str
)
def test_one_code_path_for_keys_as_well(
    packages: Any, confirmation: Any, key: Any, of_another: bool, options: dict[str, Any]
) -> None:
    """S001-07: cnf.jkt in an answer is what it is in a token (RFC 9449, 6.1 and 6.2)."""
    bound = {} if confirmation is None else {"cnf": confirmation}
    raw = SERVER.access_token(audience=AUDIENCE, **bound)
    members = answer(token_type=OMIT, **bound)
    asking = options | {"required_claims": ["iss", "aud", "exp"]}
    verdicts = set()
    for package in packages:
        with package.at_work():
            for maker, shown, token in (
                (make_access, raw, raw),
                (make, members, OPAQUE),
                (make_signed, signed(members), OPAQUE),
            ):
                beside: dict[str, Any] = {"certificate": CLIENT.der}
                if key is not None:
                    beside["dpop"] = proof(package.keybound, key, token + "x" * of_another)
                    beside |= {} if maker is make_access else {"access_token": token}
                verdicts.add(verdict(package.keybound, maker, asking, shown, **beside))
    assert len(verdicts) == 1


def test_a_proof_belongs_to_a_token() -> None:
    validator = make(keybound)
    members = answer(dpop_key=KEY)
    assert members["token_type"] == "DPoP"
    good = proof(keybound, KEY, OPAQUE)
    assert validator.validate(members, dpop=good, access_token=OPAQUE).confirmation == {"jkt": KEY.thumbprint}
    assert validator.validate(members, dpop=good, access_token=OPAQUE.encode())
    with pytest.raises(keybound.PolicyError, match="access_token"):
        validator.validate(members, dpop=good)
    for nothing in (5, "proof", CLIENT.der):
        with pytest.raises(keybound.PolicyError):
            validator.validate(members, dpop=nothing, access_token=OPAQUE)
    for bad in ({"active": False}, members | {"username": 5}, members | {"exp": 1}):
        with pytest.raises(keybound.TokenRejected) as caught:
            validator.validate(bad, dpop=good, access_token=OPAQUE)
        if "active" in bad and "username" not in bad:
            assert caught.value.challenge().startswith("DPoP ")


def test_an_answer_that_drops_the_key(judge: Any) -> None:
    """RFC 9449, 6.2: what is of the type DPoP is no bearer token, whatever else is missing."""
    for raw in (plain(token_type="DPoP"), plain(token_type="dpop")):
        judge.rejects(raw, Reason.CNF_MISSING)
        judge.accepts(raw, options={"binding": "ignore"})
    thumbprint = {"x5t#S256": CLIENT.thumbprint}
    judge.rejects(plain(token_type="DPoP", cnf=thumbprint), Reason.CNF_MISSING, certificate=CLIENT.der)
    judge.rejects(plain(token_type="DPoP", cnf={"jkt": KEY.thumbprint}), Reason.DPOP_PROOF_MISSING)


def test_the_cases_reach_every_rule() -> None:
    """No rule of the claims is left out of the comparison above."""
    reached = set()
    for changed, options, certificate in CASES:
        claims = {name: value for name, value in (answer() | changed).items() if value is not OMIT}
        asking = options | {"required_claims": ["iss", "aud", "exp", *options.get("required_claims", ())]}
        found = verdict(keybound, make, asking, claims, certificate=certificate)
        reached.add(found if found == "ok" else found[0])
    rules = {str(reason) for reason in Reason if 500 <= reason < 613 or reason == Reason.SCOPE_INSUFFICIENT}
    # What only other kinds, other forms of an audience, and a router of issuers can say.
    assert rules - reached <= {"claim_invalid", "aud_array", "aud_not_sole", "iss_unknown"}


# What only answers say


@pytest.mark.parametrize("name", ["username", "token_type"])
@pytest.mark.parametrize("value", [None, 5, True, [], ["Bearer"], {}])
def test_texts_of_another_type(judge: Any, judge_signed: Any, name: str, value: Any) -> None:
    judge.rejects(plain(**{name: value}), Reason.CLAIM_INVALID, claim=name)
    judge_signed.rejects(signed(answer(**{name: value})), Reason.CLAIM_INVALID, claim=name)


def test_token_type(judge: Any) -> None:
    asking = {"token_types": ["Bearer", "DPoP"]}
    for good in ("Bearer", "bearer", "BEARER"):
        judge.accepts(plain(token_type=good), options=asking)
    for other in ("refresh_token", "N_A", "", "Bearer "):
        judge.accepts(plain(token_type=other))
        judge.rejects(plain(token_type=other), Reason.CLAIM_MISMATCH, claim="token_type", options=asking)
    judge.accepts(plain(token_type=OMIT))
    judge.rejects(plain(token_type=OMIT), Reason.CLAIM_MISSING, claim="token_type", options=asking)


def test_demands_of_one_resource() -> None:
    validator = make(keybound)
    token = validator.validate(answer(acr="gold"))
    assert validator.require(token, keybound.Demands(scopes="read", acr_values=["gold"])) is token
    with pytest.raises(keybound.InsufficientScope):
        validator.require(token, keybound.Demands(scopes="admin"))


# The token around a signed answer: RFC 9701, 5


@pytest.mark.parametrize(
    ("claim", "reason", "named"),
    [
        ("iss", Reason.ISS_MISSING, None),
        ("aud", Reason.AUD_MISSING, None),
        ("iat", Reason.IAT_MISSING, None),
        ("token_introspection", Reason.CLAIM_MISSING, "token_introspection"),
    ],
)
def test_claims_that_every_signed_answer_has(
    judge_signed: Any, claim: str, reason: Reason, named: Any
) -> None:
    judge_signed.rejects(signed(**{claim: OMIT}), reason, claim=named)


def test_around_a_signed_answer(judge_signed: Any) -> None:
    judge_signed.rejects(signed(iss=ISSUER + "/"), Reason.ISS_MISMATCH)
    judge_signed.rejects(signed(audience="https://other.example.com/"), Reason.AUD_MISMATCH)
    judge_signed.rejects(signed(header={"alg": "none"}), Reason.ALG_NOT_ALLOWED)
    judge_signed.rejects(signed(), Reason.ALG_NOT_ALLOWED, options={"algorithms": ["PS256"]})
    stranger = SigningKey.generate("ES256", kid=SERVER.key.kid)
    judge_signed.rejects(signed(key=stranger), Reason.SIGNATURE_INVALID)
    for value in ("{}", 5, [], True):
        judge_signed.rejects(
            signed(token_introspection=value), Reason.CLAIM_INVALID, claim="token_introspection"
        )
    judge_signed.rejects(signed(token_introspection={}), Reason.TOKEN_INACTIVE)
    judge_signed.rejects(signed(exp=NOW - 60), Reason.TOKEN_EXPIRED)


def test_typ_of_a_signed_answer(judge_signed: Any) -> None:
    for typ in ("token-introspection+jwt", "application/Token-Introspection+JWT"):
        judge_signed.accepts(signed(header={"typ": typ}))
    judge_signed.rejects(signed(header={"typ": OMIT}), Reason.TYP_MISSING)
    for typ in ("JWT", "at+jwt", "jwt"):
        judge_signed.rejects(signed(header={"typ": typ}), Reason.TYP_NOT_ALLOWED)


def test_a_signed_answer_is_of_now(judge_signed: Any) -> None:
    judge_signed.accepts(signed(iat=NOW - 70))
    judge_signed.rejects(signed(iat=NOW - 71), Reason.TOKEN_TOO_OLD)
    judge_signed.accepts(signed(iat=NOW - 3610), options={"response_max_age": 3600})
    judge_signed.accepts(signed(iat=1), options={"response_max_age": None})
    judge_signed.rejects(signed(iat=NOW + 11), Reason.IAT_IN_FUTURE)


def test_a_resource_server_may_be_a_client(judge_signed: Any) -> None:
    known = {"response_audience": "rs-client"}
    judge_signed.accepts(signed(audience="rs-client"), options=known)
    judge_signed.accepts(signed(audience=["rs-client", "x"]), options=known)
    judge_signed.rejects(signed(), Reason.AUD_MISMATCH, options=known)
    judge_signed.rejects(
        signed(answer(audience="rs-client"), audience="rs-client"), Reason.AUD_MISMATCH, options=known
    )


@pytest.mark.parametrize(
    "claims",
    [{"sub": "user-1"}, {"scope": "read"}, {"client_id": "x"}, {"nonce": "n"}, {"events": {}}],
    ids=str,
)
def test_an_answer_is_never_a_token_of_its_own(
    judge_signed: Any, judge_access: Any, claims: dict[str, Any]
) -> None:
    """SX-01; RFC 9701, 5 and 8.1: in either direction, whatever the type says."""
    judge_signed.rejects(signed(**claims), Reason.KIND_MISMATCH)
    posing = SERVER.access_token(audience=AUDIENCE, token_introspection=answer(), header={"typ": "JWT"})
    judge_access.rejects(posing, Reason.KIND_MISMATCH)
    judge_access.rejects(signed(exp=NOW + 60), Reason.TYP_NOT_ALLOWED)
    judge_signed.rejects(SERVER.access_token(audience=AUDIENCE), Reason.TYP_NOT_ALLOWED)
    disguised = SERVER.access_token(audience=AUDIENCE, header={"typ": "token-introspection+jwt"})
    judge_signed.rejects(disguised, Reason.KIND_MISMATCH)


def test_signed_is_not_plain_and_plain_is_not_signed(judge: Any, judge_signed: Any) -> None:
    """Nobody can talk a resource server down from signed answers."""
    for raw in (plain(), '{"active":true}', b'{"active":true}'):
        with pytest.raises(keybound.MalformedToken):
            make_signed(keybound).validate(raw)
    judge_signed.rejects(answer(), Reason.TOKEN_NOT_TEXT)
    judge.rejects(signed(), Reason.JSON_INVALID)
    text = '{"active":true,"a":".","b":"."}'
    judge_signed.rejects(text, Reason.BASE64URL_INVALID)


def test_members_are_those_that_were_signed(judge_signed: Any) -> None:
    payload = json.dumps({"iss": ISSUER, "aud": AUDIENCE, "iat": NOW})[:-1]
    header = {"alg": "ES256", "kid": SERVER.key.kid, "typ": "token-introspection+jwt"}
    for text, reason in (
        ('{"active":true,"active":false}', Reason.JSON_DUPLICATE_MEMBER),
        ('{"active":true},"token_introspection":{"active":true}', Reason.JSON_DUPLICATE_MEMBER),
        ('{"active":true,"exp":1e999}', Reason.JSON_NUMBER_OUT_OF_RANGE),
    ):
        raw = make_token(header, f'{payload},"token_introspection":{text}}}'.encode(), SERVER.key)
        judge_signed.rejects(raw, reason)


def test_signed_and_encrypted(judge_of: Any, judge_signed: Any) -> None:
    """RFC 9701, 5: an answer may be encrypted for the resource server."""
    recipient = EncryptionKey.generate("ECDH-ES")

    def opening(package: ModuleType, **options: Any) -> Any:
        key = package.DecryptionKey.from_json(recipient.private_jwk())
        rules = {"algorithms": ["ECDH-ES"], "encryptions": ["A256GCM"]}
        return make_signed(package, decryption=package.Decryption(keys=key, **rules), **options)

    sealed = encrypt_jwe(signed(), recipient, enc="A256GCM", header={"cty": "JWT"})
    judge = judge_of(opening)
    assert judge.accepts(sealed).subject == "user-1"
    judge.rejects(signed(), Reason.TOKEN_NOT_ENCRYPTED)
    judge_signed.rejects(sealed, Reason.TOKEN_ENCRYPTED)
    inactive = encrypt_jwe(signed({"active": False}), recipient, enc="A256GCM", header={"cty": "JWT"})
    judge.rejects(inactive, Reason.TOKEN_INACTIVE)


@pytest.mark.parametrize(
    "options",
    [
        {"issuer": ""},
        {"audience": ()},
        {"audience": None},
        {"algorithms": ["ES256"]},
        {"response_audience": "x"},
        {"keys": 5},
        pytest.param({"keys": SERVER.jwks()}, id="keys: a dictionary"),
        {"keys": keybound.JWKSet.from_json(SERVER.jwks())},
        {"keys": keybound.JWKSet.from_json(SERVER.jwks()), "algorithms": ["none"]},
        {"keys": keybound.JWKSet.from_json(SERVER.jwks()), "algorithms": ["ES256"], "response_max_age": 0},
        {"token_types": [5]},
        {"required_claims": ["exp"], "forbidden_claims": ["exp"]},
        {"forbidden_claims": ["cnf"], "binding": "required"},
        {"binding": "off"},
        {"scopes": [""]},
        {"profile": None},
        {"clock": 5},
        {"limits": None},
        {"leeway": -1},
    ],
    ids=lambda options: repr(options)[:60],
)
def test_refused_when_it_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(keybound.PolicyError):
        make(keybound, **options)


def test_what_it_tells_of_itself() -> None:
    validator = make(keybound, scopes="read")
    assert validator.clock is CLOCK
    assert validator.policy.scopes == ("read",)
    with pytest.raises(TypeError):
        __import__("pickle").dumps(validator)
    assert asyncio.run(validator.avalidate(answer())).subject == "user-1"


def test_a_clock_that_does_not_know() -> None:
    for clock in (lambda: None, lambda: "now"):
        with pytest.raises(keybound.Unavailable):
            make(keybound, clock=clock).validate(answer())
