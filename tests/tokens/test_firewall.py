"""SX-01: every kind of token in the slot of every other; only its own lets it in.

The worst case on purpose: one key signs everything, issuer and client have one name, and every audience is
the same. What is left to tell the kinds apart is what they are: the type in the header where there is one
(``typed``), and the claims that mark a kind where there is none (``untyped``).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

import keybound
from keybound import TokenKind
from keybound.testing import OMIT, FakeClient, FakeIssuer, dpop_proof, make_token

NAME = "https://one.example.com"
METHOD, URL = "POST", "https://one.example.com/token"

Make = Callable[[Any], str]
Slot = Callable[[Any], object]


class Everybody:
    """One party that plays all parts."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.issuer = FakeIssuer(NAME, clock=clock)
        self.client = FakeClient(NAME, key=self.issuer.key, clock=clock)
        self.usual: dict[str, Any] = {
            "keys": keybound.JWKSet.from_json(self.issuer.jwks()),
            "algorithms": ["ES256"],
            "clock": clock,
        }
        self.as_client: dict[str, Any] = {"issuer": NAME, "client_id": NAME, **self.usual}

    def tokens(self, *, typed: bool) -> dict[TokenKind, str]:
        """A good token of each kind, with or without the type that only its kind has."""
        typ: dict[str, object] = {} if typed else {"typ": OMIT}
        key = self.issuer.key
        return {
            TokenKind.ACCESS_TOKEN: self.issuer.access_token(audience=NAME, header=typ),
            TokenKind.ID_TOKEN: self.issuer.id_token(client_id=NAME, nonce="n", header=typ),
            TokenKind.CLIENT_ASSERTION: self.client.assertion(
                audience=NAME, header={"typ": "client-authentication+jwt"} if typed else typ
            ),
            TokenKind.REQUEST_OBJECT: self.client.request_object(audience=NAME, header=typ),
            TokenKind.AUTHORIZATION_RESPONSE: self.issuer.authorization_response(
                client_id=NAME, state="s", header=typ
            ),
            TokenKind.DPOP_PROOF: dpop_proof(
                key,
                method=METHOD,
                url=URL,
                clock=self.clock,
                header=typ,
                iss=NAME,
                aud=NAME,
                exp=2e9,
                sub=NAME,
            ),
            TokenKind.INTROSPECTION_RESPONSE: self.issuer.introspection_jwt(
                self.issuer.introspection_response(audience=NAME), audience=NAME, header=typ
            ),
            TokenKind.LOGOUT_TOKEN: self.issuer.logout_token(client_id=NAME, header=typ),
        }

    def slots(self) -> dict[TokenKind, Slot]:
        """What takes a token of each kind and raises if it is none."""
        resource: dict[str, Any] = {"issuer": NAME, "audience": NAME, **self.usual}
        own: dict[str, Any] = {"client_id": NAME, "audience": NAME, **self.usual}
        proof = keybound.DPoPProofValidator(algorithms=["ES256"], replay=None, clock=self.clock)
        return {
            TokenKind.ACCESS_TOKEN: keybound.AccessTokenValidator(**resource).validate,
            TokenKind.ID_TOKEN: self._any_nonce(keybound.IDTokenValidator(**self.as_client)),
            TokenKind.CLIENT_ASSERTION: keybound.ClientAssertionValidator(**own, replay=None).validate,
            TokenKind.REQUEST_OBJECT: keybound.RequestObjectValidator(**own).validate,
            TokenKind.AUTHORIZATION_RESPONSE: self._any_state(
                keybound.AuthorizationResponseValidator(**self.as_client)
            ),
            TokenKind.DPOP_PROOF: lambda raw: proof.validate(raw, method=METHOD, url=URL),
            TokenKind.INTROSPECTION_RESPONSE: keybound.IntrospectionResponseValidator(**resource).validate,
            TokenKind.LOGOUT_TOKEN: keybound.LogoutTokenValidator(**self.as_client).validate,
        }

    @staticmethod
    def _any_nonce(validator: keybound.IDTokenValidator) -> Slot:
        """A client that sent no nonce is the easier one to deceive, so both are asked."""
        return lambda raw: either(
            lambda: validator.validate(raw, nonce="n"), lambda: validator.validate(raw, nonce=None)
        )

    @staticmethod
    def _any_state(validator: keybound.AuthorizationResponseValidator) -> Slot:
        return lambda raw: either(
            lambda: validator.validate(raw, state="s"), lambda: validator.validate(raw, state=None)
        )


def decoded(segment: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(segment + "=="))
    return found


def either(first: Callable[[], object], second: Callable[[], object]) -> object:
    try:
        return first()
    except keybound.TokenRejected:
        return second()


@pytest.fixture(scope="module")
def everybody(world: Any) -> Everybody:
    return Everybody(world.clock)


KINDS = [kind for kind in TokenKind if kind is not TokenKind.SECURITY_EVENT_TOKEN]
# RFC 9449, 4.3 (4) and RFC 9701, 5: without its type it is neither.
NEVER_UNTYPED = {TokenKind.DPOP_PROOF, TokenKind.INTROSPECTION_RESPONSE}


@pytest.mark.parametrize("typed", [True, False], ids=["typed", "untyped"])
@pytest.mark.parametrize("slot", KINDS, ids=str)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_only_the_diagonal_passes(
    everybody: Everybody, kind: TokenKind, slot: TokenKind, typed: bool
) -> None:
    """SX-01, S002-06, S002-07: a JWT of one kind is refused in the slot of another."""
    raw, take = everybody.tokens(typed=typed)[kind], everybody.slots()[slot]
    if kind is slot and (typed or kind not in NEVER_UNTYPED):
        assert take(raw)
        return
    with pytest.raises(keybound.TokenRejected):
        take(raw)


@pytest.mark.parametrize("slot", KINDS, ids=str)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_type_that_says_jwt_alone_helps_nobody(
    everybody: Everybody, kind: TokenKind, slot: TokenKind
) -> None:
    """SX-01: ``JWT`` is the type of no kind, and what most issuers write."""
    header, payload, _ = everybody.tokens(typed=False)[kind].split(".")
    fields = decoded(header) | {"typ": "JWT"}
    raw = make_token(fields, payload, everybody.issuer.key)
    take = everybody.slots()[slot]
    if kind is slot and kind not in NEVER_UNTYPED:
        assert take(raw)
        return
    with pytest.raises(keybound.TokenRejected):
        take(raw)


@pytest.mark.parametrize("typed", [True, False], ids=["typed", "untyped"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_classifier_knows_each(everybody: Everybody, kind: TokenKind, typed: bool) -> None:
    """SX-01: exactly one kind is possible for each."""
    header, payload, _ = everybody.tokens(typed=typed)[kind].split(".")
    assert keybound.classify(decoded(header), decoded(payload)) is kind
