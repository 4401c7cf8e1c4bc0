/* What the parts of a check share. Private to src/check. */
#ifndef STIGMER_CHECK_IMPL_H
#define STIGMER_CHECK_IMPL_H

#include "base/arena.h"
#include "check/check.h"
#include "meta/format.h"

#include <lmdb.h>
#include <protobuf-c/protobuf-c.h>

/* 64-bit keys and values; the hash of a text serves as a key. */
struct map {
    uint64_t *keys, *values; /* cap places; key 0 = empty */
    size_t n, cap;
};
/* The place of the key's value, which is 0 when it is new; NULL: out of memory. */
uint64_t *map_at(struct map *m, uint64_t key);
/* NULL: there is none. */
const uint64_t *map_find(const struct map *m, uint64_t key);
void map_deinit(struct map *m);
/* Of a number and a text, never 0. */
uint64_t map_hash(uint64_t number, str text);

/* A skill as its record has it, and as its events tell. */
struct skill_state {
    const char *id;   /* in the arena */
    const char *name; /* "@org/slug", escaped */
    uint64_t org;     /* map_hash(0, org), or 0 */
    uint64_t number, first_seq, last_seq, purged_seq;
    bool live;
    bool told_live;
    uint64_t told_last_seq, told_purged_seq;
};

#define CHECK_SCHEMA 3U /* that this program knows */

struct check {
    const struct check_options *o;
    struct check_report *report;
    MDB_txn *txn; /* one state of the database; NULL where LMDB cannot open it */
    MDB_dbi dbis[META_N_TREES];
    bool has[META_N_TREES];
    bool former; /* there are trees of a former schema */
    struct arena arena;
    struct skill_state *skills; /* in order of id; malloc */
    size_t n_skills, max_skills;
    struct map by_number; /* -> index + 1 */
    struct map tags;      /* as events tell: (number, tag) -> seq */
    struct map live;      /* org -> live skills */
    uint64_t n_live, last_event;
    int64_t last_time_ns;
    int dirfd; /* skills/ */
};

/* skill may be NULL. */
void found(struct check *c, const char *kind, const char *skill, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* "@org/slug (version 3)", or what is known of it; in the arena. */
const char *version_name(struct check *c, uint64_t number, uint64_t seq);
/* The versions that hold an archive, "a, b and 3 more"; NULL: none. In the arena. */
const char *holder_names(struct check *c, const struct digest *d);

/* The record of that key. False: there is none, or it is damaged, which was told when all were
 * read. */
bool record_read(struct check *c, enum meta_table table, const struct meta_key *key,
                 str *ret_payload);
/* The same, unpacked: to be freed with protobuf_c_message_free_unpacked(…, NULL). NULL. */
void *record_message(struct check *c, enum meta_table table, const struct meta_key *key,
                     const ProtobufCMessageDescriptor *type);
/* Calls fn for each sound record, in order of key. */
enum err each_record(struct check *c, enum meta_table table,
                     enum err (*fn)(struct check *c, str key, str payload, struct error *e),
                     struct error *e);

/* What records say of each other. The skills have been read. */
enum err check_records(struct check *c, struct error *e);
/* What the archives' files hold. */
enum err check_artifacts(struct check *c, struct error *e);

#endif
