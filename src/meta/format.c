#include "meta/format.h"

#include <string.h>
#include <xxhash.h>

const char *meta_table_name(enum meta_table t)
{
    static const char *const names[] = {
#define X(name, text) text,
        META_TABLES(X)
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
