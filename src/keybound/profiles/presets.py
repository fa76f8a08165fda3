"""Issuers that many people have: what their tokens look like, as data.

A preset turns into the options of a validator::

    preset = keybound.profiles.PRESETS["entra-v2"]
    keybound.AccessTokenValidator(
        keys=keys, audience="6e74172b-be56-4843-9ff4-e66a39bb12e3", **preset.options(tenant="72f988bf-...")
    )
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from keybound._hotpath.contract import Marker
from keybound.errors import PolicyError
from keybound.kinds import TokenKind
from keybound.policy import Profile, text
from keybound.profiles.oauth import OAUTH

__all__ = ["PRESETS", "Preset"]


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What the tokens of one issuer look like.

    :param name: short name, as the command line takes it
    :param source: where the issuer documents it
    :param kind: which validator takes the tokens: one of :class:`keybound.TokenKind`, or
        ``"load_balancer_token"``, whose validator takes no profile
    :param issuer: ``iss``, with a name in braces for each part that differs between customers
    :param jwks_uri: where the keys are, with the same names in braces
    :param profile: the demands on its tokens, the algorithms among them
    :param signer: ARN of the load balancer, with the same names in braces; nothing for other kinds
    :param expected_claims: claims whose text is known, with the same names in braces
    :param expect_one_of: claims of which the operator has to expect at least one, because the issuer serves
        everybody
    :param note: what an operator has to know
    """

    name: str
    source: str
    issuer: str
    jwks_uri: str
    profile: Profile = field(repr=False)
    kind: TokenKind | Literal["load_balancer_token"] = TokenKind.ACCESS_TOKEN
    signer: str = ""
    expected_claims: tuple[tuple[str, str], ...] = ()
    expect_one_of: tuple[str, ...] = ()
    note: str = ""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in braces, each of which :meth:`options` has to be given."""
        templates = (self.issuer, self.jwks_uri, self.signer, *(value for _, value in self.expected_claims))
        found = (name for template in templates for _, name, _, _ in string.Formatter().parse(template))
        return tuple(dict.fromkeys(name for name in found if name))

    def options(self, **parameters: str) -> dict[str, Any]:
        """Options for the validator of this kind: ``issuer``, ``profile`` or ``signer``, and what claims must
        say.

        :param parameters: a text for each name in :attr:`parameters`
        :raises PolicyError: one is missing, unknown, or not text that may stand there
        """
        filled = self._filled(parameters)
        options: dict[str, Any] = {"issuer": self.issuer.format_map(filled)}
        options |= {"signer": self.signer.format_map(filled)} if self.signer else {"profile": self.profile}
        if self.expected_claims:
            options["expected_claims"] = {
                name: value.format_map(filled) for name, value in self.expected_claims
            }
        return options

    def keys_at(self, **parameters: str) -> str:
        """The URL of the issuer's JWK Set, or of :class:`keybound.LoadBalancerKeys`; see :meth:`options`."""
        return self.jwks_uri.format_map(self._filled(parameters))

    def _filled(self, parameters: dict[str, str]) -> dict[str, str]:
        if set(parameters) != set(self.parameters):
            raise PolicyError(f"preset {self.name} takes {', '.join(self.parameters) or 'no parameters'}")
        for name, value in parameters.items():
            # A placeholder that is a wildcard somewhere else is no tenant, and no path may be smuggled in.
            odd = not set(text(name, value)) <= _IN_A_NAME or {".", ".."} & set(value.split("/"))
            if odd or value.lower() in _SHARED_TENANTS:
                raise PolicyError(f"{name} must be the name or identifier of one {name}")
        return parameters


_NO_RULES: Mapping[str, Any] = MappingProxyType({})
_IN_A_NAME = frozenset(string.ascii_letters + string.digits + "-._:/")
_SHARED_TENANTS = frozenset({"common", "organizations", "consumers"})


def _access_tokens(
    name: str,
    source: str,
    issuer: str,
    jwks_uri: str,
    *,
    rules: Mapping[str, Any] = _NO_RULES,
    **options: Any,
) -> Preset:
    demands = {"types": frozenset({"jwt"}), "required_claims": ("iss", "aud", "exp", "iat", "sub"), **rules}
    kinds = {TokenKind.ACCESS_TOKEN: demands}
    profile = OAUTH.derive(name=name, source=source, algorithms=("RS256",), kinds=kinds)
    return Preset(name=name, source=source, issuer=issuer, jwks_uri=jwks_uri, profile=profile, **options)


def _id_tokens(name: str, source: str, issuer: str, jwks_uri: str, **options: Any) -> Preset:
    profile = OAUTH.derive(name=name, source=source, algorithms=("RS256",))
    kind = TokenKind.ID_TOKEN
    return Preset(
        name=name, source=source, kind=kind, issuer=issuer, jwks_uri=jwks_uri, profile=profile, **options
    )


_ENTRA = "https://login.microsoftonline.com/{tenant}"
_COGNITO = "https://cognito-idp.{region}.amazonaws.com/{pool}"
_KEYCLOAK = "https://{host}/realms/{realm}"
_KEYCLOAK_CERTS = _KEYCLOAK + "/protocol/openid-connect/certs"
# Keycloak before 24 repeats the nonce of the login in access tokens.
_KEYCLOAK_RULES = {"types": frozenset({"jwt", "at+jwt"}), "tolerated_markers": int(Marker.NONCE)}

_ALB = "AWS, authenticate users using an Application Load Balancer"

_PRESETS = (
    _access_tokens(
        "entra-v2",
        "Microsoft identity platform, access token claims reference",
        _ENTRA + "/v2.0",
        _ENTRA + "/discovery/v2.0/keys",
        expected_claims=(("ver", "2.0"), ("tid", "{tenant}")),
        note="The audience is the client identifier of the API. tenant is one directory, never common.",
    ),
    _access_tokens(
        "entra-v1",
        "Microsoft identity platform, access token claims reference",
        "https://sts.windows.net/{tenant}/",
        _ENTRA + "/discovery/keys",
        expected_claims=(("ver", "1.0"), ("tid", "{tenant}")),
        note="The audience is the application ID URI of the API.",
    ),
    _access_tokens(
        "cognito-access",
        "Amazon Cognito, verifying JSON web tokens",
        _COGNITO,
        _COGNITO + "/.well-known/jwks.json",
        rules={
            "required_claims": ("iss", "exp", "iat", "sub", "client_id", "jti"),
            "audience_claim": "client_id",
        },
        expected_claims=(("token_use", "access"),),
        note="Access tokens have no aud: the audience is the identifier of the app client, in client_id.",
    ),
    _id_tokens(
        "cognito-id",
        "Amazon Cognito, verifying JSON web tokens",
        _COGNITO,
        _COGNITO + "/.well-known/jwks.json",
        expected_claims=(("token_use", "id"),),
    ),
    _access_tokens(
        "auth0",
        "Auth0, access token profiles",
        "https://{domain}/",
        "https://{domain}/.well-known/jwks.json",
        rules={"types": frozenset({"jwt", "at+jwt"})},
        note="The issuer ends with a slash.",
    ),
    _access_tokens(
        "okta",
        "Okta, validate access tokens",
        "https://{domain}/oauth2/{server}",
        "https://{domain}/oauth2/{server}/v1/keys",
        note="For custom authorization servers, such as default; tokens of the org server are opaque to you.",
    ),
    _access_tokens(
        "keycloak",
        "Keycloak, securing applications and services",
        _KEYCLOAK,
        _KEYCLOAK_CERTS,
        rules=_KEYCLOAK_RULES,
        expected_claims=(("typ", "Bearer"),),
        note="Add an audience mapper to the client: without it aud is account. keycloak-dpop is for DPoP.",
    ),
    _access_tokens(
        "keycloak-dpop",
        "Keycloak, securing applications and services",
        _KEYCLOAK,
        _KEYCLOAK_CERTS,
        rules=_KEYCLOAK_RULES,
        expected_claims=(("typ", "DPoP"),),
        note="Access tokens bound to a DPoP key, which Keycloak marks in the claim typ.",
    ),
    _id_tokens(
        "google",
        "Google, OpenID Connect, validating an ID token",
        "https://accounts.google.com",
        "https://www.googleapis.com/oauth2/v3/certs",
        note="To accept one organisation alone, put its domain into expected_claims as hd.",
    ),
    _access_tokens(
        "github-actions",
        "GitHub Actions, OpenID Connect reference",
        "https://token.actions.githubusercontent.com",
        "https://token.actions.githubusercontent.com/.well-known/jwks",
        expect_one_of=("sub", "repository", "repository_id", "repository_owner", "repository_owner_id"),
        note="Every repository of the world gets tokens: always expect repository or sub as well.",
    ),
    _access_tokens(
        "gitlab",
        "GitLab CI/CD, OpenID Connect ID token authentication",
        "https://{host}",
        "https://{host}/oauth/discovery/keys",
        expect_one_of=("sub", "project_path", "project_id", "namespace_path", "namespace_id"),
        note="Every project of the instance gets tokens: always expect project_path or sub as well.",
    ),
    _access_tokens(
        "kubernetes",
        "Kubernetes, service account token volume projection and issuer discovery",
        "https://{issuer}",
        "https://{issuer}/openid/v1/jwks",
        note="issuer is the API server's --service-account-issuer without https://.",
    ),
    _access_tokens(
        "cloudflare-access",
        "Cloudflare Access, validate JWTs",
        "https://{team}.cloudflareaccess.com",
        "https://{team}.cloudflareaccess.com/cdn-cgi/access/certs",
        expected_claims=(("type", "app"),),
        note="The audience is the application's AUD tag; the token comes in Cf-Access-Jwt-Assertion.",
    ),
    Preset(
        name="aws-alb",
        source=_ALB,
        kind="load_balancer_token",
        issuer="{issuer}",
        jwks_uri="https://public-keys.auth.elb.{region}.amazonaws.com",
        signer="arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/{balancer}",
        profile=OAUTH.derive(name="aws-alb", source=_ALB, algorithms=("ES256",)),
        note="User claims in x-amzn-oidc-data, with keys by LoadBalancerKeys. issuer is the OpenID provider, "
        "balancer the end of the ARN, after app/. In GovCloud and China: without the preset.",
    ),
)

PRESETS: MappingProxyType[str, Preset] = MappingProxyType({preset.name: preset for preset in _PRESETS})
"""Every preset by its name."""
