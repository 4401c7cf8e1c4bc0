/*
 * HTTP/2 (RFC 9113) on nghttp2: server and client.
 *
 * Model: a stream is one request and its response. The layer above provides a handler; it is
 * called on the thread of the loop that owns the connection, and all h2_stream_* functions are to
 * be called there. A stream is valid until its on_close returned, which always comes exactly once.
 * Flow control: bytes given to on_data stay charged to the stream's and connection's windows until
 * h2_stream_consume gives them back. Bytes of a stream that dies are given back by this layer.
 * Bodies are pulled: nothing is buffered here beyond one write (512 KiB).
 */
#ifndef STIGMER_H2_H2_H
#define STIGMER_H2_H2_H

#include "base/buf.h"
#include "base/err.h"
#include "base/ledger.h"
#include "base/str.h"
#include "net/loop.h"

struct h2_stream;

struct h2_header {
    str name, value; /* name in lower case; pseudo-headers first */
};

struct h2_handler {
    /* Server: a request's headers. Client: the response's headers (not 1xx). Only for a stream that
     * got them there is an on_close at a server; at a client there always is. */
    void (*on_headers)(void *ctx, struct h2_stream *s, const struct h2_header *h, size_t n);
    void (*on_data)(void *ctx, struct h2_stream *s, str bytes);
    /* Trailers, before on_end. May be NULL. */
    void (*on_trailers)(void *ctx, struct h2_stream *s, const struct h2_header *h, size_t n);
    /* The peer has sent END_STREAM. */
    void (*on_end)(void *ctx, struct h2_stream *s);
    /* The last call for the stream. error: an HTTP/2 error code, 0 = regular end,
     * H2_CONNECTION_LOST = the connection broke. */
    void (*on_close)(void *ctx, struct h2_stream *s, uint32_t error);
    /* Server: the room that the stream waited for is charged. NULL when nobody asks. */
    void (*on_room)(void *ctx, struct h2_stream *s);
};

#define H2_CONNECTION_LOST 0xffffffffu /* not a code of RFC 9113: never on the wire */

/* What a body's read says. */
enum h2_more {
    H2_MORE, /* call again */
    H2_WAIT, /* nothing now (0 bytes mean the same); h2_stream_resume tells when */
    H2_END,  /* that was the end */
    H2_FAIL, /* reset the stream (INTERNAL_ERROR) */
};
/* Writes at most cap bytes to `to`, returns how many. */
typedef size_t h2_read_fn(void *ctx, char *to, size_t cap, enum h2_more *ret_more);

void h2_stream_set_user(struct h2_stream *s, void *user);
void *h2_stream_user(const struct h2_stream *s);
struct loop *h2_stream_loop(const struct h2_stream *s);
/* From inside on_data: these are the last bytes; on_end follows before anything more is read from
 * the connection. */
bool h2_stream_is_ending(const struct h2_stream *s);
/* "127.0.0.1:51234" or "[::1]:51234"; valid as long as the stream. */
str h2_stream_peer(const struct h2_stream *s);

/* Server: sends the response headers; read NULL = END_STREAM at once (trailers-only). */
enum err h2_stream_respond(struct h2_stream *s, const struct h2_header *h, size_t n,
                           h2_read_fn *read, void *read_ctx, struct error *e);
/* From inside read, just before it returns H2_END: these trailers end the stream. */
enum err h2_stream_trailers(struct h2_stream *s, const struct h2_header *h, size_t n,
                            struct error *e);
/* After H2_WAIT. Harmless otherwise. */
void h2_stream_resume(struct h2_stream *s);
/* Ends the stream now, both ways. NGHTTP2_* error code. */
void h2_stream_reset(struct h2_stream *s, uint32_t error);
/* Server: once END_STREAM of the response was sent, RST_STREAM(NO_ERROR) the rest of the request
 * (RFC 9113 8.1): for answering before the request was read. No on_data, on_trailers or on_end
 * follow; what still comes is dropped. */
void h2_stream_stop_reading(struct h2_stream *s);
/* Gives n received bytes back to the windows. */
void h2_stream_consume(struct h2_stream *s, size_t n);
/* Raises the receive window of an uploading stream to `bytes`, if the server's window budget
 * (charged until the stream closes) allows it; otherwise leaves it. */
void h2_stream_raise_window(struct h2_stream *s, uint32_t bytes);
/* Stops / continues reading from the stream's connection: back-pressure above the memory budget.
 * Counted per stream; a closing stream takes its pause back. */
void h2_stream_pause_reading(struct h2_stream *s, bool pause);

/* --- room for answers (server) ---
 *
 * What an answer holds until its peer has taken it, memory or open files, is charged to budgets of
 * the whole server. A stream asks for room before its answer is made, says what it uses once it
 * is, and gives it back when it is out; closing gives back the rest. While a connection has more
 * than `answers_unread` bytes of answers waiting it gets no room for more: who does not read makes
 * the server produce one answer. Connections that wait for the same get it in turn.
 */
enum h2_room {
    H2_ROOM_SMALL,  /* bytes, at most H2_ROOM_SMALL_MAX: the whole budget is there for them */
    H2_ROOM_CHANGE, /* bytes of the answer to a change: leaves an eighth for small ones */
    H2_ROOM_LARGE,  /* bytes: leaves half, so that slow readers of large answers hold up
                     * nobody else */
    H2_ROOM_FILES, /* open files: a budget of its own, and whether the peer reads does not matter */
    H2_N_ROOMS,
};
#define H2_ROOM_SMALL_MAX KIB(64)

/* Asks for n, at most once at a time. *ret_now: it is charged; otherwise on_room follows when it
 * is, unless the stream responds or ends before. RESOURCE_EXHAUSTED when n is more than there can
 * ever be, or memory is out. */
enum err h2_stream_ask_room(struct h2_stream *s, enum h2_room kind, size_t n, bool *ret_now,
                            struct error *e);
/* The answer is there and holds n (bytes, files) of what was charged; the rest is given back. */
void h2_stream_keep_room(struct h2_stream *s, size_t n);

/* --- server --- */

struct h2_limits; /* see h2/limits.h: every limit and timeout, with its default and reason */
struct h2_server;
struct tls_server; /* net/tls.h; NULL = plaintext */

struct h2_server_options {
    const struct h2_limits *limits; /* NULL = defaults */
    struct tls_server *tls;         /* borrowed */
    unsigned n_loops;               /* loop threads, 1 to 64 */
    bool share_port;                /* join a server that listens there: a new process overlaps
                                     * the one it replaces */
    const struct h2_handler *handler;
    void *ctx;
};
/* Threads start in h2_server_start. */
enum err h2_server_new(const struct h2_server_options *o, struct h2_server **ret, struct error *e);
/* Listens on a numeric address ("127.0.0.1", "::1") and port (0 = any); *ret_port may be NULL.
 * ALREADY_EXISTS when the address is in use. */
enum err h2_server_listen(struct h2_server *s, const char *address, uint16_t port,
                          uint16_t *ret_port, struct error *e);
enum err h2_server_start(struct h2_server *s, struct error *e);
/* Graceful stop: no new connections, shutdown notice, final GOAWAY, streams drain for at most
 * drain_ms, then everything is closed. Returns when all loop threads ended. */
void h2_server_stop(struct h2_server *s, int64_t drain_ms);
void h2_server_free(struct h2_server *s);
/* The families stigmer_connections… and stigmer_streams. */
void h2_server_metrics(struct h2_server *s, struct buf *out);
enum h2_budget { H2_BUDGET_WINDOWS, H2_BUDGET_ANSWERS, H2_BUDGET_FILES };
struct ledger *h2_server_budget(struct h2_server *s, enum h2_budget which);

/* --- client --- */

struct h2_client;
struct h2_client_options {
    const char *host; /* name or numeric address; also the TLS server name */
    uint16_t port;
    bool tls;
    const char *ca_file; /* PEM; NULL = the system's */
    int64_t timeout_ms;  /* for connecting and the handshake */
    const struct h2_handler *handler;
    void *ctx;
};
/* Connects (blocking, bounded by the timeout) and attaches to the loop, which the caller drives.
 * UNAVAILABLE when nobody answers or it is not HTTP/2. */
enum err h2_client_connect(struct loop *l, const struct h2_client_options *o,
                           struct h2_client **ret, struct error *e);
/* Starts a request; read NULL = no body. The headers must include the pseudo-headers. user is the
 * stream's user pointer from the start. */
enum err h2_client_request(struct h2_client *c, const struct h2_header *h, size_t n,
                           h2_read_fn *read, void *read_ctx, void *user, struct h2_stream **ret,
                           struct error *e);
/* Whether new requests are still possible (no GOAWAY, connection alive). */
bool h2_client_usable(const struct h2_client *c);
/* Why the connection ended; NULL while it lives. */
const struct error *h2_client_why(const struct h2_client *c);
/* Closes; streams get their on_close. Not from inside a handler. */
void h2_client_free(struct h2_client *c);

#endif
