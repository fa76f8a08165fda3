/* Strict JSON validation in one pass, recording the members of the top-level object.
 *
 * RFC 8259 grammar, and stricter where lenience has broken token validators: UTF-8 without
 * surrogates, overlong forms or a byte order mark; \u surrogates only in pairs (RFC 7493, 2.1); no
 * object names a member twice after unescaping (RFC 7515, 4; RFC 7519, 4); bounded nesting; no
 * number that a double would round to infinity. The first error by byte position is the one
 * reported: a duplicate where its object closes, a depth where the container opens, a range where
 * the number ends.
 */
#ifndef KB_JSON_SCAN_H
#define KB_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* OK is not 0, so that zeroed memory is never a success. */
enum {
    KB_JSON_OK = 1,
    KB_JSON_E_INVALID = 2,
    KB_JSON_E_DUPLICATE = 3,
    KB_JSON_E_DEEP = 4,
    KB_JSON_E_NUMBER = 5,
    KB_JSON_E_NOT_OBJECT = 6,
    KB_JSON_E_MEMORY = 7
};

typedef enum {
    KB_JSON_STRING = 1,
    KB_JSON_INTEGER, /* neither fraction nor exponent */
    KB_JSON_NUMBER,  /* fraction or exponent */
    KB_JSON_TRUE,
    KB_JSON_FALSE,
    KB_JSON_NULL,
    KB_JSON_OBJECT,
    KB_JSON_ARRAY
} kb_json_type;

/* One member of an object, or one element of an array (then without a name). The value is the
 * member's text as it stands: a string without its quotes, a container with its brackets. */
typedef struct {
    const uint8_t *name;
    const uint8_t *value;
    uint32_t name_len;
    uint32_t value_len;
    uint8_t type;         /* kb_json_type */
    uint8_t escaped;      /* the value is a string and holds a backslash */
    uint8_t name_escaped; /* the name is raw and holds a backslash; never set by a scan */
    uint32_t fingerprint; /* of the name; internal */
} kb_json_member;

enum { KB_JSON_INLINE_MEMBERS = 32, KB_JSON_MAX_DEPTH = 256 };

/* Result of a scan. Read `members`, `count` and `type`; the rest is storage. Pointers in members
 * point into the text or into the scan itself: both must outlive them, and the struct must not be
 * copied or moved. */
typedef struct {
    kb_json_member
        *members; /* of the top-level object, in the order of the text, names unescaped */
    uint32_t count;
    uint32_t capacity;
    uint8_t type;   /* kb_json_type of the top-level value; 0 until it is complete */
    uint8_t *names; /* unescaped copies of the names that hold a backslash */
    size_t names_used;
    kb_json_member inline_members[KB_JSON_INLINE_MEMBERS];
} kb_json_scan;

/* Scans a text whose top-level value must be an object. The struct need not be initialised; every
 * call is followed by one kb_json_scan_free, whatever it returned. On any result but KB_JSON_OK
 * there are no members. KB_JSON_E_NOT_OBJECT is reported only for otherwise valid text.
 * max_depth: containers open at once, 0 to KB_JSON_MAX_DEPTH (more is taken as that). */
int kb_json_scan_object(kb_json_scan *scan, const uint8_t *text, size_t n, unsigned max_depth);

/* The same for any top-level value; members are recorded when it is an object. */
int kb_json_scan_any(kb_json_scan *scan, const uint8_t *text, size_t n, unsigned max_depth);

void kb_json_scan_free(kb_json_scan *scan);

/* The member of this (unescaped) name, or NULL. */
const kb_json_member *kb_json_find(const kb_json_scan *scan, const char *name, size_t len);

/* The functions below take text that a scan has accepted; they check nothing again and allocate
 * nothing. */

/* 1 when the string's unescaped value is `expected`, else 0. */
int kb_json_string_equals(const uint8_t *raw, size_t raw_len, int escaped, const uint8_t *expected,
                          size_t expected_len);

/* Writes the unescaped string to out (at least n bytes; may be raw itself). Returns its length. */
size_t kb_json_unescape(const uint8_t *raw, size_t n, uint8_t *out);

/* 1 and the value when KB_JSON_INTEGER text fits 64 bits, else 0. */
int kb_json_int64(const uint8_t *raw, size_t n, int64_t *value);

/* Walks the text of a container. Nested containers are skipped whole. */
typedef struct {
    const uint8_t *at;
    const uint8_t *end;
} kb_json_cursor;

/* value, n: text of an array or object, with its brackets. */
void kb_json_cursor_init(kb_json_cursor *cursor, const uint8_t *value, size_t n);

/* 1 and the next element of an array (name NULL), or 0 at its end. */
int kb_json_array_next(kb_json_cursor *cursor, kb_json_member *element);

/* 1 and the next member of an object, or 0 at its end. The name is raw: compare it with
 * kb_json_string_equals(m.name, m.name_len, m.name_escaped, ...). */
int kb_json_object_next(kb_json_cursor *cursor, kb_json_member *member);

#ifdef __cplusplus
}
#endif

#endif
