from libc.stdint cimport uint8_t, uint64_t

from keybound._hotpath.native.cache cimport TokenCache
from keybound._hotpath.native.claims cimport CompiledClaims, kb_lasting, kb_proof


# The segments of a compact JWS; points into the token, which has to outlive it.
cdef struct Segments:
    const uint8_t *at
    size_t size
    size_t first_dot
    size_t second_dot


cdef class KeyIndex:
    cdef dict _by_kid
    cdef dict _all
    cdef dict _unnamed
    cdef frozenset _secrets
    # By index of the algorithm: the first of the secrets for it.
    cdef dict _current

    cpdef candidates(self, kid, int index)


cdef class VerifiedToken:
    cdef object _header
    cdef bytes _payload
    cdef object _claims
    cdef bint _old_secret


cdef class SelfSignedToken(VerifiedToken):
    cdef Signer _signer
    cdef CompiledHeader _rules
    # The token that it was presented with, as text.
    cdef str _beside

    cdef Signer signer(self)


cdef class Remembered:
    cdef bytes encoded
    cdef object header
    cdef KeyIndex keys
    cdef tuple candidates
    # The one secret that is not old; None where no secret is meant.
    cdef object current
    cdef int family, bits
    cdef bint b64


cdef class Signer(Remembered):
    # The JWK thumbprint of the key.
    cdef uint8_t digest[32]


cdef class CompiledHeader:
    cdef readonly object rules
    cdef dict _memo
    cdef Remembered _last
    cdef Py_ssize_t _token_bytes
    cdef unsigned _json_depth

    cdef choose(self, const uint8_t *at, size_t size, KeyIndex keys)
    cdef int keep(self, Remembered known) except -1


cdef class CompiledPolicy:
    cdef CompiledHeader _header
    cdef CompiledClaims _claim_rules
    cdef object _result_type


cdef class Validator:
    cdef CompiledPolicy _policy
    cdef KeyIndex _keys
    cdef TokenCache _cache
    cdef object _source, _seek, _clock, _to_proof, _reject, _opener, _outcomes, _is_revoked
    cdef uint64_t _accepted
    cdef dict _thumbprints

    cdef _run(self, KeyIndex keys, raw, certificate, dpop)
    cdef int tell_of_old_secret(self) except -1
    cdef KeyIndex index(self)
    cdef double now(self) except? -1.0
    cdef bint caches(self, raw) except -1
    cdef find(self, KeyIndex keys, raw, double now, const kb_proof *proof)
    cdef int store(self, KeyIndex keys, raw, VerifiedToken token, const kb_lasting *lasting) except -1
    cdef bytes proof(self, certificate)


cdef int split_raw(CompiledHeader header, raw, Segments *segments) except -1
cdef bytes verify_segments(Remembered known, const Segments *segments, int *verdict, bint *old_secret)
cdef bint is_old_secret(Remembered known, key) noexcept
cdef int add_key(kb_proof *proof, dpop, raw) except -1
cdef str spelling(raw)
cdef VerifiedToken token_of(CompiledPolicy policy, Remembered known, bytes payload, bint old_secret)
