"""The JSON Schema of configuration files, as it is shipped and as it follows from the tables."""

from __future__ import annotations

from importlib import resources
from typing import Any

__all__ = ["SHIPPED", "generated_schema", "schema_text"]

SHIPPED = "configuration.schema.json"
"""The file in this package."""


def schema_text() -> str:
    """The JSON Schema (draft 2020-12) for configuration files, for editors and other tools."""
    return resources.files("keybound.configuration").joinpath(SHIPPED).read_text(encoding="utf-8")


def generated_schema() -> dict[str, Any]:
    """The schema that follows from the tables. Needs docstrings, which ``python -OO`` leaves out."""
    from keybound.configuration.tables import FILE

    definitions: dict[str, Any] = {}
    whole = _without_titled(FILE.schema(), definitions, top=True)
    ordered = dict(sorted(definitions.items()))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole, "$defs": ordered}


def _without_titled(part: Any, definitions: dict[str, Any], *, top: bool = False) -> Any:
    """The same schema, with what has a title as a definition of that name: many tables occur again."""
    if isinstance(part, list):
        return [_without_titled(member, definitions) for member in part]
    if not isinstance(part, dict):
        return part
    found = {key: _without_titled(member, definitions) for key, member in part.items()}
    title = found.get("title")
    if top or not isinstance(title, str):
        return found
    outside = {key: found.pop(key) for key in ("description",) if key in found}
    assert definitions.setdefault(title, found) == found, f"two tables are called {title}"
    return {**outside, "$ref": f"#/$defs/{title}"}
