#include "test.h"

#include "fixture.h"
#include "grpc/http.h"
#include "grpc/target.h"
#include "net/loop.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct error e;

TEST(targets)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } rows[] = {
        {"localhost:7234", "localhost", 7234},
        {"127.0.0.1:1", "127.0.0.1", 1},
        {"[::1]:65535", "::1", 65535},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char host[TARGET_HOST_MAX];
        uint16_t port;
        CHECK_OK(target_parse(str_c(rows[i].text), host, &port, &e), &e);
        CHECK_STR(str_c(host), str_c(rows[i].host));
        CHECK_INT(port, rows[i].port);
    }
}

TEST(bad_targets)
{
    static const char *const bad[] = {
        "",           "host",    ":7234",  "host:",     "host:0", "::1:7",
        "host:65536", "[]:7234", "[::1:7", "[::1]7234", "h:7x"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char host[TARGET_HOST_MAX];
        uint16_t port;
        CHECK_ERR(target_parse(str_c(bad[i]), host, &port, &e), ERR_INVALID_ARGUMENT, &e);
        CHECK_CONTAINS(str_c(e.msg), STR("HOST:PORT"));
    }
}

TEST(content_types)
{
    CHECK(http_is_grpc(STR("application/grpc")));
    CHECK(http_is_grpc(STR("Application/GRPC+Proto ; charset=x")));
    CHECK(!http_is_grpc(STR("application/grpcx")));
    CHECK(!http_is_grpc(STR("application/grpc+json")));
    CHECK(!http_is_grpc(STR("")));
}

TEST(nobody_listens)
{
    struct fixture f;
    struct grpc_client *c = NULL;
    fixture_start(&f, NULL);
    struct grpc_client_options o = {.target = str_c(f.target), .connect_timeout_ms = 2000};
    fixture_stop(&f);
    CHECK_ERR(grpc_client_open(&o, &c, &e), ERR_UNAVAILABLE, &e);
    CHECK_INT(e.sys, 0);
    CHECK_CONTAINS(str_c(e.msg), STR("127.0.0.1"));
}

TEST(errors_of_the_server)
{
    struct fixture f;
    struct buf answer;
    fixture_start(&f, NULL);
    struct grpc_client *c = fixture_client(&f);
    buf_init(&answer, KIB(4));
    for (int code = 1; code <= 16; code++) {
        char text[16];
        (void)snprintf(text, sizeof text, "code=%d", code);
        CHECK_ERR(fixture_call(c, "/test.Service/fail", text, &answer, &e), (enum err)code, &e);
        CHECK_INT(e.sys, 0);
        CHECK_CONTAINS(str_c(e.msg), code == ERR_INTERNAL || code == ERR_UNKNOWN
                                         ? STR("internal error; request id ")
                                         : STR("it failed: 100% \xc3\xa4\nsecond line"));
    }
    buf_deinit(&answer);
    grpc_client_close(c);
    fixture_stop(&f);
}

TEST(an_answer_larger_than_wanted)
{
    struct fixture f;
    struct buf answer;
    fixture_start(&f, NULL);
    struct grpc_client *c = fixture_client(&f);
    buf_init(&answer, 4);
    CHECK_OK(fixture_call(c, "/test.Service/echo", "four", &answer, &e), &e);
    CHECK_ERR(fixture_call(c, "/test.Service/echo", "fives", &answer, &e), ERR_RESOURCE_EXHAUSTED,
              &e);
    CHECK_CONTAINS(str_c(e.msg), STR("5 bytes, the limit is 4 bytes"));
    CHECK_OK(fixture_call(c, "/test.Service/echo", "four", &answer, &e), &e);
    buf_deinit(&answer);
    grpc_client_close(c);
    fixture_stop(&f);
}

TEST(the_clients_deadline)
{
    struct fixture f;
    struct buf answer;
    fixture_start(&f, NULL);
    struct grpc_client *c = fixture_client(&f);
    buf_init(&answer, KIB(4));
    struct grpc_request r = {
        .path = "/test.Service/work", .head = STR("gate"), .fd = -1, .timeout_ms = 60};
    CHECK_ERR(grpc_client_call(c, &r, &answer, &e), ERR_DEADLINE_EXCEEDED, &e);
    atomic_store(&f.gate, true);
    r.timeout_ms = 10000;
    CHECK_OK(grpc_client_call(c, &r, &answer, &e), &e);
    buf_deinit(&answer);
    grpc_client_close(c);
    fixture_stop(&f);
}

struct seen {
    uint64_t last, total, n_calls;
};

static void on_progress(void *ctx, uint64_t sent, uint64_t total)
{
    struct seen *s = ctx;
    CHECK(sent >= s->last && sent <= total);
    *s = (struct seen){sent, total, s->n_calls + 1};
}

TEST(parts_and_progress)
{
    struct fixture f;
    struct buf answer;
    struct seen seen = {0};
    int fd = fixture_file(MIB(1));
    fixture_start(&f, NULL);
    struct grpc_client *c = fixture_client(&f);
    buf_init(&answer, KIB(4));
    struct grpc_request r = {
        .path = "/test.Service/echo",
        .head = STR("<"),
        .fd = fd,
        .off = 2,
        .len = 6,
        .tail = STR(">"),
        .progress = on_progress,
        .ctx = &seen,
    };
    CHECK_OK(grpc_client_call(c, &r, &answer, &e), &e);
    CHECK_STR(buf_view(&answer), STR("<234567>"));
    CHECK_INT(seen.last, 8);
    CHECK_INT(seen.total, 8);
    CHECK(seen.n_calls > 0);
    buf_deinit(&answer);
    grpc_client_close(c);
    close(fd);
    fixture_stop(&f);
}

TEST(a_request_file_that_is_too_short)
{
    struct fixture f;
    struct buf answer;
    int fd = fixture_file(100);
    fixture_start(&f, NULL);
    struct grpc_client *c = fixture_client(&f);
    buf_init(&answer, KIB(4));
    struct grpc_request r = {.path = "/test.Service/echo", .fd = fd, .len = 101};
    CHECK_ERR(grpc_client_call(c, &r, &answer, &e), ERR_DATA_LOSS, &e);
    r.len = UINT32_MAX + 1ULL;
    CHECK_ERR(grpc_client_call(c, &r, &answer, &e), ERR_RESOURCE_EXHAUSTED, &e);
    CHECK_OK(fixture_call(c, "/test.Service/echo", "fine", &answer, &e), &e);
    buf_deinit(&answer);
    grpc_client_close(c);
    close(fd);
    fixture_stop(&f);
}

TEST(a_new_connection_after_the_server_came_back)
{
    struct fixture f;
    struct buf answer;
    fixture_start(&f, NULL);
    struct grpc_client *c = fixture_client(&f);
    buf_init(&answer, KIB(4));
    CHECK_OK(fixture_call(c, "/test.Service/echo", "one", &answer, &e), &e);
    uint16_t port = f.port;
    grpc_server_stop(f.server, 100);
    CHECK_ERR(fixture_call(c, "/test.Service/echo", "two", &answer, &e), ERR_UNAVAILABLE, &e);
    grpc_server_free(f.server);
    pool_free(f.workers);
    fixture_start(&f, &(struct fixture_options){.port = port});
    CHECK_OK(fixture_call(c, "/test.Service/echo", "three", &answer, &e), &e);
    CHECK_STR(buf_view(&answer), STR("three"));
    buf_deinit(&answer);
    grpc_client_close(c);
    fixture_stop(&f);
}

/* --- a server that is none --- */

struct odd_answer {
    const char *status, *content_type, *encoding, *grpc_status;
    str body;
    uint32_t reset; /* instead of an answer */
    bool early;     /* the status at once; the request is neither read nor reset */
};
static const struct odd_answer *odd;

static size_t odd_read(void *ctx, char *to, size_t cap, enum h2_more *ret_more)
{
    struct h2_stream *s = ctx;
    struct error ignored;
    struct h2_header h = {STR("grpc-status"), str_c(odd->grpc_status)};
    CHECK(cap >= odd->body.len);
    if (odd->body.len)
        memcpy(to, odd->body.p, odd->body.len);
    *ret_more = H2_END;
    if (odd->grpc_status)
        CHECK_OK(h2_stream_trailers(s, &h, 1, &ignored), &ignored);
    return odd->body.len;
}

static void odd_headers(void *ctx, struct h2_stream *s, const struct h2_header *h, size_t n)
{
    struct error err;
    struct h2_header status[] = {
        {STR(":status"), STR("200")},
        {STR("content-type"), STR("application/grpc")},
        {STR("grpc-status"), str_c(odd->grpc_status)},
    };
    (void)ctx, (void)h, (void)n;
    if (odd->early)
        CHECK_OK(h2_stream_respond(s, status, 3, NULL, NULL, &err), &err);
}

static void odd_data(void *ctx, struct h2_stream *s, str bytes)
{
    (void)ctx;
    if (!odd->early)
        h2_stream_consume(s, bytes.len);
}

static void odd_end(void *ctx, struct h2_stream *s)
{
    struct error err;
    struct h2_header h[] = {
        {STR(":status"), str_c(odd->status)},
        {STR("content-type"), str_c(odd->content_type)},
        {STR("grpc-encoding"), str_c(odd->encoding)},
    };
    (void)ctx;
    if (odd->reset)
        h2_stream_reset(s, odd->reset);
    else
        CHECK_OK(h2_stream_respond(s, h, odd->encoding ? 3 : 2, odd_read, s, &err), &err);
}

static void odd_close(void *ctx, struct h2_stream *s, uint32_t code)
{
    (void)ctx, (void)s, (void)code;
}

/* The request is a text, or that many bytes of a file. */
static enum err call_odd(struct grpc_client *c, uint64_t len, struct buf *answer)
{
    if (len == 0)
        return fixture_call(c, "/x/y", "", answer, &e);
    int fd = fixture_file(len);
    struct grpc_request r = {.path = "/x/y", .fd = fd, .len = len, .timeout_ms = 5000};
    enum err err = grpc_client_call(c, &r, answer, &e);
    (void)close(fd);
    return err;
}

static void check_odd(struct odd_answer a, enum err want, const char *text)
{
    static const struct h2_handler handler = {odd_headers, odd_data, NULL, odd_end, odd_close};
    struct h2_limits limits = h2_limits_default;
    limits.goaway_wait_ms = 10;
    struct h2_server_options o = {.limits = &limits, .n_loops = 1, .handler = &handler};
    struct h2_server *server;
    struct fixture f = {0};
    struct buf answer;
    odd = &a;
    CHECK_OK(h2_server_new(&o, &server, &e), &e);
    CHECK_OK(h2_server_listen(server, "127.0.0.1", 0, &f.port, &e), &e);
    CHECK_OK(h2_server_start(server, &e), &e);
    (void)snprintf(f.target, sizeof f.target, "127.0.0.1:%u", f.port);
    struct grpc_client *c = fixture_client(&f);
    buf_init(&answer, KIB(4));
    CHECK_ERR(call_odd(c, a.early ? MIB(8) : 0, &answer), want, &e);
    if (want != ERR_OK)
        CHECK_CONTAINS(str_c(e.msg), str_c(text));
    buf_deinit(&answer);
    grpc_client_close(c);
    h2_server_stop(server, 100);
    h2_server_free(server);
}

#define GRPC_TYPE .content_type = "application/grpc"

TEST(http_errors)
{
    check_odd((struct odd_answer){.status = "404", .content_type = "text/html", .body = STR("no")},
              ERR_UNIMPLEMENTED, "HTTP status 404");
    check_odd((struct odd_answer){.status = "503", .content_type = "text/html"}, ERR_UNAVAILABLE,
              "HTTP status 503");
    check_odd((struct odd_answer){.status = "200", .content_type = "text/html"}, ERR_UNKNOWN,
              "text/html");
}

TEST(answers_without_what_grpc_needs)
{
    str one = STR("\0\0\0\0\1x");
    check_odd((struct odd_answer){.status = "200", GRPC_TYPE, .grpc_status = "0", .body = one},
              ERR_OK, "");
    check_odd((struct odd_answer){.status = "200", GRPC_TYPE, .body = one}, ERR_INTERNAL,
              "without a status");
    check_odd((struct odd_answer){.status = "200", GRPC_TYPE, .grpc_status = "0"},
              ERR_UNIMPLEMENTED, "the response has no message");
    check_odd(
        (struct odd_answer){
            .status = "200", GRPC_TYPE, .grpc_status = "0", .body = STR("\0\0\0\0\1x\0\0\0\0\1x")},
        ERR_UNIMPLEMENTED, "more than one message");
    check_odd(
        (struct odd_answer){
            .status = "200", GRPC_TYPE, .grpc_status = "0", .body = STR("\0\0\0\0\2x")},
        ERR_INVALID_ARGUMENT, "1 bytes before");
    check_odd((struct odd_answer){.status = "200", GRPC_TYPE, .grpc_status = "nonsense"},
              ERR_UNKNOWN, "unknown error");
}

TEST(encodings_of_answers)
{
    /* gzip of "x", made by gzip(1) with -n */
    str zipped = STR("\1\0\0\0\x15\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\0\0\x83\x16\xdc\x8c\1\0\0\0");
    check_odd(
        (struct odd_answer){
            .status = "200", GRPC_TYPE, .grpc_status = "0", .encoding = "gzip", .body = zipped},
        ERR_OK, "");
    check_odd((struct odd_answer){.status = "200", GRPC_TYPE, .grpc_status = "0", .body = zipped},
              ERR_INTERNAL, "names no compression");
    check_odd((struct odd_answer){.status = "200",
                                  GRPC_TYPE,
                                  .grpc_status = "0",
                                  .encoding = "br",
                                  .body = STR("\0\0\0\0\1x")},
              ERR_INTERNAL, "\"br\" is not supported");
}

TEST(resets)
{
    check_odd((struct odd_answer){.reset = 7}, ERR_UNAVAILABLE, "HTTP/2 error 7");
    check_odd((struct odd_answer){.reset = 8}, ERR_CANCELLED, "HTTP/2 error 8");
    check_odd((struct odd_answer){.reset = 11}, ERR_RESOURCE_EXHAUSTED, "HTTP/2 error 11");
}

/* RFC 9113 8.1 lets a server answer before it has read the request; not all of them reset it. */
TEST(an_answer_before_the_request_was_read)
{
    check_odd((struct odd_answer){.early = true, .grpc_status = "8"}, ERR_RESOURCE_EXHAUSTED, "");
}
