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

struct kb_table {
    uint64_t *words;
    uint32_t references; /* atomic; taken only under the lock of the slot it hangs in */
};

/* How the entries lie in a table: first those of window 0, for the digits from 1 to 2^(w-1). */
typedef struct {
    unsigned window, windows, entry_words;
} kb_layout;

/* The entry for this digit of window `i` without its sign; the digit is not 0. */
static inline const uint64_t *kb_table_entry(const kb_table *table, kb_layout layout, unsigned i,
                                             int digit) {
    size_t index = ((size_t)i << (layout.window - 1)) + (size_t)(digit < 0 ? -digit : digit) - 1;
    return table->words + index * layout.entry_words;
}

/* Asks for the entries of all digits at once: a table is large and its entries are seldom in the
 * cache, but which of them are needed is known before the first addition. */
void kb_table_fetch(const kb_table *table, kb_layout layout, const int16_t *digits);

/* A table of `words` 64-bit words, aligned to a cache line, or NULL. */
kb_table *kb_table_new(size_t words);

/* What one thread has claimed and gives back, zero at first. A fork leaves the child without the
 * other threads: what they had claimed in the parent is free there. */
typedef uint32_t kb_claim;

/* 1 where the caller has it now, 0 where another thread does. */
int kb_claim_take(kb_claim *claim);
void kb_claim_give_back(kb_claim *claim);

/* A key's right to a table; all zero but for `bytes` when the key is made. */
typedef struct kb_slot {
    size_t bytes; /* that its table will have */
    uint32_t uses;
    uint32_t listed; /* whether it ever held a table */
    kb_claim locked, building;
    uint64_t first_use, last_use; /* of those counted in `uses`; of all */
    kb_table *table;
    struct kb_slot *next, *previous;
} kb_slot;

typedef kb_table *kb_build(const void *context);

/* The table of a key, built once the key has been used often enough, or NULL. Whoever gets one
 * hands it back with kb_table_release. Building happens in the calling thread; others go on without
 * a table meanwhile. Where there is no room, tables make it that were not used since the key began
 * to earn its own; so many hot keys never push each other out in turn. */
kb_table *kb_slot_use(kb_slot *slot, kb_build *build, const void *context);
void kb_table_release(kb_table *table);

/* Gives the slot's table up; called once, when the key dies and nobody uses it any more. */
void kb_slot_close(kb_slot *slot);

typedef struct {
    uint64_t tables;    /* tables now */
    uint64_t bytes;     /* what they occupy, and what is being built will */
    uint64_t built;     /* since the start of the process */
    uint64_t evicted;   /* given up for a hotter key's */
    uint64_t undecided; /* verifications that the table code left to the library */
    uint64_t limit;     /* ceiling in bytes */
    uint32_t threshold;
} kb_table_stats;

void kb_table_get_stats(kb_table_stats *stats);
void kb_table_count_undecided(void);

/* Ceiling in bytes over all tables of the process (0: no tables at all) and the number of uses that
 * earns one. The oldest tables above a lowered ceiling go at once. */
void kb_table_configure(uint64_t limit_bytes, uint32_t threshold);

#endif
