/* The RSA public operation for e = 65537, over s2n-bignum. */
#ifndef KB_RSA_PUBLIC_H
#define KB_RSA_PUBLIC_H

#include "table.h"

#include <openssl/rsa.h>

/* Octets of the modulus where this operation serves it and is faster than the library's; else 0. */
size_t kb_rsa_public_size(const RSA *rsa);

/* Octets of a key's table, for a modulus of `size` octets. */
size_t kb_rsa_public_table_bytes(size_t size);

/* context: the RSA key. */
kb_table *kb_rsa_public_build(const void *rsa);

/* out := signature^65537 mod n, big-endian, both `size` octets (RFC 8017, 5.2.2). Returns 0 where
 * the signature is not below n. */
int kb_rsa_public(const kb_table *key, size_t size, const uint8_t *signature, uint8_t *out);

#endif
