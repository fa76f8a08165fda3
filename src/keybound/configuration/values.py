"""What may stand in a file: each kind of value with its JSON Schema, its check and its meaning."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from keybound.clock import Clock
from keybound.configuration.place import NAME, Problem, at, below, is_name

__all__ = [
    "CONTENT",
    "DIRECTORY",
    "FLAG",
    "NUMBER",
    "PATH",
    "TEXT",
    "TEXTS",
    "VARIABLE",
    "WHOLE",
    "Choice",
    "Either",
    "ListOf",
    "MapOf",
    "Off",
    "OneOf",
    "Reference",
    "Scalar",
    "Surroundings",
    "Table",
    "Value",
]

Names = Mapping[str, frozenset[str]]
"""The names that a file gives, by section."""


class Surroundings(Protocol):
    """What the meaning of a value may depend on."""

    def path(self, text: str, place: str) -> Path:
        """A file, by its path from the directory of the configuration.

        :raises Missing: there is no such file
        """
        ...

    def directory(self, text: str) -> Path:
        """A directory, by its path from that of the configuration; it need not be there."""
        ...

    def content(self, text: str, place: str) -> bytes:
        """What a file holds.

        :raises Missing: it cannot be read
        """
        ...

    def variable(self, name: str, place: str) -> bytes:
        """The value of a variable of the environment.

        :raises Missing: it is not set, or empty
        """
        ...

    @property
    def clock(self) -> Clock:
        """What tells the time."""
        ...

    def named(self, section: str, name: str) -> Any:
        """What a section of the file, or Keybound itself, calls by this name."""
        ...


class Value(ABC):
    """One kind of value."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """Its JSON Schema (draft 2020-12)."""

    @abstractmethod
    def fits(self, value: object) -> bool:
        """Whether it is meant: the type alone, so that what is inside can be judged in detail."""

    @abstractmethod
    def problems(self, value: Any, place: str, names: Names) -> Iterator[Problem]:
        """What is wrong with a value."""

    def meaning(self, value: Any, place: str, surroundings: Surroundings) -> Any:
        """What a value without problems stands for."""
        return value


@dataclass(frozen=True)
class Scalar(Value):
    """Text, a number or a truth value.

    :param wants: ends the sentence "must be ..."
    :param accepts: whether it is one
    """

    of_schema: Mapping[str, Any]
    wants: str
    accepts: Callable[[Any], bool]
    type: type | tuple[type, ...] = str

    def schema(self) -> dict[str, Any]:
        return dict(self.of_schema)

    def fits(self, value: object) -> bool:
        # To Python the truth values are numbers.
        return isinstance(value, self.type) and (self.type is bool or not isinstance(value, bool))

    def problems(self, value: Any, place: str, names: Names) -> Iterator[Problem]:
        if not self.fits(value) or not self.accepts(value):
            yield Problem(place, f"must be {self.wants}")


class _Path(Scalar):
    def meaning(self, value: Any, place: str, surroundings: Surroundings) -> str:
        return str(surroundings.path(value, place))


class _Directory(Scalar):
    def meaning(self, value: Any, place: str, surroundings: Surroundings) -> str:
        return str(surroundings.directory(value))


class _Content(Scalar):
    def meaning(self, value: Any, place: str, surroundings: Surroundings) -> bytes:
        return surroundings.content(value, place)


class _Variable(Scalar):
    def meaning(self, value: Any, place: str, surroundings: Surroundings) -> bytes:
        return surroundings.variable(value, place)


def _is_number(value: Any) -> bool:
    return math.isfinite(value) and bool(value >= 0)


TEXT = Scalar({"type": "string", "minLength": 1}, "non-empty text", bool)
"""Text that is not empty."""

_IS_A_PATH = (
    {"type": "string", "minLength": 1},
    "the path of a file",
    lambda path: path and "\0" not in path,
)
_IS_A_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"

PATH = _Path(*_IS_A_PATH)
"""A path, from the directory of the file that names it."""

DIRECTORY = _Directory({"type": "string", "minLength": 1}, "the path of a directory", _IS_A_PATH[2])
"""A directory, from that of the file that names it."""

CONTENT = _Content(*_IS_A_PATH)
"""A path that stands for what is in the file."""

VARIABLE = _Variable(
    {"type": "string", "pattern": _IS_A_VARIABLE},
    "the name of a variable of the environment",
    lambda name: re.fullmatch(_IS_A_VARIABLE[1:-1], name) is not None,
)
"""A variable of the environment that stands for its value."""

FLAG = Scalar({"type": "boolean"}, "true or false", lambda value: True, bool)
"""True or false."""

NUMBER = Scalar({"type": "number", "minimum": 0}, "a number, and not negative", _is_number, (int, float))
"""A number, of seconds for the most part."""

WHOLE = Scalar(
    {"type": "integer", "minimum": 0},
    "a whole number, and not negative",
    lambda value: _is_number(value) and isinstance(value, int),
    (int, float),
)
"""A whole number."""


@dataclass(frozen=True)
class Choice(Value):
    """One of a few texts."""

    choices: tuple[str, ...]

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.choices)}

    def fits(self, value: object) -> bool:
        return isinstance(value, str)

    def problems(self, value: Any, place: str, names: Names) -> Iterator[Problem]:
        if not self.fits(value) or value not in self.choices:
            yield Problem(place, f"must be one of {', '.join(self.choices)}")


@dataclass(frozen=True)
class Off(Value):
    """``false`` where something is to be left out, which has to be typed out."""

    def schema(self) -> dict[str, Any]:
        return {"const": False}

    def fits(self, value: object) -> bool:
        return isinstance(value, bool)

    def problems(self, value: Any, place: str, names: Names) -> Iterator[Problem]:
        if value is not False:
            yield Problem(place, "can be false, and not true")

    def meaning(self, value: Any, place: str, surroundings: Surroundings) -> None:
        return None


@dataclass(frozen=True)
class Reference(Value):
    """The name of a table in another section, or one that Keybound has given.

    :param own: the names that Keybound has given
    """

    section: str
    own: tuple[str, ...] = ()

    def schema(self) -> dict[str, Any]:
        named = {"type": "string", "pattern": NAME}
        return {"anyOf": [{"enum": list(self.own)}, named]} if self.own else named

    def fits(self, value: object) -> bool:
        return isinstance(value, str)

    def problems(self, value: Any, place: str, names: Names) -> Iterator[Problem]:
        known = (*self.own, *sorted(names.get(self.section, ())))
        if value not in self.own and not is_name(value):
            yield Problem(place, f"must be text: what a table in [{self.section}] is called")
        elif value not in known:
            there = ", ".join(known) or "none yet"
            yield Problem(place, f"must be a name in [{self.section}]: there is {there}")

    def meaning(self, value: Any, place: str, surroundings: Surroundings) -> Any:
        return surroundings.named(self.section, value)


@dataclass(frozen=True)
class ListOf(Value):
    """A list, with at least one member."""

    member: Value

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "minItems": 1, "items": self.member.schema()}

    def fits(self, value: object) -> bool:
        return isinstance(value, list)

    def problems(self, value: Any, place: str, names: Names) -> Iterator[Problem]:
        if not self.fits(value) or not value:
            yield Problem(place, "must be a list with something in it")
            return
        for at_, member in enumerate(value):
            yield from self.member.problems(member, f"{place}[{at_}]", names)

    def meaning(self, value: Any, place: str, surroundings: Surroundings) -> list[Any]:
        return [
            self.member.meaning(member, f"{place}[{at_}]", surroundings) for at_, member in enumerate(value)
        ]


@dataclass(frozen=True)
class MapOf(Value):
    """A table whose keys the operator chooses.

    :param keys: pattern of the keys, or ``None`` for any
    :param taken: names that cannot be given because Keybound has
    """

    member: Value
    keys: str | None = None
    taken: tuple[str, ...] = ()

    def schema(self) -> dict[str, Any]:
        found: dict[str, Any] = {"type": "object", "additionalProperties": self.member.schema()}
        if self.keys:
            refused = {"not": {"enum": list(self.taken)}} if self.taken else {}
            found["propertyNames"] = {"pattern": self.keys, **refused}
        return found

    def fits(self, value: object) -> bool:
        return isinstance(value, Mapping)

    def problems(self, value: Any, place: str, names: Names) -> Iterator[Problem]:
        if not self.fits(value):
            yield Problem(place, "must be a table")
            return
        for key, member in value.items():
            if not isinstance(key, str) or (self.keys and not re.search(self.keys, key)):
                yield Problem(below(place, key), "is no name for this: letters, digits, - and _ are")
            elif key in self.taken:
                yield Problem(below(place, key), "is the name of one that Keybound has; take another")
            yield from self.member.problems(member, below(place, key), names)

    def meaning(self, value: Any, place: str, surroundings: Surroundings) -> dict[str, Any]:
        return {
            key: self.member.meaning(member, below(place, key), surroundings) for key, member in value.items()
        }


@dataclass(frozen=True)
class Either(Value):
    """The first of several that is meant by the type of the value."""

    ways: tuple[Value, ...]

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [way.schema() for way in self.ways]}

    def fits(self, value: object) -> bool:
        return any(way.fits(value) for way in self.ways)

    def problems(self, value: Any, place: str, names: Names) -> Iterator[Problem]:
        yield from self._meant(value).problems(value, place, names)

    def meaning(self, value: Any, place: str, surroundings: Surroundings) -> Any:
        return self._meant(value).meaning(value, place, surroundings)

    def _meant(self, value: object) -> Value:
        return next((way for way in self.ways if way.fits(value)), self.ways[0])


TEXTS = Either((TEXT, ListOf(TEXT)))
"""One text, or a list of them."""


@dataclass(frozen=True)
class Table(Value):
    """A table whose keys are known.

    :param members: the values by their keys
    :param needed: keys that must be there
    :param one_of: keys of which exactly one must be there
    :param make: makes what the table stands for out of the meanings of its members
    :param texts: what to say about a key in the schema
    :param title: of the table in the schema
    :param others: pattern of further keys, and the value of each
    :param timed: whether ``make`` takes the clock as well
    """

    members: Mapping[str, Value]
    needed: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    make: Callable[..., Any] = dict
    texts: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    others: tuple[str, Value] | None = None
    timed: bool = False

    def schema(self) -> dict[str, Any]:
        found: dict[str, Any] = {"title": self.title} if self.title else {}
        found |= {"type": "object", "additionalProperties": False, "properties": {}}
        for key, value in self.members.items():
            text = self.texts.get(key)
            found["properties"][key] = ({"description": text} if text else {}) | value.schema()
        if self.others:
            found["patternProperties"] = {self.others[0]: self.others[1].schema()}
        if self.needed:
            found["required"] = list(self.needed)
        if self.one_of:
            found["oneOf"] = [{"required": [key]} for key in self.one_of]
        return found

    def fits(self, value: object) -> bool:
        return isinstance(value, Mapping)

    def problems(self, value: Any, place: str, names: Names) -> Iterator[Problem]:
        if not self.fits(value):
            yield Problem(place, "must be a table")
            return
        for key, member in value.items():
            known = self._known(key)
            if known:
                yield from known.problems(member, below(place, key), names)
            else:
                yield Problem(below(place, key), f"is not known here; there are {', '.join(self.members)}")
        for key in self.needed:
            if key not in value:
                yield Problem(below(place, key), "is missing")
        if self.one_of and sum(key in value for key in self.one_of) != 1:
            yield Problem(place, f"needs one of {', '.join(self.one_of)}, and no more")

    def meaning(self, value: Any, place: str, surroundings: Surroundings) -> Any:
        meant = {}
        for key, member in value.items():
            known = self._known(key)
            assert known, "a table with problems has no meaning"
            meant[key] = known.meaning(member, below(place, key), surroundings)
        clock = {"clock": surroundings.clock} if self.timed else {}
        with at(place, *self.members):
            return self.make(**meant, **clock)

    def _known(self, key: object) -> Value | None:
        if not isinstance(key, str):
            return None
        if self.others and re.search(self.others[0], key):
            return self.others[1]
        return self.members.get(key)


@dataclass(frozen=True)
class OneOf(Value):
    """A table of one of several kinds.

    :param key: the key whose text says which kind it is; ``None`` if that is said by which of the keys in
        ``tables`` there is
    """

    tables: Mapping[str, Table]
    key: str | None = None

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "oneOf": [self._schema_of(kind) for kind in self.tables]}

    def _schema_of(self, kind: str) -> dict[str, Any]:
        found = self.tables[kind].schema()
        mark = kind if self.key is None else self.key
        found["required"] = [mark, *(key for key in found.get("required", ()) if key != mark)]
        if self.key is not None:
            found["properties"] = {self.key: {"const": kind}} | found["properties"]
        return found

    def fits(self, value: object) -> bool:
        return isinstance(value, Mapping)

    def problems(self, value: Any, place: str, names: Names) -> Iterator[Problem]:
        if not self.fits(value):
            yield Problem(place, "must be a table")
            return
        kind = self.kind_of(value)
        if kind is not None:
            members = {key: member for key, member in value.items() if key != self.key}
            yield from self.tables[kind].problems(members, place, names)
        elif self.key is None:
            yield Problem(place, f"needs one of {', '.join(self.tables)}, and no more")
        else:
            yield Problem(below(place, self.key), f"must be one of {', '.join(self.tables)}")

    def kind_of(self, value: Mapping[str, Any]) -> str | None:
        """Which kind a table is of, or ``None`` if it does not say, or says several."""
        if self.key is None:
            found = [kind for kind in self.tables if kind in value]
            return found[0] if len(found) == 1 else None
        kind = value.get(self.key)
        return kind if isinstance(kind, str) and kind in self.tables else None

    def meaning(self, value: Any, place: str, surroundings: Surroundings) -> Any:
        kind = self.kind_of(value)
        assert kind is not None, "a value with problems has no meaning"
        members = {key: member for key, member in value.items() if key != self.key}
        return self.tables[kind].meaning(members, place, surroundings)
