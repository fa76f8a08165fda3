"""Revoked tokens: asked about last, each time, on every road and both twins."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import keybound
from keybound import CLIENT_ASSERTION_TYPE
from keybound.errors import Reason
from keybound.stores import MemoryReplayStore
from keybound.testing import CertificateAuthority, FakeClient, FakeClock, FakeIssuer

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
def test_a_function_that_rejects_speaks_of_one_token(package: ModuleType, road: str) -> None:
    other = make(package, expected_claims={"client_id": "client-1"})

    def ask(verified: Any) -> bool:
        return not other.validate(token(client_id=verified.client_id))

    validator = make(package, revocation=ask)
    assert ROADS[road](validator, token(client_id="client-1"))
    with pytest.raises(package.TokenRejected) as caught:
        ROADS[road](validator, token(client_id="client-2"))
    assert caught.value.reason is package.Reason.CLAIM_MISMATCH
    if road == "validate_many":
        results = validator.validate_many([token(client_id="client-2"), token(client_id="client-1")])
        assert [isinstance(each, package.TokenRejected) for each in results] == [True, False]


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


class TestOfClients:
    """What a client signs: a client that is no longer trusted, or one message that was withdrawn."""

    CLIENT = FakeClient(CLIENT, alg="ES256", clock=CLOCK)
    KINDS = ("ClientAssertionValidator", "RequestObjectValidator")

    def make(self, package: ModuleType, kind: str, **options: Any) -> Any:
        usual = {
            "client_id": CLIENT,
            "keys": package.JWKSet.from_json(self.CLIENT.jwks()),
            "audience": ISSUER,
            "algorithms": ["ES256"],
            "replay": MemoryReplayStore(max_entries=100),
            "clock": CLOCK,
        }
        return getattr(package, kind)(**usual | options)

    def sign(self, kind: str, **claims: Any) -> str:
        if kind == "ClientAssertionValidator":
            return self.CLIENT.assertion(audience=ISSUER, **claims)
        return self.CLIENT.request_object(audience=ISSUER, scope="openid", **claims)

    @staticmethod
    def roads(kind: str) -> list[Callable[..., Any]]:
        form = {"client_assertion_type": CLIENT_ASSERTION_TYPE}
        found = [ROADS["validate"], ROADS["avalidate"]]
        if kind == "ClientAssertionValidator":
            found += [
                lambda validator, raw: validator.validate_form(form | {"client_assertion": raw}),
                lambda validator, raw: asyncio.run(
                    validator.avalidate_form(form | {"client_assertion": raw})
                ),
            ]
        return found

    @pytest.mark.parametrize("kind", KINDS)
    def test_by_identifier(self, package: ModuleType, kind: str) -> None:
        revocations = deny_list()
        revocations.revoke(issuer=CLIENT, jti="t-1")
        for road in self.roads(kind):
            validator = self.make(package, kind, revocation=revocations)
            error = rejected(package, lambda: road(validator, self.sign(kind, jti="t-1")))  # noqa: B023
            assert error.error == {"C": "invalid_client", "R": "invalid_request_object"}[kind[0]]
            assert road(validator, self.sign(kind, jti="t-2")).identifier == "t-2"
            stats = validator.stats()
            assert (stats["accepted"], stats["rejected"]) == (1, {"token_revoked": 1})

    def test_a_client_that_is_no_longer_trusted(self, package: ModuleType) -> None:
        """Assertions name the client in ``sub``; what it signs after it has new keys is good again."""
        revocations, kind = deny_list(), "ClientAssertionValidator"
        validator = self.make(package, kind, revocation=revocations)
        assert validator.validate(self.sign(kind))
        revocations.revoke(issuer=CLIENT, sub=CLIENT)
        rejected(package, lambda: validator.validate(self.sign(kind)))
        rejected(package, lambda: asyncio.run(validator.avalidate(self.sign(kind))))
        assert validator.validate(self.sign(kind, iat=int(CLOCK()) + 5))

    @pytest.mark.parametrize("kind", KINDS)
    def test_it_is_asked_last_but_for_the_replay_store(self, package: ModuleType, kind: str) -> None:
        """What was revoked, and what nobody could tell of, is not used up."""
        answers: list[Any] = [True, package.Unavailable("not now"), OSError("gone"), None, False, False]
        asked: list[Any] = []

        def ask(token: Any) -> Any:
            asked.append(token)
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        for road in self.roads(kind)[:2]:
            remaining = list(answers)
            validator = self.make(package, kind, revocation=ask)
            raw = self.sign(kind, jti="t-1")
            for bad in (
                self.sign(kind, lifetime=-60),
                self.sign(kind, aud="https://x.example"),
                raw[:-6],
                "",
            ):
                with pytest.raises(package.TokenRejected):
                    road(validator, bad)
            assert asked == []
            rejected(package, lambda: road(validator, raw))  # noqa: B023
            for _ in range(3):
                with pytest.raises(package.Unavailable):
                    road(validator, raw)
            assert road(validator, raw).identifier == "t-1"
            with pytest.raises(package.ContextRejected) as caught:
                road(validator, raw)
            assert caught.value.reason is package.Reason.JTI_REPLAYED
            assert validator.stats()["unavailable"] == 3
            answers, asked[:] = remaining, []

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_function_that_has_to_be_awaited(self, package: ModuleType, kind: str) -> None:
        answers = [False, True]

        async def ask(token: Any) -> bool:
            await asyncio.sleep(0)
            return answers.pop(0)

        validator = self.make(package, kind, revocation=ask)
        with pytest.raises(package.Unavailable):
            validator.validate(self.sign(kind))
        assert asyncio.run(validator.avalidate(self.sign(kind)))
        rejected(package, lambda: asyncio.run(validator.avalidate(self.sign(kind))))

    @pytest.mark.parametrize("kind", KINDS)
    def test_options_that_are_none(self, package: ModuleType, kind: str) -> None:
        with pytest.raises(package.PolicyError):
            self.make(package, kind, revocation="memory")


@pytest.mark.parametrize(
    "name", ["LogoutTokenValidator", "SecurityEventTokenValidator", "DPoPProofValidator"]
)
def test_kinds_that_are_not_asked_about(name: str) -> None:
    """To drop the news of a logout because its subject is revoked would undo what it is for."""
    assert "revocation" not in inspect.signature(getattr(keybound, name)).parameters
