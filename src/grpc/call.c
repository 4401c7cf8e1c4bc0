#include "grpc/call.h"

#include "base/clock.h"
#include "base/log.h"
#include "grpc/deadline.h"
#include "grpc/http.h"
#include "grpc/receive.h"
#include "grpc/server_impl.h"
#include "grpc/status.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#define REFUSED_BYTES KIB(64)           /* of a request that are awaited before it is refused … */
#define REFUSED_NS    (500 * NS_PER_MS) /* … and for how long */
#define CUT_GRACE_NS  NS_PER_S /* for a status after a cut answer to get out, then RST_STREAM */

/* --- errors --- */

static struct error no_memory = {
    .code = ERR_RESOURCE_EXHAUSTED,
    .reason = "memory.exhausted",
    .msg = "out of memory",
};

static void free_error(struct call *c)
{
    if (c->error != &no_memory)
        free(c->error);
}

/* Most calls have none, and many calls may wait for their readers: it is not part of the call. */
static void set_error(struct call *c, const struct error *e)
{
    struct error *copy = malloc(sizeof *copy);
    if (copy)
        *copy = *e;
    free_error(c);
    c->error = copy ? copy : &no_memory;
}

/* --- answering --- */

struct status_headers {
    char number[4];
    struct buf message;
    struct h2_header rows[2];
    size_t n;
};

/* grpc-status and, for an error, grpc-message. */
static void status_headers(const struct call *c, struct status_headers *h)
{
    char text[ERR_MSG_MAX];
    buf_init(&h->message, 9 * ERR_MSG_MAX); /* an invalid byte becomes three of three */
    int len =
        snprintf(h->number, sizeof h->number, "%d", (int)(c->error ? c->error->code : ERR_OK));
    h->rows[0] = (struct h2_header){STR("grpc-status"), str_of(h->number, (size_t)len)};
    h->n = 1;
    if (!c->error)
        return;
    status_text(c->error, c->context.request_id, text);
    status_encode(&h->message, str_c(text));
    h->rows[h->n++] = (struct h2_header){STR("grpc-message"), buf_view(&h->message)};
}

static void drop(struct call *c)
{
    if (c->kind && c->state)
        c->kind->drop(c);
}

void call_fail(struct call *c, const struct error *e)
{
    struct status_headers h;
    struct error ignored; /* the stream is reset: nothing better can be said */
    if (c->answered || !c->stream)
        return;
    c->answered = true;
    set_error(c, e);
    status_headers(c, &h);
    struct h2_header all[5] = {
        {STR(":status"), STR("200")},
        {STR("content-type"), STR("application/grpc")},
        {STR("grpc-accept-encoding"), STR(RECEIVE_ENCODINGS)},
    };
    memcpy(all + 3, h.rows, h.n * sizeof *h.rows);
    call_ref(c);
    drop(c);
    if (c->stream && h2_stream_respond(c->stream, all, 3 + h.n, NULL, NULL, &ignored) != ERR_OK)
        h2_stream_reset(c->stream, NGHTTP2_INTERNAL_ERROR);
    if (c->stream)
        h2_stream_stop_reading(c->stream);
    call_unref(c);
    buf_deinit(&h.message);
}

/* The end of an answer that had a body. */
static enum h2_more end_answer(struct call *c)
{
    struct status_headers h;
    struct error e;
    status_headers(c, &h);
    h2_stream_keep_room(c->stream, 0);
    enum err err = h2_stream_trailers(c->stream, h.rows, h.n, &e);
    buf_deinit(&h.message);
    h2_stream_stop_reading(c->stream); /* a stream may fail before its request has ended */
    return err == ERR_OK ? H2_END : H2_FAIL;
}

static size_t read_answer(void *ctx, char *to, size_t cap, enum h2_more *ret_more)
{
    struct call *c = ctx;
    struct error e;
    size_t n = 0;
    *ret_more = H2_END;
    if (!c->cut)
        n = send_read(&c->send, to, cap, ret_more, &e);
    if (*ret_more == H2_FAIL)
        set_error(c, &e);
    c->bytes_out += n;
    if (*ret_more == H2_END || *ret_more == H2_FAIL)
        *ret_more = end_answer(c);
    return n;
}

static void start_answer(struct call *c)
{
    static const struct h2_header h[] = {
        {{":status", 7}, {"200", 3}},
        {{"content-type", 12}, {"application/grpc", 16}},
        {{"grpc-accept-encoding", 20}, {RECEIVE_ENCODINGS, sizeof RECEIVE_ENCODINGS - 1}},
    };
    struct error e;
    c->answered = true;
    if (h2_stream_respond(c->stream, h, ARRAY_SIZE(h), read_answer, c, &e) != ERR_OK) {
        set_error(c, &e);
        h2_stream_reset(c->stream, NGHTTP2_INTERNAL_ERROR);
    }
}

/* Server streaming as the handlers know it, for `send`. */
static enum err next_of_reply(void *ctx, struct grpc_message *ret, enum send_what *ret_what,
                              struct error *e)
{
    struct call *c = ctx;
    bool end = false;
    TRY(c->reply.next(c->reply.ctx, ret, &end, e));
    *ret_what = end ? SEND_END : SEND_MESSAGE;
    return ERR_OK;
}

void call_reply(struct call *c, struct grpc_reply *take)
{
    struct error e;
    if (c->answered || !c->stream)
        return;
    if (!take->next && send_message(&c->send, &take->message, &e) != ERR_OK) {
        call_fail(c, &e);
        return;
    }
    grpc_reply_deinit(&c->reply);
    c->reply = *take;
    grpc_reply_init(take);
    c->send.next = c->reply.next ? next_of_reply : NULL;
    c->send.ctx = c;
    if (!c->method->n_files)
        h2_stream_keep_room(c->stream, c->send.message.head.cap);
    start_answer(c);
}

void call_stream(struct call *c, enum err (*next)(void *ctx, struct grpc_message *ret,
                                                  enum send_what *ret_what, struct error *e))
{
    if (c->answered || !c->stream)
        return;
    c->send.next = next;
    c->send.ctx = c;
    start_answer(c);
}

void call_refused(struct call *c, bool complete)
{
    struct error e = *c->error;
    if (complete || c->bytes_in > REFUSED_BYTES)
        call_fail(c, &e);
}

/* --- deadline --- */

static void deadline_fired(struct timer *t)
{
    struct call *c = CONTAINER_OF(t, struct call, deadline);
    struct error e;
    if (c->refused) {
        call_refused(c, true);
        return;
    }
    if (c->cut) {
        h2_stream_reset(c->stream, NGHTTP2_CANCEL);
        return;
    }
    atomic_store(&c->context.cancelled, true);
    FAIL(&e, ERR_DEADLINE_EXCEEDED, "grpc.deadline", "the deadline of the call has passed");
    if (!c->answered) {
        call_fail(c, &e);
        return;
    }
    set_error(c, &e);
    c->cut = true;
    if (loop_timer_set(c->loop, t, loop_now(c->loop) + CUT_GRACE_NS, &e) != ERR_OK)
        h2_stream_reset(c->stream, NGHTTP2_CANCEL);
    else
        h2_stream_resume(c->stream);
}

static enum err set_deadline(struct call *c, str timeout, struct error *e)
{
    int64_t ns;
    if (!timeout.len)
        return ERR_OK;
    TRY(deadline_parse(timeout, &ns, e));
    c->context.deadline_ns = deadline_at(c->started_ns, ns);
    if (c->context.deadline_ns == DEADLINE_NONE)
        return ERR_OK;
    if (ns == 0)
        return FAIL(e, ERR_DEADLINE_EXCEEDED, "grpc.deadline",
                    "the deadline of the call has passed");
    return loop_timer_set(c->loop, &c->deadline, c->context.deadline_ns, e);
}

/* --- beginning --- */

static enum err find_method(struct call *c, str path, struct error *e)
{
    const struct call_method *m = server_find(c->server, path);
    if (!m)
        return FAIL(e, ERR_UNIMPLEMENTED, "grpc.method", "unknown method %.*s",
                    STR_ARG(str_head(path, 256)));
    c->method = m->method;
    c->method_number = (size_t)(m - c->server->methods);
    c->service = m->service;
    c->context.method = m->method->path;
    c->kind = m->kind;
    return ERR_OK;
}

static enum err check_headers(struct call *c, const struct http_headers *h, struct error *e)
{
    TRY(find_method(c, h->path, e));
    if (!str_eq_nocase(h->te, STR("trailers")))
        return FAIL(e, ERR_INVALID_ARGUMENT, "grpc.te",
                    "the header \"te: trailers\" is missing: is a proxy in between that does not "
                    "know gRPC?");
    TRY(receive_encoding(h->encoding, &c->may_gzip, e));
    return set_deadline(c, h->timeout, e);
}

static void refuse(struct call *c, const struct error *why)
{
    struct error ignored;
    c->refused = true;
    set_error(c, why);
    if (loop_timer_set(c->loop, &c->deadline, loop_now(c->loop) + REFUSED_NS, &ignored) != ERR_OK)
        call_refused(c, true);
}

static struct call *alloc_call(struct grpc_server *s, struct h2_stream *stream, str path)
{
    struct call *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    str peer = h2_stream_peer(stream);
    (void)snprintf(c->peer, sizeof c->peer, "%.*s", STR_ARG(peer));
    (void)snprintf(c->path, sizeof c->path, "%.*s", STR_ARG(str_head(path, sizeof c->path - 1)));
    c->server = s;
    c->stream = stream;
    c->loop = h2_stream_loop(stream);
    c->refs = 1;
    c->deadline.fired = deadline_fired;
    c->started_ns = clock_mono_ns();
    c->context.method = c->path;
    c->context.deadline_ns = DEADLINE_NONE;
    c->context.peer = str_c(c->peer);
    server_request_id(c->context.request_id);
    send_init(&c->send);
    grpc_reply_init(&c->reply);
    h2_stream_set_user(stream, c);
    return c;
}

void call_new(struct grpc_server *s, struct h2_stream *stream, const struct h2_header *h, size_t n)
{
    struct http_headers headers;
    struct error e;
    http_headers_read(&headers, h, n);
    struct call *c = alloc_call(s, stream, headers.path);
    if (!c) {
        h2_stream_set_user(stream, NULL);
        h2_stream_reset(stream, NGHTTP2_ENHANCE_YOUR_CALM);
        return;
    }
    c->http_status = http_check(&headers);
    if (c->http_status != HTTP_OK)
        return;
    if (check_headers(c, &headers, &e) != ERR_OK)
        refuse(c, &e);
    else
        c->kind->start(c);
}

/* --- end --- */

static void log_call(const struct call *c)
{
    static const struct error none = {.code = ERR_OK};
    const struct error *e = c->error ? c->error : &none;
    bool bad = status_is_private(e) || e->code == ERR_DATA_LOSS;
    enum log_level level = bad ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO;
    struct log_field reason = LOG_C("reason", e->reason);
    struct log_field error = LOG_C("error", e->msg);
    if (!c->error)
        reason.key = NULL; /* ends the list */
    LOG_AT(level, "call", LOG_C("request_id", c->context.request_id),
           LOG_C("method", c->context.method), LOG_C("code", err_name(e->code)),
           LOG_INT("bytes_in", c->bytes_in), LOG_INT("bytes_out", c->bytes_out),
           LOG_INT("duration_us", (clock_mono_ns() - c->started_ns) / 1000),
           LOG_STR("peer", c->context.peer), reason, error);
}

enum err call_hold_request(struct call *c, size_t n, struct error *e)
{
    struct ledger *budget = &c->server->request_budget;
    size_t want = n > GRPC_REQUEST_FREE ? n - GRPC_REQUEST_FREE : 0;
    if (want > c->held && !ledger_take(budget, want - c->held))
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "grpc.requests",
                    "the server is busy: the requests of all clients already hold %zu bytes; try "
                    "again",
                    budget->max);
    if (want < c->held)
        ledger_give(budget, c->held - want);
    c->held = want;
    return ERR_OK;
}

enum err call_check(struct call *c, struct error *e)
{
    if (atomic_load(&c->context.cancelled))
        return FAIL(e, ERR_CANCELLED, "grpc.cancelled", "the call was cancelled");
    return ERR_OK;
}

void call_ref(struct call *c)
{
    c->refs++;
}

void call_unref(struct call *c)
{
    if (--c->refs)
        return;
    if (c->state)
        c->kind->free(c);
    send_deinit(&c->send);
    grpc_reply_deinit(&c->reply);
    ledger_give(&c->server->request_budget, c->held);
    free_error(c);
    free(c);
}

void call_closed(struct call *c, uint32_t error)
{
    atomic_store(&c->context.cancelled, true);
    struct error e;
    if ((error || !c->answered) && !c->error && c->http_status == HTTP_OK) {
        FAIL(&e, ERR_CANCELLED, "grpc.cancelled",
             "the client or the connection ended the call (HTTP/2 error %u)", error);
        set_error(c, &e);
    }
    loop_timer_cancel(c->loop, &c->deadline);
    c->stream = NULL;
    drop(c);
    server_unlisten(c);
    stats_add(c);
    log_call(c);
    call_unref(c);
}
