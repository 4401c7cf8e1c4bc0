/*
 * Our inflater against zlib on streams made to be nearly right.
 *
 *     differ_inflate N [SEED]
 *
 * Three kinds in turn: zlib's own streams with a few bits flipped, bytes changed, or cut and
 * joined; block headers written field by field with code lengths that are complete, or one too many
 * or too few; and random bits behind a header that is right. Prints how many each side accepted,
 * and ends with 1 when they disagree on any, whose bytes it prints.
 */
#include "inflate_pair.h"

#include <stdio.h>

#define STREAM_MAX 4096

static uint64_t state;

static uint32_t rnd(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % n);
}

struct stream {
    uint8_t b[STREAM_MAX];
    size_t n_bits;
};

static void put(struct stream *s, unsigned value, unsigned n)
{
    for (; n && s->n_bits < 8 * (STREAM_MAX - 8); n--, value >>= 1, s->n_bits++)
        s->b[s->n_bits / 8] |= (uint8_t)((value & 1) << s->n_bits % 8);
}

static size_t bytes_of(const struct stream *s)
{
    return (s->n_bits + 7) / 8;
}

/* --- zlib's streams, changed --- */

static void compress_text(struct stream *s)
{
    static const int strategies[] = {Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE,
                                     Z_FIXED};
    uint8_t text[1500];
    uInt n = rnd(sizeof text), kinds = 1 + rnd(60), repeat = 1 + rnd(8);
    for (uInt i = 0; i < n; i++)
        text[i] = i && rnd(repeat) ? text[rnd(i)] : (uint8_t)(rnd(kinds) * 4);
    z_stream zs = {.next_in = text, .avail_in = n, .next_out = s->b, .avail_out = STREAM_MAX};
    if (deflateInit2(&zs, (int)rnd(10), Z_DEFLATED, -9 - (int)rnd(7), 1 + (int)rnd(9),
                     strategies[rnd(5)]) != Z_OK)
        abort();
    if (deflate(&zs, Z_FINISH) != Z_STREAM_END)
        abort();
    s->n_bits = 8 * zs.total_out;
    (void)deflateEnd(&zs);
}

static void change(struct stream *s)
{
    size_t len = bytes_of(s), at = rnd((uint32_t)len);
    if (rnd(2)) /* headers are at the beginning */
        at = rnd((uint32_t)MIN(len, (size_t)60));
    switch (rnd(5)) {
    case 0:
        s->b[at] = (uint8_t)rnd(256);
        return;
    case 1:
        s->n_bits = 8 * at;
        return;
    case 2:
        memmove(s->b + at, s->b + at + 1, len - at - 1);
        return;
    default:
        s->b[at] ^= (uint8_t)(1 << rnd(8));
    }
}

static void make_changed(struct stream *s)
{
    compress_text(s);
    for (uint32_t n = rnd(4); n && s->n_bits; n--)
        change(s);
}

/* --- headers, field by field --- */

/* A complete code for n of the symbols: the shortest code is split until there are enough. */
static void complete_lengths(uint8_t *lengths, unsigned n_symbols, unsigned n, unsigned max)
{
    uint8_t at[320], len[320] = {0};
    memset(lengths, 0, n_symbols);
    for (unsigned i = 0; i < n_symbols; i++)
        at[i] = 0;
    unsigned have = 1;
    while (have < n) {
        unsigned i = rnd(have);
        for (unsigned tries = 0; len[i] >= max && tries < 400; tries++)
            i = (i + 1) % have;
        if (len[i] >= max)
            break;
        len[have++] = ++len[i];
    }
    for (unsigned i = 0; i < have; i++) {
        unsigned symbol = rnd(n_symbols);
        while (at[symbol])
            symbol = (symbol + 1) % n_symbols;
        at[symbol] = 1;
        lengths[symbol] = have == 1 ? 1 : len[i];
    }
}

static void spoil(uint8_t *lengths, unsigned n, unsigned max)
{
    unsigned i = rnd(n);
    lengths[i] = (uint8_t)(rnd(3) ? rnd(max + 1) : 0);
}

/* The codes that lengths stand for, to be written lowest bit first. */
static void codes_of(const uint8_t *lengths, unsigned n, uint16_t *codes)
{
    unsigned next = 0;
    for (unsigned len = 1; len <= 15; len++, next <<= 1)
        for (unsigned i = 0; i < n; i++)
            if (lengths[i] == len) {
                unsigned reversed = 0;
                for (unsigned b = 0; b < len; b++)
                    reversed |= (next >> b & 1) << (len - 1 - b);
                codes[i] = (uint16_t)reversed;
                next++;
            }
}

static void put_lengths(struct stream *s, const uint8_t *all, unsigned n, const uint8_t *pre,
                        const uint16_t *codes)
{
    for (unsigned i = 0; i < n;) {
        unsigned run = 1, symbol = all[i];
        while (i + run < n && all[i + run] == all[i])
            run++;
        if (all[i] == 0 && run >= 3 && pre[17] && rnd(8)) {
            symbol = run >= 11 && pre[18] ? 18 : 17;
            run = MIN(run, symbol == 18 ? 138u : 10u);
        } else if (i && all[i] == all[i - 1] && run >= 3 && pre[16] && rnd(8)) {
            symbol = 16;
            run = MIN(run, 6u);
        } else {
            run = 1;
        }
        put(s, codes[symbol], pre[symbol]);
        if (symbol >= 16)
            put(s, run - (symbol == 18 ? 11 : 3), symbol == 16 ? 2 : symbol == 17 ? 3 : 7);
        i += run;
    }
}

static void make_header(struct stream *s)
{
    static const uint8_t order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                      11, 4,  12, 3, 13, 2, 14, 1, 15};
    uint8_t all[320], pre[19];
    uint16_t codes[19] = {0};
    unsigned n_litlen = 257 + rnd(rnd(8) ? 30 : 32), n_dist = 1 + rnd(rnd(8) ? 30 : 32);
    unsigned wanted = rnd(6) ? 2 + rnd(n_litlen - 2) : 1 + rnd(2);
    complete_lengths(all, n_litlen, wanted, 15);
    if (rnd(10) && all[256] == 0) { /* mostly there is an end of the block */
        unsigned i = rnd(n_litlen);
        while (!all[i])
            i = (i + 1) % n_litlen;
        all[256] = all[i];
        all[i] = 0;
    }
    complete_lengths(all + n_litlen, n_dist, rnd(4) ? 1 + rnd(n_dist) : rnd(2), 15);
    if (!rnd(4))
        spoil(all, n_litlen, 15);
    if (!rnd(4))
        spoil(all + n_litlen, n_dist, 15);
    complete_lengths(pre, 19, 19, 7);
    if (!rnd(12))
        spoil(pre, 19, 7);
    codes_of(pre, 19, codes);
    put(s, rnd(8) ? 1 : 0, 1);
    put(s, 2, 2);
    put(s, n_litlen - 257, 5);
    put(s, n_dist - 1, 5);
    put(s, 15, 4);
    for (unsigned i = 0; i < 19; i++)
        put(s, pre[order[i]], 3);
    put_lengths(s, all, MIN(n_litlen + n_dist, 320u), pre, codes);
    for (unsigned n = rnd(200); n; n--)
        put(s, rnd(256), 8);
}

static void make_random(struct stream *s)
{
    put(s, rnd(2), 1);
    put(s, rnd(16) ? 1 + rnd(2) : rnd(4), 2);
    for (unsigned n = rnd(300); n; n--)
        put(s, rnd(256), 8);
}

/* --- the comparison --- */

static void print_stream(const struct stream *s, const struct pair_result *zlib,
                         const struct pair_result *ours)
{
    printf("# zlib: %d, %zu used, %zu out; ours: %d, %zu used, %zu out:", zlib->verdict, zlib->used,
           zlib->n_out, ours->verdict, ours->used, ours->n_out);
    for (size_t i = 0; i < bytes_of(s); i++)
        printf(" %02x", s->b[i]);
    printf("\n");
}

int main(int argc, char **argv)
{
    unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000, accepted[3] = {0}, differ = 0;
    static void (*const make[])(struct stream *) = {make_changed, make_header, make_random};
    struct inflater *z = malloc(sizeof *z);
    if (!z)
        return 2;
    inflate_init(z);
    state = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    for (unsigned long i = 0; i < n; i++) {
        struct stream s = {.n_bits = 0};
        make[i % 3](&s);
        struct pair_result zlib = pair_zlib(s.b, bytes_of(&s));
        struct pair_result ours =
            pair_ours(z, s.b, bytes_of(&s), INFLATE_PIECE_MIN + rnd(1000), 1 + rnd(5000));
        accepted[i % 3] += zlib.verdict == PAIR_WHOLE;
        if (pair_agrees(&zlib, &ours))
            continue;
        differ++;
        print_stream(&s, &zlib, &ours);
    }
    printf("1..1\n# %lu streams; accepted: %lu changed, %lu headers, %lu random; %lu differ\n", n,
           accepted[0], accepted[1], accepted[2], differ);
    /* A generator that makes nothing good, or nothing bad, shows nothing. */
    bool both = accepted[0] && accepted[1] && accepted[0] + accepted[1] + accepted[2] < n / 2;
    printf("%sok 1 - the verdicts are the same\n", differ || !both ? "not " : "");
    free(z);
    return differ || !both;
}
