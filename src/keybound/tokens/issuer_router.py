"""Many issuers: each token goes to the validator of its issuer, and no other sees it."""

from __future__ import annotations

import string
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

from keybound._hotpath import token as road
from keybound._hotpath.contract import HeaderRules
from keybound.errors import PolicyError, Reason, rejection
from keybound.keys import background
from keybound.limits import DEFAULT_LIMITS, Limits
from keybound.policy import TokenPolicy, text, text_list
from keybound.tokens._outcomes import Counting, Outcomes

__all__ = ["IssuerRouter"]


class _Validator(Protocol):
    """What can be routed to: a validator of any kind whose tokens name their issuer."""

    @property
    def policy(self) -> TokenPolicy: ...

    @property
    def validate(self) -> Callable[..., Any]: ...


AnyValidator = TypeVar("AnyValidator", bound=_Validator)


class IssuerRouter(Counting, Generic[AnyValidator]):
    """Validators by the exact ``iss`` of the tokens they take. Use it from any thread.

    Every issuer keeps its own keys, policy, cache and cooldowns, and one that fails is no matter for the
    others. A token of an issuer that is not here is rejected; there is no default.

    What it rejects itself it counts and tells of itself, with :meth:`stats` and :meth:`notify`: tokens of
    issuers that are not here, and what names no issuer at all. Validators do that for the tokens they get.

    :param validators: one for each issuer, all with an issuer
    :param limits: ceilings for looking at ``iss``; each validator has its own for the rest
    :raises PolicyError: two validators have the same issuer, or one has none
    """

    def __init__(self, validators: Iterable[AnyValidator] = (), *, limits: Limits = DEFAULT_LIMITS) -> None:
        if not isinstance(limits, Limits):
            raise PolicyError("limits must be a keybound.Limits")
        if not isinstance(validators, Iterable):
            raise PolicyError("validators must be a list of them")
        self._look = road.CompiledHeader(
            HeaderRules(
                algorithms=(),
                token_bytes=limits.token_bytes,
                header_bytes=limits.header_bytes,
                json_depth=limits.json_depth,
            )
        )
        self._outcomes = Outcomes(None)
        self._lock = threading.Lock()
        background.adopt(self)
        # Replaced as a whole: whoever reads needs no lock.
        self._validators: Mapping[str, AnyValidator] = MappingProxyType({})
        for validator in validators:
            self.add(validator)

    @classmethod
    def of_tenants(
        cls,
        template: str,
        names: str | Iterable[str],
        make: Callable[[str, str], AnyValidator],
        *,
        limits: Limits = DEFAULT_LIMITS,
    ) -> IssuerRouter[AnyValidator]:
        """A router for tenants of one provider that gives each an issuer identifier, such as Entra.

        There is no wildcard: whose tokens are taken is a list, and every tenant has a validator.

        :param template: issuer identifier with ``{tenant}`` where the name stands
        :param names: of the tenants
        :param make: called with issuer identifier and name of each tenant; makes its validator
        :raises PolicyError: the template has no ``{tenant}``, or there are no names
        """
        try:
            fields = [name for _, name, _, _ in string.Formatter().parse(text("template", template)) if name]
        except ValueError:
            fields = []
        if fields != ["tenant"]:
            raise PolicyError("the template must have {tenant} once, where the name of the tenant stands")
        tenants = text_list("names", names, some=True)
        made = [make(template.replace("{tenant}", tenant), tenant) for tenant in tenants]
        return cls(made, limits=limits)

    @property
    def validators(self) -> Mapping[str, AnyValidator]:
        """The validators as they are now, by issuer; read-only."""
        return self._validators

    def add(self, validator: AnyValidator) -> None:
        """Take tokens of one more issuer.

        :raises PolicyError: the validator has no issuer, or its issuer is there already
        """
        issuer = getattr(getattr(validator, "policy", None), "issuer", None)
        if issuer is None:
            raise PolicyError("a router takes validators with an issuer")
        with self._lock:
            if issuer in self._validators:
                raise PolicyError("two validators have the same issuer")
            self._validators = MappingProxyType({**self._validators, issuer: validator})

    def remove(self, issuer: str) -> None:
        """Take no more tokens of an issuer.

        :raises PolicyError: it is not there
        """
        with self._lock:
            if issuer not in self._validators:
                raise PolicyError("there is no validator for this issuer")
            left = {name: validator for name, validator in self._validators.items() if name != issuer}
            self._validators = MappingProxyType(left)

    def validator_for(self, raw: str | bytes) -> AnyValidator:
        """The validator for a token, by the ``iss`` that it claims; nothing is verified yet.

        :raises TokenRejected: the issuer is not here, or the token does not name it
        """
        issuer = road.unverified_issuer(self._look, raw)
        validator = None if isinstance(issuer, int) else self._validators.get(issuer)
        if validator is None:
            refused = rejection(issuer if isinstance(issuer, int) else Reason.ISS_UNKNOWN)
            self._outcomes.ended(refused)
            raise refused
        return validator

    def stats(self) -> dict[str, Any]:
        """Counters for operators, of what no validator has seen.

        :returns: how many tokens were ``rejected`` since the router was made, by code of the reason;
            ``issuers``: how many there are now
        """
        return {"rejected": self._outcomes.numbers()["rejected"], "issuers": len(self._validators)}

    def validate(self, raw: str | bytes, **presented: Any) -> Any:
        """Validate a token at the validator of its issuer.

        :param presented: as for that validator, such as ``certificate``
        :raises TokenRejected: the token must not be accepted
        :raises Unavailable: the keys of that issuer are not to be had now
        """
        return self.validator_for(raw).validate(raw, **presented)

    async def avalidate(self, raw: str | bytes, **presented: Any) -> Any:
        """:meth:`validate` for an event loop."""
        validator: Any = self.validator_for(raw)
        return await validator.avalidate(raw, **presented)

    def _stands_on(self) -> Iterator[object]:
        for validator in self._validators.values():
            if isinstance(validator, Counting):
                yield from validator._stands_on()
            else:
                yield validator

    def _after_fork(self) -> None:
        # Who held it has stayed with the parent.
        self._lock = threading.Lock()
