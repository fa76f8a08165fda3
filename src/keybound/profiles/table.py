"""All profiles by their names."""

from __future__ import annotations

from types import MappingProxyType

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

__all__ = ["PROFILES"]

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
