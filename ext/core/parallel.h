/* The same work on many items, on several threads at once. */
#ifndef KB_PARALLEL_H
#define KB_PARALLEL_H

#include <stddef.h>

typedef void kb_work(void *context, size_t index);

/* Calls work(context, i) once for every i below `count`, on the calling thread and on up to
 * `threads` - 1 others, and returns when all is done. Items are taken in order, one at a time.
 * Where a thread cannot be had the others do its share. */
void kb_parallel(unsigned threads, size_t count, kb_work *work, void *context);

#endif
