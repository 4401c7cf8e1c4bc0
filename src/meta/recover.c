/* What the writer does after a commit has failed. */
#include "base/clock.h"
#include "base/log.h"
#include "meta/record.h"
#include "meta/schema.h"

#include <errno.h>

#define RETRY_SHARE 4 /* times what a try took */

/* --- the batch that failed --- */

static enum err fail_unknown(struct error *e)
{
    return FAIL(e, ERR_UNAVAILABLE, "meta.outcome_unknown",
                "saving to the server's database has failed, and whether this change was kept is "
                "not known; try again, a change that was kept is not made twice");
}

static enum err fail_undone(int sys, struct error *e)
{
    if (sys == ENOSPC || sys == EDQUOT)
        return FAIL(e, ERR_RESOURCE_EXHAUSTED, "meta.disk_full",
                    "the disk of the server's database is full; nothing was stored. Ask its "
                    "operator to free space, then try again");
    return FAIL(e, ERR_UNAVAILABLE, "meta.not_saved",
                "saving to the server's database has failed, and this change was not made; try "
                "again");
}

static enum err reopen(struct writer *w, bool *ret_kept, struct error *e)
{
    TRY(w->meta->backend->ops->reopen(w->meta->backend, ret_kept, e));
    w->must_reopen = false;
    return ERR_OK;
}

enum err recover_begin(struct writer *w, struct error *e)
{
    struct error again;
    bool kept = true;
    int sys = e->sys;
    w->must_reopen = true;
    w->retry_at_ns = clock_mono_ns();
    atomic_store(&w->state, WRITER_RECOVERING);
    atomic_fetch_add(&w->n_failures, 1);
    log_error("metadata commit failed, the server is read-only", LOG_ERROR_FIELDS(e));
    if (reopen(w, &kept, &again) != ERR_OK) {
        log_error("the database cannot be opened again", LOG_ERROR_FIELDS(&again));
        return fail_unknown(e);
    }
    log_info("database opened again", LOG_C("failed_commit", kept ? "kept" : "not kept"));
    return kept ? fail_unknown(e) : fail_undone(sys, e);
}

/* --- reading everything --- */

/* Who waits is not kept waiting while a large database is read. */
static void lose_patience(struct writer *w, int64_t since_ns)
{
    if (clock_mono_ns() - since_ns <= w->limits.verify_ns)
        return;
    atomic_store(&w->state, WRITER_BROKEN);
    writer_refuse_all(w);
}

static enum err verify_table(struct writer *w, struct meta_txn *t, enum meta_table table,
                             int64_t since_ns, struct error *e)
{
    struct meta_key all = META_KEY_INIT;
    CLEANUP(scan_close) struct scan s = SCAN_INIT;
    unsigned n = 0;
    TRY(scan_open(&s, t, table, &all, e));
    enum err err = scan_seek(&s, &all, e);
    for (; err == ERR_OK; err = scan_next(&s, e))
        if (++n % 256 == 0)
            lose_patience(w, since_ns);
    return scan_done(err);
}

/* Every record has the checksum it was written with. */
static enum err verify(struct writer *w, struct error *e)
{
    enum schema_found found;
    int64_t since_ns = clock_mono_ns();
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    TRY(schema_check(w->meta, &found, e));
    TRY(meta_read_begin(w->meta, &t, e));
    for (int i = 0; i < META_N_TABLES; i++)
        TRY(verify_table(w, &t, (enum meta_table)i, since_ns, e));
    return ERR_OK;
}

/* --- trying a commit --- */

static enum err touch(struct meta *m, struct meta_btxn *b, struct error *e)
{
    struct meta_txn t = {.meta = m, .b = b};
    return schema_touch(&t, NULL, e);
}

static enum err try_commit(struct writer *w, struct error *e)
{
    struct meta_btxn *top;
    const struct meta_ops *ops = w->meta->backend->ops;
    TRY(ops->begin_write(w->meta->backend, NULL, &top, e));
    enum err err = touch(w->meta, top, e);
    if (err != ERR_OK) {
        ops->abort(top);
        return err;
    }
    err = ops->commit(top, e);
    w->must_reopen = err != ERR_OK;
    return err;
}

static enum err try_all(struct writer *w, struct error *e)
{
    bool kept;
    if (w->must_reopen)
        TRY(reopen(w, &kept, e));
    TRY(verify(w, e));
    return try_commit(w, e);
}

void recover(struct writer *w)
{
    struct error e;
    int64_t began_ns = clock_mono_ns();
    enum err err = try_all(w, &e);
    int64_t took_ns = clock_mono_ns() - began_ns;
    atomic_store(&w->state, err == ERR_OK ? WRITER_OPEN : WRITER_BROKEN);
    if (err == ERR_OK) {
        log_info("metadata can be written again");
        return;
    }
    /* A large database is not read all the time. */
    w->retry_at_ns = clock_mono_ns() + MAX(w->limits.retry_ns, RETRY_SHARE * took_ns);
    log_error("metadata stays read-only", LOG_ERROR_FIELDS(&e));
}
