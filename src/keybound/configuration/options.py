"""The options of validators as a file has them: one row for each name, whatever the kind of token."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, get_args

import keybound
from keybound.audience import KINDS, POLICIES
from keybound.configuration.values import (
    CONTENT,
    FLAG,
    NUMBER,
    TEXT,
    TEXTS,
    VARIABLE,
    WHOLE,
    Choice,
    Either,
    ListOf,
    MapOf,
    Off,
    Reference,
    Table,
    Value,
)
from keybound.jose.algorithms import ALGORITHMS
from keybound.jose.jwe_algorithms import CONTENT_ENCRYPTIONS, KEY_ALGORITHMS
from keybound.limits import CacheSettings, Limits
from keybound.policy import BindingMode
from keybound.profiles import PRESETS, PROFILES
from keybound.tokens.authorization_response import PlainResponses
from keybound.tokens.request_object import Duplicates

__all__ = [
    "NOT_IN_A_FILE",
    "OPTIONS",
    "VALIDATORS",
    "options_of",
    "parameters_of",
    "settings",
    "texts_of",
    "validator_class",
    "validator_table",
]

VALIDATORS: Mapping[str, str] = MappingProxyType(
    {
        "access_token": "AccessTokenValidator",
        "id_token": "IDTokenValidator",
        "client_assertion": "ClientAssertionValidator",
        "request_object": "RequestObjectValidator",
        "authorization_response": "AuthorizationResponseValidator",
        "dpop_proof": "DPoPProofValidator",
        "introspection_response": "IntrospectionResponseValidator",
        "logout_token": "LogoutTokenValidator",
        "security_event_token": "SecurityEventTokenValidator",
        "load_balancer_token": "LoadBalancerTokenValidator",
    }
)
"""The public name of the validator for each ``kind``: that of :class:`~keybound.TokenKind`, and what only
looks like a token."""

NOT_IN_A_FILE = frozenset({"clock"})
"""Options that are code, and stay with the program."""


def settings(made: Callable[..., Any], *left_out: str) -> Table:
    """A table of the fields of a dataclass of numbers.

    :param left_out: fields that are code
    """
    numbers = {"int": WHOLE, "float": NUMBER}
    members = {each.name: numbers[str(each.type)] for each in fields(made) if each.name not in left_out}  # type: ignore[arg-type]
    return Table(members, make=made, texts=texts_of(made), title=made.__name__)


def texts_of(documented: object) -> dict[str, str]:
    """What the docstring of a class says of each of its parameters, as plain text."""
    found = re.findall(r":param (\w+):(.*?)(?=\n:|\n\n|\Z)", inspect.getdoc(documented) or "", re.DOTALL)
    return {name: _plain(text) for name, text in found}


def _plain(text: str) -> str:
    named = re.sub(r":\w+:`~?([^`<]+?)(?: <[^`]*>)?`", lambda match: match[1].rpartition(".")[2], text)
    return re.sub(r"``([^`]*)``", r"\1", " ".join(named.split()))


def parameters_of(made: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a class, by name."""
    found = inspect.signature(made).parameters.values()
    return {parameter.name: parameter for parameter in found}


_DECRYPTION = Table(
    {
        "keys": Reference("decryption_keys"),
        "algorithms": ListOf(Choice(tuple(KEY_ALGORITHMS))),
        "encryptions": ListOf(Choice(tuple(CONTENT_ENCRYPTIONS))),
        "allow_deprecated": ListOf(
            Choice(tuple(row.name for row in KEY_ALGORITHMS.values() if row.deprecated))
        ),
        "allow_compression": FLAG,
        "allow_missing_cty": FLAG,
        "limits": settings(Limits),
    },
    needed=("keys", "algorithms", "encryptions"),
    make=keybound.Decryption,
    texts=texts_of(keybound.Decryption),
    title="Decryption",
)

_VARIABLES = Either((VARIABLE, ListOf(VARIABLE)))
_CONTENTS = Either((CONTENT, ListOf(CONTENT)))
_TEXTS_OF_NONCES = {
    "secrets_env": "variables with 32 random bytes or more; the first makes new nonces, all recognise",
    "secrets_file": "files with 32 random bytes or more; the first makes new nonces, all recognise",
    "lifetime": "seconds for which a nonce is good",
}


def _nonces(**options: Any) -> keybound.DPoPNonces:
    secrets = options.pop("secrets_env", None) or options.pop("secrets_file")
    return keybound.DPoPNonces(secrets, **options)


OPTIONS: Mapping[str, Value] = MappingProxyType(
    {
        "issuer": TEXT,
        "client_id": TEXT,
        "audience": TEXTS,
        "keys": Reference("keys"),
        "algorithms": ListOf(Choice(tuple(ALGORITHMS))),
        "profile": Reference("profiles", tuple(PROFILES)),
        "types": TEXTS,
        "explicit_typing": FLAG,
        "trusted_audiences": TEXTS,
        "authorized_parties": TEXTS,
        "acr_values": TEXTS,
        "redirect_uris": TEXTS,
        "response_audience": TEXTS,
        "signer": TEXTS,
        "token_types": TEXTS,
        "event_types": TEXTS,
        "grant_types": TEXTS,
        "leeway": NUMBER,
        "max_lifetime": NUMBER,
        "max_age": NUMBER,
        "max_token_age": NUMBER,
        "max_expiry_distance": NUMBER,
        "max_nbf_age": NUMBER,
        "response_max_age": Either((NUMBER, Off())),
        "jti_length": Either((WHOLE, Off())),
        "duplicates": Choice(get_args(Duplicates)),
        "nonces": Table(
            {"secrets_env": _VARIABLES, "secrets_file": _CONTENTS, "lifetime": NUMBER},
            one_of=("secrets_env", "secrets_file"),
            make=_nonces,
            texts=_TEXTS_OF_NONCES,
            title="DPoPNonces",
            timed=True,
        ),
        "required_claims": TEXTS,
        "forbidden_claims": TEXTS,
        "expected_claims": MapOf(TEXT),
        "allow_missing_exp": FLAG,
        "scopes": TEXTS,
        "binding": Choice(get_args(BindingMode)),
        "plain_responses": Choice(get_args(PlainResponses)),
        "decryption": _DECRYPTION,
        "replay": Either((Reference("stores"), Off())),
        "revocation": Reference("revocation_lists"),
        "limits": settings(Limits),
        "cache": Either((settings(CacheSettings, "monotonic"), Off())),
    }
)
"""What each option of a validator may be in a file."""

_POLICY = Reference("audience_policies", tuple(POLICIES))
_AUDIENCE_POLICY = Either(
    (
        _POLICY,
        Table(
            {"enforced": _POLICY, "stricter": _POLICY, "max_clients": WHOLE},
            needed=("enforced",),
            texts=texts_of(keybound.audience.ReportOnly),
            title="ReportOnly",
        ),
    )
)


def validator_class(kind: str) -> Callable[..., Any]:
    """The validator of a kind."""
    made: Callable[..., Any] = getattr(keybound, VALIDATORS[kind])
    return made


def options_of(kind: str) -> dict[str, inspect.Parameter]:
    """The options of the validator of a kind that a file can give, in its order."""
    found = parameters_of(validator_class(kind))
    return {name: parameter for name, parameter in found.items() if name not in NOT_IN_A_FILE}


def validator_table(kind: str) -> Table:
    """The table of a validator of one kind."""
    members: dict[str, Value] = {name: OPTIONS[name] for name in options_of(kind) if name in OPTIONS}
    texts = texts_of(validator_class(kind)) | _TEXTS
    presets = tuple(name for name, preset in PRESETS.items() if preset.kind == kind)
    if presets:
        members |= {"preset": Choice(presets), "parameters": MapOf(TEXT)}
    if kind in KINDS:
        members["audience_policy"] = _AUDIENCE_POLICY
        texts["audience"] = "values of which one must be in aud, whatever the endpoint"
    return Table(members, texts=texts, title=VALIDATORS[kind])


_TEXTS = {
    "keys": "name of a table in [keys]; with a preset, its own keys if left out",
    "profile": "name of a profile, or of a table in [profiles]",
    "replay": "name of a table in [stores], or false to accept a token as often as it comes",
    "revocation": "name of a table in [revocation_lists], which is asked about every token that is presented",
    "decryption": "for tokens that are signed and then encrypted; then those that are not are rejected",
    "cache": "bounds of the cache of verified tokens, or false for no cache",
    "preset": "a well-known issuer, which gives issuer, profile and expected claims",
    "parameters": "what the preset leaves open, such as the tenant",
    "audience_policy": "name of an audience policy, or of a table in [audience_policies], for [server]; or "
    "one that is enforced and a stricter one that is only reported",
}
