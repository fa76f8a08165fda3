/* Strict base64url without padding (RFC 7515, 2; RFC 4648, 5), both ways.
 *
 * Canonical only: one octet sequence has exactly one accepted spelling. Padding, white space, the
 * '+' and '/' of plain base64, a length of 4k + 1 and non-zero trailing bits (RFC 4648, 3.5) are
 * refused, because a second spelling of a token slips past everything that compares spellings.
 */
#ifndef KB_BASE64URL_H
#define KB_BASE64URL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Octets that n characters decode to. Exact when n is a possible length (not 4k + 1). */
size_t kb_base64url_decoded_size(size_t n);

/* Decodes n characters into out, which holds kb_base64url_decoded_size(n) octets and does not
 * overlap in. Returns the number of octets, or -1 when the text is not canonical; out then holds
 * nothing of use. Nothing outside the two buffers is read or written. */
ptrdiff_t kb_base64url_decode(const uint8_t *in, size_t n, uint8_t *out);

/* Characters that n octets encode to. */
size_t kb_base64url_encoded_size(size_t n);

/* Encodes n octets into out, which holds kb_base64url_encoded_size(n) characters and does not
 * overlap in. No terminator is written. Returns the number of characters. */
size_t kb_base64url_encode(const uint8_t *in, size_t n, uint8_t *out);

#ifdef __cplusplus
}
#endif

#endif
