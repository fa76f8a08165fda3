"""What Python hands to the hot path, native or pure, and what it gets back.

The enums become Cython constants at build time, together with
:class:`keybound.errors.Reason`; there is no second list. The rules are plain data: each twin
compiles them once, when a validator is made.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = [
    "CURVES",
    "DETAIL_SHIFT",
    "MARKERS",
    "Algorithm",
    "AudienceForm",
    "Binding",
    "ClaimRules",
    "EmbeddedKey",
    "Family",
    "HeaderRules",
    "Kind",
    "Marker",
]

DETAIL_SHIFT = 16
"""A verdict is a reason in the low 16 bits; above them stands the position of a claim in
``ClaimRules.required``, ``forbidden`` or ``expected`` for the three reasons that speak of those."""


REMEMBERED_CERTIFICATES = 1024
"""Certificates whose thumbprint one validator remembers; larger ones than the next are not."""

REMEMBERED_CERTIFICATE_BYTES = 4096

REMEMBERED_EMBEDDED_KEYS = 1024
"""Keys that one validator remembers of tokens which carry their key; only keys that have signed one."""

ENTRY_BYTES = 640
"""What a cached token occupies besides its text, its header and its claims, estimated from above."""

# What JSON occupies together with the values made of it, estimated from above for CPython 3.10 to 3.14.
CONTAINER_BYTES = 168
"""An object or array, and its first member."""

MEMBER_BYTES = 112
"""The name of a member, and its place in the object."""

VALUE_BYTES = 72
"""A value other than the first, and its place in the array."""

PLAIN_TEXT_FACTOR = 2
"""Bytes for one byte of ASCII without escapes: the JSON, and the string made of it."""

TEXT_FACTOR = 6
"""Bytes for one byte of other JSON: one character can make a whole string four bytes wide, and what
serializes it may keep its UTF-8 as well."""


class Kind(enum.IntEnum):
    """What a key is: its type and, where the type has curves, its curve (RFC 7518, 6; RFC 8037, 2)."""

    SECRET = 1
    RSA = 2
    P256 = 3
    P384 = 4
    P521 = 5
    SECP256K1 = 6
    ED25519 = 7
    ED448 = 8


CURVES = {
    "P-256": Kind.P256,
    "P-384": Kind.P384,
    "P-521": Kind.P521,
    "secp256k1": Kind.SECP256K1,
}
"""The curves of ECDSA by their ``crv`` (RFC 7518, 6.2.1.1; RFC 8812, 3.1)."""


class Family(enum.IntEnum):
    """How a signature is computed (RFC 7518, 3; RFC 8037, 3.1)."""

    HMAC = 1
    RSA_PKCS1 = 2
    RSA_PSS = 3
    ECDSA = 4
    EDDSA = 5


class Binding(enum.IntEnum):
    """What the policy does about ``cnf`` (RFC 7800, 3.1)."""

    IF_PRESENT = 1
    REQUIRED = 2
    IGNORE = 3


class AudienceForm(enum.IntEnum):
    """How ``aud`` may be written (RFC 7519, 4.1.3), and how many may be named."""

    ANY = 1
    STRING = 2
    """A string; an array is refused even with one member."""
    SOLE = 3
    """A string, or an array of one."""


class Marker(enum.IntEnum):
    """What only some kinds of token say, one bit each; it tells kinds apart where ``typ`` does not."""

    PROOF = 1
    EVENTS = 2
    INTROSPECTION = 4
    NONCE = 8
    HASH = 16
    REQUEST = 32
    RESPONSE = 64
    """What an authorization response grants, or ``error``, where there is no ``sub``."""
    ACCESS = 128
    """``client_id``, ``scope`` or ``scp``."""
    SUBJECT = 256
    """``sub``"""
    SELF = 512
    """``sub`` is ``iss``."""


MARKERS = {
    "htm": Marker.PROOF,
    "htu": Marker.PROOF,
    "events": Marker.EVENTS,
    "token_introspection": Marker.INTROSPECTION,
    "nonce": Marker.NONCE,
    "at_hash": Marker.HASH,
    "c_hash": Marker.HASH,
    "s_hash": Marker.HASH,
    "response_type": Marker.REQUEST,
    "redirect_uri": Marker.REQUEST,
    "code_challenge": Marker.REQUEST,
    "login_hint": Marker.REQUEST,
    "login_hint_token": Marker.REQUEST,
    "id_token_hint": Marker.REQUEST,
    "binding_message": Marker.REQUEST,
    "code": Marker.RESPONSE,
    "access_token": Marker.RESPONSE,
    "id_token": Marker.RESPONSE,
    "error": Marker.RESPONSE,
}
"""Claims that are a marker by being there; the other markers follow from the registered claims.

RFC 9449, 4.2; RFC 8417, 2.2; RFC 9701, 5; OpenID Connect Core, 2, 3.1.2.1 and 3.3.2.11; RFC 9101, 4;
OpenID Connect CIBA Core, 7.1.1; JARM, 2.1.
"""


@dataclass(frozen=True)
class Algorithm:
    """One JWS algorithm; consumers get the row, not the name.

    ``bits`` is the size of the hash in bits, 0 where the signature scheme brings its own;
    ``index`` is the bit of the algorithm in a key's mask of algorithms.
    """

    name: str
    index: int
    family: Family
    bits: int
    kinds: tuple[Kind, ...]


class EmbeddedKey(NamedTuple):
    """A key that came in the header of a token.

    :ivar handle: a ``VerifyKey`` of the twin in use
    :ivar thumbprint: its JWK thumbprint with SHA-256 (RFC 7638, 3), 32 bytes
    """

    handle: Any
    thumbprint: bytes


@dataclass(frozen=True, kw_only=True)
class HeaderRules:
    """What the protected header may say (RFC 7515, 4.1), with the ceilings that come before it.

    ``types`` are media types in lower case without ``application/`` (RFC 7515, 4.1.9), or ``None``
    where the type is not looked at. ``b64`` tells whether ``b64=false`` of RFC 7797 is understood.
    """

    algorithms: tuple[Algorithm, ...]
    types: frozenset[str] | None = None
    typ_required: bool = False
    b64: bool = False
    token_bytes: int
    header_bytes: int
    json_depth: int


@dataclass(frozen=True, kw_only=True)
class ClaimRules:
    """What the claims must say (RFC 7519, 4.1; RFC 9068, 4). Times are in seconds.

    ``required`` and ``forbidden`` hold the operator's own claim names; the registered ones have a
    switch and a reason of their own. ``expected`` are claims and the one text that each must be. No
    ``issuer`` or no ``audiences`` means: not compared here. ``foreign`` are the markers of other kinds.
    ``expired_accepted`` is for hints, which speak of the past. ``max_expiry_distance`` is how far ``exp``
    may be from now, and from ``iat`` where there is one; ``max_nbf_age`` is the greatest time since ``nbf``.
    ``max_jti`` is the greatest length of ``jti`` in characters.
    ``audience_is_client`` is for issuers that name the audience of a token in ``client_id``. Without
    ``iss_required`` or ``aud_required`` the claim may be missing, and is compared where it is not.
    """

    issuer: str | None
    audiences: tuple[str, ...]
    exp_required: bool
    iat_required: bool
    sub_required: bool
    client_id_required: bool
    jti_required: bool
    leeway: float
    max_lifetime: float | None
    max_age: float | None
    required: tuple[str, ...]
    forbidden: tuple[str, ...]
    scopes: tuple[str, ...]
    binding: Binding
    expected: tuple[tuple[str, str], ...] = ()
    audience_form: AudienceForm = AudienceForm.ANY
    audience_is_client: bool = False
    foreign: int = 0
    expired_accepted: bool = False
    nbf_required: bool = False
    max_expiry_distance: float | None = None
    max_nbf_age: float | None = None
    iss_required: bool = True
    aud_required: bool = True
    max_jti: int | None = None
