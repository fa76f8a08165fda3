"""Public keys in the place of a secret.

Whoever may read the public key could sign with such a secret. This is CVE-2015-9235 with its many
successors, which got past checks for one form of key by way of another form (RFC 8725, 2.1).
"""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Iterator

from keybound.jose import numbers

__all__ = ["is_key_in_disguise"]

_MARKS = re.compile(
    rb"-- ?BEGIN "  # PEM (RFC 7468) and SSH2 (RFC 4716)
    rb"|ssh-(?:rsa|dss|ed25519|ed448)|ecdsa-sha2-"  # OpenSSH, as text and as octets (RFC 4253, 6.6)
    rb"|[\"'](?:kty|keys)[\"']\s*:"  # JWK and JWK Set (RFC 7517)
    # Algorithms of SubjectPublicKeyInfo, which stands in every certificate as well (RFC 5280, 4.1.2.7)
    rb"|\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01[\x01\x07\x0a]"  # RSA (RFC 8017, C)
    rb"|\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"  # EC (RFC 5480, 2.1.1)
    rb"|\x30\x05\x06\x03\x2b\x65[\x6e-\x71]"  # the Edwards and Montgomery curves (RFC 8410, 3)
)
_PKCS1 = re.compile(rb"\x30\x82..\x02\x82", re.DOTALL)
_LETTERS = string.ascii_letters.encode() + string.digits.encode() + b"+/"
_OTHERS = bytes(set(range(256)) - set(_LETTERS))
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def is_key_in_disguise(secret: bytes) -> bool:
    """Whether ``secret`` holds a public key, certificate or JWK: as it is, in UTF-16, base64 or hexadecimal.

    What stands before or after the key does not hide it.
    """
    return any(_MARKS.search(form) or _holds_pkcs1(form) for form in _forms(secret))


def _forms(secret: bytes) -> Iterator[bytes]:
    yield secret
    narrow = secret.replace(b"\0", b"")
    yield narrow
    letters = narrow.translate(_URL_SAFE).translate(None, _OTHERS)
    for start in range(4):
        body = letters[start:]
        yield base64.b64decode(body + b"A" * (-len(body) % 4))
    digits = re.sub(rb"[^0-9A-Fa-f]", b"", narrow)
    for start in range(2):
        body = digits[start:]
        yield bytes.fromhex(body[: len(body) // 2 * 2].decode())


def _holds_pkcs1(data: bytes) -> bool:
    """An RSA public key in the form that has no algorithm to look for (RFC 8017, A.1.1)."""
    for match in _PKCS1.finditer(data):
        start = match.start()
        end = start + 4 + int.from_bytes(data[start + 2 : start + 4], "big")
        if numbers.load_der(data[start:end]) is not None:
            return True
    return False
