/* Work on items on several threads, while the caller makes the next ones ready. */
#ifndef KB_PARALLEL_H
#define KB_PARALLEL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum { KB_MAX_THREADS = 256 };

typedef void kb_work(void *context, size_t index);

typedef struct kb_crew kb_crew;

typedef struct {
    kb_crew *crew;
    pthread_t thread;
    size_t at; /* the item it works on */
} kb_member;

struct kb_crew {
    kb_work *work;
    void *context;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t more;  /* there are items to take, or there will be none */
    pthread_cond_t done;  /* an item is finished */
    size_t taken, published;
    bool closed;
    unsigned threads, started;
    kb_member others[KB_MAX_THREADS];
};

/* A crew of the caller and up to `threads` - 1 others, which calls work(context, i) once for each
 * item i; items are taken in order, one at a time. The others begin with the first items. Where a
 * thread cannot be had the rest does its share. */
void kb_crew_open(kb_crew *crew, unsigned threads, kb_work *work, void *context);

/* All items below `count` are ready to be taken. */
void kb_crew_publish(kb_crew *crew, size_t count);

/* Does its share until all items below `count` are finished, which must have been published. */
void kb_crew_finish(kb_crew *crew, size_t count);

/* Lets the others go, once; items that nobody has taken are left. */
void kb_crew_close(kb_crew *crew);

#endif
