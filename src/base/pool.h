/*
 * A pool of worker threads with one bounded queue.
 *
 * Model: whole objects are handed over, never shared: after pool_submit succeeded the job and what
 * it points at belong to the worker until job->run hands them on (typically by posting them back
 * to the loop that owns the connection). Jobs start in order of submission.
 * Of the threads only n_active run jobs at a time, so that computing does not crowd out the loops;
 * one whose job waits for the disk or for another thread says so, and the
 * next job starts meanwhile.
 * Threads: pool_submit from any thread. Errors: a full queue is RESOURCE_EXHAUSTED: back-pressure.
 */
#ifndef STIGMER_BASE_POOL_H
#define STIGMER_BASE_POOL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"

struct pool;

struct job {
    struct list link;             /* private to the pool */
    void (*run)(struct job *job); /* on a worker; owns the job */
};

/* n_threads (1 to 64) workers, n_active of them (1 to n_threads) running, at most max_queued jobs
 * waiting. name (≤ 15 bytes) for ps and gdb. */
enum err pool_new(const char *name, unsigned n_active, unsigned n_threads, size_t max_queued,
                  struct pool **ret, struct error *e);
/* Queues the job; the caller must not touch it again. RESOURCE_EXHAUSTED: still the caller's. */
enum err pool_submit(struct pool *p, struct job *job, struct error *e);
/* Around what makes a job wait and not compute (an fsync, a commit). On any other thread than a
 * pool's they do nothing. wait_end does not wait: what is left of a job then is short. */
void pool_wait_begin(void);
void pool_wait_end(void);
/* The families stigmer_worker_jobs_…. */
void pool_metrics(struct pool *p, struct buf *out);
/* Runs what is queued, then ends the threads. Nothing may be submitted meanwhile. NULL is fine. */
void pool_free(struct pool *p);

#endif
