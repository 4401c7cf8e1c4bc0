/* Makes gzip data for the tests. */
#ifndef STIGMER_TESTS_DEFLATE_H
#define STIGMER_TESTS_DEFLATE_H

#include "test.h"

#include "base/buf.h"

#include <zlib.h>

static inline void gzip_add(struct buf *to, str in)
{
    z_stream z = {0};
    CHECK(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    size_t room = deflateBound(&z, in.len);
    z.next_in = (Bytef *)(uintptr_t)in.p;
    z.avail_in = (uInt)in.len;
    z.next_out = (Bytef *)buf_reserve(to, room);
    z.avail_out = (uInt)room;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    to->len += room - z.avail_out;
    CHECK(deflateEnd(&z) == Z_OK);
}

#endif
