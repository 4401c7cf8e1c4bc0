/* What every change to a skill has: who, when, an event. Private to src/skill. */
#ifndef STIGMER_SKILL_CHANGE_H
#define STIGMER_SKILL_CHANGE_H

#include "meta/meta.h"
#include "skill/skill.h"

struct change {
    int64_t now_ns; /* read before the transaction, which may run more than once */
    str actor;
};

/* By actor, or "system" when it is empty, now. */
struct change change_by(const struct skill_service *s, str actor);
/* Takes the next sequence number and time and records the event under them. */
enum err change_event(struct meta_txn *t, const struct change *c, const char *what, str id,
                      uint64_t seq, str detail, int64_t *ret_time_ns, uint64_t *ret_sequence,
                      struct error *e);
enum err change_tag(struct meta_txn *t, const struct change *c, uint64_t number, str tag,
                    uint64_t seq, int64_t time_ns, struct error *e);
/* Empty, or what a version may be tagged. INVALID_ARGUMENT. */
enum err change_check_tag(str tag, struct error *e);
/* Whether tag points at version seq now. */
enum err change_tag_points_at(struct meta_txn *t, uint64_t number, str tag, uint64_t seq,
                              struct arena *a, bool *ret, struct error *e);

#endif
