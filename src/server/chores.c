#include "server/chores.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/thread.h"
#include "server/dbcheck.h"
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

/* INT64_MAX: until it is told to stop. */
static bool wait_until(struct chores *c, int64_t at_ns)
{
    struct timespec deadline = {.tv_sec = at_ns / NS_PER_S, .tv_nsec = at_ns % NS_PER_S};
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

/* A pass begins with the database; one that was interrupted goes on with the archives. */
static uint64_t look_at_database(struct chores *c)
{
    struct error e;
    struct skill_scrub_state st;
    uint64_t findings = 0;
    if (skill_scrub_state(c->o.skills, &st, &e) == ERR_OK && st.started_ns)
        return 0;
    if (dbcheck_deep(is_stopping, c, &findings, &e) != ERR_OK)
        log_warn("database not looked at", LOG_ERROR_FIELDS(&e));
    return findings;
}

static void scrub(struct chores *c)
{
    struct error e;
    const struct skill_scrub o = {
        .rate = c->o.scrub_rate, .damaged = look_at_database(c), .stop = is_stopping, .ctx = c};
    if (skill_scrub(c->o.skills, &o, &e) != ERR_OK)
        log_warn("scrub ended early", LOG_ERROR_FIELDS(&e));
}

/* Seconds until the next pass: what was interrupted goes on soon. */
static int64_t scrub_wait_s(const struct chores *c)
{
    struct error ignored;
    struct skill_scrub_state st;
    uint32_t first = MIN(c->o.scrub_interval_s, (uint32_t)FIRST_S);
    if (skill_scrub_state(c->o.skills, &st, &ignored) != ERR_OK || st.started_ns)
        return first;
    int64_t due = (st.completed_ns - clock_real_ns()) / NS_PER_S + c->o.scrub_interval_s;
    return MIN(MAX(due, (int64_t)first), (int64_t)c->o.scrub_interval_s);
}

/* Monotonic times; INT64_MAX: never. */
struct due {
    int64_t gc_ns, scrub_ns;
};

static int64_t in_seconds(int64_t seconds)
{
    return clock_mono_ns() + seconds * NS_PER_S;
}

static void *run(void *arg)
{
    struct chores *c = arg;
    const struct chores_options *o = &c->o;
    struct due due = {
        .gc_ns =
            o->gc_interval_s ? in_seconds(MIN(o->gc_interval_s, (uint32_t)FIRST_S)) : INT64_MAX,
        .scrub_ns = o->scrub_interval_s ? in_seconds(scrub_wait_s(c)) : INT64_MAX,
    };
    while (wait_until(c, MIN(due.gc_ns, due.scrub_ns))) {
        if (clock_mono_ns() >= due.gc_ns) {
            collect_garbage(c);
            due.gc_ns = in_seconds(o->gc_interval_s);
        }
        if (clock_mono_ns() >= due.scrub_ns) {
            scrub(c);
            due.scrub_ns = in_seconds(scrub_wait_s(c));
        }
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
