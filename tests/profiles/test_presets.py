"""Presets: tokens of well-known issuers, spelled as those issuers spell them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

import keybound
from keybound import profiles
from keybound.errors import PolicyError, Reason
from keybound.keys import Response
from keybound.testing import OMIT, FakeClock, FakeIssuer, SigningKey

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
PARAMETERS = {
    "entra-v2": {"tenant": TENANT},
    "entra-v1": {"tenant": TENANT},
    "cognito-access": {"region": "eu-west-1", "pool": "eu-west-1_AbCdEf123"},
    "cognito-id": {"region": "eu-west-1", "pool": "eu-west-1_AbCdEf123"},
    "auth0": {"domain": "tenant.eu.auth0.com"},
    "okta": {"domain": "dev-1.okta.com", "server": "default"},
    "keycloak": {"host": "id.example.com", "realm": "shop"},
    "keycloak-dpop": {"host": "id.example.com", "realm": "shop"},
    "google": {},
    "github-actions": {},
    "gitlab": {"host": "gitlab.com"},
    "kubernetes": {"issuer": "kubernetes.default.svc.cluster.local"},
    "cloudflare-access": {"team": "example"},
    "aws-alb": {
        "issuer": "https://op.example.com",
        "region": "eu-west-1",
        "account": "123456789012",
        "balancer": "front/50dc6c495c0c9188",
    },
}
ISSUERS = {
    "entra-v2": f"https://login.microsoftonline.com/{TENANT}/v2.0",
    "entra-v1": f"https://sts.windows.net/{TENANT}/",
    "cognito-access": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123",
    "cognito-id": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123",
    "auth0": "https://tenant.eu.auth0.com/",
    "okta": "https://dev-1.okta.com/oauth2/default",
    "keycloak": "https://id.example.com/realms/shop",
    "keycloak-dpop": "https://id.example.com/realms/shop",
    "google": "https://accounts.google.com",
    "github-actions": "https://token.actions.githubusercontent.com",
    "gitlab": "https://gitlab.com",
    "kubernetes": "https://kubernetes.default.svc.cluster.local",
    "cloudflare-access": "https://example.cloudflareaccess.com",
}
# Claims as the issuer writes them besides iss, aud, exp, iat and sub, and the type in the header.
TOKENS: dict[str, dict[str, Any]] = {
    "entra-v2": {"ver": "2.0", "tid": TENANT, "scp": "access_as_user", "azp": "c", "client_id": OMIT},
    "entra-v1": {"ver": "1.0", "tid": TENANT, "scp": "access_as_user", "appid": "c", "client_id": OMIT},
    "cognito-access": {"token_use": "access", "audience": OMIT, "client_id": "api", "header": {"typ": OMIT}},
    "cognito-id": {"token_use": "id", "cognito:username": "u", "header": {"typ": OMIT}},
    "auth0": {"azp": "c", "gty": "client-credentials", "permissions": ["read"], "header": {"typ": "JWT"}},
    "okta": {"ver": 1, "cid": "c", "scp": ["read"], "scope": OMIT, "header": {"typ": OMIT}},
    "keycloak": {"typ": "Bearer", "nonce": "n", "sid": "s", "header": {"typ": "JWT"}},
    "keycloak-dpop": {"typ": "DPoP", "header": {"typ": "JWT"}},
    "google": {"azp": "api", "hd": "example.com", "email_verified": True},
    "github-actions": {"repository": "o/r", "ref": "refs/heads/main", "scope": OMIT, "client_id": OMIT},
    "gitlab": {"project_path": "g/p", "user_login": "u", "scope": OMIT, "client_id": OMIT},
    "kubernetes": {"kubernetes.io": {"namespace": "n"}, "scope": OMIT, "client_id": OMIT},
    "cloudflare-access": {"type": "app", "identity_nonce": "x", "scope": OMIT, "client_id": OMIT},
}


@pytest.fixture(scope="module")
def issuer() -> FakeIssuer:
    return FakeIssuer("https://replaced.example", alg="RS256")


def judge(issuer: FakeIssuer, name: str, **changes: Any) -> Reason:
    preset = profiles.PRESETS[name]
    options = preset.options(**PARAMETERS[name]) | {"keys": keybound.JWKSet.from_json(issuer.jwks())}
    claims = {"iss": ISSUERS[name]} | TOKENS[name] | changes
    claims["header"] = {"typ": "JWT"} | claims.get("header", {})
    try:
        if preset.kind is keybound.TokenKind.ID_TOKEN:
            raw = issuer.id_token(**{"client_id": "api"} | claims)
            keybound.IDTokenValidator(client_id="api", **options).validate(raw, nonce=None)
        else:
            raw = issuer.access_token(**{"audience": "api"} | claims)
            keybound.AccessTokenValidator(audience="api", **options).validate(raw)
    except keybound.TokenRejected as rejected:
        return rejected.reason
    return Reason.OK


def test_every_preset_is_tried() -> None:
    # Those of load balancers are no JWTs, and stand at the end of this file.
    others = {name for name, preset in profiles.PRESETS.items() if not preset.signer}
    assert set(profiles.PRESETS) - others == {"aws-alb"}
    assert others == set(ISSUERS) == set(TOKENS)
    assert set(profiles.PRESETS) == set(PARAMETERS)


@pytest.mark.parametrize("name", TOKENS)
def test_tokens_as_the_issuer_writes_them(issuer: FakeIssuer, name: str) -> None:
    """P26: presets are data, and each accepts what its provider issues."""
    assert judge(issuer, name) is Reason.OK
    assert judge(issuer, name, iss=ISSUERS[name] + "x") is Reason.ISS_MISMATCH
    assert judge(issuer, name, exp=OMIT) is Reason.EXP_MISSING
    assert judge(issuer, name, header={"typ": "dpop+jwt"}) is Reason.TYP_NOT_ALLOWED


@pytest.mark.parametrize("name", [name for name in TOKENS if profiles.PRESETS[name].expected_claims])
def test_what_tells_tokens_of_one_issuer_apart(issuer: FakeIssuer, name: str) -> None:
    for claim, _ in profiles.PRESETS[name].expected_claims:
        assert judge(issuer, name, **{claim: "other"}) is Reason.CLAIM_MISMATCH
        assert judge(issuer, name, **{claim: OMIT}) is Reason.CLAIM_MISMATCH


def test_audience_in_client_id(issuer: FakeIssuer) -> None:
    """Access tokens of Cognito have no aud; the app client stands in for it."""
    assert judge(issuer, "cognito-access", client_id="other") is Reason.AUD_MISMATCH
    assert judge(issuer, "cognito-access", client_id=OMIT) is Reason.AUD_MISSING
    assert judge(issuer, "cognito-access", client_id="other", audience="api") is Reason.AUD_MISMATCH
    assert judge(issuer, "entra-v2", audience="other", client_id="api") is Reason.AUD_MISMATCH


@pytest.mark.parametrize(
    "tenant", ["common", "Organizations", "consumers", "", "a b", "{tenant}", "a?b", "a#", "a/../b", "..", 5]
)
def test_a_tenant_is_one_tenant(tenant: Any) -> None:
    """P26: no preset takes the tokens of every tenant."""
    with pytest.raises(PolicyError):
        profiles.PRESETS["entra-v2"].options(tenant=tenant)


@pytest.mark.parametrize("parameters", [{}, {"tenant": TENANT, "realm": "r"}, {"realm": "r"}])
def test_parameters_are_all_and_no_others(parameters: dict[str, str]) -> None:
    with pytest.raises(PolicyError, match="tenant"):
        profiles.PRESETS["entra-v2"].options(**parameters)


@pytest.mark.parametrize("name", PARAMETERS)
def test_where_the_keys_are(name: str) -> None:
    url = profiles.PRESETS[name].keys_at(**PARAMETERS[name])
    assert url.startswith("https://")
    assert "{" not in url


def test_load_balancers() -> None:
    """P20, P26: issuer and load balancer are pinned by the preset, and its keys come one by one."""
    preset, parameters = profiles.PRESETS["aws-alb"], PARAMETERS["aws-alb"]
    arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/front/50dc6c495c0c9188"
    assert preset.options(**parameters) == {"issuer": "https://op.example.com", "signer": arn}
    url = preset.keys_at(**parameters)
    assert url == keybound.LoadBalancerKeys.in_region("eu-west-1").url

    key = SigningKey.generate("ES256", kid="7b1a2c3d-0000-4000-8000-000000000000")
    asked: list[str] = []

    def transport(request: Any) -> Response:
        asked.append(request.url)
        return Response(status=200, body=key.public_pem())

    clock = FakeClock()
    validator = keybound.LoadBalancerTokenValidator(
        client_id="client-1",
        keys=keybound.LoadBalancerKeys(url, transport=transport, keep_fresh=False),
        clock=clock,
        **preset.options(**parameters),
    )

    def token(**changes: Any) -> str:
        header = {"alg": "ES256", "kid": key.kid, "iss": "https://op.example.com", "client": "client-1"}
        header |= {"signer": arn, "exp": int(clock()) + 120}
        parts = [json.dumps(part).encode() for part in (header | changes, {"sub": "user-1"})]
        signing_input = b".".join(base64.urlsafe_b64encode(part) for part in parts)
        return (signing_input + b"." + base64.urlsafe_b64encode(key.sign(signing_input))).decode()

    assert validator.validate(token()).subject == "user-1"
    assert asked == [f"{url}/{key.kid}"]
    for changes in ({"signer": arn + "x"}, {"iss": "https://other.example.com"}, {"client": "x"}):
        with pytest.raises(keybound.TokenRejected):
            validator.validate(token(**changes))
