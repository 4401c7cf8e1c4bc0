/* Arbitrary bytes as a deflate stream: our inflater says what zlib says. The first bytes choose how
 * the stream is cut into pieces. */
#include "fuzz.h"

#include "inflate_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct inflater *z;
    if (!z) {
        z = malloc(sizeof *z);
        FUZZ_CHECK(z);
        inflate_init(z);
    }
    if (size < 2)
        return 0;
    size_t piece = INFLATE_PIECE_MIN + data[0] * 16u, max_out = 1 + data[1] * 200u;
    struct pair_result want = pair_zlib(data + 2, size - 2);
    struct pair_result whole = pair_ours(z, data + 2, size - 2, SIZE_MAX, INFLATE_ROOM);
    struct pair_result pieces = pair_ours(z, data + 2, size - 2, piece, max_out);
    FUZZ_CHECK(pair_agrees(&want, &whole));
    FUZZ_CHECK(pair_agrees(&want, &pieces));
    return 0;
}
