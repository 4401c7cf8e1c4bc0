#include "fixture.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WAIT_S 10

static bool has(str text, str word)
{
    return str_find_str(text, word) >= 0;
}

/* The number after "key=", or 0. */
static uint64_t number(str text, str key)
{
    ptrdiff_t at = str_find_str(text, key);
    return at < 0 ? 0 : strtoull(text.p + at + key.len, NULL, 10);
}

static struct fixture *from_service(void *service)
{
    return service;
}

/* --- methods --- */

static enum err echo(void *service, struct grpc_context *c, str request, struct grpc_reply *reply,
                     bool *ret_defer, struct error *e)
{
    (void)service, (void)c, (void)ret_defer, (void)e;
    buf_add(&reply->message.head, request);
    return ERR_OK;
}

static enum err text(void *service, struct grpc_context *c, str request, struct grpc_reply *reply,
                     bool *ret_defer, struct error *e)
{
    (void)c, (void)ret_defer;
    from_service(service)->n_texts++;
    buf_add_zero(&reply->message.head, number(request, STR("size=")));
    return buf_status(&reply->message.head, e);
}

static enum err defer(void *service, struct grpc_context *c, str request, struct grpc_reply *reply,
                      bool *ret_defer, struct error *e)
{
    if (ret_defer) {
        *ret_defer = true;
        return ERR_OK;
    }
    buf_add(&reply->message.head, STR("deferred "));
    return echo(service, c, request, reply, NULL, e);
}

static void wait_for_gate(struct fixture *f, const struct grpc_context *c)
{
    for (int i = 0; i < WAIT_S * 1000 && !atomic_load(&f->gate); i++) {
        if (atomic_load(&c->cancelled))
            atomic_store(&f->saw_cancel, 1);
        usleep(1000);
    }
}

static enum err work(void *service, struct grpc_context *c, str request, struct grpc_reply *reply,
                     bool *ret_defer, struct error *e)
{
    struct fixture *f = from_service(service);
    f->n_worked++;
    f->n_working++;
    if (has(request, STR("gate")))
        wait_for_gate(f, c);
    enum err err = echo(service, c, request, reply, ret_defer, e);
    f->n_working--;
    return err;
}

static enum err fail(void *service, struct grpc_context *c, str request, struct grpc_reply *reply,
                     bool *ret_defer, struct error *e)
{
    enum err code = (enum err)number(request, STR("code="));
    (void)service, (void)c, (void)reply, (void)ret_defer;
    if (has(request, STR("sys")))
        return FAIL_SYS(e, code, ENOENT, "test.sys", "cannot open /var/lib/secret");
    return FAIL(e, code, "test.fail", "it failed: 100%% \xc3\xa4\nsecond line");
}

static enum err download(void *service, struct grpc_context *c, str request,
                         struct grpc_reply *reply, bool *ret_defer, struct error *e)
{
    (void)service, (void)c, (void)ret_defer, (void)e;
    buf_add(&reply->message.head, STR("head:"));
    reply->message.fd = fixture_file(number(request, STR("size=")));
    reply->message.off = number(request, STR("off="));
    reply->message.len = number(request, STR("len="));
    return ERR_OK;
}

struct stream_ctx {
    struct fixture *f;
    uint64_t next, n, fail_at, file_len;
};

static enum err stream_next(void *ctx, struct grpc_message *ret, bool *ret_end, struct error *e)
{
    struct stream_ctx *s = ctx;
    if (s->fail_at && s->next == s->fail_at)
        return FAIL(e, ERR_DATA_LOSS, "test.stream", "message %d is gone", (int)s->next);
    *ret_end = s->next == s->n;
    if (*ret_end)
        return ERR_OK;
    buf_addf(&ret->head, "%d;", (int)s->next++);
    if (s->file_len) {
        ret->fd = fixture_file(s->file_len);
        ret->len = s->file_len;
    }
    return ERR_OK;
}

static void stream_free(void *ctx)
{
    struct stream_ctx *s = ctx;
    s->f->n_streams--;
    free(s);
}

static enum err stream(void *service, struct grpc_context *c, str request, struct grpc_reply *reply,
                       bool *ret_defer, struct error *e)
{
    struct stream_ctx *s = calloc(1, sizeof *s);
    (void)c, (void)ret_defer;
    if (!s)
        return FAIL_NOMEM(e);
    s->f = from_service(service);
    s->f->n_streams++;
    s->n = number(request, STR("n="));
    s->fail_at = number(request, STR("fail="));
    s->file_len = number(request, STR("file="));
    reply->next = stream_next;
    reply->free_ctx = stream_free;
    reply->ctx = s;
    return ERR_OK;
}

struct upload {
    struct fixture *f;
    uint64_t n_bytes, sum;
    struct buf start; /* the first bytes, however they were cut */
};

static enum err upload_begin(void *service, struct grpc_context *c, void **ret, struct error *e)
{
    struct upload *u = calloc(1, sizeof *u);
    (void)c;
    if (!u)
        return FAIL_NOMEM(e);
    u->f = from_service(service);
    buf_init(&u->start, 6);
    u->f->n_uploads++;
    u->f->n_begun++;
    *ret = u;
    return ERR_OK;
}

static enum err upload_bytes(void *upload, str piece, struct error *e)
{
    struct upload *u = upload;
    for (size_t i = 0; i < piece.len; i += 61)
        u->sum += (unsigned char)piece.p[i];
    u->n_bytes += piece.len;
    buf_add(&u->start, str_head(piece, u->start.max - u->start.len));
    if (str_eq(buf_view(&u->start), STR("refuse")))
        return FAIL(e, ERR_FAILED_PRECONDITION, "test.upload", "these bytes are refused");
    return ERR_OK;
}

static enum err upload_finish(void *upload, str rest, struct grpc_reply *reply, struct error *e)
{
    struct upload *u = upload;
    u->f->n_finished++;
    buf_addf(&reply->message.head, "bytes=%llu rest=%zu", (unsigned long long)u->n_bytes, rest.len);
    if (u->n_bytes == 13)
        return FAIL(e, ERR_INVALID_ARGUMENT, "test.upload", "13 bytes bring bad luck");
    return ERR_OK;
}

static void upload_free(void *upload)
{
    struct upload *u = upload;
    u->f->n_uploads--;
    buf_deinit(&u->start);
    free(u);
}

static const struct grpc_upload upload_ops = {
    .field = UPLOAD_FIELD,
    .max_field = UPLOAD_MAX,
    .begin = upload_begin,
    .bytes = upload_bytes,
    .finish = upload_finish,
    .free = upload_free,
};

#define METHOD(name, k, ...)                                                                       \
    {                                                                                              \
        "/test.Service/" #name, (k), REQUEST_MAX, name, NULL, __VA_ARGS__                          \
    }
#define A_READ   .max_reply = REPLY_MAX, .first_reply = FIRST_REPLY
#define A_CHANGE .max_reply = REPLY_MAX
static const struct grpc_method methods[] = {
    METHOD(echo, GRPC_INLINE, A_READ),
    METHOD(text, GRPC_INLINE, A_READ),
    METHOD(work, GRPC_WORKER, A_CHANGE),
    METHOD(defer, GRPC_INLINE, A_READ),
    METHOD(fail, GRPC_WORKER, A_CHANGE),
    METHOD(download, GRPC_WORKER, .n_files = 1),
    METHOD(stream, GRPC_INLINE, .n_files = 1),
    {"/test.Service/upload", GRPC_UPLOAD, REST_MAX, NULL, &upload_ops, A_CHANGE},
};

/* --- the server --- */

void fixture_start(struct fixture *f, const struct fixture_options *o)
{
    static const struct fixture_options defaults = {0};
    struct error e;
    o = o ? o : &defaults;
    *f = (struct fixture){0};
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, 2);
    unsigned n_workers = o->n_workers ? o->n_workers : 2;
    size_t max_queued = o->max_queued ? o->max_queued : 1000;
    CHECK_OK(pool_new("work", n_workers, n_workers, max_queued, &f->workers, &e), &e);
    struct h2_limits limits = h2_limits_default;
    limits.goaway_wait_ms = 10; /* round trips are short here */
    struct grpc_server_options options = {
        .methods = methods,
        .n_methods = ARRAY_SIZE(methods),
        .service = f,
        .workers = f->workers,
        .descriptors = o->descriptors,
        .n_descriptors = o->n_descriptors,
        .limits = o->limits ? o->limits : &limits,
        .n_loops = o->n_loops ? o->n_loops : 2,
        .upload_budget = o->budget ? o->budget : MIB(4),
        .request_budget = o->request_budget ? o->request_budget : MIB(4),
    };
    CHECK_OK(grpc_server_new(&options, &f->server, &e), &e);
    CHECK_OK(grpc_server_listen(f->server, "127.0.0.1", o->port, &f->port, &e), &e);
    CHECK_OK(grpc_server_start(f->server, &e), &e);
    snprintf(f->target, sizeof f->target, "127.0.0.1:%u", f->port);
}

void fixture_stop(struct fixture *f)
{
    grpc_server_stop(f->server, 2000);
    grpc_server_free(f->server);
    pool_free(f->workers);
    CHECK_INT(f->n_uploads, 0);
    CHECK_INT(f->n_streams, 0);
    CHECK_INT(f->n_working, 0);
}

void fixture_wait(_Atomic int *counter, int value)
{
    for (int i = 0; i < WAIT_S * 1000 && atomic_load(counter) != value; i++)
        usleep(1000);
    CHECK_INT(atomic_load(counter), value);
}

struct grpc_client *fixture_client(const struct fixture *f)
{
    struct grpc_client_options o = {.target = str_c(f->target)};
    struct grpc_client *c;
    struct error e;
    CHECK_OK(grpc_client_open(&o, &c, &e), &e);
    return c;
}

enum err fixture_call(struct grpc_client *c, const char *path, const char *text, struct buf *answer,
                      struct error *e)
{
    struct grpc_request r = {.path = path, .head = str_c(text), .fd = -1};
    buf_clear(answer);
    return grpc_client_call(c, &r, answer, e);
}

int fixture_file(uint64_t len)
{
    int fd;
    struct error e;
    CHECK_OK(sys_open_tmp(test_dirfd(), &fd, &e), &e);
    CHECK(ftruncate(fd, (off_t)len) == 0);
    CHECK(pwrite(fd, "0123456789", 10, 0) == 10);
    CHECK(ftruncate(fd, (off_t)len) == 0);
    return fd;
}

long fixture_peak_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    CHECK(f != NULL);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    (void)fclose(f);
    return kib;
}

void fixture_reset_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0 && write(fd, "5", 1) == 1); /* proc(5): resets VmHWM */
    close(fd);
}

/* --- the raw client --- */

static void copy_value(char *to, size_t size, const struct h2_header *h)
{
    snprintf(to, size, "%.*s", STR_ARG(h->value));
}

static void take_headers(struct peer_call *c, const struct h2_header *h, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(h[i].name, STR(":status")))
            copy_value(c->http, sizeof c->http, &h[i]);
        if (str_eq(h[i].name, STR("grpc-status")))
            copy_value(c->status, sizeof c->status, &h[i]);
        if (str_eq(h[i].name, STR("grpc-message")))
            buf_add(&c->message, h[i].value);
    }
}

static void on_headers(void *ctx, struct h2_stream *s, const struct h2_header *h, size_t n)
{
    struct peer_call *c = h2_stream_user(s);
    (void)ctx;
    take_headers(c, h, n);
    c->trailers_only = c->status[0] != '\0';
}

static void on_data(void *ctx, struct h2_stream *s, str bytes)
{
    struct peer_call *c = h2_stream_user(s);
    (void)ctx;
    buf_add(&c->data, bytes);
    if (c->hold)
        c->held += bytes.len;
    else
        h2_stream_consume(s, bytes.len);
}

static void on_trailers(void *ctx, struct h2_stream *s, const struct h2_header *h, size_t n)
{
    (void)ctx;
    take_headers(h2_stream_user(s), h, n);
}

static void on_end(void *ctx, struct h2_stream *s)
{
    (void)ctx;
    ((struct peer_call *)h2_stream_user(s))->ended = true;
}

static void on_close(void *ctx, struct h2_stream *s, uint32_t code)
{
    struct peer_call *c = h2_stream_user(s);
    (void)ctx;
    c->closed = true;
    c->code = code;
    c->stream = NULL;
}

void peer_open(struct peer *p, const struct fixture *f)
{
    static const struct h2_handler handler = {on_headers, on_data, on_trailers, on_end, on_close};
    struct h2_client_options o = {
        .host = "127.0.0.1",
        .port = f->port,
        .timeout_ms = 5000,
        .handler = &handler,
    };
    struct error e;
    CHECK_OK(loop_new(&p->loop, &e), &e);
    CHECK_OK(h2_client_connect(p->loop, &o, &p->h2, &e), &e);
}

void peer_close(struct peer *p)
{
    h2_client_free(p->h2);
    loop_free(p->loop);
}

static size_t read_body(void *ctx, char *to, size_t cap, enum h2_more *ret_more)
{
    struct peer_call *c = ctx;
    size_t limit = c->pause ? MIN(c->pause, c->body.len) : c->body.len;
    str piece = str_head(str_of(c->body.p + c->sent, limit - c->sent), cap);
    if (piece.len)
        memcpy(to, piece.p, piece.len);
    c->sent += piece.len;
    *ret_more = H2_MORE;
    if (c->sent == c->body.len && !c->endless)
        *ret_more = H2_END;
    else if (c->sent == limit)
        *ret_more = H2_WAIT;
    return piece.len;
}

void peer_start(struct peer *p, struct peer_call *c)
{
    struct error e;
    struct h2_header h[10] = {
        {STR(":method"), c->method ? str_c(c->method) : STR("POST")},
        {STR(":scheme"), STR("http")},
        {STR(":path"), str_c(c->path)},
        {STR(":authority"), STR("localhost")},
        {STR("content-type"), c->content_type ? str_c(c->content_type) : STR("application/grpc")},
    };
    size_t n = 5;
    if (!c->no_te)
        h[n++] = (struct h2_header){STR("te"), STR("trailers")};
    if (c->timeout)
        h[n++] = (struct h2_header){STR("grpc-timeout"), str_c(c->timeout)};
    if (c->encoding)
        h[n++] = (struct h2_header){STR("grpc-encoding"), str_c(c->encoding)};
    buf_init(&c->data, MIB(8));
    buf_init(&c->message, KIB(8));
    CHECK_OK(h2_client_request(p->h2, h, n, read_body, c, c, &c->stream, &e), &e);
}

void peer_resume(struct peer_call *c)
{
    c->pause = 0;
    if (c->stream)
        h2_stream_resume(c->stream);
}

void peer_release(struct peer_call *c)
{
    c->hold = false;
    if (c->stream)
        h2_stream_consume(c->stream, c->held);
}

static bool all_closed(const struct peer_call *calls, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!calls[i].closed)
            return false;
    return true;
}

void peer_run(struct peer *p, struct peer_call *calls, size_t n)
{
    struct error e;
    int64_t end = clock_mono_ns() + 3 * WAIT_S * NS_PER_S;
    while (!all_closed(calls, n)) {
        CHECK(clock_mono_ns() < end);
        CHECK_OK(loop_run_once(p->loop, 100, &e), &e);
    }
}

void peer_run_ms(struct peer *p, int ms)
{
    struct error e;
    int64_t end = clock_mono_ns() + ms * NS_PER_MS;
    while (clock_mono_ns() < end)
        CHECK_OK(loop_run_once(p->loop, 5, &e), &e);
}

void peer_call_deinit(struct peer_call *c)
{
    buf_deinit(&c->data);
    buf_deinit(&c->message);
}

void peer_expect(struct peer *p, struct peer_call *c, enum err want)
{
    peer_start(p, c);
    peer_run(p, c, 1);
    CHECK_STR(str_c(c->http), STR("200"));
    CHECK(c->status[0] != '\0');
    CHECK_STR(str_c(err_name((enum err)strtol(c->status, NULL, 10))), str_c(err_name(want)));
}

void peer_frame(struct buf *to, int flag, str message)
{
    uint8_t prefix[5] = {(uint8_t)flag, (uint8_t)(message.len >> 24), (uint8_t)(message.len >> 16),
                         (uint8_t)(message.len >> 8), (uint8_t)message.len};
    buf_add(to, str_of(prefix, sizeof prefix));
    buf_add(to, message);
}

static void add_varint(struct buf *to, uint64_t v)
{
    for (; v > 0x7f; v >>= 7)
        buf_add_char(to, (char)(v | 0x80));
    buf_add_char(to, (char)v);
}

void peer_upload_frame(struct buf *to, size_t len)
{
    struct buf m;
    buf_init(&m, len + 100);
    buf_add(&m, STR("\x0a\x04name\x22"));
    add_varint(&m, len);
    buf_add_zero(&m, len);
    buf_add(&m, STR("\x2a\x03tag"));
    peer_frame(to, 0, buf_view(&m));
    buf_deinit(&m);
}
