/* From the metadata to what is answered. Private to src/skill. */
#ifndef STIGMER_SKILL_RECORD_H
#define STIGMER_SKILL_RECORD_H

#include "meta/meta.h"
#include "skill/skill.h"

struct skill_service {
    struct store *store;
    struct meta *meta;
    struct pool *workers; /* may be NULL */
    clock_fn *clock;
};

/* What goes into the answer besides the version's own record. */
enum record_parts {
    RECORD_TEXT = 1, /* SKILL.md */
    RECORD_TAGS = 2, /* tags_pointing */
};

/* The version seq of head. DATA_LOSS when the records that must be there are not. */
enum err record_load(struct meta_txn *t, const struct meta_skill *head, uint64_t seq,
                     unsigned parts, struct arena *a, struct skill *ret, struct error *e);

/* Which skill a reference means (API.md section 4, "Scope and reference"). With dead_too an ended
 * one answers too. NOT_FOUND, FAILED_PRECONDITION (ambiguous), INVALID_ARGUMENT. */
enum err record_find(struct meta_txn *t, const struct skill_ref *ref, bool dead_too,
                     struct arena *a, struct meta_skill *ret, struct error *e);
/* Which version of its current life a reference means. NOT_FOUND. */
enum err record_find_version(struct meta_txn *t, const struct meta_skill *head,
                             const struct skill_ref *ref, uint64_t *ret_seq, struct error *e);
/* A live skill by id. NOT_FOUND "Skill not found: <id>". */
enum err record_find_id(struct meta_txn *t, str id, struct arena *a, struct meta_skill *ret,
                        struct error *e);

/* Empty and "latest": whatever is current. */
bool record_is_latest(str version);
/* 64 lower-case hex digits: a version by its hash. */
bool record_is_hash(str version);

#endif
