/*
 * The one thread that writes: closures queue up, and whatever waits when it is free goes into one
 * transaction, each closure in a child transaction of its own. Nobody waits for a batch to fill.
 */
#ifndef STIGMER_META_WRITER_H
#define STIGMER_META_WRITER_H

#include "base/list.h"
#include "meta/backend.h"
#include "meta/meta.h"

#include <pthread.h>
#include <stdatomic.h>

struct writer {
    struct meta *meta;
    struct meta_limits limits;
    pthread_t thread;
    pthread_mutex_t lock; /* guards queue, n_queued, stopping and each request's done */
    pthread_cond_t more;
    struct list queue;
    size_t n_queued;
    bool stopping;
    atomic_bool broken; /* a commit failed */
};

enum err writer_start(struct writer *w, struct meta *m, const struct meta_limits *limits,
                      struct error *e);
/* Runs what is queued, then ends the thread. */
void writer_stop(struct writer *w);
/* meta_write. */
enum err writer_run(struct writer *w, meta_fn *fn, void *arg, struct error *e);

#endif
