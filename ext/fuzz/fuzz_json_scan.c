/* What the scanner accepts holds together: members lie in the text, every value is valid by itself,
 * cursors and scan agree, and text gets one verdict whichever way its strings are found. */
#include "../core/json_scan.h"

#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { DEPTH = 32 };

static void check_string(const uint8_t *raw, size_t n, int escaped) {
    uint8_t *const out = malloc(n + 1);
    const size_t size = kb_json_unescape(raw, n, out);
    REQUIRE(size <= n);
    REQUIRE(escaped == (n != 0 && memchr(raw, '\\', n) != NULL));
    REQUIRE(kb_json_string_equals(raw, n, escaped, out, size));
    REQUIRE(!kb_json_string_equals(raw, n, escaped, out, size + 1));
    if (size != 0) {
        REQUIRE(!kb_json_string_equals(raw, n, escaped, out, size - 1));
        out[size - 1] ^= 1;
        REQUIRE(!kb_json_string_equals(raw, n, escaped, out, size));
    }
    free(out);
}

/* Returns how many values there are in `value`, itself included. */
static size_t check_value(const kb_json_member *value, unsigned depth) {
    kb_json_scan scan;
    kb_json_cursor cursor;
    kb_json_member inner;
    size_t count = 1;
    if (value->type == KB_JSON_STRING) {
        REQUIRE(value->value[-1] == '"' && value->value[value->value_len] == '"');
        check_string(value->value, value->value_len, value->escaped);
        return 1;
    }
    const int status = kb_json_scan_any(&scan, value->value, value->value_len, DEPTH - depth);
    REQUIRE(status == KB_JSON_OK && scan.type == value->type);
    kb_json_cursor_init(&cursor, value->value, value->value_len);
    if (value->type == KB_JSON_OBJECT) {
        uint32_t i = 0;
        for (; kb_json_object_next(&cursor, &inner); i++) {
            const kb_json_member *const member = &scan.members[i];
            REQUIRE(i < scan.count && inner.value == member->value && inner.type == member->type);
            REQUIRE(inner.value_len == member->value_len && inner.escaped == member->escaped);
            REQUIRE(kb_json_string_equals(inner.name, inner.name_len, inner.name_escaped,
                                          member->name, member->name_len));
            REQUIRE(kb_json_find(&scan, (const char *)member->name, member->name_len) == member);
            check_string(inner.name, inner.name_len, inner.name_escaped);
            count += check_value(&inner, depth + 1);
        }
        REQUIRE(i == scan.count);
    } else if (value->type == KB_JSON_ARRAY) {
        while (kb_json_array_next(&cursor, &inner)) {
            count += check_value(&inner, depth + 1);
        }
    } else if (value->type == KB_JSON_INTEGER) {
        int64_t number;
        (void)kb_json_int64(value->value, value->value_len, &number);
    }
    kb_json_scan_free(&scan);
    return count;
}

/* A tab in front keeps the text from being indexed; nothing else about it changes. */
static void check_without_index(const kb_json_scan *scan, int status, const uint8_t *text,
                                size_t n) {
    kb_json_scan other;
    uint8_t *const padded = malloc(n + 1);
    padded[0] = '\t';
    if (n != 0) {
        memcpy(padded + 1, text, n);
    }
    REQUIRE(kb_json_scan_any(&other, padded, n + 1, DEPTH) == status);
    REQUIRE(other.type == scan->type && other.count == scan->count);
    for (uint32_t i = 0; i < scan->count; i++) {
        const kb_json_member *const a = &scan->members[i];
        const kb_json_member *const b = &other.members[i];
        REQUIRE(a->value - text == b->value - (padded + 1) && a->value_len == b->value_len);
        REQUIRE(a->type == b->type && a->escaped == b->escaped && a->name_len == b->name_len);
        REQUIRE(memcmp(a->name, b->name, a->name_len) == 0);
    }
    kb_json_scan_free(&other);
    free(padded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    kb_json_scan scan;
    /* A buffer of the exact size, so that the sanitizer sees one byte too many. */
    uint8_t *const text = malloc(size);
    if (size != 0) {
        memcpy(text, data, size);
    }
    const int status = kb_json_scan_any(&scan, text, size, DEPTH);
    REQUIRE(status >= KB_JSON_OK && status < KB_JSON_E_NOT_OBJECT);
    REQUIRE(status == KB_JSON_OK || scan.count == 0);
    check_without_index(&scan, status, text, size);
    if (status == KB_JSON_OK) {
        /* The text as the one element of an array that was not scanned itself. */
        kb_json_cursor cursor = {text, text + size};
        kb_json_member element;
        REQUIRE(kb_json_array_next(&cursor, &element) && element.type == scan.type);
        (void)check_value(&element, 0);
        REQUIRE(!kb_json_array_next(&cursor, &element));
    }
    const int is_object = scan.type == KB_JSON_OBJECT;
    kb_json_scan_free(&scan);
    const int as_object = kb_json_scan_object(&scan, text, size, DEPTH);
    REQUIRE(as_object == (status == KB_JSON_OK && !is_object ? KB_JSON_E_NOT_OBJECT : status));
    kb_json_scan_free(&scan);
    free(text);
    return 0;
}
