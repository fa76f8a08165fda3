"""What an application does with each library in the scenes of ``field.py``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import outages

import keybound
from keybound.limits import DEFAULT_CACHE
from keybound.stores import MemoryReplayStore
from keybound.testing import IssuerServer

__all__ = ["CLIENTS", "Keybound", "PyJWT", "PyJWTCachingKeys"]

PROOF_URL = "https://rs.example.com/resource"


class Keybound(outages.Keybound):
    """With the cache of verified tokens that a validator has by default."""

    verifies_each = outages.Keybound
    """The client without it, where the keys are what a scene is about."""

    def __init__(self, server: IssuerServer) -> None:
        self.later = 0.0
        super().__init__(server, cache=DEFAULT_CACHE, clock=self.time)

    def time(self) -> float:
        return time.time() + self.later

    def let_token_expire(self, expires_at: float) -> None:
        self.later = expires_at + self.validator.policy.leeway + 1 - time.time()

    def let_keys_die(self) -> None:
        self.clock.advance(3601)

    def present(self, raw: str, certificate: bytes | None = None) -> object:
        return self.validator.validate(raw, certificate=certificate)

    def other_audience(self) -> Callable[[str], object]:
        return self._beside(audience="https://other.example.com").validate

    def bound_tokens_only(self) -> Callable[[str], object]:
        return self._beside(binding="required").validate

    def _beside(self, **options: Any) -> keybound.AccessTokenValidator:
        usual = {"audience": outages.AUDIENCE, "algorithms": ["ES256"]} | options
        return keybound.AccessTokenValidator(
            issuer=self.validator.policy.issuer, keys=self.keys, clock=self.time, **usual
        )

    def accepted_of(self, raws: Sequence[str]) -> int:
        results = self._beside(cache=None).validate_many(raws)
        return sum(isinstance(result, keybound.AccessToken) for result in results)

    def proofs(self) -> Callable[[str], object]:
        validator = keybound.DPoPProofValidator(algorithms=["ES256"], replay=MemoryReplayStore())
        return lambda proof: validator.validate(proof, method="GET", url=PROOF_URL)

    @contextmanager
    def signature_count(self) -> Iterator[Callable[[], int]]:
        """A token that the cache does not answer for costs one signature operation."""
        before = self.validator.stats()["cache"]["misses"]
        yield lambda: self.validator.stats()["cache"]["misses"] - before

    @staticmethod
    def is_verdict(error: Exception) -> bool:
        return isinstance(error, keybound.TokenRejected)

    @staticmethod
    def name_of(error: Exception) -> str:
        return str(error.reason) if isinstance(error, keybound.TokenRejected) else type(error).__name__


class PyJWT(outages.PyJWT):
    """As its documentation shows it. Where it has no such feature: the validation that it has."""

    verifies_each: type[outages.PyJWT] = outages.PyJWT

    def let_token_expire(self, expires_at: float) -> None:
        time.sleep(max(expires_at - time.time(), 0) + 0.1)

    def let_keys_die(self) -> None:
        self.let_keys_expire()

    def present(self, raw: str, certificate: bytes | None = None) -> object:
        return self.validate(raw)

    def other_audience(self) -> Callable[[str], object]:
        def validate(raw: str) -> object:
            key = self.client.get_signing_key_from_jwt(raw)
            return self.jwt.decode(
                raw, key, algorithms=["ES256"], audience="https://other.example.com", issuer=self.issuer
            )

        return validate

    def bound_tokens_only(self) -> Callable[[str], object]:
        return self.validate

    def accepted_of(self, raws: Sequence[str]) -> int:
        return sum(1 for raw in raws if self.validate(raw))

    def proofs(self) -> Callable[[str], object]:
        def validate(proof: str) -> object:
            key = self.jwt.PyJWK(self.jwt.get_unverified_header(proof)["jwk"], "ES256")
            return self.jwt.decode(proof, key, algorithms=["ES256"])

        return validate

    @contextmanager
    def signature_count(self) -> Iterator[Callable[[], int]]:
        algorithm = self.jwt.algorithms.ECAlgorithm
        verify, calls = algorithm.verify, []

        def counted(*arguments: Any) -> bool:
            calls.append(None)
            return bool(verify(*arguments))

        algorithm.verify = counted
        try:
            yield lambda: len(calls)
        finally:
            algorithm.verify = verify

    def is_verdict(self, error: Exception) -> bool:
        # It says of an unknown kid what it says of keys that cannot be fetched, in a class above.
        unknown_kid = type(error) is self.jwt.PyJWKClientError
        return isinstance(error, self.jwt.InvalidTokenError) or unknown_kid

    @staticmethod
    def name_of(error: Exception) -> str:
        return type(error).__name__


class PyJWTCachingKeys(PyJWT, outages.PyJWTCachingKeys):
    """With the cache that spares its lock to those who know the key, and has no bound in time."""

    verifies_each = outages.PyJWTCachingKeys


CLIENTS: tuple[Any, ...] = (PyJWT, PyJWTCachingKeys, Keybound)
