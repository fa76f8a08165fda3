"""What the libraries of Prometheus and OpenTelemetry make of the samples."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import keybound
from keybound.clients import ClientSecretBasic
from keybound.keys import Response
from keybound.metrics import FAMILIES, PrometheusCollector, Registry, observe
from keybound.stores import MemoryReplayStore
from keybound.testing import FakeIssuer

AUDIENCE = "https://rs.example.com"
ISSUER = 'https://as.example.com/a"b'


@pytest.fixture
def registry() -> Registry:
    """Two tokens accepted, one rejected, one for nobody, and a name that needs escaping."""
    issuer = FakeIssuer(ISSUER)
    keys = keybound.JWKSet.from_json(issuer.jwks())
    validator = keybound.AccessTokenValidator(
        issuer=ISSUER, audience=AUDIENCE, keys=keys, algorithms=["ES256"]
    )
    made = Registry()
    made.add('or"ders', validator)
    made.add("jti", MemoryReplayStore(max_entries=8))
    router = keybound.IssuerRouter([validator])
    made.add("all", router)
    client = keybound.IntrospectionClient(
        "https://as.example.com/introspect",
        validator=keybound.IntrospectionResponseValidator(issuer=ISSUER, audience=AUDIENCE),
        authentication=ClientSecretBasic("rs-1", "s3cret"),
        transport=lambda request: Response(status=200, body=b'{"active": true}'),
    )
    made.add("opaque", client)
    client.validate("2YotnFZF")
    with pytest.raises(keybound.TokenRejected):
        router.validate(issuer.access_token(iss="https://hostile.example"))
    for _ in range(2):
        validator.validate(issuer.access_token())
    with pytest.raises(keybound.TokenRejected):
        validator.validate("")
    return made


def told(registry: Registry) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {(sample.name, frozenset(sample.labels)): sample.value for sample in registry.samples()}


def test_prometheus_reads_every_sample(registry: Registry) -> None:
    """P35: the exposition, written and read again by the library of Prometheus."""
    prometheus = pytest.importorskip("prometheus_client", reason="Prometheus is an extra")
    parser = pytest.importorskip("prometheus_client.parser")
    exposition = prometheus.CollectorRegistry()
    exposition.register(PrometheusCollector(registry))
    text = prometheus.generate_latest(exposition).decode()
    families = {family.name: family for family in parser.text_string_to_metric_families(text)}
    read = {
        (family.name, frozenset(sample.labels.items())): sample.value
        for family in families.values()
        for sample in family.samples
    }
    samples = told(registry).items()
    assert read == {(name.replace(".", "_"), labels): value for (name, labels), value in samples}
    described = {name.replace(".", "_"): family for name, family in FAMILIES.items()}
    for name, family in families.items():
        assert (family.type, family.documentation) == (described[name].type, described[name].description)
    labels = {"name": 'or"ders', "kind": "access_token", "issuer": ISSUER}
    assert exposition.get_sample_value("keybound_tokens_accepted_total", labels) == 2
    missing = labels | {"reason": "token_missing"}
    assert exposition.get_sample_value("keybound_tokens_rejected_total", missing) == 1
    unknown = {"name": "all", "kind": "", "issuer": "", "reason": "iss_unknown"}
    assert exposition.get_sample_value("keybound_tokens_rejected_total", unknown) == 1
    assert exposition.get_sample_value("keybound_router_issuers", {"name": "all"}) == 1
    answered = {"name": "opaque", "outcome": "answered"}
    assert exposition.get_sample_value("keybound_introspection_questions_total", answered) == 1


def test_prometheus_sees_what_is_added_later(registry: Registry) -> None:
    prometheus = pytest.importorskip("prometheus_client", reason="Prometheus is an extra")
    exposition = prometheus.CollectorRegistry()
    exposition.register(PrometheusCollector(registry))
    registry.add("later", MemoryReplayStore(max_entries=8))
    assert exposition.get_sample_value("keybound_store_entries", {"name": "later"}) == 0


def points(reader: Any) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Everything that a reader of the SDK collects."""
    return {
        (metric.name, frozenset(point.attributes.items())): point.value
        for resource in reader.get_metrics_data().resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }


def test_opentelemetry_observes_every_sample(registry: Registry) -> None:
    """P35: through the SDK's own reader."""
    sdk = pytest.importorskip("opentelemetry.sdk.metrics", reason="OpenTelemetry is an extra")
    export = pytest.importorskip("opentelemetry.sdk.metrics.export")
    reader = export.InMemoryMetricReader()
    provider = sdk.MeterProvider(metric_readers=[reader])
    observe(registry, meter=provider.get_meter("test"))
    assert points(reader) == told(registry)
    registry.add("later", MemoryReplayStore(max_entries=8))
    assert points(reader) == told(registry)
    provider.shutdown()


def test_opentelemetry_knows_counters_from_gauges(registry: Registry) -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.metrics", reason="OpenTelemetry is an extra")
    export = pytest.importorskip("opentelemetry.sdk.metrics.export")
    reader = export.InMemoryMetricReader()
    provider = sdk.MeterProvider(metric_readers=[reader])
    observe(registry, meter=provider.get_meter("test"))
    (resource,) = reader.get_metrics_data().resource_metrics
    for metric in resource.scope_metrics[0].metrics:
        family = FAMILIES[metric.name]
        assert isinstance(metric.data, export.Sum) is (family.type == "counter")
        assert metric.description == family.description
        if family.type == "counter":
            assert metric.data.is_monotonic
    provider.shutdown()


def test_without_a_meter_it_is_the_global_one(registry: Registry) -> None:
    """Without an SDK the instruments of the API do nothing, and nothing fails."""
    pytest.importorskip("opentelemetry.metrics", reason="OpenTelemetry is an extra")
    observe(registry)


@pytest.mark.parametrize(
    ("export", "library", "extra"),
    [(PrometheusCollector, "prometheus_client", "prometheus"), (observe, "opentelemetry", "opentelemetry")],
)
def test_a_missing_library_is_named_with_its_extra(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, export: Any, library: str, extra: str
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(keybound.PolicyError, match=rf'keybound\[{extra}\]"'):
        export(registry)


@pytest.mark.parametrize("export", [PrometheusCollector, observe])
def test_they_take_a_registry(export: Any) -> None:
    with pytest.raises(keybound.PolicyError, match=r"keybound\.metrics\.Registry"):
        export({})
