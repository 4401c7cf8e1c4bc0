/*
 * Sockets, epoll and eventfd. With sys.c, the only place that makes raw system calls.
 *
 * All sockets are TCP, non-blocking, close-on-exec, with TCP_NODELAY and keep-alive. "Would block"
 * is an outcome, not an error. Errors keep the errno in struct error.sys: a peer that is gone is
 * UNAVAILABLE.
 */
#ifndef STIGMER_BASE_SYS_NET_H
#define STIGMER_BASE_SYS_NET_H

#include "base/err.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

struct sys_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } u;
    socklen_t len;
};

/* A numeric IPv4 or IPv6 address (no brackets); INVALID_ARGUMENT for anything else. */
enum err sys_address_parse(const char *host, uint16_t port, struct sys_address *ret,
                           struct error *e);
#define SYS_ADDRESS_TEXT 56
/* "127.0.0.1:51234" or "[::1]:51234". */
void sys_address_format(const struct sys_address *a, char out[SYS_ADDRESS_TEXT]);
/* Whom a limit per address counts: an IPv4 address, or an IPv6 /64 (one subscriber holds all of
 * it). */
void sys_address_key(const struct sys_address *a, uint8_t key[16]);
bool sys_address_is_loopback(const struct sys_address *a);
/* Up to max addresses of a name, numeric or not. "localhost" is always 127.0.0.1, then ::1.
 * UNAVAILABLE when the name does not resolve. Blocks. */
enum err sys_resolve(const char *host, uint16_t port, struct sys_address *ret, size_t max,
                     size_t *ret_n, struct error *e);

/* Binds and listens. ALREADY_EXISTS when somebody listens there. The socket lets a later process
 * share its port, and `share` joins one that does (SO_REUSEPORT): a new server can overlap the old.
 * IPv6 sockets take IPv6 only. */
enum err sys_listen(const struct sys_address *a, bool share, int *ret_fd, struct error *e);
/* The port that a socket is bound to. */
enum err sys_local_port(int fd, uint16_t *ret, struct error *e);
/* *ret_fd is -1 when nobody waits. RESOURCE_EXHAUSTED: out of descriptors or memory; wait a bit. */
enum err sys_accept(int listen_fd, int *ret_fd, struct sys_address *ret_peer, struct error *e);
/* Waits for the connection until deadline_ns (CLOCK_MONOTONIC). UNAVAILABLE when refused or
 * unreachable, DEADLINE_EXCEEDED. */
enum err sys_connect(const struct sys_address *a, int64_t deadline_ns, int *ret_fd,
                     struct error *e);

/* *ret_n: bytes; 0 = the peer will send no more; -1 = nothing now. */
enum err sys_recv(int fd, void *p, size_t len, ssize_t *ret_n, struct error *e);
/* *ret_n: bytes taken by the kernel, from 0 to len. */
enum err sys_send(int fd, const void *p, size_t len, size_t *ret_n, struct error *e);
/* Sends FIN; receiving goes on. */
void sys_shutdown_send(int fd);
/* Bytes that were sent and that the peer has not acknowledged; 0 when that cannot be told. */
size_t sys_unacked(int fd);

enum err sys_epoll_new(int *ret_fd, struct error *e);
/* op: EPOLL_CTL_ADD or EPOLL_CTL_MOD; ptr comes back in the event. */
enum err sys_epoll_set(int epoll, int op, int fd, uint32_t events, void *ptr, struct error *e);
void sys_epoll_del(int epoll, int fd);
/* timeout_ms -1 = no limit. An interrupted wait is 0 events. */
enum err sys_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms, int *ret_n,
                        struct error *e);
enum err sys_eventfd_new(int *ret_fd, struct error *e);
void sys_eventfd_signal(int fd);
void sys_eventfd_clear(int fd);

#endif
