/* Streams that end early, windows that must come back, and back-pressure. */
#include "peers.h"

#include "base/macro.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define INTERNAL 2
#define CANCEL   8

static void wait_closed(int n)
{
    for (int i = 0; i < 1000 && atomic_load(&seen.closed) < n; i++)
        (void)poll(NULL, 0, 10);
    CHECK_INT(seen.closed, n);
}

TEST(the_client_cancels)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    struct peer p;
    struct call c = {.cancel_at = 100000};
    peer_open(&p, port);
    call_run(&p, &c, "/source/100000000");
    CHECK_INT(c.error, CANCEL);
    peer_turns(&p, 20);
    wait_closed(1);
    CHECK_INT(seen.last_error, CANCEL);
    peer_close(&p);
    h2_server_free(s);
}

TEST(the_server_aborts)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    struct peer p;
    struct call c = {.to_send = MIB(1)}, f = {0};
    peer_open(&p, port);
    call_run(&p, &c, "/abort");
    CHECK_INT(c.error, INTERNAL);
    call_run(&p, &f, "/fail");
    CHECK_INT(f.error, INTERNAL);
    CHECK(f.headers && !f.ended);
    wait_closed(2);
    CHECK_INT(seen.broken, 2);
    peer_close(&p);
    h2_server_free(s);
}

TEST(headers_too_large_to_send_are_an_error)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    struct peer p;
    struct call c = {0};
    peer_open(&p, port);
    call_run(&p, &c, "/big"); /* checked in the handler, which then answers without them */
    CHECK_STR(str_c(c.status), STR("200"));
    peer_close(&p);
    h2_server_free(s);
}

TEST(cancelled_before_it_was_sent)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    struct peer p;
    struct call c = {.to_send = 100}, next = {.to_send = 100};
    peer_open(&p, port);
    call_start(&p, &c, "/echo");
    h2_stream_reset(c.stream, CANCEL);
    CHECK(!c.closed); /* never from inside the call */
    call_wait(&p, &c);
    CHECK_INT(c.error, CANCEL);
    call_run(&p, &next, "/echo");
    CHECK_INT(next.received, 100);
    peer_close(&p);
    h2_server_free(s);
    CHECK_INT(seen.opened, seen.closed);
}

/* 100 uploads of 200 KiB each that nobody consumed: 20 times the connection's window. */
TEST(aborted_uploads_return_their_windows)
{
    uint16_t port;
    struct h2_limits l = h2_limits_default;
    l.reset_burst = 1000;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    struct peer p;
    peer_open(&p, port);
    for (int i = 0; i < 100; i++) {
        uint64_t before = atomic_load(&seen.bytes);
        struct call c = {.to_send = KIB(200), .endless = true};
        call_start(&p, &c, "/hold");
        while (atomic_load(&seen.bytes) < before + KIB(200))
            peer_turns(&p, 1);
        h2_stream_reset(c.stream, CANCEL);
        call_wait(&p, &c);
    }
    struct call c = {.to_send = MIB(4)};
    call_run(&p, &c, "/sink");
    CHECK_INT(c.error, 0);
    peer_close(&p);
    h2_server_free(s);
}

/* The same when it is the server that resets while bytes are under way. */
TEST(uploads_aborted_by_the_server_return_their_windows)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    struct peer p;
    peer_open(&p, port);
    for (int i = 0; i < 100; i++) {
        struct call c = {.to_send = KIB(250)};
        call_run(&p, &c, "/abort");
        CHECK_INT(c.error, INTERNAL);
    }
    struct call c = {.to_send = MIB(4)};
    call_run(&p, &c, "/sink");
    CHECK_INT(c.error, 0);
    peer_close(&p);
    h2_server_free(s);
}

/* And for downloads that the client drops with closed windows. */
TEST(cancelled_downloads_return_their_windows)
{
    uint16_t port;
    struct h2_limits l = h2_limits_default;
    l.reset_burst = 1000;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    struct peer p;
    peer_open(&p, port);
    for (int i = 0; i < 20; i++) { /* 4 MiB each, 16 MiB for the connection */
        struct call c = {.no_consume = true, .cancel_at = MIB(3)};
        call_run(&p, &c, "/source/100000000");
        CHECK_INT(c.error, CANCEL);
    }
    struct call c = {0};
    call_run(&p, &c, "/source/33554432");
    CHECK_INT(c.error, 0);
    CHECK_INT(c.received, MIB(32));
    peer_close(&p);
    h2_server_free(s);
}

TEST(an_early_answer_reaches_who_is_still_sending)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    struct peer p;
    peer_open(&p, port);
    for (int i = 0; i < 30; i++) {
        struct call c = {.to_send = MIB(100)};
        call_run(&p, &c, "/early");
        CHECK_STR(str_c(c.status), STR("200"));
        CHECK(c.ended);
        CHECK_INT(c.error, 0); /* RST_STREAM(NO_ERROR) after a complete response */
        CHECK(c.sent < MIB(100));
    }
    wait_closed(30);
    CHECK_INT(seen.broken, 0);
    struct call c = {.to_send = MIB(4)};
    call_run(&p, &c, "/sink");
    CHECK_INT(c.error, 0);
    peer_close(&p);
    h2_server_free(s);
}

/* DESIGN.md 2, lesson 1, seen on the wire: HEADERS with END_STREAM, then the reset. */
TEST(the_reset_comes_after_the_answer)
{
    uint16_t port;
    struct raw_frame f;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_hello(port);
    raw_request(fd, 1, "/early", 4); /* no END_STREAM */
    CHECK(raw_read_until(fd, 1, &f));
    CHECK_INT(f.flags, 5);
    CHECK(raw_read(fd, &f));
    CHECK_INT(f.type, 3);
    CHECK_INT(raw_u32(f.payload), 0);
    (void)close(fd);
    h2_server_free(s);
}

TEST(held_bytes_stop_the_sender)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    struct peer p;
    struct call c = {.to_send = MIB(8)};
    peer_open(&p, port);
    call_start(&p, &c, "/hold");
    peer_turns(&p, 200);
    CHECK_INT(seen.bytes, KIB(256)); /* the stream's window, and no byte more */
    peer_close(&p);
    h2_server_free(s);
    CHECK_INT(seen.last_error, CANCEL); /* the client closed its side in the middle */
}

TEST(a_raised_window_takes_more)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    struct peer p;
    struct call c = {.to_send = MIB(8)};
    atomic_store(&seen.raise, true);
    peer_open(&p, port);
    call_start(&p, &c, "/hold");
    peer_turns(&p, 300);
    CHECK_INT(seen.bytes, MIB(4));
    peer_close(&p);
    h2_server_free(s);
}

/* 8 MiB of budget: two streams get most of 4 MiB, later ones what is left, then nothing. */
TEST(raised_windows_have_a_budget)
{
    uint16_t port;
    struct h2_limits l = h2_limits_default;
    l.upload_window_budget = (int64_t)MIB(8);
    l.reset_burst = 1000;
    struct h2_server *s = serve(&l, NULL, 1, &port);
    struct peer p;
    struct call c[8] = {0};
    atomic_store(&seen.raise, true);
    peer_open(&p, port);
    for (int round = 0; round < 3; round++) {
        uint64_t before = atomic_load(&seen.bytes);
        for (int i = 0; i < 8; i++) {
            c[i] = (struct call){.to_send = MIB(8)};
            call_start(&p, &c[i], "/hold");
        }
        peer_turns(&p, 400);
        uint64_t got = atomic_load(&seen.bytes) - before;
        /* at most the budget and the connection's own window; half a window may be due yet */
        CHECK(got > MIB(4) && got <= MIB(8) + MIB(1));
        for (int i = 0; i < 8; i++) {
            h2_stream_reset(c[i].stream, CANCEL);
            call_wait(&p, &c[i]); /* which gives the budget back for the next round */
        }
        peer_turns(&p, 50);
    }
    struct call last = {.to_send = MIB(16)};
    call_run(&p, &last, "/sink");
    CHECK_INT(last.error, 0);
    peer_close(&p);
    h2_server_free(s);
}

TEST(a_paused_connection_is_not_read)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    struct peer p;
    struct call c = {.to_send = MIB(1), .endless = true}, other = {.to_send = 10};
    atomic_store(&seen.pause, true);
    peer_open(&p, port);
    call_start(&p, &c, "/hold");
    peer_turns(&p, 100);
    CHECK(seen.bytes >= 1 && seen.bytes <= KIB(64)); /* one batch */
    call_start(&p, &other, "/echo");
    peer_turns(&p, 100);
    CHECK(!other.closed); /* the same connection */
    expect_serving(port); /* another one */
    peer_close(&p);
    h2_server_free(s);
    CHECK_INT(seen.opened, seen.closed);
}

TEST(a_killed_client_ends_its_streams)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_hello(port);
    raw_request(fd, 1, "/hold", 4);
    raw_request(fd, 3, "/wait", 5); /* complete: it might be read yet, but nobody is there */
    while (atomic_load(&seen.opened) < 2)
        (void)poll(NULL, 0, 5);
    (void)close(fd);
    wait_closed(2);
    h2_server_free(s);
}

/* FIN after the request, but the client reads on: it gets its answer. */
TEST(a_half_closed_client_is_answered)
{
    uint16_t port;
    struct raw_frame f;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_hello(port);
    raw_frame(fd, 4, 0, 0, "\0\4\0\x7f\xff\xff", 6);
    raw_frame(fd, 8, 0, 0, "\0\x7f\0\0", 4);
    raw_request(fd, 1, "/source/3000000", 5);
    CHECK(shutdown(fd, SHUT_WR) == 0);
    size_t got = 0;
    do {
        CHECK(raw_read(fd, &f));
        got += f.type == 0 ? f.len : 0;
    } while (!(f.flags & 1) || f.type != 1);
    CHECK_INT(got, 3000000);
    raw_expect_close(fd);
    h2_server_free(s);
}

TEST(a_server_that_dies_fails_the_calls)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    struct peer p;
    struct error e;
    struct call c = {0};
    struct h2_stream *none;
    struct h2_header h = {STR(":method"), STR("POST")};
    peer_open(&p, port);
    call_start(&p, &c, "/wait");
    peer_turns(&p, 20);
    h2_server_free(s); /* stops at once */
    call_wait(&p, &c);
    CHECK(c.error != 0 && !c.ended);
    peer_turns(&p, 20);
    CHECK(!h2_client_usable(p.client));
    CHECK(h2_client_why(p.client));
    CHECK_ERR(h2_client_request(p.client, &h, 1, NULL, NULL, NULL, &none, &e), ERR_UNAVAILABLE, &e);
    peer_close(&p);
}

TEST(trailers_only_from_inside_read)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    struct peer p;
    struct call c = {0};
    struct error e;
    peer_open(&p, port);
    call_start(&p, &c, "/");
    struct h2_header h = {STR("x"), STR("y")};
    CHECK_ERR(h2_stream_trailers(c.stream, &h, 1, &e), ERR_FAILED_PRECONDITION, &e);
    call_wait(&p, &c);
    peer_close(&p);
    h2_server_free(s);
}
