"""Named validators, key sources, stores and routers, and one list of samples of all of them."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from keybound._hotpath import signature
from keybound.errors import PolicyError
from keybound.keys import background
from keybound.metrics.readiness import Inquiry
from keybound.metrics.samples import (
    FAMILIES,
    Found,
    Sample,
    of_key_source,
    of_router,
    of_store,
    of_tables,
    of_validator,
)
from keybound.tokens._outcomes import Counting
from keybound.tokens.issuer_router import IssuerRouter

__all__ = ["Registry"]


class Registry:
    """What an operator wants to watch, by names of the operator's own. Use it from any thread.

    The values of labels are those names, kinds of token, issuers as configured, codes of reasons and the
    names of counters: nothing from a token, so nobody outside makes up new ones.

    What a router has no validator for it counts itself, with empty labels for kind and issuer.

    :param by_issuer: whether the validators of a router are counted one by one; otherwise their numbers are
        added up, with an empty label
    """

    def __init__(self, *, by_issuer: bool = True) -> None:
        self._by_issuer = by_issuer
        self._lock = threading.Lock()
        # Replaced as a whole: whoever reads needs no lock.
        self._watched: Mapping[str, Any] = MappingProxyType({})
        background.adopt(self)

    def add(self, name: str, watched: Any) -> None:
        """Watch a validator, an :class:`keybound.IntrospectionClient`, an :class:`keybound.IssuerRouter`, a
        key source or a store.

        :param name: one to 100 printable characters
        :raises PolicyError: the name cannot be used or is there already, or there is nothing to watch
        """
        if type(name) is not str or not 0 < len(name) <= 100 or not name.isprintable():
            raise PolicyError("a name must be text of 1 to 100 printable characters")
        if not callable(getattr(watched, "stats", None)):
            raise PolicyError("a registry takes what has stats: validators, key sources, stores and routers")
        with self._lock:
            if name in self._watched:
                raise PolicyError("two things to watch have the same name")
            self._watched = MappingProxyType({**self._watched, name: watched})

    def remove(self, name: str) -> None:
        """Watch it no more.

        :raises PolicyError: it is not there
        """
        with self._lock:
            if name not in self._watched:
                raise PolicyError("nothing of this name is watched")
            left = {known: watched for known, watched in self._watched.items() if known != name}
            self._watched = MappingProxyType(left)

    def samples(self) -> list[Sample]:
        """All numbers as they are now, in the order of :data:`FAMILIES` and then of their labels."""
        sums: dict[tuple[str, tuple[str, ...]], float] = defaultdict(int)
        for name, labels, value in self._found():
            sums[f"keybound.{name}", labels] += value
        order = {name: place for place, name in enumerate(FAMILIES)}
        samples = [
            Sample(name, tuple(zip(FAMILIES[name].labels, labels, strict=True)), value, FAMILIES[name].type)
            for (name, labels), value in sums.items()
        ]
        return sorted(samples, key=lambda sample: (order[sample.name], sample.labels))

    def readiness(self) -> dict[str, bool]:
        """Whether each could answer now, by name: for a readiness probe. It never raises.

        A validator needs keys at hand, its replay store and its deny-list, and a router all its validators.
        No keys are fetched. A Redis or Valkey is asked, one after the other and each once, in one round trip
        within its ``deadline``; a store of your own if it has ``is_ready`` (and ``ais_ready`` for event
        loops). What has neither keys nor that method is taken to be ready, and so is an introspection
        endpoint: nobody is asked about no token.
        """
        inquiry = Inquiry()
        return {name: inquiry.of(watched) for name, watched in self._watched.items()}

    async def areadiness(self) -> dict[str, bool]:
        """:meth:`readiness` for use in an event loop."""
        inquiry = Inquiry()
        return {name: await inquiry.aof(watched) for name, watched in self._watched.items()}

    def _after_fork(self) -> None:
        # The thread that holds it has stayed with the parent.
        self._lock = threading.Lock()

    def _found(self) -> Found:
        yield from of_tables(signature.table_counters())
        for name, watched in self._watched.items():
            if isinstance(watched, IssuerRouter):
                yield from of_router(name, watched.stats())
                for issuer, validator in watched.validators.items():
                    yield from _of(name, validator, issuer if self._by_issuer else "")
            else:
                yield from _of(name, watched, None)


def _of(name: str, watched: Any, issuer: str | None) -> Found:
    stats = watched.stats()
    if isinstance(watched, Counting):
        subject = watched._outcomes
        named = subject.issuer or "" if issuer is None else issuer
        return of_validator((name, str(subject.kind), named), stats)
    if any(counter in stats for counter in ("fetches", "metadata", "reloads")):
        return of_key_source(name, stats)
    return of_store(name, stats)
