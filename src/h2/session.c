#include "h2/session.h"

#include "base/macro.h"
#include "base/sys.h"
#include "net/tls.h"

#include <stdlib.h>

#define DATA_ROOM KIB(16) /* less room than this is not worth a DATA frame */

static const char preface[] = NGHTTP2_CLIENT_MAGIC; /* RFC 9113 3.4 */

/* For a client that speaks HTTP/1 to this port. */
static const char http1_answer[] =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: "
    "close\r\n\r\n"
    "This port speaks gRPC over HTTP/2, without TLS by prior knowledge; HTTP/1.1 is not served.\n";

/* --- what connections share --- */

/* Frames of unknown types are ignored (RFC 9113 4.1), but only types we register are reported, and
 * so counted (guard.c). */
static void report_unknown_frames(nghttp2_option *o)
{
    for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
        nghttp2_option_set_user_recv_extension_type(o, (uint8_t)type);
}

/* Closed streams are kept by nghttp2 (no_closed_streams stays off): what is still under way for
 * them is recognised instead of being taken for a connection error. */
static enum err make_options(const struct h2_limits *l, nghttp2_option **ret, struct error *e)
{
    if (nghttp2_option_new(ret) != 0)
        return FAIL_NOMEM(e);
    nghttp2_option_set_no_auto_window_update(*ret, 1);
    nghttp2_option_set_max_outbound_ack(*ret, (size_t)l->outbound_acks);
    /* guard.c cuts earlier and says why; this is the second net */
    nghttp2_option_set_stream_reset_rate_limit(*ret, 2 * (uint64_t)l->reset_burst,
                                               2 * (uint64_t)l->reset_per_s);
    report_unknown_frames(*ret);
    return ERR_OK;
}

enum err h2_shared_init(struct h2_shared *s, bool server, const struct h2_limits *limits,
                        const struct h2_handler *handler, void *ctx, struct error *e)
{
    *s = (struct h2_shared){.server = server, .handler = handler, .ctx = ctx};
    s->limits = limits ? *limits : h2_limits_default;
    TRY(h2_limits_check(&s->limits, e));
    ledger_init(&s->windows, (size_t)s->limits.upload_window_budget);
    ledger_init(&s->streams, (size_t)s->limits.max_streams_total);
    h2_room_init(s);
    TRY(make_options(&s->limits, &s->options, e));
    return h2_callbacks_new(&s->callbacks, e);
}

void h2_shared_deinit(struct h2_shared *s)
{
    nghttp2_option_del(s->options);
    nghttp2_session_callbacks_del(s->callbacks);
    s->options = NULL;
    s->callbacks = NULL;
}

enum err h2_env_init(struct h2_env *env, struct h2_shared *shared, struct loop *loop,
                     struct error *e)
{
    env->shared = shared;
    env->loop = loop;
    list_init(&env->conns);
    h2_room_init_env(env);
    return conn_scratch_new((size_t)shared->limits.unsent_budget, &env->scratch, e);
}

static void free_block(struct h2_block *b)
{
    if (b)
        h2_block_deinit(b);
    free(b);
}

void h2_env_deinit(struct h2_env *env)
{
    conn_scratch_free(env->scratch);
    free_block(env->spare_block);
    env->scratch = NULL;
    env->spare_block = NULL;
}

struct h2_block *h2_block_take(struct h2_conn *hc)
{
    struct h2_env *env = hc->env;
    if (!hc->block && env->spare_block)
        hc->block = STEAL(env->spare_block);
    if (!hc->block) {
        hc->block = malloc(sizeof *hc->block);
        if (!hc->block)
            return NULL;
    } else {
        h2_block_deinit(hc->block);
    }
    h2_block_init(hc->block, (size_t)env->shared->limits.max_header_bytes);
    return hc->block;
}

void h2_block_give(struct h2_conn *hc)
{
    struct h2_block *b = STEAL(hc->block);
    hc->block_since_ns = 0;
    if (b && !hc->env->spare_block) {
        hc->env->spare_block = STEAL(b);
        h2_block_deinit(hc->env->spare_block);
    }
    free_block(b);
}

/* --- the end --- */

static void free_hc(struct h2_conn *hc)
{
    loop_timer_cancel(hc->env->loop, &hc->timer);
    nghttp2_session_del(hc->ng);
    h2_block_give(hc);
    free(hc);
}

static void close_streams(struct h2_conn *hc, uint32_t error)
{
    while (!list_empty(&hc->streams)) {
        struct h2_stream *s = CONTAINER_OF(hc->streams.next, struct h2_stream, link);
        h2_stream_finish(s, s->gone ? s->gone_error : error);
    }
}

void h2_conn_kill(struct h2_conn *hc, uint32_t error, const struct error *why)
{
    if (hc->conn)
        conn_abort(hc->conn);
    hc->conn = NULL;
    close_streams(hc, error);
    list_del(&hc->link);
    hc->env->n_conns--;
    hc->env->on_closed(hc->env, hc, why);
    free_hc(hc);
}

static void conn_closed(void *ctx, const struct error *why)
{
    struct h2_conn *hc = ctx;
    hc->conn = NULL; /* it is freeing itself */
    h2_conn_kill(hc, H2_CONNECTION_LOST, why);
}

static void finish(struct h2_conn *hc)
{
    if (hc->finished || !hc->conn)
        return;
    hc->finished = true;
    /* Who misbehaves is not waited for. */
    conn_finish(hc->conn, hc->phase == H2_CUT ? 0 : hc->env->shared->limits.write_stall_ms);
}

static void let_all_go(struct h2_conn *hc, uint32_t error)
{
    LIST_FOR_EACH (n, &hc->streams)
        h2_stream_let_go(CONTAINER_OF(n, struct h2_stream, link), error);
}

void h2_conn_cut(struct h2_conn *hc, uint32_t code, const char *text)
{
    if (hc->phase == H2_CUT || !hc->conn)
        return;
    h2_guard_log(hc, "connection cut", text);
    counter_add(&hc->env->shared->cut, 1);
    h2_conn_hello(hc); /* GOAWAY comes after SETTINGS */
    hc->phase = H2_CUT;
    (void)nghttp2_submit_goaway(hc->ng, NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(hc->ng), code,
                                (const uint8_t *)text, strlen(text));
    let_all_go(hc, code);
    finish(hc);
}

/* After a failure of nghttp2 itself: nothing can be sent any more. */
static void give_up(struct h2_conn *hc)
{
    hc->phase = H2_CUT;
    hc->goaway_sent = true;
    let_all_go(hc, NGHTTP2_INTERNAL_ERROR);
    finish(hc);
}

void h2_conn_check_done(struct h2_conn *hc)
{
    if (hc->phase == H2_FRESH || hc->piece.len)
        return;
    bool drained = (hc->phase == H2_DRAIN || hc->input_ended) && hc->n_streams == 0;
    bool over = !nghttp2_session_want_read(hc->ng) && !nghttp2_session_want_write(hc->ng);
    if (drained || over)
        finish(hc);
    if (over && !list_empty(&hc->streams))
        let_all_go(hc, NGHTTP2_PROTOCOL_ERROR); /* nghttp2 has ended the connection itself */
}

void h2_conn_soon(struct h2_conn *hc)
{
    struct error ignored; /* re-arming cannot fail: the timer has its place */
    int64_t now = loop_now(hc->env->loop);
    if (hc->timer.at_ns > now) /* one that is due is not put off: setting it means the next turn */
        (void)loop_timer_set(hc->env->loop, &hc->timer, now, &ignored);
}

void h2_conn_wake(struct h2_conn *hc)
{
    if (hc->conn)
        conn_wake(hc->conn);
}

/* --- bytes in --- */

/* HTTP/1 gets an answer it can show; anything else is just closed. */
static void refuse_preface(struct h2_conn *hc, str bytes)
{
    bool http1 = str_find_str(bytes, STR(" HTTP/1.")) >= 0;
    if (hc->phase != H2_FRESH) {
        h2_conn_cut(hc, NGHTTP2_PROTOCOL_ERROR, "this is not the HTTP/2 connection preface");
        return;
    }
    if (http1)
        hc->piece = str_of(http1_answer, sizeof http1_answer - 1);
    hc->phase = H2_CUT;
    hc->goaway_sent = true;
    finish(hc);
}

/* Compares what has come of the preface. */
static bool check_preface(struct h2_conn *hc, str bytes)
{
    size_t n = MIN(bytes.len, sizeof preface - 1 - hc->n_preface);
    if (memcmp(preface + hc->n_preface, bytes.p, n) != 0)
        return false;
    hc->n_preface += n;
    hc->preface_ok = hc->n_preface == sizeof preface - 1;
    return true;
}

static void receive_failed(struct h2_conn *hc, int code)
{
    if (code == NGHTTP2_ERR_FLOODED)
        h2_conn_cut(hc, NGHTTP2_ENHANCE_YOUR_CALM, "too many frames that need an answer");
    else if (code == NGHTTP2_ERR_NOMEM)
        h2_conn_cut(hc, NGHTTP2_INTERNAL_ERROR, "out of memory");
    else
        h2_conn_cut(hc, NGHTTP2_PROTOCOL_ERROR, nghttp2_strerror(code));
}

static void conn_bytes(void *ctx, str bytes)
{
    struct h2_conn *hc = ctx;
    if (hc->phase == H2_CUT)
        return;
    if (!hc->preface_ok && !check_preface(hc, bytes)) {
        refuse_preface(hc, bytes);
        return;
    }
    if (hc->preface_ok)
        h2_conn_hello(hc);
    ssize_t n = nghttp2_session_mem_recv(hc->ng, (const uint8_t *)bytes.p, bytes.len);
    if (n < 0)
        receive_failed(hc, (int)n);
    h2_guard_queue(hc);
    h2_conn_check_done(hc);
}

/* The peer sends no more. Requests that are complete are still answered (a half-closed client may
 * read on); a PING finds out whether anybody is there: a closed socket answers it with a reset. */
static void conn_ended(void *ctx)
{
    struct h2_conn *hc = ctx;
    bool server = hc->env->shared->server;
    hc->input_ended = true;
    LIST_FOR_EACH (n, &hc->streams) {
        struct h2_stream *s = CONTAINER_OF(n, struct h2_stream, link);
        if (!s->remote_end)
            h2_stream_let_go(s, server ? NGHTTP2_CANCEL : H2_CONNECTION_LOST);
    }
    if (hc->phase == H2_FRESH || hc->n_streams == hc->n_gone)
        finish(hc);
    else
        (void)nghttp2_submit_ping(hc->ng, NGHTTP2_FLAG_NONE, NULL);
    h2_conn_soon(hc);
}

/* --- bytes out --- */

static void copy_piece(struct h2_conn *hc)
{
    size_t n = MIN(hc->piece.len, hc->out_cap - hc->out_len);
    if (n)
        memcpy(hc->out + hc->out_len, hc->piece.p, n);
    hc->out_len += n;
    hc->piece = n < hc->piece.len ? str_skip(hc->piece, n) : STR_NULL;
}

/* Puts the next of nghttp2's frames into `out`: DATA directly (callbacks.c), others as a piece. */
static bool send_next(struct h2_conn *hc)
{
    const uint8_t *p = NULL;
    if (hc->phase == H2_FRESH || (hc->phase == H2_CUT && hc->goaway_sent))
        return false;
    hc->data_written = false;
    ssize_t n = nghttp2_session_mem_send(hc->ng, &p);
    if (n < 0) {
        give_up(hc);
        return false;
    }
    hc->piece = str_of(p, (size_t)n);
    copy_piece(hc);
    return n > 0 || hc->data_written;
}

static size_t conn_fill(void *ctx, char *to, size_t cap)
{
    struct h2_conn *hc = ctx;
    hc->out = to;
    hc->out_cap = cap;
    hc->out_len = 0;
    copy_piece(hc);
    while (hc->out_cap - hc->out_len >= DATA_ROOM && send_next(hc))
        ;
    hc->out = NULL;
    h2_conn_check_done(hc);
    return hc->out_len;
}

/* --- the beginning --- */

static void submit_settings(struct h2_conn *hc)
{
    const struct h2_limits *l = &hc->env->shared->limits;
    nghttp2_settings_entry s[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)l->max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)l->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)l->max_header_bytes},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}, /* clients only (RFC 9113 6.5.2) */
    };
    size_t n = ARRAY_SIZE(s) - (hc->env->shared->server ? 1 : 0);
    (void)nghttp2_submit_settings(hc->ng, NGHTTP2_FLAG_NONE, s, n);
    (void)nghttp2_session_set_local_window_size(hc->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)hc->window);
}

void h2_conn_hello(struct h2_conn *hc)
{
    if (hc->phase != H2_FRESH)
        return;
    hc->phase = H2_ACTIVE;
    submit_settings(hc);
    h2_conn_wake(hc);
}

static void conn_opened(void *ctx)
{
    h2_conn_hello(ctx);
}

static const struct conn_handler conn_handler = {
    .on_open = conn_opened,
    .on_bytes = conn_bytes,
    .on_end = conn_ended,
    .fill = conn_fill,
    .on_close = conn_closed,
};

static enum err make_session(struct h2_conn *hc, struct error *e)
{
    struct h2_shared *s = hc->env->shared;
    int r = s->server ? nghttp2_session_server_new2(&hc->ng, s->callbacks, hc, s->options)
                      : nghttp2_session_client_new2(&hc->ng, s->callbacks, hc, s->options);
    return r == 0 ? ERR_OK : h2_fail_ng(r, "cannot make an HTTP/2 session", e);
}

static enum err start(struct h2_conn *hc, int fd, struct tls *tls, struct error *e)
{
    const struct h2_limits *l = &hc->env->shared->limits;
    struct conn_options o = {
        .loop = hc->env->loop,
        .scratch = hc->env->scratch,
        .fd = fd,
        .peer = &hc->peer,
        .tls = tls,
        .handshake_ms = l->handshake_ms,
        .linger_ms = l->linger_ms,
        .handler = &conn_handler,
        .ctx = hc,
    };
    TRY(conn_new(&o, &hc->conn, e)); /* takes fd and tls */
    int64_t now = loop_now(hc->env->loop);
    h2_guard_init(hc, now);
    int64_t first = tls ? l->tick_ms : l->hello_delay_ms;
    enum err err = loop_timer_set(hc->env->loop, &hc->timer, now + first * NS_PER_MS, e);
    if (err != ERR_OK)
        conn_abort(STEAL(hc->conn));
    return err;
}

static struct h2_conn *hc_new(struct h2_env *env, const struct sys_address *peer)
{
    struct h2_conn *hc = calloc(1, sizeof *hc);
    if (!hc)
        return NULL;
    hc->env = env;
    hc->peer = *peer;
    hc->timer.fired = h2_guard_fired;
    hc->preface_ok = !env->shared->server; /* a server sends none */
    hc->window = env->shared->limits.connection_window;
    list_init(&hc->streams);
    h2_room_init_conn(hc);
    return hc;
}

enum err h2_conn_open(struct h2_env *env, int fd, const struct sys_address *peer, struct tls *tls,
                      struct h2_conn **ret, struct error *e)
{
    struct h2_conn *hc = hc_new(env, peer);
    enum err err = hc ? make_session(hc, e) : FAIL_NOMEM(e);
    if (err != ERR_OK) {
        sys_closep(&fd);
        tls_free(tls);
        free(hc);
        return err;
    }
    err = start(hc, fd, tls, e);
    if (err != ERR_OK) {
        free_hc(hc);
        return err;
    }
    hc->is_tls = tls != NULL;
    list_push_back(&env->conns, &hc->link);
    env->n_conns++;
    if (!env->shared->server && !tls)
        h2_conn_hello(hc);
    *ret = hc;
    return ERR_OK;
}
