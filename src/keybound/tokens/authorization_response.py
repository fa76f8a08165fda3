"""Authorization responses at the client: JWTs (JARM), and plain ones with ``iss`` (RFC 9207)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from keybound.clock import Clock, system_clock
from keybound.errors import PolicyError, Reason, rejection
from keybound.frozen import FrozenDict, freeze
from keybound.jose.jwk import JWK
from keybound.jose.nesting import Opener
from keybound.keys import KeySource
from keybound.kinds import TokenKind
from keybound.limits import DEFAULT_LIMITS, Limits
from keybound.policy import Profile, TokenPolicy, text
from keybound.profiles.oauth import OAUTH
from keybound.tokens._response_metadata import Registration
from keybound.tokens._response_parameters import RESPONSE_PARAMETERS, single_values
from keybound.tokens._validator import Token, TokenValidator, same_text
from keybound.tokens.response_mode import ResponseMode

if TYPE_CHECKING:
    from keybound.jose.decryption_key import DecryptionKey
    from keybound.jose.decryption_keys import DecryptionKeySource

__all__ = [
    "AuthorizationErrorResponse",
    "AuthorizationResponse",
    "AuthorizationResponseValidator",
    "PlainResponses",
]

PlainResponses = Literal["refused", "iss-required", "iss-if-present"]
"""What to do about a response that is no JWT: refuse it, demand the parameter ``iss`` of RFC 9207, or compare
``iss`` where it is present.

``"iss-if-present"`` leaves a client of several authorization servers open to mix-up attacks (RFC 9700, 4.4),
and has to be typed out.
"""

_GRANTS = ("code", "access_token", "id_token")
# RFC 7519, 4.1: they are about the JWT and not part of the response in it.
_OF_THE_JWT = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})


@dataclass(frozen=True, repr=False)
class _Response:
    """:ivar parameters: the response parameters, read-only; numbers are numbers only in a JWT
    :ivar issuer: the authorization server that answered, or ``None`` if a plain response does not say
    :ivar token: the JWT that held them, or ``None`` for a plain response
    """

    parameters: FrozenDict
    issuer: str | None
    token: Token | None

    @property
    def state(self) -> str | None:
        """``state``, which is the one that the request said."""
        value: str | None = self.parameters.get("state")
        return value

    @property
    def signed(self) -> bool:
        """Whether the authorization server signed it."""
        return self.token is not None

    @property
    def old_secret(self) -> bool:
        """Whether it was signed or encrypted with a secret of the client that is being replaced."""
        return self.token is not None and self.token.old_secret

    def __repr__(self) -> str:
        return f"<keybound.{type(self).__name__} {'signed' if self.signed else 'plain'}>"

    def __reduce__(self) -> Any:
        raise TypeError("a verified response cannot be pickled")


class AuthorizationResponse(_Response):
    """A successful authorization response that passed every check. Immutable; never prints what it holds.

    :ivar parameters: the response parameters, read-only; numbers are numbers only in a JWT
    :ivar issuer: the authorization server that answered, or ``None`` if a plain response does not say
    :ivar token: the JWT that held them, or ``None`` for a plain response
    """

    @property
    def code(self) -> str | None:
        """``code``, or ``None`` where the response type has none."""
        value: str | None = self.parameters.get("code")
        return value

    @property
    def access_token(self) -> str | None:
        """``access_token``, or ``None``."""
        value: str | None = self.parameters.get("access_token")
        return value

    @property
    def id_token(self) -> str | None:
        """``id_token``, of which nothing is verified yet, or ``None``."""
        value: str | None = self.parameters.get("id_token")
        return value


class AuthorizationErrorResponse(_Response):
    """A verified response that says why there is no authorization (RFC 6749, 4.1.2.1). Immutable.

    :ivar parameters: the response parameters, read-only
    :ivar issuer: the authorization server that answered, or ``None`` if a plain response does not say
    :ivar token: the JWT that held them, or ``None`` for a plain response
    """

    @property
    def error(self) -> str:
        """``error``, such as ``"access_denied"``."""
        return str(self.parameters["error"])

    @property
    def error_description(self) -> str | None:
        """``error_description`` in printable ASCII, or ``None``."""
        value: str | None = self.parameters.get("error_description")
        return value

    @property
    def error_uri(self) -> str | None:
        """``error_uri``, or ``None``; whose address it is, nobody has checked."""
        value: str | None = self.parameters.get("error_uri")
        return value


class AuthorizationResponseValidator(TokenValidator[Token]):
    """Validates the responses of one authorization server to one client. Make it once.

    Which server and which ``state`` belong to a response, the client has to remember with the session of
    the user agent; ``state`` is good for one response.

    :param issuer: issuer identifier of the authorization server that the request went to
    :param client_id: this client, which must be ``aud`` alone
    :param keys: a :class:`~keybound.JWKSet`, a single :class:`~keybound.JWK`, or a key source
    :param algorithms: allow-list of ``alg`` values, which is what the client has registered as
        ``authorization_signed_response_alg``; mandatory unless the profile brings one
    :param profile: a member of :mod:`keybound.profiles`
    :param types: accepted ``typ`` values in place of the profile's
    :param leeway: clock skew in seconds, granted to every time alike
    :param max_expiry_distance: greatest distance of ``exp`` from now, in seconds; JARM, 2.1 recommends 600
    :param required_claims: names that must be present, besides those of the profile
    :param forbidden_claims: names that must not be present
    :param expected_claims: claims and the one text that each must be
    :param decryption: a :class:`keybound.Decryption` where responses are signed and then encrypted; then
        those that are not encrypted are rejected
    :param plain_responses: what to do about a response that is no JWT: ``"refused"``, ``"iss-required"`` or
        ``"iss-if-present"``, which leaves a client of several servers open to mix-up attacks
    :param limits: ceilings in bytes and nesting
    :param clock: returns seconds since 1970-01-01T00:00:00Z
    :raises PolicyError: the options are unsafe, contradictory or impossible
    """

    _modes: frozenset[str] | None = None

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        keys: KeySource | JWK,
        algorithms: Iterable[str] | None = None,
        profile: Profile = OAUTH,
        types: Iterable[str] | None = None,
        leeway: float = 10,
        max_expiry_distance: float | None = None,
        required_claims: Iterable[str] = (),
        forbidden_claims: Iterable[str] = (),
        expected_claims: Mapping[str, str] | None = None,
        decryption: Opener | None = None,
        plain_responses: PlainResponses = "refused",
        limits: Limits = DEFAULT_LIMITS,
        clock: Clock = system_clock,
    ) -> None:
        policy = TokenPolicy.create(
            TokenKind.AUTHORIZATION_RESPONSE,
            issuer=text("issuer", issuer),
            audience=text("client_id", client_id),
            profile=profile,
            algorithms_=algorithms,
            types=types,
            leeway=leeway,
            max_expiry_distance=max_expiry_distance,
            required_claims=required_claims,
            forbidden_claims=forbidden_claims,
            expected_claims=expected_claims,
            limits=limits,
        )
        if not isinstance(plain_responses, str) or plain_responses not in get_args(PlainResponses):
            raise PolicyError(f"plain_responses must be one of {', '.join(get_args(PlainResponses))}")
        super().__init__(policy, Token, keys=keys, clock=clock, decryption=decryption)
        self._issuer = text("issuer", issuer)
        self._plain = plain_responses

    @classmethod
    def from_metadata(
        cls,
        server: Mapping[str, Any],
        client: Mapping[str, Any],
        *,
        issuer: str,
        keys: KeySource | JWK,
        decryption_keys: DecryptionKeySource | DecryptionKey | None = None,
        allow_deprecated: Iterable[str] = (),
        plain_responses: PlainResponses | None = None,
        profile: Profile = OAUTH,
        leeway: float = 10,
        max_expiry_distance: float | None = None,
        limits: Limits = DEFAULT_LIMITS,
        clock: Clock = system_clock,
    ) -> AuthorizationResponseValidator:
        """A validator for what server and client have agreed on (JARM, 3 and 4; RFC 9207, 3).

        The algorithm is ``authorization_signed_response_alg``, or RS256 where the client has registered
        none. A client that has registered one gets no plain responses. Any other gets them with ``iss`` if
        the server says that it sends it.

        :param server: metadata of the authorization server (RFC 8414, 2); what it does not list as
            supported is refused
        :param client: metadata of the client (RFC 7591, 2), with ``client_id``
        :param issuer: the issuer that the metadata were asked of (RFC 8414, 3.3)
        :param decryption_keys: as ``keys`` of :class:`keybound.Decryption`; mandatory if the client has
            registered ``authorization_encrypted_response_alg``
        :param allow_deprecated: as for :class:`keybound.Decryption`
        :param plain_responses: decides where the client has registered no algorithm
        :raises PolicyError: the metadata are malformed, contradict each other or the options, or are those
            of another issuer; or nothing would tell the responses of this server from those of another
        """
        registration = Registration.read(server, client, issuer=issuer, profile=profile)
        validator = cls(
            issuer=issuer,
            client_id=registration.client_id,
            keys=keys,
            algorithms=[registration.algorithm],
            profile=profile,
            leeway=leeway,
            max_expiry_distance=max_expiry_distance,
            decryption=registration.decryption(decryption_keys, allow_deprecated),
            plain_responses=_plain_responses(registration, plain_responses),
            limits=limits,
            clock=clock,
        )
        validator._modes = registration.response_modes
        return validator

    def response_mode(
        self, mode: ResponseMode | str = ResponseMode.JWT, *, response_type: str = "code"
    ) -> ResponseMode:
        """What to expect when the authorization request says ``response_mode=mode``.

        :param mode: as in the request; ``jwt`` is resolved
        :param response_type: as in the request
        :raises PolicyError: there is no such mode, the server does not support it, it would show tokens
            in a URL, or its responses would be refused
        """
        asked = _mode_named(mode)
        if self._modes is not None and asked.value not in self._modes:
            raise PolicyError("the server does not list this mode in response_modes_supported")
        if self._plain == "refused" and not asked.secured:
            raise PolicyError("plain responses are refused, and this mode asks for one")
        return asked.resolve(response_type, encrypted=self._decryption is not None)

    def validate(
        self, raw: str | bytes, *, state: str | None
    ) -> AuthorizationResponse | AuthorizationErrorResponse:
        """Validate the JWT of an authorization response (JARM, 2.4).

        :param raw: the parameter ``response``
        :param state: what the authorization request said, or ``None`` if it said nothing
        :returns: the response, or what the authorization server says went wrong
        :raises TokenRejected: the response must not be accepted; ``.reason`` tells why
        :raises Unavailable: the key source cannot answer now
        """
        _check_sent(state)
        return self._said_by(self._open(raw), state)

    async def avalidate(
        self, raw: str | bytes, *, state: str | None
    ) -> AuthorizationResponse | AuthorizationErrorResponse:
        """:meth:`validate` in an event loop, which it never blocks."""
        _check_sent(state)
        return self._said_by(await self._aopen(raw), state)

    def validate_response(
        self,
        parameters: Mapping[str, Any] | Iterable[tuple[str, str]],
        *,
        state: str | None,
        response_mode: ResponseMode | str | None = None,
    ) -> AuthorizationResponse | AuthorizationErrorResponse:
        """Validate what came back to the redirection endpoint, whether it is a JWT or not.

        :param parameters: those of the query, the fragment or the form, decoded: pairs, a mapping of names
            to texts or to lists of texts, or the multi-dictionary of a framework
        :param state: what the authorization request said, or ``None`` if it said nothing
        :param response_mode: what the request asked for; after a mode with a JWT, a plain response is
            refused even where ``plain_responses`` are not
        :returns: the response, or what the authorization server says went wrong
        :raises TokenRejected: the response must not be accepted; ``.reason`` tells why
        :raises PolicyError: ``parameters`` are not text
        :raises Unavailable: the key source cannot answer now
        """
        given = self._received(parameters)
        if "response" not in given:
            return self._plainly_said(given, state, response_mode)
        return self.validate(given["response"], state=state)

    async def avalidate_response(
        self,
        parameters: Mapping[str, Any] | Iterable[tuple[str, str]],
        *,
        state: str | None,
        response_mode: ResponseMode | str | None = None,
    ) -> AuthorizationResponse | AuthorizationErrorResponse:
        """:meth:`validate_response` in an event loop, which it never blocks."""
        given = self._received(parameters)
        if "response" not in given:
            return self._plainly_said(given, state, response_mode)
        return await self.avalidate(given["response"], state=state)

    def _received(self, parameters: Mapping[str, Any] | Iterable[tuple[str, str]]) -> dict[str, str]:
        given = single_values(parameters)
        if "iss" in given and given["iss"] != self._issuer:
            # RFC 9207, 4: of several issuer identifiers in one response, none may be another's.
            raise rejection(Reason.ISS_MISMATCH)
        if "response" in given and not RESPONSE_PARAMETERS.isdisjoint(given):
            raise rejection(Reason.RESPONSE_AMBIGUOUS)
        return given

    def _said_by(self, token: Token, state: str | None) -> AuthorizationResponse | AuthorizationErrorResponse:
        said = {name: value for name, value in token.claims.items() if name not in _OF_THE_JWT}
        return _judge(freeze(said), state, issuer=self._issuer, token=token)

    def _plainly_said(
        self, given: dict[str, str], state: str | None, mode: ResponseMode | str | None
    ) -> AuthorizationResponse | AuthorizationErrorResponse:
        _check_sent(state)
        secured = mode is not None and _mode_named(mode).secured
        if self._plain == "refused" or secured:
            if RESPONSE_PARAMETERS.isdisjoint(given):
                raise rejection(Reason.CLAIM_MISSING, claim="response")
            raise rejection(Reason.RESPONSE_NOT_SIGNED)
        issuer = given.pop("iss", None)
        if issuer is None and self._plain == "iss-required":
            raise rejection(Reason.ISS_MISSING)
        return _judge(freeze(given), state, issuer=issuer, token=None)


def _mode_named(mode: object) -> ResponseMode:
    named = str.__str__(mode) if isinstance(mode, str) else None
    for known in ResponseMode:
        if known.value == named:
            return known
    raise PolicyError(f"response_mode must be one of {', '.join(ResponseMode)}")


def _plain_responses(registration: Registration, given: PlainResponses | None) -> PlainResponses:
    if registration.registered:
        # Whatever mode a request asks for: else leaving the signature out would be enough to forge.
        if given is not None and given != "refused":
            raise PolicyError("the client has registered an algorithm, so plain responses are refused")
        return "refused"
    if registration.sends_issuer:
        if given == "iss-if-present":
            raise PolicyError("the server always sends iss (RFC 9207, 2.4)")
        return given or "iss-required"
    if given is None:
        raise PolicyError(
            "the client has registered no algorithm and the server sends no iss: nothing would tell its "
            "responses from those of another; give plain_responses"
        )
    return given


def _judge(
    parameters: FrozenDict, sent: str | None, *, issuer: str | None, token: Token | None
) -> AuthorizationResponse | AuthorizationErrorResponse:
    """What is the same for a response in a JWT and for a plain one (RFC 6749, 4.1.2 and 4.2.2)."""
    state = _text_of(parameters, "state")
    if state is None and sent is not None:
        raise rejection(Reason.CLAIM_MISSING, claim="state")
    if state is not None and (sent is None or not same_text(state, sent)):
        raise rejection(Reason.STATE_MISMATCH)
    granted = [name for name in _GRANTS if _text_of(parameters, name)]
    if "error" in parameters:
        _check_error(parameters)
        if granted:
            raise rejection(Reason.RESPONSE_AMBIGUOUS)
        return AuthorizationErrorResponse(parameters, issuer, token)
    if not granted:
        raise rejection(Reason.CLAIM_MISSING, claim="code")
    return AuthorizationResponse(parameters, issuer, token)


def _check_error(parameters: FrozenDict) -> None:
    for name in ("error", "error_description", "error_uri"):
        value = _text_of(parameters, name)
        # RFC 6749, 4.1.2.1: %x20-21 / %x23-5B / %x5D-7E. It is about to be logged or shown.
        if value is not None and (not value.isascii() or not value.isprintable() or set(value) & set('"\\')):
            raise rejection(Reason.CLAIM_INVALID, claim=name)


def _text_of(parameters: FrozenDict, name: str) -> str | None:
    if name not in parameters:
        return None
    value = parameters[name]
    if not isinstance(value, str) or not value:
        raise rejection(Reason.CLAIM_INVALID, claim=name)
    return value


def _check_sent(state: object) -> None:
    if state is not None and (not isinstance(state, str) or not state):
        raise PolicyError("state must be non-empty text or None")
