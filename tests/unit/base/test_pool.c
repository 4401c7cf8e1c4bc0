#include "base/pool.h"

#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

struct task {
    struct job job;
    int id;
    pthread_barrier_t *meet; /* may be NULL */
};

static _Atomic int n_run;
static int order[1000];

static void run_task(struct job *j)
{
    struct task *t = CONTAINER_OF(j, struct task, job);
    pthread_barrier_t *meet = t->meet;
    order[n_run++] = t->id;
    free(t);
    if (meet)
        pthread_barrier_wait(meet);
}

static struct task *new_task(int id, pthread_barrier_t *meet)
{
    struct task *t = calloc(1, sizeof *t);
    CHECK(t);
    *t = (struct task){.job.run = run_task, .id = id, .meet = meet};
    return t;
}

static struct pool *new_pool(unsigned n_threads, size_t max_queued)
{
    struct error e;
    struct pool *p = NULL;
    CHECK_OK(pool_new("test", n_threads, n_threads, max_queued, &p, &e), &e);
    return p;
}

TEST(one_thread_keeps_the_order)
{
    struct error e;
    struct pool *p = new_pool(1, 1000);
    for (int i = 0; i < 1000; i++)
        CHECK_OK(pool_submit(p, &new_task(i, NULL)->job, &e), &e);
    pool_free(p); /* what is queued runs first */
    CHECK_INT(n_run, 1000);
    for (int i = 0; i < 1000; i++)
        CHECK_INT(order[i], i);
}

TEST(threads_run_at_the_same_time)
{
    struct error e;
    pthread_barrier_t meet;
    struct pool *p = new_pool(8, 8);
    pthread_barrier_init(&meet, NULL, 9); /* nobody passes until eight jobs run at once */
    for (int i = 0; i < 8; i++)
        CHECK_OK(pool_submit(p, &new_task(i, &meet)->job, &e), &e);
    pthread_barrier_wait(&meet);
    pool_free(p);
    CHECK_INT(n_run, 8);
    pthread_barrier_destroy(&meet);
}

TEST(a_full_queue_pushes_back)
{
    struct error e;
    pthread_barrier_t meet;
    struct pool *p = new_pool(1, 2);
    pthread_barrier_init(&meet, NULL, 2);
    CHECK_OK(pool_submit(p, &new_task(0, &meet)->job, &e), &e);
    while (n_run == 0)
        usleep(1000); /* the worker holds it now; the queue is empty */
    CHECK_OK(pool_submit(p, &new_task(1, NULL)->job, &e), &e);
    CHECK_OK(pool_submit(p, &new_task(2, NULL)->job, &e), &e);
    struct task *refused = new_task(3, NULL);
    CHECK_ERR(pool_submit(p, &refused->job, &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("try again"));
    pthread_barrier_wait(&meet);
    while (n_run < 3)
        usleep(1000);
    CHECK_OK(pool_submit(p, &refused->job, &e), &e); /* still ours, so it can be tried again */
    pool_free(p);
    CHECK_INT(n_run, 4);
    pthread_barrier_destroy(&meet);
}

static void *submit_many(void *arg)
{
    struct error e;
    for (int i = 0; i < 100; i++)
        CHECK_OK(pool_submit(arg, &new_task(i, NULL)->job, &e), &e);
    return NULL;
}

TEST(any_thread_submits)
{
    pthread_t t[8];
    struct pool *p = new_pool(4, 1000);
    for (size_t i = 0; i < ARRAY_SIZE(t); i++)
        CHECK_INT(pthread_create(&t[i], NULL, submit_many, p), 0);
    for (size_t i = 0; i < ARRAY_SIZE(t); i++)
        pthread_join(t[i], NULL);
    pool_free(p);
    CHECK_INT(n_run, 800);
}

TEST(one_to_sixty_four_threads)
{
    struct error e;
    struct pool *p = NULL;
    CHECK_ERR(pool_new("test", 0, 0, 1, &p, &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_ERR(pool_new("test", 3, 2, 1, &p, &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_ERR(pool_new("test", 1, 65, 1, &p, &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("64"));
    pool_free(new_pool(64, 1));
    pool_free(new_pool(1, 1));
    pool_free(NULL);
}

static char worker_name[16];
static int worker_takes_sigterm = -1;

static void look_around(struct job *j)
{
    sigset_t blocked;
    (void)j;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    worker_takes_sigterm = !sigismember(&blocked, SIGTERM);
    while (strcmp(worker_name, "look") != 0) /* its name is set by who started it */
        CHECK_INT(prctl(PR_GET_NAME, worker_name), 0);
}

TEST(workers_are_named_and_leave_signals_to_others)
{
    struct error e;
    struct pool *p = NULL;
    struct job j = {.run = look_around};
    sigset_t mine;
    CHECK_OK(pool_new("look", 1, 1, 1, &p, &e), &e);
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    CHECK(!sigismember(&mine, SIGTERM));
    CHECK_OK(pool_submit(p, &j, &e), &e);
    pool_free(p);
    CHECK_INT(worker_takes_sigterm, 0);
    CHECK_STR(str_c(worker_name), STR("look"));
}

/* --- jobs that wait --- */

struct waiting {
    struct job job;
    bool says_so;
    pthread_barrier_t *meet;
};

static _Atomic int n_inside, most_inside;

static void run_waiting(struct job *j)
{
    const struct waiting *w = CONTAINER_OF(j, struct waiting, job);
    int inside = ++n_inside;
    if (inside > most_inside)
        most_inside = inside;
    if (w->says_so)
        pool_wait_begin();
    if (w->meet)
        pthread_barrier_wait(w->meet);
    else
        usleep(2000);
    if (w->says_so)
        pool_wait_end();
    n_inside--;
}

static void run_all(unsigned n_active, unsigned n_threads, struct waiting *jobs, size_t n)
{
    struct error e;
    struct pool *p = NULL;
    CHECK_OK(pool_new("test", n_active, n_threads, n, &p, &e), &e);
    for (size_t i = 0; i < n; i++)
        CHECK_OK(pool_submit(p, &jobs[i].job, &e), &e);
    pool_free(p);
}

TEST(no_more_than_n_active_run)
{
    struct waiting jobs[40];
    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
        jobs[i] = (struct waiting){.job.run = run_waiting};
    run_all(3, 16, jobs, ARRAY_SIZE(jobs));
    CHECK_INT(most_inside, 3);
}

TEST(who_waits_lets_others_run)
{
    pthread_barrier_t meet; /* of all of them: it opens only when each has begun */
    struct waiting jobs[8];
    pthread_barrier_init(&meet, NULL, ARRAY_SIZE(jobs));
    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
        jobs[i] = (struct waiting){.job.run = run_waiting, .says_so = true, .meet = &meet};
    run_all(1, 8, jobs, ARRAY_SIZE(jobs));
    CHECK_INT(most_inside, 8);
    CHECK_INT(n_inside, 0);
}

TEST(waiting_elsewhere_means_nothing)
{
    pool_wait_begin();
    pool_wait_end();
}
