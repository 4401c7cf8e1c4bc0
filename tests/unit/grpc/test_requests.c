/* What requests hold in memory, all calls together: beyond a small share of their own they are
 * charged to one budget, and the call for which nothing is left fails. */
#include "test.h"

#include "deflate.h"
#include "fixture.h"

#define CALL(name, ...) ((struct peer_call){.path = name, __VA_ARGS__})
#define ECHO            "/test.Service/echo"
#define UPLOAD          "/test.Service/upload"
#define WATCH           "/grpc.health.v1.Health/Watch"
#define REFLECT         "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"

/* A call that has sent `body` and could go on; then another one like it; then, when the first has
 * gone, a third. */
static void check_half_calls(size_t budget, struct peer_call like, enum err second)
{
    struct fixture f;
    struct peer p, q;
    struct peer_call first = like, third = like;
    fixture_start(&f, &(struct fixture_options){.request_budget = budget});
    peer_open(&p, &f);
    peer_open(&q, &f);
    peer_start(&q, &first);
    peer_run_ms(&q, 100);
    CHECK(!first.closed);
    peer_expect(&p, &like, second);
    CHECK_CONTAINS(buf_view(&like.message), STR("the requests of all clients already hold"));
    struct peer_call small = CALL(ECHO, .body = STR("\0\0\0\0\2hi"));
    peer_expect(&p, &small, ERR_OK);
    peer_close(&q);
    peer_run_ms(&p, 200); /* the server notices */
    peer_start(&p, &third);
    peer_run_ms(&p, 100);
    CHECK(!third.closed);
    peer_close(&p);
    peer_call_deinit(&first);
    peer_call_deinit(&like);
    peer_call_deinit(&small);
    peer_call_deinit(&third);
    fixture_stop(&f);
}

TEST(requests_that_come_in_part)
{
    struct buf body;
    buf_init(&body, KIB(64));
    buf_add(&body, STR("\0\0\0\xff\xff"));
    buf_add_zero(&body, 40000);
    check_half_calls(KIB(64), CALL(ECHO, .body = buf_view(&body), .endless = true),
                     ERR_RESOURCE_EXHAUSTED);
    buf_deinit(&body);
}

TEST(compressed_requests_that_come_in_part)
{
    static const char *const paths[] = {ECHO, WATCH, UPLOAD};
    struct buf body, packed;
    buf_init(&packed, KIB(1));
    buf_init(&body, KIB(1));
    gzip_add(&packed, STR("\x0a\3abc"));
    peer_frame(&body, 1, buf_view(&packed));
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        check_half_calls(
            KIB(60), CALL(paths[i], .body = buf_view(&body), .encoding = "gzip", .endless = true),
            ERR_RESOURCE_EXHAUSTED);
    buf_deinit(&body);
    buf_deinit(&packed);
}

TEST(other_fields_of_uploads)
{
    struct buf body;
    buf_init(&body, KIB(8));
    buf_add(&body, STR("\0\0\1\0\0\x0a\xb8\x17")); /* a field of 3,000 bytes */
    buf_add_zero(&body, 3000);
    check_half_calls(KIB(3), CALL(UPLOAD, .body = buf_view(&body), .endless = true),
                     ERR_RESOURCE_EXHAUSTED);
    buf_deinit(&body);
}

TEST(many_complete_requests)
{
    enum { MANY = 50 };
    struct fixture f;
    struct peer p;
    struct peer_call calls[MANY];
    struct buf text, body;
    fixture_start(&f, &(struct fixture_options){.request_budget = KIB(70)});
    peer_open(&p, &f);
    buf_init(&text, KIB(64));
    buf_init(&body, KIB(65));
    buf_add_zero(&text, 60000);
    peer_frame(&body, 0, buf_view(&text));
    for (int i = 0; i < MANY; i++) { /* what an answered call held is free again */
        calls[i] = CALL(ECHO, .body = buf_view(&body));
        peer_expect(&p, &calls[i], ERR_OK);
        peer_call_deinit(&calls[i]);
    }
    peer_close(&p);
    buf_deinit(&text);
    buf_deinit(&body);
    fixture_stop(&f);
}

/* They arrive at once, before any was looked at. */
static void check_questions(size_t budget, uint32_t code)
{
    struct fixture f;
    struct peer p;
    struct buf body;
    fixture_start(&f, &(struct fixture_options){.request_budget = budget});
    peer_open(&p, &f);
    buf_init(&body, KIB(64));
    for (int i = 0; i < 2000; i++)
        peer_frame(&body, 0, STR("\x3a\0"));
    struct peer_call call = CALL(REFLECT, .body = buf_view(&body));
    peer_start(&p, &call);
    peer_run(&p, &call, 1);
    CHECK_INT(call.code, code);
    peer_call_deinit(&call);
    peer_close(&p);
    buf_deinit(&body);
    fixture_stop(&f);
}

TEST(questions_that_wait_for_their_turn)
{
    check_questions(KIB(4), 11); /* ENHANCE_YOUR_CALM */
    check_questions(KIB(64), 0);
}
