"""A fake issuer, certificates and a clock, for Keybound's own tests and for yours.

Everything is made in memory with ``cryptography`` and the standard library alone. Nothing here uses
Keybound's own decoding, signing or validating code, so a mistake there cannot hide in both places.

>>> from keybound.testing import OMIT, CertificateAuthority, FakeClock, FakeIssuer, make_token
>>> clock = FakeClock()
>>> issuer = FakeIssuer("https://as.example.com", alg="ES256", clock=clock)
>>> client = CertificateAuthority().issue_client("client-1")
>>> good = issuer.access_token(certificate=client, scope="accounts:read")
>>> expired = issuer.access_token(lifetime=-1)
>>> odd = issuer.access_token(jti=OMIT, nbf=None, header={"typ": "JWT"})
>>> old = issuer.key
>>> new = issuer.rotate()
>>> [jwk["kid"] for jwk in issuer.jwks()["keys"]] == [old.kid, new.kid]
True
>>> make_token({"alg": "none"}, {"sub": "admin"}, None)
'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.'
>>> clock.advance(301)  # and ``good`` has expired

The other kinds of token and answer come from the same issuer:

>>> id_token = issuer.id_token(client_id="client-1", nonce="n", access_token=good)
>>> logout_token = issuer.logout_token(client_id="client-1", session_id="s-1")
>>> event = issuer.security_event_token(audience="https://receiver.example.com", txn="t-1")
>>> answer = issuer.introspection_response(certificate=client, scope="accounts:read")
>>> signed_answer = issuer.introspection_jwt(answer, audience="https://rs.example.com")

What a client signs comes from a client:

>>> from keybound.testing import FakeClient
>>> client = FakeClient("client-1", alg="PS256", clock=clock)
>>> assertion = client.assertion(audience="https://as.example.com/token")
>>> request = client.request_object(scope="openid", redirect_uri="https://client.example.org/cb")

Encrypted tokens of every algorithm come from :func:`encrypt_jwe`, and from :func:`encrypt_jwe_json` in the
JSON serializations:

>>> from keybound.testing import EncryptionKey, encrypt_jwe
>>> key = EncryptionKey.generate("RSA-OAEP-256")
>>> nested = encrypt_jwe(good, key, enc="A256GCM", header={"cty": "JWT"})
>>> decryption_key = key.private_jwk()  # for keybound.DecryptionKey.from_json

The keys and certificates are for tests only: they are random, short-lived and not protected.
"""

from __future__ import annotations

from keybound.testing import faults
from keybound.testing.certificates import (
    CertificateAuthority,
    ClientCertificate,
    ServerCertificate,
    self_signed_client,
    thumbprint_of,
)
from keybound.testing.dpop import dpop_proof
from keybound.testing.encrypting import encrypt_jwe, encrypt_jwe_json
from keybound.testing.encryption_keys import ENCRYPTION_ALGORITHMS, ENCRYPTIONS, EncryptionKey
from keybound.testing.fake_client import FakeClient
from keybound.testing.fake_clock import FakeClock
from keybound.testing.fake_issuer import OMIT, FakeIssuer, Omit
from keybound.testing.forging import make_token
from keybound.testing.issuer_server import IssuerServer, ReceivedRequest
from keybound.testing.signing_keys import ALGORITHMS, SigningKey

__all__ = [
    "ALGORITHMS",
    "ENCRYPTIONS",
    "ENCRYPTION_ALGORITHMS",
    "OMIT",
    "CertificateAuthority",
    "ClientCertificate",
    "EncryptionKey",
    "FakeClient",
    "FakeClock",
    "FakeIssuer",
    "IssuerServer",
    "Omit",
    "ReceivedRequest",
    "ServerCertificate",
    "SigningKey",
    "dpop_proof",
    "encrypt_jwe",
    "encrypt_jwe_json",
    "faults",
    "make_token",
    "self_signed_client",
    "thumbprint_of",
]
