"""``keybound verify``: accept or reject one token, as a resource server would."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console

from keybound.cli.inputs import Command
from keybound.cli.options import TOKEN_NOTE, Request, request_options
from keybound.cli.output import json_option, members, show, show_facts, verdict
from keybound.clients.introspection import IntrospectionClient
from keybound.errors import Reason, TokenRejected
from keybound.policy import TokenPolicy
from keybound.tokens.access_token import AccessToken
from keybound.tokens.introspection import IntrospectionResponse
from keybound.tokens.issuer_router import IssuerRouter

__all__ = ["verify"]


@click.command(cls=Command, help=f"Accept or reject a token and its certificate.\n\n{TOKEN_NOTE}")
@json_option
@request_options
def verify(request: Request, as_json: bool) -> int:
    try:
        token = request.validator.validate(request.token, certificate=request.certificate)
    except TokenRejected as rejected:
        document = _rejected(rejected)
        show(document, lambda screen: _show_rejected(screen, document), as_json=as_json)
        return 1
    now = request.clock()
    show(_accepted(token), lambda screen: _show_accepted(screen, token, request, now), as_json=as_json)
    return 0


def _accepted(token: AccessToken) -> dict[str, Any]:
    return _document(Reason.OK) | {
        "accepted": True,
        "status": 200,
        "header": token.header,
        "claims": token.claims,
    }


def _rejected(rejected: TokenRejected) -> dict[str, Any]:
    return _document(rejected.reason) | {
        "claim": rejected.claim,
        "status": rejected.status,
        "challenge": rejected.challenge(),
    }


def _document(reason: Reason) -> dict[str, Any]:
    """The same keys for either verdict."""
    return {
        "accepted": False,
        "reason": reason.code,
        "number": int(reason),
        "description": reason.description,
        "claim": None,
        "status": None,
        "challenge": None,
        "header": None,
        "claims": None,
    }


def _show_accepted(screen: Console, token: AccessToken, request: Request, now: float) -> None:
    screen.print(verdict(True, "ACCEPTED", _binding(token, request)))
    screen.print(members("Header", token.header, now))
    screen.print(members("Claims", token.claims, now))


def _binding(token: AccessToken, request: Request) -> str:
    if token.confirmation is None:
        return "a bearer token: whoever holds it can use it"
    if _policy_of(token, request).binding == "ignore":
        return "a bound token whose binding was NOT checked"
    return "bound to the presented certificate"


def _policy_of(token: AccessToken, request: Request) -> TokenPolicy:
    """What the token has passed."""
    validator = request.validator
    if isinstance(validator, IssuerRouter):
        return validator.validator_for(request.token).policy
    if isinstance(validator, IntrospectionClient) and not isinstance(token, IntrospectionResponse):
        assert validator.local is not None, "nobody else makes such a token"
        return validator.local.policy
    return validator.policy


def _show_rejected(screen: Console, document: dict[str, Any]) -> None:
    screen.print(verdict(False, "REJECTED", document["reason"]))
    about = f" ({document['claim']})" if document["claim"] else ""
    rows = [
        ("Why", f"{document['description']}{about}"),
        ("Reason number", str(document["number"])),
        ("HTTP status", str(document["status"])),
        ("WWW-Authenticate", document["challenge"]),
    ]
    show_facts(screen, rows)
