"""JSON Web Encryption of every algorithm, valid or not, made without any code that Keybound decrypts with."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives import padding as block_padding
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keybound.errors import PolicyError
from keybound.testing import _base64url, _private_keys
from keybound.testing.encryption_keys import (
    CONTENT_BYTES,
    WRAPPING_BYTES,
    AgreementKey,
    EncryptionKey,
    generate_agreement_key,
)
from keybound.testing.fake_issuer import OMIT

__all__ = ["encrypt_jwe", "encrypt_jwe_json"]

_OAEP_HASHES: dict[str, hashes.HashAlgorithm] = {
    "RSA-OAEP": hashes.SHA1(),
    "RSA-OAEP-256": hashes.SHA256(),
    "RSA-OAEP-384": hashes.SHA384(),
    "RSA-OAEP-512": hashes.SHA512(),
}


class _Wrapped(NamedTuple):
    """What one recipient gets: the encrypted key, and the header parameters that belong to it."""

    content_key: bytes
    encrypted_key: bytes
    parameters: dict[str, Any]


def encrypt_jwe(
    plaintext: bytes | str,
    key: EncryptionKey,
    *,
    enc: str = "A128CBC-HS256",
    header: Mapping[str, object] | bytes | None = None,
    compress: bool = False,
    content_key: bytes | None = None,
    iv: bytes | None = None,
) -> str:
    """A JWE in the compact serialization (RFC 7516, 7.1). Nothing is checked.

    >>> from keybound.testing import EncryptionKey, FakeIssuer, encrypt_jwe
    >>> key = EncryptionKey.generate("ECDH-ES+A256KW", curve="X25519")
    >>> nested = encrypt_jwe(FakeIssuer().access_token(), key, enc="A256GCM", header={"cty": "JWT"})
    >>> nested.count(".")
    4

    :param plaintext: what is encrypted; text as its UTF-8 bytes
    :param enc: one of :data:`ENCRYPTIONS`
    :param header: parameters to add, to replace, or to leave out with :data:`OMIT`; or the finished
        protected header as bytes. The key is encrypted as ``key.alg`` and ``enc`` say all the same,
        with ``apu`` and ``apv`` as they stand here.
    :param compress: compress with DEFLATE and say so in ``zip`` (RFC 7516, 4.1.3)
    :param content_key: stands in place of a random content encryption key
    :param iv: stands in place of a random initialization vector
    :raises PolicyError: ``enc`` is not known
    """
    added = {} if header is None or isinstance(header, bytes) else dict(header)
    wrapped = _wrap(key, enc, added, content_key)
    data = plaintext.encode() if isinstance(plaintext, str) else plaintext
    fields: dict[str, object] = {"alg": key.alg, "enc": enc, "kid": key.kid, **wrapped.parameters}
    if compress:
        data, fields["zip"] = _deflated(data), "DEF"
    protected = header if isinstance(header, bytes) else _json(fields | added)
    encoded = _base64url.encode(protected)
    parts = _encrypt(enc, wrapped.content_key, iv, data, encoded.encode())
    return ".".join([encoded, *map(_base64url.encode, (wrapped.encrypted_key, *parts))])


def encrypt_jwe_json(
    plaintext: bytes | str,
    keys: EncryptionKey | Sequence[EncryptionKey],
    *,
    enc: str = "A128CBC-HS256",
    protected: Mapping[str, object] | None = None,
    unprotected: Mapping[str, object] | None = None,
    aad: bytes | None = None,
    compress: bool = False,
) -> dict[str, Any]:
    """A JWE in the flattened serialization for one key, in the general one for a list (RFC 7516, 7.2).

    ``enc`` is protected; ``alg`` and ``kid`` stand in the header of each recipient, which is not.

    :param protected: parameters to add to the protected header, or to leave out with :data:`OMIT`
    :param unprotected: the shared unprotected header
    :param aad: additional authenticated data
    :raises PolicyError: ``enc`` is not known, or one of several keys leaves no choice of the content key
    """
    recipients = [keys] if isinstance(keys, EncryptionKey) else list(keys)
    if len(recipients) > 1 and any(key.alg in ("dir", "ECDH-ES") for key in recipients):
        raise PolicyError("dir and ECDH-ES decide the content key, so there is one recipient (RFC 7518, 4.5)")
    content_key = None if len(recipients) == 1 else secrets.token_bytes(_content_bytes(enc))
    wrapped = [_wrap(key, enc, protected or {}, content_key) for key in recipients]
    data = plaintext.encode() if isinstance(plaintext, str) else plaintext
    fields: dict[str, object] = {"enc": enc}
    if compress:
        data, fields["zip"] = _deflated(data), "DEF"
    encoded = _base64url.encode(_json(fields | dict(protected or {})))
    authenticated = encoded if aad is None else f"{encoded}.{_base64url.encode(aad)}"
    parts = _encrypt(enc, wrapped[0].content_key, None, data, authenticated.encode())
    members = dict(zip(("iv", "ciphertext", "tag"), map(_base64url.encode, parts), strict=True))
    document: dict[str, Any] = {"protected": encoded, **members}
    if unprotected is not None:
        document["unprotected"] = dict(unprotected)
    if aad is not None:
        document["aad"] = _base64url.encode(aad)
    entries = [_entry(key, each) for key, each in zip(recipients, wrapped, strict=True)]
    return document | (entries[0] if isinstance(keys, EncryptionKey) else {"recipients": entries})


def _entry(key: EncryptionKey, wrapped: _Wrapped) -> dict[str, Any]:
    entry: dict[str, Any] = {"header": {"alg": key.alg, "kid": key.kid, **wrapped.parameters}}
    if wrapped.encrypted_key:
        entry["encrypted_key"] = _base64url.encode(wrapped.encrypted_key)
    return entry


def _json(fields: Mapping[str, object]) -> bytes:
    kept = {name: value for name, value in fields.items() if value is not OMIT}
    return json.dumps(kept, separators=(",", ":")).encode()


def _deflated(data: bytes) -> bytes:
    # RFC 1951 without the header and checksum of RFC 1950.
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


def _content_bytes(enc: str) -> int:
    if enc not in CONTENT_BYTES:
        raise PolicyError("not a content encryption that keybound.testing knows")
    return CONTENT_BYTES[enc]


def _wrap(key: EncryptionKey, enc: str, header: Mapping[str, object], given: bytes | None) -> _Wrapped:
    size, material = _content_bytes(enc), key.material
    content_key = secrets.token_bytes(size) if given is None else given
    if isinstance(material, rsa.RSAPrivateKey):
        encrypted = material.public_key().encrypt(content_key, _rsa_padding(key.alg))
        return _Wrapped(content_key, encrypted, {})
    if not isinstance(material, bytes):
        return _agree(key.alg, material, enc, header, content_key)
    if key.alg == "dir":
        return _Wrapped(material if given is None else given, b"", {})
    if key.alg.endswith("GCMKW"):
        iv = secrets.token_bytes(12)
        sealed = AESGCM(material).encrypt(iv, content_key, None)
        parameters = {"iv": _base64url.encode(iv), "tag": _base64url.encode(sealed[-16:])}
        return _Wrapped(content_key, sealed[:-16], parameters)
    return _Wrapped(content_key, keywrap.aes_key_wrap(material, content_key), {})


def _rsa_padding(alg: str) -> padding.AsymmetricPadding:
    if alg == "RSA1_5":
        return padding.PKCS1v15()
    digest = _OAEP_HASHES[alg]
    return padding.OAEP(mgf=padding.MGF1(digest), algorithm=digest, label=None)


def _agree(
    alg: str, material: AgreementKey, enc: str, header: Mapping[str, object], content_key: bytes
) -> _Wrapped:
    """ECDH-ES with a new ephemeral key (RFC 7518, 4.6)."""
    ephemeral = generate_agreement_key(_private_keys.required_members(material)["crv"])
    if isinstance(material, ec.EllipticCurvePrivateKey):
        shared = cast(ec.EllipticCurvePrivateKey, ephemeral).exchange(ec.ECDH(), material.public_key())
    else:
        shared = cast(Any, ephemeral).exchange(material.public_key())
    direct = alg == "ECDH-ES"
    parties = [_decoded(header.get(name)) for name in ("apu", "apv")]
    size = _content_bytes(enc) if direct else WRAPPING_BYTES[alg.removeprefix("ECDH-ES+")[:4]]
    derived = _concat_kdf(shared, size, enc if direct else alg, *parties)
    parameters = {"epk": _private_keys.required_members(ephemeral)}
    if direct:
        return _Wrapped(derived, b"", parameters)
    return _Wrapped(content_key, keywrap.aes_key_wrap(derived, content_key), parameters)


def _decoded(text: object) -> bytes:
    return _base64url.decode(text) if isinstance(text, str) else b""


def _concat_kdf(shared: bytes, size: int, algorithm: str, apu: bytes, apv: bytes) -> bytes:
    """RFC 7518, 4.6.2."""
    parts = (algorithm.encode(), apu, apv)
    info = b"".join(len(part).to_bytes(4, "big") + part for part in parts) + (size * 8).to_bytes(4, "big")
    rounds = range(1, -(-size // 32) + 1)
    blocks = (hashlib.sha256(number.to_bytes(4, "big") + shared + info).digest() for number in rounds)
    return b"".join(blocks)[:size]


def _encrypt(enc: str, key: bytes, iv: bytes | None, data: bytes, aad: bytes) -> tuple[bytes, bytes, bytes]:
    """Initialization vector, ciphertext and authentication tag (RFC 7518, 5.2.2.1 and 5.3)."""
    if enc.endswith("GCM"):
        iv = secrets.token_bytes(12) if iv is None else iv
        sealed = AESGCM(key).encrypt(iv, data, aad)
        return iv, sealed[:-16], sealed[-16:]
    iv = secrets.token_bytes(16) if iv is None else iv
    half = len(key) // 2
    padder = block_padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key[half:]), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()
    length = (len(aad) * 8).to_bytes(8, "big")
    tag = hmac.digest(key[:half], aad + iv + ciphertext + length, f"sha{enc[-3:]}")
    return iv, ciphertext, tag[: len(tag) // 2]
