"""Tokens signed with the key in their own header: a key is parsed, checked, hashed and used in one call.

Most keys that come this way are on a curve of ECDSA, plainly written, and new. For those no Python
object of a key or header is made. Everything else takes the general road, by way of ``load_key``.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.string cimport memcmp, memcpy, memset

from contract cimport (
    FAMILY_ECDSA,
    REASON_HEADER_TOO_LARGE,
    REASON_OK,
    REMEMBERED_EMBEDDED_KEYS,
)
from core cimport (
    KB_JSON_OBJECT,
    KB_JSON_OK,
    KB_JSON_STRING,
    kb_base64url_decode,
    kb_base64url_decoded_size,
    kb_json_cursor,
    kb_json_cursor_init,
    kb_json_member,
    kb_json_object_next,
    kb_json_scan,
    kb_json_scan_free,
    kb_json_scan_object,
)

from keybound._hotpath.native.claims cimport CompiledClaims, check_raw, kb_lasting, kb_proof
from keybound._hotpath.native.signature cimport VerifyKey, load_point, sha2_raw
from keybound._hotpath.native.token cimport (
    CompiledHeader,
    Segments,
    SelfSignedToken,
    Signer,
    split_raw,
    verify_segments,
)

from keybound._hotpath.contract import CURVES, EmbeddedKey
from keybound._hotpath.header import Header

__all__ = ["SelfSignedPolicy", "validate"]

cdef enum:
    # A plain header with a key on P-521 has about 270 octets.
    PLAIN_HEADER = 512
    # A coordinate on P-521, in characters and in octets.
    COORDINATE_TEXT = 88
    COORDINATE = 66
    # Two of them, the name of a curve, and 35 characters around them.
    CANONICAL = 256

cdef extern from "Python.h":
    ctypedef struct PyObject
    ctypedef struct PyTypeObject:
        object (*tp_new)(PyTypeObject *cls, object args, PyObject *options)


# The members of a header, or of a key in it, that the short road knows.
cdef struct Plain:
    const kb_json_member *alg
    const kb_json_member *typ
    const kb_json_member *jwk
    kb_json_member kty
    kb_json_member crv
    kb_json_member x
    kb_json_member y


@cython.final
@cython.auto_pickle(False)
cdef class SelfSignedPolicy:
    """Rules prepared for :func:`validate`, with a memo of keys that have signed a good token."""

    cdef CompiledHeader _header
    cdef CompiledClaims _claim_rules
    cdef object _load_key, _result_type
    cdef Py_ssize_t _header_bytes
    # ``(alg, crv, kind, family, bits)`` of each algorithm that the short road knows; ``typ`` values.
    cdef list _plain_algorithms, _plain_types
    cdef dict _known, _older

    def __init__(self, header_rules, claim_rules, load_key, result_type=SelfSignedToken):
        if not issubclass(result_type, SelfSignedToken):
            raise TypeError("the result of this validation is a SelfSignedToken")
        self._header = CompiledHeader(header_rules)
        self._claim_rules = CompiledClaims(claim_rules)
        self._load_key, self._result_type = load_key, result_type
        self._header_bytes = header_rules.header_bytes
        curves = {kind: name for name, kind in CURVES.items()}
        self._plain_algorithms = [
            (row.name.encode(), curves[kind].encode(), int(kind), int(row.family), int(row.bits))
            for row in header_rules.algorithms if row.family == FAMILY_ECDSA for kind in row.kinds
        ]
        self._plain_types = [name.encode() for name in header_rules.types or ()]
        self._known, self._older = {}, {}

    def __reduce__(self):
        raise TypeError("compiled rules cannot be pickled")

    cdef find(self, bytes encoded, bint *remembered):
        """The signer of an encoded header, or the reason why there is none."""
        cdef dict known, older
        with cython.critical_section(self):
            known, older = self._known, self._older
        signer = known.get(encoded)
        remembered[0] = signer is not None
        if signer is None:
            signer = older.get(encoded)
        if signer is None:
            signer = self._short_road(encoded)
        return self._general_road(encoded) if signer is None else signer

    cdef int keep(self, Signer signer) except -1:
        """Keep a key whose signature verified, in place of those that were not seen for longest."""
        with cython.critical_section(self):
            if len(self._known) >= REMEMBERED_EMBEDDED_KEYS // 2:
                self._older, self._known = self._known, {}
            self._known[signer.encoded] = signer
        return 0

    cdef _general_road(self, bytes encoded):
        cdef bytes digest
        header = self._header.parse(encoded)
        if type(header) is not Header:
            return header
        key = self._load_key(header)
        if type(key) is not EmbeddedKey:
            return key
        digest = key.thumbprint
        return _signer(
            encoded,
            key.handle,
            header.algorithm.family,
            header.algorithm.bits,
            <const uint8_t *>PyBytes_AS_STRING(digest),
        )

    cdef Signer _short_road(self, bytes encoded):
        """The signer, or ``None`` for a header that needs a closer look."""
        cdef uint8_t text[PLAIN_HEADER]
        cdef size_t size = PyBytes_GET_SIZE(encoded)
        cdef Py_ssize_t decoded
        cdef kb_json_scan scan
        if kb_base64url_decoded_size(size) > PLAIN_HEADER:
            return None
        decoded = kb_base64url_decode(<const uint8_t *>PyBytes_AS_STRING(encoded), size, text)
        if decoded < 0:
            return None
        try:
            if kb_json_scan_object(&scan, text, decoded, self._header._json_depth) != KB_JSON_OK:
                return None
            return self._plain_signer(encoded, &scan)
        finally:
            kb_json_scan_free(&scan)

    cdef Signer _plain_signer(self, bytes encoded, const kb_json_scan *scan):
        cdef Plain plain
        cdef uint8_t digest[64]
        cdef VerifyKey key
        cdef bytes name, curve
        if not _find_plain(scan, &plain):
            return None
        for name in self._plain_types:
            if _is(plain.typ, name):
                break
        else:
            return None
        for name, curve, kind, family, bits in self._plain_algorithms:
            if _is(plain.alg, name) and _is(&plain.crv, curve):
                key = _point(kind, &plain)
                if key is None:
                    return None
                _hash(&plain, digest)
                return _signer(encoded, key, family, bits, digest)
        return None


cdef Signer _signer(bytes encoded, VerifyKey key, int family, int bits, const uint8_t *digest):
    cdef Signer signer = Signer.__new__(Signer)
    signer.encoded, signer.candidates = encoded, (key,)
    signer.family, signer.bits, signer.b64 = family, bits, True
    memcpy(signer.digest, digest, 32)
    return signer


cdef bint _is(const kb_json_member *member, bytes text) except -1:
    return member.value_len == <size_t>PyBytes_GET_SIZE(text) and memcmp(
        member.value, PyBytes_AS_STRING(text), member.value_len) == 0


cdef bint _named(const kb_json_member *member, const char *name) except -1:
    # The names here have three characters, or one.
    return member.name_len == 3 and memcmp(member.name, name, 3) == 0


cdef bint _find_plain(const kb_json_scan *scan, Plain *plain) except -1:
    """Whether header and key have exactly the members that they need, all of them plain text."""
    cdef const kb_json_member *member
    memset(plain, 0, sizeof(Plain))
    if scan.count != 3:
        return False
    for i in range(3):
        member = &scan.members[i]
        if _named(member, b"jwk") and member.type == KB_JSON_OBJECT:
            plain.jwk = member
        elif member.type != KB_JSON_STRING or member.escaped:
            return False
        elif _named(member, b"alg"):
            plain.alg = member
        elif _named(member, b"typ"):
            plain.typ = member
    if plain.alg == NULL or plain.typ == NULL or plain.jwk == NULL:
        return False
    return _find_key(plain)


cdef bint _find_key(Plain *plain) except -1:
    cdef kb_json_cursor cursor
    cdef kb_json_member member
    cdef int count = 0
    kb_json_cursor_init(&cursor, plain.jwk.value, plain.jwk.value_len)
    while kb_json_object_next(&cursor, &member):
        count += 1
        if member.type != KB_JSON_STRING or member.escaped or member.name_escaped:
            return False
        if _named(&member, b"kty"):
            plain.kty = member
        elif _named(&member, b"crv"):
            plain.crv = member
        elif member.name_len == 1 and member.name[0] == c"x":
            plain.x = member
        elif member.name_len == 1 and member.name[0] == c"y":
            plain.y = member
    # A scan has refused names that come twice.
    if count != 4 or not plain.kty.name_len or not plain.crv.name_len or not plain.x.name_len:
        return False
    return plain.y.name_len != 0 and plain.kty.value_len == 2 and memcmp(plain.kty.value, b"EC", 2) == 0


cdef VerifyKey _point(int kind, const Plain *plain):
    """The key, or ``None`` if the coordinates are not canonical, not of full size, or of no point."""
    cdef uint8_t x[COORDINATE]
    cdef uint8_t y[COORDINATE]
    cdef Py_ssize_t x_size, y_size
    if plain.x.value_len > COORDINATE_TEXT or plain.y.value_len > COORDINATE_TEXT:
        return None
    x_size = kb_base64url_decode(plain.x.value, plain.x.value_len, x)
    y_size = kb_base64url_decode(plain.y.value, plain.y.value_len, y)
    return None if x_size < 0 or y_size < 0 else load_point(kind, x, x_size, y, y_size)


cdef int _hash(const Plain *plain, uint8_t *digest) except -1:
    """RFC 7638, 3.2 and 3.3: the required members by the alphabet, without white space."""
    cdef uint8_t text[CANONICAL]
    cdef uint8_t *end = text
    end = _put(end, <const uint8_t *>b'{"crv":"', 8)
    end = _put(end, plain.crv.value, plain.crv.value_len)
    end = _put(end, <const uint8_t *>b'","kty":"EC","x":"', 18)
    end = _put(end, plain.x.value, plain.x.value_len)
    end = _put(end, <const uint8_t *>b'","y":"', 7)
    end = _put(end, plain.y.value, plain.y.value_len)
    end = _put(end, <const uint8_t *>b'"}', 2)
    sha2_raw(256, text, end - text, digest)
    return 0


cdef uint8_t *_put(uint8_t *end, const uint8_t *text, size_t size) except NULL:
    memcpy(end, text, size)
    return end + size


def validate(SelfSignedPolicy policy not None, raw, double now, str beside):
    """Validate a token that carries its key: a verified token or a verdict."""
    cdef Segments segments
    cdef bytes encoded, payload
    cdef bint remembered, old_secret
    cdef kb_lasting lasting
    cdef kb_proof nothing
    cdef int verdict = split_raw(policy._header, raw, &segments)
    if verdict != REASON_OK:
        return verdict
    if segments.first_dot > <size_t>policy._header_bytes:
        return REASON_HEADER_TOO_LARGE
    encoded = segments.at[:segments.first_dot]
    signer = policy.find(encoded, &remembered)
    if type(signer) is not Signer:
        return signer
    payload = verify_segments(signer, &segments, &verdict, &old_secret)
    if payload is None:
        return verdict
    if not remembered:
        policy.keep(signer)
    memset(&nothing, 0, sizeof(kb_proof))
    verdict = check_raw(
        &policy._claim_rules.rules,
        <const uint8_t *>PyBytes_AS_STRING(payload),
        PyBytes_GET_SIZE(payload),
        policy._header._json_depth,
        now,
        &nothing,
        &lasting,
    )
    return verdict if verdict != REASON_OK else _token(policy, signer, payload, beside)


cdef SelfSignedToken _token(SelfSignedPolicy policy, Signer signer, bytes payload, str beside):
    cdef PyTypeObject *kind = <PyTypeObject *>policy._result_type
    cdef SelfSignedToken token = kind.tp_new(kind, (), NULL)
    token._signer, token._payload, token._beside, token._rules = signer, payload, beside, policy._header
    return token
