/* Room for answers, as calls see it: who does not read gets no more made, and everybody gets on. */
#include "test.h"

#include "fixture.h"

#define CALL(name, ...) ((struct peer_call){.path = "/test.Service/" name, __VA_ARGS__})

static struct h2_limits limits_with(size_t answer_budget)
{
    struct h2_limits l = h2_limits_default;
    l.goaway_wait_ms = 10;
    l.answer_budget = (int64_t)answer_budget;
    return l;
}

static void check_text(const char *request, int n_runs, enum err want, size_t len)
{
    struct fixture f;
    struct buf answer;
    struct error e;
    fixture_start(&f, NULL);
    struct grpc_client *c = fixture_client(&f);
    buf_init(&answer, MIB(9));
    CHECK_ERR(fixture_call(c, "/test.Service/text", request, &answer, &e), want, &e);
    CHECK_INT(answer.len, len);
    CHECK_INT(f.n_texts, n_runs);
    grpc_client_close(c);
    buf_deinit(&answer);
    fixture_stop(&f);
}

TEST(what_does_not_fit_at_first_is_made_again)
{
    check_text("size=0", 1, ERR_OK, 0);
    check_text("size=65536", 1, ERR_OK, FIRST_REPLY);
    check_text("size=65537", 2, ERR_OK, FIRST_REPLY + 1);
    check_text("size=8388608", 2, ERR_OK, REPLY_MAX);
    check_text("size=8388609", 2, ERR_RESOURCE_EXHAUSTED, 0);
}

enum { MANY = 10 };

static void open_many(struct fixture *f, struct peer *p, struct peer_call *calls,
                      struct peer_call like)
{
    peer_open(p, f);
    for (int i = 0; i < MANY; i++) {
        calls[i] = like;
        peer_start(p, &calls[i]);
    }
}

static void finish_many(struct peer *p, struct peer_call *calls, str answer)
{
    peer_run(p, calls, MANY);
    for (int i = 0; i < MANY; i++) {
        CHECK_STR(str_c(calls[i].status), STR("0"));
        if (answer.len)
            CHECK_STR(str_skip(buf_view(&calls[i].data), 5), answer);
        peer_call_deinit(&calls[i]);
    }
    peer_close(p);
}

/* Five megabytes: more than a client's window. */
#define A_TEXT STR("\0\0\0\0\x0csize=5000000")

TEST(answers_are_made_as_they_are_read)
{
    struct fixture f;
    struct peer p;
    struct peer_call calls[MANY];
    fixture_start(&f, NULL);
    open_many(&f, &p, calls, CALL("text", .body = A_TEXT, .hold = true));
    peer_run_ms(&p, 300);
    CHECK_INT(f.n_texts, 2); /* one, which was too large the first time */
    for (int i = 0; i < MANY; i++)
        peer_release(&calls[i]);
    finish_many(&p, calls, STR_NULL);
    CHECK_INT(f.n_texts, 2 * MANY);
    fixture_stop(&f);
}

TEST(others_are_answered_meanwhile)
{
    struct fixture f;
    struct peer p, q;
    struct peer_call calls[MANY], others[MANY];
    fixture_start(&f, NULL);
    open_many(&f, &p, calls, CALL("text", .body = A_TEXT, .hold = true));
    peer_run_ms(&p, 50);
    open_many(&f, &q, others, CALL("echo", .body = STR("\0\0\0\0\2hi")));
    finish_many(&q, others, STR("hi"));
    peer_close(&p);
    for (int i = 0; i < MANY; i++)
        peer_call_deinit(&calls[i]);
    fixture_stop(&f);
}

/* Room for one answer of a change at a time. */
#define NARROW (REPLY_MAX + REPLY_MAX / 4)

TEST(changes_wait_for_room_in_turn)
{
    struct fixture f;
    struct peer p;
    struct peer_call calls[MANY];
    struct h2_limits limits = limits_with(NARROW);
    fixture_start(&f, &(struct fixture_options){.limits = &limits});
    open_many(&f, &p, calls, CALL("work", .body = STR("\0\0\0\0\4gate")));
    peer_run_ms(&p, 100);
    CHECK_INT(f.n_working, 1);
    f.gate = true;
    finish_many(&p, calls, STR("gate"));
    fixture_stop(&f);
}

TEST(uploads_end_one_after_the_other)
{
    struct fixture f;
    struct peer p;
    struct buf body;
    struct peer_call calls[MANY];
    struct h2_limits limits = limits_with(NARROW);
    fixture_start(&f, &(struct fixture_options){.limits = &limits});
    buf_init(&body, MIB(1));
    peer_upload_frame(&body, 100000);
    open_many(&f, &p, calls, CALL("upload", .body = buf_view(&body)));
    finish_many(&p, calls, STR("bytes=100000 rest=11"));
    buf_deinit(&body);
    fixture_stop(&f);
}

/* What holds the room: one gated call. */
static void start_holder(struct fixture *f, struct peer *p, struct peer_call *holder)
{
    *holder = CALL("work", .body = STR("\0\0\0\0\4gate"));
    peer_open(p, f);
    peer_start(p, holder);
    peer_run_ms(p, 50);
    CHECK_INT(f->n_working, 1);
}

TEST(a_deadline_while_waiting_for_room)
{
    struct fixture f;
    struct peer p;
    struct peer_call holder;
    struct h2_limits limits = limits_with(NARROW);
    fixture_start(&f, &(struct fixture_options){.limits = &limits});
    start_holder(&f, &p, &holder);
    struct peer_call late = CALL("work", .body = STR("\0\0\0\0\0"), .timeout = "100m");
    peer_expect(&p, &late, ERR_DEADLINE_EXCEEDED);
    CHECK(late.trailers_only);
    f.gate = true;
    peer_run(&p, &holder, 1);
    CHECK_STR(str_c(holder.status), STR("0"));
    peer_call_deinit(&late);
    peer_call_deinit(&holder);
    peer_close(&p);
    fixture_stop(&f);
}

TEST(who_dies_while_waiting_for_room)
{
    struct fixture f;
    struct peer p, q;
    struct buf body;
    struct peer_call holder;
    struct h2_limits limits = limits_with(NARROW);
    fixture_start(&f, &(struct fixture_options){.limits = &limits});
    buf_init(&body, MIB(1));
    peer_upload_frame(&body, 100000);
    start_holder(&f, &p, &holder);
    struct peer_call dying[] = {CALL("work", .body = STR("\0\0\0\0\0")),
                                CALL("upload", .body = buf_view(&body))};
    peer_open(&q, &f);
    peer_start(&q, &dying[0]);
    peer_start(&q, &dying[1]);
    peer_run_ms(&q, 100);
    CHECK_INT(f.n_begun, 1);
    peer_close(&q);
    fixture_wait(&f.n_uploads, 0);
    f.gate = true;
    peer_run(&p, &holder, 1);
    struct peer_call next = CALL("work", .body = STR("\0\0\0\0\0"));
    peer_expect(&p, &next, ERR_OK);
    CHECK_INT(f.n_finished, 0);
    peer_call_deinit(&dying[0]);
    peer_call_deinit(&dying[1]);
    peer_call_deinit(&holder);
    peer_call_deinit(&next);
    peer_close(&p);
    buf_deinit(&body);
    fixture_stop(&f);
}
