"""Audience policies for people: as tables, and where two of them differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keybound.audience.names import ANY_ENDPOINT, ISSUER, KINDS, THIS_ENDPOINT, Kind

if TYPE_CHECKING:
    from keybound.audience.policy import AudiencePolicy, AudienceRule

__all__ = [
    "LEGEND",
    "NO_RULE",
    "Difference",
    "Row",
    "columns",
    "differences",
    "facts",
    "place",
    "rows",
    "short",
    "text_table",
]

_USUAL = ("token_endpoint", "backchannel_authentication_endpoint", "authorization_endpoint")

LEGEND = (
    "The columns are values of aud: A accepted, W accepted with a warning, R rejected; itself: the URL of "
    "the endpoint that receives it, another: that of any other endpoint, where no column names them."
)
"""What the cells of a table mean."""

NO_RULE = "-"
"""Where a policy has no rule, and so nothing can be judged."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What becomes of each value at one endpoint.

    :ivar kind: what is received
    :ivar at: where: the metadata name of the endpoint, or ``"any_endpoint"``
    :ivar place: where, in words
    :ivar cells: ``"A"`` (accepted), ``"W"`` (accepted with a warning) or ``"R"`` (rejected) by value, in
        the order of :func:`columns`; ``"any_endpoint"`` stands for an endpoint that is not named
    :ivar array: the same for the forms of an array: ``"A"``, ``"W"``, ``"R"``, or ``"sole"`` if it is
        accepted with one member alone
    """

    kind: Kind
    at: str
    place: str
    cells: dict[str, str]
    array: str


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One cell in which two policies differ.

    :ivar value: the value, or ``"array"``
    :ivar cells: what the two policies say of it; ``"-"`` where one has no rule
    """

    kind: Kind
    at: str
    value: str
    cells: tuple[str, str]


def columns(*policies: AudiencePolicy) -> tuple[str, ...]:
    """The values that tell these policies apart: those of the usual tables, then what else they name."""
    named = {
        name
        for policy in policies
        for kind in KINDS
        for rule in getattr(policy, kind)
        for name in rule.accept
    }
    others = sorted(named - {ISSUER, *_USUAL, THIS_ENDPOINT, ANY_ENDPOINT})
    return ISSUER, *_USUAL, *others, THIS_ENDPOINT, ANY_ENDPOINT


def rows(policy: AudiencePolicy, values: tuple[str, ...] | None = None) -> Iterator[Row]:
    """The table of a policy, one row for each rule.

    :param values: the columns; those of the policy when not given
    """
    values = values or columns(policy)
    for kind in KINDS:
        rules = getattr(policy, kind)
        for rule in rules:
            where = place(rule.at, alone=len(rules) == 1)
            cells = {value: _cell(rule, rule.at, value) for value in values}
            yield Row(kind=kind, at=rule.at, place=where, cells=cells, array=_array(rule))


def differences(first: AudiencePolicy, second: AudiencePolicy) -> Iterator[Difference]:
    """Every cell in which two policies differ, at every endpoint that one of them names."""
    both, values = (first, second), columns(first, second)
    for kind in KINDS:
        places = dict.fromkeys(rule.at for policy in both for rule in getattr(policy, kind))
        for at in places:
            left, right = (_cells(policy.rule(kind, at), at, values) for policy in both)
            for value in left:
                if left[value] != right[value]:
                    yield Difference(kind=kind, at=at, value=value, cells=(left[value], right[value]))


def text_table(policy: AudiencePolicy) -> str:
    """The policy as a heading, its source and a table in Markdown."""
    values = columns(policy)
    head = ["kind", "received at", *map(short, values), "array"]
    body = [[row.kind, row.place, *row.cells.values(), row.array] for row in rows(policy, values)]
    widths = [max(len(line[at]) for line in (head, *body)) for at in range(len(head))]
    lines = [
        f"# {policy.name}",
        "",
        *(f"{name}: {value}" for name, value in facts(policy)),
        "",
        *(_line(line, widths) for line in (head, ["-" * width for width in widths], *body)),
        "",
        LEGEND,
    ]
    return "\n".join(lines)


def facts(policy: AudiencePolicy) -> list[tuple[str, str]]:
    """What is true of the whole policy, by name."""
    found = [("source", policy.source), ("note", policy.note), ("obliges", policy.obliges)]
    aliases = "accepted like the endpoint itself" if policy.aliases else "not accepted"
    return [(name, value) for name, value in found if value] + [("mtls_endpoint_aliases", aliases)]


def short(name: str) -> str:
    """The name of a value or endpoint as the head of a column has it."""
    special = {THIS_ENDPOINT: "itself", ANY_ENDPOINT: "another"}
    return special.get(name) or name.removesuffix("_endpoint").replace("_", " ")


def place(at: str, *, alone: bool = False) -> str:
    """The name of a place as the row of a table has it, ``alone`` if that is all rows."""
    if at == ANY_ENDPOINT:
        return "everywhere" if alone else "everywhere else"
    return short(at)


def _line(cells: list[str], widths: list[int]) -> str:
    return f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |"


def _cells(rule: AudienceRule | None, at: str, values: tuple[str, ...]) -> dict[str, str]:
    if rule is None:
        return dict.fromkeys((*values, "array"), NO_RULE)
    return {value: _cell(rule, at, value) for value in values} | {"array": _array(rule)}


def _cell(rule: AudienceRule, at: str, value: str) -> str:
    if not _covers(rule.accept, at, value):
        return "R"
    return "A" if _covers(rule.recommend or rule.accept, at, value) else "W"


def _covers(names: tuple[str, ...], at: str, value: str) -> bool:
    """Whether ``names`` hold for ``value`` when the token is received ``at`` an endpoint."""
    if value in names:
        return True
    if value == THIS_ENDPOINT:
        return at in names or ANY_ENDPOINT in names
    if value in (ISSUER, ANY_ENDPOINT):
        return False
    return ANY_ENDPOINT in names or (value == at and THIS_ENDPOINT in names)


def _array(rule: AudienceRule) -> str:
    if rule.form != "any":
        return "R" if rule.form == "string" else "sole"
    return "A" if rule.recommend_form in (None, "any") else "W"
