"""Metadata of issuers, and keys found through it, from a real HTTPS server on a clock that stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import keybound
from keybound import PolicyError, Unavailable
from keybound.keys import FetchOutcome, IssuerMetadata, well_known_url
from keybound.testing import CertificateAuthority, FakeClock, IssuerServer, faults

ISSUER = "https://as.example.com/tenant"


@pytest.mark.parametrize(
    ("issuer", "form", "expected"),
    [
        # RFC 8414, 3.1.
        (
            "https://example.com",
            "oauth-authorization-server",
            "https://example.com/.well-known/oauth-authorization-server",
        ),
        (
            "https://example.com/issuer1",
            "oauth-authorization-server",
            "https://example.com/.well-known/oauth-authorization-server/issuer1",
        ),
        (
            "https://example.com/",
            "oauth-authorization-server",
            "https://example.com/.well-known/oauth-authorization-server",
        ),
        # OpenID Connect Discovery, 4.1.
        (
            "https://example.com",
            "openid-configuration",
            "https://example.com/.well-known/openid-configuration",
        ),
        (
            "https://example.com/issuer1",
            "openid-configuration",
            "https://example.com/issuer1/.well-known/openid-configuration",
        ),
        (
            "https://example.com/issuer1/",
            "openid-configuration",
            "https://example.com/issuer1/.well-known/openid-configuration",
        ),
    ],
)
def test_well_known_urls(issuer: str, form: Any, expected: str) -> None:
    assert well_known_url(issuer, form) == expected


@pytest.mark.parametrize(
    ("issuer", "form"),
    [
        ("as.example.com", "openid-configuration"),
        ("https://as.example.com?x=1", "openid-configuration"),
        ("https://as.example.com/?", "openid-configuration"),
        ("https://as.example.com/#x", "openid-configuration"),
        ("https://user@as.example.com", "openid-configuration"),
        (None, "openid-configuration"),
        ("https://as.example.com", "jwks"),
        ("https://as.example.com", None),
    ],
)
def test_issuers_without_a_well_known_url(issuer: Any, form: Any) -> None:
    with pytest.raises(PolicyError):
        well_known_url(issuer, form)


def document(**changes: Any) -> dict[str, Any]:
    return {"issuer": ISSUER, "jwks_uri": "https://keys.example.com/jwks"} | changes


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [],
        {},
        document(issuer="https://as.example.com/Tenant"),
        document(issuer="https://as.example.com/tenant/"),
        document(issuer=[ISSUER]),
        document(jwks_uri=None),
        document(jwks_uri="http://keys.example.com/jwks"),
        document(jwks_uri="/jwks"),
        document(jwks_uri="file:///etc/passwd"),
        document(jwks_uri="https://user:secret@keys.example.com/jwks"),
    ],
)
def test_metadata_that_is_refused(bad: Any) -> None:
    """RFC 8414, 3.3: the issuer must be identical; the keys come over https."""
    with pytest.raises(PolicyError):
        IssuerMetadata(bad, issuer=ISSUER)


def test_metadata_never_widens_the_policy() -> None:
    name = "id_token_signing_alg_values_supported"
    made = IssuerMetadata(document(**{name: ["none", "RS256", "ES256"]}), issuer=ISSUER)
    assert made.algorithms(name, allowed=["PS256", "ES256"]) == ["ES256"]
    assert made.algorithms("authorization_signing_alg_values_supported", allowed=["PS256"]) == ["PS256"]
    with pytest.raises(PolicyError, match="nothing"):
        made.algorithms(name, allowed=["PS256"])
    with pytest.raises(PolicyError):
        IssuerMetadata(document(**{name: "ES256"}), issuer=ISSUER).algorithms(name, allowed=["ES256"])
    with pytest.raises(AttributeError):
        made.issuer = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        made.document["issuer"] = "other"


class Publisher:
    """An issuer that publishes metadata and keys, on clocks that stand still."""

    def __init__(self, server: IssuerServer) -> None:
        self.server = server
        self.monotonic = FakeClock(1000.0)
        self.document: dict[str, Any] = {"issuer": server.url, "jwks_uri": server.jwks_uri}
        server.publish("/.well-known/openid-configuration", lambda: self.document)

    def metadata(self, **options: Any) -> keybound.RemoteMetadata:
        transport = keybound.HTTPTransport(ssl_context=self.server.client_context())
        usual = {"monotonic": self.monotonic, "keep_fresh": False, "transport": transport}
        return keybound.RemoteMetadata(self.server.url, **usual | options)

    def keys(self, **options: Any) -> keybound.DiscoveredJWKSet:
        return keybound.DiscoveredJWKSet(self.metadata(), **options)


@pytest.fixture
def publisher(server: IssuerServer) -> Publisher:
    return Publisher(server)


def settle(source: Any) -> None:
    flight = source._flight
    if flight is not None:
        flight.wait()


def test_metadata_is_fetched_once(publisher: Publisher) -> None:
    """S004-31: built once, not with every request."""
    metadata = publisher.metadata()
    assert not metadata.ready
    metadata.warm()
    metadata.warm()
    found = metadata.peek()
    assert found is not None
    assert (found.issuer, found.jwks_uri) == (publisher.server.url, publisher.server.jwks_uri)
    assert publisher.server.count("/.well-known/openid-configuration") == 1


def test_metadata_of_another_issuer_leaves_the_old_in_use(publisher: Publisher) -> None:
    """P38: discovery mix-up."""
    metadata = publisher.metadata()
    metadata.warm()
    before = metadata.peek()
    publisher.document = {"issuer": "https://evil.example", "jwks_uri": "https://evil.example/jwks"}
    assert metadata.refresh_now() is FetchOutcome.NOTHING_USABLE
    assert metadata.peek() is before
    with pytest.raises(Unavailable):
        Publisher.metadata(publisher, url=f"{publisher.server.url}/nowhere").warm()


def test_validator_with_discovered_keys(publisher: Publisher) -> None:
    keys = publisher.keys()
    issuer = publisher.server.issuer
    validator = keybound.AccessTokenValidator(
        issuer=issuer.issuer, audience="api", keys=keys, algorithms=["ES256"]
    )
    assert validator.validate(issuer.access_token(audience="api"))
    # A key that comes later is looked for, once.
    issuer.rotate()
    publisher.monotonic.advance(60)
    assert validator.validate(issuer.access_token(audience="api"))
    assert publisher.server.count("/jwks") == 2
    assert asyncio.run(validator.avalidate(issuer.access_token(audience="api")))
    assert keys.ready
    assert keys.stats()["keys"]["keys"] == 2


def test_a_new_jwks_uri_takes_over_when_its_keys_are_there(publisher: Publisher) -> None:
    """Whoever has keys waits for none, and what comes from the new place replaces all of the old."""
    keys, server = publisher.keys(), publisher.server
    old = keys.get()
    publisher.document = publisher.document | {"jwks_uri": f"{server.url}/new"}
    assert keys.metadata.refresh_now() is FetchOutcome.UPDATED
    # There is nothing yet: the old keys stay.
    assert keys.snapshot() is old
    settle(keys._next)
    assert keys.snapshot() is old
    other = keybound.testing.FakeIssuer(server.url)
    server.publish("/new", other.jwks)
    publisher.monotonic.advance(120)
    assert keys.refresh_now() is FetchOutcome.UPDATED
    assert [key.kid for key in keys.snapshot()] == [other.key.kid]


def test_nothing_to_answer_with_is_unavailable(publisher: Publisher) -> None:
    """F-14: whatever the token, an outage alone is a 503."""
    publisher.server.fault = faults.status(503)
    keys = publisher.keys()
    for use in (keys.snapshot, keys.get, keys.warm, lambda: asyncio.run(keys.aget())):
        with pytest.raises(Unavailable):
            use()
    assert keys.refresh_now() is FetchOutcome.STATUS_REFUSED
    assert keys.peek() is None
    assert not keys.refresh_for("kid")


def test_purged_keys_are_fetched_anew(publisher: Publisher) -> None:
    keys = publisher.keys()
    keys.warm()
    keys.purge()
    assert not keys.ready
    asyncio.run(keys.awarm())
    assert keys.ready
    assert asyncio.run(keys.arefresh_now()) is FetchOutcome.UNCHANGED


def test_a_client_certificate_for_the_keys_alone(
    authority: CertificateAuthority, make_server: Callable[..., IssuerServer]
) -> None:
    """S000-16: discovery and JWK Set can each be fetched over mTLS, with a certificate of their own."""
    client = authority.issue_client("gateway")
    open_server, closed_server = make_server(), make_server(client_auth="required")
    publisher = Publisher(open_server)
    publisher.document["jwks_uri"] = closed_server.jwks_uri
    with pytest.raises(Unavailable):
        publisher.keys().warm()
    own = keybound.HTTPTransport(ssl_context=closed_server.client_context(client))
    keys = publisher.keys(transport=own)
    keys.warm()
    assert closed_server.requests[-1].certificate == client.der
    assert open_server.requests[-1].certificate is None


@pytest.mark.parametrize("metadata", [None, "https://as.example.com", {}])
def test_keys_are_discovered_through_metadata(metadata: Any) -> None:
    with pytest.raises(PolicyError):
        keybound.DiscoveredJWKSet(metadata)
