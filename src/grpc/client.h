/*
 * A synchronous gRPC client, for the command line and the agent's side.
 *
 * Model: one connection, one call at a time, driven by the calling thread. Request bodies are
 * parts (memory, then a file range), so that a large artifact is never held in memory.
 * Errors: the server's status as `enum err` with its message (percent-decoded) in e->msg; e->sys 0.
 * UNAVAILABLE when the connection cannot be made or breaks.
 */
#ifndef STIGMER_GRPC_CLIENT_H
#define STIGMER_GRPC_CLIENT_H

#include "base/buf.h"
#include "base/err.h"

struct grpc_client;

struct grpc_client_options {
    str target; /* "host:port", "[::1]:7234"; "localhost" tries 127.0.0.1 and ::1 */
    bool tls;
    const char *ca_file;        /* PEM; NULL = the system's */
    int64_t connect_timeout_ms; /* 0 = 10,000 */
};
enum err grpc_client_open(const struct grpc_client_options *o, struct grpc_client **ret,
                          struct error *e);
void grpc_client_close(struct grpc_client *c);

struct grpc_request {
    const char *path; /* "/package.Service/method" */
    str head;         /* the message's first bytes, borrowed */
    int fd;           /* -1 = none; borrowed; its range [off, off + len) follows head */
    uint64_t off, len;
    str tail;           /* and then these bytes */
    int64_t timeout_ms; /* 0 = none; sent as grpc-timeout and enforced here */
    void (*progress)(void *ctx, uint64_t sent, uint64_t total); /* may be NULL */
    void *ctx;
};
/* One response message, appended to *response (its max bounds it: RESOURCE_EXHAUSTED). */
enum err grpc_client_call(struct grpc_client *c, const struct grpc_request *r, struct buf *response,
                          struct error *e);
/* A server stream: on_message for each message (valid during the call; at most 4 MiB each); its
 * failure cancels the call and is returned. */
enum err grpc_client_stream(struct grpc_client *c, const struct grpc_request *r,
                            enum err (*on_message)(void *ctx, str message, struct error *e),
                            void *ctx, struct error *e);

#endif
