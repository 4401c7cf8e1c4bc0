/* The writer over a backend that fails, or is slow, on command. */
#include "meta/backend.h"
#include "meta/meta.h"
#include "meta/record.h"
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

static struct error e;

/* --- a backend that fails on command: memory with three calls of its own --- */

enum fault {
    FAULT_NONE,
    FAULT_BEGIN,
    FAULT_COMMIT_UNKNOWN, /* and every later one */
    FAULT_COMMIT_ONCE,
    FAULT_COMMIT_NO_SPACE, /* once */
    FAULT_COMMIT_FULL,
    FAULT_CHILD,
};

struct failing {
    struct meta_backend base;
    struct meta_ops ops;
    struct meta_backend *inner;
    _Atomic enum fault fault;
    atomic_bool kept;      /* the commit that fails is there all the same */
    atomic_bool no_reopen; /* the database cannot be opened again */
    atomic_bool no_room;
    atomic_int n_commits; /* of top transactions that held something */
    atomic_int n_reopens;
};

static struct failing *failing; /* one at a time: commit knows its transaction only */

static void failing_close(struct meta_backend *b)
{
    (void)b;
    failing->inner->ops->close(failing->inner);
}

static enum err failing_begin_read(struct meta_backend *b, struct meta_btxn **ret, struct error *er)
{
    (void)b;
    return failing->inner->ops->begin_read(failing->inner, ret, er);
}

static _Thread_local bool in_child;

static enum err failing_begin_write(struct meta_backend *b, struct meta_btxn *parent,
                                    struct meta_btxn **ret, struct error *er)
{
    (void)b;
    if (failing->fault == FAULT_BEGIN && !parent)
        return FAIL(er, ERR_INTERNAL, "test.begin", "no transaction");
    in_child = parent != NULL;
    return failing->inner->ops->begin_write(failing->inner, parent, ret, er);
}

static enum err failing_commit(struct meta_btxn *t, struct error *er)
{
    bool child = in_child;
    enum fault fault = failing->fault;
    in_child = false;
    if (!child)
        failing->n_commits++;
    if (fault == FAULT_NONE || (fault == FAULT_CHILD) != child)
        return failing->inner->ops->commit(t, er);
    if (failing->kept)
        CHECK_OK(failing->inner->ops->commit(t, er), er);
    else
        failing->inner->ops->abort(t);
    if (fault == FAULT_COMMIT_ONCE || fault == FAULT_COMMIT_NO_SPACE)
        failing->fault = FAULT_NONE;
    if (fault == FAULT_COMMIT_UNKNOWN || fault == FAULT_COMMIT_ONCE)
        return FAIL_SYS(er, ERR_INTERNAL, EIO, "test.io", "/secret/path is broken");
    if (fault == FAULT_COMMIT_NO_SPACE)
        return FAIL_SYS(er, ERR_RESOURCE_EXHAUSTED, ENOSPC, "test.io", "/secret/path is full");
    return FAIL(er, ERR_RESOURCE_EXHAUSTED, "test.full", "full");
}

static enum err failing_reopen(struct meta_backend *b, bool *ret_kept, struct error *er)
{
    (void)b;
    failing->n_reopens++;
    if (failing->no_reopen)
        return FAIL_SYS(er, ERR_INTERNAL, EIO, "test.reopen", "/secret/path cannot be opened");
    *ret_kept = failing->kept;
    return ERR_OK;
}

static enum err failing_room(struct meta_backend *b, struct error *er)
{
    (void)b;
    return failing->no_room ? FAIL(er, ERR_RESOURCE_EXHAUSTED, "test.room", "no room") : ERR_OK;
}

/* It tries to recover ten times a second. */
static const struct meta_limits impatient = {
    .queue_max = 1024,
    .batch_max = META_BATCH_MAX,
    .batch_ns = NS_PER_S,
    .retry_ns = 100 * NS_PER_MS,
    .verify_ns = 10 * NS_PER_S,
};

static struct meta *open_failing(struct failing *f, const struct meta_limits *limits)
{
    struct meta *m = NULL;
    *f = (struct failing){0};
    CHECK_OK(meta_mem_new(&f->inner, &e), &e);
    f->ops = *f->inner->ops;
    f->ops.close = failing_close;
    f->ops.begin_read = failing_begin_read;
    f->ops.begin_write = failing_begin_write;
    f->ops.commit = failing_commit;
    f->ops.reopen = failing_reopen;
    f->ops.room = failing_room;
    f->base.ops = &f->ops;
    failing = f;
    CHECK_OK(meta_new(&f->base, limits, &m, &e), &e);
    f->n_commits = 0;
    return m;
}

/* --- closures --- */

static enum err tick(struct meta_txn *t, void *arg, struct error *er)
{
    int64_t time;
    return meta_next(t, 1, arg, &time, er);
}

static enum err put_event(struct meta_txn *t, void *arg, struct error *er)
{
    struct meta_event ev = {.sequence = 1000 + (uint64_t) * (int *)arg, .what = STR("test")};
    return meta_event_add(t, &ev, er);
}

static uint64_t last_sequence(struct meta *m)
{
    uint64_t n;
    CHECK_OK(meta_write(m, tick, &n, &e), &e);
    return n;
}

static void wait_until_writable(struct meta *m)
{
    while (!meta_writable(m))
        nanosleep(&(struct timespec){.tv_nsec = 5 * NS_PER_MS}, NULL);
}

/* No path of this machine, no errno: it goes to clients. */
static void check_for_clients(const char *part)
{
    CHECK_CONTAINS(str_c(e.msg), str_c(part));
    CHECK(str_find_str(str_c(e.msg), STR("/secret")) < 0);
    CHECK_INT(e.sys, 0);
}

TEST(after_a_failed_commit_nothing_is_written_until_the_disk_is_well)
{
    struct failing f;
    struct meta *m = open_failing(&f, &impatient);
    struct meta_txn t = META_TXN_INIT;
    uint64_t n, live;
    CHECK(meta_writable(m));
    CHECK_INT(meta_failures(m), 0);
    f.fault = FAULT_COMMIT_UNKNOWN;
    CHECK_ERR(meta_write(m, tick, &n, &e), ERR_UNAVAILABLE, &e);
    check_for_clients("this change was not made");
    CHECK_ERR(meta_write(m, tick, &n, &e), ERR_UNAVAILABLE, &e);
    check_for_clients("the server is read-only");
    CHECK_ERR(meta_write_freeing(m, tick, &n, &e), ERR_UNAVAILABLE, &e);
    CHECK_ERR(meta_ready(m, true, &e), ERR_UNAVAILABLE, &e);
    CHECK(!meta_writable(m));
    CHECK_INT(meta_failures(m), 1);
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    CHECK_OK(meta_live_count(&t, STR_NULL, &live, &e), &e); /* reading goes on */
    meta_read_end(&t);
    CHECK(f.n_reopens >= 1);
    f.fault = FAULT_NONE; /* it is tried without anybody asking */
    wait_until_writable(m);
    CHECK_OK(meta_ready(m, true, &e), &e);
    CHECK_INT(last_sequence(m), 1); /* nothing of what was refused was kept */
    meta_close(m);
}

TEST(a_commit_that_fails_once_is_recovered_from_before_the_next)
{
    struct failing f;
    struct meta *m = open_failing(&f, NULL);
    uint64_t n;
    for (uint64_t round = 1; round <= 3; round++) {
        f.fault = FAULT_COMMIT_ONCE;
        CHECK_ERR(meta_write(m, tick, &n, &e), ERR_UNAVAILABLE, &e);
        CHECK_INT(last_sequence(m), round);
        CHECK_INT(f.n_reopens, round);
        CHECK_INT(meta_failures(m), round);
    }
    meta_close(m);
}

TEST(a_failed_commit_that_was_kept_is_not_acknowledged_either)
{
    struct failing f;
    struct meta *m = open_failing(&f, NULL);
    uint64_t n;
    f.kept = true;
    f.fault = FAULT_COMMIT_ONCE;
    CHECK_ERR(meta_write(m, tick, &n, &e), ERR_UNAVAILABLE, &e);
    check_for_clients("whether this change was kept is not known");
    CHECK_INT(last_sequence(m), 2);
    meta_close(m);
}

TEST(a_database_that_cannot_be_opened_again_stays_read_only)
{
    struct failing f;
    struct meta *m = open_failing(&f, &impatient);
    uint64_t n;
    f.no_reopen = true;
    f.fault = FAULT_COMMIT_ONCE;
    CHECK_ERR(meta_write(m, tick, &n, &e), ERR_UNAVAILABLE, &e);
    check_for_clients("whether this change was kept is not known");
    CHECK_ERR(meta_write(m, tick, &n, &e), ERR_UNAVAILABLE, &e);
    check_for_clients("the server is read-only");
    f.no_reopen = false;
    wait_until_writable(m);
    CHECK_INT(last_sequence(m), 1);
    meta_close(m);
}

/* Of a record put behind the back of the checksums. */
static enum err damage(struct meta_txn *t, void *arg, struct error *er)
{
    str value = *(const bool *)arg ? STR("no checksum here") : STR_NULL;
    if (value.len)
        return t->b->ops->put(t->b, META_EVENTS, STR("k"), value, er);
    return t->b->ops->del(t->b, META_EVENTS, STR("k"), er);
}

TEST(a_database_with_a_damaged_record_is_not_written_after_a_failure)
{
    struct failing f;
    struct meta *m = open_failing(&f, &impatient);
    bool yes = true;
    uint64_t n;
    CHECK_OK(meta_write(m, damage, &yes, &e), &e);
    f.fault = FAULT_COMMIT_ONCE;
    CHECK_ERR(meta_write(m, tick, &n, &e), ERR_UNAVAILABLE, &e);
    CHECK_ERR(meta_write(m, tick, &n, &e), ERR_UNAVAILABLE, &e);
    check_for_clients("the server is read-only");
    CHECK(!meta_writable(m));
    meta_close(m);
}

TEST(who_waits_is_refused_when_reading_everything_takes_long)
{
    struct failing f;
    struct meta_limits limits = impatient;
    limits.verify_ns = 0;
    struct meta *m = open_failing(&f, &limits);
    uint64_t n;
    for (int i = 0; i < 300; i++)
        CHECK_OK(meta_write(m, put_event, &i, &e), &e);
    f.fault = FAULT_COMMIT_ONCE;
    CHECK_ERR(meta_write(m, tick, &n, &e), ERR_UNAVAILABLE, &e);
    wait_until_writable(m); /* it is read to the end all the same */
    CHECK_INT(last_sequence(m), 1);
    meta_close(m);
}

TEST(no_space_for_a_commit_is_told_as_that)
{
    struct failing f;
    struct meta *m = open_failing(&f, NULL);
    uint64_t n;
    f.fault = FAULT_COMMIT_NO_SPACE;
    CHECK_ERR(meta_write(m, tick, &n, &e), ERR_RESOURCE_EXHAUSTED, &e);
    check_for_clients("the disk of the server's database is full");
    CHECK_INT(f.n_reopens, 1);
    CHECK_INT(last_sequence(m), 1);
    meta_close(m);
}

TEST(what_makes_room_is_taken_when_there_is_none)
{
    struct failing f;
    struct meta *m = open_failing(&f, NULL);
    uint64_t n;
    f.no_room = true;
    CHECK_ERR(meta_ready(m, true, &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_OK(meta_ready(m, false, &e), &e);
    CHECK_ERR(meta_write(m, tick, &n, &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_STR(str_c(e.msg), STR("no room"));
    CHECK_OK(meta_write_freeing(m, tick, &n, &e), &e);
    CHECK(meta_writable(m));
    f.no_room = false;
    CHECK_OK(meta_ready(m, true, &e), &e);
    CHECK_INT(last_sequence(m), 2);
    meta_close(m);
}

TEST(a_full_database_refuses_and_goes_on)
{
    struct failing f;
    struct meta *m = open_failing(&f, NULL);
    uint64_t n;
    f.fault = FAULT_COMMIT_FULL;
    CHECK_ERR(meta_write(m, tick, &n, &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_STR(str_c(e.msg), STR("full"));
    CHECK(meta_writable(m));
    f.fault = FAULT_NONE;
    CHECK_INT(last_sequence(m), 1);
    meta_close(m);
}

TEST(a_transaction_that_cannot_begin_is_an_error_and_no_more)
{
    struct failing f;
    struct meta *m = open_failing(&f, NULL);
    uint64_t n;
    f.fault = FAULT_BEGIN;
    CHECK_ERR(meta_write(m, tick, &n, &e), ERR_INTERNAL, &e);
    f.fault = FAULT_NONE;
    CHECK_INT(last_sequence(m), 1);
    meta_close(m);
}

/* Writes, and fails the first time: then it is run again, apart. */
static enum err fail_once(struct meta_txn *t, void *arg, struct error *er)
{
    uint64_t n, *runs = arg;
    TRY(tick(t, &n, er));
    return ++*runs == 1 ? FAIL(er, ERR_ABORTED, "test.once", "not yet") : ERR_OK;
}

TEST(a_child_that_cannot_commit_fails_alone)
{
    struct failing f;
    struct meta *m = open_failing(&f, NULL);
    uint64_t runs = 0;
    f.fault = FAULT_CHILD;
    CHECK_ERR(meta_write(m, fail_once, &runs, &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_INT(runs, 2);
    f.fault = FAULT_NONE;
    CHECK(meta_writable(m));
    CHECK_INT(last_sequence(m), 1);
    meta_close(m);
}

/* --- queue and batches --- */

static sem_t entered, leave;

static enum err hold(struct meta_txn *t, void *arg, struct error *er)
{
    (void)t, (void)arg, (void)er;
    sem_post(&entered);
    sem_wait(&leave);
    return ERR_OK;
}

struct caller {
    pthread_t thread;
    struct meta *m;
    meta_fn *fn;
    enum err err;
    struct error e;
    uint64_t n;
};

static sem_t refused;

static void *call(void *arg)
{
    struct caller *c = arg;
    c->err = meta_write(c->m, c->fn, &c->n, &c->e);
    if (c->err == ERR_RESOURCE_EXHAUSTED)
        sem_post(&refused);
    return NULL;
}

static void start(struct caller *c, struct meta *m, meta_fn *fn)
{
    *c = (struct caller){.m = m, .fn = fn};
    CHECK(pthread_create(&c->thread, NULL, call, c) == 0);
}

enum { N_WAITING = 10, N_CALLERS = N_WAITING + 1 };

static struct caller holder, callers[N_CALLERS];

/* One caller holds the writer while ten wait and an eleventh is refused; then the fault sets in
 * and the writer goes on. *ret_commits: how many commits the eleven took. */
static void run_ten(size_t batch_max, int64_t batch_ns, enum fault fault, enum err want,
                    int *ret_commits)
{
    struct failing f;
    struct meta_limits limits = impatient;
    limits.queue_max = N_WAITING;
    limits.batch_max = batch_max;
    limits.batch_ns = batch_ns;
    struct meta *m = open_failing(&f, &limits);
    int n_refused = 0;
    sem_init(&entered, 0, 0);
    sem_init(&leave, 0, 0);
    sem_init(&refused, 0, 0);
    start(&holder, m, hold);
    sem_wait(&entered);
    for (int i = 0; i < N_CALLERS; i++)
        start(&callers[i], m, tick);
    sem_wait(&refused); /* so ten wait */
    f.fault = fault;
    sem_post(&leave);
    pthread_join(holder.thread, NULL);
    for (int i = 0; i < N_CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        bool was_refused = callers[i].err == ERR_RESOURCE_EXHAUSTED;
        n_refused += was_refused;
        CHECK(was_refused || callers[i].err == want);
        CHECK_CONTAINS(was_refused ? str_c(callers[i].e.msg) : STR("10 changes wait already"),
                       STR("10 changes wait already"));
    }
    CHECK_INT(n_refused, 1);
    *ret_commits = f.n_commits;
    meta_close(m);
}

TEST(what_arrives_while_a_batch_runs_joins_it)
{
    int n;
    run_ten(64, NS_PER_S * 100, FAULT_NONE, ERR_OK, &n);
    CHECK_INT(n, 1);
}

/* --- what has to be undone --- */

static _Atomic int n_ticks;

static enum err counted_tick(struct meta_txn *t, void *arg, struct error *er)
{
    n_ticks++;
    return tick(t, arg, er);
}

static enum err write_and_fail(struct meta_txn *t, void *arg, struct error *er)
{
    TRY(tick(t, arg, er));
    return FAIL(er, ERR_ABORTED, "test.abort", "on purpose");
}

static enum err only_fail(struct meta_txn *t, void *arg, struct error *er)
{
    (void)t, (void)arg;
    return FAIL(er, ERR_NOT_FOUND, "test.none", "there is none");
}

static enum err damaged(struct meta_txn *t, void *arg, struct error *er)
{
    (void)t, (void)arg;
    return FAIL(er, ERR_DATA_LOSS, "test.damaged", "damaged");
}

static size_t n_waiting(struct meta *m)
{
    pthread_mutex_lock(&m->writer.lock);
    size_t n = m->writer.n_queued;
    pthread_mutex_unlock(&m->writer.lock);
    return n;
}

/* Three good closures with fn between them, in one batch. */
static void run_with(meta_fn *fn, enum err want, int *ret_ticks)
{
    struct failing f;
    struct meta *m = open_failing(&f, &impatient);
    meta_fn *const fns[] = {counted_tick, fn, counted_tick, counted_tick};
    sem_init(&entered, 0, 0);
    sem_init(&leave, 0, 0);
    n_ticks = 0;
    start(&holder, m, hold);
    sem_wait(&entered);
    for (size_t i = 0; i < ARRAY_SIZE(fns); i++) {
        start(&callers[i], m, fns[i]);
        while (n_waiting(m) <= i)
            sched_yield();
    }
    sem_post(&leave);
    sem_post(&leave); /* it may run again */
    pthread_join(holder.thread, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(fns); i++) {
        pthread_join(callers[i].thread, NULL);
        CHECK_INT(callers[i].err, i == 1 ? want : ERR_OK);
    }
    CHECK_INT(f.n_commits, 1);
    CHECK_INT(callers[3].n, 3); /* what was undone took no number */
    CHECK_INT(last_sequence(m), 4);
    *ret_ticks = n_ticks;
    meta_close(m);
}

TEST(who_fails_after_writing_makes_all_run_again)
{
    int n;
    run_with(write_and_fail, ERR_ABORTED, &n);
    CHECK_INT(n, 1 + 3); /* one before the failure, then all */
}

TEST(so_does_who_finds_damage)
{
    int n;
    run_with(damaged, ERR_DATA_LOSS, &n);
    CHECK_INT(n, 1 + 3);
}

TEST(who_fails_before_writing_does_not)
{
    int n;
    run_with(only_fail, ERR_NOT_FOUND, &n);
    CHECK_INT(n, 3);
}

TEST(a_batch_is_bounded)
{
    int n;
    run_ten(4, NS_PER_S * 100, FAULT_NONE, ERR_OK, &n);
    CHECK_INT(n, 3);
    run_ten(1, NS_PER_S * 100, FAULT_NONE, ERR_OK, &n);
    CHECK_INT(n, 11);
    run_ten(1000, NS_PER_S * 100, FAULT_NONE, ERR_OK, &n);
    CHECK_INT(n, 1);
}

TEST(a_batch_that_takes_long_is_ended)
{
    int n;
    run_ten(64, 0, FAULT_NONE, ERR_OK, &n);
    CHECK_INT(n, 11);
}

TEST(who_shares_a_failed_commit_or_waits_behind_it_is_not_served)
{
    int n;
    run_ten(64, NS_PER_S * 100, FAULT_COMMIT_UNKNOWN, ERR_UNAVAILABLE, &n);
    CHECK_INT(holder.err, ERR_UNAVAILABLE);
    run_ten(1, NS_PER_S * 100, FAULT_COMMIT_UNKNOWN, ERR_UNAVAILABLE, &n);
    CHECK_INT(holder.err, ERR_UNAVAILABLE);
}
