#include "test.h"

#include "fixture.h"

#include <stdio.h>
#include <unistd.h>

static struct error e;

#define CALL(...) ((struct peer_call){.path = "/test.Service/upload", __VA_ARGS__})

/* The text of a successful answer, without its frame. */
static void check_answer(const struct peer_call *c, const char *want)
{
    CHECK_STR(str_c(c->status), STR("0"));
    CHECK(c->data.len > 5);
    CHECK_STR(str_skip(buf_view(&c->data), 5), str_c(want));
}

static void check_upload(size_t len, size_t pause)
{
    char want[64];
    struct fixture f;
    struct peer p;
    struct buf body;
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    buf_init(&body, len + 200);
    peer_upload_frame(&body, len);
    struct peer_call call = CALL(.body = buf_view(&body), .pause = pause);
    peer_start(&p, &call);
    if (pause) {
        peer_run_ms(&p, 30);
        peer_resume(&call);
    }
    peer_run(&p, &call, 1);
    (void)snprintf(want, sizeof want, "bytes=%zu rest=11", len);
    check_answer(&call, want);
    CHECK_INT(f.n_begun, 1);
    CHECK_INT(f.n_finished, 1);
    peer_call_deinit(&call);
    peer_close(&p);
    buf_deinit(&body);
    fixture_stop(&f);
}

TEST(uploads_of_many_sizes)
{
    static const size_t sizes[] = {0, 1, 65471, 65472, 65473, 300000, MIB(2)};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
        check_upload(sizes[i], 0);
}

TEST(an_upload_that_halts)
{
    static const size_t pauses[] = {1, 4, 5, 6, 13, 14, 100, 70000};
    for (size_t i = 0; i < ARRAY_SIZE(pauses); i++)
        check_upload(100000, pauses[i]);
}

TEST(a_window_smaller_than_a_chunk)
{
    struct h2_limits limits = h2_limits_default;
    limits.stream_window = 65535;
    limits.connection_window = 65535;
    limits.upload_window = 65535;
    limits.goaway_wait_ms = 10;
    struct fixture f;
    struct peer p;
    struct buf body;
    fixture_start(&f, &(struct fixture_options){.limits = &limits});
    peer_open(&p, &f);
    buf_init(&body, MIB(3));
    peer_upload_frame(&body, MIB(2));
    struct peer_call call = CALL(.body = buf_view(&body));
    peer_expect(&p, &call, ERR_OK);
    check_answer(&call, "bytes=2097152 rest=11");
    peer_call_deinit(&call);
    peer_close(&p);
    buf_deinit(&body);
    fixture_stop(&f);
}

/* One upload that must fail, early or at its end. */
static void check_refused(str body, bool endless, enum err want, const char *text, int n_finished)
{
    struct fixture f;
    struct peer p;
    struct peer_call call = CALL(.body = body, .endless = endless);
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    peer_expect(&p, &call, want);
    CHECK(call.trailers_only);
    CHECK_INT(call.code, 0);
    CHECK_CONTAINS(buf_view(&call.message), str_c(text));
    CHECK_INT(f.n_finished, n_finished);
    fixture_wait(&f.n_uploads, 0);
    peer_call_deinit(&call);
    peer_close(&p);
    fixture_stop(&f);
}

TEST(the_service_refuses_early)
{
    check_refused(STR("\0\0\1\0\0\x22\x80\x80\4refuse me"), true, ERR_FAILED_PRECONDITION,
                  "these bytes are refused", 0);
}

TEST(the_service_refuses_at_the_end)
{
    check_refused(STR("\0\0\0\0\x0f\x22\x0d"
                      "0123456789abc"),
                  false, ERR_INVALID_ARGUMENT, "bad luck", 1);
}

TEST(malformed_uploads)
{
    check_refused(STR("\0\0\0\0\4\x22\0\x22\0"), false, ERR_INVALID_ARGUMENT,
                  "comes more than once", 0);
    check_refused(STR("\0\0\0\0\2\x20\1"), false, ERR_INVALID_ARGUMENT, "wire type", 0);
    check_refused(STR("\0\0\0\0\3\x0a\5x"), false, ERR_INVALID_ARGUMENT, "ends inside a field", 0);
}

TEST(a_field_over_its_limit_is_refused_at_once)
{
    /* A message of 96 MiB + 2 whose field 4 has 96 MiB + 1; nothing more is sent. */
    check_refused(STR("\0\x06\0\0\2\x22\x81\x80\x80\x30"), true, ERR_RESOURCE_EXHAUSTED,
                  "has 100663297 bytes, the limit is 100663296 bytes", 0);
    /* Other fields of 5 KiB. */
    check_refused(STR("\0\0\x20\0\0\x0a\x80\x28"), true, ERR_RESOURCE_EXHAUSTED,
                  "the limit is 4096 bytes", 0);
}

TEST(a_refused_upload_that_goes_on_sending)
{
    enum { LEN = 8 << 20 };
    struct fixture f;
    struct peer p;
    struct buf body, answer;
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    buf_init(&body, LEN + 100);
    buf_add(&body, STR("\0\0\x80\0\5\x22\x80\x80\x80\4refuse"));
    buf_add_zero(&body, LEN - 6);
    struct peer_call call = CALL(.body = buf_view(&body));
    peer_expect(&p, &call, ERR_FAILED_PRECONDITION);
    CHECK(call.sent < LEN);
    /* The connection is fine, and so is its window. */
    for (int i = 0; i < 20; i++) {
        struct peer_call next = CALL(.body = buf_view(&body));
        peer_expect(&p, &next, ERR_FAILED_PRECONDITION);
        peer_call_deinit(&next);
    }
    buf_init(&answer, 100);
    peer_call_deinit(&call);
    peer_close(&p);
    buf_deinit(&body);
    buf_deinit(&answer);
    fixture_stop(&f);
}

TEST(a_client_that_dies)
{
    struct fixture f;
    struct buf body;
    fixture_start(&f, NULL);
    buf_init(&body, MIB(2));
    peer_upload_frame(&body, MIB(1));
    for (int i = 0; i < 10; i++) {
        struct peer p;
        struct peer_call call = CALL(.body = buf_view(&body), .pause = (size_t)(100 + i * 70000));
        peer_open(&p, &f);
        peer_start(&p, &call);
        peer_run_ms(&p, i * 2);
        peer_close(&p);
        CHECK(call.closed);
        peer_call_deinit(&call);
    }
    fixture_wait(&f.n_uploads, 0);
    CHECK_INT(f.n_finished, 0);
    buf_deinit(&body);
    fixture_stop(&f);
}

TEST(a_deadline_during_an_upload)
{
    struct fixture f;
    struct peer p;
    struct buf body;
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    buf_init(&body, MIB(2));
    peer_upload_frame(&body, MIB(1));
    struct peer_call call = CALL(.body = buf_view(&body), .pause = 200000, .timeout = "60m");
    peer_expect(&p, &call, ERR_DEADLINE_EXCEEDED);
    fixture_wait(&f.n_uploads, 0);
    CHECK_INT(f.n_begun, 1);
    peer_call_deinit(&call);
    peer_close(&p);
    buf_deinit(&body);
    fixture_stop(&f);
}

/* All its bytes have been taken; its last job waits for the worker. */
TEST(an_upload_that_is_cancelled_in_the_queue_does_not_finish)
{
    struct fixture f;
    struct peer p;
    struct buf body;
    fixture_start(&f, &(struct fixture_options){.n_workers = 1});
    peer_open(&p, &f);
    buf_init(&body, KIB(1));
    peer_upload_frame(&body, 100);
    struct peer_call call = CALL(.body = buf_view(&body), .endless = true);
    struct peer_call gate = {.path = "/test.Service/work", .body = STR("\0\0\0\0\4gate")};
    peer_start(&p, &call);
    peer_run_ms(&p, 50);
    CHECK_INT(f.n_begun, 1);
    peer_start(&p, &gate);
    peer_run_ms(&p, 50);
    call.endless = false;
    peer_resume(&call);
    peer_run_ms(&p, 50);
    h2_stream_reset(call.stream, 8);
    peer_run_ms(&p, 50);
    f.gate = true;
    peer_run(&p, &gate, 1);
    fixture_wait(&f.n_uploads, 0);
    CHECK_INT(f.n_finished, 0);
    peer_call_deinit(&call);
    peer_call_deinit(&gate);
    peer_close(&p);
    buf_deinit(&body);
    fixture_stop(&f);
}

enum { MANY = 16 };

/* Sixteen uploads, each halted in the middle; another one passes; then they all end. */
static void check_many(size_t budget, bool one_connection, size_t max_queued)
{
    struct fixture f;
    struct peer p[MANY];
    struct peer_call calls[MANY];
    struct buf body;
    fixture_start(&f, &(struct fixture_options){.budget = budget, .max_queued = max_queued});
    buf_init(&body, MIB(2));
    peer_upload_frame(&body, MIB(1));
    for (int i = 0; i < MANY; i++) {
        calls[i] = CALL(.body = buf_view(&body), .pause = 500000);
        if (i == 0 || !one_connection)
            peer_open(&p[i], &f);
        peer_start(&p[one_connection ? 0 : i], &calls[i]);
        peer_run_ms(&p[one_connection ? 0 : i], 5);
    }
    struct peer_call other = CALL(.body = buf_view(&body));
    peer_expect(&p[0], &other, ERR_OK);
    peer_call_deinit(&other);
    for (int i = 0; i < MANY; i++)
        peer_resume(&calls[i]);
    for (int i = 0; i < MANY; i++) {
        peer_run(&p[one_connection ? 0 : i], &calls[i], 1);
        check_answer(&calls[i], "bytes=1048576 rest=11");
        peer_call_deinit(&calls[i]);
    }
    for (int i = 0; i < (one_connection ? 1 : MANY); i++)
        peer_close(&p[i]);
    buf_deinit(&body);
    CHECK_INT(f.n_finished, MANY + 1);
    fixture_stop(&f);
}

TEST(sixteen_uploads_within_a_tiny_budget)
{
    check_many(KIB(64), false, 0);
}

TEST(sixteen_uploads_without_any_budget)
{
    check_many(1, false, 0);
}

TEST(sixteen_uploads_on_one_connection)
{
    check_many(KIB(128), true, 0);
}

TEST(uploads_wait_for_a_full_pool)
{
    check_many(MIB(4), false, 1);
}

/* Chunks that wait for a worker take little when little has come: reading goes on. */
TEST(small_uploads_are_charged_little)
{
    struct fixture f;
    struct peer p;
    struct buf body;
    struct peer_call calls[MANY];
    fixture_start(&f, &(struct fixture_options){.budget = KIB(64), .n_workers = 1});
    peer_open(&p, &f);
    struct peer_call worker = {.path = "/test.Service/work", .body = STR("\0\0\0\0\4gate")};
    peer_start(&p, &worker);
    peer_run_ms(&p, 50);
    buf_init(&body, KIB(1));
    peer_upload_frame(&body, 100);
    for (int i = 0; i < MANY; i++) {
        calls[i] = CALL(.body = buf_view(&body));
        peer_start(&p, &calls[i]);
    }
    peer_run_ms(&p, 50);
    struct peer_call echo = {.path = "/test.Service/echo", .body = STR("\0\0\0\0\2hi")};
    peer_expect(&p, &echo, ERR_OK);
    CHECK_INT(f.n_begun, 0);
    f.gate = true;
    peer_run(&p, calls, MANY);
    for (int i = 0; i < MANY; i++) {
        check_answer(&calls[i], "bytes=100 rest=11");
        peer_call_deinit(&calls[i]);
    }
    peer_run(&p, &worker, 1);
    peer_call_deinit(&worker);
    peer_call_deinit(&echo);
    peer_close(&p);
    buf_deinit(&body);
    fixture_stop(&f);
}

TEST(a_large_upload_in_little_memory)
{
    struct fixture f;
    struct buf answer;
    fixture_start(&f, NULL);
    struct grpc_client *c = fixture_client(&f);
    int fd = fixture_file(MIB(95));
    struct grpc_request r = {
        .path = "/test.Service/upload",
        .head = STR("\x0a\4name\x22\x80\x80\xc0\x2f"),
        .fd = fd,
        .len = MIB(95),
        .tail = STR("\x2a\3tag"),
    };
    buf_init(&answer, 100);
    fixture_reset_peak();
    long before = fixture_peak_kib();
    CHECK_OK(grpc_client_call(c, &r, &answer, &e), &e);
    long grown = fixture_peak_kib() - before;
    CHECK_STR(buf_view(&answer), STR("bytes=99614720 rest=11"));
    CHECK(FIXTURE_SANITIZED || grown < 24 * 1024);
    printf("# peak RSS grew by %ld KiB\n", grown);
    close(fd);
    grpc_client_close(c);
    buf_deinit(&answer);
    fixture_stop(&f);
}
