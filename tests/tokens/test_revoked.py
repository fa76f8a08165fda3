"""Revoked tokens: asked about last, each time, on every road and both twins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.testing import CertificateAuthority, FakeClock, FakeIssuer

ISSUER = "https://server.example.com"
AUDIENCE = "https://rs.example.com"
CLIENT = "s6BhdRkqt3"
CLOCK = FakeClock()
PROVIDER = FakeIssuer(ISSUER, alg="ES256", clock=CLOCK)
CERTIFICATE = CertificateAuthority().issue_client("client-1")

ROADS: dict[str, Callable[..., Any]] = {
    "validate": lambda validator, raw: validator.validate(raw),
    "avalidate": lambda validator, raw: asyncio.run(validator.avalidate(raw)),
    "validate_many": lambda validator, raw: only(validator.validate_many([raw])),
}


def only(results: list[Any]) -> Any:
    (result,) = results
    if isinstance(result, Exception):
        raise result
    return result


def token(**claims: Any) -> str:
    return PROVIDER.access_token(**{"audience": AUDIENCE} | claims)


def make(package: ModuleType, *, keys: Any = None, **options: Any) -> Any:
    usual = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "keys": package.JWKSet.from_json(PROVIDER.jwks()) if keys is None else keys,
        "algorithms": ["ES256"],
        "clock": CLOCK,
    }
    return package.AccessTokenValidator(**usual | options)


def deny_list() -> Any:
    # Late, from the package that is at work.
    from keybound.stores import MemoryRevocationList

    return MemoryRevocationList(clock=CLOCK)


def rejected(package: ModuleType, call: Callable[[], Any]) -> Any:
    with pytest.raises(package.ContextRejected) as caught:
        call()
    assert caught.value.reason is package.Reason.TOKEN_REVOKED
    return caught.value


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("cache", [True, False])
def test_from_accepted_to_logged_out(package: ModuleType, road: str, cache: bool) -> None:
    """P33, G17: a token is good until its session ends, and with the next call no more."""
    revocations = deny_list()
    options = {} if cache else {"cache": None}
    validator = make(package, revocation=revocations, **options)
    raw, other = token(sid="s-1", jti="t-1"), token(sid="s-2", jti="t-2")
    for _ in range(3):
        assert ROADS[road](validator, raw).claim("sid") == "s-1"
        assert ROADS[road](validator, other)
    logout = package.LogoutTokenValidator(
        issuer=ISSUER,
        client_id=CLIENT,
        keys=package.JWKSet.from_json(PROVIDER.jwks()),
        algorithms=["ES256"],
        clock=CLOCK,
    )
    revocations.log_out(logout.validate(PROVIDER.logout_token(client_id=CLIENT, session_id="s-1")))
    for _ in range(3):
        rejected(package, lambda: ROADS[road](validator, raw))
        assert ROADS[road](validator, other)
    if cache:
        assert validator.stats()["cache"]["hits"] >= 9


@pytest.mark.parametrize("road", ROADS)
def test_it_is_asked_last_and_each_time(package: ModuleType, road: str) -> None:
    """P6, P33: on hits too."""
    asked: list[Any] = []
    validator = make(package, revocation=lambda token: bool(asked.append(token)))
    good, bound = token(), token(certificate=CERTIFICATE)
    stranger = good[:-8] + ("A" * 8)
    for bad in (stranger, bound, token(lifetime=-60), token(audience="https://other.example.com"), "a.b.c"):
        with pytest.raises(package.TokenRejected):
            ROADS[road](validator, bad)
    assert asked == []
    seen = [ROADS[road](validator, good) for _ in range(3)]
    assert asked == seen


def test_a_batch_says_of_each(package: ModuleType) -> None:
    revocations = deny_list()
    revocations.revoke(issuer=ISSUER, jti="t-1")
    validator = make(package, revocation=revocations)
    for _ in range(2):
        first, bad, last = validator.validate_many([token(jti="t-1"), "a.b", token(jti="t-2")])
        assert (first.reason, bad.reason) == (package.Reason.TOKEN_REVOKED, package.Reason.TOKEN_MALFORMED)
        assert last.identifier == "t-2"


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("answer", [None, 0, 1, "no", "error"])
def test_who_cannot_tell_accepts_nothing(package: ModuleType, road: str, answer: Any) -> None:
    def ask(token: Any) -> Any:
        if answer == "error":
            raise OSError("the database is gone")
        return answer

    validator = make(package, revocation=ask)
    for _ in range(2):
        with pytest.raises(package.Unavailable):
            ROADS[road](validator, token())


def test_a_function_that_has_to_be_awaited(package: ModuleType) -> None:
    """P33: a hook for event loops."""
    answers = [False, True]

    async def ask(token: Any) -> bool:
        await asyncio.sleep(0)
        return answers.pop(0)

    validator = make(package, revocation=ask)
    raw = token()
    assert asyncio.run(validator.avalidate(raw))
    rejected(package, lambda: asyncio.run(validator.avalidate(raw)))
    for road in ("validate", "validate_many"):
        with pytest.raises(package.Unavailable):
            ROADS[road](validator, raw)


def test_options_that_are_none(package: ModuleType) -> None:
    for none in (5, "memory", object(), type(deny_list())):
        with pytest.raises(package.PolicyError):
            make(package, revocation=none)


def test_keys_that_are_refreshed(package: ModuleType) -> None:
    keys = package.JWKSet.from_json(PROVIDER.jwks())

    class Source:
        def snapshot(self) -> Any:
            return keys

        def peek(self) -> Any:
            return keys

        async def aget(self) -> Any:
            return keys

        def refresh_for(self, kid: str) -> bool:
            return False

        async def arefresh_for(self, kid: str) -> bool:
            return False

    revocations = deny_list()
    validator = make(package, keys=Source(), revocation=revocations)
    raw = token(jti="t-1")
    for road in ROADS:
        assert ROADS[road](validator, raw)
    revocations.revoke(issuer=ISSUER, jti="t-1")
    for road in ROADS:
        rejected(package, lambda road=road: ROADS[road](validator, raw))


def test_the_challenge_is_that_of_an_invalid_token() -> None:
    revocations = deny_list()
    revocations.revoke(issuer=ISSUER, sub="user-1")
    error = rejected(keybound, lambda: make(keybound, revocation=revocations).validate(token()))
    assert (error.status, error.error) == (401, "invalid_token")
    assert 'error="invalid_token"' in error.challenge()
    assert Reason(911) is error.reason


def test_id_tokens(package: ModuleType) -> None:
    revocations = deny_list()
    validator = package.IDTokenValidator(
        issuer=ISSUER,
        client_id=CLIENT,
        keys=package.JWKSet.from_json(PROVIDER.jwks()),
        algorithms=["ES256"],
        clock=CLOCK,
        revocation=revocations,
    )
    raw = PROVIDER.id_token(client_id=CLIENT, sid="s-1")
    assert validator.validate(raw, nonce=None)
    assert asyncio.run(validator.avalidate(raw, nonce=None))
    revocations.revoke(issuer=ISSUER, sid="s-1")
    rejected(package, lambda: validator.validate(raw, nonce=None))
    rejected(package, lambda: asyncio.run(validator.avalidate(raw, nonce=None)))
    # Who logs out after the session has ended is still known.
    assert validator.validate_hint(raw).claim("sid") == "s-1"


@pytest.mark.parametrize("issuer", [ISSUER, None])
def test_introspection_answers(package: ModuleType, issuer: str | None) -> None:
    revocations, seen = deny_list(), []

    def ask(answer: Any) -> bool:
        seen.append((answer.subject, answer.claim("iss"), answer.claim("jti")))
        return bool(revocations.is_revoked(answer))

    usual = {"issuer": ISSUER, "audience": AUDIENCE, "clock": CLOCK}
    validators = [
        package.IntrospectionResponseValidator(**usual, revocation=check) for check in (revocations, ask)
    ]
    answer = {"active": True, "jti": "t-1", "sub": "user-1"} | ({} if issuer is None else {"iss": issuer})
    for validator in validators:
        assert validator.validate(answer).issuer == issuer
        assert asyncio.run(validator.avalidate(answer)).identifier == "t-1"
    assert seen == [("user-1", ISSUER, "t-1")] * 2
    revocations.revoke(issuer=ISSUER, jti="t-1")
    for validator in validators:
        rejected(package, lambda validator=validator: validator.validate(answer))
        rejected(package, lambda validator=validator: asyncio.run(validator.avalidate(answer)))
