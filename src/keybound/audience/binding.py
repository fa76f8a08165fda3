"""A policy and one authorization server: from names to the URLs of its metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from keybound._hotpath.contract import AudienceForm
from keybound.audience.judging import AudienceJudge, AudienceVerdict
from keybound.audience.names import (
    ANY_ENDPOINT,
    ISSUER,
    KINDS,
    THIS_ENDPOINT,
    Kind,
    endpoint_name,
    is_metadata_name,
)
from keybound.errors import PolicyError
from keybound.kinds import TokenKind

if TYPE_CHECKING:
    from keybound.audience.policy import AudiencePolicy, AudienceRule

__all__ = ["BoundAudiencePolicy", "Server", "bind"]

# A path alone would be compared with aud just as well, and never be what a client sends.
_URL = r"(?i:https?)://[!-~]+"


class Server:
    """What policies need of the metadata of an authorization server (RFC 8414, 2; RFC 8705, 5).

    :param issuer: issuer identifier
    :param endpoints: URLs by metadata name
    :param aliases: URLs in ``mtls_endpoint_aliases`` by metadata name
    :raises PolicyError: a name is not that of an endpoint, a value is not an absolute URL, or an alias
        belongs to no endpoint
    """

    def __init__(self, *, issuer: str, endpoints: Mapping[str, str], aliases: Mapping[str, str]) -> None:
        self.issuer = _url(ISSUER, issuer)
        self.endpoints = _urls("endpoints", endpoints)
        self.aliases = _urls("aliases", aliases)
        strays = self.aliases.keys() - self.endpoints.keys()
        if strays:
            raise PolicyError(f"there is an alias of {min(strays)} but no {min(strays)}")

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Server:
        """Pick the issuer, the endpoints and their aliases out of a metadata document."""
        if not isinstance(metadata, Mapping):
            raise PolicyError("metadata must be a JSON object")
        aliases = metadata.get("mtls_endpoint_aliases", {})
        if not isinstance(aliases, Mapping):
            raise PolicyError("mtls_endpoint_aliases must be a JSON object")
        endpoints = _endpoints_of(metadata)
        # RFC 8705, 5: what is not an endpoint has no meaning among the aliases.
        known = {name: url for name, url in _endpoints_of(aliases).items() if name in endpoints}
        return cls(issuer=metadata.get("issuer", ""), endpoints=endpoints, aliases=known)

    def urls(self, names: tuple[str, ...], *, at: str, aliases: bool) -> tuple[str, ...]:
        """What the values of a rule stand for at the endpoint ``at``, without repetitions.

        :param aliases: whether an endpoint stands for the URL of its alias as well
        """
        found: list[str] = []
        for name in names:
            if name == ISSUER:
                found.append(self.issuer)
                continue
            for endpoint in self._named(name, at):
                found.append(self.endpoints[endpoint])
                if aliases and endpoint in self.aliases:
                    found.append(self.aliases[endpoint])
        return tuple(dict.fromkeys(found))

    def _named(self, name: str, at: str) -> Iterable[str]:
        if name == ANY_ENDPOINT:
            return self.endpoints
        return (at if name == THIS_ENDPOINT else name,)


class BoundAudiencePolicy:
    """An :class:`~keybound.AudiencePolicy` for one authorization server: it judges, from any thread.

    Made by :meth:`AudiencePolicy.bind <keybound.AudiencePolicy.bind>`.
    """

    __slots__ = ("_issuer", "_judges", "_policy")

    def __init__(
        self, policy: AudiencePolicy, issuer: str, judges: Sequence[Mapping[str, AudienceJudge]]
    ) -> None:
        self._policy = policy
        self._issuer = issuer
        self._judges = judges

    @property
    def policy(self) -> AudiencePolicy:
        """The policy as data."""
        return self._policy

    @property
    def issuer(self) -> str:
        """Issuer identifier of the authorization server."""
        return self._issuer

    def endpoints(self, kind: TokenKind | Kind = TokenKind.CLIENT_ASSERTION) -> tuple[str, ...]:
        """Metadata names of the endpoints at which tokens of this kind can be judged."""
        return tuple(self._of(kind))

    def at(self, endpoint: str, kind: TokenKind | Kind = TokenKind.CLIENT_ASSERTION) -> AudienceJudge:
        """The judge at one endpoint: a validator takes it once and calls it with every token.

        :param endpoint: metadata name, such as ``"token_endpoint"``
        :param kind: what is judged: a client assertion, or a request object
        :raises PolicyError: the policy has no rule for this endpoint, or the metadata lacks it
        """
        judges = self._of(kind)
        judge = judges.get(endpoint) if isinstance(endpoint, str) else None
        if judge is None:
            known = ", ".join(judges) or "nowhere"
            raise PolicyError(
                f"{self._policy.name} has no rule for a {kind} at {endpoint_name(endpoint)} "
                f"of this server, only at {known}"
            )
        return judge

    def judge(
        self,
        endpoint: str,
        aud: object,
        client_id: str | None = None,
        *,
        kind: TokenKind | Kind = TokenKind.CLIENT_ASSERTION,
    ) -> AudienceVerdict:
        """The verdict on one ``aud`` that was received at ``endpoint``; see :meth:`AudienceJudge.judge`.

        :raises PolicyError: as :meth:`at`; never because of ``aud``
        """
        return self.at(endpoint, kind).judge(aud, client_id)

    def _of(self, kind: TokenKind | Kind) -> Mapping[str, AudienceJudge]:
        if kind not in KINDS:
            raise PolicyError(f"kind must be one of {', '.join(KINDS)}")
        # By equality: the hash of a TokenKind is not that of its text.
        return self._judges[KINDS.index(cast(Kind, kind))]

    def __repr__(self) -> str:
        return f"<keybound.audience.{type(self).__name__} {self._policy.name} of {self._issuer}>"


def bind(policy: AudiencePolicy, server: Server) -> BoundAudiencePolicy:
    """Apply ``policy`` to ``server``.

    :raises PolicyError: a rule accepts an endpoint that the server does not have, or no rule is left
    """
    judges = tuple(dict(_judges(policy, kind, server)) for kind in KINDS)
    if not any(judges):
        raise PolicyError(f"{policy.name} has no rule for any endpoint in the metadata")
    return BoundAudiencePolicy(policy, server.issuer, judges)


def _judges(policy: AudiencePolicy, kind: Kind, server: Server) -> Iterator[tuple[str, AudienceJudge]]:
    for endpoint in server.endpoints:
        rule = policy.rule(kind, endpoint)
        if rule is not None:
            yield endpoint, _judge(policy, rule, endpoint, server)


def _judge(policy: AudiencePolicy, rule: AudienceRule, endpoint: str, server: Server) -> AudienceJudge:
    for name in rule.accept:
        if name not in (ISSUER, THIS_ENDPOINT, ANY_ENDPOINT) and name not in server.endpoints:
            raise PolicyError(f"{policy.name} accepts {name} at {endpoint}, and the metadata has none")
    accepted = server.urls(rule.accept, at=endpoint, aliases=policy.aliases)
    if ISSUER not in rule.accept and server.issuer in accepted:
        raise PolicyError(
            f"{policy.name} does not accept the issuer at {endpoint}, but an endpoint with the same URL"
        )
    return AudienceJudge(
        endpoint=endpoint,
        accepted=accepted,
        recommended=server.urls(rule.recommend or rule.accept, at=endpoint, aliases=policy.aliases),
        form=AudienceForm[rule.form.upper()],
        recommended_form=AudienceForm[(rule.recommend_form or rule.form).upper()],
    )


def _endpoints_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a metadata document that are endpoints, among whatever else it holds."""
    return {name: url for name, url in document.items() if is_metadata_name(name)}


def _urls(what: str, urls: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(urls, Mapping):
        raise PolicyError(f"{what} must map metadata names to URLs")
    return {endpoint_name(name): _url(name, url) for name, url in urls.items()}


def _url(name: str, value: object) -> str:
    if type(value) is not str or not re.fullmatch(_URL, value):
        raise PolicyError(f"{name} must be an absolute http or https URL")
    return value
