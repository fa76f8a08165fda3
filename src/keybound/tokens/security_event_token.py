"""Security event tokens (RFC 8417), and what logout tokens have in common with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from keybound.clock import Clock, system_clock
from keybound.errors import (
    DecryptionRejected,
    KeyRejected,
    PolicyError,
    Reason,
    SignatureRejected,
    TokenRejected,
)
from keybound.frozen import FrozenDict
from keybound.jose.jwk import JWK
from keybound.jose.nesting import Opener
from keybound.keys import KeySource
from keybound.kinds import LOGOUT_EVENT, TokenKind
from keybound.limits import DEFAULT_LIMITS, Limits
from keybound.policy import Profile, TokenPolicy, text, text_list
from keybound.profiles.oauth import OAUTH
from keybound.tokens._validator import Token, TokenValidator, numeric_date, text_claim
from keybound.tokens.subject_identifier import is_subject_identifier, is_uri

if TYPE_CHECKING:
    from keybound.stores import ReplayStore

__all__ = ["EventTokenValidator", "SecurityEventToken", "SecurityEventTokenValidator"]

_AUDIENCE = (
    Reason.AUD_MISSING,
    Reason.AUD_INVALID,
    Reason.AUD_MISMATCH,
    Reason.AUD_ARRAY,
    Reason.AUD_NOT_SOLE,
)
_ISSUER = (Reason.ISS_MISSING, Reason.ISS_INVALID, Reason.ISS_MISMATCH)


class SecurityEventToken(Token):
    """A security event token that passed every check of its validator. Immutable; never prints the token."""

    __slots__ = ()

    @property
    def events(self) -> FrozenDict:
        """``events``: what happened, by the URI of the event type; one event, in one or several aspects."""
        value: FrozenDict = self.claim("events")
        return value

    @property
    def transaction(self) -> str | None:
        """``txn``, or ``None``."""
        value: str | None = self.claim("txn")
        return value

    @property
    def occurred_at(self) -> float | None:
        """``toe``, seconds since 1970-01-01T00:00:00Z, or ``None``."""
        value: float | None = self.claim("toe")
        return value

    @property
    def subject_identifier(self) -> FrozenDict | None:
        """``sub_id`` (RFC 9493, 4.1), or ``None``."""
        value: FrozenDict | None = self.claim("sub_id")
        return value


Result = TypeVar("Result", bound=SecurityEventToken)


class EventTokenValidator(TokenValidator[Result]):
    """What RFC 8417 demands of every kind of token about an event, behind the road."""

    # OpenID Connect Back-Channel Logout, 2.8; RFC 8935, 2.3.
    _error = "invalid_request"

    def validate(self, raw: str | bytes) -> Result:
        """Validate a token. With a replay store it counts as used then, and not if it is rejected.

        :raises TokenRejected: the token must not be accepted; ``.reason`` tells why
        :raises Unavailable: the key source or the replay store cannot answer now
        """
        return self._use(self._checked(self._open(raw)))

    async def avalidate(self, raw: str | bytes) -> Result:
        """:meth:`validate` in an event loop, which it never blocks."""
        return await self._ause(self._checked(await self._aopen(raw)))

    def _checked(self, token: Result) -> Result:
        self._check_events(token)
        self._check_subject(token)
        return token

    def _check_events(self, token: Result) -> None:
        """RFC 8417, 2.2: an object of objects, named by URIs, and at least one."""
        events: Any = token.claim("events")
        if not isinstance(events, Mapping) or not events:
            raise self._rejection(Reason.CLAIM_INVALID, "events")
        if not all(is_uri(name) and isinstance(event, Mapping) for name, event in events.items()):
            raise self._rejection(Reason.CLAIM_INVALID, "events")

    def _check_subject(self, token: Result) -> None:
        text_claim(token, "txn", may_be_empty=False, error=self._error)
        numeric_date(token, "toe", error=self._error)
        if "sub_id" in token.claims and not is_subject_identifier(token.claim("sub_id")):
            raise self._rejection(Reason.CLAIM_INVALID, "sub_id")


class SecurityEventTokenValidator(EventTokenValidator[SecurityEventToken]):
    """Validates security event tokens for one receiver. Make it once; use it from any thread.

    Logout tokens have a validator of their own. What happened is history, so a token needs no ``exp``
    (RFC 8417, 2.2); one that has it is good until then. Profiles that forbid ``exp`` or ``sub`` are followed
    with ``forbidden_claims``.

    :param issuer: who transmits, compared code point by code point
    :param audience: identifier of this receiver, or several; one must be in ``aud``
    :param keys: a :class:`~keybound.JWKSet`, a single :class:`~keybound.JWK`, or a key source
    :param algorithms: allow-list of ``alg`` values; mandatory unless the profile brings one
    :param profile: a member of :mod:`keybound.profiles`
    :param types: accepted ``typ`` values in place of the profile's
    :param explicit_typing: demand the ``typ`` that only this kind has, ``secevent+jwt``
    :param event_types: URIs of which at least one must be among ``events``; any event if left out
    :param decryption: a :class:`keybound.Decryption` where tokens are signed and then encrypted; then those
        that are not encrypted are rejected
    :param replay: remembers used tokens by ``iss`` and ``jti``; needs ``max_age`` or tokens with ``exp``
    :param leeway: clock skew in seconds, granted to every time alike
    :param max_age: greatest time since ``iat``, in seconds
    :param required_claims: names that must be present, besides those of the profile
    :param forbidden_claims: names that must not be present
    :param expected_claims: claims and the one text that each must be
    :param limits: ceilings in bytes and nesting
    :param clock: returns seconds since 1970-01-01T00:00:00Z
    :raises PolicyError: the options are unsafe, contradictory or impossible
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str | Iterable[str],
        keys: KeySource | JWK,
        algorithms: Iterable[str] | None = None,
        profile: Profile = OAUTH,
        types: Iterable[str] | None = None,
        explicit_typing: bool = False,
        event_types: str | Iterable[str] = (),
        decryption: Opener | None = None,
        replay: ReplayStore | None = None,
        leeway: float = 10,
        max_age: float | None = None,
        required_claims: Iterable[str] = (),
        forbidden_claims: Iterable[str] = (),
        expected_claims: Mapping[str, str] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        clock: Clock = system_clock,
    ) -> None:
        policy = TokenPolicy.create(
            TokenKind.SECURITY_EVENT_TOKEN,
            issuer=text("issuer", issuer),
            audience=text_list("audience", audience, some=True),
            profile=profile,
            algorithms_=algorithms,
            types=types,
            explicit_typing=explicit_typing,
            leeway=leeway,
            max_age=max_age,
            required_claims=required_claims,
            forbidden_claims=forbidden_claims,
            expected_claims=expected_claims,
            limits=limits,
        )
        self._event_types = frozenset(text_list("event_types", event_types))
        if not all(is_uri(name) for name in self._event_types):
            raise PolicyError("event_types are URIs (RFC 8417, 2.2)")
        if LOGOUT_EVENT in self._event_types:
            raise PolicyError("logout tokens are validated by keybound.LogoutTokenValidator")
        super().__init__(
            policy, SecurityEventToken, keys=keys, clock=clock, decryption=decryption, replay=replay
        )

    def _check_events(self, token: SecurityEventToken) -> None:
        super()._check_events(token)
        if LOGOUT_EVENT in token.events:
            raise self._rejection(Reason.KIND_MISMATCH)
        if self._event_types and self._event_types.isdisjoint(token.events):
            raise self._rejection(Reason.EVENT_UNEXPECTED)

    @staticmethod
    def delivery_error(rejected: TokenRejected) -> dict[str, str]:
        """The JSON members with which a receiver answers a delivery, status 400 (RFC 8935, 2.3 and 2.4)."""
        code = "invalid_request"
        if isinstance(rejected, (KeyRejected, SignatureRejected, DecryptionRejected)):
            code = "invalid_key"
        elif rejected.reason in _ISSUER:
            code = "invalid_issuer"
        elif rejected.reason in _AUDIENCE:
            code = "invalid_audience"
        return {"err": code, "description": rejected.reason.description}
