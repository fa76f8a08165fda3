"""Configuration files in TOML, read by the standard library or, on Python 3.10, by ``tomli``."""

from __future__ import annotations

import re
import sys
from typing import Any

from keybound.errors import PolicyError

__all__ = ["loads"]


def loads(document: str | bytes) -> dict[str, Any]:
    """Parse a TOML 1.0 document.

    :param document: text, or UTF-8
    :raises PolicyError: it is not TOML, or this is Python 3.10 without ``tomli``
    """
    try:
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
    except ModuleNotFoundError:
        raise PolicyError('TOML needs tomli on Python 3.10: pip install "keybound[toml]"') from None
    if isinstance(document, (bytes, bytearray)):
        try:
            document = bytes(document).decode()
        except UnicodeDecodeError:
            raise PolicyError("this is not TOML: it is not UTF-8") from None
    if not isinstance(document, str):
        raise PolicyError("TOML must be text or bytes")
    try:
        table: dict[str, Any] = tomllib.loads(document)
    except RecursionError:
        raise PolicyError("this is not TOML that anybody wrote: it is nested too deeply") from None
    except ValueError as problem:
        # The place alone: the rest of the parser's message may quote what stands there.
        place = re.search(r"at line \d+, column \d+|at end of document", str(problem))
        raise PolicyError(f"this is not TOML{f': {place[0]}' if place else ''}") from None
    return table
