"""Tokens signed with the key in their own header (RFC 7515, 4.1.3), such as DPoP proofs (RFC 9449, 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from keybound._hotpath.compact import split
from keybound._hotpath.contract import REMEMBERED_EMBEDDED_KEYS, ClaimRules, EmbeddedKey, HeaderRules
from keybound._hotpath.header import Header
from keybound._hotpath.pure import base64url, claims, signature
from keybound._hotpath.pure.token import CompiledHeader, SelfSignedToken
from keybound.errors import Reason

__all__ = ["SelfSignedPolicy", "validate"]

OK = int(Reason.OK)


class SelfSignedPolicy:
    """Rules prepared for :func:`validate`, with a memo of keys that have signed a good token."""

    __slots__ = ("_claim_rules", "_header", "_known", "_load_key", "_older", "_result_type")

    def __init__(
        self,
        header_rules: HeaderRules,
        claim_rules: ClaimRules,
        load_key: Callable[[Header], EmbeddedKey | int],
        result_type: type[SelfSignedToken] = SelfSignedToken,
    ) -> None:
        """:param load_key: the key in a header that has passed its rules, or the reason why there is none"""
        self._header = CompiledHeader(header_rules)
        self._claim_rules = claims.compile_rules(claim_rules)
        self._load_key = load_key
        self._result_type = result_type
        self._known: dict[bytes, tuple[Header, EmbeddedKey]] = {}
        self._older: dict[bytes, tuple[Header, EmbeddedKey]] = {}

    def _find(self, encoded: bytes) -> tuple[Header, EmbeddedKey] | int:
        known = self._known.get(encoded) or self._older.get(encoded)
        if known is not None:
            return known
        header = self._header.parse(encoded)
        if isinstance(header, int):
            return header
        key = self._load_key(header)
        return key if isinstance(key, int) else (header, key)

    def _keep(self, encoded: bytes, known: tuple[Header, EmbeddedKey]) -> None:
        """Keep a key whose signature verified, in place of those that were not seen for longest."""
        if encoded not in self._known:
            if len(self._known) >= REMEMBERED_EMBEDDED_KEYS // 2:
                self._older, self._known = self._known, {}
            self._known[encoded] = known


def validate(policy: SelfSignedPolicy, raw: object, now: float, beside: str | None) -> SelfSignedToken | int:
    """Validate a token that carries its key: a verified token or a verdict.

    :param raw: the token as ``str`` or ``bytes``
    :param now: seconds since 1970-01-01T00:00:00Z
    :param beside: the token that it was presented with, which the result remembers
    """
    parts = split(policy._header.rules, raw)
    if isinstance(parts, int):
        return parts
    known = policy._find(parts[0])
    if isinstance(known, int):
        return known
    header, key = known
    proof, payload = base64url.decode(parts[2]), base64url.decode(parts[1])
    if proof is None or payload is None:
        return Reason.BASE64URL_INVALID
    family, bits = header.algorithm.family, header.algorithm.bits
    if not signature.verify(key.handle, family, bits, b"%b.%b" % parts[:2], proof):
        return Reason.SIGNATURE_INVALID
    policy._keep(parts[0], known)
    verdict = claims.check(policy._claim_rules, payload, policy._header.rules.json_depth, now, None)
    if verdict != OK:
        return verdict
    token = object.__new__(cast(Any, policy._result_type))
    for name, value in (
        ("_header", header),
        ("_payload", payload),
        ("_claims", None),
        ("_old_secret", False),
        ("_digest", key.thumbprint),
        ("_beside", beside),
        ("_allowed", policy._header.rules),
    ):
        object.__setattr__(token, name, value)
    return cast(SelfSignedToken, token)
