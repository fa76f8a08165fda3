"""JSON without lenience: one scan in C decides, orjson builds the values."""

from cpython.bytes cimport PyBytes_AS_STRING
from cpython.dict cimport PyDict_SetItem
from cpython.list cimport PyList_Append
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp

import orjson

from contract cimport (
    CONTAINER_BYTES,
    MEMBER_BYTES,
    PLAIN_TEXT_FACTOR,
    REASON_JSON_DUPLICATE_MEMBER,
    REASON_JSON_INVALID,
    REASON_JSON_NUMBER_OUT_OF_RANGE,
    REASON_JSON_TOO_DEEP,
    REASON_OK,
    REASON_PAYLOAD_NOT_OBJECT,
    TEXT_FACTOR,
    VALUE_BYTES,
)
from core cimport (
    KB_JSON_E_DEEP,
    KB_JSON_E_DUPLICATE,
    KB_JSON_E_INVALID,
    KB_JSON_E_MEMORY,
    KB_JSON_E_NOT_OBJECT,
    KB_JSON_E_NUMBER,
    KB_JSON_ARRAY,
    KB_JSON_FALSE,
    KB_JSON_INTEGER,
    KB_JSON_NULL,
    KB_JSON_OBJECT,
    KB_JSON_OK,
    KB_JSON_STRING,
    KB_JSON_TRUE,
    kb_json_array_next,
    kb_json_cursor,
    kb_json_cursor_init,
    kb_json_int64,
    kb_json_member,
    kb_json_object_next,
    kb_json_scan,
    kb_json_scan_any,
    kb_json_scan_free,
)

from keybound.frozen import FrozenDict, FrozenList

__all__ = ["footprint", "load_frozen", "loads"]

cdef extern from "Python.h":
    ctypedef struct PyObject
    # Making an empty container this way spares the look-up of __init__, which would do nothing.
    ctypedef struct PyTypeObject:
        object (*tp_new)(PyTypeObject *cls, object args, PyObject *options)


def loads(bytes data not None, unsigned max_depth):
    cdef kb_json_scan scan
    cdef int code = kb_json_scan_any(&scan, <const uint8_t *>PyBytes_AS_STRING(data), len(data), max_depth)
    kb_json_scan_free(&scan)
    cdef int reason = reason_of_scan(code)
    return reason, orjson.loads(data) if reason == REASON_OK else None


def load_frozen(bytes data not None):
    """The value of an object or array that :func:`loads` has accepted, read-only."""
    cdef size_t size
    cdef const uint8_t *text = container_of(data, &size)
    return _object(text, size) if text[0] == c"{" else _array(text, size)


def footprint(bytes data not None):
    return footprint_of(<const uint8_t *>PyBytes_AS_STRING(data), len(data))


cdef size_t footprint_of(const uint8_t *text, size_t size) noexcept nogil:
    cdef size_t i, containers = 0, members = 0, values = 0, unusual = 0
    for i in range(size):
        containers += (text[i] == c"{") | (text[i] == c"[")
        members += text[i] == c":"
        values += text[i] == c","
        unusual += (text[i] == c"\\") | (text[i] >= 0x80)
    return (
        CONTAINER_BYTES * containers
        + MEMBER_BYTES * members
        + VALUE_BYTES * values
        + (TEXT_FACTOR if unusual else PLAIN_TEXT_FACTOR) * size
    )


cdef const uint8_t *container_of(bytes data, size_t *size) except NULL:
    """An accepted object or array with its brackets, without the white space around it."""
    cdef const uint8_t *first = <const uint8_t *>PyBytes_AS_STRING(data)
    cdef const uint8_t *last = first + len(data) - 1
    while first[0] != c"{" and first[0] != c"[":
        first += 1
    while last[0] != c"}" and last[0] != c"]":
        last -= 1
    size[0] = last - first + 1
    return first


cdef _object(const uint8_t *text, size_t size):
    cdef kb_json_cursor cursor
    cdef kb_json_member member
    value = (<PyTypeObject *>FrozenDict).tp_new(<PyTypeObject *>FrozenDict, (), NULL)
    kb_json_cursor_init(&cursor, text, size)
    while kb_json_object_next(&cursor, &member):
        # FrozenDict refuses what Python calls; this is the C API underneath.
        PyDict_SetItem(value, _name(&member), value_of(&member))
    return value


cdef _array(const uint8_t *text, size_t size):
    cdef kb_json_cursor cursor
    cdef kb_json_member member
    value = (<PyTypeObject *>FrozenList).tp_new(<PyTypeObject *>FrozenList, (), NULL)
    kb_json_cursor_init(&cursor, text, size)
    while kb_json_array_next(&cursor, &member):
        PyList_Append(value, value_of(&member))
    return value


cdef value_of(const kb_json_member *member):
    """What orjson makes of the same text; it does so itself where that is not plain."""
    cdef int64_t number
    if member.type == KB_JSON_STRING:
        if member.escaped:
            return orjson.loads((member.value - 1)[:member.value_len + 2])
        return PyUnicode_DecodeUTF8(<const char *>member.value, member.value_len, NULL)
    if member.type == KB_JSON_INTEGER and kb_json_int64(member.value, member.value_len, &number):
        return number
    if member.type == KB_JSON_TRUE:
        return True
    if member.type == KB_JSON_FALSE:
        return False
    if member.type == KB_JSON_NULL:
        return None
    if member.type == KB_JSON_OBJECT:
        return _object(member.value, member.value_len)
    if member.type == KB_JSON_ARRAY:
        return _array(member.value, member.value_len)
    return orjson.loads(member.value[:member.value_len])


cdef _name(const kb_json_member *member):
    """A registered name is a constant of this module, with its hash at hand."""
    cdef const char *name = <const char *>member.name
    if member.name_escaped:
        return orjson.loads((member.name - 1)[:member.name_len + 2])
    if member.name_len == 3:
        if memcmp(name, "iss", 3) == 0:
            return "iss"
        if memcmp(name, "sub", 3) == 0:
            return "sub"
        if memcmp(name, "aud", 3) == 0:
            return "aud"
        if memcmp(name, "exp", 3) == 0:
            return "exp"
        if memcmp(name, "iat", 3) == 0:
            return "iat"
        if memcmp(name, "jti", 3) == 0:
            return "jti"
        if memcmp(name, "cnf", 3) == 0:
            return "cnf"
        if memcmp(name, "nbf", 3) == 0:
            return "nbf"
    elif member.name_len == 5 and memcmp(name, "scope", 5) == 0:
        return "scope"
    elif member.name_len == 8 and memcmp(name, "x5t#S256", 8) == 0:
        return "x5t#S256"
    elif member.name_len == 9 and memcmp(name, "client_id", 9) == 0:
        return "client_id"
    return PyUnicode_DecodeUTF8(name, member.name_len, NULL)


cdef int reason_of_scan(int code) except -1 nogil:
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
        with gil:
            raise MemoryError
    if code == KB_JSON_E_INVALID:
        return REASON_JSON_INVALID
    with gil:
        raise SystemError("unknown result of the JSON scan")
