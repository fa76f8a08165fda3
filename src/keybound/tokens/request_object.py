"""Request objects: signed authorization requests (RFC 9101; FAPI 1 Advanced, 5.2.2; CIBA Core, 7.1.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

from keybound._hotpath.contract import Marker
from keybound._hotpath.markers import markers
from keybound._hotpath.scope import scope_tokens
from keybound.clock import Clock, system_clock
from keybound.errors import PolicyError, Reason, TokenRejected, rejection
from keybound.frozen import FrozenDict, freeze
from keybound.jose.jwk import JWK
from keybound.jose.nesting import Opener
from keybound.keys import KeySource
from keybound.kinds import TokenKind, classify
from keybound.limits import DEFAULT_LIMITS, Limits
from keybound.policy import Profile, TokenPolicy, text, text_list
from keybound.profiles.oauth import OAUTH
from keybound.tokens._audience import OK, Audience, AudienceCheck, JudgedToken
from keybound.tokens._parameters import PARAMETERS, mistyped, same_value
from keybound.tokens._validator import TokenValidator

if TYPE_CHECKING:
    from keybound.stores import ReplayStore
    from keybound.stores.revocation import Revocation

__all__ = ["Duplicates", "RequestObject", "RequestObjectValidator"]

Duplicates = Literal["must-match", "ignored"]
"""What to do about parameters that stand in the request object and beside it: the signed ones are used in any
case (RFC 9101, 6.3), and the others have to say the same or are not looked at."""

_NESTED = ("request", "request_uri")
_OF_THE_JWT = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})
_ALWAYS_COMPARED = frozenset({"client_id", "response_type"})

_OF_A_REQUEST = Marker.REQUEST | Marker.ACCESS


class RequestObject(JudgedToken):
    """A request object that passed every check of its validator. Immutable; never prints the token."""

    __slots__ = ()

    @property
    def parameters(self) -> FrozenDict:
        """The parameters of the request: these and no others are to be used (RFC 9101, 6.3)."""
        members = {name: value for name, value in self.claims.items() if name not in _OF_THE_JWT}
        parameters: FrozenDict = freeze(members)
        return parameters

    @property
    def client_id(self) -> str:
        """The client that signed it: ``iss``."""
        return self.issuer

    @property
    def response_type(self) -> str | None:
        """``response_type``, or ``None``, as in a backchannel request."""
        value: str | None = self.claim("response_type")
        return value

    @property
    def response_mode(self) -> str | None:
        """``response_mode``, or ``None``."""
        value: str | None = self.claim("response_mode")
        return value

    @property
    def redirect_uri(self) -> str | None:
        """``redirect_uri``, or ``None``; to be compared with the registered ones as in any request."""
        value: str | None = self.claim("redirect_uri")
        return value

    @property
    def scopes(self) -> frozenset[str]:
        """Tokens of ``scope``."""
        return frozenset(scope_tokens(self.claim("scope", ""), ""))

    @property
    def state(self) -> str | None:
        """``state``, or ``None``."""
        value: str | None = self.claim("state")
        return value

    @property
    def nonce(self) -> str | None:
        """``nonce``, or ``None``."""
        value: str | None = self.claim("nonce")
        return value

    @property
    def code_challenge(self) -> str | None:
        """``code_challenge`` (RFC 7636, 4.3), or ``None``."""
        value: str | None = self.claim("code_challenge")
        return value

    @property
    def code_challenge_method(self) -> str | None:
        """``code_challenge_method`` (RFC 7636, 4.3), or ``None``."""
        value: str | None = self.claim("code_challenge_method")
        return value

    @property
    def max_age(self) -> int | None:
        """``max_age`` in seconds (OpenID Connect Core, 3.1.2.1), or ``None``."""
        value: int | None = self.claim("max_age")
        return value

    @property
    def login_hint(self) -> str | None:
        """``login_hint``, or ``None``."""
        value: str | None = self.claim("login_hint")
        return value

    @property
    def binding_message(self) -> str | None:
        """``binding_message`` (OpenID Connect CIBA Core, 7.1), or ``None``."""
        value: str | None = self.claim("binding_message")
        return value


class RequestObjectValidator(TokenValidator[RequestObject]):
    """Validates the request objects of one client. Make one per client; use it from any thread.

    Unsigned request objects do not exist here. What an authorization server checks of any request, signed
    or not, is left to it: registered redirect URIs, PKCE, scopes.

    :param client_id: the client, which must be ``iss`` and, where there is one, ``client_id``
    :param keys: the client's keys for request objects; those for its assertions may be others
    :param audience: the issuer identifier of this authorization server (RFC 9101, 4), or whatever else must
        be in ``aud``; an audience policy bound to the server; or its metadata, for that of the profile
    :param algorithms: allow-list of ``alg`` values, such as the client's registered
        ``request_object_signing_alg``; mandatory unless the profile brings one
    :param profile: a member of :mod:`keybound.profiles`
    :param types: accepted ``typ`` values in place of the profile's
    :param explicit_typing: demand ``typ`` ``oauth-authz-req+jwt`` (RFC 9101, 10.8)
    :param decryption: a :class:`keybound.Decryption` where the client encrypts its request objects; then
        those that are not encrypted are rejected
    :param replay: where used request objects are remembered, a :class:`keybound.stores.ReplayStore`; makes
        ``exp`` and ``jti`` mandatory. ``None`` accepts one as often as it comes
    :param redirect_uris: the client's registered redirect URIs, for :meth:`error_redirect_uri`
    :param duplicates: see :data:`Duplicates`
    :param leeway: clock skew in seconds, granted to every time alike
    :param max_expiry_distance: greatest distance of ``exp`` from now, and from ``iat`` where there is one,
        in seconds; makes ``exp`` mandatory
    :param max_nbf_age: greatest time since ``nbf``, in seconds; makes ``nbf`` mandatory
    :param max_lifetime: greatest ``exp`` minus ``iat``, in seconds; makes both mandatory
    :param max_token_age: greatest time since ``iat``, in seconds; makes ``iat`` mandatory
    :param jti_length: longest ``jti``, in characters; ``None`` for any
    :param required_claims: names that must be present, besides those of the profile
    :param forbidden_claims: names that must not be present, besides ``request`` and ``request_uri``
    :param expected_claims: claims and the one text that each must be
    :param limits: ceilings in bytes and nesting
    :param clock: returns seconds since 1970-01-01T00:00:00Z
    :param revocation: as for :class:`keybound.AccessTokenValidator`; for one object that was
        withdrawn by its ``jti``; a function can tell of all; asked before the replay store
    :raises PolicyError: the options are unsafe, contradictory or impossible
    """

    _error = "invalid_request_object"

    def __init__(
        self,
        *,
        client_id: str,
        keys: KeySource | JWK,
        audience: Audience,
        algorithms: Iterable[str] | None = None,
        profile: Profile = OAUTH,
        types: Iterable[str] | None = None,
        explicit_typing: bool = False,
        decryption: Opener | None = None,
        replay: ReplayStore | None = None,
        redirect_uris: str | Iterable[str] = (),
        duplicates: Duplicates = "must-match",
        leeway: float = 10,
        max_expiry_distance: float | None = None,
        max_nbf_age: float | None = None,
        max_lifetime: float | None = None,
        max_token_age: float | None = None,
        jti_length: int | None = 128,
        required_claims: Iterable[str] = (),
        forbidden_claims: Iterable[str] = (),
        expected_claims: Mapping[str, str] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        clock: Clock = system_clock,
        revocation: Revocation | None = None,
    ) -> None:
        self._audience = AudienceCheck(TokenKind.REQUEST_OBJECT, audience, profile)
        needed = () if replay is None else ("exp", "jti")
        policy = TokenPolicy.create(
            TokenKind.REQUEST_OBJECT,
            issuer=text("client_id", client_id),
            audience=self._audience.texts,
            profile=profile,
            algorithms_=algorithms,
            types=types,
            explicit_typing=explicit_typing,
            leeway=leeway,
            max_expiry_distance=max_expiry_distance,
            max_nbf_age=max_nbf_age,
            max_lifetime=max_lifetime,
            max_age=max_token_age,
            jti_length=jti_length,
            required_claims=(*needed, *text_list("required_claims", required_claims)),
            # RFC 9101, 4: in no profile.
            forbidden_claims=(*_NESTED, *text_list("forbidden_claims", forbidden_claims)),
            expected_claims=expected_claims,
            limits=limits,
        )
        super().__init__(
            policy,
            RequestObject,
            keys=keys,
            clock=clock,
            decryption=decryption,
            replay=replay,
            revocation=revocation,
        )
        if not isinstance(duplicates, str) or duplicates not in get_args(Duplicates):
            raise PolicyError(f"duplicates must be one of {', '.join(get_args(Duplicates))}")
        self._client_id = text("client_id", client_id)
        self._redirect_uris = text_list("redirect_uris", redirect_uris)
        self._all_compared = duplicates == "must-match"

    def validate(
        self,
        raw: str | bytes,
        *,
        endpoint: str = "authorization_endpoint",
        parameters: Mapping[str, Any] | None = None,
    ) -> RequestObject:
        """Validate a request object that was received at an endpoint.

        :param raw: the request object
        :param endpoint: metadata name of the endpoint, for the audience policy
        :param parameters: the plain parameters of the same request, each a text, which are compared and
            never used; ``request`` itself and what the object does not have are left aside
        :raises TokenRejected: it must not be accepted; ``.reason`` tells why, ``.error_response()`` what to
            answer and :meth:`error_redirect_uri` where
        :raises Unavailable: the key source or the replay store cannot answer now, or nobody can tell whether
            it was revoked
        :raises PolicyError: the audience policy has no rule for this endpoint
        """
        return self._use(self._unrevoked(self._check(self._open(raw), endpoint, parameters)))

    async def avalidate(
        self,
        raw: str | bytes,
        *,
        endpoint: str = "authorization_endpoint",
        parameters: Mapping[str, Any] | None = None,
    ) -> RequestObject:
        """:meth:`validate` for use in an event loop."""
        checked = self._check(await self._aopen(raw), endpoint, parameters)
        return await self._ause(await self._aunrevoked(checked))

    def error_redirect_uri(self, parameters: Mapping[str, Any]) -> str | None:
        """Where the user agent may be redirected with the error of a rejected request object.

        What a rejected object says of it is worth nothing, so the plain request decides.

        :param parameters: the plain parameters of the request
        :returns: a registered redirect URI, or ``None``: do not redirect (RFC 6749, 4.1.2.1)
        """
        _check_parameters(parameters)
        if parameters.get("client_id", self._client_id) != self._client_id:
            return None
        plain = parameters.get("redirect_uri")
        if plain is None and "redirect_uri" not in parameters and len(self._redirect_uris) == 1:
            return self._redirect_uris[0]
        return plain if plain in self._redirect_uris else None

    def _check(
        self, token: RequestObject, endpoint: str, parameters: Mapping[str, Any] | None
    ) -> RequestObject:
        """Everything but revocation and replay, which are only for an object that is good otherwise."""
        # RFC 9101, 10.8: such an object could be used as a client assertion.
        if token.claim("sub") == self._client_id:
            raise _invalid_request(Reason.SUBJECT_IS_CLIENT)
        if token.claim("client_id", self._client_id) != self._client_id:
            raise _invalid_request(Reason.CLAIM_MISMATCH, "client_id")
        # RFC 9101, 4: without its type it shows what it is by the parameters that no other kind has.
        if classify(token.header, {}) is None and not markers(token.claims) & _OF_A_REQUEST:
            raise self._rejection(Reason.KIND_MISMATCH)
        name = mistyped(token.claims)
        if name is not None:
            raise self._rejection(Reason.CLAIM_INVALID, name)
        reason = self._audience.judge(token, endpoint, self._client_id)
        if reason is not OK:
            raise self._rejection(reason)
        if parameters is not None:
            self._compare(token.claims, _check_parameters(parameters))
        return token

    def _compare(self, claims: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        """RFC 9101, 5 and 6.3; OpenID Connect Core, 6.1."""
        if parameters.get("client_id", self._client_id) != self._client_id:
            raise _invalid_request(Reason.CLIENT_MISMATCH)
        if "request" in parameters and "request_uri" in parameters:
            raise _invalid_request(Reason.PARAMETER_MISMATCH, "request_uri")
        for name, plain in parameters.items():
            if name not in claims or not (self._all_compared or name in _ALWAYS_COMPARED):
                continue
            if not same_value(name, plain, claims[name]):
                # Other names are text from the request.
                raise _invalid_request(Reason.PARAMETER_MISMATCH, name if name in PARAMETERS else None)


def _check_parameters(parameters: object) -> Mapping[str, Any]:
    if not isinstance(parameters, Mapping):
        raise PolicyError("parameters must be a mapping of parameter names to texts")
    return parameters


def _invalid_request(reason: Reason, claim: str | None = None) -> TokenRejected:
    """Not the object is malformed, but the request that it is part of (RFC 9101, 6.3)."""
    return rejection(reason, claim=claim, error="invalid_request")
