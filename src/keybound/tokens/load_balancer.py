"""User claims from an AWS Application Load Balancer (the ``x-amzn-oidc-data`` header field).

They look like a JWT and are none: every segment is padded, the signature covers the padding, and issuer,
client and expiration time stand in the header. Nothing else in Keybound accepts such a token, and this
accepts nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

import orjson

from keybound._hotpath import base64url, strict_json
from keybound._hotpath import claims as hot_claims
from keybound._hotpath import token as road
from keybound._hotpath.compact import split
from keybound._hotpath.contract import Binding, ClaimRules, HeaderRules
from keybound._hotpath.header import Header, parse_header
from keybound.clock import Clock, system_clock
from keybound.errors import PolicyError, Reason, TokenRejected, Unavailable, rejection
from keybound.jose.algorithms import ALGORITHMS
from keybound.jose.jwk import JWK
from keybound.jose.jwk_set import JWKSet
from keybound.keys import KeySource, RefreshingKeySource, as_key_source
from keybound.limits import DEFAULT_LIMITS, MAX_LEEWAY, Limits
from keybound.policy import check_seconds, text
from keybound.tokens._outcomes import Counted
from keybound.tokens._validator import Judging, Token

if TYPE_CHECKING:
    from keybound.stores.revocation import Revocation

__all__ = ["LoadBalancerToken", "LoadBalancerTokenValidator"]

_OK = int(Reason.OK)


class LoadBalancerToken(Token):
    """User claims that a load balancer vouched for. Immutable; never prints the token.

    ``iss`` and ``exp`` of its header are among the claims; the header itself is not kept.
    """

    __slots__ = ()


class _Read(NamedTuple):
    """The parts of a token: as they came, or without padding."""

    header: Header
    protected: bytes
    padded_payload: bytes
    payload: bytes
    signature: bytes


class _Subject(NamedTuple):
    """What such tokens are, though they are none of :class:`keybound.TokenKind`."""

    issuer: str
    kind: str = "load_balancer_token"


class LoadBalancerTokenValidator(Judging, Counted):
    """Validates the user claims of AWS Application Load Balancers. Make it once; use it from any thread.

    :param signer: ARN of the load balancer, or several; anybody can run a load balancer that signs for
        any issuer, so this is what tells yours
    :param issuer: issuer identifier of the OpenID provider
    :param client_id: the client by which the load balancer is known there
    :param keys: the load balancer's keys by ``kid``: :class:`keybound.LoadBalancerKeys`, which asks AWS for
        them, or such as ``JWKSet.from_pem(pem, kid=kid)``
    :param leeway: clock skew in seconds
    :param limits: ceilings in bytes and nesting
    :param clock: returns seconds since 1970-01-01T00:00:00Z
    :param revocation: as for :class:`keybound.AccessTokenValidator`; the load balancer goes on vouching for
        users who have logged out at the provider, and does not say since when: name them by ``sub``
    :raises PolicyError: the options are unsafe or impossible
    """

    def __init__(
        self,
        *,
        signer: str | list[str] | tuple[str, ...],
        issuer: str,
        client_id: str,
        keys: KeySource | JWK,
        leeway: float = 10,
        limits: Limits = DEFAULT_LIMITS,
        clock: Clock = system_clock,
        revocation: Revocation | None = None,
    ) -> None:
        if not isinstance(limits, Limits):
            raise PolicyError("limits must be a keybound.Limits")
        check_seconds("leeway", leeway, 0, MAX_LEEWAY)
        arns = [signer] if isinstance(signer, str) else list(signer or ())
        self._signers = frozenset(text("signer", arn) for arn in arns)
        if not self._signers:
            raise PolicyError("signer is empty")
        self._issuer, self._client_id = text("issuer", issuer), text("client_id", client_id)
        self._prepare(_Subject(self._issuer), clock, revocation)
        self._key_source = source = as_key_source(keys)
        self._refreshing = source if isinstance(source, RefreshingKeySource) else None
        self._note_use = getattr(source, "_used", None)
        self._header_rules = HeaderRules(
            algorithms=(ALGORITHMS["ES256"],),
            token_bytes=limits.token_bytes,
            header_bytes=limits.header_bytes,
            json_depth=limits.json_depth,
        )
        self._rules = hot_claims.compile_rules(_claim_rules(self._issuer, float(leeway)))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a validator cannot be pickled")

    @property
    def keys(self) -> KeySource:
        """Where the keys come from."""
        return self._key_source

    def _stands_on(self) -> Iterator[object]:
        yield self._key_source
        yield from super()._stands_on()

    def validate(self, raw: str | bytes) -> LoadBalancerToken:
        """Validate the value of one ``x-amzn-oidc-data`` header field.

        :raises TokenRejected: it must not be accepted; ``.reason`` tells why
        :raises Unavailable: the key source cannot answer now, or nobody can tell whether it was revoked
        """
        token, source = self._read(raw), self._refreshing
        verdict = self._verified(token, self._key_source.snapshot())
        if verdict == Reason.KEY_UNKNOWN and source is not None:
            source.refresh_for(self._worth_asking(token))
            # Says that it cannot answer where it has nothing at all.
            verdict = self._verified(token, source.snapshot())
        return self._unrevoked(self._accepted(token, verdict))

    async def avalidate(self, raw: str | bytes) -> LoadBalancerToken:
        """:meth:`validate` in an event loop, which it never blocks."""
        token, source = self._read(raw), self._refreshing
        if source is None:
            verdict = self._verified(token, self._key_source.snapshot())
        else:
            verdict = self._verified(token, await source.aget())
            if verdict == Reason.KEY_UNKNOWN:
                await source.arefresh_for(self._worth_asking(token))
                verdict = self._verified(token, await source.aget())
        return await self._aunrevoked(self._accepted(token, verdict))

    def _read(self, raw: str | bytes) -> _Read:
        """A token taken apart, of which nothing is verified yet."""
        parts = split(self._header_rules, raw)
        if isinstance(parts, int):
            raise rejection(parts)
        bare = [_without_padding(part) for part in parts]
        header = parse_header(self._header_rules, bare[0], base64url, strict_json)
        if isinstance(header, int):
            raise rejection(header)
        return _Read(header, parts[0], parts[1], bare[1], bare[2])

    def _verified(self, token: _Read, keys: JWKSet) -> int:
        """``OK`` if the signature verifies over the segments as they came, padding and all; or a reason."""
        index = getattr(keys, "_index", None)
        if not isinstance(index, road.KeyIndex):
            raise Unavailable("the key source did not answer with a keybound.JWKSet")
        # As if it were not encoded (RFC 7797): so the signing input is what stands between the dots.
        header = token.header._replace(b64=False)
        opened = road.open_parts(header, index, token.protected, token.padded_payload, token.signature)
        return opened if isinstance(opened, int) else _OK

    def _worth_asking(self, token: _Read) -> str:
        """``kid`` of a token that says what one of ours would say; nobody is asked about others."""
        fields, kid = token.header.fields, token.header.kid
        self._check_header(fields)
        if fields.get("iss") != self._issuer or kid is None:
            raise rejection(Reason.KEY_UNKNOWN)
        return kid

    def _accepted(self, token: _Read, verdict: int) -> LoadBalancerToken:
        if verdict != _OK:
            raise rejection(verdict)
        payload, fields = base64url.decode(token.payload), token.header.fields
        if payload is None:
            raise rejection(Reason.BASE64URL_INVALID)
        self._check_header(fields)
        claims, depth = self._claims(payload, fields), self._header_rules.json_depth
        result = road.from_claims(self._rules, LoadBalancerToken, claims, depth, self._time(), None)
        if isinstance(result, int):
            raise rejection(result)
        if self._note_use is not None:
            self._note_use(token.header.kid)
        return cast(LoadBalancerToken, result)

    def _check_header(self, fields: Mapping[str, Any]) -> None:
        signer = fields.get("signer")
        if not isinstance(signer, str) or signer not in self._signers:
            raise _mismatch("signer")
        if fields.get("client") != self._client_id:
            raise _mismatch("client")

    def _claims(self, payload: bytes, fields: Mapping[str, Any]) -> bytes:
        """The user claims with issuer and expiration time, which the header has and the payload may have."""
        reason, claims = strict_json.loads(payload, self._header_rules.json_depth)
        if reason != _OK:
            raise rejection(reason)
        if type(claims) is not dict:
            raise rejection(Reason.PAYLOAD_NOT_OBJECT)
        for name in ("iss", "exp"):
            if name not in fields:
                continue
            if name in claims and claims[name] != fields[name]:
                raise _mismatch(name)
            claims[name] = fields[name]
        return orjson.dumps(claims)


def _without_padding(segment: bytes) -> bytes:
    """A segment less its padding, which is there in full or not at all (RFC 4648, 3.2)."""
    bare = segment.rstrip(b"=")
    if len(segment) - len(bare) not in (0, -len(bare) % 4):
        raise rejection(Reason.BASE64URL_INVALID)
    return bare


def _mismatch(name: str) -> TokenRejected:
    return rejection(Reason.CLAIM_MISMATCH, claim=name)


def _claim_rules(issuer: str, leeway: float) -> ClaimRules:
    return ClaimRules(
        issuer=issuer,
        audiences=(),
        exp_required=True,
        iat_required=False,
        sub_required=True,
        client_id_required=False,
        jti_required=False,
        leeway=leeway,
        max_lifetime=None,
        max_age=None,
        required=(),
        forbidden=(),
        scopes=(),
        binding=Binding.IF_PRESENT,
    )
