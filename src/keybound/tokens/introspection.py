"""Introspection answers about access tokens: plain JSON (RFC 7662) and signed (RFC 9701)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import orjson

from keybound._hotpath import claims as hot_claims
from keybound._hotpath import strict_json
from keybound._hotpath import token as road
from keybound.binding import proof_of
from keybound.clock import Clock, system_clock
from keybound.errors import PolicyError, Reason, TokenRejected, rejection
from keybound.jose.jwk import JWK
from keybound.jose.nesting import Opener
from keybound.keys import KeySource
from keybound.kinds import TokenKind
from keybound.limits import DEFAULT_LIMITS, Limits
from keybound.policy import BindingMode, Profile, TokenPolicy, as_profile, text, text_list
from keybound.profiles.oauth import OAUTH
from keybound.tokens._outcomes import Counted, Outcomes
from keybound.tokens._validator import (
    HasClaims,
    Token,
    TokenValidator,
    rejection_of,
    scheme_beside,
    text_claim,
)
from keybound.tokens.access_token import AccessToken, Requiring

if TYPE_CHECKING:
    from keybound.binding.certificate import Certificate
    from keybound.stores.revocation import Revocation
    from keybound.tokens.dpop_proof import DPoPProof

__all__ = ["IntrospectionResponse", "IntrospectionResponseValidator"]

_OK = int(Reason.OK)


class IntrospectionResponse(AccessToken):
    """What an answer says of an active access token, after every check of its validator.

    Immutable. It is no token: its ``header`` is empty, and ``issuer`` may be missing (RFC 7662, 2.2).
    """

    __slots__ = ()

    @property
    def issuer(self) -> str | None:  # type: ignore[override]  # an answer need not repeat who gives it
        """``iss``, or ``None``."""
        value: str | None = self.claim("iss")
        return value

    @property
    def username(self) -> str | None:
        """``username``, for people to read, or ``None``."""
        value: str | None = self.claim("username")
        return value

    @property
    def token_type(self) -> str | None:
        """``token_type`` (RFC 6749, 5.1), or ``None``."""
        value: str | None = self.claim("token_type")
        return value


class IntrospectionResponseValidator(Requiring, Counted):
    """Validates introspection answers for one resource server. Make it once; use it from any thread.

    The claims pass the same checks, in the same code, as those of JWT access tokens. Since the authorization
    server answers for the token here and now, members that RFC 7662 leaves optional may be missing unless
    the options ask for them; ``iss``, ``aud`` and times that are there are checked. Give it the body of an
    answer with status 200 and nothing else.

    With ``keys`` every answer has to be signed (RFC 9701), and a plain one is refused; without, it has to be
    plain JSON that came from the endpoint itself over TLS.

    :param issuer: the authorization server, compared code point by code point
    :param audience: identifier of this resource server, or several; one must be in ``aud`` where there is one
    :param keys: for signed answers: a :class:`~keybound.JWKSet`, a single :class:`~keybound.JWK`, or a key
        source
    :param algorithms: allow-list of ``alg`` values of signed answers; mandatory with ``keys`` unless the
        profile brings one
    :param response_audience: as what the authorization server addresses this resource server in a signed
        answer (RFC 9701, 5); ``audience`` if left out
    :param response_max_age: greatest time since a signed answer was made, in seconds; ``None`` for answers
        that are kept as evidence
    :param decryption: a :class:`keybound.Decryption` where answers are signed and then encrypted; then those
        that are not encrypted are rejected
    :param profile: a member of :mod:`keybound.profiles`, whose rules for access tokens hold but for the
        claims that they require
    :param token_types: values of which ``token_type`` must be one, whatever their case (RFC 6749, 7.1)
    :param leeway: clock skew in seconds, granted to every time alike
    :param max_lifetime: greatest ``exp`` minus ``iat``, in seconds
    :param max_age: greatest time since ``iat``, in seconds
    :param required_claims: names that must be present; ``exp`` for whoever remembers answers
    :param forbidden_claims: names that must not be present
    :param expected_claims: claims and the one text that each must be
    :param scopes: scope tokens that must all be there; else 403 ``insufficient_scope``
    :param binding: what to do about ``cnf``, as for :class:`keybound.AccessTokenValidator`
    :param limits: ceilings in bytes and nesting
    :param clock: returns seconds since 1970-01-01T00:00:00Z
    :param revocation: as for :class:`keybound.AccessTokenValidator`; where an answer does not name the
        issuer, it asks about tokens of ``issuer``
    :raises PolicyError: the options are unsafe, contradictory or impossible
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str | Iterable[str],
        keys: KeySource | JWK | None = None,
        algorithms: Iterable[str] | None = None,
        response_audience: str | Iterable[str] | None = None,
        response_max_age: float | None = 60,
        decryption: Opener | None = None,
        profile: Profile = OAUTH,
        token_types: str | Iterable[str] = (),
        leeway: float = 10,
        max_lifetime: float | None = None,
        max_age: float | None = None,
        required_claims: Iterable[str] = (),
        forbidden_claims: Iterable[str] = (),
        expected_claims: Mapping[str, str] | None = None,
        scopes: str | Iterable[str] = (),
        binding: BindingMode | None = None,
        limits: Limits = DEFAULT_LIMITS,
        clock: Clock = system_clock,
        revocation: Revocation | None = None,
    ) -> None:
        audiences = text_list("audience", audience, some=True)
        policy = TokenPolicy.create(
            TokenKind.ACCESS_TOKEN,
            issuer=text("issuer", issuer),
            audience=audiences,
            profile=_without_required_claims(profile),
            leeway=leeway,
            max_lifetime=max_lifetime,
            max_age=max_age,
            required_claims=required_claims,
            forbidden_claims=forbidden_claims,
            expected_claims=expected_claims,
            scopes=scopes,
            binding=binding,
            limits=limits,
            vouched_for=True,
        )
        self._configure(policy, clock, revocation)
        self._issuer = issuer
        rules = policy.claim_rules()
        self._rules, self._reject = hot_claims.compile_rules(rules), rejection_of(rules, self._error)
        self._token_types = frozenset(name.lower() for name in text_list("token_types", token_types))
        if keys is None and not (algorithms is None and decryption is None and response_audience is None):
            raise PolicyError(
                "algorithms, decryption and response_audience are for signed answers: give keys"
            )
        self._signed = None
        if keys is not None:
            self._signed = _SignedAnswers(
                TokenPolicy.create(
                    TokenKind.INTROSPECTION_RESPONSE,
                    issuer=issuer,
                    audience=audiences if response_audience is None else response_audience,
                    profile=profile,
                    algorithms_=algorithms,
                    leeway=leeway,
                    max_age=response_max_age,
                    # A cnf has no meaning outside of the claims about the token.
                    binding="if-present",
                    limits=limits,
                ),
                Token,
                keys=keys,
                clock=clock,
                decryption=decryption,
            )

    def __reduce__(self) -> Any:
        raise TypeError("a validator cannot be pickled")

    def validate(
        self,
        raw: str | bytes | Mapping[str, Any],
        *,
        certificate: Certificate | None = None,
        dpop: DPoPProof | None = None,
        access_token: str | bytes | None = None,
    ) -> IntrospectionResponse:
        """Validate an answer together with what came with the access token.

        :param raw: the body of the answer; JSON may have been parsed, if only into a mapping
        :param certificate: as for :meth:`keybound.AccessTokenValidator.validate`
        :param dpop: the :class:`~keybound.DPoPProof` made for the access token, or ``None``
        :param access_token: the access token itself, which a proof is for; the answer does not hold it
        :raises TokenRejected: the access token must not be accepted; ``.reason`` tells why
        :raises Unavailable: the key source cannot answer now, or nobody can tell whether the token was
            revoked
        """
        beside = Beside.of(certificate, dpop, access_token)
        return self._present(active(self._payload(self._members(raw)), beside), beside)

    async def avalidate(
        self,
        raw: str | bytes | Mapping[str, Any],
        *,
        certificate: Certificate | None = None,
        dpop: DPoPProof | None = None,
        access_token: str | bytes | None = None,
    ) -> IntrospectionResponse:
        """:meth:`validate` in an event loop, which it never blocks."""
        beside = Beside.of(certificate, dpop, access_token)
        payload = self._payload(await self._amembers(raw))
        return await self._apresent(active(payload, beside), beside)

    def _stands_on(self) -> Iterator[object]:
        yield from super()._stands_on()
        if self._signed is not None:
            yield from self._signed._stands_on()

    def _members(self, raw: Any, outcomes: Outcomes | None = None) -> Mapping[str, Any]:
        """What the authorization server says.

        :param outcomes: counts an old secret, in place of those of this validator
        :raises TokenRejected: it is not the authorization server that says it, or it says nothing
        :raises Unavailable: the key source cannot answer now
        """
        if self._signed is None:
            return self._plain(raw)
        return self._signed.members(raw, outcomes or self._outcomes)

    async def _amembers(self, raw: Any) -> Mapping[str, Any]:
        """:meth:`_members` in an event loop."""
        if self._signed is None:
            return self._plain(raw)
        return await self._signed.amembers(raw, self._outcomes)

    def _present(self, payload: bytes, beside: Beside) -> IntrospectionResponse:
        """The answer, unless anything speaks against the token here and now.

        :param payload: what :meth:`_payload` has returned, now or the last time
        """
        answer = self._judge(payload, beside)
        if self._revocation is not None and self._revocation.is_revoked(self._named(answer)):
            raise beside.rejection(Reason.TOKEN_REVOKED)
        return answer

    async def _apresent(self, payload: bytes, beside: Beside) -> IntrospectionResponse:
        """:meth:`_present` in an event loop."""
        answer = self._judge(payload, beside)
        if self._revocation is not None and await self._revocation.ais_revoked(self._named(answer)):
            raise beside.rejection(Reason.TOKEN_REVOKED)
        return answer

    def _named(self, answer: IntrospectionResponse) -> HasClaims:
        """The answer with the name of the issuer, which a deny-list goes by."""
        return answer if answer.issuer is not None else _Named(answer, self._issuer)

    def _plain(self, raw: object) -> Mapping[str, Any]:
        """The object of a JSON text within its ceilings, or a mapping as it is.

        :raises TokenRejected: it is none
        """
        if isinstance(raw, Mapping):
            return raw
        if not isinstance(raw, (str, bytes)) or not raw:
            missing = raw is None or isinstance(raw, (str, bytes))
            raise self._rejection(Reason.TOKEN_MISSING if missing else Reason.TOKEN_NOT_TEXT)
        data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else bytes(raw)
        if len(data) > self.policy.limits.token_bytes:
            raise self._rejection(Reason.TOKEN_TOO_LARGE)
        reason, value = strict_json.loads(data, self.policy.limits.json_depth)
        if reason != _OK:
            raise self._rejection(Reason(reason))
        if not isinstance(value, Mapping):
            raise self._rejection(Reason.PAYLOAD_NOT_OBJECT)
        return value

    def _payload(self, members: Mapping[str, Any]) -> bytes | None:
        """The claims of an active token as JSON; ``None`` if it is not active."""
        # RFC 7662, 2.2: of what is not active nothing else is said.
        return self._json(members) if members.get("active") is True else None

    def _judge(self, payload: bytes, beside: Beside) -> IntrospectionResponse:
        depth, now = self.policy.limits.json_depth, self._time()
        result = road.from_claims(
            self._rules, IntrospectionResponse, payload, depth, now, beside.proof, beside.jkt
        )
        if isinstance(result, int):
            raise self._reject(result, beside.dpop)
        answer = cast(IntrospectionResponse, result)
        self._check_members(answer, beside)
        return answer

    def _json(self, members: Mapping[str, Any]) -> bytes:
        try:
            data = orjson.dumps(dict(members))
        except (TypeError, ValueError, RecursionError):
            raise self._rejection(Reason.JSON_INVALID) from None
        # A mapping has not been measured yet.
        if len(data) > self.policy.limits.token_bytes:
            raise self._rejection(Reason.TOKEN_TOO_LARGE)
        return data

    def _check_members(self, answer: IntrospectionResponse, beside: Beside) -> None:
        """What only answers say (RFC 7662, 2.2)."""
        text_claim(answer, "username")
        token_type = text_claim(answer, "token_type")
        if token_type is None:
            if self._token_types:
                raise beside.rejection(Reason.CLAIM_MISSING, "token_type")
            return
        if self._token_types and token_type.lower() not in self._token_types:
            raise beside.rejection(Reason.CLAIM_MISMATCH, "token_type")
        # RFC 9449, 6.2: an answer that drops the key makes a bearer token of a bound one.
        bound = answer.confirmation is not None and "jkt" in answer.confirmation
        if token_type.lower() == "dpop" and not bound and self.policy.binding != "ignore":
            raise beside.rejection(Reason.CNF_MISSING)


class Beside(NamedTuple):
    """What came with the access token, as the road takes it."""

    proof: bytes | None
    jkt: bytes | None
    dpop: DPoPProof | None

    @classmethod
    def of(
        cls, certificate: Certificate | None, dpop: DPoPProof | None, access_token: str | bytes | None
    ) -> Beside:
        """:raises PolicyError: there is a proof, and no token that it could be for"""
        if dpop is not None and access_token is None:
            raise PolicyError("a DPoP proof is for one access token: give access_token as well")
        return cls(proof_of(certificate), road.thumbprint_beside(dpop, access_token), dpop)

    def rejection(self, reason: Reason, claim: str | None = None) -> TokenRejected:
        return rejection(reason, claim=claim, scheme=scheme_beside(self.dpop))


def active(payload: bytes | None, beside: Beside) -> bytes:
    """:raises ContextRejected: there is nothing, since the token is not active"""
    if payload is None:
        raise beside.rejection(Reason.TOKEN_INACTIVE)
    return payload


class _Named:
    """An answer that does not say who gives it, for whoever has to know."""

    def __init__(self, answer: IntrospectionResponse, issuer: str) -> None:
        self._answer, self._issuer = answer, issuer

    def claim(self, name: str, default: Any = None) -> Any:
        return self._issuer if name == "iss" else self._answer.claim(name, default)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answer, name)


class _SignedAnswers(TokenValidator[Token]):
    """The JWT around an answer (RFC 9701, 5), which is good for nothing else."""

    def members(self, raw: Any, outcomes: Outcomes) -> Mapping[str, Any]:
        """The answer inside.

        :param outcomes: counts an old secret: an answer may be kept, and has its signature verified once

        :raises TokenRejected: it is not an answer of this authorization server for this resource server
        :raises Unavailable: the key source cannot answer now
        """
        return self._members_of(self._open(raw), outcomes)

    async def amembers(self, raw: Any, outcomes: Outcomes) -> Mapping[str, Any]:
        """:meth:`members` in an event loop, which it never blocks."""
        return self._members_of(await self._aopen(raw), outcomes)

    def _members_of(self, token: Token, outcomes: Outcomes) -> Mapping[str, Any]:
        members = token.claim("token_introspection")
        if not isinstance(members, Mapping):
            raise self._rejection(Reason.CLAIM_INVALID, "token_introspection")
        if token.old_secret:
            outcomes.accepted(0, old_secrets=1)
        return members


def _without_required_claims(profile: Profile) -> Profile:
    """RFC 7662, 2.2: an answer has no more than ``active``, whatever the tokens themselves carry."""
    profile = as_profile(profile)
    rules = {TokenKind.ACCESS_TOKEN: {"required_claims": ()}}
    return profile.derive(name=profile.name, source=profile.source, kinds=rules)
