"""What the validators of all kinds have in common: a checked policy, keys, a clock, and the road."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from keybound._hotpath import cache as token_cache
from keybound._hotpath import signature
from keybound._hotpath import token as road
from keybound._hotpath.contract import DETAIL_SHIFT, ClaimRules
from keybound.binding import proof_of
from keybound.clock import Clock, checked, system_clock
from keybound.errors import PolicyError, Reason, Scheme, TokenRejected, rejection
from keybound.jose.jwk import JWK
from keybound.jose.jwk_set import JWKSet
from keybound.jose.nesting import Opener
from keybound.keys import KeySource, RefreshingKeySource, as_key_source, background
from keybound.keys.recreation import VALIDATORS
from keybound.limits import DEFAULT_CACHE, MAX_NUMERIC_DATE, CacheSettings
from keybound.policy import TokenPolicy
from keybound.tokens._outcomes import Counted, Counting, Outcomes, Subject

if TYPE_CHECKING:
    from keybound.binding.certificate import Certificate
    from keybound.stores import ReplayStore
    from keybound.stores.revocation import Revocation, RevocationCheck

__all__ = [
    "Configured",
    "Described",
    "HasClaims",
    "Judging",
    "Token",
    "TokenValidator",
    "is_recent",
    "numeric_date",
    "octets",
    "rejection_of",
    "same_text",
    "scheme_beside",
    "text_claim",
]

_RECREATED = (
    "{}s of one policy and one key source were made within ten minutes: each verifies every token anew and "
    "keeps what nobody asks it again. Make one when the process starts and keep it; threads and event loops "
    "share it. cache=None is for who means it"
)
_REASON_MASK = (1 << DETAIL_SHIFT) - 1
_ABSENT = object()
"""What a claim is that is not there; ``null`` is there, and of the wrong type."""

Result = TypeVar("Result", bound="Token")


class HasClaims(Protocol):
    """A verified token, or another verified answer that has claims."""

    def claim(self, name: str, default: Any = None) -> Any:
        """One claim, or ``default`` where there is none."""
        ...


class Judging(Counting):
    """What judges tokens by a clock and a revocation, and counts what came of it."""

    _error: str | None = None
    """OAuth error code of its rejections, where it is not that of a resource server."""

    _given_clock: Clock
    _time: Clock
    _revocation: RevocationCheck | None

    def _prepare(self, subject: Subject, clock: Clock, revocation: Revocation | None = None) -> None:
        """:raises PolicyError: the clock or the revocation cannot be used"""
        if not callable(clock):
            raise PolicyError("clock must be callable and return seconds")
        self._revocation = None
        if revocation is not None:
            from keybound.stores.revocation import as_revocation_check

            self._revocation = as_revocation_check(revocation)
        self._given_clock = clock
        self._time = checked(clock)
        self._outcomes = Outcomes(subject)

    def _rejection(self, reason: Reason, claim: str | None = None) -> TokenRejected:
        """The exception for what a check behind the road has found; the caller raises it."""
        return rejection(reason, claim=claim, error=self._error)

    def _unrevoked(self, token: Result) -> Result:
        """``token``, each time it is presented, unless it was revoked; behind every other check.

        :raises ContextRejected: it was
        :raises Unavailable: nobody can tell
        """
        if self._revocation is not None and self._revocation.is_revoked(token):
            raise self._rejection(Reason.TOKEN_REVOKED)
        return token

    async def _aunrevoked(self, token: Result) -> Result:
        """:meth:`_unrevoked` for use in an event loop."""
        if self._revocation is not None and await self._revocation.ais_revoked(token):
            raise self._rejection(Reason.TOKEN_REVOKED)
        return token

    def _stands_on(self) -> Iterator[object]:
        if self._revocation is not None:
            yield self._revocation.asked

    @property
    def clock(self) -> Clock:
        """Returns seconds since 1970-01-01T00:00:00Z."""
        return self._given_clock


class Configured(Judging):
    """What has a policy as well, and tells of it. Read-only: the road would not change along."""

    _checked_policy: TokenPolicy

    def _configure(self, policy: TokenPolicy, clock: Clock, revocation: Revocation | None = None) -> None:
        """:raises PolicyError: the clock or the revocation cannot be used"""
        self._prepare(policy, clock, revocation)
        self._checked_policy = policy

    @property
    def policy(self) -> TokenPolicy:
        """What the validator demands."""
        return self._checked_policy


class Described(Configured):
    """A validator that tells what it was made of."""

    _key_source: KeySource
    _refreshing: RefreshingKeySource | None
    _tokens: token_cache.TokenCache | None
    _decryption: Opener | None

    def _describe(
        self,
        policy: TokenPolicy,
        keys: KeySource | JWK,
        clock: Clock,
        cache: CacheSettings | None,
        decryption: Opener | None = None,
        revocation: Revocation | None = None,
    ) -> None:
        """Check what every validator is given besides its policy.

        :raises PolicyError: it cannot be used
        """
        self._configure(policy, clock, revocation)
        if cache is not None and not isinstance(cache, CacheSettings):
            raise PolicyError("cache must be a keybound.CacheSettings or None")
        if decryption is not None and not isinstance(decryption, Opener):
            raise PolicyError("decryption must be a keybound.Decryption or None")
        self._decryption = decryption
        _check_cache(policy, cache)
        self._key_source = source = as_key_source(keys)
        self._refreshing = source if isinstance(source, RefreshingKeySource) else None
        self._tokens = None if cache is None else token_cache.TokenCache(cache)
        # The native one has no lock that could be held while a process forks.
        if isinstance(self._tokens, background.Forkable):
            background.adopt(self._tokens)
        # Who brings a clock tests something, and who has no cache loses none.
        if cache is not None and clock is system_clock:
            name = hash((type(self), policy, id(source)))
            VALIDATORS.tell(name, _RECREATED.format(type(self).__name__))
            VALIDATORS.count(name)

    def _road(
        self,
        result_type: type[road.VerifiedToken],
        adjust: Callable[[ClaimRules], ClaimRules] = lambda rules: rules,
    ) -> tuple[road.CompiledPolicy, dict[str, Any]]:
        """Arguments for the :class:`road.Validator` of this policy, these keys and this clock.

        :param adjust: changes the claim rules for a road that the policy does not describe
        """
        policy, keys = self._checked_policy, self._key_source
        header_rules, claim_rules = policy.header_rules(), adjust(policy.claim_rules())
        return road.CompiledPolicy(header_rules, claim_rules, result_type), {
            "source": keys,
            "static_keys": keys._index if isinstance(keys, JWKSet) else None,
            "clock": self._given_clock,
            "to_proof": proof_of,
            "reject": rejection_of(claim_rules, self._error),
            "cache": self._tokens,
            "opener": self._decryption,
        }

    async def _apresent(
        self,
        validator: road.Validator[Result],
        raw: str | bytes,
        certificate: Certificate | None = None,
        dpop: road.SelfSignedToken | None = None,
    ) -> Result:
        """``validator.validate`` for an event loop: where keys have to be waited for, the loop goes on."""
        if self._refreshing is None:
            return validator.validate(raw, certificate=certificate, dpop=dpop)
        return validator._conclude(await self._ajudge(validator, raw, certificate, dpop), dpop)

    async def _ajudge(
        self,
        validator: road.Validator[Result],
        raw: str | bytes,
        certificate: Certificate | None,
        dpop: road.SelfSignedToken | None,
    ) -> road.VerifiedToken | int:
        source = self._refreshing
        if source is None:
            return validator._judge(self._key_source.snapshot(), raw, certificate, dpop)
        verdict = validator._judge(await source.aget(), raw, certificate, dpop)
        if verdict == Reason.KEY_UNKNOWN:
            kid = validator._kid(raw)
            if kid is not None and await source.arefresh_for(kid):
                verdict = validator._judge(await source.aget(), raw, certificate, dpop)
        return verdict

    @property
    def keys(self) -> KeySource:
        """Where the keys come from."""
        return self._key_source

    def _stands_on(self) -> Iterator[object]:
        yield self._key_source
        yield from super()._stands_on()

    def stats(self) -> dict[str, Any]:
        """Counters for operators, since this validator was made.

        :returns: how many calls ``accepted`` a token, how many ``rejected`` one, by code of the reason, and
            for how many the answer was ``unavailable``; ``old_secrets``: how many accepted one that was
            signed or encrypted with an old secret; ``cache``: empty if it has no cache; ``tables``: of
            the tables of hot keys, which the whole process shares
        """
        return super().stats() | {
            "cache": self._tokens.counters() if self._tokens is not None else {},
            "tables": signature.table_counters(),
        }

    def clear_cache(self) -> None:
        """Forget every verified token; the next presentation of each is verified anew."""
        if self._tokens is not None:
            self._tokens.clear()


class Token(road.VerifiedToken):
    """What tokens of every kind may say (RFC 7519, 4.1). Immutable; never prints the token."""

    __slots__ = ()

    @property
    def issuer(self) -> str:
        """``iss``"""
        return str(self.claim("iss"))

    @property
    def subject(self) -> str | None:
        """``sub``, or ``None`` if the token has none and the policy did not ask for it."""
        value: str | None = self.claim("sub")
        return value

    @property
    def audience(self) -> tuple[str, ...]:
        """``aud``, always as a tuple."""
        value = self.claim("aud", ())
        return (value,) if isinstance(value, str) else tuple(value)

    @property
    def expires_at(self) -> float | None:
        """``exp``, seconds since 1970-01-01T00:00:00Z."""
        value: float | None = self.claim("exp")
        return value

    @property
    def issued_at(self) -> float | None:
        """``iat``, seconds since 1970-01-01T00:00:00Z."""
        value: float | None = self.claim("iat")
        return value

    @property
    def identifier(self) -> str | None:
        """``jti``, or ``None``."""
        value: str | None = self.claim("jti")
        return value

    def __repr__(self) -> str:
        return f"<keybound.{type(self).__name__}>"


class TokenValidator(Described, Counted, Generic[Result]):
    """A road with a few checks of one kind behind it; each kind adds its ``validate``."""

    def __init__(
        self,
        policy: TokenPolicy,
        result_type: type[Result],
        *,
        keys: KeySource | JWK,
        clock: Clock,
        cache: CacheSettings | None = None,
        decryption: Opener | None = None,
        replay: ReplayStore | None = None,
        revocation: Revocation | None = None,
    ) -> None:
        self._describe(policy, keys, clock, cache, decryption, revocation)
        self._uses = None
        if replay is not None:
            from keybound.tokens._one_use import OneUse

            self._uses = OneUse(replay, policy)
        compiled, situation = self._road(result_type)
        self._validator: road.Validator[Result] = road.Validator(compiled, **situation)

    def __reduce__(self) -> Any:
        raise TypeError("a validator cannot be pickled")

    def _stands_on(self) -> Iterator[object]:
        yield from super()._stands_on()
        if self._uses is not None:
            yield self._uses.store

    def _open(self, raw: str | bytes) -> Result:
        """A token of this kind by header, signature and registered claims.

        :raises TokenRejected: it is not
        :raises Unavailable: the key source cannot answer now
        """
        return self._validator.validate(raw)

    async def _aopen(self, raw: str | bytes) -> Result:
        """:meth:`_open` for an event loop."""
        return await self._apresent(self._validator, raw)

    def _use(self, token: Result) -> Result:
        """``token``, which is used up now; the last check, so that only a good one is.

        :raises ContextRejected: it was used before
        :raises Unavailable: the replay store cannot tell
        """
        if self._uses is not None:
            try:
                first = self._uses.put(token, self._time())
            except TokenRejected as error:
                raise self._rejection(error.reason) from None
            if not first:
                raise self._rejection(Reason.JTI_REPLAYED)
        return token

    async def _ause(self, token: Result) -> Result:
        """:meth:`_use` for use in an event loop."""
        if self._uses is not None:
            try:
                first = await self._uses.aput(token, self._time())
            except TokenRejected as error:
                raise self._rejection(error.reason) from None
            if not first:
                raise self._rejection(Reason.JTI_REPLAYED)
        return token


def _check_cache(policy: TokenPolicy, cache: CacheSettings | None) -> None:
    # The usual bounds are nobody's decision, and no token outlives its own time in any cache.
    if cache is None or cache is DEFAULT_CACHE:
        return
    for name in ("max_lifetime", "max_age"):
        bound = getattr(policy, name)
        if bound is not None and cache.lifetime > bound:
            raise PolicyError(f"lifetime of the cache is above {name}: no token would be good for so long")


def numeric_date(token: HasClaims, name: str, *, error: str | None = None) -> float | None:
    """A NumericDate (RFC 7519, 2) other than the registered ones, or ``None`` where there is none.

    :param error: OAuth error code in place of that of a resource server
    :raises ClaimRejected: it is malformed
    """
    value = token.claim(name, _ABSENT)
    if value is _ABSENT:
        return None
    if type(value) not in (int, float) or not 0 <= value <= MAX_NUMERIC_DATE:
        raise rejection(Reason.CLAIM_INVALID, claim=name, error=error)
    return float(value)


def text_claim(
    token: HasClaims, name: str, *, may_be_empty: bool = True, error: str | None = None
) -> str | None:
    """A claim that is text if it is there, or ``None`` where there is none.

    :param error: OAuth error code in place of that of a resource server
    :raises ClaimRejected: it is malformed
    """
    value = token.claim(name, _ABSENT)
    if value is _ABSENT:
        return None
    if not isinstance(value, str) or not (value or may_be_empty):
        raise rejection(Reason.CLAIM_INVALID, claim=name, error=error)
    return value


def is_recent(since: float, *, now: float, max_age: float, leeway: float) -> bool:
    """Whether a user who authenticated at ``since`` did so within ``max_age`` seconds.

    :raises ClaimRejected: it is in the future
    """
    # Each comparison with the clock is true for a good token, so a clock that says NaN accepts none.
    if not since <= now + leeway:
        raise rejection(Reason.CLAIM_INVALID, claim="auth_time")
    return now - since <= max_age + leeway


def same_text(one: str, other: str) -> bool:
    """Whether two texts are the same, in a time that does not tell where they differ."""
    # Brings OpenSSL along, which nobody pays for at import time.
    from hmac import compare_digest

    return compare_digest(octets(one), octets(other))


def octets(value: str) -> bytes:
    """Text as UTF-8."""
    # A lone surrogate equals nothing, and must not fail here.
    return value.encode("utf-8", "surrogatepass")


def rejection_of(
    rules: ClaimRules, error: str | None = None, scheme: Scheme | None = None
) -> Callable[..., TokenRejected]:
    """What makes the exception that belongs to a verdict on claims under ``rules``.

    It takes the verdict and, if one was presented, the DPoP proof.

    :param error: OAuth error code in place of that of a resource server
    :param scheme: scheme of the challenge in place of that of the reason
    """
    return partial(_rejection, rules, error, scheme)


def _rejection(
    rules: ClaimRules,
    error: str | None,
    scheme: Scheme | None,
    verdict: int,
    dpop: road.SelfSignedToken | None = None,
) -> TokenRejected:
    reason, position = Reason(verdict & _REASON_MASK), verdict >> DETAIL_SHIFT
    claim = scope = None
    if reason is Reason.CLAIM_MISSING:
        claim = rules.required[position]
    elif reason is Reason.CLAIM_FORBIDDEN:
        claim = rules.forbidden[position]
    elif reason is Reason.CLAIM_MISMATCH:
        claim = rules.expected[position][0]
    elif reason is Reason.SCOPE_INSUFFICIENT:
        scope = " ".join(rules.scopes)
    return rejection(reason, claim=claim, scope=scope, error=error, scheme=scheme_beside(dpop) or scheme)


def scheme_beside(dpop: road.SelfSignedToken | None) -> Scheme | None:
    """The scheme in which a rejection is answered because of the DPoP proof that came along, if any."""
    # RFC 9449, 7.2: who came with a proof is answered in its scheme.
    return None if dpop is None else Scheme("DPoP", algs=dpop.allowed_algorithms)
