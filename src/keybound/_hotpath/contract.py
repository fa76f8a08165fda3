"""Small integers that Python, the pure twin and the native twin agree on.

The build turns these enums, together with :class:`keybound.errors.Reason`, into Cython
constants; there is no second list.
"""

from __future__ import annotations

import enum

__all__ = ["Binding", "Family", "Kind"]


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
