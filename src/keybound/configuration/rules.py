"""What the linter knows: one row for each rule, and the function that looks for it in `checks`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from keybound.configuration import checks, remembering
from keybound.configuration.place import Problem
from keybound.configuration.view import View

__all__ = ["RULES", "Rule", "Severity"]

Severity = Literal["error", "warning"]
"""An error is unsafe, contradictory or without effect; a warning may be meant."""


class Rule(NamedTuple):
    """:ivar name: stable, for those who count or filter findings
    :ivar severity: see :data:`Severity`
    :ivar finds: what a finding says about the file
    :ivar source: the text behind the rule
    :ivar check: yields the places, each with what to do about it
    """

    name: str
    severity: Severity
    finds: str
    source: str
    check: Callable[[View], Iterator[Problem]]


RULES: tuple[Rule, ...] = (
    Rule(
        "form",
        "error",
        "an unknown key, a value of the wrong type, or the name of a table that does not exist",
        "`keybound lint --schema`",
        checks.form,
    ),
    Rule(
        "secret-in-file",
        "error",
        "a secret, a private key, or a URL with a password in the file itself",
        "RFC 6819, 5.1.4.1.3",
        checks.secret_in_file,
    ),
    Rule(
        "refused",
        "error",
        "what Keybound refuses to make a validator of, for a reason that no other rule names",
        "the message",
        checks.refused,
    ),
    Rule(
        "algorithms-mixed",
        "error",
        "HMAC beside public-key algorithms for one issuer, in one validator or in several",
        "RFC 8725, 2.1 and 3.1",
        checks.algorithms_mixed,
    ),
    Rule(
        "algorithms-beyond-profile",
        "error",
        "algorithms that the profile does not allow",
        "RFC 8725, 3.1; the profile's",
        checks.algorithms_beyond_profile,
    ),
    Rule(
        "binding-weakened",
        "error",
        '`binding = "ignore"`, or unbound tokens where the profile demands bound ones',
        "RFC 8705, 3; RFC 9449, 7.2",
        checks.binding_weakened,
    ),
    Rule(
        "audience-missing",
        "error",
        "a validator that is not told for whom tokens have to be",
        "RFC 8725, 3.9",
        checks.audience_missing,
    ),
    Rule(
        "audience-array",
        "error",
        "an audience policy that takes an array where that of the profile does not, such as with FAPI 2.0",
        "FAPI 2.0 Security Profile, 5.3.2.1; draft-ietf-oauth-rfc7523bis",
        checks.audience_array,
    ),
    Rule(
        "replay-unchecked",
        "error",
        "client assertions or DPoP proofs without a replay store",
        "RFC 7523, 3 (7); RFC 9449, 11.1",
        checks.replay_unchecked,
    ),
    Rule(
        "cache-outlives-token",
        "error",
        "tokens kept for longer than `max_lifetime` or `max_age` allows any token to be good",
        "RFC 7662, 4",
        checks.cache_outlives_token,
    ),
    Rule(
        "keys-over-http",
        "error",
        "keys or metadata fetched over HTTP, other than from this machine",
        "RFC 8414, 2; OpenID Connect Discovery, 3",
        checks.keys_over_http,
    ),
    Rule(
        "introspection-over-http",
        "error",
        "opaque tokens, and what authenticates the resource server, sent over HTTP to another machine",
        "RFC 7662, 4",
        checks.introspection_over_http,
    ),
    Rule(
        "keys-do-not-fit",
        "error",
        "keys of which none can be used with the algorithms",
        "RFC 8725, 3.1",
        checks.keys_do_not_fit,
    ),
    Rule(
        "expiry-waived",
        "error",
        "tokens without `exp` accepted, and no `max_age`",
        "RFC 9068, 2.2",
        checks.expiry_waived,
    ),
    Rule(
        "issuer-almost",
        "error",
        "an issuer that differs from another one, or from that of `[server]`, by the slash at its end",
        "RFC 8414, 3.3",
        checks.issuer_almost,
    ),
    Rule(
        "preset-open",
        "error",
        "an issuer whose tokens anybody can get, without a claim that says whose are meant",
        "the note of the preset",
        checks.preset_open,
    ),
    Rule(
        "skew-below-leeway",
        "error",
        "a shared store or deny-list whose `skew` is below the `leeway` of a validator that asks it",
        "RFC 7519, 4.1.4; RFC 9449, 11.1",
        remembering.skew_below_leeway,
    ),
    Rule(
        "lifetime-beyond-store",
        "error",
        "a validator that takes proofs for longer than `max_lifetime` of its store",
        "RFC 9449, 11.1",
        remembering.lifetime_beyond_store,
    ),
    Rule(
        "revocation-forgotten",
        "error",
        "a deny-list whose `token_lifetime` is shorter than the tokens of a validator that asks it are good",
        "OpenID Connect Back-Channel Logout, 2.7; RFC 7009, 2",
        remembering.revocation_forgotten,
    ),
    Rule(
        "stores-differ",
        "error",
        "two tables for the same entries of one server, with different times or another word on `durable`",
        "RFC 9449, 11.1",
        remembering.stores_differ,
    ),
    Rule(
        "event-replay-unchecked",
        "warning",
        "request objects, logout tokens or security event tokens without a replay store",
        "OpenID Connect Back-Channel Logout, 2.6; RFC 8417, 2.2",
        checks.event_replay_unchecked,
    ),
    Rule(
        "store-in-memory",
        "warning",
        "a replay store or a deny-list in the memory of one process",
        "RFC 9449, 11.1",
        checks.store_in_memory,
    ),
    Rule(
        "store-on-loss",
        "warning",
        '`on_loss = "memory"`: in an outage of the shared store each process goes by its own memory',
        "RFC 9449, 11.1",
        checks.store_on_loss,
    ),
    Rule(
        "replay-split",
        "warning",
        "proofs of one kind and one issuer in several stores, each of which lets them in once",
        "RFC 7523, 3 (7)",
        remembering.replay_split,
    ),
    Rule(
        "revocation-unbounded",
        "warning",
        "a deny-list for tokens whose lifetime nothing bounds, neither `max_lifetime` nor a greatest age",
        "OpenID Connect Back-Channel Logout, 2.7; RFC 7009, 2",
        remembering.revocation_unbounded,
    ),
    Rule(
        "keys-kept-long",
        "warning",
        "keys used for more than a day without a word from their issuer",
        "OpenID Connect Core, 10.1.1",
        checks.keys_kept_long,
    ),
    Rule(
        "introspection-cache-long",
        "warning",
        "answers about opaque tokens believed for more than a minute",
        "RFC 7662, 4",
        checks.introspection_cache_long,
    ),
    Rule(
        "keys-shared",
        "warning",
        "the same keys for client assertions and for request objects",
        "RFC 8725, 3.12; RFC 9101, 10.8",
        checks.keys_shared,
    ),
    Rule(
        "profiles-differ",
        "warning",
        "tokens of one kind from one issuer, held to different profiles",
        "RFC 8725, 3.12",
        checks.profiles_differ,
    ),
    Rule(
        "leeway-long",
        "warning",
        "`leeway` above 60 seconds",
        "RFC 7519, 4.1.4; FAPI 2.0 Security Profile, 5.3.2.1",
        checks.leeway_long,
    ),
    Rule(
        "proof-window-long",
        "warning",
        "DPoP proofs accepted for more than five minutes",
        "RFC 9449, 11.1",
        checks.proof_window_long,
    ),
    Rule(
        "typ-not-enforced",
        "warning",
        "a kind of token that has a `typ` of its own, which is not demanded",
        "RFC 8725, 3.11",
        checks.typ_not_enforced,
    ),
    Rule(
        "encryption-deprecated",
        "warning",
        "`RSA1_5` or `RSA-OAEP` with SHA-1",
        "RFC 8725, 3.2",
        checks.encryption_deprecated,
    ),
    Rule(
        "encryption-compressed",
        "warning",
        "`allow_compression`",
        "RFC 8725, 3.6",
        checks.encryption_compressed,
    ),
    Rule(
        "mtls-alias-trap",
        "warning",
        "an endpoint whose alias for mutual TLS the client does not need, such as PAR with `private_key_jwt`",
        "RFC 8705, 5; OpenID FAPI issue 670",
        checks.mtls_alias_trap,
    ),
    Rule(
        "responses-unsigned",
        "warning",
        '`plain_responses = "iss-if-present"`',
        "RFC 9207, 2.4; RFC 9700, 4.4",
        checks.responses_unsigned,
    ),
    Rule(
        "makes-nothing",
        "warning",
        "a file without a validator, an introspection client or a router",
        "none: tidiness",
        checks.makes_nothing,
    ),
    Rule("unused", "warning", "a table that no validator uses", "none: tidiness", checks.unused),
    Rule(
        "not-here",
        "warning",
        "a file or variable that the configuration names and this machine does not have",
        "none: the machine",
        checks.not_here,
    ),
)
"""Every rule, errors first."""
