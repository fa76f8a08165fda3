from libc.stdint cimport uint8_t

from core cimport kb_json_member


cdef size_t footprint_of(const uint8_t *text, size_t size) noexcept nogil
cdef int reason_of_scan(int code) except -1 nogil
cdef const uint8_t *container_of(bytes data, size_t *size) except NULL
cdef value_of(const kb_json_member *member)
