"""The families of samples there are, and how the ``stats()`` of each part become samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

__all__ = [
    "FAMILIES",
    "Family",
    "Sample",
    "of_key_source",
    "of_router",
    "of_store",
    "of_tables",
    "of_validator",
]

_OF_VALIDATORS = ("name", "kind", "issuer")
_OF_DOCUMENTS = ("name", "document")


class Family(NamedTuple):
    """Samples of one name.

    :ivar type: a ``counter`` only grows; a ``gauge`` is of now
    :ivar description: one English sentence without its full stop
    :ivar labels: names of the labels, which every sample has
    """

    type: Literal["counter", "gauge"]
    description: str
    labels: tuple[str, ...]


class Sample(NamedTuple):
    """One number.

    :ivar name: of its family, in the spelling of OpenTelemetry
    :ivar labels: label names and values, in the order of the family
    :ivar value: the number; times are in seconds
    :ivar type: that of the family
    """

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float
    type: Literal["counter", "gauge"]


def _families() -> Iterator[tuple[str, Family]]:
    for name, labels, description in (
        ("tokens.accepted", (), "Calls that accepted a token"),
        ("tokens.rejected", ("reason",), "Calls that rejected a token, by reason"),
        ("tokens.unavailable", (), "Calls that could not tell"),
        ("tokens.old_secrets", (), "Calls that accepted a token by an old secret"),
        ("cache.hits", (), "Tokens found in the cache of verified tokens"),
        ("cache.misses", (), "Tokens not found in the cache of verified tokens"),
        ("cache.dropped", (), "Tokens that left the cache of verified tokens"),
    ):
        yield name, Family("counter", description, (*_OF_VALIDATORS, *labels))
    yield "cache.entries", Family("gauge", "Tokens in the cache of verified tokens", _OF_VALIDATORS)
    yield "cache.bytes", Family("gauge", "Memory of the cache of verified tokens", _OF_VALIDATORS)
    yield (
        "introspection.questions",
        Family("counter", "Questions about opaque tokens that have ended, by outcome", ("name", "outcome")),
    )
    yield "introspection.open", Family("gauge", "Opaque tokens that are being asked about", ("name",))
    yield "router.issuers", Family("gauge", "Issuers that a router has a validator for", ("name",))
    yield "fetches", Family("counter", "Fetches that have ended, by outcome", (*_OF_DOCUMENTS, "outcome"))
    for name, description in (
        ("document.failures", "Fetches that have failed in a row"),
        ("document.age", "Seconds since the document in use was last known to be current"),
        ("document.stale", "Whether the document in use is older than it should be"),
        ("document.ready", "Whether there is a usable document"),
    ):
        yield name, Family("gauge", description, _OF_DOCUMENTS)
    yield "keys.used", Family("gauge", "Keys in use", ("name",))
    yield "keys.skipped", Family("gauge", "Published keys that cannot be used", ("name",))
    yield "keys.unknown", Family("counter", "Questions for a kid that was not known", ("name",))
    yield "keys.unknown_refused", Family("counter", "Of these, those not passed on to the issuer", ("name",))
    yield "keys.reloads", Family("counter", "Times that a file with keys was read anew", ("name",))
    yield "keys.reload_failures", Family("counter", "Times that it held no usable keys", ("name",))
    yield "store.events", Family("counter", "What a store was asked and answered", ("name", "event"))
    yield "store.entries", Family("gauge", "What a store in memory holds", ("name",))
    for name, description in (
        ("tables.count", "Tables of hot keys in this process"),
        ("tables.bytes", "Memory of the tables of hot keys"),
        ("tables.limit", "Ceiling for the memory of the tables of hot keys"),
    ):
        yield name, Family("gauge", description, ())
    for name, description in (
        ("tables.built", "Tables of hot keys that were built"),
        ("tables.evicted", "Tables of hot keys that made way"),
        ("tables.undecided", "Verifications that the tables left to the library"),
    ):
        yield name, Family("counter", description, ())


FAMILIES: Mapping[str, Family] = {f"keybound.{name}": family for name, family in _families()}
"""Every family there is, by the name of its samples."""

Found = Iterator[tuple[str, tuple[str, ...], float]]
"""Name without prefix, label values, number."""


def of_validator(labels: tuple[str, str, str], stats: Mapping[str, Any]) -> Found:
    """:param labels: name, kind and issuer"""
    yield "tokens.accepted", labels, stats["accepted"]
    yield "tokens.unavailable", labels, stats["unavailable"]
    yield "tokens.old_secrets", labels, stats["old_secrets"]
    for reason, count in stats["rejected"].items():
        yield "tokens.rejected", (*labels, reason), count
    for counter, count in stats.get("cache", {}).items():
        yield f"cache.{counter}", labels, count
    for outcome, count in stats.get("questions", {}).items():
        if outcome == "in_flight":
            yield "introspection.open", labels[:1], count
        else:
            yield "introspection.questions", (labels[0], outcome), count


def of_router(name: str, stats: Mapping[str, Any]) -> Found:
    """Of the tokens that it has no validator for: nobody knows their kind, nor whose they are."""
    for reason, count in stats["rejected"].items():
        yield "tokens.rejected", (name, "", "", reason), count
    yield "router.issuers", (name,), stats["issuers"]


def of_key_source(name: str, stats: Mapping[str, Any]) -> Found:
    """Of keys from a URL, from metadata or from a file, or of metadata alone."""
    if "metadata" in stats:
        yield from _of_document(name, "metadata", stats["metadata"])
        stats = stats["keys"]
    if "fetches" in stats:
        yield from _of_document(name, "keys" if "keys" in stats else "metadata", stats)
    if "keys" in stats:
        yield "keys.used", (name,), stats["keys"]
        # By number alone: the reasons quote the issuer's document.
        yield "keys.skipped", (name,), sum(stats["skipped"].values())
    for counter, sample in (("unknown_kids", "unknown"), ("unknown_kids_refused", "unknown_refused")):
        if counter in stats:
            yield f"keys.{sample}", (name,), stats[counter]
    if "reloads" in stats:
        yield "keys.reloads", (name,), stats["reloads"]
        yield "keys.reload_failures", (name,), stats["failures"]


def _of_document(name: str, document: str, stats: Mapping[str, Any]) -> Found:
    labels = name, document
    for outcome, count in stats["fetches"].items():
        yield "fetches", (*labels, outcome), count
    for gauge in ("failures", "stale", "ready"):
        yield f"document.{gauge}", labels, stats[gauge]
    if stats["age"] is not None:
        yield "document.age", labels, stats["age"]


def of_store(name: str, stats: Mapping[str, int]) -> Found:
    """Of a replay store or a revocation list."""
    for event, count in stats.items():
        if event == "entries":
            yield "store.entries", (name,), count
        else:
            yield "store.events", (name, event), count


def of_tables(counters: Mapping[str, int]) -> Found:
    """Of the tables of hot keys, which the process shares."""
    names = {"tables": "count", "limit_bytes": "limit"}
    for counter, count in counters.items():
        yield f"tables.{names.get(counter, counter)}", (), count
