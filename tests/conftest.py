"""One world that most tests share, and a judge that puts every token before everybody who judges."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings

import keybound
from keybound._hotpath.contract import EmbeddedKey
from keybound._hotpath.pure import base64url
from keybound.binding import proof_of
from keybound.jose.embedded import embedded_jwk
from keybound.testing import CertificateAuthority, FakeClock, FakeIssuer, SigningKey, dpop_proof, make_token

# `KEYBOUND_HYPOTHESIS=long pytest` looks twenty times as far.
for name, examples in (("default", 200), ("long", 4000)):
    settings.register_profile(
        name, max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
settings.load_profile(os.environ.get("KEYBOUND_HYPOTHESIS", "default"))

ISSUER = "https://as.example.com/tenant"
AUDIENCE = "https://rs.example.com/"


class Proof(NamedTuple):
    """A DPoP proof as text, the token that it was made for, and who validates it."""

    text: str
    beside: str | None
    validator: keybound.DPoPProofValidator

    def validated(self) -> keybound.DPoPProof:
        return self.validator.validate(
            self.text, method="GET", url="https://rs.example.com/resource", access_token=self.beside
        )


class World:
    """An issuer that signs with ES256, two clients with certificates, and a clock that stands still."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.issuer = FakeIssuer(ISSUER, alg="ES256", clock=self.clock)
        self.key = self.issuer.key
        self.keys = keybound.JWKSet.from_json(self.issuer.jwks())
        authority = CertificateAuthority()
        self.client = authority.issue_client("client-1")
        self.dpop_key = SigningKey.generate("ES256")
        self.stranger = authority.issue_client("client-2")

        self.proofs = keybound.DPoPProofValidator(
            algorithms=["ES256", "PS256", "Ed25519"], replay=None, clock=self.clock
        )

    @property
    def now(self) -> float:
        return self.clock()

    def validator(self, **options: Any) -> keybound.AccessTokenValidator:
        usual = {"issuer": ISSUER, "audience": AUDIENCE, "algorithms": ["ES256"]}
        return keybound.AccessTokenValidator(**usual | {"keys": self.keys, "clock": self.clock} | options)

    def token(self, **options: Any) -> str:
        """A good token; options as for :meth:`FakeIssuer.access_token`."""
        return self.issuer.access_token(**{"audience": AUDIENCE} | options)

    def header(self, **parameters: Any) -> dict[str, Any]:
        return {"alg": self.key.alg, "typ": "at+jwt", "kid": self.key.kid} | parameters

    def claims(self, **claims: Any) -> dict[str, Any]:
        now = int(self.now)
        return {"iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "iat": now, "exp": now + 300} | claims

    def proof(self, raw: Any, *, key: SigningKey | None = None) -> Proof:
        """A DPoP proof made for a token, or for none."""
        text = dpop_proof(key or self.dpop_key, access_token=raw, clock=self.clock)
        return Proof(text, raw, self.proofs)

    def forge(self, *, header: Any = None, payload: Any = None, **options: Any) -> str:
        """A token of exactly these parts, signed; see :func:`keybound.testing.make_token`."""
        header = self.header() if header is None else header
        payload = self.claims() if payload is None else payload
        return make_token(header, payload, options.pop("key", self.key), **options)

    def with_text(self, extra: str, *, instead_of: str | None = None) -> str:
        """A signed token with ``extra`` as the first text of its claims, or in place of one member."""
        claims = self.claims()
        claims.pop(instead_of, None)
        text = json.dumps(claims)
        return self.forge(payload=f"{{{extra},{text[1:]}".encode())


@pytest.fixture(scope="session")
def world() -> World:
    return World()


def twin_names() -> Iterator[str]:
    yield "pure"
    try:
        importlib.import_module("keybound._hotpath.native.token")
    except ModuleNotFoundError:
        if os.environ.get("KEYBOUND_REQUIRE_NATIVE", "0") not in ("", "0"):
            raise
    else:
        yield "native"


TWINS = tuple(twin_names())


class Verdict(Exception):
    """What a validator of the hot path says instead of an exception of Keybound."""


class Twin:
    """One twin, with what several tests load of it."""

    def __init__(self, name: str) -> None:
        self.signature, self.road, self.cache, self.self_signed = (
            importlib.import_module(f"keybound._hotpath.{name}.{module}")
            for module in ("signature", "token", "cache", "self_signed")
        )

    def embedded_key(self, header: Any) -> EmbeddedKey | int:
        """What :func:`keybound.jose.embedded.load_embedded_key` is to the twin in use."""
        key = embedded_jwk(header)
        if isinstance(key, int):
            return key
        handle = self.signature.load_key(key._kind, key._material)
        return EmbeddedKey(handle, base64url.decode(key.thumbprint()))

    def open_proofs(self, validator: keybound.DPoPProofValidator) -> Any:
        """The road of DPoP proofs as ``validator`` has it."""
        rules = validator.policy.header_rules(), validator.policy.claim_rules()
        return self.self_signed.SelfSignedPolicy(*rules, self.embedded_key)


@functools.cache
def twin(name: str) -> Twin:
    return Twin(name)


class Road:
    """The road of one twin, with its cache, laid for a validator that was made for the backend in use."""

    def __init__(self, name: str, validator: keybound.AccessTokenValidator) -> None:
        self.twin = twin(name)
        self.road = self.twin.road
        self.keys = self.road.KeyIndex(
            (key.kid, self.twin.signature.load_key(key._kind, key._material), key._mask)
            for key in validator.keys.keys
        )
        rules = validator.policy.header_rules(), validator.policy.claim_rules()
        self.policy = self.road.CompiledPolicy(*rules)
        self.clock = validator.clock
        self.validator = self.road.Validator(
            self.road.CompiledPolicy(*rules),
            source=None,
            static_keys=self.keys,
            clock=self.clock,
            to_proof=proof_of,
            reject=Verdict,
            cache=self.twin.cache.TokenCache(keybound.CacheSettings()),
        )

    def verdict(self, raw: object, certificate: Any, proof: Proof | None = None) -> int:
        """The verdict of one call; a validator with a cache says the same, and says it again."""
        dpop = None if proof is None else self.open_proof(proof)
        jkt = self.road.thumbprint_beside(dpop, raw)
        result = self.road.validate(self.policy, self.keys, raw, self.clock(), proof_of(certificate), jkt)
        verdict = int(result) if isinstance(result, int) else int(keybound.Reason.OK)
        assert [self.present(raw, certificate, dpop) for _ in range(2)] == [verdict] * 2
        return verdict

    def open_proof(self, proof: Proof) -> Any:
        opened = self.twin.self_signed.validate(
            self.twin.open_proofs(proof.validator), proof.text, self.clock(), proof.beside
        )
        assert isinstance(opened, self.road.SelfSignedToken)
        return opened

    def present(self, raw: Any, certificate: Any, dpop: Any = None) -> int:
        try:
            self.validator.validate(raw, certificate=certificate, dpop=dpop)
        except Verdict as verdict:
            return int(verdict.args[0])
        return int(keybound.Reason.OK)


@functools.lru_cache(maxsize=512)
def lay(name: str, validator: keybound.AccessTokenValidator) -> Road:
    return Road(name, validator)


class Judge:
    """Puts a token before both twins, the public API and ``explain``, who must all agree."""

    def __init__(self, world: World) -> None:
        self.world = world

    def verdicts(
        self,
        validator: keybound.AccessTokenValidator,
        raw: object,
        certificate: Any = None,
        proof: Proof | None = None,
    ) -> set[int]:
        return {lay(name, validator).verdict(raw, certificate, proof) for name in TWINS}

    def accepts(
        self,
        raw: Any,
        *,
        certificate: Any = None,
        proof: Proof | None = None,
        validator: Any = None,
        **options: Any,
    ) -> keybound.AccessToken:
        validator = validator or self.world.validator(**options)
        presented = {"certificate": certificate, "dpop": proof and proof.validated()}
        assert self.verdicts(validator, raw, certificate, proof) == {keybound.Reason.OK}
        assert validator.explain(raw, **presented).reason is keybound.Reason.OK
        # The second answer may come from the cache.
        first, second = (validator.validate(raw, **presented) for _ in range(2))
        assert first.claims == second.claims
        return second

    def rejects(
        self,
        raw: Any,
        reason: keybound.Reason,
        *,
        certificate: Any = None,
        proof: Proof | None = None,
        claim: str | None = None,
        validator: Any = None,
        **options: Any,
    ) -> keybound.TokenRejected:
        validator = validator or self.world.validator(**options)
        presented = {"certificate": certificate, "dpop": proof and proof.validated()}
        with pytest.raises(keybound.TokenRejected) as caught:
            validator.validate(raw, **presented)
        assert caught.value.reason is reason
        assert caught.value.claim == claim
        low_bits = {verdict & 0xFFFF for verdict in self.verdicts(validator, raw, certificate, proof)}
        assert low_bits == {reason}
        explanation = validator.explain(raw, **presented)
        assert explanation.reason is reason
        assert_no_text_of(raw, [repr(explanation), *texts_of(caught.value)])
        return caught.value


@pytest.fixture(scope="session")
def judge(world: World) -> Judge:
    return Judge(world)


class Package:
    """The whole package on one twin: the one in use, or a second one beside it in pure Python."""

    def __init__(self, twin: str) -> None:
        self.in_use = twin == keybound.BACKEND
        self.modules: dict[str, ModuleType] = {}
        self.keybound = keybound
        if not self.in_use:
            with self.at_work(), pytest.MonkeyPatch.context() as patch:
                patch.delenv("KEYBOUND_REQUIRE_NATIVE", raising=False)
                patch.setenv("KEYBOUND_PURE", "1")
                self.keybound = importlib.import_module("keybound")

    @contextlib.contextmanager
    def at_work(self) -> Iterator[ModuleType]:
        """Lets everything be imported from this package, also what is imported late."""
        if self.in_use:
            yield self.keybound
            return
        aside = take_package_out()
        sys.modules.update(self.modules)
        try:
            yield self.keybound
        finally:
            self.modules = take_package_out()
            sys.modules.update(aside)


def take_package_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.split(".")[0] == "keybound"]
    return {name: sys.modules.pop(name) for name in names}


@pytest.fixture(scope="session")
def packages() -> tuple[Package, ...]:
    """The package on every twin there is; where pure Python is in use, that is all."""
    return tuple(Package(twin) for twin in dict.fromkeys(("pure", keybound.BACKEND)))


@pytest.fixture(params=list(dict.fromkeys(("pure", keybound.BACKEND))))
def package(request: pytest.FixtureRequest, packages: tuple[Package, ...]) -> Iterator[ModuleType]:
    """The package on one twin after the other, for tests that present several tokens to one validator."""
    chosen = packages[0] if request.param == "pure" else packages[-1]
    with chosen.at_work() as at_work:
        yield at_work


Make = Callable[..., Any]
"""Makes a validator: of this package, with these options in place of the usual ones."""


class KindJudge:
    """Puts what any validator is given before every twin of the package, whose whole answers must agree.

    A validator is made anew for each call, so that none remembers what another one was shown.
    """

    def __init__(self, packages: tuple[Package, ...], make: Make) -> None:
        self.packages = packages
        self.make = make

    def accepts(
        self, raw: Any, *, options: dict[str, Any] | None = None, method: str = "validate", **beside: Any
    ) -> Any:
        """The result of the package in use."""
        results = {}
        for package in self.packages:
            with package.at_work():
                for way in self.ways(package, options, method):
                    results[package.in_use, way] = self.call(package, raw, options, way, beside)
        assert len({repr(result) for result in results.values()}) == 1
        assert len({json.dumps(said_by(result)) for result in results.values()}) == 1
        return results[True, method]

    def rejects(
        self,
        raw: Any,
        reason: keybound.Reason,
        *,
        claim: str | None = None,
        options: dict[str, Any] | None = None,
        method: str = "validate",
        **beside: Any,
    ) -> keybound.TokenRejected:
        """What the package in use raises."""
        errors = {}
        for package in self.packages:
            with package.at_work():
                for way in self.ways(package, options, method):
                    with pytest.raises(package.keybound.TokenRejected) as caught:
                        self.call(package, raw, options, way, beside)
                    errors[package.in_use, way] = caught.value
        for error in errors.values():
            assert (str(error.reason), error.claim) == (str(reason), claim)
            assert_no_text_of(raw, texts_of(error))
        assert len({(error.error, error.status) for error in errors.values()}) == 1
        return errors[True, method]

    def ways(self, package: Package, options: dict[str, Any] | None, method: str) -> list[str]:
        """The method, and its twin for event loops where there is one."""
        waiting = f"a{method}"
        kind = type(self.make(package.keybound, **(options or {})))
        return [method, waiting] if hasattr(kind, waiting) else [method]

    def call(
        self, package: Package, raw: Any, options: dict[str, Any] | None, way: str, beside: dict[str, Any]
    ) -> Any:
        result = getattr(self.make(package.keybound, **(options or {})), way)(raw, **beside)
        return asyncio.run(result) if inspect.iscoroutine(result) else result


def said_by(result: Any) -> Any:
    """What a verified token or response says."""
    return result.claims if hasattr(result, "claims") else result.parameters


@pytest.fixture(scope="session")
def judge_of(packages: tuple[Package, ...]) -> Callable[[Make], KindJudge]:
    """``judge_of(make)``: a judge of validators that ``make(package, **options)`` makes."""
    return functools.partial(KindJudge, packages)


def texts_of(error: BaseException) -> list[str]:
    """Everything a logger could print about an exception, and what hangs on it."""
    texts = [str(error), repr(error), repr(error.args), repr(vars(error)), *traceback.format_exception(error)]
    for chained in (error.__cause__, error.__context__):
        texts += [] if chained is None else texts_of(chained)
    return texts


def assert_no_text_of(raw: object, texts: list[str]) -> None:
    """No run of 12 characters of a token segment may appear."""
    text = raw.decode("latin-1") if isinstance(raw, bytes) else raw
    if not isinstance(text, str):
        return
    for segment in text.split(".", 8):
        for at in {0, len(segment) // 2, len(segment) - 12}:
            piece = segment[at : at + 12]
            assert len(piece) < 12 or not any(piece in printed for printed in texts)


@pytest.fixture(scope="session")
def leaks_nothing() -> Any:
    """``leaks_nothing(raw, error)``: nothing printed about the exception holds token text."""
    return lambda raw, error: assert_no_text_of(raw, texts_of(error))


@pytest.fixture(scope="session")
def twin_of() -> Any:
    """``twin_of("pure")``, ``twin_of("native")``."""
    return twin


@pytest.fixture(scope="session")
def twins_there_are() -> tuple[str, ...]:
    return TWINS
