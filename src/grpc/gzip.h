/*
 * Streaming gunzip (RFC 1952) of one message at a time. The cap is on what comes out, so that a
 * small message cannot become a large one.
 */
#ifndef STIGMER_GRPC_GZIP_H
#define STIGMER_GRPC_GZIP_H

#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"

struct gzip;
#define GZIP_MEMORY KIB(48) /* of one: zlib's window and tables */

/* Takes a piece of the inflated message. */
typedef enum err gzip_sink_fn(void *ctx, str piece, struct error *e);

enum err gzip_new(struct gzip **ret, struct error *e);
void gzip_free(struct gzip *g);
/* Before each message: at most max bytes may come out. */
enum err gzip_begin(struct gzip *g, uint64_t max, struct error *e);
/* Inflates in, hands everything to the sink. RESOURCE_EXHAUSTED beyond max; INVALID_ARGUMENT for
 * bytes that are not gzip, a wrong checksum, or bytes after the gzip stream's end. */
enum err gzip_feed(struct gzip *g, str in, gzip_sink_fn *sink, void *ctx, struct error *e);
/* The message is complete: INVALID_ARGUMENT when the gzip stream is not. */
enum err gzip_end(const struct gzip *g, struct error *e);

#endif
