/* Any text either is the one canonical spelling of what it decodes to, or is refused. */
#include "../core/base64url.h"

#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* RFC 4648, 5, said once more and slowly: -1 for a character outside the alphabet. */
static int value_of(uint8_t c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

static int is_canonical(const uint8_t *text, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (value_of(text[i]) < 0) {
            return 0;
        }
    }
    const int unused = n % 4 == 2 ? 0x0f : n % 4 == 3 ? 0x03 : 0;
    return n % 4 != 1 && (unused == 0 || (value_of(text[n - 1]) & unused) == 0);
}

static void check_decode(const uint8_t *text, size_t n) {
    /* Buffers of the exact size, so that the sanitizer sees one byte too many. */
    uint8_t *const octets = malloc(kb_base64url_decoded_size(n));
    const ptrdiff_t size = kb_base64url_decode(text, n, octets);
    REQUIRE((size >= 0) == is_canonical(text, n));
    if (size >= 0) {
        REQUIRE((size_t)size == kb_base64url_decoded_size(n));
        REQUIRE(kb_base64url_encoded_size((size_t)size) == n);
        uint8_t *const again = malloc(n);
        REQUIRE(kb_base64url_encode(octets, (size_t)size, again) == n);
        REQUIRE(n == 0 || memcmp(again, text, n) == 0);
        free(again);
    }
    free(octets);
}

static void check_encode(const uint8_t *octets, size_t n) {
    const size_t size = kb_base64url_encoded_size(n);
    uint8_t *const text = malloc(size);
    REQUIRE(kb_base64url_encode(octets, n, text) == size);
    uint8_t *const again = malloc(n);
    REQUIRE(kb_base64url_decode(text, size, again) == (ptrdiff_t)n);
    REQUIRE(n == 0 || memcmp(again, octets, n) == 0);
    if (n != 0) {
        /* One wrong character near the place the octets name, so that every place is reached. */
        text[octets[0] * size / 256] = octets[n - 1];
        check_decode(text, size);
    }
    free(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *const exact = malloc(size);
    if (size != 0) {
        memcpy(exact, data, size);
    }
    check_decode(exact, size);
    check_encode(exact, size);
    free(exact);
    return 0;
}
