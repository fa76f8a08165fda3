"""What every replay store offers: each one-time proof is accepted once (RFC 7523, 3; RFC 9449, 11.1)."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from keybound.errors import PolicyError, Unavailable
from keybound.limits import MAX_LEEWAY, MAX_NUMERIC_DATE

__all__ = ["FURTHEST_EXPIRY", "ReplayStore", "as_replay_store", "check_times", "proof_octets", "proof_text"]

FURTHEST_EXPIRY = MAX_NUMERIC_DATE + MAX_LEEWAY
"""The latest ``expires_at``: ``exp`` of the last second there is, and the greatest leeway."""


@runtime_checkable
class ReplayStore(Protocol):
    """Remembers which proofs were used. Ask it last: a proof that fails any other check is not used up."""

    def put(
        self,
        kind: str,
        principal: str,
        jti: str,
        *,
        expires_at: float,
        now: float,
        issued_at: float | None = None,
    ) -> bool:
        """Use up a proof, as one atomic step among all who share the store.

        :param kind: kind of token; the same ``jti`` in another kind is another proof
        :param principal: who may choose the ``jti``: issuer, client, or thumbprint of the proof's key;
            the same ``jti`` of another principal is another proof
        :param jti: its identifier (RFC 7519, 4.1.7)
        :param expires_at: time from which on every validator that shares the store rejects the proof for
            its age, leeway included
        :param now: time of the caller's clock
        :param issued_at: ``iat`` of the proof, if it has one: a store that lost something can then tell that
            the proof is not among it; all times in seconds since 1970-01-01T00:00:00Z
        :returns: ``True`` for the first use; ``False`` for every other, and for a proof whose time is over
        :raises Unavailable: the store cannot tell; the proof must not be accepted
        """
        ...

    async def aput(
        self,
        kind: str,
        principal: str,
        jti: str,
        *,
        expires_at: float,
        now: float,
        issued_at: float | None = None,
    ) -> bool:
        """:meth:`put` for use in an event loop."""
        ...


def as_replay_store(store: object) -> ReplayStore:
    """``store``, if it is one.

    :raises PolicyError: it is not
    """
    if isinstance(store, ReplayStore) and not isinstance(store, type):
        return store
    raise PolicyError("replay must be a store of keybound.stores, or offer put and aput as these do")


def proof_text(kind: str, principal: str, jti: str) -> str:
    """Text that stands for one proof, and for no other.

    :raises Unavailable: one of the three is not text
    """
    try:
        # Lengths come first, so that nothing can move from one part to the next.
        return f"{len(kind)}:{len(principal)}:" + kind + principal + jti
    except TypeError:
        raise Unavailable("kind, principal and jti of a proof must be text") from None


def proof_octets(kind: str, principal: str, jti: str) -> bytes:
    """:func:`proof_text` as octets."""
    # Text that came out of JSON may hold half of a surrogate pair.
    return proof_text(kind, principal, jti).encode("utf-8", "surrogatepass")


def check_times(expires_at: float, now: float) -> bool:
    """Whether the proof's time is still to come.

    :raises Unavailable: one of the two is no time at all
    """
    for value in (expires_at, now):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        # NaN is not within any bounds.
        if not number or not 0 <= value <= FURTHEST_EXPIRY:
            raise Unavailable("the times of a proof must be numbers of seconds up to the year 9999")
    return now < expires_at
