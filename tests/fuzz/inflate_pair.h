/* One deflate stream through both inflaters: ours and zlib's. */
#ifndef STIGMER_TESTS_INFLATE_PAIR_H
#define STIGMER_TESTS_INFLATE_PAIR_H

#include "zip/inflate.h"

#include <stdlib.h>
#include <zlib.h>

#define PAIR_OUT_MAX MIB(4) /* longer outputs are compared up to here */

enum pair_verdict { PAIR_WHOLE, PAIR_TRUNCATED, PAIR_BAD, PAIR_LONG };

struct pair_result {
    enum pair_verdict verdict;
    size_t used, n_out;
    uint32_t crc; /* of the output; only where the verdict is PAIR_WHOLE */
};

static inline struct pair_result pair_zlib(const uint8_t *p, size_t len)
{
    static uint8_t out[KIB(64)];
    z_stream zs = {.next_in = (Bytef *)(uintptr_t)p, .avail_in = (uInt)len};
    struct pair_result r = {0};
    int z = inflateInit2(&zs, -MAX_WBITS);
    while (z == Z_OK && r.n_out <= PAIR_OUT_MAX) {
        zs.next_out = out;
        zs.avail_out = sizeof out;
        z = inflate(&zs, Z_NO_FLUSH);
        r.crc = (uint32_t)crc32_z(r.crc, out, sizeof out - zs.avail_out);
        r.n_out += sizeof out - zs.avail_out;
    }
    r.used = len - zs.avail_in;
    r.verdict = r.n_out > PAIR_OUT_MAX ? PAIR_LONG
                : z == Z_STREAM_END    ? PAIR_WHOLE
                : z == Z_BUF_ERROR     ? PAIR_TRUNCATED
                                       : PAIR_BAD;
    (void)inflateEnd(&zs);
    return r;
}

/* In pieces of piece_len bytes (at least INFLATE_PIECE_MIN), at most max_out bytes of output each.
 */
static inline struct pair_result pair_ours(struct inflater *z, const uint8_t *p, size_t len,
                                           size_t piece_len, size_t max_out)
{
    enum inflate_end end = INFLATE_MORE;
    struct pair_result r = {0};
    inflate_start(z);
    while ((end == INFLATE_MORE || end == INFLATE_FULL) && r.n_out <= PAIR_OUT_MAX) {
        size_t left = len - r.used, n = MIN(left, piece_len), used;
        uint8_t *copy = malloc(n ? n : 1); /* so that a read behind the piece is seen */
        if (!copy)
            abort();
        memcpy(copy, p + r.used, n);
        end = inflate_some(z, copy, n, n == left, max_out, &used);
        free(copy);
        str out = inflate_take(z);
        r.crc = (uint32_t)crc32_z(r.crc, (const Bytef *)out.p, out.len);
        r.n_out += out.len;
        r.used += used;
    }
    r.verdict = r.n_out > PAIR_OUT_MAX     ? PAIR_LONG
                : end == INFLATE_DONE      ? PAIR_WHOLE
                : end == INFLATE_TRUNCATED ? PAIR_TRUNCATED
                                           : PAIR_BAD;
    return r;
}

/* A stream is accepted by both, with the same output and the same bytes used, or by none. Where
 * both refuse it they may stop at different bits: zlib goes on for a while after a set of code
 * lengths without any code. */
static inline bool pair_agrees(const struct pair_result *a, const struct pair_result *b)
{
    if (a->verdict == PAIR_LONG || b->verdict == PAIR_LONG)
        return a->verdict == b->verdict;
    if (a->verdict != PAIR_WHOLE && b->verdict != PAIR_WHOLE)
        return true;
    return a->verdict == b->verdict && a->used == b->used && a->n_out == b->n_out &&
           a->crc == b->crc;
}

#endif
