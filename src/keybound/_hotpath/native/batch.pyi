from typing import Any

from keybound._hotpath.native.token import Validator, VerifiedToken

def validate_many(
    validator: Validator[Any],
    raws: list[Any],
    certificates: list[Any],
    dpop_proofs: list[Any],
    threads: int,
) -> list[VerifiedToken | int]: ...
