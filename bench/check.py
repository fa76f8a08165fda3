"""Comparison of ratios with earlier results, for CI. Absolute times are never compared.

A ratio means the same on two machines only if both of its times depend on the same things. So the
overhead over Keybound's own primitives is compared where processor features, tables and Python are those of
the results; a ratio to another library only where processor and version of that library are, too.
Everything else is printed as skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peers import BASELINE, FLOOR
from report import overhead, times

__all__ = ["ALLOWED_LOSS", "PEERS", "Ratio", "compare", "ratios", "reason_to_skip"]

ALLOWED_LOSS = 0.15
PEERS = (BASELINE, "keybound-claims", "keybound-again", *FLOOR, "ryjwt", "oxyjwt")
_RIVALS = ("ryjwt", "oxyjwt")

Surroundings = Mapping[str, Any]
Sections = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Ratio:
    """Time of Keybound over another time of the same run; the less the better.

    :ivar rival: the library that the other time is of, or ``None`` for Keybound's own primitives
    """

    algorithm: str
    name: str
    rival: str | None
    value: float


def ratios(sections: Sections) -> Iterator[Ratio]:
    """All that can be compared."""
    for algorithm, row in sections["validation"].items():
        best = times(row["peers"])
        for own in (BASELINE, "keybound-claims"):
            if (value := overhead(best, own)) is not None:
                yield Ratio(algorithm, f"{own} / floor", None, value)
        again = times(sections["again"][algorithm]["peers"])
        if "keybound-again" in again and "json" in best:
            yield Ratio(algorithm, "keybound-again / json", None, again["keybound-again"] / best["json"])
        for rival in _RIVALS:
            if rival in best and BASELINE in best:
                yield Ratio(algorithm, f"keybound / {rival}", rival, best[BASELINE] / best[rival])


def reason_to_skip(then: Surroundings, now: Surroundings, rival: str | None) -> str | None:
    """Why a ratio of these results says nothing here, or ``None`` if it does."""
    for what in ("platform", "features", "tables"):
        if then["machine"][what] != now["machine"][what]:
            return f"{what}: {now['machine'][what]} here, {then['machine'][what]} there"
    if _minor(then["python"]) != _minor(now["python"]):
        return f"Python {now['python']} here, {then['python']} there"
    if rival is None:
        return None
    if then["machine"]["model"] != now["machine"]["model"]:
        return f"processor: {now['machine']['model']} here, {then['machine']['model']} there"
    if then["versions"].get(rival) != now["versions"].get(rival):
        return f"{rival} {now['versions'].get(rival)} here, {then['versions'].get(rival)} there"
    return None


def compare(
    committed: Mapping[str, Any],
    now: Surroundings,
    run: Callable[[Sequence[str]], Sections],
) -> int:
    """Measure, print every ratio, and return 1 if one got worse twice by more than is allowed.

    :param run: measures these algorithms
    """
    expected = {(ratio.algorithm, ratio.name): ratio for ratio in ratios(committed["sections"])}
    skipped = {rival: reason_to_skip(committed, now, rival) for rival in (None, *_RIVALS)}
    for rival, reason in skipped.items():
        if reason:
            print(f"skipped: ratios to {rival or 'own primitives'}; {reason}")
    if all(skipped.values()):
        print("nothing was compared: this machine is not like the one of the results")
        return 0
    algorithms = list(committed["sections"]["validation"])
    lost = _lost(expected, run(algorithms), skipped)
    if lost:
        print(f"measuring again: {', '.join(dict.fromkeys(lost))}")
        # A disturbance does not strike twice; a loss does.
        lost = _lost(expected, run(list(dict.fromkeys(lost))), skipped)
    print(
        f"lost by more than {ALLOWED_LOSS:.0%}: {', '.join(dict.fromkeys(lost))}"
        if lost
        else "no ratio is lost"
    )
    return int(bool(lost))


def _lost(
    expected: Mapping[tuple[str, str], Ratio], sections: Sections, skipped: Mapping[str | None, str | None]
) -> list[str]:
    """Print every ratio that can be compared; the algorithms of those that got worse."""
    measured = {(ratio.algorithm, ratio.name): ratio for ratio in ratios(sections)}
    lost = []
    for key, then in expected.items():
        if skipped[then.rival] or then.algorithm not in sections["validation"]:
            continue
        now = measured.get(key)
        change = now.value / then.value - 1 if now else float("inf")
        worse = change > ALLOWED_LOSS
        shown = f"{now.value:.3f}" if now else "not measured"
        print(f"{then.algorithm:8} {then.name:24} {then.value:.3f} -> {shown}{' LOST' if worse else ''}")
        if worse:
            lost.append(then.algorithm)
    return lost


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
