/* The inflater's verdicts one by one, each beside what zlib says; how it takes pieces; its limits.
 */
#include "test.h"

#include "zip/inflate.h"

#include <stdlib.h>
#include <zlib.h>

static struct inflater *z;
static uint8_t stream[MIB(1)], text[MIB(1)], got[MIB(2)];
static size_t n_bits;

static void setup(void)
{
    z = malloc(sizeof *z);
    CHECK(z);
    inflate_init(z);
    memset(stream, 0, sizeof stream);
    n_bits = 0;
}

/* --- streams written bit by bit --- */

static void put(unsigned value, unsigned n)
{
    for (; n; n--, value >>= 1, n_bits++)
        stream[n_bits / 8] |= (uint8_t)((value & 1) << n_bits % 8);
}

static void put_block(unsigned last, unsigned type)
{
    put(last, 1);
    put(type, 2);
}

/* A fixed block's literal (RFC 1951 3.2.6), below 144. */
static void put_literal(unsigned byte)
{
    for (unsigned code = 0x30 + byte, i = 0; i < 8; i++)
        put(code >> (7 - i), 1);
}

static void put_reversed(unsigned code, unsigned n)
{
    while (n--)
        put(code >> n, 1);
}

/* The header of a dynamic block whose code length code gives 0, 1, 2 and 18 two bits each. */
static void put_dynamic(unsigned n_litlen, unsigned n_dist)
{
    static const uint8_t order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                      11, 4,  12, 3, 13, 2, 14, 1, 15};
    put_block(1, 2);
    put(n_litlen - 257, 5);
    put(n_dist - 1, 5);
    put(19 - 4, 4);
    for (unsigned i = 0; i < 19; i++)
        put(order[i] <= 2 || order[i] == 18 ? 2 : 0, 3);
}

static void put_length(unsigned len)
{
    put_reversed(len, 2);
}

static void put_zeros(unsigned n)
{
    for (; n >= 11; n -= MIN(n, 138u)) {
        put_reversed(3, 2);
        put(MIN(n, 138u) - 11, 7);
    }
    for (; n; n--)
        put_length(0);
}

/* --- verdicts --- */

static int by_zlib(size_t len, size_t *ret_out)
{
    z_stream zs = {
        .next_in = stream, .avail_in = (uInt)len, .next_out = got, .avail_out = sizeof got};
    CHECK(inflateInit2(&zs, -MAX_WBITS) == Z_OK);
    int r = inflate(&zs, Z_NO_FLUSH);
    *ret_out = zs.total_out;
    (void)inflateEnd(&zs);
    return r;
}

static enum inflate_end by_us(size_t len, size_t *ret_out)
{
    size_t used, at = 0;
    enum inflate_end end = INFLATE_FULL;
    inflate_start(z);
    *ret_out = 0;
    while (end == INFLATE_FULL) {
        end = inflate_some(z, stream + at, len - at, true, INFLATE_ROOM, &used);
        at += used;
        *ret_out += inflate_take(z).len;
    }
    return end;
}

static void check_verdict(enum inflate_end want, const char *problem)
{
    size_t len = (n_bits + 7) / 8, n_zlib, n_ours;
    int zlib = by_zlib(len, &n_zlib);
    enum inflate_end end = by_us(len, &n_ours);
    CHECK_INT(end, want);
    CHECK((zlib == Z_STREAM_END) == (want == INFLATE_DONE));
    CHECK((zlib == Z_DATA_ERROR) == (want == INFLATE_BAD));
    if (problem)
        CHECK_STR(str_c(z->problem), str_c(problem));
    if (want == INFLATE_DONE)
        CHECK_INT(n_ours, n_zlib);
}

TEST(nothing_is_a_truncated_stream)
{
    setup();
    check_verdict(INFLATE_TRUNCATED, NULL);
}

TEST(a_block_of_the_fourth_type_is_refused)
{
    setup();
    put_block(1, 3);
    check_verdict(INFLATE_BAD, "invalid block type");
}

TEST(a_stored_block_needs_its_complement)
{
    setup();
    put_block(1, 0);
    put(0, 5);
    put(3, 16);
    put(0xffff ^ 3, 16);
    put('a', 8);
    put('b', 8);
    check_verdict(INFLATE_TRUNCATED, NULL);
    put('c', 8);
    check_verdict(INFLATE_DONE, NULL);
    stream[3] ^= 1;
    check_verdict(INFLATE_BAD, "invalid stored block lengths");
}

TEST(empty_stored_blocks_may_follow_each_other)
{
    setup();
    for (unsigned last = 0; last < 2; last++) {
        put_block(last, 0);
        put(0, 5);
        put(0, 16);
        put(0xffff, 16);
    }
    check_verdict(INFLATE_DONE, NULL);
}

TEST(fixed_symbols_without_a_meaning_are_refused)
{
    for (unsigned symbol = 285; symbol <= 287; symbol++) {
        setup();
        put_block(1, 1);
        put_literal('a');
        put_reversed(0xc0 + symbol - 280, 8);
        put_reversed(0, 5); /* distance 1 */
        put_reversed(0, 7); /* the end */
        check_verdict(symbol == 285 ? INFLATE_DONE : INFLATE_BAD, NULL);
        free(z);
    }
    for (unsigned symbol = 29; symbol <= 31; symbol++) {
        setup();
        put_block(1, 1);
        for (unsigned i = 0; i < 24577; i++)
            put_literal('a');
        put_reversed(1, 7); /* length 3 */
        put_reversed(symbol, 5);
        put(0, 13);
        put_reversed(0, 7);
        check_verdict(symbol == 29 ? INFLATE_DONE : INFLATE_BAD,
                      symbol == 29 ? NULL : "invalid distance code");
        free(z);
    }
}

TEST(a_distance_reaches_the_first_byte_and_not_further)
{
    for (unsigned dist = 2; dist <= 3; dist++) {
        setup();
        put_block(1, 1);
        put_literal('a');
        put_literal('b');
        put_reversed(1, 7);
        put_reversed(dist - 1, 5);
        put_reversed(0, 7);
        check_verdict(dist == 2 ? INFLATE_DONE : INFLATE_BAD,
                      dist == 2 ? NULL : "invalid distance too far back");
        free(z);
    }
}

TEST(more_than_286_lengths_or_30_distances_are_refused)
{
    static const struct {
        unsigned n_litlen, n_dist;
        enum inflate_end want;
    } cases[] = {{286, 30, INFLATE_DONE},
                 {287, 30, INFLATE_BAD},
                 {286, 31, INFLATE_BAD},
                 {288, 1, INFLATE_BAD},
                 {257, 32, INFLATE_BAD}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        setup();
        put_dynamic(cases[i].n_litlen, cases[i].n_dist);
        put_zeros(255);
        put_length(1);
        put_length(1);
        put_zeros(cases[i].n_litlen - 257 + cases[i].n_dist);
        put_reversed(1, 1); /* the end */
        check_verdict(cases[i].want, NULL);
        free(z);
    }
}

/* Lengths of symbols 255 and 256, and of distances 0 and 1; then the bits of the block. */
static void check_lengths(unsigned l255, unsigned l256, unsigned d0, unsigned d1, unsigned bits,
                          unsigned n, enum inflate_end want, const char *problem)
{
    setup();
    put_dynamic(257, 2);
    put_zeros(255);
    put_length(l255);
    put_length(l256);
    put_length(d0);
    put_length(d1);
    put_reversed(bits, n);
    check_verdict(want, problem);
    free(z);
}

TEST(codes_are_complete_but_for_one_of_a_single_bit)
{
    check_lengths(1, 1, 0, 0, 1, 1, INFLATE_DONE, NULL);
    check_lengths(0, 1, 0, 0, 0, 1, INFLATE_DONE, NULL);
    check_lengths(0, 1, 0, 0, 1, 1, INFLATE_BAD, "invalid literal/length code");
    check_lengths(1, 0, 0, 0, 0, 1, INFLATE_BAD, "invalid code -- missing end-of-block");
    check_lengths(0, 2, 0, 0, 0, 2, INFLATE_BAD, "invalid literal/lengths set");
    check_lengths(1, 2, 0, 0, 0, 2, INFLATE_BAD, "invalid literal/lengths set");
    check_lengths(1, 1, 1, 0, 1, 1, INFLATE_DONE, NULL);
    check_lengths(1, 1, 0, 1, 1, 1, INFLATE_DONE, NULL);
    check_lengths(1, 1, 1, 1, 1, 1, INFLATE_DONE, NULL);
    check_lengths(1, 1, 2, 0, 1, 1, INFLATE_BAD, "invalid distances set");
    check_lengths(1, 1, 1, 2, 1, 1, INFLATE_BAD, "invalid distances set");
}

TEST(a_match_without_distance_codes_is_refused)
{
    setup();
    put_dynamic(258, 1);
    put_zeros(255);
    put_length(2); /* 255 */
    put_length(2); /* 256: the end */
    put_length(1); /* 257: length 3 */
    put_length(0);
    put_reversed(2, 2); /* 255 */
    put_reversed(0, 1); /* length 3 */
    put_reversed(0, 1);
    put_reversed(3, 2);
    check_verdict(INFLATE_BAD, "invalid distance code");
}

TEST(lengths_are_not_repeated_before_the_first_nor_beyond_the_last)
{
    setup();
    put_dynamic(257, 1);
    put_zeros(255);
    put_length(1);
    put_length(1);
    put_reversed(3, 2); /* eleven zeros where one is wanted */
    put(0, 7);
    check_verdict(INFLATE_BAD, "invalid bit length repeat");
    free(z);
    setup();
    put_block(1, 2);
    put(0, 5);
    put(0, 5);
    put(0, 4);
    put(1, 3); /* 16: one bit */
    put(1, 3); /* 17: one bit */
    put(0, 3);
    put(0, 3);
    put_reversed(0, 1);
    put(0, 2);
    check_verdict(INFLATE_BAD, "invalid bit length repeat");
}

TEST(the_code_of_code_lengths_is_complete)
{
    setup();
    put_block(1, 2);
    put(0, 5);
    put(0, 5);
    put(0, 4);
    put(1, 3);
    put(0, 9);
    put(0, 16);
    check_verdict(INFLATE_BAD, "invalid code lengths set");
}

TEST(bytes_behind_the_end_are_not_used)
{
    size_t used;
    setup();
    put_block(1, 1);
    put_reversed(0, 7);
    put(0xffff, 16);
    inflate_start(z);
    CHECK_INT(inflate_some(z, stream, 4, true, 100, &used), INFLATE_DONE);
    CHECK_INT(used, 2);
    CHECK_INT(inflate_take(z).len, 0);
}

/* --- pieces and limits --- */

static size_t compress_text(int level)
{
    uint32_t seed = 1;
    z_stream zs = {
        .next_in = text, .avail_in = sizeof text, .next_out = stream, .avail_out = sizeof stream};
    for (size_t i = 0; i < sizeof text; i++) {
        seed = seed * 1664525 + 1013904223;
        text[i] =
            i > 40000 && seed >> 29 ? text[i - 1 - (seed >> 8) % 32768] : (uint8_t)(seed >> 27);
    }
    CHECK(deflateInit2(&zs, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    CHECK(deflate(&zs, Z_FINISH) == Z_STREAM_END);
    (void)deflateEnd(&zs);
    return zs.total_out;
}

static void check_pieces(size_t len, size_t piece, size_t max_out)
{
    size_t at = 0, n = 0, used;
    enum inflate_end end;
    inflate_start(z);
    do {
        size_t give = MIN(piece, len - at);
        end = inflate_some(z, stream + at, give, give == len - at, max_out, &used);
        str out = inflate_take(z);
        CHECK(out.len < max_out + 258);
        CHECK(n + out.len <= sizeof text && memcmp(text + n, out.p, out.len) == 0);
        n += out.len;
        at += used;
    } while (end == INFLATE_MORE || end == INFLATE_FULL);
    CHECK_INT(end, INFLATE_DONE);
    CHECK_INT(n, sizeof text);
    CHECK_INT(at, len);
}

TEST(pieces_and_rooms_of_any_size_give_the_same_bytes)
{
    setup();
    for (int level = 1; level <= 9; level += 4) {
        size_t len = compress_text(level);
        check_pieces(len, SIZE_MAX, INFLATE_ROOM);
        check_pieces(len, INFLATE_PIECE_MIN, INFLATE_ROOM);
        check_pieces(len, 4093, 1000);
        check_pieces(len, 65536, 1);
    }
}

TEST(every_prefix_of_a_stream_is_truncated)
{
    size_t n;
    setup();
    size_t len = compress_text(9);
    for (size_t cut = 0; cut < len; cut += cut < 2000 || cut > len - 100 ? 1 : 7919)
        CHECK_INT(by_us(cut, &n), INFLATE_TRUNCATED);
    CHECK_INT(by_us(len, &n), INFLATE_DONE);
}

TEST(blocks_are_counted_up_to_the_maximum)
{
    size_t used;
    setup();
    for (unsigned i = 0; i < 10; i++) {
        put_block(i == 9, 1);
        put_reversed(0, 7);
    }
    inflate_start(z);
    z->max_blocks = 10;
    CHECK_INT(inflate_some(z, stream, 13, true, 1, &used), INFLATE_DONE);
    CHECK_INT(z->n_blocks, 10);
    inflate_start(z);
    z->max_blocks = 9;
    CHECK_INT(inflate_some(z, stream, 13, true, 1, &used), INFLATE_BUDGET);
}
