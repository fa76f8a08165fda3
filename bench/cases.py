"""What every peer is given for one algorithm: a key, tokens to accept, tokens to reject."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keybound.testing import FakeIssuer, SigningKey

__all__ = ["BAD_BINDING", "BAD_CLAIMS", "BAD_SIGNATURES", "POOL", "Case", "make_case", "random_keys"]

POOL = 64
"""Distinct good tokens per case, so that no library is timed on remembering its last answer."""

BAD_SIGNATURES = frozenset({"flipped bit in the signature", "altered payload", "signed by another key"})
BAD_CLAIMS = frozenset({"wrong audience", "wrong issuer", "expired"})
BAD_BINDING = frozenset({"bound to another certificate"})

_ISSUER = "https://as.example.com"
_AUDIENCE = "https://rs.example.com"
_LIFETIME = 24 * 3600


@dataclass(frozen=True)
class Case:
    """Plain data that crosses a pipe as JSON.

    :ivar jwks: the verification keys (RFC 7517, 4), or the secret of HMAC
    :ivar pem: the public key as PEM where it is only one, else ``None``
    :ivar certificate: the client certificate that the good tokens are bound to, DER in base64
    :ivar good: tokens with their claims
    :ivar bad: tokens by what is wrong with them
    """

    algorithm: str
    issuer: str
    audience: str
    jwks: list[dict[str, str]]
    pem: str | None
    certificate: str
    good: list[tuple[str, dict[str, Any]]]
    bad: dict[str, str]

    @property
    def jwk(self) -> dict[str, str]:
        """The one key; :attr:`jwks` has exactly one."""
        (only,) = self.jwks
        return only

    @property
    def certificate_der(self) -> bytes:
        return base64.b64decode(self.certificate)

    @property
    def secret(self) -> bytes:
        return _decode(self.jwk["k"])

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def make_case(
    algorithm: str, *, size: int = 0, keys: int = 1, every_key_signs: bool = False, pool: int = POOL
) -> Case:
    """Fresh keys and certificate-bound access tokens (RFC 9068, 2; RFC 8705, 3.1) for one ``alg``.

    :param size: length that good tokens are filled up to, within 4 bytes; those that are longer stay so
    :param keys: how many keys the set has
    :param every_key_signs: the good tokens come from all keys in turn, not from the middle one alone
    :param pool: distinct good tokens; at least one for each key that signs
    """
    from keybound.testing import CertificateAuthority, FakeIssuer, SigningKey

    authority = CertificateAuthority()
    client, another_client = authority.issue_client("client-1"), authority.issue_client("client-2")
    published = [SigningKey.generate(algorithm) for _ in range(keys)]
    issuer = FakeIssuer(_ISSUER, key=published[keys // 2])
    stranger = FakeIssuer("https://as.example.org", key=issuer.key)
    # The same kid, or the key would already be missed before its signature counts.
    another_key = SigningKey.generate(algorithm, kid=issuer.key.kid)
    good = _good(issuer, client.der, size, published if every_key_signs else [issuer.key], pool)
    return Case(
        algorithm=algorithm,
        issuer=_ISSUER,
        audience=_AUDIENCE,
        jwks=[key.verification_jwk() for key in published],
        pem=None if algorithm.startswith("HS") or keys > 1 else issuer.key.public_pem().decode(),
        certificate=base64.b64encode(client.der).decode(),
        good=[(token, _claims(token)) for token in good],
        bad={
            "flipped bit in the signature": _flip(good[0]),
            "altered payload": _with_payload_of(good[0], good[1]),
            "signed by another key": issuer.access_token(
                certificate=client, lifetime=_LIFETIME, key=another_key
            ),
            "wrong audience": issuer.access_token(
                audience="https://rs.example.org", certificate=client, lifetime=_LIFETIME
            ),
            "wrong issuer": stranger.access_token(certificate=client, lifetime=_LIFETIME),
            "expired": issuer.access_token(certificate=client, lifetime=-3600),
            "bound to another certificate": issuer.access_token(
                certificate=another_client, lifetime=_LIFETIME
            ),
        },
    )


def random_keys(algorithm: str, count: int) -> list[dict[str, str]]:
    """Distinct public keys that sign nothing; RSA moduli are random odd numbers of 2048 bits."""
    from keybound.testing import SigningKey

    if not algorithm.startswith(("RS", "PS")):
        return [SigningKey.generate(algorithm).verification_jwk() for _ in range(count)]
    template = SigningKey.generate(algorithm).verification_jwk()
    moduli = ((secrets.randbits(2048) | 1 << 2047 | 1).to_bytes(256, "big") for _ in range(count))
    return [
        template | {"n": base64.urlsafe_b64encode(n).rstrip(b"=").decode(), "kid": f"key-{number}"}
        for number, n in enumerate(moduli)
    ]


def _good(
    issuer: FakeIssuer, certificate: bytes, size: int, signers: Sequence[SigningKey], pool: int
) -> list[str]:
    def token(key: SigningKey, **claims: Any) -> str:
        return issuer.access_token(
            audience=_AUDIENCE, certificate=certificate, lifetime=_LIFETIME, key=key, **claims
        )

    missing = size - len(token(signers[0]))
    claims: dict[str, Any] = {"entitlements": _entitlements(missing * 3 // 4)} if missing > 0 else {}
    return [token(key, **claims) for key in islice(cycle(signers), max(pool, len(signers)))]


def _entitlements(size: int) -> list[str]:
    """A list of texts (RFC 9068, 2.2.3.1) that takes ``size`` bytes more, with its name, as JSON."""
    left = size - len(',"entitlements":[""]')
    entries = [f"orders:{number:05}:read" for number in range(left // len('"orders:00000:read",'))]
    return [*entries, "x" * (left - len(entries) * len('"orders:00000:read",'))]


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
