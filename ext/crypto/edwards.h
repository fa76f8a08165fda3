/* Ed25519 verification with tables of the key and of the base point, over s2n-bignum. */
#ifndef KB_EDWARDS_H
#define KB_EDWARDS_H

#include "table.h"

/* Octets of a key's table. */
size_t kb_edwards_table_bytes(void);

/* Makes the base point's table at the first call; 0 where that fails, and while another thread is
 * making it. */
int kb_edwards_start(void);

/* context: the 32 octets of the public key. NULL also where they are not a point. */
kb_table *kb_edwards_build(const void *public_key);

/* 1: good, 0: bad. Accepts and rejects exactly what RFC 8032, 5.1.7 without the cofactor does: S
 * below L, and the encoding of S*B - k*A is R to the bit. */
int kb_edwards_verify(const kb_table *key, const uint8_t public_key[32], const uint8_t *data,
                      size_t data_len, const uint8_t signature[64]);

#endif
