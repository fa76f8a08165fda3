"""A JWE, taken apart and opened: header first, then the key, and cryptography last (RFC 7516, 5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from keybound._hotpath import base64url, strict_json
from keybound._hotpath.header import decode_header
from keybound.errors import Reason
from keybound.frozen import FrozenDict
from keybound.jose.decryption_key import DecryptionKey
from keybound.jose.decryption_keys import DecryptionKeys
from keybound.jose.jwe_algorithms import KeyManagement
from keybound.jose.jwe_header import DecryptionRules, JWEHeader, check_fields
from keybound.limits import MAX_CANDIDATES, MAX_RECIPIENTS

__all__ = ["DecryptedJWE", "open_compact", "open_document"]

_OK = int(Reason.OK)
_RSA = (KeyManagement.RSA_PKCS1, KeyManagement.RSA_OAEP)
# RFC 3394, 2.2: the wrapped key is one block of 64 bits longer.
_KEY_WRAP_OVERHEAD = 8


@dataclass(frozen=True, repr=False)
class DecryptedJWE:
    """What came out of a JWE. With a shared secret its sender is known to hold it; with a public key, anybody
    can have made it.

    :ivar header: the protected header and, in the JSON serializations, the unprotected parameters for
        the recipient whose key fitted
    :ivar plaintext: the content, decrypted and decompressed
    :ivar aad: additional authenticated data of the JSON serializations (RFC 7516, 7.2.1), or ``None``
    :ivar old_secret: whether the key was a secret that is being replaced: of several that could be used, any
        but the first
    """

    header: FrozenDict
    plaintext: bytes
    aad: bytes | None = None
    old_secret: bool = False


class _Content(NamedTuple):
    """What all recipients share, decoded, with what the tag covers besides the ciphertext."""

    iv: bytes
    ciphertext: bytes
    tag: bytes
    authenticated: bytes


def open_compact(rules: DecryptionRules, keys: DecryptionKeys, raw: object) -> DecryptedJWE | int:
    """Decrypt a JWE in the compact serialization (RFC 7516, 7.1); a reason if it does not open."""
    segments = _split(rules, raw)
    if isinstance(segments, int):
        return segments
    protected = segments[0]
    reason, fields = decode_header(rules.limits, protected, base64url, strict_json)
    if reason != _OK:
        return reason
    header = check_fields(rules, fields, fields)
    if isinstance(header, int):
        return header
    candidates = _candidates(keys, header)
    if isinstance(candidates, int):
        return candidates
    decoded = [base64url.decode(segment) for segment in segments[1:]]
    if None in decoded:
        return Reason.BASE64URL_INVALID
    encrypted_key, iv, ciphertext, tag = (part or b"" for part in decoded)
    content = _Content(iv, ciphertext, tag, protected)
    opened = _open(rules, header, candidates, encrypted_key, content)
    if isinstance(opened, int):
        return opened
    plaintext, key = opened
    return DecryptedJWE(header.fields, plaintext, old_secret=_is_old_secret(keys, header, key))


def _split(rules: DecryptionRules, raw: object) -> list[bytes] | int:
    """The five segments of a compact JWE, or the reason why there are not five."""
    if type(raw) is not str and type(raw) is not bytes:
        return Reason.TOKEN_MISSING if raw is None else Reason.TOKEN_NOT_TEXT
    if not raw:
        return Reason.TOKEN_MISSING
    if len(raw) > rules.limits.token_bytes:
        return Reason.TOKEN_TOO_LARGE
    if isinstance(raw, str) and not raw.isascii():
        return Reason.BASE64URL_INVALID
    data = raw.encode("ascii") if isinstance(raw, str) else raw
    dots = data.count(b".")
    if dots != 4:
        # RFC 7516, 9: three segments are a JWS.
        return Reason.TOKEN_NOT_ENCRYPTED if dots == 2 else Reason.JWE_MALFORMED
    return data.split(b".")


def _candidates(keys: DecryptionKeys, header: JWEHeader) -> tuple[DecryptionKey, ...] | int:
    curve = None if header.ephemeral is None else header.ephemeral.curve
    return keys._candidates(header.kid, header.algorithm, header.encryption, curve)


def _is_old_secret(keys: DecryptionKeys, header: JWEHeader, key: DecryptionKey) -> bool:
    return key.kty == "oct" and keys._current(header.algorithm, header.encryption) is not key


def _check_sizes(header: JWEHeader, encrypted_key: bytes, content: _Content) -> int:
    """Sizes that the algorithms leave no choice of: whoever sends others has not tried to encrypt."""
    algorithm, encryption = header.algorithm, header.encryption
    if len(content.iv) != encryption.iv_bytes:
        return Reason.IV_INVALID
    if len(content.tag) != encryption.tag_bytes:
        return Reason.TAG_INVALID
    if algorithm.management in _RSA:
        # Its size is that of the modulus, which belongs to the key; RSA itself refuses any other.
        return _OK if encrypted_key else Reason.ENCRYPTED_KEY_INVALID
    size = 0
    if algorithm.wraps:
        gcm = algorithm.management is KeyManagement.AES_GCM_KEY_WRAP
        size = encryption.key_bytes + (0 if gcm else _KEY_WRAP_OVERHEAD)
    return _OK if len(encrypted_key) == size else Reason.ENCRYPTED_KEY_INVALID


def _open(
    rules: DecryptionRules,
    header: JWEHeader,
    candidates: tuple[DecryptionKey, ...],
    encrypted_key: bytes,
    content: _Content,
) -> tuple[bytes, DecryptionKey] | int:
    """The plaintext and its key, or a reason: the same one whatever has failed (RFC 7516, 11.5)."""
    # It takes longer to load than all the rest, and most processes never decrypt.
    from keybound.jose.content_encryption import decrypt_content, inflate
    from keybound.jose.key_management import content_key

    verdict = _check_sizes(header, encrypted_key, content)
    if verdict != _OK:
        return verdict
    iv, ciphertext, tag, authenticated = content
    for key in candidates:
        found = content_key(header, key, encrypted_key)
        plaintext = decrypt_content(header.encryption, found, iv, authenticated, ciphertext, tag)
        if plaintext is not None:
            if not header.compressed:
                return plaintext, key
            inflated = inflate(plaintext, rules.limits.decompressed_bytes)
            return inflated if isinstance(inflated, int) else (inflated, key)
    return Reason.DECRYPTION_FAILED


def open_document(
    rules: DecryptionRules, keys: DecryptionKeys, members: Mapping[str, Any]
) -> DecryptedJWE | int:
    """Decrypt the members of a flattened or general JSON serialization (RFC 7516, 7.2); else a reason.

    The whole document costs no more attempts than one token may, however many recipients it lists.
    """
    recipients = _recipients(members)
    if isinstance(recipients, int):
        return recipients
    shared = _read_shared(rules, members)
    if isinstance(shared, int):
        return shared
    protected, content, aad = shared
    verdicts, attempts = [], MAX_CANDIDATES
    for recipient in recipients:
        read = _read_recipient(rules, keys, protected, members.get("unprotected", {}), recipient)
        if isinstance(read, int):
            verdicts.append(read)
            continue
        header, candidates, encrypted_key = read
        opened = _open(rules, header, candidates[:attempts], encrypted_key, content)
        if not isinstance(opened, int):
            plaintext, key = opened
            return DecryptedJWE(header.fields, plaintext, aad, _is_old_secret(keys, header, key))
        if opened in (Reason.CONTENT_TOO_LARGE, Reason.COMPRESSION_INVALID):
            return opened
        verdicts.append(opened)
        attempts -= len(candidates) if opened == Reason.DECRYPTION_FAILED else 0
        if attempts <= 0:
            break
    # The recipient that came furthest tells most.
    return max(verdicts)


def _recipients(members: Mapping[str, Any]) -> list[Any] | int:
    """The recipients; flattened and general form exclude each other (RFC 7516, 7.2.2)."""
    if "recipients" not in members:
        return [members]
    listed = members["recipients"]
    stray = "header" in members or "encrypted_key" in members
    if stray or type(listed) is not list or not 1 <= len(listed) <= MAX_RECIPIENTS:
        return Reason.JWE_SERIALIZATION_INVALID
    return listed if all(type(entry) is dict for entry in listed) else Reason.JWE_SERIALIZATION_INVALID


def _read_shared(
    rules: DecryptionRules, members: Mapping[str, Any]
) -> tuple[dict[str, Any], _Content, bytes | None] | int:
    """Protected header, content and additional data; a reason if one is malformed."""
    # RFC 7516, 7.2.1: what is empty is left out, never sent as an empty string or object.
    texts = {
        name: members[name] for name in ("protected", "aad", "iv", "ciphertext", "tag") if name in members
    }
    well_formed = all(type(text) is str and (text or name == "ciphertext") for name, text in texts.items())
    if not well_formed or not {"iv", "ciphertext", "tag"}.issubset(texts):
        return Reason.JWE_SERIALIZATION_INVALID
    if not _is_header(members, "unprotected"):
        return Reason.JWE_SERIALIZATION_INVALID
    decoded = {name: base64url.decode(text) for name, text in texts.items()}
    if None in decoded.values():
        return Reason.BASE64URL_INVALID
    encoded = texts.get("protected", "").encode()
    reason, fields = decode_header(rules.limits, encoded, base64url, strict_json) if encoded else (_OK, {})
    if reason != _OK:
        return reason
    authenticated = b"%b.%b" % (encoded, texts["aad"].encode()) if "aad" in texts else encoded
    iv, ciphertext, tag = (decoded[name] or b"" for name in ("iv", "ciphertext", "tag"))
    return fields, _Content(iv, ciphertext, tag, authenticated), decoded.get("aad")


def _is_header(members: Mapping[str, Any], name: str) -> bool:
    return name not in members or (type(members[name]) is dict and bool(members[name]))


def _read_recipient(
    rules: DecryptionRules,
    keys: DecryptionKeys,
    protected: dict[str, Any],
    unprotected: dict[str, Any],
    recipient: Mapping[str, Any],
) -> tuple[JWEHeader, tuple[DecryptionKey, ...], bytes] | int:
    own, encoded = recipient.get("header", {}), recipient.get("encrypted_key")
    if not _is_header(recipient, "header") or ("encrypted_key" in recipient and not _is_text(encoded)):
        return Reason.JWE_SERIALIZATION_INVALID
    fields = {**protected, **unprotected, **own}
    if len(fields) != len(protected) + len(unprotected) + len(own):
        return Reason.HEADER_MEMBER_REPEATED
    header = check_fields(rules, fields, protected)
    if isinstance(header, int):
        return header
    candidates = _candidates(keys, header)
    if isinstance(candidates, int):
        return candidates
    encrypted_key = base64url.decode(encoded) if encoded else b""
    return Reason.BASE64URL_INVALID if encrypted_key is None else (header, candidates, encrypted_key)


def _is_text(value: object) -> bool:
    return type(value) is str and value != ""
