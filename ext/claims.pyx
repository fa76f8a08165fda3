"""Registered-claim and cnf checks on the JSON text itself, in the order of the pure twin's CHECKS."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memchr, memcmp, memcpy, memset

from contract cimport (
    AUDIENCEFORM_SOLE,
    AUDIENCEFORM_STRING,
    BINDING_IGNORE,
    BINDING_REQUIRED,
    DETAIL_SHIFT,
    MARKER_ACCESS,
    MARKER_RESPONSE,
    MARKER_SELF,
    MARKER_SUBJECT,
    REASON_AUD_ARRAY,
    REASON_AUD_INVALID,
    REASON_AUD_MISMATCH,
    REASON_AUD_MISSING,
    REASON_AUD_NOT_SOLE,
    REASON_CERTIFICATE_INVALID,
    REASON_CERTIFICATE_MISMATCH,
    REASON_CERTIFICATE_MISSING,
    REASON_CLAIM_FORBIDDEN,
    REASON_CLAIM_MISMATCH,
    REASON_CLAIM_MISSING,
    REASON_CLIENT_ID_INVALID,
    REASON_CLIENT_ID_MISSING,
    REASON_CNF_AMBIGUOUS,
    REASON_CNF_INVALID,
    REASON_CNF_JKT_INVALID,
    REASON_CNF_JKT_NOT_CANONICAL,
    REASON_CNF_MISSING,
    REASON_CNF_THUMBPRINT_INVALID,
    REASON_CNF_THUMBPRINT_NOT_CANONICAL,
    REASON_CNF_THUMBPRINT_OF_NOTHING,
    REASON_CNF_UNSUPPORTED,
    REASON_DPOP_KEY_MISMATCH,
    REASON_DPOP_PROOF_MISSING,
    REASON_DPOP_PROOF_UNEXPECTED,
    REASON_DPOP_TOKEN_MISMATCH,
    REASON_EXP_INVALID,
    REASON_EXP_MISSING,
    REASON_IAT_IN_FUTURE,
    REASON_IAT_INVALID,
    REASON_IAT_MISSING,
    REASON_ISS_INVALID,
    REASON_ISS_MISMATCH,
    REASON_ISS_MISSING,
    REASON_JTI_INVALID,
    REASON_JTI_MISSING,
    REASON_KIND_MISMATCH,
    REASON_LIFETIME_TOO_LONG,
    REASON_NBF_INVALID,
    REASON_NBF_MISSING,
    REASON_OK,
    REASON_SCOPE_INSUFFICIENT,
    REASON_SCOPE_INVALID,
    REASON_SUB_INVALID,
    REASON_SUB_MISSING,
    REASON_TOKEN_EXPIRED,
    REASON_TOKEN_NOT_YET_VALID,
    REASON_TOKEN_TOO_OLD,
)
from core cimport (
    KB_JSON_ARRAY,
    KB_JSON_INTEGER,
    KB_JSON_NULL,
    KB_JSON_NUMBER,
    KB_JSON_OBJECT,
    KB_JSON_OK,
    KB_JSON_STRING,
    kb_base64url_decode,
    kb_json_array_next,
    kb_json_cursor,
    kb_json_cursor_init,
    kb_json_find,
    kb_json_int64,
    kb_json_member,
    kb_json_object_next,
    kb_json_scan,
    kb_json_scan_free,
    kb_json_scan_object,
    kb_json_string_equals,
    kb_json_unescape,
)

from keybound._hotpath.native.digest cimport certificate_thumbprint_raw
from keybound._hotpath.native.strict_json cimport reason_of_scan

from keybound._hotpath.contract import MARKERS
from keybound.limits import MAX_NUMERIC_DATE

__all__ = ["CompiledClaims", "check", "compile_rules", "thumbprint_verdict"]

cdef extern from *:
    """
    /* SHA-256 of zero octets. */
    static const uint8_t kb_digest_of_nothing[32] = {
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
        0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};

    /* No early exit and no branch on the octets: the time tells nothing about where they differ. */
    static int kb_equal_digests(const uint8_t *a, const uint8_t *b)
    {
        volatile uint8_t difference = 0;
        for (int i = 0; i < 32; i++) {
            difference |= (uint8_t)(a[i] ^ b[i]);
        }
        return difference == 0;
    }
    """
    const uint8_t kb_digest_of_nothing[32]
    bint kb_equal_digests(const uint8_t *a, const uint8_t *b) nogil
    double PyOS_string_to_double(const char *s, char **endptr, object overflow_exception) except? -1.0


cdef enum:
    LONGEST_MARKER = 32


@cython.final
@cython.auto_pickle(False)
cdef class CompiledClaims:
    """Claim rules as C data; immutable once made."""

    def __cinit__(self, rules):
        cdef kb_claim_rules *own = &self.rules
        self._owned = []
        own.audience_count, own.audiences = len(rules.audiences), self._texts(rules.audiences)
        own.required_count, own.required = len(rules.required), self._texts(rules.required)
        own.forbidden_count, own.forbidden = len(rules.forbidden), self._texts(rules.forbidden)
        own.scope_count, own.scopes = len(rules.scopes), self._texts(rules.scopes)
        own.expected_count = len(rules.expected)
        own.expected_names = self._texts([name for name, _ in rules.expected])
        own.expected = self._texts([text for _, text in rules.expected])
        own.audience_form, own.audience_is_client = rules.audience_form, rules.audience_is_client
        own.foreign = rules.foreign
        self._mark(own, [(name, marker) for name, marker in MARKERS.items() if marker & rules.foreign])
        own.has_issuer = rules.issuer is not None
        if own.has_issuer:
            own.issuer = _text_of(self._owned, rules.issuer)
        own.exp_required, own.iat_required = rules.exp_required, rules.iat_required
        own.sub_required, own.client_id_required = rules.sub_required, rules.client_id_required
        own.nbf_required = rules.nbf_required
        own.jti_required, own.expired_accepted = rules.jti_required, rules.expired_accepted
        own.iss_required, own.aud_required = rules.iss_required, rules.aud_required
        own.leeway, own.max_date = rules.leeway, MAX_NUMERIC_DATE
        own.has_max_lifetime = rules.max_lifetime is not None
        own.max_lifetime = rules.max_lifetime if own.has_max_lifetime else 0
        own.has_max_age = rules.max_age is not None
        own.max_age = rules.max_age if own.has_max_age else 0
        own.has_max_expiry_distance = rules.max_expiry_distance is not None
        own.max_expiry_distance = rules.max_expiry_distance if own.has_max_expiry_distance else 0
        own.has_max_nbf_age = rules.max_nbf_age is not None
        own.max_nbf_age = rules.max_nbf_age if own.has_max_nbf_age else 0
        own.has_max_jti = rules.max_jti is not None
        own.max_jti = rules.max_jti if own.has_max_jti else 0
        own.binding = rules.binding

    def __dealloc__(self):
        PyMem_Free(self.rules.audiences)
        PyMem_Free(self.rules.required)
        PyMem_Free(self.rules.forbidden)
        PyMem_Free(self.rules.scopes)
        PyMem_Free(self.rules.expected_names)
        PyMem_Free(self.rules.expected)
        PyMem_Free(self.rules.marker_names)
        PyMem_Free(self.rules.marker_bits)

    def __reduce__(self):
        raise TypeError("compiled rules cannot be pickled")

    cdef kb_text *_texts(self, values) except? NULL:
        cdef Py_ssize_t i, count = len(values)
        cdef kb_text *texts
        if count == 0:
            return NULL
        texts = <kb_text *>PyMem_Calloc(count, sizeof(kb_text))
        if texts == NULL:
            raise MemoryError
        try:
            for i in range(count):
                texts[i] = _text_of(self._owned, values[i])
        except BaseException:
            PyMem_Free(texts)
            raise
        return texts

    cdef int _mark(self, kb_claim_rules *own, list foreign) except -1:
        """Prepare the look for claims that mark other kinds of token."""
        if not foreign:
            return 0
        foreign.sort(key=_length_of_name)
        own.marker_names = self._texts([name for name, _ in foreign])
        own.marker_bits = <int *>PyMem_Calloc(len(foreign), sizeof(int))
        if own.marker_bits == NULL:
            raise MemoryError
        for i in range(len(foreign)):
            own.marker_bits[i] = foreign[i][1]
        for size in range(LONGEST_MARKER + 2):
            own.markers_at[size] = len([name for name, _ in foreign if len(name) < size])
        return 0


def _length_of_name(marker):
    return len(marker[0])


cdef kb_text _text_of(list owner, str value) except *:
    # A lone surrogate matches no JSON text, and must not fail here.
    cdef bytes data = value.encode("utf-8", "surrogatepass")
    cdef kb_text text
    owner.append(data)
    text.at = <const uint8_t *>PyBytes_AS_STRING(data)
    text.size = len(data)
    return text


def compile_rules(rules):
    return CompiledClaims(rules)


def check(
    CompiledClaims rules not None, bytes payload not None, unsigned json_depth, double now, proof, jkt=None
):
    cdef kb_lasting lasting
    cdef kb_proof given = proof_of(proof, jkt)
    cdef const uint8_t *text = <const uint8_t *>PyBytes_AS_STRING(payload)
    return check_raw(&rules.rules, text, len(payload), json_depth, now, &given, &lasting)


def thumbprint_verdict(str expected not None, proof):
    cdef bytes text = expected.encode("utf-8", "surrogatepass")
    cdef kb_lasting lasting
    cdef kb_proof given = proof_of(proof, None)
    cdef int verdict
    lasting.confirmation = CONFIRMATION_CERTIFICATE
    verdict = _thumbprint(<const uint8_t *>PyBytes_AS_STRING(text), len(text), &lasting)
    return _possession(&lasting, &given) if verdict == REASON_OK else verdict


# A trace would make bytes of the pointers in the struct, NULL or not.
@cython.linetrace(False)
@cython.profile(False)
cdef kb_proof proof_of(bytes certificate, bytes jkt) except *:
    """Proofs as C sees them; both have to outlive it."""
    cdef kb_proof given
    given.at = given.jkt = NULL
    given.size = given.jkt_size = 0
    if certificate is not None:
        given.at, given.size = <const uint8_t *>PyBytes_AS_STRING(certificate), len(certificate)
    if jkt is not None:
        given.jkt, given.jkt_size = <const uint8_t *>PyBytes_AS_STRING(jkt), len(jkt)
    return given


cdef int check_raw(
    const kb_claim_rules *rules,
    const uint8_t *payload,
    size_t size,
    unsigned json_depth,
    double now,
    const kb_proof *proof,
    kb_lasting *lasting,
) except -1 nogil:
    """Check a claims set; of a good one, ``lasting`` holds what recheck_raw needs."""
    cdef kb_json_scan scan
    cdef int code = kb_json_scan_object(&scan, payload, size, json_depth)
    try:
        if code != KB_JSON_OK:
            return reason_of_scan(code)
        return _check_members(rules, &scan, now, proof, lasting)
    finally:
        kb_json_scan_free(&scan)


cdef int recheck_raw(
    const kb_claim_rules *rules, const kb_lasting *lasting, double now, const kb_proof *proof
) except -1 nogil:
    """What changes from one presentation of a good token to the next: time and certificate."""
    cdef int verdict
    if (verdict := _judge_exp(rules, lasting, now)) != REASON_OK:
        return verdict
    if (verdict := _judge_nbf(rules, lasting, now)) != REASON_OK:
        return verdict
    if (verdict := _judge_iat(rules, lasting, now)) != REASON_OK:
        return verdict
    if (verdict := _judge_lifetime(rules, lasting, now)) != REASON_OK:
        return verdict
    if (verdict := _judge_age(rules, lasting, now)) != REASON_OK:
        return verdict
    return _possession(lasting, proof)


cdef struct Registered:
    const kb_json_member *iss
    const kb_json_member *aud
    const kb_json_member *exp
    const kb_json_member *nbf
    const kb_json_member *iat
    const kb_json_member *sub
    const kb_json_member *jti
    const kb_json_member *cnf
    const kb_json_member *scp
    const kb_json_member *scope
    const kb_json_member *client_id


cdef bint _find_registered(const kb_json_scan *scan, Registered *found) except -1 nogil:
    """One walk over the members; a scan has refused names that come twice."""
    cdef const kb_json_member *member
    cdef const char *name
    for i in range(scan.count):
        member = &scan.members[i]
        name = <const char *>member.name
        if member.name_len == 3:
            if memcmp(name, "iss", 3) == 0:
                found.iss = member
            elif memcmp(name, "aud", 3) == 0:
                found.aud = member
            elif memcmp(name, "exp", 3) == 0:
                found.exp = member
            elif memcmp(name, "iat", 3) == 0:
                found.iat = member
            elif memcmp(name, "nbf", 3) == 0:
                found.nbf = member
            elif memcmp(name, "sub", 3) == 0:
                found.sub = member
            elif memcmp(name, "jti", 3) == 0:
                found.jti = member
            elif memcmp(name, "cnf", 3) == 0:
                found.cnf = member
            elif memcmp(name, "scp", 3) == 0:
                found.scp = member
        elif member.name_len == 5 and memcmp(name, "scope", 5) == 0:
            found.scope = member
        elif member.name_len == 9 and memcmp(name, "client_id", 9) == 0:
            found.client_id = member
    return True


cdef int _check_members(
    const kb_claim_rules *rules,
    const kb_json_scan *scan,
    double now,
    const kb_proof *proof,
    kb_lasting *lasting,
) except -1 nogil:
    cdef Registered found
    cdef int verdict
    found = Registered(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
    _find_registered(scan, &found)
    if (verdict := _kind(rules, scan, &found)) != REASON_OK:
        return verdict
    if (verdict := _issuer(rules, found.iss)) != REASON_OK:
        return verdict
    if (verdict := _audience(rules, found.client_id if rules.audience_is_client else found.aud)) != REASON_OK:
        return verdict
    if (verdict := _times(rules, &found, now, lasting)) != REASON_OK:
        return verdict
    if (verdict := _text(found.sub, rules.sub_required, REASON_SUB_MISSING, REASON_SUB_INVALID)) != REASON_OK:
        return verdict
    verdict = _text(
        found.client_id, rules.client_id_required, REASON_CLIENT_ID_MISSING, REASON_CLIENT_ID_INVALID)
    if verdict != REASON_OK:
        return verdict
    if (verdict := _identifier(rules, found.jti)) != REASON_OK:
        return verdict
    if (verdict := _scope(&found)) != REASON_OK:
        return verdict
    if (verdict := _own_claims(rules, scan)) != REASON_OK:
        return verdict
    # Last but one: a token that fails above would be bad for its rightful holder as well.
    if (verdict := _confirmation(rules, found.cnf, proof, lasting)) != REASON_OK:
        return verdict
    # Last: 403 tells the caller that the token itself is good (RFC 6750, 3.1).
    return _required_scopes(rules, &found)


cdef int _kind(
    const kb_claim_rules *rules, const kb_json_scan *scan, const Registered *found
) except -1 nogil:
    """Refuse a claims set with a marker of another kind."""
    cdef int marks
    if rules.foreign == 0:
        return REASON_OK
    marks = _named_markers(rules, scan)
    if found.client_id != NULL or found.scope != NULL or found.scp != NULL:
        marks |= MARKER_ACCESS
    if found.sub != NULL:
        marks &= ~MARKER_RESPONSE
        marks |= MARKER_SUBJECT
        if rules.foreign & MARKER_SELF and found.iss != NULL and _same_text(found.sub, found.iss):
            marks |= MARKER_SELF
    return REASON_KIND_MISMATCH if marks & rules.foreign else REASON_OK


cdef int _named_markers(const kb_claim_rules *rules, const kb_json_scan *scan) except -1 nogil:
    cdef const kb_json_member *member
    cdef const kb_text *name
    cdef int marks = 0
    for i in range(scan.count):
        member = &scan.members[i]
        if member.name_len > LONGEST_MARKER:
            continue
        for k in range(rules.markers_at[member.name_len], rules.markers_at[member.name_len + 1]):
            name = &rules.marker_names[k]
            if member.name[0] == name.at[0] and memcmp(member.name, name.at, name.size) == 0:
                marks |= rules.marker_bits[k]
    return marks


cdef bint _same_text(const kb_json_member *one, const kb_json_member *other) except -1 nogil:
    if one.type != KB_JSON_STRING or other.type != KB_JSON_STRING:
        return False
    if one.escaped:
        with gil:
            text = one.value[:one.value_len]
            size = kb_json_unescape(one.value, one.value_len, <uint8_t *>PyBytes_AS_STRING(text))
            return kb_json_string_equals(
                other.value, other.value_len, other.escaped, <const uint8_t *>PyBytes_AS_STRING(text), size)
    return kb_json_string_equals(other.value, other.value_len, other.escaped, one.value, one.value_len)


cdef bint _equals(const kb_json_member *member, const kb_text *wanted) except -1 nogil:
    return kb_json_string_equals(member.value, member.value_len, member.escaped, wanted.at, wanted.size)


cdef bint _is_one_of(const kb_json_member *member, const kb_text *wanted, Py_ssize_t count) except -1 nogil:
    for i in range(count):
        if _equals(member, &wanted[i]):
            return True
    return False


cdef int _issuer(const kb_claim_rules *rules, const kb_json_member *iss) except -1 nogil:
    if iss == NULL:
        return REASON_ISS_MISSING if rules.has_issuer and rules.iss_required else REASON_OK
    if iss.type != KB_JSON_STRING:
        return REASON_ISS_INVALID
    if rules.has_issuer and not _equals(iss, &rules.issuer):
        return REASON_ISS_MISMATCH
    return REASON_OK


cdef int _audience(const kb_claim_rules *rules, const kb_json_member *aud) except -1 nogil:
    # RFC 7519, 2 (StringOrURI): compared as case-sensitive strings, without any transformation.
    cdef kb_json_cursor cursor
    cdef kb_json_member member
    cdef bint matches
    cdef size_t count = 0
    if aud == NULL:
        return REASON_AUD_MISSING if rules.audience_count and rules.aud_required else REASON_OK
    if aud.type == KB_JSON_STRING:
        matches = _is_one_of(aud, rules.audiences, rules.audience_count)
        return REASON_OK if matches or rules.audience_count == 0 else REASON_AUD_MISMATCH
    if aud.type != KB_JSON_ARRAY:
        return REASON_AUD_INVALID
    if rules.audience_form == AUDIENCEFORM_STRING:
        return REASON_AUD_ARRAY
    matches = rules.audience_count == 0
    kb_json_cursor_init(&cursor, aud.value, aud.value_len)
    while kb_json_array_next(&cursor, &member):
        count += 1
        if member.type != KB_JSON_STRING:
            return REASON_AUD_INVALID
        matches = matches or _is_one_of(&member, rules.audiences, rules.audience_count)
    if count == 0:
        return REASON_AUD_INVALID
    if rules.audience_form == AUDIENCEFORM_SOLE and count > 1:
        return REASON_AUD_NOT_SOLE
    return REASON_OK if matches else REASON_AUD_MISMATCH


cdef bint _numeric_date(
    const kb_claim_rules *rules, const kb_json_member *member, double *date
) except -1 nogil:
    """False if the value is not a sane NumericDate (RFC 7519, 2)."""
    cdef int64_t whole
    if member.type == KB_JSON_INTEGER:
        if not kb_json_int64(member.value, member.value_len, &whole):
            return False
        date[0] = <double>whole
    elif member.type == KB_JSON_NUMBER:
        with gil:
            # The scan has refused what would overflow.
            date[0] = PyOS_string_to_double(PyBytes_AS_STRING(member.value[:member.value_len]), NULL, None)
    else:
        return False
    return 0 <= date[0] <= rules.max_date


cdef int _times(
    const kb_claim_rules *rules, const Registered *found, double now, kb_lasting *lasting
) except -1 nogil:
    cdef int verdict
    lasting.has_exp, lasting.has_nbf = found.exp != NULL, found.nbf != NULL
    lasting.has_iat = found.iat != NULL
    if lasting.has_exp and not _numeric_date(rules, found.exp, &lasting.exp):
        return REASON_EXP_INVALID
    if (verdict := _judge_exp(rules, lasting, now)) != REASON_OK:
        return verdict
    if lasting.has_nbf and not _numeric_date(rules, found.nbf, &lasting.nbf):
        return REASON_NBF_INVALID
    if (verdict := _judge_nbf(rules, lasting, now)) != REASON_OK:
        return verdict
    if lasting.has_iat and not _numeric_date(rules, found.iat, &lasting.iat):
        return REASON_IAT_INVALID
    if (verdict := _judge_iat(rules, lasting, now)) != REASON_OK:
        return verdict
    if (verdict := _judge_lifetime(rules, lasting, now)) != REASON_OK:
        return verdict
    return _judge_age(rules, lasting, now)


cdef int _judge_exp(const kb_claim_rules *rules, const kb_lasting *lasting, double now) except -1 nogil:
    if not lasting.has_exp:
        return REASON_EXP_MISSING if rules.exp_required else REASON_OK
    if rules.expired_accepted:
        return REASON_OK
    # Every comparison with the clock is true for a good token, so a clock that says NaN accepts none.
    return REASON_OK if now < lasting.exp + rules.leeway else REASON_TOKEN_EXPIRED


cdef int _judge_nbf(const kb_claim_rules *rules, const kb_lasting *lasting, double now) except -1 nogil:
    if not lasting.has_nbf:
        return REASON_NBF_MISSING if rules.nbf_required else REASON_OK
    return REASON_OK if lasting.nbf <= now + rules.leeway else REASON_TOKEN_NOT_YET_VALID


cdef int _judge_iat(const kb_claim_rules *rules, const kb_lasting *lasting, double now) except -1 nogil:
    if not lasting.has_iat:
        return REASON_IAT_MISSING if rules.iat_required else REASON_OK
    return REASON_OK if lasting.iat <= now + rules.leeway else REASON_IAT_IN_FUTURE


cdef int _judge_lifetime(const kb_claim_rules *rules, const kb_lasting *lasting, double now) except -1 nogil:
    # Whoever bounds a lifetime, a distance or an age also requires the times for it, see TokenPolicy.
    if rules.has_max_lifetime and lasting.exp - lasting.iat > rules.max_lifetime:
        return REASON_LIFETIME_TOO_LONG
    if not rules.has_max_expiry_distance:
        return REASON_OK
    if not lasting.exp - (now + rules.leeway) <= rules.max_expiry_distance:
        return REASON_LIFETIME_TOO_LONG
    if lasting.has_iat and lasting.exp - lasting.iat > rules.max_expiry_distance:
        return REASON_LIFETIME_TOO_LONG
    return REASON_OK


cdef int _judge_age(const kb_claim_rules *rules, const kb_lasting *lasting, double now) except -1 nogil:
    if rules.has_max_age and not now - lasting.iat <= rules.max_age + rules.leeway:
        return REASON_TOKEN_TOO_OLD
    if rules.has_max_nbf_age and not now - lasting.nbf <= rules.max_nbf_age + rules.leeway:
        return REASON_TOKEN_TOO_OLD
    return REASON_OK


cdef int _text(const kb_json_member *member, bint required, int missing, int invalid) except -1 nogil:
    if member == NULL:
        return missing if required else REASON_OK
    return REASON_OK if member.type == KB_JSON_STRING and member.value_len else invalid


cdef int _identifier(const kb_claim_rules *rules, const kb_json_member *jti) except -1 nogil:
    cdef int verdict = _text(jti, rules.jti_required, REASON_JTI_MISSING, REASON_JTI_INVALID)
    if verdict != REASON_OK or jti == NULL or not rules.has_max_jti:
        return verdict
    # No character takes less than one byte.
    if jti.value_len <= rules.max_jti or _characters(jti) <= rules.max_jti:
        return REASON_OK
    return REASON_JTI_INVALID


cdef size_t _characters(const kb_json_member *member) except? 0 nogil:
    """The length of a text as Python counts it."""
    cdef const uint8_t *at = member.value
    cdef size_t size = member.value_len
    cdef size_t count = 0
    if not member.escaped:
        return _leading_bytes(at, size)
    with gil:
        text = member.value[:member.value_len]
        at = <const uint8_t *>PyBytes_AS_STRING(text)
        size = kb_json_unescape(member.value, member.value_len, <uint8_t *>at)
        count = _leading_bytes(at, size)
    return count


cdef size_t _leading_bytes(const uint8_t *at, size_t size) noexcept nogil:
    """How many characters UTF-8 holds: every byte but those that continue one."""
    cdef size_t count = 0
    for i in range(size):
        count += at[i] & 0xc0 != 0x80
    return count


cdef int _scope(const Registered *found) except -1 nogil:
    cdef kb_json_cursor cursor
    cdef kb_json_member member
    if found.scope != NULL and found.scope.type != KB_JSON_STRING:
        return REASON_SCOPE_INVALID
    if found.scp == NULL or found.scp.type == KB_JSON_STRING:
        return REASON_OK
    if found.scp.type != KB_JSON_ARRAY:
        return REASON_SCOPE_INVALID
    kb_json_cursor_init(&cursor, found.scp.value, found.scp.value_len)
    while kb_json_array_next(&cursor, &member):
        if member.type != KB_JSON_STRING:
            return REASON_SCOPE_INVALID
    return REASON_OK


cdef int _own_claims(const kb_claim_rules *rules, const kb_json_scan *scan) except -1 nogil:
    cdef const kb_json_member *member
    cdef const kb_text *name
    for i in range(rules.required_count):
        name = &rules.required[i]
        member = kb_json_find(scan, <const char *>name.at, name.size)
        if member == NULL or member.type == KB_JSON_NULL:
            return REASON_CLAIM_MISSING | <int>i << DETAIL_SHIFT
    for i in range(rules.forbidden_count):
        name = &rules.forbidden[i]
        if kb_json_find(scan, <const char *>name.at, name.size) != NULL:
            return REASON_CLAIM_FORBIDDEN | <int>i << DETAIL_SHIFT
    for i in range(rules.expected_count):
        name = &rules.expected_names[i]
        member = kb_json_find(scan, <const char *>name.at, name.size)
        if member == NULL or member.type != KB_JSON_STRING or not _equals(member, &rules.expected[i]):
            return REASON_CLAIM_MISMATCH | <int>i << DETAIL_SHIFT
    return REASON_OK


cdef int _confirmation(
    const kb_claim_rules *rules, const kb_json_member *cnf, const kb_proof *proof, kb_lasting *lasting
) except -1 nogil:
    """RFC 7800, 3.1: a present cnf is checked or the token is rejected."""
    cdef int verdict
    lasting.confirmation = CONFIRMATION_NONE
    if rules.binding == BINDING_IGNORE:
        lasting.confirmation = CONFIRMATION_IGNORED
    elif cnf != NULL:
        if (verdict := _read_confirmation(cnf, lasting)) != REASON_OK:
            return verdict
    elif rules.binding == BINDING_REQUIRED:
        return REASON_CNF_MISSING
    return _possession(lasting, proof)


cdef int _read_confirmation(const kb_json_member *cnf, kb_lasting *lasting) except -1 nogil:
    cdef kb_json_cursor cursor
    cdef kb_json_member method, another
    if cnf.type != KB_JSON_OBJECT:
        return REASON_CNF_INVALID
    kb_json_cursor_init(&cursor, cnf.value, cnf.value_len)
    if not kb_json_object_next(&cursor, &method):
        return REASON_CNF_INVALID
    if kb_json_object_next(&cursor, &another):
        return REASON_CNF_AMBIGUOUS
    if kb_json_string_equals(method.name, method.name_len, method.name_escaped, b"x5t#S256", 8):
        lasting.confirmation = CONFIRMATION_CERTIFICATE
    elif kb_json_string_equals(method.name, method.name_len, method.name_escaped, b"jkt", 3):
        lasting.confirmation = CONFIRMATION_KEY
    else:
        return REASON_CNF_UNSUPPORTED
    if method.type != KB_JSON_STRING:
        return _malformed(lasting)
    if not method.escaped:
        return _thumbprint(method.value, method.value_len, lasting)
    return _escaped_thumbprint(&method, lasting)


cdef int _escaped_thumbprint(const kb_json_member *member, kb_lasting *lasting) except -1 nogil:
    # An escape takes at least two bytes for one, \uXXXX six: what is longer cannot shrink to 43.
    cdef uint8_t text[6 * 43]
    if member.value_len > sizeof(text):
        return _malformed(lasting)
    return _thumbprint(text, kb_json_unescape(member.value, member.value_len, text), lasting)


cdef int _thumbprint(const uint8_t *text, size_t size, kb_lasting *lasting) except -1 nogil:
    if size != 43:
        return _malformed(lasting)
    if kb_base64url_decode(text, 43, lasting.thumbprint) != 32:
        return _malformed_thumbprint(text, lasting)
    # Some proxies send the hash of zero bytes for "no certificate"; no token may be bound to that.
    if lasting.confirmation == CONFIRMATION_CERTIFICATE:
        if memcmp(lasting.thumbprint, kb_digest_of_nothing, 32) == 0:
            return REASON_CNF_THUMBPRINT_OF_NOTHING
    return REASON_OK


cdef int _malformed(const kb_lasting *lasting) except -1 nogil:
    if lasting.confirmation == CONFIRMATION_KEY:
        return REASON_CNF_JKT_INVALID
    return REASON_CNF_THUMBPRINT_INVALID


cdef int _possession(const kb_lasting *lasting, const kb_proof *proof) except -1 nogil:
    """The proof that this presentation of the token came with, against the confirmation."""
    cdef int verdict
    if lasting.confirmation == CONFIRMATION_IGNORED:
        return REASON_OK
    if lasting.confirmation == CONFIRMATION_KEY:
        return _compare_key(lasting, proof)
    if lasting.confirmation == CONFIRMATION_CERTIFICATE:
        if (verdict := _compare_certificate(lasting, proof)) != REASON_OK:
            return verdict
    # RFC 9449, 7.1: the key of the proof must be the one that the token is bound to.
    return REASON_OK if proof.jkt == NULL else REASON_DPOP_PROOF_UNEXPECTED


cdef int _compare_key(const kb_lasting *lasting, const kb_proof *proof) except -1 nogil:
    # RFC 9449, 7.2: a bound token is never good as a bearer token.
    if proof.jkt == NULL:
        return REASON_DPOP_PROOF_MISSING
    if proof.jkt_size != 32:
        return REASON_DPOP_TOKEN_MISMATCH
    return REASON_OK if kb_equal_digests(proof.jkt, lasting.thumbprint) else REASON_DPOP_KEY_MISMATCH


cdef int _compare_certificate(const kb_lasting *lasting, const kb_proof *proof) except -1 nogil:
    """RFC 8705, 3."""
    cdef uint8_t hashed[64]
    cdef const uint8_t *presented = proof.at
    if presented == NULL:
        return REASON_CERTIFICATE_MISSING
    if proof.size != 32:
        if not certificate_thumbprint_raw(presented, proof.size, hashed):
            return REASON_CERTIFICATE_INVALID
        presented = hashed
    return REASON_OK if kb_equal_digests(presented, lasting.thumbprint) else REASON_CERTIFICATE_MISMATCH


cdef int _malformed_thumbprint(const uint8_t *text, const kb_lasting *lasting) except -1 nogil:
    """43 characters carry 258 bits: only the last one can break the canonical form (RFC 4648, 3.5)."""
    cdef uint8_t lenient[43]
    cdef uint8_t last[4]
    cdef uint8_t out[32]
    memcpy(lenient, text, 43)
    memset(last, c"A", 3)
    last[3], lenient[42] = text[42], c"A"
    if kb_base64url_decode(lenient, 43, out) != 32 or kb_base64url_decode(last, 4, out) != 3:
        return _malformed(lasting)
    if lasting.confirmation == CONFIRMATION_KEY:
        return REASON_CNF_JKT_NOT_CANONICAL
    return REASON_CNF_THUMBPRINT_NOT_CANONICAL


cdef int _required_scopes(const kb_claim_rules *rules, const Registered *found) except -1 nogil:
    cdef kb_text *wanted
    for i in range(rules.scope_count):
        wanted = &rules.scopes[i]
        if not (_names_scope(found.scope, wanted) or _lists_scope(found.scp, wanted)):
            return REASON_SCOPE_INSUFFICIENT
    return REASON_OK


cdef bint _lists_scope(const kb_json_member *scp, const kb_text *wanted) except -1 nogil:
    cdef kb_json_cursor cursor
    cdef kb_json_member member
    if scp == NULL or scp.type != KB_JSON_ARRAY:
        return _names_scope(scp, wanted)
    kb_json_cursor_init(&cursor, scp.value, scp.value_len)
    while kb_json_array_next(&cursor, &member):
        if _equals(&member, wanted):
            return True
    return False


cdef bint _names_scope(const kb_json_member *scope, const kb_text *wanted) except -1 nogil:
    """Whether ``wanted`` is one of the space-delimited tokens of a string (RFC 6749, 3.3)."""
    cdef const uint8_t *at
    cdef const uint8_t *end
    cdef const uint8_t *space
    if scope == NULL:
        return False
    if scope.escaped:
        with gil:
            text = scope.value[:scope.value_len]
            size = kb_json_unescape(scope.value, scope.value_len, <uint8_t *>PyBytes_AS_STRING(text))
            return (<const char *>wanted.at)[:wanted.size] in text[:size].split(b" ")
    at, end = scope.value, scope.value + scope.value_len
    while True:
        space = <const uint8_t *>memchr(at, c" ", end - at)
        if space == NULL:
            space = end
        if <size_t>(space - at) == wanted.size and memcmp(at, wanted.at, wanted.size) == 0:
            return True
        if space == end:
            return False
        at = space + 1
