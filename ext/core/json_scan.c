#include "json_scan.h"

#include <stdlib.h>
#include <string.h>

#if (defined(__SSE2__) || defined(_M_X64)) && !defined(KB_PORTABLE)
#include <emmintrin.h>
#define KB_SSE2 1
#else
#define KB_SSE2 0
#endif

#if (defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) || defined(_M_ARM64) || \
    defined(_M_X64)
#define KB_LITTLE_ENDIAN 1
#else
#define KB_LITTLE_ENDIAN 0
#endif

#if defined(__GNUC__)
#define KB_LIKELY(x) __builtin_expect(!!(x), 1)
#define KB_COLD __attribute__((noinline, cold))
#define KB_INLINE static inline __attribute__((always_inline))
#define KB_UNROLL _Pragma("GCC unroll 4")
#else
#define KB_LIKELY(x) (x)
#define KB_UNROLL
#define KB_COLD
#define KB_INLINE static inline
#endif

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static inline unsigned lowest_bit(uint64_t mask) {
    unsigned long index;
    _BitScanForward64(&index, mask);
    return (unsigned)index;
}
#elif KB_LITTLE_ENDIAN
KB_INLINE unsigned lowest_bit(uint64_t mask) { return (unsigned)__builtin_ctzll(mask); }
#endif

/* Up to this many members every pair is compared; above, names are sorted, so that no payload
 * costs quadratic time. */
enum { PAIRWISE_MEMBERS = 16 };

/* A finite double is below 1.8e308, so a leading digit worth 10^308 may already round to
 * infinity (RFC 8259, 6: numbers of greater magnitude are not interoperable). */
enum { OUT_OF_RANGE_EXPONENT = 308 };

#define IN_ARRAY UINT32_MAX

/* ---------------------------------------------------------------- strings */

/* Plain is every byte a string may hold as it is and that ends no run: ASCII from 0x20 on, without
 * quote and backslash (RFC 8259, 7). */
KB_INLINE int is_plain(uint8_t c) { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\'; }

#if KB_SSE2

KB_INLINE unsigned not_plain_mask(const uint8_t *p) {
    const __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
    /* Signed, so that 0x80 to 0xff count as below 0x20 as well. */
    const __m128i low = _mm_cmplt_epi8(x, _mm_set1_epi8(0x20));
    const __m128i quote = _mm_cmpeq_epi8(x, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, backslash)));
}

/* begin: where the text begins, so that the last bytes can be read together with those before. */
KB_INLINE const uint8_t *skip_plain(const uint8_t *p, const uint8_t *begin, const uint8_t *end) {
    while (KB_LIKELY(end - p >= 16)) {
        const unsigned mask = not_plain_mask(p);
        if (mask) {
            return p + lowest_bit(mask);
        }
        p += 16;
    }
    if (end - begin >= 16) {
        const unsigned mask = not_plain_mask(end - 16) >> (16 - (end - p));
        return mask ? p + lowest_bit(mask) : end;
    }
    while (p < end && is_plain(*p)) {
        p++;
    }
    return p;
}

#else

#if KB_LITTLE_ENDIAN
/* High bit set in every byte that is not plain. A borrow can mark a byte above a marked one
 * wrongly, never below: only the lowest mark is used. */
KB_INLINE uint64_t not_plain_bits(const uint8_t *p) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t x;
    memcpy(&x, p, sizeof x);
    const uint64_t quote = x ^ (ones * '"');
    const uint64_t backslash = x ^ (ones * '\\');
    return ((x - ones * 0x20) | (quote - ones) | (backslash - ones) | x) & high;
}
#endif

KB_INLINE const uint8_t *skip_plain(const uint8_t *p, const uint8_t *begin, const uint8_t *end) {
    (void)begin;
#if KB_LITTLE_ENDIAN
    while (end - p >= 8) {
        const uint64_t bits = not_plain_bits(p);
        if (bits) {
            return p + lowest_bit(bits) / 8;
        }
        p += 8;
    }
#endif
    while (p < end && is_plain(*p)) {
        p++;
    }
    return p;
}

#endif

KB_INLINE int is_continuation(uint8_t c) { return (c & 0xc0) == 0x80; }

/* Past one non-ASCII character, or NULL. Well-formed byte sequences only (Unicode, table 3-7): no
 * surrogates, no overlong forms, nothing above U+10FFFF. */
static const uint8_t *skip_utf8(const uint8_t *p, const uint8_t *end) {
    const uint8_t c = p[0];
    const ptrdiff_t left = end - p;
    if (c >= 0xc2 && c <= 0xdf) {
        return left >= 2 && is_continuation(p[1]) ? p + 2 : NULL;
    }
    if (c >= 0xe0 && c <= 0xef) {
        if (left < 3 || !is_continuation(p[1]) || !is_continuation(p[2])) {
            return NULL;
        }
        return (c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) ? NULL : p + 3;
    }
    if (c >= 0xf0 && c <= 0xf4) {
        if (left < 4 || !is_continuation(p[1]) || !is_continuation(p[2]) ||
            !is_continuation(p[3])) {
            return NULL;
        }
        return (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f) ? NULL : p + 4;
    }
    return NULL;
}

/* Value of four hexadecimal digits, or -1. */
static int32_t hex4(const uint8_t *p) {
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        const uint8_t c = p[i];
        int32_t digit;
        if (c >= '0' && c <= '9') {
            digit = c - '0';
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            digit = (c | 0x20) - 'a' + 10;
        } else {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* The octet behind a backslash that stands for one octet, or 0. */
static uint8_t short_escape(uint8_t c) {
    switch (c) {
    case '"':
    case '\\':
    case '/':
        return c;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}

/* Reads the escape sequence at p, a backslash, as UTF-8 into out (at least 4 octets). Returns how
 * many octets that is and moves p past the sequence; 0 for a sequence that is not valid. */
static size_t read_escape(const uint8_t **at, const uint8_t *end, uint8_t *out) {
    const uint8_t *p = *at;
    if (end - p < 2) {
        return 0;
    }
    if (p[1] != 'u') {
        out[0] = short_escape(p[1]);
        *at = p + 2;
        return out[0] != 0;
    }
    int32_t c = end - p < 6 ? -1 : hex4(p + 2);
    if (c < 0 || (c >= 0xdc00 && c <= 0xdfff)) {
        return 0;
    }
    p += 6;
    if (c >= 0xd800 && c <= 0xdbff) {
        const int32_t low = end - p < 6 || p[0] != '\\' || p[1] != 'u' ? -1 : hex4(p + 2);
        if (low < 0xdc00 || low > 0xdfff) {
            return 0;
        }
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        p += 6;
    }
    *at = p;
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | (c >> 6));
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | (c >> 12));
        out[1] = (uint8_t)(0x80 | ((c >> 6) & 0x3f));
        out[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | (c >> 18));
    out[1] = (uint8_t)(0x80 | ((c >> 12) & 0x3f));
    out[2] = (uint8_t)(0x80 | ((c >> 6) & 0x3f));
    out[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

/* The rest of a string from its first byte that is not plain: to its closing quote, or NULL. */
KB_COLD static const uint8_t *scan_string_slowly(const uint8_t *p, const uint8_t *begin,
                                                 const uint8_t *end, uint8_t *escaped) {
    uint8_t character[4];
    for (;;) {
        if (p == end) {
            return NULL;
        }
        if (*p == '"') {
            return p;
        }
        if (*p == '\\') {
            *escaped = 1;
            if (!read_escape(&p, end, character)) {
                return NULL;
            }
        } else {
            p = skip_utf8(p, end); /* NULL for a control character */
            if (!p) {
                return NULL;
            }
        }
        if (p < end && is_plain(*p)) {
            p = skip_plain(p, begin, end);
        }
    }
}

/* From the byte after the opening quote to the closing quote, or NULL. */
KB_INLINE const uint8_t *scan_string(const uint8_t *p, const uint8_t *begin, const uint8_t *end,
                                     uint8_t *escaped) {
    p = skip_plain(p, begin, end);
    *escaped = 0;
    return KB_LIKELY(p < end && *p == '"') ? p : scan_string_slowly(p, begin, end, escaped);
}

/* In text that is ASCII without backslash and control character, every quote ends the string that
 * the one before began. A short pass over the text finds them all; the end of a string is then
 * known without waiting for its bytes, which halves the time of the scan. Other text, and long
 * text, is read string by string. Where the compiler has no such instructions all text is. */
enum { QUOTE_WORDS = 32 };

typedef struct {
    const uint8_t *base;
    const uint64_t *word; /* bit i: a quote at base + i; NULL when the text is not indexed */
    uint64_t rest;        /* quotes of this word that have not been read */
} quote_reader;

#if KB_SSE2

/* Bits of the quotes among 16 bytes; marks in *unfit bytes that keep a text from being indexed. */
KB_INLINE uint64_t quote_mask(const uint8_t *p, __m128i *unfit) {
    const __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
    /* Signed, so that 0x80 to 0xff count as below 0x20 as well. */
    const __m128i low = _mm_cmplt_epi8(x, _mm_set1_epi8(0x20));
    const __m128i backslash = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));
    *unfit = _mm_or_si128(*unfit, _mm_or_si128(low, backslash));
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8('"')));
}

/* 0 when the text does not qualify. */
KB_INLINE int index_quotes(uint64_t *words, const uint8_t *text, size_t n) {
    if (n < 16 || n > 64 * QUOTE_WORDS) {
        return 0;
    }
    __m128i unfit = _mm_setzero_si128();
    size_t at = 0;
    for (; at + 64 <= n; at += 64) {
        words[at / 64] = quote_mask(text + at, &unfit) | quote_mask(text + at + 16, &unfit) << 16 |
                         quote_mask(text + at + 32, &unfit) << 32 |
                         quote_mask(text + at + 48, &unfit) << 48;
    }
    if (at < n) {
        uint64_t word = 0;
        size_t bit = 0;
        for (; at + bit + 16 <= n; bit += 16) {
            word |= quote_mask(text + at + bit, &unfit) << bit;
        }
        const size_t left = n - at - bit;
        if (left) {
            word |= quote_mask(text + n - 16, &unfit) >> (16 - left) << bit;
        }
        words[at / 64] = word;
    }
    return _mm_movemask_epi8(unfit) == 0;
}

#else

KB_INLINE int index_quotes(uint64_t *words, const uint8_t *text, size_t n) {
    (void)words;
    (void)text;
    (void)n;
    return 0;
}

#endif

/* The next quote, or end. */
KB_INLINE const uint8_t *next_quote(quote_reader *quotes, const uint8_t *end) {
    while (quotes->rest == 0) {
        if (end - quotes->base <= 64) {
            return end;
        }
        quotes->base += 64;
        quotes->rest = *++quotes->word;
    }
    const uint8_t *const at = quotes->base + lowest_bit(quotes->rest);
    quotes->rest &= quotes->rest - 1;
    return at;
}

/* ---------------------------------------------------------------- numbers and literals */

KB_INLINE int is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

static const uint8_t *skip_digits(const uint8_t *p, const uint8_t *end) {
    while (p < end && is_digit(*p)) {
        p++;
    }
    return p;
}

/* Decimal exponent of the leading non-zero digit of whole.fraction, before an exponent part; very
 * small when there is no such digit. */
static int64_t leading_exponent(const uint8_t *whole, ptrdiff_t whole_len, const uint8_t *fraction,
                                ptrdiff_t fraction_len) {
    if (*whole != '0') {
        return whole_len - 1;
    }
    for (ptrdiff_t i = 0; i < fraction_len; i++) {
        if (fraction[i] != '0') {
            return -(i + 1);
        }
    }
    return INT64_MIN / 2;
}

/* Exponent digits as a number that stops growing far above any length of a text. */
static int64_t exponent_value(const uint8_t *p, const uint8_t *end) {
    int64_t value = 0;
    for (; p < end; p++) {
        if (value < INT64_C(1000000000000000)) {
            value = value * 10 + (*p - '0');
        }
    }
    return value;
}

/* Past the number at p (RFC 8259, 6), with its type and whether a double can hold it; NULL when it
 * is not a number. */
KB_INLINE const uint8_t *scan_number(const uint8_t *p, const uint8_t *end, uint8_t *type,
                                     int *status) {
    p += *p == '-';
    const uint8_t *const whole = p;
    if (p == end || !is_digit(*p)) {
        return NULL;
    }
    p = *p == '0' ? p + 1 : skip_digits(p + 1, end);
    const ptrdiff_t whole_len = p - whole;
    *type = KB_JSON_INTEGER;
    if (KB_LIKELY(p == end || (*p != '.' && (*p | 0x20) != 'e'))) {
        *status = whole_len > OUT_OF_RANGE_EXPONENT ? KB_JSON_E_NUMBER : KB_JSON_OK;
        return p;
    }
    *type = KB_JSON_NUMBER;
    const uint8_t *fraction = p;
    if (*p == '.') {
        fraction = ++p;
        p = skip_digits(p, end);
        if (p == fraction) {
            return NULL;
        }
    }
    int64_t exponent = leading_exponent(whole, whole_len, fraction, p - fraction);
    if (p < end && (*p | 0x20) == 'e') {
        const int negative = ++p < end && *p == '-';
        p += p < end && (*p == '-' || *p == '+');
        const uint8_t *const digits = p;
        p = skip_digits(p, end);
        if (p == digits) {
            return NULL;
        }
        const int64_t value = exponent_value(digits, p);
        exponent += negative ? -value : value;
    }
    *status = exponent >= OUT_OF_RANGE_EXPONENT ? KB_JSON_E_NUMBER : KB_JSON_OK;
    return p;
}

/* Past `literal` at p, or NULL. */
KB_INLINE const uint8_t *scan_literal(const uint8_t *p, const uint8_t *end, const char *literal,
                                      size_t len) {
    return (size_t)(end - p) >= len && memcmp(p, literal, len) == 0 ? p + len : NULL;
}

/* RFC 8259, 2. What is neither white space nor wanted fails at the caller's next test. */
KB_INLINE const uint8_t *skip_space(const uint8_t *p, const uint8_t *end) {
    while (!KB_LIKELY(p == end || *p > ' ')) {
        if (*p != ' ' && *p != '\t' && *p != '\n' && *p != '\r') {
            break;
        }
        p++;
    }
    return p;
}

/* ---------------------------------------------------------------- names */

/* Equal for equal names, and cheap: the length and three bytes from each end. The name stands
 * between quotes, which makes four bytes at each end readable from two bytes on. */
KB_INLINE uint32_t fingerprint(const uint8_t *name, uint32_t len) {
    uint32_t head = len ? name[0] : 0;
    uint32_t tail = 0;
    if (KB_LIKELY(len >= 2)) {
        memcpy(&head, name - 1, 4);
        memcpy(&tail, name + len - 3, 4);
    }
    return (head * UINT32_C(0x9e3779b1)) ^ (tail * UINT32_C(0x85ebca6b)) ^ len;
}

KB_INLINE int same_name(const kb_json_member *a, const kb_json_member *b) {
    return a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0;
}

static int distinct_by_pairs(const kb_json_member *members, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        const uint32_t wanted = members[i].fingerprint;
        KB_UNROLL
        for (uint32_t j = 0; j < i; j++) {
            if (members[j].fingerprint == wanted && same_name(&members[i], &members[j])) {
                return KB_JSON_E_DUPLICATE;
            }
        }
    }
    return KB_JSON_OK;
}

/* A sort key holds fingerprint and index. Negative, 0 or positive; 0 only for equal names. */
static int compare_names(const kb_json_member *members, uint64_t a, uint64_t b) {
    if ((a ^ b) >> 32) {
        return a < b ? -1 : 1;
    }
    const kb_json_member *const x = &members[(uint32_t)a];
    const kb_json_member *const y = &members[(uint32_t)b];
    if (x->name_len != y->name_len) {
        return x->name_len < y->name_len ? -1 : 1;
    }
    return memcmp(x->name, y->name, x->name_len);
}

/* Merges from[low, middle) and from[middle, high) into to. Two equal names always meet in some
 * merge, since no third name can stand between them. */
static int merge_distinct(const kb_json_member *members, const uint64_t *from, uint64_t *to,
                          size_t low, size_t middle, size_t high) {
    size_t a = low;
    size_t b = middle;
    for (size_t i = low; i < high; i++) {
        if (a < middle && b < high) {
            const int order = compare_names(members, from[a], from[b]);
            if (order == 0) {
                return KB_JSON_E_DUPLICATE;
            }
            to[i] = order < 0 ? from[a++] : from[b++];
        } else {
            to[i] = a < middle ? from[a++] : from[b++];
        }
    }
    return KB_JSON_OK;
}

KB_COLD static int distinct_by_sort(const kb_json_member *members, size_t count) {
    if (count > SIZE_MAX / (2 * sizeof(uint64_t))) {
        return KB_JSON_E_MEMORY;
    }
    uint64_t *const keys = malloc(count * 2 * sizeof(uint64_t));
    if (!keys) {
        return KB_JSON_E_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        keys[i] = (uint64_t)members[i].fingerprint << 32 | i;
    }
    uint64_t *from = keys;
    uint64_t *to = keys + count;
    int status = KB_JSON_OK;
    for (size_t width = 1; width < count && status == KB_JSON_OK; width *= 2) {
        for (size_t low = 0; low < count && status == KB_JSON_OK; low += 2 * width) {
            const size_t middle = count - low < width ? count : low + width;
            const size_t high = count - middle < width ? count : middle + width;
            status = merge_distinct(members, from, to, low, middle, high);
        }
        uint64_t *const swap = from;
        from = to;
        to = swap;
    }
    free(keys);
    return status;
}

/* KB_JSON_OK when no two of these names are equal (RFC 8259, 4; RFC 7515, 4). */
KB_INLINE int distinct_names(const kb_json_member *members, uint32_t count) {
    return KB_LIKELY(count <= PAIRWISE_MEMBERS) ? distinct_by_pairs(members, count)
                                                : distinct_by_sort(members, count);
}

KB_COLD static int grow(kb_json_scan *scan) {
    const size_t size = (size_t)scan->capacity * sizeof(kb_json_member);
    if (scan->capacity > UINT32_MAX / 4 || size > SIZE_MAX / 2) {
        return 0;
    }
    kb_json_member *const grown =
        realloc(scan->members == scan->inline_members ? NULL : scan->members, size * 2);
    if (!grown) {
        return 0;
    }
    if (scan->members == scan->inline_members) {
        memcpy(grown, scan->inline_members, size);
    }
    scan->members = grown;
    scan->capacity *= 2;
    return 1;
}

/* Replaces the member's raw name by its unescaped value, between quotes. All names from here on
 * take no more room with their quotes than the text from here on, so one allocation serves the
 * whole scan and never moves. */
KB_COLD static int unescape_name(kb_json_scan *scan, kb_json_member *member, const uint8_t *end) {
    if (!scan->names) {
        scan->names = malloc((size_t)(end - member->name) + 1);
        if (!scan->names) {
            return 0;
        }
    }
    uint8_t *const out = scan->names + scan->names_used;
    const size_t len = kb_json_unescape(member->name, member->name_len, out + 1);
    out[0] = out[len + 1] = '"';
    member->name = out + 1;
    member->name_len = (uint32_t)len;
    scan->names_used += len + 2;
    return 1;
}

/* ---------------------------------------------------------------- the scan */

/* For each open container `first` has the index of an object's first member, or IN_ARRAY. Members
 * of all open objects stand on one stack; an object's are dropped when it closes, but for the top.
 */
typedef struct {
    kb_json_scan *scan;
    const uint8_t *begin;
    const uint8_t *end;
    quote_reader quotes;
    unsigned depth;
    unsigned max_depth;
    uint32_t *first;
    kb_json_member *slot;    /* takes the next value */
    kb_json_member *top;     /* takes the top-level value */
    kb_json_member *element; /* takes every element of every array */
} scanner;

/* From the byte after the opening quote to the closing quote, or NULL. */
KB_INLINE const uint8_t *string_end(scanner *s, const uint8_t *p, uint8_t *escaped) {
    if (!s->quotes.word) {
        return scan_string(p, s->begin, s->end, escaped);
    }
    *escaped = 0;
    (void)next_quote(&s->quotes, s->end); /* the opening one, before p */
    p = next_quote(&s->quotes, s->end);
    return p < s->end ? p : NULL;
}

/* Past the number or literal at p, or NULL with *status when it is not valid. */
KB_INLINE const uint8_t *scan_scalar(const uint8_t *p, const uint8_t *end, uint8_t *type,
                                     int *status) {
    *status = KB_JSON_OK;
    switch (*p) {
    case 't':
        *type = KB_JSON_TRUE;
        p = scan_literal(p, end, "true", 4);
        break;
    case 'f':
        *type = KB_JSON_FALSE;
        p = scan_literal(p, end, "false", 5);
        break;
    case 'n':
        *type = KB_JSON_NULL;
        p = scan_literal(p, end, "null", 4);
        break;
    default:
        p = scan_number(p, end, type, status);
        break;
    }
    if (!p) {
        *status = KB_JSON_E_INVALID;
    }
    return *status == KB_JSON_OK ? p : NULL;
}

/* Pushes the member whose name begins at p and moves past the colon; NULL with *status when there
 * is none. */
KB_INLINE const uint8_t *scan_name(scanner *s, const uint8_t *p, int *status) {
    kb_json_scan *const scan = s->scan;
    *status = KB_JSON_E_INVALID;
    if (p == s->end || *p != '"') {
        return NULL;
    }
    if (scan->count == scan->capacity && !grow(scan)) {
        *status = KB_JSON_E_MEMORY;
        return NULL;
    }
    kb_json_member *const member = &scan->members[scan->count++];
    member->name = p + 1;
    p = string_end(s, p + 1, &member->name_escaped);
    if (!p) {
        return NULL;
    }
    member->name_len = (uint32_t)(p - member->name);
    if (member->name_escaped) {
        if (!unescape_name(scan, member, s->end)) {
            *status = KB_JSON_E_MEMORY;
            return NULL;
        }
        member->name_escaped = 0;
    }
    member->fingerprint = fingerprint(member->name, member->name_len);
    s->slot = member;
    p = skip_space(p + 1, s->end);
    return p < s->end && *p == ':' ? p + 1 : NULL;
}

KB_INLINE int in_array(const scanner *s) { return s->first[s->depth - 1] == IN_ARRAY; }

/* Closes the innermost container before p. */
KB_INLINE int close_container(scanner *s, const uint8_t *p) {
    kb_json_scan *const scan = s->scan;
    const uint32_t first = s->first[--s->depth];
    if (first != IN_ARRAY) {
        const int status = distinct_names(scan->members + first, scan->count - first);
        if (status != KB_JSON_OK) {
            return status;
        }
        if (s->depth > 0) {
            scan->count = first;
        }
    }
    if (s->depth == 0) {
        s->slot = s->top;
    } else if (in_array(s)) {
        s->slot = s->element;
    } else {
        s->slot = &scan->members[scan->count - 1];
        s->slot->value_len = (uint32_t)(p - s->slot->value);
    }
    return KB_JSON_OK;
}

/* Iterative, so that no text decides how much stack is used. */
KB_INLINE int scan_from(scanner *s, const uint8_t *p) {
    const uint8_t *const end = s->end;
    kb_json_member *slot;
    int status;

value:
    p = skip_space(p, end);
    if (p == end) {
        return KB_JSON_E_INVALID;
    }
    slot = s->slot;
    slot->value = p;
    slot->escaped = 0;
    if (*p == '"') {
        slot->type = KB_JSON_STRING;
        slot->value = p + 1;
        p = string_end(s, p + 1, &slot->escaped);
        if (!p) {
            return KB_JSON_E_INVALID;
        }
        slot->value_len = (uint32_t)(p++ - slot->value);
    } else if (*p == '{' || *p == '[') {
        const int is_object = *p == '{';
        slot->type = is_object ? KB_JSON_OBJECT : KB_JSON_ARRAY;
        if (s->depth == s->max_depth) {
            return KB_JSON_E_DEEP;
        }
        s->first[s->depth++] = is_object ? s->scan->count : IN_ARRAY;
        p = skip_space(p + 1, end);
        if (p < end && *p == (is_object ? '}' : ']')) {
            goto close;
        }
        if (is_object) {
            goto name;
        }
        s->slot = s->element;
        goto value;
    } else {
        p = scan_scalar(p, end, &slot->type, &status);
        if (!p) {
            return status;
        }
        slot->value_len = (uint32_t)(p - slot->value);
    }

after_value:
    p = skip_space(p, end);
    if (s->depth == 0) {
        s->scan->type = s->top->type;
        return p == end ? KB_JSON_OK : KB_JSON_E_INVALID;
    }
    if (p == end) {
        return KB_JSON_E_INVALID;
    }
    if (*p != ',') {
        if (*p != (in_array(s) ? ']' : '}')) {
            return KB_JSON_E_INVALID;
        }
        goto close;
    }
    p++;
    if (in_array(s)) {
        goto value;
    }
    p = skip_space(p, end);

name:
    p = scan_name(s, p, &status);
    if (!p) {
        return status;
    }
    goto value;

close:
    status = close_container(s, ++p);
    if (status != KB_JSON_OK) {
        return status;
    }
    goto after_value;
}

KB_INLINE int scan_text(kb_json_scan *scan, const uint8_t *text, size_t n, unsigned max_depth,
                        const uint64_t *quote_words) {
    uint32_t first[KB_JSON_MAX_DEPTH];
    kb_json_member top;
    kb_json_member element;
    scanner s;
    s.first = first;
    s.slot = s.top = &top;
    s.element = &element;
    s.scan = scan;
    s.begin = text;
    s.end = text + n;
    s.quotes.base = text;
    s.quotes.word = quote_words;
    s.quotes.rest = quote_words ? *quote_words : 0;
    s.depth = 0;
    s.max_depth = max_depth < KB_JSON_MAX_DEPTH ? max_depth : KB_JSON_MAX_DEPTH;
    return scan_from(&s, text);
}

/* Two copies of the scan, so that neither asks at every string where its end is looked up. */
KB_COLD static int scan_unindexed(kb_json_scan *scan, const uint8_t *text, size_t n,
                                  unsigned max_depth) {
    return scan_text(scan, text, n, max_depth, NULL);
}

int kb_json_scan_any(kb_json_scan *scan, const uint8_t *text, size_t n, unsigned max_depth) {
    scan->members = scan->inline_members;
    scan->count = 0;
    scan->capacity = KB_JSON_INLINE_MEMBERS;
    scan->type = 0;
    scan->names = NULL;
    scan->names_used = 0;
    /* Lengths are kept in 32 bits. */
    if (n >= UINT32_MAX) {
        return KB_JSON_E_MEMORY;
    }
    uint64_t quote_words[QUOTE_WORDS];
    const int status = index_quotes(quote_words, text, n)
                           ? scan_text(scan, text, n, max_depth, quote_words)
                           : scan_unindexed(scan, text, n, max_depth);
    if (status != KB_JSON_OK) {
        scan->count = 0;
        scan->type = 0;
    }
    return status;
}

int kb_json_scan_object(kb_json_scan *scan, const uint8_t *text, size_t n, unsigned max_depth) {
    const int status = kb_json_scan_any(scan, text, n, max_depth);
    return status == KB_JSON_OK && scan->type != KB_JSON_OBJECT ? KB_JSON_E_NOT_OBJECT : status;
}

void kb_json_scan_free(kb_json_scan *scan) {
    if (scan->members != scan->inline_members) {
        free(scan->members);
    }
    free(scan->names);
    scan->members = scan->inline_members;
    scan->capacity = KB_JSON_INLINE_MEMBERS;
    scan->count = 0;
    scan->names = NULL;
    scan->names_used = 0;
}

/* ---------------------------------------------------------------- reading accepted text */

const kb_json_member *kb_json_find(const kb_json_scan *scan, const char *name, size_t len) {
    for (uint32_t i = 0; i < scan->count; i++) {
        const kb_json_member *const member = &scan->members[i];
        /* Registered names share their length more often than their last letter. */
        if (member->name_len == len &&
            (len == 0 || (member->name[len - 1] == (uint8_t)name[len - 1] &&
                          memcmp(member->name, name, len) == 0))) {
            return member;
        }
    }
    return NULL;
}

int kb_json_string_equals(const uint8_t *raw, size_t raw_len, int escaped, const uint8_t *expected,
                          size_t expected_len) {
    if (!escaped) {
        return raw_len == expected_len &&
               (expected_len == 0 || memcmp(raw, expected, expected_len) == 0);
    }
    const uint8_t *p = raw;
    const uint8_t *const end = raw + raw_len;
    const uint8_t *const expected_end = expected + expected_len;
    while (p < end) {
        uint8_t character[4];
        size_t size = 1;
        if (*p == '\\') {
            size = read_escape(&p, end, character);
        } else {
            character[0] = *p++;
        }
        if (size == 0 || (size_t)(expected_end - expected) < size ||
            memcmp(character, expected, size) != 0) {
            return 0;
        }
        expected += size;
    }
    return expected == expected_end;
}

size_t kb_json_unescape(const uint8_t *raw, size_t n, uint8_t *out) {
    const uint8_t *p = raw;
    const uint8_t *const end = raw + n;
    uint8_t *to = out;
    while (p < end) {
        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }
        uint8_t character[4];
        const size_t size = read_escape(&p, end, character);
        if (size == 0) {
            break;
        }
        memcpy(to, character, size);
        to += size;
    }
    return (size_t)(to - out);
}

int kb_json_int64(const uint8_t *raw, size_t n, int64_t *value) {
    const uint8_t *p = raw;
    const uint8_t *const end = raw + n;
    const int negative = p < end && *p == '-';
    p += negative;
    /* 19 digits cannot overflow 64 bits without sign. */
    if (p == end || end - p > 19) {
        return 0;
    }
    uint64_t magnitude = 0;
    for (; p < end; p++) {
        if (!is_digit(*p)) {
            return 0;
        }
        magnitude = magnitude * 10 + (uint64_t)(*p - '0');
    }
    if (magnitude > (uint64_t)INT64_MAX + (uint64_t)negative) {
        return 0;
    }
    *value = !negative ? (int64_t)magnitude : magnitude ? -(int64_t)(magnitude - 1) - 1 : 0;
    return 1;
}

void kb_json_cursor_init(kb_json_cursor *cursor, const uint8_t *value, size_t n) {
    cursor->at = n < 2 ? value + n : value + 1;
    cursor->end = n < 2 ? value + n : value + n - 1;
}

/* Past the closing quote of an accepted string whose first byte is at p. */
static const uint8_t *skip_string(const uint8_t *p, const uint8_t *end, uint8_t *escaped) {
    const uint8_t *const begin = p;
    *escaped = 0;
    while ((p = skip_plain(p, begin, end)) < end) {
        if (*p == '"') {
            return p + 1;
        }
        if (*p == '\\') {
            *escaped = 1;
            p += end - p > 1;
        }
        p++;
    }
    return end;
}

static const uint8_t *skip_container(const uint8_t *p, const uint8_t *end) {
    size_t depth = 0;
    uint8_t escaped;
    while (p < end) {
        const uint8_t c = *p++;
        if (c == '"') {
            p = skip_string(p, end, &escaped);
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            break;
        }
    }
    return p;
}

/* Reads the accepted value at p, which is below end, and moves past it. */
static const uint8_t *read_value(const uint8_t *p, const uint8_t *end, kb_json_member *into) {
    const uint8_t *const start = p;
    into->value = start;
    into->escaped = 0;
    switch (*p) {
    case '"':
        into->type = KB_JSON_STRING;
        into->value = start + 1;
        p = skip_string(start + 1, end, &into->escaped);
        into->value_len = (uint32_t)(p - start) - 2;
        return p;
    case '{':
    case '[':
        into->type = *p == '{' ? KB_JSON_OBJECT : KB_JSON_ARRAY;
        p = skip_container(p, end);
        break;
    default:
        into->type = *p == 't'   ? KB_JSON_TRUE
                     : *p == 'f' ? KB_JSON_FALSE
                     : *p == 'n' ? KB_JSON_NULL
                                 : KB_JSON_INTEGER;
        for (; p < end && *p > ' ' && *p != ','; p++) {
            if (into->type == KB_JSON_INTEGER && (*p == '.' || (*p | 0x20) == 'e')) {
                into->type = KB_JSON_NUMBER;
            }
        }
        break;
    }
    into->value_len = (uint32_t)(p - start);
    return p;
}

/* Past white space and one separator, in accepted text. */
static const uint8_t *skip_separator(const uint8_t *p, const uint8_t *end, uint8_t separator) {
    p = skip_space(p, end);
    return p < end && *p == separator ? skip_space(p + 1, end) : p;
}

int kb_json_array_next(kb_json_cursor *cursor, kb_json_member *element) {
    const uint8_t *const p = skip_separator(cursor->at, cursor->end, ',');
    if (p == cursor->end) {
        cursor->at = p;
        return 0;
    }
    element->name = NULL;
    element->name_len = 0;
    element->name_escaped = 0;
    element->fingerprint = 0;
    cursor->at = read_value(p, cursor->end, element);
    return 1;
}

int kb_json_object_next(kb_json_cursor *cursor, kb_json_member *member) {
    const uint8_t *p = skip_separator(cursor->at, cursor->end, ',');
    if (p == cursor->end) {
        cursor->at = p;
        return 0;
    }
    member->name = p + 1;
    p = skip_string(p + 1, cursor->end, &member->name_escaped);
    member->name_len = (uint32_t)(p - member->name) - 1;
    member->fingerprint = 0;
    p = skip_separator(p, cursor->end, ':');
    if (p == cursor->end) {
        cursor->at = p;
        return 0;
    }
    cursor->at = read_value(p, cursor->end, member);
    return 1;
}
