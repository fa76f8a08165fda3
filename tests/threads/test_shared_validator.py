"""One validator for all threads: whatever the others do, each gets the answer that is right for it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import keybound
from keybound.errors import Reason
from keybound.frozen import FrozenDict
from keybound.stores import MemoryReplayStore
from keybound.testing import SigningKey, dpop_proof, make_token

THREADS = 16
STEPS = 1000
TINY = keybound.CacheSettings(entries=4, memory_bytes=24_000)


@pytest.fixture(autouse=True)
def _frequent_switches() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def in_threads(work: Callable[[int], Any], count: int = THREADS) -> list[Any]:
    """What ``work(number)`` returns in each thread; all start at once, and the first error is raised."""
    barrier = threading.Barrier(count)
    results: list[Any] = [None] * count
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            barrier.wait()
            results[number] = work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def test_proofs_of_many_keys(world: Any) -> None:
    """Known and new keys, good and forged proofs, and one proof that only one thread may use."""
    store = MemoryReplayStore()
    proofs = keybound.DPoPProofValidator(algorithms=["ES256"], replay=store, clock=world.clock)
    regular, stranger = SigningKey.generate("ES256"), SigningKey.generate("ES256")
    once = dpop_proof(regular, clock=world.clock)

    def judge(raw: str) -> Reason | str:
        try:
            return proofs.validate(raw, method="GET", url="https://rs.example.com/resource").thumbprint
        except keybound.TokenRejected as rejected:
            return rejected.reason

    def work(number: int) -> list[Reason | str]:
        verdicts = [judge(once)]
        for _ in range(40):
            own = SigningKey.generate("ES256")
            assert judge(dpop_proof(own, clock=world.clock)) == own.thumbprint
            assert judge(dpop_proof(regular, clock=world.clock)) == regular.thumbprint
            forged = dpop_proof(regular, signer=stranger, clock=world.clock)
            assert judge(forged) is Reason.SIGNATURE_INVALID
        return verdicts

    firsts = [verdict for verdicts in in_threads(work) for verdict in verdicts]
    assert sorted(map(str, firsts)) == sorted([regular.thumbprint, *["jti_replayed"] * (THREADS - 1)])


def verdict(validator: keybound.AccessTokenValidator, raw: Any, certificate: Any) -> Reason:
    try:
        validator.validate(raw, certificate=certificate)
    except keybound.TokenRejected as rejected:
        return rejected.reason
    return Reason.OK


class SourcePerThread:
    """Each thread has a key set of its own at any time, so the right answer is known to it."""

    def __init__(self, first: keybound.JWKSet) -> None:
        self._first = first
        self._own = threading.local()

    def publish(self, keys: keybound.JWKSet) -> None:
        self._own.keys = keys

    def snapshot(self) -> keybound.JWKSet:
        keys: keybound.JWKSet = getattr(self._own, "keys", self._first)
        return keys


@pytest.fixture(scope="module")
def place(world: Any) -> Any:
    return type(world)()


class Cases:
    """Tokens and certificates, with what is right to say about each pair under each key set."""

    def __init__(self, place: Any) -> None:
        first, twin, other = (
            SigningKey.generate("ES256", kid="first"),
            SigningKey.generate("ES256", kid="first"),
            SigningKey.generate("ES256", kid="other"),
        )
        self.sets = [
            keybound.JWKSet.from_json({"keys": [key.verification_jwk() for key in published]})
            for published in ([first], [twin, other], [first, other])
        ]
        client, stranger = place.client, place.stranger
        good, bad, unknown = Reason.OK, Reason.SIGNATURE_INVALID, Reason.KEY_UNKNOWN
        self.pairs: list[tuple[Any, Any, list[Reason]]] = []
        for key, verdicts in (
            (first, [good, bad, good]),
            (twin, [bad, good, bad]),
            (other, [unknown, good, good]),
        ):
            for _ in range(3):
                raw = place.token(key=key)
                self.pairs.append((raw, None, verdicts))
                self.pairs.append((raw.encode(), stranger.der, verdicts))
                bound = place.token(key=key, certificate=client)
                self._add(bound, client.der, verdicts, good)
                self._add(bound, client.pem, verdicts, good)
                self._add(bound, None, verdicts, Reason.CERTIFICATE_MISSING)
                self._add(bound, stranger.der, verdicts, Reason.CERTIFICATE_MISMATCH)
                self._add(bound, b"junk", verdicts, Reason.CERTIFICATE_INVALID)
            late = {"lifetime": -60, "certificate": client}
            self._add(place.token(key=key, **late), client.der, verdicts, Reason.TOKEN_EXPIRED)
            early = {"nbf": int(place.now) + 60}
            self._add(place.token(key=key, **early), None, verdicts, Reason.TOKEN_NOT_YET_VALID)
            header, payload, signature = place.token(key=key).split(".")
            flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
            forged = [bad if each is good else each for each in verdicts]
            self.pairs.append((f"{header}.{payload}.{flipped}", None, forged))
        self.pairs.append(("a.b.c", None, [Reason.BASE64URL_INVALID] * 3))
        self.pairs.append(("x" * 20_000, None, [Reason.TOKEN_TOO_LARGE] * 3))

    def _add(self, raw: str, certificate: Any, verdicts: list[Reason], instead: Reason) -> None:
        """``instead`` of OK."""
        changed = [instead if each is Reason.OK else each for each in verdicts]
        self.pairs.append((raw, certificate, changed))


@pytest.fixture(scope="module")
def cases(place: Any) -> Cases:
    return Cases(place)


def test_no_wrong_verdict_with_rotation_and_pressure(place: Any, cases: Cases) -> None:
    """P31: threads with different key sets and more tokens than the cache has room for."""
    source = SourcePerThread(cases.sets[0])
    validator = place.validator(keys=source, cache=TINY)

    def work(number: int) -> list[str]:
        wrong = []
        for step in range(STEPS):
            # Long enough with one set for the cache to serve it, and each thread in its own order.
            current = (step // 30 + number) % 3
            source.publish(cases.sets[current])
            raw, certificate, verdicts = cases.pairs[step * (2 * number + 1) % len(cases.pairs)]
            found = verdict(validator, raw, certificate)
            if found is not verdicts[current]:
                wrong.append(f"{found} instead of {verdicts[current]}")
            if step % 50 == number:
                validator.clear_cache()
        return wrong

    assert in_threads(work) == [[]] * THREADS
    counters = validator.stats()["cache"]
    assert counters["entries"] <= TINY.entries
    assert 0 <= counters["bytes"] <= TINY.memory_bytes
    source.publish(cases.sets[1])
    for raw, certificate, verdicts in cases.pairs:
        assert verdict(validator, raw, certificate) is verdicts[1]


def test_no_wrong_verdict_out_of_a_small_cache(place: Any, cases: Cases) -> None:
    """P5, P31: one key set for all, so that the cache answers a large part."""
    validator = place.validator(keys=cases.sets[2], cache=keybound.CacheSettings(entries=8))

    def work(number: int) -> list[Reason]:
        wrong = []
        for step in range(STEPS):
            # A few pairs at a time, the same ones for all threads.
            at = (step // 20 * 5 + (step * 7 + number) % 5) % len(cases.pairs)
            raw, certificate, verdicts = cases.pairs[at]
            found = verdict(validator, raw, certificate)
            if found is not verdicts[2]:
                wrong.append(found)
        return wrong

    assert in_threads(work) == [[]] * THREADS
    counters = validator.stats()["cache"]
    assert counters["hits"] > 0
    assert counters["entries"] <= 8
    # Every look-up was one or the other: no update was lost.
    looked_up = sum(
        len(cases.pairs[at][0]) <= 16_384
        for number in range(THREADS)
        for step in range(STEPS)
        for at in [(step // 20 * 5 + (step * 7 + number) % 5) % len(cases.pairs)]
    )
    assert counters["hits"] + counters["misses"] == looked_up


def test_batches_and_single_calls_at_once(place: Any, cases: Cases) -> None:
    """P7."""
    validator = place.validator(keys=cases.sets[2], cache=TINY)
    raws = [raw for raw, _, _ in cases.pairs]
    certificates = [certificate for _, certificate, _ in cases.pairs]
    expected = [verdicts[2] for _, _, verdicts in cases.pairs]

    def work(number: int) -> bool:
        if number % 2:
            return [verdict(validator, *pair) for pair in zip(raws, certificates, strict=True)] == expected
        results = validator.validate_many(raws, certificates=certificates, threads=2)
        return [getattr(result, "reason", Reason.OK) for result in results] == expected

    for _ in range(3):
        assert in_threads(work) == [True] * THREADS


def test_clock_that_moves_meanwhile(place: Any) -> None:
    """Between two looks at the clock only the answers of the one or the other are right."""
    validator = place.validator(cache=TINY)
    raw = place.token(lifetime=100)
    start = place.now
    try:

        def work(number: int) -> set[Reason]:
            found = set()
            for step in range(200):
                if number == 0:
                    place.clock.set(start + 200 * (step % 2))
                else:
                    found.add(verdict(validator, raw, None))
            return found

        assert set().union(*in_threads(work)) <= {Reason.OK, Reason.TOKEN_EXPIRED}
        place.clock.set(start + 200)
        assert verdict(validator, raw, None) is Reason.TOKEN_EXPIRED
        assert validator.stats()["cache"]["entries"] == 0
    finally:
        place.clock.set(start)


def test_many_headers_and_certificates_at_once(place: Any) -> None:
    """More of both than are remembered, while others fill and clear the same memos."""
    key = SigningKey.generate("HS256")
    keys = keybound.JWKSet.from_json({"keys": [key.verification_jwk()]})
    validator = place.validator(keys=keys, algorithms=["HS256"], cache=None)
    certificates = [b"\x30\x82\x02\x00" + i.to_bytes(4, "big") * 128 for i in range(1200)]
    tokens = [place.token(key=key, header={"x": i}, certificate=der) for i, der in enumerate(certificates)]

    def work(number: int) -> list[Reason]:
        wrong = []
        for step in range(number, number + 1200, 3):
            at, other = step % 1200, (step + 1 + number) % 1200
            if verdict(validator, tokens[at], certificates[at][:-1] + certificates[at][-1:]) is not Reason.OK:
                wrong.append(at)
            if verdict(validator, tokens[at], certificates[other]) is not Reason.CERTIFICATE_MISMATCH:
                wrong.append(other)
        return wrong

    assert in_threads(work) == [[]] * THREADS


def test_claims_read_first_by_all_at_once(place: Any) -> None:
    validator = place.validator()
    for _ in range(30):
        raw = place.token(nested={"a": [{"b": [1, 2, {"c": "x" * 50}]}]}, escaped='"\\ü')
        token = validator.validate(raw)

        def read(number: int, token: keybound.AccessToken = token) -> tuple[Any, ...]:
            if number % 2:
                one = token.claim("nested")
                return token.claims, one, token.header, token.subject
            return token.claims, token.claims["nested"], token.header, token.claims["sub"]

        results = in_threads(read)
        assert all(result == results[0] for result in results)
        assert {type(claims) for claims, *_ in results} == {FrozenDict}
        assert results[0][0]["escaped"] == '"\\ü'
        # Whoever lost the race, from now on there is one.
        assert token.claims is token.claims is validator.validate(raw).claims


def test_tokens_are_let_go_while_others_read_them(place: Any) -> None:
    """A token stays whole for whoever holds it, also when the cache drops it and its neighbours."""
    validator = place.validator(cache=keybound.CacheSettings(entries=2))
    raws = [place.token(jti=str(number)) for number in range(6)]

    def work(number: int) -> bool:
        good = True
        for step in range(200):
            at = (step + number) % len(raws)
            token = validator.validate(raws[at])
            if step % 3 == 0:
                validator.clear_cache()
            good &= token.claims["jti"] == str(at) == token.claim("jti")
        return good

    assert in_threads(work) == [True] * THREADS


@pytest.mark.parametrize("alg", ["HS256", "RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"])
def test_signatures_of_one_key_at_once(place: Any, alg: str) -> None:
    """While the table of a hot key is built, and after that; forged and good ones by turns."""
    key = SigningKey.generate(alg, shared=True)
    keys = keybound.JWKSet.from_json({"keys": [key.verification_jwk()]})
    validator = place.validator(keys=keys, algorithms=[alg], cache=None)
    header = {"alg": alg, "typ": "at+jwt", "kid": key.kid}
    good = [make_token(header, place.claims(jti=str(number)), key) for number in range(4)]
    forged = []
    for raw in good:
        head, payload, _ = raw.split(".")
        other = good[(good.index(raw) + 1) % len(good)].split(".")[2]
        forged.append(f"{head}.{payload}.{other}")

    def work(number: int) -> bool:
        right = True
        for step in range(40):
            at = (step + number) % 4
            right &= verdict(validator, good[at], None) is Reason.OK
            right &= verdict(validator, forged[at], None) is Reason.SIGNATURE_INVALID
        return right

    assert in_threads(work) == [True] * THREADS
