from libc.stdint cimport uint8_t

from core cimport kb_json_member


cdef int reason_of_scan(int code) except -1 nogil
cdef const uint8_t *container_of(bytes data, size_t *size) except NULL
cdef value_of(const kb_json_member *member)
