#include "test.h"

#include "base/clock.h"
#include "base/macro.h"
#include "base/sys.h"
#include "base/sys_net.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sys_address address(const char *host, uint16_t port)
{
    struct sys_address a;
    struct error e;
    CHECK_OK(sys_address_parse(host, port, &a, &e), &e);
    return a;
}

TEST(addresses_as_text)
{
    struct error e;
    char text[SYS_ADDRESS_TEXT];
    struct sys_address a = address("127.0.0.1", 51234), b = address("2001:db8::1", 1);
    sys_address_format(&a, text);
    CHECK_STR(str_c(text), STR("127.0.0.1:51234"));
    sys_address_format(&b, text);
    CHECK_STR(str_c(text), STR("[2001:db8::1]:1"));
    const char *bad[] = {"", "localhost", "127.0.0.1:80", "[::1]", "1.2.3", "::g", "1.2.3.4.5"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK_ERR(sys_address_parse(bad[i], 1, &a, &e), ERR_INVALID_ARGUMENT, &e);
}

TEST(loopback)
{
    const char *yes[] = {"127.0.0.1", "127.255.0.3", "::1"};
    const char *no[] = {"128.0.0.1", "0.0.0.0", "::", "::2", "192.0.2.1"};
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        struct sys_address a = address(yes[i], 0);
        CHECK(sys_address_is_loopback(&a));
    }
    for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
        struct sys_address a = address(no[i], 0);
        CHECK(!sys_address_is_loopback(&a));
    }
}

TEST(localhost_is_both_families)
{
    struct sys_address list[4];
    struct error e;
    size_t n;
    char text[SYS_ADDRESS_TEXT];
    CHECK_OK(sys_resolve("LocalHost", 7234, list, 4, &n, &e), &e);
    CHECK_INT(n, 2);
    sys_address_format(&list[0], text);
    CHECK_STR(str_c(text), STR("127.0.0.1:7234"));
    sys_address_format(&list[1], text);
    CHECK_STR(str_c(text), STR("[::1]:7234"));
    CHECK_OK(sys_resolve("192.0.2.9", 5, list, 4, &n, &e), &e);
    CHECK_INT(n, 1);
    CHECK_ERR(sys_resolve("no such host.invalid", 5, list, 4, &n, &e), ERR_UNAVAILABLE, &e);
}

/* A connected pair over loopback. */
static void pair(int *ret_client, int *ret_server, struct sys_address *ret_peer)
{
    CLEANUP(sys_closep) int listener = -1;
    struct error e;
    uint16_t port;
    struct sys_address a = address("127.0.0.1", 0);
    CHECK_OK(sys_listen(&a, false, &listener, &e), &e);
    CHECK_OK(sys_local_port(listener, &port, &e), &e);
    CHECK_OK(sys_accept(listener, ret_server, ret_peer, &e), &e);
    CHECK_INT(*ret_server, -1); /* nobody waits */
    a = address("127.0.0.1", port);
    CHECK_OK(sys_connect(&a, clock_mono_ns() + NS_PER_S, ret_client, &e), &e);
    for (int i = 0; i < 100 && *ret_server < 0; i++) {
        (void)poll(NULL, 0, 5);
        CHECK_OK(sys_accept(listener, ret_server, ret_peer, &e), &e);
    }
    CHECK(*ret_server >= 0);
}

TEST(send_and_receive)
{
    int client, server;
    struct sys_address peer;
    struct error e;
    char b[10];
    ssize_t n;
    size_t sent;
    pair(&client, &server, &peer);
    CHECK(sys_address_is_loopback(&peer));
    CHECK_OK(sys_recv(server, b, sizeof b, &n, &e), &e);
    CHECK_INT(n, -1); /* nothing yet */
    CHECK_OK(sys_send(client, "abc", 3, &sent, &e), &e);
    CHECK_INT(sent, 3);
    (void)poll(&(struct pollfd){.fd = server, .events = POLLIN}, 1, 1000);
    CHECK_OK(sys_recv(server, b, sizeof b, &n, &e), &e);
    CHECK_STR(str_of(b, (size_t)n), STR("abc"));
    sys_shutdown_send(client);
    (void)poll(&(struct pollfd){.fd = server, .events = POLLIN}, 1, 1000);
    CHECK_OK(sys_recv(server, b, sizeof b, &n, &e), &e);
    CHECK_INT(n, 0); /* the end */
    CHECK(close(client) == 0);
    enum err err = ERR_OK;
    for (int i = 0; i < 100 && err == ERR_OK; i++) {
        (void)poll(NULL, 0, 5);
        err = sys_send(server, "x", 1, &sent, &e);
    }
    CHECK_ERR(err, ERR_UNAVAILABLE, &e); /* and no SIGPIPE */
    CHECK(close(server) == 0);
}

static int option(int fd, int level, int name)
{
    int v = -1;
    socklen_t len = sizeof v;
    CHECK(getsockopt(fd, level, name, &v, &len) == 0);
    return v;
}

TEST(both_ends_are_prepared)
{
    int fd[2];
    struct sys_address peer;
    pair(&fd[0], &fd[1], &peer);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(option(fd[i], IPPROTO_TCP, TCP_NODELAY), 1);
        CHECK_INT(option(fd[i], SOL_SOCKET, SO_KEEPALIVE), 1);
        CHECK_INT(option(fd[i], IPPROTO_TCP, TCP_KEEPIDLE), 60);
        CHECK(fcntl(fd[i], F_GETFL) & O_NONBLOCK);
        CHECK(fcntl(fd[i], F_GETFD) & FD_CLOEXEC);
    }
}

TEST(a_full_socket_takes_nothing)
{
    int client, server;
    struct sys_address peer;
    struct error e;
    static char big[MIB(1)];
    size_t n = 1, total = 0;
    pair(&client, &server, &peer);
    while (n > 0) {
        CHECK_OK(sys_send(client, big, sizeof big, &n, &e), &e);
        total += n;
    }
    CHECK(total > 0);
    CHECK(sys_unacked(client) > 0 && sys_unacked(client) <= total);
    CHECK_INT(sys_unacked(server), 0);
    CHECK_INT(sys_unacked(-1), 0);
}

TEST(refused)
{
    int fd;
    uint16_t port;
    struct error e;
    struct sys_address a = address("127.0.0.1", 0);
    CHECK_OK(sys_listen(&a, false, &fd, &e), &e);
    CHECK_OK(sys_local_port(fd, &port, &e), &e);
    CHECK(close(fd) == 0);
    a = address("127.0.0.1", port);
    CHECK_ERR(sys_connect(&a, clock_mono_ns() + NS_PER_S, &fd, &e), ERR_UNAVAILABLE, &e);
    CHECK_CONTAINS(str_c(e.msg), STR("refused"));
}

TEST(one_listener_unless_shared)
{
    int a, b;
    uint16_t port;
    struct error e;
    struct sys_address at = address("127.0.0.1", 0);
    CHECK_OK(sys_listen(&at, false, &a, &e), &e);
    CHECK_OK(sys_local_port(a, &port, &e), &e);
    at = address("127.0.0.1", port);
    CHECK_ERR(sys_listen(&at, false, &b, &e), ERR_ALREADY_EXISTS, &e);
    CHECK_OK(sys_listen(&at, true, &b, &e), &e);
}

TEST(event_descriptors)
{
    int ep, ev, n;
    struct epoll_event out[2];
    struct error e;
    int mark;
    CHECK_OK(sys_epoll_new(&ep, &e), &e);
    CHECK_OK(sys_eventfd_new(&ev, &e), &e);
    CHECK_OK(sys_epoll_set(ep, EPOLL_CTL_ADD, ev, EPOLLIN, &mark, &e), &e);
    CHECK_OK(sys_epoll_wait(ep, out, 2, 0, &n, &e), &e);
    CHECK_INT(n, 0);
    sys_eventfd_signal(ev);
    sys_eventfd_signal(ev);
    CHECK_OK(sys_epoll_wait(ep, out, 2, 1000, &n, &e), &e);
    CHECK_INT(n, 1);
    CHECK(out[0].data.ptr == &mark);
    sys_eventfd_clear(ev);
    CHECK_OK(sys_epoll_wait(ep, out, 2, 0, &n, &e), &e);
    CHECK_INT(n, 0);
    sys_eventfd_signal(ev);
    sys_epoll_del(ep, ev);
    CHECK_OK(sys_epoll_wait(ep, out, 2, 0, &n, &e), &e);
    CHECK_INT(n, 0);
    CHECK_ERR(sys_epoll_set(ep, EPOLL_CTL_MOD, ev, EPOLLIN, NULL, &e), ERR_RESOURCE_EXHAUSTED, &e);
}
