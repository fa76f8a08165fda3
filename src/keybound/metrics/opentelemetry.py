"""Samples for OpenTelemetry, by its own library: ``pip install "keybound[opentelemetry]"``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from keybound.errors import PolicyError
from keybound.metrics.registry import Registry
from keybound.metrics.samples import FAMILIES

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation

__all__ = ["observe"]

_UNITS = {"keybound.cache.bytes": "By", "keybound.tables.bytes": "By", "keybound.tables.limit": "By"}
_UNITS |= {"keybound.document.age": "s"}


def observe(registry: Registry, *, meter: Meter | None = None) -> None:
    """Let OpenTelemetry observe a registry: one observable counter or gauge for each family.

    Call it once for each registry and meter.

    :param registry: what to tell of
    :param meter: makes the instruments; without one, ``opentelemetry.metrics.get_meter("keybound")``
    :raises PolicyError: the library is not installed
    """
    if not isinstance(registry, Registry):
        raise PolicyError("observe takes a keybound.metrics.Registry")
    try:
        from opentelemetry import metrics
    except ModuleNotFoundError:
        raise PolicyError('OpenTelemetry needs its library: pip install "keybound[opentelemetry]"') from None
    instruments = metrics.get_meter("keybound") if meter is None else meter
    for name, family in FAMILIES.items():
        counts = family.type == "counter"
        make = instruments.create_observable_counter if counts else instruments.create_observable_gauge
        make(
            name,
            callbacks=[_callback(registry, name, metrics.Observation)],
            unit=_UNITS.get(name, "1"),
            description=family.description,
        )


def _callback(
    registry: Registry, name: str, observation: type[Observation]
) -> Callable[[CallbackOptions], Iterator[Observation]]:
    def observed(options: CallbackOptions) -> Iterator[Observation]:
        for sample in registry.samples():
            if sample.name == name:
                yield observation(sample.value, dict(sample.labels))

    return observed
