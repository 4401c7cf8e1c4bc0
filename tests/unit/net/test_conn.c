/* A connection over a socket pair of ours: what is sent, what is held back, how it ends. */
#include "test.h"

#include "base/clock.h"
#include "base/macro.h"
#include "net/conn.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
    struct loop *loop;
    struct conn_scratch *scratch;
    struct conn *conn;
    int peer; /* the other end, non-blocking */
    uint64_t to_send, received;
    size_t largest_room;
    int ends, closes;
    int64_t stall_ms; /* of conn_finish */
    enum err why;
    bool finish_on_bytes, abort_on_bytes;
};

static void on_bytes(void *ctx, str bytes)
{
    struct side *s = ctx;
    CHECK(bytes.len > 0 && bytes.len <= CONN_READ_MAX);
    s->received += bytes.len;
    if (s->finish_on_bytes)
        conn_finish(s->conn, s->stall_ms);
    if (s->abort_on_bytes)
        conn_abort(s->conn);
}

static void on_end(void *ctx)
{
    ((struct side *)ctx)->ends++;
}

static size_t fill(void *ctx, char *to, size_t cap)
{
    struct side *s = ctx;
    CHECK(cap >= CONN_FILL_MIN && cap <= CONN_WRITE_MAX);
    size_t n = (size_t)MIN((uint64_t)cap, s->to_send);
    memset(to, 'x', n);
    s->to_send -= n;
    s->largest_room = MAX(s->largest_room, cap);
    return n;
}

static void on_close(void *ctx, const struct error *why)
{
    struct side *s = ctx;
    s->closes++;
    s->why = why->code;
}

static const struct conn_handler handler = {
    .on_bytes = on_bytes, .on_end = on_end, .fill = fill, .on_close = on_close};

/* On s->loop with s->scratch. */
static void open_conn(struct side *s)
{
    int fd[2];
    struct error e;
    struct sys_address a;
    CHECK_OK(sys_address_parse("192.0.2.7", 99, &a, &e), &e);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
    s->peer = fd[1];
    struct conn_options o = {.loop = s->loop,
                             .scratch = s->scratch,
                             .fd = fd[0],
                             .peer = &a,
                             .linger_ms = 200,
                             .handler = &handler,
                             .ctx = s};
    CHECK_OK(conn_new(&o, &s->conn, &e), &e);
    CHECK_STR(conn_peer(s->conn), STR("192.0.2.7:99"));
}

static void open_side(struct side *s, size_t max_unsent)
{
    struct error e;
    CHECK_OK(loop_new(&s->loop, &e), &e);
    CHECK_OK(conn_scratch_new(max_unsent, &s->scratch, &e), &e);
    open_conn(s);
}

static void close_side(struct side *s)
{
    (void)close(s->peer);
    loop_free(s->loop);
    conn_scratch_free(s->scratch);
}

static void turns(struct side *s, int ms)
{
    struct error e;
    int64_t end = clock_mono_ns() + ms * NS_PER_MS;
    for (int64_t now = clock_mono_ns(); now < end; now = clock_mono_ns())
        CHECK_OK(loop_run_once(s->loop, (int)((end - now) / NS_PER_MS) + 1, &e), &e);
}

static uint64_t take(struct side *s, uint64_t want)
{
    static char b[KIB(256)];
    uint64_t got = 0;
    while (got < want) {
        ssize_t n = recv(s->peer, b, sizeof b, MSG_DONTWAIT);
        if (n == 0)
            break;
        if (n > 0)
            got += (uint64_t)n;
        turns(s, n > 0 ? 0 : 1);
        struct error e;
        CHECK_OK(loop_run_once(s->loop, 0, &e), &e);
    }
    return got;
}

TEST(bytes_go_both_ways)
{
    struct side s = {.to_send = MIB(8)};
    open_side(&s, MIB(32));
    CHECK(write(s.peer, "hello", 5) == 5);
    turns(&s, 20);
    CHECK_INT(s.received, 5);
    CHECK(conn_stalled(s.conn)); /* 8 MiB do not fit in a socket */
    CHECK_INT(conn_acked(s.conn), 0);
    CHECK_INT(take(&s, MIB(8)), MIB(8));
    CHECK(!conn_stalled(s.conn));
    CHECK_INT(conn_acked(s.conn), MIB(8));
    s.to_send = 10;
    turns(&s, 20);
    CHECK_INT(s.to_send, 10); /* nobody said so */
    conn_wake(s.conn);
    CHECK_INT(s.to_send, 10); /* never from inside the call */
    CHECK_INT(take(&s, 10), 10);
    conn_abort(s.conn);
    close_side(&s);
    CHECK_INT(s.closes, 0); /* silently */
}

/* While slow readers have used up the budget, everybody's sends are small. */
TEST(unsent_bytes_have_a_budget)
{
    struct side slow = {.to_send = MIB(8)}, other = {.to_send = MIB(8)};
    open_side(&slow, 1000);
    turns(&slow, 20);
    CHECK(conn_stalled(slow.conn));
    CHECK(slow.largest_room > CONN_FILL_MIN);
    other.loop = slow.loop;
    other.scratch = slow.scratch;
    open_conn(&other);
    turns(&slow, 20);
    CHECK_INT(other.largest_room, CONN_FILL_MIN);
    conn_abort(slow.conn); /* which frees what it held */
    CHECK_INT(take(&other, MIB(8)), MIB(8));
    CHECK(other.largest_room > CONN_FILL_MIN);
    conn_abort(other.conn);
    CHECK(close(other.peer) == 0);
    close_side(&slow);
}

TEST(paused_means_unread)
{
    struct side s = {0};
    open_side(&s, MIB(32));
    turns(&s, 5);
    conn_pause(s.conn, true);
    turns(&s, 5);
    CHECK(write(s.peer, "hello", 5) == 5);
    turns(&s, 30);
    CHECK_INT(s.received, 0);
    conn_pause(s.conn, false);
    turns(&s, 30);
    CHECK_INT(s.received, 5);
    conn_abort(s.conn);
    close_side(&s);
}

TEST(half_closed_by_the_peer)
{
    struct side s = {0};
    open_side(&s, MIB(32));
    CHECK(shutdown(s.peer, SHUT_WR) == 0);
    turns(&s, 20);
    CHECK_INT(s.ends, 1);
    CHECK_INT(s.closes, 0);
    s.to_send = 1000;
    conn_wake(s.conn);
    CHECK_INT(take(&s, 1000), 1000);
    conn_finish(s.conn, 0);
    turns(&s, 20);
    CHECK_INT(s.closes, 1); /* nothing to wait for */
    CHECK_INT(s.why, ERR_OK);
    close_side(&s);
}

TEST(finish_sends_the_rest_first)
{
    struct side s = {.to_send = MIB(3), .finish_on_bytes = true};
    open_side(&s, MIB(32));
    CHECK(write(s.peer, "x", 1) == 1);
    CHECK_INT(take(&s, MIB(9)), MIB(3));
    CHECK_INT(s.closes, 0); /* waits for the peer */
    (void)shutdown(s.peer, SHUT_WR);
    turns(&s, 20);
    CHECK_INT(s.closes, 1);
    CHECK_INT(s.why, ERR_OK);
    close_side(&s);
}

TEST(finish_does_not_wait_for_ever)
{
    struct side s = {.to_send = MIB(3), .finish_on_bytes = true};
    open_side(&s, MIB(32));
    CHECK(write(s.peer, "x", 1) == 1);
    turns(&s, 400); /* the peer reads nothing */
    CHECK_INT(s.closes, 1);
    close_side(&s);
}

/* Longer than linger_ms, but never long without progress: all of it arrives. */
TEST(finish_is_patient_with_a_slow_peer)
{
    struct side s = {.to_send = MIB(1), .finish_on_bytes = true, .stall_ms = 400};
    open_side(&s, MIB(32));
    CHECK(write(s.peer, "x", 1) == 1);
    uint64_t got = 0;
    for (int i = 0; i < 16 && got < MIB(1); i++) {
        turns(&s, 50);
        got += take(&s, MIN(MIB(1) - got, (uint64_t)KIB(64)));
    }
    got += take(&s, MIB(1) - got);
    CHECK_INT(got, MIB(1));
    CHECK_INT(s.closes, 0); /* and there still is time to see the peer close */
    turns(&s, 300);
    CHECK_INT(s.closes, 1);
    close_side(&s);
}

TEST(finish_gives_up_a_peer_that_stopped)
{
    struct side s = {.to_send = MIB(3), .finish_on_bytes = true, .stall_ms = 500};
    open_side(&s, MIB(32));
    CHECK(write(s.peer, "x", 1) == 1);
    turns(&s, 350);
    CHECK_INT(s.closes, 0);
    turns(&s, 450);
    CHECK_INT(s.closes, 1);
    close_side(&s);
}

TEST(a_peer_that_is_gone)
{
    struct side s = {0};
    open_side(&s, MIB(32));
    turns(&s, 5);
    conn_pause(s.conn, true); /* noticed even so */
    turns(&s, 5);
    CHECK(close(s.peer) == 0);
    s.peer = -1;
    turns(&s, 20);
    CHECK_INT(s.closes, 1);
    CHECK_INT(s.why, ERR_UNAVAILABLE);
    close_side(&s);
}

TEST(writing_to_a_peer_that_is_gone)
{
    struct side s = {.to_send = MIB(8)};
    open_side(&s, MIB(32));
    turns(&s, 5);
    CHECK(close(s.peer) == 0);
    s.peer = -1;
    turns(&s, 20);
    CHECK_INT(s.closes, 1);
    CHECK_INT(s.why, ERR_UNAVAILABLE);
    close_side(&s);
}

TEST(abort_from_a_callback)
{
    struct side s = {.to_send = 100, .abort_on_bytes = true};
    open_side(&s, MIB(32));
    CHECK(write(s.peer, "x", 1) == 1);
    turns(&s, 20);
    CHECK_INT(s.closes, 0);
    CHECK_INT(s.received, 1);
    char b[200];
    while (recv(s.peer, b, sizeof b, 0) > 0)
        ; /* until the end: it is closed */
    close_side(&s);
}
