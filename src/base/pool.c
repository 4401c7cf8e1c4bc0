#include "base/pool.h"

#include "base/metric.h"
#include "base/thread.h"

#include <stdlib.h>

#define MAX_THREADS 64

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct list queue;
    size_t n_queued, max_queued;
    bool stopping;
    unsigned n_running,
        n_active; /* threads that run a job and do not wait in it; at most so many */
    unsigned n_threads;
    pthread_t threads[MAX_THREADS];
};

/* Of the calling thread; NULL on those of nobody's. */
static _Thread_local struct pool *mine;

static bool may_start(const struct pool *p)
{
    return !list_empty(&p->queue) && p->n_running < p->n_active;
}

/* NULL: the pool ends, and nothing is queued any more. */
static struct job *next_job(struct pool *p)
{
    while (!may_start(p) && !(p->stopping && list_empty(&p->queue)))
        pthread_cond_wait(&p->more, &p->lock);
    struct list *node = list_pop_front(&p->queue);
    if (!node)
        return NULL;
    p->n_queued--;
    p->n_running++;
    return CONTAINER_OF(node, struct job, link);
}

static void *worker(void *arg)
{
    struct pool *p = mine = arg;
    pthread_mutex_lock(&p->lock);
    for (struct job *j = next_job(p); j; j = next_job(p)) {
        pthread_mutex_unlock(&p->lock);
        j->run(j);
        pthread_mutex_lock(&p->lock);
        p->n_running--;
    }
    pthread_cond_broadcast(&p->more); /* others may have waited for their turn to end */
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

void pool_wait_begin(void)
{
    if (!mine)
        return;
    pthread_mutex_lock(&mine->lock);
    mine->n_running--;
    bool next = may_start(mine);
    pthread_mutex_unlock(&mine->lock);
    if (next)
        pthread_cond_signal(&mine->more);
}

void pool_wait_end(void)
{
    if (!mine)
        return;
    pthread_mutex_lock(&mine->lock);
    mine->n_running++;
    pthread_mutex_unlock(&mine->lock);
}

enum err pool_new(const char *name, unsigned n_active, unsigned n_threads, size_t max_queued,
                  struct pool **ret, struct error *e)
{
    if (n_threads < 1 || n_threads > MAX_THREADS || n_active < 1 || n_active > n_threads)
        return FAIL(e, ERR_INVALID_ARGUMENT, "pool.threads",
                    "a pool has 1 to %d threads, and as many or fewer are active", MAX_THREADS);
    struct pool *p = calloc(1, sizeof *p);
    if (!p)
        return FAIL_NOMEM(e);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    list_init(&p->queue);
    p->max_queued = max_queued;
    p->n_active = n_active;
    for (unsigned i = 0; i < n_threads; i++) {
        enum err err = thread_start(name, worker, p, &p->threads[i], e);
        if (err != ERR_OK) {
            pool_free(p);
            return err;
        }
        p->n_threads++;
    }
    *ret = p;
    return ERR_OK;
}

enum err pool_submit(struct pool *p, struct job *job, struct error *e)
{
    pthread_mutex_lock(&p->lock);
    bool room = p->n_queued < p->max_queued;
    if (room) {
        list_push_back(&p->queue, &job->link);
        p->n_queued++;
    }
    bool next = may_start(p);
    pthread_mutex_unlock(&p->lock);
    if (next)
        pthread_cond_signal(&p->more); /* not under the lock, which the other takes first */
    if (!room)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "pool.full",
                    "the server is busy: %zu jobs wait already; try again", p->max_queued);
    return ERR_OK;
}

void pool_metrics(struct pool *p, struct buf *out)
{
    pthread_mutex_lock(&p->lock);
    double queued = (double)p->n_queued, running = p->n_running;
    pthread_mutex_unlock(&p->lock);
    metric_one(out, "stigmer_worker_jobs_queued", "gauge", "Jobs that wait for a worker.", queued);
    metric_one(out, "stigmer_worker_jobs_running", "gauge",
               "Workers that compute; those that wait for the disk are not counted.", running);
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->n_threads; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->more);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
