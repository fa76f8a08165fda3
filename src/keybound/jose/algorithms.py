"""The JWS algorithms, one row each. Nothing below this table compares algorithm names.

``none`` is not a row and cannot become one: every row names a family that verifies.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from keybound._hotpath.contract import Algorithm, Family, Kind
from keybound.errors import PolicyError

__all__ = ["ALGORITHMS", "algorithms_for", "select"]

_ROWS = (
    # RFC 7518, 3.2
    ("HS256", Family.HMAC, 256, (Kind.SECRET,)),
    ("HS384", Family.HMAC, 384, (Kind.SECRET,)),
    ("HS512", Family.HMAC, 512, (Kind.SECRET,)),
    # RFC 7518, 3.3
    ("RS256", Family.RSA_PKCS1, 256, (Kind.RSA,)),
    ("RS384", Family.RSA_PKCS1, 384, (Kind.RSA,)),
    ("RS512", Family.RSA_PKCS1, 512, (Kind.RSA,)),
    # RFC 7518, 3.5
    ("PS256", Family.RSA_PSS, 256, (Kind.RSA,)),
    ("PS384", Family.RSA_PSS, 384, (Kind.RSA,)),
    ("PS512", Family.RSA_PSS, 512, (Kind.RSA,)),
    # RFC 7518, 3.4: each algorithm has exactly one curve.
    ("ES256", Family.ECDSA, 256, (Kind.P256,)),
    ("ES384", Family.ECDSA, 384, (Kind.P384,)),
    ("ES512", Family.ECDSA, 512, (Kind.P521,)),
    # RFC 8812, 3.2
    ("ES256K", Family.ECDSA, 256, (Kind.SECP256K1,)),
    # RFC 8037, 3.1; deprecated by RFC 9864 in favour of the two names below it
    ("EdDSA", Family.EDDSA, 0, (Kind.ED25519, Kind.ED448)),
    # RFC 9864, 2.2
    ("Ed25519", Family.EDDSA, 0, (Kind.ED25519,)),
    ("Ed448", Family.EDDSA, 0, (Kind.ED448,)),
)

ALGORITHMS: MappingProxyType[str, Algorithm] = MappingProxyType(
    {
        name: Algorithm(name, index, family, bits, kinds)
        for index, (name, family, bits, kinds) in enumerate(_ROWS)
    }
)
"""Every algorithm Keybound verifies, by its ``alg`` value."""


def algorithms_for(kind: Kind) -> tuple[Algorithm, ...]:
    """The rows a key of this kind can verify."""
    return tuple(row for row in ALGORITHMS.values() if kind in row.kinds)


def select(names: Iterable[str]) -> tuple[Algorithm, ...]:
    """The rows of an allow-list.

    :raises PolicyError: the list is empty, is one string, names an algorithm that does not exist
        here, or mixes HMAC with public-key algorithms (RFC 8725, 2.1 and 3.1)
    """
    if isinstance(names, (str, bytes)) or not isinstance(names, Iterable):
        raise PolicyError("algorithms must be a list of names, such as ['PS256', 'ES256']")
    wanted = list(names)
    unknown = [name for name in wanted if not isinstance(name, str) or name not in ALGORITHMS]
    if unknown:
        raise PolicyError(f"algorithms holds a name that is not one of {', '.join(ALGORITHMS)}")
    rows = tuple(ALGORITHMS[name] for name in dict.fromkeys(wanted))
    if not rows:
        raise PolicyError("algorithms is empty: name what the issuer signs with")
    if len({row.family is Family.HMAC for row in rows}) == 2:
        raise PolicyError(
            "algorithms mixes HMAC with public-key signatures; a public key could pass for a secret"
        )
    return rows
