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
    "TITLES",
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

TITLES: dict[Kind, str] = {"client_assertion": "Client assertions", "request_object": "Request objects"}
"""Heads of the two tables of a policy."""

LEGEND = (
    "A accepted, W accepted with a warning, R rejected. Columns are values of aud: the issuer; the endpoints "
    "token, bc (backchannel authentication), authz (authorization), par (pushed authorization request); "
    "itself, the endpoint that receives it, and another, where no column names them."
)
"""What the tables mean."""

_USUAL = ("token_endpoint", "backchannel_authentication_endpoint", "authorization_endpoint")
_SHORT = {
    "backchannel_authentication_endpoint": "bc",
    "authorization_endpoint": "authz",
    "pushed_authorization_request_endpoint": "par",
    THIS_ENDPOINT: "itself",
    ANY_ENDPOINT: "another",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """What becomes of each value at one endpoint.

    :ivar at: metadata name of the endpoint, or ``"any_endpoint"``
    :ivar place: the same in words
    :ivar cells: ``"A"`` (accepted), ``"W"`` (accepted with a warning) or ``"R"`` (rejected) by value, in
        the order of :func:`columns`
    :ivar array: the same for arrays with an accepted member, or ``"sole"`` if it must be the only one
    """

    at: str
    place: str
    cells: dict[str, str]
    array: str


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One cell in which two policies differ.

    :ivar kind: what is received
    :ivar at: where, as in :class:`Row`
    :ivar value: the value, ``"array"``, or ``"rule"`` where one of the policies has none
    :ivar cells: what the two policies say
    """

    kind: Kind
    at: str
    value: str
    cells: tuple[str, str]


def columns(*policies: AudiencePolicy) -> tuple[str, ...]:
    """The values that tell these policies apart: those of the usual tables, then what else they accept."""
    rules = (rule for policy in policies for kind in KINDS for rule in getattr(policy, kind))
    others = {name for rule in rules for name in rule.accept} - {ISSUER, *_USUAL, THIS_ENDPOINT, ANY_ENDPOINT}
    return ISSUER, *_USUAL, *sorted(others), THIS_ENDPOINT, ANY_ENDPOINT


def rows(policy: AudiencePolicy, kind: Kind, values: tuple[str, ...]) -> Iterator[Row]:
    """The table of a policy for one kind of token, one row for each rule.

    :param values: the columns
    """
    rules = getattr(policy, kind)
    for rule in rules:
        where = place(rule.at, alone=len(rules) == 1)
        cells = {value: _cell(rule, rule.at, value) for value in values}
        yield Row(at=rule.at, place=where, cells=cells, array=_array(rule))


def differences(first: AudiencePolicy, second: AudiencePolicy) -> Iterator[Difference]:
    """Every cell in which two policies differ, at every endpoint that one of them names."""
    values = (*columns(first, second), "array")
    for kind in KINDS:
        for at in dict.fromkeys(rule.at for policy in (first, second) for rule in getattr(policy, kind)):
            left, right = first.rule(kind, at), second.rule(kind, at)
            if left is None or right is None:
                cells = ("yes" if left else "no", "yes" if right else "no")
                yield Difference(kind=kind, at=at, value="rule", cells=cells)
                continue
            for value in values:
                cells = _cell(left, at, value), _cell(right, at, value)
                if cells[0] != cells[1]:
                    yield Difference(kind=kind, at=at, value=value, cells=cells)


def text_table(policy: AudiencePolicy) -> str:
    """The policy in Markdown: a heading, what is true of all of it, and a table for each kind of token."""
    values = columns(policy)
    head = ["received at", *map(short, values), "array"]
    lines = [f"# {policy.name}", "", *(f"{name}: {value}" for name, value in facts(policy))]
    for kind in KINDS:
        body = [[row.place, *row.cells.values(), row.array] for row in rows(policy, kind, values)]
        widths = [max(map(len, cells)) for cells in zip(head, *body, strict=True)]
        ruler = ["-" * width for width in widths]
        lines += ["", f"{TITLES[kind]}:", "", *(_line(line, widths) for line in (head, ruler, *body))]
    return "\n".join([*lines, "", LEGEND])


def facts(policy: AudiencePolicy) -> list[tuple[str, str]]:
    """What is true of the whole policy, by name."""
    found = [("source", policy.source), ("note", policy.note), ("obliges", policy.obliges)]
    aliases = "accepted like the endpoint itself" if policy.aliases else "not accepted"
    return [(name, value) for name, value in found if value] + [("mtls_endpoint_aliases", aliases)]


def short(name: str) -> str:
    """The name of a value or endpoint as a table has it."""
    return _SHORT.get(name) or name.removesuffix("_endpoint").replace("_", " ")


def place(at: str, *, alone: bool = False) -> str:
    """Where a rule holds, in words; ``alone`` if the policy has no other."""
    if at == ANY_ENDPOINT:
        return "everywhere" if alone else "elsewhere"
    return short(at)


def _line(cells: list[str], widths: list[int]) -> str:
    return f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |"


def _cell(rule: AudienceRule, at: str, value: str) -> str:
    if value == "array":
        return _array(rule)
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
