cdef int reason_of_scan(int code) except -1
