"""How the recipient comes by the content encryption key (RFC 7518, 4).

Whatever fails here gives a random key in place of the right one, so that a token with a bad encrypted
key takes the same road as one with bad content, to the same end (RFC 7516, 11.4 and 11.5).
"""

from __future__ import annotations

import secrets
from typing import Any, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, x448, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from keybound.jose.decryption_key import DecryptionKey
from keybound.jose.jwe_algorithms import KeyManagement, KeyType
from keybound.jose.jwe_header import EphemeralKey, JWEHeader

__all__ = ["content_key"]

_FAILURES = (ValueError, InvalidTag, InvalidUnwrap)
_OAEP_HASHES: dict[int, hashes.HashAlgorithm] = {
    160: hashes.SHA1(),
    256: hashes.SHA256(),
    384: hashes.SHA384(),
    512: hashes.SHA512(),
}


def content_key(header: JWEHeader, key: DecryptionKey, encrypted_key: bytes) -> bytes:
    """The content encryption key, or a random one if it cannot be found."""
    size = header.encryption.key_bytes
    # RFC 7516, 11.5: drawn in any case, not only after a failure.
    substitute = secrets.token_bytes(size)
    try:
        found = _OPENERS[header.algorithm.management](header, key._private, encrypted_key)
    except _FAILURES:
        found = b""
    return found if len(found) == size else substitute


def _decrypt_rsa(header: JWEHeader, private: Any, encrypted_key: bytes) -> bytes:
    bits = header.algorithm.bits
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if header.algorithm.management is KeyManagement.RSA_OAEP:
        # RFC 7518, 4.3: MGF1 with the same hash, and no label.
        digest = _OAEP_HASHES[bits]
        scheme = padding.OAEP(mgf=padding.MGF1(digest), algorithm=digest, label=None)
    found: bytes = private.decrypt(encrypted_key, scheme)
    return found


def _agree(header: JWEHeader, private: Any, encrypted_key: bytes) -> bytes:
    """RFC 7518, 4.6.2: the derived key is the content key, or unwraps it."""
    algorithm, encryption = header.algorithm, header.encryption
    size = algorithm.bits // 8 if algorithm.wraps else encryption.key_bytes
    name = algorithm.name if algorithm.wraps else encryption.name
    info = b"".join(
        len(part).to_bytes(4, "big") + part for part in (name.encode(), header.party_u, header.party_v)
    )
    shared = _shared_secret(cast(EphemeralKey, header.ephemeral), private)
    kdf = ConcatKDFHash(hashes.SHA256(), size, info + (size * 8).to_bytes(4, "big"))
    derived = kdf.derive(shared)
    return aes_key_unwrap(derived, encrypted_key) if algorithm.wraps else derived


def _shared_secret(ephemeral: EphemeralKey, private: Any) -> bytes:
    substitute = secrets.token_bytes(ephemeral.curve.coordinate_bytes)
    try:
        # A point off the curve (CVE-2016-9121), or one of small order (RFC 8037, 3.2), raises.
        shared: bytes = _exchange(ephemeral, private)
    except _FAILURES:
        return substitute
    return shared


def _exchange(ephemeral: EphemeralKey, private: Any) -> Any:
    curve, coordinates = ephemeral
    if curve is KeyType.X25519:
        return private.exchange(x25519.X25519PublicKey.from_public_bytes(*coordinates))
    if curve is KeyType.X448:
        return private.exchange(x448.X448PublicKey.from_public_bytes(*coordinates))
    x, y = (int.from_bytes(part, "big") for part in coordinates)
    return private.exchange(ec.ECDH(), ec.EllipticCurvePublicNumbers(x, y, private.curve).public_key())


def _unwrap(header: JWEHeader, secret: Any, encrypted_key: bytes) -> bytes:
    return aes_key_unwrap(secret, encrypted_key)


def _unwrap_gcm(header: JWEHeader, secret: Any, encrypted_key: bytes) -> bytes:
    return AESGCM(secret).decrypt(header.wrap_iv, encrypted_key + header.wrap_tag, None)


def _direct(header: JWEHeader, secret: Any, encrypted_key: bytes) -> bytes:
    found: bytes = secret
    return found


_OPENERS = {
    KeyManagement.RSA_PKCS1: _decrypt_rsa,
    KeyManagement.RSA_OAEP: _decrypt_rsa,
    KeyManagement.AGREEMENT: _agree,
    KeyManagement.AES_KEY_WRAP: _unwrap,
    KeyManagement.AES_GCM_KEY_WRAP: _unwrap_gcm,
    KeyManagement.DIRECT: _direct,
}
