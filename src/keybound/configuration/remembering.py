"""What the linter looks for in stores and deny-lists: those that forget what could still come back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from keybound.configuration.options import parameters_of
from keybound.configuration.place import Problem, below
from keybound.configuration.view import Subject, View
from keybound.stores import (
    MemoryReplayStore,
    MemoryRevocationList,
    RedisReplayStore,
    RedisRevocationList,
)

__all__ = [
    "lifetime_beyond_store",
    "replay_split",
    "revocation_forgotten",
    "revocation_unbounded",
    "skew_below_leeway",
    "stores_differ",
]

_MADE = {
    ("stores", "memory"): MemoryReplayStore,
    ("stores", "redis"): RedisReplayStore,
    ("revocation_lists", "memory"): MemoryRevocationList,
    ("revocation_lists", "redis"): RedisRevocationList,
}
_SHARED = ("max_lifetime", "token_lifetime", "skew", "durable")
"""What all who share a server and a namespace have to say alike."""

_OPTION = {"stores": "replay", "revocation_lists": "revocation"}


class _Memory(NamedTuple):
    """A store or deny-list of the file.

    :ivar place: where its table stands
    :ivar options: the numbers that hold for it, given or not
    :ivar server: which server and which part of it, or its own place for one in memory
    """

    place: str
    options: Mapping[str, Any]
    server: tuple[str, ...]


def skew_below_leeway(view: View) -> Iterator[Problem]:
    """Stores that take a proof from a clock that is ahead for one that nobody can have used before."""
    for subject, memory in _users(view, "stores", "revocation_lists"):
        skew, leeway = memory.options.get("skew"), subject.made.policy.leeway
        if skew is not None and leeway > skew:
            yield Problem(
                below(memory.place, "skew"),
                f"{subject.place} takes an iat that is {leeway:g} seconds ahead: after a loss the store "
                "vouches for what may have been used before",
            )


def lifetime_beyond_store(view: View) -> Iterator[Problem]:
    """Proofs that their store refuses to remember for so long."""
    for subject, memory in _users(view, "stores"):
        policy, longest = subject.made.policy, memory.options.get("max_lifetime")
        # The usual max_expiry_distance is nobody's decision: a ceiling against proofs for ever.
        bounds = (policy.max_lifetime, policy.max_age, subject.given.get("max_expiry_distance"))
        bound = min((bound for bound in bounds if bound is not None), default=None)
        # A clock may be ahead, a token late, and the last second is remembered as well.
        if longest is not None and bound is not None and bound + 2 * policy.leeway + 1 > longest:
            yield Problem(
                below(memory.place, "max_lifetime"),
                f"{subject.place} takes what is good for {bound:g} seconds, and the store rejects it",
            )


def revocation_forgotten(view: View) -> Iterator[Problem]:
    """Deny-lists that forget a token while it is still good."""
    for subject, memory in _users(view, "revocation_lists"):
        bound, kept = _token_lifetime(subject), memory.options["token_lifetime"]
        if bound is not None and bound > kept:
            yield Problem(
                below(memory.place, "token_lifetime"),
                f"{subject.place} takes tokens for {bound:g} seconds with leeway: a revoked one comes back",
            )


def revocation_unbounded(view: View) -> Iterator[Problem]:
    """Deny-lists for tokens of which nobody knows for how long they are good."""
    for subject, memory in _users(view, "revocation_lists"):
        if _token_lifetime(subject) is None:
            yield Problem(
                below(subject.place, "max_lifetime"),
                f"a revoked token that is good for more than {memory.options['token_lifetime']:g} seconds "
                "comes back",
            )


def stores_differ(view: View) -> Iterator[Problem]:
    """Tables for the same entries of one server, of which one forgets, or trusts, what the other does not."""
    for section in _OPTION:
        first: dict[tuple[str, ...], _Memory] = {}
        for name, _, _ in view.tables(section):
            memory = _memory(view, section, name)
            other = first.setdefault(memory.server, memory)
            for option in _SHARED:
                if memory.options.get(option) != other.options.get(option):
                    yield Problem(
                        below(memory.place, option),
                        f"{other.place} shares its entries and says something else: take another namespace",
                    )


def replay_split(view: View) -> Iterator[Problem]:
    """Proofs of one kind and one issuer, of which several stores let each in once."""
    first: dict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
    for subject, memory in _users(view, "stores"):
        if subject.issuer is not None:
            servers = first[subject.kind, subject.issuer]
            if servers and memory.server not in servers:
                yield Problem(
                    below(subject.place, "replay"),
                    "what another validator has let in is let in here once more",
                )
            servers.add(memory.server)


def _users(view: View, *sections: str) -> Iterator[tuple[Subject, _Memory]]:
    """Every validator that could be made, with each store or deny-list that it asks."""
    for subject in view.validators:
        for section in sections:
            name = subject.given.get(_OPTION[section])
            if isinstance(name, str) and getattr(subject.made, "policy", None) is not None:
                yield subject, _memory(view, section, name)


def _memory(view: View, section: str, name: str) -> _Memory:
    given = next(members for known, _, members in view.tables(section) if known == name)
    made = _MADE[section, given["kind"]]
    usual = {key: parameter.default for key, parameter in parameters_of(made).items()}
    options = usual | {key: value for key, value in given.items() if key in usual}
    place = below(section, name)
    if given["kind"] == "memory":
        return _Memory(place, options, (place,))
    server = ("url", given["url"]) if "url" in given else ("url_env", given["url_env"])
    return _Memory(place, options, (*server, options["namespace"]))


def _token_lifetime(subject: Subject) -> float | None:
    """Seconds from issue until every token of a validator is over, or ``None`` where nothing says so."""
    policy = subject.made.policy
    bounds = [bound for bound in (policy.max_lifetime, policy.max_age) if bound is not None]
    # It counts from iat where there is one; otherwise what is too far off now is good later.
    if policy.max_expiry_distance is not None and "iat" in policy.required_claims:
        bounds.append(policy.max_expiry_distance)
    return float(min(bounds) + policy.leeway) if bounds else None
