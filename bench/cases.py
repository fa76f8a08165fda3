"""What every peer is given for one algorithm: a key, tokens to accept, tokens to reject."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["BAD_BINDING", "BAD_CLAIMS", "BAD_SIGNATURES", "POOL", "Case", "make_case"]

POOL = 64
"""Distinct good tokens per case, so that no library is timed on remembering its last answer."""

BAD_SIGNATURES = frozenset({"flipped bit in the signature", "altered payload", "signed by another key"})
BAD_CLAIMS = frozenset({"wrong audience", "wrong issuer", "expired"})
BAD_BINDING = frozenset({"bound to another certificate"})

_ISSUER = "https://as.example.com"
_AUDIENCE = "https://rs.example.com"


@dataclass(frozen=True)
class Case:
    """Plain data that crosses a pipe as JSON.

    :ivar jwk: the verification key (RFC 7517, 4), or the secret of HMAC
    :ivar pem: the same public key as PEM, or ``None`` for a secret
    :ivar certificate: the client certificate that the good tokens are bound to, DER in base64
    :ivar good: tokens with their claims
    :ivar bad: tokens by what is wrong with them
    """

    algorithm: str
    issuer: str
    audience: str
    jwk: dict[str, str]
    pem: str | None
    certificate: str
    good: list[tuple[str, dict[str, Any]]]
    bad: dict[str, str]

    @property
    def certificate_der(self) -> bytes:
        return base64.b64decode(self.certificate)

    @property
    def secret(self) -> bytes:
        return _decode(self.jwk["k"])

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def make_case(algorithm: str) -> Case:
    """Fresh keys and certificate-bound access tokens (RFC 9068, 2; RFC 8705, 3.1) for one ``alg``."""
    from keybound.testing import CertificateAuthority, FakeIssuer, SigningKey

    authority = CertificateAuthority()
    client, another_client = authority.issue_client("client-1"), authority.issue_client("client-2")
    issuer = FakeIssuer(_ISSUER, alg=algorithm)
    stranger = FakeIssuer("https://as.example.org", key=issuer.key)
    # The same kid, or the key would already be missed before its signature counts.
    another_key = SigningKey.generate(algorithm, kid=issuer.key.kid)
    lifetime = 24 * 3600
    good = [
        issuer.access_token(audience=_AUDIENCE, certificate=client, lifetime=lifetime) for _ in range(POOL)
    ]
    return Case(
        algorithm=algorithm,
        issuer=_ISSUER,
        audience=_AUDIENCE,
        jwk=issuer.key.verification_jwk(),
        pem=None if algorithm.startswith("HS") else issuer.key.public_pem().decode(),
        certificate=base64.b64encode(client.der).decode(),
        good=[(token, _claims(token)) for token in good],
        bad={
            "flipped bit in the signature": _flip(good[0]),
            "altered payload": _with_payload_of(good[0], good[1]),
            "signed by another key": issuer.access_token(
                certificate=client, lifetime=lifetime, key=another_key
            ),
            "wrong audience": issuer.access_token(
                audience="https://rs.example.org", certificate=client, lifetime=lifetime
            ),
            "wrong issuer": stranger.access_token(certificate=client, lifetime=lifetime),
            "expired": issuer.access_token(certificate=client, lifetime=-3600),
            "bound to another certificate": issuer.access_token(
                certificate=another_client, lifetime=lifetime
            ),
        },
    )


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(_decode(token.split(".")[1]))
    return claims


def _decode(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _flip(token: str) -> str:
    """One bit in the middle of the signature, which stays canonical base64url of the right length."""
    signing_input, _, segment = token.rpartition(".")
    signature = bytearray(_decode(segment))
    signature[len(signature) // 2] ^= 1
    return f"{signing_input}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _with_payload_of(token: str, another: str) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{another.split('.')[1]}.{signature}"
