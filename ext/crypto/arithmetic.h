/* Which s2n-bignum functions serve a curve on this processor. */
#ifndef KB_ARITHMETIC_H
#define KB_ARITHMETIC_H

#include "curve.h"

/* NULL for a curve without tables. */
const kb_arithmetic *kb_arithmetic_of(int nid);

/* Whether this processor runs the fast files; else the `_alt` ones serve. On x86-64 the fast ones
 * need BMI2 and ADX; on aarch64 they are faster where the wide multiplier is slow. A build with
 * KB_PORTABLE defined has the others run, to test them. */
int kb_has_fast_multiplier(void);

#endif
