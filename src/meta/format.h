/*
 * What lies in the database: tables, keys that sort, values with a checksum. All that those who
 * write it and those who check it have in common.
 *
 * A stored value is: the format (1 byte), XXH3-64 of table, key and payload (8 bytes, big endian),
 * the payload: a message of proto/stigmer/storage/v1/record.proto, or SKILL.md's bytes.
 */
#ifndef STIGMER_META_FORMAT_H
#define STIGMER_META_FORMAT_H

#include "base/str.h"
#include "digest/sha256.h"

#define META_KEY_MAX 511 /* LMDB's compiled-in bound, for every backend */

/* Name here, name on disk. The order is part of every record's checksum: new tables go last. */
#define META_TABLES(X)                                                                             \
    X(SKILLS, "skills")                                                                            \
    X(LIVE, "live")                                                                                \
    X(SLUGS, "slugs")                                                                              \
    X(VERSIONS, "versions")                                                                        \
    X(HASHES, "hashes")                                                                            \
    X(TAGS, "tags")                                                                                \
    X(TAGGED, "tagged")                                                                            \
    X(ARTIFACTS, "artifacts")                                                                      \
    X(REFS, "refs")                                                                                \
    X(EVENTS, "events")                                                                            \
    X(TEXTS, "texts")                                                                              \
    X(INFO, "info")                                                                                \
    X(FILES, "files")                                                                              \
    X(TEXT_REFS, "textrefs")

enum meta_table {
#define X(name, text) META_##name,
    META_TABLES(X)
#undef X
        META_N_TABLES
};

/* "skills"; static storage. */
const char *meta_table_name(enum meta_table t);

/* --- keys --- */

struct meta_key {
    uint8_t b[META_KEY_MAX];
    size_t len;
    bool too_long; /* sticky; every use of the key fails */
};
#define META_KEY_INIT ((struct meta_key){.len = 0})

void key_add(struct meta_key *k, str s);
void key_add_byte(struct meta_key *k, uint8_t b);
/* Big-endian, so that keys sort as numbers do. */
void key_add_u64(struct meta_key *k, uint64_t v);
void key_add_digest(struct meta_key *k, const struct digest *d);
static inline str key_view(const struct meta_key *k)
{
    return str_of(k->b, k->len);
}
/* The big-endian number at p. */
uint64_t key_get_u64(const char *p);

/* --- values --- */

#define RECORD_FORMAT     1
#define RECORD_HEADER_LEN 9

/* Writes format and checksum of the payload to header. */
void record_seal(enum meta_table table, str key, str payload, char header[RECORD_HEADER_LEN]);
/* The payload of a stored value; false when it is damaged. */
bool record_unseal(enum meta_table table, str key, str value, str *ret_payload);

#endif
