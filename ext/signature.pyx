"""JWS signature verification dispatch: one key handle, one verify, on AWS-LC."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t

from contract cimport (
    FAMILY_ECDSA,
    FAMILY_EDDSA,
    FAMILY_HMAC,
    FAMILY_RSA_PKCS1,
    FAMILY_RSA_PSS,
    KIND_ED448,
    KIND_ED25519,
    KIND_P256,
    KIND_P384,
    KIND_P521,
    KIND_RSA,
    KIND_SECP256K1,
    KIND_SECRET,
)
from provider cimport (
    KB_GROUP,
    KB_P256,
    KB_P384,
    KB_P521,
    KB_SECP256K1,
    KB_TABLES_BUILT,
    KB_TABLES_BYTES,
    KB_TABLES_EVICTED,
    KB_TABLES_LIMIT,
    KB_TABLES_NOW,
    KB_TABLES_UNDECIDED,
    kb_coordinate_size,
    kb_curve,
    kb_key,
    kb_key_ec,
    kb_key_ed25519,
    kb_key_free,
    kb_key_has_table,
    kb_key_leave_to_library,
    kb_key_rsa,
    kb_key_secret,
    kb_provider_cpu_feature,
    kb_provider_name,
    kb_sha2,
    kb_signature,
    kb_tables_configure,
    kb_tables_counter,
    kb_tables_serve_ec,
    kb_tables_serve_ed25519,
    kb_tables_serve_rsa,
    kb_verify_ecdsa,
    kb_verify_ecdsa_digest,
    kb_verify_ecdsa_group,
    kb_verify_ed25519,
    kb_verify_hmac,
    kb_verify_rsa_pkcs1,
    kb_verify_rsa_pss,
)

import os

__all__ = [
    "VerifyKey",
    "configure_tables",
    "cpu_features",
    "library",
    "load_key",
    "provider",
    "serves_tables",
    "table_counters",
    "verify",
]


if os.environ.get("KEYBOUND_TABLES", "1") == "0":
    kb_tables_configure(0, 0)


def library():
    return kb_provider_name().decode("ascii")


def cpu_features():
    features = []
    while (name := kb_provider_cpu_feature(len(features))) != NULL:
        features.append((<bytes>name).decode("ascii"))
    return tuple(features)


def provider(int kind):
    # AWS-LC has no Ed448.
    return "cryptography" if kind == KIND_ED448 else "AWS-LC"


def serves_tables(int kind):
    if kind == KIND_RSA:
        return kb_tables_serve_rsa()
    if kind == KIND_ED25519:
        return kb_tables_serve_ed25519()
    cdef int curve = _curve_of(kind)
    return curve != 0 and kb_tables_serve_ec(<kb_curve>curve)


def configure_tables(limit_bytes, uses):
    kb_tables_configure(limit_bytes, uses)


def table_counters():
    return {
        "tables": kb_tables_counter(KB_TABLES_NOW),
        "bytes": kb_tables_counter(KB_TABLES_BYTES),
        "built": kb_tables_counter(KB_TABLES_BUILT),
        "evicted": kb_tables_counter(KB_TABLES_EVICTED),
        "undecided": kb_tables_counter(KB_TABLES_UNDECIDED),
        "limit_bytes": kb_tables_counter(KB_TABLES_LIMIT),
    }


@cython.final
@cython.auto_pickle(False)
cdef class VerifyKey:

    def __init__(self):
        raise TypeError("VerifyKey is made by load_key()")

    def __dealloc__(self):
        kb_key_free(self._key)

    def __reduce__(self):
        raise TypeError("a key handle cannot be pickled")


def load_key(int kind, tuple material not None):
    cdef VerifyKey key = VerifyKey.__new__(VerifyKey)
    key.kind = kind
    if kind == KIND_ED448:
        from keybound._hotpath.pure.signature import load_key as load_pure

        key._other = load_pure(kind, material)
        return None if key._other is None else key
    key._key = _load(kind, material)
    return None if key._key == NULL else key


cdef kb_key *_load(int kind, tuple material) except? NULL:
    cdef bytes first = material[0]
    cdef bytes second = material[1] if len(material) > 1 else b""
    cdef const uint8_t *a = <const uint8_t *>PyBytes_AS_STRING(first)
    cdef const uint8_t *b = <const uint8_t *>PyBytes_AS_STRING(second)
    if kind == KIND_SECRET:
        return kb_key_secret(a, len(first))
    if kind == KIND_RSA:
        return kb_key_rsa(a, len(first), b, len(second))
    if kind == KIND_ED25519:
        return kb_key_ed25519(a, len(first))
    cdef int curve = _curve_of(kind)
    return kb_key_ec(<kb_curve>curve, a, len(first), b, len(second)) if curve else NULL


cdef VerifyKey load_point(int kind, const uint8_t *x, size_t x_len, const uint8_t *y, size_t y_len):
    cdef int curve = _curve_of(kind)
    cdef VerifyKey key = VerifyKey.__new__(VerifyKey)
    key.kind = kind
    # RFC 7518, 6.2.1.2: leading zeros are part of a coordinate.
    if curve == 0 or x_len != kb_coordinate_size(<kb_curve>curve) or y_len != x_len:
        return None
    key._key = kb_key_ec(<kb_curve>curve, x, x_len, y, y_len)
    return None if key._key == NULL else key


cdef int _curve_of(int kind) except -1:
    if kind == KIND_P256:
        return KB_P256
    if kind == KIND_P384:
        return KB_P384
    if kind == KIND_P521:
        return KB_P521
    return KB_SECP256K1 if kind == KIND_SECP256K1 else 0


def verify(VerifyKey key not None, int family, int bits, bytes data not None, bytes signature not None):
    return verify_raw(
        key,
        family,
        bits,
        <const uint8_t *>PyBytes_AS_STRING(data),
        len(data),
        <const uint8_t *>PyBytes_AS_STRING(signature),
        len(signature),
    )


cdef bint verify_raw(
    VerifyKey key,
    int family,
    int bits,
    const uint8_t *data,
    size_t data_len,
    const uint8_t *sig,
    size_t sig_len,
) except -1:
    cdef kb_signature item
    if not is_raw(key):
        return _verify_other(key, family, bits, data[:data_len], sig[:sig_len])
    item.data, item.data_len, item.sig, item.sig_len, item.good = data, data_len, sig, sig_len, 0
    if family == FAMILY_HMAC:
        # Shorter than handing the interpreter lock over and getting it back.
        verify_group(key._key, key.kind, family, bits, &item, 1)
    else:
        with nogil:
            verify_group(key._key, key.kind, family, bits, &item, 1)
    return item.good


cdef bint is_raw(VerifyKey key) except -1:
    """Whether AWS-LC verifies with this key; a key that only ``cryptography`` takes needs Python."""
    return key._key != NULL


cdef void verify_group(
    const kb_key *key, int kind, int family, int bits, kb_signature *items, size_t count
) noexcept nogil:
    # Each family names the kinds it takes: a handle of another type never reaches the library.
    cdef bint is_curve = kind == KIND_P256 or kind == KIND_P384 or kind == KIND_P521 or kind == KIND_SECP256K1
    cdef size_t i
    if family == FAMILY_ECDSA and is_curve and count > 1:
        kb_verify_ecdsa_group(key, bits, items, count)
        return
    for i in range(count):
        item = &items[i]
        item.good = 0
        if family == FAMILY_HMAC and kind == KIND_SECRET:
            item.good = kb_verify_hmac(key, bits, item.data, item.data_len, item.sig, item.sig_len)
        elif family == FAMILY_RSA_PKCS1 and kind == KIND_RSA:
            item.good = kb_verify_rsa_pkcs1(key, bits, item.data, item.data_len, item.sig, item.sig_len)
        elif family == FAMILY_RSA_PSS and kind == KIND_RSA:
            item.good = kb_verify_rsa_pss(key, bits, item.data, item.data_len, item.sig, item.sig_len)
        elif family == FAMILY_ECDSA and is_curve:
            item.good = kb_verify_ecdsa(key, bits, item.data, item.data_len, item.sig, item.sig_len)
        elif family == FAMILY_EDDSA and kind == KIND_ED25519:
            item.good = kb_verify_ed25519(key, item.data, item.data_len, item.sig, item.sig_len)


def _leave_to_library(VerifyKey key not None):
    # For the tests that compare tables with the library, as the next three.
    kb_key_leave_to_library(key._key)


def _has_table(VerifyKey key not None):
    return kb_key_has_table(key._key)


def _verify_digest(VerifyKey key not None, bytes digest not None, bytes signature not None):
    assert _curve_of(key.kind)
    return kb_verify_ecdsa_digest(
        key._key,
        <const uint8_t *>PyBytes_AS_STRING(digest),
        len(digest),
        <const uint8_t *>PyBytes_AS_STRING(signature),
        len(signature),
    ) == 1


def _verify_group(VerifyKey key not None, int family, int bits, list signed not None):
    """The verdicts of ``(data, signature)`` pairs, by the road of batches."""
    cdef kb_signature items[KB_GROUP]
    cdef bytes data, signature
    cdef size_t count = len(signed), i
    assert count <= KB_GROUP and is_raw(key)
    for i in range(count):
        data, signature = signed[i]
        items[i].data, items[i].data_len = <const uint8_t *>PyBytes_AS_STRING(data), len(data)
        items[i].sig, items[i].sig_len = <const uint8_t *>PyBytes_AS_STRING(signature), len(signature)
    verify_group(key._key, key.kind, family, bits, items, count)
    return [items[i].good == 1 for i in range(count)]


cdef bint _verify_other(VerifyKey key, int family, int bits, bytes data, bytes sig) except -1:
    from keybound._hotpath.pure.signature import verify as verify_pure

    return verify_pure(key._other, family, bits, data, sig)


cdef size_t sha2_raw(int bits, const uint8_t *data, size_t data_len, uint8_t *out) noexcept nogil:
    return kb_sha2(bits, data, data_len, out)
