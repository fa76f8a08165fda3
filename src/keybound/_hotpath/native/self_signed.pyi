from collections.abc import Callable
from typing import final

from keybound._hotpath.contract import ClaimRules, EmbeddedKey, HeaderRules
from keybound._hotpath.header import Header
from keybound._hotpath.native.token import SelfSignedToken

@final
class SelfSignedPolicy:
    def __init__(
        self,
        header_rules: HeaderRules,
        claim_rules: ClaimRules,
        load_key: Callable[[Header], EmbeddedKey | int],
        result_type: type[SelfSignedToken] = ...,
    ) -> None: ...

def validate(
    policy: SelfSignedPolicy, raw: object, now: float, beside: str | None
) -> SelfSignedToken | int: ...
