/*
 * Private to h2: a connection (struct h2_conn) with its nghttp2 session, and its streams.
 *
 * session.c  the connection: bytes in, bytes out, beginning and end
 * callbacks.c  what nghttp2 reports
 * stream.c   the h2_stream_* functions
 * guard.c    floods, timeouts, rates; graceful stop
 * room.c     budgets for answers, and who waits for them
 * server.c, client.c  the two ends
 *
 * Endings. A stream may end from our side while nghttp2 still knows it: it is `gone` then,
 * nghttp2's pointer to it is cleared, and its on_close is called from the connection's timer
 * ("reaping"), so that handlers are never called from inside the h2_stream_* function they have
 * just used. A connection that misbehaves is `cut`: GOAWAY is the last frame it gets, its streams
 * are gone.
 */
#ifndef STIGMER_H2_SESSION_H
#define STIGMER_H2_SESSION_H

#include "base/metric.h"
#include "h2/h2.h"
#include "h2/headers.h"
#include "h2/limits.h"

#include "net/admit.h"
#include "net/conn.h"

#include <nghttp2/nghttp2.h>

struct tls;

/* What all connections of a server (or one client) share. Constant but for the ledgers. */
struct h2_shared {
    bool server;
    struct h2_limits limits;
    const struct h2_handler *handler;
    void *ctx;
    struct ledger windows;    /* bytes of raised receive windows */
    struct ledger streams;    /* open streams */
    struct ledger answers;    /* bytes of memory */
    struct ledger files;      /* open for answers */
    struct counter cut;       /* connections */
    _Atomic int memory_short; /* for how many kinds of room, each loop's, somebody waits */
    _Atomic int files_short;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *options;
};
enum err h2_shared_init(struct h2_shared *s, bool server, const struct h2_limits *limits,
                        const struct h2_handler *handler, void *ctx, struct error *e);
void h2_shared_deinit(struct h2_shared *s);

struct h2_conn;

/* Tokens that fill up with time: `burst` at once, `per_s` in the long run. */
struct h2_bucket {
    int64_t level_milli; /* thousandths of a token */
    int64_t at_ns;
};

/* What the connections of one loop share. */
struct h2_env {
    struct h2_shared *shared;
    struct loop *loop;
    struct conn_scratch *scratch;
    struct list conns;
    size_t n_conns;
    struct h2_block *spare_block;
    struct list room_lines[H2_N_ROOMS]; /* struct h2_queue: connections that wait, in turn */
    bool room_short[H2_N_ROOMS];        /* the first of them waits for the budget */
    size_t n_waiting;                   /* streams, in all of them */
    struct timer room_timer;            /* armed while anything waits */
    struct h2_bucket log_lines; /* about peers that misbehave: a flood must not flood the log */
    int64_t n_unlogged;
    /* A connection is over; hc is freed when it returns. */
    void (*on_closed)(struct h2_env *env, struct h2_conn *hc, const struct error *why);
};
enum err h2_env_init(struct h2_env *env, struct h2_shared *shared, struct loop *loop,
                     struct error *e);
void h2_env_deinit(struct h2_env *env);

/* The streams of a connection that wait for room of one kind. */
struct h2_queue {
    struct list link; /* in env->room_lines, unless it is empty */
    struct list streams;
    struct h2_conn *hc;
};

enum h2_phase {
    H2_FRESH,  /* server, plaintext: no byte seen, SETTINGS not sent yet */
    H2_ACTIVE, /* nghttp2 is in charge */
    H2_NOTICE, /* graceful stop: notice sent, new streams still welcome */
    H2_DRAIN,  /* final GOAWAY sent: ends when the last stream does */
    H2_CUT,    /* nothing but the GOAWAY */
};

struct h2_conn {
    struct list link; /* in env->conns */
    struct h2_env *env;
    struct conn *conn; /* NULL once it is gone */
    nghttp2_session *ng;
    struct sys_address peer;
    struct timer timer; /* always armed while the connection lives */
    enum h2_phase phase;
    bool is_tls;
    bool preface_ok;   /* server: the client's magic has been seen */
    bool settings_ok;  /* the peer's SETTINGS have been seen */
    bool input_ended;  /* the peer has closed its side */
    bool goaway_sent;  /* the last one */
    bool peer_goaway;  /* client: the server takes no new requests */
    bool data_written; /* mem_send has put DATA into `out` */
    bool finished;     /* conn_finish was called */
    size_t n_preface;  /* bytes of it that have been compared */
    size_t frame_left; /* bytes of the DATA frame that is coming in, with its padding */
    str piece;         /* of nghttp2's output, not yet copied */
    char *out;         /* fill's target, during fill */
    size_t out_len, out_cap;
    struct h2_block *block; /* being received */
    struct list streams;
    size_t n_streams, n_gone;
    unsigned pauses;
    int64_t window; /* the connection's receive window */
    struct h2_queue room_queues[H2_N_ROOMS];
    size_t unread; /* bytes of answers in memory */
    /* guard */
    struct h2_bucket resets, idle_frames;
    uint64_t seen_acked, rate_acked; /* as of the streams' flows, but bytes of the socket */
    int64_t ack_counted_ns, ack_stall_ns;
    int64_t opened_ns, idle_since_ns, tick_ns, block_since_ns, notice_ns, last_ping_ns;
    unsigned strikes;
};

struct h2_stream {
    struct list link; /* in hc->streams */
    struct h2_conn *hc;
    int32_t id;
    size_t counted; /* of the server's streams: 0 when it is one that is assured */
    void *user;
    h2_read_fn *read;
    void *read_ctx;
    size_t held;     /* received, not yet consumed */
    int64_t window;  /* receive window */
    int64_t charged; /* of it, from the shared budget */
    unsigned pauses;
    struct list room_link;    /* in hc->room_queues, while it waits */
    enum h2_room room_kind;   /* of the three below */
    size_t room_wanted, room; /* asked for and not charged yet; charged */
    size_t unread;            /* of room: an answer that waits to be read */
    bool final;               /* on_headers was called: whatever follows are trailers */
    bool responded;           /* server: the response has begun */
    bool waiting;             /* read said H2_WAIT */
    bool reading;             /* inside read */
    bool trailers;            /* are submitted */
    bool remote_end, local_end;
    bool ending; /* the last bytes have come in: END_STREAM, and nothing of its frame is left */
    bool stop;   /* stop_reading was called: what still comes is dropped */
    bool gone;   /* on_close is due, with gone_error */
    uint32_t gone_error;
    /* guard: bytes moved and time counted since the rate window began, and since the last byte */
    uint64_t received, sent;
    uint64_t seen_received, seen_sent, rate_received, rate_sent;
    int64_t up_counted_ns, up_stall_ns, down_counted_ns, down_stall_ns;
};

/* --- session.c --- */

/* Takes fd and tls, also on failure. */
enum err h2_conn_open(struct h2_env *env, int fd, const struct sys_address *peer, struct tls *tls,
                      struct h2_conn **ret, struct error *e);
/* Something was submitted. */
void h2_conn_wake(struct h2_conn *hc);
/* Ends it with GOAWAY(code, text); all its streams are gone. */
void h2_conn_cut(struct h2_conn *hc, uint32_t code, const char *text);
/* Closes and frees at once; streams get on_close(error). Not from inside a handler. */
void h2_conn_kill(struct h2_conn *hc, uint32_t error, const struct error *why);
/* Calls conn_finish when nothing is left to do. */
void h2_conn_check_done(struct h2_conn *hc);
/* Makes the timer fire at the next turn. */
void h2_conn_soon(struct h2_conn *hc);
/* Sends SETTINGS: the beginning. */
void h2_conn_hello(struct h2_conn *hc);

struct h2_block *h2_block_take(struct h2_conn *hc);
void h2_block_give(struct h2_conn *hc);

/* --- stream.c --- */

struct h2_stream *h2_stream_new(struct h2_conn *hc, int32_t id);
/* on_close, give everything back, free. */
void h2_stream_finish(struct h2_stream *s, uint32_t error);
/* on_close will follow from the timer. */
void h2_stream_let_go(struct h2_stream *s, uint32_t error);
void h2_stream_reap(struct h2_conn *hc);
/* Submits what read produces; NULL = no body. */
nghttp2_data_provider *h2_stream_provider(struct h2_stream *s, nghttp2_data_provider *p);
/* In nghttp2's form, on the heap (free). RESOURCE_EXHAUSTED when they are too large to be sent. */
enum err h2_fields_dup(const struct h2_header *h, size_t n, nghttp2_nv **ret, struct error *e);
/* RESOURCE_EXHAUSTED, or INTERNAL with nghttp2's text. */
enum err h2_fail_ng(int code, const char *what, struct error *e);

/* --- room.c --- */

void h2_room_init(struct h2_shared *s);
void h2_room_init_env(struct h2_env *env);
void h2_room_init_conn(struct h2_conn *hc);
/* The stream waits no longer. */
void h2_room_withdraw(struct h2_stream *s);
/* That, and all is given back. */
void h2_room_leave(struct h2_stream *s);
/* Resets the streams that wait: their peer does not take what others wait for. */
void h2_room_refuse(struct h2_conn *hc);
/* Whether others wait for what the stream, or one of the connection's, holds. */
bool h2_room_is_wanted(const struct h2_stream *s);
bool h2_room_is_wanted_of(const struct h2_conn *hc);

/* --- callbacks.c --- */

enum err h2_callbacks_new(nghttp2_session_callbacks **ret, struct error *e);

/* --- guard.c --- */

void h2_guard_init(struct h2_conn *hc, int64_t now);
bool h2_bucket_take(struct h2_bucket *b, int64_t burst, int64_t per_s, int64_t now);
void h2_bucket_add(struct h2_bucket *b, int64_t burst, int64_t n);
/* These cut the connection when it is too much. */
void h2_guard_reset(struct h2_conn *hc);
void h2_guard_idle_frame(struct h2_conn *hc);
void h2_guard_ping(struct h2_conn *hc);
void h2_guard_queue(struct h2_conn *hc);
/* Logs that a peer misbehaved, within reason. */
void h2_guard_log(struct h2_conn *hc, const char *event, const char *why);
/* A request, or data: earns frames that carry none. */
void h2_guard_progress(struct h2_conn *hc);
/* DATA or HEADERS were sent: PINGs are welcome again. */
void h2_guard_sent(struct h2_conn *hc);
/* The timer: hello, reaping, timeouts. */
void h2_guard_fired(struct timer *t);
/* Graceful stop begins. */
void h2_conn_drain(struct h2_conn *hc);
/* The PING of the graceful stop came back, or took too long. */
void h2_conn_final_goaway(struct h2_conn *hc);

#endif
