#include "grpc/gzip.h"

#include <inttypes.h>
#include <stdlib.h>
#include <zlib.h>

#define GZIP_ONLY (16 + MAX_WBITS) /* zlib.h, inflateInit2: the gzip wrapper and no other */
#define OUT_LEN   KIB(32)

struct gzip {
    z_stream z;
    uint64_t max, n_out;
    bool ended; /* the trailer was seen and is right */
};

enum err gzip_new(struct gzip **ret, struct error *e)
{
    struct gzip *g = calloc(1, sizeof *g);
    if (!g || inflateInit2(&g->z, GZIP_ONLY) != Z_OK) {
        free(g);
        return FAIL_NOMEM(e);
    }
    *ret = g;
    return ERR_OK;
}

void gzip_free(struct gzip *g)
{
    if (!g)
        return;
    (void)inflateEnd(&g->z);
    free(g);
}

enum err gzip_begin(struct gzip *g, uint64_t max, struct error *e)
{
    g->max = max;
    g->n_out = 0;
    g->ended = false;
    if (inflateReset(&g->z) != Z_OK)
        return FAIL(e, ERR_INTERNAL, "grpc.gzip.reset", "zlib refuses to start over");
    return ERR_OK;
}

static enum err step_failed(int r, struct error *e)
{
    if (r == Z_MEM_ERROR)
        return FAIL_NOMEM(e);
    return FAIL(e, ERR_INVALID_ARGUMENT, "grpc.gzip.data",
                "the compressed message is not valid gzip data");
}

/* One call of inflate; *ret_more is false when it made no use of more input or room. */
static enum err step(struct gzip *g, gzip_sink_fn *sink, void *ctx, bool *ret_more, struct error *e)
{
    unsigned char out[OUT_LEN];
    g->z.next_out = out;
    g->z.avail_out = sizeof out;
    int r = inflate(&g->z, Z_NO_FLUSH);
    if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
        return step_failed(r, e);
    size_t n = sizeof out - g->z.avail_out;
    g->n_out += n;
    if (g->n_out > g->max)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "grpc.gzip.too_large",
                    "the compressed message inflates to %" PRIu64
                    " bytes or more, the limit is %" PRIu64 " bytes",
                    g->n_out, g->max);
    g->ended = r == Z_STREAM_END;
    *ret_more = !g->ended && (g->z.avail_in > 0 || g->z.avail_out == 0);
    return n ? sink(ctx, str_of(out, n), e) : ERR_OK;
}

enum err gzip_feed(struct gzip *g, str in, gzip_sink_fn *sink, void *ctx, struct error *e)
{
    bool more = in.len && !g->ended;
    g->z.next_in = (Bytef *)(uintptr_t)in.p; /* zlib's pointer is not const; it only reads */
    g->z.avail_in = (uInt)in.len;
    while (more)
        TRY(step(g, sink, ctx, &more, e));
    if (g->ended && g->z.avail_in)
        return FAIL(e, ERR_INVALID_ARGUMENT, "grpc.gzip.trailing",
                    "the compressed message goes on after the end of its gzip data");
    return ERR_OK;
}

enum err gzip_end(const struct gzip *g, struct error *e)
{
    if (!g->ended)
        return FAIL(e, ERR_INVALID_ARGUMENT, "grpc.gzip.truncated",
                    "the compressed message ends before its gzip data");
    return ERR_OK;
}
