from libc.stdint cimport uint8_t


cdef struct kb_text:
    const uint8_t *at
    size_t size


# What is checked again each time a token is presented.
cdef struct kb_lasting:
    double exp
    double nbf
    double iat
    bint has_exp
    bint has_nbf
    bint has_iat
    bint bound
    uint8_t thumbprint[32]


# What was presented: a certificate in DER or its SHA-256 (32 octets); NULL for nothing.
cdef struct kb_proof:
    const uint8_t *at
    size_t size


cdef class CompiledClaims:
    # The bytes objects that the pointers below point into.
    cdef list _owned
    cdef kb_text issuer
    cdef kb_text *audiences
    cdef Py_ssize_t audience_count
    cdef kb_text *required
    cdef Py_ssize_t required_count
    cdef kb_text *forbidden
    cdef Py_ssize_t forbidden_count
    cdef kb_text *scopes
    cdef Py_ssize_t scope_count
    cdef bint has_issuer, exp_required, iat_required, sub_required, client_id_required, jti_required
    cdef bint has_max_lifetime, has_max_age
    cdef double leeway, max_lifetime, max_age, max_date
    cdef int binding

    cdef kb_text *_texts(self, values) except? NULL


cdef int check_raw(
    CompiledClaims rules,
    const uint8_t *payload,
    size_t size,
    unsigned json_depth,
    double now,
    const kb_proof *proof,
    kb_lasting *lasting,
) except -1 nogil

cdef int recheck_raw(
    CompiledClaims rules, const kb_lasting *lasting, double now, const kb_proof *proof
) except -1 nogil

cdef kb_proof proof_of(bytes proof) except *
