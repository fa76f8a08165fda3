"""Named policies as data: profiles name the text they come from, presets the documents of their issuer."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from keybound.profiles.oauth import OAUTH, RFC9068

if TYPE_CHECKING:
    from keybound.profiles.ecosystems import BRAZIL, CAMARA_2024, CAMARA_2026, CDR, CONNECTID, UK
    from keybound.profiles.fapi import (
        CIBA,
        FAPI1_ADVANCED,
        FAPI1_BASELINE,
        FAPI2,
        FAPI2_DRAFT,
        FAPI2_MESSAGE_SIGNING,
        FAPI2_MTLS_EVERYWHERE,
        FAPI_CIBA,
    )
    from keybound.profiles.presets import PRESETS, Preset
    from keybound.profiles.table import PROFILES

__all__ = [
    "BRAZIL",
    "CAMARA_2024",
    "CAMARA_2026",
    "CDR",
    "CIBA",
    "CONNECTID",
    "FAPI1_ADVANCED",
    "FAPI1_BASELINE",
    "FAPI2",
    "FAPI2_DRAFT",
    "FAPI2_MESSAGE_SIGNING",
    "FAPI2_MTLS_EVERYWHERE",
    "FAPI_CIBA",
    "OAUTH",
    "PRESETS",
    "PROFILES",
    "RFC9068",
    "UK",
    "Preset",
]


def __getattr__(name: str) -> object:
    """Import what few need when it is first asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    places = {"PRESETS": "presets", "Preset": "presets", "PROFILES": "table"}
    if name in places:
        found = getattr(importlib.import_module(f"keybound.profiles.{places[name]}"), name)
    else:
        table = importlib.import_module("keybound.profiles.table")
        found = table.PROFILES[name.lower().replace("_", "-")]
    return globals().setdefault(name, found)
