"""Logout tokens (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from keybound.clock import Clock, system_clock
from keybound.errors import Reason
from keybound.jose.jwk import JWK
from keybound.jose.nesting import Opener
from keybound.keys import KeySource
from keybound.kinds import LOGOUT_EVENT, TokenKind
from keybound.limits import DEFAULT_LIMITS, Limits
from keybound.policy import Profile, TokenPolicy, text, text_list
from keybound.profiles.oauth import OAUTH
from keybound.tokens._validator import text_claim
from keybound.tokens.security_event_token import EventTokenValidator, SecurityEventToken

if TYPE_CHECKING:
    from keybound.stores import ReplayStore

__all__ = ["LogoutToken", "LogoutTokenValidator"]


class LogoutToken(SecurityEventToken):
    """A logout token that passed every check of its validator: it names a session, a user, or both.

    Immutable; never prints the token.
    """

    __slots__ = ()

    @property
    def session_id(self) -> str | None:
        """``sid``; with ``None`` every session of ``subject`` has ended (2.4)."""
        value: str | None = self.claim("sid")
        return value


class LogoutTokenValidator(EventTokenValidator[LogoutToken]):
    """Validates logout tokens for one client. Make it once; use it from any thread.

    Its rejections are answered with 400 and ``error_response()`` (2.8).

    :param issuer: issuer identifier of the OpenID provider, compared code point by code point
    :param client_id: this client, which must be in ``aud``
    :param keys: a :class:`~keybound.JWKSet`, a single :class:`~keybound.JWK`, or a key source
    :param algorithms: allow-list of ``alg`` values; mandatory unless the profile brings one
    :param profile: a member of :mod:`keybound.profiles`
    :param types: accepted ``typ`` values in place of the profile's
    :param explicit_typing: demand the ``typ`` that only this kind has, ``logout+jwt``
    :param trusted_audiences: what may stand in ``aud`` besides the client (2.6, as for ID tokens)
    :param allow_missing_exp: accept tokens that never expire, as providers sent them before 2022
    :param decryption: a :class:`keybound.Decryption` where tokens are signed and then encrypted; then those
        that are not encrypted are rejected
    :param replay: remembers used tokens by ``iss`` and ``jti`` (2.6)
    :param leeway: clock skew in seconds, granted to every time alike
    :param max_lifetime: greatest ``exp`` minus ``iat``, in seconds; providers are told to stay within 120 (4)
    :param max_age: greatest time since ``iat``, in seconds
    :param required_claims: names that must be present, besides those of the profile; ``sid`` for a client
        with ``backchannel_logout_session_required``
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
        client_id: str,
        keys: KeySource | JWK,
        algorithms: Iterable[str] | None = None,
        profile: Profile = OAUTH,
        types: Iterable[str] | None = None,
        explicit_typing: bool = False,
        trusted_audiences: str | Iterable[str] = (),
        allow_missing_exp: bool = False,
        decryption: Opener | None = None,
        replay: ReplayStore | None = None,
        leeway: float = 10,
        max_lifetime: float | None = None,
        max_age: float | None = None,
        required_claims: Iterable[str] = (),
        forbidden_claims: Iterable[str] = (),
        expected_claims: Mapping[str, str] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        clock: Clock = system_clock,
    ) -> None:
        policy = TokenPolicy.create(
            TokenKind.LOGOUT_TOKEN,
            issuer=text("issuer", issuer),
            audience=text("client_id", client_id),
            profile=profile,
            algorithms_=algorithms,
            types=types,
            explicit_typing=explicit_typing,
            leeway=leeway,
            max_lifetime=max_lifetime,
            max_age=max_age,
            required_claims=required_claims,
            forbidden_claims=forbidden_claims,
            expected_claims=expected_claims,
            allow_missing_exp=allow_missing_exp,
            limits=limits,
        )
        super().__init__(policy, LogoutToken, keys=keys, clock=clock, decryption=decryption, replay=replay)
        self._audiences = {*policy.audience, *text_list("trusted_audiences", trusted_audiences)}

    def _check_events(self, token: LogoutToken) -> None:
        """2.6 (6)"""
        super()._check_events(token)
        if LOGOUT_EVENT not in token.events:
            raise self._rejection(Reason.EVENT_UNEXPECTED)

    def _check_subject(self, token: LogoutToken) -> None:
        """2.6 (4) and (5)"""
        super()._check_subject(token)
        if not self._audiences.issuperset(token.audience):
            raise self._rejection(Reason.AUD_NOT_SOLE)
        session = text_claim(token, "sid", may_be_empty=False, error=self._error)
        if session is None and token.subject is None:
            raise self._rejection(Reason.CLAIM_MISSING, "sid")
