"""A public key in the header of the token that it signs (RFC 7515, 4.1.3)."""

from __future__ import annotations

from keybound._hotpath import base64url
from keybound._hotpath.contract import EmbeddedKey, Kind
from keybound._hotpath.header import Header
from keybound.errors import InvalidKey, Reason
from keybound.jose.jwk import JWK, PRIVATE_MEMBERS
from keybound.limits import MAX_EMBEDDED_RSA_BITS

__all__ = ["embedded_jwk", "load_embedded_key"]


def embedded_jwk(header: Header) -> JWK | Reason:
    """The key in a header, if it is public, safe and fits the algorithm there; else the reason against it."""
    members = header.fields.get("jwk")
    if members is None:
        return Reason.DPOP_JWK_MISSING
    if not isinstance(members, dict):
        return Reason.DPOP_JWK_INVALID
    # RFC 7518, 6.4: a secret has no public part at all.
    if members.get("kty") == "oct" or any(name in members for name in PRIVATE_MEMBERS):
        return Reason.DPOP_JWK_PRIVATE
    try:
        key = JWK.from_json(members)
    except InvalidKey:
        return Reason.DPOP_JWK_INVALID
    # Whoever sends a key chooses what its verification costs.
    if key._kind is Kind.RSA and key.bits > MAX_EMBEDDED_RSA_BITS:
        return Reason.DPOP_JWK_INVALID
    return key if key._mask >> header.algorithm.index & 1 else Reason.KEY_UNSUITABLE


def load_embedded_key(header: Header) -> EmbeddedKey | int:
    """The same as the hot path takes it."""
    key = embedded_jwk(header)
    if isinstance(key, Reason):
        return key
    return EmbeddedKey(key._handle, base64url.decode(key.thumbprint()) or b"")
