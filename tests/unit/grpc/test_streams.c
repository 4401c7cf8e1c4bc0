#include "test.h"

#include "base/sys.h"
#include "fixture.h"

#include <stdio.h>
#include <unistd.h>

static struct error e;

struct seen {
    struct buf text;
    uint64_t n, n_bytes;
    uint64_t refuse_at; /* our own failure at that message; 0 = none */
};

static enum err on_message(void *ctx, str message, struct error *err)
{
    struct seen *s = ctx;
    s->n++;
    s->n_bytes += message.len;
    if (s->n_bytes < KIB(4))
        buf_add(&s->text, message);
    if (s->n == s->refuse_at)
        return FAIL(err, ERR_ABORTED, "test", "no more");
    return ERR_OK;
}

static enum err run_stream(const struct fixture *f, const char *request, struct seen *s)
{
    struct grpc_client *c = fixture_client(f);
    struct grpc_request r = {.path = "/test.Service/stream", .head = str_c(request), .fd = -1};
    enum err err = grpc_client_stream(c, &r, on_message, s, &e);
    struct buf answer;
    struct error after;
    buf_init(&answer, 100);
    CHECK_OK(fixture_call(c, "/test.Service/echo", "still here", &answer, &after), &after);
    buf_deinit(&answer);
    grpc_client_close(c);
    return err;
}

static void check_stream(const char *request, enum err want, uint64_t refuse_at, str text)
{
    struct fixture f;
    struct seen s = {.refuse_at = refuse_at};
    fixture_start(&f, NULL);
    buf_init(&s.text, KIB(8));
    CHECK_ERR(run_stream(&f, request, &s), want, &e);
    CHECK_STR(buf_view(&s.text), text);
    buf_deinit(&s.text);
    fixture_wait(&f.n_streams, 0);
    fixture_stop(&f);
}

TEST(messages_in_order)
{
    check_stream("n=5", ERR_OK, 0, STR("0;1;2;3;4;"));
    check_stream("n=0", ERR_OK, 0, STR(""));
}

TEST(a_stream_that_fails)
{
    check_stream("n=5 fail=3", ERR_DATA_LOSS, 0, STR("0;1;2;"));
    CHECK_STR(str_c(e.msg), STR("message 3 is gone"));
}

TEST(the_receiver_gives_up)
{
    check_stream("n=1000000", ERR_ABORTED, 2, STR("0;1;"));
    CHECK_STR(str_c(e.msg), STR("no more"));
}

TEST(messages_with_files)
{
    check_stream("n=2 file=12", ERR_OK, 0,
                 STR("0;0123456789\0\0"
                     "1;0123456789\0\0"));
}

TEST(a_large_stream_in_little_memory)
{
    struct fixture f;
    struct seen s = {0};
    fixture_start(&f, NULL);
    buf_init(&s.text, KIB(8));
    fixture_reset_peak();
    long before = fixture_peak_kib();
    CHECK_OK(run_stream(&f, "n=95 file=1048576", &s), &e);
    long grown = fixture_peak_kib() - before;
    CHECK_INT(s.n, 95);
    CHECK_INT(s.n_bytes, 95 * MIB(1) + 10 * 2 + 85 * 3);
    CHECK(FIXTURE_SANITIZED || grown < 16 * 1024);
    printf("# peak RSS grew by %ld KiB\n", grown);
    buf_deinit(&s.text);
    fixture_stop(&f);
}

/* --- a unary answer with a file's range --- */

static void check_download(const char *request, str want)
{
    struct fixture f;
    struct buf answer;
    fixture_start(&f, NULL);
    struct grpc_client *c = fixture_client(&f);
    buf_init(&answer, KIB(4));
    CHECK_OK(fixture_call(c, "/test.Service/download", request, &answer, &e), &e);
    CHECK_STR(buf_view(&answer), want);
    buf_deinit(&answer);
    grpc_client_close(c);
    fixture_stop(&f);
}

TEST(a_range_of_a_file)
{
    check_download("size=10 off=0 len=10", STR("head:0123456789"));
    check_download("size=10 off=3 len=4", STR("head:3456"));
    check_download("size=10 off=3 len=0", STR("head:"));
}

TEST(a_file_that_is_too_short)
{
    struct fixture f;
    struct buf answer;
    fixture_start(&f, NULL);
    struct grpc_client *c = fixture_client(&f);
    buf_init(&answer, KIB(4));
    CHECK_ERR(fixture_call(c, "/test.Service/download", "size=10 off=8 len=4", &answer, &e),
              ERR_DATA_LOSS, &e);
    CHECK_OK(fixture_call(c, "/test.Service/echo", "fine", &answer, &e), &e);
    buf_deinit(&answer);
    grpc_client_close(c);
    fixture_stop(&f);
}

TEST(a_large_answer_is_not_held_by_the_server)
{
    struct fixture f;
    struct buf answer;
    fixture_start(&f, NULL);
    struct grpc_client *c = fixture_client(&f);
    buf_init(&answer, MIB(95) + 5);
    CHECK(buf_reserve(&answer, MIB(95) + 5)); /* no growing, which would count twice */
    fixture_reset_peak();
    long before = fixture_peak_kib();
    CHECK_OK(
        fixture_call(c, "/test.Service/download", "size=99614720 off=0 len=99614720", &answer, &e),
        &e);
    long grown = fixture_peak_kib() - before;
    CHECK_INT(answer.len, MIB(95) + 5);
    CHECK(FIXTURE_SANITIZED || grown < (95 + 16) * 1024);
    printf("# peak RSS grew by %ld KiB\n", grown);
    buf_deinit(&answer);
    grpc_client_close(c);
    fixture_stop(&f);
}

TEST(a_deadline_in_the_middle_of_an_answer)
{
    struct fixture f;
    struct peer p;
    struct peer_call call = {
        .path = "/test.Service/stream",
        .body = STR("\0\0\0\0\x0bn=100000000"),
        .timeout = "100m",
    };
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    peer_start(&p, &call);
    peer_run(&p, &call, 1);
    CHECK_STR(str_c(call.http), STR("200"));
    CHECK_STR(str_c(call.status), STR("4"));
    CHECK(!call.trailers_only);
    fixture_wait(&f.n_streams, 0);
    peer_call_deinit(&call);
    peer_close(&p);
    fixture_stop(&f);
}

TEST(a_reader_that_does_not_read_is_reset_after_its_deadline)
{
    struct fixture f;
    struct peer p;
    struct peer_call call = {
        .path = "/test.Service/stream",
        .body = STR("\0\0\0\0\x15n=100000 file=1048576"),
        .timeout = "100m",
    };
    fixture_start(&f, NULL);
    peer_open(&p, &f);
    peer_start(&p, &call);
    peer_run_ms(&p, 1);
    usleep(1500000); /* the deadline and the grace pass while nothing is read */
    peer_run(&p, &call, 1);
    fixture_wait(&f.n_streams, 0);
    peer_call_deinit(&call);
    peer_close(&p);
    fixture_stop(&f);
}
