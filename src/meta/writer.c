#include "meta/writer.h"

#include "base/clock.h"
#include "base/mutant.h"
#include "base/pool.h"
#include "base/thread.h"
#include "meta/record.h"

#include <semaphore.h>
#include <time.h>

/* A caller of meta_write, on its own stack: it waits until `done`. */
struct request {
    struct list link;
    meta_fn *fn;
    void *arg;
    bool freeing;
    struct error *e;
    enum err result;
    sem_t done; /* posted once; nothing of the request is touched after that */
};

struct batch {
    struct request *all[META_BATCH_MAX];
    size_t n, n_ok;
    int64_t began_ns;
};

enum err writer_fail_broken(struct error *e)
{
    return FAIL(
        e, ERR_UNAVAILABLE, "meta.broken",
        "the server is read-only: saving to its database has failed; it takes changes again "
        "as soon as the disk does. Try again later");
}

/* --- one batch ---
 *
 * Closures run one after the other in the batch's own transaction, since one in a child costs LMDB
 * a copy of each page that it shares with those before. Only when one has to be undone, all of the
 * batch is: they run again, each in a child.
 */

/* Whether a failure may have left the transaction itself damaged. */
static bool is_of_database(enum err err)
{
    return err == ERR_INTERNAL || err == ERR_DATA_LOSS || err == ERR_RESOURCE_EXHAUSTED;
}

/* False: it failed and has to be undone. */
static bool run_plainly(struct writer *w, struct meta_btxn *top, struct request *r)
{
    struct meta_txn t = {.meta = w->meta, .b = top};
    r->result = r->fn(&t, r->arg, r->e);
    return r->result == ERR_OK || (!t.wrote && !is_of_database(r->result));
}

/* One closure in a child transaction. */
static enum err run_child(struct meta *m, struct meta_btxn *top, struct request *r)
{
    struct meta_txn t = {.meta = m};
    TRY(m->backend->ops->begin_write(m->backend, top, &t.b, r->e));
    enum err err = r->fn(&t, r->arg, r->e);
    if (err == ERR_OK)
        return m->backend->ops->commit(t.b, r->e);
    m->backend->ops->abort(t.b);
    return err;
}

static enum err commit(struct writer *w, struct meta_btxn *top, size_t n, struct error *e)
{
    int64_t began_ns = clock_mono_ns();
    enum err err = w->meta->backend->ops->commit(top, e);
    metric_note(&w->commits, &metric_seconds, (uint64_t)(clock_mono_ns() - began_ns));
    metric_note(&w->groups, &metric_sizes, n);
    if (err == ERR_OK || (err == ERR_RESOURCE_EXHAUSTED && e->sys == 0))
        return err;
    return recover_begin(w, e);
}

/* Whoever was not refused for a reason of its own is refused for this one. */
static void fail_all(struct batch *b, const struct error *e)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->all[i]->result != ERR_OK)
            continue;
        b->all[i]->result = e->code;
        *b->all[i]->e = *e;
    }
}

static struct request *next_request(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    struct list *node = list_pop_front(&w->queue);
    if (node)
        w->n_queued--;
    pthread_mutex_unlock(&w->lock);
    return node ? CONTAINER_OF(node, struct request, link) : NULL;
}

static struct request *next_of_batch(struct writer *w, const struct batch *b)
{
    bool full = b->n == w->limits.batch_max;
    bool late = b->n && clock_mono_ns() - b->began_ns > w->limits.batch_ns;
    return full || late ? NULL : next_request(w);
}

/* no_room: what is told to those that need some, or NULL. */
static bool is_refused(struct request *r, const struct error *no_room)
{
    if (!no_room || r->freeing)
        return false;
    *r->e = *no_room;
    r->result = no_room->code;
    return true;
}

/* Takes what is queued. False: one of them has to be undone. */
static bool run_requests(struct writer *w, struct batch *b, struct meta_btxn *top,
                         const struct error *no_room)
{
    for (struct request *r = next_of_batch(w, b); r; r = next_of_batch(w, b)) {
        b->all[b->n++] = r;
        if (is_refused(r, no_room))
            continue;
        if (!run_plainly(w, top, r))
            return false;
        b->n_ok += r->result == ERR_OK;
    }
    return true;
}

/* All of the batch once more, in a new transaction. */
static enum err run_apart(struct writer *w, struct batch *b, struct meta_btxn **top,
                          const struct error *no_room, struct error *e)
{
    const struct meta_ops *ops = w->meta->backend->ops;
    b->n_ok = 0;
    TRY(ops->begin_write(w->meta->backend, NULL, top, e));
    for (size_t i = 0; i < b->n; i++) {
        struct request *r = b->all[i];
        if (is_refused(r, no_room))
            continue;
        r->result = run_child(w->meta, *top, r);
        b->n_ok += r->result == ERR_OK;
    }
    return ERR_OK;
}

static void answer(const struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        (void)sem_post(&b->all[i]->done);
}

static void answer_too_early(struct batch *b)
{
    answer(b);
    b->n = 0;
}

static enum err run_transaction(struct writer *w, struct batch *b, struct error *e)
{
    struct meta_btxn *top;
    struct error room;
    const struct meta_ops *ops = w->meta->backend->ops;
    bool has_room = ops->room(w->meta->backend, &room) == ERR_OK;
    enum err err = ops->begin_write(w->meta->backend, NULL, &top, e);
    if (err != ERR_OK) {
        b->all[b->n] = next_request(w);
        b->n += b->all[b->n] != NULL;
        return err;
    }
    const struct error *no_room = has_room ? NULL : &room;
    if (!run_requests(w, b, top, no_room)) {
        ops->abort(top);
        TRY(run_apart(w, b, &top, no_room, e));
    }
    if (MUTANT(answer_before_commit))
        answer_too_early(b);
    if (b->n_ok > 0)
        return commit(w, top, b->n_ok, e);
    ops->abort(top);
    return ERR_OK;
}

static void run_batch(struct writer *w)
{
    struct error e;
    struct batch b = {.began_ns = clock_mono_ns()};
    if (run_transaction(w, &b, &e) != ERR_OK)
        fail_all(&b, &e);
    answer(&b);
}

void writer_refuse_all(struct writer *w)
{
    struct error e;
    writer_fail_broken(&e);
    for (;;) {
        struct batch b = {.n = 0};
        while (b.n < META_BATCH_MAX && (b.all[b.n] = next_request(w)))
            b.n++;
        if (b.n == 0)
            return;
        fail_all(&b, &e);
        answer(&b);
    }
}

/* --- the thread --- */

static void wait_for_more(struct writer *w)
{
    struct timespec at = {.tv_sec = w->retry_at_ns / NS_PER_S,
                          .tv_nsec = w->retry_at_ns % NS_PER_S};
    if (atomic_load(&w->state) == WRITER_OPEN)
        (void)pthread_cond_wait(&w->more, &w->lock);
    else
        (void)pthread_cond_clockwait(&w->more, &w->lock, CLOCK_MONOTONIC, &at);
}

static bool time_to_recover(const struct writer *w)
{
    return atomic_load(&w->state) != WRITER_OPEN && clock_mono_ns() >= w->retry_at_ns;
}

/* Waits until there is work, or it is time to try to recover; false: the writer stops. */
static bool wait_for_work(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    while (list_empty(&w->queue) && !w->stopping && !time_to_recover(w))
        wait_for_more(w);
    bool go_on = !list_empty(&w->queue) || !w->stopping;
    pthread_mutex_unlock(&w->lock);
    return go_on;
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    while (wait_for_work(w)) {
        if (time_to_recover(w))
            recover(w);
        if (atomic_load(&w->state) == WRITER_OPEN)
            run_batch(w);
        else
            writer_refuse_all(w);
    }
    return NULL;
}

enum err writer_start(struct writer *w, struct meta *m, const struct meta_limits *limits,
                      struct error *e)
{
    *w = (struct writer){.meta = m, .limits = *limits};
    w->limits.batch_max = MIN(w->limits.batch_max, (size_t)META_BATCH_MAX);
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->more, NULL);
    list_init(&w->queue);
    return thread_start("meta-writer", writer_main, w, &w->thread, e);
}

void writer_stop(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
}

void writer_metrics(struct writer *w, struct buf *out)
{
    pthread_mutex_lock(&w->lock);
    double queued = (double)w->n_queued;
    pthread_mutex_unlock(&w->lock);
    metric_one(out, "stigmer_database_changes_queued", "gauge", "Changes that wait for a commit.",
               queued);
    metric_one(out, "stigmer_database_commit_failures_total", "counter",
               "Commits that have failed; the server is read-only until one succeeds.",
               (double)atomic_load(&w->n_failures));
    metric_family(out, "stigmer_database_commit_seconds", "histogram",
                  "How long a commit takes, its fsync included.");
    metric_histogram(out, "stigmer_database_commit_seconds", NULL, &metric_seconds, &w->commits);
    metric_family(out, "stigmer_database_commit_changes", "histogram",
                  "Changes that share a commit.");
    metric_histogram(out, "stigmer_database_commit_changes", NULL, &metric_sizes, &w->groups);
}

/* --- callers --- */

enum err writer_ready(const struct writer *w, struct error *e)
{
    return atomic_load(&w->state) == WRITER_BROKEN ? writer_fail_broken(e) : ERR_OK;
}

static bool enqueue(struct writer *w, struct request *r)
{
    pthread_mutex_lock(&w->lock);
    bool room = w->n_queued < w->limits.queue_max;
    if (room) {
        list_push_back(&w->queue, &r->link);
        w->n_queued++;
    }
    pthread_mutex_unlock(&w->lock);
    if (room)
        pthread_cond_signal(&w->more); /* not under the lock, which the writer takes first */
    return room;
}

static void await(struct request *r)
{
    pool_wait_begin();
    while (sem_wait(&r->done) != 0)
        ;
    pool_wait_end();
}

enum err writer_run(struct writer *w, meta_fn *fn, void *arg, bool freeing, struct error *e)
{
    struct request r = {.fn = fn, .arg = arg, .freeing = freeing, .e = e, .result = ERR_OK};
    (void)sem_init(&r.done, 0, 0);
    bool room = enqueue(w, &r);
    if (room)
        await(&r);
    (void)sem_destroy(&r.done);
    if (!room)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "meta.queue_full",
                    "the server is busy: %zu changes wait already; try again", w->limits.queue_max);
    return r.result;
}
