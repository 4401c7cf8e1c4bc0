/*
 * The one message of a unary direction, in memory: at most `max` bytes of it, exactly one of it.
 */
#ifndef STIGMER_GRPC_GATHER_H
#define STIGMER_GRPC_GATHER_H

#include "base/buf.h"
#include "grpc/receive.h"

struct gather {
    struct receive receive;
    struct buf *message; /* borrowed; its max bounds the message */
    unsigned n;          /* messages begun */
    bool request;        /* for the texts of errors */
};

/* The gather must stay where it is until deinit. */
void gather_init(struct gather *g, struct buf *message, bool may_gzip, bool request);
void gather_deinit(struct gather *g);
/* Bytes it holds, those of the message among them. */
size_t gather_memory(const struct gather *g);
/* As receive_feed; a second message is UNIMPLEMENTED (statuscodes.md: cardinality violation). */
enum err gather_feed(struct gather *g, str in, struct error *e);
/* The stream has ended: as receive_end; no message at all is UNIMPLEMENTED. */
enum err gather_end(const struct gather *g, struct error *e);

#endif
