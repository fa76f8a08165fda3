"""Every call of a validator is counted once, by what it came to."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from types import ModuleType
from typing import Any

import pytest

from keybound.testing import CertificateAuthority, FakeClient, FakeClock, FakeIssuer, SigningKey, dpop_proof

AUDIENCE = "https://rs.example.com"
OTHER = "https://other.example.com"


class Place:
    """An issuer, and a validator for its tokens on one twin."""

    def __init__(self, package: ModuleType, **options: Any) -> None:
        self.package = package
        self.clock = FakeClock()
        self.issuer = FakeIssuer(clock=self.clock)
        self.validator = package.AccessTokenValidator(
            **{
                "issuer": self.issuer.issuer,
                "audience": AUDIENCE,
                "keys": package.JWKSet.from_json(self.issuer.jwks()),
                "algorithms": [self.issuer.key.alg],
                "clock": self.clock,
                **options,
            }
        )

    def present(self, raw: Any, **beside: Any) -> None:
        try:
            self.validator.validate(raw, **beside)
        except self.package.KeyboundError:
            return

    def counted(self) -> tuple[int, dict[str, int], int]:
        stats = self.validator.stats()
        return stats["accepted"], stats["rejected"], stats["unavailable"]


@pytest.fixture
def place(package: ModuleType) -> Place:
    return Place(package)


class Moody:
    """A key source that answers only when it likes."""

    def __init__(self, package: ModuleType, keys: Any) -> None:
        self.package, self.keys, self.willing = package, keys, True

    def snapshot(self) -> Any:
        if not self.willing:
            raise self.package.Unavailable("not now")
        return self.keys


def test_nothing_is_counted_before_the_first_token(place: Place) -> None:
    assert place.counted() == (0, {}, 0)


def test_each_outcome_by_its_reason(place: Place) -> None:
    """P35: counters of accepted tokens, and of rejected ones by reason."""
    for raw in (
        place.issuer.access_token(),
        place.issuer.access_token(audience=OTHER),
        place.issuer.access_token(audience=OTHER),
        place.issuer.access_token(lifetime=-60),
        "",
        None,
        "a.b",
    ):
        place.present(raw)
    rejected = {"token_missing": 2, "token_malformed": 1, "aud_mismatch": 2, "token_expired": 1}
    assert place.counted() == (1, rejected, 0)
    assert list(place.counted()[1]) == ["token_missing", "token_malformed", "aud_mismatch", "token_expired"]


@pytest.mark.parametrize("spelled", [str, str.encode], ids=["str", "bytes"])
def test_cache_hits_are_accepted_tokens(place: Place, spelled: Any) -> None:
    raw = spelled(place.issuer.access_token())
    for _ in range(5):
        place.present(raw)
    assert place.counted() == (5, {}, 0)
    assert place.validator.stats()["cache"]["hits"] == 4


def test_a_hit_that_is_rejected_is_no_accepted_token(place: Place) -> None:
    certificate = CertificateAuthority().issue_client("client").der
    raw = place.issuer.access_token(certificate=certificate, lifetime=60)
    place.present(raw, certificate=certificate)
    place.present(raw, certificate=certificate)
    place.present(raw)
    place.clock.advance(3600)
    place.present(raw, certificate=certificate)
    assert place.counted() == (2, {"token_expired": 1, "certificate_missing": 1}, 0)


@pytest.mark.parametrize("cache", ["with cache", "without cache"])
def test_batches_count_each_token(package: ModuleType, cache: str) -> None:
    place = Place(package, **({} if cache == "with cache" else {"cache": None}))
    good = place.issuer.access_token()
    bad = place.issuer.access_token(audience=OTHER)
    place.validator.validate_many([good, bad, good, None, bad])
    place.validator.validate_many([good])
    place.validator.validate_many([])
    assert place.counted() == (3, {"token_missing": 1, "aud_mismatch": 2}, 0)


def test_in_an_event_loop_too(place: Place) -> None:
    async def present() -> None:
        await place.validator.avalidate(place.issuer.access_token())
        with pytest.raises(place.package.TokenRejected):
            await place.validator.avalidate(place.issuer.access_token(audience=OTHER))

    asyncio.run(present())
    assert place.counted() == (1, {"aud_mismatch": 1}, 0)


def test_no_answer_is_neither(package: ModuleType) -> None:
    place = Place(package)
    source = Moody(package, place.validator.keys)
    asking = Place(package, keys=source, issuer=place.issuer.issuer, clock=place.clock)
    raw = place.issuer.access_token()
    asking.present(raw)
    source.willing = False
    asking.present(raw)
    with pytest.raises(package.Unavailable):
        asking.validator.validate_many([raw, raw])
    with pytest.raises(package.Unavailable):
        asyncio.run(asking.validator.avalidate(raw))
    assert asking.counted() == (1, {}, 3)


def test_without_keys_from_afar_there_is_no_answer(package: ModuleType) -> None:
    """A source that can be asked again, in threads and event loops; one call is counted once."""
    place = Place(package)

    def refuse(request: Any) -> Any:
        raise OSError

    source = package.RemoteJWKSet("https://as.example.com/jwks", transport=refuse)
    asking = Place(package, keys=source, issuer=place.issuer.issuer, clock=place.clock)
    raw = place.issuer.access_token()
    for _ in range(2):
        with pytest.raises(package.Unavailable):
            asyncio.run(asking.validator.avalidate(raw))
    asking.present(raw)
    with pytest.raises(package.Unavailable):
        asking.validator.validate_many([raw])
    assert asking.counted() == (0, {}, 4)


class Seeking(Moody):
    """Finds a key when it is asked for it."""

    def __init__(self, package: ModuleType, keys: Any, found: Any) -> None:
        super().__init__(package, keys)
        self.found = found

    def refresh_for(self, kid: str) -> bool:
        self.keys = self.found
        return True

    def get(self, kid: str | None = None) -> Any:
        return self.keys

    def peek(self) -> Any:
        return self.keys

    async def aget(self, kid: str | None = None) -> Any:
        return self.keys

    async def arefresh_for(self, kid: str) -> bool:
        return self.refresh_for(kid)


@pytest.mark.parametrize("method", ["validate", "avalidate", "validate_many"])
def test_a_key_that_turns_up_is_no_rejection(package: ModuleType, method: str) -> None:
    place = Place(package)
    others = package.JWKSet.from_json(FakeIssuer().jwks())
    source = Seeking(package, others, place.validator.keys)
    asking = Place(package, keys=source, issuer=place.issuer.issuer, clock=place.clock)
    raw = place.issuer.access_token()
    answer = getattr(asking.validator, method)([raw] if method == "validate_many" else raw)
    if asyncio.iscoroutine(answer):
        asyncio.run(answer)
    assert asking.counted() == (1, {}, 0)


def test_threads_lose_no_count(place: Place) -> None:
    good = place.issuer.access_token()
    bad = place.issuer.access_token(audience=OTHER)
    start = threading.Barrier(8)
    interval = sys.getswitchinterval()

    def present() -> None:
        start.wait()
        for _ in range(500):
            place.present(good)
            place.present(bad)
        place.validator.validate_many([good, bad])

    threads = [threading.Thread(target=present) for _ in range(8)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert place.counted() == (8 * 501, {"aud_mismatch": 8 * 501}, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""),
    reason="the allocator of the sanitizer keeps its locks from children",
)
# Other tests may have left threads that wait; Python 3.12 and later warn of every fork beside those.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_process_counts_on() -> None:
    """P32: also where the parent was counting at the moment of the fork."""
    import keybound

    place = Place(keybound)
    raw = place.issuer.access_token(audience=OTHER)
    place.present(raw)
    with place.validator._outcomes._lock:
        child = os.fork()
        if child == 0:
            place.present(raw)
            os._exit(0 if place.counted() == (0, {"aud_mismatch": 2}, 0) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("method", ["validate", "avalidate", "validate_many"])
def test_revoked_tokens_are_rejected_ones(package: ModuleType, method: str) -> None:
    """P33, P35: also where they are in the cache, and where nobody can tell."""
    answers: list[Any] = [False, True, package.Unavailable("not now")]

    def is_revoked(token: Any) -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    place = Place(package, revocation=is_revoked)
    raw = place.issuer.access_token()
    for _ in range(3):
        try:
            answer = getattr(place.validator, method)([raw] if method == "validate_many" else raw)
            if asyncio.iscoroutine(answer):
                asyncio.run(answer)
        except package.KeyboundError:
            continue
    assert place.counted() == (1, {"token_revoked": 1}, 1)


def test_policy_errors_are_the_operators(place: Place) -> None:
    with pytest.raises(place.package.PolicyError):
        place.validator.validate(place.issuer.access_token(), dpop="no proof")
    with pytest.raises(place.package.PolicyError):
        place.validator.validate_many("one token")
    assert place.counted() == (0, {}, 0)


class TestOtherKinds:
    """Kinds whose checks go on behind the road count behind it, also where one method calls another."""

    def test_client_assertions_in_a_form(self, package: ModuleType) -> None:
        clock = FakeClock()
        client = FakeClient("client", clock=clock)
        validator = package.ClientAssertionValidator(
            client_id=client.client_id,
            keys=package.JWKSet.from_json(client.jwks()),
            algorithms=[client.key.alg],
            audience=OTHER,
            replay=package_store(package),
            clock=clock,
        )
        raw = client.assertion(audience=OTHER)
        form = {"client_assertion": raw, "client_assertion_type": package.CLIENT_ASSERTION_TYPE}
        validator.validate_form(form)
        for presented in (form, form | {"client_assertion_type": "x"}, {}):
            with pytest.raises(package.TokenRejected):
                validator.validate_form(presented)
        with pytest.raises(package.TokenRejected):
            asyncio.run(validator.avalidate_form(form))
        stats = validator.stats()
        assert stats["accepted"] == 1
        assert stats["rejected"] == {"token_missing": 1, "jti_replayed": 2, "assertion_type_mismatch": 1}

    def test_introspection_answers(self, package: ModuleType) -> None:
        validator = package.IntrospectionResponseValidator(
            issuer="https://as.example.com", audience=AUDIENCE, clock=FakeClock()
        )
        validator.validate({"active": True})
        for said in ({"active": False}, {}, b"{"):
            with pytest.raises(package.TokenRejected):
                validator.validate(said)
        rejected = {"json_invalid": 1, "token_inactive": 2}
        assert validator.stats() == {"accepted": 1, "rejected": rejected, "unavailable": 0, "old_secrets": 0}

    def test_dpop_proofs(self, package: ModuleType) -> None:
        clock, key = FakeClock(), SigningKey.generate("ES256")
        validator = package.DPoPProofValidator(
            algorithms=["ES256"], replay=package_store(package), clock=clock
        )
        proof = dpop_proof(key, method="GET", url=AUDIENCE, clock=clock)
        validator.validate(proof, method="GET", url=AUDIENCE)
        for presented, method in ((proof, "GET"), (proof, "POST"), ("", "GET")):
            with pytest.raises(package.TokenRejected):
                validator.validate(presented, method=method, url=AUDIENCE)
        rejected = {"claim_mismatch": 1, "dpop_proof_missing": 1, "jti_replayed": 1}
        assert validator.stats() == {"accepted": 1, "rejected": rejected, "unavailable": 0, "old_secrets": 0}


def package_store(package: ModuleType) -> Any:
    import importlib

    return importlib.import_module("keybound.stores").MemoryReplayStore(max_entries=100)


def test_a_validator_shows_whose_tokens_it_judges(place: Place) -> None:
    assert repr(place.validator) == f"<keybound.AccessTokenValidator of {place.issuer.issuer!r}>"
    proofs = place.package.DPoPProofValidator(algorithms=["ES256"], replay=None)
    assert repr(proofs) == "<keybound.DPoPProofValidator>"
    assert repr(place.package.IssuerRouter([place.validator])) == "<keybound.IssuerRouter>"
