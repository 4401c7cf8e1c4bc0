/*
 * An entry's data, measured: what does it really inflate to?
 *
 * Model: a meter owns one raw inflater and a scratch buffer and reads through a window. It is run
 * once per entry and adds up the work of all its runs. zlib's verdict is the reference: a stream is
 * good when zlib reaches its end, with every byte of it used (RFC 1951).
 * Time is bounded by work that does not depend on the machine: the bytes that come out, and the
 * deflate blocks, whose tables cost time without giving any bytes.
 */
#ifndef STIGMER_ZIP_CONTENT_H
#define STIGMER_ZIP_CONTENT_H

#include "digest/sha256.h"
#include "zip/window.h"

enum content_end {
    CONTENT_WHOLE,     /* the stream ended where the data ends */
    CONTENT_BAD,       /* zlib refuses it: see problem */
    CONTENT_TRUNCATED, /* the data ends before the stream does */
    CONTENT_TRAILING,  /* the stream ends before the data does: see consumed */
    CONTENT_OVER,      /* more than max_out bytes come out */
    CONTENT_BUDGET,    /* too many deflate blocks */
};

struct content_meter {
    struct window *win; /* borrowed */
    struct z_stream_s *zs;
    uint8_t *out;
    struct sha256 *sha256;     /* made when the first job wants a digest */
    uint64_t blocks, produced; /* of all runs */
    uint32_t max_blocks;       /* beyond one per 4 KiB of output */
};

/* Receives the bytes in order, in pieces; an error ends the run. */
typedef enum err content_sink_fn(void *ctx, str piece, struct error *e);

struct content_job {
    uint16_t method;        /* 0 or 8 */
    uint64_t offset, csize; /* within the window's file */
    uint64_t max_out;       /* the first byte over ends the run */
    content_sink_fn *sink;  /* may be NULL */
    void *ctx;
    struct digest *digest; /* receives the content's hash when all of it came; may be NULL */
};

struct content {
    enum content_end end;
    uint64_t usize;    /* bytes that came out */
    uint64_t consumed; /* of the compressed bytes */
    uint32_t crc;      /* of the bytes that came out */
    char head[2];      /* the first of them */
    const char *problem;
};

enum err content_meter_init(struct content_meter *m, struct window *win, uint32_t max_blocks,
                            struct error *e);
/* Accepts a zeroed struct. */
void content_meter_deinit(struct content_meter *m);
/* ERR_OK also for bad data, which is a result; errors are those of reading, memory and the sink. */
enum err content_measure(struct content_meter *m, const struct content_job *job,
                         struct content *ret, struct error *e);

#endif
