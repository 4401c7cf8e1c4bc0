/*
 * A connection: a non-blocking socket, with or without TLS, as one byte stream on a loop.
 *
 * Model: received bytes are pushed to the handler; bytes to send are pulled from it with `fill`,
 * as many as the socket is likely to take, so that one send carries up to 512 KiB. Nothing is
 * queued here but what the kernel refused of the last send.
 * Ownership: from conn_new on the connection owns itself, the descriptor and the TLS session. It
 * ends with exactly one on_close, or with conn_abort; after either it must not be touched.
 * Threads: the loop's only. on_close never comes from inside another call of this module.
 */
#ifndef STIGMER_NET_CONN_H
#define STIGMER_NET_CONN_H

#include "base/err.h"
#include "base/str.h"
#include "base/sys_net.h"
#include "net/loop.h"

struct conn;
struct tls;

#define CONN_READ_MAX  KIB(64)  /* bytes in one on_bytes */
#define CONN_FILL_MIN  KIB(32)  /* the least room that fill is offered */
#define CONN_WRITE_MAX KIB(512) /* bytes in one send */

struct conn_handler {
    /* The TLS handshake is done. Never called without TLS. */
    void (*on_open)(void *ctx);
    void (*on_bytes)(void *ctx, str bytes);
    /* The peer sends no more (FIN or close_notify); sending may go on. */
    void (*on_end)(void *ctx);
    /* Writes at most cap (>= CONN_FILL_MIN) bytes to `to`; 0 = nothing to send now. */
    size_t (*fill)(void *ctx, char *to, size_t cap);
    /* The last call. Why it ended: OK after conn_finish, otherwise what broke. */
    void (*on_close)(void *ctx, const struct error *why);
};

/* Buffers that the connections of one loop share; they hold nothing between two events. */
struct conn_scratch;
/* max_unsent: bytes that may be left over from sends, all connections of the loop together, before
 * sends shrink to CONN_FILL_MIN. */
enum err conn_scratch_new(size_t max_unsent, struct conn_scratch **ret, struct error *e);
void conn_scratch_free(struct conn_scratch *s);

struct conn_options {
    struct loop *loop;
    struct conn_scratch *scratch;
    int fd;
    const struct sys_address *peer;
    struct tls *tls;      /* NULL = plaintext */
    int64_t handshake_ms; /* for TLS */
    int64_t linger_ms;    /* how long conn_finish waits for the peer */
    const struct conn_handler *handler;
    void *ctx;
};
/* Takes fd and tls, also when it fails. */
enum err conn_new(const struct conn_options *o, struct conn **ret, struct error *e);
/* There is something to send: fill will be called soon, never from inside this call. */
void conn_wake(struct conn *c);
/* Stops and continues reading. Up to one batch may still arrive after stopping. */
void conn_pause(struct conn *c, bool pause);
/* Sends what fill still has, then FIN; reads and drops until the peer closes too, or linger_ms
 * passed. (Closing at once could destroy the last bytes on their way: RFC 9112 9.6.) A slow peer
 * gets all of it as long as it takes something every stall_ms; 0: what linger_ms allows. */
void conn_finish(struct conn *c, int64_t stall_ms);
/* Closes at once and silently. */
void conn_abort(struct conn *c);
/* "127.0.0.1:51234"; valid as long as the connection. */
str conn_peer(const struct conn *c);
/* Whether the kernel has refused bytes that wait here. */
bool conn_stalled(const struct conn *c);
/* Bytes that the peer has acknowledged so far. What the kernel buffers says nothing about it. */
uint64_t conn_acked(const struct conn *c);

#endif
