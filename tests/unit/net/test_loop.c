#include "test.h"

#include "base/clock.h"
#include "base/macro.h"
#include "base/sys_net.h"
#include "base/thread.h"
#include "net/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static struct loop *new_loop(void)
{
    struct loop *l;
    struct error e;
    CHECK_OK(loop_new(&l, &e), &e);
    return l;
}

static void turn(struct loop *l, int ms)
{
    struct error e;
    CHECK_OK(loop_run_once(l, ms, &e), &e);
}

/* --- timers --- */

struct alarm_clock {
    struct timer timer;
    struct loop *loop;
    int id, fired;
    bool again;
};

static int fired_order[1000], n_fired;

static void ring(struct timer *t)
{
    struct alarm_clock *a = CONTAINER_OF(t, struct alarm_clock, timer);
    struct error e;
    CHECK_INT(t->at_ns, 0); /* not armed any more */
    a->fired++;
    fired_order[n_fired++ % 1000] = a->id;
    if (a->again)
        CHECK_OK(loop_timer_set(a->loop, t, loop_now(a->loop), &e), &e);
}

TEST(timers_fire_in_order)
{
    enum { N = 200 };
    struct loop *l = new_loop();
    struct error e;
    static struct alarm_clock a[N];
    int64_t start = loop_now(l);
    for (int i = 0; i < N; i++) { /* 7 and 200 have no common divisor: every place once */
        a[i] = (struct alarm_clock){.timer = {.fired = ring}, .loop = l, .id = i * 7 % N};
        CHECK_OK(loop_timer_set(l, &a[i].timer, start + a[i].id * 100000LL, &e), &e);
    }
    while (n_fired < N)
        turn(l, -1);
    CHECK(clock_mono_ns() - start >= (N - 1) * 100000LL);
    for (int i = 0; i < N; i++)
        CHECK_INT(fired_order[i], i);
    loop_free(l);
}

TEST(timers_can_be_moved_and_cancelled)
{
    struct loop *l = new_loop();
    struct error e;
    struct alarm_clock a = {.timer = {.fired = ring}, .id = 1};
    struct alarm_clock b = {.timer = {.fired = ring}, .id = 2};
    struct alarm_clock c = {.timer = {.fired = ring}, .id = 3};
    CHECK_OK(loop_timer_set(l, &a.timer, loop_now(l) + 5 * NS_PER_MS, &e), &e);
    CHECK_OK(loop_timer_set(l, &b.timer, loop_now(l) + 1 * NS_PER_MS, &e), &e);
    CHECK_OK(loop_timer_set(l, &c.timer, loop_now(l) + 2 * NS_PER_MS, &e), &e);
    CHECK_OK(loop_timer_set(l, &b.timer, loop_now(l) + 20 * NS_PER_MS, &e), &e); /* later */
    CHECK_OK(loop_timer_set(l, &a.timer, loop_now(l) + 1 * NS_PER_MS, &e), &e);  /* sooner */
    loop_timer_cancel(l, &c.timer);
    loop_timer_cancel(l, &c.timer); /* harmless */
    while (n_fired < 2)
        turn(l, -1);
    CHECK_INT(fired_order[0], 1);
    CHECK_INT(fired_order[1], 2);
    CHECK_INT(c.fired, 0);
    loop_free(l);
}

/* One that re-arms itself for "now" must not keep the loop from everything else. */
TEST(a_timer_cannot_starve_the_loop)
{
    struct loop *l = new_loop();
    struct error e;
    struct alarm_clock a = {.timer = {.fired = ring}, .loop = l, .again = true};
    CHECK_OK(loop_timer_set(l, &a.timer, loop_now(l), &e), &e);
    for (int i = 0; i < 100; i++)
        turn(l, 1000);
    CHECK(a.fired >= 50 && a.fired <= 100);
    loop_timer_cancel(l, &a.timer);
    loop_free(l);
}

TEST(run_once_waits_no_longer_than_told)
{
    struct loop *l = new_loop();
    int64_t start = clock_mono_ns();
    turn(l, 0);
    CHECK(clock_mono_ns() - start < 500 * NS_PER_MS);
    turn(l, 30);
    CHECK(clock_mono_ns() - start >= 29 * NS_PER_MS);
    CHECK(loop_now(l) >= start);
    loop_free(l);
}

/* --- descriptors --- */

struct end {
    struct watch watch;
    struct loop *loop;
    struct end *other; /* to be removed from inside ready */
    int n;
};

static void ready(struct watch *w, uint32_t events)
{
    struct end *x = CONTAINER_OF(w, struct end, watch);
    CHECK(events & EPOLLIN);
    x->n++;
    loop_unwatch(x->loop, w);
    if (x->other)
        loop_unwatch(x->loop, &x->other->watch);
}

/* Both are ready in the same turn; whoever comes first removes both. */
TEST(a_callback_may_remove_any_watch)
{
    struct loop *l = new_loop();
    struct error e;
    struct end a = {.loop = l}, b = {.loop = l, .other = &a};
    int p[2];
    CHECK(pipe(p) == 0);
    CHECK(write(p[1], "x", 1) == 1);
    a.other = &b;
    a.watch = (struct watch){.fd = p[0], .events = EPOLLIN, .ready = ready};
    b.watch = (struct watch){.fd = dup(p[0]), .events = EPOLLIN, .ready = ready};
    CHECK_OK(loop_watch(l, &a.watch, &e), &e);
    CHECK_OK(loop_watch(l, &b.watch, &e), &e);
    turn(l, 1000);
    turn(l, 0);
    CHECK_INT(a.n + b.n, 1);
    loop_free(l);
}

TEST(interest_can_change)
{
    struct loop *l = new_loop();
    struct error e;
    struct end a = {.loop = l};
    int p[2];
    CHECK(pipe(p) == 0);
    CHECK(write(p[1], "x", 1) == 1);
    a.watch = (struct watch){.fd = p[0], .events = 0, .ready = ready};
    CHECK_OK(loop_watch(l, &a.watch, &e), &e);
    turn(l, 10);
    CHECK_INT(a.n, 0);
    CHECK_OK(loop_watch_change(l, &a.watch, EPOLLIN, &e), &e);
    turn(l, 1000);
    CHECK_INT(a.n, 1);
    struct watch bad = {.fd = -1, .events = EPOLLIN, .ready = ready};
    CHECK_ERR(loop_watch(l, &bad, &e), ERR_RESOURCE_EXHAUSTED, &e);
    loop_free(l);
}

/* --- tasks --- */

struct note {
    struct task task;
    int *count;
    struct loop *repost;
};

static void run_note(struct task *t)
{
    struct note *n = CONTAINER_OF(t, struct note, task);
    struct loop *again = n->repost;
    ++*n->count;
    n->repost = NULL;
    if (again)
        loop_post(again, t);
    else
        free(n);
}

static void post(struct loop *l, int *count, bool twice)
{
    struct note *n = malloc(sizeof *n);
    CHECK(n);
    *n = (struct note){.task = {.run = run_note}, .count = count, .repost = twice ? l : NULL};
    loop_post(l, &n->task);
}

TEST(tasks_run_once_each)
{
    struct loop *l = new_loop();
    int count = 0;
    for (int i = 0; i < 10; i++)
        post(l, &count, i % 2);
    turn(l, 1000);
    CHECK_INT(count, 10);
    turn(l, 1000); /* those that posted themselves again */
    CHECK_INT(count, 15);
    post(l, &count, true);
    loop_free(l); /* runs what is left */
    CHECK_INT(count, 17);
}

#define POSTERS    4
#define EACH_POSTS 5000

struct poster {
    struct loop *loop;
    int *count;
};

static void *post_many(void *arg)
{
    struct poster *p = arg;
    for (int i = 0; i < EACH_POSTS; i++)
        post(p->loop, p->count, false);
    return NULL;
}

static void *run_loop(void *arg)
{
    struct error e;
    CHECK_OK(loop_run(arg, &e), &e);
    return NULL;
}

TEST(tasks_come_from_many_threads)
{
    struct loop *l = new_loop();
    struct error e;
    int count = 0;
    pthread_t runner, poster[POSTERS];
    struct poster p = {l, &count};
    CHECK_OK(thread_start("runner", run_loop, l, &runner, &e), &e);
    for (int i = 0; i < POSTERS; i++)
        CHECK_OK(thread_start("poster", post_many, &p, &poster[i], &e), &e);
    for (int i = 0; i < POSTERS; i++)
        CHECK(pthread_join(poster[i], NULL) == 0);
    loop_stop(l);
    CHECK(pthread_join(runner, NULL) == 0);
    loop_free(l);
    CHECK_INT(count, POSTERS * EACH_POSTS);
}

/* A stop must never be lost between the look at the flag and the sleep. */
TEST(stop_wakes_a_sleeping_loop)
{
    struct loop *l = new_loop();
    struct error e;
    for (int i = 0; i < 300; i++) {
        pthread_t runner;
        CHECK_OK(thread_start("runner", run_loop, l, &runner, &e), &e);
        if (i % 3 == 0)
            (void)usleep(200);
        loop_stop(l);
        CHECK(pthread_join(runner, NULL) == 0);
    }
    loop_free(l);
}

static void *look_at_signals(void *arg)
{
    sigset_t *mask = arg;
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, mask) == 0);
    return NULL;
}

TEST(threads_block_signals)
{
    pthread_t t;
    struct error e;
    sigset_t theirs, mine;
    CHECK_OK(thread_start("a name", look_at_signals, &theirs, &t, &e), &e);
    CHECK(pthread_join(t, NULL) == 0);
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mine) == 0);
    CHECK_INT(sigismember(&theirs, SIGTERM), 1);
    CHECK_INT(sigismember(&mine, SIGTERM), 0);
}
