#include "peers.h"

#include "base/clock.h"
#include "base/macro.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ECHO_MAX MIB(1)

struct seen seen;

/* --- server --- */

enum kind { OTHER, ECHO, SINK, HOLD, SOURCE, WAIT, ABORT, FAILS };

struct exchange {
    enum kind kind;
    struct h2_stream *stream;
    uint64_t received, to_send, sent;
    bool ended;
    char *queue; /* ECHO */
    size_t len, cap;
};

static void respond(struct h2_stream *s, h2_read_fn *read, void *ctx)
{
    struct error e;
    struct exchange *x = h2_stream_user(s);
    char n[24];
    (void)snprintf(n, sizeof n, "%llu", (unsigned long long)x->received);
    struct h2_header h[] = {{STR(":status"), STR("200")}, {STR("x-bytes"), str_c(n)}};
    CHECK_OK(h2_stream_respond(s, h, 2, read, ctx, &e), &e);
}

static size_t read_echo(void *ctx, char *to, size_t cap, enum h2_more *ret)
{
    struct exchange *x = ctx;
    struct error e;
    char text[24];
    size_t n = MIN(cap, x->len);
    if (n)
        memcpy(to, x->queue, n);
    x->len -= n;
    if (x->len)
        memmove(x->queue, x->queue + n, x->len);
    x->sent += n;
    h2_stream_consume(x->stream, n);
    *ret = n ? H2_MORE : H2_WAIT;
    if (x->len == 0 && x->ended) {
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)x->sent);
        struct h2_header h = {STR("x-bytes"), str_c(text)};
        CHECK_OK(h2_stream_trailers(x->stream, &h, 1, &e), &e);
        *ret = H2_END;
    }
    return n;
}

static size_t read_source(void *ctx, char *to, size_t cap, enum h2_more *ret)
{
    struct exchange *x = ctx;
    struct error e;
    size_t n = (size_t)MIN((uint64_t)cap, x->to_send - x->sent);
    for (size_t i = 0; i < n; i++)
        to[i] = (char)((x->sent + i) % 251);
    x->sent += n;
    *ret = H2_MORE;
    if (x->sent == x->to_send) {
        struct h2_header h = {STR("x-end"), STR("yes")};
        CHECK_OK(h2_stream_trailers(x->stream, &h, 1, &e), &e);
        *ret = H2_END;
    }
    return n;
}

static size_t read_fails(void *ctx, char *to, size_t cap, enum h2_more *ret)
{
    (void)ctx, (void)to, (void)cap;
    *ret = H2_FAIL;
    return 0;
}

static void respond_big(struct h2_stream *s)
{
    struct error e;
    char *big = calloc(1, KIB(80));
    CHECK(big);
    memset(big, 'x', KIB(80));
    struct h2_header h[] = {{STR(":status"), STR("200")}, {STR("x-big"), str_of(big, KIB(80))}};
    CHECK_ERR(h2_stream_respond(s, h, 2, NULL, NULL, &e), ERR_RESOURCE_EXHAUSTED, &e);
    free(big);
    respond(s, NULL, NULL);
}

static void open_path(struct exchange *x, str path)
{
    if (str_eq(path, STR("/echo"))) {
        x->kind = ECHO;
        x->cap = ECHO_MAX + KIB(64);
        x->queue = malloc(x->cap);
        CHECK(x->queue);
        respond(x->stream, read_echo, x);
    } else if (str_eq(path, STR("/sink"))) {
        x->kind = SINK;
    } else if (str_eq(path, STR("/hold"))) {
        x->kind = HOLD;
        atomic_store(&seen.held, x->stream);
    } else if (str_starts_with(path, STR("/source/"))) {
        x->kind = SOURCE;
        CHECK(str_to_u64(str_skip(path, 8), &x->to_send));
        respond(x->stream, read_source, x);
    } else if (str_eq(path, STR("/early"))) {
        respond(x->stream, NULL, NULL);
        h2_stream_stop_reading(x->stream);
    } else if (str_eq(path, STR("/wait"))) {
        x->kind = WAIT;
    } else if (str_eq(path, STR("/abort"))) {
        x->kind = ABORT;
    } else if (str_eq(path, STR("/fail"))) {
        respond(x->stream, read_fails, x);
    } else if (str_eq(path, STR("/big"))) {
        respond_big(x->stream);
    } else {
        respond(x->stream, NULL, NULL);
    }
}

static void server_headers(void *ctx, struct h2_stream *s, const struct h2_header *h, size_t n)
{
    (void)ctx;
    struct exchange *x = calloc(1, sizeof *x);
    CHECK(x);
    x->stream = s;
    h2_stream_set_user(s, x);
    int alive = atomic_fetch_add(&seen.opened, 1) + 1 - seen.closed;
    seen.most = MAX(seen.most, alive);
    if (atomic_load(&seen.raise))
        h2_stream_raise_window(s, MIB(4));
    str path = STR_NULL;
    for (size_t i = 0; i < n; i++) {
        if (str_eq(h[i].name, STR(":path")))
            path = h[i].value;
        if (str_eq(h[i].name, STR("x-test")))
            (void)snprintf(seen.last_value, sizeof seen.last_value, "%.*s", STR_ARG(h[i].value));
    }
    CHECK(h2_stream_peer(s).len > 0 && h2_stream_loop(s));
    open_path(x, path);
}

static void server_data(void *ctx, struct h2_stream *s, str bytes)
{
    struct exchange *x = h2_stream_user(s);
    (void)ctx;
    atomic_fetch_add(&seen.bytes, bytes.len);
    x->received += bytes.len;
    if (x->kind == ABORT) {
        h2_stream_reset(s, 2);
    } else if (x->kind == ECHO) {
        CHECK(bytes.len <= x->cap - x->len);
        memcpy(x->queue + x->len, bytes.p, bytes.len);
        x->len += bytes.len;
        h2_stream_resume(s);
    } else if (x->kind == HOLD) {
        if (atomic_exchange(&seen.pause, false))
            h2_stream_pause_reading(s, true);
    } else {
        h2_stream_consume(s, bytes.len);
    }
}

static void server_end(void *ctx, struct h2_stream *s)
{
    struct exchange *x = h2_stream_user(s);
    (void)ctx;
    x->ended = true;
    if (x->kind == ECHO)
        h2_stream_resume(s);
    if (x->kind == SINK || x->kind == HOLD)
        respond(s, NULL, NULL);
}

static void server_close(void *ctx, struct h2_stream *s, uint32_t error)
{
    struct exchange *x = h2_stream_user(s);
    (void)ctx;
    CHECK(x);
    struct h2_stream *self = s;
    (void)atomic_compare_exchange_strong(&seen.held, &self, NULL);
    if (error)
        atomic_fetch_add(&seen.broken, 1);
    atomic_store(&seen.last_error, error);
    atomic_fetch_add(&seen.closed, 1);
    free(x->queue);
    free(x);
}

const struct h2_handler server_handler = {
    .on_headers = server_headers,
    .on_data = server_data,
    .on_end = server_end,
    .on_close = server_close,
};

struct h2_server *serve(const struct h2_limits *limits, struct tls_server *tls, unsigned n_loops,
                        uint16_t *ret_port)
{
    struct h2_server *s;
    struct error e;
    struct h2_server_options o = {
        .limits = limits, .tls = tls, .n_loops = n_loops, .handler = &server_handler};
    CHECK_OK(h2_server_new(&o, &s, &e), &e);
    CHECK_OK(h2_server_listen(s, "127.0.0.1", 0, ret_port, &e), &e);
    CHECK_OK(h2_server_start(s, &e), &e);
    return s;
}

/* --- client --- */

static void client_headers(void *ctx, struct h2_stream *s, const struct h2_header *h, size_t n)
{
    struct call *c = h2_stream_user(s);
    (void)ctx;
    c->headers = true;
    for (size_t i = 0; i < n; i++) {
        if (str_eq(h[i].name, STR(":status")))
            (void)snprintf(c->status, sizeof c->status, "%.*s", STR_ARG(h[i].value));
        if (str_eq(h[i].name, STR("x-bytes")))
            (void)snprintf(c->x_bytes, sizeof c->x_bytes, "%.*s", STR_ARG(h[i].value));
        if (str_eq(h[i].name, STR("x-end")))
            (void)snprintf(c->x_end, sizeof c->x_end, "%.*s", STR_ARG(h[i].value));
    }
}

static void client_data(void *ctx, struct h2_stream *s, str bytes)
{
    struct call *c = h2_stream_user(s);
    (void)ctx;
    for (size_t i = 0; i < bytes.len; i++)
        c->corrupt |= (uint8_t)bytes.p[i] != (c->received + i) % 251;
    c->received += bytes.len;
    if (!c->no_consume)
        h2_stream_consume(s, bytes.len);
    if (c->cancel_at && c->received >= c->cancel_at)
        h2_stream_reset(s, 8);
}

static void client_end(void *ctx, struct h2_stream *s)
{
    (void)ctx;
    ((struct call *)h2_stream_user(s))->ended = true;
}

static void client_close(void *ctx, struct h2_stream *s, uint32_t error)
{
    struct call *c = h2_stream_user(s);
    (void)ctx;
    CHECK(!c->closed);
    c->closed = true;
    c->error = error;
    c->stream = NULL;
}

static const struct h2_handler client_handler = {
    .on_headers = client_headers,
    .on_data = client_data,
    .on_trailers = client_headers,
    .on_end = client_end,
    .on_close = client_close,
};

static void peer_connect(struct peer *p, const struct h2_client_options *o)
{
    struct error e;
    CHECK_OK(loop_new(&p->loop, &e), &e);
    CHECK_OK(h2_client_connect(p->loop, o, &p->client, &e), &e);
}

void peer_open(struct peer *p, uint16_t port)
{
    struct h2_client_options o = {
        .host = "127.0.0.1", .port = port, .timeout_ms = 10000, .handler = &client_handler};
    peer_connect(p, &o);
}

void peer_open_tls(struct peer *p, const char *host, uint16_t port, const char *ca)
{
    struct h2_client_options o = {.host = host,
                                  .port = port,
                                  .tls = true,
                                  .ca_file = ca,
                                  .timeout_ms = 10000,
                                  .handler = &client_handler};
    peer_connect(p, &o);
}

void peer_close(struct peer *p)
{
    h2_client_free(p->client);
    loop_free(p->loop);
}

static size_t read_body(void *ctx, char *to, size_t cap, enum h2_more *ret)
{
    struct call *c = ctx;
    size_t n = (size_t)MIN((uint64_t)cap, c->to_send - c->sent);
    for (size_t i = 0; i < n; i++)
        to[i] = (char)((c->sent + i) % 251);
    c->sent += n;
    *ret = H2_MORE;
    if (c->sent == c->to_send)
        *ret = c->endless ? H2_WAIT : H2_END;
    return n;
}

void call_start(struct peer *p, struct call *c, const char *path)
{
    struct error e;
    struct h2_header h[] = {{STR(":method"), STR("POST")},
                            {STR(":scheme"), STR("http")},
                            {STR(":path"), str_c(path)},
                            {STR(":authority"), STR("test")},
                            {STR("x-test"), STR("a value")}};
    bool body = c->to_send || c->endless;
    CHECK_OK(h2_client_request(p->client, h, 5, body ? read_body : NULL, c, c, &c->stream, &e), &e);
}

void peer_turns(struct peer *p, int ms)
{
    struct error e;
    int64_t end = clock_mono_ns() + ms * NS_PER_MS;
    for (int64_t now = clock_mono_ns(); now < end; now = clock_mono_ns())
        CHECK_OK(loop_run_once(p->loop, (int)((end - now) / NS_PER_MS) + 1, &e), &e);
}

void call_wait(struct peer *p, struct call *c)
{
    struct error e;
    int64_t end = clock_mono_ns() + 60 * NS_PER_S;
    while (!c->closed) {
        CHECK(clock_mono_ns() < end);
        CHECK_OK(loop_run_once(p->loop, 1000, &e), &e);
    }
}

void call_run(struct peer *p, struct call *c, const char *path)
{
    call_start(p, c, path);
    call_wait(p, c);
}

void expect_serving(uint16_t port)
{
    struct peer p;
    struct call c = {.to_send = 1000};
    peer_open(&p, port);
    call_run(&p, &c, "/echo");
    CHECK_INT(c.error, 0);
    CHECK_INT(c.received, 1000);
    peer_close(&p);
}

/* --- raw --- */

int raw_connect(uint16_t port)
{
    return raw_connect_with(port, 0);
}

int raw_connect_with(uint16_t port, int buffer)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval limit = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    if (buffer) /* before connecting: it decides the window's scale */
        CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer) == 0);
    CHECK(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    return fd;
}

bool raw_try_send(int fd, const void *p, size_t len)
{
    const char *at = p;
    while (len) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n < 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

void raw_send(int fd, const void *p, size_t len)
{
    CHECK(raw_try_send(fd, p, len));
}

static size_t put_frame(char *out, uint8_t type, uint8_t flags, uint32_t id, const void *p,
                        size_t len)
{
    out[0] = (char)(len >> 16);
    out[1] = (char)(len >> 8);
    out[2] = (char)len;
    out[3] = (char)type;
    out[4] = (char)flags;
    uint32_t be = htonl(id);
    memcpy(out + 5, &be, 4);
    if (len)
        memcpy(out + 9, p, len);
    return 9 + len;
}

void raw_frame(int fd, uint8_t type, uint8_t flags, uint32_t id, const void *p, size_t len)
{
    char *f = malloc(9 + len);
    CHECK(f);
    (void)raw_try_send(fd, f, put_frame(f, type, flags, id, p, len));
    free(f);
}

int raw_hello(uint16_t port)
{
    int fd = raw_connect(port);
    str magic = STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    raw_send(fd, magic.p, magic.len);
    raw_frame(fd, 4, 0, 0, NULL, 0);
    return fd;
}

static size_t put_field(char *out, const char *name, const char *value)
{
    size_t n = strlen(name), v = strlen(value);
    out[0] = 0; /* RFC 7541 6.2.2: literal, not indexed, new name */
    out[1] = (char)n;
    memcpy(out + 2, name, n);
    out[2 + n] = (char)v;
    memcpy(out + 3 + n, value, v);
    return 3 + n + v;
}

size_t raw_request_block(const char *path, char *out, size_t cap)
{
    CHECK(cap >= 256 && strlen(path) < 100);
    size_t n = put_field(out, ":method", "POST");
    n += put_field(out + n, ":scheme", "http");
    n += put_field(out + n, ":path", path);
    n += put_field(out + n, ":authority", "test");
    return n;
}

void raw_request(int fd, uint32_t id, const char *path, uint8_t flags)
{
    char block[256];
    raw_frame(fd, 1, flags, id, block, raw_request_block(path, block, sizeof block));
}

size_t raw_put_request(char *out, uint32_t id, const char *path, size_t body)
{
    char block[256];
    char *zeros = calloc(1, body);
    CHECK(zeros);
    size_t n = put_frame(out, 1, 4, id, block, raw_request_block(path, block, sizeof block));
    n += put_frame(out + n, 0, 0, id, zeros, body);
    free(zeros);
    return n;
}

static bool read_full(int fd, char *to, size_t len)
{
    while (len) {
        ssize_t n = recv(fd, to, len, 0);
        if (n <= 0)
            return false;
        to += n;
        len -= (size_t)n;
    }
    return true;
}

uint32_t raw_u32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return ntohl(v);
}

bool raw_read(int fd, struct raw_frame *f)
{
    char h[9];
    if (!read_full(fd, h, 9))
        return false;
    f->len = raw_u32(h) >> 8;
    f->type = (uint8_t)h[3];
    f->flags = (uint8_t)h[4];
    f->id = raw_u32(h + 5);
    CHECK(f->len < sizeof f->payload);
    if (!read_full(fd, f->payload, f->len))
        return false;
    f->payload[f->len] = 0;
    return true;
}

bool raw_read_until(int fd, uint8_t type, struct raw_frame *f)
{
    while (raw_read(fd, f))
        if (f->type == type)
            return true;
    return false;
}

void raw_expect_goaway(int fd, uint32_t code, const char *text)
{
    struct raw_frame f;
    CHECK(raw_read_until(fd, 7, &f));
    CHECK_CONTAINS(str_of(f.payload + 8, f.len - 8), str_c(text));
    CHECK_INT(raw_u32(f.payload + 4), code);
    raw_expect_close(fd);
}

void raw_expect_close(int fd)
{
    char b[4096];
    ssize_t n = 1;
    int64_t start = clock_mono_ns();
    while (n > 0)
        n = recv(fd, b, sizeof b, 0);
    CHECK(clock_mono_ns() - start < 9 * NS_PER_S); /* closed, not the receive timeout */
}

/* --- certificates --- */

const char *in_test_dir(const char *name)
{
    static char path[4][200];
    static unsigned next;
    char *p = path[next++ % 4];
    (void)snprintf(p, sizeof path[0], "%s/%s", test_dir(), name);
    return p;
}

void make_cert(const char *name)
{
    char command[800];
    (void)snprintf(command, sizeof command,
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
                   "-keyout %s/%s.key -out %s/%s.pem -days 2 -subj /CN=%s "
                   "-addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1 2>/dev/null",
                   test_dir(), name, test_dir(), name, name);
    CHECK(system(command) == 0); /* a test, with a fixed command */
}
