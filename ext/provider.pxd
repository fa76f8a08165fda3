from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef extern from "provider.h" nogil:
    ctypedef enum kb_curve:
        KB_P256, KB_P384, KB_P521, KB_SECP256K1
    ctypedef struct kb_key:
        pass
    enum:
        KB_MAX_DIGEST

    kb_key *kb_key_rsa(const uint8_t *n, size_t n_len, const uint8_t *e, size_t e_len)
    kb_key *kb_key_ec(kb_curve curve, const uint8_t *x, size_t x_len, const uint8_t *y, size_t y_len)
    size_t kb_coordinate_size(kb_curve curve)
    kb_key *kb_key_ed25519(const uint8_t *point, size_t point_len)
    kb_key *kb_key_secret(const uint8_t *secret, size_t secret_len)
    void kb_key_free(kb_key *key)

    int kb_verify_hmac(
        const kb_key *key, int bits, const uint8_t *data, size_t data_len, const uint8_t *tag, size_t tag_len)
    int kb_verify_rsa_pkcs1(
        const kb_key *key, int bits, const uint8_t *data, size_t data_len, const uint8_t *sig, size_t sig_len)
    int kb_verify_rsa_pss(
        const kb_key *key, int bits, const uint8_t *data, size_t data_len, const uint8_t *sig, size_t sig_len)
    int kb_verify_ecdsa(
        const kb_key *key, int bits, const uint8_t *data, size_t data_len, const uint8_t *sig, size_t sig_len)
    int kb_verify_ecdsa_digest(
        const kb_key *key, const uint8_t *digest, size_t size, const uint8_t *sig, size_t sig_len)
    int kb_verify_ed25519(
        const kb_key *key, const uint8_t *data, size_t data_len, const uint8_t *sig, size_t sig_len)

    ctypedef struct kb_signature:
        const uint8_t *data
        const uint8_t *sig
        size_t data_len
        size_t sig_len
        int good
    enum:
        KB_GROUP
    void kb_verify_ecdsa_group(const kb_key *key, int bits, kb_signature *items, size_t count)

    size_t kb_sha2(int bits, const uint8_t *data, size_t data_len, uint8_t *out)

    enum:
        KB_TABLES_NOW, KB_TABLES_BYTES, KB_TABLES_BUILT, KB_TABLES_EVICTED
        KB_TABLES_UNDECIDED, KB_TABLES_LIMIT

    void kb_tables_configure(uint64_t limit_bytes, uint32_t threshold)
    uint64_t kb_tables_counter(int counter)
    void kb_key_leave_to_library(kb_key *key)
    bint kb_key_has_table(const kb_key *key)
    bint kb_tables_serve_rsa()
    bint kb_tables_serve_ec(kb_curve curve)
    bint kb_tables_serve_ed25519()

    const char *kb_provider_name()
    const char *kb_provider_cpu_feature(unsigned index)
