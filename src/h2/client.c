#include "h2/session.h"

#include "base/clock.h"
#include "base/macro.h"
#include "base/sys.h"
#include "net/tls.h"

#include <stdlib.h>

#define MAX_ADDRESSES 8

/* What we download we consume at once, so wide windows cost nothing (DESIGN.md 2, lesson 3). */
#define STREAM_WINDOW     MIB(4)
#define CONNECTION_WINDOW MIB(16)

struct h2_client {
    struct h2_shared shared;
    struct h2_env env;
    struct tls_client *tls;
    struct h2_conn *hc; /* NULL when the connection has ended */
    struct error why;   /* it ended */
};

static void conn_closed(struct h2_env *env, struct h2_conn *hc, const struct error *why)
{
    struct h2_client *c = CONTAINER_OF(env, struct h2_client, env);
    (void)hc;
    c->hc = NULL;
    c->why = *why;
}

/* The first address that answers. */
static enum err dial(const struct h2_client_options *o, int64_t deadline_ns, int *ret_fd,
                     struct sys_address *ret_peer, struct error *e)
{
    struct sys_address list[MAX_ADDRESSES];
    size_t n;
    TRY(sys_resolve(o->host, o->port, list, MAX_ADDRESSES, &n, e));
    enum err err =
        FAIL(e, ERR_UNAVAILABLE, "net.resolve", "the host \"%s\" has no address", o->host);
    for (size_t i = 0; i < n && err != ERR_OK; i++) {
        *ret_peer = list[i];
        err = sys_connect(&list[i], deadline_ns, ret_fd, e);
    }
    return err;
}

static enum err make_tls(struct h2_client *c, const struct h2_client_options *o, struct tls **ret,
                         struct error *e)
{
    *ret = NULL;
    if (!o->tls)
        return ERR_OK;
    TRY(tls_client_new(o->ca_file, &c->tls, e));
    return tls_connect(c->tls, o->host, ret, e);
}

/* The peer's SETTINGS prove that it speaks HTTP/2. */
static enum err await_settings(struct h2_client *c, int64_t deadline_ns, struct error *e)
{
    while (c->hc && !c->hc->settings_ok) {
        int64_t left_ms = (deadline_ns - clock_mono_ns()) / NS_PER_MS;
        if (left_ms <= 0)
            return FAIL(e, ERR_DEADLINE_EXCEEDED, "h2.connect_timeout",
                        "no HTTP/2 SETTINGS came in time");
        TRY(loop_run_once(c->env.loop, (int)MIN(left_ms, (int64_t)60000), e));
    }
    if (!c->hc) {
        *e = c->why;
        return e->code == ERR_OK ? FAIL(e, ERR_UNAVAILABLE, "h2.not_http2",
                                        "the peer closed the connection or is not HTTP/2")
                                 : e->code;
    }
    return ERR_OK;
}

static enum err establish(struct h2_client *c, const struct h2_client_options *o, struct error *e)
{
    struct sys_address peer = {0};
    struct tls *tls;
    CLEANUP(sys_closep) int fd = -1;
    int64_t deadline_ns = clock_mono_ns() + o->timeout_ms * NS_PER_MS;
    TRY(dial(o, deadline_ns, &fd, &peer, e));
    TRY(make_tls(c, o, &tls, e));
    int taken = fd;
    fd = -1;
    TRY(h2_conn_open(&c->env, taken, &peer, tls, &c->hc, e));
    return await_settings(c, deadline_ns, e);
}

/* For the caller all of it is one thing: nobody there to talk HTTP/2 to. */
static enum err unavailable(const struct h2_client_options *o, struct error *e)
{
    if (e->code != ERR_INVALID_ARGUMENT && e->code != ERR_RESOURCE_EXHAUSTED)
        e->code = ERR_UNAVAILABLE;
    e->sys = 0; /* the text is for the person who named the host */
    return err_wrap(e, "no connection to %s port %u", o->host, o->port);
}

enum err h2_client_connect(struct loop *l, const struct h2_client_options *o,
                           struct h2_client **ret, struct error *e)
{
    struct h2_limits limits = h2_limits_default;
    limits.stream_window = STREAM_WINDOW;
    limits.connection_window = CONNECTION_WINDOW;
    limits.handshake_ms = MAX(o->timeout_ms, (int64_t)1);
    struct h2_client *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL_NOMEM(e);
    c->env.on_closed = conn_closed;
    enum err err = h2_shared_init(&c->shared, false, &limits, o->handler, o->ctx, e);
    if (err == ERR_OK)
        err = h2_env_init(&c->env, &c->shared, l, e);
    if (err == ERR_OK && establish(c, o, e) != ERR_OK)
        err = unavailable(o, e);
    if (err != ERR_OK) {
        h2_client_free(c);
        return err;
    }
    *ret = c;
    return ERR_OK;
}

bool h2_client_usable(const struct h2_client *c)
{
    const struct h2_conn *hc = c->hc;
    return hc && hc->conn && hc->phase == H2_ACTIVE && !hc->peer_goaway && !hc->input_ended &&
           nghttp2_session_check_request_allowed(hc->ng);
}

const struct error *h2_client_why(const struct h2_client *c)
{
    return c->hc ? NULL : &c->why;
}

static enum err submit(struct h2_stream *s, const nghttp2_nv *nv, size_t n, struct error *e)
{
    nghttp2_data_provider provider;
    s->id = nghttp2_submit_request(s->hc->ng, NULL, nv, n, h2_stream_provider(s, &provider), s);
    return s->id < 0 ? h2_fail_ng(s->id, "cannot send the request", e) : ERR_OK;
}

/* A stream that nobody was told of. */
static void discard(struct h2_stream *s)
{
    struct h2_conn *hc = s->hc;
    list_del(&s->link);
    hc->n_streams--;
    ledger_give(&hc->env->shared->streams, 1);
    free(s);
}

enum err h2_client_request(struct h2_client *c, const struct h2_header *h, size_t n,
                           h2_read_fn *read, void *read_ctx, void *user, struct h2_stream **ret,
                           struct error *e)
{
    CLEANUP(freep) nghttp2_nv *nv = NULL;
    if (!h2_client_usable(c))
        return FAIL(e, ERR_UNAVAILABLE, "h2.closing", "the connection takes no new requests");
    TRY(h2_fields_dup(h, n, &nv, e));
    struct h2_stream *s = h2_stream_new(c->hc, 0);
    if (!s)
        return FAIL_NOMEM(e);
    s->user = user;
    s->read = read;
    s->read_ctx = read_ctx;
    enum err err = submit(s, nv, n, e);
    if (err != ERR_OK) {
        discard(s);
        return err;
    }
    h2_conn_wake(c->hc);
    *ret = s;
    return ERR_OK;
}

void h2_client_free(struct h2_client *c)
{
    struct error why;
    if (!c)
        return;
    (void)FAIL(&why, ERR_CANCELLED, "h2.closed", "the connection was closed here");
    if (c->hc)
        h2_conn_kill(c->hc, NGHTTP2_CANCEL, &why);
    h2_env_deinit(&c->env);
    h2_shared_deinit(&c->shared);
    tls_client_free(c->tls);
    free(c);
}
