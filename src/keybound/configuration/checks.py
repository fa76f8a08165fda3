"""What each rule of the linter looks for: one small function for each, which yields the places."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from keybound.audience import FORMS, KINDS, POLICIES
from keybound.clients import ClientOverMtls, EndpointResolver
from keybound.configuration.options import options_of
from keybound.configuration.place import Problem, below
from keybound.configuration.tables import JUDGES
from keybound.configuration.view import Subject, View
from keybound.errors import PolicyError
from keybound.jose.jwe_algorithms import KEY_ALGORITHMS
from keybound.jose.jwk_set import JWKSet
from keybound.keys import FileJWKSet
from keybound.kinds import TYPES
from keybound.limits import DEFAULT_CACHE

__all__ = [
    "algorithms_beyond_profile",
    "algorithms_mixed",
    "audience_array",
    "audience_missing",
    "binding_weakened",
    "cache_outlives_token",
    "encryption_compressed",
    "encryption_deprecated",
    "event_replay_unchecked",
    "expiry_waived",
    "form",
    "introspection_cache_long",
    "introspection_over_http",
    "issuer_almost",
    "keys_do_not_fit",
    "keys_kept_long",
    "keys_over_http",
    "keys_shared",
    "leeway_long",
    "makes_nothing",
    "mtls_alias_trap",
    "not_here",
    "preset_open",
    "profiles_differ",
    "proof_window_long",
    "refused",
    "replay_unchecked",
    "responses_unsigned",
    "secret_in_file",
    "store_in_memory",
    "store_on_loss",
    "typ_not_enforced",
    "unused",
]

_LONG_LEEWAY = 60
_LONG_ANSWER = 60
_DAY = 86_400
_FEW_MINUTES = 300
_ONE_USE = ("client_assertion", "dpop_proof")
_LOOPBACK = re.compile(r"(?i)http://(localhost|127\.[0-9.]+|\[::1\])(:\d+)?(/|$)")


def form(view: View) -> Iterator[Problem]:
    """Unknown keys, wrong types, names of nothing."""
    yield from view.form


def secret_in_file(view: View) -> Iterator[Problem]:
    """Secrets in the file itself."""
    yield from view.secrets


def not_here(view: View) -> Iterator[Problem]:
    """What the file names and this machine does not have."""
    yield from view.missing


def refused(view: View) -> Iterator[Problem]:
    """What Keybound refuses to make."""
    yield from view.refused


def algorithms_mixed(view: View) -> Iterator[Problem]:
    """HMAC beside public keys for one issuer, in one validator or in several."""
    for subjects in _by_issuer(view).values():
        families = set().union(*(subject.families for subject in subjects))
        for subject in subjects if len(families) == 2 else ():
            yield Problem(
                below(subject.place, "algorithms"),
                "secrets beside public keys for one issuer: whoever holds the secret can sign in its name, "
                "and a public key could pass for one",
            )


def algorithms_beyond_profile(view: View) -> Iterator[Problem]:
    """Algorithms that the profile does not allow."""
    for subject in view.validators:
        if subject.allowed is not None and not set(subject.algorithms) <= set(subject.allowed):
            yield Problem(
                below(subject.place, "algorithms"),
                f"the profile allows {', '.join(subject.allowed)}; for others derive a profile",
            )


def binding_weakened(view: View) -> Iterator[Problem]:
    """Bound tokens whose binding is not checked, or not demanded against the profile."""
    for subject in view.validators:
        binding, profile = subject.given.get("binding"), subject.profile
        weaker = profile is not None and profile.binding == "required" and binding == "if-present"
        if binding == "ignore" or weaker:
            yield Problem(
                below(subject.place, "binding"),
                "a stolen bound token is accepted from anybody"
                if binding == "ignore"
                else "the profile demands bound tokens, and unbound ones are accepted",
            )


def audience_missing(view: View) -> Iterator[Problem]:
    """Validators that are not told for whom tokens have to be."""
    for subject in view.validators:
        for option in ("audience", "client_id"):
            parameter = options_of(subject.kind).get(option)
            needed = parameter is not None and parameter.default is parameter.empty
            judged = option == "audience" and subject.kind in KINDS and _names_a_policy(subject)
            if needed and not judged and option not in subject.given:
                yield Problem(below(subject.place, option), "tokens for anybody else would be accepted")


def audience_array(view: View) -> Iterator[Problem]:
    """Audience policies that take an array where that of the profile does not."""
    for subject in view.validators:
        profile, policy = subject.profile, subject.audience_policy
        own = None if profile is None else POLICIES.get(profile.audience_policy or "")
        if policy is None or own is None or subject.kind not in KINDS:
            continue
        kind: Any = subject.kind
        for endpoint in policy.endpoints(kind):
            rule, demanded = policy.policy.rule(kind, endpoint), own.rule(kind, endpoint)
            if rule and demanded and FORMS.index(rule.form) < FORMS.index(demanded.form):
                yield Problem(
                    below(subject.place, "audience_policy"),
                    f"{endpoint} takes an aud that the profile refuses: there it is a {demanded.form}",
                )
                break


def replay_unchecked(view: View) -> Iterator[Problem]:
    """Proofs for one use that nobody remembers."""
    for subject in view.validators:
        if subject.kind in _ONE_USE and not subject.given.get("replay"):
            yield Problem(below(subject.place, "replay"), "who records one can use it again: name a store")


def event_replay_unchecked(view: View) -> Iterator[Problem]:
    """Messages that are good again and again."""
    for subject in view.validators:
        if subject.kind not in _ONE_USE and subject.has("replay") and not subject.given.get("replay"):
            yield Problem(below(subject.place, "replay"), "without a store each is accepted again and again")


def store_in_memory(view: View) -> Iterator[Problem]:
    """Stores that other processes do not share."""
    for section, what in (("stores", "accepts a proof once"), ("revocation_lists", "knows its own")):
        for name, place, members in view.tables(section):
            if members["kind"] == "memory" and (section, name) in _names_in_use(view):
                yield Problem(place, f"each process {what}: share a server where there are several")


def store_on_loss(view: View) -> Iterator[Problem]:
    """Shared stores that fall back to the memory of each process."""
    for section, what in (("stores", "accepts a proof once"), ("revocation_lists", "knows its own")):
        for _, place, members in view.tables(section):
            if members.get("on_loss") == "memory":
                yield Problem(below(place, "on_loss"), f"while the server is away each process {what}")


def cache_outlives_token(view: View) -> Iterator[Problem]:
    """Caches that keep tokens for longer than these can be good."""
    for subject in view.validators:
        cache = subject.given.get("cache")
        lifetime = cache.get("lifetime") if isinstance(cache, dict) else None
        bounds = [bound for name in ("max_lifetime", "max_age") if (bound := _bound(subject, name))]
        if lifetime is not None and bounds and lifetime > min(bounds):
            yield Problem(
                below(below(subject.place, "cache"), "lifetime"),
                f"no token is good for longer than {min(bounds):g} seconds",
            )


def keys_over_http(view: View) -> Iterator[Problem]:
    """Keys and metadata that anybody on the way can replace."""
    for _, place, members in view.tables("keys"):
        for key in ("jwks_uri", "issuer", "url", "load_balancer_url"):
            url = members.get(key, "")
            if url.lower().startswith("http:") and not _LOOPBACK.match(url):
                yield Problem(below(place, key), "whoever is on the way can replace the keys")


def introspection_over_http(view: View) -> Iterator[Problem]:
    """Tokens that anybody on the way can read, and answers that anybody can replace."""
    for _, place, members in view.tables("introspection_clients"):
        if members["endpoint"].lower().startswith("http:") and not _LOOPBACK.match(members["endpoint"]):
            yield Problem(below(place, "endpoint"), "whoever is on the way has the tokens and the last word")


def introspection_cache_long(view: View) -> Iterator[Problem]:
    """Answers that are believed for long."""
    for _, place, members in view.tables("introspection_clients"):
        cache = members.get("cache")
        lifetime = cache.get("lifetime", DEFAULT_CACHE.lifetime) if isinstance(cache, dict) else 0
        if lifetime > _LONG_ANSWER:
            yield Problem(
                below(below(place, "cache"), "lifetime"), "for so long a token that was revoked stays good"
            )


def keys_kept_long(view: View) -> Iterator[Problem]:
    """Keys that are used long after the last word from their issuer."""
    for _, place, members in view.tables("keys"):
        if members.get("refresh", {}).get("max_stale", 0) > _DAY:
            yield Problem(
                below(below(place, "refresh"), "max_stale"),
                "a key that was withdrawn can stay good for more than a day while its issuer is unreachable",
            )


def keys_do_not_fit(view: View) -> Iterator[Problem]:
    """Keys of which none can be used with the algorithms."""
    for subject in view.validators:
        name = subject.given.get("keys")
        source = None if name is None else view.made("keys", name)
        if not subject.algorithms or not isinstance(source, (JWKSet, FileJWKSet)):
            if source is not None and hasattr(source, "refresh_for") and subject.families == {"secret"}:
                yield Problem(below(subject.place, "keys"), "a secret that is published is none")
            continue
        if not any(set(key.algorithms) & set(subject.algorithms) for key in source.snapshot()):
            yield Problem(below(subject.place, "keys"), "no key is of use with the algorithms")


def keys_shared(view: View) -> Iterator[Problem]:
    """The same keys for client assertions and for request objects."""
    users: dict[str, dict[str, Subject]] = defaultdict(dict)
    for subject in view.validators:
        if subject.kind in KINDS and "keys" in subject.given:
            users[subject.given["keys"]][subject.kind] = subject
    for kinds in users.values():
        if len(kinds) > 1:
            yield Problem(
                below(kinds["request_object"].place, "keys"),
                "the same keys as for client assertions: with others, neither can pass for the other",
            )


def profiles_differ(view: View) -> Iterator[Problem]:
    """Tokens of one kind from one issuer under different profiles."""
    by_kind: dict[tuple[str, str], list[Subject]] = defaultdict(list)
    for issuer, subjects in _by_issuer(view).items():
        for subject in subjects:
            by_kind[issuer, subject.kind].append(subject)
    for subjects in by_kind.values():
        if len({subject.profile.name for subject in subjects if subject.profile}) > 1:
            for subject in subjects[1:]:
                yield Problem(
                    below(subject.place, "profile"),
                    "tokens of this issuer are held to another profile elsewhere: the weaker one decides",
                )


def leeway_long(view: View) -> Iterator[Problem]:
    """More clock skew than clocks have."""
    for subject in view.validators:
        if subject.given.get("leeway", 0) > _LONG_LEEWAY:
            yield Problem(below(subject.place, "leeway"), f"clocks differ by seconds, not by {_LONG_LEEWAY}")


def expiry_waived(view: View) -> Iterator[Problem]:
    """Tokens that are good for ever."""
    for subject in view.validators:
        if subject.given.get("allow_missing_exp") and not _bound(subject, "max_age"):
            yield Problem(
                below(subject.place, "allow_missing_exp"),
                "a token without exp is good until its key is gone; set max_age",
            )


def proof_window_long(view: View) -> Iterator[Problem]:
    """Proofs that are accepted long after they were made."""
    for subject in view.validators:
        if subject.kind == "dpop_proof" and subject.given.get("max_age", 0) > _FEW_MINUTES:
            yield Problem(
                below(subject.place, "max_age"),
                f"a proof is made for one request, which does not take {_FEW_MINUTES} seconds",
            )


def typ_not_enforced(view: View) -> Iterator[Problem]:
    """Kinds with a type of their own that is not demanded."""
    for subject in view.validators:
        policy = getattr(subject.made, "policy", None)
        own = {name for name, kind in TYPES.items() if kind == subject.kind}
        if subject.kind == "introspection_response":
            # That policy is for the claims about the token. Plain answers are no JWTs, and have no type.
            policy = getattr(getattr(subject.made, "_signed", None), "policy", None)
        if policy is None or subject.preset is not None or not own:
            continue
        if not (policy.typ_required and policy.types <= own):
            what = "explicit_typing = true" if subject.has("explicit_typing") else "a profile that does"
            yield Problem(subject.place, f"typ {min(own)} is not demanded; new deployments take {what}")


def encryption_deprecated(view: View) -> Iterator[Problem]:
    """Deprecated algorithms of encryption."""
    for subject in view.validators:
        decryption = subject.given.get("decryption", {})
        for name in decryption.get("algorithms", ()):
            if KEY_ALGORITHMS[name].deprecated:
                place = below(below(subject.place, "decryption"), "algorithms")
                yield Problem(place, f"{name} is deprecated")


def encryption_compressed(view: View) -> Iterator[Problem]:
    """Compressed content."""
    for subject in view.validators:
        if subject.given.get("decryption", {}).get("allow_compression"):
            place = below(below(subject.place, "decryption"), "allow_compression")
            yield Problem(place, "lengths tell of contents that an attacker has a part in")


def mtls_alias_trap(view: View) -> Iterator[Problem]:
    """Endpoints whose alias a client does not need."""
    for subject in view.validators:
        profile = subject.profile
        if view.server is None or profile is None or subject.kind != "client_assertion":
            continue
        method = "client_secret_jwt" if subject.families == {"secret"} else "private_key_jwt"
        client = ClientOverMtls(authentication=method, bound_tokens=profile.binding == "required")
        try:
            resolver = EndpointResolver(view.server, endpoints=profile.mtls_endpoints)
        except PolicyError:
            continue
        for warning in resolver.warnings(client):
            yield Problem(subject.place, warning)


def issuer_almost(view: View) -> Iterator[Problem]:
    """Issuers that differ by the slash at their end."""
    known = {} if view.server is None else {str(view.server.get("issuer")): "[server]"}
    for subject in view.validators:
        issuer = subject.issuer
        if issuer is None or not subject.has("issuer"):
            continue
        other = issuer[:-1] if issuer.endswith("/") else f"{issuer}/"
        if other in known:
            yield Problem(
                below(subject.place, "issuer"),
                f"differs from that of {known[other]} by a slash at the end, and is another issuer",
            )
        known.setdefault(issuer, subject.place)


def preset_open(view: View) -> Iterator[Problem]:
    """Issuers that serve everybody, without a claim that says whose tokens are meant."""
    for subject in view.validators:
        wanted = () if subject.preset is None else subject.preset.expect_one_of
        if wanted and not set(wanted) & set(subject.given.get("expected_claims", {})):
            yield Problem(
                below(subject.place, "expected_claims"),
                f"the issuer serves everybody: expect one of {', '.join(wanted)}",
            )


def responses_unsigned(view: View) -> Iterator[Problem]:
    """Plain authorization responses without an issuer."""
    for subject in view.validators:
        if subject.given.get("plain_responses") == "iss-if-present":
            yield Problem(
                below(subject.place, "plain_responses"),
                "a client of several servers can be made to mix them up; take iss-required or refused",
            )


def makes_nothing(view: View) -> Iterator[Problem]:
    """Files by which no token is judged."""
    if not view.form and not any(True for section in JUDGES for _ in view.tables(section)):
        wanted = ", ".join(f"[{section}.*]" for section in JUDGES)
        yield Problem("validators", f"the file judges no token: it has none of {wanted}")


def unused(view: View) -> Iterator[Problem]:
    """Tables that no validator uses."""
    used = _names_in_use(view)
    for section in (
        "keys",
        "shared_documents",
        "decryption_keys",
        "stores",
        "revocation_lists",
        "profiles",
        "audience_policies",
    ):
        for name, place, _ in view.tables(section):
            if (section, name) not in used:
                yield Problem(place, "nothing in the file uses it")


def _by_issuer(view: View) -> dict[str, list[Subject]]:
    found: dict[str, list[Subject]] = defaultdict(list)
    for subject in view.validators:
        if subject.issuer is not None:
            found[subject.issuer].append(subject)
    return found


def _bound(subject: Subject, name: str) -> float | None:
    """The bound of a time that holds for a validator, its own or the profile's."""
    bounds = [subject.given.get(name), getattr(subject.rules, name, None)]
    return min((bound for bound in bounds if bound is not None), default=None)


def _names_a_policy(subject: Subject) -> bool:
    inherited = None if subject.profile is None else subject.profile.audience_policy
    return "audience_policy" in subject.given or inherited is not None


def _names_in_use(view: View) -> set[tuple[str, Any]]:
    used: set[tuple[str, Any]] = set()
    for subject in view.validators:
        given = subject.given
        policy = given.get("audience_policy")
        policies = policy.values() if isinstance(policy, dict) else [policy]
        used |= {("keys", given.get("keys")), ("stores", given.get("replay"))}
        used |= {("profiles", given.get("profile"))} | {("audience_policies", each) for each in policies}
        used |= {("decryption_keys", given.get("decryption", {}).get("keys"))}
        used |= {("revocation_lists", given.get("revocation"))}
        if subject.profile is not None:
            used.add(("audience_policies", subject.profile.audience_policy))
    used |= {("shared_documents", members.get("shared")) for _, _, members in view.tables("keys")}
    return used
