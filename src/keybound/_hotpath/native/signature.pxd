from libc.stdint cimport uint8_t

from provider cimport kb_key, kb_signature


cdef class VerifyKey:
    cdef kb_key *_key
    cdef object _other
    cdef readonly int kind


# A key on a curve of ECDSA from coordinates of full size, or None.
cdef VerifyKey load_point(int kind, const uint8_t *x, size_t x_len, const uint8_t *y, size_t y_len)

cdef bint verify_raw(
    VerifyKey key,
    int family,
    int bits,
    const uint8_t *data,
    size_t data_len,
    const uint8_t *sig,
    size_t sig_len,
) except -1

# For keys that the library itself verifies, see is_raw; up to KB_GROUP items by the same key.
cdef void verify_group(
    const kb_key *key, int kind, int family, int bits, kb_signature *items, size_t count
) noexcept nogil

cdef bint is_raw(VerifyKey key) except -1

cdef size_t sha2_raw(int bits, const uint8_t *data, size_t data_len, uint8_t *out) noexcept nogil
