/* Room for answers: who gets it, who waits, in what order, and who is cut for others. The server
 * here answers /KIND/N with N bytes once it has room for them; /files/N with one byte. */
#include "peers.h"

#include "base/clock.h"
#include "base/macro.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CALM   11
#define BUDGET MIB(1) /* large answers leave half of it, changes an eighth */

/* --- the server --- */

struct answer {
    struct h2_stream *stream;
    uint64_t len, sent;
};

static _Atomic int n_made, n_refused, n_closed;
static _Atomic uint64_t order; /* lengths of the answers as they were made, a decimal digit each */

static size_t read_answer(void *ctx, char *to, size_t cap, enum h2_more *ret)
{
    struct answer *a = ctx;
    size_t n = (size_t)MIN((uint64_t)cap, a->len - a->sent);
    memset(to, 0, n);
    a->sent += n;
    *ret = a->sent == a->len ? H2_END : H2_MORE;
    if (*ret == H2_END)
        h2_stream_keep_room(a->stream, 0);
    return n;
}

static void on_room(void *ctx, struct h2_stream *s)
{
    struct answer *a = h2_stream_user(s);
    struct error e;
    struct h2_header h = {STR(":status"), STR("200")};
    (void)ctx;
    n_made++;
    order = order * 10 + a->len % 10;
    h2_stream_keep_room(s, a->len);
    CHECK_OK(h2_stream_respond(s, &h, 1, read_answer, a, &e), &e);
}

static enum h2_room kind_of(str name)
{
    static const char *const names[] = {"small", "change", "large", "files"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_eq(name, str_c(names[i])))
            return (enum h2_room)i;
    test_fail(__FILE__, __LINE__, "no kind %.*s", STR_ARG(name));
}

static void on_headers(void *ctx, struct h2_stream *s, const struct h2_header *h, size_t n)
{
    struct answer *a = calloc(1, sizeof *a);
    struct error e;
    str name, number;
    bool now;
    CHECK(a);
    a->stream = s;
    h2_stream_set_user(s, a);
    for (size_t i = 0; i < n; i++)
        if (str_eq(h[i].name, STR(":path")))
            (void)str_cut(str_skip(h[i].value, 1), '/', &name, &number);
    CHECK(str_to_u64(number, &a->len));
    if (h2_stream_ask_room(s, kind_of(name), a->len, &now, &e) != ERR_OK) {
        CHECK_INT(e.code, ERR_RESOURCE_EXHAUSTED);
        n_refused++;
        h2_stream_reset(s, CALM);
    } else if (now) {
        on_room(ctx, s);
    }
}

static void on_data(void *ctx, struct h2_stream *s, str bytes)
{
    (void)ctx;
    h2_stream_consume(s, bytes.len);
}

static void on_end(void *ctx, struct h2_stream *s)
{
    (void)ctx, (void)s;
}

static void on_close(void *ctx, struct h2_stream *s, uint32_t error)
{
    (void)ctx, (void)error;
    free(h2_stream_user(s));
    n_closed++;
}

static struct h2_server *serve_answers(const struct h2_limits *limits, unsigned n_loops,
                                       uint16_t *ret_port)
{
    static const struct h2_handler handler = {
        .on_headers = on_headers,
        .on_data = on_data,
        .on_end = on_end,
        .on_close = on_close,
        .on_room = on_room,
    };
    struct h2_server *s;
    struct error e;
    struct h2_server_options o = {.limits = limits, .n_loops = n_loops, .handler = &handler};
    CHECK_OK(h2_server_new(&o, &s, &e), &e);
    CHECK_OK(h2_server_listen(s, "127.0.0.1", 0, ret_port, &e), &e);
    CHECK_OK(h2_server_start(s, &e), &e);
    return s;
}

static struct h2_limits limits_here(void)
{
    struct h2_limits l = h2_limits_default;
    l.tick_ms = 20;
    l.answer_budget = BUDGET;
    l.answers_unread = KIB(300);
    l.open_files = 3;
    return l;
}

/* --- peers --- */

/* A connection whose windows are closed. */
static int closed_peer(uint16_t port)
{
    int fd = raw_connect(port);
    raw_send(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    raw_frame(fd, 4, 0, 0, "\0\4\0\0\0\0", 6); /* INITIAL_WINDOW_SIZE 0 */
    return fd;
}

static void open_window(int fd, uint32_t id)
{
    raw_frame(fd, 8, 0, 0, "\0\x10\0\0", 4);
    raw_frame(fd, 8, 0, id, "\0\x10\0\0", 4);
}

/* The stream is answered to its end. */
static void read_to_end(int fd, uint32_t id)
{
    struct raw_frame f;
    while (raw_read(fd, &f))
        if (f.id == id && (f.type == 0 || f.type == 1) && f.flags & 1)
            return;
    test_fail(__FILE__, __LINE__, "stream %u has no end", id);
}

static void expect_made(int n)
{
    for (int i = 0; i < 1000 && n_made < n; i++)
        (void)poll(NULL, 0, 5);
    CHECK_INT(n_made, n);
}

/* And none more. */
static void expect_just(int n)
{
    expect_made(n);
    (void)poll(NULL, 0, 60);
    CHECK_INT(n_made, n);
}

static void expect_calm(int fd, uint32_t id)
{
    struct raw_frame f;
    do
        CHECK(raw_read_until(fd, 3, &f));
    while (f.id != id);
    CHECK_INT(raw_u32(f.payload), CALM);
}

TEST(who_does_not_read_gets_one_answer)
{
    uint16_t port;
    struct h2_limits l = limits_here();
    struct h2_server *s = serve_answers(&l, 1, &port);
    int fd = closed_peer(port), other = closed_peer(port);
    for (uint32_t id = 1; id < 20; id += 2)
        raw_request(fd, id, id % 4 == 1 ? "/large/310000" : "/small/2", 5);
    expect_just(1);
    raw_request(other, 1, "/small/3", 5);
    expect_just(2);
    for (uint32_t id = 1; id < 20; id += 2) /* it gets the others as it reads */
        open_window(fd, id);
    read_to_end(fd, 19);
    expect_just(11);
    (void)close(fd);
    (void)close(other);
    h2_server_free(s);
}

TEST(small_unread_answers_add_up)
{
    uint16_t port;
    struct h2_limits l = limits_here();
    struct h2_server *s = serve_answers(&l, 1, &port);
    int fd = closed_peer(port);
    for (uint32_t id = 1; id < 20; id += 2)
        raw_request(fd, id, "/small/61440", 5);
    expect_just(5); /* 300 KiB */
    (void)close(fd);
    h2_server_free(s);
}

TEST(large_answers_leave_room_for_others)
{
    uint16_t port;
    struct h2_limits l = limits_here();
    struct h2_server *s = serve_answers(&l, 1, &port);
    int fd[6];
    for (int i = 0; i < 6; i++)
        fd[i] = closed_peer(port);
    raw_request(fd[0], 1, "/large/400000", 5);
    expect_just(1);
    raw_request(fd[1], 1, "/large/200000", 5); /* 512 KiB is what large ones have */
    expect_just(1);
    raw_request(fd[2], 1, "/change/400000", 5);
    expect_just(2);
    raw_request(fd[3], 1, "/change/200000", 5); /* 896 KiB is what changes have */
    expect_just(2);
    raw_request(fd[4], 1, "/small/60000", 5);
    expect_just(3);
    open_window(fd[0], 1);
    read_to_end(fd[0], 1);
    expect_just(5);
    for (int i = 0; i < 6; i++)
        (void)close(fd[i]);
    h2_server_free(s);
}

TEST(more_than_there_can_be_is_refused)
{
    static const char *const paths[] = {"/small/65537", "/large/524289", "/change/917505",
                                        "/files/4"};
    uint16_t port;
    struct h2_limits l = limits_here();
    struct h2_server *s = serve_answers(&l, 1, &port);
    int fd = closed_peer(port);
    for (uint32_t i = 0; i < 4; i++) {
        raw_request(fd, 2 * i + 1, paths[i], 5);
        expect_calm(fd, 2 * i + 1);
    }
    CHECK_INT(n_refused, 4);
    raw_request(fd, 9, "/large/524288", 5);
    expect_made(1);
    (void)close(fd);
    h2_server_free(s);
}

TEST(files_are_counted_apart_and_need_no_reader)
{
    uint16_t port;
    struct h2_limits l = limits_here();
    struct h2_server *s = serve_answers(&l, 1, &port);
    int fd = closed_peer(port), other = closed_peer(port);
    raw_request(fd, 1, "/large/400000", 5);
    expect_just(1);
    raw_request(fd, 3, "/files/2", 5);
    expect_just(2);
    raw_request(fd, 5, "/files/1", 5);
    raw_request(other, 1, "/files/1", 5);
    expect_just(3);
    open_window(fd, 5);
    read_to_end(fd, 5);
    expect_just(4);
    (void)close(fd);
    (void)close(other);
    h2_server_free(s);
}

TEST(connections_get_their_turns)
{
    uint16_t port;
    struct h2_limits l = limits_here();
    struct h2_server *s = serve_answers(&l, 1, &port);
    int holder = closed_peer(port), many = raw_hello(port), one = raw_hello(port);
    raw_frame(many, 8, 0, 0, "\0\x10\0\0", 4);
    raw_frame(one, 8, 0, 0, "\0\x10\0\0", 4);
    raw_request(holder, 1, "/large/500000", 5);
    expect_made(1);
    for (uint32_t id = 1; id < 7; id += 2)
        raw_request(many, id, "/large/300001", 5);
    (void)poll(NULL, 0, 50);
    raw_request(one, 1, "/large/300002", 5);
    expect_just(1);
    open_window(holder, 1);
    read_to_end(holder, 1);
    expect_just(2); /* the others wait for the first to be read */
    open_window(many, 1);
    expect_made(3);
    open_window(one, 1);
    for (uint32_t id = 3; id < 7; id += 2) {
        open_window(many, id);
        read_to_end(many, id);
    }
    CHECK_INT(n_made, 5);
    CHECK_INT(order, 1211); /* after the holder's 0 */
    (void)close(holder);
    (void)close(many);
    (void)close(one);
    h2_server_free(s);
}

TEST(who_goes_away_waits_no_longer)
{
    uint16_t port;
    struct h2_limits l = limits_here();
    struct h2_server *s = serve_answers(&l, 1, &port);
    int holder = closed_peer(port), gone = closed_peer(port), cancels = closed_peer(port);
    int last = closed_peer(port);
    raw_request(holder, 1, "/large/500000", 5);
    expect_made(1);
    raw_request(gone, 1, "/large/300000", 5);
    raw_request(cancels, 1, "/large/300000", 5);
    raw_request(last, 1, "/large/300000", 5);
    expect_just(1);
    (void)close(gone);
    raw_frame(cancels, 3, 0, 1, "\0\0\0\x8", 4);
    for (int i = 0; i < 1000 && n_closed < 2; i++)
        (void)poll(NULL, 0, 5);
    CHECK_INT(n_closed, 2);
    (void)close(holder); /* which gives back what it held */
    expect_just(2);
    (void)close(cancels);
    (void)close(last);
    h2_server_free(s);
    CHECK_INT(n_closed, 4);
}

TEST(loops_share_the_budget)
{
    uint16_t port;
    struct h2_limits l = limits_here();
    struct h2_server *s = serve_answers(&l, 2, &port);
    int fd[2] = {closed_peer(port), closed_peer(port)}; /* dealt to the loops in turn */
    raw_request(fd[0], 1, "/large/500000", 5);
    expect_made(1);
    raw_request(fd[1], 1, "/large/500000", 5);
    expect_just(1);
    open_window(fd[0], 1);
    read_to_end(fd[0], 1);
    expect_just(2);
    (void)close(fd[0]);
    (void)close(fd[1]);
    h2_server_free(s);
}

/* --- for others --- */

TEST(a_stalled_answer_is_cut_when_others_wait)
{
    uint16_t port;
    struct h2_limits l = limits_here();
    l.pressed_ms = 100;
    struct h2_server *s = serve_answers(&l, 2, &port);
    int fd = closed_peer(port), other = closed_peer(port);
    raw_request(fd, 1, "/large/400000", 5);
    raw_request(fd, 3, "/small/3", 5);
    expect_made(1);
    (void)poll(NULL, 0, 300);
    CHECK_INT(n_closed, 0); /* nobody waits for it but itself */
    raw_request(other, 1, "/large/400000", 5);
    expect_calm(fd, 3);
    expect_calm(fd, 1);
    expect_made(2);
    (void)poll(NULL, 0, 300);
    CHECK_INT(n_closed, 2);
    (void)close(fd);
    (void)close(other);
    h2_server_free(s);
}

static void trickle(int fd, uint32_t id, int n, const char update[4])
{
    for (int i = 0; i < n; i++) {
        raw_frame(fd, 8, 0, id, update, 4);
        (void)poll(NULL, 0, 20);
    }
}

/* What the peer takes is at most 50 updates a second. */
static void check_trickle(const char update[4], bool cut)
{
    uint16_t port;
    struct h2_limits l = limits_here();
    l.pressed_ms = 200;
    l.pressed_rate = 5000;
    struct h2_server *s = serve_answers(&l, 1, &port);
    int fd = closed_peer(port), other = closed_peer(port);
    raw_request(fd, 1, "/large/400000", 5);
    expect_made(1);
    raw_request(other, 1, "/large/400000", 5);
    trickle(fd, 1, 30, update);
    CHECK_INT(n_closed, cut ? 1 : 0);
    CHECK_INT(n_made, cut ? 2 : 1);
    (void)close(fd);
    (void)close(other);
    h2_server_free(s);
}

TEST(an_answer_read_too_slowly_is_cut_when_others_wait)
{
    check_trickle("\0\0\0\1", true);
}

TEST(a_slow_reader_above_the_rate_is_waited_for)
{
    check_trickle("\0\0\4\0", false); /* 1 KiB */
}

TEST(a_stalled_file_is_cut_when_others_wait_for_files)
{
    uint16_t port;
    struct h2_limits l = limits_here();
    l.pressed_ms = 100;
    struct h2_server *s = serve_answers(&l, 1, &port);
    int fd = closed_peer(port), other = closed_peer(port);
    raw_request(fd, 1, "/files/3", 5);
    raw_request(fd, 3, "/small/1", 5);
    expect_made(2);
    raw_request(other, 1, "/files/2", 5);
    expect_calm(fd, 1);
    expect_made(3);
    CHECK_INT(n_closed, 1); /* the small answer is in nobody's way */
    (void)close(fd);
    (void)close(other);
    h2_server_free(s);
}
