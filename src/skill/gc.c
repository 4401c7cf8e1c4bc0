/*
 * Garbage collection. How it and a push keep out of each other's way is told in ARCHITECTURE.md,
 * "Garbage", and checked as a model in tests/model/gc.pml: change them together.
 *
 *     live, or a file without a record --condemn--> condemned --claim--> deleting
 *                                                                          remove the file
 *                                                                        --forget--> nothing
 *
 * Each arrow is a transaction that looks whether a version has come to hold the archive. Condemning
 * everything first gives pushes that are under way the time to make their archives live again.
 */
#include "skill/gc.h"

#include "base/log.h"
#include "base/macro.h"
#include "base/sys.h"
#include "base/sys_proc.h"
#include "skill/record.h"
#include "store/store.h"

#include <string.h>

#define BATCH    128 /* archives in one transaction */
#define AWAIT_MS 10000
#define LOOK_MS  5
#define HOLD_MS  1000 /* a push that holds the store is done sooner */

struct batch {
    struct digest digest[BATCH];
    uint64_t size[BATCH];
    bool done[BATCH]; /* by the last step */
    size_t n;
    int64_t now_ns;
};

struct gc {
    struct skill_service *s;
    const struct skill_gc *o;
    struct skill_gc_report *report;
    struct purge_limits limits; /* of a dry run */
    struct batch batch;
};

static bool stops(const struct gc *g)
{
    return g->o->stop && g->o->stop(g->o->ctx);
}

static void add(struct batch *b, const struct digest *d, uint64_t size)
{
    b->digest[b->n] = *d;
    b->done[b->n] = true;
    b->size[b->n++] = size;
}

/* --- the steps --- */

static enum err condemn_txn(struct meta_txn *t, void *arg, struct error *e)
{
    struct batch *b = arg;
    for (size_t i = 0; i < b->n; i++)
        TRY(meta_artifact_condemn(t, &b->digest[i], b->size[i], b->now_ns, &b->done[i], e));
    return ERR_OK;
}

static enum err claim_txn(struct meta_txn *t, void *arg, struct error *e)
{
    struct batch *b = arg;
    for (size_t i = 0; i < b->n; i++)
        TRY(meta_artifact_claim(t, &b->digest[i], &b->done[i], e));
    return ERR_OK;
}

static enum err forget_txn(struct meta_txn *t, void *arg, struct error *e)
{
    struct batch *b = arg;
    bool done;
    for (size_t i = 0; i < b->n; i++)
        if (b->done[i])
            TRY(meta_artifact_forget(t, &b->digest[i], &done, e));
    return ERR_OK;
}

static enum err remove_file(struct store *store, const struct digest *d, struct error *e)
{
    enum err err = store_remove(store, d, e);
    return err == ERR_NOT_FOUND ? ERR_OK : err; /* an interrupted collection did it */
}

/* Removes the files of those that are being deleted, then what is known of them. */
static enum err finish(struct skill_service *s, struct batch *b, struct error *e)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->done[i])
            TRY(remove_file(s->store, &b->digest[i], e));
    return meta_write_freeing(s->meta, forget_txn, b, e);
}

static enum err condemn_batch(struct gc *g, struct error *e)
{
    struct batch *b = &g->batch;
    size_t n = b->n;
    b->now_ns = g->s->clock();
    enum err err = n ? meta_write_freeing(g->s->meta, condemn_txn, b, e) : ERR_OK;
    b->n = 0;
    return err;
}

static void count_removed(struct gc *g)
{
    const struct batch *b = &g->batch;
    for (size_t i = 0; i < b->n; i++) {
        g->report->archives += b->done[i];
        g->report->bytes += b->done[i] ? b->size[i] : 0;
    }
}

static enum err delete_batch(struct gc *g, bool claim, struct error *e)
{
    struct batch *b = &g->batch;
    if (b->n == 0)
        return ERR_OK;
    if (claim)
        TRY(meta_write_freeing(g->s->meta, claim_txn, b, e));
    TRY(finish(g->s, b, e));
    count_removed(g);
    b->n = 0;
    return ERR_OK;
}

/* --- what there is --- */

struct page {
    struct meta_artifact_entry items[BATCH];
    size_t n;
};

/* The next page in a read transaction of its own: a long one would keep old pages from reuse. */
static enum err next_page(struct gc *g, struct page *p, struct error *e)
{
    struct digest after;
    bool first = p->n == 0;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    if (!first)
        after = p->items[p->n - 1].digest;
    TRY(meta_read_begin(g->s->meta, &t, e));
    return meta_artifact_list(&t, first ? NULL : &after, p->items, BATCH, &p->n, e);
}

/* Calls fn for each recorded archive that no version holds. */
static enum err each_unheld(struct gc *g,
                            enum err (*fn)(struct gc *g, const struct meta_artifact_entry *entry,
                                           struct error *e),
                            struct error *e)
{
    struct page p = {.n = 0};
    do {
        TRY(next_page(g, &p, e));
        for (size_t i = 0; i < p.n; i++)
            if (!p.items[i].referenced)
                TRY(fn(g, &p.items[i], e));
    } while (p.n == BATCH && !stops(g));
    return ERR_OK;
}

static enum err condemn_entry(struct gc *g, const struct meta_artifact_entry *entry,
                              struct error *e)
{
    if (entry->artifact.state != META_ARTIFACT_LIVE)
        return ERR_OK;
    add(&g->batch, &entry->digest, entry->artifact.size);
    return g->batch.n == BATCH ? condemn_batch(g, e) : ERR_OK;
}

static enum err claim_entry(struct gc *g, const struct meta_artifact_entry *entry, struct error *e)
{
    if (entry->artifact.state != META_ARTIFACT_CONDEMNED)
        return ERR_OK;
    add(&g->batch, &entry->digest, entry->artifact.size);
    return g->batch.n == BATCH ? delete_batch(g, true, e) : ERR_OK;
}

/* What an interrupted collection has left: nobody else is at it, we hold the store alone. */
static enum err finish_entry(struct gc *g, const struct meta_artifact_entry *entry, struct error *e)
{
    if (entry->artifact.state != META_ARTIFACT_DELETING)
        return ERR_OK;
    add(&g->batch, &entry->digest, entry->artifact.size);
    return g->batch.n == BATCH ? delete_batch(g, false, e) : ERR_OK;
}

static enum err is_recorded(struct gc *g, const struct digest *d, bool *ret, struct error *e)
{
    struct meta_artifact artifact;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    TRY(meta_read_begin(g->s->meta, &t, e));
    enum err err = meta_artifact_get(&t, d, &artifact, e);
    *ret = err == ERR_OK;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err condemn_file(void *ctx, const struct store_info *info, struct error *e)
{
    struct gc *g = ctx;
    bool recorded;
    if (stops(g))
        return ERR_OK;
    TRY(is_recorded(g, &info->digest, &recorded, e));
    if (recorded)
        return ERR_OK;
    g->report->unrecorded++;
    if (g->o->dry_run) {
        g->report->archives++;
        g->report->bytes += info->len;
        return ERR_OK;
    }
    add(&g->batch, &info->digest, info->len);
    return g->batch.n == BATCH ? condemn_batch(g, e) : ERR_OK;
}

/* --- all of it --- */

/* A push that finishes what was interrupted holds the store for a moment, too; a backup, a check or
 * another collection for longer. */
static enum err hold_alone(struct gc *g, int *ret_fd, struct error *e)
{
    enum err err = store_hold(g->s->store, STORE_HOLD_ALONE, ret_fd, e);
    for (int i = 0; err == ERR_UNAVAILABLE && i < HOLD_MS / LOOK_MS && !stops(g); i++) {
        sys_sleep_ms(LOOK_MS);
        err = store_hold(g->s->store, STORE_HOLD_ALONE, ret_fd, e);
    }
    return err;
}

static enum err collect(struct gc *g, struct error *e)
{
    CLEANUP(sys_closep) int hold = -1;
    TRY(store_ready(g->s->store, e));
    TRY(hold_alone(g, &hold, e));
    TRY(each_unheld(g, finish_entry, e));
    TRY(delete_batch(g, false, e));
    if (g->o->purge_deleted)
        TRY(purge_deleted(g->s, g->o, g->report, &g->limits, e));
    TRY(each_unheld(g, condemn_entry, e));
    TRY(store_each(g->s->store, condemn_file, g, e));
    TRY(condemn_batch(g, e));
    TRY(each_unheld(g, claim_entry, e));
    return delete_batch(g, true, e);
}

struct holders {
    const struct purge_limits *limits;
    bool stays;
};

static enum err look_at_holder(void *ctx, uint64_t number, uint64_t seq, struct error *e)
{
    struct holders *h = ctx;
    (void)e;
    h->stays = h->stays || !purge_takes(h->limits, number, seq);
    return ERR_OK;
}

static enum err count_entry(struct gc *g, const struct meta_artifact_entry *entry, struct error *e)
{
    struct holders h = {.limits = &g->limits};
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    TRY(meta_read_begin(g->s->meta, &t, e));
    TRY(meta_artifact_holders(&t, &entry->digest, look_at_holder, &h, e));
    if (h.stays)
        return ERR_OK;
    g->report->archives++;
    g->report->bytes += entry->artifact.size;
    return ERR_OK;
}

static enum err count_entries(struct gc *g, struct error *e)
{
    struct page p = {.n = 0};
    do {
        TRY(next_page(g, &p, e));
        for (size_t i = 0; i < p.n; i++)
            TRY(count_entry(g, &p.items[i], e));
    } while (p.n == BATCH && !stops(g));
    return ERR_OK;
}

static enum err tell(struct gc *g, struct error *e)
{
    if (g->o->purge_deleted)
        TRY(purge_deleted(g->s, g->o, g->report, &g->limits, e));
    TRY(count_entries(g, e));
    return store_each(g->s->store, condemn_file, g, e);
}

enum err skill_gc(struct skill_service *s, const struct skill_gc *o, struct skill_gc_report *ret,
                  struct error *e)
{
    struct gc g = {.s = s, .o = o, .report = ret};
    *ret = (struct skill_gc_report){.archives = 0};
    enum err err = o->dry_run ? tell(&g, e) : collect(&g, e);
    purge_limits_deinit(&g.limits);
    return err;
}

/* --- a push that meets one --- */

static enum err is_deleting(struct skill_service *s, const struct digest *d, bool *ret,
                            struct error *e)
{
    struct meta_artifact artifact;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    TRY(meta_read_begin(s->meta, &t, e));
    enum err err = meta_artifact_get(&t, d, &artifact, e);
    *ret = err == ERR_OK && artifact.state == META_ARTIFACT_DELETING;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Where nobody holds the store, whoever had begun is gone. Looked at again under the hold: it may
 * just have been done. */
static enum err finish_abandoned(struct skill_service *s, const struct digest *d, struct error *e)
{
    struct batch b = {.n = 0};
    bool deleting;
    CLEANUP(sys_closep) int hold = -1;
    TRY(store_hold(s->store, STORE_HOLD_ALONE, &hold, e));
    TRY(is_deleting(s, d, &deleting, e));
    if (!deleting)
        return ERR_OK;
    add(&b, d, 0);
    return finish(s, &b, e);
}

enum err gc_await(struct skill_service *s, const struct digest *d, struct error *e)
{
    bool deleting;
    for (int i = 0; i < AWAIT_MS / LOOK_MS; i++) {
        TRY(is_deleting(s, d, &deleting, e));
        if (!deleting)
            return ERR_OK;
        enum err err = finish_abandoned(s, d, e);
        if (err != ERR_OK && err != ERR_UNAVAILABLE)
            return err;
        if (err != ERR_OK)
            sys_sleep_ms(LOOK_MS);
    }
    return FAIL(e, ERR_UNAVAILABLE, "skill.collected",
                "the archive is being collected as garbage; try again");
}
