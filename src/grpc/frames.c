#include "grpc/frames.h"

#include "base/macro.h"

#include <inttypes.h>

void frames_init(struct frames *f, uint64_t max)
{
    *f = (struct frames){.max = max};
}

static void take_prefix(struct frames *f, str *in)
{
    size_t n = MIN(in->len, (size_t)(FRAMES_PREFIX - f->n_prefix));
    if (n)
        memcpy(f->prefix + f->n_prefix, in->p, n);
    f->n_prefix += (unsigned)n;
    *in = str_skip(*in, n);
}

static enum err begin(struct frames *f, struct error *e)
{
    const uint8_t *p = f->prefix;
    f->len = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
    if (p[0] > 1)
        return FAIL(e, ERR_INTERNAL, "grpc.frame.flag",
                    "the compressed flag of a message is %u, not 0 or 1", p[0]);
    if (f->len > f->max)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "grpc.frame.too_large",
                    "the message has %" PRIu32 " bytes, the limit is %" PRIu64 " bytes", f->len,
                    f->max);
    f->compressed = p[0];
    f->left = f->len;
    f->inside = true;
    f->n_prefix = 0;
    return ERR_OK;
}

enum err frames_next(struct frames *f, str *in, enum frames_event *ret, str *ret_piece,
                     struct error *e)
{
    if (!f->inside) {
        take_prefix(f, in);
        *ret = f->n_prefix == FRAMES_PREFIX ? FRAMES_BEGIN : FRAMES_NONE;
        return *ret == FRAMES_BEGIN ? begin(f, e) : ERR_OK;
    }
    if (f->left == 0) {
        f->inside = false;
        *ret = FRAMES_END;
        return ERR_OK;
    }
    *ret_piece = str_head(*in, f->left);
    *in = str_skip(*in, ret_piece->len);
    f->left -= (uint32_t)ret_piece->len;
    *ret = ret_piece->len ? FRAMES_PIECE : FRAMES_NONE;
    return ERR_OK;
}

enum err frames_end(const struct frames *f, struct error *e)
{
    if (f->inside)
        return FAIL(e, ERR_INVALID_ARGUMENT, "grpc.frame.truncated",
                    "the stream ended %" PRIu32 " bytes before the end of a message of %" PRIu32,
                    f->left, f->len);
    if (f->n_prefix)
        return FAIL(e, ERR_INVALID_ARGUMENT, "grpc.frame.truncated",
                    "the stream ended inside a message's 5-byte prefix");
    return ERR_OK;
}

void frames_prefix(uint32_t len, uint8_t out[FRAMES_PREFIX])
{
    out[0] = 0;
    out[1] = (uint8_t)(len >> 24);
    out[2] = (uint8_t)(len >> 16);
    out[3] = (uint8_t)(len >> 8);
    out[4] = (uint8_t)len;
}
