/*
 * A raw deflate (RFC 1951) inflater that refuses exactly what zlib's inflate() refuses.
 *
 * Why our own: the verdict must be zlib's, at twice zlib's speed. Faster libraries exist, but each
 * accepts streams that zlib refuses (ARCHITECTURE.md, "Decisions"), and what they wave through
 * some extractors refuse. Here every condition of zlib's inflate.c and inftrees.c has its line;
 * tests/fuzz/differ_inflate.c shows the agreement on millions of nearly right streams.
 * Model: input comes in pieces of one contiguous stream, output goes to a buffer of the inflater's
 * own, behind the last 32 KiB that came before. The inflater stops only between symbols; what it
 * did not use of a piece is given again in the next one, with more behind it.
 * Memory: one struct, about 150 KiB. Threads: none inside.
 */
#ifndef STIGMER_ZIP_INFLATE_H
#define STIGMER_ZIP_INFLATE_H

#include "base/macro.h"
#include "base/str.h"

#define INFLATE_HISTORY KIB(32)
#define INFLATE_ROOM    KIB(96)
#define INFLATE_SLACK   320 /* one step may write so much beyond: a match, and whole words of it */

/* A piece that is not the last one must be longer than the longest block header: 3 + 14 + 19 × 3
 * + 316 × 14 bits. */
#define INFLATE_PIECE_MIN 1024

/* Sizes of decoding tables with these root bits: the most that a complete code of 15 bits can need
 * ("enough" in zlib's examples, for 288 and 32 symbols). */
#define INFLATE_LITLEN_BITS 11
#define INFLATE_LITLEN_SIZE 2342
#define INFLATE_DIST_BITS   8
#define INFLATE_DIST_SIZE   402
#define INFLATE_PRE_BITS    7

struct inflater {
    enum { INFLATE_HEADER, INFLATE_STORED, INFLATE_CODES } state;
    bool last_block;
    bool fixed_tables;    /* litlen and dist are those of a fixed block */
    bool no_distances;    /* some block has codes for lengths and none for distances */
    uint8_t bits, n_bits; /* of the byte before the next one: n_bits < 8 are not used yet */
    uint32_t stored_left;
    uint64_t n_blocks;   /* begun */
    uint64_t max_blocks; /* INFLATE_BUDGET when more begin; the owner may change it */
    size_t n_history;    /* bytes that came before, at most INFLATE_HISTORY */
    size_t n_out;        /* new bytes behind them */
    const char *problem; /* set with INFLATE_BAD; static */
    uint32_t litlen[INFLATE_LITLEN_SIZE];
    uint32_t dist[INFLATE_DIST_SIZE];
    uint32_t litlen_symbols[288], dist_symbols[32], pre_symbols[19];
    uint8_t out[INFLATE_HISTORY + INFLATE_ROOM + INFLATE_SLACK];
};

enum inflate_end {
    INFLATE_MORE,      /* wants the next piece */
    INFLATE_FULL,      /* max_out or more bytes are in the buffer */
    INFLATE_DONE,      /* the stream ended */
    INFLATE_TRUNCATED, /* the last piece ended before the stream */
    INFLATE_BAD,       /* zlib would refuse it */
    INFLATE_BUDGET,    /* more than max_blocks blocks */
};

/* Fills in the parts that never change. Once per struct; it may hold anything. */
void inflate_init(struct inflater *z);
/* To the beginning of a stream. */
void inflate_start(struct inflater *z);
/* Goes on with p[0..len): len >= INFLATE_PIECE_MIN unless last. max_out: stop when so many new
 * bytes are in the buffer, 1 to INFLATE_ROOM; a match may bring up to 257 more. Out: *ret_used
 * bytes of the piece are done with. */
enum inflate_end inflate_some(struct inflater *z, const uint8_t *p, size_t len, bool last,
                              size_t max_out, size_t *ret_used);
/* The new bytes; valid until the next inflate_some, which continues behind them. */
str inflate_take(struct inflater *z);

#endif
