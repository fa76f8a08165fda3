"""Content of a JWE: decrypted after its authentication tag was found right (RFC 7518, 5), then inflated."""

from __future__ import annotations

import hmac
import zlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keybound.errors import Reason
from keybound.jose.jwe_algorithms import ContentEncryption, ContentMode

__all__ = ["decrypt_content", "inflate"]

_RAW_DEFLATE = -zlib.MAX_WBITS


def decrypt_content(
    encryption: ContentEncryption, key: bytes, iv: bytes, aad: bytes, ciphertext: bytes, tag: bytes
) -> bytes | None:
    """The content, or ``None`` if it was not encrypted with this key, in this way, beside this ``aad``.

    :param iv: of exactly ``encryption.iv_bytes``
    :param tag: of exactly ``encryption.tag_bytes``
    """
    if encryption.mode is ContentMode.GCM:
        try:
            return AESGCM(key).decrypt(iv, ciphertext + tag, aad)
        except InvalidTag:
            return None
    return _decrypt_cbc(encryption, key, iv, aad, ciphertext, tag)


def _decrypt_cbc(
    encryption: ContentEncryption, key: bytes, iv: bytes, aad: bytes, ciphertext: bytes, tag: bytes
) -> bytes | None:
    """RFC 7518, 5.2.2.2. What the tag does not vouch for is never decrypted, so padding tells nothing."""
    half = encryption.key_bytes // 2
    length = (len(aad) * 8).to_bytes(8, "big")
    expected = hmac.digest(key[:half], aad + iv + ciphertext + length, f"sha{encryption.hash_bits}")
    if not hmac.compare_digest(expected[: encryption.tag_bytes], tag):
        return None
    decryptor = Cipher(algorithms.AES(key[half:]), modes.CBC(iv)).decryptor()
    unpadder = padding.PKCS7(algorithms.AES.block_size).unpadder()
    try:
        padded = decryptor.update(ciphertext) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        # Only who holds the key can get here, with a ciphertext that is no multiple of the block.
        return None


def inflate(data: bytes, ceiling: int) -> bytes | int:
    """Content of ``zip=DEF`` (RFC 7516, 4.1.3; RFC 1951), or the reason why it cannot be had.

    :param ceiling: bytes of output; nothing beyond them is computed
    """
    stream = zlib.decompressobj(_RAW_DEFLATE)
    try:
        content = stream.decompress(data, ceiling + 1)
    except zlib.error:
        return Reason.COMPRESSION_INVALID
    if len(content) > ceiling:
        return Reason.CONTENT_TOO_LARGE
    return content if stream.eof and not stream.unused_data else Reason.COMPRESSION_INVALID
