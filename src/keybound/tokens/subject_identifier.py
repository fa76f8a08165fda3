"""Subject identifiers of security events (RFC 9493)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["is_subject_identifier", "is_uri"]

# RFC 3986, 4.3 and appendix A, as far as one need look to tell a URI from other text.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!#-;=?-\[\]_a-z~]+")
_TEXT = re.compile(r".+", re.DOTALL)

_FORMATS: Mapping[str, tuple[str, re.Pattern[str]]] = {
    "account": ("uri", re.compile(r"acct:[!-~]+@[!-~]+")),
    "email": ("email", re.compile(r"[^@\s]+@[^@\s]+")),
    "opaque": ("id", _TEXT),
    "phone_number": ("phone_number", re.compile(r"\+[1-9][0-9]{1,14}")),
    "did": ("url", re.compile(r"did:[a-z0-9]+:[!-~]+")),
    "uri": ("uri", _URI),
}
"""The formats of one member besides ``format`` (RFC 9493, 3.2): its name, and what it looks like."""


def is_uri(value: str) -> bool:
    """Whether ``value`` has the syntax of a URI with a scheme (RFC 3986, 3)."""
    return _URI.fullmatch(value) is not None


def is_subject_identifier(value: Any) -> bool:
    """Whether ``value`` is a subject identifier: of a format of RFC 9493, section 3.2, or of another one.

    What a format does not describe has no place in it; of other formats nothing is known but their name.
    """
    if not isinstance(value, Mapping) or not _is_text(value.get("format"), _TEXT):
        return False
    name = value["format"]
    if name == "aliases":
        return set(value) == {"format", "identifiers"} and _are_aliases(value["identifiers"])
    if name == "iss_sub":
        return set(value) == {"format", "iss", "sub"} and all(
            _is_text(text, _TEXT) for text in value.values()
        )
    if name not in _FORMATS:
        return True
    member, pattern = _FORMATS[name]
    return set(value) == {"format", member} and _is_text(value[member], pattern)


def _is_text(value: Any, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _are_aliases(values: Any) -> bool:
    """RFC 9493, 3.2.8: one or more of other formats."""
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        return False
    return all(is_subject_identifier(value) and value["format"] != "aliases" for value in values)
