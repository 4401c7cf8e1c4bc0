/* What nghttp2 reports. A callback that finds the connection cut stops nghttp2's reading. */
#include "h2/session.h"

#include "base/macro.h"

#include <stdlib.h>

#define DATA_MAX         KIB(64) /* of one DATA frame, when the peer allows as much */
#define FRAME_HEAD       9       /* RFC 9113 4.1 */
#define HEADER_GROSS     4       /* times the limit: not a mistake any more */
#define NOTICE_STREAM_ID 0x7fffffff

static int go_on(const struct h2_conn *hc)
{
    return hc->phase == H2_CUT ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* The stream, unless it is gone. */
static struct h2_stream *find(const struct h2_conn *hc, int32_t id)
{
    return nghttp2_session_get_stream_user_data(hc->ng, id);
}

static const struct h2_handler *handler_of(const struct h2_conn *hc)
{
    return hc->env->shared->handler;
}

static void *ctx_of(const struct h2_conn *hc)
{
    return hc->env->shared->ctx;
}

/* --- header blocks --- */

static void begin_request(struct h2_conn *hc, int32_t id)
{
    struct h2_stream *s = h2_stream_new(hc, id);
    if (!s) {
        (void)nghttp2_submit_rst_stream(hc->ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
        return;
    }
    (void)nghttp2_session_set_stream_user_data(hc->ng, id, s);
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
    struct h2_conn *hc = arg;
    (void)ng;
    if (f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_REQUEST)
        begin_request(hc, f->hd.stream_id);
    if (!h2_block_take(hc))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    hc->block_since_ns = loop_now(hc->env->loop);
    return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *f, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
    struct h2_conn *hc = arg;
    (void)ng, (void)f, (void)flags;
    if (!hc->block)
        return go_on(hc);
    h2_block_add(hc->block, str_of(name, name_len), str_of(value, value_len));
    if (hc->block->size > HEADER_GROSS * hc->block->max)
        h2_conn_cut(hc, NGHTTP2_ENHANCE_YOUR_CALM, "the headers are far too large");
    return go_on(hc);
}

/* RFC 9113 8.1.1: malformed. Without this callback nghttp2 would drop the field silently. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *f, const uint8_t *name,
                             size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                             void *arg)
{
    (void)ng, (void)f, (void)name, (void)name_len, (void)value, (void)value_len, (void)flags;
    (void)arg;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* RFC 6585 5: 431, which gRPC clients show; without memory 503, UNAVAILABLE for them. */
static void refuse_headers(struct h2_stream *s, bool too_big)
{
    struct h2_header h = {STR(":status"), too_big ? STR("431") : STR("503")};
    struct error ignored;
    if (h2_stream_respond(s, &h, 1, NULL, NULL, &ignored) == ERR_OK)
        h2_stream_stop_reading(s);
    else
        h2_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
}

static bool is_interim(const struct h2_header *h, size_t n)
{
    return n > 0 && str_eq(h[0].name, STR(":status")) && str_starts_with(h[0].value, STR("1"));
}

static void deliver_fields(struct h2_stream *s, bool first, const struct h2_header *h, size_t n)
{
    struct h2_conn *hc = s->hc;
    if (first) {
        s->final = true;
        handler_of(hc)->on_headers(ctx_of(hc), s, h, n);
    } else if (handler_of(hc)->on_trailers) {
        handler_of(hc)->on_trailers(ctx_of(hc), s, h, n);
    }
}

/* A complete header block. */
static void deliver_block(struct h2_conn *hc, struct h2_stream *s)
{
    size_t n;
    bool server = hc->env->shared->server;
    bool too_big = h2_block_too_big(hc->block);
    const struct h2_header *h = h2_block_fields(hc->block, &n);
    bool unusable = too_big || h2_block_lost(hc->block);
    if (unusable && server && !s->responded)
        refuse_headers(s, too_big);
    else if (unusable)
        h2_stream_reset(s, NGHTTP2_ENHANCE_YOUR_CALM);
    else if (!s->final && !server && is_interim(h, n))
        return;
    else
        deliver_fields(s, !s->final, h, n);
}

/* --- frames --- */

static void deliver_end(struct h2_conn *hc, struct h2_stream *s)
{
    s->remote_end = true;
    if (!s->gone && !s->stop)
        handler_of(hc)->on_end(ctx_of(hc), s);
}

static void headers_received(struct h2_conn *hc, const nghttp2_frame *f)
{
    struct h2_stream *s = find(hc, f->hd.stream_id);
    h2_guard_progress(hc);
    if (s && hc->block && !s->stop)
        deliver_block(hc, s);
    h2_block_give(hc);
    s = find(hc, f->hd.stream_id); /* the handler may have reset it */
    if (s && f->hd.flags & NGHTTP2_FLAG_END_STREAM)
        deliver_end(hc, s);
}

static void data_received(struct h2_conn *hc, const nghttp2_frame *f)
{
    struct h2_stream *s = find(hc, f->hd.stream_id);
    if (f->hd.length > 0 && f->hd.length == f->data.padlen)
        h2_guard_idle_frame(hc); /* nothing but padding */
    if (s && f->hd.flags & NGHTTP2_FLAG_END_STREAM)
        deliver_end(hc, s);
}

static void ping_received(struct h2_conn *hc, const nghttp2_frame *f)
{
    if (!(f->hd.flags & NGHTTP2_FLAG_ACK))
        h2_guard_ping(hc);
    else if (hc->phase == H2_NOTICE)
        h2_conn_final_goaway(hc);
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
    struct h2_conn *hc = arg;
    (void)ng;
    if (hc->phase == H2_CUT)
        return go_on(hc);
    if (f->hd.type == NGHTTP2_HEADERS)
        headers_received(hc, f);
    else if (f->hd.type == NGHTTP2_DATA)
        data_received(hc, f);
    else if (f->hd.type == NGHTTP2_PING)
        ping_received(hc, f);
    else if (f->hd.type == NGHTTP2_SETTINGS)
        hc->settings_ok = true;
    else if (f->hd.type == NGHTTP2_GOAWAY)
        hc->peer_goaway = true;
    return go_on(hc);
}

/* Every frame but DATA costs; requests and data earn (guard.c). */
static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg)
{
    struct h2_conn *hc = arg;
    (void)ng;
    bool empty = hd->length == 0 && !(hd->flags & NGHTTP2_FLAG_END_STREAM);
    if (hd->type == NGHTTP2_DATA)
        hc->frame_left = hd->length;
    if (hd->type != NGHTTP2_DATA || empty)
        h2_guard_idle_frame(hc);
    return go_on(hc);
}

static int on_unknown_chunk(nghttp2_session *ng, const nghttp2_frame_hd *hd, const uint8_t *data,
                            size_t len, void *arg)
{
    (void)ng, (void)hd, (void)data, (void)len;
    return go_on(arg);
}

/* CANCEL: the frame is dropped. */
static int drop_unknown(nghttp2_session *ng, void **payload, const nghttp2_frame_hd *hd, void *arg)
{
    (void)ng, (void)payload, (void)hd, (void)arg;
    return NGHTTP2_ERR_CANCEL;
}

static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *arg)
{
    struct h2_conn *hc = arg;
    struct h2_stream *s = find(hc, id);
    hc->frame_left -= MIN(len, hc->frame_left);
    if (!s)
        return nghttp2_session_consume_connection(ng, len) == 0 ? go_on(hc)
                                                                : NGHTTP2_ERR_CALLBACK_FAILURE;
    s->received += len;
    s->held += len;
    s->ending = flags & NGHTTP2_FLAG_END_STREAM && hc->frame_left == 0;
    h2_guard_progress(hc);
    if (s->stop)
        h2_stream_consume(s, len);
    else
        handler_of(hc)->on_data(ctx_of(hc), s, str_of(data, len));
    return go_on(hc);
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t error, void *arg)
{
    struct h2_conn *hc = arg;
    struct h2_stream *s = find(hc, id);
    (void)ng;
    if (!s)
        return 0;
    bool server = hc->env->shared->server;
    bool aborted = !s->local_end || (!s->remote_end && !s->stop);
    bool complete = server ? s->local_end : s->remote_end;
    if (server && aborted)
        h2_guard_reset(hc);
    if (error == NGHTTP2_NO_ERROR && !complete)
        error = NGHTTP2_CANCEL;
    h2_stream_finish(s, error);
    return 0;
}

/* --- sending --- */

static void stream_frame_sent(struct h2_conn *hc, const nghttp2_frame *f)
{
    struct h2_stream *s = find(hc, f->hd.stream_id);
    h2_guard_sent(hc);
    if (!s || !(f->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return;
    s->local_end = true;
    if (s->stop)
        h2_stream_stop_reading(s);
}

/* The PING that measures the round trip must follow the notice, and PINGs overtake what is queued.
 */
static void goaway_sent(struct h2_conn *hc, const nghttp2_frame *f)
{
    if (f->goaway.last_stream_id == NOTICE_STREAM_ID)
        (void)nghttp2_submit_ping(hc->ng, NGHTTP2_FLAG_NONE, NULL);
    else
        hc->goaway_sent = true;
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
    struct h2_conn *hc = arg;
    (void)ng;
    if (f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA)
        stream_frame_sent(hc, f);
    if (f->hd.type == NGHTTP2_GOAWAY)
        goaway_sent(hc, f);
    return 0;
}

static int on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *f, int code, void *arg)
{
    struct h2_stream *s = find(arg, f->hd.stream_id);
    (void)ng, (void)code;
    if (f->hd.type == NGHTTP2_HEADERS && s) /* a client's request: the server never saw it */
        h2_stream_reset(s, s->hc->env->shared->server ? NGHTTP2_INTERNAL_ERROR
                                                      : NGHTTP2_REFUSED_STREAM);
    return 0;
}

static ssize_t data_length(nghttp2_session *ng, uint8_t type, int32_t id, int32_t session_window,
                           int32_t stream_window, uint32_t max_frame, void *arg)
{
    struct h2_conn *hc = arg;
    (void)ng, (void)type, (void)id, (void)session_window, (void)stream_window;
    size_t room = hc->out_cap - hc->out_len - FRAME_HEAD;
    room = MIN(room, (size_t)max_frame);
    return (ssize_t)MIN(room, DATA_MAX);
}

/* The body goes where the frame will be; its header is put before it by send_data. */
static ssize_t read_body(nghttp2_session *ng, int32_t id, uint8_t *to, size_t len, uint32_t *flags,
                         nghttp2_data_source *source, void *arg)
{
    struct h2_conn *hc = arg;
    struct h2_stream *s = find(hc, id);
    enum h2_more more = H2_WAIT;
    (void)ng, (void)to, (void)source;
    if (!s || !hc->out)
        return NGHTTP2_ERR_DEFERRED;
    s->reading = true;
    size_t n = s->read(s->read_ctx, hc->out + hc->out_len + FRAME_HEAD, len, &more);
    s->reading = false;
    if (s->gone)
        return NGHTTP2_ERR_DEFERRED;
    if (more == H2_FAIL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (n == 0 && more != H2_END) {
        s->waiting = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    s->sent += n;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (more == H2_END)
        *flags |= NGHTTP2_DATA_FLAG_EOF | (s->trailers ? NGHTTP2_DATA_FLAG_NO_END_STREAM : 0);
    return (ssize_t)n;
}

/* PAUSE: one DATA frame per mem_send, so that there is always room for it. */
static int send_data(nghttp2_session *ng, nghttp2_frame *f, const uint8_t *head, size_t len,
                     nghttp2_data_source *source, void *arg)
{
    struct h2_conn *hc = arg;
    (void)ng, (void)f, (void)source;
    memcpy(hc->out + hc->out_len, head, FRAME_HEAD);
    hc->out_len += FRAME_HEAD + len;
    hc->data_written = true;
    return NGHTTP2_ERR_PAUSE;
}

nghttp2_data_provider *h2_stream_provider(struct h2_stream *s, nghttp2_data_provider *p)
{
    *p = (nghttp2_data_provider){.read_callback = read_body};
    return s->read ? p : NULL;
}

enum err h2_callbacks_new(nghttp2_session_callbacks **ret, struct error *e)
{
    nghttp2_session_callbacks *c;
    if (nghttp2_session_callbacks_new(&c) != 0)
        return FAIL_NOMEM(e);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_invalid_header);
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
    nghttp2_session_callbacks_set_on_extension_chunk_recv_callback(c, on_unknown_chunk);
    nghttp2_session_callbacks_set_unpack_extension_callback(c, drop_unknown);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(c, on_frame_not_send);
    nghttp2_session_callbacks_set_data_source_read_length_callback(c, data_length);
    nghttp2_session_callbacks_set_send_data_callback(c, send_data);
    *ret = c;
    return ERR_OK;
}
