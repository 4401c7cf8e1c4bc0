/* Decoding tables for canonical Huffman codes (RFC 1951 3.2.2). Private to the inflater. */
#ifndef STIGMER_ZIP_INFLATE_TABLES_H
#define STIGMER_ZIP_INFLATE_TABLES_H

#include <stdbool.h>
#include <stdint.h>

/*
 * An entry says what the bits that lead to it mean:
 *   bits  0-5   how many bits to use up: of the code, and of the extra bits behind it
 *   bit   6     two literals, with LITERAL
 *   bit   7     LITERAL: its byte is in bits 16-23, a second one's in bits 24-31
 *   bits  8-11  how many of the bits to use up are the code's
 *   bit   13    the end of the block          (with SPECIAL)
 *   bit   14    go on in a further table      (with SPECIAL)
 *   bit   15    SPECIAL: not a length or distance; with neither bit 13 nor 14 it is invalid
 *   bits 16-31  the base of a length or distance, or where the further table is; for that one bits
 *               8-11 say how many bits index it
 */
#define ENTRY_PAIR    0x40u
#define ENTRY_LITERAL 0x80u
#define ENTRY_SPECIAL 0x8000u
#define ENTRY_FURTHER 0x4000u
#define ENTRY_END     0x2000u

static inline unsigned entry_used(uint32_t e)
{
    return e & 0x3f;
}
static inline unsigned entry_code_len(uint32_t e)
{
    return e >> 8 & 0xf;
}
static inline unsigned entry_value(uint32_t e)
{
    return e >> 16;
}

enum code_kind {
    CODE_PRE,  /* must be complete */
    CODE_MAIN, /* may also be one code of one bit, or nothing (inftrees.c, inflate_table) */
};

#define CODE_LEN_MAX     15
#define CODE_SYMBOLS_MAX 288

/* In: the length of each symbol's code, 0 to 15, 0 = it has none; symbols[i], the entry of symbol i
 * without its code's length.
 * Out: table, of a size that is enough for root_bits. False: zlib refuses these lengths. */
bool table_build(uint32_t *table, unsigned root_bits, const uint8_t *lengths, unsigned n,
                 const uint32_t *symbols, enum code_kind kind);

#endif
