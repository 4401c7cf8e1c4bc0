/*
 * An entry's data, measured: what does it really inflate to?
 *
 * Model: a meter owns one inflater and reads through a window of its own. It is run once per entry;
 * several meters may work on one archive, each on a thread of its own.
 * A stream is good when it ends, by zlib's verdict (zip/inflate.h), with every byte of it used.
 * Time is bounded by work that does not depend on the machine: the bytes that come out, and the
 * deflate blocks, whose tables cost time without giving any bytes. All meters of one archive count
 * their blocks in one budget.
 */
#ifndef STIGMER_ZIP_CONTENT_H
#define STIGMER_ZIP_CONTENT_H

#include "digest/sha256.h"
#include "zip/window.h"

#include <stdatomic.h>

enum content_end {
    CONTENT_WHOLE,     /* the stream ended where the data ends */
    CONTENT_BAD,       /* zlib refuses it: see problem */
    CONTENT_TRUNCATED, /* the data ends before the stream does */
    CONTENT_TRAILING,  /* the stream ends before the data does: see consumed */
    CONTENT_OVER,      /* more than max_out bytes come out */
    CONTENT_BUDGET,    /* the budget is used up */
};

struct content_budget {
    uint64_t max_blocks;
    _Atomic uint64_t blocks; /* used; above max_blocks exactly when some run needed more */
};

struct content_meter {
    struct content_budget *budget; /* borrowed */
    struct window win;
    struct inflater *inflater;
    struct sha256 *sha256; /* made when the first job wants a digest */
};

/* Receives the bytes in order, in pieces; an error ends the run. */
typedef enum err content_sink_fn(void *ctx, str piece, struct error *e);

struct content_job {
    uint16_t method;        /* 0 or 8 */
    uint64_t offset, csize; /* within the file */
    uint64_t max_out;       /* the first byte over ends the run */
    content_sink_fn *sink;  /* may be NULL */
    void *ctx;
    struct digest *digest; /* receives the content's hash when all of it came; may be NULL */
};

struct content {
    enum content_end end;
    bool no_distances; /* see struct inflater */
    uint32_t crc;      /* of the bytes that came out */
    uint64_t usize;    /* bytes that came out, at most one more than max_out */
    uint64_t consumed; /* of the compressed bytes */
    char head[2];      /* the first bytes that came out */
    const char *problem;
};

/* fd, size: as in zip_audit. */
enum err content_meter_init(struct content_meter *m, int fd, uint64_t size,
                            struct content_budget *budget, struct error *e);
/* Accepts a zeroed struct. */
void content_meter_deinit(struct content_meter *m);
/* ERR_OK also for bad data, which is a result; errors are those of reading, memory and the sink. */
enum err content_measure(struct content_meter *m, const struct content_job *job,
                         struct content *ret, struct error *e);

#endif
