"""Which URL of an endpoint is meant where mutual TLS has aliases (RFC 8705, 5).

A client resolves the URL it calls, a server tells which of its URLs a request may have come to: both
by the same rule, so that a certified pair cannot disagree. The rule is a named choice, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from keybound.audience.binding import Server
from keybound.errors import PolicyError
from keybound.policy import MtlsEndpoints, text

__all__ = ["ClientOverMtls", "EndpointResolver", "Reception"]

_MTLS_AUTHENTICATION = frozenset({"tls_client_auth", "self_signed_tls_client_auth"})

# Where a client authenticates itself: RFC 6749, 3.2; RFC 7009, 2.1; RFC 7662, 2.1; RFC 8628, 3.1;
# RFC 9126, 2; OpenID Connect CIBA Core, 7.1.
_AUTHENTICATING = frozenset(
    {
        "token_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "device_authorization_endpoint",
        "pushed_authorization_request_endpoint",
        "backchannel_authentication_endpoint",
    }
)

# Where a certificate binds an access token, and where the holder of a bound one presents it again.
_BINDING = frozenset({"token_endpoint", "userinfo_endpoint"})

Unneeded = Literal["accept", "reject"]


@dataclass(frozen=True, kw_only=True)
class ClientOverMtls:
    """What decides where one client calls.

    :param authentication: its ``token_endpoint_auth_method`` (RFC 7591, 2)
    :param bound_tokens: its ``tls_client_certificate_bound_access_tokens`` (RFC 8705, 3.4)
    :param endpoints: the rule for this client, or ``None`` for that of the server
    :raises PolicyError: a value is of the wrong type
    """

    authentication: str
    bound_tokens: bool = False
    endpoints: MtlsEndpoints | None = None

    def __post_init__(self) -> None:
        text("authentication", self.authentication)
        if type(self.bound_tokens) is not bool:
            raise PolicyError("bound_tokens must be True or False")
        if self.endpoints is not None:
            _mode(self.endpoints)

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> ClientOverMtls:
        """The client that registered this metadata (RFC 7591, 2).

        ``use_mtls_endpoint_aliases`` (FAPI 2.0 Security Profile, 8.1.1) chooses the aliases wherever
        there is one.

        :raises PolicyError: a value is of the wrong type
        """
        if not isinstance(metadata, Mapping):
            raise PolicyError("client metadata must be a JSON object")
        aliases = metadata.get("use_mtls_endpoint_aliases", False)
        if type(aliases) is not bool:
            raise PolicyError("use_mtls_endpoint_aliases must be true or false")
        return cls(
            authentication=metadata.get("token_endpoint_auth_method", "client_secret_basic"),
            bound_tokens=metadata.get("tls_client_certificate_bound_access_tokens", False),
            endpoints="aliases" if aliases else None,
        )

    def needs_mtls(self, endpoint: str) -> bool:
        """Whether this client has a reason to show its certificate at an endpoint (RFC 8705, 2 and 3)."""
        authenticates = self.authentication in _MTLS_AUTHENTICATION and endpoint in _AUTHENTICATING
        return authenticates or (self.bound_tokens and endpoint in _BINDING)


@dataclass(frozen=True)
class Reception:
    """At which URL a request was received.

    :ivar endpoint: metadata name of the endpoint, or ``None`` if the URL is none of this server's
    :ivar alias: whether the URL is the alias
    :ivar expected: whether it is the URL that this client is to call
    :ivar accepted: whether the request may be processed
    """

    endpoint: str | None
    alias: bool
    expected: bool
    accepted: bool


class EndpointResolver:
    """Endpoints of one authorization server, with the rule for its ``mtls_endpoint_aliases``.

    :param metadata: of the authorization server (RFC 8414, 2)
    :param endpoints: ``"where-needed"`` sends a client to an alias where it needs its certificate, for
        authentication or for binding; ``"aliases"`` wherever there is one (UK, Brazil, ConnectID);
        ``"root"`` never, because all endpoints of the root are behind mutual TLS (FAPI 2.0, "mTLS
        everywhere"). That of a profile is its ``mtls_endpoints``.
    :param unneeded_alias: what becomes of a request that came to an alias without need: conformance
        tests accept either answer
    :raises PolicyError: metadata or a choice cannot be used
    """

    def __init__(
        self,
        metadata: Mapping[str, Any],
        *,
        endpoints: MtlsEndpoints = "where-needed",
        unneeded_alias: Unneeded = "accept",
    ) -> None:
        if unneeded_alias not in get_args(Unneeded):
            raise PolicyError("unneeded_alias must be accept or reject")
        self._server = Server.from_metadata(metadata)
        self._mode = _mode(endpoints)
        self._unneeded_accepted = unneeded_alias == "accept"

    def url(self, endpoint: str, client: ClientOverMtls) -> str:
        """The URL that ``client`` is to call.

        :param endpoint: metadata name, such as ``token_endpoint``
        :raises PolicyError: the metadata has no such endpoint
        """
        root = self._root(endpoint)
        return self._server.aliases.get(endpoint, root) if self._by_alias(endpoint, client) else root

    def received_at(self, endpoint: str, client: ClientOverMtls) -> tuple[str, ...]:
        """The URLs a server accepts as "the endpoint at which it was received", the expected one first.

        :raises PolicyError: the metadata has no such endpoint
        """
        candidates = dict.fromkeys((self.url(endpoint, client), self._root(endpoint)))
        if endpoint in self._server.aliases:
            candidates[self._server.aliases[endpoint]] = None
        return tuple(url for url in candidates if self.receive(url, client).accepted)

    def receive(self, url: str, client: ClientOverMtls) -> Reception:
        """Judge the URL at which a request of ``client`` was received.

        A certificate that came along without need is neither a failure nor a success here.
        """
        for alias, urls in ((False, self._server.endpoints), (True, self._server.aliases)):
            for endpoint, known in urls.items():
                if known == url:
                    return self._reception(endpoint, url, alias=alias, client=client)
        return Reception(None, alias=False, expected=False, accepted=False)

    def warnings(self, client: ClientOverMtls) -> tuple[str, ...]:
        """Traps that this server sets for this client, for the linter and for people."""
        found = []
        for endpoint in self._server.aliases:
            if self._mode_of(client) == "where-needed" and not client.needs_mtls(endpoint):
                found.append(
                    f"{endpoint} has an alias which {client.authentication} does not need: clients that "
                    "call every alias fail where it is rejected, those that call none where it is demanded"
                )
            elif self._mode_of(client) == "root":
                found.append(f"{endpoint} has an alias which nobody is to call")
        return tuple(found)

    def _reception(self, endpoint: str, url: str, *, alias: bool, client: ClientOverMtls) -> Reception:
        expected = self.url(endpoint, client) == url
        # At the root a client that needs its certificate cannot have shown it, unless root is the rule.
        unneeded = alias and not self._by_alias(endpoint, client) and self._unneeded_accepted
        return Reception(endpoint, alias, expected, accepted=expected or unneeded)

    def _by_alias(self, endpoint: str, client: ClientOverMtls) -> bool:
        mode = self._mode_of(client)
        return mode == "aliases" or (mode == "where-needed" and client.needs_mtls(endpoint))

    def _mode_of(self, client: ClientOverMtls) -> MtlsEndpoints:
        return self._mode if client.endpoints is None else client.endpoints

    def _root(self, endpoint: str) -> str:
        if endpoint not in self._server.endpoints:
            raise PolicyError("the metadata has no such endpoint")
        return self._server.endpoints[endpoint]


def _mode(value: object) -> MtlsEndpoints:
    for mode in get_args(MtlsEndpoints):
        if value == mode:
            chosen: MtlsEndpoints = mode
            return chosen
    raise PolicyError(f"endpoints must be one of {', '.join(get_args(MtlsEndpoints))}")
