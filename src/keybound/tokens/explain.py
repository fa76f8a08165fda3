"""Why a token is or is not accepted: each check on its own, for people.

Runs on the pure twin, whose checks are separate functions; tests hold its first failure equal to
the verdict of :meth:`~keybound.AccessTokenValidator.validate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from keybound._hotpath import base64url, strict_json, token
from keybound._hotpath.compact import split
from keybound._hotpath.contract import DETAIL_SHIFT, Binding, ClaimRules
from keybound._hotpath.header import Header, parse_header
from keybound.binding import proof_of
from keybound.errors import Reason
from keybound.jose.nesting import Opener
from keybound.policy import TokenPolicy

if TYPE_CHECKING:
    from keybound.binding.certificate import Certificate

__all__ = ["Check", "Explanation", "claim_checks", "explain"]

Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class Check:
    """One check.

    :ivar name: what was looked at
    :ivar outcome: ``"passed"``, ``"failed"`` or ``"skipped"``
    :ivar reason: why it failed, or ``None``
    :ivar note: why it was skipped, or what the policy asked for; never text from the token
    """

    name: str
    outcome: Outcome
    reason: Reason | None = None
    note: str = ""


@dataclass(frozen=True)
class Explanation:
    """All checks in the order of the road.

    :ivar checks: every check, also those after the first failure
    """

    checks: tuple[Check, ...]

    @property
    def reason(self) -> Reason:
        """What a validator would answer: the first failure, or ``Reason.OK``."""
        return next((check.reason for check in self.checks if check.reason is not None), Reason.OK)


def explain(
    policy: TokenPolicy,
    keys: token.KeyIndex,
    now: float,
    raw: object,
    certificate: Certificate | None,
    dpop: token.SelfSignedToken | None = None,
    decryption: Opener | None = None,
) -> Explanation:
    """Every check of ``policy`` on a token, one by one; see :class:`Explanation`."""
    proof, jkt = proof_of(certificate), token.thumbprint_beside(dpop, raw)
    rules = policy.header_rules()
    checks: list[Check] = []
    content = raw
    if decryption is not None:
        content = decryption.open(raw)
        _add(checks, "encryption", content)
    closed = decryption is not None and isinstance(content, int)
    parts = None if closed else split(rules, content)
    _add(checks, "size and segments", parts)
    header: Header | int | None = None
    if isinstance(parts, tuple):
        header = parse_header(rules, parts[0], base64url, strict_json)
    _add(checks, "header", header)
    opened = (
        token.open_parts(header, keys, *parts)
        if isinstance(parts, tuple) and isinstance(header, tuple)
        else None
    )
    _add(checks, "key and signature", opened)
    payload = opened[1] if isinstance(opened, tuple) else _unverified_payload(parts)
    claims = _claims(checks, payload, rules.json_depth, verified=isinstance(opened, tuple))
    checks += claim_checks(policy.claim_rules(), claims, now, proof, jkt)
    return Explanation(tuple(checks))


def _add(checks: list[Check], name: str, result: object) -> None:
    if result is None:
        checks.append(Check(name, "skipped", note="an earlier check failed"))
    elif isinstance(result, int):
        checks.append(Check(name, "failed", Reason(result)))
    else:
        checks.append(Check(name, "passed"))


def _unverified_payload(parts: object) -> bytes | None:
    return base64url.decode(parts[1]) if isinstance(parts, tuple) else None


def _claims(
    checks: list[Check], payload: bytes | None, depth: int, *, verified: bool
) -> dict[str, Any] | None:
    """The claims set to go on with; not trusted, only looked at."""
    if payload is None:
        _add(checks, "payload", None)
        return None
    reason, value = strict_json.loads(payload, depth)
    if reason == Reason.OK and type(value) is not dict:
        reason = Reason.PAYLOAD_NOT_OBJECT
    good = reason == Reason.OK
    note = "" if verified else "read without a verified signature"
    checks.append(Check("payload", "passed" if good else "failed", None if good else Reason(reason), note))
    return value if good else None


def claim_checks(
    rules: ClaimRules,
    claims: dict[str, Any] | None,
    now: float,
    proof: bytes | None,
    jkt: bytes | None = None,
) -> list[Check]:
    """Every check of ``rules`` on a claims set, verified or not."""
    # The pure twin brings cryptography along, which nobody pays for at import time.
    from keybound._hotpath.pure.claims import CHECKS, Proof

    checks, presented = [], Proof(proof, jkt)
    for name, judge in CHECKS:
        if claims is None:
            checks.append(Check(name, "skipped", note="there are no claims to look at"))
            continue
        verdict = _judge_alone(judge, rules, claims, now, presented)
        if verdict is None:
            note = (
                "binding is ignored"
                if name == "confirmation" and rules.binding == Binding.IGNORE
                else "nothing to check"
            )
            checks.append(Check(name, "skipped", note=note))
        elif verdict == Reason.OK:
            checks.append(Check(name, "passed"))
        else:
            reason, position = Reason(verdict & (1 << DETAIL_SHIFT) - 1), verdict >> DETAIL_SHIFT
            names = {
                Reason.CLAIM_MISSING: rules.required,
                Reason.CLAIM_FORBIDDEN: rules.forbidden,
                Reason.CLAIM_MISMATCH: tuple(name for name, _ in rules.expected),
            }.get(reason, ())
            checks.append(Check(name, "failed", reason, names[position] if names else ""))
    return checks


def _judge_alone(judge: Any, rules: Any, claims: dict[str, Any], now: float, proof: Any) -> int | None:
    try:
        verdict: int | None = judge(rules, claims, now, proof)
    except (AttributeError, KeyError, TypeError):
        # Lifetime and age lean on exp and iat, scope on its syntax: already reported above.
        return None
    return verdict
