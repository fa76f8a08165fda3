"""What operators see: counters of validators, key sources and stores, as samples for any exporter."""

import importlib
from typing import TYPE_CHECKING

from keybound.metrics.registry import Registry
from keybound.metrics.samples import FAMILIES, Family, Sample

if TYPE_CHECKING:
    from keybound.metrics.opentelemetry import observe
    from keybound.metrics.prometheus import PrometheusCollector

__all__ = ["FAMILIES", "Family", "PrometheusCollector", "Registry", "Sample", "observe"]


def __getattr__(name: str) -> object:
    """Import an exporter when it is first asked for (PEP 562)."""
    places = {"PrometheusCollector": "prometheus", "observe": "opentelemetry"}
    if name not in places:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"keybound.metrics.{places[name]}")
    return globals().setdefault(name, getattr(module, name))
