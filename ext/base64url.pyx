"""Strict base64url (RFC 7515, 2), both ways."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t

from core cimport (
    kb_base64url_decode,
    kb_base64url_decoded_size,
    kb_base64url_encode,
    kb_base64url_encoded_size,
)

__all__ = ["decode", "encode"]


def encode(bytes data not None):
    cdef size_t size = kb_base64url_encoded_size(len(data))
    cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
    cdef const uint8_t *octets = <const uint8_t *>PyBytes_AS_STRING(data)
    kb_base64url_encode(octets, len(data), <uint8_t *>PyBytes_AS_STRING(out))
    return out.decode("ascii")


def decode(text):
    cdef bytes data
    if type(text) is str:
        if not (<str>text).isascii():
            return None
        data = (<str>text).encode("ascii")
    elif type(text) is bytes:
        data = text
    else:
        return None
    cdef bytes out = PyBytes_FromStringAndSize(NULL, kb_base64url_decoded_size(len(data)))
    if kb_base64url_decode(
            <const uint8_t *>PyBytes_AS_STRING(data), len(data), <uint8_t *>PyBytes_AS_STRING(out)) < 0:
        return None
    return out
