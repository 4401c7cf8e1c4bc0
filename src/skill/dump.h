/* Every record, under the names operators know: for `stigmer-server dump`. */
#ifndef STIGMER_SKILL_DUMP_H
#define STIGMER_SKILL_DUMP_H

#include "skill/skill.h"

/* key: "skill/<id>" for the current version of a live skill, "skill_audit/<id>/<unix ns>" for every
 * earlier version and those of ended lives, <unix ns> being when it was pushed. Both views and the
 * skill are valid during the call only. */
typedef enum err skill_dump_fn(void *ctx, str key, const struct skill *skill, struct error *e);

/* Calls fn for each record until fn fails: skills in order of id; of one skill the current version
 * first, then the earlier ones, oldest first. One snapshot; a meta opened read_only beside a
 * running server will do. */
enum err skill_dump_each(struct meta *meta, skill_dump_fn *fn, void *ctx, struct error *e);

#endif
