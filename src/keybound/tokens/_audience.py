"""``audience=`` of the validators at an authorization server: texts for the road, or a policy that judges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from keybound.audience import POLICIES, AudienceJudge, AudiencePolicy, BoundAudiencePolicy
from keybound.audience.judging import ACCEPTED
from keybound.errors import PolicyError, Reason
from keybound.kinds import TokenKind
from keybound.policy import Profile, as_profile, text_list
from keybound.tokens._validator import Token

__all__ = ["OK", "Audience", "AudienceCheck", "JudgedToken"]

OK = Reason.OK
"""Looked up once: a member of an enum is not found as quickly as a name."""

Audience = BoundAudiencePolicy | Mapping[str, Any] | str | Iterable[str]
"""A policy bound to the authorization server; its metadata, for the policy of the profile; or texts."""


class JudgedToken(Token):
    """A token of which an audience policy may have said something, though it accepted it."""

    __slots__ = ("_warning",)

    _warning: str

    @property
    def warning(self) -> str | None:
        """What the audience policy does not recommend of ``aud``, as a stable code, or ``None``."""
        return getattr(self, "_warning", None)

    def __setattr__(self, name: str, *value: object) -> NoReturn:
        raise AttributeError("a verified token is immutable")

    __delattr__ = __setattr__


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
        if isinstance(audience, AudiencePolicy):
            raise PolicyError("the audience policy is of no server yet: give what its bind_metadata returns")
        if not isinstance(audience, BoundAudiencePolicy):
            self.texts = text_list("audience", audience, some=True)
            return
        self.texts = None
        self._judges = {endpoint: audience.at(endpoint, kind) for endpoint in audience.endpoints(kind)}
        if not self._judges:
            raise PolicyError(f"audience policy {audience.policy.name} has no rule for a {kind}")

    def judge(self, token: JudgedToken, endpoint: str, client_id: str) -> Reason:
        """What the policy says of a token received at an endpoint; ``OK`` where the road has compared texts.

        :raises PolicyError: the policy has no rule for this endpoint
        """
        if self.texts is not None:
            return OK
        judge = self._judges.get(endpoint) if type(endpoint) is str else None
        if judge is None:
            known = ", ".join(self._judges)
            raise PolicyError(f"the audience policy has rules for a {self._kind} at these endpoints: {known}")
        verdict = judge.judge(token.claim("aud"), client_id)
        if verdict is ACCEPTED:
            return OK
        if verdict.outcome == "warn":
            object.__setattr__(token, "_warning", verdict.code)
        return verdict.reason


def _bound(metadata: Mapping[str, Any], profile: Profile) -> BoundAudiencePolicy:
    name = as_profile(profile).audience_policy
    if name is None:
        raise PolicyError("the profile has no audience policy: bind one of keybound.audience.POLICIES")
    if name not in POLICIES:
        raise PolicyError("the audience policy of the profile is not one of keybound.audience.POLICIES")
    return POLICIES[name].bind_metadata(metadata)
