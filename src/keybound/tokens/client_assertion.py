"""Client assertions: ``private_key_jwt``, ``client_secret_jwt`` (RFC 7523, 2.2; OpenID Connect Core, 9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from keybound.clock import Clock, system_clock
from keybound.errors import KeyboundError, PolicyError, Reason, TokenRejected, rejection
from keybound.jose.jwk import JWK
from keybound.keys import KeySource
from keybound.kinds import TokenKind
from keybound.limits import DEFAULT_LIMITS, Limits
from keybound.policy import Profile, TokenPolicy, text, text_list
from keybound.profiles.oauth import OAUTH
from keybound.tokens._audience import OK, Audience, AudienceCheck, JudgedToken
from keybound.tokens._validator import TokenValidator

if TYPE_CHECKING:
    from keybound.stores import ReplayStore
    from keybound.stores.revocation import Revocation

__all__ = ["CLIENT_ASSERTION_TYPE", "ClientAssertion", "ClientAssertionValidator"]

CLIENT_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""The one value of ``client_assertion_type`` that means a JWT (RFC 7523, 2.2)."""


class ClientAssertion(JudgedToken):
    """A client assertion that passed every check of its validator. Immutable; never prints the token."""

    __slots__ = ()

    @property
    def client_id(self) -> str:
        """The client that is authenticated: ``sub``, which is ``iss`` as well."""
        value: str = self.claim("sub")
        return value


class ClientAssertionValidator(TokenValidator[ClientAssertion]):
    """Authenticates one client by its assertions. Make one per client; use it from any thread.

    :param client_id: the client, which must be ``iss`` and ``sub`` of its assertions (RFC 7523, 3)
    :param keys: the client's keys: a :class:`~keybound.JWKSet`, a single :class:`~keybound.JWK`, or a key
        source; for ``client_secret_jwt`` its secret, and for a while the former one behind it
    :param audience: an audience policy bound to this authorization server, which judges ``aud`` at each
        endpoint; the server's metadata, for the audience policy of the profile; or, where the profile has
        none, a text or several, of which one must be in ``aud``, whatever the endpoint
    :param replay: where used assertions are remembered, a :class:`keybound.stores.ReplayStore`; ``None``
        accepts an assertion as often as it comes until it expires
    :param algorithms: allow-list of ``alg`` values, such as the client's registered
        ``token_endpoint_auth_signing_alg``; mandatory unless the profile brings one
    :param profile: a member of :mod:`keybound.profiles`
    :param types: accepted ``typ`` values in place of the profile's
    :param explicit_typing: demand ``typ`` ``client-authentication+jwt`` (draft-ietf-oauth-rfc7523bis, 4)
    :param grant_types: the grant types that this client may use; ``None`` for any
    :param leeway: clock skew in seconds, granted to ``exp``, ``nbf`` and ``iat`` alike
    :param max_expiry_distance: greatest distance of ``exp`` from now, and from ``iat`` where there is one,
        in seconds; a day unless the profile has less
    :param max_lifetime: greatest ``exp`` minus ``iat``, in seconds; makes ``iat`` mandatory
    :param max_age: greatest time since ``iat``, in seconds; makes ``iat`` mandatory
    :param jti_length: longest ``jti``, in characters; ``None`` for any
    :param required_claims: names that must be present, besides those of the profile
    :param forbidden_claims: names that must not be present
    :param expected_claims: claims and the one text that each must be
    :param limits: ceilings in bytes and nesting
    :param clock: returns seconds since 1970-01-01T00:00:00Z
    :param revocation: as for :class:`keybound.AccessTokenValidator`; for a client that is no
        longer trusted by its ``sub``, or one assertion by its ``jti``; asked before the replay store
    :raises PolicyError: the options are unsafe, contradictory or impossible
    """

    _error = "invalid_client"

    _counts_itself = True

    def __init__(
        self,
        *,
        client_id: str,
        keys: KeySource | JWK,
        audience: Audience,
        replay: ReplayStore | None,
        algorithms: Iterable[str] | None = None,
        profile: Profile = OAUTH,
        types: Iterable[str] | None = None,
        explicit_typing: bool = False,
        grant_types: str | Iterable[str] | None = None,
        leeway: float = 10,
        max_expiry_distance: float | None = None,
        max_lifetime: float | None = None,
        max_age: float | None = None,
        jti_length: int | None = 128,
        required_claims: Iterable[str] = (),
        forbidden_claims: Iterable[str] = (),
        expected_claims: Mapping[str, str] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        clock: Clock = system_clock,
        revocation: Revocation | None = None,
    ) -> None:
        self._audience = AudienceCheck(TokenKind.CLIENT_ASSERTION, audience, profile)
        if self._audience.texts is not None and getattr(profile, "audience_policy", None) is not None:
            raise PolicyError(
                "the profile has an audience policy: audience must be the server's metadata or a bound policy"
            )
        needed = ("exp",) if replay is None else ("exp", "jti")
        policy = TokenPolicy.create(
            TokenKind.CLIENT_ASSERTION,
            issuer=text("client_id", client_id),
            subject=client_id,
            audience=self._audience.texts,
            profile=profile,
            algorithms_=algorithms,
            types=types,
            explicit_typing=explicit_typing,
            leeway=leeway,
            max_expiry_distance=max_expiry_distance,
            max_lifetime=max_lifetime,
            max_age=max_age,
            jti_length=jti_length,
            required_claims=(*needed, *text_list("required_claims", required_claims)),
            forbidden_claims=forbidden_claims,
            expected_claims=expected_claims,
            limits=limits,
        )
        super().__init__(
            policy, ClientAssertion, keys=keys, clock=clock, replay=replay, revocation=revocation
        )
        self._client_id = text("client_id", client_id)
        self._grant_types = None if grant_types is None else text_list("grant_types", grant_types, some=True)

    def validate(
        self, raw: str | bytes, *, endpoint: str = "token_endpoint", grant_type: str | None = None
    ) -> ClientAssertion:
        """Validate an assertion that was received at an endpoint. It counts as used then.

        :param raw: the assertion
        :param endpoint: metadata name of the endpoint, for the audience policy
        :param grant_type: the grant type that the request is part of, where the client's are limited
        :raises TokenRejected: it must not be accepted; ``.reason`` tells why, ``.error_response()`` what to
            answer
        :raises Unavailable: the key source or the replay store cannot answer now, or nobody can tell whether
            it was revoked
        :raises PolicyError: the audience policy has no rule for this endpoint
        """
        try:
            checked = self._check(self._open(raw), endpoint, grant_type)
            assertion = self._use(self._unrevoked(checked))
        except KeyboundError as error:
            self._outcomes.ended(error)
            raise
        self._outcomes.accepted(old_secrets=int(assertion.old_secret))
        return assertion

    async def avalidate(
        self, raw: str | bytes, *, endpoint: str = "token_endpoint", grant_type: str | None = None
    ) -> ClientAssertion:
        """:meth:`validate` for use in an event loop."""
        try:
            checked = self._check(await self._aopen(raw), endpoint, grant_type)
            assertion = await self._ause(await self._aunrevoked(checked))
        except KeyboundError as error:
            self._outcomes.ended(error)
            raise
        self._outcomes.accepted(old_secrets=int(assertion.old_secret))
        return assertion

    def validate_form(
        self, form: Mapping[str, Any], *, endpoint: str = "token_endpoint", grant_type: str | None = None
    ) -> ClientAssertion:
        """Validate the assertion in the parameters of a request (RFC 7521, 4.2; RFC 7523, 2.2).

        :param form: the parameters, each a text
        :param endpoint: as for :meth:`validate`
        :param grant_type: as for :meth:`validate`; the parameter ``grant_type`` if left out
        :raises TokenRejected: as :meth:`validate`, or the other parameters do not go with an assertion of
            this client
        """
        raw = self._assertion_in(form)
        return self.validate(raw, endpoint=endpoint, grant_type=grant_type or form.get("grant_type"))

    async def avalidate_form(
        self, form: Mapping[str, Any], *, endpoint: str = "token_endpoint", grant_type: str | None = None
    ) -> ClientAssertion:
        """:meth:`validate_form` for use in an event loop."""
        raw = self._assertion_in(form)
        return await self.avalidate(raw, endpoint=endpoint, grant_type=grant_type or form.get("grant_type"))

    def _check(self, assertion: ClientAssertion, endpoint: str, grant_type: str | None) -> ClientAssertion:
        """Everything but revocation and replay, which are only for an assertion that is good otherwise."""
        if self._grant_types is not None and grant_type not in self._grant_types:
            raise rejection(Reason.GRANT_TYPE_NOT_ALLOWED, error="unauthorized_client")
        reason = self._audience.judge(assertion, endpoint, self._client_id)
        if reason is not OK:
            raise self._rejection(reason)
        return assertion

    def _assertion_in(self, form: Mapping[str, Any]) -> Any:
        if not isinstance(form, Mapping):
            raise PolicyError("form must be a mapping of parameter names to texts")
        try:
            return self._alone(form)
        except TokenRejected as error:
            self._outcomes.ended(error)
            raise

    def _alone(self, form: Mapping[str, Any]) -> Any:
        """The assertion, if what stands beside it goes with it."""
        raw = form.get("client_assertion")
        if raw is None:
            raise self._rejection(Reason.TOKEN_MISSING)
        if form.get("client_assertion_type") != CLIENT_ASSERTION_TYPE:
            raise self._rejection(Reason.ASSERTION_TYPE_MISMATCH)
        # RFC 7521, 4.2: optional beside an assertion, but then of the same client.
        if form.get("client_id", self._client_id) != self._client_id:
            raise self._rejection(Reason.CLIENT_MISMATCH)
        return raw
