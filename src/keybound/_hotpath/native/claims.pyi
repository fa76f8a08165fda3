from typing import final

from keybound._hotpath.contract import ClaimRules

@final
class CompiledClaims:
    def __init__(self, rules: ClaimRules) -> None: ...

def check(
    rules: CompiledClaims,
    payload: bytes,
    json_depth: int,
    now: float,
    proof: bytes | None,
    jkt: bytes | None = None,
) -> int: ...
def compile_rules(rules: ClaimRules) -> CompiledClaims: ...
def thumbprint_verdict(expected: str, proof: bytes | None) -> int: ...
