"""JSON without lenience: one scan in C decides, orjson builds the values."""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t

import orjson

from contract cimport (
    REASON_JSON_DUPLICATE_MEMBER,
    REASON_JSON_INVALID,
    REASON_JSON_NUMBER_OUT_OF_RANGE,
    REASON_JSON_TOO_DEEP,
    REASON_OK,
    REASON_PAYLOAD_NOT_OBJECT,
)
from core cimport (
    KB_JSON_E_DEEP,
    KB_JSON_E_DUPLICATE,
    KB_JSON_E_INVALID,
    KB_JSON_E_MEMORY,
    KB_JSON_E_NOT_OBJECT,
    KB_JSON_E_NUMBER,
    KB_JSON_OK,
    kb_json_scan,
    kb_json_scan_any,
    kb_json_scan_free,
)

__all__ = ["loads"]


def loads(bytes data not None, unsigned max_depth):
    cdef kb_json_scan scan
    cdef int reason = reason_of_scan(
        kb_json_scan_any(&scan, <const uint8_t *>PyBytes_AS_STRING(data), len(data), max_depth))
    kb_json_scan_free(&scan)
    return reason, orjson.loads(data) if reason == REASON_OK else None


cdef int reason_of_scan(int code) except -1:
    if code == KB_JSON_OK:
        return REASON_OK
    if code == KB_JSON_E_DUPLICATE:
        return REASON_JSON_DUPLICATE_MEMBER
    if code == KB_JSON_E_DEEP:
        return REASON_JSON_TOO_DEEP
    if code == KB_JSON_E_NUMBER:
        return REASON_JSON_NUMBER_OUT_OF_RANGE
    if code == KB_JSON_E_NOT_OBJECT:
        return REASON_PAYLOAD_NOT_OBJECT
    if code == KB_JSON_E_MEMORY:
        raise MemoryError
    if code == KB_JSON_E_INVALID:
        return REASON_JSON_INVALID
    raise SystemError("unknown result of the JSON scan")
