"""``keybound inspect``: what a token says about itself, believed by nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import click
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from keybound._hotpath import base64url, strict_json
from keybound._hotpath.compact import split
from keybound._hotpath.header import check_fields
from keybound.cli.inputs import Command, token_argument
from keybound.cli.options import TOKEN_NOTE
from keybound.cli.output import json_option, members, printable, show, show_facts
from keybound.cli.times import TIME_CLAIMS, now_option, timestamp
from keybound.clock import Clock
from keybound.errors import Reason
from keybound.jose.algorithms import ALGORITHMS
from keybound.kinds import TokenKind
from keybound.limits import DEFAULT_LIMITS
from keybound.policy import TokenPolicy
from keybound.profiles import RFC9068
from keybound.tokens.explain import claim_checks

__all__ = ["decode", "inspect"]

_BANNER = "UNVERIFIED: anybody can write a token that says this. Only validation tells whether it is true."

# The strictest policy there is a standard for; inspection warns about what it would reject.
_POLICY = TokenPolicy.create(
    TokenKind.ACCESS_TOKEN,
    issuer="any",
    audience="any",
    profile=RFC9068,
    algorithms_=[name for name in ALGORITHMS if not name.startswith("HS")],
    leeway=0,
    max_lifetime=24 * 60 * 60,
    binding="required",
)
# iss and aud are looked at by checks of their own.
_CLAIM_RULES = replace(_POLICY.claim_rules(), required=())
# These depend on who asks and who presents the token, which inspection does not know.
_NOT_IN_THE_TOKEN = frozenset(
    {Reason.ISS_MISMATCH, Reason.AUD_MISMATCH, Reason.CERTIFICATE_MISSING, Reason.DPOP_PROOF_MISSING}
)

_KEY_CARRIERS = ("jwk", "jku", "x5u", "x5c")


@click.command(cls=Command, help=f"Decode a token WITHOUT verifying it.\n\n{TOKEN_NOTE}")
@token_argument
@now_option
@json_option
def inspect(token: bytes, clock: Clock, as_json: bool) -> int:
    document = _document(token, clock())
    show(document, lambda screen: _render(screen, document, clock()), as_json=as_json)
    return 1 if document["problems"] else 0


def decode(token: bytes) -> dict[str, Any]:
    """What a token that nobody has verified holds, its times in words, and what cannot be decoded of it."""
    document: dict[str, Any] = {
        "verified": False,
        "header": None,
        "claims": None,
        "signature_bytes": None,
        "times": {},
        "problems": [],
    }
    parts = split(_POLICY.header_rules(), token)
    if isinstance(parts, int):
        document["problems"].append(_problem("token", parts))
        return document
    for key, where, segment in (("header", "header", parts[0]), ("claims", "payload", parts[1])):
        value = _object(segment, Reason.HEADER_NOT_OBJECT if key == "header" else Reason.PAYLOAD_NOT_OBJECT)
        if isinstance(value, int):
            document["problems"].append(_problem(where, value))
        else:
            document[key] = value
    signature = base64url.decode(parts[2])
    if signature is None:
        document["problems"].append(_problem("signature", Reason.BASE64URL_INVALID))
    else:
        document["signature_bytes"] = len(signature)
    claims = document["claims"] or {}
    document["times"] = {name: timestamp(claims[name]) for name in claims if name in TIME_CLAIMS}
    return document


def _document(token: bytes, now: float) -> dict[str, Any]:
    document = decode(token) | {"warnings": []}
    if document["header"] is not None:
        document["warnings"] += _about_header(document["header"])
    if document["claims"] is not None:
        document["warnings"] += _about_claims(document["claims"], now)
    return document


def _object(segment: bytes, otherwise: Reason) -> dict[str, Any] | int:
    """A JSON object from a segment of a token, or the reason why there is none."""
    text = base64url.decode(segment)
    if text is None:
        return Reason.BASE64URL_INVALID
    reason, value = strict_json.loads(text, DEFAULT_LIMITS.json_depth)
    if reason != Reason.OK:
        return reason
    return value if type(value) is dict else otherwise


def _problem(where: str, reason: int) -> dict[str, str]:
    return {"where": where, "reason": Reason(reason).code, "description": Reason(reason).description}


def _about_header(header: dict[str, Any]) -> Iterator[dict[str, str]]:
    alg = header.get("alg")
    if alg is None:
        yield _warning(Reason.ALG_MISSING.code, Reason.ALG_MISSING.description)
    elif isinstance(alg, str) and alg.lower() == "none":
        yield _warning("alg_none", "alg is none: the token is not signed at all (RFC 8725, 3.2)")
    elif not isinstance(alg, str) or alg not in ALGORITHMS:
        yield _warning("alg_unknown", "alg is not an algorithm that Keybound verifies")
    elif alg.startswith("HS"):
        yield _warning("alg_symmetric", "alg is an HMAC: whoever can verify this token can also forge it")
    elif alg == "EdDSA":
        yield _warning(
            "alg_deprecated", "EdDSA does not name its curve: Ed25519 or Ed448 does (RFC 9864, 2.2)"
        )
    yield from (_warning(reason.code, reason.description) for reason in _header_reasons(header))
    if "kid" not in header:
        yield _warning("kid_missing", "The token names no key, which works only where one key fits")
    for name in _KEY_CARRIERS:
        if name in header:
            yield _warning(
                "key_in_header", f"{name} offers a key of the sender's choice; Keybound never uses it"
            )


def _header_reasons(header: dict[str, Any]) -> Iterator[Reason]:
    """What the policy says about ``typ``, and about everything else but ``alg``."""
    alg, typ = {"alg": _POLICY.algorithms[0].name}, {"typ": "at+jwt"}
    only_typ = alg | {name: header[name] for name in typ if name in header}
    for fields in (only_typ, header | alg | typ):
        verdict = check_fields(_POLICY.header_rules(), fields, fields)
        if isinstance(verdict, int):
            yield Reason(verdict)


def _about_claims(claims: dict[str, Any], now: float) -> Iterator[dict[str, str]]:
    for check in claim_checks(_CLAIM_RULES, claims, now, None):
        if check.reason is Reason.LIFETIME_TOO_LONG:
            yield _warning(check.reason.code, "The token is valid for more than a day")
        elif check.reason is not None and check.reason not in _NOT_IN_THE_TOKEN:
            yield _warning(check.reason.code, check.reason.description)


def _warning(code: str, text: str) -> dict[str, str]:
    return {"code": code, "text": text}


def _render(screen: Console, document: dict[str, Any], now: float) -> None:
    screen.print(Panel(Text(_BANNER, "warn"), border_style="warn", expand=False))
    for title, key in (("Header, unverified", "header"), ("Claims, unverified", "claims")):
        if document[key] is not None:
            screen.print(members(title, document[key], now))
    if document["signature_bytes"] is not None:
        show_facts(screen, [("Signature", f"{document['signature_bytes']} bytes, not checked")])
    for problem in document["problems"]:
        text = f"{problem['where']}: {problem['description']} [{problem['reason']}]"
        screen.print(Text.assemble(("Cannot be decoded  ", "bad"), printable(text)))
    if not document["warnings"] and not document["problems"]:
        screen.print(Text("No warnings.", "quiet"))
    for warning in document["warnings"]:
        screen.print(
            Text.assemble(("Warning  ", "warn"), printable(f"{warning['text']} [{warning['code']}]"))
        )
