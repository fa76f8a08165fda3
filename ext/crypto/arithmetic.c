#include "arithmetic.h"

#include <openssl/nid.h>

#include "s2n-bignum.h"

int kb_has_fast_multiplier(void) {
#if defined(KB_PORTABLE)
    return 0;
#elif defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("adx");
#else
    return 1;
#endif
}

/* A row for each curve and flavour. The types of s2n-bignum carry array sizes, which a table of
 * four curves cannot; the functions are called with pointers all the same. */
#define OP1(function) ((kb_field_op1 *)(void (*)(void))(function))
#define OP2(function) ((kb_field_op2 *)(void (*)(void))(function))

#define P256(flavour)                                                                              \
    {                                                                                              \
        .nid = NID_X9_62_prime256v1,                                                               \
        .words = 4,                                                                                \
        .bits = 256,                                                                               \
        .window = 7,                                                                               \
        .mixed_add = OP2(p256_montjmixadd##flavour),                                               \
        .add = OP2(p256_montjadd##flavour),                                                        \
        .dbl = OP1(p256_montjdouble##flavour),                                                     \
        .mul = OP2(bignum_montmul_p256##flavour),                                                  \
        .sqr = OP1(bignum_montsqr_p256##flavour),                                                  \
        .neg = OP1(bignum_neg_p256),                                                               \
        .enter = OP1(bignum_tomont_p256##flavour),                                                 \
        .inv = OP1(bignum_montinv_p256),                                                           \
    }
#define P384(flavour)                                                                              \
    {                                                                                              \
        .nid = NID_secp384r1,                                                                      \
        .words = 6,                                                                                \
        .bits = 384,                                                                               \
        .window = 7,                                                                               \
        .mixed_add = OP2(p384_montjmixadd##flavour),                                               \
        .add = OP2(p384_montjadd##flavour),                                                        \
        .dbl = OP1(p384_montjdouble##flavour),                                                     \
        .mul = OP2(bignum_montmul_p384##flavour),                                                  \
        .sqr = OP1(bignum_montsqr_p384##flavour),                                                  \
        .neg = OP1(bignum_neg_p384),                                                               \
        .enter = OP1(bignum_tomont_p384##flavour),                                                 \
        .inv = OP1(bignum_montinv_p384),                                                           \
    }
#define P521(flavour)                                                                              \
    {                                                                                              \
        .nid = NID_secp521r1,                                                                      \
        .words = 9,                                                                                \
        .bits = 521,                                                                               \
        .window = 6,                                                                               \
        .mixed_add = OP2(p521_jmixadd##flavour),                                                   \
        .add = OP2(p521_jadd##flavour),                                                            \
        .dbl = OP1(p521_jdouble##flavour),                                                         \
        .mul = OP2(bignum_mul_p521##flavour),                                                      \
        .sqr = OP1(bignum_sqr_p521##flavour),                                                      \
        .neg = OP1(bignum_neg_p521),                                                               \
        .enter = OP1(bignum_mod_p521_9),                                                           \
        .inv = OP1(bignum_inv_p521),                                                               \
    }
#define SECP256K1(flavour)                                                                         \
    {                                                                                              \
        .nid = NID_secp256k1,                                                                      \
        .words = 4,                                                                                \
        .bits = 256,                                                                               \
        .window = 7,                                                                               \
        .mixed_add = OP2(secp256k1_jmixadd##flavour),                                              \
        .add = OP2(secp256k1_jadd##flavour),                                                       \
        .dbl = OP1(secp256k1_jdouble##flavour),                                                    \
        .mul = OP2(bignum_mul_p256k1##flavour),                                                    \
        .sqr = OP1(bignum_sqr_p256k1##flavour),                                                    \
        .neg = OP1(bignum_neg_p256k1),                                                             \
        .enter = OP1(bignum_mod_p256k1_4),                                                         \
        .inv = 0,                                                                                  \
    }

static const kb_arithmetic fast[] = {P256(), P384(), P521(), SECP256K1()};
static const kb_arithmetic portable[] = {P256(_alt), P384(_alt), P521(_alt), SECP256K1(_alt)};

const kb_arithmetic *kb_arithmetic_of(int nid) {
    const kb_arithmetic *rows = kb_has_fast_multiplier() ? fast : portable;
    for (unsigned i = 0; i < sizeof fast / sizeof *fast; i++) {
        if (rows[i].nid == nid) {
            return &rows[i];
        }
    }
    return 0;
}
