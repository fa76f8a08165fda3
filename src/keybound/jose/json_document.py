"""The JSON serializations of JWS and JWE, from text or a mapping to their members."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson

from keybound._hotpath import strict_json
from keybound.errors import Reason, rejection
from keybound.limits import Limits

__all__ = ["load_document"]


def load_document(document: object, limits: Limits, malformed: Reason) -> dict[str, Any]:
    """The members of a document, without repeated names, within its ceilings.

    :param document: JSON text as ``str`` or ``bytes``, or a mapping
    :param malformed: the reason where it is JSON and no object, or cannot be written as JSON
    :raises TokenRejected: it is anything else
    """
    data = _serialized(document, malformed)
    if len(data) > limits.token_bytes:
        raise rejection(Reason.TOKEN_TOO_LARGE)
    reason, value = strict_json.loads(data, limits.json_depth)
    if reason != Reason.OK:
        raise rejection(reason)
    if type(value) is not dict:
        raise rejection(malformed)
    return value


def _serialized(document: object, malformed: Reason) -> bytes:
    """The document as JSON text. A mapping becomes text too, so that every ceiling holds for it."""
    if isinstance(document, Mapping):
        # Raised outside the handler: what hangs on the encoder's error shows the document.
        with suppress(orjson.JSONEncodeError):
            return orjson.dumps(dict(document))
        raise rejection(malformed)
    if isinstance(document, str):
        # A lone surrogate becomes octets that are not UTF-8, for the parser to refuse.
        return document.encode("utf-8", "surrogatepass")
    if not isinstance(document, bytes):
        raise rejection(Reason.TOKEN_MISSING if document is None else Reason.TOKEN_NOT_TEXT)
    return bytes(document)
