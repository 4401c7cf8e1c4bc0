/*
 * Calls with one request message in memory. When there is room for the answer the handler runs:
 * inline ones on the loop; worker handlers, and inline ones that ask for it, on the pool. While the
 * job is out, `reply`, `result` and `error` are the worker's, and the request is only read.
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
    struct grpc_reply reply; /* its head's max is the room asked for */
    enum err result;
    struct error error;
};

static void ask_room(struct unary *u, size_t n);

static enum err run_handler(struct unary *u, bool *ret_defer)
{
    struct call *c = u->call;
    return c->method->handle(c->service, &c->context, buf_view(&u->request), &u->reply, ret_defer,
                             &u->error);
}

/* Says what the request still holds, which is less than before. */
static void hold_less(struct call *c, size_t n)
{
    struct error cannot_fail;
    (void)call_hold_request(c, n, &cannot_fail);
}

static void free_state(struct call *c)
{
    struct unary *u = c->state;
    gather_deinit(&u->gather);
    buf_deinit(&u->request);
    grpc_reply_deinit(&u->reply);
    free(u);
    c->state = NULL;
    hold_less(c, 0);
}

static bool needs_more_room(const struct unary *u)
{
    const struct call *c = u->call;
    return u->result == ERR_RESOURCE_EXHAUSTED &&
           u->reply.message.head.max < c->method->max_reply && c->stream && !c->answered;
}

static void run_again(struct unary *u)
{
    grpc_reply_deinit(&u->reply);
    grpc_reply_init(&u->reply);
    h2_stream_keep_room(u->call->stream, 0);
    ask_room(u, u->call->method->max_reply);
}

/* An answer may wait long for its reader; what made it does not. */
static void answer(struct unary *u)
{
    struct call *c = u->call;
    if (needs_more_room(u)) {
        run_again(u);
        return;
    }
    if (u->result == ERR_OK)
        call_reply(c, &u->reply);
    else
        call_fail(c, &u->error);
    free_state(c);
}

static void job_done(struct task *t)
{
    struct unary *u = CONTAINER_OF(t, struct unary, done);
    struct call *c = u->call;
    answer(u);
    call_unref(c);
}

static void job_run(struct job *job)
{
    struct unary *u = CONTAINER_OF(job, struct unary, job);
    struct grpc_server *s = u->call->server;
    u->result = call_check(u->call, &u->error);
    if (u->result == ERR_OK)
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

static void run(struct unary *u)
{
    if (u->call->method->kind == GRPC_WORKER)
        submit(u);
    else
        run_inline(u);
}

static enum h2_room room_for(const struct grpc_method *m, size_t n)
{
    if (m->n_files)
        return H2_ROOM_FILES;
    if (!m->first_reply)
        return H2_ROOM_CHANGE;
    return n <= H2_ROOM_SMALL_MAX ? H2_ROOM_SMALL : H2_ROOM_LARGE;
}

static void ask_room(struct unary *u, size_t n)
{
    const struct grpc_method *m = u->call->method;
    struct error e;
    bool now;
    u->reply.message.head.max = n;
    enum err err =
        h2_stream_ask_room(u->call->stream, room_for(m, n), m->n_files ? m->n_files : n, &now, &e);
    if (err != ERR_OK)
        call_fail(u->call, &e);
    else if (now)
        run(u);
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

static enum err feed(struct unary *u, str bytes, struct error *e)
{
    TRY(gather_feed(&u->gather, bytes, e));
    return call_hold_request(u->call, gather_memory(&u->gather), e);
}

/* No worker has seen it yet. */
static void fail(struct call *c, const struct error *e)
{
    call_fail(c, e);
    free_state(c);
}

static void data(struct call *c, str bytes)
{
    struct error e;
    size_t n = bytes.len;
    if (!c->answered && feed(c->state, bytes, &e) != ERR_OK)
        fail(c, &e);
    if (c->stream)
        h2_stream_consume(c->stream, n);
}

static enum err end_request(struct unary *u, struct error *e)
{
    TRY(gather_end(&u->gather, e));
    gather_deinit(&u->gather);
    hold_less(u->call, u->request.cap);
    return ERR_OK;
}

static void end(struct call *c)
{
    struct unary *u = c->state;
    const struct grpc_method *m = c->method;
    struct error e;
    if (c->answered)
        return;
    if (end_request(u, &e) != ERR_OK)
        fail(c, &e);
    else if (m->n_files || m->max_reply)
        ask_room(u, m->first_reply ? m->first_reply : MAX(m->max_reply, GRPC_HEAD_MAX));
    else
        run(u);
}

static void room(struct call *c)
{
    run(c->state);
}

/* The request is bounded and small, and a worker may be reading it. */
static void drop(struct call *c)
{
    (void)c;
}

const struct call_kind unary_kind = {start, data, end, drop, free_state, room};
