"""Samples for Prometheus, by its own library: ``pip install "keybound[prometheus]"``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from keybound.errors import PolicyError
from keybound.metrics.registry import Registry
from keybound.metrics.samples import FAMILIES

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["PrometheusCollector"]


class PrometheusCollector:
    """A collector for a ``prometheus_client.CollectorRegistry``.

    .. code-block:: python

        prometheus_client.REGISTRY.register(PrometheusCollector(registry))

    The numbers are those of one process. Where several serve, each is a target of its own; the multi-process
    mode of the library does not know collectors.

    :param registry: what to tell of
    :raises PolicyError: the library is not installed
    """

    def __init__(self, registry: Registry) -> None:
        if not isinstance(registry, Registry):
            raise PolicyError("a collector takes a keybound.metrics.Registry")
        try:
            import prometheus_client.core
        except ModuleNotFoundError:
            raise PolicyError('Prometheus needs its library: pip install "keybound[prometheus]"') from None
        makers = {
            "counter": prometheus_client.core.CounterMetricFamily,
            "gauge": prometheus_client.core.GaugeMetricFamily,
        }
        self._registry, self._makers = registry, makers

    def describe(self) -> list[Metric]:
        """Nothing: what there is to tell changes with what is watched."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The families that have samples now; counters get ``_total`` from the library."""
        families: dict[str, Any] = {}
        for sample in self._registry.samples():
            if sample.name not in families:
                _, description, labels = FAMILIES[sample.name]
                name = sample.name.replace(".", "_")
                families[sample.name] = self._makers[sample.type](name, description, labels=labels)
            families[sample.name].add_metric([value for _, value in sample.labels], sample.value)
        yield from families.values()
