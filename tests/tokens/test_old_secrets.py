"""Secrets that are being replaced: every acceptance by an old one is counted and told, on every road.

S004-24 names the places where a secret is used, and a client must not notice that it has changed: so whoever
has changed it has to see who still uses the former one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from keybound.testing import (
    EncryptionKey,
    FakeClient,
    FakeClock,
    FakeIssuer,
    encrypt_jwe,
)

CLOCK = FakeClock()
ISSUER = "https://as.example.com"
AUDIENCE = "https://rs.example.com"
NEW, OLD, OLDER, OTHER = (FakeIssuer(ISSUER, alg="HS256", clock=CLOCK) for _ in range(4))
PUBLIC = FakeIssuer(ISSUER, alg="ES256", clock=CLOCK)
ENC = "A128GCM"


def keys_of(package: ModuleType, *issuers: FakeIssuer) -> Any:
    return package.JWKSet([package.JWK.from_secret(each.key.secret, alg=each.key.alg) for each in issuers])


def make(package: ModuleType, kind: str = "AccessTokenValidator", **options: Any) -> Any:
    of_a_client = kind in ("IDTokenValidator", "AuthorizationResponseValidator")
    party = {"client_id": "c"} if of_a_client else {"audience": AUDIENCE}
    usual = {
        "issuer": ISSUER,
        "keys": keys_of(package, NEW, OLD, OLDER),
        "algorithms": ["HS256"],
        "clock": CLOCK,
    }
    return getattr(package, kind)(**usual | party | options)


ROADS: dict[str, Callable[..., Any]] = {
    "validate": lambda validator, raw: validator.validate(raw),
    "avalidate": lambda validator, raw: asyncio.run(validator.avalidate(raw)),
    "validate_many": lambda validator, raw: validator.validate_many([raw])[0],
}


def test_nothing_is_counted_where_nothing_is_old(package: ModuleType) -> None:
    validator = make(package)
    told: list[Any] = []
    validator.notify(told.append)
    for _ in range(2):
        token = validator.validate(NEW.access_token(audience=AUDIENCE))
        assert token.old_secret is False
    public = make(package, keys=package.JWKSet.from_json(PUBLIC.jwks()), algorithms=["ES256"])
    assert public.validate(PUBLIC.access_token(audience=AUDIENCE)).old_secret is False
    assert (validator.stats()["old_secrets"], public.stats()["old_secrets"], told) == (0, 0, [])


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("cache", [True, False])
def test_access_tokens_on_every_road(package: ModuleType, road: str, cache: bool) -> None:
    """S004-23: while the former secret is good, each token that it signed counts, also out of the cache."""
    validator = make(package, **({} if cache else {"cache": None}))
    told: list[Any] = []
    validator.notify(told.append)
    old = [issuer.access_token(audience=AUDIENCE) for issuer in (OLD, OLDER)]
    for _ in range(3):
        assert ROADS[road](validator, NEW.access_token(audience=AUDIENCE)).old_secret is False
        for raw in old:
            assert ROADS[road](validator, raw).old_secret is True
    stats = validator.stats()
    assert (stats["accepted"], stats["old_secrets"]) == (9, 6)
    assert (stats["cache"]["hits"] if cache else 4) == 4
    assert told == [package.events.OldSecretEvent("access_token", ISSUER)] * 6


@pytest.mark.parametrize("road", ROADS)
def test_with_a_deny_list_only_what_is_accepted_counts(package: ModuleType, road: str) -> None:
    answers = [False, True, False]
    validator = make(package, revocation=lambda token: answers.pop(0))
    raw = OLD.access_token(audience=AUDIENCE)
    for _ in range(3):
        try:
            ROADS[road](validator, raw)
        except package.TokenRejected:
            continue
    stats = validator.stats()
    assert (stats["accepted"], stats["old_secrets"], answers) == (2, 2, [])


def test_what_is_rejected_does_not_count(package: ModuleType) -> None:
    validator = make(package)
    for raw in (
        OTHER.access_token(audience=AUDIENCE),
        OLD.access_token(audience="https://x.example"),
        OLD.access_token(audience=AUDIENCE, lifetime=-60),
        OLD.access_token(audience=AUDIENCE)[:-2],
    ):
        with pytest.raises(package.TokenRejected):
            validator.validate(raw)
    stats = validator.stats()
    assert (stats["accepted"], sum(stats["rejected"].values()), stats["old_secrets"]) == (0, 4, 0)


def test_secrets_that_have_names(package: ModuleType) -> None:
    """The first of those for an algorithm is the current one, whatever a token calls it."""
    secrets = [
        package.JWK.from_secret(each.key.secret, alg="HS256", kid=kid)
        for each, kid in ((NEW, "2"), (OLD, "1"))
    ]
    validator = make(package, keys=package.JWKSet(secrets))
    for issuer, kid, old in ((NEW, "2", False), (OLD, "1", True)):
        raw = issuer.access_token(audience=AUDIENCE, header={"kid": kid})
        assert validator.validate(raw).old_secret is old
    assert validator.stats()["old_secrets"] == 1


def test_secrets_for_different_algorithms_do_not_replace_each_other(package: ModuleType) -> None:
    longer = FakeIssuer(ISSUER, alg="HS512", clock=CLOCK)
    validator = make(package, keys=keys_of(package, NEW, longer), algorithms=["HS256", "HS512"])
    for issuer in (NEW, longer):
        assert validator.validate(issuer.access_token(audience=AUDIENCE)).old_secret is False
    assert validator.stats()["old_secrets"] == 0


def test_a_source_that_moves_on(package: ModuleType) -> None:
    """S004-23: tested at 29:59 and 30:01, where the validator remembers its tokens too."""
    clock = FakeClock()
    issuers = [FakeIssuer(ISSUER, key=each.key, clock=clock) for each in (NEW, OLD)]
    both, end = keys_of(package, NEW, OLD), clock() + 1800
    new = keys_of(package, NEW)

    class Source:
        def snapshot(self) -> Any:
            return both if clock() < end else new

    validator = make(package, keys=Source(), clock=clock)
    raw = issuers[1].access_token(audience=AUDIENCE, lifetime=7200)
    assert validator.validate(raw).old_secret
    clock.advance(1799)
    assert validator.validate(raw).old_secret
    clock.advance(2)
    with pytest.raises(package.SignatureRejected):
        validator.validate(raw)
    assert validator.stats()["old_secrets"] == 2


class TestOtherKinds:
    def test_client_assertions(self, package: ModuleType) -> None:
        new, old = (FakeClient("c", alg="HS256", clock=CLOCK) for _ in range(2))
        validator = package.ClientAssertionValidator(
            client_id="c",
            keys=package.JWKSet([package.JWK.from_secret(c.key.secret, alg="HS256") for c in (new, old)]),
            algorithms=["HS256"],
            audience=ISSUER,
            replay=None,
            clock=CLOCK,
        )
        told: list[Any] = []
        validator.notify(told.append)
        form = {"client_assertion_type": package.CLIENT_ASSERTION_TYPE}
        for client in (new, old):
            raw = client.assertion(audience=ISSUER)
            validator.validate(raw)
            asyncio.run(validator.avalidate(raw))
            validator.validate_form(form | {"client_assertion": raw})
        stats = validator.stats()
        assert (stats["accepted"], stats["old_secrets"]) == (6, 3)
        assert told == [package.events.OldSecretEvent("client_assertion", "c")] * 3

    def test_id_tokens_and_hints(self, package: ModuleType) -> None:
        """S004-24: an ``id_token_hint`` is one of the places."""
        validator = make(package, "IDTokenValidator")
        for issuer in (NEW, OLD):
            raw = issuer.id_token(client_id="c")
            validator.validate(raw, nonce=None)
            asyncio.run(validator.avalidate(raw, nonce=None))
            validator.validate_hint(raw)
            with pytest.raises(package.ContextRejected):
                validator.validate(issuer.id_token(client_id="c", nonce="n"), nonce="other")
        stats = validator.stats()
        assert (stats["accepted"], stats["old_secrets"]) == (6, 3)

    def test_authorization_responses(self, package: ModuleType) -> None:
        validator = make(package, "AuthorizationResponseValidator")
        for issuer in (NEW, OLD):
            raw = issuer.authorization_response(client_id="c", state="s", code="x")
            answer = validator.validate_response({"response": raw}, state="s")
            assert answer.old_secret is (issuer is OLD)
            with pytest.raises(package.ContextRejected):
                validator.validate(raw, state="other")
        stats = validator.stats()
        assert (stats["accepted"], stats["old_secrets"]) == (2, 1)

    def test_signed_introspection_answers(self, package: ModuleType) -> None:
        validator = make(package, "IntrospectionResponseValidator")
        for issuer in (NEW, OLD):
            raw = issuer.introspection_jwt({"active": True}, audience=AUDIENCE)
            validator.validate(raw)
            asyncio.run(validator.avalidate(raw))
        stats = validator.stats()
        assert (stats["accepted"], stats["old_secrets"]) == (4, 2)

    def test_a_client_counts_the_answers_to_its_questions(self, package: ModuleType) -> None:
        """An answer that is kept was verified once, and counts once."""
        import importlib

        clients = importlib.import_module("keybound.clients")
        responses = importlib.import_module("keybound.keys")
        validator = make(package, "IntrospectionResponseValidator")

        def transport(request: Any) -> Any:
            raw = OLD.introspection_jwt({"active": True, "exp": int(CLOCK()) + 600}, audience=AUDIENCE)
            return responses.Response(status=200, headers={}, body=raw.encode())

        client = clients.IntrospectionClient(
            "https://as.example.com/introspect",
            validator=validator,
            authentication=clients.ClientSecretBasic("c", "s" * 32),
            transport=transport,
        )
        for _ in range(2):
            client.validate("an-opaque-token")
        assert (client.stats()["accepted"], client.stats()["old_secrets"]) == (2, 1)
        assert validator.stats()["old_secrets"] == 0


class TestEncryption:
    """S004-24: symmetric decryption, whose keys are the client's secret or stand beside it."""

    @pytest.fixture(params=["dir", "A128KW", "A128GCMKW"])
    def secrets(self, request: Any) -> list[EncryptionKey]:
        return [EncryptionKey.generate(request.param, enc=ENC) for _ in range(2)]

    @staticmethod
    def decryption(package: ModuleType, secrets: list[EncryptionKey]) -> Any:
        keys = [package.DecryptionKey.from_secret(each.secret, alg=each.alg) for each in secrets]
        return package.Decryption(
            keys=package.DecryptionKeys(keys), algorithms=[secrets[0].alg], encryptions=[ENC]
        )

    @staticmethod
    def encrypted(content: str, key: EncryptionKey) -> str:
        return encrypt_jwe(content, key, enc=ENC, header={"cty": "JWT"})

    @pytest.mark.parametrize("road", ROADS)
    def test_access_tokens(self, package: ModuleType, secrets: list[EncryptionKey], road: str) -> None:
        """The same signed token under both secrets: what the cache knows of one is nothing for the other."""
        validator = make(
            package,
            keys=package.JWKSet.from_json(PUBLIC.jwks()),
            algorithms=["ES256"],
            decryption=self.decryption(package, secrets),
        )
        signed = PUBLIC.access_token(audience=AUDIENCE)
        for _ in range(2):
            for key in secrets:
                token = ROADS[road](validator, self.encrypted(signed, key))
                assert token.old_secret is (key is secrets[1])
        assert (validator.stats()["accepted"], validator.stats()["old_secrets"]) == (4, 2)

    def test_what_is_signed_and_encrypted_with_old_ones_counts_once(
        self, package: ModuleType, secrets: list[EncryptionKey]
    ) -> None:
        validator = make(package, "IDTokenValidator", decryption=self.decryption(package, secrets))
        for issuer in (NEW, OLD):
            for key in secrets:
                raw = self.encrypted(issuer.id_token(client_id="c"), key)
                token = validator.validate(raw, nonce=None)
                assert token.old_secret is (issuer is OLD or key is secrets[1])
        stats = validator.stats()
        assert (stats["accepted"], stats["old_secrets"]) == (4, 3)

    def test_a_key_that_turns_up_later(self, package: ModuleType, secrets: list[EncryptionKey]) -> None:
        """Where the source of keys has to be asked for the kid of what is inside."""
        document = json.loads(json.dumps(PUBLIC.jwks()))

        class Seeking:
            def __init__(self) -> None:
                self.keys = package.JWKSet.from_json(FakeIssuer(ISSUER, alg="ES256").jwks())

            def snapshot(self) -> Any:
                return self.keys

            peek = snapshot

            def refresh_for(self, kid: str) -> bool:
                self.keys = package.JWKSet.from_json(document)
                return kid == PUBLIC.key.kid

            async def aget(self) -> Any:
                return self.keys

            async def arefresh_for(self, kid: str) -> bool:
                return self.refresh_for(kid)

        raw = self.encrypted(PUBLIC.access_token(audience=AUDIENCE), secrets[1])
        for road in ("validate", "avalidate"):
            validator = make(
                package,
                keys=Seeking(),
                algorithms=["ES256"],
                decryption=self.decryption(package, secrets),
            )
            assert ROADS[road](validator, raw).old_secret
            assert validator.stats()["old_secrets"] == 1

    def test_private_keys_are_no_secrets(self, package: ModuleType) -> None:
        recipients = [EncryptionKey.generate("ECDH-ES+A128KW") for _ in range(2)]
        keys = [
            package.DecryptionKey.from_json(each.private_jwk() | {"kid": str(number)})
            for number, each in enumerate(recipients)
        ]
        decryption = package.Decryption(
            keys=package.DecryptionKeys(keys), algorithms=["ECDH-ES+A128KW"], encryptions=[ENC]
        )
        validator = make(package, "IDTokenValidator", decryption=decryption)
        for number, key in enumerate(recipients):
            header = {"cty": "JWT", "kid": str(number)}
            raw = encrypt_jwe(NEW.id_token(client_id="c"), key, enc=ENC, header=header)
            assert validator.validate(raw, nonce=None).old_secret is False
        assert validator.stats()["old_secrets"] == 0


def test_jwe_says_it_too(package: ModuleType) -> None:
    secrets = [EncryptionKey.generate("A128KW") for _ in range(2)]
    keys = package.DecryptionKeys(
        [package.DecryptionKey.from_secret(each.secret, alg=each.alg) for each in secrets]
    )
    for key in secrets:
        opened = package.jwe.decrypt(
            encrypt_jwe("x", key, enc=ENC), keys, algorithms=["A128KW"], encryptions=[ENC]
        )
        assert opened.old_secret is (key is secrets[1])
