"""``python -m keybound.configuration``: the JSON Schema as it follows from the tables, to be shipped."""

from __future__ import annotations

import sys

import orjson

from keybound.configuration.schema import generated_schema

__all__: list[str] = []

if __name__ == "__main__":
    text = orjson.dumps(generated_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    sys.stdout.buffer.write(text)
