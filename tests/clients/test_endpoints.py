"""Which URL of an endpoint is meant where mutual TLS has aliases."""

from __future__ import annotations

from typing import Any

import pytest

from keybound import PolicyError, profiles
from keybound.clients import ClientOverMtls, EndpointResolver, Reception

ROOT, MTLS = "https://as.example.com", "https://mtls.example.com"
METADATA: dict[str, Any] = {
    "issuer": ROOT,
    "authorization_endpoint": f"{ROOT}/authorize",
    "token_endpoint": f"{ROOT}/token",
    "pushed_authorization_request_endpoint": f"{ROOT}/par",
    "backchannel_authentication_endpoint": f"{ROOT}/bc",
    "userinfo_endpoint": f"{ROOT}/me",
    "revocation_endpoint": f"{ROOT}/revoke",
    "mtls_endpoint_aliases": {
        "token_endpoint": f"{MTLS}/token",
        "pushed_authorization_request_endpoint": f"{MTLS}/par",
        "userinfo_endpoint": f"{MTLS}/me",
    },
}
PAR = "pushed_authorization_request_endpoint"
BY_CERTIFICATE = ClientOverMtls(authentication="tls_client_auth")
SELF_SIGNED = ClientOverMtls(authentication="self_signed_tls_client_auth")
BY_KEY = ClientOverMtls(authentication="private_key_jwt")
BY_KEY_BOUND = ClientOverMtls(authentication="private_key_jwt", bound_tokens=True)
PUBLIC_BOUND = ClientOverMtls(authentication="none", bound_tokens=True)


@pytest.mark.parametrize("client", [BY_CERTIFICATE, SELF_SIGNED])
def test_authentication_by_certificate_goes_to_the_alias(client: ClientOverMtls) -> None:
    """S000-01: from mtls_endpoint_aliases if the alias is present, and from the root if it is not."""
    resolver = EndpointResolver(METADATA)
    assert resolver.url("token_endpoint", client) == f"{MTLS}/token"
    assert resolver.url(PAR, client) == f"{MTLS}/par"
    assert resolver.url("revocation_endpoint", client) == f"{ROOT}/revoke"
    # Nobody authenticates there: the user's browser calls it.
    assert resolver.url("authorization_endpoint", client) == f"{ROOT}/authorize"


@pytest.mark.parametrize("client", [BY_KEY_BOUND, PUBLIC_BOUND])
def test_bound_tokens_come_from_the_alias_of_the_token_endpoint(client: ClientOverMtls) -> None:
    """S000-02"""
    resolver = EndpointResolver(METADATA)
    assert resolver.url("token_endpoint", client) == f"{MTLS}/token"
    assert resolver.url("userinfo_endpoint", client) == f"{MTLS}/me"


@pytest.mark.parametrize("client", [BY_KEY, BY_KEY_BOUND])
def test_pushed_requests_with_private_key_jwt_go_to_the_root(client: ClientOverMtls) -> None:
    """S000-03: there is no mTLS reason at PAR, even though an alias exists."""
    assert EndpointResolver(METADATA).url(PAR, client) == f"{ROOT}/par"


@pytest.mark.parametrize("client", [BY_CERTIFICATE, BY_KEY, BY_KEY_BOUND])
def test_mtls_everywhere_ignores_aliases(client: ClientOverMtls) -> None:
    """S000-04"""
    resolver = EndpointResolver(METADATA, endpoints=profiles.FAPI2_MTLS_EVERYWHERE.mtls_endpoints)
    for name in METADATA["mtls_endpoint_aliases"]:
        assert resolver.url(name, client) == METADATA[name]


@pytest.mark.parametrize("profile", [profiles.UK, profiles.BRAZIL, profiles.CONNECTID, profiles.CDR])
def test_ecosystems_that_use_every_alias(profile: Any) -> None:
    """S000-05, S000-14: PAR over mTLS with private_key_jwt is what these deploy."""
    resolver = EndpointResolver(METADATA, endpoints=profile.mtls_endpoints)
    for name, alias in METADATA["mtls_endpoint_aliases"].items():
        assert resolver.url(name, BY_KEY) == alias
    assert resolver.url("revocation_endpoint", BY_KEY) == f"{ROOT}/revoke"


def test_a_client_chooses_for_itself() -> None:
    """S000-06, S000-15: the mode is per client, not per process."""
    resolver = EndpointResolver(METADATA)
    flagged = ClientOverMtls.from_metadata(
        {"token_endpoint_auth_method": "private_key_jwt", "use_mtls_endpoint_aliases": True}
    )
    assert resolver.url(PAR, flagged) == f"{MTLS}/par"
    everywhere = ClientOverMtls(authentication="tls_client_auth", endpoints="root")
    assert resolver.url("token_endpoint", everywhere) == f"{ROOT}/token"
    assert resolver.url("token_endpoint", BY_CERTIFICATE) == f"{MTLS}/token"


@pytest.mark.parametrize(("unneeded", "accepted"), [("accept", True), ("reject", False)])
def test_an_alias_without_need(unneeded: Any, accepted: bool) -> None:
    """S000-07: the suite accepts either answer."""
    resolver = EndpointResolver(METADATA, unneeded_alias=unneeded)
    assert resolver.receive(f"{MTLS}/par", BY_KEY) == Reception(PAR, True, False, accepted)
    assert resolver.receive(f"{ROOT}/par", BY_KEY) == Reception(PAR, False, True, True)
    assert resolver.receive(f"{MTLS}/par", BY_CERTIFICATE) == Reception(PAR, True, True, True)
    assert resolver.receive(f"{ROOT}/par", BY_CERTIFICATE) == Reception(PAR, False, False, False)
    expected = (f"{ROOT}/par", f"{MTLS}/par") if accepted else (f"{ROOT}/par",)
    assert resolver.received_at(PAR, BY_KEY) == expected
    assert resolver.received_at(PAR, BY_CERTIFICATE) == (f"{MTLS}/par",)


def test_urls_of_nobody() -> None:
    resolver = EndpointResolver(METADATA)
    for url in ("", ROOT, f"{ROOT}/token/", f"{ROOT}:443/token", "https://AS.example.com/token", None, 5):
        assert resolver.receive(url, BY_KEY) == Reception(None, False, False, False)  # type: ignore[arg-type]
    with pytest.raises(PolicyError):
        resolver.url("device_authorization_endpoint", BY_KEY)


def test_the_trap_of_pushed_requests_is_told() -> None:
    """S000-03: the PAR with private_key_jwt trap."""
    (told,) = EndpointResolver(METADATA).warnings(BY_KEY_BOUND)
    assert told.startswith(PAR)
    assert EndpointResolver(METADATA, endpoints="aliases").warnings(BY_KEY) == ()
    assert len(EndpointResolver(METADATA, endpoints="root").warnings(BY_KEY)) == 3
    assert EndpointResolver({**METADATA, "mtls_endpoint_aliases": {}}).warnings(BY_KEY) == ()


def test_client_metadata() -> None:
    """S001-04: metadata of both sides decides; that of the server is in every test above."""
    assert ClientOverMtls.from_metadata({}) == ClientOverMtls(authentication="client_secret_basic")
    metadata = {
        "token_endpoint_auth_method": "private_key_jwt",
        "tls_client_certificate_bound_access_tokens": True,
    }
    assert ClientOverMtls.from_metadata(metadata) == BY_KEY_BOUND


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        [],
        "x",
        {"token_endpoint_auth_method": 5},
        {"token_endpoint_auth_method": ""},
        {"tls_client_certificate_bound_access_tokens": "true"},
        {"use_mtls_endpoint_aliases": "false"},
        {"use_mtls_endpoint_aliases": None},
    ],
)
def test_bad_client_metadata(metadata: Any) -> None:
    with pytest.raises(PolicyError):
        ClientOverMtls.from_metadata(metadata)


@pytest.mark.parametrize(
    "options",
    [
        {"endpoints": "everywhere"},
        {"endpoints": None},
        {"endpoints": ["root"]},
        {"unneeded_alias": "maybe"},
        {"unneeded_alias": []},
        {"metadata": None},
        {"metadata": {}},
        {"metadata": {**METADATA, "mtls_endpoint_aliases": []}},
        {"metadata": {**METADATA, "token_endpoint": "/token"}},
    ],
)
def test_bad_choices(options: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        EndpointResolver(**{"metadata": METADATA} | options)
