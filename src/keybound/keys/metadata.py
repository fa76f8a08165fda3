"""Metadata of an issuer (RFC 8414; OpenID Connect Discovery 1.0), fetched and kept as its keys are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NoReturn, get_args
from urllib.parse import urlsplit

from keybound.clock import Clock, system_clock
from keybound.errors import InvalidKey, PolicyError
from keybound.frozen import FrozenDict, freeze
from keybound.jose.jwk import parse_json_object
from keybound.keys.fetching import FetchFailed, FetchOutcome, Transport, check_url
from keybound.keys.refresh import DEFAULT_REFRESH, RefreshSettings
from keybound.keys.remote_document import FetchEvent, RemoteDocument
from keybound.keys.remote_jwks import RemoteJWKSet
from keybound.keys.shared_documents import SharedDocuments

__all__ = ["IssuerMetadata", "RemoteMetadata", "WellKnown", "well_known_url"]

WellKnown = Literal["openid-configuration", "oauth-authorization-server"]
"""Under which well-known name an issuer publishes its metadata."""


def well_known_url(issuer: str, form: WellKnown) -> str:
    """Where an issuer publishes its metadata.

    ``openid-configuration`` goes behind the issuer's path (OpenID Connect Discovery, 4.1),
    ``oauth-authorization-server`` before it (RFC 8414, 3.1).

    :raises PolicyError: the issuer is not an absolute URL without query and fragment

    >>> from keybound.keys import well_known_url
    >>> well_known_url("https://as.example.com/tenant", "oauth-authorization-server")
    'https://as.example.com/.well-known/oauth-authorization-server/tenant'
    """
    if form not in get_args(WellKnown):
        raise PolicyError(f"the well-known form must be one of {', '.join(get_args(WellKnown))}")
    check_url(issuer, allow_http=True)
    parts = urlsplit(issuer)
    if "?" in issuer:
        # RFC 8414, 2: no query and no fragment; the latter has been refused with the rest.
        raise PolicyError("an issuer has no query")
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    return (
        f"{origin}{path}/.well-known/{form}"
        if form == "openid-configuration"
        else (f"{origin}/.well-known/{form}{path}")
    )


class IssuerMetadata:
    """A metadata document that speaks of the issuer it was asked for. Immutable.

    :ivar issuer: issuer identifier
    :ivar jwks_uri: URL of its JWK Set
    :ivar document: every member, read-only
    """

    __slots__ = ("document", "issuer", "jwks_uri")

    issuer: str
    jwks_uri: str
    document: FrozenDict

    def __init__(self, document: Mapping[str, Any], *, issuer: str, allow_http: bool = False) -> None:
        """Check a document (RFC 8414, 3.3; OpenID Connect Discovery, 4.3).

        :param issuer: the issuer asked for, compared code point by code point
        :param allow_http: also takes an ``http`` URL for the keys
        :raises PolicyError: it is of another issuer, or says no usable ``jwks_uri``
        """
        if not isinstance(document, Mapping):
            raise PolicyError("metadata must be a JSON object")
        if document.get("issuer") != issuer:
            raise PolicyError("the metadata is of another issuer")
        object.__setattr__(self, "issuer", issuer)
        object.__setattr__(self, "jwks_uri", check_url(document.get("jwks_uri"), allow_http=allow_http))
        object.__setattr__(self, "document", freeze(dict(document)))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("metadata is immutable")

    def algorithms(self, name: str, *, allowed: Iterable[str]) -> list[str]:
        """What a policy allows and the issuer announces: never more than the policy.

        :param name: of the member, such as ``id_token_signing_alg_values_supported``
        :param allowed: allow-list of the policy
        :returns: ``allowed`` itself where the issuer announces nothing
        :raises PolicyError: the two have nothing in common, or the member is malformed
        """
        wanted = list(allowed)
        announced = self.document.get(name)
        if announced is None:
            return wanted
        if not isinstance(announced, list):
            raise PolicyError(f"{name} of the metadata is not a list")
        both = [algorithm for algorithm in wanted if algorithm in announced]
        if not both:
            raise PolicyError(f"{name} of the metadata has nothing that the policy allows")
        return both

    def __repr__(self) -> str:
        return "<keybound.IssuerMetadata>"


class _NamedJWKSet(RemoteJWKSet):
    """Keys of which a document tells, which is counted in their place."""

    _own = False


class RemoteMetadata(RemoteDocument[IssuerMetadata]):
    """The metadata of an issuer, fetched and kept up to date by the rules of :class:`~keybound.RemoteJWKSet`.

    A document of another issuer, or without a usable ``jwks_uri``, leaves the last good one in use
    (RFC 8414, 3.3 and 6.2).

    :param issuer: issuer identifier; taken from the configuration, never from a token
    :param form: under which well-known name it publishes
    :param url: where it publishes, in place of the well-known URL
    :param allow_http: also takes ``http`` URLs; whoever is on the way can then replace the keys
    :param refresh: see :class:`~keybound.RefreshSettings`
    :param transport: fetches it; see :class:`~keybound.RemoteJWKSet`
    :param headers: to send besides those of the transport
    :param keep_fresh: whether it is fetched again in time even while nobody asks for it
    :param shared: where processes share what they fetch, here and of the keys that the document names
    :param on_event: called after every fetch
    :param monotonic: clock for all ages, in seconds
    :param clock: wall clock, for the age of an exported state
    :raises PolicyError: an option is unsafe or impossible
    """

    def __init__(
        self,
        issuer: str,
        *,
        form: WellKnown = "openid-configuration",
        url: str | None = None,
        allow_http: bool = False,
        refresh: RefreshSettings = DEFAULT_REFRESH,
        transport: Transport | None = None,
        headers: Mapping[str, str] | None = None,
        keep_fresh: bool = True,
        shared: SharedDocuments | None = None,
        on_event: Callable[[FetchEvent], object] | None = None,
        monotonic: Clock = time.monotonic,
        clock: Clock = system_clock,
    ) -> None:
        published = well_known_url(issuer, form) if url is None else url
        self._issuer, self._allow_http = issuer, allow_http
        super().__init__(
            published,
            parse=self._parsed,
            same=lambda old, new: old.document == new.document,
            allow_http=allow_http,
            refresh=refresh,
            transport=transport,
            headers=headers,
            keep_fresh=keep_fresh,
            shared=shared,
            on_event=on_event,
            monotonic=monotonic,
            clock=clock,
        )

    @property
    def issuer(self) -> str:
        """Issuer identifier."""
        return self._issuer

    def _keys_at(self, url: str, transport: Transport | None) -> RemoteJWKSet:
        """The keys that a document names, fetched and kept as the document is."""
        return _NamedJWKSet(
            url,
            allow_http=self._allow_http,
            refresh=self._settings,
            transport=self._transport if transport is None else transport,
            headers=self._headers,
            keep_fresh=self._keep_fresh,
            shared=self._shared,
            on_event=self._on_event,
            monotonic=self._monotonic,
            clock=self._clock,
        )

    def _parsed(self, body: bytes) -> IssuerMetadata:
        try:
            document = parse_json_object(body)
        except InvalidKey:
            raise FetchFailed(FetchOutcome.MALFORMED) from None
        try:
            return IssuerMetadata(document, issuer=self._issuer, allow_http=self._allow_http)
        except PolicyError:
            raise FetchFailed(FetchOutcome.NOTHING_USABLE) from None
