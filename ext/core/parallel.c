#include "parallel.h"

#include <pthread.h>

enum { KB_MAX_THREADS = 256 };

typedef struct {
    size_t next;
    size_t count;
    kb_work *work;
    void *context;
} share;

static void *take_items(void *argument) {
    share *const all = argument;
    size_t index;
    while ((index = __atomic_fetch_add(&all->next, 1, __ATOMIC_RELAXED)) < all->count) {
        all->work(all->context, index);
    }
    return NULL;
}

void kb_parallel(unsigned threads, size_t count, kb_work *work, void *context) {
    share all = {.count = count, .work = work, .context = context};
    pthread_t others[KB_MAX_THREADS];
    unsigned started = 0;
    while (started + 1 < threads && started + 1 < count && started < KB_MAX_THREADS &&
           pthread_create(&others[started], NULL, take_items, &all) == 0) {
        started++;
    }
    take_items(&all);
    for (unsigned i = 0; i < started; i++) {
        pthread_join(others[i], NULL);
    }
}
