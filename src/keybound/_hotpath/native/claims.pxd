from libc.stdint cimport uint8_t


cdef struct kb_text:
    const uint8_t *at
    size_t size


# What a token is bound to, once its claims have been checked.
cdef enum:
    CONFIRMATION_IGNORED = 1
    CONFIRMATION_NONE
    CONFIRMATION_CERTIFICATE
    CONFIRMATION_KEY


# What is checked again each time a token is presented.
cdef struct kb_lasting:
    double exp
    double nbf
    double iat
    bint has_exp
    bint has_nbf
    bint has_iat
    int confirmation
    uint8_t thumbprint[32]


# What was presented: a certificate in DER or its SHA-256 (32 octets), and the thumbprint of the key of a
# DPoP proof (32 octets, or none if the proof is for another token); NULL for nothing.
cdef struct kb_proof:
    const uint8_t *at
    size_t size
    const uint8_t *jkt
    size_t jkt_size


# ClaimRules as C sees them.
cdef struct kb_claim_rules:
    bint has_issuer
    kb_text issuer
    kb_text *audiences
    Py_ssize_t audience_count
    kb_text *required
    Py_ssize_t required_count
    kb_text *forbidden
    Py_ssize_t forbidden_count
    kb_text *scopes
    Py_ssize_t scope_count
    # The claim at a position must be the text at the same position.
    kb_text *expected_names
    kb_text *expected
    Py_ssize_t expected_count
    # Names of foreign markers by their length: those of n octets begin at markers_at[n].
    kb_text *marker_names
    int *marker_bits
    uint8_t markers_at[34]
    int foreign
    int audience_form
    bint exp_required
    bint iat_required
    bint nbf_required
    bint sub_required
    bint client_id_required
    bint jti_required
    bint expired_accepted
    bint audience_is_client
    bint iss_required
    bint aud_required
    bint has_max_lifetime
    bint has_max_age
    bint has_max_expiry_distance
    bint has_max_nbf_age
    bint has_max_jti
    double leeway
    double max_lifetime
    double max_age
    double max_expiry_distance
    double max_nbf_age
    size_t max_jti
    double max_date
    int binding


cdef class CompiledClaims:
    # The bytes objects that the pointers in `rules` point into.
    cdef list _owned
    cdef kb_claim_rules rules

    cdef kb_text *_texts(self, values) except? NULL
    cdef int _mark(self, kb_claim_rules *own, list foreign) except -1


cdef int check_raw(
    const kb_claim_rules *rules,
    const uint8_t *payload,
    size_t size,
    unsigned json_depth,
    double now,
    const kb_proof *proof,
    kb_lasting *lasting,
) except -1 nogil

cdef int recheck_raw(
    const kb_claim_rules *rules, const kb_lasting *lasting, double now, const kb_proof *proof
) except -1 nogil

cdef kb_proof proof_of(bytes certificate, bytes jkt) except *
