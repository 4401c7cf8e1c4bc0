/*
 * Calls with one request message in memory. Inline handlers run on the loop; worker handlers, and
 * inline ones that ask for it, run on the pool. While the job is out, `reply`, `result` and `error`
 * are the worker's, and the request is only read.
 */
#include "grpc/gather.h"
#include "grpc/server_impl.h"

#include <stdlib.h>

struct unary {
    struct call *call;
    struct gather gather;
    struct buf request;
    struct job job;
    struct task done;
    struct grpc_reply reply;
    enum err result;
    struct error error;
};

static enum err run_handler(struct unary *u, bool *ret_defer)
{
    struct call *c = u->call;
    return c->method->handle(c->service, &c->context, buf_view(&u->request), &u->reply, ret_defer,
                             &u->error);
}

static void answer(struct unary *u)
{
    if (u->result == ERR_OK)
        call_reply(u->call, &u->reply);
    else
        call_fail(u->call, &u->error);
}

static void job_done(struct task *t)
{
    struct unary *u = CONTAINER_OF(t, struct unary, done);
    answer(u);
    call_unref(u->call);
}

static void job_run(struct job *job)
{
    struct unary *u = CONTAINER_OF(job, struct unary, job);
    struct grpc_server *s = u->call->server;
    u->result = run_handler(u, NULL);
    loop_post(u->call->loop, &u->done);
    server_job_done(s);
}

static void submit(struct unary *u)
{
    struct error e;
    u->job.run = job_run;
    u->done.run = job_done;
    call_ref(u->call);
    if (server_submit(u->call->server, &u->job, &e) == ERR_OK)
        return;
    call_fail(u->call, &e);
    call_unref(u->call);
}

static void run_inline(struct unary *u)
{
    bool defer = false;
    u->result = run_handler(u, &defer);
    if (u->result == ERR_OK && defer)
        submit(u);
    else
        answer(u);
}

static void start(struct call *c)
{
    struct unary *u = calloc(1, sizeof *u);
    if (!u) {
        struct error e;
        FAIL_NOMEM(&e);
        call_fail(c, &e);
        return;
    }
    u->call = c;
    buf_init(&u->request, c->method->max_request);
    gather_init(&u->gather, &u->request, c->may_gzip, true);
    grpc_reply_init(&u->reply);
    c->state = u;
}

static void data(struct call *c, str bytes)
{
    struct unary *u = c->state;
    struct error e;
    size_t n = bytes.len;
    if (!c->answered && gather_feed(&u->gather, bytes, &e) != ERR_OK)
        call_fail(c, &e);
    if (c->stream)
        h2_stream_consume(c->stream, n);
}

static void end(struct call *c)
{
    struct unary *u = c->state;
    struct error e;
    if (c->answered)
        return;
    if (gather_end(&u->gather, &e) != ERR_OK)
        call_fail(c, &e);
    else if (c->method->kind == GRPC_WORKER)
        submit(u);
    else
        run_inline(u);
}

/* The request is bounded and small, and a worker may be reading it. */
static void drop(struct call *c)
{
    (void)c;
}

static void free_state(struct call *c)
{
    struct unary *u = c->state;
    gather_deinit(&u->gather);
    buf_deinit(&u->request);
    grpc_reply_deinit(&u->reply);
    free(u);
}

const struct call_kind unary_kind = {start, data, end, drop, free_state};
