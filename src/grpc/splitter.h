/*
 * Splits a protobuf message while it arrives: one bytes field is handed on piece by piece, all
 * other fields are gathered, byte for byte, for an ordinary decoder.
 *
 * Model: scans the top level only, in O(1) state besides the gathered fields. It is exactly as
 * strict as protobuf-c, which decodes the rest (tests/fuzz/fuzz_splitter.c holds the two against
 * each other), but for one rule: the streamed field may come at most once, because "the last one
 * wins" cannot be had without keeping it.
 */
#ifndef STIGMER_GRPC_SPLITTER_H
#define STIGMER_GRPC_SPLITTER_H

#include "base/buf.h"
#include "base/err.h"

/* Takes a piece of the streamed field. */
typedef enum err splitter_fn(void *ctx, str piece, struct error *e);

enum splitter_state {
    SPLITTER_TAG,
    SPLITTER_VARINT,
    SPLITTER_LENGTH,
    SPLITTER_COPY,   /* left bytes of another field */
    SPLITTER_STREAM, /* left bytes of the streamed field */
};

struct splitter {
    uint32_t field;
    uint64_t max_field;
    const char *name; /* of the streamed field, for messages: may be set after init */
    splitter_fn *sink;
    void *ctx;
    struct buf rest; /* the other fields */
    enum splitter_state state;
    bool seen;       /* the streamed field has begun */
    bool streaming;  /* the tag read last is the streamed field's */
    unsigned n;      /* bytes of the tag, varint or length so far */
    char head[5];    /* those of the tag */
    uint32_t tag;    /* the field number as it builds up */
    unsigned wire;   /* its wire type */
    uint64_t length; /* the length as it builds up */
    uint64_t left;
};

/* Streams `field`, at most max_field bytes of it; gathers at most max_rest bytes of the others. */
void splitter_init(struct splitter *s, uint32_t field, uint64_t max_field, size_t max_rest,
                   splitter_fn *sink, void *ctx);
void splitter_deinit(struct splitter *s);
/* INVALID_ARGUMENT for what protobuf-c refuses and for a second streamed field; RESOURCE_EXHAUSTED
 * beyond a limit, as soon as a length says so; the sink's failures. Not to be called again after
 * a failure. */
enum err splitter_feed(struct splitter *s, str in, struct error *e);
/* The message has ended: INVALID_ARGUMENT inside a field. */
enum err splitter_end(const struct splitter *s, struct error *e);

#endif
