#include "provider.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/curve25519.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#ifdef KB_TABLES
#include "arithmetic.h"
#include "curve.h"
#include "edwards.h"
#include "rsa_public.h"
#include "table.h"
#endif

enum { HASHES = 3, MAX_COORDINATE = 66 };

struct kb_key {
    enum { KEY_RSA, KEY_EC, KEY_ED25519, KEY_SECRET } type;
    size_t width; /* octets of a coordinate (EC) */
#ifdef KB_TABLES
    kb_slot slot;
    size_t rsa_public_size; /* see kb_rsa_public_size */
#endif
    union {
        RSA *rsa;
        EC_KEY *ec;
        uint8_t point[ED25519_PUBLIC_KEY_LEN];
        /* Keyed and waiting for data, so that a verification does not hash the key again. */
        HMAC_CTX *hmac;
    } u;
};

static const EVP_MD *hash_of(int bits) {
    switch (bits) {
    case 256:
        return EVP_sha256();
    case 384:
        return EVP_sha384();
    case 512:
        return EVP_sha512();
    default:
        return NULL;
    }
}

static int nid_of(int bits) {
    return bits == 256 ? NID_sha256 : bits == 384 ? NID_sha384 : NID_sha512;
}

static kb_key *new_key(int type) {
    kb_key *key = calloc(1, sizeof *key);
    if (key) {
        key->type = type;
    }
    return key;
}

/* The library queues errors per thread; nobody here reads them, and they must not pile up. */
static kb_key *give(kb_key *key, int good) {
    ERR_clear_error();
    if (!good) {
        kb_key_free(key);
        return NULL;
    }
    return key;
}

kb_key *kb_key_rsa(const uint8_t *n, size_t n_len, const uint8_t *e, size_t e_len) {
    kb_key *key = new_key(KEY_RSA);
    if (!key) {
        return NULL;
    }
    BIGNUM *modulus = BN_bin2bn(n, n_len, NULL);
    BIGNUM *exponent = BN_bin2bn(e, e_len, NULL);
    if (modulus && exponent) {
        key->u.rsa = RSA_new_public_key(modulus, exponent);
    }
    BN_free(modulus);
    BN_free(exponent);
#ifdef KB_TABLES
    key->rsa_public_size = key->u.rsa ? kb_rsa_public_size(key->u.rsa) : 0;
    key->slot.bytes = kb_rsa_public_table_bytes(key->rsa_public_size);
#endif
    return give(key, key->u.rsa != NULL);
}

static int nid_of_curve(kb_curve curve) {
    switch (curve) {
    case KB_P256:
        return NID_X9_62_prime256v1;
    case KB_P384:
        return NID_secp384r1;
    case KB_P521:
        return NID_secp521r1;
    case KB_SECP256K1:
        return NID_secp256k1;
    }
    return NID_undef;
}

size_t kb_coordinate_size(kb_curve curve) {
    switch (curve) {
    case KB_P256:
    case KB_SECP256K1:
        return 32;
    case KB_P384:
        return 48;
    case KB_P521:
        return 66;
    }
    return 0;
}

/* Right-aligned in `width` octets; 0 if the number needs more of them. */
static int put_coordinate(uint8_t *out, size_t width, const uint8_t *in, size_t len) {
    for (; len > width && *in == 0; in++) {
        len--;
    }
    if (len > width) {
        return 0;
    }
    memset(out, 0, width - len);
    memcpy(out + width - len, in, len);
    return 1;
}

kb_key *kb_key_ec(kb_curve curve, const uint8_t *x, size_t x_len, const uint8_t *y, size_t y_len) {
    uint8_t octets[1 + 2 * MAX_COORDINATE];
    kb_key *key = new_key(KEY_EC);
    if (!key) {
        return NULL;
    }
    size_t width = key->width = kb_coordinate_size(curve);
    key->u.ec = EC_KEY_new_by_curve_name(nid_of_curve(curve));
#ifdef KB_TABLES
    key->slot.bytes = kb_curve_table_bytes(nid_of_curve(curve));
#endif
    EC_POINT *point = key->u.ec ? EC_POINT_new(EC_KEY_get0_group(key->u.ec)) : NULL;
    octets[0] = POINT_CONVERSION_UNCOMPRESSED;
    /* Refuses coordinates above the field and points off the curve. */
    int good =
        point && put_coordinate(octets + 1, width, x, x_len) &&
        put_coordinate(octets + 1 + width, width, y, y_len) &&
        EC_POINT_oct2point(EC_KEY_get0_group(key->u.ec), point, octets, 1 + 2 * width, NULL) &&
        EC_KEY_set_public_key(key->u.ec, point);
    EC_POINT_free(point);
    return give(key, good);
}

kb_key *kb_key_ed25519(const uint8_t *point, size_t point_len) {
    kb_key *key = point_len == ED25519_PUBLIC_KEY_LEN ? new_key(KEY_ED25519) : NULL;
    if (key) {
        memcpy(key->u.point, point, ED25519_PUBLIC_KEY_LEN);
#ifdef KB_TABLES
        key->slot.bytes = kb_edwards_table_bytes();
#endif
    }
    return key;
}

kb_key *kb_key_secret(const uint8_t *secret, size_t secret_len) {
    kb_key *key = new_key(KEY_SECRET);
    if (!key) {
        return NULL;
    }
    key->u.hmac = calloc(HASHES, sizeof *key->u.hmac);
    int good = key->u.hmac != NULL;
    for (int i = 0; key->u.hmac && i < HASHES; i++) {
        HMAC_CTX_init(&key->u.hmac[i]);
        good &= HMAC_Init_ex(&key->u.hmac[i], secret, secret_len, hash_of(256 + 128 * i), NULL);
    }
    return give(key, good);
}

void kb_key_free(kb_key *key) {
    if (!key) {
        return;
    }
#ifdef KB_TABLES
    kb_slot_close(&key->slot);
#endif
    switch (key->type) {
    case KEY_RSA:
        RSA_free(key->u.rsa);
        break;
    case KEY_EC:
        EC_KEY_free(key->u.ec);
        break;
    case KEY_SECRET:
        for (int i = 0; key->u.hmac && i < HASHES; i++) {
            HMAC_CTX_cleanup(&key->u.hmac[i]);
        }
        free(key->u.hmac);
        break;
    case KEY_ED25519:
        break;
    }
    OPENSSL_cleanse(key, sizeof *key);
    free(key);
}

static int verdict(int good) {
    if (good != 1) {
        ERR_clear_error();
    }
    return good == 1;
}

/* Each of the three answers 1 or 0 as the library would, or -1 where the library has to be asked:
 * no table yet, none for this key, or a case that the table code leaves to it. */
#ifdef KB_TABLES

/* The slot counts uses; what a verification can tell of a key does not change by that. */
static kb_slot *slot_of(const kb_key *key) { return (kb_slot *)&key->slot; }

static kb_table *build_ec(const void *context) {
    const EC_KEY *ec = context;
    kb_curve_point point;
    const kb_curve_context *curve =
        kb_curve_context_of(EC_GROUP_get_curve_name(EC_KEY_get0_group(ec)));
    return curve && kb_curve_point_of(&point, curve, ec) ? kb_curve_build(&point) : NULL;
}

static int ecdsa_by_table(const kb_key *key, const uint8_t *digest, size_t size,
                          const uint8_t *sig) {
    kb_table *table = kb_slot_use(slot_of(key), build_ec, key->u.ec);
    if (!table) {
        return -1;
    }
    int nid = EC_GROUP_get_curve_name(EC_KEY_get0_group(key->u.ec));
    int good = kb_curve_verify(kb_curve_context_of(nid), table, digest, size, sig);
    kb_table_release(table);
    if (good < 0) {
        kb_table_count_undecided();
    }
    return good;
}

static kb_table *build_ed25519(const void *context) {
    return kb_edwards_start() ? kb_edwards_build(context) : NULL;
}

static int ed25519_by_table(const kb_key *key, const uint8_t *data, size_t data_len,
                            const uint8_t *sig) {
    kb_table *table = kb_slot_use(slot_of(key), build_ed25519, key->u.point);
    if (!table) {
        return -1;
    }
    int good = kb_edwards_verify(table, key->u.point, data, data_len, sig);
    kb_table_release(table);
    return good;
}

/* Returns 0 where there is no table; items the table code leaves open have the verdict -1. */
static int ecdsa_group_by_table(const kb_key *key, int bits, kb_signature *items, size_t count) {
    kb_curve_item each[KB_GROUP];
    uint8_t digests[KB_GROUP][KB_MAX_DIGEST];
    kb_table *table = kb_slot_use(slot_of(key), build_ec, key->u.ec);
    if (!table) {
        return 0;
    }
    size_t of[KB_GROUP], ready = 0;
    for (size_t i = 0; i < count; i++) {
        items[i].good = 0;
        size_t size = kb_sha2(bits, items[i].data, items[i].data_len, digests[ready]);
        if (size && items[i].sig_len == 2 * key->width) {
            each[ready] =
                (kb_curve_item){.digest = digests[ready], .digest_len = size, .r_s = items[i].sig};
            of[ready++] = i;
        }
    }
    int nid = EC_GROUP_get_curve_name(EC_KEY_get0_group(key->u.ec));
    kb_curve_verify_many(kb_curve_context_of(nid), table, each, ready);
    kb_table_release(table);
    for (size_t i = 0; i < ready; i++) {
        items[of[i]].good = each[i].verdict;
    }
    return 1;
}

/* RFC 8017, 9.2, note 1: DigestInfo up to the digest itself. */
static const uint8_t digest_info_256[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
                                          0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
                                          0x01, 0x05, 0x00, 0x04, 0x20};
static const uint8_t digest_info_384[] = {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60,
                                          0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
                                          0x02, 0x05, 0x00, 0x04, 0x30};
static const uint8_t digest_info_512[] = {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60,
                                          0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
                                          0x03, 0x05, 0x00, 0x04, 0x40};
enum { DIGEST_INFO = sizeof digest_info_256, MAX_MODULUS = 512 };

/* The one encoded message there is for a digest (RFC 8017, 9.2), compared as a whole: nothing in
 * it is parsed, so nothing can be parsed wrongly. */
static int is_pkcs1_encoding(const uint8_t *message, size_t message_len, const uint8_t *digest,
                             size_t size) {
    const uint8_t *info = size == 32   ? digest_info_256
                          : size == 48 ? digest_info_384
                                       : digest_info_512;
    uint8_t expected[MAX_MODULUS];
    size_t padding = message_len - DIGEST_INFO - size;
    memset(expected, 0xff, padding);
    expected[0] = 0x00;
    expected[1] = 0x01;
    expected[padding - 1] = 0x00;
    memcpy(expected + padding, info, DIGEST_INFO);
    memcpy(expected + padding + DIGEST_INFO, digest, size);
    return memcmp(message, expected, message_len) == 0;
}

static int rsa_by_table(const kb_key *key, int pss, const uint8_t *digest, size_t size,
                        const EVP_MD *md, const uint8_t *sig) {
    uint8_t message[MAX_MODULUS];
    kb_table *table =
        key->rsa_public_size ? kb_slot_use(slot_of(key), kb_rsa_public_build, key->u.rsa) : NULL;
    if (!table) {
        return -1;
    }
    int good = kb_rsa_public(table, key->rsa_public_size, sig, message);
    kb_table_release(table);
    if (!good) {
        return 0;
    }
    return pss ? verdict(RSA_verify_PKCS1_PSS_mgf1(key->u.rsa, digest, md, md, message, (int)size))
               : is_pkcs1_encoding(message, key->rsa_public_size, digest, size);
}

void kb_tables_configure(uint64_t limit_bytes, uint32_t threshold) {
    kb_table_configure(limit_bytes, threshold);
}

uint64_t kb_tables_counter(enum kb_table_counter counter) {
    kb_table_stats stats;
    kb_table_get_stats(&stats);
    switch (counter) {
    case KB_TABLES_NOW:
        return stats.tables;
    case KB_TABLES_BYTES:
        return stats.bytes;
    case KB_TABLES_BUILT:
        return stats.built;
    case KB_TABLES_EVICTED:
        return stats.evicted;
    case KB_TABLES_UNDECIDED:
        return stats.undecided;
    case KB_TABLES_LIMIT:
        return stats.limit;
    }
    return 0;
}

void kb_key_leave_to_library(kb_key *key) { key->slot.bytes = SIZE_MAX; }

int kb_key_has_table(const kb_key *key) {
    return __atomic_load_n(&key->slot.table, __ATOMIC_RELAXED) != NULL;
}

static int tables_wanted(void) { return kb_tables_counter(KB_TABLES_LIMIT) > 0; }

int kb_tables_serve_rsa(void) { return tables_wanted() && kb_has_fast_multiplier(); }

int kb_tables_serve_ec(kb_curve curve) {
    return tables_wanted() && kb_arithmetic_of(nid_of_curve(curve)) != NULL;
}

int kb_tables_serve_ed25519(void) { return tables_wanted(); }

#else

static int ecdsa_by_table(const kb_key *key, const uint8_t *digest, size_t size,
                          const uint8_t *sig) {
    (void)key, (void)digest, (void)size, (void)sig;
    return -1;
}

static int ed25519_by_table(const kb_key *key, const uint8_t *data, size_t data_len,
                            const uint8_t *sig) {
    (void)key, (void)data, (void)data_len, (void)sig;
    return -1;
}

static int rsa_by_table(const kb_key *key, int pss, const uint8_t *digest, size_t size,
                        const EVP_MD *md, const uint8_t *sig) {
    (void)key, (void)pss, (void)digest, (void)size, (void)md, (void)sig;
    return -1;
}

static int ecdsa_group_by_table(const kb_key *key, int bits, kb_signature *items, size_t count) {
    (void)key, (void)bits, (void)items, (void)count;
    return 0;
}

void kb_tables_configure(uint64_t limit_bytes, uint32_t threshold) {
    (void)limit_bytes, (void)threshold;
}

uint64_t kb_tables_counter(enum kb_table_counter counter) {
    (void)counter;
    return 0;
}

void kb_key_leave_to_library(kb_key *key) { (void)key; }

int kb_key_has_table(const kb_key *key) {
    (void)key;
    return 0;
}

int kb_tables_serve_rsa(void) { return 0; }

int kb_tables_serve_ec(kb_curve curve) {
    (void)curve;
    return 0;
}

int kb_tables_serve_ed25519(void) { return 0; }

#endif

int kb_verify_hmac(const kb_key *key, int bits, const uint8_t *data, size_t data_len,
                   const uint8_t *tag, size_t tag_len) {
    /* A truncated tag is not a tag (RFC 7518, 3.2). */
    if (!hash_of(bits) || tag_len != (size_t)bits / 8) {
        return 0;
    }
    HMAC_CTX ctx;
    uint8_t expected[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC_CTX_init(&ctx);
    int good = HMAC_CTX_copy_ex(&ctx, &key->u.hmac[(bits - 256) / 128]) &&
               HMAC_Update(&ctx, data, data_len) && HMAC_Final(&ctx, expected, &size) &&
               size == tag_len && CRYPTO_memcmp(expected, tag, size) == 0;
    HMAC_CTX_cleanup(&ctx);
    return verdict(good);
}

int kb_verify_rsa_pkcs1(const kb_key *key, int bits, const uint8_t *data, size_t data_len,
                        const uint8_t *sig, size_t sig_len) {
    uint8_t digest[KB_MAX_DIGEST];
    size_t size = kb_sha2(bits, data, data_len, digest);
    if (!size || sig_len != RSA_size(key->u.rsa)) {
        return 0;
    }
    int good = rsa_by_table(key, 0, digest, size, hash_of(bits), sig);
    return good >= 0 ? good
                     : verdict(RSA_verify(nid_of(bits), digest, size, sig, sig_len, key->u.rsa));
}

int kb_verify_rsa_pss(const kb_key *key, int bits, const uint8_t *data, size_t data_len,
                      const uint8_t *sig, size_t sig_len) {
    uint8_t digest[KB_MAX_DIGEST];
    size_t size = kb_sha2(bits, data, data_len, digest);
    const EVP_MD *md = hash_of(bits);
    if (!size || sig_len != RSA_size(key->u.rsa)) {
        return 0;
    }
    /* RFC 7518, 3.5: the salt is as long as the hash, and MGF1 uses the same hash. */
    int good = rsa_by_table(key, 1, digest, size, md, sig);
    return good >= 0 ? good
                     : verdict(RSA_verify_pss_mgf1(key->u.rsa, digest, size, md, md, (int)size, sig,
                                                   sig_len));
}

int kb_verify_ecdsa(const kb_key *key, int bits, const uint8_t *data, size_t data_len,
                    const uint8_t *sig, size_t sig_len) {
    uint8_t digest[KB_MAX_DIGEST];
    size_t size = kb_sha2(bits, data, data_len, digest);
    return size ? kb_verify_ecdsa_digest(key, digest, size, sig, sig_len) : 0;
}

int kb_verify_ecdsa_digest(const kb_key *key, const uint8_t *digest, size_t size,
                           const uint8_t *sig, size_t sig_len) {
    /* RFC 7518, 3.4: R and S, each in full size. */
    if (sig_len != 2 * key->width) {
        return 0;
    }
    int good = ecdsa_by_table(key, digest, size, sig);
    if (good >= 0) {
        return good;
    }
    good = 0;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(sig, key->width, NULL);
    BIGNUM *s = BN_bin2bn(sig + key->width, key->width, NULL);
    if (pair && r && s && ECDSA_SIG_set0(pair, r, s)) {
        r = s = NULL; /* owned by the pair now */
        good = ECDSA_do_verify(digest, size, pair, key->u.ec);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return verdict(good);
}

void kb_verify_ecdsa_group(const kb_key *key, int bits, kb_signature *items, size_t count) {
    int grouped = ecdsa_group_by_table(key, bits, items, count);
    for (size_t i = 0; i < count; i++) {
        if (!grouped || items[i].good < 0) {
            items[i].good = kb_verify_ecdsa(key, bits, items[i].data, items[i].data_len,
                                            items[i].sig, items[i].sig_len);
        }
    }
}

int kb_verify_ed25519(const kb_key *key, const uint8_t *data, size_t data_len, const uint8_t *sig,
                      size_t sig_len) {
    if (sig_len != ED25519_SIGNATURE_LEN) {
        return 0;
    }
    int good = ed25519_by_table(key, data, data_len, sig);
    return good >= 0 ? good : verdict(ED25519_verify(data, data_len, sig, key->u.point));
}

size_t kb_sha2(int bits, const uint8_t *data, size_t data_len, uint8_t out[KB_MAX_DIGEST]) {
    switch (bits) {
    case 256:
        SHA256(data, data_len, out);
        return SHA256_DIGEST_LENGTH;
    case 384:
        SHA384(data, data_len, out);
        return SHA384_DIGEST_LENGTH;
    case 512:
        SHA512(data, data_len, out);
        return SHA512_DIGEST_LENGTH;
    default:
        return 0;
    }
}

const char *kb_provider_name(void) { return "AWS-LC " AWSLC_VERSION_NUMBER_STRING; }

const char *kb_provider_cpu_feature(unsigned index) {
    const char *present[8];
    unsigned count = 0;
#if defined(__GNUC__) && defined(__x86_64__)
    __builtin_cpu_init();
    /* s2n-bignum needs the first two; the rest speeds up hashing and RSA. */
    if (__builtin_cpu_supports("bmi2")) {
        present[count++] = "bmi2";
    }
    if (__builtin_cpu_supports("adx")) {
        present[count++] = "adx";
    }
    if (__builtin_cpu_supports("avx2")) {
        present[count++] = "avx2";
    }
    if (__builtin_cpu_supports("avx512ifma")) {
        present[count++] = "avx512ifma";
    }
#elif defined(__aarch64__)
    present[count++] = "neon";
#endif
    return index < count ? present[index] : NULL;
}
