"""When a remote document is fetched again: every decision about it, without I/O, threads or a clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from keybound.errors import PolicyError
from keybound.limits import MAX_NUMERIC_DATE, MAX_UNKNOWN_KIDS

__all__ = ["DEFAULT_REFRESH", "Lifetime", "RefreshSettings", "Schedule"]


_LONGEST_TIMEOUT = 86_400.0


@dataclass(frozen=True, kw_only=True)
class RefreshSettings:
    """How long a fetched document is used, how often it is asked for, and how long that may take.

    All times are seconds. Ages count from the moment when the last successful fetch began.

    :param refresh_after: age from which the document is fetched again in the background, less up to a
        tenth by chance, so that many processes do not ask at once
    :param fresh_for: age from which the document counts as stale: still used, and reported
    :param max_stale: age from which it is not used any more; then :class:`~keybound.Unavailable`
    :param min_fresh: least that ``max-age`` of the issuer can make of ``fresh_for`` (RFC 9111, 5.2.2),
        also with ``no-store``; ``refresh_after`` keeps its share of it
    :param max_fresh: most that it can make of it
    :param cooldown: between two fetches that an unknown ``kid`` causes, counted from the last attempt
    :param unknown_for: how long a ``kid`` that the issuer did not have causes no further fetch
    :param backoff: until the second attempt after a failure; doubled with each further one
    :param max_backoff: the longest pause between two attempts, also where the issuer asks for a longer one
    :param connect_timeout: for the TCP connection
    :param read_timeout: between two pieces of the answer
    :param total_timeout: for everything together, with redirects and the one retry
    :param document_bytes: the largest answer, before and after decompression
    :raises PolicyError: a value is not a positive number, or the ages are not in order
    """

    refresh_after: float = 300.0
    fresh_for: float = 600.0
    max_stale: float = 3600.0
    min_fresh: float = 60.0
    max_fresh: float = 1800.0
    cooldown: float = 30.0
    unknown_for: float = 300.0
    backoff: float = 1.0
    max_backoff: float = 60.0
    connect_timeout: float = 2.0
    read_timeout: float = 3.0
    total_timeout: float = 5.0
    document_bytes: int = 512 * 1024

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 < value <= MAX_NUMERIC_DATE:
                raise PolicyError(f"{name} must be a positive number")
        for name in ("connect_timeout", "read_timeout", "total_timeout"):
            # Nobody waits that long, and some platforms cannot.
            if getattr(self, name) > _LONGEST_TIMEOUT:
                raise PolicyError(f"{name} must be at most a day")
        if type(self.document_bytes) is not int:
            raise PolicyError("document_bytes must be a whole number")
        if not self.refresh_after < self.fresh_for < self.max_stale:
            raise PolicyError("refresh_after must be below fresh_for, and fresh_for below max_stale")
        if self.min_fresh > self.max_fresh:
            raise PolicyError("min_fresh must not be above max_fresh")
        if self.backoff > self.max_backoff:
            raise PolicyError("backoff must not be above max_backoff")

    def freshness(self, max_age: float | None) -> float:
        """``fresh_for`` with what the issuer says, within the bounds.

        :param max_age: seconds for which the issuer calls its answer fresh; ``None`` if it says nothing
        """
        if max_age is None:
            return self.fresh_for
        # Below max_stale, so that a document becomes stale before it becomes useless.
        return min(max(max_age, self.min_fresh), self.max_fresh, self.max_stale)


DEFAULT_REFRESH = RefreshSettings()


class Lifetime(NamedTuple):
    """Moments in the life of a document, in seconds of a monotonic clock."""

    fetched_at: float
    refresh_at: float
    stale_at: float
    dead_at: float


class Schedule:
    """What may be fetched when. Not safe to share: whoever owns it brings a lock.

    Scheduled fetches and those for an unknown ``kid`` have reservations of their own, so that neither
    an outage nor an attacker can use up the other's.

    :param random: a number from 0 to 1 for the jitter
    :param at_once: so many unknown ``kid`` may cause a fetch before the first has to wait for a cooldown
    """

    def __init__(self, settings: RefreshSettings, random: Callable[[], float], *, at_once: int = 1) -> None:
        self._settings = settings
        self._random = random
        self._in_advance = (at_once - 1) * settings.cooldown
        self.failures = 0
        self.due = self.unknown_due = float("-inf")
        self._unknown: dict[str, float] = {}

    def reserve(self, kid: str, now: float) -> bool:
        """Whether an unknown ``kid`` may cause a fetch now; if so, that is one less until a cooldown ends."""
        if now < self.unknown_due or now < self._unknown.get(kid, now):
            return False
        # What was not used is saved, up to what may be used at once.
        self.unknown_due = max(self.unknown_due, now - self._in_advance) + self._settings.cooldown
        return True

    def may_refresh(self, now: float) -> bool:
        """Whether a scheduled fetch may begin now."""
        return now >= self.due

    def not_found(self, kid: str, now: float) -> None:
        """The issuer has answered, and ``kid`` was not there."""
        self._unknown.pop(kid, None)
        if len(self._unknown) >= MAX_UNKNOWN_KIDS:
            del self._unknown[next(iter(self._unknown))]
        self._unknown[kid] = now + self._settings.unknown_for

    def failed(self, now: float, retry_after: float | None = None) -> None:
        """An attempt has failed.

        :param retry_after: seconds that the issuer asked for (RFC 9110, 10.2.3)
        """
        settings = self._settings
        # The exponent has a bound of its own: 2.0 ** 1024 is an error.
        pause = min(settings.backoff * 2.0 ** min(self.failures, 64), settings.max_backoff)
        pause *= 1 - self._random() / 2
        self.failures += 1
        self.due = max(self.due, now + min(max(pause, retry_after or 0.0), settings.max_backoff))

    def succeeded(self, started: float, max_age: float | None, confirmed: bool = False) -> Lifetime:
        """The issuer has answered with a usable document, or has confirmed the one there is.

        :param started: when the fetch began
        :param max_age: as for :meth:`RefreshSettings.freshness`
        :param confirmed: the keys are the same, so what was not among them is not now
        """
        settings = self._settings
        fresh_for = settings.freshness(max_age)
        refresh_after = fresh_for * settings.refresh_after / settings.fresh_for
        self.failures = 0
        self.due = started + refresh_after * (1 - self._random() / 10)
        if not confirmed:
            self._unknown.clear()
        return Lifetime(started, self.due, started + fresh_for, started + settings.max_stale)

    def asked_elsewhere(self, at: float) -> None:
        """Another process has asked for all who share its answer: the cooldown counts from then."""
        self.unknown_due = min(self.unknown_due, at + self._settings.cooldown)

    def forget(self) -> None:
        """Nothing is held any more: the next fetch is allowed at once."""
        self.failures = 0
        self.due = self.unknown_due = float("-inf")
        self._unknown.clear()
