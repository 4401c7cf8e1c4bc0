#include "server/chores.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/thread.h"
#include "server/dbcheck.h"
#include "server/stopper.h"
#include "skill/skill.h"

#include <stdlib.h>

/* After the start, which has other things to do; a server that is restarted daily collects, too. */
#define FIRST_S 600

struct chores {
    struct chores_options o;
    pthread_t thread;
    struct stopper stopper;
    /* Of the thread: when what is to be done, monotonic; INT64_MAX: never. */
    int64_t gc_ns, scrub_ns;
};

static bool is_stopping(void *arg)
{
    struct chores *c = arg;
    return stopper_is_told(&c->stopper);
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

/* A pass over large archives takes days; collections do not wait for it. */
static bool is_interrupted(void *arg)
{
    struct chores *c = arg;
    return is_stopping(c) || clock_mono_ns() >= c->gc_ns;
}

static enum err scrub(struct chores *c)
{
    struct error e;
    const struct skill_scrub o = {
        .rate = c->o.scrub_rate, .damaged = look_at_database(c), .stop = is_interrupted, .ctx = c};
    enum err err = skill_scrub(c->o.skills, &o, &e);
    if (err != ERR_OK)
        log_warn("scrub ended early", LOG_ERROR_FIELDS(&e));
    return err;
}

static int64_t in_seconds(int64_t seconds)
{
    return clock_mono_ns() + seconds * NS_PER_S;
}

/* When the next pass is due; one that is under way soon goes on. */
static int64_t scrub_due(const struct chores *c, uint32_t soon_s)
{
    struct error ignored;
    struct skill_scrub_state st;
    int64_t interval = c->o.scrub_interval_s, soon = MIN(interval, (int64_t)soon_s);
    if (skill_scrub_state(c->o.skills, &st, &ignored) != ERR_OK || st.started_ns)
        return in_seconds(soon);
    int64_t left = (st.completed_ns - clock_real_ns()) / NS_PER_S + interval;
    return in_seconds(MIN(MAX(left, soon), interval));
}

static void do_what_is_due(struct chores *c)
{
    if (clock_mono_ns() >= c->gc_ns) {
        collect_garbage(c);
        c->gc_ns = in_seconds(c->o.gc_interval_s);
    }
    if (clock_mono_ns() >= c->scrub_ns) {
        enum err err = scrub(c);
        c->scrub_ns = scrub_due(c, err == ERR_OK ? 0 : FIRST_S);
    }
}

static void *run(void *arg)
{
    struct chores *c = arg;
    const struct chores_options *o = &c->o;
    c->gc_ns = o->gc_interval_s ? in_seconds(MIN(o->gc_interval_s, (uint32_t)FIRST_S)) : INT64_MAX;
    c->scrub_ns = o->scrub_interval_s ? scrub_due(c, FIRST_S) : INT64_MAX;
    while (stopper_wait(&c->stopper, MIN(c->gc_ns, c->scrub_ns)))
        do_what_is_due(c);
    return NULL;
}

static void chores_free(struct chores *c)
{
    stopper_deinit(&c->stopper);
    free(c);
}

enum err chores_start(const struct chores_options *o, struct chores **ret, struct error *e)
{
    struct chores *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL_NOMEM(e);
    c->o = *o;
    stopper_init(&c->stopper);
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
    stopper_tell(&c->stopper);
    pthread_join(c->thread, NULL);
    chores_free(c);
}
