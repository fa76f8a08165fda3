from keybound._hotpath.native.claims cimport kb_lasting


cdef class Entry:
    cdef object token
    cdef object keys
    cdef double fresh_until
    cdef Py_ssize_t cost
    cdef kb_lasting lasting


cdef class TokenCache:
    cdef dict _young
    cdef dict _old
    cdef Py_ssize_t _young_cost, _old_cost, _half_entries, _half_memory
    cdef double _lifetime
    cdef object _monotonic
    cdef Py_ssize_t _hits, _misses, _dropped

    cdef double now(self) except? -1.0
    cdef Entry find(self, raw, keys)
    cdef int store(self, raw, Entry entry) except -1
    cdef int drop(self, raw) except -1
    cdef int _put(self, raw, Entry entry) except -1
