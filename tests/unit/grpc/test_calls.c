#include "test.h"

#include "deflate.h"
#include "fixture.h"

#include <pthread.h>
#include <unistd.h>

static struct error e;

static void check_echo(const char *path, const char *text, const char *want)
{
    struct fixture f;
    struct buf answer;
    fixture_start(&f, NULL);
    buf_init(&answer, KIB(64));
    struct grpc_client *c = fixture_client(&f);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(fixture_call(c, path, text, &answer, &e), &e);
        CHECK_STR(buf_view(&answer), str_c(want));
    }
    grpc_client_close(c);
    buf_deinit(&answer);
    fixture_stop(&f);
}

TEST(an_inline_call)
{
    check_echo("/test.Service/echo", "hello", "hello");
}

TEST(an_empty_message)
{
    check_echo("/test.Service/echo", "", "");
}

TEST(a_worker_call)
{
    check_echo("/test.Service/work", "hello", "hello");
}

TEST(an_inline_call_that_moves_to_a_worker)
{
    check_echo("/test.Service/defer", "hello", "deferred hello");
}

/* One call through the raw client, with a status and a text. */
static void check_raw(struct peer_call call, enum err want, const char *text, bool trailers_only)
{
    struct fixture f;
    struct peer p;
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    peer_expect(&p, &call, want);
    CHECK_CONTAINS(buf_view(&call.message), str_c(text));
    CHECK_INT(call.trailers_only, trailers_only);
    CHECK_INT(call.code, 0);
    peer_call_deinit(&call);
    peer_close(&p);
    fixture_stop(&f);
}

#define CALL(name, ...) ((struct peer_call){.path = "/test.Service/" name, __VA_ARGS__})

TEST(an_unknown_method)
{
    check_raw(CALL("nothing", .body = STR("\0\0\0\0\0")), ERR_UNIMPLEMENTED,
              "unknown method /test.Service/nothing", true);
    check_raw((struct peer_call){.path = "/x"}, ERR_UNIMPLEMENTED, "unknown method /x", true);
}

TEST(errors_carry_their_text_encoded)
{
    check_raw(CALL("fail", .body = STR("\0\0\0\0\6code=5")), ERR_NOT_FOUND,
              "it failed: 100%25 %C3%A4%0Asecond line", true);
}

TEST(local_errors_are_not_told)
{
    static const str bodies[] = {
        {"\0\0\0\0\6code=2", 11}, {"\0\0\0\0\7code=13", 12}, {"\0\0\0\0\12code=5 sys", 15}};
    static const enum err want[] = {ERR_UNKNOWN, ERR_INTERNAL, ERR_NOT_FOUND};
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        struct fixture f;
        struct peer p;
        struct peer_call call = CALL("fail", .body = bodies[i]);
        fixture_start(&f, NULL);
        peer_open(&p, &f);
        peer_expect(&p, &call, want[i]);
        CHECK_STR(str_head(buf_view(&call.message), 27), STR("internal error; request id "));
        CHECK_INT(call.message.len, 27 + 16);
        peer_call_deinit(&call);
        peer_close(&p);
        fixture_stop(&f);
    }
}

TEST(the_encoding_must_be_known)
{
    check_raw(CALL("echo", .body = STR("\0\0\0\0\0"), .encoding = "snappy"), ERR_UNIMPLEMENTED,
              "identity,gzip", true);
    check_raw(CALL("echo", .body = STR("\0\0\0\0\0"), .encoding = "identity"), ERR_OK, "", false);
}

TEST(the_timeout_must_be_well_formed)
{
    check_raw(CALL("echo", .body = STR("\0\0\0\0\0"), .timeout = "5 seconds"), ERR_INVALID_ARGUMENT,
              "5 seconds", true);
    check_raw(CALL("echo", .body = STR("\0\0\0\0\0"), .timeout = "5S"), ERR_OK, "", false);
}

TEST(te_is_needed)
{
    check_raw(CALL("echo", .body = STR("\0\0\0\0\0"), .no_te = true), ERR_INVALID_ARGUMENT,
              "te: trailers", true);
}

TEST(exactly_one_message)
{
    check_raw(CALL("echo"), ERR_UNIMPLEMENTED, "no message", true);
    check_raw(CALL("echo", .body = STR("\0\0\0\0\1a\0\0\0\0\1b")), ERR_UNIMPLEMENTED,
              "more than one message", true);
    check_raw(CALL("upload"), ERR_UNIMPLEMENTED, "no message", true);
    check_raw(CALL("upload", .body = STR("\0\0\0\0\0\0\0\0\0\0")), ERR_UNIMPLEMENTED,
              "more than one message", true);
}

TEST(a_message_cut_short)
{
    check_raw(CALL("echo", .body = STR("\0\0\0\0\5hel")), ERR_INVALID_ARGUMENT, "2 bytes before",
              true);
    check_raw(CALL("upload", .body = STR("\0\0\0\0\5\x22\1")), ERR_INVALID_ARGUMENT,
              "3 bytes before", true);
}

TEST(over_the_limit_is_refused_from_the_prefix)
{
    /* 64 KiB + 1 announced, nothing sent, no END_STREAM. */
    check_raw(CALL("echo", .body = STR("\0\0\1\0\1"), .endless = true), ERR_RESOURCE_EXHAUSTED,
              "65537 bytes, the limit is 65536", true);
    /* 200 MiB for an upload of at most 96 MiB. */
    check_raw(CALL("upload", .body = STR("\0\x0c\x80\0\0"), .endless = true),
              ERR_RESOURCE_EXHAUSTED, "209715200 bytes, the limit is", true);
}

TEST(gzip_requests)
{
    struct buf data, body;
    buf_init(&data, KIB(64));
    buf_init(&body, KIB(64));
    gzip_add(&data, STR("compressed words, compressed words"));
    peer_frame(&body, 1, buf_view(&data));
    check_raw(CALL("echo", .body = buf_view(&body), .encoding = "gzip"), ERR_OK, "", false);
    check_raw(CALL("echo", .body = buf_view(&body)), ERR_INTERNAL, "request id", true);
    body.len -= 4;
    body.p[4] = (char)(body.p[4] - 4);
    check_raw(CALL("echo", .body = buf_view(&body), .encoding = "gzip"), ERR_INVALID_ARGUMENT,
              "gzip", true);
    buf_deinit(&data);
    buf_deinit(&body);
}

TEST(a_gzip_upload)
{
    struct buf message, data, body;
    buf_init(&message, MIB(4));
    buf_init(&data, MIB(4));
    buf_init(&body, MIB(4));
    buf_add(&message, STR("\x22\x80\x80\xc0\1"));
    buf_add_zero(&message, MIB(3));
    gzip_add(&data, buf_view(&message));
    peer_frame(&body, 1, buf_view(&data));
    struct fixture f;
    struct peer p;
    struct peer_call call = CALL("upload", .body = buf_view(&body), .encoding = "gzip");
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    peer_expect(&p, &call, ERR_OK);
    CHECK_STR(str_skip(buf_view(&call.data), 5), STR("bytes=3145728 rest=0"));
    peer_call_deinit(&call);
    peer_close(&p);
    fixture_stop(&f);
    buf_deinit(&message);
    buf_deinit(&data);
    buf_deinit(&body);
}

static void check_http(struct peer_call call, const char *want)
{
    struct fixture f;
    struct peer p;
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    peer_start(&p, &call);
    peer_run(&p, &call, 1);
    CHECK_STR(str_c(call.http), str_c(want));
    CHECK_STR(str_c(call.status), STR(""));
    CHECK_INT(call.code, 0);
    peer_call_deinit(&call);
    peer_close(&p);
    fixture_stop(&f);
}

TEST(what_is_not_grpc)
{
    check_http(CALL("echo", .content_type = "text/plain", .body = STR("hello")), "415");
    check_http(CALL("echo", .content_type = "application/grpc-web", .body = STR("x")), "415");
    check_http(CALL("echo", .content_type = "application/grpc+json", .body = STR("x")), "415");
    check_http(CALL("echo", .method = "GET"), "405");
    check_raw(CALL("echo", .content_type = "application/grpc+proto; charset=utf-8",
                   .body = STR("\0\0\0\0\0")),
              ERR_OK, "", false);
}

TEST(a_hundred_calls_on_one_connection)
{
    enum { N = 100 };
    static const char *const paths[] = {"/test.Service/echo", "/test.Service/work",
                                        "/test.Service/defer"};
    static struct peer_call calls[N];
    struct fixture f;
    struct peer p;
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    for (size_t i = 0; i < N; i++) {
        calls[i] = (struct peer_call){.path = paths[i % 3], .body = STR("\0\0\0\0\5hello")};
        peer_start(&p, &calls[i]);
    }
    peer_run(&p, calls, N);
    for (size_t i = 0; i < N; i++) {
        CHECK_STR(str_c(calls[i].status), STR("0"));
        CHECK_CONTAINS(buf_view(&calls[i].data), STR("hello"));
        peer_call_deinit(&calls[i]);
    }
    peer_close(&p);
    fixture_stop(&f);
}

TEST(a_deadline_that_passes)
{
    struct fixture f;
    struct peer p;
    struct peer_call call = CALL("work", .body = STR("\0\0\0\0\4gate"), .timeout = "50m");
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    peer_expect(&p, &call, ERR_DEADLINE_EXCEEDED);
    CHECK(call.trailers_only);
    CHECK_CONTAINS(buf_view(&call.message), STR("deadline"));
    CHECK_INT(f.n_working, 1);
    fixture_wait(&f.saw_cancel, 1);
    atomic_store(&f.gate, true);
    fixture_wait(&f.n_working, 0);
    peer_call_deinit(&call);
    peer_close(&p);
    fixture_stop(&f);
}

TEST(a_timeout_of_zero)
{
    check_raw(CALL("work", .body = STR("\0\0\0\0\0"), .endless = true, .timeout = "0n"),
              ERR_DEADLINE_EXCEEDED, "deadline", true);
}

TEST(a_client_that_cancels)
{
    struct fixture f;
    struct peer p;
    struct peer_call call = CALL("work", .body = STR("\0\0\0\0\4gate"));
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    peer_start(&p, &call);
    peer_run_ms(&p, 50);
    fixture_wait(&f.n_working, 1);
    h2_stream_reset(call.stream, 8);
    peer_run(&p, &call, 1);
    fixture_wait(&f.saw_cancel, 1);
    atomic_store(&f.gate, true);
    peer_call_deinit(&call);
    peer_close(&p);
    fixture_stop(&f);
}

TEST(a_call_that_is_cancelled_in_the_queue_does_not_run)
{
    enum { N = 2 };
    struct fixture f;
    struct peer p;
    struct peer_call gate = CALL("work", .body = STR("\0\0\0\0\4gate")), calls[N];
    fixture_start(&f, &(struct fixture_options){.n_workers = 1});
    peer_open(&p, &f);
    peer_start(&p, &gate);
    for (int i = 0; i < N; i++) {
        calls[i] = CALL("work", .body = STR("\0\0\0\0\0"), .timeout = i ? "100m" : NULL);
        peer_start(&p, &calls[i]);
    }
    peer_run_ms(&p, 200);
    CHECK_INT(f.n_worked, 1);
    h2_stream_reset(calls[0].stream, 8);
    peer_run(&p, calls, N);
    peer_run_ms(&p, 50);
    f.gate = true;
    peer_run(&p, &gate, 1);
    struct peer_call next = CALL("work", .body = STR("\0\0\0\0\0"));
    peer_expect(&p, &next, ERR_OK);
    CHECK_INT(f.n_worked, 2);
    for (int i = 0; i < N; i++)
        peer_call_deinit(&calls[i]);
    peer_call_deinit(&gate);
    peer_call_deinit(&next);
    peer_close(&p);
    fixture_stop(&f);
}

TEST(a_full_pool_refuses_unary_calls)
{
    enum { N = 4 };
    static struct peer_call calls[N];
    struct fixture f;
    struct peer p;
    int n_refused = 0;
    fixture_start(&f, &(struct fixture_options){.n_workers = 1, .max_queued = 1, .n_loops = 1});
    peer_open(&p, &f);
    for (size_t i = 0; i < N; i++) {
        calls[i] = CALL("work", .body = STR("\0\0\0\0\4gate"));
        peer_start(&p, &calls[i]);
        peer_run_ms(&p, 20);
    }
    atomic_store(&f.gate, true);
    peer_run(&p, calls, N);
    for (size_t i = 0; i < N; i++) {
        n_refused += str_eq(str_c(calls[i].status), STR("8"));
        peer_call_deinit(&calls[i]);
    }
    CHECK_INT(n_refused, 2);
    peer_close(&p);
    fixture_stop(&f);
}

TEST(stopping_waits_for_workers)
{
    struct fixture f;
    struct peer p;
    struct peer_call call = CALL("work", .body = STR("\0\0\0\0\4gate"));
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    peer_start(&p, &call);
    peer_run_ms(&p, 20);
    fixture_wait(&f.n_working, 1);
    grpc_server_stop(f.server, 50); /* the handler outlives the drain and returns by itself */
    CHECK_INT(f.n_working, 0);
    peer_call_deinit(&call);
    peer_close(&p);
    grpc_server_free(f.server);
    pool_free(f.workers);
}

/* Whether a call to an unknown method is answered while it still sends, after that many ms. */
static bool refused_early(const struct fixture *f, size_t body, int after_ms)
{
    static char bytes[KIB(65)];
    struct peer p;
    struct peer_call c = CALL("nothing", .body = str_of(bytes, body), .endless = true);
    peer_open(&p, f);
    peer_start(&p, &c);
    peer_run_ms(&p, after_ms);
    bool answered = strcmp(c.status, "12") == 0;
    peer_close(&p); /* while the call may still be open */
    peer_call_deinit(&c);
    return answered;
}

static void *open_gate_later(void *arg)
{
    usleep(200000);
    ((struct fixture *)arg)->gate = true;
    return NULL;
}

TEST(a_server_freed_without_a_stop_waits_for_its_jobs)
{
    struct fixture f;
    struct peer p;
    pthread_t opener;
    struct peer_call call = CALL("work", .body = STR("\0\0\0\0\4gate"));
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    peer_start(&p, &call);
    peer_run_ms(&p, 50);
    CHECK_INT(f.n_working, 1);
    CHECK_INT(pthread_create(&opener, NULL, open_gate_later, &f), 0);
    grpc_server_free(f.server);
    CHECK_INT(f.n_working, 0);
    pthread_join(opener, NULL);
    pool_free(f.workers);
    peer_close(&p);
    peer_call_deinit(&call);
}

TEST(a_refusal_waits_for_the_end_of_a_short_request)
{
    struct fixture f;
    fixture_start(&f, NULL);
    CHECK(!refused_early(&f, 5, 200));
    CHECK(refused_early(&f, 5, 1500));
    CHECK(refused_early(&f, KIB(65), 200)); /* this one is no short request */
    fixture_stop(&f);
}
