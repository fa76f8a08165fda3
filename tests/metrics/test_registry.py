"""One list of samples of everything that is watched, whose labels nobody outside can choose."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import keybound
from keybound.clients import ClientSecretBasic
from keybound.keys import Response
from keybound.metrics import FAMILIES, Registry, Sample
from keybound.stores import MemoryReplayStore, MemoryRevocationList
from keybound.testing import FakeClock, FakeIssuer, SigningKey, dpop_proof, make_token

AUDIENCE = "https://rs.example.com"
JWKS = "https://as.example.com/jwks"


def validator_of(issuer: FakeIssuer, keys: Any = None, **options: Any) -> keybound.AccessTokenValidator:
    return keybound.AccessTokenValidator(
        issuer=issuer.issuer,
        audience=AUDIENCE,
        keys=keybound.JWKSet.from_json(issuer.jwks()) if keys is None else keys,
        **{"algorithms": ["ES256"], "clock": issuer.clock, **options},
    )


def values(registry: Registry, name: str) -> dict[tuple[str, ...], float]:
    """Numbers of one family by the values of their labels."""
    return {
        tuple(value for _, value in sample.labels): sample.value
        for sample in registry.samples()
        if sample.name == f"keybound.{name}"
    }


def present(validator: Any, *raws: Any) -> None:
    for raw in raws:
        try:
            validator.validate(raw)
        except keybound.KeyboundError:
            continue


class Answers:
    """A transport that answers with this document, or fails."""

    def __init__(self, issuer: FakeIssuer) -> None:
        self.document: Any = issuer.jwks()
        self.failing = False

    def __call__(self, request: Any) -> Response:
        if self.failing:
            raise OSError
        return Response(status=200, body=json.dumps(self.document).encode())


@pytest.fixture
def issuer() -> FakeIssuer:
    return FakeIssuer(clock=FakeClock())


@pytest.fixture
def registry() -> Registry:
    return Registry()


def test_validators_by_name_kind_issuer_and_reason(issuer: FakeIssuer, registry: Registry) -> None:
    """P35: counters of validators, among them those of their cache."""
    validator = validator_of(issuer)
    registry.add("orders", validator)
    good = issuer.access_token()
    present(validator, good, good, issuer.access_token(audience="https://x.example"), None)
    labels = ("orders", "access_token", issuer.issuer)
    assert values(registry, "tokens.accepted") == {labels: 2}
    rejected = {(*labels, "aud_mismatch"): 1, (*labels, "token_missing"): 1}
    assert values(registry, "tokens.rejected") == rejected
    assert values(registry, "tokens.unavailable") == {labels: 0}
    assert values(registry, "cache.hits") == {labels: 1}
    assert values(registry, "cache.entries") == {labels: 1}


def test_old_secrets(registry: Registry) -> None:
    """S004-24: who still uses the former secret is seen from outside."""
    new, old = (FakeIssuer(alg="HS256", clock=FakeClock()) for _ in range(2))
    secrets = [keybound.JWK.from_secret(each.key.secret, alg="HS256") for each in (new, old)]
    validator = validator_of(new, keybound.JWKSet(secrets), algorithms=["HS256"])
    registry.add("orders", validator)
    labels = ("orders", "access_token", new.issuer)
    assert values(registry, "tokens.old_secrets") == {labels: 0}
    present(validator, new.access_token(audience=AUDIENCE), old.access_token(audience=AUDIENCE))
    assert values(registry, "tokens.accepted") == {labels: 2}
    assert values(registry, "tokens.old_secrets") == {labels: 1}


def test_validators_without_keys_or_issuer(issuer: FakeIssuer, registry: Registry) -> None:
    proofs = keybound.DPoPProofValidator(algorithms=["ES256"], replay=None, clock=issuer.clock)
    answers = keybound.IntrospectionResponseValidator(issuer=issuer.issuer, audience=AUDIENCE)
    registry.add("proofs", proofs)
    registry.add("answers", answers)
    key = SigningKey.generate("ES256")
    proofs.validate(dpop_proof(key, url=AUDIENCE, clock=issuer.clock), method="GET", url=AUDIENCE)
    answers.validate({"active": True})
    assert values(registry, "tokens.accepted") == {
        ("answers", "access_token", issuer.issuer): 1,
        ("proofs", "dpop_proof", ""): 1,
    }
    assert all(registry.readiness().values())


def test_key_sources(issuer: FakeIssuer, registry: Registry) -> None:
    """P2: unknown kids are counted; P17: so are keys that cannot be used."""
    answers = Answers(issuer)
    answers.document["keys"].append({"kty": "hostile text", "kid": "x"})
    clock = FakeClock()
    source = keybound.RemoteJWKSet(JWKS, transport=answers, monotonic=clock, keep_fresh=False)
    registry.add("idp", source)
    assert values(registry, "document.ready") == {("idp", "keys"): 0}
    assert values(registry, "document.age") == {}
    assert not all(registry.readiness().values())
    source.warm()
    assert all(registry.readiness().values())
    clock.advance(700)
    answers.failing = True
    source.refresh_now()
    source.refresh_for("bogus-1")
    source.refresh_for("bogus-2")
    outcomes = {"updated": 1, "connection_failed": 2}
    assert values(registry, "fetches") == {("idp", "keys", name): count for name, count in outcomes.items()}
    assert values(registry, "document.failures") == {("idp", "keys"): 2}
    assert values(registry, "document.age") == {("idp", "keys"): 700}
    assert values(registry, "document.stale") == {("idp", "keys"): 1}
    assert values(registry, "keys.used") == {("idp",): 1}
    assert values(registry, "keys.skipped") == {("idp",): 1}
    assert values(registry, "keys.unknown") == {("idp",): 2}
    assert values(registry, "keys.unknown_refused") == {("idp",): 1}
    assert registry.readiness() == {"idp": True}
    clock.advance(3600)
    assert registry.readiness() == {"idp": False}


def test_keys_that_are_discovered(issuer: FakeIssuer, registry: Registry) -> None:
    keys = Answers(issuer)

    def transport(request: Any) -> Response:
        if request.url == JWKS:
            return keys(request)
        answers = Answers(issuer)
        answers.document = {"issuer": issuer.issuer, "jwks_uri": JWKS}
        return answers(request)

    metadata = keybound.RemoteMetadata(issuer.issuer, transport=transport, keep_fresh=False)
    source = keybound.DiscoveredJWKSet(metadata)
    registry.add("idp", source)
    registry.add("metadata", metadata)
    assert values(registry, "fetches") == {}
    source.warm()
    fetched = {("idp", "keys", "updated"): 1, ("idp", "metadata", "updated"): 1}
    assert values(registry, "fetches") == fetched | {("metadata", "metadata", "updated"): 1}
    assert values(registry, "keys.used") == {("idp",): 1}


def test_keys_from_a_file(issuer: FakeIssuer, registry: Registry, tmp_path: Any) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(issuer.jwks()))
    source = keybound.FileJWKSet(path)
    registry.add("file", source)
    source.reload()
    path.write_text("{}")
    source.reload()
    assert values(registry, "keys.reloads") == {("file",): 1}
    assert values(registry, "keys.reload_failures") == {("file",): 1}
    assert values(registry, "keys.used") == {("file",): 1}
    assert all(registry.readiness().values())


def test_stores(registry: Registry) -> None:
    replay, revoked = MemoryReplayStore(max_entries=8), MemoryRevocationList()
    registry.add("jti", replay)
    registry.add("revoked", revoked)
    replay.put("dpop", "me", "1", expires_at=20.0, now=10.0)
    replay.put("dpop", "me", "1", expires_at=20.0, now=10.0)
    events = values(registry, "store.events")
    assert (events["jti", "accepted"], events["jti", "replayed"]) == (1, 1)
    assert values(registry, "store.entries") == {("jti",): 1, ("revoked",): 0}
    assert all(registry.readiness().values())


@pytest.mark.parametrize("by_issuer", [True, False])
def test_routers(by_issuer: bool) -> None:
    """P15: each issuer by its own numbers, or all of them in one."""
    issuers = [FakeIssuer(f"https://{name}.example.com", clock=FakeClock()) for name in "ab"]
    router = keybound.IssuerRouter(validator_of(issuer) for issuer in issuers)
    registry = Registry(by_issuer=by_issuer)
    registry.add("all", router)
    for issuer in issuers:
        present(router, issuer.access_token(), issuer.access_token(audience="https://x.example"))
    names = [issuer.issuer for issuer in issuers] if by_issuer else [""]
    share = 1 if by_issuer else 2
    assert values(registry, "tokens.accepted") == {("all", "access_token", name): share for name in names}
    assert set(values(registry, "tokens.rejected").values()) == {share}


@pytest.mark.parametrize("by_issuer", [True, False])
def test_what_a_router_refuses_itself(by_issuer: bool) -> None:
    """P15, P35: a flood of unknown issuers is one growing number."""
    issuer = FakeIssuer(clock=FakeClock())
    registry = Registry(by_issuer=by_issuer)
    router = keybound.IssuerRouter([validator_of(issuer)])
    registry.add("all", router)
    assert values(registry, "tokens.rejected") == {}
    for number in range(50):
        present(router, issuer.access_token(iss=f"https://hostile-{number}.example"))
    present(router, "hostile", issuer.access_token(audience="https://x.example"))
    named = issuer.issuer if by_issuer else ""
    assert values(registry, "tokens.rejected") == {
        ("all", "", "", "iss_unknown"): 50,
        ("all", "", "", "token_malformed"): 1,
        ("all", "access_token", named, "aud_mismatch"): 1,
    }
    assert values(registry, "router.issuers") == {("all",): 1}
    router.remove(issuer.issuer)
    assert values(registry, "router.issuers") == {("all",): 0}


def test_a_router_is_ready_when_all_its_validators_are(issuer: FakeIssuer, registry: Registry) -> None:
    other = FakeIssuer("https://b.example.com", clock=issuer.clock)
    source = keybound.RemoteJWKSet(JWKS, transport=Answers(other), keep_fresh=False)
    registry.add("all", keybound.IssuerRouter([validator_of(issuer), validator_of(other, source)]))
    assert registry.readiness() == {"all": False}
    source.warm()
    assert registry.readiness() == {"all": True}


def test_readiness_of_a_validator_is_that_of_its_keys(issuer: FakeIssuer, registry: Registry) -> None:
    source = keybound.RemoteJWKSet(JWKS, transport=Answers(issuer), keep_fresh=False)
    registry.add("orders", validator_of(issuer, source))
    assert not all(registry.readiness().values())
    asyncio.run(source.awarm())
    assert all(registry.readiness().values())


def test_questions_about_opaque_tokens(issuer: FakeIssuer, registry: Registry) -> None:
    """P34, P35: what was asked, how that ended, and what was not asked again."""
    answer = issuer.introspection_response(audience=AUDIENCE)
    statuses = [200, 503, 200]

    def transport(request: Any) -> Response:
        told = answer if b"token=opaque-1" in request.body else {"active": False}
        return Response(status=statuses.pop(0), body=json.dumps(told).encode())

    client = keybound.IntrospectionClient(
        "https://as.example.com/introspect",
        validator=keybound.IntrospectionResponseValidator(
            issuer=issuer.issuer, audience=AUDIENCE, clock=issuer.clock
        ),
        authentication=ClientSecretBasic("rs-1", "s3cret"),
        transport=transport,
    )
    registry.add("opaque", client)
    present(client, "opaque-1", "opaque-1", "hostile-2", "hostile-3")
    labels = ("opaque", "access_token", issuer.issuer)
    assert values(registry, "introspection.questions") == {
        ("opaque", "answered"): 2,
        ("opaque", "status_refused"): 1,
    }
    assert values(registry, "introspection.open") == {("opaque",): 0}
    assert values(registry, "tokens.accepted") == {labels: 2}
    assert values(registry, "tokens.rejected") == {(*labels, "token_inactive"): 1}
    assert values(registry, "tokens.unavailable") == {labels: 1}
    assert (values(registry, "cache.hits"), values(registry, "cache.misses")) == ({labels: 1}, {labels: 3})
    assert values(registry, "cache.entries") == {labels: 1}


class Own:
    """Something of the operator's, in the place of a key source or a store."""

    def __init__(self, **members: Any) -> None:
        vars(self).update(members)

    def stats(self) -> dict[str, int]:
        return {}


def fails(*given: Any) -> Any:
    raise ZeroDivisionError


async def failing() -> Any:
    raise ZeroDivisionError


async def awaited() -> bool:
    return True


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (Own(), (True, True)),
        (Own(ready=True), (True, True)),
        (Own(ready=False), (False, False)),
        (Own(ready="yes"), (False, False)),
        (Own(ready=fails), (False, False)),
        (Own(is_ready=lambda: True), (True, True)),
        (Own(is_ready=lambda: 1), (False, False)),
        (Own(is_ready=fails), (False, False)),
        (Own(is_ready=lambda: True, ais_ready=failing), (True, False)),
        (Own(is_ready=fails, ais_ready=awaited), (False, True)),
        (Own(is_ready=None), (True, True)),
        (Own(is_ready=5), (False, False)),
        (Own(snapshot=fails), (False, False)),
        (Own(snapshot=lambda: keybound.JWKSet.from_json(FakeIssuer().jwks())), (True, True)),
        (Own(ready=True, is_ready=lambda: False), (False, False)),
    ],
    ids=lambda part: "-".join(vars(part)) or "nothing" if isinstance(part, Own) else str(part),
)
def test_who_fails_to_say_is_not_ready(registry: Registry, own: Own, expected: tuple[bool, bool]) -> None:
    """P16: nothing foreign comes out of a readiness probe, and nobody is ready by mistake."""
    registry.add("own", own)
    registry.add("other", MemoryReplayStore(max_entries=8))
    assert registry.readiness() == {"own": expected[0], "other": True}
    assert asyncio.run(registry.areadiness()) == {"own": expected[1], "other": True}


def test_readiness_of_what_asks_about_opaque_tokens(issuer: FakeIssuer, registry: Registry) -> None:
    """Signed answers need keys, and so do tokens that are validated here; the endpoint is not asked."""
    signs, local = (
        keybound.RemoteJWKSet(f"{JWKS}/{name}", transport=Answers(issuer), keep_fresh=False) for name in "ab"
    )
    client = keybound.IntrospectionClient(
        "https://as.example.com/introspect",
        validator=keybound.IntrospectionResponseValidator(
            issuer=issuer.issuer, audience=AUDIENCE, keys=signs, algorithms=["ES256"]
        ),
        authentication=ClientSecretBasic("rs-1", "s3cret"),
        local=validator_of(issuer, local),
        transport=fails,
    )
    registry.add("opaque", client)
    assert registry.readiness() == {"opaque": False}
    signs.warm()
    assert registry.readiness() == {"opaque": False}
    local.warm()
    assert registry.readiness() == asyncio.run(registry.areadiness()) == {"opaque": True}
    assert client.stats()["questions"] == {"in_flight": 0}


def test_no_label_comes_from_a_token(issuer: FakeIssuer, registry: Registry) -> None:
    """P35, P39: whatever is presented, no label grows with it."""
    source = keybound.RemoteJWKSet(JWKS, transport=Answers(issuer), keep_fresh=False)
    validator = validator_of(issuer, source)
    registry.add("orders", validator)
    registry.add("idp", source)
    for number in range(50):
        marked = f"hostile-{number}"
        forged = make_token(
            {"alg": "ES256", "typ": "at+jwt", "kid": marked},
            {"iss": marked, "sub": marked, "aud": marked, "client_id": marked, "jti": marked, "exp": 9e9},
            SigningKey.generate("ES256"),
        )
        signed = issuer.access_token(subject=marked, client_id=marked, scope=marked, jti=marked)
        present(validator, forged, signed, f"{marked}.{marked}.{marked}", marked)
    texts = {value for sample in registry.samples() for _, value in sample.labels}
    assert not [text for text in texts if "hostile" in text]
    assert len(values(registry, "tokens.rejected")) == 3


def test_samples_are_flat_and_in_a_stable_order(issuer: FakeIssuer, registry: Registry) -> None:
    registry.add("z", validator_of(issuer))
    registry.add("a", MemoryReplayStore(max_entries=8))
    samples = registry.samples()
    order = list(FAMILIES)
    assert samples == sorted(samples, key=lambda sample: (order.index(sample.name), sample.labels))
    assert len({(sample.name, sample.labels) for sample in samples}) == len(samples)
    for sample in samples:
        assert type(sample) is Sample
        assert tuple(label for label, _ in sample.labels) == FAMILIES[sample.name].labels
        assert sample.type == FAMILIES[sample.name].type
        assert isinstance(sample.value, (int, float))
    assert [sample.name for sample in Registry().samples()] == [name for name in order if "tables" in name]


def test_what_is_removed_is_told_of_no_more(issuer: FakeIssuer, registry: Registry) -> None:
    registry.add("orders", validator_of(issuer))
    registry.remove("orders")
    assert values(registry, "tokens.accepted") == {}
    with pytest.raises(keybound.PolicyError, match="watched"):
        registry.remove("orders")
    registry.add("orders", validator_of(issuer))
    assert values(registry, "tokens.accepted") != {}


@pytest.mark.parametrize("name", ["", "x" * 101, "a\nb", None, 5, b"orders"])
def test_names_are_text(issuer: FakeIssuer, registry: Registry, name: Any) -> None:
    with pytest.raises(keybound.PolicyError, match="name"):
        registry.add(name, validator_of(issuer))


def test_names_are_given_once(issuer: FakeIssuer, registry: Registry) -> None:
    registry.add("orders", validator_of(issuer))
    with pytest.raises(keybound.PolicyError, match="same name"):
        registry.add("orders", validator_of(issuer))


@pytest.mark.parametrize("watched", [None, "validator", {}, keybound.Limits()], ids=repr)
def test_only_what_counts_can_be_watched(registry: Registry, watched: Any) -> None:
    with pytest.raises(keybound.PolicyError, match="stats"):
        registry.add("x", watched)
