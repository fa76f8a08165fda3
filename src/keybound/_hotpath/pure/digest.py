"""SHA-2 and the thumbprint of a certificate."""

from __future__ import annotations

import hashlib

__all__ = ["certificate_thumbprint", "sha2"]

_HASHES = {256: hashlib.sha256, 384: hashlib.sha384, 512: hashlib.sha512}


def sha2(bits: int, data: bytes) -> bytes:
    """SHA-256, SHA-384 or SHA-512 of ``data``.

    :raises ValueError: ``bits`` is not 256, 384 or 512
    """
    try:
        return _HASHES[bits](data).digest()
    except KeyError:
        raise ValueError("bits must be 256, 384 or 512") from None


def certificate_thumbprint(der: bytes) -> bytes | None:
    """SHA-256 of a DER certificate (RFC 8705, 3.1), 32 bytes; ``None`` if it is not exactly one DER SEQUENCE.

    The certificate is not parsed further: possession was proven in the TLS handshake, and a
    trailing byte, which parsers tend to ignore, would change the hash.
    """
    size = len(der)
    if size < 2 or der[0] != 0x30:
        return None
    first = der[1]
    if first < 0x80:
        return sha2(256, der) if size == 2 + first and first else None
    count = first & 0x7F
    # X.690, 10.1: definite form with the fewest length octets.
    if not 1 <= count <= 4 or size < 2 + count or der[2] == 0:
        return None
    length = int.from_bytes(der[2 : 2 + count], "big")
    if length < 0x80 or size != 2 + count + length:
        return None
    return sha2(256, der)
