/* Peers that send frames without end, and what they get: GOAWAY, and a server that goes on. */
#include "peers.h"

#include "base/buf.h"
#include "base/macro.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CALM     11 /* ENHANCE_YOUR_CALM */
#define PROTOCOL 1
#define FLOW     3

/* Sends copies of a frame until the server closes; reads now and then so that it can write. */
static void flood(int fd, const void *frame, size_t len, int n)
{
    for (int i = 0; i < n; i++)
        if (!raw_try_send(fd, frame, len))
            return;
}

static void expect_cut(uint16_t port, const void *frame, size_t len, const char *text)
{
    int fd = raw_hello(port);
    flood(fd, frame, len, 5000);
    raw_expect_goaway(fd, CALM, text);
    expect_serving(port);
    (void)close(fd);
}

TEST(rapid_reset)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_hello(port);
    const char cancel[4] = {0, 0, 0, 8};
    for (uint32_t i = 0; i < 2000; i++) {
        raw_request(fd, 2 * i + 1, "/wait", 4);
        raw_frame(fd, 3, 0, 2 * i + 1, cancel, 4);
    }
    raw_expect_goaway(fd, CALM, "too many aborted streams");
    CHECK(seen.opened <= 205);
    expect_serving(port);
    h2_server_free(s);
    CHECK_INT(seen.opened, seen.closed);
}

TEST(some_resets_are_fine)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    struct peer p;
    peer_open(&p, port);
    for (int i = 0; i < 150; i++) {
        struct call c = {0};
        call_start(&p, &c, "/wait");
        peer_turns(&p, 1);
        h2_stream_reset(c.stream, 8);
        call_wait(&p, &c);
    }
    struct call c = {.to_send = 10};
    call_run(&p, &c, "/echo");
    CHECK_INT(c.error, 0);
    peer_close(&p);
    h2_server_free(s);
}

/* CVE-2025-8671: the server is made to do the resetting, here by windows that overflow. */
TEST(resets_that_we_are_made_to_send)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_hello(port);
    const char most[4] = {0x7f, -1, -1, -1};
    for (uint32_t i = 0; i < 2000; i++) {
        raw_request(fd, 2 * i + 1, "/wait", 4);
        raw_frame(fd, 8, 0, 2 * i + 1, most, 4);
    }
    raw_expect_goaway(fd, CALM, "too many" /* aborted streams, or frames for refused ones */);
    CHECK(seen.opened <= 500); /* of 2,000: what is open at once, and the burst */
    expect_serving(port);
    h2_server_free(s);
}

/* What the server has reset is let go while more of it arrives, turn after turn. */
TEST(resets_do_not_pile_up)
{
    enum { MANY = 240, BODY = 4000, ROOM = BODY + 256 };
    uint16_t port;
    struct raw_frame f;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_hello(port);
    struct buf all;
    CHECK(raw_read_until(fd, 8, &f)); /* the connection's window is 1 MiB now */
    buf_init(&all, MIB(2));
    for (uint32_t i = 0; i < MANY; i++) {
        char *to = buf_reserve(&all, ROOM);
        CHECK(to);
        all.len += raw_put_request(to, 2 * i + 1, "/abort", BODY);
    }
    raw_send(fd, all.p, all.len);
    for (int i = 0; i < 1000 && seen.closed < MANY; i++)
        (void)poll(NULL, 0, 5);
    CHECK_INT(seen.closed, MANY);
    CHECK(seen.most < MANY / 2);
    (void)close(fd);
    buf_deinit(&all);
    h2_server_free(s);
}

TEST(continuation_flood)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_hello(port);
    struct raw_frame f;
    raw_request(fd, 1, "/", 0); /* no END_HEADERS */
    for (int i = 0; i < 10000; i++)
        raw_frame(fd, 9, 0, 1, "\x00\x01x\x01y", 5);
    CHECK(raw_read_until(fd, 7, &f));
    raw_expect_close(fd);
    expect_serving(port);
    h2_server_free(s);
}

TEST(headers_that_never_stop_growing)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_hello(port);
    struct raw_frame f;
    char block[16000], one[4200];
    size_t n = raw_request_block("/", block, sizeof block);
    /* one large entry of the dynamic table, then references to it: 1 byte is 4,000 */
    one[0] = 0x40, one[1] = 1, one[2] = 'x', one[3] = 0x7f, one[4] = (char)0x9e, one[5] = 0x1e;
    memset(one + 6, 'y', 4000 - 7 + 4);
    memcpy(block + n, one, 6 + 3997);
    n += 6 + 3997;
    memset(block + n, (char)0xbe, sizeof block - n);
    raw_frame(fd, 1, 5, 1, block, sizeof block);
    CHECK(raw_read_until(fd, 7, &f));
    CHECK_INT(raw_u32(f.payload + 4), CALM);
    raw_expect_close(fd);
    expect_serving(port);
    h2_server_free(s);
}

TEST(settings_flood)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    expect_cut(port, "\0\0\0\4\0\0\0\0\0", 9, "too many frames");
    h2_server_free(s);
}

TEST(ping_flood)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    expect_cut(port, "\0\0\10\6\0\0\0\0\0abcdefgh", 17, "too_many_pings");
    h2_server_free(s);
}

/* Answers pile up because the client reads none. */
TEST(pings_whose_answers_nobody_reads)
{
    uint16_t port;
    struct h2_limits l = h2_limits_default;
    l.ping_strikes = 100000000;
    l.idle_frame_burst = 100000000;
    l.linger_ms =
        20000; /* the flood takes its time on a busy machine, and the goodbye comes behind it */
    struct h2_server *s = serve(&l, NULL, 1, &port);
    int fd = raw_hello(port);
    flood(fd, "\0\0\10\6\0\0\0\0\0abcdefgh", 17, 500000);
    raw_expect_close(fd); /* the goodbye may be lost: who never stops sending gets a reset */
    expect_serving(port);
    h2_server_free(s);
}

TEST(empty_data_flood)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_hello(port);
    raw_request(fd, 1, "/hold", 4);
    flood(fd, "\0\0\0\0\0\0\0\0\1", 9, 5000);
    raw_expect_goaway(fd, CALM, "too many frames without progress");
    expect_serving(port);
    h2_server_free(s);
    CHECK_INT(seen.opened, seen.closed);
}

TEST(padding_is_no_progress)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_hello(port);
    raw_request(fd, 1, "/hold", 4);
    flood(fd, "\0\0\3\0\10\0\0\0\1\2\0\0", 12, 5000);
    raw_expect_goaway(fd, CALM, "too many frames without progress");
    h2_server_free(s);
}

TEST(priority_flood)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    expect_cut(port, "\0\0\5\2\0\0\0\0\1\0\0\0\0\1", 14, "too many frames without progress");
    h2_server_free(s);
}

TEST(window_update_flood)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    expect_cut(port, "\0\0\4\10\0\0\0\0\0\0\0\0\1", 13, "too many frames without progress");
    h2_server_free(s);
}

TEST(unknown_frames_flood)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    expect_cut(port, "\0\0\1\77\0\0\0\0\0x", 10, "too many frames without progress");
    h2_server_free(s);
}

TEST(window_overflow)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_hello(port);
    struct raw_frame f;
    raw_frame(fd, 8, 0, 0, "\x7f\xff\xff\xff", 4);
    CHECK(raw_read_until(fd, 7, &f));
    CHECK_INT(raw_u32(f.payload + 4), FLOW);
    raw_expect_close(fd);
    expect_serving(port);
    h2_server_free(s);
}

/* More DATA than the windows allow: 256 KiB for the stream. */
TEST(data_beyond_the_window)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_hello(port);
    struct raw_frame f;
    static const char zeros[16384];
    raw_request(fd, 1, "/hold", 4);
    for (int i = 0; i < 17; i++)
        raw_frame(fd, 0, 0, 1, zeros, sizeof zeros);
    do
        CHECK(raw_read(fd, &f));
    while (f.type != 7 && f.type != 3);
    CHECK_INT(raw_u32(f.payload + (f.type == 7 ? 4 : 0)), FLOW);
    CHECK(seen.bytes <= KIB(256));
    expect_serving(port);
    (void)close(fd);
    h2_server_free(s);
}

/* 257 requests, sent before the limit was known, are one too many; the others are not disturbed. */
TEST(too_many_streams)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_hello(port);
    struct raw_frame f;
    for (uint32_t i = 0; i < 257; i++)
        raw_request(fd, 2 * i + 1, "/wait", 4);
    do
        CHECK(raw_read(fd, &f));
    while (f.type != 3 && f.type != 7);
    CHECK_INT(f.type, 3);
    CHECK_INT(f.id, 513);
    CHECK_INT(raw_u32(f.payload), 7); /* REFUSED_STREAM */
    CHECK_INT(seen.opened, 256);
    expect_serving(port);
    (void)close(fd);
    h2_server_free(s);
    CHECK_INT(seen.opened, seen.closed);
}

/* Who has acknowledged the limit has no excuse. */
TEST(too_many_streams_against_better_knowledge)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_hello(port);
    struct raw_frame f;
    CHECK(raw_read_until(fd, 4, &f));
    raw_frame(fd, 4, 1, 0, NULL, 0);
    for (uint32_t i = 0; i < 257; i++)
        raw_request(fd, 2 * i + 1, "/wait", 4);
    raw_expect_goaway(fd, PROTOCOL, "max concurrent streams");
    expect_serving(port);
    h2_server_free(s);
    CHECK_INT(seen.opened, seen.closed);
}

TEST(too_many_streams_in_total)
{
    uint16_t port;
    struct raw_frame f;
    struct h2_limits l = h2_limits_default;
    l.max_streams_total = 10;
    l.streams_assured = 1;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    int fd = raw_hello(port);
    for (uint32_t i = 0; i < 11; i++)
        raw_request(fd, 2 * i + 1, "/wait", 4);
    CHECK(raw_read_until(fd, 3, &f));
    CHECK_INT(f.id, 21);
    CHECK_INT(raw_u32(f.payload), 7);
    (void)close(fd);
    while (atomic_load(&seen.closed) < 10)
        (void)poll(NULL, 0, 10);
    expect_serving(port); /* the places are free again */
    h2_server_free(s);
}

/* Somebody else holds all there are. */
TEST(every_connection_has_some_streams)
{
    uint16_t port;
    struct raw_frame f;
    struct h2_limits l = h2_limits_default;
    l.max_streams_total = 20;
    l.streams_assured = 3;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    int greedy = raw_hello(port), fd = raw_hello(port);
    for (uint32_t i = 0; i < 20; i++)
        raw_request(greedy, 2 * i + 1, "/wait", 4);
    while (seen.opened < 20)
        (void)poll(NULL, 0, 10);
    for (int round = 0; round < 5; round++)
        expect_serving(port);
    for (uint32_t i = 0; i < 4; i++)
        raw_request(fd, 2 * i + 1, "/wait", 4);
    CHECK(raw_read_until(fd, 3, &f));
    CHECK_INT(f.id, 7);
    CHECK_INT(raw_u32(f.payload), 7);
    raw_request(greedy, 99, "/wait", 4);
    CHECK(raw_read_until(greedy, 3, &f));
    CHECK_INT(f.id, 99);
    (void)close(fd);
    (void)close(greedy);
    h2_server_free(s);
    CHECK_INT(seen.opened, seen.closed);
}

TEST(headers_over_16_kib_get_431)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    struct peer p;
    struct error e;
    struct call c = {0};
    char *big = calloc(1, 17000);
    CHECK(big);
    memset(big, 'x', 17000);
    peer_open(&p, port);
    struct h2_header h[] = {{STR(":method"), STR("POST")},
                            {STR(":scheme"), STR("http")},
                            {STR(":path"), STR("/")},
                            {STR(":authority"), STR("test")},
                            {STR("x-big"), str_of(big, 17000)}};
    CHECK_OK(h2_client_request(p.client, h, 5, NULL, NULL, &c, &c.stream, &e), &e);
    call_wait(&p, &c);
    CHECK_STR(str_c(c.status), STR("431"));
    CHECK_INT(seen.opened, 0);
    h[4].value.len = 15000;
    struct call ok = {0};
    CHECK_OK(h2_client_request(p.client, h, 5, NULL, NULL, &ok, &ok.stream, &e), &e);
    call_wait(&p, &ok);
    CHECK_STR(str_c(ok.status), STR("200"));
    free(big);
    peer_close(&p);
    h2_server_free(s);
}

TEST(malformed_headers_reset_the_stream)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_hello(port);
    struct raw_frame f;
    char block[300];
    size_t n = raw_request_block("/", block, sizeof block);
    const char upper_case[] = {0, 3, 'X', '-', 'A', 1, 'y'};
    memcpy(block + n, upper_case, sizeof upper_case);
    raw_frame(fd, 1, 5, 1, block, n + sizeof upper_case);
    do
        CHECK(raw_read(fd, &f));
    while (f.type != 3 && f.type != 7);
    CHECK_INT(f.type, 3);
    CHECK_INT(raw_u32(f.payload), PROTOCOL);
    CHECK_INT(seen.opened, 0);
    CHECK_INT(seen.closed, 0);
    expect_serving(port);
    (void)close(fd);
    h2_server_free(s);
}

TEST(http1_gets_an_answer)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_connect(port);
    char answer[1000] = {0};
    size_t n = 0;
    raw_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
    for (ssize_t r = 1; r > 0; n += (size_t)MAX(r, (ssize_t)0))
        r = recv(fd, answer + n, sizeof answer - 1 - n, 0);
    CHECK(str_starts_with(str_c(answer), STR("HTTP/1.1 400 Bad Request\r\n")));
    CHECK_CONTAINS(str_c(answer), STR("HTTP/2"));
    expect_serving(port);
    h2_server_free(s);
}

TEST(post_starts_like_the_preface)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_connect(port);
    char answer[30] = {0};
    raw_send(fd, "P", 1);
    raw_send(fd, "OST / HTTP/1.1\r\n\r\n", 18);
    CHECK(recv(fd, answer, 12, MSG_WAITALL) == 12);
    CHECK_STR(str_c(answer), STR("HTTP/1.1 400"));
    h2_server_free(s);
}

TEST(noise_is_closed_without_a_word)
{
    uint16_t port;
    char b;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_connect(port);
    raw_send(fd, "\x16\x03\x01\x02\x00\x01\x00", 7); /* TLS */
    CHECK_INT(recv(fd, &b, 1, 0), 0);
    expect_serving(port);
    h2_server_free(s);
}

TEST(settings_come_unasked)
{
    uint16_t port;
    struct raw_frame f;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_connect(port); /* sends nothing */
    CHECK(raw_read(fd, &f));
    CHECK_INT(f.type, 4);
    bool streams = false, window = false, headers = false;
    for (uint32_t i = 0; i + 6 <= f.len; i += 6) {
        uint32_t id = raw_u32(f.payload + i) >> 16, v = raw_u32(f.payload + i + 2);
        streams |= id == 3 && v == 256;
        window |= id == 4 && v == KIB(256);
        headers |= id == 6 && v == KIB(16);
    }
    CHECK(streams && window && headers);
    raw_send(fd, "GET / HTTP/1.1\r\n\r\n", 18); /* too late for an answer in HTTP/1.1 */
    raw_expect_goaway(fd, PROTOCOL, "preface");
    h2_server_free(s);
}

TEST(bytes_one_at_a_time)
{
    uint16_t port;
    struct raw_frame f;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_connect(port);
    str magic = STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0");
    for (size_t i = 0; i < magic.len; i++)
        raw_send(fd, magic.p + i, 1);
    raw_request(fd, 1, "/", 5);
    CHECK(raw_read_until(fd, 1, &f));
    CHECK_INT(f.id, 1);
    (void)close(fd);
    h2_server_free(s);
}
