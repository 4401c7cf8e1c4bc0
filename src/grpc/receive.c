#include "grpc/receive.h"

void receive_init(struct receive *r, uint64_t max, bool may_gzip, const struct receive_sink *sink,
                  void *ctx)
{
    *r = (struct receive){.may_gzip = may_gzip, .sink = sink, .ctx = ctx};
    frames_init(&r->frames, max);
}

void receive_deinit(struct receive *r)
{
    gzip_free(r->gzip);
    r->gzip = NULL;
}

size_t receive_memory(const struct receive *r)
{
    return r->gzip ? GZIP_MEMORY : 0;
}

static enum err begin(struct receive *r, struct error *e)
{
    if (r->frames.compressed && !r->may_gzip)
        return FAIL(e, ERR_INTERNAL, "grpc.frame.encoding",
                    "a message is marked as compressed but grpc-encoding names no compression");
    if (r->frames.compressed && !r->gzip)
        TRY(gzip_new(&r->gzip, e));
    if (r->frames.compressed)
        TRY(gzip_begin(r->gzip, r->frames.max, e));
    return r->sink->begin ? r->sink->begin(r->ctx, e) : ERR_OK;
}

static enum err end(struct receive *r, struct error *e)
{
    if (r->frames.compressed)
        TRY(gzip_end(r->gzip, e));
    return r->sink->end(r->ctx, e);
}

static enum err handle(struct receive *r, enum frames_event event, str piece, struct error *e)
{
    if (event == FRAMES_BEGIN)
        return begin(r, e);
    if (event == FRAMES_END)
        return end(r, e);
    if (event == FRAMES_PIECE && r->frames.compressed)
        return gzip_feed(r->gzip, piece, r->sink->piece, r->ctx, e);
    if (event == FRAMES_PIECE)
        return r->sink->piece(r->ctx, piece, e);
    return ERR_OK;
}

enum err receive_feed(struct receive *r, str in, struct error *e)
{
    enum frames_event event;
    do {
        str piece = STR_NULL;
        TRY(frames_next(&r->frames, &in, &event, &piece, e));
        TRY(handle(r, event, piece, e));
    } while (event != FRAMES_NONE);
    return ERR_OK;
}

enum err receive_end(const struct receive *r, struct error *e)
{
    return frames_end(&r->frames, e);
}

enum err receive_encoding(str value, bool *ret_gzip, struct error *e)
{
    *ret_gzip = str_eq(value, STR("gzip"));
    if (*ret_gzip || value.len == 0 || str_eq(value, STR("identity")))
        return ERR_OK;
    return FAIL(e, ERR_UNIMPLEMENTED, "grpc.encoding",
                "grpc-encoding \"%.*s\" is not supported; use one of: " RECEIVE_ENCODINGS,
                STR_ARG(str_head(value, 64)));
}
