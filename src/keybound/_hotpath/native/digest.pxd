from libc.stdint cimport uint8_t


cdef bint certificate_thumbprint_raw(const uint8_t *der, size_t size, uint8_t *out) except -1 nogil
