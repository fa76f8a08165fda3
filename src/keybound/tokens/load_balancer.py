"""User claims from an AWS Application Load Balancer (the ``x-amzn-oidc-data`` header field).

They look like a JWT and are none: every segment is padded, the signature covers the padding, and issuer,
client and expiration time stand in the header. Nothing else in Keybound accepts such a token, and this
accepts nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, cast

import orjson

from keybound._hotpath import base64url, strict_json
from keybound._hotpath import claims as hot_claims
from keybound._hotpath import token as road
from keybound._hotpath.compact import split
from keybound._hotpath.contract import Binding, ClaimRules, HeaderRules
from keybound._hotpath.header import Header, parse_header
from keybound.clock import Clock, checked, system_clock
from keybound.errors import PolicyError, Reason, TokenRejected, rejection
from keybound.jose.algorithms import ALGORITHMS
from keybound.jose.jwk import JWK
from keybound.keys import KeySource, as_key_source
from keybound.limits import DEFAULT_LIMITS, MAX_LEEWAY, Limits
from keybound.policy import check_seconds, text
from keybound.tokens._validator import Token

__all__ = ["LoadBalancerToken", "LoadBalancerTokenValidator"]

_OK = int(Reason.OK)


class LoadBalancerToken(Token):
    """User claims that a load balancer vouched for. Immutable; never prints the token.

    ``iss`` and ``exp`` of its header are among the claims; the header itself is not kept.
    """

    __slots__ = ()


class LoadBalancerTokenValidator:
    """Validates the user claims of AWS Application Load Balancers. Make it once; use it from any thread.

    :param signer: ARN of the load balancer, or several; anybody can run a load balancer that signs for
        any issuer, so this is what tells yours
    :param issuer: issuer identifier of the OpenID provider
    :param client_id: the client by which the load balancer is known there
    :param keys: the load balancer's keys by ``kid``, such as ``JWKSet.from_pem(pem, kid=kid)``
    :param leeway: clock skew in seconds
    :param limits: ceilings in bytes and nesting
    :param clock: returns seconds since 1970-01-01T00:00:00Z
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
    ) -> None:
        if not isinstance(limits, Limits):
            raise PolicyError("limits must be a keybound.Limits")
        check_seconds("leeway", leeway, 0, MAX_LEEWAY)
        arns = [signer] if isinstance(signer, str) else list(signer or ())
        self._signers = frozenset(text("signer", arn) for arn in arns)
        if not self._signers:
            raise PolicyError("signer is empty")
        self._issuer, self._client_id = text("issuer", issuer), text("client_id", client_id)
        self._keys, self._clock = as_key_source(keys), checked(clock)
        self._header_rules = HeaderRules(
            algorithms=(ALGORITHMS["ES256"],),
            token_bytes=limits.token_bytes,
            header_bytes=limits.header_bytes,
            json_depth=limits.json_depth,
        )
        self._rules = hot_claims.compile_rules(_claim_rules(self._issuer, float(leeway)))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a validator cannot be pickled")

    def validate(self, raw: str | bytes) -> LoadBalancerToken:
        """Validate the value of one ``x-amzn-oidc-data`` header field.

        :raises TokenRejected: it must not be accepted; ``.reason`` tells why
        :raises Unavailable: the key source cannot answer now
        """
        header, payload = self._opened(raw)
        self._check_header(header.fields)
        claims = self._claims(payload, header.fields)
        result = road.from_claims(
            self._rules,
            LoadBalancerToken,
            claims,
            self._header_rules.json_depth,
            self._clock(),
            None,
        )
        if isinstance(result, int):
            raise rejection(result)
        return cast(LoadBalancerToken, result)

    def _opened(self, raw: str | bytes) -> tuple[Header, bytes]:
        """Header and payload, whose signature verifies over the segments as they came, padding and all."""
        parts = split(self._header_rules, raw)
        if isinstance(parts, int):
            raise rejection(parts)
        bare = [_without_padding(part) for part in parts]
        header = parse_header(self._header_rules, bare[0], base64url, strict_json)
        if isinstance(header, int):
            raise rejection(header)
        # As if it were not encoded (RFC 7797): so the signing input is what stands between the dots.
        opened = road.open_parts(
            header._replace(b64=False), self._keys.snapshot()._index, parts[0], parts[1], bare[2]
        )
        if isinstance(opened, int):
            raise rejection(opened)
        payload = base64url.decode(bare[1])
        if payload is None:
            raise rejection(Reason.BASE64URL_INVALID)
        return header, payload

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
