"""Named policies as data: profiles name the text they come from, presets the documents of their issuer."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from keybound.policy import Profile
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
from keybound.profiles.oauth import OAUTH, RFC9068

if TYPE_CHECKING:
    from keybound.profiles.presets import PRESETS, Preset

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

PROFILES: MappingProxyType[str, Profile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            OAUTH,
            RFC9068,
            FAPI1_BASELINE,
            FAPI1_ADVANCED,
            FAPI2_DRAFT,
            FAPI2,
            FAPI2_MTLS_EVERYWHERE,
            FAPI2_MESSAGE_SIGNING,
            CIBA,
            FAPI_CIBA,
            CAMARA_2024,
            CAMARA_2026,
            BRAZIL,
            UK,
            CDR,
            CONNECTID,
        )
    }
)
"""Every profile by its name."""


def __getattr__(name: str) -> object:
    """Import presets when they are first asked for (PEP 562)."""
    if name not in ("PRESETS", "Preset"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from keybound.profiles import presets

    return globals().setdefault(name, getattr(presets, name))
