#include "base64url.h"

#if defined(__GNUC__) && defined(__x86_64__) && !defined(KB_PORTABLE)
#include <immintrin.h>
#define KB_AVX2 1
#else
#define KB_AVX2 0
#endif

/* RFC 4648, 5, table 2. */
#define ALPHABET(X)                                                                                \
    X('A', 0), X('B', 1), X('C', 2), X('D', 3), X('E', 4), X('F', 5), X('G', 6), X('H', 7),        \
        X('I', 8), X('J', 9), X('K', 10), X('L', 11), X('M', 12), X('N', 13), X('O', 14),          \
        X('P', 15), X('Q', 16), X('R', 17), X('S', 18), X('T', 19), X('U', 20), X('V', 21),        \
        X('W', 22), X('X', 23), X('Y', 24), X('Z', 25), X('a', 26), X('b', 27), X('c', 28),        \
        X('d', 29), X('e', 30), X('f', 31), X('g', 32), X('h', 33), X('i', 34), X('j', 35),        \
        X('k', 36), X('l', 37), X('m', 38), X('n', 39), X('o', 40), X('p', 41), X('q', 42),        \
        X('r', 43), X('s', 44), X('t', 45), X('u', 46), X('v', 47), X('w', 48), X('x', 49),        \
        X('y', 50), X('z', 51), X('0', 52), X('1', 53), X('2', 54), X('3', 55), X('4', 56),        \
        X('5', 57), X('6', 58), X('7', 59), X('8', 60), X('9', 61), X('-', 62), X('_', 63)

/* One table per place in a group of four: the six bits where the group's 24 have them, and one
 * count above. The sum over four characters of the alphabet has a count of four; every other
 * octet adds nothing, so that a whole text is checked by one test at its end. */
#define COUNT UINT32_C(0x01000000)
#define PLACE_1(c, v) [c] = COUNT | (uint32_t)(v) << 18
#define PLACE_2(c, v) [c] = COUNT | (uint32_t)(v) << 12
#define PLACE_3(c, v) [c] = COUNT | (uint32_t)(v) << 6
#define PLACE_4(c, v) [c] = COUNT | (uint32_t)(v)
#define CHARACTER(c, v) [v] = c

static const uint32_t FIRST[256] = {ALPHABET(PLACE_1)};
static const uint32_t SECOND[256] = {ALPHABET(PLACE_2)};
static const uint32_t THIRD[256] = {ALPHABET(PLACE_3)};
static const uint32_t FOURTH[256] = {ALPHABET(PLACE_4)};
static const uint8_t CHARACTERS[64] = {ALPHABET(CHARACTER)};

size_t kb_base64url_decoded_size(size_t n) { return n / 4 * 3 + n % 4 * 3 / 4; }

size_t kb_base64url_encoded_size(size_t n) { return n / 3 * 4 + (n % 3 * 4 + 2) / 3; }

/* Decodes n characters, a multiple of four. Returns 0 when all are in the alphabet. */
static uint32_t decode_groups(const uint8_t *in, size_t n, uint8_t *out) {
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i += 4) {
        const uint32_t bits =
            FIRST[in[i]] + SECOND[in[i + 1]] + THIRD[in[i + 2]] + FOURTH[in[i + 3]];
        bad |= bits ^ (4 * COUNT);
        *out++ = (uint8_t)(bits >> 16);
        *out++ = (uint8_t)(bits >> 8);
        *out++ = (uint8_t)bits;
    }
    return bad / COUNT;
}

/* Decodes the two or three characters after the last whole group. Returns 0 when they are in the
 * alphabet and the bits that no octet takes are zero (RFC 4648, 3.5). */
static int decode_rest(const uint8_t *in, size_t n, uint8_t *out) {
    uint32_t bits = FIRST[in[0]] + SECOND[in[1]];
    out[0] = (uint8_t)(bits >> 16);
    if (n == 2) {
        return bits / COUNT != 2 || (bits & 0xffff) != 0;
    }
    bits += THIRD[in[2]];
    out[1] = (uint8_t)(bits >> 8);
    return bits / COUNT != 3 || (bits & 0xff) != 0;
}

#if KB_AVX2

#define BOTH_LANES(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

/* Decodes 32 characters to 24 octets. Returns octets that are non-zero for characters outside the
 * alphabet. */
__attribute__((target("avx2"), always_inline)) static inline __m256i decode_block(const uint8_t *in,
                                                                                  uint8_t *out) {
    /* One bit for each set of high nibbles that allows the same low nibbles: 2, 3, 4 and 6, 5, 7,
     * and those that allow none. A character is refused when its low nibble lists its set. */
    const __m256i set_of_high = BOTH_LANES(0x20, 0x20, 0x01, 0x02, 0x04, 0x08, 0x04, 0x10, 0x20,
                                           0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20);
    const __m256i refused_by_low = BOTH_LANES(0x25, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21,
                                              0x21, 0x23, 0x3b, 0x3b, 0x3a, 0x3b, 0x33);
    /* From character to value by high nibble; '_' stands apart from 'P' to 'Z'. */
    const __m256i shift_of_high = BOTH_LANES(0, 0, 62 - '-', 52 - '0', -'A', -'A', 26 - 'a',
                                             26 - 'a', 0, 0, 0, 0, 0, 0, 0, 0);
    const __m256i nibble = _mm256_set1_epi8(0x0f);
    const __m256i octets = BOTH_LANES(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);

    const __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)in);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi32(x, 4), nibble);
    const __m256i low = _mm256_and_si256(x, nibble);
    const __m256i underscore = _mm256_cmpeq_epi8(x, _mm256_set1_epi8('_'));
    const __m256i correction = _mm256_and_si256(underscore, _mm256_set1_epi8(63 - ('_' - 'A')));
    const __m256i shift = _mm256_add_epi8(_mm256_shuffle_epi8(shift_of_high, high), correction);
    const __m256i values = _mm256_add_epi8(x, shift);

    const __m256i pairs = _mm256_maddubs_epi16(values, _mm256_set1_epi32(0x01400140));
    const __m256i groups = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
    const __m256i lanes = _mm256_shuffle_epi8(groups, octets);
    const __m256i packed =
        _mm256_permutevar8x32_epi32(lanes, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
    _mm_storeu_si128((__m128i *)(void *)out, _mm256_castsi256_si128(packed));
    _mm_storel_epi64((__m128i *)(void *)(out + 16), _mm256_extracti128_si256(packed, 1));

    return _mm256_and_si256(_mm256_shuffle_epi8(set_of_high, high),
                            _mm256_shuffle_epi8(refused_by_low, low));
}

/* decode_groups for n >= 32. The last block overlaps the one before. */
__attribute__((target("avx2"))) static uint32_t decode_groups_avx2(const uint8_t *in, size_t n,
                                                                   uint8_t *out) {
    __m256i bad = decode_block(in + n - 32, out + n / 4 * 3 - 24);
    for (size_t i = 0; i + 32 < n; i += 32) {
        bad = _mm256_or_si256(bad, decode_block(in + i, out + i / 4 * 3));
    }
    return !_mm256_testz_si256(bad, bad);
}

#endif

ptrdiff_t kb_base64url_decode(const uint8_t *in, size_t n, uint8_t *out) {
    const size_t rest = n % 4;
    const size_t whole = n - rest;
    if (rest == 1) {
        return -1;
    }
    uint32_t bad;
#if KB_AVX2
    if (whole >= 32 && __builtin_cpu_supports("avx2")) {
        bad = decode_groups_avx2(in, whole, out);
    } else
#endif
    {
        bad = decode_groups(in, whole, out);
    }
    if (rest) {
        bad |= (uint32_t)decode_rest(in + whole, rest, out + whole / 4 * 3);
    }
    return bad ? -1 : (ptrdiff_t)kb_base64url_decoded_size(n);
}

size_t kb_base64url_encode(const uint8_t *in, size_t n, uint8_t *out) {
    const uint8_t *const end = in + n - n % 3;
    uint8_t *to = out;
    for (; in < end; in += 3) {
        const uint32_t bits = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        *to++ = CHARACTERS[bits >> 18];
        *to++ = CHARACTERS[bits >> 12 & 0x3f];
        *to++ = CHARACTERS[bits >> 6 & 0x3f];
        *to++ = CHARACTERS[bits & 0x3f];
    }
    if (n % 3) {
        const uint32_t bits = (uint32_t)in[0] << 16 | (n % 3 == 2 ? (uint32_t)in[1] << 8 : 0);
        *to++ = CHARACTERS[bits >> 18];
        *to++ = CHARACTERS[bits >> 12 & 0x3f];
        if (n % 3 == 2) {
            *to++ = CHARACTERS[bits >> 6 & 0x3f];
        }
    }
    return (size_t)(to - out);
}
