"""Demands of one resource on a verified token: scope, roles, step-up (RFC 9470), details (RFC 9396)."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import pytest

import keybound
from keybound import AuthorizationDetails, Demands
from keybound.errors import Reason
from keybound.testing import OMIT
from keybound.tokens.demands import authorization_details

# After RFC 9396, 9.1.
PAYMENT = {
    "type": "payment_initiation",
    "actions": ["initiate", "status", "cancel"],
    "locations": ["https://example.com/payments"],
    "instructedAmount": {"currency": "EUR", "amount": "123.50"},
    "creditorName": "Merchant A",
    "creditorAccount": {"iban": "DE02100100109307118603"},
    "remittanceInformationUnstructured": "Ref Number Merchant",
}
# RFC 9396, 2.2.
CUSTOMER = [
    {
        "type": "customer_information",
        "locations": ["https://example.com/customers"],
        "actions": ["read"],
        "datatypes": ["contacts"],
    },
    {
        "type": "customer_information",
        "locations": ["https://example.com/customers"],
        "actions": ["write"],
        "datatypes": ["photos"],
        "identifier": "account-1",
        "privileges": ["admin"],
    },
]


def require(world: Any, demands: Demands, **claims: Any) -> keybound.AccessToken:
    """Demands are met or not by a fresh token and by the same one out of the cache alike."""
    validator = world.validator()
    raw = world.token(**claims)
    results: list[Any] = []
    for _ in range(2):
        token = validator.validate(raw)
        try:
            assert validator.require(token, demands) is token
        except keybound.TokenRejected as rejected:
            results.append(rejected)
            continue
        results.append(None)
    assert validator.stats()["cache"]["hits"] == 1
    first, second = results
    assert (first is None) == (second is None)
    if first is not None:
        assert vars(first) == vars(second)
        raise first
    return token


def refused(world: Any, demands: Demands, reason: Reason, **claims: Any) -> keybound.TokenRejected:
    with pytest.raises(keybound.TokenRejected) as caught:
        require(world, demands, **claims)
    assert caught.value.reason is reason
    return caught.value


@pytest.mark.parametrize(
    ("demanded", "carried"),
    [
        ({"scopes": "read"}, {"scope": "read write"}),
        ({"scopes": "read write"}, {"scope": "write read"}),
        ({"scopes": ["write"]}, {"scope": OMIT, "scp": ["write"]}),
        ({"scopes": "read write"}, {"scope": "read", "scp": "write"}),
        ({"any_scope": "admin write"}, {"scope": "write"}),
        ({"any_scope": ("admin", "write")}, {"scope": "x", "scp": ["admin"]}),
        ({"scopes": "read", "any_scope": "eu us"}, {"scope": "us read"}),
    ],
)
def test_scopes_that_suffice(world: Any, demanded: dict[str, Any], carried: dict[str, Any]) -> None:
    assert require(world, Demands(**demanded), **carried)


@pytest.mark.parametrize(
    ("demanded", "carried", "asked_for"),
    [
        ({"scopes": "write"}, {"scope": "read"}, "write"),
        ({"scopes": "read write"}, {"scope": "read"}, "read write"),
        ({"scopes": "write"}, {"scope": "Write writer rewrite"}, "write"),
        ({"scopes": "write"}, {"scope": OMIT}, "write"),
        ({"scopes": "write"}, {"scope": "", "scp": []}, "write"),
        ({"any_scope": "admin write"}, {"scope": "read"}, "admin"),
        ({"scopes": "read", "any_scope": "eu us"}, {"scope": "read"}, "read eu"),
        ({"scopes": "read", "any_scope": "eu us"}, {"scope": "eu"}, "read eu"),
    ],
)
def test_scopes_that_do_not(
    world: Any, demanded: dict[str, Any], carried: dict[str, Any], asked_for: str
) -> None:
    rejected = refused(world, Demands(**demanded), Reason.SCOPE_INSUFFICIENT, **carried)
    assert (rejected.status, rejected.error, rejected.scope) == (403, "insufficient_scope", asked_for)
    assert rejected.challenge().endswith(f'scope="{asked_for}"')


@pytest.mark.parametrize(
    ("demanded", "carried"),
    [
        ({"roles": "admin"}, {"roles": ["user", "admin"]}),
        ({"roles": ["a", "b"]}, {"roles": ["b", "a"]}),
        ({"any_role": ["a", "b"]}, {"roles": ["b"]}),
        ({"roles": "admin"}, {"roles": "admin"}),
        ({"roles": "can do all"}, {"roles": ["can do all"]}),
        ({"roles": "admin", "role_claim": ("realm_access", "roles")}, {"realm_access": {"roles": ["admin"]}}),
        (
            {"roles": "x", "role_claim": ["resource_access", "api.v1", "roles"]},
            {"resource_access": {"api.v1": {"roles": ["x"]}}},
        ),
        ({"roles": "x", "role_claim": "https://rs.example/roles"}, {"https://rs.example/roles": ["x"]}),
    ],
)
def test_roles_that_suffice(world: Any, demanded: dict[str, Any], carried: dict[str, Any]) -> None:
    assert require(world, Demands(**demanded), **carried)


@pytest.mark.parametrize(
    ("demanded", "carried"),
    [
        ({"roles": "admin"}, {}),
        ({"roles": "admin"}, {"roles": []}),
        ({"roles": "admin"}, {"roles": ["administrator", "Admin"]}),
        ({"roles": "admin"}, {"roles": "user admin"}),
        ({"roles": ["a", "b"]}, {"roles": ["a"]}),
        ({"any_role": ["a", "b"]}, {"roles": ["c"]}),
        ({"roles": "admin", "role_claim": ("realm_access", "roles")}, {"roles": ["admin"]}),
        ({"roles": "admin", "role_claim": ("realm_access", "roles")}, {"realm_access": {}}),
        ({"roles": "admin", "role_claim": ("realm_access", "roles")}, {"realm_access.roles": ["admin"]}),
    ],
)
def test_roles_that_do_not(world: Any, demanded: dict[str, Any], carried: dict[str, Any]) -> None:
    rejected = refused(world, Demands(**demanded), Reason.ROLE_INSUFFICIENT, **carried)
    assert (rejected.status, rejected.error) == (403, "insufficient_scope")
    assert rejected.claim == ".".join(Demands(**demanded).role_claim)


@pytest.mark.parametrize(
    ("path", "carried"),
    [
        (("roles",), {"roles": None}),
        (("roles",), {"roles": [1]}),
        (("roles",), {"roles": {"admin": True}}),
        (("roles",), {"roles": 5}),
        (("roles",), {"roles": True}),
        (("realm_access", "roles"), {"realm_access": ["admin"]}),
        (("realm_access", "roles"), {"realm_access": "admin"}),
        (("realm_access", "roles"), {"realm_access": None}),
        (("realm_access", "roles"), {"realm_access": {"roles": [None]}}),
    ],
)
def test_roles_that_are_malformed(world: Any, path: tuple[str, ...], carried: dict[str, Any]) -> None:
    rejected = refused(world, Demands(roles="admin", role_claim=path), Reason.CLAIM_INVALID, **carried)
    assert rejected.claim == ".".join(path)


def test_challenges_of_rfc_9470(world: Any) -> None:
    """RFC 9470, 3, figures 2 and 3: the parameters of the challenges, with our own descriptions."""
    rejected = refused(world, Demands(acr_values="myACR"), Reason.AUTHENTICATION_INSUFFICIENT, acr="other")
    assert (rejected.status, rejected.error) == (401, "insufficient_user_authentication")
    assert rejected.challenge() == (
        'Bearer error="insufficient_user_authentication", '
        'error_description="The user was not authenticated in a way that suffices", acr_values="myACR"'
    )
    rejected = refused(
        world, Demands(max_age=5), Reason.AUTHENTICATION_TOO_OLD, auth_time=int(world.now) - 60
    )
    assert rejected.challenge() == (
        'Bearer error="insufficient_user_authentication", '
        'error_description="The user was authenticated too long ago", max_age="5"'
    )


def test_the_token_of_rfc_9470(world: Any) -> None:
    """RFC 9470, 6.1, figure 6, with times that are now."""
    claims = {"sub": "someone@example.net", "client_id": "s6BhdRkqt3", "scope": "purchase", "acr": "myACR"}
    claims["auth_time"] = int(world.now) - 2
    assert require(world, Demands(scopes="purchase", acr_values="myACR", max_age=5), **claims)


def test_all_that_is_lacking_is_in_one_challenge(world: Any) -> None:
    """RFC 9470, 3: acr_values and max_age may both occur, and the scope may stand beside them."""
    demands = Demands(scopes="pay", any_scope="eu us", acr_values=["gold", "silver"], max_age=300)
    now = int(world.now)
    rejected = refused(world, demands, Reason.AUTHENTICATION_INSUFFICIENT, acr="bronze", auth_time=now)
    assert isinstance(rejected, keybound.InsufficientScope)
    assert (rejected.acr_values, rejected.max_age, rejected.scope) == ("gold silver", 300, "pay eu")
    assert rejected.challenge(realm="bank").endswith(
        'scope="pay eu", acr_values="gold silver", max_age="300"'
    )
    rejected = refused(world, demands, Reason.AUTHENTICATION_TOO_OLD, acr="gold", auth_time=1, scope="pay us")
    assert (rejected.acr_values, rejected.max_age, rejected.scope) == ("gold silver", 300, None)
    # With the authentication in order, only the scope is asked for.
    rejected = refused(world, demands, Reason.SCOPE_INSUFFICIENT, acr="gold", auth_time=now, scope="pay")
    assert (rejected.status, rejected.acr_values, rejected.max_age) == (403, None, None)
    assert require(world, demands, acr="silver", auth_time=now, scope="pay us")


@pytest.mark.parametrize("acr", [OMIT, "", "GOLD", "gold silver"])
def test_acr_that_does_not_suffice(world: Any, acr: Any) -> None:
    refused(world, Demands(acr_values="gold silver"), Reason.AUTHENTICATION_INSUFFICIENT, acr=acr)


@pytest.mark.parametrize("acr", [None, ["gold"], 5, True, {"gold": 1}])
def test_acr_that_is_malformed(world: Any, acr: Any) -> None:
    assert refused(world, Demands(acr_values="gold"), Reason.CLAIM_INVALID, acr=acr).claim == "acr"


@pytest.mark.parametrize(("age", "good"), [(0, True), (310, True), (311, False), (-10, True), (1e9, False)])
def test_age_counts_with_leeway(world: Any, age: float, good: bool) -> None:
    demands = Demands(max_age=300)
    if good:
        assert require(world, demands, auth_time=int(world.now) - age)
    else:
        refused(world, demands, Reason.AUTHENTICATION_TOO_OLD, auth_time=int(world.now) - age)


def test_unknown_age_is_too_old(world: Any) -> None:
    refused(world, Demands(max_age=300), Reason.AUTHENTICATION_TOO_OLD)


@pytest.mark.parametrize("auth_time", ["1", None, True, -1, [1], 2.6e11])
def test_age_that_is_malformed(world: Any, auth_time: Any) -> None:
    rejected = refused(world, Demands(max_age=300), Reason.CLAIM_INVALID, auth_time=auth_time)
    assert rejected.claim == "auth_time"


def test_authentication_in_the_future(world: Any) -> None:
    refused(world, Demands(max_age=300), Reason.CLAIM_INVALID, auth_time=int(world.now) + 11)


def test_age_grows_while_the_token_is_in_the_cache(world: Any) -> None:
    now = [world.now]
    validator = world.validator(clock=lambda: now[0])
    raw, demands = world.token(auth_time=int(world.now)), Demands(max_age=60)
    assert validator.require(validator.validate(raw), demands)
    now[0] += 71
    token = validator.validate(raw)
    assert validator.stats()["cache"]["hits"] == 1
    with pytest.raises(keybound.InsufficientScope):
        validator.require(token, demands)
    now[0] = float("nan")
    with pytest.raises(keybound.TokenRejected):
        validator.require(token, demands)
    now[0] = "soon"
    with pytest.raises(keybound.Unavailable):
        validator.require(token, demands)


@pytest.mark.parametrize(
    "pattern",
    [
        {"type": "payment_initiation"},
        {"type": "payment_initiation", "actions": "initiate"},
        {"type": "payment_initiation", "actions": ["cancel", "initiate"]},
        {"type": "payment_initiation", "locations": "https://example.com/payments"},
        {"type": "customer_information", "actions": "read", "datatypes": "contacts"},
        {"type": "customer_information", "actions": "write", "datatypes": "photos", "privileges": "admin"},
        {"type": "customer_information", "identifier": "account-1"},
    ],
)
def test_details_that_suffice(world: Any, pattern: dict[str, Any]) -> None:
    demands = Demands(authorization_details=AuthorizationDetails(**pattern))
    token = require(world, demands, authorization_details=[PAYMENT, *CUSTOMER])
    assert demands == Demands(authorization_details=[AuthorizationDetails(**pattern)])
    assert token.authorization_details("payment_initiation") == (PAYMENT,)
    assert token.authorization_details() == authorization_details(token) == (PAYMENT, *CUSTOMER)
    assert token.authorization_details("other") == ()


@pytest.mark.parametrize(
    "pattern",
    [
        {"type": "Payment_initiation"},
        {"type": "payment"},
        {"type": "payment_initiation", "actions": ["initiate", "refund"]},
        {"type": "payment_initiation", "locations": "https://example.com"},
        {"type": "payment_initiation", "datatypes": "contacts"},
        {"type": "payment_initiation", "identifier": "account-1"},
        # Each half is granted, but by another object (RFC 9396, 2.2).
        {"type": "customer_information", "actions": "write", "datatypes": "contacts"},
        {"type": "customer_information", "actions": ["read", "write"]},
        {"type": "customer_information", "identifier": "account-2"},
        {"type": "customer_information", "actions": "read", "privileges": "admin"},
    ],
)
def test_details_that_do_not(world: Any, pattern: dict[str, Any]) -> None:
    demands = Demands(authorization_details=AuthorizationDetails(**pattern))
    granted = [PAYMENT, *CUSTOMER]
    rejected = refused(
        world, demands, Reason.AUTHORIZATION_DETAILS_INSUFFICIENT, authorization_details=granted
    )
    assert (rejected.status, rejected.error) == (403, "insufficient_scope")


def test_several_details_may_be_granted_apart(world: Any) -> None:
    read = AuthorizationDetails(type="customer_information", actions="read")
    write = AuthorizationDetails(type="customer_information", actions="write")
    assert require(world, Demands(authorization_details=[read, write]), authorization_details=CUSTOMER)
    refused(
        world,
        Demands(authorization_details=[read, write]),
        Reason.AUTHORIZATION_DETAILS_INSUFFICIENT,
        authorization_details=CUSTOMER[:1],
    )


@pytest.mark.parametrize("granted", [OMIT, []])
def test_no_details(world: Any, granted: Any) -> None:
    demands = Demands(authorization_details=AuthorizationDetails(type="x"))
    refused(world, demands, Reason.AUTHORIZATION_DETAILS_INSUFFICIENT, authorization_details=granted)
    assert (
        world.validator().validate(world.token(authorization_details=granted)).authorization_details() == ()
    )


@pytest.mark.parametrize(
    "granted",
    [
        None,
        {"type": "x"},
        "x",
        5,
        True,
        ["x"],
        [{"type": "x"}, "x"],
        [{"type": "x"}, {}],
        [{"type": "x"}, {"type": ""}],
        [{"type": "x"}, {"type": ["x"]}],
        [{"type": "x", "actions": "read"}],
        [{"type": "x", "actions": [1]}],
        [{"type": "x", "actions": None}],
        [{"type": "x", "locations": {}}],
        [{"type": "x", "datatypes": [None]}],
        [{"type": "x", "privileges": True}],
        [{"type": "x", "identifier": 5}],
        [{"type": "x", "identifier": None}],
        [[{"type": "x"}]],
    ],
)
def test_details_that_are_malformed(world: Any, granted: Any) -> None:
    """RFC 9396, 2 and 2.2: even where a good object stands beside a bad one."""
    demands = Demands(authorization_details=AuthorizationDetails(type="x"))
    rejected = refused(world, demands, Reason.CLAIM_INVALID, authorization_details=granted)
    assert rejected.claim == "authorization_details"
    with pytest.raises(keybound.ClaimRejected):
        world.validator().validate(world.token(authorization_details=granted)).authorization_details()


def test_details_are_read_only(world: Any) -> None:
    token = world.validator().validate(world.token(authorization_details=[PAYMENT]))
    with pytest.raises(TypeError):
        token.authorization_details()[0]["actions"].append("refund")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scopes": ""},
        {"scopes": ()},
        {"scopes": None},
        {"scopes": 0},
        {"scopes": b"read"},
        {"scopes": ["read write"]},
        {"scopes": "read  write"},
        {"scopes": 'a"b'},
        {"any_scope": [5]},
        {"acr_values": "g\u00f6ld"},
        {"acr_values": ['a"b']},
        {"roles": b"admin"},
        {"roles": [""]},
        {"roles": "x", "role_claim": ()},
        {"roles": "x", "role_claim": ""},
        {"roles": "x", "role_claim": [None]},
        {"max_age": -1},
        {"max_age": 1.5},
        {"max_age": True},
        {"max_age": "60"},
        {"max_age": 10**400},
        {"authorization_details": "payment"},
        {"authorization_details": {"type": "payment"}},
        {"authorization_details": [{"type": "payment"}]},
        {"authorization_details": 5},
    ],
    ids=repr,
)
def test_what_cannot_be_demanded(options: dict[str, Any]) -> None:
    with pytest.raises(keybound.PolicyError):
        Demands(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"type": ""},
        {"type": None},
        {"type": "x", "actions": 5},
        {"type": "x", "actions": [None]},
        {"type": "x", "locations": b"x"},
        {"type": "x", "identifier": ""},
        {"type": "x", "identifier": 5},
    ],
    ids=repr,
)
def test_details_that_cannot_be_demanded(options: dict[str, Any]) -> None:
    with pytest.raises(keybound.PolicyError):
        AuthorizationDetails(**options)


class Unverified(dict[str, Any]):
    pass


@pytest.mark.parametrize(
    "token", [None, "x", {"scope": "admin"}, Unverified(scope="admin"), 5, object(), keybound.AccessToken]
)
def test_demands_on_what_nobody_verified(world: Any, token: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        world.validator().require(token, Demands(scopes="admin"))
    with pytest.raises(keybound.PolicyError):
        Demands(scopes="admin").check(token)


@pytest.mark.parametrize("demands", [None, "admin", {"scopes": "admin"}, 5, Demands])
def test_demands_that_are_none(world: Any, demands: Any) -> None:
    with pytest.raises(keybound.PolicyError):
        world.validator().require(world.validator().validate(world.token()), demands)


class Answer:
    """Another answer that has claims, such as that of an introspection endpoint (RFC 9470, 6.2, figure 7)."""

    def __init__(self, claims: Mapping[str, Any]) -> None:
        self.claims = claims

    def claim(self, name: str, default: Any = None) -> Any:
        return self.claims.get(name, default)


def test_any_verified_answer_can_be_checked(world: Any) -> None:
    claims = {
        "active": True,
        "client_id": "s6BhdRkqt3",
        "scope": "purchase",
        "sub": "someone@example.net",
        "aud": "https://rs.example.com",
        "iss": "https://as.example.net",
        "exp": 1639528912,
        "iat": 1618354090,
        "auth_time": 1646340198,
        "acr": "myACR",
    }
    demands = Demands(scopes="purchase", acr_values="myACR", max_age=5)
    demands.check(Answer(claims), now=1646340208)
    with pytest.raises(keybound.InsufficientScope):
        demands.check(Answer(claims), now=1646340208, leeway=0)
    with pytest.raises(keybound.InsufficientScope):
        demands.check(Answer(claims))
    for malformed in ({"scope": 5}, {"scope": ["purchase"]}, {"scope": "x", "scp": [5]}, {"scp": {}}):
        with pytest.raises(keybound.ClaimRejected):
            Demands(scopes="purchase pay").check(Answer(claims | malformed))


def test_equal_demands_are_equal() -> None:
    demands = Demands(scopes="read write", roles="a", max_age=0)
    assert demands == Demands(scopes=["read", "write"], roles=["a"], max_age=0)
    assert hash(demands) == hash(Demands(scopes=("read", "write"), roles=("a",), max_age=0))
    with pytest.raises(AttributeError):
        demands.scopes = ()  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(demands)) == demands


def test_a_challenge_survives_pickling(world: Any) -> None:
    demands = Demands(scopes="pay", acr_values="gold", max_age=0)
    rejected = refused(world, demands, Reason.AUTHENTICATION_INSUFFICIENT)
    assert pickle.loads(pickle.dumps(rejected)).challenge() == rejected.challenge()
