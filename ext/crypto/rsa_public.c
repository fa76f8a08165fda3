#include "rsa_public.h"

#include "arithmetic.h"

#include <openssl/bn.h>
#include <string.h>

#include "s2n-bignum.h"

enum { MAX_WORDS = 64, SQUARINGS = 16 }; /* 65537 = 2^16 + 1 */

typedef uint64_t modulus[MAX_WORDS];

/* The "table" of an RSA key: n, then 2^(128 * words) mod n. */

size_t kb_rsa_public_size(const RSA *rsa) {
    unsigned bits = RSA_bits(rsa);
    /* The squaring for this size has no variant without BMI2 and ADX. */
    int served = bits == 2048 && kb_has_fast_multiplier();
    return served && BN_is_word(RSA_get0_e(rsa), RSA_F4) ? bits / 8 : 0;
}

size_t kb_rsa_public_table_bytes(size_t size) { return 2 * size; }

static void from_octets(uint64_t *z, size_t words, const uint8_t *octets) {
    for (size_t i = 0; i < words; i++) {
        const uint8_t *at = octets + 8 * (words - 1 - i);
        uint64_t word;
        memcpy(&word, at, sizeof word);
        z[i] = __builtin_bswap64(word);
    }
}

static void to_octets(uint8_t *octets, const uint64_t *x, size_t words) {
    for (size_t i = 0; i < words; i++) {
        uint64_t word = __builtin_bswap64(x[words - 1 - i]);
        memcpy(octets + 8 * i, &word, sizeof word);
    }
}

kb_table *kb_rsa_public_build(const void *context) {
    const RSA *rsa = context;
    const size_t size = RSA_size(rsa), words = size / 8;
    uint8_t octets[8 * MAX_WORDS];
    modulus scratch;
    kb_table *table = kb_table_new(2 * words);
    if (table && BN_bn2bin_padded(octets, size, RSA_get0_n(rsa))) {
        from_octets(table->words, words, octets);
        bignum_montifier(words, table->words + words, table->words, scratch);
        return table;
    }
    kb_table_release(table);
    return NULL;
}

/* z := wide / 2^(64 * words) mod n, below 2^(64 * words) but perhaps not below n. */
static void reduce(uint64_t *z, uint64_t *wide, const uint64_t *n, uint64_t factor, size_t words) {
    uint64_t carry = bignum_emontredc_8n(words, wide, n, factor);
    bignum_optsub(words, z, wide + words, carry, n);
}

int kb_rsa_public(const kb_table *key, size_t size, const uint8_t *signature, uint8_t *out) {
    const size_t words = size / 8;
    const uint64_t *n = key->words;
    const uint64_t factor = word_negmodinv(n[0]);
    modulus s, x;
    uint64_t wide[2 * MAX_WORDS], scratch[96];
    from_octets(s, words, signature);
    if (bignum_ge(words, s, words, n)) {
        return 0;
    }
    bignum_kmul_32_64(wide, s, n + words, scratch);
    reduce(x, wide, n, factor, words);
    for (int i = 0; i < SQUARINGS; i++) {
        bignum_ksqr_32_64(wide, x, scratch);
        reduce(x, wide, n, factor, words);
    }
    /* Times s itself, not its Montgomery form: that leaves the Montgomery domain as well. */
    bignum_kmul_32_64(wide, x, s, scratch);
    reduce(x, wide, n, factor, words);
    bignum_optsub(words, x, x, bignum_ge(words, x, words, n), n);
    to_octets(out, x, words);
    return 1;
}
