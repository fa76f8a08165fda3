"""What is wrong, or unwise, in a configuration file, with the rule behind each finding."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keybound.configuration.rules import RULES, Severity
from keybound.configuration.source import Source, Text, read
from keybound.configuration.view import View

__all__ = ["Finding", "findings_in", "lint"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that one rule has found.

    :ivar rule: name of the rule
    :ivar severity: ``"error"`` or ``"warning"``
    :ivar place: dotted names, such as ``validators.accounts.leeway``
    :ivar message: what is wrong there, without any value of the file
    :ivar source: the text behind the rule
    """

    rule: str
    severity: Severity
    place: str
    message: str
    source: str


def lint(
    source: Text,
    *,
    directory: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[Finding, ...]:
    """Judge a configuration file. Nothing is fetched, and no secret has to be at hand.

    :param source: as for :func:`keybound.configuration.load`
    :param directory: as for :func:`keybound.configuration.load`
    :param environment: as for :func:`keybound.configuration.load`
    :returns: what was found, errors first
    :raises ConfigurationError: the file cannot be read or is not TOML
    """
    return findings_in(read(source, directory), environment)


def findings_in(source: Source, environment: Mapping[str, str] | None) -> tuple[Finding, ...]:
    """What :func:`lint` finds in tables that were read."""
    view = View(source, environment)
    found = [
        Finding(rule=rule.name, severity=rule.severity, place=place, message=message, source=rule.source)
        for rule in RULES
        for place, message in rule.check(view)
    ]
    return tuple(dict.fromkeys(_without_echoes(found)))


def _without_echoes(found: list[Finding]) -> Iterator[Finding]:
    """Leave out what a more telling rule has found as well."""
    errors = [finding for finding in found if finding.severity == "error"]
    for finding in found:
        others = [other for other in errors if other.rule not in ("form", "refused")]
        if finding.rule == "form" and any(other.place == finding.place for other in others):
            continue
        if finding.rule == "refused" and any(_table(other) == _table(finding) for other in others):
            continue
        yield finding


def _table(finding: Finding) -> list[str]:
    return finding.place.split(".")[:2]
