"""The road of a token: split, header, key, signature, payload, claims and binding in one call."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.unicode cimport PyUnicode_DATA, PyUnicode_GET_LENGTH
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memchr, memcmp

from contract cimport (
    ENTRY_BYTES,
    KIND_SECRET,
    REASON_BASE64URL_INVALID,
    REASON_ISS_INVALID,
    REASON_ISS_MISSING,
    REASON_KEY_AMBIGUOUS,
    REASON_KEY_UNKNOWN,
    REASON_KEY_UNSUITABLE,
    REASON_OK,
    REASON_SIGNATURE_INVALID,
    REASON_TOKEN_ENCRYPTED,
    REASON_TOKEN_MALFORMED,
    REASON_TOKEN_MISSING,
    REASON_TOKEN_NOT_TEXT,
    REASON_TOKEN_REVOKED,
    REASON_TOKEN_TOO_LARGE,
)
from core cimport (
    KB_JSON_OK,
    KB_JSON_STRING,
    kb_base64url_decode,
    kb_base64url_decoded_size,
    kb_json_cursor,
    kb_json_cursor_init,
    kb_json_find,
    kb_json_member,
    kb_json_object_next,
    kb_json_scan,
    kb_json_scan_free,
    kb_json_scan_object,
    kb_json_string_equals,
)

from keybound._hotpath.native.cache cimport Entry, seconds
from keybound._hotpath.native.claims cimport (
    CompiledClaims,
    check_raw,
    kb_lasting,
    kb_proof,
    proof_of,
    recheck_raw,
)
from keybound._hotpath.native.digest cimport certificate_thumbprint_raw
from keybound._hotpath.native.signature cimport VerifyKey, verify_raw
from keybound._hotpath.native.strict_json cimport container_of, footprint_of, reason_of_scan, value_of

from keybound._hotpath.compact import OpenedWithOldSecret
from keybound._hotpath.header import NO_HEADER, Header, parse_header
from keybound._hotpath.native import base64url, strict_json
from keybound._hotpath.contract import (
    REMEMBERED_CERTIFICATE_BYTES,
    REMEMBERED_CERTIFICATES,
)
from keybound.clock import system_clock
from keybound.errors import PolicyError, Unavailable
from keybound.limits import MAX_CANDIDATES, MAX_REMEMBERED_HEADERS

__all__ = [
    "CompiledHeader",
    "CompiledPolicy",
    "KeyIndex",
    "SelfSignedToken",
    "Validator",
    "VerifiedToken",
    "from_claims",
    "open_parts",
    "open_token",
    "thumbprint_beside",
    "unverified_issuer",
    "validate",
]

cdef enum:
    # The longest signature there is, RSA-16384, in octets.
    STACK_SIGNATURE = 2048

cdef enum:
    # The hundreds of ClaimRejected, see errors.py.
    CLAIM_FAMILY = 5

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    ctypedef struct PyObject
    ctypedef struct PyTypeObject:
        object (*tp_new)(PyTypeObject *cls, object args, PyObject *options)

cdef extern from "time.h" nogil:
    ctypedef long time_t
    cdef struct timespec:
        time_t tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec *value)
    int CLOCK_REALTIME

cdef extern from *:
    """
    #ifdef Py_GIL_DISABLED
    #define KB_COUNT(counter) __atomic_fetch_add(&(counter), 1, __ATOMIC_RELAXED)
    #else
    #define KB_COUNT(counter) ((counter)++)
    #endif
    """
    void KB_COUNT(uint64_t counter) noexcept nogil


cdef double system_time() except? -1.0:
    cdef timespec value
    clock_gettime(CLOCK_REALTIME, &value)
    return value.tv_sec + value.tv_nsec * 1e-9


@cython.final
@cython.auto_pickle(False)
cdef class KeyIndex:
    """Key handles by ``kid``, immutable: one snapshot of a key set."""

    def __init__(self, entries):
        self._by_kid, self._all, self._unnamed = {}, {}, {}
        for kid, key, mask in entries:
            if type(key) is not VerifyKey:
                raise TypeError("a KeyIndex holds key handles of its own twin")
            if kid is not None:
                self._by_kid.setdefault(kid, []).append((key, mask))
            for index in range(mask.bit_length()):
                if mask >> index & 1:
                    self._all.setdefault(index, []).append(key)
                    if kid is None:
                        self._unnamed.setdefault(index, []).append(key)
        # An operator who gives several secrets without a kid means each of them: the new and the old one.
        self._secrets = frozenset([
            index
            for index, pool in self._unnamed.items()
            if len(pool) == len(self._all[index]) and all([key.kind == KIND_SECRET for key in pool])
        ])
        self._current = {index: pool[0] for index, pool in self._all.items() if pool[0].kind == KIND_SECRET}

    def __reduce__(self):
        raise TypeError("key handles cannot be pickled")

    cpdef candidates(self, kid, int index):
        """The keys to try for a token, at most three, or the reason why there is none."""
        cdef list pool
        named = self._by_kid.get(kid) if kid is not None else None
        if named is not None:
            fitting = tuple([key for key, mask in named if mask >> index & 1])
            return fitting[:MAX_CANDIDATES] or REASON_KEY_UNSUITABLE
        if kid is not None and not self._unnamed:
            return REASON_KEY_UNKNOWN
        # A kid nobody has can only be meant for a key that the operator loaded without one.
        pool = (self._all if kid is None else self._unnamed).get(index, [])
        if len(pool) == 1 or index in self._secrets:
            return tuple(pool[:MAX_CANDIDATES])
        return REASON_KEY_AMBIGUOUS if pool else REASON_KEY_UNSUITABLE

    def is_old_secret(self, key, int index):
        """Whether a key is a secret, and not the first for this algorithm, which is the current one."""
        return self._current.get(index, key) is not key


@cython.auto_pickle(False)
cdef class VerifiedToken:
    """Header and claims that passed every check. Made by :func:`validate` alone; immutable."""

    def __init__(self):
        raise TypeError("a verified token comes from a validator")

    @property
    def header(self):
        """The protected header, read-only."""
        return self._header.fields

    @property
    def claims(self):
        """The claims set, read-only."""
        # Two threads may ask at once; without a GIL the reference needs a lock.
        with cython.critical_section(self):
            claims = self._claims
        if claims is None:
            claims = strict_json.load_frozen(self._payload)
            with cython.critical_section(self):
                self._claims = claims
        return claims

    @property
    def old_secret(self):
        """Whether it was signed or encrypted with a secret that is being replaced: of several for one
        algorithm, any but the first.
        """
        return self._old_secret

    def claim(self, name, default=None):
        """One claim, read-only, without making the others; ``default`` where there is none."""
        cdef kb_json_cursor cursor
        cdef kb_json_member member
        cdef bytes encoded
        cdef size_t size, wanted_len
        cdef const uint8_t *text
        cdef const uint8_t *wanted
        if not isinstance(name, str):
            raise TypeError("the name of a claim is text")
        if PyUnicode_IS_COMPACT_ASCII(name):
            wanted, wanted_len = <const uint8_t *>PyUnicode_DATA(name), PyUnicode_GET_LENGTH(name)
        else:
            # A lone surrogate names no claim, and must not fail here.
            encoded = str.encode(name, "utf-8", "surrogatepass")
            wanted, wanted_len = <const uint8_t *>PyBytes_AS_STRING(encoded), PyBytes_GET_SIZE(encoded)
        if self._payload is None:
            raise TypeError("a verified token comes from a validator")
        text = container_of(self._payload, &size)
        kb_json_cursor_init(&cursor, text, size)
        while kb_json_object_next(&cursor, &member):
            if kb_json_string_equals(member.name, member.name_len, member.name_escaped, wanted, wanted_len):
                return value_of(&member)
        return default

    def __reduce__(self):
        # Whoever unpickles would get a "verified" token that nobody verified.
        raise TypeError("a verified token cannot be pickled")


@cython.auto_pickle(False)
cdef class SelfSignedToken(VerifiedToken):
    """A token that carried its key in its header. Made by :func:`keybound._hotpath.self_signed.validate`."""

    @property
    def header(self):
        """The protected header, read-only."""
        cdef Signer signer = self.signer()
        with cython.critical_section(self):
            header = self._header
        if header is None:
            header = self._rules.parse(signer.encoded)
            with cython.critical_section(self):
                self._header = header
        return header.fields

    @property
    def thumbprint(self):
        """The JWK thumbprint of its key with SHA-256 (RFC 7638, 3), 43 characters of base64url."""
        return base64url.encode((<char *>self.signer().digest)[:32])

    @property
    def allowed_algorithms(self):
        """The algorithms that its validator accepts, for a challenge (RFC 9449, 7.1)."""
        self.signer()
        return tuple([row.name for row in self._rules.rules.algorithms])

    cdef Signer signer(self):
        if self._signer is None:
            raise TypeError("a verified token comes from a validator")
        return self._signer


@cython.auto_pickle(False)
cdef class Remembered:
    """A header that passed its rules, with the keys it chose in one key index; immutable."""


@cython.final
@cython.auto_pickle(False)
cdef class Signer(Remembered):
    """A header that passed its rules, with the key that it carries."""


cdef Remembered _remembered(bytes encoded, header, KeyIndex keys, tuple candidates):
    cdef Remembered known = Remembered.__new__(Remembered)
    known.encoded, known.header, known.keys, known.candidates = encoded, header, keys, candidates
    known.family, known.bits, known.b64 = header.algorithm.family, header.algorithm.bits, header.b64
    known.current = keys._current.get(header.algorithm.index)
    return known


@cython.final
@cython.auto_pickle(False)
cdef class CompiledHeader:
    """Header rules with the memo of headers that came on good tokens."""

    def __init__(self, rules):
        self.rules = rules
        self._memo = {}
        self._token_bytes = rules.token_bytes
        self._json_depth = rules.json_depth

    def __reduce__(self):
        raise TypeError("compiled rules cannot be pickled")

    def parse(self, bytes encoded not None):
        """See :func:`~keybound._hotpath.header.parse_header`."""
        cdef Remembered known = self._memo.get(encoded)
        if known is not None:
            return known.header
        return parse_header(self.rules, encoded, base64url, strict_json)

    cdef choose(self, const uint8_t *at, size_t size, KeyIndex keys):
        """What is known of an encoded header, or a reason; a header not seen before is not kept yet."""
        cdef Remembered known
        cdef bytes encoded
        with cython.critical_section(self):
            known = self._last
        if known is not None and known.keys is keys and <size_t>PyBytes_GET_SIZE(known.encoded) == size:
            if memcmp(PyBytes_AS_STRING(known.encoded), at, size) == 0:
                return known
        encoded = at[:size]
        known = self._memo.get(encoded)
        if known is not None and known.keys is keys:
            with cython.critical_section(self):
                self._last = known
            return known
        header = self.parse(encoded)
        if type(header) is not Header:
            return header
        candidates = keys.candidates(header.kid, header.algorithm.index)
        return _remembered(encoded, header, keys, candidates) if type(candidates) is tuple else candidates

    cdef int keep(self, Remembered known) except -1:
        """Keep a header whose signature verified; what nobody signed cannot fill the memo."""
        cdef bint keys_changed
        with cython.critical_section(self):
            if self._last is known:
                return 0
            keys_changed = self._last is not None and self._last.keys is not known.keys
            self._last = known
        # Headers of former keys would keep those keys alive.
        if keys_changed or len(self._memo) >= MAX_REMEMBERED_HEADERS:
            self._memo.clear()
        self._memo[known.encoded] = known
        return 0


@cython.final
@cython.auto_pickle(False)
cdef class CompiledPolicy:
    """Rules prepared for :func:`validate`."""

    def __init__(self, header_rules, claim_rules, result_type=VerifiedToken):
        if not issubclass(result_type, VerifiedToken):
            raise TypeError("the result of a validation is a VerifiedToken")
        self._header = CompiledHeader(header_rules)
        self._claim_rules = CompiledClaims(claim_rules)
        self._result_type = result_type

    def __reduce__(self):
        raise TypeError("compiled rules cannot be pickled")


cdef int split_raw(CompiledHeader header, raw, Segments *segments) except -1:
    """Points into ``raw``, which has to outlive ``segments``."""
    cdef const uint8_t *dot
    cdef Py_ssize_t size
    if type(raw) is str:
        size = PyUnicode_GET_LENGTH(raw)
    elif type(raw) is bytes:
        size = PyBytes_GET_SIZE(raw)
    else:
        return REASON_TOKEN_MISSING if raw is None else REASON_TOKEN_NOT_TEXT
    if size == 0:
        return REASON_TOKEN_MISSING
    if size > header._token_bytes:
        return REASON_TOKEN_TOO_LARGE
    if type(raw) is str:
        if not PyUnicode_IS_COMPACT_ASCII(raw):
            return REASON_BASE64URL_INVALID
        segments.at = <const uint8_t *>PyUnicode_DATA(raw)
    else:
        segments.at = <const uint8_t *>PyBytes_AS_STRING(raw)
    segments.size = size
    dot = <const uint8_t *>memchr(segments.at, c".", segments.size)
    if dot == NULL:
        return REASON_TOKEN_MALFORMED
    segments.first_dot = dot - segments.at
    dot = <const uint8_t *>memchr(dot + 1, c".", segments.size - segments.first_dot - 1)
    if dot == NULL:
        return REASON_TOKEN_MALFORMED
    segments.second_dot = dot - segments.at
    return _count_further_dots(segments)


cdef int _count_further_dots(const Segments *segments) except -1:
    cdef const uint8_t *at = segments.at + segments.second_dot + 1
    cdef const uint8_t *end = segments.at + segments.size
    cdef int count = 0
    # More than three further dots are all the same; nothing is allocated for any of them.
    while count < 4 and (at := <const uint8_t *>memchr(at, c".", end - at)) != NULL:
        at += 1
        count += 1
    if count == 0:
        return REASON_OK
    # RFC 7516, 9: five segments are a JWE.
    return REASON_TOKEN_ENCRYPTED if count == 2 else REASON_TOKEN_MALFORMED


cdef bytes _decode(const uint8_t *text, size_t size):
    cdef bytes out = PyBytes_FromStringAndSize(NULL, kb_base64url_decoded_size(size))
    if kb_base64url_decode(text, size, <uint8_t *>PyBytes_AS_STRING(out)) < 0:
        return None
    return out


cdef bytes _verify(
    Remembered known,
    const uint8_t *data,
    size_t data_len,
    size_t payload_at,
    const uint8_t *encoded,
    size_t encoded_len,
    int *verdict,
    bint *old_secret,
):
    """The payload, decoded and verified; or ``None`` and the reason in ``verdict``.

    ``data`` is the signing input with the payload from ``payload_at`` on; ``encoded`` the signature.
    """
    cdef uint8_t stack[STACK_SIGNATURE]
    cdef uint8_t *proof = stack
    cdef Py_ssize_t proof_len
    cdef size_t room = kb_base64url_decoded_size(encoded_len)
    cdef bytes payload
    if room > STACK_SIGNATURE:
        proof = <uint8_t *>PyMem_Malloc(room)
        if proof == NULL:
            raise MemoryError
    try:
        verdict[0] = REASON_BASE64URL_INVALID
        proof_len = kb_base64url_decode(encoded, encoded_len, proof)
        if known.b64:
            payload = _decode(data + payload_at, data_len - payload_at)
        else:
            payload = data[payload_at:data_len]
        if proof_len < 0 or payload is None:
            return None
        verdict[0] = _try(known, data, data_len, proof, proof_len, old_secret)
        return payload if verdict[0] == REASON_OK else None
    finally:
        if proof != stack:
            PyMem_Free(proof)


cdef bint is_old_secret(Remembered known, key) noexcept:
    return known.current is not None and known.current is not key


cdef int _try(
    Remembered known,
    const uint8_t *data,
    size_t data_len,
    const uint8_t *proof,
    size_t proof_len,
    bint *old_secret,
) except -1:
    for key in known.candidates:
        if verify_raw(<VerifyKey>key, known.family, known.bits, data, data_len, proof, proof_len):
            old_secret[0] = is_old_secret(known, key)
            return REASON_OK
    return REASON_SIGNATURE_INVALID


def open_token(CompiledHeader header not None, KeyIndex keys not None, raw):
    """Verify a compact JWS and return its header and payload; a reason if it does not verify."""
    cdef Segments segments
    cdef bytes payload
    cdef bint old_secret
    cdef int verdict = split_raw(header, raw, &segments)
    if verdict != REASON_OK:
        return verdict
    known = header.choose(segments.at, segments.first_dot, keys)
    if type(known) is not Remembered:
        return known
    if not (<Remembered>known).b64:
        # RFC 7797, 5.2: what stands between two dots is text for a URL.
        if not segments.at[segments.first_dot:segments.second_dot].isascii():
            return REASON_BASE64URL_INVALID
    payload = verify_segments(known, &segments, &verdict, &old_secret)
    if payload is None:
        return verdict
    header.keep(known)
    return (<Remembered>known).header, payload


cdef bytes verify_segments(Remembered known, const Segments *segments, int *verdict, bint *old_secret):
    return _verify(
        known,
        segments.at,
        segments.second_dot,
        segments.first_dot + 1,
        segments.at + segments.second_dot + 1,
        segments.size - segments.second_dot - 1,
        verdict,
        old_secret,
    )


def open_parts(
    header,
    KeyIndex keys not None,
    bytes protected not None,
    bytes payload not None,
    bytes encoded_signature not None,
):
    """Verify the parts of a JWS whose header has passed its rules (RFC 7515, 5.2)."""
    cdef bytes data = protected + b"." + payload
    cdef bytes opened
    cdef bint old_secret
    cdef int verdict
    candidates = keys.candidates(header.kid, header.algorithm.index)
    if type(candidates) is not tuple:
        return candidates
    opened = _verify(
        _remembered(protected, header, keys, candidates),
        <const uint8_t *>PyBytes_AS_STRING(data),
        PyBytes_GET_SIZE(data),
        PyBytes_GET_SIZE(protected) + 1,
        <const uint8_t *>PyBytes_AS_STRING(encoded_signature),
        PyBytes_GET_SIZE(encoded_signature),
        &verdict,
        &old_secret,
    )
    return verdict if opened is None else (header, opened)


def validate(CompiledPolicy policy not None, KeyIndex keys not None, raw, double now, proof, jkt=None):
    """Validate a token: one call from bytes to a verified token or a verdict."""
    cdef kb_lasting lasting
    cdef kb_proof given = proof_of(proof, jkt)
    return _validate(policy, keys, raw, now, &given, &lasting)


cdef _validate(
    CompiledPolicy policy, KeyIndex keys, raw, double now, const kb_proof *proof, kb_lasting *lasting
):
    cdef Segments segments
    cdef bytes payload
    cdef bint old_secret
    cdef int verdict = split_raw(policy._header, raw, &segments)
    if verdict != REASON_OK:
        return verdict
    known = policy._header.choose(segments.at, segments.first_dot, keys)
    if type(known) is not Remembered:
        return known
    payload = verify_segments(known, &segments, &verdict, &old_secret)
    if payload is None:
        return verdict
    policy._header.keep(known)
    verdict = check_raw(
        &policy._claim_rules.rules,
        <const uint8_t *>PyBytes_AS_STRING(payload),
        PyBytes_GET_SIZE(payload),
        policy._header._json_depth,
        now,
        proof,
        lasting,
    )
    return verdict if verdict != REASON_OK else token_of(policy, known, payload, old_secret)


def from_claims(
    CompiledClaims rules not None,
    result_type not None,
    bytes payload not None,
    unsigned json_depth,
    double now,
    proof,
    jkt=None,
):
    """Validate a claims set that its issuer has vouched for in another way than by signing it alone."""
    cdef kb_lasting lasting
    cdef kb_proof given = proof_of(proof, jkt)
    cdef int verdict
    if not issubclass(result_type, VerifiedToken):
        raise TypeError("the result of a validation is a VerifiedToken")
    verdict = check_raw(
        &rules.rules,
        <const uint8_t *>PyBytes_AS_STRING(payload),
        PyBytes_GET_SIZE(payload),
        json_depth,
        now,
        &given,
        &lasting,
    )
    return verdict if verdict != REASON_OK else _made(result_type, NO_HEADER, payload)


cdef VerifiedToken token_of(CompiledPolicy policy, Remembered known, bytes payload, bint old_secret):
    cdef VerifiedToken token = _made(policy._result_type, known.header, payload)
    token._old_secret = old_secret
    return token


cdef VerifiedToken _made(result_type, header, bytes payload):
    # What type.__new__ would do, without looking it up for each token.
    cdef PyTypeObject *kind = <PyTypeObject *>result_type
    cdef VerifiedToken token = kind.tp_new(kind, (), NULL)
    token._header, token._payload = header, payload
    return token


@cython.auto_pickle(False)
cdef class Validator:
    """The road with everything on it that stays the same from token to token."""

    def __init__(
        self,
        policy,
        *,
        source,
        static_keys,
        clock,
        to_proof,
        reject,
        cache,
        opener=None,
        outcomes=None,
        is_revoked=None,
    ):
        self._policy = policy
        self._source = source
        self._seek = getattr(source, "refresh_for", None)
        self._keys = static_keys
        self._clock = None if clock is system_clock else clock
        self._to_proof = to_proof
        self._reject = reject
        self._cache = cache
        self._opener = opener
        self._outcomes = outcomes
        self._is_revoked = is_revoked
        self._thumbprints = {}

    def __class_getitem__(cls, item):
        return cls

    def __reduce__(self):
        raise TypeError("a validator cannot be pickled")

    def validate(self, raw, *, certificate=None, dpop=None):
        """Validate a token together with the client certificate or DPoP proof it came with.

        :param raw: the token
        :param certificate: DER or PEM, an ``x509.Certificate``, a
            :class:`~keybound.PresentedCertificate`, or an already verified SHA-256; ``None`` where
            the client presented none
        :param dpop: the :class:`~keybound.DPoPProof` made for this token, or ``None`` where none came along
        :raises TokenRejected: the token must not be accepted; ``.reason`` tells why
        :raises Unavailable: the key source cannot answer now, or nobody can tell whether the token was
            revoked
        """
        try:
            result = self._run(self.index(), raw, certificate, dpop)
            if isinstance(result, VerifiedToken):
                if self._is_revoked is None:
                    if (<VerifiedToken>result)._old_secret:
                        self.tell_of_old_secret()
                    KB_COUNT(self._accepted)
                    return result
            elif result == REASON_KEY_UNKNOWN and self._seek is not None:
                kid = self._kid(raw)
                if kid is not None and self._seek(kid):
                    # The source has newer keys now, and this one among them.
                    result = self._run(self.index(), raw, certificate, dpop)
            if self._is_revoked is not None and isinstance(result, VerifiedToken):
                if self._is_revoked(result):
                    result = REASON_TOKEN_REVOKED
        except Unavailable as error:
            if self._outcomes is not None:
                self._outcomes.ended(error)
            raise
        return self._conclude(result, dpop)

    def _conclude(self, result, dpop=None):
        """What :meth:`validate` answers or raises for what the road says."""
        if isinstance(result, VerifiedToken):
            if (<VerifiedToken>result)._old_secret:
                self.tell_of_old_secret()
            KB_COUNT(self._accepted)
            return result
        rejected = self._reject(result) if dpop is None else self._reject(result, dpop)
        if self._outcomes is not None:
            self._outcomes.ended(rejected)
        raise rejected

    cdef int tell_of_old_secret(self) except -1:
        if self._outcomes is not None:
            self._outcomes.accepted(0, old_secrets=1)
        return 0

    def _accepted_alone(self):
        """How many tokens were accepted without telling ``outcomes``, which would cost too much."""
        return self._accepted

    def _judge(self, keys, raw, certificate, dpop=None):
        """A verified token or a verdict, with the keys of this :class:`~keybound.JWKSet`."""
        return self._run(_index_of(keys), raw, certificate, dpop)

    def _kid(self, raw):
        """``kid`` of a token whose header has passed its rules."""
        cdef Segments segments
        if self._opener is not None:
            raw = self._opener.open(raw)
            if isinstance(raw, int):
                return None
            if type(raw) is OpenedWithOldSecret:
                raw = bytes(raw)
        if split_raw(self._policy._header, raw, &segments) != REASON_OK:
            return None
        header = self._policy._header.parse(segments.at[:segments.first_dot])
        return header.kid if type(header) is Header else None

    cdef _run(self, KeyIndex keys, raw, certificate, dpop):
        cdef double now = self.now()
        cdef bytes presented = self.proof(certificate)
        cdef kb_proof proof = proof_of(presented, None)
        cdef kb_lasting lasting
        if dpop is not None:
            # RFC 9449, 4.2: a proof is made for the token as it is presented, encrypted or not.
            add_key(&proof, dpop, raw)
        if self._opener is not None:
            raw = self._opener.open(raw)
            if isinstance(raw, int):
                return raw
            if type(raw) is OpenedWithOldSecret:
                # Kept for nobody: with the current secret the same token is another case.
                result = _validate(self._policy, keys, bytes(raw), now, &proof, &lasting)
                if isinstance(result, VerifiedToken):
                    (<VerifiedToken>result)._old_secret = True
                return result
        if not self.caches(raw):
            return _validate(self._policy, keys, raw, now, &proof, &lasting)
        known = self.find(keys, raw, now, &proof)
        if known is not None:
            return known
        result = _validate(self._policy, keys, raw, now, &proof, &lasting)
        if isinstance(result, VerifiedToken):
            self.store(keys, raw, result, &lasting)
        return result

    def _situation(self):
        """Keys and time as they are now, in seconds since 1970-01-01T00:00:00Z."""
        return self.index(), self.now()

    cdef KeyIndex index(self):
        if self._keys is not None:
            return self._keys
        return _index_of(self._source.snapshot())

    cdef double now(self) except? -1.0:
        return system_time() if self._clock is None else seconds(self._clock())

    cdef bint caches(self, raw) except -1:
        # A look-up hashes the whole text, so the ceiling comes first.
        if self._cache is None or not (type(raw) is str or type(raw) is bytes):
            return False
        return len(raw) <= self._policy._header._token_bytes

    cdef find(self, KeyIndex keys, raw, double now, const kb_proof *proof):
        """The token or the reason against it, if it was verified with these keys lately; else ``None``."""
        cdef str text = spelling(raw)
        cdef Entry entry = self._cache.find(text, keys)
        cdef int verdict
        if entry is None:
            return None
        verdict = recheck_raw(&self._policy._claim_rules.rules, &entry.lasting, now, proof)
        if verdict == REASON_OK:
            return entry.token
        if verdict // 100 == CLAIM_FAMILY:
            # Its time is over: a clock that steps back must not find it again.
            self._cache.drop(text)
        return verdict

    cdef int store(self, KeyIndex keys, raw, VerifiedToken token, const kb_lasting *lasting) except -1:
        cdef str text = spelling(raw)
        cdef Entry entry = Entry.__new__(Entry)
        entry.token, entry.lasting, entry.cost = token, lasting[0], _cost(text, token)
        return self._cache.store(text, keys, entry)

    cdef bytes proof(self, certificate):
        """What to compare a thumbprint with; see CompiledPolicy for its forms."""
        cdef uint8_t hashed[64]
        if certificate is None:
            return None
        if type(certificate) is not bytes or not 32 < len(<bytes>certificate) <= REMEMBERED_CERTIFICATE_BYTES:
            return self._to_proof(certificate)
        known = self._thumbprints.get(certificate)
        if known is not None:
            return known
        if not certificate_thumbprint_raw(
                <const uint8_t *>PyBytes_AS_STRING(certificate), len(<bytes>certificate), hashed):
            return self._to_proof(certificate)
        if len(self._thumbprints) >= REMEMBERED_CERTIFICATES:
            self._thumbprints.clear()
        known = (<char *>hashed)[:32]
        self._thumbprints[certificate] = known
        return known


def unverified_issuer(CompiledHeader header not None, raw):
    """``iss`` of a token that nobody has verified, or a reason; to choose who is to verify it."""
    cdef Segments segments
    cdef bytes payload
    cdef int verdict = split_raw(header, raw, &segments)
    if verdict != REASON_OK:
        return verdict
    payload = _decode(segments.at + segments.first_dot + 1, segments.second_dot - segments.first_dot - 1)
    return REASON_BASE64URL_INVALID if payload is None else _issuer_of(payload, header._json_depth)


cdef _issuer_of(bytes payload, unsigned json_depth):
    cdef kb_json_scan scan
    cdef const kb_json_member *iss
    cdef int code = kb_json_scan_object(
        &scan, <const uint8_t *>PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload), json_depth)
    try:
        if code != KB_JSON_OK:
            return reason_of_scan(code)
        iss = kb_json_find(&scan, b"iss", 3)
        if iss == NULL:
            return REASON_ISS_MISSING
        return value_of(iss) if iss.type == KB_JSON_STRING else REASON_ISS_INVALID
    finally:
        kb_json_scan_free(&scan)


cdef KeyIndex _index_of(keys):
    index = getattr(keys, "_index", None)
    if type(index) is not KeyIndex:
        raise Unavailable("the key source did not answer with a keybound.JWKSet")
    return index


def thumbprint_beside(dpop, raw):
    """The thumbprint of the key of a DPoP proof, 32 bytes; no bytes where it was made for another token."""
    cdef kb_proof proof
    if dpop is None:
        return None
    add_key(&proof, dpop, raw)
    return (<char *>proof.jkt)[:proof.jkt_size]


cdef int add_key(kb_proof *proof, dpop, raw) except -1:
    """Point ``proof`` at the key of a DPoP proof, which has to outlive it."""
    cdef SelfSignedToken made
    if not isinstance(dpop, SelfSignedToken):
        raise PolicyError("dpop must be the result of a keybound.DPoPProofValidator")
    made = dpop
    proof.jkt, proof.jkt_size = made.signer().digest, 0
    # RFC 9449, 7: not for another token, nor for none.
    if made._beside is not None and (type(raw) is str or type(raw) is bytes):
        if spelling(raw) == made._beside:
            proof.jkt_size = 32
    return 0


cdef str spelling(raw):
    """One for str and bytes alike; what is not ASCII is never stored."""
    return raw if type(raw) is str else (<bytes>raw).decode("latin-1")


cdef Py_ssize_t _cost(str text, VerifiedToken token) except -1:
    """Memory that a cached token occupies, estimated from above; its header may be shared with others."""
    cdef const uint8_t *at = <const uint8_t *>PyUnicode_DATA(text)
    cdef const uint8_t *dot = <const uint8_t *>memchr(at, c".", len(text))
    cdef bytes header = _decode(at, dot - at)
    return ENTRY_BYTES + len(text) + footprint_of(
        <const uint8_t *>PyBytes_AS_STRING(header), len(header)
    ) + footprint_of(<const uint8_t *>PyBytes_AS_STRING(token._payload), len(token._payload))
