"""What the calls of one validator came to, counted."""

from __future__ import annotations

import functools
import inspect
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Any, ClassVar, Protocol, TypeVar

from keybound.errors import KeyboundError, PolicyError, Reason, TokenRejected, Unavailable
from keybound.events import OldSecretEvent, TokenEvent
from keybound.keys import background

__all__ = ["Counted", "Counting", "Outcomes", "Subject"]

Result = TypeVar("Result")

Listener = Callable[[TokenEvent | OldSecretEvent], object]
"""What is told of calls that have not accepted a token, and of old secrets that are still in use."""


class Subject(Protocol):
    """What the tokens are that a validator judges."""

    @property
    def kind(self) -> str:
        """Kind of token, as :class:`keybound.TokenKind` spells it."""
        ...

    @property
    def issuer(self) -> str | None:
        """As configured, or ``None`` where the validator knows none."""
        ...


class Outcomes:
    """Counters of one validator. Safe to share between threads.

    :param subject: the policy of the validator, or what says as much of its tokens; ``None`` for one that
        judges before it is known whose token it is
    """

    def __init__(self, subject: Subject | None) -> None:
        self.kind = None if subject is None else str(subject.kind)
        self.issuer = None if subject is None else subject.issuer
        self._listener: Listener | None = None
        self._lock = threading.Lock()
        self._accepted = self._unavailable = self._old_secrets = 0
        self._rejected: Counter[Reason] = Counter()
        background.adopt(self)

    def accepted(self, tokens: int = 1, *, old_secrets: int = 0) -> None:
        """So many tokens were accepted.

        :param old_secrets: how many of them, or of those that are counted elsewhere, by an old secret
        """
        with self._lock:
            self._accepted += tokens
            self._old_secrets += old_secrets
        for _ in range(old_secrets):
            self._tell(OldSecretEvent(str(self.kind), self.issuer))

    def ended(self, error: KeyboundError) -> None:
        """A call ended with this error."""
        if isinstance(error, TokenRejected):
            with self._lock:
                self._rejected[error.reason] += 1
        elif isinstance(error, Unavailable):
            with self._lock:
                self._unavailable += 1
        if self._listener is not None and isinstance(error, (TokenRejected, Unavailable)):
            self._tell(TokenEvent.of(error, kind=self.kind, issuer=self.issuer))

    def _tell(self, event: TokenEvent | OldSecretEvent) -> None:
        listener = self._listener
        if listener is not None:
            # An error of whoever listens is none of the token.
            with suppress(Exception):
                listener(event)

    def notify(self, listener: Listener | None) -> None:
        """See :meth:`Counting.notify`."""
        if listener is not None and not callable(listener):
            raise PolicyError("what is to be notified must be callable")
        self._listener = listener

    @contextmanager
    def unavailability(self) -> Iterator[None]:
        """Count it where the call inside cannot tell."""
        try:
            yield
        except Unavailable as error:
            self.ended(error)
            raise

    def numbers(self) -> dict[str, Any]:
        """``accepted`` and ``unavailable`` calls, those ``rejected`` by code of the reason, and how many
        ``old_secrets`` were accepted.
        """
        with self._lock:
            rejected = {str(reason): count for reason, count in sorted(self._rejected.items())}
            return {
                "accepted": self._accepted,
                "rejected": rejected,
                "unavailable": self._unavailable,
                "old_secrets": self._old_secrets,
            }

    def _after_fork(self) -> None:
        # The thread that holds it has stayed with the parent.
        self._lock = threading.Lock()


class Counting:
    """A validator that counts what its calls come to."""

    _outcomes: Outcomes

    def __repr__(self) -> str:
        issuer = self._outcomes.issuer
        return f"<keybound.{type(self).__name__}{'' if issuer is None else f' of {issuer!r}'}>"

    def stats(self) -> dict[str, Any]:
        """Counters for operators, since this validator was made.

        :returns: how many calls ``accepted`` a token, how many ``rejected`` one, by code of the reason, and
            for how many the answer was ``unavailable``; ``old_secrets``: how many accepted one that was
            signed or encrypted with an old secret
        """
        return self._outcomes.numbers()

    def notify(self, listener: Listener | None) -> None:
        """Tell ``listener`` of every call that does not accept a token, from now on, and nobody else.

        It is called with a :class:`keybound.events.TokenEvent` in the thread of the call, which waits for it,
        as often as anybody presents bad tokens; what it raises is ignored. Of an accepted token it hears only
        if an old secret was in use, by a :class:`keybound.events.OldSecretEvent`.

        :param listener: a function such as :class:`keybound.events.EventLog`; ``None`` for nobody
        :raises PolicyError: it cannot be called
        """
        self._outcomes.notify(listener)

    def _stands_on(self) -> Iterator[object]:
        """What has to be there for an answer: key sources, stores and deny-lists."""
        yield from ()


class Counted(Counting):
    """Counts around the public methods that validate; those on whose road nobody counts.

    :cvar _counts_itself: whether the methods of a class do so without help, which takes less time
    """

    _counts_itself: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if vars(cls).get("_counts_itself"):
            return
        for name, method in list(vars(cls).items()):
            if name.startswith(("validate", "avalidate")):
                setattr(cls, name, _counted(method))


def _counted(method: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def awaiting(self: Counted, *given: Any, **named: Any) -> Any:
            with _Call(self._outcomes) as call:
                return call.ends_with(await method(self, *given, **named))

        return awaiting

    @functools.wraps(method)
    def calling(self: Counted, *given: Any, **named: Any) -> Any:
        with _Call(self._outcomes) as call:
            return call.ends_with(method(self, *given, **named))

    return calling


_counting: ContextVar[Outcomes | None] = ContextVar("_counting", default=None)
"""Whose call is under way: one method that validates may call another one of the same validator."""


class _Call:
    """One call from outside, counted when it ends."""

    __slots__ = ("_before", "_old_secrets", "_outcomes")

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes
        self._old_secrets = 0

    def __enter__(self) -> _Call:
        self._before = _counting.get()
        _counting.set(self._outcomes)
        return self

    def ends_with(self, result: Result) -> Result:
        """What the call is about to return."""
        self._old_secrets = int(getattr(result, "old_secret", False))
        return result

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _counting.set(self._before)
        if self._before is self._outcomes:
            return
        if error is None:
            self._outcomes.accepted(old_secrets=self._old_secrets)
        elif isinstance(error, KeyboundError):
            self._outcomes.ended(error)
