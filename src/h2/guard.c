/* What keeps a peer from costing more than it should: floods, timeouts, rates; and the graceful
 * stop, which is a timeout too. */
#include "h2/session.h"

#include "base/log.h"
#include "base/macro.h"

#define MILLI     1000
#define LOG_BURST 20 /* lines */
#define LOG_PER_S 1
#define DAY_MS    86400000LL
#define PROGRESS_TOKENS                                                                            \
    10 /* earned by a request, or data: enough for a client's WINDOW_UPDATEs,                      \
        * PINGs and PRIORITYs that go with it */

static const struct h2_limits *limits_of(const struct h2_conn *hc)
{
    return &hc->env->shared->limits;
}

static int64_t now_of(const struct h2_conn *hc)
{
    return loop_now(hc->env->loop);
}

/* --- floods --- */

void h2_bucket_add(struct h2_bucket *b, int64_t burst, int64_t n)
{
    b->level_milli = MIN(b->level_milli + n * MILLI, burst * MILLI);
}

bool h2_bucket_take(struct h2_bucket *b, int64_t burst, int64_t per_s, int64_t now)
{
    int64_t ms = MIN((now - b->at_ns) / NS_PER_MS, (int64_t)DAY_MS);
    if (ms > 0) {
        b->at_ns = now;
        b->level_milli = MIN(b->level_milli + ms * per_s, burst * MILLI);
    }
    if (b->level_milli < MILLI)
        return false;
    b->level_milli -= MILLI;
    return true;
}

void h2_guard_init(struct h2_conn *hc, int64_t now)
{
    hc->opened_ns = hc->idle_since_ns = hc->tick_ns = now;
    hc->resets.at_ns = hc->idle_frames.at_ns = now;
    h2_bucket_add(&hc->resets, limits_of(hc)->reset_burst, limits_of(hc)->reset_burst);
    h2_bucket_add(&hc->idle_frames, limits_of(hc)->idle_frame_burst,
                  limits_of(hc)->idle_frame_burst);
}

void h2_guard_log(struct h2_conn *hc, const char *event, const char *why)
{
    struct h2_env *env = hc->env;
    if (!env->shared->server) { /* the caller gets an error to show */
        log_debug(event, LOG_C("why", why));
        return;
    }
    if (!h2_bucket_take(&env->log_lines, LOG_BURST, LOG_PER_S, now_of(hc))) {
        env->n_unlogged++;
        return;
    }
    log_info(event, LOG_STR("peer", conn_peer(hc->conn)), LOG_C("why", why),
             LOG_INT("not_logged", env->n_unlogged));
    env->n_unlogged = 0;
}

void h2_guard_reset(struct h2_conn *hc)
{
    const struct h2_limits *l = limits_of(hc);
    if (!h2_bucket_take(&hc->resets, l->reset_burst, l->reset_per_s, now_of(hc)))
        h2_conn_cut(hc, NGHTTP2_ENHANCE_YOUR_CALM, "too many aborted streams");
}

void h2_guard_idle_frame(struct h2_conn *hc)
{
    const struct h2_limits *l = limits_of(hc);
    if (!hc->env->shared->server)
        return;
    if (!h2_bucket_take(&hc->idle_frames, l->idle_frame_burst, l->idle_frame_per_s, now_of(hc)))
        h2_conn_cut(hc, NGHTTP2_ENHANCE_YOUR_CALM, "too many frames without progress");
}

void h2_guard_progress(struct h2_conn *hc)
{
    h2_bucket_add(&hc->idle_frames, limits_of(hc)->idle_frame_burst, PROGRESS_TOKENS);
}

/* As gRPC servers do: the debug text makes gRPC clients ping less often. */
void h2_guard_ping(struct h2_conn *hc)
{
    const struct h2_limits *l = limits_of(hc);
    int64_t now = now_of(hc);
    bool early = hc->last_ping_ns && now - hc->last_ping_ns < l->ping_interval_ms * NS_PER_MS;
    hc->last_ping_ns = now;
    if (early && hc->env->shared->server && ++hc->strikes > l->ping_strikes)
        h2_conn_cut(hc, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
}

void h2_guard_sent(struct h2_conn *hc)
{
    hc->last_ping_ns = 0;
    hc->strikes = 0;
    h2_guard_progress(hc);
}

void h2_guard_queue(struct h2_conn *hc)
{
    if (nghttp2_session_get_outbound_queue_size(hc->ng) > (size_t)limits_of(hc)->outbound_frames)
        h2_conn_cut(hc, NGHTTP2_ENHANCE_YOUR_CALM, "too many answers wait to be read");
}

/* --- streams that do not move --- */

static bool passed(int64_t since_ns, int64_t now, int64_t ms)
{
    return now - since_ns >= ms * NS_PER_MS;
}

/* Whether it is the client's turn to send request bytes, and we would take them. Once the response
 * has begun, a request may stay open as long as it likes (bidirectional streams). */
static bool awaits_upload(const struct h2_conn *hc, const struct h2_stream *s)
{
    if (s->remote_end || s->responded || s->stop || hc->pauses)
        return false;
    nghttp2_session *ng = hc->ng;
    int32_t stream = nghttp2_session_get_stream_local_window_size(ng, s->id);
    int32_t stream_size = nghttp2_session_get_stream_effective_local_window_size(ng, s->id);
    int32_t conn = nghttp2_session_get_local_window_size(ng);
    return stream > stream_size / 4 && conn > hc->window / 4;
}

/* Whether response bytes are ready and only the client's window is in the way. */
static bool awaits_window(const struct h2_conn *hc, const struct h2_stream *s)
{
    if (!s->read || s->local_end || s->waiting || hc->pauses)
        return false;
    return !conn_stalled(hc->conn);
}

/* One direction of a stream over dt of counted time. False: too slow. */
struct flow {
    uint64_t total, *seen, *rate_base;
    int64_t *counted_ns, *stall_ns;
    int64_t stall_ms, min_rate, window_ms;
};

static bool flow_ok(const struct flow *f, int64_t dt)
{
    *f->stall_ns = f->total == *f->seen ? *f->stall_ns + dt : 0;
    *f->seen = f->total;
    *f->counted_ns += dt;
    if (*f->stall_ns >= f->stall_ms * NS_PER_MS)
        return false;
    if (*f->counted_ns < f->window_ms * NS_PER_MS)
        return true;
    uint64_t want = (uint64_t)(f->min_rate * (*f->counted_ns / NS_PER_MS) / 1000);
    bool ok = f->total - *f->rate_base >= want;
    *f->rate_base = f->total;
    *f->counted_ns = 0;
    return ok;
}

static bool upload_ok(struct h2_conn *hc, struct h2_stream *s, int64_t dt)
{
    const struct h2_limits *l = limits_of(hc);
    if (!awaits_upload(hc, s)) {
        s->up_stall_ns = 0;
        return true;
    }
    struct flow f = {s->received,     &s->seen_received, &s->rate_received,  &s->up_counted_ns,
                     &s->up_stall_ns, l->body_stall_ms,  l->min_upload_rate, l->rate_window_ms};
    return flow_ok(&f, dt);
}

/* Others wait for what the peer is to take. */
static void press(struct flow *f, const struct h2_limits *l)
{
    f->stall_ms = f->window_ms = l->pressed_ms;
    f->min_rate = l->pressed_rate;
}

static bool download_ok(struct h2_conn *hc, struct h2_stream *s, int64_t dt)
{
    const struct h2_limits *l = limits_of(hc);
    if (!awaits_window(hc, s)) {
        s->down_stall_ns = 0;
        return true;
    }
    struct flow f = {
        s->sent,           &s->seen_sent,        &s->rate_sent,        &s->down_counted_ns,
        &s->down_stall_ns, l->download_stall_ms, l->min_download_rate, l->rate_window_ms};
    if (h2_room_is_wanted(s))
        press(&f, l);
    return flow_ok(&f, dt);
}

static void too_slow(struct h2_stream *s, const char *why)
{
    h2_guard_log(s->hc, "stream cut", why);
    if (h2_room_is_wanted(s))
        h2_room_refuse(s->hc);
    h2_stream_reset(s, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void check_streams(struct h2_conn *hc, int64_t dt)
{
    LIST_FOR_EACH (n, &hc->streams) {
        struct h2_stream *s = CONTAINER_OF(n, struct h2_stream, link);
        if (s->gone)
            continue;
        if (!upload_ok(hc, s, dt))
            too_slow(s, "the request body comes too slowly");
        else if (!download_ok(hc, s, dt))
            too_slow(s, "the response is read too slowly");
    }
}

/* --- the connection's timeouts --- */

/* The client's side has no such checks: its caller has a deadline. */
static void check_timeouts(struct h2_conn *hc, int64_t now)
{
    const struct h2_limits *l = limits_of(hc);
    bool greeted = hc->preface_ok && hc->settings_ok;
    if (hc->phase == H2_CUT)
        return;
    if (!greeted && hc->phase != H2_FRESH && passed(hc->opened_ns, now, l->preface_ms))
        h2_conn_cut(hc, NGHTTP2_SETTINGS_TIMEOUT, "no HTTP/2 preface and SETTINGS in time");
    else if (hc->block_since_ns && passed(hc->block_since_ns, now, l->header_block_ms))
        h2_conn_cut(hc, NGHTTP2_ENHANCE_YOUR_CALM, "a header block takes too long");
    else if (hc->phase == H2_NOTICE && passed(hc->notice_ns, now, l->goaway_wait_ms))
        h2_conn_final_goaway(hc);
    else if (hc->phase == H2_ACTIVE && hc->n_streams == 0 &&
             passed(hc->idle_since_ns, now, l->idle_ms))
        h2_conn_drain(hc);
}

/* What the peer takes off its socket, while we have more for it than the kernel takes. */
static bool socket_ok(struct h2_conn *hc, int64_t dt)
{
    const struct h2_limits *l = limits_of(hc);
    if (!conn_stalled(hc->conn)) {
        hc->ack_stall_ns = 0;
        return true;
    }
    struct flow f = {conn_acked(hc->conn), &hc->seen_acked,   &hc->rate_acked,
                     &hc->ack_counted_ns,  &hc->ack_stall_ns, l->write_stall_ms,
                     l->min_download_rate, l->rate_window_ms};
    if (h2_room_is_wanted_of(hc))
        press(&f, l);
    return flow_ok(&f, dt);
}

static void kill_slow(struct h2_conn *hc)
{
    struct error why;
    (void)FAIL(&why, ERR_DEADLINE_EXCEEDED, "h2.write_stall",
               "the peer reads its socket too slowly");
    h2_guard_log(hc, "connection cut", why.msg);
    h2_conn_kill(hc, NGHTTP2_ENHANCE_YOUR_CALM, &why);
}

static bool busy(const struct h2_conn *hc)
{
    return hc->n_streams || !hc->settings_ok || hc->block_since_ns || hc->phase != H2_ACTIVE ||
           conn_stalled(hc->conn);
}

static void rearm(struct h2_conn *hc, int64_t now)
{
    const struct h2_limits *l = limits_of(hc);
    struct error ignored; /* cannot fail: the place in the heap is the one it just left */
    int64_t idle_at = hc->idle_since_ns + l->idle_ms * NS_PER_MS;
    int64_t at = busy(hc) ? now + l->tick_ms * NS_PER_MS : idle_at;
    (void)loop_timer_set(hc->env->loop, &hc->timer, at, &ignored);
}

/* False: the connection is freed. */
static bool tick(struct h2_conn *hc, int64_t now)
{
    int64_t dt = now - hc->tick_ns;
    if (dt < limits_of(hc)->tick_ms * NS_PER_MS / 2)
        return true; /* the timer came early, to reap */
    hc->tick_ns = now;
    dt = MIN(dt, 2 * limits_of(hc)->tick_ms * NS_PER_MS);
    if (!socket_ok(hc, dt)) {
        kill_slow(hc);
        return false;
    }
    check_streams(hc, dt);
    check_timeouts(hc, now);
    return true;
}

void h2_guard_fired(struct timer *t)
{
    struct h2_conn *hc = CONTAINER_OF(t, struct h2_conn, timer);
    int64_t now = now_of(hc);
    rearm(hc, now);
    if (hc->phase == H2_FRESH && !hc->is_tls)
        h2_conn_hello(hc);
    if (hc->env->shared->server && !tick(hc, now))
        return;
    h2_stream_reap(hc);
    h2_conn_check_done(hc);
}

/* --- graceful stop (RFC 9113 6.8) --- */

void h2_conn_drain(struct h2_conn *hc)
{
    h2_conn_hello(hc);
    if (hc->phase != H2_ACTIVE)
        return;
    hc->phase = H2_NOTICE;
    hc->notice_ns = now_of(hc);
    (void)nghttp2_submit_shutdown_notice(hc->ng); /* then a PING, see goaway_sent */
    h2_conn_wake(hc);
    h2_conn_soon(hc);
}

void h2_conn_final_goaway(struct h2_conn *hc)
{
    hc->phase = H2_DRAIN;
    (void)nghttp2_submit_goaway(hc->ng, NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(hc->ng), NGHTTP2_NO_ERROR,
                                NULL, 0);
    h2_conn_wake(hc);
    h2_conn_soon(hc);
}
