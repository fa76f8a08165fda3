"""DPoP proofs as clients make them, and as attackers do."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping

from keybound.clock import Clock, system_clock
from keybound.testing import _base64url
from keybound.testing.fake_issuer import OMIT, Omit, without_omitted
from keybound.testing.forging import Signer, make_token
from keybound.testing.signing_keys import SigningKey

__all__ = ["dpop_proof"]

_NOT_IN_A_PROOF = frozenset({"kid", "alg", "use"})


def dpop_proof(
    key: SigningKey,
    *,
    method: object = "GET",
    url: object = "https://rs.example.com/resource",
    access_token: str | None = None,
    nonce: str | Omit = OMIT,
    clock: Clock = system_clock,
    header: Mapping[str, object] | None = None,
    signer: Signer | None = None,
    **claims: object,
) -> str:
    """A DPoP proof as RFC 9449, 4.2 has it.

    :param key: signs, and stands in ``jwk``
    :param method: ``htm``
    :param url: ``htu``
    :param access_token: its hash becomes ``ath``; without one there is no ``ath``
    :param nonce: ``nonce``
    :param clock: time of issue
    :param header: header parameters to add, replace or, with :data:`OMIT`, leave out
    :param signer: signs in place of ``key``, whose public part stays in ``jwk``
    :param claims: claims to add, replace or, with :data:`OMIT`, leave out
    """
    members = {name: value for name, value in key.verification_jwk().items() if name not in _NOT_IN_A_PROOF}
    parameters: dict[str, object] = {"typ": "dpop+jwt", "alg": key.alg, "jwk": members}
    payload: dict[str, object] = {
        "jti": str(uuid.uuid4()),
        "htm": method,
        "htu": url,
        "iat": int(clock()),
        "nonce": nonce,
    }
    if access_token is not None:
        payload["ath"] = _base64url.encode(hashlib.sha256(access_token.encode()).digest())
    return make_token(
        without_omitted(parameters | dict(header or {})), without_omitted(payload | claims), signer or key
    )
