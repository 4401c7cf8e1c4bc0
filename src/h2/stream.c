#include "h2/session.h"

#include "base/macro.h"

#include <stdlib.h>

/* nghttp2 sends at most 64 KiB of headers; a frame that it drops later would hang the stream. */
#define SEND_FIELDS_MAX KIB(60)
#define RAISE_MIN       KIB(64) /* a smaller raise is not worth it */

enum err h2_fail_ng(int code, const char *what, struct error *e)
{
    if (code == NGHTTP2_ERR_NOMEM)
        return FAIL_NOMEM(e);
    return FAIL(e, ERR_INTERNAL, "h2.library", "%s: %s", what, nghttp2_strerror(code));
}

enum err h2_fields_dup(const struct h2_header *h, size_t n, nghttp2_nv **ret, struct error *e)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += h[i].name.len + h[i].value.len + 32; /* RFC 9113 6.5.2 */
    if (size > SEND_FIELDS_MAX)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "h2.headers_too_large",
                    "headers of %zu bytes are more than %zu", size, SEND_FIELDS_MAX);
    nghttp2_nv *nv = calloc(n ? n : 1, sizeof *nv);
    if (!nv)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) /* nghttp2 copies, it does not write */
        nv[i] = (nghttp2_nv){
            .name = (uint8_t *)(uintptr_t)h[i].name.p,
            .namelen = h[i].name.len,
            .value = (uint8_t *)(uintptr_t)(h[i].value.p ? h[i].value.p : ""),
            .valuelen = h[i].value.len,
            .flags = str_eq(h[i].name, STR("authorization")) ? NGHTTP2_NV_FLAG_NO_INDEX : 0,
        };
    *ret = nv;
    return ERR_OK;
}

/* --- life --- */

struct h2_stream *h2_stream_new(struct h2_conn *hc, int32_t id)
{
    struct h2_shared *shared = hc->env->shared;
    size_t counted = ledger_take(&shared->streams, 1) ? 1 : 0;
    bool may = counted || hc->n_streams < (size_t)shared->limits.streams_assured;
    struct h2_stream *s = may ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        ledger_give(&shared->streams, counted);
        return NULL;
    }
    s->counted = counted;
    s->hc = hc;
    s->id = id;
    s->window = shared->limits.stream_window;
    list_push_back(&hc->streams, &s->link);
    hc->n_streams++;
    int64_t tick_ns = shared->limits.tick_ms * NS_PER_MS;
    if (hc->timer.at_ns > loop_now(hc->env->loop) + tick_ns)
        h2_conn_soon(hc); /* from idle to busy */
    return s;
}

static void resize_connection_window(struct h2_conn *hc, int64_t by)
{
    hc->window += by;
    (void)nghttp2_session_set_local_window_size(hc->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)hc->window);
}

/* Bytes that were never consumed would shrink the connection's window for good. */
static void give_back(struct h2_stream *s)
{
    struct h2_conn *hc = s->hc;
    if (s->held && hc->conn)
        (void)nghttp2_session_consume_connection(hc->ng, s->held);
    s->held = 0;
    if (s->charged) {
        ledger_give(&hc->env->shared->windows, (size_t)s->charged);
        resize_connection_window(hc, -s->charged);
    }
    s->charged = 0;
    hc->pauses -= s->pauses;
    if (s->pauses && hc->pauses == 0 && hc->conn)
        conn_pause(hc->conn, false);
    s->pauses = 0;
    h2_conn_wake(hc);
}

void h2_stream_finish(struct h2_stream *s, uint32_t error)
{
    struct h2_conn *hc = s->hc;
    struct h2_shared *shared = hc->env->shared;
    if (s->gone)
        hc->n_gone--;
    give_back(s);
    s->gone = true; /* what the handler still calls has no effect */
    hc->n_gone++;
    if (s->final || !shared->server) /* a request that was refused was never told of */
        shared->handler->on_close(shared->ctx, s, error);
    hc->n_gone--;
    h2_room_leave(s); /* the answer's memory is free now */
    list_del(&s->link);
    hc->n_streams--;
    hc->idle_since_ns = loop_now(hc->env->loop);
    ledger_give(&shared->streams, s->counted);
    free(s);
}

void h2_stream_let_go(struct h2_stream *s, uint32_t error)
{
    struct h2_conn *hc = s->hc;
    if (s->gone)
        return;
    s->gone = true;
    s->gone_error = error;
    hc->n_gone++;
    (void)nghttp2_session_set_stream_user_data(hc->ng, s->id, NULL);
    h2_room_withdraw(s);
    give_back(s);
    h2_conn_soon(hc);
}

void h2_stream_reap(struct h2_conn *hc)
{
    LIST_FOR_EACH_SAFE (n, &hc->streams) {
        struct h2_stream *s = CONTAINER_OF(n, struct h2_stream, link);
        if (s->gone)
            h2_stream_finish(s, s->gone_error);
    }
}

/* --- what handlers call --- */

void h2_stream_set_user(struct h2_stream *s, void *user)
{
    s->user = user;
}

void *h2_stream_user(const struct h2_stream *s)
{
    return s->user;
}

struct loop *h2_stream_loop(const struct h2_stream *s)
{
    return s->hc->env->loop;
}

bool h2_stream_is_ending(const struct h2_stream *s)
{
    return s->ending;
}

str h2_stream_peer(const struct h2_stream *s)
{
    return s->hc->conn ? conn_peer(s->hc->conn) : STR("closed");
}

static enum err check_open(const struct h2_stream *s, struct error *e)
{
    if (s->gone)
        return FAIL(e, ERR_CANCELLED, "h2.stream_closed", "the stream is closed");
    return ERR_OK;
}

enum err h2_stream_respond(struct h2_stream *s, const struct h2_header *h, size_t n,
                           h2_read_fn *read, void *read_ctx, struct error *e)
{
    CLEANUP(freep) nghttp2_nv *nv = NULL;
    nghttp2_data_provider provider;
    TRY(check_open(s, e));
    TRY(h2_fields_dup(h, n, &nv, e));
    s->read = read;
    s->read_ctx = read_ctx;
    if (read)
        h2_room_withdraw(s);
    else
        h2_room_leave(s); /* there is no answer to hold */
    int r = nghttp2_submit_response(s->hc->ng, s->id, nv, n, h2_stream_provider(s, &provider));
    if (r != 0)
        return h2_fail_ng(r, "cannot respond", e);
    s->responded = true;
    h2_conn_wake(s->hc);
    return ERR_OK;
}

enum err h2_stream_trailers(struct h2_stream *s, const struct h2_header *h, size_t n,
                            struct error *e)
{
    CLEANUP(freep) nghttp2_nv *nv = NULL;
    TRY(check_open(s, e));
    if (!s->reading)
        return FAIL(e, ERR_FAILED_PRECONDITION, "h2.trailers",
                    "trailers are to be given inside the body's read");
    TRY(h2_fields_dup(h, n, &nv, e));
    int r = nghttp2_submit_trailer(s->hc->ng, s->id, nv, n);
    if (r != 0)
        return h2_fail_ng(r, "cannot send trailers", e);
    s->trailers = true;
    return ERR_OK;
}

void h2_stream_resume(struct h2_stream *s)
{
    if (!s->waiting || s->gone)
        return;
    s->waiting = false;
    (void)nghttp2_session_resume_data(s->hc->ng, s->id);
    h2_conn_wake(s->hc);
}

void h2_stream_reset(struct h2_stream *s, uint32_t error)
{
    if (s->gone)
        return;
    (void)nghttp2_submit_rst_stream(s->hc->ng, NGHTTP2_FLAG_NONE, s->id, error);
    h2_stream_let_go(s, error);
}

/* DESIGN.md 2, lesson 1: a reset submitted together with the response would overtake it. */
void h2_stream_stop_reading(struct h2_stream *s)
{
    if (s->gone || s->remote_end)
        return;
    s->stop = true;
    if (s->held)
        h2_stream_consume(s, s->held);
    if (!s->local_end)
        return;
    (void)nghttp2_submit_rst_stream(s->hc->ng, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR);
    h2_conn_wake(s->hc);
}

void h2_stream_consume(struct h2_stream *s, size_t n)
{
    n = MIN(n, s->held);
    if (n == 0 || s->gone)
        return;
    s->held -= n;
    (void)nghttp2_session_consume(s->hc->ng, s->id, n);
    h2_conn_wake(s->hc);
}

/* Charges as much of `more` as the budget has, by halves. */
static int64_t charge(struct h2_shared *shared, int64_t more)
{
    for (; more >= (int64_t)RAISE_MIN; more /= 2)
        if (ledger_take(&shared->windows, (size_t)more))
            return more;
    return 0;
}

void h2_stream_raise_window(struct h2_stream *s, uint32_t bytes)
{
    struct h2_conn *hc = s->hc;
    struct h2_shared *shared = hc->env->shared;
    if (s->gone || s->remote_end || s->stop)
        return;
    int64_t want = MIN((int64_t)bytes, shared->limits.upload_window);
    want = MIN(want, s->window + INT32_MAX - hc->window); /* RFC 9113 6.9.1 */
    int64_t got = charge(shared, want - s->window);
    if (got == 0)
        return;
    s->charged += got;
    s->window += got;
    (void)nghttp2_session_set_local_window_size(hc->ng, NGHTTP2_FLAG_NONE, s->id,
                                                (int32_t)s->window);
    resize_connection_window(hc, got);
    h2_conn_wake(hc);
}

void h2_stream_pause_reading(struct h2_stream *s, bool pause)
{
    struct h2_conn *hc = s->hc;
    bool was = hc->pauses > 0;
    if (s->gone || (!pause && s->pauses == 0))
        return;
    s->pauses += pause ? 1 : -1u;
    hc->pauses += pause ? 1 : -1u;
    if (was != (hc->pauses > 0))
        conn_pause(hc->conn, pause);
}
