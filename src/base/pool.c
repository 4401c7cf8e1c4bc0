#include "base/pool.h"

#include "base/thread.h"

#include <stdlib.h>

#define MAX_THREADS 64

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct list queue;
    size_t n_queued, max_queued;
    bool stopping;
    unsigned n_threads;
    pthread_t threads[MAX_THREADS];
};

static struct job *next_job(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    while (list_empty(&p->queue) && !p->stopping)
        pthread_cond_wait(&p->more, &p->lock);
    struct list *node = list_pop_front(&p->queue);
    if (node)
        p->n_queued--;
    pthread_mutex_unlock(&p->lock);
    return node ? CONTAINER_OF(node, struct job, link) : NULL;
}

static void *worker(void *arg)
{
    for (struct job *j = next_job(arg); j; j = next_job(arg))
        j->run(j);
    return NULL;
}

enum err pool_new(const char *name, unsigned n_threads, size_t max_queued, struct pool **ret,
                  struct error *e)
{
    if (n_threads < 1 || n_threads > MAX_THREADS)
        return FAIL(e, ERR_INVALID_ARGUMENT, "pool.threads", "a pool has 1 to %d threads",
                    MAX_THREADS);
    struct pool *p = calloc(1, sizeof *p);
    if (!p)
        return FAIL_NOMEM(e);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    list_init(&p->queue);
    p->max_queued = max_queued;
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
        pthread_cond_signal(&p->more);
    }
    pthread_mutex_unlock(&p->lock);
    if (!room)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "pool.full",
                    "the server is busy: %zu jobs wait already; try again", p->max_queued);
    return ERR_OK;
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
