"""Many tokens at once: signatures and claims without the interpreter lock, on several threads."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport uint8_t

from contract cimport (
    REASON_BASE64URL_INVALID,
    REASON_OK,
    REASON_SIGNATURE_INVALID,
)
from core cimport kb_base64url_decode, kb_base64url_decoded_size, kb_parallel
from provider cimport KB_GROUP, kb_key, kb_signature

from keybound._hotpath.native.claims cimport check_raw, kb_claim_rules, kb_lasting, kb_proof, proof_of
from keybound._hotpath.native.signature cimport VerifyKey, is_raw, verify_group
from keybound._hotpath.native.token cimport (
    KeyIndex,
    Remembered,
    Segments,
    Validator,
    VerifiedToken,
    add_key,
    is_old_secret,
    split_raw,
    token_of,
)

__all__ = ["validate_many"]

cdef enum:
    # The verdict of a job in which memory ran out; no reason has it.
    FAILED = -1


cdef struct Job:
    Segments segments
    const kb_key *key
    int kind, family, bits
    uint8_t *signature     # room for the decoded signature
    uint8_t *payload       # the buffer of a bytes object that `payloads` keeps alive
    size_t payload_size
    kb_proof proof
    kb_lasting lasting
    int verdict
    size_t place           # of the token, in the list given


cdef struct Work:
    Job **jobs             # sorted by key
    size_t *ends           # where each chunk ends; no chunk has two keys
    const kb_claim_rules *rules
    unsigned json_depth
    double now


def validate_many(
    Validator validator not None,
    list raws not None,
    list certificates not None,
    list dpop_proofs not None,
    unsigned threads,
):
    """A verified token or a verdict for each token, in order."""
    if len(certificates) != len(raws) or len(dpop_proofs) != len(raws):
        raise ValueError("there is one certificate and one proof for each token")
    return Batch(validator, raws, certificates, dpop_proofs).run(threads)


cdef class Batch:
    """One call of :func:`validate_many`; owns what its jobs point to."""

    cdef Validator _validator
    cdef KeyIndex _keys
    cdef double _now
    cdef list _raws, _proofs, _results, _known, _payloads, _signatures
    cdef Job *_jobs
    cdef size_t _count

    def __cinit__(self, Validator validator, list raws, list certificates, list dpop_proofs):
        self._validator, self._raws = validator, raws
        self._keys, self._now = validator.index(), validator.now()
        self._proofs, self._known, self._payloads, self._signatures = [], [], [], []
        self._results = [None] * len(raws)
        self._jobs = <Job *>PyMem_Calloc(len(raws) or 1, sizeof(Job))
        if self._jobs == NULL:
            raise MemoryError
        for place in range(len(raws)):
            self._prepare(place, certificates[place], dpop_proofs[place])

    def __dealloc__(self):
        PyMem_Free(self._jobs)

    cdef int _prepare(self, size_t place, certificate, dpop) except -1:
        """A result where there is one already, else a job."""
        cdef Validator validator = self._validator
        cdef Job *job = &self._jobs[self._count]
        cdef bytes presented = validator.proof(certificate)
        raw = self._raws[place]
        self._proofs.append((presented, dpop))
        job.proof, job.place = proof_of(presented, None), place
        if dpop is not None:
            add_key(&job.proof, dpop, raw)
        if validator.caches(raw):
            found = validator.find(self._keys, raw, self._now, &job.proof)
            if found is not None:
                self._results[place] = found
                return 0
        verdict = split_raw(validator._policy._header, raw, &job.segments)
        if verdict != REASON_OK:
            self._results[place] = verdict
            return 0
        known = validator._policy._header.choose(job.segments.at, job.segments.first_dot, self._keys)
        if type(known) is not Remembered:
            self._results[place] = known
        elif not self._enlist(job, known):
            # Several keys to try, or one that needs Python: the ordinary road.
            self._results[place] = validator._run(self._keys, raw, certificate, dpop)
        return 0

    cdef bint _enlist(self, Job *job, Remembered known) except -1:
        cdef const Segments *segments = &job.segments
        cdef VerifyKey key = known.candidates[0]
        cdef bytes payload, signature
        if len(known.candidates) != 1 or not known.b64 or not is_raw(key):
            return False
        job.payload_size = kb_base64url_decoded_size(segments.second_dot - segments.first_dot - 1)
        payload = PyBytes_FromStringAndSize(NULL, job.payload_size)
        job.payload = <uint8_t *>PyBytes_AS_STRING(payload)
        signature = PyBytes_FromStringAndSize(
            NULL, kb_base64url_decoded_size(segments.size - segments.second_dot - 1))
        job.signature = <uint8_t *>PyBytes_AS_STRING(signature)
        job.key, job.kind, job.family, job.bits = key._key, key.kind, known.family, known.bits
        self._known.append(known)
        self._payloads.append(payload)
        self._signatures.append(signature)
        self._count += 1
        return True

    def run(self, unsigned threads):
        """Do the jobs and return all results."""
        cdef Work work
        cdef size_t chunks
        work.rules, work.now = &self._validator._policy._claim_rules.rules, self._now
        work.json_depth = self._validator._policy._header._json_depth
        work.jobs = <Job **>PyMem_Calloc(self._count or 1, sizeof(Job *))
        work.ends = <size_t *>PyMem_Calloc(self._count or 1, sizeof(size_t))
        try:
            if work.jobs == NULL or work.ends == NULL:
                raise MemoryError
            chunks = self._chunk(&work, threads)
            with nogil:
                kb_parallel(threads, chunks, _do_chunk, &work)
        finally:
            PyMem_Free(work.jobs)
            PyMem_Free(work.ends)
        for i in range(self._count):
            self._conclude(i)
        return self._results

    cdef size_t _chunk(self, Work *work, unsigned threads) except? 0:
        """Jobs of one key stand together, in chunks small enough for every thread to get some."""
        cdef size_t i, taken = 0, chunks = 0, in_chunk, most = KB_GROUP
        if threads > 1 and self._count // (threads * 4) < most:
            most = self._count // (threads * 4) or 1
        by_key = {}
        for i in range(self._count):
            job = &self._jobs[i]
            by_key.setdefault((<size_t>job.key, job.family, job.bits), []).append(i)
        for indices in by_key.values():
            in_chunk = 0
            for i in indices:
                if in_chunk == most:
                    work.ends[chunks] = taken
                    chunks, in_chunk = chunks + 1, 0
                work.jobs[taken] = &self._jobs[i]
                taken, in_chunk = taken + 1, in_chunk + 1
            work.ends[chunks] = taken
            chunks += 1
        return chunks

    cdef int _conclude(self, size_t i) except -1:
        cdef Job *job = &self._jobs[i]
        cdef Validator validator = self._validator
        cdef VerifiedToken token
        cdef Remembered known
        if job.verdict == FAILED:
            raise MemoryError
        if job.verdict != REASON_OK:
            self._results[job.place] = job.verdict
            return 0
        known = self._known[i]
        old_secret = is_old_secret(known, known.candidates[0])
        token = token_of(validator._policy, known, self._payloads[i], old_secret)
        validator._policy._header.keep(known)
        raw = self._raws[job.place]
        if validator.caches(raw):
            validator.store(self._keys, raw, token, &job.lasting)
        self._results[job.place] = token
        return 0


cdef void _do_chunk(void *context, size_t index) noexcept nogil:
    cdef const Work *work = <const Work *>context
    cdef size_t first = work.ends[index - 1] if index else 0
    cdef size_t count = work.ends[index] - first
    cdef Job **jobs = work.jobs + first
    cdef kb_signature items[KB_GROUP]
    cdef size_t of[KB_GROUP]
    cdef size_t i, ready = 0
    for i in range(count):
        # A good signature is the only way from here to the claims.
        jobs[i].verdict = REASON_SIGNATURE_INVALID
        if _decode(jobs[i], &items[ready]):
            of[ready] = i
            ready += 1
        else:
            jobs[i].verdict = REASON_BASE64URL_INVALID
    verify_group(jobs[0].key, jobs[0].kind, jobs[0].family, jobs[0].bits, items, ready)
    for i in range(ready):
        if items[i].good == 1:
            _check_claims(work, jobs[of[i]])


cdef bint _decode(Job *job, kb_signature *item) noexcept nogil:
    cdef const Segments *segments = &job.segments
    cdef size_t payload_at = segments.first_dot + 1
    cdef size_t signature_at = segments.second_dot + 1
    cdef Py_ssize_t signature_size = kb_base64url_decode(
        segments.at + signature_at, segments.size - signature_at, job.signature)
    item.data, item.data_len = segments.at, segments.second_dot
    item.sig, item.sig_len, item.good = job.signature, signature_size, 0
    return signature_size >= 0 and kb_base64url_decode(
        segments.at + payload_at, segments.second_dot - payload_at, job.payload) >= 0


cdef void _check_claims(const Work *work, Job *job) noexcept nogil:
    job.verdict = FAILED
    job.verdict = check_raw(
        work.rules,
        job.payload,
        job.payload_size,
        work.json_depth,
        work.now,
        &job.proof,
        &job.lasting,
    )
