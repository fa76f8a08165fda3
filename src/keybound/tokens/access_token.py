"""JWT access tokens (RFC 9068), bound to a client certificate (RFC 8705), to a key (RFC 9449), or not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from keybound._hotpath import batch
from keybound._hotpath import token as road
from keybound._hotpath.scope import scope_tokens
from keybound.clock import Clock, system_clock
from keybound.errors import PolicyError, Reason, TokenRejected
from keybound.frozen import FrozenDict
from keybound.jose.nesting import Opener
from keybound.keys import KeySource
from keybound.kinds import TokenKind
from keybound.limits import DEFAULT_CACHE, DEFAULT_LIMITS, MAX_THREADS, CacheSettings, Limits
from keybound.policy import BindingMode, Profile, TokenPolicy, text, text_list
from keybound.profiles.oauth import OAUTH
from keybound.tokens._validator import Configured, Described, Token

if TYPE_CHECKING:
    from keybound.binding.certificate import Certificate
    from keybound.jose.jwk import JWK
    from keybound.stores.revocation import Revocation, RevocationCheck
    from keybound.tokens.demands import Demands
    from keybound.tokens.dpop_proof import DPoPProof
    from keybound.tokens.explain import Explanation

__all__ = ["AccessToken", "AccessTokenValidator", "Requiring"]

Granted = TypeVar("Granted", bound="AccessToken")
Judged: TypeAlias = "road.VerifiedToken | int | TokenRejected"


class AccessToken(Token):
    """An access token that passed every check of its validator. Immutable; never prints the token."""

    __slots__ = ()

    @property
    def client_id(self) -> str | None:
        """``client_id`` (RFC 9068, 2.2), or ``None``."""
        value: str | None = self.claim("client_id")
        return value

    @property
    def scopes(self) -> frozenset[str]:
        """Tokens of ``scope`` and ``scp``."""
        return frozenset(scope_tokens(self.claim("scope", ""), self.claim("scp", "")))

    @property
    def confirmation(self) -> FrozenDict | None:
        """``cnf`` (RFC 7800, 3.1), or ``None`` for a bearer token."""
        value: FrozenDict | None = self.claim("cnf")
        return value

    def authorization_details(self, type: str | None = None) -> tuple[FrozenDict, ...]:  # noqa: A002
        """The objects of ``authorization_details`` (RFC 9396, 9.1), checked for their form, read-only.

        :param type: leave out those of other types
        :raises ClaimRejected: the claim is malformed
        """
        from keybound.tokens.demands import authorization_details

        return authorization_details(self, type)

    def __repr__(self) -> str:
        return f"<keybound.{type(self).__name__} {'bearer' if self.confirmation is None else 'bound'}>"


class Requiring(Configured):
    """A validator of what gives access: it can also be asked what one resource demands."""

    def require(self, token: Granted, demands: Demands) -> Granted:
        """Check what one resource demands, beyond what this validator demands of every token.

        :param token: what :meth:`validate` has returned
        :returns: the token
        :raises InsufficientScope: the token does not meet the demands; ``.challenge()`` tells the client
            what would
        :raises ClaimRejected: a claim that had to be looked at is malformed
        :raises Unavailable: the clock answers with something else than a time
        """
        # By what they have: who makes no demands does not load them.
        check = getattr(type(demands), "check", None)
        if not isinstance(token, AccessToken) or check is None:
            raise PolicyError("require takes a verified access token and keybound.Demands")
        now = None if demands.max_age is None else self._time()
        check(demands, token, now=now, leeway=self.policy.leeway)
        return token


class AccessTokenValidator(Requiring, Described, road.Validator[AccessToken]):
    """Validates JWT access tokens for one resource server. Make it once; use it from any thread.

    :param issuer: the issuer identifier, compared code point by code point (RFC 9068, 4)
    :param audience: identifier of this resource server, or several; one must be in ``aud``
    :param keys: a :class:`~keybound.JWKSet`, a single :class:`~keybound.JWK`, or a key source
    :param algorithms: allow-list of ``alg`` values; mandatory unless the profile brings one
    :param profile: a member of :mod:`keybound.profiles`
    :param types: accepted ``typ`` values in place of the profile's
    :param leeway: clock skew in seconds, granted to ``exp``, ``nbf`` and ``iat`` alike
    :param max_lifetime: greatest ``exp`` minus ``iat``, in seconds
    :param max_age: greatest time since ``iat``, in seconds
    :param required_claims: names that must be present, besides those of the profile
    :param forbidden_claims: names that must not be present
    :param expected_claims: claims and the one text that each must be
    :param allow_missing_exp: accept tokens that never expire
    :param scopes: scope tokens that must all be there; else 403 ``insufficient_scope``
    :param binding: ``"if-present"`` checks ``cnf`` where there is one, ``"required"`` demands one,
        ``"ignore"`` accepts a stolen bound token from anybody
    :param decryption: a :class:`keybound.Decryption` where tokens are signed and then encrypted; then those
        that are not encrypted are rejected (RFC 9068, 4)
    :param limits: ceilings in bytes and nesting
    :param clock: returns seconds since 1970-01-01T00:00:00Z
    :param cache: bounds of the cache of verified tokens, or ``None`` for no cache
    :param revocation: a list of :mod:`keybound.stores`, or a function, also one to be awaited, that takes the
        verified token and says whether it was revoked; asked behind every other check, each time a token is
        presented
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
        leeway: float = 10,
        max_lifetime: float | None = None,
        max_age: float | None = None,
        required_claims: Iterable[str] = (),
        forbidden_claims: Iterable[str] = (),
        expected_claims: Mapping[str, str] | None = None,
        allow_missing_exp: bool = False,
        scopes: str | Iterable[str] = (),
        binding: BindingMode | None = None,
        decryption: Opener | None = None,
        limits: Limits = DEFAULT_LIMITS,
        clock: Clock = system_clock,
        cache: CacheSettings | None = DEFAULT_CACHE,
        revocation: Revocation | None = None,
    ) -> None:
        policy = TokenPolicy.create(
            TokenKind.ACCESS_TOKEN,
            issuer=text("issuer", issuer),
            audience=text_list("audience", audience, some=True),
            profile=profile,
            algorithms_=algorithms,
            types=types,
            leeway=leeway,
            max_lifetime=max_lifetime,
            max_age=max_age,
            required_claims=required_claims,
            forbidden_claims=forbidden_claims,
            expected_claims=expected_claims,
            allow_missing_exp=allow_missing_exp,
            scopes=scopes,
            binding=binding,
            limits=limits,
        )
        self._describe(policy, keys, clock, cache, decryption, revocation)
        compiled, situation = self._road(AccessToken)
        self._rejection_of = situation["reject"]
        check = self._revocation
        super().__init__(
            compiled,
            outcomes=self._outcomes,
            is_revoked=None if check is None else check.is_revoked,
            **situation,
        )

    def stats(self) -> dict[str, Any]:
        """See :meth:`Described.stats`."""
        counted = super().stats()
        return counted | {"accepted": counted["accepted"] + self._accepted_alone()}

    async def avalidate(
        self, raw: str | bytes, *, certificate: Certificate | None = None, dpop: DPoPProof | None = None
    ) -> AccessToken:
        """:meth:`validate` in an event loop, which it never blocks; with keys at hand it never waits."""
        revocation = self._revocation
        if self._refreshing is None and revocation is None:
            return self.validate(raw, certificate=certificate, dpop=dpop)
        with self._outcomes.unavailability():
            result = await self._ajudge(self, raw, certificate, dpop)
            ask = revocation.ais_revoked if revocation is not None else None
            if ask is not None and isinstance(result, AccessToken) and await ask(result):
                result = Reason.TOKEN_REVOKED
        return self._conclude(result, dpop)

    def validate_many(
        self,
        raws: Iterable[str | bytes],
        *,
        certificates: Iterable[Certificate | None] | None = None,
        dpop_proofs: Iterable[DPoPProof | None] | None = None,
        threads: int | None = None,
    ) -> list[AccessToken | TokenRejected]:
        """Validate a batch of tokens, on all cores and without the interpreter lock.

        :param raws: the tokens
        :param certificates: the client certificate that each token came with, as for
            :meth:`validate`, or ``None`` in its place; left out where there were none
        :param dpop_proofs: the same of DPoP proofs
        :param threads: how many threads share the work; one for each usable core if left out
        :returns: for each token, in order, what :meth:`validate` would return or raise
        :raises PolicyError: there are not as many certificates or proofs as tokens, one of the proofs is
            none, or ``threads`` is not positive
        :raises Unavailable: the key source cannot answer now, or nobody can tell whether a token was revoked
        """
        tokens = _listed("raws", raws)
        presented = [None] * len(tokens) if certificates is None else _listed("certificates", certificates)
        proofs = [None] * len(tokens) if dpop_proofs is None else _listed("dpop_proofs", dpop_proofs)
        for name, values in (("certificates", presented), ("dpop_proofs", proofs)):
            if len(values) != len(tokens):
                raise PolicyError(f"{name} must have one entry for each token, None where there was none")
        workers = _usable_cores() if threads is None else threads
        if type(workers) is not int or not 1 <= workers <= MAX_THREADS:
            raise PolicyError(f"threads must be a whole number from 1 to {MAX_THREADS}")
        with self._outcomes.unavailability():
            results = self._judge_many(tokens, presented, proofs, workers)
            again = self._found_meanwhile(tokens, results)
            if again:
                chosen = [[values[place] for place in again] for values in (tokens, presented, proofs)]
                later = self._judge_many(chosen[0], chosen[1], chosen[2], workers)
                for place, result in zip(again, later, strict=True):
                    results[place] = result
            judged: list[Judged] = list(results)
            if self._revocation is not None:
                judged = [_asked(self._revocation, result) for result in results]
        return self._concluded(judged, proofs)

    def _concluded(self, results: list[Judged], proofs: list[Any]) -> list[AccessToken | TokenRejected]:
        answers = [
            self._rejection_of(result, dpop)
            if isinstance(result, int)
            else cast("AccessToken | TokenRejected", result)
            for result, dpop in zip(results, proofs, strict=True)
        ]
        rejected = [answer for answer in answers if isinstance(answer, TokenRejected)]
        old_secrets = sum(isinstance(answer, AccessToken) and answer.old_secret for answer in answers)
        self._outcomes.accepted(len(answers) - len(rejected), old_secrets=old_secrets)
        for error in rejected:
            self._outcomes.ended(error)
        return answers

    def _judge_many(
        self, tokens: list[Any], certificates: list[Any], proofs: list[Any], threads: int
    ) -> list[road.VerifiedToken | int]:
        if self._decryption is None:
            return batch.validate_many(self, tokens, certificates, proofs, threads)
        # Decryption is not native, and most of the work.
        keys = self._key_source.snapshot()
        return [self._judge(keys, *given) for given in zip(tokens, certificates, proofs, strict=True)]

    def _found_meanwhile(self, tokens: list[Any], results: list[road.VerifiedToken | int]) -> list[int]:
        """Places of tokens whose key was unknown and is not any more, the source having been asked."""
        source = self._refreshing
        if source is None:
            return []
        kids = {
            place: self._kid(tokens[place])
            for place, result in enumerate(results)
            if result == Reason.KEY_UNKNOWN
        }
        found = {kid for kid in dict.fromkeys(kids.values()) if kid is not None and source.refresh_for(kid)}
        return [place for place, kid in kids.items() if kid in found]

    def explain(
        self, raw: str | bytes, *, certificate: Certificate | None = None, dpop: DPoPProof | None = None
    ) -> Explanation:
        """Every check of :meth:`validate`, one by one, without accepting anything.

        For people who look for the reason of a rejection. It goes on where :meth:`validate` stops,
        is slow, and its result is never a verified token. Whether a token was revoked is asked only of
        verified ones, so it does not tell.

        :raises Unavailable: the key source cannot answer now
        """
        from keybound.tokens.explain import explain

        keys, now = self._situation()
        return explain(self.policy, keys, now, raw, certificate, dpop, self._decryption)


def _asked(revocation: RevocationCheck, result: road.VerifiedToken | int) -> Judged:
    try:
        if isinstance(result, road.VerifiedToken) and revocation.is_revoked(result):
            return Reason.TOKEN_REVOKED
    except TokenRejected as error:
        # A function may say so in its own words: of this token, and not of the batch.
        return error
    return result


def _listed(name: str, values: Iterable[Any]) -> list[Any]:
    # Each of these is iterable too, and none of them is a list.
    if not isinstance(values, Iterable) or isinstance(values, (str, bytes, Mapping)):
        raise PolicyError(f"{name} must be a list with one entry for each token")
    return list(values)


def _usable_cores() -> int:
    """Cores this process may run on, where the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), MAX_THREADS)
    return min(os.cpu_count() or 1, MAX_THREADS)
