/* ECDSA verification with tables of the key and of the generator, over s2n-bignum. */
#ifndef KB_CURVE_H
#define KB_CURVE_H

#include "table.h"

#include <openssl/ec_key.h>

enum { KB_MAX_WORDS = 9 };

typedef void kb_field_op1(uint64_t *z, const uint64_t *x);
typedef void kb_field_op2(uint64_t *z, const uint64_t *x, const uint64_t *y);

/* Field and point arithmetic of one curve on this processor. Coordinates are fully reduced; for
 * P-256 and P-384 they are in the Montgomery domain, which `enter` maps into. */
typedef struct {
    int nid;
    unsigned words, bits, window;
    kb_field_op2 *mixed_add, *add, *mul;
    kb_field_op1 *dbl, *sqr, *neg, *enter;
    kb_field_op1 *inv; /* NULL: there is no special one */
} kb_arithmetic;

typedef struct kb_curve_context kb_curve_context;

/* The context of a curve, made at its first use; NULL where this processor has no tables for it,
 * and while another thread is making it. */
const kb_curve_context *kb_curve_context_of(int nid);

/* The public key as coordinates, to build a table from. */
typedef struct {
    const kb_curve_context *curve;
    uint64_t x[KB_MAX_WORDS], y[KB_MAX_WORDS]; /* in the domain of the arithmetic */
} kb_curve_point;

/* Octets of a key's table on this curve, 0 where there are none. Costs nothing. */
size_t kb_curve_table_bytes(int nid);

int kb_curve_point_of(kb_curve_point *point, const kb_curve_context *curve, const EC_KEY *key);
kb_table *kb_curve_build(const void *point);

/* 1: good. 0: bad. -1: an addition met a case its formula does not cover, or the digest is longer
 * than the order; ask the library. r_s: both numbers, big-endian, in full size. */
int kb_curve_verify(const kb_curve_context *curve, const kb_table *key, const uint8_t *digest,
                    size_t digest_len, const uint8_t *r_s);

enum { KB_BATCH = 64 };

typedef struct {
    const uint8_t *digest;
    size_t digest_len;
    const uint8_t *r_s;
    int verdict; /* as kb_curve_verify answers */
} kb_curve_item;

/* The same for up to KB_BATCH signatures of one key, with one inversion modulo n for all. */
void kb_curve_verify_many(const kb_curve_context *curve, const kb_table *key, kb_curve_item *items,
                          size_t count);

#endif
