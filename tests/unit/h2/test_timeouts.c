/* Peers that do nothing, or next to nothing: each timeout and rate with a small override, and the
 * patience that honest peers get. */
#include "peers.h"

#include "base/clock.h"
#include "base/macro.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CALM             11
#define SETTINGS_TIMEOUT 4

static struct h2_limits quick(void)
{
    struct h2_limits l = h2_limits_default;
    l.tick_ms = 20;
    l.goaway_wait_ms = 50;
    return l;
}

static void nap(int ms)
{
    (void)poll(NULL, 0, ms);
}

TEST(no_preface)
{
    uint16_t port;
    struct h2_limits l = quick();
    l.preface_ms = 100;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    int silent = raw_connect(port), half = raw_connect(port);
    raw_send(half, "PRI * HTTP/2.0\r\n", 16);
    raw_expect_goaway(silent, SETTINGS_TIMEOUT, "no HTTP/2 preface");
    raw_expect_goaway(half, SETTINGS_TIMEOUT, "no HTTP/2 preface");
    expect_serving(port);
    h2_server_free(s);
}

TEST(preface_without_settings)
{
    uint16_t port;
    struct h2_limits l = quick();
    l.preface_ms = 100;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    int fd = raw_connect(port);
    raw_send(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    raw_expect_goaway(fd, SETTINGS_TIMEOUT, "SETTINGS");
    h2_server_free(s);
}

TEST(a_header_block_without_end)
{
    uint16_t port;
    struct h2_limits l = quick();
    l.header_block_ms = 100;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    int fd = raw_hello(port);
    raw_request(fd, 1, "/", 1); /* no END_HEADERS */
    raw_expect_goaway(fd, CALM, "a header block takes too long");
    CHECK_INT(seen.opened, 0);
    expect_serving(port);
    h2_server_free(s);
}

TEST(idle_connections_are_dismissed)
{
    uint16_t port;
    struct h2_limits l = quick();
    l.idle_ms = 100;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    struct peer p;
    struct call c = {.to_send = 10};
    peer_open(&p, port);
    call_run(&p, &c, "/echo");
    CHECK(h2_client_usable(p.client));
    int64_t start = clock_mono_ns();
    while (h2_client_usable(p.client))
        peer_turns(&p, 10);
    CHECK(clock_mono_ns() - start >= 80 * NS_PER_MS);
    while (!h2_client_why(p.client))
        peer_turns(&p, 10);
    peer_close(&p);
    h2_server_free(s);
}

TEST(busy_connections_are_not_idle)
{
    uint16_t port;
    struct h2_limits l = quick();
    l.idle_ms = 60;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    struct peer p;
    struct call c = {0};
    peer_open(&p, port);
    call_start(&p, &c, "/wait");
    peer_turns(&p, 300);
    CHECK(!c.closed && h2_client_usable(p.client));
    peer_close(&p);
    h2_server_free(s);
}

TEST(a_body_that_stalls)
{
    uint16_t port;
    struct h2_limits l = quick();
    l.body_stall_ms = 100;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    struct peer p;
    struct call c = {.to_send = 1000, .endless = true};
    peer_open(&p, port);
    call_run(&p, &c, "/sink");
    CHECK_INT(c.error, CALM);
    CHECK_INT(seen.last_error, CALM);
    struct call next = {.to_send = 10};
    call_run(&p, &next, "/sink"); /* the connection goes on */
    CHECK_INT(next.error, 0);
    peer_close(&p);
    h2_server_free(s);
}

/* The windows are closed because the server holds the bytes: that is not the client's fault. */
TEST(a_body_that_we_hold_up)
{
    uint16_t port;
    struct h2_limits l = quick();
    l.body_stall_ms = 100;
    l.rate_window_ms = 100;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    struct peer p;
    struct call c = {.to_send = MIB(1)};
    peer_open(&p, port);
    call_start(&p, &c, "/hold");
    peer_turns(&p, 500);
    CHECK(!c.closed);
    CHECK_INT(seen.bytes, KIB(256));
    peer_close(&p);
    h2_server_free(s);
}

TEST(a_body_that_we_paused)
{
    uint16_t port;
    struct h2_limits l = quick();
    l.body_stall_ms = 100;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    struct peer p;
    struct call c = {.to_send = 1000, .endless = true};
    atomic_store(&seen.pause, true);
    peer_open(&p, port);
    call_start(&p, &c, "/hold");
    peer_turns(&p, 500);
    CHECK(!c.closed);
    peer_close(&p);
    h2_server_free(s);
}

/* Once the response has begun, a request may stay open: bidirectional streams. */
TEST(a_conversation_may_pause)
{
    uint16_t port;
    struct h2_limits l = quick();
    l.body_stall_ms = l.download_stall_ms = l.rate_window_ms = 100;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    struct peer p;
    struct call c = {.to_send = 1000, .endless = true};
    peer_open(&p, port);
    call_start(&p, &c, "/echo");
    peer_turns(&p, 500);
    CHECK(!c.closed);
    CHECK_INT(c.received, 1000);
    peer_close(&p);
    h2_server_free(s);
}

static void trickle(int fd, uint32_t id, int n, int pause_ms)
{
    for (int i = 0; i < n; i++) {
        raw_frame(fd, 0, 0, id, "x", 1);
        nap(pause_ms);
    }
}

TEST(a_body_that_trickles)
{
    uint16_t port;
    struct raw_frame f;
    struct h2_limits l = quick();
    l.rate_window_ms = 200;
    l.min_upload_rate = 1000;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    int fd = raw_hello(port);
    raw_request(fd, 1, "/sink", 4);
    trickle(fd, 1, 30, 20); /* 50 bytes/s */
    CHECK(raw_read_until(fd, 3, &f));
    CHECK_INT(raw_u32(f.payload), CALM);
    expect_serving(port);
    (void)close(fd);
    h2_server_free(s);
}

TEST(a_slow_body_above_the_minimum)
{
    uint16_t port;
    struct h2_limits l = quick();
    l.rate_window_ms = 200;
    l.min_upload_rate = 10;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    int fd = raw_hello(port);
    raw_request(fd, 1, "/sink", 4);
    trickle(fd, 1, 30, 20);
    CHECK_INT(seen.closed, 0);
    CHECK_INT(seen.bytes, 30);
    (void)close(fd);
    h2_server_free(s);
}

TEST(a_window_that_never_opens)
{
    uint16_t port;
    struct h2_limits l = quick();
    l.download_stall_ms = 150;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    int fd = raw_connect(port);
    struct raw_frame f;
    raw_send(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    raw_frame(fd, 4, 0, 0, "\0\4\0\0\0\0", 6); /* INITIAL_WINDOW_SIZE 0 */
    raw_request(fd, 1, "/source/1000000", 5);
    CHECK(raw_read_until(fd, 3, &f));
    CHECK_INT(raw_u32(f.payload), CALM);
    CHECK_INT(seen.last_error, CALM);
    expect_serving(port);
    (void)close(fd);
    h2_server_free(s);
}

TEST(a_window_of_one_byte_at_a_time)
{
    uint16_t port;
    struct h2_limits l = quick();
    l.rate_window_ms = 200;
    l.min_download_rate = 1000;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    int fd = raw_connect(port);
    struct raw_frame f;
    raw_send(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    raw_frame(fd, 4, 0, 0, "\0\4\0\0\0\0", 6);
    raw_request(fd, 1, "/source/1000000", 5);
    for (int i = 0; i < 25; i++) {
        raw_frame(fd, 8, 0, 1, "\0\0\0\1", 4);
        nap(20);
    }
    CHECK(raw_read_until(fd, 3, &f));
    CHECK_INT(raw_u32(f.payload), CALM);
    (void)close(fd);
    h2_server_free(s);
}

/* Takes no byte off its socket. */
TEST(a_peer_that_never_reads)
{
    uint16_t port;
    struct h2_limits l = quick();
    l.write_stall_ms = 200;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    int fd = raw_hello(port);
    raw_frame(fd, 4, 0, 0, "\0\4\x7f\xff\xff\xff", 6);
    raw_frame(fd, 8, 0, 0, "\x7f\0\0\0", 4);
    raw_request(fd, 1, "/source/1000000000", 5);
    for (int i = 0; i < 500 && atomic_load(&seen.closed) == 0; i++)
        nap(10);
    CHECK_INT(seen.closed, 1);
    CHECK_INT(seen.last_error, CALM);
    expect_serving(port);
    (void)close(fd);
    h2_server_free(s);
}

/* Wide windows, a small socket buffer, and a reader that takes `piece` bytes every 20 ms. */
static void check_slow_socket(size_t piece, int turns, bool cut)
{
    uint16_t port;
    char bytes[4096];
    struct h2_limits l = quick();
    l.rate_window_ms = 300;
    l.min_download_rate = 100000;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    int fd = raw_connect_with(port, 4096);
    raw_send(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    raw_frame(fd, 4, 0, 0, "\0\4\x7f\xff\xff\xff", 6);
    raw_frame(fd, 8, 0, 0, "\x7f\0\0\0", 4);
    raw_request(fd, 1, "/source/1000000000", 5);
    for (int i = 0; i < turns && atomic_load(&seen.closed) == 0; i++) {
        for (size_t n = 0; n < piece; n += sizeof bytes)
            CHECK(recv(fd, bytes, MIN(piece, sizeof bytes), MSG_DONTWAIT) != 0);
        nap(20);
    }
    CHECK_INT(seen.closed, cut);
    expect_serving(port);
    (void)close(fd);
    h2_server_free(s);
}

TEST(a_peer_that_reads_its_socket_too_slowly)
{
    check_slow_socket(500, 150, true); /* 25 KB/s, in three seconds */
}

TEST(a_peer_that_reads_its_socket_slowly_enough)
{
    check_slow_socket(4 * 4096, 100, false); /* some 800 KB/s */
}

TEST(a_few_pings_are_welcome)
{
    uint16_t port;
    struct raw_frame f;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_hello(port);
    for (int i = 0; i < 4; i++) { /* the first, and three strikes */
        raw_frame(fd, 6, 0, 0, "abcdefgh", 8);
        CHECK(raw_read_until(fd, 6, &f));
        CHECK_STR(str_of(f.payload, f.len), STR("abcdefgh"));
    }
    for (int i = 0; i < 10; i++) { /* data in between resets the count */
        struct raw_frame head;
        raw_request(fd, 2 * (uint32_t)i + 1, "/", 5);
        CHECK(raw_read_until(fd, 1, &head));
        raw_frame(fd, 6, 0, 0, "abcdefgh", 8);
        CHECK(raw_read_until(fd, 6, &f));
    }
    for (int i = 0; i < 5; i++)
        raw_frame(fd, 6, 0, 0, "abcdefgh", 8);
    raw_expect_goaway(fd, CALM, "too_many_pings");
    h2_server_free(s);
}

TEST(pings_with_time_between)
{
    uint16_t port;
    struct raw_frame f;
    struct h2_limits l = quick();
    l.ping_interval_ms = 20;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    int fd = raw_hello(port);
    for (int i = 0; i < 10; i++) {
        raw_frame(fd, 6, 0, 0, "abcdefgh", 8);
        CHECK(raw_read_until(fd, 6, &f));
        nap(25);
    }
    (void)close(fd);
    h2_server_free(s);
}

TEST(limits_are_checked)
{
    struct error e;
    struct h2_server *s;
    struct h2_limits l = h2_limits_default;
    struct h2_server_options o = {.limits = &l, .n_loops = 1, .handler = &server_handler};
    CHECK_OK(h2_limits_check(&l, &e), &e);
    l.idle_ms = 0;
    CHECK_ERR(h2_server_new(&o, &s, &e), ERR_INVALID_ARGUMENT, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("idle_ms must be from 1 to 2147483647 ms, not 0"));
    l = h2_limits_default;
    l.stream_window = 1000;
    CHECK_ERR(h2_server_new(&o, &s, &e), ERR_INVALID_ARGUMENT, &e);
    l = h2_limits_default;
    l.tick_ms = -1;
    CHECK_ERR(h2_limits_check(&l, &e), ERR_INVALID_ARGUMENT, &e);
    o.limits = NULL;
    o.n_loops = 0;
    CHECK_ERR(h2_server_new(&o, &s, &e), ERR_INVALID_ARGUMENT, &e);
    o.n_loops = 65;
    CHECK_ERR(h2_server_new(&o, &s, &e), ERR_INVALID_ARGUMENT, &e);
}

TEST(limits_are_described)
{
    CHECK(h2_n_limit_rows * sizeof(int64_t) == sizeof(struct h2_limits));
    for (size_t i = 0; i < h2_n_limit_rows; i++) {
        const struct h2_limit_row *r = &h2_limit_rows[i];
        CHECK(r->name[0] && r->unit[0] && r->reason[0]);
        CHECK_INT(r->offset, i * sizeof(int64_t));
    }
}
