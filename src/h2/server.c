#include "h2/session.h"

#include "base/log.h"
#include "base/macro.h"
#include "base/sys.h"
#include "base/thread.h"
#include "net/listener.h"
#include "net/tls.h"

#include <semaphore.h>
#include <stdlib.h>

#define MAX_LOOPS     64
#define MAX_LISTENERS 16

/* One loop thread with its connections. */
struct worker {
    struct h2_env env;
    struct h2_server *server;
    pthread_t thread;
    bool started;
    bool draining;
    struct task drain;
    struct timer deadline;
};

/* The first loop accepts and deals connections out in turn: with a listening socket per loop the
 * kernel's hash would leave loops idle, and those waiting at a socket that closes would be lost. */
struct h2_server {
    struct h2_shared shared;
    struct tls_server *tls;
    struct admit *admit;
    bool share_port;
    struct listener *listeners[MAX_LISTENERS];
    size_t n_listeners;
    struct task close_listeners;
    sem_t listeners_closed;
    bool running;
    int64_t drain_ms;
    unsigned n_workers, next;
    struct worker workers[];
};

/* --- connections --- */

/* An accepted socket on its way to its loop. */
struct arrival {
    struct task task;
    struct worker *worker;
    int fd;
    struct sys_address peer;
};

static enum err open_conn(struct worker *w, int fd, const struct sys_address *peer,
                          struct h2_conn **ret, struct error *e)
{
    struct tls *tls = NULL;
    enum err err = w->server->tls ? tls_accept(w->server->tls, &tls, e) : ERR_OK;
    if (err != ERR_OK) {
        sys_closep(&fd);
        return err;
    }
    return h2_conn_open(&w->env, fd, peer, tls, ret, e);
}

static void take_conn(struct worker *w, int fd, const struct sys_address *peer)
{
    struct h2_conn *hc;
    struct error e;
    if (open_conn(w, fd, peer, &hc, &e) != ERR_OK) {
        log_warn("connection dropped", LOG_ERROR_FIELDS(&e));
        admit_leave(w->server->admit, peer);
    } else if (w->draining) {
        h2_conn_drain(hc);
    }
}

static void arrive(struct task *t)
{
    struct arrival *a = CONTAINER_OF(t, struct arrival, task);
    take_conn(a->worker, a->fd, &a->peer);
    free(a);
}

static void deal(void *ctx, int fd, const struct sys_address *peer)
{
    struct h2_server *s = ctx;
    struct worker *w = &s->workers[s->next++ % s->n_workers];
    struct arrival *a = w == s->workers ? NULL : malloc(sizeof *a);
    if (!a) { /* ours, or no memory to hand it on */
        take_conn(s->workers, fd, peer);
        return;
    }
    *a = (struct arrival){.task = {.run = arrive}, .worker = w, .fd = fd, .peer = *peer};
    loop_post(w->env.loop, &a->task);
}

static void conn_closed(struct h2_env *env, struct h2_conn *hc, const struct error *why)
{
    struct worker *w = CONTAINER_OF(env, struct worker, env);
    char peer[SYS_ADDRESS_TEXT];
    sys_address_format(&hc->peer, peer);
    log_debug("connection closed", LOG_C("peer", peer), LOG_C("why", why->msg));
    admit_leave(w->server->admit, &hc->peer);
    if (w->draining && env->n_conns == 0)
        loop_stop(env->loop);
}

/* --- stopping --- */

static void run_close_listeners(struct task *t)
{
    struct h2_server *s = CONTAINER_OF(t, struct h2_server, close_listeners);
    while (s->n_listeners)
        listener_free(s->listeners[--s->n_listeners]);
    (void)sem_post(&s->listeners_closed);
}

static void kill_all(struct timer *t)
{
    struct worker *w = CONTAINER_OF(t, struct worker, deadline);
    struct error why;
    (void)FAIL(&why, ERR_UNAVAILABLE, "h2.stopped", "the server has stopped");
    if (w->env.n_conns)
        log_warn("connections cut: the time to drain is over",
                 LOG_INT("connections", w->env.n_conns));
    while (!list_empty(&w->env.conns))
        h2_conn_kill(CONTAINER_OF(w->env.conns.next, struct h2_conn, link), NGHTTP2_CANCEL, &why);
    loop_stop(w->env.loop);
}

static void run_drain(struct task *t)
{
    struct worker *w = CONTAINER_OF(t, struct worker, drain);
    struct error e;
    int64_t at = loop_now(w->env.loop) + w->server->drain_ms * NS_PER_MS;
    w->draining = true;
    LIST_FOR_EACH (n, &w->env.conns)
        h2_conn_drain(CONTAINER_OF(n, struct h2_conn, link));
    if (loop_timer_set(w->env.loop, &w->deadline, at, &e) != ERR_OK)
        kill_all(&w->deadline);
    else if (w->env.n_conns == 0)
        loop_stop(w->env.loop);
}

static void join_workers(struct h2_server *s)
{
    for (unsigned i = 0; i < s->n_workers; i++) {
        struct worker *w = &s->workers[i];
        if (w->started)
            pthread_join(w->thread, NULL);
        w->started = false;
        loop_timer_cancel(w->env.loop, &w->deadline);
    }
    s->running = false;
}

void h2_server_stop(struct h2_server *s, int64_t drain_ms)
{
    if (!s->running)
        return;
    s->drain_ms = drain_ms;
    /* First nobody comes in any more, so that no connection is dealt to a loop that has ended. */
    loop_post(s->workers[0].env.loop, &s->close_listeners);
    while (sem_wait(&s->listeners_closed) != 0)
        ; /* interrupted by a signal */
    for (unsigned i = 0; i < s->n_workers; i++)
        loop_post(s->workers[i].env.loop, &s->workers[i].drain);
    join_workers(s);
}

/* --- starting --- */

static enum err worker_init(struct h2_server *s, struct worker *w, struct error *e)
{
    struct loop *loop = NULL;
    w->server = s;
    w->drain.run = run_drain;
    w->deadline.fired = kill_all;
    w->env.on_closed = conn_closed;
    TRY(loop_new(&loop, e));
    return h2_env_init(&w->env, &s->shared, loop, e);
}

static enum err server_init(struct h2_server *s, const struct h2_server_options *o, struct error *e)
{
    s->tls = o->tls;
    s->share_port = o->share_port;
    s->close_listeners.run = run_close_listeners;
    (void)sem_init(&s->listeners_closed, 0, 0);
    TRY(h2_shared_init(&s->shared, true, o->limits, o->handler, o->ctx, e));
    TRY(admit_new((size_t)s->shared.limits.max_connections,
                  (size_t)s->shared.limits.max_connections_per_address, &s->admit, e));
    for (; s->n_workers < o->n_loops; s->n_workers++)
        TRY(worker_init(s, &s->workers[s->n_workers], e));
    return ERR_OK;
}

enum err h2_server_new(const struct h2_server_options *o, struct h2_server **ret, struct error *e)
{
    if (o->n_loops < 1 || o->n_loops > MAX_LOOPS)
        return FAIL(e, ERR_INVALID_ARGUMENT, "h2.loops",
                    "a server has 1 to %d loop threads, not %u", MAX_LOOPS, o->n_loops);
    struct h2_server *s = calloc(1, sizeof *s + o->n_loops * sizeof s->workers[0]);
    if (!s)
        return FAIL_NOMEM(e);
    enum err err = server_init(s, o, e);
    if (err != ERR_OK) {
        h2_server_free(s);
        return err;
    }
    *ret = s;
    return ERR_OK;
}

enum err h2_server_listen(struct h2_server *s, const char *address, uint16_t port,
                          uint16_t *ret_port, struct error *e)
{
    struct listener_options o = {
        .address = address,
        .port = port,
        .share_port = s->share_port,
        .admit = s->admit,
        .on_accept = deal,
        .ctx = s,
    };
    if (s->running || s->n_listeners == MAX_LISTENERS)
        return FAIL(e, ERR_FAILED_PRECONDITION, "h2.listen",
                    "a server listens on at most %d addresses, given before it starts",
                    MAX_LISTENERS);
    TRY(listener_new(&o, &s->listeners[s->n_listeners], e));
    if (ret_port)
        *ret_port = listener_port(s->listeners[s->n_listeners]);
    s->n_listeners++;
    return ERR_OK;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct error e;
    if (loop_run(w->env.loop, &e) != ERR_OK) {
        log_error("the event loop failed", LOG_ERROR_FIELDS(&e));
        abort(); /* its connections would hang for ever */
    }
    return NULL;
}

static enum err start_worker(struct worker *w, unsigned i, struct error *e)
{
    char name[16] = "loop-00";
    name[5] = (char)('0' + i / 10);
    name[6] = (char)('0' + i % 10);
    TRY(thread_start(name, worker_main, w, &w->thread, e));
    w->started = true;
    return ERR_OK;
}

enum err h2_server_start(struct h2_server *s, struct error *e)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < s->n_listeners; i++)
        TRY(listener_start(s->listeners[i], s->workers[0].env.loop, e));
    for (unsigned i = 0; i < s->n_workers && err == ERR_OK; i++)
        err = start_worker(&s->workers[i], i, e);
    s->running = true;
    if (err == ERR_OK)
        return ERR_OK;
    for (unsigned i = 0; i < s->n_workers; i++) /* those that did not start have nobody to tell */
        loop_stop(s->workers[i].env.loop);
    join_workers(s);
    return err;
}

static void worker_deinit(struct worker *w)
{
    loop_free(w->env.loop);
    h2_env_deinit(&w->env);
}

void h2_server_free(struct h2_server *s)
{
    if (!s)
        return;
    h2_server_stop(s, 0);
    while (s->n_listeners)
        listener_free(s->listeners[--s->n_listeners]);
    for (unsigned i = 0; i < s->n_workers; i++)
        worker_deinit(&s->workers[i]);
    admit_free(s->admit);
    h2_shared_deinit(&s->shared);
    (void)sem_destroy(&s->listeners_closed);
    free(s);
}

/* --- what is told of it --- */

void h2_server_metrics(struct h2_server *s, struct buf *out)
{
    struct admit_counts counts;
    admit_count(s->admit, &counts);
    metric_one(out, "stigmer_connections", "gauge", "Open connections.",
               (double)admit_total(s->admit));
    metric_one(out, "stigmer_connections_accepted_total", "counter", "Connections taken.",
               (double)counts.admitted);
    metric_one(out, "stigmer_connections_refused_total", "counter",
               "Connections closed at once, since there were too many.", (double)counts.refused);
    metric_one(out, "stigmer_connections_cut_total", "counter",
               "Connections ended for what their peer did; the log says why.",
               (double)counter_get(&s->shared.cut));
    metric_one(out, "stigmer_streams", "gauge", "Requests in progress on all connections.",
               (double)ledger_used(&s->shared.streams));
}

struct ledger *h2_server_budget(struct h2_server *s, enum h2_budget which)
{
    switch (which) {
    case H2_BUDGET_WINDOWS:
        return &s->shared.windows;
    case H2_BUDGET_ANSWERS:
        return &s->shared.answers;
    case H2_BUDGET_FILES:
        break;
    }
    return &s->shared.files;
}
