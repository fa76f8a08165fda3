"""Read-only JSON containers: they compare and serialize as ``dict`` and ``list``, and refuse to change.

Claims of a verified token are shared between callers, so nobody may be able to edit them for the
next one.
"""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["FrozenDict", "FrozenList", "freeze"]


def _refuse(self: object, *args: object, **options: object) -> NoReturn:
    """Not possible: the claims of a verified token are shared between callers."""
    raise TypeError("claims of a verified token are read-only; make a copy with dict() or list()")


class FrozenDict(dict[str, Any]):
    """A JSON object that cannot be changed."""

    __slots__ = ()
    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse
    # Called a second time, the constructor of dict would add to it.
    __init__ = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return freeze, (dict(self),)

    def __copy__(self) -> FrozenDict:
        return self

    def __deepcopy__(self, memo: object) -> FrozenDict:
        return self


class FrozenList(list[Any]):
    """A JSON array that cannot be changed."""

    __slots__ = ()
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse
    __init__ = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return freeze, (list(self),)

    def __copy__(self) -> FrozenList:
        return self

    def __deepcopy__(self, memo: object) -> FrozenList:
        return self


def freeze(value: Any) -> Any:
    """``value`` as parsed from JSON, with every object and array in it made read-only."""
    kind = type(value)
    if kind is dict:
        for name, member in value.items():
            if type(member) is dict or type(member) is list:
                value[name] = freeze(member)
        members = FrozenDict.__new__(FrozenDict)
        dict.update(members, value)
        return members
    if kind is list:
        elements = FrozenList.__new__(FrozenList)
        list.extend(
            elements, [freeze(member) if type(member) in (dict, list) else member for member in value]
        )
        return elements
    return value
