"""JSON Web Encryption (RFC 7516), decryption only: compact, flattened and general serialization.

Nothing here looks at what was encrypted. A token inside is opened by a validator with ``decryption=``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from keybound.errors import PolicyError, Reason, rejection
from keybound.jose.decryption_key import DecryptionKey
from keybound.jose.decryption_keys import DecryptionKeys
from keybound.jose.json_document import load_document
from keybound.jose.jwe_algorithms import warn_of_deprecated
from keybound.jose.jwe_header import DecryptionRules
from keybound.jose.jwe_message import DecryptedJWE, open_compact, open_document
from keybound.limits import DEFAULT_LIMITS, Limits

__all__ = ["DecryptedJWE", "decrypt", "decrypt_json"]

_MAX_RULES = 64


def decrypt(
    compact: str | bytes,
    keys: DecryptionKeys | DecryptionKey,
    *,
    algorithms: Iterable[str],
    encryptions: Iterable[str],
    allow_deprecated: Iterable[str] = (),
    allow_compression: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> DecryptedJWE:
    """Decrypt a JWE in the compact serialization (RFC 7516, 7.1).

    :param algorithms: allow-list of ``alg`` values
    :param encryptions: allow-list of ``enc`` values
    :param allow_deprecated: those of ``algorithms`` that are deprecated, ``RSA1_5`` and ``RSA-OAEP``, typed
        out once more; each use gives a :class:`keybound.DeprecatedAlgorithmWarning`
    :param allow_compression: understand ``zip`` (4.1.3), up to ``limits.decompressed_bytes``
    :raises TokenRejected: it does not open; ``DECRYPTION_FAILED`` whatever went wrong with key or content
    :raises PolicyError: ``keys`` or an option cannot be used

    >>> import keybound
    >>> from keybound.testing import EncryptionKey, encrypt_jwe
    >>> sender = EncryptionKey.generate("ECDH-ES", curve="X25519")
    >>> key = keybound.DecryptionKey.from_json(sender.private_jwk())
    >>> compact = encrypt_jwe("Live long and prosper.", sender, enc="A256GCM")
    >>> keybound.jwe.decrypt(compact, key, algorithms=["ECDH-ES"], encryptions=["A256GCM"]).plaintext
    b'Live long and prosper.'
    """
    rules = _rules(algorithms, encryptions, allow_deprecated, allow_compression, limits)
    opened = open_compact(rules, _key_set(keys), compact)
    if isinstance(opened, int):
        raise rejection(opened)
    return opened


def decrypt_json(
    document: str | bytes | Mapping[str, Any],
    keys: DecryptionKeys | DecryptionKey,
    *,
    algorithms: Iterable[str],
    encryptions: Iterable[str],
    allow_deprecated: Iterable[str] = (),
    allow_compression: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> DecryptedJWE:
    """Decrypt a JWE in the flattened or general JSON serialization (RFC 7516, 7.2).

    One recipient whose key is at hand suffices. ``enc``, ``zip`` and ``crit`` count only where they are
    protected. At most three keys are tried for the whole document. The parameters are those of
    :func:`decrypt`.

    :raises TokenRejected: it does not open, or the document is malformed
    :raises PolicyError: ``keys`` or an option cannot be used
    """
    rules = _rules(algorithms, encryptions, allow_deprecated, allow_compression, limits)
    members = load_document(document, rules.limits, Reason.JWE_SERIALIZATION_INVALID)
    opened = open_document(rules, _key_set(keys), members)
    if isinstance(opened, int):
        raise rejection(opened)
    return opened


def _key_set(keys: DecryptionKeys | DecryptionKey) -> DecryptionKeys:
    if isinstance(keys, DecryptionKey):
        return DecryptionKeys([keys])
    if not isinstance(keys, DecryptionKeys):
        raise PolicyError("keys must be keybound.DecryptionKeys or a keybound.DecryptionKey")
    return keys


def _rules(
    algorithms: Iterable[str],
    encryptions: Iterable[str],
    allow_deprecated: Iterable[str],
    allow_compression: bool,
    limits: Limits,
) -> DecryptionRules:
    rules = DecryptionRules.select(
        algorithms=algorithms,
        encryptions=encryptions,
        allow_deprecated=allow_deprecated,
        allow_compression=allow_compression,
        limits=limits,
    )
    warn_of_deprecated(rules.algorithms)
    return rules
