"""What the package shows, and that nothing else is promised."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import types

import pytest

import keybound
from keybound import RefreshSettings

NAMES = [
    "BACKEND",
    "CLIENT_ASSERTION_TYPE",
    "JWK",
    "AccessToken",
    "AccessTokenValidator",
    "AudiencePolicy",
    "AuthorizationDetails",
    "AuthorizationErrorResponse",
    "AuthorizationResponse",
    "AuthorizationResponseValidator",
    "BindingRejected",
    "CacheSettings",
    "ClaimRejected",
    "ClientAssertion",
    "ClientAssertionValidator",
    "ContextRejected",
    "DPoPNonces",
    "DPoPProof",
    "DPoPProofValidator",
    "Decryption",
    "DecryptionKey",
    "DecryptionKeys",
    "DecryptionRejected",
    "Demands",
    "DeprecatedAlgorithmWarning",
    "DiscoveredJWKSet",
    "FileJWKSet",
    "HTTPTransport",
    "HeaderRejected",
    "IDToken",
    "IDTokenValidator",
    "InsufficientScope",
    "IntrospectionClient",
    "IntrospectionResponse",
    "IntrospectionResponseValidator",
    "InvalidKey",
    "IssuerRouter",
    "JWKSet",
    "KeyRejected",
    "KeyboundError",
    "Limits",
    "LoadBalancerKeys",
    "LoadBalancerToken",
    "LoadBalancerTokenValidator",
    "LogoutToken",
    "LogoutTokenValidator",
    "MalformedToken",
    "PolicyError",
    "PresentedCertificate",
    "Reason",
    "RecreationWarning",
    "RefreshSettings",
    "RemoteJWKSet",
    "RemoteMetadata",
    "RequestObject",
    "RequestObjectValidator",
    "ResponseMode",
    "SecurityEventToken",
    "SecurityEventTokenValidator",
    "SignatureRejected",
    "TokenKind",
    "TokenRejected",
    "Unavailable",
    "__version__",
    "about",
    "audience",
    "classify",
    "configure_tables",
    "events",
    "jwe",
    "jws",
    "metrics",
    "profiles",
    "thumbprint",
]
MEMBERS = {
    "DiscoveredJWKSet": "aget arefresh_for arefresh_now awarm get metadata peek purge ready refresh_for "
    "refresh_now snapshot stats warm",
    "RemoteMetadata": "arefresh_now awarm export_state import_state issuer peek purge ready refresh_now "
    "stats url warm",
    "IssuerRouter": "add avalidate notify of_tenants remove stats validate validator_for validators",
    "JWK": "algorithms curve from_der from_json from_key from_pem from_secret kty "
    "thumbprint thumbprint_uri to_dict",
    "JWKSet": "from_der from_json from_key from_pem from_published from_secret snapshot",
    "FileJWKSet": "reload snapshot stats",
    "HTTPTransport": "",
    "RefreshSettings": " ".join(RefreshSettings.__dataclass_fields__) + " freshness",
    "LoadBalancerKeys": "aget arefresh_for arefresh_now awarm in_region peek purge ready refresh_for "
    "refresh_now snapshot stats url warm",
    "LoadBalancerTokenValidator": "avalidate clock keys notify stats validate",
    "RemoteJWKSet": "aget arefresh_for arefresh_now awarm export_state get import_state peek purge ready "
    "refresh_for refresh_now snapshot stats url warm",
    "AccessToken": "audience authorization_details claim claims client_id confirmation expires_at header "
    "identifier issued_at issuer scopes subject old_secret",
    "IDToken": "audience authenticated_at authentication_context authorized_party claim claims expires_at "
    "header identifier issued_at issuer nonce session_id subject old_secret",
    "IntrospectionResponse": "audience authorization_details claim claims client_id confirmation "
    "expires_at header identifier issued_at issuer scopes subject token_type username old_secret",
    "IntrospectionResponseValidator": "avalidate require notify stats validate clock policy",
    "IntrospectionClient": "avalidate clear_cache local notify policy require stats validate",
    "LogoutToken": "audience claim claims events expires_at header identifier issued_at issuer "
    "occurred_at session_id subject subject_identifier transaction old_secret",
    "LogoutTokenValidator": "avalidate clear_cache notify stats validate clock keys policy",
    "SecurityEventToken": "audience claim claims events expires_at header identifier issued_at issuer "
    "occurred_at subject subject_identifier transaction old_secret",
    "SecurityEventTokenValidator": "avalidate clear_cache delivery_error notify stats validate "
    "clock keys policy",
    "IDTokenValidator": "avalidate avalidate_hint clear_cache notify stats validate validate_hint "
    "clock keys policy",
    "AccessTokenValidator": "avalidate clear_cache explain require notify stats validate validate_many "
    "clock keys policy",
    "AuthorizationErrorResponse": "error error_description error_uri signed state old_secret",
    "AuthorizationResponse": "access_token code id_token signed state old_secret",
    "AuthorizationResponseValidator": "avalidate avalidate_response clear_cache from_metadata response_mode "
    "notify stats validate validate_response clock keys policy",
    "AuthorizationDetails": "actions datatypes identifier locations privileges",
    "Demands": "acr_values any_role any_scope authorization_details check max_age role_claim roles scopes",
    "InsufficientScope": "challenge error error_response status",
    "DPoPNonces": "issue recognizes",
    "DPoPProof": "allowed_algorithms claim claims header identifier issued_at key method nonce thumbprint "
    "url old_secret",
    "DPoPProofValidator": "avalidate avalidate_token policy notify stats validate validate_token",
    "PresentedCertificate": "from_certificate from_der from_pem from_sha256 thumbprint",
    "AudiencePolicy": "aliases bind bind_metadata client_assertion from_json from_mapping from_toml note "
    "obliges request_object rule to_mapping",
    "CacheSettings": "entries lifetime memory_bytes monotonic",
    "ClientAssertion": "audience claim claims client_id expires_at header identifier issued_at issuer "
    "subject warning old_secret",
    "ClientAssertionValidator": "avalidate avalidate_form clear_cache notify stats validate validate_form "
    "clock keys policy",
    "Decryption": "allow_compression allow_deprecated allow_missing_cty from_metadata limits open",
    "DecryptionKey": "algorithms curve from_client_secret from_der from_json from_key from_pem from_secret "
    "kty to_dict",
    "DecryptionKeys": "from_json snapshot",
    "Limits": "decompressed_bytes header_bytes json_depth token_bytes",
    "RequestObject": "audience binding_message claim claims client_id code_challenge "
    "code_challenge_method expires_at header identifier issued_at issuer login_hint max_age nonce "
    "parameters redirect_uri response_mode response_type scopes state subject warning old_secret",
    "RequestObjectValidator": "avalidate clear_cache error_redirect_uri notify stats validate "
    "clock keys policy",
    "TokenRejected": "challenge error error_response status",
    "Unavailable": "status",
    "audience": "AudienceCount AudienceJudge AudiencePolicy AudienceReport AudienceRule AudienceVerdict "
    "BoundAudiencePolicy FORMS Form KINDS Kind Outcome POLICIES Party ReportOnly",
    "jwe": "DecryptedJWE decrypt decrypt_json",
    "jws": "VerifiedJWS verify verify_json",
    "events": "EventLog OldSecretEvent TokenEvent",
    "metrics": "FAMILIES Family PrometheusCollector Registry Sample observe",
    "profiles": "BRAZIL CAMARA_2024 CAMARA_2026 CDR CIBA CONNECTID FAPI1_ADVANCED FAPI1_BASELINE FAPI2 "
    "FAPI2_DRAFT FAPI2_MESSAGE_SIGNING FAPI2_MTLS_EVERYWHERE FAPI_CIBA OAUTH PRESETS PROFILES Preset RFC9068 "
    "UK",
}
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(keybound.__path__, "keybound.")
    if not module.name.startswith(("keybound._hotpath.native.", "keybound.cli", "keybound.__main__"))
)
EMPTY = {"keybound._hotpath.native", "keybound._hotpath.pure", "keybound.jose", "keybound.tokens"}


def order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest, each by the alphabet: the order of the linter."""
    plain = name.strip("_")
    return (0 if plain.isupper() else 1 if plain[0].isupper() else 2, name)


def test_the_names_of_the_package():
    assert keybound.__all__ == NAMES
    assert [name for name in NAMES if not hasattr(keybound, name)] == []
    assert set(dir(keybound)) >= set(NAMES)
    with pytest.raises(AttributeError, match="Validator"):
        _ = keybound.Validator


def test_nothing_else_is_in_reach_by_accident():
    """Submodules appear as attributes once they are imported; anything else there would be used one day."""
    others = {
        name: value
        for name, value in vars(keybound).items()
        if name not in NAMES and not name.startswith("__")
    }
    assert not {name for name, value in others.items() if not isinstance(value, types.ModuleType)}


@pytest.mark.parametrize("name", MEMBERS)
def test_members(name):
    value = getattr(keybound, name)
    found = value.__all__ if isinstance(value, types.ModuleType) else public_members(value)
    assert sorted(found) == sorted(MEMBERS[name].split())


def public_members(cls: type) -> set[str]:
    """Methods, properties and class attributes, without those of instances alone (slots)."""
    named = {name for name in dir(cls) if not name.startswith("_") and not hasattr(BaseException, name)}
    return {name for name in named if not inspect.ismemberdescriptor(inspect.getattr_static(cls, name))}


@pytest.mark.parametrize("name", MODULES)
def test_each_module_names_what_it_offers(name):
    module = importlib.import_module(name)
    if name in EMPTY:
        assert not hasattr(module, "__all__")
        return
    assert [item for item in module.__all__ if not hasattr(module, item)] == []
    assert list(module.__all__) == sorted(module.__all__, key=order)
    assert len(set(module.__all__)) == len(module.__all__)


def test_options_are_given_by_name():
    """Positions are for the one thing a call is about; everything else can then be added or reordered."""
    for function, positional in (
        (keybound.AccessTokenValidator.__init__, ["self"]),
        (keybound.AccessTokenValidator.validate, ["self", "raw"]),
        (keybound.AccessTokenValidator.avalidate, ["self", "raw"]),
        (keybound.AccessTokenValidator.explain, ["self", "raw"]),
        (keybound.Decryption.__init__, ["self"]),
        (keybound.Decryption.from_metadata, ["kind", "client"]),
        (keybound.DecryptionKey.from_pem, ["pem"]),
        (keybound.DecryptionKey.from_client_secret, ["client_secret"]),
        (keybound.jwe.decrypt, ["compact", "keys"]),
        (keybound.jwe.decrypt_json, ["document", "keys"]),
        (keybound.DPoPProofValidator.__init__, ["self"]),
        (keybound.DPoPProofValidator.validate, ["self", "proof"]),
        (keybound.DPoPProofValidator.avalidate, ["self", "proof"]),
        (keybound.DPoPProofValidator.validate_token, ["self", "raw", "proof"]),
        (keybound.DPoPProofValidator.avalidate_token, ["self", "raw", "proof"]),
        (keybound.DPoPNonces.__init__, ["self", "secrets"]),
        (keybound.jws.verify, ["compact", "keys"]),
        (keybound.jws.verify_json, ["document", "keys"]),
        (keybound.JWKSet.from_pem, ["pem"]),
        (keybound.JWKSet.from_secret, ["secret"]),
        (keybound.Limits.__init__, ["self"]),
        (keybound.RemoteJWKSet.__init__, ["self", "url"]),
        (keybound.LoadBalancerKeys.__init__, ["self", "url"]),
        (keybound.HTTPTransport.__init__, ["self"]),
        (keybound.FileJWKSet.__init__, ["self", "path"]),
        (keybound.RefreshSettings.__init__, ["self"]),
        (keybound.TokenRejected.challenge, ["self"]),
    ):
        kinds = inspect.signature(function).parameters.values()
        assert [
            parameter.name for parameter in kinds if parameter.kind is not parameter.KEYWORD_ONLY
        ] == positional


def test_every_rejection_is_one_of_the_public_classes():
    from keybound.errors import rejection

    for reason in keybound.Reason:
        if reason is not keybound.Reason.OK:
            assert type(rejection(reason)).__name__ in NAMES
