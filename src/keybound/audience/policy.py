"""Audience policies: which ``aud`` an authorization server accepts at which endpoint, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from keybound._hotpath import strict_json
from keybound.audience.binding import BoundAudiencePolicy, Server, bind
from keybound.audience.names import (
    ANY_ENDPOINT,
    FORMS,
    ISSUER,
    KINDS,
    THIS_ENDPOINT,
    Form,
    Kind,
    endpoint_name,
)
from keybound.errors import PolicyError, Reason
from keybound.policy import text, text_list

__all__ = ["AudiencePolicy", "AudienceRule", "Party"]

Party = Literal["server", "client"]
"""Whom the text obliges: the authorization server to accept, or the client to send."""

_JSON_DEPTH = 8


@dataclass(frozen=True, kw_only=True)
class AudienceRule:
    """What is accepted at one endpoint: one row of a policy's table.

    :param at: metadata name of the endpoint that receives the token, such as ``"token_endpoint"``, or
        ``"any_endpoint"`` for every endpoint without a rule of its own
    :param accept: the values: ``"issuer"``, the metadata name of an endpoint, ``"this_endpoint"`` for the
        one at which the token is received, or ``"any_endpoint"`` for all in the metadata
    :param recommend: those of them that are recommended; any other that is accepted draws a warning.
        Empty if the text recommends none
    :param form: whether ``aud`` may be an array, see :data:`~keybound.audience.Form`
    :param recommend_form: a narrower form that is recommended; any other that is accepted draws a warning
    :raises PolicyError: a name is not one of these, or what is recommended would not be accepted
    """

    at: str
    accept: tuple[str, ...]
    recommend: tuple[str, ...] = ()
    form: Form = "any"
    recommend_form: Form | None = None

    def __post_init__(self) -> None:
        if self.at != ANY_ENDPOINT:
            endpoint_name(self.at)
        for name in ("accept", "recommend"):
            values = text_list(name, getattr(self, name), some=name == "accept")
            for value in values:
                if value not in (ISSUER, THIS_ENDPOINT, ANY_ENDPOINT):
                    endpoint_name(value)
            object.__setattr__(self, name, values)
        if not set(self.recommend) <= set(self.accept):
            raise PolicyError(f"at {self.at} something is recommended that is not accepted")
        for name in ("form", "recommend_form"):
            value = getattr(self, name)
            if value not in FORMS and (value is not None or name == "form"):
                raise PolicyError(f"{name} must be one of {', '.join(FORMS)}")
        if self.recommend_form and FORMS.index(self.recommend_form) < FORMS.index(self.form):
            raise PolicyError(f"at {self.at} a form is recommended that is not accepted")

    @classmethod
    def from_mapping(cls, at: str, members: Mapping[str, Any]) -> AudienceRule:
        """A rule as :meth:`to_mapping` writes it.

        :raises PolicyError: a member is unknown or of the wrong type
        """
        _check_members("a rule", members, needed=("accept",), known=_RULE_MEMBERS)
        return cls(at=at, **members)

    def to_mapping(self) -> dict[str, Any]:
        """The rule as plain data without ``at``, less what has its default."""
        found = _set_members(self)
        del found["at"]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


_ISSUER_ALONE = (AudienceRule(at=ANY_ENDPOINT, accept=(ISSUER,)),)
_RULE_MEMBERS = ("accept", "recommend", "form", "recommend_form")
_POLICY_MEMBERS = ("name", "source", "note", "obliges", "aliases", *KINDS)


@dataclass(frozen=True, kw_only=True)
class AudiencePolicy:
    """Which ``aud`` of client assertions and request objects is accepted where, as data.

    :param name: short name, in lower case
    :param source: the text that the rules come from
    :param note: what of the text the rules do not say, or how it was read
    :param obliges: whether the text speaks of what the ``"server"`` accepts or the ``"client"`` sends
    :param aliases: whether the URL in ``mtls_endpoint_aliases`` is accepted wherever that of the endpoint is
        (RFC 8705, 5)
    :param client_assertion: rules for client assertions (RFC 7523, 3), one for an endpoint
    :param request_object: rules for request objects; when not given, the issuer in any form (RFC 9101, 4)
    :raises PolicyError: a value is impossible, or two rules are for the same endpoint

    ``str()`` of a policy is its table.

    >>> from keybound import AudiencePolicy
    >>> policy = AudiencePolicy.from_toml('''
    ... name = "ours"
    ... source = "Handbook, 4.2"
    ... [client_assertion.any_endpoint]
    ... accept = ["issuer", "this_endpoint"]
    ... recommend = ["issuer"]
    ... ''')
    >>> bound = policy.bind(
    ...     issuer="https://as.example.com", endpoints={"token_endpoint": "https://as.example.com/token"}
    ... )
    >>> bound.judge("token_endpoint", "https://as.example.com/token").outcome
    'warn'
    >>> bound.judge("token_endpoint", "https://as.example.com/token/").code
    'aud_mismatch'
    """

    name: str
    source: str
    note: str = ""
    obliges: Party = "server"
    aliases: bool = False
    client_assertion: tuple[AudienceRule, ...] = ()
    request_object: tuple[AudienceRule, ...] = _ISSUER_ALONE

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _is_name(self.name):
            raise PolicyError("name must be lower-case letters and digits with hyphens between them")
        text("source", self.source)
        if not isinstance(self.note, str):
            raise PolicyError("note must be text")
        if self.obliges not in get_args(Party):
            raise PolicyError("obliges must be server or client")
        # "false" from a file would be true.
        if type(self.aliases) is not bool:
            raise PolicyError("aliases must be true or false")
        for kind in KINDS:
            given = getattr(self, kind)
            rules = tuple(given) if isinstance(given, Iterable) else (given,)
            if not all(isinstance(rule, AudienceRule) for rule in rules):
                raise PolicyError(f"{kind} must be a list of AudienceRule")
            if len({rule.at for rule in rules}) < len(rules):
                raise PolicyError(f"{kind} has two rules for the same endpoint")
            object.__setattr__(self, kind, rules)

    def rule(self, kind: Kind, endpoint: str) -> AudienceRule | None:
        """The rule for tokens of one kind at one endpoint, or ``None`` if there is none."""
        rules: dict[str, AudienceRule] = {rule.at: rule for rule in getattr(self, kind)}
        return rules.get(endpoint, rules.get(ANY_ENDPOINT))

    def bind(
        self, *, issuer: str, endpoints: Mapping[str, str], aliases: Mapping[str, str] | None = None
    ) -> BoundAudiencePolicy:
        """Apply the policy to an authorization server.

        Rules for endpoints that the server does not have are left aside.

        :param issuer: issuer identifier
        :param endpoints: URLs of its endpoints by metadata name (RFC 8414, 2)
        :param aliases: its ``mtls_endpoint_aliases``, which count only if the policy says so
        :raises PolicyError: a name is not that of an endpoint, a value is not a URL, a rule accepts an
            endpoint that the server does not have, or no rule is left
        """
        return bind(self, Server(issuer=issuer, endpoints=endpoints, aliases=aliases or {}))

    def bind_metadata(self, metadata: Mapping[str, Any]) -> BoundAudiencePolicy:
        """Apply the policy to the authorization server with this metadata document (RFC 8414, 2).

        :raises PolicyError: as :meth:`bind`
        """
        return bind(self, Server.from_metadata(metadata))

    @classmethod
    def from_mapping(cls, members: Mapping[str, Any]) -> AudiencePolicy:
        """A policy as :meth:`to_mapping` writes it: what a file holds.

        :raises PolicyError: a member is missing, unknown or of the wrong type
        """
        _check_members("an audience policy", members, needed=("name", "source"), known=_POLICY_MEMBERS)
        values = dict(members)
        for kind in KINDS:
            if kind in members:
                values[kind] = _rules(kind, members[kind])
        return cls(**values)

    def to_mapping(self) -> dict[str, Any]:
        """The policy as plain data, less what has its default. Equal policies give equal mappings."""
        members = _set_members(self)
        tables = {
            kind: {rule.at: rule.to_mapping() for rule in members[kind]} for kind in KINDS if kind in members
        }
        return members | tables

    @classmethod
    def from_toml(cls, document: str | bytes) -> AudiencePolicy:
        """A policy from a TOML document with the members of :meth:`to_mapping`.

        :raises PolicyError: it is not TOML or not a policy
        """
        from keybound import toml

        return cls.from_mapping(toml.loads(document))

    @classmethod
    def from_json(cls, document: str | bytes) -> AudiencePolicy:
        """A policy from a JSON document with the members of :meth:`to_mapping`.

        :raises PolicyError: it is not JSON or not a policy
        """
        if not isinstance(document, (str, bytes, bytearray)):
            raise PolicyError("JSON must be text or bytes")
        octets = document.encode("utf-8", "surrogatepass") if isinstance(document, str) else bytes(document)
        reason, value = strict_json.loads(octets, _JSON_DEPTH)
        if reason != Reason.OK:
            raise PolicyError(f"this is not a JSON document of a policy [{Reason(reason).code}]")
        return cls.from_mapping(value)

    def __str__(self) -> str:
        from keybound.audience.table import text_table

        return text_table(self)


def _is_name(value: str) -> bool:
    words = value.split("-")
    return value.isascii() and value == value.lower() and all(word.isalnum() for word in words)


def _rules(kind: Kind, members: object) -> tuple[AudienceRule, ...]:
    if not isinstance(members, Mapping):
        raise PolicyError(f"{kind} must have one table for each endpoint")
    return tuple(AudienceRule.from_mapping(at, rule) for at, rule in members.items())


def _check_members(what: str, members: object, *, needed: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Refuse what could not have been meant.

    :raises PolicyError: ``members`` is not a mapping, lacks a member, or has one that nobody would look at
    """
    if not isinstance(members, Mapping):
        raise PolicyError(f"{what} must be a table of names and values")
    for name in needed:
        if name not in members:
            raise PolicyError(f"{what} has no member {name}")
    if not set(members) <= set(known):
        raise PolicyError(f"{what} has an unknown member; there are {', '.join(known)}")


def _set_members(record: AudiencePolicy | AudienceRule) -> dict[str, Any]:
    """The fields of a dataclass that do not have their default."""
    values = ((field, getattr(record, field.name)) for field in fields(record))
    return {field.name: value for field, value in values if value != field.default}
