#include "parallel.h"

#include <stdint.h>

static const size_t no_item = SIZE_MAX;

void kb_crew_open(kb_crew *crew, unsigned threads, kb_work *work, void *context) {
    crew->work = work;
    crew->context = context;
    crew->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    crew->more = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    crew->done = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    crew->taken = crew->published = 0;
    crew->closed = false;
    crew->threads = threads < KB_MAX_THREADS ? threads : KB_MAX_THREADS;
    crew->started = 0;
}

static void *take_items(void *argument) {
    kb_member *const self = argument;
    kb_crew *const crew = self->crew;
    pthread_mutex_lock(&crew->lock);
    for (;;) {
        if (crew->taken < crew->published) {
            self->at = crew->taken++;
            pthread_mutex_unlock(&crew->lock);
            crew->work(crew->context, self->at);
            pthread_mutex_lock(&crew->lock);
            self->at = no_item;
            pthread_cond_signal(&crew->done);
        } else if (crew->closed) {
            break;
        } else {
            pthread_cond_wait(&crew->more, &crew->lock);
        }
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

/* No more than there is work for: the caller takes an item as well. */
static void start_others(kb_crew *crew) {
    while (crew->started + 1 < crew->threads && crew->started + 1 < crew->published - crew->taken) {
        kb_member *const next = &crew->others[crew->started];
        next->crew = crew;
        next->at = no_item;
        if (pthread_create(&next->thread, NULL, take_items, next) != 0) {
            crew->threads = crew->started + 1;
            return;
        }
        crew->started++;
    }
}

void kb_crew_publish(kb_crew *crew, size_t count) {
    pthread_mutex_lock(&crew->lock);
    crew->published = count;
    start_others(crew);
    pthread_cond_broadcast(&crew->more);
    pthread_mutex_unlock(&crew->lock);
}

/* Items are taken in order: once those below are taken, what matters is who still works on one. */
static bool all_finished(const kb_crew *crew, size_t count) {
    if (crew->taken < count) {
        return false;
    }
    for (unsigned i = 0; i < crew->started; i++) {
        if (crew->others[i].at < count) {
            return false;
        }
    }
    return true;
}

void kb_crew_finish(kb_crew *crew, size_t count) {
    pthread_mutex_lock(&crew->lock);
    while (!all_finished(crew, count)) {
        if (crew->taken < crew->published) {
            const size_t index = crew->taken++;
            pthread_mutex_unlock(&crew->lock);
            crew->work(crew->context, index);
            pthread_mutex_lock(&crew->lock);
        } else {
            pthread_cond_wait(&crew->done, &crew->lock);
        }
    }
    pthread_mutex_unlock(&crew->lock);
}

void kb_crew_close(kb_crew *crew) {
    pthread_mutex_lock(&crew->lock);
    crew->closed = true;
    crew->taken = crew->published;
    pthread_cond_broadcast(&crew->more);
    pthread_mutex_unlock(&crew->lock);
    for (unsigned i = 0; i < crew->started; i++) {
        pthread_join(crew->others[i].thread, NULL);
    }
    pthread_cond_destroy(&crew->done);
    pthread_cond_destroy(&crew->more);
    pthread_mutex_destroy(&crew->lock);
}
