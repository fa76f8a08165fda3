#include "table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

static struct {
    pthread_mutex_t lock;
    pthread_once_t once;
    kb_slot head; /* of the ring of slots that hold a table */
    uint64_t clock;
    kb_table_stats stats;
} pool = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .once = PTHREAD_ONCE_INIT,
    .stats = {.limit = 64u << 20, .threshold = 16},
};

void kb_recode(const uint64_t *scalar, unsigned words, unsigned window, unsigned windows,
               int16_t digits[KB_MAX_WINDOWS])
{
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

kb_table *kb_table_new(size_t words)
{
    kb_table *table = calloc(1, sizeof *table);
    void *memory = NULL;
    if (!table || posix_memalign(&memory, CACHE_LINE, words * sizeof(uint64_t)) != 0) {
        free(table);
        return NULL;
    }
    table->words = memory;
    table->bytes = words * sizeof(uint64_t);
    table->references = 1;
    return table;
}

void kb_table_release(kb_table *table)
{
    if (table && __atomic_sub_fetch(&table->references, 1, __ATOMIC_ACQ_REL) == 0) {
        free(table->words);
        free(table);
    }
}

/* A few instructions long, never across a call: a spin costs less than anything that sleeps. */
static void slot_lock(kb_slot *slot)
{
    while (__atomic_exchange_n(&slot->locked, 1, __ATOMIC_ACQUIRE)) {
        while (__atomic_load_n(&slot->locked, __ATOMIC_RELAXED)) {
        }
    }
}

static void slot_unlock(kb_slot *slot)
{
    __atomic_store_n(&slot->locked, 0, __ATOMIC_RELEASE);
}

static kb_table *slot_acquire(kb_slot *slot)
{
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

static void pool_lock(void)
{
    pthread_mutex_lock(&pool.lock);
}

static void pool_unlock(void)
{
    pthread_mutex_unlock(&pool.lock);
}

static void pool_start(void)
{
    pool.head.next = pool.head.previous = &pool.head;
    /* A fork while another thread holds the lock would leave the child waiting for ever. */
    pthread_atfork(pool_lock, pool_unlock, pool_unlock);
}

/* Under the lock of the pool: takes the table off the slot and out of the books. */
static kb_table *detach(kb_slot *slot)
{
    slot_lock(slot);
    kb_table *table = slot->table;
    __atomic_store_n(&slot->table, NULL, __ATOMIC_RELAXED);
    slot_unlock(slot);
    if (table) {
        slot->previous->next = slot->next;
        slot->next->previous = slot->previous;
        pool.stats.tables--;
        pool.stats.bytes -= table->bytes;
    }
    return table;
}

static kb_slot *oldest(void)
{
    kb_slot *found = NULL;
    for (kb_slot *slot = pool.head.next; slot != &pool.head; slot = slot->next) {
        if (!found || __atomic_load_n(&slot->last_use, __ATOMIC_RELAXED) <
                          __atomic_load_n(&found->last_use, __ATOMIC_RELAXED)) {
            found = slot;
        }
    }
    return found;
}

/* Gives the slot its table; idle ones go first where there is no room. Consumes the reference. */
static void attach(kb_slot *slot, kb_table *table)
{
    pool_lock();
    while (pool.stats.bytes + table->bytes > pool.stats.limit) {
        kb_slot *victim = oldest();
        if (!victim) {
            break;
        }
        __atomic_store_n(&victim->uses, 0, __ATOMIC_RELAXED);
        kb_table_release(detach(victim));
        pool.stats.evicted++;
    }
    if (pool.stats.bytes + table->bytes <= pool.stats.limit) {
        slot->next = &pool.head;
        slot->previous = pool.head.previous;
        slot->previous->next = pool.head.previous = slot;
        pool.stats.tables++;
        pool.stats.bytes += table->bytes;
        pool.stats.built++;
        slot_lock(slot);
        slot->table = table;
        slot_unlock(slot);
        table = NULL;
    }
    pool_unlock();
    kb_table_release(table);
}

kb_table *kb_slot_use(kb_slot *slot, kb_build *build, const void *context)
{
    uint64_t now = __atomic_add_fetch(&pool.clock, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->last_use, now, __ATOMIC_RELAXED);
    kb_table *table = slot_acquire(slot);
    if (table) {
        return table;
    }
    uint32_t uses = __atomic_add_fetch(&slot->uses, 1, __ATOMIC_RELAXED);
    if (uses < __atomic_load_n(&pool.stats.threshold, __ATOMIC_RELAXED) ||
        __atomic_load_n(&pool.stats.limit, __ATOMIC_RELAXED) == 0 ||
        __atomic_exchange_n(&slot->building, 1, __ATOMIC_ACQUIRE)) {
        return NULL;
    }
    pthread_once(&pool.once, pool_start);
    table = slot_acquire(slot);
    if (!table && (table = build(context)) != NULL) {
        __atomic_add_fetch(&table->references, 1, __ATOMIC_RELAXED);
        attach(slot, table);
    }
    /* Where there is no memory or no room, the key has to earn its table again. */
    __atomic_store_n(&slot->uses, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->building, 0, __ATOMIC_RELEASE);
    return table;
}

void kb_slot_close(kb_slot *slot)
{
    if (slot->table) {
        pool_lock();
        kb_table *table = detach(slot);
        pool_unlock();
        kb_table_release(table);
    }
}

void kb_table_get_stats(kb_table_stats *stats)
{
    pool_lock();
    *stats = pool.stats;
    pool_unlock();
}

void kb_table_configure(uint64_t limit_bytes, uint32_t threshold)
{
    pool_lock();
    __atomic_store_n(&pool.stats.limit, limit_bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&pool.stats.threshold, threshold, __ATOMIC_RELAXED);
    pool_unlock();
}
