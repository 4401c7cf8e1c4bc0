#include "server/chores.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/metric.h"
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
    struct counter gc_runs, gc_failures, gc_archives, gc_bytes;
    _Atomic int64_t gc_ended_ns; /* since the epoch; 0: none has yet */
    atomic_bool gc_running, scrub_running;
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
    atomic_store(&c->gc_running, true);
    if (skill_gc(c->o.skills, &o, &r, &e) != ERR_OK) {
        counter_add(&c->gc_failures, 1);
        log_warn("garbage not collected", LOG_ERROR_FIELDS(&e));
    }
    atomic_store(&c->gc_running, false);
    counter_add(&c->gc_runs, 1);
    counter_add(&c->gc_archives, r.archives);
    counter_add(&c->gc_bytes, r.bytes);
    atomic_store(&c->gc_ended_ns, clock_real_ns());
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
        atomic_store(&c->scrub_running, true);
        enum err err = scrub(c);
        atomic_store(&c->scrub_running, false);
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

/* --- what is told of them --- */

static void gc_metrics(const struct chores *c, struct buf *out)
{
    metric_one(out, "stigmer_gc_running", "gauge", "1 while garbage is collected.",
               atomic_load(&c->gc_running));
    metric_one(out, "stigmer_gc_runs_total", "counter", "Collections since the start.",
               (double)counter_get(&c->gc_runs));
    metric_one(out, "stigmer_gc_failures_total", "counter", "Of these, those that ended early.",
               (double)counter_get(&c->gc_failures));
    metric_one(out, "stigmer_gc_archives_total", "counter", "Archives removed.",
               (double)counter_get(&c->gc_archives));
    metric_one(out, "stigmer_gc_bytes_total", "counter", "Bytes of these archives.",
               (double)counter_get(&c->gc_bytes));
    metric_one(out, "stigmer_gc_last_end_timestamp_seconds", "gauge",
               "When the last collection ended; 0: none has since the start.",
               (double)atomic_load(&c->gc_ended_ns) / NS_PER_S);
}

static void scrub_metrics(const struct chores *c, struct buf *out)
{
    struct error ignored;
    struct skill_scrub_state st = {0};
    (void)skill_scrub_state(c->o.skills, &st, &ignored);
    metric_one(out, "stigmer_scrub_running", "gauge",
               "1 while what is stored is read again to find damage.",
               atomic_load(&c->scrub_running));
    metric_one(out, "stigmer_scrub_pass_archives", "gauge",
               "Archives read so far in the pass that is under way.", (double)st.archives);
    metric_one(out, "stigmer_scrub_pass_damaged", "gauge", "Of these, those found damaged.",
               (double)st.damaged);
    metric_one(out, "stigmer_scrub_last_pass_archives", "gauge",
               "Archives read in the last whole pass.", (double)st.last_archives);
    metric_one(out, "stigmer_scrub_last_pass_damaged", "gauge",
               "Damage that the last whole pass has found.", (double)st.last_damaged);
    metric_one(out, "stigmer_scrub_last_end_timestamp_seconds", "gauge",
               "When the last whole pass ended; 0: there was none.",
               (double)st.completed_ns / NS_PER_S);
}

void chores_metrics(const struct chores *c, struct buf *out)
{
    gc_metrics(c, out);
    scrub_metrics(c, out);
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
