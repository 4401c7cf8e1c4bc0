/*
 * One call on the server, from its headers to its last byte.
 *
 * Model: call.c does what all calls need (headers, deadline, answering, log, lifetime); what a call
 * does with its request is its kind: unary.c, upload.c, watch.c, reflection.c.
 * Threads: a call belongs to its loop's thread. While a job of it is on a worker, the kind says
 * which members are the worker's.
 * Lifetime: the stream holds a reference, each job and each posted task another one; the call
 * outlives its stream until the last is given back.
 */
#ifndef STIGMER_GRPC_CALL_H
#define STIGMER_GRPC_CALL_H

#include "grpc/send.h"
#include "grpc/server.h"

struct call;

struct call_kind {
    /* The headers were right. */
    void (*start)(struct call *c);
    /* Bytes of the request; the kind gives them back with h2_stream_consume. */
    void (*data)(struct call *c, str bytes);
    /* The request is complete. */
    void (*end)(struct call *c);
    /* Nothing more of the request is wanted: the call failed, or its stream is gone (then
     * c->stream is NULL). May come twice; what the request holds is to be let go. */
    void (*drop)(struct call *c);
    /* Frees c->state. */
    void (*free)(struct call *c);
    /* The room that was asked for is there. NULL: the kind does not ask. */
    void (*room)(struct call *c);
};

/* A row of the method table. */
struct call_method {
    const struct grpc_method *method;
    void *service;
    const struct call_kind *kind;
};

/* Told when the server's health changes or the server stops; see server.c. */
struct call_listener {
    struct list link;
    struct task task;
    bool posted;     /* the task is on its way */
    bool registered; /* both under the server's lock */
};

struct call {
    struct grpc_server *server;
    struct h2_stream *stream; /* NULL: closed */
    struct loop *loop;
    const struct call_kind *kind;
    const struct grpc_method *method; /* NULL: not a gRPC request, or an unknown method */
    size_t method_number;             /* in the server's table */
    void *service;
    void *state; /* the kind's */
    struct grpc_context context;
    struct call_listener listener;
    struct timer deadline;
    struct send send;
    struct grpc_reply reply; /* its next and ctx feed `send` */
    struct error *error;     /* why the call failed; NULL: it did not, or not yet */
    int64_t started_ns;
    uint64_t bytes_in, bytes_out;
    size_t held; /* bytes of its request, of the server's budget */
    unsigned refs;
    int http_status; /* not 200: the whole answer */
    bool may_gzip;   /* grpc-encoding: gzip */
    bool refused;    /* its headers are wrong: *c->error waits for the request's end */
    bool answered;   /* the answer was begun */
    bool cut;        /* the answer was begun, but is to end with *c->error */
    char peer[64], path[128];
};

/* h2_handler's on_headers. */
void call_new(struct grpc_server *s, struct h2_stream *stream, const struct h2_header *h, size_t n);
void call_ref(struct call *c);
void call_unref(struct call *c);

/* What is in memory of the request are n bytes now. What exceeds GRPC_REQUEST_FREE is charged to
 * the server's budget; RESOURCE_EXHAUSTED when that is used up. By the thread that has the request.
 */
enum err call_hold_request(struct call *c, size_t n, struct error *e);

/* Answers with an error, at once; the rest of the request is refused. Does nothing when the call
 * was answered or its stream is gone. */
void call_fail(struct call *c, const struct error *e);
/* A call whose headers are wrong is answered when its request is complete, or too long to wait
 * for: some clients (curl 7.88) take an answer that comes before for a failure of the connection.
 * complete: it has ended. */
void call_refused(struct call *c, bool complete);
/* Answers with what *take holds. As above. */
void call_reply(struct call *c, struct grpc_reply *take);
/* Answers with the messages of `next`, called with c. As above. */
void call_stream(struct call *c, enum err (*next)(void *ctx, struct grpc_message *ret,
                                                  enum send_what *ret_what, struct error *e));
/* CANCELLED when the client or the deadline has ended it: its answer would be dropped. Any thread.
 */
enum err call_check(struct call *c, struct error *e);
/* The stream was closed. */
void call_closed(struct call *c, uint32_t error);

#endif
