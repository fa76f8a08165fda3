"""The options that say what a token must be: one list for every command that judges one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click
from click.core import ParameterSource

from keybound.binding import PresentedCertificate
from keybound.cli.inputs import Document, token_argument
from keybound.cli.times import now_option
from keybound.clients.introspection import IntrospectionClient
from keybound.clock import Clock
from keybound.errors import BindingRejected
from keybound.jose.algorithms import ALGORITHMS
from keybound.jose.jwk_set import JWKSet
from keybound.policy import BindingMode
from keybound.profiles import PROFILES
from keybound.tokens.access_token import AccessTokenValidator
from keybound.tokens.issuer_router import IssuerRouter

__all__ = ["TOKEN_NOTE", "OneOf", "Request", "request_options"]

TOKEN_NOTE = """\
TOKEN is the token itself, @FILE, or - for standard input. An argument stays in the shell's history
and is visible to other processes on this machine: prefer - or @FILE for tokens that are still valid."""

_KEY_LOADERS: dict[str, Callable[[bytes], JWKSet]] = {
    "jwks": JWKSet.from_json,
    "pem": JWKSet.from_pem,
    "der": JWKSet.from_der,
}


Judge = AccessTokenValidator | IntrospectionClient | IssuerRouter[AccessTokenValidator]
"""What judges an access token."""


@dataclass(frozen=True, repr=False)
class Request:
    """A token as presented, and what is to judge it.

    :ivar validator: of access tokens; by a configuration file also a router to some, or what asks about them
    :ivar clock: the time that it goes by
    """

    validator: Judge
    token: bytes
    certificate: PresentedCertificate | None
    clock: Clock


class OneOf(click.Choice):  # type: ignore[type-arg]  # no generic in older versions of click
    """A choice whose message does not repeat what was typed."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.choices:
            self.fail(f"must be one of {', '.join(self.choices)}", param, ctx)
        return str(value)


class _Seconds(click.ParamType):  # type: ignore[type-arg]  # no generic in older versions of click
    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return float(value)
        except ValueError:
            self.fail("must be a number of seconds", param, ctx)


_OPTIONS = (
    token_argument,
    click.option(
        "--config", type=click.Path(), help="A configuration file, in place of every option on the policy."
    ),
    click.option(
        "--validator",
        help="Its validator, router or introspection client of access tokens, if several.",
    ),
    click.option("--issuer", help="Issuer identifier, the exact iss."),
    click.option("--audience", multiple=True, help="An identifier of the resource server. Repeatable."),
    click.option("--jwks", type=Document(), help="Keys: a JWK Set or a single JWK."),
    click.option("--pem", type=Document(), help="Key: a public key or certificate in PEM."),
    click.option("--der", type=Document(), help="Key: a public key or certificate in DER."),
    click.option(
        "--secret", type=Document(), help="Key: the shared secret of one HMAC --alg, byte for byte."
    ),
    click.option(
        "--alg",
        "algorithms",
        type=OneOf(list(ALGORITHMS)),
        metavar="ALG",
        multiple=True,
        help="Allowed alg, such as PS256. Repeatable.",
    ),
    click.option(
        "--profile", type=OneOf(list(PROFILES)), default="oauth", show_default=True, help="Named policy."
    ),
    click.option(
        "--typ", "types", multiple=True, help="Accepted typ, in place of the profile's. Repeatable."
    ),
    click.option(
        "--certificate", type=Document(), help="The client certificate that was presented, PEM or DER."
    ),
    click.option("--certificate-sha256", help="Its SHA-256 instead: hexadecimal, base64 or base64url."),
    click.option(
        "--binding", type=OneOf(get_args(BindingMode)), help="What to do about cnf [default: if-present]."
    ),
    click.option("--scope", "scopes", multiple=True, help="Scope the token must carry. Repeatable."),
    click.option(
        "--require-claim", "required_claims", multiple=True, help="Claim that must be there. Repeatable."
    ),
    click.option(
        "--forbid-claim", "forbidden_claims", multiple=True, help="Claim that must not. Repeatable."
    ),
    click.option("--max-lifetime", type=_Seconds(), help="Greatest exp minus iat."),
    click.option("--max-age", type=_Seconds(), help="Greatest time since iat."),
    click.option("--allow-missing-exp", is_flag=True, help="Accept tokens that never expire."),
    click.option("--leeway", type=_Seconds(), default=10, show_default=True, help="Clock skew granted."),
    now_option,
)


def request_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give ``command`` every option above; it is called with one :class:`Request` in their place."""

    @functools.wraps(command)
    def with_request(*, as_json: bool, **options: Any) -> int:
        return command(_request(**options), as_json=as_json)

    for option in reversed(_OPTIONS):
        with_request = option(with_request)
    return with_request


def _request(
    *,
    token: bytes,
    certificate: bytes | None,
    certificate_sha256: str | None,
    config: str | None,
    validator: str | None,
    clock: Clock,
    **policy: Any,
) -> Request:
    made: Judge
    if config is None:
        if validator is not None:
            raise click.UsageError("--validator names one in a --config")
        made = _from_options(clock=clock, **policy)
    else:
        context = click.get_current_context()
        typed = [name for name in policy if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
        if typed:
            raise click.UsageError("the policy is that of --config; leave its other options out")
        made = _from_file(Path(config), validator, clock)
    return Request(made, token, _certificate(certificate, certificate_sha256), clock)


def _from_options(
    *,
    issuer: str | None,
    audience: tuple[str, ...],
    algorithms: tuple[str, ...],
    profile: str,
    types: tuple[str, ...],
    clock: Clock,
    **policy: Any,
) -> AccessTokenValidator:
    if issuer is None or not audience:
        raise click.UsageError("give --issuer and --audience, or a --config that has them")
    if not algorithms and PROFILES[profile].algorithms is None:
        raise click.UsageError(f"give --alg, what the issuer signs with: profile {profile} names none")
    material = {name: policy.pop(name) for name in (*_KEY_LOADERS, "secret")}
    return AccessTokenValidator(
        issuer=issuer,
        audience=audience,
        keys=_keys(material, algorithms),
        algorithms=algorithms or None,
        profile=PROFILES[profile],
        types=types or None,
        clock=clock,
        **policy,
    )


def _from_file(path: Path, name: str | None, clock: Clock) -> Judge:
    from keybound import configuration

    names = configuration.validators_in(path, kind="access_token")
    if name is None and len(names) == 1:
        (name,) = names
    if name is None or name not in names:
        found = ", ".join(names) or "none"
        raise click.UsageError(f"give --validator, one of those for access tokens in the file: {found}")
    made = configuration.load(path, only=name, clock=clock)
    judges: dict[str, Judge] = {**made.validators, **made.introspection_clients, **made.routers}
    return judges[name]


def _keys(material: dict[str, bytes | None], algorithms: tuple[str, ...]) -> JWKSet:
    given = {name: data for name, data in material.items() if data is not None}
    if len(given) != 1:
        raise click.UsageError(f"give the issuer's keys once: {', '.join(f'--{name}' for name in material)}")
    ((name, data),) = given.items()
    if name != "secret":
        return _KEY_LOADERS[name](data)
    if len(algorithms) != 1:
        raise click.UsageError("--secret needs exactly one --alg, which says what the secret is for")
    return JWKSet.from_secret(data, alg=algorithms[0])


def _certificate(document: bytes | None, sha256: str | None) -> PresentedCertificate | None:
    """The presented certificate; here a malformed one is a slip of the operator, not of a client."""
    if document is not None and sha256 is not None:
        raise click.UsageError("give either --certificate or --certificate-sha256")
    try:
        if sha256 is not None:
            return PresentedCertificate.from_sha256(sha256)
        if document is not None:
            is_pem = b"-----BEGIN" in document
            return (
                PresentedCertificate.from_pem(document) if is_pem else PresentedCertificate.from_der(document)
            )
    except BindingRejected:
        option = "--certificate-sha256" if document is None else "--certificate"
        wanted = "a SHA-256" if document is None else "exactly one certificate in PEM or DER"
        raise click.UsageError(f"{option} is not {wanted}") from None
    return None
