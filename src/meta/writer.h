/*
 * The one thread that writes: closures queue up, and whatever waits when it is free goes into one
 * transaction; only when one of them has to be undone does each get a child transaction of its own.
 * Nobody waits for a batch to fill: what arrives while a batch runs joins it, until it has the most
 * closures or has taken the most time that the limits allow.
 *
 * After a commit that failed: WRITER_RECOVERING, while the database is opened again and read;
 * whoever comes meanwhile waits. When that fails or takes long, WRITER_BROKEN: everybody is
 * refused, and recovering is tried again every now and then, by this thread, until it succeeds.
 */
#ifndef STIGMER_META_WRITER_H
#define STIGMER_META_WRITER_H

#include "base/list.h"
#include "base/metric.h"
#include "meta/backend.h"
#include "meta/meta.h"

#include <pthread.h>
#include <stdatomic.h>

enum writer_state { WRITER_OPEN, WRITER_RECOVERING, WRITER_BROKEN };

struct writer {
    struct meta *meta;
    struct meta_limits limits;
    pthread_t thread;
    pthread_mutex_t lock; /* guards queue, n_queued, stopping */
    pthread_cond_t more;
    struct list queue;
    size_t n_queued;
    bool stopping;
    _Atomic enum writer_state state;
    _Atomic uint64_t n_failures;
    struct metric_buckets commits, groups; /* seconds; changes in a commit */
    int64_t retry_at_ns;                   /* the writer's own */
    bool must_reopen;                      /* likewise: memory is not to be trusted */
};

enum err writer_start(struct writer *w, struct meta *m, const struct meta_limits *limits,
                      struct error *e);
/* Runs what is queued, then ends the thread. */
void writer_stop(struct writer *w);
void writer_metrics(struct writer *w, struct buf *out);
/* UNAVAILABLE when it is broken. */
enum err writer_ready(const struct writer *w, struct error *e);
/* meta_write, meta_write_freeing. */
enum err writer_run(struct writer *w, meta_fn *fn, void *arg, bool freeing, struct error *e);

/* --- what writer.c and recover.c tell each other; on the writer's thread --- */

/* After a commit that failed with *e: opens the database again and turns *e into what the batch is
 * answered. */
enum err recover_begin(struct writer *w, struct error *e);
/* The rest: reads everything and tries a commit. WRITER_OPEN or WRITER_BROKEN when it returns. */
void recover(struct writer *w);
/* Ends the waiting of all who queue. */
void writer_refuse_all(struct writer *w);
enum err writer_fail_broken(struct error *e);

#endif
