"""Markers of a claims set that is a Python mapping: one reading for the pure twin and for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keybound._hotpath.contract import MARKERS, Marker

__all__ = ["markers"]


def markers(claims: Mapping[str, Any]) -> int:
    """The :class:`~keybound._hotpath.contract.Marker` bits of a claims set."""
    found = 0
    for name, marker in MARKERS.items():
        if name in claims and (marker != Marker.RESPONSE or "sub" not in claims):
            found |= marker
    if "client_id" in claims or "scope" in claims or "scp" in claims:
        found |= Marker.ACCESS
    if "sub" in claims:
        found |= Marker.SUBJECT
        if type(claims["sub"]) is str and claims["sub"] == claims.get("iss"):
            found |= Marker.SELF
    return found
