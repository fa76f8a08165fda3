"""Report-only mode: what a stricter policy would do, counted by client beside the one that decides."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from keybound.audience.binding import BoundAudiencePolicy
from keybound.audience.judging import ACCEPTED, VERDICTS, AudienceJudge, AudienceVerdict, Outcome
from keybound.audience.names import KINDS, Kind
from keybound.errors import PolicyError
from keybound.keys import background
from keybound.limits import MAX_REPORTED_CLIENT_ID, MAX_REPORTED_CLIENTS

if TYPE_CHECKING:
    _Place = tuple[str, Kind, str]
    _Key = tuple[_Place, str]

__all__ = ["AudienceCount", "AudienceReport", "ReportOnly"]


@dataclass(frozen=True, kw_only=True)
class AudienceCount:
    """How often one policy would not have simply accepted what one client sent to one endpoint.

    :ivar client_id: the client; ``None`` for all beyond the bound, those with an overlong identifier and
        those whose identifier was not given
    :ivar policy: name of the policy that says so
    :ivar kind: what was judged
    :ivar endpoint: metadata name of the endpoint that received it
    :ivar outcome: ``"warn"`` or ``"reject"``
    :ivar code: the code of the verdict, see :class:`~keybound.audience.AudienceVerdict`
    :ivar count: how often
    """

    client_id: str | None
    policy: str
    kind: Kind
    endpoint: str
    outcome: Outcome
    code: str
    count: int


@dataclass(frozen=True, kw_only=True)
class AudienceReport:
    """What was counted. Only what the enforced policy accepted counts by client.

    :ivar enforced: name of the policy that decides
    :ivar stricter: name of the policy that is only reported, or ``None``
    :ivar judged: how many audiences were judged
    :ivar rejected: how many of them the enforced policy rejected
    :ivar counts: what was not simply accepted, by client
    """

    enforced: str
    stricter: str | None
    judged: int
    rejected: int
    counts: tuple[AudienceCount, ...]

    @property
    def would_break(self) -> tuple[str, ...]:
        """The clients of which the stricter policy would reject something, in the order of appearance."""
        broken = (count.client_id for count in self.counts if count.outcome == "reject")
        return tuple(dict.fromkeys(client for client in broken if client is not None))

    def to_mapping(self) -> dict[str, Any]:
        """The report as plain data, for JSON."""
        return asdict(self)


class ReportOnly(BoundAudiencePolicy):
    """A policy that decides, and a stricter one beside it that only counts. For use from any thread.

    It stands wherever a bound policy does, and its verdicts are those of ``enforced``. It counts by client
    what ``enforced`` accepts and ``stricter`` would reject or warn about, and the warnings of ``enforced``
    itself. Ask it after the signature was verified: before, anybody can claim to be any client.

    :param enforced: decides
    :param stricter: for the same authorization server; ``None`` to count the warnings of ``enforced`` alone.
        Where it has no rule it says nothing
    :param max_clients: clients counted by name; all others share one count
    :raises PolicyError: the policies are for different servers or have no endpoint in common, or
        ``max_clients`` is not a whole number from 1 to 100,000

    >>> from keybound.audience import POLICIES, ReportOnly
    >>> server = {"issuer": "https://as.example.com", "token_endpoint": "https://as.example.com/token"}
    >>> report_only = ReportOnly(
    ...     POLICIES["oidc-core"].bind_metadata(server), POLICIES["fapi2-final"].bind_metadata(server)
    ... )
    >>> report_only.judge("token_endpoint", "https://as.example.com/token", "client-1").outcome
    'accept'
    >>> report_only.snapshot().would_break
    ('client-1',)
    """

    __slots__ = ("_stricter", "_tally")

    def __init__(
        self,
        enforced: BoundAudiencePolicy,
        stricter: BoundAudiencePolicy | None = None,
        *,
        max_clients: int = 1000,
    ) -> None:
        if not isinstance(enforced, BoundAudiencePolicy):
            raise PolicyError("enforced must be an audience policy that is bound to a server")
        if type(max_clients) is not int or not 1 <= max_clients <= MAX_REPORTED_CLIENTS:
            raise PolicyError(f"max_clients must be a whole number from 1 to {MAX_REPORTED_CLIENTS}")
        _check_stricter(enforced, stricter)
        self._stricter = None if stricter is None else stricter.policy.name
        self._tally = _Tally(max_clients)
        judges = [
            {
                endpoint: _ReportingJudge(self._tally, kind, enforced, stricter, endpoint)
                for endpoint in enforced.endpoints(kind)
            }
            for kind in KINDS
        ]
        super().__init__(enforced.policy, enforced.issuer, judges)

    def snapshot(self) -> AudienceReport:
        """What was counted since the start or the last :meth:`reset`."""
        return self._report(*self._tally.read(clear=False))

    def reset(self) -> AudienceReport:
        """The last :meth:`snapshot`, after which everything counts from zero; nothing is lost between."""
        return self._report(*self._tally.read(clear=True))

    def _report(self, judged: int, rejected: int, counts: tuple[AudienceCount, ...]) -> AudienceReport:
        return AudienceReport(
            enforced=self.policy.name,
            stricter=self._stricter,
            judged=judged,
            rejected=rejected,
            counts=counts,
        )


class _ReportingJudge(AudienceJudge):
    """Judges as the enforced policy does, and counts what both of them say."""

    __slots__ = ("_enforced", "_places", "_stricter", "_tally")

    _enforced: AudienceJudge
    _stricter: AudienceJudge | None
    _tally: _Tally
    _places: tuple[_Place, _Place]

    def __init__(
        self,
        tally: _Tally,
        kind: Kind,
        enforced: BoundAudiencePolicy,
        stricter: BoundAudiencePolicy | None,
        endpoint: str,
    ) -> None:
        judge = enforced.at(endpoint, kind)
        super().__init__(
            endpoint=endpoint,
            accepted=judge.accepted,
            recommended=judge.recommended,
            form=judge.form,
            recommended_form=judge.recommended_form,
        )
        other = stricter if stricter is not None and endpoint in stricter.endpoints(kind) else None
        self._put("_enforced", judge)
        self._put("_stricter", None if other is None else other.at(endpoint, kind))
        self._put("_tally", tally)
        policies = (enforced, enforced if other is None else other)
        self._put("_places", tuple((policy.policy.name, kind, endpoint) for policy in policies))

    def judge(self, aud: object, client_id: str | None = None) -> AudienceVerdict:
        verdict = self._enforced.judge(aud, client_id)
        if not verdict:
            self._tally.add_rejection()
            return verdict
        other = ACCEPTED if self._stricter is None else self._stricter.judge(aud, client_id)
        if verdict is ACCEPTED and other is ACCEPTED:
            self._tally.add_acceptance()
        else:
            self._tally.add(client_id, *self._places, verdict, other)
        return verdict


class _Tally:
    """Counts under one lock, which is held for the counting alone."""

    def __init__(self, max_clients: int) -> None:
        self._max_clients = max_clients
        self._lock = threading.Lock()
        self._clear()
        background.adopt(self)

    def _clear(self) -> None:
        self._judged = 0
        self._rejected = 0
        self._clients: dict[str | None, Counter[_Key]] = {}

    def add_acceptance(self) -> None:
        with self._lock:
            self._judged += 1

    def add_rejection(self) -> None:
        with self._lock:
            self._judged += 1
            self._rejected += 1

    def add(
        self,
        client_id: object,
        enforced: _Place,
        stricter: _Place,
        verdict: AudienceVerdict,
        other: AudienceVerdict,
    ) -> None:
        """Count what two policies say of one audience, unless they simply accept it."""
        known = type(client_id) is str and len(client_id) <= MAX_REPORTED_CLIENT_ID
        with self._lock:
            self._judged += 1
            counter = self._counter(cast(str, client_id) if known else None)
            if verdict is not ACCEPTED:
                counter[enforced, verdict.code] += 1
            if other is not ACCEPTED:
                counter[stricter, other.code] += 1

    def _counter(self, client_id: str | None) -> Counter[_Key]:
        """The counter of a client, or of all the others once there are as many as may be."""
        known = self._clients.get(client_id)
        if known is not None:
            return known
        named = len(self._clients) - (None in self._clients)
        return self._clients.setdefault(client_id if named < self._max_clients else None, Counter())

    def _after_fork(self) -> None:
        # The thread that holds it has stayed with the parent.
        self._lock = threading.Lock()

    def read(self, *, clear: bool) -> tuple[int, int, tuple[AudienceCount, ...]]:
        """Judged, rejected, and the counts of all clients."""
        with self._lock:
            judged, rejected = self._judged, self._rejected
            clients = {client_id: dict(counter) for client_id, counter in self._clients.items()}
            if clear:
                self._clear()
        counts = (
            AudienceCount(
                client_id=client_id,
                policy=policy,
                kind=kind,
                endpoint=endpoint,
                outcome=VERDICTS[code].outcome,
                code=code,
                count=count,
            )
            for client_id, counter in clients.items()
            for ((policy, kind, endpoint), code), count in counter.items()
        )
        return judged, rejected, tuple(counts)


def _check_stricter(enforced: BoundAudiencePolicy, stricter: BoundAudiencePolicy | None) -> None:
    if stricter is None:
        return
    if not isinstance(stricter, BoundAudiencePolicy):
        raise PolicyError("stricter must be an audience policy that is bound to a server")
    if stricter.issuer != enforced.issuer:
        raise PolicyError("enforced and stricter are bound to different authorization servers")
    if not any(set(enforced.endpoints(kind)) & set(stricter.endpoints(kind)) for kind in KINDS):
        raise PolicyError("enforced and stricter have no endpoint in common")
