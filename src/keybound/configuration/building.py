"""From the tables of a file to the objects that they describe."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keybound
from keybound.audience import KINDS, POLICIES, AudiencePolicy, BoundAudiencePolicy, ReportOnly
from keybound.clock import Clock, system_clock
from keybound.configuration.options import OPTIONS, options_of, validator_class
from keybound.configuration.place import ConfigurationError, Missing, at, below
from keybound.configuration.source import Source
from keybound.configuration.tables import SECTIONS, make_profile
from keybound.configuration.values import MapOf
from keybound.policy import Profile
from keybound.profiles import OAUTH, PRESETS, PROFILES

__all__ = ["Builder", "Spot"]

_OF_KEYBOUND: Mapping[str, Mapping[str, Any]] = {"profiles": PROFILES, "audience_policies": POLICIES}


class Spot(NamedTuple):
    """The table of one validator.

    :ivar name: of the validator, or of the router that has it
    :ivar place: where the table stands
    :ivar given: its members
    """

    name: str
    place: str
    given: Mapping[str, Any]


class Builder:
    """Makes each object of a file when it is first asked for, and once.

    :param source: a file without problems of form
    :param environment: variables that the file may name
    :param clock: for every validator
    """

    def __init__(
        self, source: Source, *, environment: Mapping[str, str] | None = None, clock: Clock = system_clock
    ) -> None:
        self._document, self._directory = source
        self._environment = os.environ if environment is None else environment
        self.clock = clock
        self._made: dict[tuple[str, str], Any] = {}
        self.applied: dict[str, BoundAudiencePolicy] = {}
        """Audience policies as validators use them, by the name of the validator."""

    def path(self, text: str, place: str) -> Path:
        """See :class:`keybound.configuration.values.Surroundings`."""
        path = self._directory / text
        if not path.is_file():
            raise Missing(place, "there is no such file")
        return path

    def directory(self, text: str) -> Path:
        """See :class:`keybound.configuration.values.Surroundings`."""
        return self._directory / text

    def content(self, text: str, place: str) -> bytes:
        """See :class:`keybound.configuration.values.Surroundings`."""
        try:
            return self.path(text, place).read_bytes()
        except OSError as error:
            raise Missing(place, f"the file cannot be read: {type(error).__name__}") from None

    def variable(self, name: str, place: str) -> bytes:
        """See :class:`keybound.configuration.values.Surroundings`."""
        value = self._environment.get(name)
        if not value:
            raise Missing(place, "this variable of the environment is not set")
        return os.fsencode(value)

    def names(self, section: str) -> tuple[str, ...]:
        """The names that the file gives in a section."""
        return tuple(self._document.get(section, ()))

    def made(self, section: str) -> dict[str, Any]:
        """What has been made of a section so far, in the order of the file."""
        return {
            name: self._made[section, name] for name in self.names(section) if (section, name) in self._made
        }

    def given(self, section: str, name: str) -> Mapping[str, Any]:
        """The members of a table, as the file has them."""
        members: Mapping[str, Any] = self._document[section][name]
        return members

    def named(self, section: str, name: str) -> Any:
        """What the file, or Keybound, calls by this name in a section.

        :raises ConfigurationError: it cannot be made
        """
        own = _OF_KEYBOUND.get(section, {})
        if name in own:
            return own[name]
        if (section, name) not in self._made:
            self._made[section, name] = self._make(section, name)
        return self._made[section, name]

    def server(self) -> Mapping[str, Any] | None:
        """The metadata of the authorization server, or ``None`` where there is none.

        :raises ConfigurationError: its document is none
        """
        if "server" not in self._document:
            return None
        if ("server", "") not in self._made:
            self._made["server", ""] = SECTIONS["server"].meaning(self._document["server"], "server", self)
        metadata: Mapping[str, Any] = self._made["server", ""]
        return metadata

    def spot(self, name: str) -> Spot:
        """Where a validator of ``[validators]`` stands."""
        return Spot(name, below("validators", name), self.given("validators", name))

    def spots_of(self, name: str) -> Iterator[Spot]:
        """The validator of each tenant of a router.

        :raises ConfigurationError: one cannot be a tenant
        """
        given, place = self.given("routers", name), below("routers", name)
        for number, tenant in enumerate(given.get("tenants", ())):
            parameters = given["each"].get("parameters", {}) | {"tenant": tenant}
            with at(f"{below(place, 'tenants')}[{number}]"):
                PRESETS[given["each"]["preset"]].options(**parameters)
            yield Spot(name, below(place, "each"), {**given["each"], "parameters": parameters})

    def profile_of(self, spot: Spot) -> Profile:
        """The profile of a validator.

        :raises ConfigurationError: it, or what it is derived from, cannot be used
        """
        given = spot.given
        if "profile" in given:
            profile: Profile = self.named("profiles", given["profile"])
            return profile
        return PRESETS[given["preset"]].profile if "preset" in given else OAUTH

    def audience_policy_of(self, spot: Spot) -> BoundAudiencePolicy | None:
        """The audience policy of a validator, applied to the server; ``None`` where it has none.

        :raises ConfigurationError: the policy does not go with the server
        """
        _, place, given = spot
        wanted = given.get("audience_policy")
        if wanted is None:
            inherited = self.profile_of(spot).audience_policy
            if "audience" in given or inherited is None:
                return None
            wanted = inherited
        metadata = self.server()
        place = below(place, "audience_policy")
        if metadata is None:
            raise ConfigurationError(place, "the profile has an audience policy, which needs [server]")
        with at(place):
            return self._bound(wanted, metadata)

    def _bound(self, wanted: str | Mapping[str, Any], metadata: Mapping[str, Any]) -> BoundAudiencePolicy:
        if isinstance(wanted, str):
            policy: AudiencePolicy = self.named("audience_policies", wanted)
            return policy.bind_metadata(metadata)
        names = [wanted[key] for key in ("enforced", "stricter") if key in wanted]
        limits = {key: value for key, value in wanted.items() if key == "max_clients"}
        return ReportOnly(*(self._bound(name, metadata) for name in names), **limits)

    def _make(self, section: str, name: str) -> Any:
        if section == "validators":
            return self.validator_at(self.spot(name))
        kind = SECTIONS[section]
        assert isinstance(kind, MapOf)
        place, given = below(section, name), self.given(section, name)
        if section == "routers" and "tenants" in given:
            # The table of each tenant is that of a validator, which is more than what stands there.
            given = {"validators": [], **{key: given[key] for key in given if key not in ("tenants", "each")}}
        meant = kind.member.meaning(given, place, self)
        with at(place):
            if section == "profiles":
                return make_profile(name, **meant)
            if section == "audience_policies":
                return AudiencePolicy.from_mapping({**meant, "name": name})
            if section == "routers":
                for spot in self.spots_of(name):
                    meant.add(self.validator_at(spot))
        return meant

    def validator_at(self, spot: Spot) -> Any:
        """A new validator.

        :raises ConfigurationError: it cannot be made
        """
        name, place, given = spot
        kind = given["kind"]
        parameters = options_of(kind)
        options = self._from_preset(spot) | {
            option: OPTIONS[option].meaning(given[option], below(place, option), self)
            for option in parameters
            if option in given and option != "expected_claims"
        }
        options |= self._expected_claims(spot, options)
        if kind in KINDS and (policy := self.audience_policy_of(spot)) is not None:
            options["audience"] = self.applied[name] = policy
        for option, parameter in parameters.items():
            if parameter.default is parameter.empty and option not in options:
                raise ConfigurationError(below(place, option), "is missing")
        with at(place, *parameters):
            return validator_class(kind)(**options, clock=self.clock)

    def _from_preset(self, spot: Spot) -> dict[str, Any]:
        _, place, given = spot
        if "preset" not in given:
            return {}
        preset, parameters = PRESETS[given["preset"]], given.get("parameters", {})
        with at(below(place, "parameters")):
            options = preset.options(**parameters)
            if "keys" not in given:
                one_by_one = preset.kind == "load_balancer_token"
                made = keybound.LoadBalancerKeys if one_by_one else keybound.RemoteJWKSet
                options["keys"] = made(preset.keys_at(**parameters))
        return options

    def _expected_claims(self, spot: Spot, options: Mapping[str, Any]) -> dict[str, Any]:
        own = options.get("expected_claims", {})
        given = spot.given.get("expected_claims", {})
        for claim in own.keys() & given.keys():
            if own[claim] != given[claim]:
                place = below(spot.place, "expected_claims")
                raise ConfigurationError(below(place, claim), "contradicts the preset")
        return {"expected_claims": {**own, **given}} if own or given else {}
