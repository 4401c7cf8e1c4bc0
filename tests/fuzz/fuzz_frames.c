/*
 * Frames and gzip: no cut of the input changes the messages that come out, and nothing larger than
 * the limit comes out. Input: the bytes of a stream, with grpc-encoding gzip.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "base/macro.h"
#include "grpc/receive.h"

#define LIMIT KIB(64)

struct result {
    struct buf out; /* every message and a mark after each */
    size_t len;     /* of the message that is coming */
    enum err err;
};

static enum err begin(void *ctx, struct error *e)
{
    (void)e;
    ((struct result *)ctx)->len = 0;
    return ERR_OK;
}

static enum err piece(void *ctx, str bytes, struct error *e)
{
    struct result *r = ctx;
    r->len += bytes.len;
    FUZZ_CHECK(r->len <= LIMIT);
    buf_add(&r->out, bytes);
    return buf_status(&r->out, e);
}

static enum err end(void *ctx, struct error *e)
{
    struct result *r = ctx;
    buf_addf(&r->out, "<%zu>", r->len);
    return buf_status(&r->out, e);
}

static void run(struct result *r, str in, size_t step)
{
    static const struct receive_sink sink = {begin, piece, end};
    struct receive receive;
    struct error e;
    *r = (struct result){0};
    buf_init(&r->out, MIB(16));
    receive_init(&receive, LIMIT, true, &sink, r);
    while (in.len && r->err == ERR_OK) {
        str part = str_head(in, step);
        in = str_skip(in, part.len);
        r->err = receive_feed(&receive, part, &e);
    }
    if (r->err == ERR_OK)
        r->err = receive_end(&receive, &e);
    receive_deinit(&receive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct result at_once, cut;
    run(&at_once, str_of(data, size), SIZE_MAX);
    run(&cut, str_of(data, size), size > 512 ? 7 : 1);
    /* Of two failures (too large, bad data) the cut decides which comes first, and how much came
     * out before it. */
    FUZZ_CHECK((at_once.err == ERR_OK) == (cut.err == ERR_OK));
    FUZZ_CHECK(at_once.err != ERR_OK || str_eq(buf_view(&at_once.out), buf_view(&cut.out)));
    buf_deinit(&at_once.out);
    buf_deinit(&cut.out);
    return 0;
}
