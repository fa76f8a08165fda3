"""Deny-lists: which verified tokens are no longer good, by identifier, session or subject.

A token is asked about after every other check, and each time it is presented, also where a validator
kept it (OpenID Connect Back-Channel Logout 1.0, 2.7; RFC 7009, 2.1).
"""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple, Protocol

from keybound.clock import Clock
from keybound.errors import KeyboundError, PolicyError, Unavailable
from keybound.stores.replay import FURTHEST_EXPIRY, proof_octets

__all__ = [
    "Entry",
    "Revocation",
    "RevocationCheck",
    "RevocationList",
    "Token",
    "as_revocation_check",
    "check_clock",
    "check_token",
]

_ATTRIBUTES = ("jti", "sid", "sub")
_FAILED = "the revocation check failed"


class Token(Protocol):
    """What a deny-list needs of a token: every verified token of Keybound has it."""

    def claim(self, name: str, default: Any = None) -> Any:
        """One claim, or ``default``."""
        ...


class Entry(NamedTuple):
    """One revocation.

    :ivar octets: stand for one claim of one issuer with one value, and for nothing else
    :ivar issuer: who issued the tokens
    :ivar before: tokens issued later are not concerned; infinite where all are
    :ivar until: tokens that are good for longer are not concerned; infinite where all are
    """

    octets: bytes
    issuer: str
    before: float
    until: float


class RevocationList(ABC):
    """Revokes tokens and tells which are revoked. All times in seconds since 1970-01-01T00:00:00Z.

    :param token_lifetime: seconds from issue until every token is over, with the leeway of validators
    :param clock: the clock of the validators
    :raises PolicyError: ``token_lifetime`` is no positive number of seconds, or ``clock`` no clock
    """

    def __init__(self, *, token_lifetime: float, clock: Clock) -> None:
        number = isinstance(token_lifetime, (int, float)) and not isinstance(token_lifetime, bool)
        if not number or not 0 < token_lifetime <= FURTHEST_EXPIRY:
            raise PolicyError("token_lifetime must be a positive number of seconds")
        if not callable(clock):
            raise PolicyError("clock must be callable and return seconds")
        self._token_lifetime = float(token_lifetime)
        self._clock = clock

    @abstractmethod
    def is_revoked(self, token: Token) -> bool:
        """Whether a verified token was revoked. Asked with every presentation.

        :raises PolicyError: this is no verified token
        :raises Unavailable: nobody can tell; the token must not be accepted
        """

    @abstractmethod
    async def ais_revoked(self, token: Token) -> bool:
        """:meth:`is_revoked` for use in an event loop."""

    def revoke(
        self,
        *,
        issuer: str,
        jti: str | None = None,
        sid: str | None = None,
        sub: str | None = None,
        issued_before: float | None = None,
        until: float | None = None,
    ) -> None:
        """Revoke one token, all tokens of a session, or those that a subject has by now.

        It is in force with the next presentation, wherever the list is shared. What was revoked stays
        revoked: a second call for the same makes it last longer and concern more, never less.

        :param issuer: ``iss`` of the tokens
        :param jti: the one token with this identifier (RFC 7519, 4.1.7)
        :param sid: all tokens of this session (OpenID Connect Front-Channel Logout 1.0, 3)
        :param sub: all tokens of this subject that were issued by ``issued_before``
        :param issued_before: tokens issued later, after a new login for example, stay good; for ``sub`` the
            present if left out, otherwise the end of time. Tokens that do not say when they were issued are
            revoked in any case
        :param until: the time by which every token that is meant is over; the present and
            ``token_lifetime`` if left out. For tokens that never are: ``math.inf``
        :raises PolicyError: not exactly one of ``jti``, ``sid`` and ``sub``, or a time is none
        :raises Unavailable: it may not be in force everywhere; try again
        """
        self._keep(self._entry(issuer, {"jti": jti, "sid": sid, "sub": sub}, issued_before, until))

    async def arevoke(
        self,
        *,
        issuer: str,
        jti: str | None = None,
        sid: str | None = None,
        sub: str | None = None,
        issued_before: float | None = None,
        until: float | None = None,
    ) -> None:
        """:meth:`revoke` for use in an event loop."""
        await self._akeep(self._entry(issuer, {"jti": jti, "sid": sid, "sub": sub}, issued_before, until))

    def log_out(self, logout_token: Token) -> None:
        """Revoke what a verified logout token speaks of: its session, or all sessions of its subject.

        OpenID Connect Back-Channel Logout 1.0, 2.7. Tokens that are issued after it stay good.

        :raises PolicyError: this is no verified token, or names neither session nor subject
        :raises Unavailable: it may not be in force everywhere; try again
        """
        self._keep(self._entry_of(logout_token))

    async def alog_out(self, logout_token: Token) -> None:
        """:meth:`log_out` for use in an event loop."""
        await self._akeep(self._entry_of(logout_token))

    @abstractmethod
    def _keep(self, entry: Entry) -> None: ...

    @abstractmethod
    async def _akeep(self, entry: Entry) -> None: ...

    def _entry(
        self, issuer: str, named: dict[str, str | None], issued_before: float | None, until: float | None
    ) -> Entry:
        given = [(name, value) for name, value in named.items() if value is not None]
        if len(given) != 1 or not isinstance(issuer, str):
            raise PolicyError("name an issuer, and exactly one of jti, sid and sub")
        ((name, value),) = given
        if not isinstance(value, str) or not value:
            raise PolicyError(f"{name} must be non-empty text")
        if issued_before is None:
            issued_before = check_clock(self._clock) if name == "sub" else math.inf
        if until is None:
            until = check_clock(self._clock) + self._token_lifetime
        for label, time in (("issued_before", issued_before), ("until", until)):
            if isinstance(time, bool) or not isinstance(time, (int, float)) or not time >= 0:
                raise PolicyError(f"{label} must be a time in seconds")
        return Entry(proof_octets(name, issuer, value), issuer, _time(issued_before), _time(until))

    def _entry_of(self, logout_token: Token) -> Entry:
        check_token(logout_token)
        issuer, sid = logout_token.claim("iss"), logout_token.claim("sid")
        if sid is not None:
            return self._entry(issuer, {"sid": sid}, None, None)
        # The issuer's time for both: clocks make no difference to what was before and what after.
        return self._entry(issuer, {"sub": logout_token.claim("sub")}, logout_token.claim("iat"), None)


Revocation = RevocationList | Callable[[Any], bool | Awaitable[bool]]
"""What validators take as ``revocation=``: a list, or a function of a verified token."""


def check_token(given: object) -> None:
    """:raises PolicyError: ``given`` is not a token that was verified, such as its text"""
    if isinstance(given, type) or not callable(getattr(given, "claim", None)):
        raise PolicyError("a deny-list takes a verified token, as validate() returns it")


def traces(token: Token) -> Iterator[bytes]:
    """The octets of every entry that could concern a token."""
    issuer = token.claim("iss")
    for name in _ATTRIBUTES:
        value = token.claim(name)
        if isinstance(issuer, str) and isinstance(value, str):
            yield proof_octets(name, issuer, value)


def _time(given: float) -> float:
    # No token is from then, and servers count milliseconds to no end.
    return math.inf if given > FURTHEST_EXPIRY else float(given)


def time_of(token: Token, name: str) -> float | None:
    """A time of a token, if it has it."""
    value = token.claim(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def check_clock(clock: Clock) -> float:
    """The time, from a clock that was given.

    :raises Unavailable: it does not tell a time
    """
    now = clock()
    if isinstance(now, bool) or not isinstance(now, (int, float)) or not 0 <= now <= FURTHEST_EXPIRY:
        raise Unavailable("the clock did not answer with a number of seconds")
    return float(now)


class RevocationCheck:
    """What a validator asks: a deny-list, or a function of the operator's.

    :param asked: the one or the other, as it was given
    :param check: takes a verified token and says whether it was revoked
    :param acheck: the same for event loops; ``check`` if left out
    """

    def __init__(
        self,
        asked: object,
        check: Callable[[Any], Any] | None,
        acheck: Callable[[Any], Any] | None = None,
    ) -> None:
        self.asked = asked
        self._check = check
        self._acheck = acheck

    def is_revoked(self, token: Token) -> bool:
        """Whether the token was revoked.

        :raises Unavailable: nobody can tell, or only somebody who has to be awaited
        """
        if self._check is None:
            raise Unavailable("revocation is asked for in an event loop only: use avalidate")
        try:
            return _verdict(self._check(token))
        except KeyboundError:
            raise
        except Exception as error:
            raise Unavailable(_FAILED) from error

    async def ais_revoked(self, token: Token) -> bool:
        """:meth:`is_revoked` for use in an event loop."""
        if self._acheck is None:
            return self.is_revoked(token)
        try:
            return _verdict(await self._acheck(token))
        except KeyboundError:
            raise
        except Exception as error:
            raise Unavailable(_FAILED) from error


def as_revocation_check(given: object) -> RevocationCheck:
    """What was given as ``revocation=``: a :class:`RevocationList`, or a function of a verified token.

    :raises PolicyError: it is neither
    """
    if isinstance(given, RevocationList):
        return RevocationCheck(given, given.is_revoked, given.ais_revoked)
    if isinstance(given, type) or not callable(given):
        raise PolicyError("revocation must be a list of keybound.stores, or take a token and return a bool")
    if inspect.iscoroutinefunction(given) or inspect.iscoroutinefunction(type(given).__call__):
        return RevocationCheck(given, None, given)
    return RevocationCheck(given, given)


def _verdict(answer: object) -> bool:
    if type(answer) is not bool:
        raise Unavailable("the revocation check did not answer with True or False")
    return answer
