#include "grpc/client.h"

#include "base/clock.h"
#include "base/sys.h"
#include "grpc/deadline.h"
#include "grpc/gather.h"
#include "grpc/http.h"
#include "grpc/status.h"
#include "grpc/target.h"
#include "h2/h2.h"

#include <inttypes.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECT_TIMEOUT_MS 10000
#define STREAM_MESSAGE_MAX MIB(4)
#define WAIT_MAX_MS        60000 /* of one turn of the loop */

struct grpc_client {
    struct loop *loop;
    struct h2_client *h2; /* NULL: not connected */
    struct h2_client_options options;
    char host[TARGET_HOST_MAX], ca_file[4096], authority[TARGET_HOST_MAX + 10];
};

typedef enum err on_message_fn(void *ctx, str message, struct error *e);

/* One call. */
struct exchange {
    struct grpc_client *client;
    const struct grpc_request *request;
    struct h2_stream *stream; /* NULL: closed */
    int64_t deadline_ns;
    /* the request's body */
    uint8_t prefix[FRAMES_PREFIX];
    uint64_t sent, total; /* of prefix and message */
    /* the response */
    on_message_fn *on_message; /* NULL: unary, gathered */
    void *ctx;
    struct buf message; /* of a stream: the one that is coming */
    struct receive receive;
    struct gather gather;
    bool begun;      /* response headers were right: bodies are read */
    bool has_status; /* grpc-status came */
    enum err status;
    struct buf status_text;
    enum err failed; /* our own reason to give up; it is in *error */
    struct error *error;
};

/* --- giving up --- */

static void give_up(struct exchange *x)
{
    x->failed = x->error->code;
    if (x->stream)
        h2_stream_reset(x->stream, NGHTTP2_CANCEL);
}

/* --- the response --- */

static enum err message_piece(void *ctx, str piece, struct error *e)
{
    struct exchange *x = ctx;
    buf_add(&x->message, piece);
    return buf_status(&x->message, e);
}

static enum err message_end(void *ctx, struct error *e)
{
    struct exchange *x = ctx;
    enum err err = x->on_message(x->ctx, buf_view(&x->message), e);
    buf_clear(&x->message);
    return err;
}

static void read_status(struct exchange *x, const struct h2_header *h, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(h[i].name, STR("grpc-status"))) {
            x->has_status = true;
            x->status = status_parse(h[i].value);
        } else if (str_eq(h[i].name, STR("grpc-message"))) {
            buf_clear(&x->status_text);
            status_decode(&x->status_text, h[i].value);
        }
    }
}

static str find_header(const struct h2_header *h, size_t n, str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(h[i].name, name))
            return h[i].value;
    return STR_NULL;
}

static enum err check_response(struct exchange *x, const struct h2_header *h, size_t n,
                               bool *ret_gzip, struct error *e)
{
    str status = find_header(h, n, STR(":status"));
    str type = find_header(h, n, STR("content-type"));
    uint64_t number = 0;
    (void)str_to_u64(status, &number);
    if (number != HTTP_OK)
        return FAIL(e, status_of_http((int)number), "grpc.http_status",
                    "%s answers with HTTP status %.*s: it is not a gRPC server for this method",
                    x->client->authority, STR_ARG(status));
    if (!http_is_grpc(type))
        return FAIL(e, ERR_UNKNOWN, "grpc.content_type",
                    "%s answers with content-type \"%.*s\": it is not a gRPC server",
                    x->client->authority, STR_ARG(str_head(type, 64)));
    if (receive_encoding(find_header(h, n, STR("grpc-encoding")), ret_gzip, e) != ERR_OK) {
        e->code = ERR_INTERNAL; /* compression.md: the server chose what we did not offer */
        return err_wrap(e, "the response");
    }
    return ERR_OK;
}

/* A server that answers with the status alone sends it here. */
static void on_headers(void *ctx, struct h2_stream *s, const struct h2_header *h, size_t n)
{
    struct exchange *x = h2_stream_user(s);
    bool gzip = false;
    (void)ctx;
    if (x->failed)
        return;
    read_status(x, h, n);
    if (x->has_status)
        return;
    if (check_response(x, h, n, &gzip, x->error) != ERR_OK) {
        give_up(x);
        return;
    }
    x->begun = true;
    x->receive.may_gzip = gzip;
    x->gather.receive.may_gzip = gzip;
}

static void on_data(void *ctx, struct h2_stream *s, str bytes)
{
    struct exchange *x = h2_stream_user(s);
    enum err err = ERR_OK;
    (void)ctx;
    if (x->begun && !x->failed)
        err = x->on_message ? receive_feed(&x->receive, bytes, x->error)
                            : gather_feed(&x->gather, bytes, x->error);
    h2_stream_consume(s, bytes.len);
    if (err != ERR_OK)
        give_up(x);
}

static void on_trailers(void *ctx, struct h2_stream *s, const struct h2_header *h, size_t n)
{
    (void)ctx;
    read_status(h2_stream_user(s), h, n);
}

static void on_end(void *ctx, struct h2_stream *s)
{
    const struct exchange *x = h2_stream_user(s);
    (void)ctx;
    /* on_close follows, also when the server leaves it to us to stop sending (RFC 9113 8.1). */
    if (x->sent < x->total)
        h2_stream_reset(s, NGHTTP2_NO_ERROR);
}

static void closed_early(struct exchange *x, uint32_t code)
{
    if (code == H2_CONNECTION_LOST)
        x->failed = FAIL(x->error, ERR_UNAVAILABLE, "grpc.connection", "the connection to %s broke",
                         x->client->authority);
    else if (code)
        x->failed =
            FAIL(x->error, status_of_h2(code), "grpc.reset",
                 "%s ended the call (HTTP/2 error %" PRIu32 ")", x->client->authority, code);
    else
        x->failed = FAIL(x->error, ERR_INTERNAL, "grpc.no_status",
                         "%s ended the call without a status", x->client->authority);
}

static void on_close(void *ctx, struct h2_stream *s, uint32_t code)
{
    struct exchange *x = h2_stream_user(s);
    (void)ctx;
    x->stream = NULL;
    if (!x->failed && !x->has_status)
        closed_early(x, code);
}

static const struct h2_handler handler = {on_headers, on_data, on_trailers, on_end, on_close};

/* --- the request --- */

/* A part of the body in memory, which starts at `start` of the whole. */
static size_t copy_part(struct exchange *x, str part, uint64_t start, char *to, size_t cap)
{
    if (x->sent < start || x->sent - start >= part.len)
        return 0;
    str piece = str_head(str_skip(part, x->sent - start), cap);
    memcpy(to, piece.p, piece.len);
    x->sent += piece.len;
    return piece.len;
}

/* The part in the file. */
static enum err read_part(struct exchange *x, uint64_t start, char *to, size_t cap, size_t *ret_n)
{
    const struct grpc_request *r = x->request;
    *ret_n = 0;
    if (x->sent < start || x->sent - start >= r->len)
        return ERR_OK;
    uint64_t done = x->sent - start;
    size_t n = MIN((uint64_t)cap, r->len - done);
    TRY(sys_pread_full(r->fd, to, n, r->off + done, x->error));
    x->sent += n;
    *ret_n = n;
    return ERR_OK;
}

static size_t read_body(void *ctx, char *to, size_t cap, enum h2_more *ret_more)
{
    struct exchange *x = ctx;
    const struct grpc_request *r = x->request;
    uint64_t file = FRAMES_PREFIX + r->head.len;
    size_t n_file, n = copy_part(x, str_of(x->prefix, FRAMES_PREFIX), 0, to, cap);
    n += copy_part(x, r->head, FRAMES_PREFIX, to + n, cap - n);
    *ret_more = H2_FAIL;
    if (read_part(x, file, to + n, cap - n, &n_file) != ERR_OK) {
        x->failed = x->error->code;
        return 0;
    }
    n += n_file;
    n += copy_part(x, r->tail, x->total - r->tail.len, to + n, cap - n);
    *ret_more = x->sent == x->total ? H2_END : H2_MORE;
    if (r->progress && x->sent > FRAMES_PREFIX)
        r->progress(r->ctx, x->sent - FRAMES_PREFIX, x->total - FRAMES_PREFIX);
    return n;
}

static enum err set_body(struct exchange *x, struct error *e)
{
    const struct grpc_request *r = x->request;
    uint64_t file = r->fd < 0 ? 0 : r->len;
    uint64_t message = r->head.len + file + r->tail.len;
    if (file > UINT32_MAX || message > UINT32_MAX)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "grpc.request.too_large",
                    "the request has %" PRIu64 " bytes; a gRPC message has at most %" PRIu32,
                    message, UINT32_MAX);
    frames_prefix((uint32_t)message, x->prefix);
    x->total = FRAMES_PREFIX + message;
    return ERR_OK;
}

static enum err send_request(struct exchange *x, struct error *e)
{
    const struct grpc_client *c = x->client;
    char timeout[DEADLINE_TEXT_MAX];
    struct h2_header h[] = {
        {STR(":method"), STR("POST")},
        {STR(":scheme"), c->options.tls ? STR("https") : STR("http")},
        {STR(":path"), str_c(x->request->path)},
        {STR(":authority"), str_c(c->authority)},
        {STR("te"), STR("trailers")},
        {STR("content-type"), STR("application/grpc")},
        {STR("user-agent"), STR("stigmer/" STIGMER_VERSION)},
        {STR("grpc-accept-encoding"), STR(RECEIVE_ENCODINGS)},
        {STR("grpc-timeout"), STR_NULL},
    };
    size_t n = ARRAY_SIZE(h);
    deadline_format(x->request->timeout_ms, timeout);
    h[n - 1].value = str_c(timeout);
    if (x->deadline_ns == DEADLINE_NONE)
        n--;
    return h2_client_request(c->h2, h, n, read_body, x, x, &x->stream, e);
}

/* --- a call --- */

/* What the server has said since the last call counts: it may have gone. */
static enum err connect_h2(struct grpc_client *c, struct error *e)
{
    if (c->h2)
        TRY(loop_run_once(c->loop, 0, e));
    if (c->h2 && h2_client_usable(c->h2))
        return ERR_OK;
    h2_client_free(c->h2);
    c->h2 = NULL;
    return h2_client_connect(c->loop, &c->options, &c->h2, e);
}

static enum err wait_for_close(struct exchange *x, struct error *e)
{
    while (x->stream) {
        int64_t left = x->deadline_ns == DEADLINE_NONE ? WAIT_MAX_MS * NS_PER_MS
                                                       : x->deadline_ns - clock_mono_ns();
        if (left <= 0 && !x->failed) {
            FAIL(e, ERR_DEADLINE_EXCEEDED, "grpc.deadline",
                 "%s did not answer within %" PRId64 " ms", x->client->authority,
                 x->request->timeout_ms);
            give_up(x);
        }
        int64_t ms = left <= 0 ? 1 : MIN(left / NS_PER_MS + 1, (int64_t)WAIT_MAX_MS);
        TRY(loop_run_once(x->client->loop, (int)ms, e));
    }
    return ERR_OK;
}

/* The server's own word, or what went wrong without one. */
static enum err outcome(struct exchange *x, struct error *e)
{
    if (x->failed)
        return x->failed;
    if (x->status != ERR_OK) {
        str text = buf_view(&x->status_text);
        return FAIL(e, x->status, "grpc.status", "%.*s",
                    STR_ARG(text.len ? text : str_c(err_text(x->status))));
    }
    if (x->on_message)
        return receive_end(&x->receive, e);
    return gather_end(&x->gather, e);
}

static enum err run(struct exchange *x, struct error *e)
{
    TRY(set_body(x, e));
    TRY(connect_h2(x->client, e));
    TRY(send_request(x, e));
    TRY(wait_for_close(x, e));
    return outcome(x, e);
}

static void exchange_init(struct exchange *x, struct grpc_client *c, const struct grpc_request *r,
                          struct error *e)
{
    *x = (struct exchange){.client = c, .request = r, .error = e};
    x->deadline_ns = r->timeout_ms
                         ? deadline_at(clock_mono_ns(), r->timeout_ms > INT64_MAX / NS_PER_MS
                                                            ? INT64_MAX
                                                            : r->timeout_ms * NS_PER_MS)
                         : DEADLINE_NONE;
    buf_init(&x->message, STREAM_MESSAGE_MAX);
    buf_init(&x->status_text, KIB(64));
}

static void exchange_deinit(struct exchange *x)
{
    buf_deinit(&x->message);
    buf_deinit(&x->status_text);
    receive_deinit(&x->receive);
    gather_deinit(&x->gather);
}

/* The loop failed while the stream lived: it goes with its connection. */
static void abandon(struct exchange *x)
{
    if (!x->stream)
        return;
    x->failed = x->error->code;
    h2_client_free(x->client->h2);
    x->client->h2 = NULL;
}

enum err grpc_client_call(struct grpc_client *c, const struct grpc_request *r, struct buf *response,
                          struct error *e)
{
    struct exchange x;
    exchange_init(&x, c, r, e);
    gather_init(&x.gather, response, false, false);
    enum err err = run(&x, e);
    abandon(&x);
    exchange_deinit(&x);
    return err;
}

enum err grpc_client_stream(struct grpc_client *c, const struct grpc_request *r,
                            enum err (*on_message)(void *ctx, str message, struct error *e),
                            void *ctx, struct error *e)
{
    static const struct receive_sink sink = {NULL, message_piece, message_end};
    struct exchange x;
    exchange_init(&x, c, r, e);
    receive_init(&x.receive, STREAM_MESSAGE_MAX, false, &sink, &x);
    x.on_message = on_message;
    x.ctx = ctx;
    enum err err = run(&x, e);
    abandon(&x);
    exchange_deinit(&x);
    return err;
}

/* --- the client --- */

static enum err set_options(struct grpc_client *c, const struct grpc_client_options *o,
                            struct error *e)
{
    uint16_t port;
    TRY(target_parse(o->target, c->host, &port, e));
    bool v6 = strchr(c->host, ':') != NULL;
    (void)snprintf(c->authority, sizeof c->authority, v6 ? "[%s]:%u" : "%s:%u", c->host, port);
    (void)snprintf(c->ca_file, sizeof c->ca_file, "%s", o->ca_file ? o->ca_file : "");
    c->options = (struct h2_client_options){
        .host = c->host,
        .port = port,
        .tls = o->tls,
        .ca_file = o->ca_file ? c->ca_file : NULL,
        .timeout_ms = o->connect_timeout_ms ? o->connect_timeout_ms : CONNECT_TIMEOUT_MS,
        .handler = &handler,
        .ctx = c,
    };
    return ERR_OK;
}

static enum err open_client(struct grpc_client *c, const struct grpc_client_options *o,
                            struct error *e)
{
    TRY(set_options(c, o, e));
    TRY(loop_new(&c->loop, e));
    return connect_h2(c, e);
}

enum err grpc_client_open(const struct grpc_client_options *o, struct grpc_client **ret,
                          struct error *e)
{
    struct grpc_client *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL_NOMEM(e);
    enum err err = open_client(c, o, e);
    if (err != ERR_OK) {
        grpc_client_close(c);
        return err;
    }
    *ret = c;
    return ERR_OK;
}

void grpc_client_close(struct grpc_client *c)
{
    if (!c)
        return;
    h2_client_free(c->h2);
    if (c->loop)
        loop_free(c->loop);
    free(c);
}
