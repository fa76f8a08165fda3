#include "table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

static struct {
    pthread_mutex_t lock;
    kb_slot head; /* of the ring of slots that hold a table */
    uint64_t clock;
    uint64_t being_built; /* bytes kept for tables that no slot holds yet */
    kb_table_stats stats;
} pool = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .head = {.next = &pool.head, .previous = &pool.head},
    .stats = {.limit = 64u << 20, .threshold = 16},
};

/* --- forks ---------------------------------------------------------------------------------- */

/* How many forks lie behind this process, counted from 1: the value of a claim that holds. */
static uint32_t generation = 1;

static void before_fork(void) { pthread_mutex_lock(&pool.lock); }

static void after_fork(void) { pthread_mutex_unlock(&pool.lock); }

static void after_fork_in_child(void) {
    __atomic_add_fetch(&generation, 1, __ATOMIC_RELAXED);
    /* Nobody here finishes what other threads were building. A table that they were using keeps
     * their reference, so its memory is lost if the child gives it up: one per thread at most. */
    pool.stats.bytes -= pool.being_built;
    pool.being_built = 0;
    pthread_mutex_unlock(&pool.lock);
}

static void watch_forks(void) { pthread_atfork(before_fork, after_fork, after_fork_in_child); }

static void start_once(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
}

int kb_claim_take(kb_claim *claim) {
    uint32_t now = __atomic_load_n(&generation, __ATOMIC_RELAXED);
    uint32_t held = __atomic_load_n(claim, __ATOMIC_RELAXED);
    return held != now &&
           __atomic_compare_exchange_n(claim, &held, now, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void kb_claim_give_back(kb_claim *claim) { __atomic_store_n(claim, 0, __ATOMIC_RELEASE); }

/* --- scalars -------------------------------------------------------------------------------- */

void kb_recode(const uint64_t *scalar, unsigned words, unsigned window, unsigned windows,
               int16_t digits[KB_MAX_WINDOWS]) {
    int carry = 0;
    const int full = 1 << window, half = full >> 1;
    for (unsigned i = 0; i < windows; i++) {
        unsigned bit = i * window, word = bit / 64, shift = bit % 64;
        uint64_t value = word < words ? scalar[word] >> shift : 0;
        if (shift + window > 64 && word + 1 < words) {
            value |= scalar[word + 1] << (64 - shift);
        }
        int digit = (int)(value & (uint64_t)(full - 1)) + carry;
        carry = digit > half;
        digits[i] = (int16_t)(carry ? digit - full : digit);
    }
}

/* --- tables --------------------------------------------------------------------------------- */

kb_table *kb_table_new(size_t words) {
    kb_table *table = calloc(1, sizeof *table);
    void *memory = NULL;
    if (!table || posix_memalign(&memory, CACHE_LINE, words * sizeof(uint64_t)) != 0) {
        free(table);
        return NULL;
    }
    table->words = memory;
    table->references = 1;
    return table;
}

void kb_table_fetch(const kb_table *table, kb_layout layout, const int16_t *digits) {
    for (unsigned i = 0; i < layout.windows; i++) {
        if (digits[i] != 0) {
            const uint64_t *entry = kb_table_entry(table, layout, i, digits[i]);
            for (unsigned at = 0; at < layout.entry_words; at += CACHE_LINE / sizeof *entry) {
                __builtin_prefetch(entry + at);
            }
            __builtin_prefetch(entry + layout.entry_words - 1);
        }
    }
}

void kb_table_release(kb_table *table) {
    if (table && __atomic_sub_fetch(&table->references, 1, __ATOMIC_ACQ_REL) == 0) {
        free(table->words);
        free(table);
    }
}

/* --- slots ---------------------------------------------------------------------------------- */

/* A few instructions long, never across a call: a spin costs less than anything that sleeps. */
static void slot_lock(kb_slot *slot) {
    while (!kb_claim_take(&slot->locked)) {
    }
}

static void slot_unlock(kb_slot *slot) { kb_claim_give_back(&slot->locked); }

static void slot_put(kb_slot *slot, kb_table *table) {
    slot_lock(slot);
    __atomic_store_n(&slot->table, table, __ATOMIC_RELAXED);
    slot_unlock(slot);
}

static kb_table *slot_acquire(kb_slot *slot) {
    if (!__atomic_load_n(&slot->table, __ATOMIC_RELAXED)) {
        return NULL;
    }
    slot_lock(slot);
    kb_table *table = slot->table;
    if (table) {
        __atomic_add_fetch(&table->references, 1, __ATOMIC_RELAXED);
    }
    slot_unlock(slot);
    return table;
}

/* --- the pool ------------------------------------------------------------------------------- */

static void pool_lock(void) {
    start_once();
    pthread_mutex_lock(&pool.lock);
}

static void pool_unlock(void) { pthread_mutex_unlock(&pool.lock); }

/* Under the lock of the pool: takes the slot's table, if it has one, away from it. */
static void detach(kb_slot *slot) {
    kb_table *table = slot->table;
    if (table) {
        slot_put(slot, NULL);
        slot->previous->next = slot->next;
        slot->next->previous = slot->previous;
        pool.stats.tables--;
        pool.stats.bytes -= slot->bytes;
        kb_table_release(table);
    }
}

static kb_slot *oldest(void) {
    kb_slot *found = NULL;
    for (kb_slot *slot = pool.head.next; slot != &pool.head; slot = slot->next) {
        if (!found || __atomic_load_n(&slot->last_use, __ATOMIC_RELAXED) <
                          __atomic_load_n(&found->last_use, __ATOMIC_RELAXED)) {
            found = slot;
        }
    }
    return found;
}

/* Keeps room for the slot's table, at the cost of tables that were idle while it was earned. */
static int reserve(kb_slot *slot) {
    pool_lock();
    int good = 1;
    while (good && pool.stats.bytes + slot->bytes > pool.stats.limit) {
        kb_slot *victim = oldest();
        good = victim && __atomic_load_n(&victim->last_use, __ATOMIC_RELAXED) <
                             __atomic_load_n(&slot->first_use, __ATOMIC_RELAXED);
        if (good) {
            detach(victim);
            pool.stats.evicted++;
        }
    }
    if (good) {
        pool.stats.bytes += slot->bytes;
        pool.being_built += slot->bytes;
    }
    pool_unlock();
    return good;
}

/* Gives the slot what was built for it in the room that it keeps, or the room back. */
static void attach(kb_slot *slot, kb_table *table) {
    pool_lock();
    pool.being_built -= slot->bytes;
    if (table) {
        __atomic_add_fetch(&table->references, 1, __ATOMIC_RELAXED);
        slot->next = &pool.head;
        slot->previous = pool.head.previous;
        slot->previous->next = pool.head.previous = slot;
        slot->listed = 1;
        pool.stats.tables++;
        pool.stats.built++;
        slot_put(slot, table);
    } else {
        pool.stats.bytes -= slot->bytes;
    }
    pool_unlock();
}

static kb_table *earn(kb_slot *slot, kb_build *build, const void *context) {
    kb_table *table = slot_acquire(slot);
    if (!table && reserve(slot)) {
        table = build(context);
        attach(slot, table);
    }
    return table;
}

kb_table *kb_slot_use(kb_slot *slot, kb_build *build, const void *context) {
    uint64_t now = __atomic_add_fetch(&pool.clock, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->last_use, now, __ATOMIC_RELAXED);
    kb_table *table = slot_acquire(slot);
    if (table) {
        return table;
    }
    uint32_t uses = __atomic_add_fetch(&slot->uses, 1, __ATOMIC_RELAXED);
    if (uses == 1) {
        __atomic_store_n(&slot->first_use, now, __ATOMIC_RELAXED);
    }
    if (uses < __atomic_load_n(&pool.stats.threshold, __ATOMIC_RELAXED) ||
        slot->bytes > __atomic_load_n(&pool.stats.limit, __ATOMIC_RELAXED) ||
        !kb_claim_take(&slot->building)) {
        return NULL;
    }
    table = earn(slot, build, context);
    /* Whatever came of it, the next table has to be earned anew. */
    __atomic_store_n(&slot->uses, 0, __ATOMIC_RELAXED);
    kb_claim_give_back(&slot->building);
    return table;
}

void kb_slot_close(kb_slot *slot) {
    /* Not `table`: whoever evicts it clears that first and takes the slot out of the ring after. */
    if (slot->listed) {
        pool_lock();
        detach(slot);
        pool_unlock();
    }
}

void kb_table_get_stats(kb_table_stats *stats) {
    pool_lock();
    *stats = pool.stats;
    pool_unlock();
}

void kb_table_count_undecided(void) {
    pool_lock();
    pool.stats.undecided++;
    pool_unlock();
}

void kb_table_configure(uint64_t limit_bytes, uint32_t threshold) {
    pool_lock();
    __atomic_store_n(&pool.stats.limit, limit_bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&pool.stats.threshold, threshold, __ATOMIC_RELAXED);
    for (kb_slot *slot; pool.stats.bytes > limit_bytes && (slot = oldest()) != NULL;) {
        detach(slot);
        pool.stats.evicted++;
    }
    pool_unlock();
}
