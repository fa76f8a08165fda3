/* What the signature module needs of a crypto library. One file implements it: awslc.c.
 *
 * Verification only; no private key ever enters. Handles are immutable once made and may be used
 * from any number of threads at once. Nothing here knows Python.
 */
#ifndef KB_PROVIDER_H
#define KB_PROVIDER_H

#include <stddef.h>
#include <stdint.h>

typedef enum { KB_P256 = 1, KB_P384 = 2, KB_P521 = 3, KB_SECP256K1 = 4 } kb_curve;

typedef struct kb_key kb_key;

/* Each returns NULL when the numbers are not a key, or when there is no memory. Big-endian. */
kb_key *kb_key_rsa(const uint8_t *n, size_t n_len, const uint8_t *e, size_t e_len);
kb_key *kb_key_ec(kb_curve curve, const uint8_t *x, size_t x_len, const uint8_t *y, size_t y_len);
/* Octets of a coordinate in full size, 0 for no curve of these. */
size_t kb_coordinate_size(kb_curve curve);
kb_key *kb_key_ed25519(const uint8_t *point, size_t point_len);
kb_key *kb_key_secret(const uint8_t *secret, size_t secret_len);
void kb_key_free(kb_key *key);

/* Each returns 1 when the signature is good and 0 otherwise. `bits` is the size of the hash: 256,
 * 384 or 512. The handle must be of the family's type; the caller has checked. */
int kb_verify_hmac(const kb_key *key, int bits, const uint8_t *data, size_t data_len,
                   const uint8_t *tag, size_t tag_len);
int kb_verify_rsa_pkcs1(const kb_key *key, int bits, const uint8_t *data, size_t data_len,
                        const uint8_t *sig, size_t sig_len);
int kb_verify_rsa_pss(const kb_key *key, int bits, const uint8_t *data, size_t data_len,
                      const uint8_t *sig, size_t sig_len);
int kb_verify_ecdsa(const kb_key *key, int bits, const uint8_t *data, size_t data_len,
                    const uint8_t *sig, size_t sig_len);
/* The same, for a digest that the caller made. */
int kb_verify_ecdsa_digest(const kb_key *key, const uint8_t *digest, size_t size,
                           const uint8_t *sig, size_t sig_len);
int kb_verify_ed25519(const kb_key *key, const uint8_t *data, size_t data_len, const uint8_t *sig,
                      size_t sig_len);

/* One of several signatures by the same key. */
typedef struct {
    const uint8_t *data, *sig;
    size_t data_len, sig_len;
    int good;
} kb_signature;

enum { KB_GROUP = 64 };

/* kb_verify_ecdsa for up to KB_GROUP signatures; cheaper for several than one by one. */
void kb_verify_ecdsa_group(const kb_key *key, int bits, kb_signature *items, size_t count);

enum { KB_MAX_DIGEST = 64 };

/* SHA-2 of data into out (bits / 8 octets). Returns the size of the digest, 0 for other `bits`. */
size_t kb_sha2(int bits, const uint8_t *data, size_t data_len, uint8_t out[KB_MAX_DIGEST]);

/* Keys that are used often get tables, see table.h. `limit_bytes` bounds all tables of the process
 * together, 0 for none; `threshold` is the number of uses that earns a key its table. */
void kb_tables_configure(uint64_t limit_bytes, uint32_t threshold);

enum kb_table_counter {
    KB_TABLES_NOW,
    KB_TABLES_BYTES,
    KB_TABLES_BUILT,
    KB_TABLES_EVICTED,
    KB_TABLES_UNDECIDED,
    KB_TABLES_LIMIT
};

uint64_t kb_tables_counter(enum kb_table_counter counter);

/* Denies a key that nobody uses yet its table for good, so that the library verifies with it. */
void kb_key_leave_to_library(kb_key *key);
int kb_key_has_table(const kb_key *key);

/* 1 where verification with this kind of key can use tables on this machine. */
int kb_tables_serve_rsa(void);
int kb_tables_serve_ec(kb_curve curve);
int kb_tables_serve_ed25519(void);

const char *kb_provider_name(void);

/* Features of this processor that the library has faster code for; NULL past the last one. */
const char *kb_provider_cpu_feature(unsigned index);

#endif
