from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar, final

from keybound._hotpath.contract import ClaimRules, HeaderRules
from keybound._hotpath.header import Header
from keybound._hotpath.native.cache import TokenCache
from keybound._hotpath.native.claims import CompiledClaims
from keybound._hotpath.native.signature import VerifyKey
from keybound.binding.certificate import Certificate
from keybound.clock import Clock
from keybound.frozen import FrozenDict

@final
class KeyIndex:
    def __init__(self, entries: Iterable[tuple[str | None, VerifyKey, int]]) -> None: ...
    def candidates(self, kid: str | None, index: int) -> tuple[VerifyKey, ...] | int: ...
    def is_old_secret(self, key: VerifyKey, index: int) -> bool: ...

class VerifiedToken:
    def __init__(self) -> None: ...
    @property
    def header(self) -> FrozenDict: ...
    @property
    def claims(self) -> FrozenDict: ...
    @property
    def old_secret(self) -> bool: ...
    def claim(self, name: str, default: Any = None) -> Any: ...

class SelfSignedToken(VerifiedToken):
    @property
    def thumbprint(self) -> str: ...
    @property
    def allowed_algorithms(self) -> tuple[str, ...]: ...

@final
class CompiledHeader:
    rules: HeaderRules
    def __init__(self, rules: HeaderRules) -> None: ...
    def parse(self, encoded: bytes) -> Header | int: ...

@final
class CompiledPolicy:
    def __init__(
        self, header_rules: HeaderRules, claim_rules: ClaimRules, result_type: type[VerifiedToken] = ...
    ) -> None: ...

def from_claims(
    rules: CompiledClaims,
    result_type: type[VerifiedToken],
    payload: bytes,
    json_depth: int,
    now: float,
    proof: bytes | None,
    jkt: bytes | None = None,
) -> VerifiedToken | int: ...
def open_parts(
    header: Header, keys: KeyIndex, protected: bytes, payload: bytes, encoded_signature: bytes
) -> tuple[Header, bytes] | int: ...
def unverified_issuer(header: CompiledHeader, raw: object) -> str | int: ...
def open_token(header: CompiledHeader, keys: KeyIndex, raw: object) -> tuple[Header, bytes] | int: ...
def thumbprint_beside(dpop: object, raw: object) -> bytes | None: ...
def validate(
    policy: CompiledPolicy,
    keys: KeyIndex,
    raw: object,
    now: float,
    proof: bytes | None,
    jkt: bytes | None = None,
) -> VerifiedToken | int: ...

Result = TypeVar("Result", bound=VerifiedToken)

class Validator(Generic[Result]):
    def __init__(
        self,
        policy: CompiledPolicy,
        *,
        source: Any,
        static_keys: KeyIndex | None,
        clock: Clock,
        to_proof: Callable[[Any], bytes | None],
        reject: Callable[..., Exception],
        cache: TokenCache | None,
        opener: Any = None,
        outcomes: Any = None,
        is_revoked: Callable[[Any], bool] | None = None,
    ) -> None: ...
    def _accepted_alone(self) -> int: ...
    def _situation(self) -> tuple[KeyIndex, float]: ...
    def _conclude(self, result: VerifiedToken | int, dpop: Any = None) -> Result: ...
    def _judge(self, keys: Any, raw: Any, certificate: Any, dpop: Any = None) -> VerifiedToken | int: ...
    def _kid(self, raw: Any) -> str | None: ...
    def validate(
        self,
        raw: str | bytes,
        *,
        certificate: Certificate | None = None,
        dpop: SelfSignedToken | None = None,
    ) -> Result: ...
