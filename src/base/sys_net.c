#include "base/sys_net.h"

#include "base/clock.h"
#include "base/macro.h"
#include "base/str.h"
#include "base/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

static struct sys_address address_v4(struct in_addr ip, uint16_t port)
{
    struct sys_address a = {.len = sizeof a.u.v4};
    a.u.v4.sin_family = AF_INET;
    a.u.v4.sin_addr = ip;
    a.u.v4.sin_port = htons(port);
    return a;
}

static struct sys_address address_v6(struct in6_addr ip, uint16_t port)
{
    struct sys_address a = {.len = sizeof a.u.v6};
    a.u.v6.sin6_family = AF_INET6;
    a.u.v6.sin6_addr = ip;
    a.u.v6.sin6_port = htons(port);
    return a;
}

enum err sys_address_parse(const char *host, uint16_t port, struct sys_address *ret,
                           struct error *e)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        *ret = address_v4(v4, port);
    else if (inet_pton(AF_INET6, host, &v6) == 1)
        *ret = address_v6(v6, port);
    else
        return FAIL(e, ERR_INVALID_ARGUMENT, "net.address",
                    "\"%s\" is not a numeric address such as 127.0.0.1 or ::1", host);
    return ERR_OK;
}

void sys_address_format(const struct sys_address *a, char out[SYS_ADDRESS_TEXT])
{
    char ip[INET6_ADDRSTRLEN] = "?";
    bool v6 = a->u.any.sa_family == AF_INET6;
    if (v6)
        (void)inet_ntop(AF_INET6, &a->u.v6.sin6_addr, ip, sizeof ip);
    else
        (void)inet_ntop(AF_INET, &a->u.v4.sin_addr, ip, sizeof ip);
    (void)snprintf(out, SYS_ADDRESS_TEXT, v6 ? "[%s]:%u" : "%s:%u", ip,
                   ntohs(v6 ? a->u.v6.sin6_port : a->u.v4.sin_port));
}

void sys_address_key(const struct sys_address *a, uint8_t key[16])
{
    memset(key, 0, 16);
    if (a->u.any.sa_family != AF_INET6)
        memcpy(key + 12, &a->u.v4.sin_addr, 4);
    else if (IN6_IS_ADDR_V4MAPPED(&a->u.v6.sin6_addr))
        memcpy(key + 12, a->u.v6.sin6_addr.s6_addr + 12, 4);
    else
        memcpy(key, a->u.v6.sin6_addr.s6_addr, 8);
}

bool sys_address_is_loopback(const struct sys_address *a)
{
    if (a->u.any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&a->u.v6.sin6_addr);
    return ntohl(a->u.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static void copy_addresses(const struct addrinfo *list, struct sys_address *ret, size_t max,
                           size_t *ret_n)
{
    size_t n = 0;
    for (; list && n < max; list = list->ai_next) {
        if (list->ai_addrlen > sizeof ret[0].u)
            continue;
        memcpy(&ret[n].u, list->ai_addr, list->ai_addrlen);
        ret[n++].len = list->ai_addrlen;
    }
    *ret_n = n;
}

enum err sys_resolve(const char *host, uint16_t port, struct sys_address *ret, size_t max,
                     size_t *ret_n, struct error *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char service[8];
    if (str_eq_nocase(str_c(host), STR("localhost")) && max >= 2) {
        ret[0] = address_v4((struct in_addr){htonl(INADDR_LOOPBACK)}, port);
        ret[1] = address_v6(in6addr_loopback, port);
        *ret_n = 2;
        return ERR_OK;
    }
    (void)snprintf(service, sizeof service, "%u", port);
    int r = getaddrinfo(host, service, &hints, &list);
    if (r != 0)
        return FAIL(e, ERR_UNAVAILABLE, "net.resolve", "the host name \"%s\" does not resolve: %s",
                    host, gai_strerror(r));
    copy_addresses(list, ret, max, ret_n);
    freeaddrinfo(list);
    return ERR_OK;
}

static void set_option(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

/* A peer that vanished without a word (power, cable) is noticed after two minutes, also by a stream
 * that has nothing to send, such as a health watch. */
static void prepare(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

static enum err tcp_socket(const struct sys_address *a, int *ret_fd, struct error *e)
{
    int fd = socket(a->u.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return FAIL_SYS(e, sys_err(errno), errno, "net.socket", "cannot make a socket");
    prepare(fd);
    *ret_fd = fd;
    return ERR_OK;
}

static enum err fail_listen(const struct sys_address *a, struct error *e)
{
    char text[SYS_ADDRESS_TEXT];
    int sys = errno;
    sys_address_format(a, text);
    if (sys == EADDRINUSE)
        return FAIL_SYS(e, ERR_ALREADY_EXISTS, sys, "net.address_in_use",
                        "cannot listen on %s: another program does; stop it or choose another port",
                        text);
    return FAIL_SYS(e, sys_err(sys), sys, "net.listen", "cannot listen on %s", text);
}

enum err sys_listen(const struct sys_address *a, bool share, int *ret_fd, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    TRY(tcp_socket(a, &fd, e));
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (a->u.any.sa_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (share)
        set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (bind(fd, &a->u.any, a->len) < 0)
        return fail_listen(a, e);
    /* Only after bind: with it, a second server would silently take half of the connections. */
    set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (listen(fd, BACKLOG) < 0)
        return fail_listen(a, e);
    *ret_fd = fd;
    fd = -1;
    return ERR_OK;
}

enum err sys_local_port(int fd, uint16_t *ret, struct error *e)
{
    struct sys_address a = {.len = sizeof a.u};
    if (getsockname(fd, &a.u.any, &a.len) < 0)
        return FAIL_SYS(e, sys_err(errno), errno, "net.getsockname", "cannot read the port");
    *ret = ntohs(a.u.any.sa_family == AF_INET6 ? a.u.v6.sin6_port : a.u.v4.sin_port);
    return ERR_OK;
}

/* accept(2): these concern the one connection that is gone already; the next may be fine. */
static bool accept_again(int sys)
{
    return sys == EINTR || sys == ECONNABORTED || sys == EPROTO || sys == ENETDOWN ||
           sys == ENOPROTOOPT || sys == EHOSTDOWN || sys == ENONET || sys == EHOSTUNREACH ||
           sys == EOPNOTSUPP || sys == ENETUNREACH || sys == EPERM;
}

enum err sys_accept(int listen_fd, int *ret_fd, struct sys_address *ret_peer, struct error *e)
{
    int fd;
    do {
        ret_peer->len = sizeof ret_peer->u;
        fd = accept4(listen_fd, &ret_peer->u.any, &ret_peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && accept_again(errno));
    *ret_fd = fd;
    if (fd < 0 && errno != EAGAIN)
        return FAIL_SYS(e, sys_err(errno), errno, "net.accept", "cannot accept a connection");
    if (fd >= 0)
        prepare(fd);
    return ERR_OK;
}

/* The result of a connection attempt, once the socket is writable. */
static int connect_result(int fd)
{
    int sys = 0;
    socklen_t len = sizeof sys;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0)
        return errno;
    return sys;
}

static int wait_connected(int fd, int64_t deadline_ns)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    for (;;) {
        int64_t left = (deadline_ns - clock_mono_ns()) / NS_PER_MS;
        int r = left > 0 ? poll(&p, 1, (int)MIN(left, (int64_t)60000)) : 0;
        if (r > 0)
            return connect_result(fd);
        if (r < 0 && errno != EINTR)
            return errno;
        if (left <= 0)
            return ETIMEDOUT;
    }
}

enum err sys_connect(const struct sys_address *a, int64_t deadline_ns, int *ret_fd, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    char text[SYS_ADDRESS_TEXT];
    TRY(tcp_socket(a, &fd, e));
    int sys = connect(fd, &a->u.any, a->len) == 0 ? 0 : errno;
    if (sys == EINPROGRESS || sys == EINTR)
        sys = wait_connected(fd, deadline_ns);
    sys_address_format(a, text);
    if (sys)
        return FAIL_SYS(e, sys == ETIMEDOUT ? ERR_DEADLINE_EXCEEDED : ERR_UNAVAILABLE, sys,
                        "net.connect", "cannot connect to %s", text);
    *ret_fd = fd;
    fd = -1;
    return ERR_OK;
}

enum err sys_recv(int fd, void *p, size_t len, ssize_t *ret_n, struct error *e)
{
    do
        *ret_n = recv(fd, p, len, 0);
    while (*ret_n < 0 && errno == EINTR);
    if (*ret_n < 0 && errno != EAGAIN)
        return FAIL_SYS(e, ERR_UNAVAILABLE, errno, "net.recv", "the connection broke");
    return ERR_OK;
}

enum err sys_send(int fd, const void *p, size_t len, size_t *ret_n, struct error *e)
{
    ssize_t n;
    do
        n = send(fd, p, len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN)
        return FAIL_SYS(e, ERR_UNAVAILABLE, errno, "net.send", "the connection broke");
    *ret_n = n < 0 ? 0 : (size_t)n;
    return ERR_OK;
}

size_t sys_unacked(int fd)
{
    int n = 0;
    return ioctl(fd, SIOCOUTQ, &n) == 0 && n > 0 ? (size_t)n : 0;
}

void sys_shutdown_send(int fd)
{
    (void)shutdown(fd, SHUT_WR);
}

enum err sys_epoll_new(int *ret_fd, struct error *e)
{
    *ret_fd = epoll_create1(EPOLL_CLOEXEC);
    if (*ret_fd < 0)
        return FAIL_SYS(e, sys_err(errno), errno, "net.epoll", "cannot make an epoll descriptor");
    return ERR_OK;
}

enum err sys_epoll_set(int epoll, int op, int fd, uint32_t events, void *ptr, struct error *e)
{
    struct epoll_event ev = {.events = events, .data.ptr = ptr};
    if (epoll_ctl(epoll, op, fd, &ev) < 0)
        return FAIL_SYS(e, ERR_RESOURCE_EXHAUSTED, errno, "net.epoll", "cannot watch a descriptor");
    return ERR_OK;
}

void sys_epoll_del(int epoll, int fd)
{
    (void)epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
}

enum err sys_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms, int *ret_n,
                        struct error *e)
{
    *ret_n = epoll_wait(epoll, events, max, timeout_ms);
    if (*ret_n < 0 && errno != EINTR)
        return FAIL_SYS(e, ERR_INTERNAL, errno, "net.epoll", "cannot wait for events");
    *ret_n = MAX(*ret_n, 0);
    return ERR_OK;
}

enum err sys_eventfd_new(int *ret_fd, struct error *e)
{
    *ret_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (*ret_fd < 0)
        return FAIL_SYS(e, sys_err(errno), errno, "net.eventfd", "cannot make an event descriptor");
    return ERR_OK;
}

void sys_eventfd_signal(int fd)
{
    (void)eventfd_write(fd, 1); /* fails only when the counter is full: it is readable then */
}

void sys_eventfd_clear(int fd)
{
    eventfd_t n;
    (void)eventfd_read(fd, &n);
}
