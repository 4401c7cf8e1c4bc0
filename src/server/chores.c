#include "server/chores.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/thread.h"
#include "skill/skill.h"

#include <stdlib.h>
#include <time.h>

/* After the start, which has other things to do; a server that is restarted daily collects, too. */
#define FIRST_S 600

struct chores {
    struct chores_options o;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t stop;
    bool stopping;
};

static bool is_stopping(void *arg)
{
    struct chores *c = arg;
    pthread_mutex_lock(&c->lock);
    bool stopping = c->stopping;
    pthread_mutex_unlock(&c->lock);
    return stopping;
}

static bool wait_s(struct chores *c, uint32_t seconds)
{
    int64_t at = clock_mono_ns() + seconds * NS_PER_S;
    struct timespec deadline = {.tv_sec = at / NS_PER_S, .tv_nsec = at % NS_PER_S};
    pthread_mutex_lock(&c->lock);
    while (!c->stopping &&
           pthread_cond_clockwait(&c->stop, &c->lock, CLOCK_MONOTONIC, &deadline) == 0)
        ;
    bool go_on = !c->stopping;
    pthread_mutex_unlock(&c->lock);
    return go_on;
}

static void collect_garbage(struct chores *c)
{
    struct error e;
    struct skill_gc_report r;
    const struct skill_gc o = {.stop = is_stopping, .ctx = c};
    if (skill_gc(c->o.skills, &o, &r, &e) != ERR_OK)
        log_warn("garbage not collected", LOG_ERROR_FIELDS(&e));
    if (r.archives)
        log_info("garbage collected", LOG_INT("archives", (int64_t)r.archives),
                 LOG_INT("bytes", (int64_t)r.bytes));
}

static void *run(void *arg)
{
    struct chores *c = arg;
    uint32_t wait = MIN(c->o.gc_interval_s, (uint32_t)FIRST_S);
    while (wait_s(c, wait)) {
        collect_garbage(c);
        wait = c->o.gc_interval_s;
    }
    return NULL;
}

static void chores_free(struct chores *c)
{
    pthread_cond_destroy(&c->stop);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

enum err chores_start(const struct chores_options *o, struct chores **ret, struct error *e)
{
    struct chores *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL_NOMEM(e);
    c->o = *o;
    (void)pthread_mutex_init(&c->lock, NULL);
    (void)pthread_cond_init(&c->stop, NULL);
    enum err err = thread_start("chores", run, c, &c->thread, e);
    if (err != ERR_OK) {
        chores_free(c);
        return err;
    }
    *ret = c;
    return ERR_OK;
}

void chores_stop(struct chores *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_signal(&c->stop);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    chores_free(c);
}
