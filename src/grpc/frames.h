/*
 * The 5-byte prefix that stands before each gRPC message (PROTOCOL-HTTP2.md, Length-Prefixed-
 * Message): a flag (1 = compressed) and the length, big-endian. Incremental: input may be cut
 * anywhere; nothing is copied or allocated.
 *
 *     while (in.len) TRY(frames_next(&f, &in, &event, &piece, e));
 */
#ifndef STIGMER_GRPC_FRAMES_H
#define STIGMER_GRPC_FRAMES_H

#include "base/err.h"
#include "base/str.h"

#define FRAMES_PREFIX 5

struct frames {
    uint8_t prefix[FRAMES_PREFIX];
    unsigned n_prefix; /* bytes of the prefix seen */
    bool inside;       /* the prefix is complete, the message is not */
    bool compressed;   /* flag of the message that began last */
    uint32_t len;      /* its length */
    uint32_t left;     /* its bytes still to come */
    uint64_t max;      /* longest message */
};

enum frames_event {
    FRAMES_NONE,  /* the input is used up */
    FRAMES_BEGIN, /* a prefix is complete: see compressed, len */
    FRAMES_PIECE, /* some bytes of the message */
    FRAMES_END,   /* the message is complete */
};

void frames_init(struct frames *f, uint64_t max);
/* Takes the next event out of *in; call it until FRAMES_NONE (an empty message ends without
 * input). RESOURCE_EXHAUSTED, from the prefix alone, when the message is longer than max;
 * INTERNAL when the flag is neither 0 nor 1 (compression.md). */
enum err frames_next(struct frames *f, str *in, enum frames_event *ret, str *ret_piece,
                     struct error *e);
/* The input has ended: INVALID_ARGUMENT inside a message or a prefix. */
enum err frames_end(const struct frames *f, struct error *e);
/* The prefix of an uncompressed message of len bytes. */
void frames_prefix(uint32_t len, uint8_t out[FRAMES_PREFIX]);

#endif
