from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int64_t, uint8_t, uint32_t


cdef extern from "core/base64url.h" nogil:
    size_t kb_base64url_decoded_size(size_t n)
    ptrdiff_t kb_base64url_decode(const uint8_t *text, size_t n, uint8_t *out)
    size_t kb_base64url_encoded_size(size_t n)
    size_t kb_base64url_encode(const uint8_t *data, size_t n, uint8_t *out)


cdef extern from "core/json_scan.h" nogil:
    enum:
        KB_JSON_OK, KB_JSON_E_INVALID, KB_JSON_E_DUPLICATE, KB_JSON_E_DEEP, KB_JSON_E_NUMBER
        KB_JSON_E_NOT_OBJECT, KB_JSON_E_MEMORY
        KB_JSON_STRING, KB_JSON_INTEGER, KB_JSON_NUMBER, KB_JSON_TRUE, KB_JSON_FALSE, KB_JSON_NULL
        KB_JSON_OBJECT, KB_JSON_ARRAY

    ctypedef struct kb_json_member:
        const uint8_t *name
        const uint8_t *value
        uint32_t name_len
        uint32_t value_len
        uint8_t type
        uint8_t escaped
        uint8_t name_escaped

    ctypedef struct kb_json_scan:
        kb_json_member *members
        uint32_t count

    ctypedef struct kb_json_cursor:
        pass

    int kb_json_scan_object(kb_json_scan *scan, const uint8_t *text, size_t n, unsigned max_depth)
    int kb_json_scan_any(kb_json_scan *scan, const uint8_t *text, size_t n, unsigned max_depth)
    void kb_json_scan_free(kb_json_scan *scan)
    const kb_json_member *kb_json_find(const kb_json_scan *scan, const char *name, size_t n)
    bint kb_json_string_equals(
        const uint8_t *raw, size_t raw_len, bint escaped, const uint8_t *expected, size_t expected_len)
    size_t kb_json_unescape(const uint8_t *raw, size_t n, uint8_t *out)
    bint kb_json_int64(const uint8_t *raw, size_t n, int64_t *value)
    void kb_json_cursor_init(kb_json_cursor *cursor, const uint8_t *value, size_t n)
    bint kb_json_array_next(kb_json_cursor *cursor, kb_json_member *element)
    bint kb_json_object_next(kb_json_cursor *cursor, kb_json_member *member)


cdef extern from "core/parallel.h" nogil:
    void kb_parallel(
        unsigned threads, size_t count, void (*work)(void *, size_t) noexcept nogil, void *context)
