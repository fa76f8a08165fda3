"""DPoP proofs (RFC 9449): that the sender of a request holds the key which its token is bound to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from keybound._hotpath import base64url, digest, self_signed
from keybound._hotpath import token as road
from keybound._hotpath.contract import Family
from keybound.binding.target_uri import same_target
from keybound.clock import Clock, checked, system_clock
from keybound.errors import (
    KeyboundError,
    PolicyError,
    Reason,
    Scheme,
    TokenRejected,
    Unavailable,
    rejection,
)
from keybound.jose.embedded import load_embedded_key
from keybound.jose.jwk import JWK
from keybound.kinds import TokenKind
from keybound.limits import DEFAULT_LIMITS, Limits
from keybound.policy import Profile, TokenPolicy
from keybound.profiles.oauth import OAUTH
from keybound.stores.replay import ReplayStore, as_replay_store
from keybound.tokens._outcomes import Counting, Outcomes
from keybound.tokens._validator import octets, rejection_of, same_text
from keybound.tokens.dpop_nonces import DPoPNonces

if TYPE_CHECKING:
    from keybound.binding.certificate import Certificate

__all__ = ["DPoPProof", "DPoPProofValidator"]

Granted = TypeVar("Granted", covariant=True)

_ABSENT = object()
_ERROR = "invalid_dpop_proof"
_AT_THE_EDGE = 1
"""Seconds more than a proof can be accepted, for which its use is remembered."""


class TokenValidator(Protocol[Granted]):
    """Whatever validates an access token with what came along."""

    def validate(
        self, raw: str | bytes, *, certificate: Certificate | None = None, dpop: DPoPProof | None = None
    ) -> Granted: ...

    async def avalidate(
        self, raw: str | bytes, *, certificate: Certificate | None = None, dpop: DPoPProof | None = None
    ) -> Granted: ...


class DPoPProof(road.SelfSignedToken):
    """A DPoP proof that passed every check of its validator. Immutable; never prints the proof.

    It speaks for the request that it was validated for, and is kept no longer than that. Its ``thumbprint``
    is what ``cnf.jkt`` of a token bound to its key says (RFC 9449, 6.1).
    """

    __slots__ = ()

    @property
    def key(self) -> JWK:
        """The public key of the sender."""
        return JWK.from_json(self.header["jwk"])

    @property
    def method(self) -> str:
        """``htm``"""
        return str(self.claim("htm"))

    @property
    def url(self) -> str:
        """``htu``, as the client wrote it."""
        return str(self.claim("htu"))

    @property
    def identifier(self) -> str:
        """``jti``"""
        return str(self.claim("jti"))

    @property
    def issued_at(self) -> float:
        """``iat``, seconds since 1970-01-01T00:00:00Z."""
        value: float = self.claim("iat")
        return value

    @property
    def nonce(self) -> str | None:
        """``nonce``, or ``None``; only worth something if one was asked for."""
        value: str | None = self.claim("nonce")
        return value

    def __repr__(self) -> str:
        return "<keybound.DPoPProof>"


class DPoPProofValidator(Counting):
    """Validates DPoP proofs (RFC 9449, 4.3). Make it once; use it from any thread or event loop.

    :param algorithms: allow-list of ``alg`` values, public-key algorithms only; mandatory unless the
        profile brings one
    :param replay: where the use of a proof is remembered, a :class:`keybound.stores.ReplayStore`;
        ``None`` accepts a proof as often as it comes while it is fresh (RFC 9449, 11.1)
    :param profile: a member of :mod:`keybound.profiles`
    :param max_age: greatest time since ``iat``, in seconds
    :param leeway: clock skew in seconds, granted to ``iat`` in both directions, ``exp`` and ``nbf``
    :param nonces: recognises the nonce that every proof then must have (RFC 9449, 8 and 9)
    :param jti_length: longest ``jti``, in characters (RFC 9449, 11.1)
    :param limits: ceilings in bytes and nesting
    :param clock: returns seconds since 1970-01-01T00:00:00Z
    :raises PolicyError: the options are unsafe, contradictory or impossible
    """

    def __init__(
        self,
        *,
        algorithms: Iterable[str] | None = None,
        replay: ReplayStore | None,
        profile: Profile = OAUTH,
        max_age: float = 60,
        leeway: float = 10,
        nonces: DPoPNonces | None = None,
        jti_length: int = 128,
        limits: Limits = DEFAULT_LIMITS,
        clock: Clock = system_clock,
    ) -> None:
        policy = TokenPolicy.create(
            TokenKind.DPOP_PROOF,
            profile=profile,
            algorithms_=algorithms,
            leeway=leeway,
            max_age=max_age,
            jti_length=jti_length,
            # A claim that means nothing here is ignored (RFC 9449, 4.2).
            binding="ignore",
            limits=limits,
        )
        if nonces is not None and not isinstance(nonces, DPoPNonces):
            raise PolicyError("nonces must be a keybound.DPoPNonces or None")
        if any(row.family is Family.HMAC for row in policy.algorithms):
            raise PolicyError("a DPoP proof is signed with a public-key algorithm (RFC 9449, 4.2)")
        if policy.max_age is None:
            raise PolicyError("max_age must be a number of seconds: an old proof proves nothing of now")
        claim_rules = policy.claim_rules()
        self._policy = policy
        self._outcomes = Outcomes(policy)
        self._scheme = Scheme("DPoP", tuple(row.name for row in policy.algorithms))
        self._reject = rejection_of(claim_rules, _ERROR, self._scheme)
        self._road = self_signed.SelfSignedPolicy(
            policy.header_rules(), claim_rules, load_embedded_key, DPoPProof
        )
        self._replay = None if replay is None else as_replay_store(replay)
        self._nonces, self._clock = nonces, checked(clock)
        # RFC 9449, 11.1: from its time of issue on, for as long as it could be accepted.
        self._remembered = policy.max_age + leeway + _AT_THE_EDGE

    def __reduce__(self) -> Any:
        raise TypeError("a validator cannot be pickled")

    def _stands_on(self) -> Iterator[object]:
        if self._replay is not None:
            yield self._replay

    @property
    def policy(self) -> TokenPolicy:
        """What the validator demands of header and claims."""
        return self._policy

    def validate(
        self,
        proof: str | bytes,
        *,
        method: str,
        url: str,
        access_token: str | bytes | None = None,
        nonce: str | Iterable[str] | None = None,
    ) -> DPoPProof:
        """Validate the proof of one request. It counts as used then, and not if it is rejected.

        For a request with an access token there is :meth:`validate_token`, by which a proof counts as used
        only if the token is good.

        :param proof: the value of the one ``DPoP`` header field
        :param method: the method of the request, case-sensitive (RFC 9110, 9.1)
        :param url: the URI of the request as the client sees it; query and fragment are ignored
        :param access_token: the token that the request presents; ``None`` at a token endpoint
        :param nonce: the nonce that the proof must have, or several of which it must have one
        :raises TokenRejected: the proof must not be accepted; ``.challenge()`` is of the scheme DPoP
        :raises Unavailable: the replay store or the clock cannot answer now
        :raises PolicyError: an argument is not of its type
        """
        checked, now = self._checked(proof, method, url, access_token, nonce)
        self._use(checked, now)
        return checked

    async def avalidate(
        self,
        proof: str | bytes,
        *,
        method: str,
        url: str,
        access_token: str | bytes | None = None,
        nonce: str | Iterable[str] | None = None,
    ) -> DPoPProof:
        """:meth:`validate` for use in an event loop; waits for nothing but the replay store."""
        checked, now = self._checked(proof, method, url, access_token, nonce)
        await self._ause(checked, now)
        return checked

    def validate_token(
        self,
        raw: str | bytes,
        proof: str | bytes | None,
        *,
        by: TokenValidator[Granted],
        method: str,
        url: str,
        certificate: Certificate | None = None,
        nonce: str | Iterable[str] | None = None,
    ) -> Granted:
        """Validate the access token of a request together with the proof that came along (RFC 9449, 7.1).

        The proof counts as used once the token, too, has passed every check: whoever has no good token
        leaves nothing in the replay store.

        :param raw: the token that the request presents
        :param proof: the value of the one ``DPoP`` header field; ``None`` where there was none, and then the
            token must be good without: it is not if it is bound to a key
        :param by: the validator of the token: a :class:`~keybound.AccessTokenValidator`, an
            :class:`~keybound.IssuerRouter` of those, or an :class:`~keybound.IntrospectionClient`
        :param method: see :meth:`validate`
        :param url: see :meth:`validate`
        :param certificate: for ``by``
        :param nonce: see :meth:`validate`
        :returns: what ``by`` returns
        :raises TokenRejected: the proof or the token must not be accepted
        :raises Unavailable: the replay store, the clock or ``by`` cannot answer now
        :raises PolicyError: an argument is not of its type
        """
        if not callable(getattr(by, "validate", None)):
            raise PolicyError("by must be a validator of access tokens")
        if proof is None:
            return by.validate(raw, certificate=certificate, dpop=None)
        checked, now = self._checked(proof, method, url, raw, nonce)
        token = by.validate(raw, certificate=certificate, dpop=checked)
        self._use(checked, now)
        return token

    async def avalidate_token(
        self,
        raw: str | bytes,
        proof: str | bytes | None,
        *,
        by: TokenValidator[Granted],
        method: str,
        url: str,
        certificate: Certificate | None = None,
        nonce: str | Iterable[str] | None = None,
    ) -> Granted:
        """:meth:`validate_token` for use in an event loop, which it never blocks."""
        if not callable(getattr(by, "avalidate", None)):
            raise PolicyError("by must be a validator of access tokens")
        if proof is None:
            return await by.avalidate(raw, certificate=certificate, dpop=None)
        checked, now = self._checked(proof, method, url, raw, nonce)
        token = await by.avalidate(raw, certificate=certificate, dpop=checked)
        await self._ause(checked, now)
        return token

    def _checked(
        self,
        proof: str | bytes,
        method: str,
        url: str,
        access_token: str | bytes | None,
        nonce: str | Iterable[str] | None,
    ) -> tuple[DPoPProof, float]:
        try:
            return self._check(proof, method, url, access_token, nonce)
        except KeyboundError as error:
            self._outcomes.ended(error)
            raise

    def _use(self, proof: DPoPProof, now: float) -> None:
        store, issued = self._replay, proof.issued_at
        try:
            if store is not None and not store.put(
                *_names(proof), expires_at=issued + self._remembered, now=now, issued_at=issued
            ):
                raise self._reject(Reason.JTI_REPLAYED)
        except TokenRejected as rejected:
            raise self._refused(rejected) from None
        except Unavailable as error:
            self._outcomes.ended(error)
            raise
        self._outcomes.accepted()

    async def _ause(self, proof: DPoPProof, now: float) -> None:
        store, issued = self._replay, proof.issued_at
        try:
            if store is not None and not await store.aput(
                *_names(proof), expires_at=issued + self._remembered, now=now, issued_at=issued
            ):
                raise self._reject(Reason.JTI_REPLAYED)
        except TokenRejected as rejected:
            raise self._refused(rejected) from None
        except Unavailable as error:
            self._outcomes.ended(error)
            raise
        self._outcomes.accepted()

    def _refused(self, rejected: TokenRejected) -> TokenRejected:
        """In the words of this validator, which a store does not know."""
        refused = self._reject(rejected.reason)
        self._outcomes.ended(refused)
        return refused

    def _check(
        self,
        proof: str | bytes,
        method: str,
        url: str,
        access_token: str | bytes | None,
        nonce: str | Iterable[str] | None,
    ) -> tuple[DPoPProof, float]:
        """Everything but the replay, which only a proof that is good in every other way may touch."""
        if type(method) is not str or type(url) is not str:
            raise PolicyError("method and url must be str")
        if not proof and (proof is None or isinstance(proof, (str, bytes))):
            raise self._reject(Reason.DPOP_PROOF_MISSING)
        beside = _text_of(access_token)
        now = self._clock()
        result = self_signed.validate(self._road, proof, now, beside)
        if not isinstance(result, DPoPProof):
            raise self._reject(result)
        self._check_request(result, method, url)
        self._check_access_token(result, beside)
        self._check_nonce(result, nonce)
        return result, now

    def _check_request(self, proof: DPoPProof, method: str, url: str) -> None:
        htm, htu, jti = proof.claim("htm"), proof.claim("htu"), proof.claim("jti")
        if type(htm) is not str:
            raise self._claim(Reason.CLAIM_INVALID, "htm")
        if htm != method:
            raise self._claim(Reason.CLAIM_MISMATCH, "htm")
        if type(htu) is not str:
            raise self._claim(Reason.CLAIM_INVALID, "htu")
        if not same_target(htu, url):
            raise self._claim(Reason.CLAIM_MISMATCH, "htu")
        if jti.isspace():
            raise self._reject(Reason.JTI_INVALID)

    def _check_access_token(self, proof: DPoPProof, beside: str | None) -> None:
        """RFC 9449, 7: a proof for use with a token is good with no other token, and not without one."""
        ath = proof.claim("ath", _ABSENT)
        if beside is None:
            if ath is not _ABSENT:
                raise self._claim(Reason.CLAIM_FORBIDDEN, "ath")
            return
        if ath is _ABSENT:
            raise self._claim(Reason.CLAIM_MISSING, "ath")
        if type(ath) is not str:
            raise self._claim(Reason.CLAIM_INVALID, "ath")
        # Who presents the token can compute its hash: there is nothing here that a time could tell.
        if ath != base64url.encode(digest.sha2(256, octets(beside))):
            raise self._claim(Reason.CLAIM_MISMATCH, "ath")

    def _check_nonce(self, proof: DPoPProof, nonce: str | Iterable[str] | None) -> None:
        if nonce is None and self._nonces is None:
            return
        expected = None if nonce is None else _expected_nonces(nonce)
        given = proof.claim("nonce")
        if given is None:
            raise rejection(Reason.DPOP_NONCE_MISSING, scheme=self._scheme)
        if expected is None:
            good = self._nonces is not None and self._nonces.recognizes(given)
        else:
            good = type(given) is str and _is_one_of(given, expected)
        if not good:
            raise rejection(Reason.DPOP_NONCE_INVALID, scheme=self._scheme)

    def _claim(self, reason: Reason, name: str) -> TokenRejected:
        return rejection(reason, claim=name, error=_ERROR, scheme=self._scheme)


def _names(proof: DPoPProof) -> tuple[str, str, str]:
    """Kind, principal and identifier: the same ``jti`` under another key is another proof."""
    return "dpop", proof.thumbprint, proof.claim("jti")


def _is_one_of(given: str, expected: Iterable[str]) -> bool:
    # No early exit: the time tells nothing about which of them it was.
    return sum(same_text(given, nonce) for nonce in expected) > 0


def _expected_nonces(nonce: str | Iterable[str]) -> list[str]:
    wanted = [nonce] if isinstance(nonce, str) or not isinstance(nonce, Iterable) else list(nonce)
    if not wanted or not all(type(one) is str and one for one in wanted):
        raise PolicyError("nonce must be text, or a list of texts")
    return wanted


def _text_of(access_token: str | bytes | None) -> str | None:
    if type(access_token) is bytes:
        return access_token.decode("latin-1")
    if access_token is not None and type(access_token) is not str:
        raise PolicyError("access_token must be str, bytes or None")
    return access_token
