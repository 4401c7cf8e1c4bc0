#include "zip/inflate_tables.h"

#include <string.h>

struct builder {
    uint32_t *table;
    unsigned root_bits;
    unsigned count[CODE_LEN_MAX + 1]; /* codes of each length; taken down as they get entries */
    uint16_t sorted[CODE_SYMBOLS_MAX];
    unsigned max_len;
    unsigned code;    /* the next code, its first bit lowest, as it is read */
    unsigned further; /* where the next further table begins */
    unsigned prefix;  /* of the current further table; its place and index bits */
    unsigned place, place_bits;
};

static void count_lengths(struct builder *b, const uint8_t *lengths, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        b->count[lengths[i]]++;
    b->max_len = CODE_LEN_MAX;
    while (b->max_len && !b->count[b->max_len])
        b->max_len--;
}

/* What inflate_table in zlib's inftrees.c allows: no code too many, and one too few only where
 * there is a single code of one bit. */
static bool lengths_ok(const struct builder *b, enum code_kind kind)
{
    int left = 1;
    for (unsigned len = 1; len <= CODE_LEN_MAX; len++) {
        left = 2 * left - (int)b->count[len];
        if (left < 0)
            return false;
    }
    return left == 0 || (kind == CODE_MAIN && b->max_len <= 1);
}

/* By length, then by symbol. */
static void sort_symbols(struct builder *b, const uint8_t *lengths, unsigned n)
{
    unsigned at[CODE_LEN_MAX + 2];
    at[0] = at[1] = 0; /* those without a code are not wanted: written over */
    for (unsigned len = 1; len <= CODE_LEN_MAX; len++)
        at[len + 1] = at[len] + b->count[len];
    for (unsigned i = 0; i < n; i++)
        if (lengths[i])
            b->sorted[at[lengths[i]]++] = (uint16_t)i;
}

/* The code after b->code among those of len bits: one more, from the far end. */
static void next_code(struct builder *b, unsigned len)
{
    unsigned zeros = b->code ^ ((1u << len) - 1);
    if (!zeros) /* it was the last one */
        return;
    unsigned bit = 1u << (31 - __builtin_clz(zeros));
    b->code = (b->code & (bit - 1)) | bit;
}

static uint32_t entry_of(uint32_t symbol, unsigned len)
{
    return symbol + (len << 8 | len);
}

/* Codes that the root table alone can tell: it doubles with each length. */
static unsigned fill_root(struct builder *b, const uint32_t *symbols)
{
    unsigned len = 1, i = 0;
    for (; len <= b->root_bits; len++) {
        if (len > 1)
            memcpy(b->table + (1u << (len - 1)), b->table, sizeof *b->table << (len - 1));
        for (; b->count[len]; b->count[len]--, i++) {
            b->table[b->code] = entry_of(symbols[b->sorted[i]], len);
            next_code(b, len);
        }
    }
    return i;
}

/* A further table just as large as the codes with this prefix need. */
static void begin_further(struct builder *b, unsigned len)
{
    unsigned bits = len - b->root_bits, used = b->count[len];
    b->prefix = b->code & ((1u << b->root_bits) - 1);
    while (used < 1u << bits) {
        bits++;
        used = 2 * used + b->count[b->root_bits + bits];
    }
    b->place = b->further;
    b->place_bits = bits;
    b->further += 1u << bits;
    b->table[b->prefix] = ENTRY_SPECIAL | ENTRY_FURTHER | b->place << 16 | bits << 8 | b->root_bits;
}

static void fill_further(struct builder *b, const uint32_t *symbols, unsigned i)
{
    b->further = 1u << b->root_bits;
    b->prefix = ~0u;
    for (unsigned len = b->root_bits + 1; len <= b->max_len; len++)
        for (; b->count[len]; b->count[len]--, i++) {
            if ((b->code & ((1u << b->root_bits) - 1)) != b->prefix)
                begin_further(b, len);
            unsigned own = len - b->root_bits;
            uint32_t entry = entry_of(symbols[b->sorted[i]], own);
            for (unsigned at = b->code >> b->root_bits; at < 1u << b->place_bits; at += 1u << own)
                b->table[b->place + at] = entry;
            next_code(b, len);
        }
}

/* No code, or one of a single bit: whatever else is read is invalid. */
static void fill_incomplete(struct builder *b, const uint32_t *symbols)
{
    uint32_t invalid = entry_of(ENTRY_SPECIAL, 1);
    uint32_t zero = b->max_len ? entry_of(symbols[b->sorted[0]], 1) : invalid;
    for (unsigned i = 0; i < 1u << b->root_bits; i++)
        b->table[i] = i & 1 ? invalid : zero;
}

bool table_build(uint32_t *table, unsigned root_bits, const uint8_t *lengths, unsigned n,
                 const uint32_t *symbols, enum code_kind kind)
{
    struct builder b = {.table = table, .root_bits = root_bits};
    count_lengths(&b, lengths, n);
    if (!lengths_ok(&b, kind))
        return false;
    sort_symbols(&b, lengths, n);
    if (b.max_len <= 1 && b.count[1] < 2) {
        fill_incomplete(&b, symbols);
        return true;
    }
    unsigned n_root = fill_root(&b, symbols);
    fill_further(&b, symbols, n_root);
    return true;
}
