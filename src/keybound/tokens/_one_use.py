"""Tokens that are good for one use, by issuer and ``jti`` (RFC 7519, 4.1.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keybound.errors import PolicyError
from keybound.policy import TokenPolicy
from keybound.stores.replay import FURTHEST_EXPIRY, as_replay_store

if TYPE_CHECKING:
    from keybound.tokens._validator import Token

__all__ = ["OneUse"]

_EDGE = 1.0
"""Seconds past the last one in which the road accepts a token: the store must not forget it before."""


class OneUse:
    """Lets each token of one kind in once.

    :param store: a :class:`keybound.stores.ReplayStore`
    :param policy: tells until when a token could come again
    :raises PolicyError: it is no store, or the policy accepts tokens without ``jti`` or without an end
    """

    def __init__(self, store: object, policy: TokenPolicy) -> None:
        self.store = as_replay_store(store)
        self._kind, self._issuer = str(policy.kind), policy.issuer
        self._grace, self._max_age = policy.leeway + _EDGE, policy.max_age
        if "jti" not in policy.required_claims:
            raise PolicyError("replay tells tokens apart by jti: put it into required_claims")
        rules = policy.claim_rules()
        if not rules.exp_required and rules.max_age is None:
            raise PolicyError("replay would have to remember tokens for ever: demand exp, or set max_age")

    def put(self, token: Token, now: float) -> bool:
        """Whether this is the first use.

        :raises Unavailable: the store cannot tell
        """
        issuer, jti, issued_at = self._issuer or token.claim("iss"), token.claim("jti"), token.claim("iat")
        return self.store.put(
            self._kind, issuer, jti, expires_at=self._end(token), now=now, issued_at=issued_at
        )

    async def aput(self, token: Token, now: float) -> bool:
        """:meth:`put` for use in an event loop."""
        issuer, jti, issued_at = self._issuer or token.claim("iss"), token.claim("jti"), token.claim("iat")
        return await self.store.aput(
            self._kind, issuer, jti, expires_at=self._end(token), now=now, issued_at=issued_at
        )

    def _end(self, token: Token) -> float:
        """Time from which on the road rejects the token for its age."""
        end: float = token.claim("exp", FURTHEST_EXPIRY) + self._grace
        if self._max_age is not None:
            end = min(end, token.claim("iat") + self._max_age + self._grace)
        return end if end <= FURTHEST_EXPIRY else FURTHEST_EXPIRY
