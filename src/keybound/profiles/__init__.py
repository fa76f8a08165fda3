"""Named policies as data. Each profile names the text it comes from."""

from __future__ import annotations

from types import MappingProxyType

from keybound.policy import Profile
from keybound.profiles.oauth import OAUTH, RFC9068

__all__ = ["OAUTH", "PROFILES", "RFC9068"]

PROFILES: MappingProxyType[str, Profile] = MappingProxyType(
    {profile.name: profile for profile in (OAUTH, RFC9068)}
)
"""Every profile by its name."""
