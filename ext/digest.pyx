"""SHA-2 and the thumbprint of a certificate."""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t

from keybound._hotpath.native.signature cimport sha2_raw

__all__ = ["certificate_thumbprint", "sha2"]


def sha2(int bits, bytes data not None):
    cdef uint8_t out[64]
    cdef size_t size = sha2_raw(bits, <const uint8_t *>PyBytes_AS_STRING(data), len(data), out)
    if size == 0:
        raise ValueError("bits must be 256, 384 or 512")
    return (<char *>out)[:size]


def certificate_thumbprint(bytes der not None):
    cdef uint8_t out[64]
    if not certificate_thumbprint_raw(<const uint8_t *>PyBytes_AS_STRING(der), len(der), out):
        return None
    return (<char *>out)[:32]


cdef bint certificate_thumbprint_raw(const uint8_t *der, size_t size, uint8_t *out) except -1 nogil:
    """32 bytes into ``out``, which holds 64; false if ``der`` is not exactly one DER SEQUENCE."""
    if not _one_sequence(der, size):
        return False
    return sha2_raw(256, der, size, out) == 32


cdef bint _one_sequence(const uint8_t *der, size_t size) except -1 nogil:
    cdef size_t count, length = 0, i
    if size < 2 or der[0] != 0x30:
        return False
    if der[1] < 0x80:
        return der[1] > 0 and size == 2 + <size_t>der[1]
    count = der[1] & 0x7F
    # X.690, 10.1: definite form with the fewest length octets.
    if not 1 <= count <= 4 or size < 2 + count or der[2] == 0:
        return False
    for i in range(count):
        length = length << 8 | der[2 + i]
    return length >= 0x80 and size == 2 + count + length
