/*
 * The receiving side of a stream: bytes of DATA frames in, messages out, piece by piece, inflated
 * when they were compressed. For the server (requests), the client (responses) and reflection.
 */
#ifndef STIGMER_GRPC_RECEIVE_H
#define STIGMER_GRPC_RECEIVE_H

#include "grpc/frames.h"
#include "grpc/gzip.h"

struct receive_sink {
    enum err (*begin)(void *ctx, struct error *e); /* a message starts; may be NULL */
    enum err (*piece)(void *ctx, str piece, struct error *e);
    enum err (*end)(void *ctx, struct error *e); /* the message is complete */
};

struct receive {
    struct frames frames;
    struct gzip *gzip; /* owned; NULL until the first compressed message */
    bool may_gzip;     /* grpc-encoding was gzip */
    const struct receive_sink *sink;
    void *ctx;
};

/* Messages of at most max bytes, as sent and inflated. */
void receive_init(struct receive *r, uint64_t max, bool may_gzip, const struct receive_sink *sink,
                  void *ctx);
void receive_deinit(struct receive *r);
/* Bytes it holds. */
size_t receive_memory(const struct receive *r);
/* Failures as frames_next, gzip_feed and the sink; also INTERNAL for a compressed message without
 * grpc-encoding (compression.md). Not to be called again after a failure. */
enum err receive_feed(struct receive *r, str in, struct error *e);
/* The stream has ended: INVALID_ARGUMENT inside a message. */
enum err receive_end(const struct receive *r, struct error *e);

/* The encodings taken, as the value of grpc-accept-encoding. */
#define RECEIVE_ENCODINGS "identity,gzip"
/* Reads grpc-encoding (empty: identity). UNIMPLEMENTED for another one, naming what is taken. */
enum err receive_encoding(str value, bool *ret_gzip, struct error *e);

#endif
