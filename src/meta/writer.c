#include "meta/writer.h"

#include "base/log.h"
#include "meta/record.h"

#include <signal.h>

/* A caller of meta_write, on its own stack: it waits until `done`. */
struct request {
    struct list link;
    meta_fn *fn;
    void *arg;
    struct error *e;
    enum err result;
    bool done;
    pthread_cond_t cond;
};

static enum err fail_broken(struct error *e)
{
    return FAIL(e, ERR_UNAVAILABLE, "meta.broken",
                "the server cannot write now: saving to its database has failed, and whether the "
                "last changes were kept is unknown; its operator must check the disk and restart "
                "it, then look before trying again");
}

/* One closure in a child transaction. */
static enum err run_one(struct meta *m, struct meta_btxn *top, struct request *r)
{
    struct meta_txn t = {.meta = m};
    TRY(m->backend->ops->begin_write(m->backend, top, &t.b, r->e));
    enum err err = r->fn(&t, r->arg, r->e);
    if (err == ERR_OK)
        return m->backend->ops->commit(t.b, r->e);
    m->backend->ops->abort(t.b);
    return err;
}

static enum err commit(struct writer *w, struct meta_btxn *top, struct error *e)
{
    enum err err = w->meta->backend->ops->commit(top, e);
    if (err == ERR_OK || (err == ERR_RESOURCE_EXHAUSTED && e->sys == 0))
        return err;
    atomic_store(&w->broken, true);
    log_error("metadata commit failed, no more writes", LOG_ERROR_FIELDS(e));
    return fail_broken(e);
}

static void fail_all(struct request **batch, size_t n, const struct error *e)
{
    for (size_t i = 0; i < n; i++) {
        if (batch[i]->result != ERR_OK)
            continue;
        batch[i]->result = e->code;
        *batch[i]->e = *e;
    }
}

static void run_batch(struct writer *w, struct request **batch, size_t n)
{
    struct error e;
    size_t n_ok = 0;
    struct meta_btxn *top;
    const struct meta_ops *ops = w->meta->backend->ops;
    enum err err = atomic_load(&w->broken) ? fail_broken(&e)
                                           : ops->begin_write(w->meta->backend, NULL, &top, &e);
    for (size_t i = 0; err == ERR_OK && i < n; i++) {
        batch[i]->result = run_one(w->meta, top, batch[i]);
        n_ok += batch[i]->result == ERR_OK;
    }
    if (err == ERR_OK && n_ok > 0)
        err = commit(w, top, &e);
    else if (err == ERR_OK)
        ops->abort(top);
    if (err != ERR_OK)
        fail_all(batch, n, &e);
}

/* Waits for work; 0 when there is none and the writer stops. */
static size_t take_batch(struct writer *w, struct request **batch)
{
    size_t n = 0;
    pthread_mutex_lock(&w->lock);
    while (list_empty(&w->queue) && !w->stopping)
        pthread_cond_wait(&w->more, &w->lock);
    while (n < w->limits.batch_max && !list_empty(&w->queue)) {
        batch[n++] = CONTAINER_OF(list_pop_front(&w->queue), struct request, link);
        w->n_queued--;
    }
    pthread_mutex_unlock(&w->lock);
    return n;
}

static void answer(struct writer *w, struct request **batch, size_t n)
{
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < n; i++) {
        batch[i]->done = true;
        pthread_cond_signal(&batch[i]->cond); /* under the lock: the request goes away with it */
    }
    pthread_mutex_unlock(&w->lock);
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    struct request *batch[META_BATCH_MAX];
    for (size_t n = take_batch(w, batch); n > 0; n = take_batch(w, batch)) {
        run_batch(w, batch, n);
        answer(w, batch, n);
    }
    return NULL;
}

enum err writer_start(struct writer *w, struct meta *m, const struct meta_limits *limits,
                      struct error *e)
{
    sigset_t all, old;
    *w = (struct writer){.meta = m, .limits = *limits};
    w->limits.batch_max = MIN(w->limits.batch_max, (size_t)META_BATCH_MAX);
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->more, NULL);
    list_init(&w->queue);
    (void)sigfillset(&all); /* signals belong to the main thread */
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    int sys = pthread_create(&w->thread, NULL, writer_main, w);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (sys)
        return FAIL_SYS(e, ERR_RESOURCE_EXHAUSTED, sys, "meta.thread", "cannot start a thread");
    (void)pthread_setname_np(w->thread, "meta-writer");
    return ERR_OK;
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

/* Waits for its turn with the lock held, which the wait releases. */
static void enqueue_and_wait(struct writer *w, struct request *r)
{
    (void)pthread_cond_init(&r->cond, NULL);
    list_push_back(&w->queue, &r->link);
    w->n_queued++;
    pthread_cond_signal(&w->more);
    while (!r->done)
        pthread_cond_wait(&r->cond, &w->lock);
}

enum err writer_run(struct writer *w, meta_fn *fn, void *arg, struct error *e)
{
    struct request r = {.fn = fn, .arg = arg, .e = e, .result = ERR_OK};
    pthread_mutex_lock(&w->lock);
    bool room = w->n_queued < w->limits.queue_max;
    if (room)
        enqueue_and_wait(w, &r);
    pthread_mutex_unlock(&w->lock);
    if (!room)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "meta.queue_full",
                    "the server is busy: %zu changes wait already; try again", w->limits.queue_max);
    pthread_cond_destroy(&r.cond);
    return r.result;
}
