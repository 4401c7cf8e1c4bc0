/* Purging: the versions of ended lives go, a few in each transaction; their events stay. */
#include "base/macro.h"
#include "skill/change.h"
#include "skill/gc.h"
#include "skill/record.h"

#include <stdlib.h>

#define STEP 64 /* versions in one transaction */

struct step {
    struct change by;
    str id;
    struct arena *a;
    uint64_t versions; /* out: removed */
    bool more;         /* out */
};

/* The last version that an ended life has. */
static uint64_t limit_of(const struct meta_skill *head)
{
    return head->live ? head->first_seq - 1 : head->last_seq;
}

static enum err note_event(struct meta_txn *t, const struct step *step,
                           const struct meta_skill *head, struct error *e)
{
    uint64_t sequence;
    int64_t time_ns;
    return change_event(t, &step->by, "purged", head->id, head->purged_seq, STR_NULL, &time_ns,
                        &sequence, e);
}

/* The skill may have changed since it was looked at. */
static enum err purge_txn(struct meta_txn *t, void *arg, struct error *e)
{
    struct step *step = arg;
    struct meta_skill head;
    TRY(meta_skill_get(t, step->id, step->a, &head, e));
    uint64_t last = MIN(limit_of(&head), head.purged_seq + STEP);
    step->versions = last - head.purged_seq;
    step->more = last < limit_of(&head);
    if (step->versions == 0)
        return ERR_OK;
    for (uint64_t seq = head.purged_seq + 1; seq <= last; seq++)
        TRY(meta_version_remove(t, head.number, seq, e));
    head.purged_seq = last;
    TRY(note_event(t, step, &head, e));
    return meta_skill_put(t, &head, e);
}

static bool stops(const struct skill_gc *o)
{
    return o->stop && o->stop(o->ctx);
}

static enum err purge_skill(struct skill_service *s, const struct skill_gc *o, str id,
                            struct arena *a, struct skill_gc_report *report, struct error *e)
{
    struct step step = {.by = change_by(s, o->actor), .id = id, .a = a, .more = true};
    while (step.more && !stops(o)) {
        TRY(meta_write_freeing(s->meta, purge_txn, &step, e));
        report->versions += step.versions;
    }
    return ERR_OK;
}

/* --- dry run --- */

void purge_limits_deinit(struct purge_limits *l)
{
    free(l->items);
}

static enum err note_limit(struct purge_limits *l, const struct meta_skill *head, struct error *e)
{
    if (l->n == l->max) {
        size_t max = l->max ? 2 * l->max : 64;
        struct purge_limit *items = reallocarray(l->items, max, sizeof *items);
        if (!items)
            return FAIL_NOMEM(e);
        l->items = items;
        l->max = max;
    }
    l->items[l->n++] = (struct purge_limit){head->number, limit_of(head)};
    return ERR_OK;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = ((const struct purge_limit *)a)->number;
    uint64_t y = ((const struct purge_limit *)b)->number;
    return x < y ? -1 : x > y;
}

bool purge_takes(const struct purge_limits *l, uint64_t number, uint64_t seq)
{
    struct purge_limit key = {number, 0};
    const struct purge_limit *found =
        l->n ? bsearch(&key, l->items, l->n, sizeof key, compare) : NULL;
    return found && seq <= found->seq;
}

/* --- all skills --- */

/* The next one with something to purge. NOT_FOUND: none. */
static enum err next_head(struct skill_service *s, str after, struct arena *a,
                          struct meta_skill *ret, struct error *e)
{
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    TRY(meta_read_begin(s->meta, &t, e));
    TRY(meta_skill_next(&t, after, a, ret, e));
    return ERR_OK;
}

static enum err purge_one(struct skill_service *s, const struct skill_gc *o,
                          const struct meta_skill *head, struct arena *a,
                          struct skill_gc_report *report, struct purge_limits *ret, struct error *e)
{
    if (limit_of(head) <= head->purged_seq)
        return ERR_OK;
    report->skills++;
    if (!o->dry_run)
        return purge_skill(s, o, head->id, a, report, e);
    report->versions += limit_of(head) - head->purged_seq;
    return note_limit(ret, head, e);
}

enum err purge_deleted(struct skill_service *s, const struct skill_gc *o,
                       struct skill_gc_report *report, struct purge_limits *ret, struct error *e)
{
    char last[META_ID_MAX];
    str after = STR_NULL;
    enum err err = ERR_OK;
    while (err == ERR_OK && !stops(o)) {
        struct meta_skill head;
        CLEANUP(arena_deinit) struct arena a;
        arena_init(&a, MIB(8));
        err = next_head(s, after, &a, &head, e);
        if (err == ERR_OK)
            err = purge_one(s, o, &head, &a, report, ret, e);
        if (err == ERR_OK) {
            memcpy(last, head.id.p, head.id.len);
            after = str_of(last, head.id.len);
        }
    }
    if (ret->n)
        qsort(ret->items, ret->n, sizeof *ret->items, compare);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}
