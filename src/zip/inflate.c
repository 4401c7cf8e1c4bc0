#include "zip/inflate.h"

#include "zip/inflate_tables.h"

#include <endian.h>

_Static_assert(INFLATE_LITLEN_SIZE <= 1 << 16, "entry_value holds 16 bits");

/* What a whole round of the fast loop may read: two words. */
#define FAST_INPUT 32

/* RFC 1951 3.2.5. Symbols 286 and 287, 30 and 31 have codes in fixed blocks and no meaning. */
static const uint16_t length_base[] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                       15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                       67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                       2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t dist_base[] = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                     33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                     1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
static const uint8_t dist_extra[] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                     6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

/* --- input, bit by bit --- */

struct bits {
    const uint8_t *next, *end;
    uint64_t buf; /* the next bit is the lowest; above n bits there may be copies of what follows */
    unsigned n;   /* bits in buf, made up ones included */
    unsigned made_up; /* zeros behind the end */
};

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return le64toh(v);
}

static void refill_bytewise(struct bits *b)
{
    for (; b->n <= 56; b->n += 8) {
        if (b->next < b->end)
            b->buf |= (uint64_t)*b->next++ << b->n;
        else
            b->made_up += 8;
    }
}

/* Where 8 bytes are there. */
static inline void refill_word(struct bits *b)
{
    b->buf |= load64(b->next) << b->n;
    b->next += (63 - b->n) >> 3;
    b->n |= 56;
}

/* At least 56 bits. */
static inline void refill(struct bits *b)
{
    if (b->end - b->next >= 8)
        refill_word(b);
    else
        refill_bytewise(b);
}

static inline unsigned peek(const struct bits *b, unsigned n)
{
    return (unsigned)(b->buf & ((1u << n) - 1));
}

static inline void drop(struct bits *b, unsigned n)
{
    b->buf >>= n;
    b->n -= n;
}

/* More bits were used than the input has. */
static inline bool overrun(const struct bits *b)
{
    return b->n < b->made_up;
}

static unsigned take(struct bits *b, unsigned n)
{
    unsigned v = peek(b, n);
    drop(b, n);
    return v;
}

/* --- block headers --- */

static enum inflate_end bad(struct inflater *z, const char *problem)
{
    z->problem = problem;
    return INFLATE_BAD;
}

/* Whole bytes that were read ahead go back to the input. */
static void put_back(struct bits *b)
{
    unsigned real = b->n > b->made_up ? b->n - b->made_up : 0;
    b->next -= real >> 3;
    b->n = real & 7;
    b->buf &= (1u << b->n) - 1;
    b->made_up = 0;
}

static enum inflate_end begin_stored(struct inflater *z, struct bits *b)
{
    drop(b, b->n & 7);
    refill(b);
    unsigned len = take(b, 16), complement = take(b, 16);
    if (overrun(b))
        return INFLATE_TRUNCATED;
    if (len != (complement ^ 0xffff))
        return bad(z, "invalid stored block lengths");
    put_back(b);
    z->stored_left = len;
    z->state = INFLATE_STORED;
    return INFLATE_MORE;
}

static void begin_fixed(struct inflater *z)
{
    uint8_t lengths[288];
    z->state = INFLATE_CODES;
    if (z->fixed_tables)
        return;
    memset(lengths, 8, 144);
    memset(lengths + 144, 9, 112);
    memset(lengths + 256, 7, 24);
    memset(lengths + 280, 8, 8);
    (void)table_build(z->litlen, INFLATE_LITLEN_BITS, lengths, 288, z->litlen_symbols, CODE_MAIN);
    memset(lengths, 5, 32);
    (void)table_build(z->dist, INFLATE_DIST_BITS, lengths, 32, z->dist_symbols, CODE_MAIN);
    z->fixed_tables = true;
}

struct code_lengths {
    unsigned n_litlen, n_dist, n_pre;
    uint8_t pre[19];
    uint8_t v[286 + 30 + 138]; /* a last repetition is written whole and then found too long */
};

static enum inflate_end read_counts(struct inflater *z, struct bits *b, struct code_lengths *c)
{
    c->n_litlen = take(b, 5) + 257;
    c->n_dist = take(b, 5) + 1;
    c->n_pre = take(b, 4) + 4;
    if (overrun(b))
        return INFLATE_TRUNCATED;
    if (c->n_litlen > 286 || c->n_dist > 30)
        return bad(z, "too many length or distance symbols");
    return INFLATE_MORE;
}

static enum inflate_end read_pre_code(struct inflater *z, struct bits *b, struct code_lengths *c,
                                      uint32_t *table)
{
    static const uint8_t order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                      11, 4,  12, 3, 13, 2, 14, 1, 15};
    memset(c->pre, 0, sizeof c->pre);
    for (unsigned i = 0; i < c->n_pre; i++) {
        refill(b);
        c->pre[order[i]] = (uint8_t)take(b, 3);
    }
    if (overrun(b))
        return INFLATE_TRUNCATED;
    if (!table_build(table, INFLATE_PRE_BITS, c->pre, 19, z->pre_symbols, CODE_PRE))
        return bad(z, "invalid code lengths set");
    return INFLATE_MORE;
}

/* How often, and what, symbols 16 to 18 repeat (RFC 1951 3.2.7). */
static unsigned repetition(struct bits *b, unsigned symbol)
{
    if (symbol == 16)
        return 3 + take(b, 2);
    return symbol == 17 ? 3 + take(b, 3) : 11 + take(b, 7);
}

static enum inflate_end read_lengths(struct inflater *z, struct bits *b, struct code_lengths *c,
                                     const uint32_t *table)
{
    unsigned n = 0, all = c->n_litlen + c->n_dist;
    while (n < all) {
        refill(b);
        uint32_t entry = table[peek(b, INFLATE_PRE_BITS)];
        unsigned symbol = entry_value(entry), times = 1;
        drop(b, entry_used(entry));
        if (symbol >= 16)
            times = repetition(b, symbol);
        if (overrun(b))
            return INFLATE_TRUNCATED;
        if ((symbol == 16 && n == 0) || times > all - n)
            return bad(z, "invalid bit length repeat");
        uint8_t len = symbol < 16 ? (uint8_t)symbol : symbol == 16 ? c->v[n - 1] : 0;
        for (unsigned end = n + times; n < end; n++)
            c->v[n] = len;
    }
    return INFLATE_MORE;
}

/* Where literals have codes so short that two of them often fit into the bits of one look-up, they
 * become one entry. A code of one bit for a single literal makes the most symbols of all. */
#define SHORT_CODE 3

static bool has_short_literals(const uint8_t *lengths)
{
    for (unsigned i = 0; i < 256; i++)
        if (lengths[i] && lengths[i] <= SHORT_CODE)
            return true;
    return false;
}

/* From the end, so that the second literal's entry, which comes before, is still one. */
static void pair_literals(uint32_t *table)
{
    for (unsigned i = 1u << INFLATE_LITLEN_BITS; i--;) {
        uint32_t first = table[i];
        if (!(first & ENTRY_LITERAL))
            continue;
        uint32_t second = table[i >> entry_used(first)];
        unsigned used = entry_used(first) + entry_used(second);
        if (second & ENTRY_LITERAL && used <= INFLATE_LITLEN_BITS)
            table[i] = ENTRY_LITERAL | ENTRY_PAIR | used | used << 8 | entry_value(first) << 16 |
                       entry_value(second) << 24;
    }
}

static bool has_distances(const struct code_lengths *c)
{
    for (unsigned i = c->n_litlen; i < c->n_litlen + c->n_dist; i++)
        if (c->v[i])
            return true;
    return false;
}

static enum inflate_end build_codes(struct inflater *z, const struct code_lengths *c)
{
    if (c->v[256] == 0)
        return bad(z, "invalid code -- missing end-of-block");
    if (!table_build(z->litlen, INFLATE_LITLEN_BITS, c->v, c->n_litlen, z->litlen_symbols,
                     CODE_MAIN))
        return bad(z, "invalid literal/lengths set");
    if (has_short_literals(c->v))
        pair_literals(z->litlen);
    if (!table_build(z->dist, INFLATE_DIST_BITS, c->v + c->n_litlen, c->n_dist, z->dist_symbols,
                     CODE_MAIN))
        return bad(z, "invalid distances set");
    z->no_distances |= c->n_litlen > 257 && !has_distances(c);
    z->state = INFLATE_CODES;
    return INFLATE_MORE;
}

static enum inflate_end begin_dynamic(struct inflater *z, struct bits *b)
{
    struct code_lengths c;
    uint32_t table[1 << INFLATE_PRE_BITS];
    z->fixed_tables = false;
    enum inflate_end end = read_counts(z, b, &c);
    if (end == INFLATE_MORE)
        end = read_pre_code(z, b, &c, table);
    if (end == INFLATE_MORE)
        end = read_lengths(z, b, &c, table);
    return end == INFLATE_MORE ? build_codes(z, &c) : end;
}

/* INFLATE_MORE: the block has begun. */
static enum inflate_end begin_block(struct inflater *z, struct bits *b)
{
    refill(b);
    z->last_block = take(b, 1);
    unsigned type = take(b, 2);
    if (overrun(b))
        return INFLATE_TRUNCATED;
    if (++z->n_blocks > z->max_blocks)
        return INFLATE_BUDGET;
    if (type == 0)
        return begin_stored(z, b);
    if (type == 2)
        return begin_dynamic(z, b);
    if (type == 3)
        return bad(z, "invalid block type");
    begin_fixed(z);
    return INFLATE_MORE;
}

/* --- block contents --- */

/* Where the output goes. */
struct place {
    uint8_t *next, *end;  /* stop at end; INFLATE_SLACK bytes behind it may be written */
    const uint8_t *begin; /* of the history */
};

/* How the decoding of a block stopped; the rest is an enum inflate_end. */
enum { BLOCK_ENDED = INFLATE_BUDGET + 1 };

static int stored_step(struct inflater *z, struct bits *b, struct place *to)
{
    size_t n = MIN((size_t)z->stored_left, (size_t)(b->end - b->next));
    n = MIN(n, (size_t)(to->end - to->next));
    memcpy(to->next, b->next, n);
    to->next += n;
    b->next += n;
    z->stored_left -= (uint32_t)n;
    if (z->stored_left == 0)
        return BLOCK_ENDED;
    return to->next == to->end ? INFLATE_FULL : INFLATE_MORE;
}

static inline uint32_t look_up(const uint32_t *table, unsigned bits, const struct bits *b)
{
    return table[b->buf & ((1u << bits) - 1)];
}

/* From the entry that leads to a further table, whose bits are used up, to the one in it. */
static inline uint32_t look_further(const uint32_t *table, uint32_t entry, const struct bits *b)
{
    return table[entry_value(entry) + peek(b, entry_code_len(entry))];
}

/* The value of a length or distance, extra bits included; all of its bits are used up. */
static inline unsigned take_value(struct bits *b, uint32_t entry)
{
    uint64_t before = b->buf;
    drop(b, entry_used(entry));
    return entry_value(entry) +
           (unsigned)((before & (((uint64_t)1 << entry_used(entry)) - 1)) >> entry_code_len(entry));
}

static inline void copy8(uint8_t *to, const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    memcpy(to, &word, sizeof word);
}

static inline void copy16(uint8_t *to, const uint8_t *from)
{
    copy8(to, from);
    copy8(to + 8, from + 8);
}

/* Copies whole words: up to 31 bytes more than len are written. Where the match overlaps itself
 * by less than a word, each step moves on by dist alone, so that it reads what it has written. */
static inline __attribute__((always_inline)) void copy_match(uint8_t *to, unsigned dist,
                                                             unsigned len)
{
    const uint8_t *from = to - dist, *end = to + len;
    if (dist >= 16) {
        copy16(to, from);
        copy16(to + 16, from + 16);
        for (to += 32, from += 32; to < end; to += 16, from += 16)
            copy16(to, from);
    } else if (dist == 1) {
        uint64_t word = *from * UINT64_C(0x0101010101010101);
        for (; to < end; to += 8)
            memcpy(to, &word, sizeof word);
    } else if (dist >= 8) {
        for (; to < end; to += 8, from += 8)
            copy8(to, from);
    } else {
        for (; to < end; to += dist, from += dist)
            copy8(to, from);
    }
}

/* Writes both bytes of an entry, also where the second means nothing: then it is written over. */
static inline uint8_t *put_literals(uint8_t *to, uint32_t entry)
{
    to[0] = (uint8_t)(entry >> 16);
    to[1] = (uint8_t)(entry >> 24);
    return to + 1 + (entry / ENTRY_PAIR & 1);
}

static const char bad_symbol[] = "invalid literal/length code";
static const char bad_dist[] = "invalid distance code";
static const char far_dist[] = "invalid distance too far back";

/* One symbol near the end of the input: each bit is looked at before it is believed. */
static int careful_step(struct inflater *z, struct bits *b, struct place *to)
{
    refill(b);
    uint32_t entry = look_up(z->litlen, INFLATE_LITLEN_BITS, b);
    if (entry & ENTRY_FURTHER) {
        drop(b, INFLATE_LITLEN_BITS);
        entry = look_further(z->litlen, entry, b);
    }
    unsigned value = take_value(b, entry);
    if (overrun(b))
        return INFLATE_TRUNCATED;
    if (entry & ENTRY_LITERAL) {
        to->next = put_literals(to->next, entry);
        return INFLATE_MORE;
    }
    if (entry & ENTRY_SPECIAL)
        return entry & ENTRY_END ? BLOCK_ENDED : (int)bad(z, bad_symbol);
    entry = look_up(z->dist, INFLATE_DIST_BITS, b);
    if (entry & ENTRY_FURTHER) {
        drop(b, INFLATE_DIST_BITS);
        entry = look_further(z->dist, entry, b);
    }
    unsigned dist = take_value(b, entry);
    if (overrun(b))
        return INFLATE_TRUNCATED;
    if (entry & ENTRY_SPECIAL)
        return bad(z, bad_dist);
    if (dist > (size_t)(to->next - to->begin))
        return bad(z, far_dist);
    copy_match(to->next, dist, value);
    to->next += value;
    return INFLATE_MORE;
}

/* The same as careful_step in a loop, as long as there is input and room enough that nothing needs
 * to be looked at twice. The entry of the next symbol is fetched before a match is copied: the
 * chain from one entry to the next is what the time goes into. */
static int fast_loop(struct inflater *z, struct bits *at, struct place *place)
{
    const uint32_t *litlen = z->litlen, *dists = z->dist;
    struct bits b = *at;
    uint8_t *to = place->next;
    int end = INFLATE_MORE;
    if (b.end - b.next < FAST_INPUT)
        return INFLATE_MORE;
    const uint8_t *input_end = b.end - FAST_INPUT;
    refill_word(&b);
    uint32_t entry = look_up(litlen, INFLATE_LITLEN_BITS, &b);
    while (b.next <= input_end && to < place->end) {
        if (entry & ENTRY_LITERAL) {
            drop(&b, entry_used(entry));
            to = put_literals(to, entry);
            entry = look_up(litlen, INFLATE_LITLEN_BITS, &b);
            if (entry & ENTRY_LITERAL) {
                drop(&b, entry_used(entry));
                to = put_literals(to, entry);
                entry = look_up(litlen, INFLATE_LITLEN_BITS, &b);
                if (entry & ENTRY_LITERAL) {
                    drop(&b, entry_used(entry));
                    to = put_literals(to, entry);
                    refill_word(&b);
                    entry = look_up(litlen, INFLATE_LITLEN_BITS, &b);
                    continue;
                }
            }
        }
        if (__builtin_expect(entry & ENTRY_SPECIAL, 0)) {
            if (entry & ENTRY_FURTHER) {
                drop(&b, INFLATE_LITLEN_BITS);
                entry = look_further(litlen, entry, &b);
                if (entry & ENTRY_LITERAL) {
                    drop(&b, entry_used(entry));
                    to = put_literals(to, entry);
                    refill_word(&b);
                    entry = look_up(litlen, INFLATE_LITLEN_BITS, &b);
                    continue;
                }
            }
            if (entry & ENTRY_SPECIAL) {
                drop(&b, entry_used(entry));
                end = entry & ENTRY_END ? BLOCK_ENDED : (int)bad(z, bad_symbol);
                break;
            }
        }
        unsigned len = take_value(&b, entry);
        refill_word(&b);
        entry = look_up(dists, INFLATE_DIST_BITS, &b);
        if (entry & ENTRY_FURTHER) {
            drop(&b, INFLATE_DIST_BITS);
            entry = look_further(dists, entry, &b);
        }
        unsigned dist = take_value(&b, entry);
        if (__builtin_expect(entry & ENTRY_SPECIAL, 0)) {
            end = bad(z, bad_dist);
            break;
        }
        if (__builtin_expect(dist > (size_t)(to - place->begin), 0)) {
            end = bad(z, far_dist);
            break;
        }
        refill_word(&b);
        entry = look_up(litlen, INFLATE_LITLEN_BITS, &b);
        copy_match(to, dist, len);
        to += len;
    }
    *at = b;
    place->next = to;
    return end;
}

static int codes_step(struct inflater *z, struct bits *b, struct place *to, bool last)
{
    int end = fast_loop(z, b, to);
    while (last && end == INFLATE_MORE && to->next < to->end)
        end = careful_step(z, b, to);
    return end == INFLATE_MORE && to->next >= to->end ? (int)INFLATE_FULL : end;
}

/* --- a piece --- */

void inflate_init(struct inflater *z)
{
    memset(z, 0, offsetof(struct inflater, out));
    for (uint32_t i = 0; i < 288; i++)
        z->litlen_symbols[i] = i < 256    ? ENTRY_LITERAL | i << 16
                               : i == 256 ? ENTRY_SPECIAL | ENTRY_END
                               : i < 286
                                   ? (uint32_t)length_base[i - 257] << 16 | length_extra[i - 257]
                                   : ENTRY_SPECIAL;
    for (uint32_t i = 0; i < 32; i++)
        z->dist_symbols[i] = i < 30 ? (uint32_t)dist_base[i] << 16 | dist_extra[i] : ENTRY_SPECIAL;
    for (uint32_t i = 0; i < 19; i++)
        z->pre_symbols[i] = i << 16;
}

void inflate_start(struct inflater *z)
{
    z->state = INFLATE_HEADER;
    z->last_block = z->no_distances = false;
    z->bits = z->n_bits = 0;
    z->n_blocks = 0;
    z->max_blocks = UINT64_MAX;
    z->n_history = z->n_out = 0;
    z->problem = NULL;
}

/* What was handed out becomes history. */
static void make_room(struct inflater *z)
{
    size_t all = z->n_history + z->n_out, keep = MIN(all, (size_t)INFLATE_HISTORY);
    memmove(z->out, z->out + (all - keep), keep);
    z->n_history = keep;
    z->n_out = 0;
}

/* Whether what is left of the piece is enough to go on without looking. */
static bool enough(const struct bits *b, bool last)
{
    return last || b->end - b->next >= INFLATE_PIECE_MIN;
}

static int step(struct inflater *z, struct bits *b, struct place *to, bool last)
{
    if (z->state == INFLATE_STORED)
        return stored_step(z, b, to);
    if (z->state == INFLATE_CODES)
        return codes_step(z, b, to, last);
    return enough(b, last) ? (int)begin_block(z, b) : (int)INFLATE_MORE;
}

static bool stuck(const struct inflater *z, const struct bits *b, bool last)
{
    if (z->state == INFLATE_STORED)
        return z->stored_left && b->next == b->end;
    return !enough(b, last);
}

static enum inflate_end run(struct inflater *z, struct bits *b, struct place *to, bool last)
{
    for (;;) {
        int end = step(z, b, to, last);
        if (end == BLOCK_ENDED) {
            z->state = INFLATE_HEADER;
            if (z->last_block)
                return INFLATE_DONE;
        } else if (end != INFLATE_MORE) {
            return (enum inflate_end)end;
        } else if (stuck(z, b, last)) {
            return last ? INFLATE_TRUNCATED : INFLATE_MORE;
        }
    }
}

enum inflate_end inflate_some(struct inflater *z, const uint8_t *p, size_t len, bool last,
                              size_t max_out, size_t *ret_used)
{
    struct bits b = {.next = p, .end = p + len, .buf = z->bits, .n = z->n_bits};
    make_room(z);
    uint8_t *begin = z->out + z->n_history;
    struct place to = {.next = begin, .end = begin + max_out, .begin = z->out};
    enum inflate_end end = run(z, &b, &to, last);
    z->n_out = (size_t)(to.next - begin);
    put_back(&b); /* the bits of a begun byte are kept */
    z->bits = (uint8_t)b.buf;
    z->n_bits = (uint8_t)b.n;
    *ret_used = (size_t)(b.next - p);
    return end;
}

str inflate_take(struct inflater *z)
{
    return str_of(z->out + z->n_history, z->n_out);
}
