"""What happened, for those who watch: events without anything from a token, and log records of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keybound.errors import KeyboundError, PolicyError, Reason, TokenRejected

if TYPE_CHECKING:
    import logging

    from keybound.keys import FetchEvent

__all__ = ["EventLog", "OldSecretEvent", "TokenEvent"]

# Those of logging, which is not loaded for whoever does not log.
_DEBUG, _INFO, _WARNING = 10, 20, 30


@dataclass(frozen=True)
class TokenEvent:
    """One call of a validator that has not accepted a token.

    :ivar kind: of token, as :class:`keybound.TokenKind` spells it; ``None`` from a router, which has a
        validator for it or has not
    :ivar issuer: as configured, or ``None`` where the validator knows none
    :ivar reason: why the token was rejected; ``None`` if nobody could tell whether it is good
    :ivar status: HTTP status that goes with it
    :ivar claim: name of the claim that the reason is about, where it has no reason of its own
    :ivar detail: why nobody could tell: the message of :class:`keybound.Unavailable`, which is a fixed text
        unless a key source, a store or a revocation check of your own raises it
    """

    kind: str | None
    issuer: str | None
    reason: Reason | None
    status: int
    claim: str | None = None
    detail: str | None = None

    @classmethod
    def of(cls, error: KeyboundError, *, kind: str | None, issuer: str | None) -> TokenEvent:
        """The event for what a validator raises."""
        if isinstance(error, TokenRejected):
            return cls(kind, issuer, error.reason, error.status, error.claim)
        return cls(kind, issuer, None, 503, detail=str(error))


@dataclass(frozen=True)
class OldSecretEvent:
    """One call of a validator that has accepted what was signed or encrypted with an old secret.

    Of several secrets for one algorithm, in one set of keys, the first is the current one and the others are
    old: once nobody uses them any more, they can go.

    :ivar kind: of token, as :class:`keybound.TokenKind` spells it
    :ivar issuer: as configured, which is the client where that signs; ``None`` where the validator knows none
    """

    kind: str
    issuer: str | None


class EventLog:
    """Writes each event as a record of :mod:`logging`: for ``notify`` of validators and ``on_event`` of keys.

    What is said in words is also in attributes of the record that begin with ``keybound_``, for formatters
    that write fields. Both hold what the operator configured and codes, never anything from a token. A
    rejection is ``INFO``, for anybody can cause one; that nobody could tell, a failed fetch, keys that
    are stale or gone, and an old secret in use are ``WARNING``. How many of them are written is for the
    logger's filters to decide.

    :param logger: without one, ``logging.getLogger("keybound")``
    :raises PolicyError: it is no logger
    """

    def __init__(self, logger: logging.Logger | logging.LoggerAdapter[Any] | None = None) -> None:
        import logging

        if logger is not None and not isinstance(logger, (logging.Logger, logging.LoggerAdapter)):
            raise PolicyError("logger must be a logging.Logger")
        self._logger = logging.getLogger("keybound") if logger is None else logger

    def __call__(self, event: TokenEvent | OldSecretEvent | FetchEvent) -> None:
        """Write one event."""
        if isinstance(event, TokenEvent):
            level, message, fields = _of_token(event)
        elif isinstance(event, OldSecretEvent):
            level, message, fields = _of_old_secret(event)
        else:
            level, message, fields = _of_fetch(event)
        self._logger.log(level, message, extra={f"keybound_{name}": value for name, value in fields.items()})


Record = tuple[int, str, Mapping[str, Any]]
"""Level, message and fields of a record."""


def _of_token(event: TokenEvent) -> Record:
    fields = {
        "event": "token_rejected" if event.reason else "token_unavailable",
        "kind": event.kind,
        "issuer": event.issuer,
        "reason": str(event.reason) if event.reason else None,
        "status": event.status,
        "claim": event.claim,
        "detail": event.detail,
    }
    kind = event.kind or "token"
    if event.reason is None:
        why = f": {event.detail}" if event.detail else ""
        return _WARNING, f"nobody could tell whether the {kind} is good{why}", fields
    about = f" ({event.claim})" if event.claim else ""
    return _INFO, f"{kind} rejected: {event.reason}{about}", fields


def _of_old_secret(event: OldSecretEvent) -> Record:
    fields = {"event": "old_secret_used", **vars(event)}
    return _WARNING, f"{event.kind} accepted by an old secret", fields


def _of_fetch(event: FetchEvent) -> Record:
    fields = {"event": "fetch", **vars(event), "outcome": str(event.outcome)}
    message = f"fetch of {event.url}: {event.outcome}"
    if event.outcome.succeeded:
        return (_INFO if event.outcome.value == "updated" else _DEBUG), message, fields
    state = "stale" if event.stale else "good"
    return _WARNING, f"{message}; what is held is {state if event.usable else 'gone'}", fields
