"""A configuration as the linter looks at it: what was written, and what could be made of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from keybound.audience import BoundAudiencePolicy
from keybound.configuration.building import Builder, Spot
from keybound.configuration.options import options_of
from keybound.configuration.place import ConfigurationError, Missing, Problem, below
from keybound.configuration.secrets import secrets_in
from keybound.configuration.source import Source, problems_of
from keybound.errors import Unavailable
from keybound.jose.algorithms import ALGORITHMS
from keybound.jose.jwe_algorithms import DeprecatedAlgorithmWarning
from keybound.policy import KindRules, Profile
from keybound.profiles import PRESETS, Preset

__all__ = ["Subject", "View"]


_STOOD_IN = ("shared_documents", "keys", "decryption_keys", "stores", "revocation_lists")


class _StandIn:
    """In place of keys and stores that cannot be made here, so that what uses them can be judged."""

    def snapshot(self) -> Any:
        raise Unavailable("the linter verifies nothing")

    def put(self, *proof: object, **times: object) -> bool:
        raise Unavailable("the linter verifies nothing")

    async def aput(self, *proof: object, **times: object) -> bool:
        raise Unavailable("the linter verifies nothing")

    def load(self, url: str) -> bytes | None:
        raise Unavailable("the linter verifies nothing")

    def store(self, url: str, state: bytes) -> None:
        raise Unavailable("the linter verifies nothing")

    def __call__(self, token: object) -> bool:
        raise Unavailable("the linter verifies nothing")


class _Trying(Builder):
    """Makes what it can, and writes down why not."""

    def __init__(self, source: Source, environment: Mapping[str, str] | None) -> None:
        super().__init__(source, environment=environment)
        self.missing: list[Problem] = []
        self.refused: list[Problem] = []

    def named(self, section: str, name: str) -> Any:
        try:
            return super().named(section, name)
        except ConfigurationError as problem:
            self.note(problem)
            if section not in _STOOD_IN:
                raise
            self._made[section, name] = stand_in = _StandIn()
            return stand_in

    def note(self, problem: ConfigurationError) -> None:
        """Write a problem down, once."""
        found = self.missing if isinstance(problem, Missing) else self.refused
        said = Problem(problem.place, problem.message)
        if said not in found:
            found.append(said)


class Subject:
    """One validator of the file.

    :ivar place: ``validators`` and its name; in a router, where the table for each tenant stands
    :ivar given: its table
    :ivar kind: the kind of token
    :ivar preset: its preset, or ``None``
    :ivar profile: its profile, or ``None`` where that cannot be used
    :ivar made: the validator, or ``None`` where it is refused
    :ivar audience_policy: as it applies to the server, or ``None``
    """

    def __init__(self, spot: Spot, builder: _Trying, make: Callable[[Spot], Any]) -> None:
        self.name, self.place, self.given = spot
        self.kind: str = self.given["kind"]
        self.preset: Preset | None = PRESETS.get(self.given.get("preset", ""))
        self.profile: Profile | None = _tried(builder, builder.profile_of, spot)
        self.made: Any = _tried(builder, make, spot)
        self.audience_policy: BoundAudiencePolicy | None = builder.applied.get(self.name)

    @property
    def rules(self) -> KindRules | None:
        """What the profile demands of this kind."""
        kinds = {} if self.profile is None else self.profile.kinds
        return next((rules for kind, rules in kinds.items() if kind == self.kind), None)

    def has(self, option: str) -> bool:
        """Whether validators of this kind have an option."""
        return option in options_of(self.kind)

    @property
    def allowed(self) -> tuple[str, ...] | None:
        """The algorithms of the profile, or ``None`` where it has none."""
        own = None if self.rules is None else self.rules.algorithms
        return own if own is not None or self.profile is None else self.profile.algorithms

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms that signatures may have."""
        return tuple(self.given.get("algorithms", self.allowed or ()))

    @property
    def families(self) -> set[str]:
        """Whether those are of secrets, of public keys, or both."""
        return {"secret" if ALGORITHMS[name].family.name == "HMAC" else "public" for name in self.algorithms}

    @property
    def issuer(self) -> str | None:
        """Who signs: the issuer, or the client where it is its own."""
        policy = getattr(self.made, "policy", None)
        if policy is not None and policy.issuer is not None:
            return str(policy.issuer)
        found = self.given.get("issuer") or (None if self.has("issuer") else self.given.get("client_id"))
        return None if found is None else str(found)


class View:
    """A whole file.

    :ivar document: as it was read
    :ivar secrets: where it holds a secret
    :ivar form: what is wrong with its form; then nothing else was looked at
    :ivar missing: what it names and is not here
    :ivar refused: what could not be made
    :ivar validators: the validators, among them one of each router of tenants
    :ivar server: metadata of the authorization server, or ``None``
    """

    def __init__(self, source: Source, environment: Mapping[str, str] | None) -> None:
        self.document = source.document
        self.secrets = list(secrets_in(source.document))
        self.form = list(problems_of(source.document))
        self.validators: tuple[Subject, ...] = ()
        self.server: Mapping[str, Any] | None = None
        self._builder = builder = _Trying(source, environment)
        self.missing, self.refused = builder.missing, builder.refused
        if self.form:
            return
        with warnings.catch_warnings():
            # The linter has a rule of its own for these.
            warnings.simplefilter("ignore", DeprecatedAlgorithmWarning)
            self.server = _tried(builder, lambda _: builder.server(), "")
            for section in ("profiles", "audience_policies", *_STOOD_IN):
                for name in builder.names(section):
                    _tried(builder, lambda name, section=section: builder.named(section, name), name)
            self.validators = (*_named(builder), *_of_tenants(builder))
            for section in ("introspection_clients", "routers"):
                for name in builder.names(section):
                    _tried(builder, lambda name, section=section: builder.named(section, name), name)

    def tables(self, section: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Name, place and members of every table in a section, of a file without problems of form."""
        for name in () if self.form else self._builder.names(section):
            yield name, below(section, name), self._builder.given(section, name)

    def made(self, section: str, name: str) -> Any:
        """The object that a table describes, or a stand-in for it."""
        return self._builder.named(section, name)


def _named(builder: _Trying) -> Iterator[Subject]:
    for name in builder.names("validators"):
        yield Subject(builder.spot(name), builder, lambda spot: builder.named("validators", spot.name))


def _of_tenants(builder: _Trying) -> Iterator[Subject]:
    for name in builder.names("routers"):
        spot = _tried(builder, lambda name: next(builder.spots_of(name), None), name)
        if spot is not None:
            yield Subject(spot, builder, builder.validator_at)


def _tried(builder: _Trying, make: Any, what: Any) -> Any:
    try:
        return make(what)
    except ConfigurationError as problem:
        builder.note(problem)
        return None
