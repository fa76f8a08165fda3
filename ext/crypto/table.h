/* Tables of multiples of a public key, and who gets one.
 *
 * A table holds j * 2^(w*i) * P for every window i and every j from 1 to 2^(w-1), in affine form:
 * a product with P is then one addition per window and no doubling. The tables, the scalars and
 * the signatures are public, so nothing here needs to run in constant time. No private key and no
 * HMAC secret ever enters these files.
 */
#ifndef KB_TABLE_H
#define KB_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* Windows of a scalar of `bits` bits in signed digits from -2^(w-1) to 2^(w-1). The last carry
 * needs room, hence one bit more. */
#define KB_WINDOWS(bits, w) (((bits) + 1 + (w) - 1) / (w))

enum { KB_MAX_WINDOWS = 128 };

/* Writes the signed digits of a little-endian scalar. */
void kb_recode(const uint64_t *scalar, unsigned words, unsigned window, unsigned windows,
               int16_t digits[KB_MAX_WINDOWS]);

typedef struct kb_table kb_table;

/* The entry for digit `digit` (1 to 2^(w-1)) of window `i` starts at
 * words + ((i << (w-1)) + digit - 1) * entry_words. */
struct kb_table {
    uint64_t *words;
    size_t bytes;
    uint32_t references; /* under the lock of the slot it hangs in, then atomic */
};

/* A table of `words` 64-bit words, aligned to a cache line, or NULL. */
kb_table *kb_table_new(size_t words);

/* A key's claim to a table. */
typedef struct kb_slot {
    uint32_t uses;
    uint32_t locked;
    uint32_t building;
    uint64_t last_use;
    kb_table *table;
    struct kb_slot *next, *previous;
} kb_slot;

typedef kb_table *kb_build(const void *context);

/* The table of a key, built once the key has been used often enough, or NULL. Whoever gets one
 * hands it back with kb_table_release. Building happens in the calling thread; others go on without
 * a table meanwhile. */
kb_table *kb_slot_use(kb_slot *slot, kb_build *build, const void *context);
void kb_table_release(kb_table *table);

/* Gives the slot's table up; called once, when the key dies and nobody uses it any more. */
void kb_slot_close(kb_slot *slot);

typedef struct {
    uint64_t tables;  /* tables now */
    uint64_t bytes;   /* what they occupy */
    uint64_t built;   /* since the start of the process */
    uint64_t evicted; /* given up for a hotter key's */
    uint64_t limit;   /* ceiling in bytes */
    uint32_t threshold;
} kb_table_stats;

void kb_table_get_stats(kb_table_stats *stats);

/* Ceiling in bytes over all tables of the process (0: no tables at all) and the number of uses that
 * earns one. Tables above a lowered ceiling go with the next build. */
void kb_table_configure(uint64_t limit_bytes, uint32_t threshold);

#endif
