"""JSON Web Signature (RFC 7515), verification only: compact, flattened and general serialization.

Nothing here looks at claims; for tokens use a validator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from keybound._hotpath import base64url, strict_json, token
from keybound._hotpath.compact import split
from keybound._hotpath.contract import HeaderRules
from keybound._hotpath.header import Header, check_fields, decode_header
from keybound.errors import PolicyError, Reason, rejection
from keybound.frozen import FrozenDict
from keybound.jose.algorithms import select
from keybound.jose.json_document import load_document
from keybound.jose.jwk import JWK
from keybound.jose.jwk_set import JWKSet
from keybound.limits import DEFAULT_LIMITS, MAX_SIGNATURES, Limits

__all__ = ["VerifiedJWS", "verify", "verify_json"]

_OK = int(Reason.OK)
_MAX_RULES = 64


@dataclass(frozen=True, repr=False)
class VerifiedJWS:
    """What a verified signature covers.

    :ivar header: header of the signature that verified: its protected parameters and, in the JSON
        serializations, the unprotected ones
    :ivar payload: the payload, decoded
    """

    header: FrozenDict
    payload: bytes


def verify(
    compact: str | bytes,
    keys: JWKSet | JWK,
    *,
    algorithms: Iterable[str],
    detached_payload: bytes | None = None,
    allow_unencoded_payload: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> VerifiedJWS:
    """Verify a JWS in the compact serialization (RFC 7515, 7.1).

    :param algorithms: allow-list of ``alg`` values
    :param detached_payload: the payload, where the token was sent without it (RFC 7515, F)
    :param allow_unencoded_payload: understand ``b64=false`` (RFC 7797)
    :raises TokenRejected: it does not verify
    :raises PolicyError: ``keys`` or ``algorithms`` cannot be used

    >>> import keybound
    >>> keys = keybound.JWKSet.from_secret(b"a secret of at least 32 bytes, shared", alg="HS256")
    >>> keybound.jws.verify("eyJhbGciOiJub25lIn0.e30.", keys, algorithms=["HS256"])
    Traceback (most recent call last):
    keybound.errors.HeaderRejected: The algorithm of the token is not allowed [alg_not_allowed]
    """
    key_set = _key_set(keys)
    index = key_set._index
    compiled = _compiled(key_set, _rules(algorithms, allow_unencoded_payload, limits))
    if detached_payload is None:
        opened = token.open_token(compiled, index, compact)
    else:
        opened = _open_detached(compiled, index, compact, _payload_bytes(detached_payload, limits))
    if isinstance(opened, int):
        raise rejection(opened)
    return VerifiedJWS(opened[0].fields, opened[1])


def verify_json(
    document: str | bytes | Mapping[str, Any],
    keys: JWKSet | JWK,
    *,
    algorithms: Iterable[str],
    detached_payload: bytes | None = None,
    allow_unencoded_payload: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> VerifiedJWS:
    """Verify a JWS in the flattened or general JSON serialization (RFC 7515, 7.2).

    One good signature suffices; the header returned is that signature's. ``alg``, ``crit`` and
    ``b64`` count only where they are protected. The parameters are those of :func:`verify`.

    :raises TokenRejected: no signature verifies, or the document is malformed
    :raises PolicyError: ``keys`` or ``algorithms`` cannot be used
    """
    index = _key_set(keys)._index
    rules = _rules(algorithms, allow_unencoded_payload, limits)
    members = load_document(document, limits, Reason.SERIALIZATION_INVALID)
    if "payload" in members and detached_payload is not None:
        raise rejection(Reason.PAYLOAD_NOT_DETACHED)
    if "payload" not in members and detached_payload is None:
        raise rejection(Reason.PAYLOAD_MISSING)
    detached = None if detached_payload is None else _payload_bytes(detached_payload, limits)
    entries = [_Entry.read(rules, entry) for entry in _entries(members)]
    # RFC 7797, 3: b64 must have one value for all signatures, also for those that will not verify.
    if len({entry.protected.get("b64") is False for entry in entries}) > 1:
        raise rejection(Reason.SERIALIZATION_INVALID)
    verdicts = []
    for entry in entries:
        header = entry.check(rules)
        if isinstance(header, int):
            verdicts.append(header)
            continue
        content = _content(members.get("payload"), detached, header)
        opened = token.open_parts(header, index, entry.encoded, content, entry.signature)
        if isinstance(opened, tuple):
            return VerifiedJWS(opened[0].fields, opened[1])
        verdicts.append(opened)
    # The signature that came furthest tells most.
    raise rejection(max(verdicts))


def _key_set(keys: JWKSet | JWK) -> JWKSet:
    if isinstance(keys, JWK):
        return JWKSet([keys])
    if not isinstance(keys, JWKSet):
        raise PolicyError("keys must be a keybound.JWKSet or JWK")
    return keys


def _names(algorithms: Iterable[str]) -> tuple[str, ...]:
    # A string would pass as a tuple of letters; select() refuses it by its type.
    if isinstance(algorithms, str) or not isinstance(algorithms, Iterable):
        select(algorithms)
    names = tuple(algorithms)
    if not all(isinstance(name, str) for name in names):
        select(names)
    return names


def _rules(algorithms: Iterable[str], b64: bool, limits: Limits) -> HeaderRules:
    if not isinstance(limits, Limits):
        raise PolicyError("limits must be a keybound.Limits")
    # "false" from an environment variable would be true.
    if type(b64) is not bool:
        raise PolicyError("allow_unencoded_payload must be True or False")
    return _checked_rules(_names(algorithms), b64, limits)


def _compiled(keys: JWKSet, rules: HeaderRules) -> token.CompiledHeader:
    """The rules with the memo of headers seen with these keys; kept by the key set, to die with it."""
    compiled = keys._compiled.get(rules)
    if compiled is None:
        if len(keys._compiled) >= _MAX_RULES:
            keys._compiled.clear()
        compiled = keys._compiled[rules] = token.CompiledHeader(rules)
    return compiled


@lru_cache(maxsize=_MAX_RULES)
def _checked_rules(algorithms: tuple[str, ...], b64: bool, limits: Limits) -> HeaderRules:
    return HeaderRules(
        algorithms=select(algorithms),
        b64=b64,
        token_bytes=limits.token_bytes,
        header_bytes=limits.header_bytes,
        json_depth=limits.json_depth,
    )


def _payload_bytes(payload: bytes, limits: Limits) -> bytes:
    if not isinstance(payload, bytes):
        raise PolicyError("a detached payload is bytes")
    if len(payload) > limits.token_bytes:
        raise rejection(Reason.TOKEN_TOO_LARGE)
    return bytes(payload)


def _open_detached(
    compiled: token.CompiledHeader, index: token.KeyIndex, compact: str | bytes, payload: bytes
) -> tuple[Header, bytes] | int:
    parts = split(compiled.rules, compact)
    if isinstance(parts, int):
        return parts
    protected, attached, signature = parts
    if attached:
        return Reason.PAYLOAD_NOT_DETACHED
    header = compiled.parse(protected)
    if isinstance(header, int):
        return header
    return token.open_parts(header, index, protected, _content(None, payload, header), signature)


def _content(attached: str | None, detached: bytes | None, header: Header) -> bytes:
    """The payload as it stands in the signing input (RFC 7515, 5.1; RFC 7797, 3)."""
    if detached is not None:
        return base64url.encode(detached).encode() if header.b64 else detached
    # An encoded payload is ASCII; what is not will fail to decode. Unencoded text is UTF-8 (RFC 7797, 5).
    return (attached or "").encode()


def _entries(members: dict[str, Any]) -> list[dict[str, Any]]:
    """The signatures of the document; flattened and general form exclude each other (RFC 7515, 7.2.2)."""
    payload = members.get("payload", "")
    flattened, listed = "signature" in members, members.get("signatures")
    if not isinstance(payload, str) or flattened == ("signatures" in members):
        raise rejection(Reason.SERIALIZATION_INVALID)
    if flattened:
        return [members]
    stray = "protected" in members or "header" in members
    if stray or not isinstance(listed, list) or not 1 <= len(listed) <= MAX_SIGNATURES:
        raise rejection(Reason.SERIALIZATION_INVALID)
    if not all(isinstance(entry, dict) for entry in listed):
        raise rejection(Reason.SERIALIZATION_INVALID)
    return listed


class _Entry(NamedTuple):
    """One signature of a JSON serialization (RFC 7515, 7.2.1), or the reason why it is none."""

    reason: int
    encoded: bytes = b""
    signature: bytes = b""
    protected: Mapping[str, Any] = MappingProxyType({})
    unprotected: Mapping[str, Any] = MappingProxyType({})

    @classmethod
    def read(cls, rules: HeaderRules, entry: dict[str, Any]) -> _Entry:
        protected, signature = entry.get("protected", ""), entry.get("signature")
        unprotected = entry.get("header", {})
        if not (isinstance(protected, str) and isinstance(signature, str) and isinstance(unprotected, dict)):
            return cls(Reason.SERIALIZATION_INVALID)
        # RFC 7515, 7.2.1: an empty header is left out, never sent as an empty string or object.
        if ("protected" in entry and not protected) or ("header" in entry and not unprotected):
            return cls(Reason.SERIALIZATION_INVALID)
        if not protected.isascii() or not signature.isascii():
            return cls(Reason.BASE64URL_INVALID)
        encoded = protected.encode()
        reason, fields = decode_header(rules, encoded, base64url, strict_json) if protected else (_OK, {})
        if reason != _OK:
            return cls(reason)
        if not fields.keys().isdisjoint(unprotected):
            return cls(Reason.HEADER_MEMBER_REPEATED)
        return cls(_OK, encoded, signature.encode(), fields, unprotected)

    def check(self, rules: HeaderRules) -> Header | int:
        if self.reason != _OK:
            return self.reason
        return check_fields(rules, {**self.protected, **self.unprotected}, self.protected)
