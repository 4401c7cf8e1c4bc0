/* The writer over a backend that fails, or is slow, on command. */
#include "meta/backend.h"
#include "meta/meta.h"
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

static struct error e;

/* --- a backend that fails on command: memory with three calls of its own --- */

enum fault { FAULT_NONE, FAULT_BEGIN, FAULT_COMMIT_UNKNOWN, FAULT_COMMIT_FULL, FAULT_CHILD };

struct failing {
    struct meta_backend base;
    struct meta_ops ops;
    struct meta_backend *inner;
    _Atomic enum fault fault;
    atomic_int n_commits; /* of top transactions that held something */
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
    failing->inner->ops->abort(t);
    if (fault == FAULT_COMMIT_UNKNOWN)
        return FAIL_SYS(er, ERR_INTERNAL, EIO, "test.io", "/secret/path is broken");
    return FAIL(er, ERR_RESOURCE_EXHAUSTED, "test.full", "full");
}

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

static uint64_t last_sequence(struct meta *m)
{
    uint64_t n;
    CHECK_OK(meta_write(m, tick, &n, &e), &e);
    return n;
}

TEST(an_unknown_outcome_ends_all_writing)
{
    struct failing f;
    struct meta *m = open_failing(&f, NULL);
    uint64_t n;
    CHECK(meta_writable(m));
    f.fault = FAULT_COMMIT_UNKNOWN;
    CHECK_ERR(meta_write(m, tick, &n, &e), ERR_UNAVAILABLE, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("the server cannot write now"));
    CHECK(str_find_str(str_c(e.msg), STR("/secret")) < 0);
    CHECK_INT(e.sys, 0);
    CHECK(!meta_writable(m));
    f.fault = FAULT_NONE; /* even when the disk seems well again */
    CHECK_ERR(meta_write(m, tick, &n, &e), ERR_UNAVAILABLE, &e);
    CHECK_INT(f.n_commits, 1);
    struct meta_txn t = META_TXN_INIT;
    uint64_t live;
    CHECK_OK(meta_read_begin(m, &t, &e), &e);
    CHECK_OK(meta_live_count(&t, STR_NULL, &live, &e), &e); /* reading goes on */
    meta_read_end(&t);
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

TEST(a_child_that_cannot_commit_fails_alone)
{
    struct failing f;
    struct meta *m = open_failing(&f, NULL);
    uint64_t n;
    f.fault = FAULT_CHILD;
    CHECK_ERR(meta_write(m, tick, &n, &e), ERR_RESOURCE_EXHAUSTED, &e);
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
 * and the writer goes on. *ret_commits: how many commits the ten took. */
static void run_ten(size_t batch_max, enum fault fault, enum err want, int *ret_commits)
{
    struct failing f;
    struct meta_limits limits = {.queue_max = N_WAITING, .batch_max = batch_max};
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
    *ret_commits = f.n_commits - 1;
    meta_close(m);
}

TEST(what_waits_goes_into_one_commit)
{
    int n;
    run_ten(64, FAULT_NONE, ERR_OK, &n);
    CHECK_INT(n, 1);
}

TEST(a_batch_is_bounded)
{
    int n;
    run_ten(4, FAULT_NONE, ERR_OK, &n);
    CHECK_INT(n, 3);
    run_ten(1, FAULT_NONE, ERR_OK, &n);
    CHECK_INT(n, 10);
    run_ten(1000, FAULT_NONE, ERR_OK, &n);
    CHECK_INT(n, 1);
}

TEST(who_waits_behind_a_failed_commit_is_not_served)
{
    int n;
    run_ten(64, FAULT_COMMIT_UNKNOWN, ERR_UNAVAILABLE, &n);
    CHECK_INT(n, 0);
    CHECK_INT(holder.err, ERR_UNAVAILABLE);
}
