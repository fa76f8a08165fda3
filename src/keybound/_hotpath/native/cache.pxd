from keybound._hotpath.native.claims cimport kb_lasting


cdef double seconds(answer) except? -1.0


cdef class Entry:
    cdef object token
    cdef double fresh_until
    cdef Py_ssize_t cost
    cdef kb_lasting lasting


cdef class TokenCache:
    cdef object _keys
    cdef dict _young
    cdef dict _old
    cdef Py_ssize_t _young_cost, _old_cost, _half_entries, _half_memory
    cdef double _lifetime
    cdef object _monotonic
    cdef Py_ssize_t _hits, _misses, _dropped

    cdef double now(self) except? -1.0
    cdef Entry find(self, str raw, keys)
    cdef int store(self, str raw, keys, Entry entry) except -1
    cdef int drop(self, str raw) except -1
    cdef int _forget(self) except -1
    cdef int _remove(self, str raw) except -1
    cdef int _put(self, str raw, Entry entry) except -1
