/* Threads that use, earn, lose and free tables at once, with hardly room for any. For the thread
 * and address sanitizers: a verdict on what is in a table is not wanted here, only who may touch
 * it. */
#define _POSIX_C_SOURCE 200809L

#include "../crypto/table.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, SHARED = 4, ROUNDS = 100000, MARK = 0x5a };

static kb_slot shared[SHARED];

static kb_table *build(const void *context) {
    const size_t *bytes = context;
    kb_table *table = kb_table_new(*bytes / sizeof(uint64_t));
    if (table) {
        memset(table->words, MARK, *bytes);
    }
    return table;
}

static void use(kb_slot *slot) {
    kb_table *table = kb_slot_use(slot, build, &slot->bytes);
    if (table) {
        const unsigned char *octets = (const unsigned char *)table->words;
        if (octets[0] != MARK || octets[slot->bytes - 1] != MARK) {
            fputs("a table is not what was built\n", stderr);
            abort();
        }
        kb_table_release(table);
    }
}

static kb_slot *replace(kb_slot *own, size_t bytes) {
    if (own) {
        kb_slot_close(own);
        free(own);
    }
    kb_slot *slot = bytes ? calloc(1, sizeof *slot) : NULL;
    if (slot) {
        slot->bytes = bytes;
    }
    return slot;
}

static void *work(void *argument) {
    unsigned *seed = argument;
    kb_slot *own = NULL;
    for (int i = 0; i < ROUNDS; i++) {
        if (!own || rand_r(seed) % 8 == 0) {
            own = replace(own, 64 * (1 + (size_t)rand_r(seed) % 4));
        }
        use(rand_r(seed) % 2 && own ? own : &shared[rand_r(seed) % SHARED]);
        if (*seed % 1000 == 0) {
            kb_table_configure(*seed % 3 * 200, 2);
        }
    }
    replace(own, 0);
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    unsigned seeds[THREADS];
    kb_table_stats stats;
    kb_table_configure(512, 2);
    for (unsigned i = 0; i < SHARED; i++) {
        shared[i].bytes = 64 * (i + 1);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = i + 1;
        if (pthread_create(&threads[i], NULL, work, &seeds[i]) != 0) {
            return 2;
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (unsigned i = 0; i < SHARED; i++) {
        kb_slot_close(&shared[i]);
    }
    kb_table_get_stats(&stats);
    printf("%lu built, %lu evicted, %lu left, %lu bytes\n", (unsigned long)stats.built,
           (unsigned long)stats.evicted, (unsigned long)stats.tables, (unsigned long)stats.bytes);
    return stats.tables != 0 || stats.bytes != 0 || stats.evicted == 0;
}
