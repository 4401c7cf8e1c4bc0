/*
 * The gRPC server: a table of methods over HTTP/2.
 *
 * Model: handlers are plain synchronous functions. GRPC_INLINE handlers run on the loop thread
 * that owns the connection (short reads only); GRPC_WORKER and GRPC_UPLOAD handlers run on the
 * worker pool and may block. The layer does framing, gzip, deadlines, cancellation, statuses,
 * flow control and logging; a handler sees one request and fills one reply.
 * Answers: before a handler runs the layer has found room for its answer (h2.h); a call waits when
 * there is none, because other answers have not been read yet.
 * Uploads: one bytes field of the request message (the artifact) is handed over piece by piece as
 * it arrives and is never held in memory; all other fields are gathered (at most max_request).
 * Threads: calls of one upload come one at a time and in order, from changing workers.
 * free may also come on the loop's thread, when the pool has no room or the server has stopped.
 */
#ifndef STIGMER_GRPC_SERVER_H
#define STIGMER_GRPC_SERVER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"
#include "h2/h2.h"

#include <stdatomic.h>

/* What a handler may know about its call. */
struct grpc_context {
    char request_id[17];    /* 16 hex digits; in the log and in INTERNAL messages */
    const char *method;     /* full path */
    int64_t deadline_ns;    /* CLOCK_MONOTONIC; INT64_MAX = none */
    _Atomic bool cancelled; /* by the client or the deadline: the answer will be dropped */
    str peer;
};

/* One message to send: bytes of memory, then optionally a range of a file. */
struct grpc_message {
    struct buf head;   /* owned; its max is the room that the layer found */
    int fd;            /* -1 = none; owned: closed when sent */
    uint64_t off, len; /* range of fd */
};
#define GRPC_HEAD_MAX                                                                              \
    KIB(1) /* of messages that nothing else is said about: a stream's, errors'                     \
            */

struct grpc_reply {
    struct grpc_message message; /* unary: the answer */
    /* Server streaming: called on the loop when there is room for the next message; *ret_end true
     * = no more (message unused). ctx is released with free_ctx, whatever happens. */
    enum err (*next)(void *ctx, struct grpc_message *ret, bool *ret_end, struct error *e);
    void (*free_ctx)(void *ctx);
    void *ctx;
};

enum grpc_kind { GRPC_INLINE, GRPC_WORKER, GRPC_UPLOAD };

struct grpc_upload {
    uint32_t field;       /* number of the streamed bytes field */
    const char *name;     /* of that field, for messages; may be NULL */
    uint64_t max_message; /* bytes of the whole message; 0 = max_field and max_request together */
    uint64_t max_field;   /* bytes; beyond it RESOURCE_EXHAUSTED naming both sizes, at once */
    /* begin: *ret is the upload's own object. Called before the first bytes are passed on. */
    enum err (*begin)(void *service, struct grpc_context *c, void **ret, struct error *e);
    enum err (*bytes)(void *upload, str piece, struct error *e);
    /* rest: the request message without the streamed field, as protobuf bytes. */
    enum err (*finish)(void *upload, str rest, struct grpc_reply *reply, struct error *e);
    void (*free)(void *upload); /* always, after begin succeeded */
};

struct grpc_method {
    const char *path; /* "/package.Service/method" */
    enum grpc_kind kind;
    size_t max_request; /* bytes of the (inflated) message; for uploads: of the other fields */
    /* INLINE and WORKER. To move from the loop to a worker (a cold artifact must be hashed) an
     * INLINE handler returns ERR_OK with *ret_defer true; it is then called again on a worker,
     * with ret_defer NULL. */
    enum err (*handle)(void *service, struct grpc_context *c, str request, struct grpc_reply *reply,
                       bool *ret_defer, struct error *e);
    const struct grpc_upload *upload; /* UPLOAD */
    /* Bytes of the answer's head; 0 = GRPC_HEAD_MAX, which is not worth waiting for. */
    size_t max_reply;
    /* Not 0: most answers fit in so many bytes, and the handler may run twice. It runs with room
     * for them first; when it then fails with RESOURCE_EXHAUSTED, once more with all of max_reply.
     */
    size_t first_reply;
    size_t n_files; /* descriptors that the reply keeps open */
};

#define GRPC_REQUEST_FREE KIB(1) /* a call without a request costs as much */

struct grpc_server;

struct grpc_server_options {
    const struct grpc_method *methods; /* borrowed */
    size_t n_methods;
    void *service;        /* first argument of the handlers */
    struct pool *workers; /* borrowed */
    const str
        *descriptors;     /* serialized google.protobuf.FileDescriptorProto, one per .proto, for */
    size_t n_descriptors; /* reflection; borrowed */
    const struct h2_limits *limits;
    struct tls_server *tls;
    unsigned n_loops;
    /* Bytes in memory, all calls together (ledgers): of upload chunks, and of other requests, where
     * each call has GRPC_REQUEST_FREE beside it; what exceeds it is RESOURCE_EXHAUSTED. */
    size_t upload_budget, request_budget;
};
/* Health (Check, Watch) and reflection (v1, v1alpha) are served without being in the table. */
enum err grpc_server_new(const struct grpc_server_options *o, struct grpc_server **ret,
                         struct error *e);
/* As h2_server_listen. */
enum err grpc_server_listen(struct grpc_server *s, const char *address, uint16_t port,
                            uint16_t *ret_port, struct error *e);
enum err grpc_server_start(struct grpc_server *s, struct error *e);
/* Sets the health of all services (and ""); Watch streams are told. Any thread. */
void grpc_server_set_serving(struct grpc_server *s, bool serving);
/* Sets the health of one service; that of "" is SERVING when all are. As long as the server as a
 * whole is not serving, none is. Unknown names change nothing. Any thread. */
void grpc_server_set_service(struct grpc_server *s, str name, bool serving);
/* The families stigmer_grpc_…, and those of the budgets and of h2_server_metrics. Until it is
 * freed. */
void grpc_server_metrics(struct grpc_server *s, struct buf *out);
/* Health NOT_SERVING, then as h2_server_stop; calls on workers are waited for. */
void grpc_server_stop(struct grpc_server *s, int64_t drain_ms);
/* Stops it first when that has not been done, without draining. */
void grpc_server_free(struct grpc_server *s);

#endif
