/* Listening, loops, caps, and stopping without losing a call. */
#include "peers.h"

#include "base/clock.h"
#include "base/macro.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void *stop(void *arg)
{
    h2_server_stop(arg, 20000);
    return NULL;
}

/* Stops in the background: what is under way ends well, and nothing new begins. */
TEST(a_graceful_stop_lets_calls_end)
{
    uint16_t port;
    struct h2_limits l = h2_limits_default;
    pthread_t t;
    l.tick_ms = 20;
    struct h2_server *s = serve(&l, NULL, 2, &port);
    struct peer p;
    struct call slow = {.to_send = MIB(1), .endless = true}, late = {.to_send = 100};
    peer_open(&p, port);
    call_start(&p, &slow, "/echo");
    while (slow.received < MIB(1))
        peer_turns(&p, 5);
    CHECK(pthread_create(&t, NULL, stop, s) == 0);
    while (h2_client_usable(p.client))
        peer_turns(&p, 1);
    CHECK(!slow.closed);
    struct h2_stream *none;
    struct error e;
    struct h2_header h = {STR(":method"), STR("POST")};
    CHECK_ERR(h2_client_request(p.client, &h, 1, NULL, NULL, &late, &none, &e), ERR_UNAVAILABLE,
              &e);
    slow.endless = false; /* the last bytes of the body */
    slow.to_send += 1000;
    h2_stream_resume(slow.stream);
    call_wait(&p, &slow);
    CHECK_INT(slow.error, 0);
    CHECK_INT(slow.received, MIB(1) + 1000);
    CHECK(pthread_join(t, NULL) == 0);
    peer_close(&p);
    h2_server_free(s);
    CHECK_INT(seen.broken, 0);
}

/* RFC 9113 6.8: GOAWAY with 2^31-1, a round trip, then the last stream that was taken. */
TEST(two_goaways)
{
    uint16_t port;
    pthread_t t;
    struct raw_frame f;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = raw_hello(port);
    raw_request(fd, 1, "/hold", 4);
    while (atomic_load(&seen.opened) < 1)
        (void)poll(NULL, 0, 5);
    CHECK(pthread_create(&t, NULL, stop, s) == 0);
    CHECK(raw_read_until(fd, 7, &f));
    CHECK_INT(raw_u32(f.payload), 0x7fffffff);
    CHECK(raw_read_until(fd, 6, &f));
    raw_request(fd, 3, "/sink", 5); /* crosses the notice: still served */
    raw_frame(fd, 6, 1, 0, f.payload, 8);
    CHECK(raw_read_until(fd, 7, &f));
    CHECK_INT(raw_u32(f.payload), 3);
    CHECK_INT(raw_u32(f.payload + 4), 0);
    raw_request(fd, 5, "/sink", 5); /* too late: not served */
    raw_frame(fd, 0, 1, 1, "end", 3);
    raw_expect_close(fd);
    CHECK(pthread_join(t, NULL) == 0);
    CHECK_INT(seen.opened, 2);
    CHECK_INT(seen.broken, 0);
    h2_server_free(s);
}

TEST(the_drain_has_a_deadline)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 2, &port);
    int fd = raw_hello(port);
    raw_request(fd, 1, "/wait", 5);
    while (atomic_load(&seen.opened) < 1)
        (void)poll(NULL, 0, 5);
    int64_t start = clock_mono_ns();
    h2_server_stop(s, 300);
    int64_t took = (clock_mono_ns() - start) / NS_PER_MS;
    CHECK(took >= 250 && took < 3000);
    CHECK_INT(seen.closed, 1);
    raw_expect_close(fd);
    h2_server_stop(s, 300); /* again: harmless */
    h2_server_free(s);
}

TEST(idle_connections_do_not_delay_the_stop)
{
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 3, &port);
    int silent[20];
    for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
        silent[i] = i % 2 ? raw_hello(port) : raw_connect(port);
    (void)poll(NULL, 0, 50);
    int64_t start = clock_mono_ns();
    h2_server_stop(s, 20000);
    /* half a second for the PING that they do not answer, one for closing */
    CHECK(clock_mono_ns() - start < 4 * NS_PER_S);
    for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
        raw_expect_close(silent[i]);
    h2_server_free(s);
}

TEST(both_families_on_one_port)
{
    uint16_t port = 0;
    struct error e;
    struct h2_server *s;
    struct h2_server_options o = {.n_loops = 3, .handler = &server_handler};
    CHECK_OK(h2_server_new(&o, &s, &e), &e);
    CHECK_OK(h2_server_listen(s, "127.0.0.1", 0, &port, &e), &e);
    CHECK(port != 0);
    enum err v6 = h2_server_listen(s, "::1", port, NULL, &e);
    if (v6 != ERR_OK)
        test_skip("no IPv6 here");
    CHECK_OK(h2_server_start(s, &e), &e);
    CHECK_ERR(h2_server_listen(s, "127.0.0.1", 0, NULL, &e), ERR_FAILED_PRECONDITION, &e);
    const char *hosts[] = {"127.0.0.1", "::1", "localhost"};
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        struct peer p;
        CHECK_OK(loop_new(&p.loop, &e), &e);
        struct h2_client_options c = {
            .host = hosts[i], .port = port, .timeout_ms = 5000, .handler = &server_handler};
        CHECK_OK(h2_client_connect(p.loop, &c, &p.client, &e), &e);
        CHECK(h2_client_usable(p.client));
        peer_close(&p);
    }
    h2_server_free(s);
}

TEST(an_address_in_use)
{
    uint16_t port;
    struct error e;
    struct h2_server *s = serve(NULL, NULL, 1, &port), *second;
    struct h2_server_options o = {.n_loops = 1, .handler = &server_handler};
    CHECK_OK(h2_server_new(&o, &second, &e), &e);
    CHECK_ERR(h2_server_listen(second, "127.0.0.1", port, NULL, &e), ERR_ALREADY_EXISTS, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("choose another port"));
    CHECK_ERR(h2_server_listen(second, "localhost", port, NULL, &e), ERR_INVALID_ARGUMENT, &e);
    h2_server_free(second);
    /* A process that is to take over says so. */
    o.share_port = true;
    CHECK_OK(h2_server_new(&o, &second, &e), &e);
    CHECK_OK(h2_server_listen(second, "127.0.0.1", port, NULL, &e), &e);
    CHECK_OK(h2_server_start(second, &e), &e);
    h2_server_free(s);
    expect_serving(port);
    h2_server_free(second);
}

TEST(a_port_is_free_again_at_once)
{
    uint16_t port;
    struct error e;
    struct h2_server *s = serve(NULL, NULL, 1, &port), *next;
    struct h2_server_options o = {.n_loops = 1, .handler = &server_handler};
    expect_serving(port);
    h2_server_free(s);
    CHECK_OK(h2_server_new(&o, &next, &e), &e);
    CHECK_OK(h2_server_listen(next, "127.0.0.1", port, NULL, &e), &e); /* despite TIME_WAIT */
    h2_server_free(next);
}

TEST(connections_are_capped)
{
    uint16_t port;
    struct h2_limits l = h2_limits_default;
    l.max_connections = 4;
    struct h2_server *s = serve(&l, NULL, 2, &port);
    int fd[4];
    struct raw_frame f;
    for (int i = 0; i < 4; i++) {
        fd[i] = raw_hello(port);
        CHECK(raw_read(fd[i], &f));
    }
    int more = raw_connect(port);
    char b;
    CHECK(recv(more, &b, 1, 0) <= 0); /* closed without a byte */
    for (int i = 0; i < 4; i++)
        CHECK(close(fd[i]) == 0);
    (void)poll(NULL, 0, 100);
    expect_serving(port);
    h2_server_free(s);
}

/* Without descriptors nobody can be accepted; the loop rests instead of spinning, and goes on. */
TEST(out_of_descriptors)
{
    uint16_t port;
    struct rlimit before, none;
    struct rusage idle;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    int fd = socket(AF_INET, SOCK_STREAM, 0), lowest = dup(0);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval limit = {.tv_sec = 5};
    CHECK(fd >= 0 && lowest >= 0 && close(lowest) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    none = before;
    none.rlim_cur = (rlim_t)lowest;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    CHECK(connect(fd, (struct sockaddr *)&a, sizeof a) == 0); /* the kernel's queue takes it */
    (void)poll(NULL, 0, 400);
    char b;
    CHECK(recv(fd, &b, 1, MSG_DONTWAIT) < 0);
    CHECK(getrusage(RUSAGE_SELF, &idle) == 0);
    CHECK(idle.ru_utime.tv_sec == 0 && idle.ru_utime.tv_usec < 200000);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK_INT(recv(fd, &b, 1, 0), 1); /* SETTINGS */
    expect_serving(port);
    h2_server_free(s);
}

TEST(hundreds_of_connections_on_several_loops)
{
    enum { N = 300 };
    uint16_t port;
    struct h2_server *s = serve(NULL, NULL, 4, &port);
    static struct peer p[N];
    static struct call c[N];
    for (int i = 0; i < N; i++) {
        peer_open(&p[i], port);
        c[i].to_send = 2000;
        call_start(&p[i], &c[i], "/echo");
    }
    for (int i = 0; i < N; i++) {
        call_wait(&p[i], &c[i]);
        CHECK_INT(c[i].received, 2000);
    }
    for (int i = 0; i < N; i++)
        peer_close(&p[i]);
    h2_server_free(s);
    CHECK_INT(seen.closed, N);
}

TEST(nobody_there)
{
    uint16_t port;
    struct error e;
    struct loop *l;
    struct h2_client *c;
    struct h2_server *s = serve(NULL, NULL, 1, &port);
    h2_server_free(s);
    struct h2_client_options o = {
        .host = "localhost", .port = port, .timeout_ms = 2000, .handler = &server_handler};
    CHECK_OK(loop_new(&l, &e), &e);
    CHECK_ERR(h2_client_connect(l, &o, &c, &e), ERR_UNAVAILABLE, &e);
    CHECK_INT(e.sys, 0);
    CHECK_CONTAINS(str_c(e.msg), STR("no connection to localhost port"));
    o.host = "no-such-host.invalid";
    CHECK_ERR(h2_client_connect(l, &o, &c, &e), ERR_UNAVAILABLE, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("does not resolve"));
    loop_free(l);
}

/* A listener that never speaks, and one that speaks something else. */
TEST(not_http2)
{
    struct error e;
    struct loop *l;
    struct h2_client *c;
    struct sockaddr_storage a = {0};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && listen(fd, 8) == 0 && getsockname(fd, (struct sockaddr *)&a, &len) == 0);
    const uint8_t *be = (const uint8_t *)&a + 2;
    struct h2_client_options o = {.host = "127.0.0.1",
                                  .port = (uint16_t)(be[0] << 8 | be[1]),
                                  .timeout_ms = 300,
                                  .handler = &server_handler};
    CHECK_OK(loop_new(&l, &e), &e);
    int64_t start = clock_mono_ns();
    CHECK_ERR(h2_client_connect(l, &o, &c, &e), ERR_UNAVAILABLE, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("in time"));
    CHECK(clock_mono_ns() - start < 3 * NS_PER_S);
    int first = accept(fd, NULL, NULL);
    CHECK(first >= 0 && close(first) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        int second = accept(fd, NULL, NULL);
        raw_send(second, "HTTP/1.1 400 Bad Request\r\n\r\nno", 30);
        (void)shutdown(second, SHUT_WR);
        (void)poll(NULL, 0, 1000);
        _exit(0);
    }
    o.timeout_ms = 5000;
    CHECK_ERR(h2_client_connect(l, &o, &c, &e), ERR_UNAVAILABLE, &e);
    CHECK(clock_mono_ns() - start < 4 * NS_PER_S);
    loop_free(l);
    (void)close(fd);
}
