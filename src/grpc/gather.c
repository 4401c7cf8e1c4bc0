#include "grpc/gather.h"

static const char *what(const struct gather *g)
{
    return g->request ? "the request" : "the response";
}

static enum err begin(void *ctx, struct error *e)
{
    struct gather *g = ctx;
    if (g->n++)
        return FAIL(e, ERR_UNIMPLEMENTED, "grpc.cardinality",
                    "%s has more than one message; this method takes and gives one", what(g));
    return ERR_OK;
}

static enum err piece(void *ctx, str bytes, struct error *e)
{
    struct gather *g = ctx;
    buf_add(g->message, bytes);
    return buf_status(g->message, e);
}

static enum err end(void *ctx, struct error *e)
{
    (void)ctx, (void)e;
    return ERR_OK;
}

void gather_init(struct gather *g, struct buf *message, bool may_gzip, bool request)
{
    static const struct receive_sink sink = {begin, piece, end};
    *g = (struct gather){.message = message, .request = request};
    receive_init(&g->receive, message->max - message->len, may_gzip, &sink, g);
}

void gather_deinit(struct gather *g)
{
    receive_deinit(&g->receive);
}

size_t gather_memory(const struct gather *g)
{
    return g->message->cap + receive_memory(&g->receive);
}

enum err gather_feed(struct gather *g, str in, struct error *e)
{
    return receive_feed(&g->receive, in, e);
}

enum err gather_end(const struct gather *g, struct error *e)
{
    TRY(receive_end(&g->receive, e));
    if (g->n == 0)
        return FAIL(e, ERR_UNIMPLEMENTED, "grpc.cardinality",
                    "%s has no message; this method takes and gives one", what(g));
    return ERR_OK;
}
