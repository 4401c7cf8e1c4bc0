/*
 * What lies in the database: tables, keys that sort, the trees they lie in, values with a checksum.
 * All that those who write it and those who check it have in common.
 *
 * A stored value is: the format (1 byte), XXH3-64 of table, key and payload (8 bytes, big endian),
 * the payload: a message of proto/stigmer/storage/v1/record.proto, or SKILL.md's bytes.
 */
#ifndef STIGMER_META_FORMAT_H
#define STIGMER_META_FORMAT_H

#include "base/str.h"
#include "digest/sha256.h"

#define META_KEY_MAX 511 /* LMDB's compiled-in bound, for every backend */

/*
 * Tables whose keys begin with the same thing share a tree, so that what is read together lies
 * together: a key there is that beginning, a byte that stands for the table, and the rest. In
 * by_number these are a version's record, the tags that point at it and its text; then what leads
 * to the versions of a skill. The latter's byte stands where the former have the first of a
 * version's number, which never comes to be 128.
 */
#define META_TREES(X)                                                                              \
    X(SKILLS, "skills")                                                                            \
    X(LIVE, "live")                                                                                \
    X(SLUGS, "slugs")                                                                              \
    X(BY_NUMBER, "by_number")                                                                      \
    X(BY_ARCHIVE, "by_archive")                                                                    \
    X(EVENTS, "events")                                                                            \
    X(INFO, "info")

enum meta_tree {
#define X(name, text) META_TREE_##name,
    META_TREES(X)
#undef X
        META_N_TREES
};

/* Name here, name for people, tree, length of the beginning (0: it has its tree alone), byte. The
 * order is part of every record's checksum: new tables go last. */
#define META_TABLES(X)                                                                             \
    X(SKILLS, "skills", SKILLS, 0, 0)                                                              \
    X(LIVE, "live", LIVE, 0, 0)                                                                    \
    X(SLUGS, "slugs", SLUGS, 0, 0)                                                                 \
    X(VERSIONS, "versions", BY_NUMBER, 16, 1)                                                      \
    X(HASHES, "hashes", BY_NUMBER, 8, 129)                                                         \
    X(TAGS, "tags", BY_NUMBER, 8, 128)                                                             \
    X(TAGGED, "tagged", BY_NUMBER, 16, 2)                                                          \
    X(ARTIFACTS, "artifacts", BY_ARCHIVE, 32, 1)                                                   \
    X(REFS, "refs", BY_ARCHIVE, 32, 2)                                                             \
    X(EVENTS, "events", EVENTS, 0, 0)                                                              \
    X(TEXTS, "texts", BY_NUMBER, 16, 3)                                                            \
    X(INFO, "info", INFO, 0, 0)                                                                    \
    X(FILES, "files", BY_ARCHIVE, 32, 3)

enum meta_table {
#define X(name, text, tree, common, mark) META_##name,
    META_TABLES(X)
#undef X
        META_N_TABLES
};

/* "versions", "by_number"; static storage. */
const char *meta_table_name(enum meta_table t);
const char *meta_tree_name(enum meta_tree t);
enum meta_tree meta_tree_of(enum meta_table t);
/* The length of the least and the greatest key of the table. */
size_t meta_key_least(enum meta_table t);
size_t meta_key_most(enum meta_table t);

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

/* Where a table's key, or the beginning of keys, lies in its tree: a view of key or of *ret. A
 * beginning shorter than what the tables of the tree have in common stands for itself. */
str key_place(enum meta_table table, str key, struct meta_key *ret);
/* The way back, of a whole key. False: no table has it. */
bool key_unplace(enum meta_tree tree, str placed, enum meta_table *ret_table, struct meta_key *ret);

/* --- values --- */

#define RECORD_FORMAT     1
#define RECORD_HEADER_LEN 9

/* Writes format and checksum of the payload to header. */
void record_seal(enum meta_table table, str key, str payload, char header[RECORD_HEADER_LEN]);
/* The payload of a stored value; false when it is damaged. */
bool record_unseal(enum meta_table table, str key, str value, str *ret_payload);

#endif
