/*
 * The bidirectional stream of server reflection. What arrives is kept until the answer before it is
 * out, and only then given back to the client's window: who does not read cannot ask on.
 */
#include "grpc/receive.h"
#include "grpc/reflection.h"
#include "grpc/server_impl.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#define REQUEST_MAX KIB(4)
#define ANSWER_MAX  KIB(64)
#define ARRIVED_MAX MIB(8) /* above every window: the transport bounds what arrives */

struct stream_state {
    struct receive receive;
    struct buf arrived; /* from n_looked on: not looked at yet */
    size_t n_looked;
    struct buf request; /* the message that is coming */
    bool complete;      /* it is there */
    bool asked;         /* for room for its answer */
    bool has_room;
    bool ended; /* END_STREAM was seen */
};

static enum err piece(void *ctx, str bytes, struct error *e)
{
    struct stream_state *s = ctx;
    buf_add(&s->request, bytes);
    return buf_status(&s->request, e);
}

static enum err message_end(void *ctx, struct error *e)
{
    (void)e;
    ((struct stream_state *)ctx)->complete = true;
    return ERR_OK;
}

/* Feeds byte by byte: the deframer must not run past the message that is answered next. Requests
 * are some tens of bytes. */
static enum err feed_one(struct stream_state *s, size_t *ret_n, struct error *e)
{
    str in = str_skip(buf_view(&s->arrived), s->n_looked);
    enum err err = ERR_OK;
    for (*ret_n = 0; *ret_n < in.len && !s->complete && err == ERR_OK; ++*ret_n)
        err = receive_feed(&s->receive, str_head(str_skip(in, *ret_n), 1), e);
    return err;
}

/* Moving what is left once half has been looked at costs each byte one move at most. */
static void drop_looked(struct stream_state *s)
{
    if (s->n_looked == s->arrived.len)
        buf_deinit(&s->arrived);
    else if (s->n_looked >= s->arrived.len / 2)
        buf_drop(&s->arrived, s->n_looked);
    else
        return;
    s->n_looked = 0;
}

static enum err hold(struct call *c, struct error *e)
{
    const struct stream_state *s = c->state;
    return call_hold_request(c, s->arrived.cap + s->request.cap + receive_memory(&s->receive), e);
}

static enum err take_request(struct call *c, struct error *e)
{
    struct stream_state *s = c->state;
    size_t n;
    enum err err = feed_one(s, &n, e);
    s->n_looked += n;
    drop_looked(s);
    h2_stream_consume(c->stream, n);
    TRY(err);
    return hold(c, e);
}

static enum err ask_room(struct call *c, struct error *e)
{
    struct stream_state *s = c->state;
    s->asked = true;
    return h2_stream_ask_room(c->stream, H2_ROOM_SMALL, ANSWER_MAX, &s->has_room, e);
}

static enum err answer_request(struct call *c, struct grpc_message *ret, struct error *e)
{
    struct stream_state *s = c->state;
    const struct grpc_server *server = c->server;
    struct reflection r = {
        .symbols = server->symbols,
        .descriptors = server->descriptors,
        .n_descriptors = server->n_descriptors,
        .services = server->services,
        .n_services = server->n_services,
    };
    ret->head.max = ANSWER_MAX;
    enum err err = reflection_answer(&r, buf_view(&s->request), &ret->head, e);
    h2_stream_keep_room(c->stream, ret->head.cap);
    buf_clear(&s->request);
    s->complete = s->asked = s->has_room = false;
    return err;
}

static enum err next_answer(void *ctx, struct grpc_message *ret, enum send_what *ret_what,
                            struct error *e)
{
    struct call *c = ctx;
    struct stream_state *s = c->state;
    TRY(take_request(c, e));
    if (!s->asked)
        h2_stream_keep_room(c->stream, 0); /* the answer before is out */
    if (s->complete && !s->asked)
        TRY(ask_room(c, e));
    *ret_what = s->has_room ? SEND_MESSAGE : SEND_WAIT;
    if (s->has_room)
        return answer_request(c, ret, e);
    if (s->ended && !s->complete) {
        *ret_what = SEND_END;
        return receive_end(&s->receive, e);
    }
    if (atomic_load(&c->server->stopping))
        return FAIL(e, ERR_UNAVAILABLE, "grpc.stopping", "the server is stopping");
    return ERR_OK;
}

static void start(struct call *c)
{
    static const struct receive_sink sink = {NULL, piece, message_end};
    struct error e;
    struct stream_state *s = calloc(1, sizeof *s);
    if (!s) {
        FAIL_NOMEM(&e);
        call_fail(c, &e);
        return;
    }
    receive_init(&s->receive, REQUEST_MAX, c->may_gzip, &sink, s);
    buf_init(&s->arrived, ARRIVED_MAX);
    buf_init(&s->request, REQUEST_MAX);
    c->state = s;
    server_listen(c);
    call_stream(c, next_answer);
}

static void data(struct call *c, str bytes)
{
    struct stream_state *s = c->state;
    struct error e;
    if (s->ended) {
        h2_stream_consume(c->stream, bytes.len);
        return;
    }
    buf_add(&s->arrived, bytes);
    if (buf_status(&s->arrived, &e) != ERR_OK || hold(c, &e) != ERR_OK)
        h2_stream_reset(c->stream, NGHTTP2_ENHANCE_YOUR_CALM);
    else
        h2_stream_resume(c->stream);
}

static void end(struct call *c)
{
    struct stream_state *s = c->state;
    s->ended = true;
    h2_stream_resume(c->stream);
}

static void drop(struct call *c)
{
    struct stream_state *s = c->state;
    if (c->stream)
        h2_stream_consume(c->stream, s->arrived.len - s->n_looked);
    buf_clear(&s->arrived);
    s->n_looked = 0;
    s->ended = true;
}

static void free_state(struct call *c)
{
    struct stream_state *s = c->state;
    receive_deinit(&s->receive);
    buf_deinit(&s->arrived);
    buf_deinit(&s->request);
    free(s);
}

static void room(struct call *c)
{
    struct stream_state *s = c->state;
    s->has_room = true;
    h2_stream_resume(c->stream);
}

const struct call_kind reflection_kind = {start, data, end, drop, free_state, room};
const struct grpc_method reflection_method = {
    .path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
};
const struct grpc_method reflection_alpha_method = {
    .path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
};
