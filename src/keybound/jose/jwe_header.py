"""The header of a JWE (RFC 7516, 4), checked in full before any key is touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from keybound._hotpath import base64url
from keybound._hotpath.header import REGISTERED, critical_names, media_type
from keybound.errors import PolicyError, Reason
from keybound.frozen import FrozenDict, freeze
from keybound.jose.jwe_algorithms import (
    ContentEncryption,
    KeyAlgorithm,
    KeyManagement,
    KeyType,
    select_algorithms,
    select_encryptions,
)
from keybound.limits import Limits

__all__ = ["DecryptionRules", "EphemeralKey", "JWEHeader", "check_fields"]

_REGISTERED = REGISTERED | {"enc", "zip", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c"}
"""Names of RFC 7516 section 4.1 and RFC 7518 section 4, which ``crit`` must not list."""

_COORDINATES = {"EC": ("x", "y"), "OKP": ("x",)}
# RFC 7518, 4.7.1: 96 bits, and 128 bits.
_GCM_IV_BYTES, _GCM_TAG_BYTES = 12, 16


@dataclass(frozen=True, kw_only=True)
class DecryptionRules:
    """What a JWE may say of itself.

    :param compression: whether ``zip`` is understood (RFC 7516, 4.1.3)
    :param content_type: the ``cty`` demanded, as :func:`~keybound._hotpath.header.media_type` gives it, or
        ``None`` where it is not looked at
    :param content_type_required: whether a token without ``cty`` is rejected
    """

    algorithms: tuple[KeyAlgorithm, ...]
    encryptions: tuple[ContentEncryption, ...]
    compression: bool
    limits: Limits
    content_type: str | None = None
    content_type_required: bool = False

    @classmethod
    def select(
        cls,
        *,
        algorithms: Iterable[str],
        encryptions: Iterable[str],
        allow_deprecated: Iterable[str],
        allow_compression: bool,
        limits: Limits,
        content_type: str | None = None,
        content_type_required: bool = False,
    ) -> DecryptionRules:
        """Rules from what an operator wrote.

        :raises PolicyError: an option cannot be used
        """
        # "false" from an environment variable would be true.
        if type(allow_compression) is not bool:
            raise PolicyError("allow_compression must be True or False")
        if not isinstance(limits, Limits):
            raise PolicyError("limits must be a keybound.Limits")
        return cls(
            algorithms=select_algorithms(algorithms, allow_deprecated),
            encryptions=select_encryptions(encryptions),
            compression=allow_compression,
            limits=limits,
            content_type=content_type,
            content_type_required=content_type_required,
        )


class EphemeralKey(NamedTuple):
    """``epk`` (RFC 7518, 4.6.1.1): its curve and its coordinates, of which nothing is known but the size."""

    curve: KeyType
    coordinates: tuple[bytes, ...]


class JWEHeader(NamedTuple):
    """A header that passed its rules, with what its algorithm needs decoded."""

    algorithm: KeyAlgorithm
    encryption: ContentEncryption
    kid: str | None
    compressed: bool
    fields: FrozenDict
    ephemeral: EphemeralKey | None = None
    party_u: bytes = b""
    party_v: bytes = b""
    wrap_iv: bytes = b""
    wrap_tag: bytes = b""


def check_fields(
    rules: DecryptionRules, fields: Mapping[str, Any], protected: Mapping[str, Any]
) -> JWEHeader | int:
    """Check header parameters; a reason if one breaks a rule.

    :param fields: all parameters; in the JSON serializations those of the three headers together
    :param protected: those of the protected header. ``enc``, ``zip`` and ``crit`` count only there;
        ``alg`` has to differ between recipients, so it need not be protected (RFC 7516, 7.2.1).
    """
    for name in ("alg", "enc", "typ", "cty", "kid", "zip"):
        if name in fields and type(fields[name]) is not str:
            return Reason.HEADER_MEMBER_INVALID
    if "alg" not in fields:
        return Reason.ALG_MISSING
    algorithm = next((row for row in rules.algorithms if row.name == fields["alg"]), None)
    if algorithm is None:
        return Reason.ALG_NOT_ALLOWED
    if "enc" not in protected:
        return Reason.ENC_MISSING
    encryption = next((row for row in rules.encryptions if row.name == protected["enc"]), None)
    if encryption is None:
        return Reason.ENC_NOT_ALLOWED
    verdict = _check_content_type(rules, fields) or _check_extensions(rules, fields, protected)
    if verdict:
        return verdict
    header = JWEHeader(algorithm, encryption, fields.get("kid"), "zip" in fields, freeze(dict(fields)))
    if algorithm.management is KeyManagement.AGREEMENT:
        return _with_agreement(header, fields)
    if algorithm.management is KeyManagement.AES_GCM_KEY_WRAP:
        return _with_wrap(header, fields)
    return header


def _check_content_type(rules: DecryptionRules, fields: Mapping[str, Any]) -> int:
    if rules.content_type is None:
        return 0
    if "cty" not in fields:
        return Reason.CTY_MISSING if rules.content_type_required else 0
    return 0 if media_type(fields["cty"]) == rules.content_type else Reason.CTY_NOT_ALLOWED


def _check_extensions(rules: DecryptionRules, fields: Mapping[str, Any], protected: Mapping[str, Any]) -> int:
    """``crit`` (RFC 7516, 4.1.13), of which nothing is understood, and ``zip`` (4.1.3)."""
    names = critical_names(fields, protected, _REGISTERED)
    if isinstance(names, int):
        return names
    if names:
        return Reason.CRIT_UNSUPPORTED
    if "zip" not in fields:
        return 0
    if "zip" not in protected:
        return Reason.HEADER_MEMBER_INVALID
    return 0 if rules.compression and fields["zip"] == "DEF" else Reason.ZIP_NOT_ALLOWED


def _with_agreement(header: JWEHeader, fields: Mapping[str, Any]) -> JWEHeader | int:
    """``epk``, ``apu`` and ``apv`` (RFC 7518, 4.6.1)."""
    ephemeral = _ephemeral_key(header, fields.get("epk"))
    if ephemeral is None:
        return Reason.EPK_INVALID
    parties = [_decoded(fields.get(name, "")) for name in ("apu", "apv")]
    if None in parties:
        return Reason.HEADER_MEMBER_INVALID
    party_u, party_v = (party or b"" for party in parties)
    return header._replace(ephemeral=ephemeral, party_u=party_u, party_v=party_v)


def _ephemeral_key(header: JWEHeader, epk: object) -> EphemeralKey | None:
    # RFC 7518, 4.6.1.1: only public key parameters; a private one has been published.
    if type(epk) is not dict or "d" in epk:
        return None
    for curve in header.algorithm.types:
        if epk.get("kty") == curve.kty and epk.get("crv") == curve.curve:
            break
    else:
        return None
    coordinates = tuple(_decoded(epk.get(name)) for name in _COORDINATES[curve.kty])
    # RFC 7518, 6.2.1.2 and RFC 8037, 2: full size, leading zeros included.
    if any(part is None or len(part) != curve.coordinate_bytes for part in coordinates):
        return None
    return EphemeralKey(curve, tuple(part or b"" for part in coordinates))


def _with_wrap(header: JWEHeader, fields: Mapping[str, Any]) -> JWEHeader | int:
    """``iv`` and ``tag`` of the key wrapping (RFC 7518, 4.7.1)."""
    iv, tag = (_decoded(fields.get(name)) for name in ("iv", "tag"))
    if iv is None or tag is None or (len(iv), len(tag)) != (_GCM_IV_BYTES, _GCM_TAG_BYTES):
        return Reason.HEADER_MEMBER_INVALID
    return header._replace(wrap_iv=iv, wrap_tag=tag)


def _decoded(text: object) -> bytes | None:
    return base64url.decode(text) if type(text) is str else None
