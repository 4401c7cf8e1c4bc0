/*
 * A listening socket on a loop. Accepted sockets that may enter (admit.h) are handed to on_accept;
 * the others are closed at once. Out of descriptors, it rests for a moment instead of spinning.
 */
#ifndef STIGMER_NET_LISTENER_H
#define STIGMER_NET_LISTENER_H

#include "net/admit.h"
#include "net/loop.h"

struct listener;

struct listener_options {
    const char *address; /* numeric */
    uint16_t port;       /* 0 = any */
    bool share_port;     /* join a process that listens there already */
    struct admit *admit; /* borrowed */
    /* Owns fd (non-blocking) and the admission of peer from then on. */
    void (*on_accept)(void *ctx, int fd, const struct sys_address *peer);
    void *ctx;
};
/* Binds; connections wait in the kernel until listener_start. ALREADY_EXISTS: address in use. */
enum err listener_new(const struct listener_options *o, struct listener **ret, struct error *e);
uint16_t listener_port(const struct listener *l);
/* Starts accepting; from then on l belongs to the loop's thread. */
enum err listener_start(struct listener *l, struct loop *loop, struct error *e);
/* Accepts whoever waits already, then closes. NULL is fine. */
void listener_free(struct listener *l);

#endif
