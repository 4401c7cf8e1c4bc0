#include "meta/format.h"

#include <string.h>
#include <xxhash.h>

const char *meta_table_name(enum meta_table t)
{
    static const char *const names[] = {
#define X(name, text, tree, common, mark) text,
        META_TABLES(X)
#undef X
    };
    return names[t];
}

const char *meta_tree_name(enum meta_tree t)
{
    static const char *const names[] = {
#define X(name, text) text,
        META_TREES(X)
#undef X
    };
    return names[t];
}

/* --- keys --- */

void key_add(struct meta_key *k, str s)
{
    if (s.len > sizeof k->b - k->len) {
        k->too_long = true;
        return;
    }
    if (s.len)
        memcpy(k->b + k->len, s.p, s.len);
    k->len += s.len;
}

void key_add_byte(struct meta_key *k, uint8_t b)
{
    key_add(k, str_of(&b, 1));
}

void key_add_u64(struct meta_key *k, uint64_t v)
{
    uint8_t b[8];
    for (int i = 7; i >= 0; i--, v >>= 8)
        b[i] = (uint8_t)v;
    key_add(k, str_of(b, sizeof b));
}

void key_add_digest(struct meta_key *k, const struct digest *d)
{
    key_add(k, str_of(d->b, sizeof d->b));
}

uint64_t key_get_u64(const char *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | (uint8_t)p[i];
    return v;
}

/* --- trees --- */

static const struct place {
    enum meta_tree tree;
    uint8_t common; /* bytes */
    uint8_t mark;
} places[] = {
#define X(name, text, tree, common, mark) {META_TREE_##tree, common, mark},
    META_TABLES(X)
#undef X
};

enum meta_tree meta_tree_of(enum meta_table t)
{
    return places[t].tree;
}

size_t meta_key_least(enum meta_table t)
{
    return places[t].common ? places[t].common : 1;
}

size_t meta_key_most(enum meta_table t)
{
    return META_KEY_MAX - (places[t].common > 0);
}

str key_place(enum meta_table table, str key, struct meta_key *ret)
{
    const struct place *p = &places[table];
    if (p->common == 0 || key.len < p->common)
        return key;
    ret->len = 0;
    ret->too_long = false;
    key_add(ret, str_head(key, p->common));
    key_add_byte(ret, p->mark);
    key_add(ret, str_skip(key, p->common));
    return key_view(ret);
}

static bool lies_there(const struct place *p, enum meta_tree tree, str placed)
{
    if (p->tree != tree)
        return false;
    return p->common == 0 || (placed.len > p->common && (uint8_t)placed.p[p->common] == p->mark);
}

/* The table with the shortest beginning after which its byte stands; META_N_TABLES: none. */
static enum meta_table table_at(enum meta_tree tree, str placed)
{
    int found = META_N_TABLES;
    for (int i = 0; i < META_N_TABLES; i++)
        if (lies_there(&places[i], tree, placed) &&
            (found == META_N_TABLES || places[i].common < places[found].common))
            found = i;
    return (enum meta_table)found;
}

bool key_unplace(enum meta_tree tree, str placed, enum meta_table *ret_table, struct meta_key *ret)
{
    enum meta_table table = table_at(tree, placed);
    if (table == META_N_TABLES)
        return false;
    size_t common = places[table].common;
    ret->len = 0;
    ret->too_long = false;
    key_add(ret, str_head(placed, common));
    key_add(ret, str_skip(placed, common ? common + 1 : 0));
    *ret_table = table;
    return !ret->too_long;
}

/* --- values --- */

static uint64_t checksum(enum meta_table table, str key, str payload)
{
    uint64_t seed = XXH3_64bits_withSeed(key.p, key.len, (uint64_t)table << 8 | RECORD_FORMAT);
    return XXH3_64bits_withSeed(payload.p ? payload.p : "", payload.len, seed);
}

void record_seal(enum meta_table table, str key, str payload, char header[RECORD_HEADER_LEN])
{
    XXH64_canonical_t sum;
    header[0] = RECORD_FORMAT;
    XXH64_canonicalFromHash(&sum, checksum(table, key, payload));
    memcpy(header + 1, sum.digest, sizeof sum.digest);
}

bool record_unseal(enum meta_table table, str key, str value, str *ret_payload)
{
    XXH64_canonical_t want;
    *ret_payload = STR_NULL;
    if (value.len < RECORD_HEADER_LEN || value.p[0] != RECORD_FORMAT)
        return false;
    *ret_payload = str_skip(value, RECORD_HEADER_LEN);
    XXH64_canonicalFromHash(&want, checksum(table, key, *ret_payload));
    return memcmp(value.p + 1, want.digest, sizeof want.digest) == 0;
}
