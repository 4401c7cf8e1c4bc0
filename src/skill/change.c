/* Delete and move_tag: changes that bring no artifact. */
#include "skill/change.h"

#include "base/mutant.h"
#include "skill/record.h"

enum err change_event(struct meta_txn *t, const struct change *c, const char *what, str id,
                      uint64_t seq, str detail, int64_t *ret_time_ns, uint64_t *ret_sequence,
                      struct error *e)
{
    TRY(meta_next(t, c->now_ns, ret_sequence, ret_time_ns, e));
    if (MUTANT(no_event))
        return ERR_OK;
    struct meta_event ev = {
        .sequence = *ret_sequence,
        .what = str_c(what),
        .id = id,
        .who = c->actor,
        .seq = seq,
        .time_ns = *ret_time_ns,
        .detail = detail,
    };
    return meta_event_add(t, &ev, e);
}

struct change change_by(const struct skill_service *s, str actor)
{
    return (struct change){
        .now_ns = s->clock(),
        .actor = actor.len ? actor : STR("system"),
    };
}

/* --- delete --- */

struct delete
{
    struct change by;
    str id;
    struct arena *a;
    struct skill *ret;
};

static enum err delete_txn(struct meta_txn *t, void *arg, struct error *e)
{
    const struct delete *d = arg;
    struct meta_skill head;
    uint64_t sequence;
    TRY(record_find_id(t, d->id, d->a, &head, e));
    TRY(record_load(t, &head, head.last_seq, RECORD_TEXT, d->a, d->ret, e));
    TRY(change_event(t, &d->by, "deleted", head.id, head.last_seq, STR_NULL, &head.deleted_at_ns,
                     &sequence, e));
    head.live = false;
    head.deleted_by = d->by.actor;
    return meta_skill_put(t, &head, e);
}

enum err skill_delete(struct skill_service *s, str id, str actor, struct arena *a,
                      struct skill *ret, struct error *e)
{
    struct delete d = {change_by(s, actor), id, a, ret};
    TRY(skill_ready(s, false, e));
    return meta_write_freeing(s->meta, delete_txn, &d, e);
}

/* --- move_tag --- */

struct move_tag {
    struct change by;
    const struct skill_ref *ref;
    str tag;
    struct arena *a;
    struct skill *ret;
};

enum err change_tag_points_at(struct meta_txn *t, uint64_t number, str tag, uint64_t seq,
                              struct arena *a, bool *ret, struct error *e)
{
    struct meta_tag found;
    enum err err = meta_tag_get(t, number, tag, a, &found, e);
    *ret = err == ERR_OK && found.seq == seq;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err change_tag(struct meta_txn *t, const struct change *c, uint64_t number, str tag,
                    uint64_t seq, int64_t time_ns, struct error *e)
{
    struct meta_tag v = {.seq = seq, .moved_at_ns = time_ns, .moved_by = c->actor};
    return meta_tag_set(t, number, tag, &v, e);
}

static enum err move_tag_txn(struct meta_txn *t, void *arg, struct error *e)
{
    const struct move_tag *m = arg;
    struct meta_skill head;
    uint64_t seq, sequence;
    int64_t time_ns;
    bool there;
    TRY(record_find(t, m->ref, false, m->a, &head, e));
    TRY(record_find_version(t, &head, m->ref, &seq, e));
    TRY(record_load(t, &head, seq, RECORD_TEXT, m->a, m->ret, e));
    TRY(change_tag_points_at(t, head.number, m->tag, seq, m->a, &there, e));
    if (there)
        return ERR_OK;
    TRY(change_event(t, &m->by, "tagged", head.id, seq, m->tag, &time_ns, &sequence, e));
    return change_tag(t, &m->by, head.number, m->tag, seq, time_ns, e);
}

static enum err check_tag(str tag, struct error *e)
{
    if (record_is_latest(tag))
        return FAIL(e, ERR_INVALID_ARGUMENT, "skill.tag_latest",
                    "tag: latest is the newest version by definition; choose another tag");
    return change_check_tag(tag, e);
}

enum err change_check_tag(str tag, struct error *e)
{
    if (tag.len && (tag.len > SKILL_TAG_MAX || !str_is_label(tag)))
        return FAIL(e, ERR_INVALID_ARGUMENT, "skill.tag",
                    "tag: at most %d letters, digits, dots, hyphens and underscores",
                    SKILL_TAG_MAX);
    if (record_is_hash(tag))
        return FAIL(e, ERR_INVALID_ARGUMENT, "skill.tag_hash",
                    "tag: 64 lower-case hex digits name a version by its hash; choose another tag");
    return ERR_OK;
}

enum err skill_move_tag(struct skill_service *s, const struct skill_ref *ref, str tag, str actor,
                        struct arena *a, struct skill *ret, struct error *e)
{
    struct move_tag m = {change_by(s, actor), ref, tag, a, ret};
    TRY(check_tag(tag, e));
    TRY(skill_ready(s, true, e));
    return meta_write(s->meta, move_tag_txn, &m, e);
}
