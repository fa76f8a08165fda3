"""``audience=`` of the validators at an authorization server: texts for the road, or a policy that judges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from keybound.audience import POLICIES, AudienceJudge, BoundAudiencePolicy
from keybound.errors import PolicyError
from keybound.kinds import TokenKind
from keybound.policy import Profile, text_list

__all__ = ["Audience", "AudienceCheck"]

Audience = BoundAudiencePolicy | Mapping[str, Any] | str | Iterable[str]
"""A policy bound to the authorization server; its metadata, for the policy of the profile; or texts."""


class AudienceCheck:
    """The judges of a bound policy, one for each endpoint, or the texts that are as good at every endpoint.

    :param kind: what is judged
    :param audience: see :data:`Audience`
    :param profile: names the policy that goes with metadata
    :raises PolicyError: it is none of these, or the policy has no rule for this kind
    """

    __slots__ = ("_judges", "_kind", "texts")

    texts: tuple[str, ...] | None
    """What the road has to find in ``aud``; ``None`` where a policy judges."""

    def __init__(self, kind: TokenKind, audience: Audience, profile: Profile) -> None:
        self._kind = kind
        self._judges: dict[str, AudienceJudge] = {}
        if isinstance(audience, Mapping):
            audience = _bound(audience, profile)
        if not isinstance(audience, BoundAudiencePolicy):
            self.texts = text_list("audience", audience, some=True)
            return
        self.texts = None
        self._judges = {endpoint: audience.at(endpoint, kind) for endpoint in audience.endpoints(kind)}
        if not self._judges:
            raise PolicyError(f"audience policy {audience.policy.name} has no rule for a {kind}")

    def judge_at(self, endpoint: str) -> AudienceJudge:
        """What judges at an endpoint, where the road has no texts to compare.

        :raises PolicyError: the policy has no rule for this endpoint
        """
        judge = self._judges.get(endpoint) if isinstance(endpoint, str) else None
        if judge is None:
            known = ", ".join(self._judges)
            raise PolicyError(f"the audience policy has rules for a {self._kind} at these endpoints: {known}")
        return judge


def _bound(metadata: Mapping[str, Any], profile: Profile) -> BoundAudiencePolicy:
    name = profile.audience_policy if isinstance(profile, Profile) else None
    if name is None:
        raise PolicyError("the profile has no audience policy: bind one of keybound.audience.POLICIES")
    return POLICIES[name].bind_metadata(metadata)
