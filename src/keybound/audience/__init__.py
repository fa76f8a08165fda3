"""Which ``aud`` of client assertions and request objects an authorization server accepts where.

A policy is data (:class:`AudiencePolicy`), :data:`POLICIES` has those that have a name. Bound to the
metadata of one authorization server it judges.

>>> from keybound.audience import POLICIES
>>> server = {
...     "issuer": "https://as.example.com",
...     "token_endpoint": "https://as.example.com/token",
...     "backchannel_authentication_endpoint": "https://as.example.com/bc-authorize",
... }
>>> judge = POLICIES["camara-interop"].bind_metadata(server).at("backchannel_authentication_endpoint")
>>> judge.accepted
('https://as.example.com', 'https://as.example.com/token', 'https://as.example.com/bc-authorize')
>>> judge.judge(["https://as.example.com/token", "https://rs.example.org"]).outcome
'accept'
>>> strict = POLICIES["camara-strict-v2"].bind_metadata(server).at("backchannel_authentication_endpoint")
>>> strict.judge(["https://as.example.com/bc-authorize"]).reason.code
'aud_array'
"""

from __future__ import annotations

from keybound.audience.binding import BoundAudiencePolicy
from keybound.audience.judging import AudienceJudge, AudienceVerdict, Outcome
from keybound.audience.names import FORMS, KINDS, Form, Kind
from keybound.audience.policies import POLICIES
from keybound.audience.policy import AudiencePolicy, AudienceRule, Party
from keybound.audience.report import AudienceCount, AudienceReport, ReportOnly

__all__ = [
    "FORMS",
    "KINDS",
    "POLICIES",
    "AudienceCount",
    "AudienceJudge",
    "AudiencePolicy",
    "AudienceReport",
    "AudienceRule",
    "AudienceVerdict",
    "BoundAudiencePolicy",
    "Form",
    "Kind",
    "Outcome",
    "Party",
    "ReportOnly",
]
