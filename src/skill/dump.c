#include "skill/dump.h"

#include "skill/record.h"

#define ARENA_MAX MIB(16) /* one version with its SKILL.md */

struct dump {
    struct meta_txn t;
    skill_dump_fn *fn;
    void *ctx;
};

static enum err dump_in(struct dump *d, const struct meta_skill *head, uint64_t seq,
                        struct arena *a, struct error *e)
{
    struct skill s;
    TRY(record_load(&d->t, head, seq, RECORD_TEXT, a, &s, e));
    char *key = s.current ? arena_printf(a, "skill/%.*s", STR_ARG(s.id))
                          : arena_printf(a, "skill_audit/%.*s/%lld", STR_ARG(s.id),
                                         (long long)s.updated_at_ns);
    return key ? d->fn(d->ctx, str_c(key), &s, e) : FAIL_NOMEM(e);
}

static enum err dump_version(struct dump *d, const struct meta_skill *head, uint64_t seq,
                             struct error *e)
{
    struct arena a;
    arena_init(&a, ARENA_MAX);
    enum err err = dump_in(d, head, seq, &a, e);
    arena_deinit(&a);
    return err;
}

static enum err dump_skill(void *ctx, const struct meta_skill *head, struct error *e)
{
    uint64_t n_earlier = head->live ? head->last_seq - 1 : head->last_seq;
    if (head->live)
        TRY(dump_version(ctx, head, head->last_seq, e));
    for (uint64_t seq = head->purged_seq + 1; seq <= n_earlier; seq++)
        TRY(dump_version(ctx, head, seq, e));
    return ERR_OK;
}

enum err skill_dump_each(struct meta *meta, skill_dump_fn *fn, void *ctx, struct error *e)
{
    struct dump d = {.t = META_TXN_INIT, .fn = fn, .ctx = ctx};
    TRY(meta_read_begin(meta, &d.t, e));
    enum err err = meta_skill_each(&d.t, dump_skill, &d, e);
    meta_read_end(&d.t);
    return err;
}
