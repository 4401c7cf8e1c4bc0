/* Garbage collection, for the rest of src/skill. Private to it. */
#ifndef STIGMER_SKILL_GC_H
#define STIGMER_SKILL_GC_H

#include "digest/sha256.h"
#include "skill/skill.h"

/* Waits until an archive that is being deleted is gone, and deletes it where whoever had begun that
 * is gone. UNAVAILABLE: that takes too long. */
enum err gc_await(struct skill_service *s, const struct digest *d, struct error *e);

/* Which versions a purge takes: those of the skill `number` up to seq. */
struct purge_limit {
    uint64_t number, seq;
};
/* The limits of a dry run. */
struct purge_limits {
    struct purge_limit *items; /* by number; malloc */
    size_t n, max;
};
void purge_limits_deinit(struct purge_limits *l);

/* Removes the versions of ended lives, or with dry_run only notes which they are. */
enum err purge_deleted(struct skill_service *s, const struct skill_gc *o,
                       struct skill_gc_report *report, struct purge_limits *ret, struct error *e);
/* Whether the purge takes that version. */
bool purge_takes(const struct purge_limits *l, uint64_t number, uint64_t seq);

#endif
