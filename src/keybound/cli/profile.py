"""``keybound profile``: what a profile or a preset demands, and how two of them differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import click
from rich.console import Console

from keybound._hotpath.contract import AudienceForm, Marker
from keybound.cli.inputs import Command
from keybound.cli.options import OneOf
from keybound.cli.output import grid, json_option, show
from keybound.kinds import TokenKind
from keybound.policy import KindRules, Profile
from keybound.profiles import PRESETS, PROFILES, Preset

__all__ = ["profile"]

_NAMES = (*PROFILES, *PRESETS)


@click.command(cls=Command)
@click.argument("name", type=OneOf(_NAMES), required=False, metavar="[NAME]")
@click.argument("other", type=OneOf(_NAMES), required=False, metavar="[OTHER]")
@json_option
def profile(name: str | None, other: str | None, as_json: bool) -> int:
    """Show profiles and presets, or how two of them differ.

    Without NAME: the list of all. With NAME: what it demands. With OTHER as well: what differs there. A
    profile is a named set of demands on every kind of token; a preset tells what the tokens of a
    well-known issuer look like.
    """
    if name is None:
        document: dict[str, Any] = {each: (PROFILES | PRESETS)[each].source for each in _NAMES}
        columns: tuple[str, ...] = ("Name", "Source")
        rows: list[tuple[Any, ...]] = [*document.items()]
    elif other is None:
        document = _switches(name)
        columns, rows = ("Switch", name), [*document.items()]
    else:
        if (name in PROFILES) != (other in PROFILES):
            raise click.UsageError("a profile and a preset have nothing in common to compare")
        document = _differences(name, other)
        columns = ("Switch", name, other)
        rows = [(switch, *values.values()) for switch, values in document.items()]
    show(document, lambda screen: _render(screen, columns, rows), as_json=as_json)
    return 0


def _differences(name: str, other: str) -> dict[str, Any]:
    mine, others = _switches(name), _switches(other)
    return {
        switch: {name: mine.get(switch), other: others.get(switch)}
        for switch in dict.fromkeys((*mine, *others))
        if mine.get(switch) != others.get(switch)
    }


def _switches(name: str) -> dict[str, Any]:
    """Every switch that is set, by a dotted name."""
    if name in PROFILES:
        return _of_profile(PROFILES[name])
    preset: Preset = PRESETS[name]
    own = {
        "source": preset.source,
        "kind": str(preset.kind),
        "issuer": preset.issuer,
        "jwks_uri": preset.jwks_uri,
        "signer": preset.signer or None,
        "expected_claims": dict(preset.expected_claims) or None,
        "expect_one_of": list(preset.expect_one_of) or None,
        "note": preset.note or None,
        "algorithms": list(preset.profile.algorithms or ()),
    }
    # What is no JWT has its rules in its validator.
    rules = _of_rules(preset.profile.rules(preset.kind)) if isinstance(preset.kind, TokenKind) else {}
    return _set(own) | rules


def _of_profile(profile: Profile) -> dict[str, Any]:
    own = {
        field.name: _plain(field.name, getattr(profile, field.name))
        for field in fields(Profile)
        if field.name not in ("name", "kinds")
    }
    rules = {
        f"{kind}.{switch}": value
        for kind, rules in profile.kinds.items()
        for switch, value in _of_rules(rules).items()
    }
    return _set(own) | rules


def _of_rules(rules: KindRules) -> dict[str, Any]:
    values = {field.name: (getattr(rules, field.name), field.default) for field in fields(KindRules)}
    return {name: _plain(name, value) for name, (value, default) in values.items() if value != default}


def _set(switches: Mapping[str, Any]) -> dict[str, Any]:
    return {switch: value for switch, value in switches.items() if value is not None}


def _plain(name: str, value: Any) -> Any:
    """A value as JSON has it."""
    if name == "tolerated_markers":
        return [marker.name.lower() for marker in Marker if marker & value]
    if isinstance(value, AudienceForm):
        return value.name.lower()
    if isinstance(value, frozenset):
        return sorted(value)
    return list(value) if isinstance(value, tuple) else value


def _render(screen: Console, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        screen.print("nothing differs")
        return
    table = grid(*columns)
    table.columns[0].no_wrap = True  # to be copied whole
    for row in rows:
        table.add_row(*(_words(value) for value in row))
    screen.print(table)


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={text}" for name, text in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
