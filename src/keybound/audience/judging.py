"""What a policy says of one ``aud``: prepared once for an authorization server, then a look in a table."""

from __future__ import annotations

from typing import Literal, NamedTuple, NoReturn

from keybound._hotpath.contract import AudienceForm
from keybound.errors import Reason

__all__ = ["ACCEPTED", "VERDICTS", "AudienceJudge", "AudienceVerdict", "Outcome"]

Outcome = Literal["accept", "warn", "reject"]
"""``"warn"`` is accepted, though not as the policy recommends it."""


class AudienceVerdict(NamedTuple):
    """What a policy says of one ``aud``. True in a condition if the token may be accepted.

    :ivar outcome: see :data:`Outcome`
    :ivar reason: why it is rejected; ``Reason.OK`` for the other two outcomes
    :ivar code: a stable code for logs and metrics: that of ``reason``, or of the warning,
        ``"aud_not_recommended"`` or ``"aud_array_not_recommended"``
    """

    outcome: Outcome
    reason: Reason
    code: str

    def __bool__(self) -> bool:
        return self.outcome != "reject"

    @property
    def description(self) -> str:
        """One fixed English sentence without its full stop."""
        return _SENTENCES.get(self.code) or self.reason.description


_SENTENCES = {
    Reason.OK.code: "The audience is accepted",
    "aud_not_recommended": "The audience is accepted, and another is recommended",
    "aud_array_not_recommended": "The audience is accepted, and not to be an array is recommended",
}


def _warning(code: str) -> AudienceVerdict:
    return AudienceVerdict("warn", Reason.OK, code)


def _rejection(reason: Reason) -> AudienceVerdict:
    return AudienceVerdict("reject", reason, reason.code)


ACCEPTED = AudienceVerdict("accept", Reason.OK, Reason.OK.code)
"""The verdict on a value that is accepted and, where the policy recommends any, recommended."""

_NOT_RECOMMENDED = _warning("aud_not_recommended")
_ARRAY_NOT_RECOMMENDED = _warning("aud_array_not_recommended")
_MISSING = _rejection(Reason.AUD_MISSING)
_INVALID = _rejection(Reason.AUD_INVALID)
_MISMATCH = _rejection(Reason.AUD_MISMATCH)
_ARRAY = _rejection(Reason.AUD_ARRAY)
_NOT_SOLE = _rejection(Reason.AUD_NOT_SOLE)

VERDICTS = {
    verdict.code: verdict
    for verdict in (
        *(ACCEPTED, _NOT_RECOMMENDED, _ARRAY_NOT_RECOMMENDED),
        *(_MISSING, _INVALID, _MISMATCH, _ARRAY, _NOT_SOLE),
    )
}
"""Every verdict there is, by its code."""


class AudienceJudge:
    """The rule for one kind of token at one endpoint, ready to judge from any thread. Immutable.

    :ivar endpoint: metadata name of the endpoint at which the token is received
    :ivar accepted: the ``aud`` values that are accepted there, in the order of the policy
    :ivar recommended: those of them that draw no warning; a client sends the first
    :ivar form: the forms of ``aud`` that are accepted
    :ivar recommended_form: the forms that draw no warning
    """

    __slots__ = ("_verdicts", "accepted", "endpoint", "form", "recommended", "recommended_form")

    endpoint: str
    accepted: tuple[str, ...]
    recommended: tuple[str, ...]
    form: AudienceForm
    recommended_form: AudienceForm
    _verdicts: dict[str, AudienceVerdict]

    def __init__(
        self,
        *,
        endpoint: str,
        accepted: tuple[str, ...],
        recommended: tuple[str, ...],
        form: AudienceForm,
        recommended_form: AudienceForm,
    ) -> None:
        self._put("endpoint", endpoint)
        self._put("accepted", accepted)
        self._put("recommended", recommended)
        self._put("form", form)
        self._put("recommended_form", recommended_form)
        verdicts = {value: ACCEPTED if value in recommended else _NOT_RECOMMENDED for value in accepted}
        self._put("_verdicts", verdicts)

    _put = object.__setattr__

    def __setattr__(self, name: str, *value: object) -> NoReturn:
        raise AttributeError("a judge cannot be changed: bind another policy")

    __delattr__ = __setattr__

    def judge(self, aud: object, client_id: str | None = None) -> AudienceVerdict:
        """The verdict on one ``aud`` (RFC 7519, 4.1.3). Whatever the value, this does not raise.

        :param aud: the claim as parsed from JSON, ``None`` if there is none
        :param client_id: does not matter here; :class:`~keybound.audience.ReportOnly` counts by it
        """
        # RFC 3986, 6.2.1: code point by code point, with nothing normalised.
        if type(aud) is str:
            return self._verdicts.get(aud, _MISMATCH)
        return self._judge_array(aud)

    def _judge_array(self, aud: object) -> AudienceVerdict:
        if aud is None:
            return _MISSING
        if not isinstance(aud, list) or not aud:
            return _INVALID
        best = _MISMATCH
        for member in aud:
            if type(member) is not str:
                return _INVALID
            verdict = self._verdicts.get(member)
            if verdict is not None and best is not ACCEPTED:
                best = verdict
        if not _fits(self.form, aud):
            return _ARRAY if self.form is AudienceForm.STRING else _NOT_SOLE
        if best is ACCEPTED and not _fits(self.recommended_form, aud):
            return _ARRAY_NOT_RECOMMENDED
        return best


def _fits(form: AudienceForm, array: list[str]) -> bool:
    return form is AudienceForm.ANY or (form is AudienceForm.SOLE and len(array) == 1)
