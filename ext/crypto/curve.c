#include "curve.h"

#include "arithmetic.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <stdlib.h>
#include <string.h>

#include "s2n-bignum.h"

struct kb_curve_context {
    const kb_arithmetic *field;
    unsigned octets, windows;
    uint64_t p[KB_MAX_WORDS], n[KB_MAX_WORDS];
    uint64_t n_r2[KB_MAX_WORDS];      /* 2^(128 * words) mod n */
    uint64_t one[KB_MAX_WORDS];       /* in the domain of the field */
    uint64_t p_minus_n[KB_MAX_WORDS]; /* on all four curves n is below p */
    kb_table *generator;
};

/* A window has 2^(w-1) entries of two coordinates. */
#define TABLE_WORDS(field)                                                                         \
    (((size_t)KB_WINDOWS((field)->bits, (field)->window) << ((field)->window - 1)) * 2 *           \
     (field)->words)

typedef uint64_t number[KB_MAX_WORDS];
typedef uint64_t jacobian[3 * KB_MAX_WORDS];

static int is_zero(const uint64_t *x, unsigned words) {
    uint64_t any = 0;
    for (unsigned i = 0; i < words; i++) {
        any |= x[i];
    }
    return any == 0;
}

static int is_equal(const uint64_t *x, const uint64_t *y, unsigned words) {
    return memcmp(x, y, words * sizeof *x) == 0;
}

static int is_below(const uint64_t *x, const uint64_t *y, unsigned words) {
    for (unsigned i = words; i-- > 0;) {
        if (x[i] != y[i]) {
            return x[i] < y[i];
        }
    }
    return 0;
}

static void from_octets(uint64_t *z, unsigned words, const uint8_t *octets, size_t count) {
    memset(z, 0, words * sizeof *z);
    for (size_t i = 0; i < count; i++) {
        z[i / 8] |= (uint64_t)octets[count - 1 - i] << (8 * (i % 8));
    }
}

static void invert(const kb_curve_context *curve, uint64_t *z, const uint64_t *x) {
    number scratch[3];
    if (curve->field->inv) {
        curve->field->inv(z, x);
    } else {
        bignum_modinv(curve->field->words, z, x, curve->p, scratch[0]);
    }
}

/* entries[0..count-1] := 1, 2, ..., count times the base, Jacobian. The multiples are below the
 * order, so no addition here meets its own operand or its opposite. */
static void multiples(const kb_arithmetic *field, jacobian *entries, unsigned count) {
    for (unsigned j = 2; j <= count; j++) {
        if (j % 2 == 0) {
            field->dbl(entries[j - 1], entries[j / 2 - 1]);
        } else {
            field->add(entries[j - 1], entries[j - 2], entries[0]);
        }
    }
}

/* Jacobian to affine, all with one inversion (Montgomery's trick). */
static void normalise(const kb_curve_context *curve, uint64_t *out, jacobian *points,
                      number *products, size_t count) {
    const kb_arithmetic *field = curve->field;
    const unsigned words = field->words;
    number inverse, z_inverse, square;
    memcpy(products[0], curve->one, sizeof(number));
    for (size_t i = 0; i < count; i++) {
        field->mul(products[i + 1], products[i], points[i] + 2 * words);
    }
    invert(curve, inverse, products[count]);
    for (size_t i = count; i-- > 0;) {
        uint64_t *entry = out + i * 2 * words;
        field->mul(z_inverse, inverse, products[i]);
        field->mul(inverse, inverse, points[i] + 2 * words);
        field->sqr(square, z_inverse);
        field->mul(entry, points[i], square);
        field->mul(square, square, z_inverse);
        field->mul(entry + words, points[i] + words, square);
    }
}

kb_table *kb_curve_build(const void *context) {
    const kb_curve_point *point = context;
    const kb_curve_context *curve = point->curve;
    const unsigned words = curve->field->words, half = 1u << (curve->field->window - 1);
    const size_t count = (size_t)curve->windows * half;
    jacobian *points = malloc(count * sizeof *points);
    number *products = malloc((count + 1) * sizeof *products);
    kb_table *table = kb_table_new(TABLE_WORDS(curve->field));
    if (points && products && table) {
        memcpy(points[0], point->x, words * sizeof(uint64_t));
        memcpy(points[0] + words, point->y, words * sizeof(uint64_t));
        memcpy(points[0] + 2 * words, curve->one, words * sizeof(uint64_t));
        for (unsigned i = 0; i < curve->windows; i++) {
            multiples(curve->field, points + i * half, half);
            if (i + 1 < curve->windows) {
                curve->field->dbl(points[(i + 1) * half], points[(i + 1) * half - 1]);
            }
        }
        normalise(curve, table->words, points, products, count);
    } else {
        kb_table_release(table);
        table = NULL;
    }
    free(points);
    free(products);
    return table;
}

/* An accumulator that is the point at infinity until something was added to it. */
typedef struct {
    jacobian point;
    int empty;
} accumulator;

static kb_layout layout_of(const kb_curve_context *curve) {
    return (kb_layout){.window = curve->field->window,
                       .windows = curve->windows,
                       .entry_words = 2 * curve->field->words};
}

/* Adds digit * 2^(w*i) * P. Returns 0 where the formula does not hold. */
static int add_digit(const kb_curve_context *curve, accumulator *sum, const kb_table *table,
                     unsigned i, int digit) {
    const kb_arithmetic *field = curve->field;
    const unsigned words = field->words;
    uint64_t negative[2 * KB_MAX_WORDS];
    if (digit == 0) {
        return 1;
    }
    const uint64_t *entry = kb_table_entry(table, layout_of(curve), i, digit);
    if (digit < 0) {
        memcpy(negative, entry, words * sizeof *entry);
        field->neg(negative + words, entry + words);
        entry = negative;
    }
    if (sum->empty) {
        memcpy(sum->point, entry, 2 * words * sizeof *entry);
        memcpy(sum->point + 2 * words, curve->one, words * sizeof *entry);
        sum->empty = 0;
        return 1;
    }
    field->mixed_add(sum->point, sum->point, entry);
    /* Z = 0: the operands were equal or opposite, and the formula cannot tell which. */
    return !is_zero(sum->point + 2 * words, words);
}

/* Whether the x coordinate, taken mod n, is r: x = r, or x = r + n where that is below p. */
static int matches(const kb_curve_context *curve, const uint64_t *point, const uint64_t *r) {
    const kb_arithmetic *field = curve->field;
    const unsigned words = field->words;
    number x, z_squared, candidate, scaled;
    /* Times one: the same residue, reduced for certain. */
    field->mul(x, point, curve->one);
    field->sqr(z_squared, point + 2 * words);
    field->enter(candidate, r);
    field->mul(scaled, candidate, z_squared);
    if (is_equal(scaled, x, words)) {
        return 1;
    }
    if (!is_below(r, curve->p_minus_n, words)) {
        return 0;
    }
    bignum_add(words, candidate, words, r, words, curve->n);
    field->enter(candidate, candidate);
    field->mul(scaled, candidate, z_squared);
    return is_equal(scaled, x, words);
}

static int parse(const kb_curve_context *curve, const uint8_t *r_s, uint64_t *r, uint64_t *s) {
    const unsigned words = curve->field->words;
    from_octets(r, words, r_s, curve->octets);
    from_octets(s, words, r_s + curve->octets, curve->octets);
    return !is_zero(r, words) && !is_zero(s, words) && is_below(r, curve->n, words) &&
           is_below(s, curve->n, words);
}

/* factor: 1/s in the Montgomery domain of n. */
static int verify_with(const kb_curve_context *curve, const kb_table *key, const uint8_t *digest,
                       size_t digest_len, const uint64_t *r, const uint64_t *factor) {
    const unsigned words = curve->field->words, window = curve->field->window;
    number e, u1, u2;
    int16_t d1[KB_MAX_WINDOWS], d2[KB_MAX_WINDOWS];
    if (8 * digest_len > curve->field->bits) {
        return -1; /* it has to be cut (FIPS 186-5, 6.4.2, step 2), and no JWS needs that */
    }
    from_octets(e, words, digest, digest_len);
    bignum_montmul(words, u1, e, factor, curve->n);
    bignum_montmul(words, u2, r, factor, curve->n);
    kb_recode(u1, words, window, curve->windows, d1);
    kb_recode(u2, words, window, curve->windows, d2);
    kb_table_fetch(key, layout_of(curve), d2);
    accumulator sum = {.empty = 1};
    for (unsigned i = 0; i < curve->windows; i++) {
        if (!add_digit(curve, &sum, curve->generator, i, d1[i]) ||
            !add_digit(curve, &sum, key, i, d2[i])) {
            return -1;
        }
    }
    return sum.empty ? -1 : matches(curve, sum.point, r);
}

int kb_curve_verify(const kb_curve_context *curve, const kb_table *key, const uint8_t *digest,
                    size_t digest_len, const uint8_t *r_s) {
    const unsigned words = curve->field->words;
    number r, s, inverse, factor, scratch[3];
    if (!parse(curve, r_s, r, s)) {
        return 0;
    }
    bignum_modinv(words, inverse, s, curve->n, scratch[0]);
    bignum_montmul(words, factor, inverse, curve->n_r2, curve->n);
    return verify_with(curve, key, digest, digest_len, r, factor);
}

/* One inversion for all (Montgomery's trick, here modulo n). */
void kb_curve_verify_many(const kb_curve_context *curve, const kb_table *key, kb_curve_item *items,
                          size_t count) {
    const unsigned words = curve->field->words;
    number r[KB_BATCH], s[KB_BATCH], product[KB_BATCH], inverse, factor, scratch[3];
    size_t place[KB_BATCH], parsed = 0;
    for (size_t i = 0; i < count; i++) {
        items[i].verdict = 0;
        if (!parse(curve, items[i].r_s, r[parsed], inverse)) {
            continue;
        }
        bignum_montmul(words, s[parsed], inverse, curve->n_r2, curve->n);
        if (parsed == 0) {
            memcpy(product[0], s[0], sizeof(number));
        } else {
            bignum_montmul(words, product[parsed], product[parsed - 1], s[parsed], curve->n);
        }
        place[parsed++] = i;
    }
    if (parsed == 0) {
        return;
    }
    /* The product stands in the Montgomery domain once; its inverse has to get there twice. */
    bignum_modinv(words, factor, product[parsed - 1], curve->n, scratch[0]);
    bignum_montmul(words, scratch[0], factor, curve->n_r2, curve->n);
    bignum_montmul(words, inverse, scratch[0], curve->n_r2, curve->n);
    for (size_t i = parsed; i-- > 0;) {
        kb_curve_item *item = &items[place[i]];
        if (i == 0) {
            memcpy(factor, inverse, sizeof(number));
        } else {
            bignum_montmul(words, factor, inverse, product[i - 1], curve->n);
            bignum_montmul(words, scratch[0], inverse, s[i], curve->n);
            memcpy(inverse, scratch[0], sizeof(number));
        }
        item->verdict = verify_with(curve, key, item->digest, item->digest_len, r[i], factor);
    }
}

static int words_of(uint64_t *z, unsigned words, const BIGNUM *number_) {
    uint8_t octets[KB_MAX_WORDS * 8];
    if (!BN_bn2bin_padded(octets, words * 8, number_)) {
        return 0;
    }
    from_octets(z, words, octets, words * 8);
    return 1;
}

static int affine_point(kb_curve_point *point, const kb_curve_context *curve, const EC_GROUP *group,
                        const EC_POINT *at) {
    const unsigned words = curve->field->words;
    BIGNUM *x = BN_new(), *y = BN_new();
    point->curve = curve;
    int good = x && y && EC_POINT_get_affine_coordinates_GFp(group, at, x, y, NULL) &&
               words_of(point->x, words, x) && words_of(point->y, words, y);
    BN_free(x);
    BN_free(y);
    if (good) {
        curve->field->enter(point->x, point->x);
        curve->field->enter(point->y, point->y);
    }
    return good;
}

int kb_curve_point_of(kb_curve_point *point, const kb_curve_context *curve, const EC_KEY *key) {
    return affine_point(point, curve, EC_KEY_get0_group(key), EC_KEY_get0_public_key(key));
}

/* Every constant of the curve comes from the library; none is written down here. */
static int start(kb_curve_context *curve, int nid) {
    curve->field = kb_arithmetic_of(nid);
    if (!curve->field) {
        return 0;
    }
    const unsigned words = curve->field->words;
    EC_GROUP *group = EC_GROUP_new_by_curve_name(nid);
    BIGNUM *p = BN_new();
    number scratch, unit = {1};
    kb_curve_point generator;
    int good = group && p && EC_GROUP_get_curve_GFp(group, p, NULL, NULL, NULL) &&
               words_of(curve->p, words, p) &&
               words_of(curve->n, words, EC_GROUP_get0_order(group));
    BN_free(p);
    if (good) {
        curve->octets = (curve->field->bits + 7) / 8;
        curve->windows = KB_WINDOWS(curve->field->bits, curve->field->window);
        bignum_montifier(words, curve->n_r2, curve->n, scratch);
        bignum_sub(words, curve->p_minus_n, words, curve->p, words, curve->n);
        curve->field->enter(curve->one, unit);
        good = affine_point(&generator, curve, group, EC_GROUP_get0_generator(group)) &&
               (curve->generator = kb_curve_build(&generator)) != NULL;
    }
    EC_GROUP_free(group);
    return good;
}

size_t kb_curve_table_bytes(int nid) {
    const kb_arithmetic *field = kb_arithmetic_of(nid);
    return field ? TABLE_WORDS(field) * sizeof(uint64_t) : 0;
}

const kb_curve_context *kb_curve_context_of(int nid) {
    static struct {
        int nid, ready;
        kb_claim making;
        kb_curve_context curve;
    } contexts[] = {{.nid = NID_X9_62_prime256v1},
                    {.nid = NID_secp384r1},
                    {.nid = NID_secp521r1},
                    {.nid = NID_secp256k1}};
    for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++) {
        if (contexts[i].nid != nid) {
            continue;
        }
        int ready = __atomic_load_n(&contexts[i].ready, __ATOMIC_ACQUIRE);
        if (!ready && kb_claim_take(&contexts[i].making)) {
            ready = contexts[i].ready || start(&contexts[i].curve, nid);
            __atomic_store_n(&contexts[i].ready, ready, __ATOMIC_RELEASE);
            kb_claim_give_back(&contexts[i].making);
        }
        return ready ? &contexts[i].curve : NULL;
    }
    return NULL;
}
