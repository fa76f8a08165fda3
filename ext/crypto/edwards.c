#include "edwards.h"

#include "arithmetic.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "s2n-bignum.h"

enum { WORDS = 4, ENTRY = 3 * WORDS, BITS = 253, WINDOW = 7, HALF = 1 << (WINDOW - 1) };
#define WINDOWS KB_WINDOWS(BITS, WINDOW)
#define TABLE_WORDS ((size_t)WINDOWS * HALF * ENTRY)

/* RFC 8032, 5.1: the order of the base point, the base point's encoding (y = 4/5), and d. */
static const uint64_t order[WORDS] = {0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0,
                                      0x1000000000000000};
static const uint8_t base_point[32] = {
    0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
    0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66};
static const uint64_t curve_d[WORDS] = {0x75eb4dca135978a3, 0x00700a4d4141d8ab, 0x8cc740797779e898,
                                        0x52036cee2b6ffe73};

static const kb_layout layout = {.window = WINDOW, .windows = WINDOWS, .entry_words = ENTRY};

typedef uint64_t extended[4 * WORDS]; /* X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z */

/* The unified formulas are complete on this curve: no pair of operands is an exception. */
static struct {
    void (*add)(uint64_t *, const uint64_t *, const uint64_t *);
    void (*add_entry)(uint64_t *, const uint64_t *, const uint64_t *);
    void (*dbl)(uint64_t *, const uint64_t *);
    void (*mul)(uint64_t *, const uint64_t *, const uint64_t *);
    uint64_t (*decode)(uint64_t *, const uint8_t *);
    kb_table *base;
} field;

static void choose(void) {
    if (kb_has_fast_multiplier()) {
        field.add = edwards25519_epadd;
        field.add_entry = edwards25519_pepadd;
        field.dbl = edwards25519_epdouble;
        field.mul = bignum_mul_p25519;
        field.decode = edwards25519_decode;
    } else {
        field.add = edwards25519_epadd_alt;
        field.add_entry = edwards25519_pepadd_alt;
        field.dbl = edwards25519_epdouble_alt;
        field.mul = bignum_mul_p25519_alt;
        field.decode = edwards25519_decode_alt;
    }
}

int kb_edwards_start(void) {
    static kb_claim making;
    static int ready;
    int now_ready = __atomic_load_n(&ready, __ATOMIC_ACQUIRE);
    if (!now_ready && kb_claim_take(&making)) {
        now_ready = ready;
        if (!now_ready) {
            choose();
            field.base = kb_edwards_build(base_point);
            now_ready = field.base != NULL;
            __atomic_store_n(&ready, now_ready, __ATOMIC_RELEASE);
        }
        kb_claim_give_back(&making);
    }
    return now_ready;
}

size_t kb_edwards_table_bytes(void) { return TABLE_WORDS * sizeof(uint64_t); }

/* Affine (x, y) as (y - x, y + x, 2dxy). */
static void write_entry(uint64_t *entry, const uint64_t *x, const uint64_t *y) {
    uint64_t product[WORDS];
    bignum_sub_p25519(entry, y, x);
    bignum_add_p25519(entry + WORDS, y, x);
    field.mul(product, x, y);
    field.mul(product, product, curve_d);
    bignum_double_p25519(entry + 2 * WORDS, product);
}

static void multiples(extended *points) {
    for (unsigned j = 2; j <= HALF; j++) {
        if (j % 2 == 0) {
            field.dbl(points[j - 1], points[j / 2 - 1]);
        } else {
            field.add(points[j - 1], points[j - 2], points[0]);
        }
    }
}

static void normalise(uint64_t *out, extended *points, uint64_t (*products)[WORDS], size_t count) {
    uint64_t inverse[WORDS], z_inverse[WORDS], x[WORDS], y[WORDS];
    memset(products[0], 0, sizeof products[0]);
    products[0][0] = 1;
    for (size_t i = 0; i < count; i++) {
        field.mul(products[i + 1], products[i], points[i] + 2 * WORDS);
    }
    bignum_inv_p25519(inverse, products[count]);
    for (size_t i = count; i-- > 0;) {
        field.mul(z_inverse, inverse, products[i]);
        field.mul(inverse, inverse, points[i] + 2 * WORDS);
        field.mul(x, points[i], z_inverse);
        field.mul(y, points[i] + WORDS, z_inverse);
        write_entry(out + i * ENTRY, x, y);
    }
}

kb_table *kb_edwards_build(const void *public_key) {
    const size_t count = (size_t)WINDOWS * HALF;
    uint64_t affine[2 * WORDS];
    if (field.decode(affine, public_key) != 0) {
        return NULL;
    }
    extended *points = malloc(count * sizeof *points);
    uint64_t (*products)[WORDS] = malloc((count + 1) * sizeof *products);
    kb_table *table = kb_table_new(TABLE_WORDS);
    if (points && products && table) {
        memset(points[0], 0, sizeof points[0]);
        memcpy(points[0], affine, sizeof affine);
        points[0][2 * WORDS] = 1;
        field.mul(points[0] + 3 * WORDS, affine, affine + WORDS);
        for (unsigned i = 0; i < WINDOWS; i++) {
            multiples(points + i * HALF);
            if (i + 1 < WINDOWS) {
                field.dbl(points[(i + 1) * HALF], points[(i + 1) * HALF - 1]);
            }
        }
        normalise(table->words, points, products, count);
    } else {
        kb_table_release(table);
        table = NULL;
    }
    free(points);
    free(products);
    return table;
}

/* Adds digit * 2^(w*i) * P. */
static void add_digit(extended sum, const kb_table *table, unsigned i, int digit) {
    uint64_t negative[ENTRY];
    if (digit == 0) {
        return;
    }
    const uint64_t *entry = kb_table_entry(table, layout, i, digit);
    if (digit < 0) {
        /* -(x, y) = (-x, y) swaps the first two and negates the third. */
        memcpy(negative, entry + WORDS, WORDS * sizeof *entry);
        memcpy(negative + WORDS, entry, WORDS * sizeof *entry);
        bignum_neg_p25519(negative + 2 * WORDS, entry + 2 * WORDS);
        entry = negative;
    }
    field.add_entry(sum, sum, entry);
}

static void load_le(uint64_t *z, const uint8_t *octets, unsigned words) {
    for (unsigned i = 0; i < words; i++) {
        z[i] = 0;
        for (unsigned j = 0; j < 8; j++) {
            z[i] |= (uint64_t)octets[8 * i + j] << (8 * j);
        }
    }
}

static int is_below_order(const uint64_t *s) {
    for (unsigned i = WORDS; i-- > 0;) {
        if (s[i] != order[i]) {
            return s[i] < order[i];
        }
    }
    return 0;
}

int kb_edwards_verify(const kb_table *key, const uint8_t public_key[32], const uint8_t *data,
                      size_t data_len, const uint8_t signature[64]) {
    uint64_t s[WORDS], k[WORDS], wide[2 * WORDS], inverse[WORDS], affine[2 * WORDS];
    uint8_t hash[SHA512_DIGEST_LENGTH], encoded[32];
    int16_t d1[KB_MAX_WINDOWS], d2[KB_MAX_WINDOWS];
    SHA512_CTX context;
    load_le(s, signature + 32, WORDS);
    if (!is_below_order(s)) {
        return 0;
    }
    SHA512_Init(&context);
    SHA512_Update(&context, signature, 32);
    SHA512_Update(&context, public_key, 32);
    SHA512_Update(&context, data, data_len);
    SHA512_Final(hash, &context);
    load_le(wide, hash, 2 * WORDS);
    bignum_mod_n25519(k, 2 * WORDS, wide);
    kb_recode(s, WORDS, WINDOW, WINDOWS, d1);
    kb_recode(k, WORDS, WINDOW, WINDOWS, d2);
    kb_table_fetch(key, layout, d2);
    extended sum = {0};
    sum[WORDS] = sum[2 * WORDS] = 1; /* the neutral element (0, 1) */
    for (unsigned i = 0; i < WINDOWS; i++) {
        add_digit(sum, field.base, i, d1[i]);
        add_digit(sum, key, i, -d2[i]);
    }
    bignum_inv_p25519(inverse, sum + 2 * WORDS);
    field.mul(affine, sum, inverse);
    field.mul(affine + WORDS, sum + WORDS, inverse);
    edwards25519_encode(encoded, affine);
    return memcmp(encoded, signature, sizeof encoded) == 0;
}
