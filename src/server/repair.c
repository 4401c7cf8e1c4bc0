/*
 * stigmer-server check --repair: damaged archives are put aside; where the database is damaged, a
 * new one is made of all records that are still sound, and what follows from others is made anew.
 * The former one is kept beside it.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/macro.h"
#include "base/sys.h"
#include "base/sys_proc.h"
#include "check/check.h"
#include "meta/meta.h"
#include "server/bundle.h"
#include "server/command.h"
#include "server/lock.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define NEW   "repaired"
#define DATA  "data.mdb"
#define BATCH MIB(4) /* bytes of records in one transaction */

DEFINE_CLEANUP(struct meta *, meta_close);
DEFINE_CLEANUP(struct store *, store_close);

/* --- archives --------------------------------------------------------------------------------- */

struct archives {
    struct store *store;
    uint64_t damaged;
};

static enum err verify_one(void *ctx, const struct store_info *info, struct error *e)
{
    struct archives *a = ctx;
    enum err err = store_verify(a->store, &info->digest, info->len, e);
    a->damaged += err == ERR_DATA_LOSS;
    return err == ERR_DATA_LOSS || err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err repair_archives(const struct config *c, struct error *e)
{
    CLEANUP(store_closep) struct store *store = NULL;
    TRY(store_open_fs(c->storage_path, &store, e));
    struct archives a = {.store = store};
    TRY(store_each(store, verify_one, &a, e));
    if (a.damaged)
        (void)fprintf(stderr, "put aside: %llu damaged archives, in %s/quarantine\n",
                      (unsigned long long)a.damaged, c->storage_path);
    return ERR_OK;
}

/* --- the database ----------------------------------------------------------------------------- */

/* A record in the batch: its head, then key and payload. */
struct head {
    enum meta_table table;
    size_t key_len, payload_len;
};

struct salvage {
    struct meta *to;
    struct buf batch;
    uint64_t found;
    struct check_tree trees[META_N_TREES];
};

/* What does not all follow from other records. */
static const struct {
    enum meta_tree tree;
    const char *what;
} sources[] = {
    {META_TREE_SKILLS, "skills"},
    {META_TREE_BY_NUMBER, "versions, their texts, tags and what leads to them"},
    {META_TREE_BY_ARCHIVE, "archives and lists of their files"},
    {META_TREE_EVENTS, "events"},
};

static enum err take_batch(struct meta_txn *t, void *arg, struct error *e)
{
    const struct salvage *s = arg;
    struct head h;
    for (size_t at = 0; at < s->batch.len; at += sizeof h + h.key_len + h.payload_len) {
        memcpy(&h, s->batch.p + at, sizeof h);
        str key = str_of(s->batch.p + at + sizeof h, h.key_len);
        TRY(meta_salvage(t, h.table, key, str_of(key.p + key.len, h.payload_len), e));
    }
    return ERR_OK;
}

static enum err flush(struct salvage *s, struct error *e)
{
    TRY(buf_status(&s->batch, e));
    TRY(meta_write(s->to, take_batch, s, e));
    buf_clear(&s->batch);
    return ERR_OK;
}

static enum err add_record(void *ctx, enum meta_table table, str key, str payload, struct error *e)
{
    struct salvage *s = ctx;
    const struct head h = {table, key.len, payload.len};
    s->found++;
    buf_add(&s->batch, str_of(&h, sizeof h));
    buf_add(&s->batch, key);
    buf_add(&s->batch, payload);
    return s->batch.len >= BATCH ? flush(s, e) : ERR_OK;
}

static enum err end_txn(struct meta_txn *t, void *arg, struct error *e)
{
    (void)arg;
    return meta_salvage_end(t, e);
}

/* A new database without them would look as if nothing had ever been stored. */
static enum err check_tables(const struct salvage *s, struct error *e)
{
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
        if (!s->trees[sources[i].tree].there)
            return FAIL(
                e, ERR_DATA_LOSS, "repair.tables",
                "the list of its tables is damaged, and no record can be found; nothing was "
                "changed. Restore a backup");
    return ERR_OK;
}

static enum err fill(const struct config *c, struct salvage *s, struct error *e)
{
    TRY(check_each_sound(c->db_path, add_record, s, s->trees, e));
    TRY(check_tables(s, e));
    TRY(flush(s, e));
    return meta_write(s->to, end_txn, NULL, e);
}

static uint64_t tell_lost(const struct salvage *s)
{
    uint64_t lost = 0;
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        const struct check_tree *t = &s->trees[sources[i].tree];
        if (t->sound >= t->records)
            continue;
        lost += t->records - t->sound;
        (void)fprintf(stderr, "lost: %llu of %llu records (%s)\n",
                      (unsigned long long)(t->records - t->sound), (unsigned long long)t->records,
                      sources[i].what);
    }
    return lost;
}

static enum err salvage(const struct config *c, const char *dir, uint64_t *ret_lost,
                        struct error *e)
{
    CLEANUP(meta_closep) struct meta *meta = NULL;
    TRY(meta_open_lmdb(dir, NULL, &meta, e));
    struct salvage s = {.to = meta};
    buf_init(&s.batch, 2 * BATCH + MIB(4));
    enum err err = fill(c, &s, e);
    buf_deinit(&s.batch);
    TRY(err);
    (void)fprintf(stderr, "found: %llu sound records; lists, references and counters made anew\n",
                  (unsigned long long)s.found);
    *ret_lost = tell_lost(&s);
    return ERR_OK;
}

/* The new one takes the place at one stroke; the former one has another name before. */
static enum err replace(const struct config *c, struct error *e)
{
    char aside[64];
    struct error ignored;
    CLEANUP(sys_closep) int dir = -1;
    CLEANUP(sys_closep) int former = -1;
    (void)snprintf(aside, sizeof aside, DATA ".damaged-%lld",
                   (long long)(clock_real_ns() / NS_PER_S));
    TRY(sys_openat(AT_FDCWD, c->db_path, O_RDONLY | O_DIRECTORY, 0, &dir, e));
    TRY(sys_openat(dir, DATA, O_RDONLY, 0, &former, e));
    TRY(sys_link_fd(former, dir, aside, e));
    TRY(sys_fsync(dir, e));
    TRY(sys_renameat(dir, NEW "/" DATA, dir, DATA, e));
    TRY(sys_fsync(dir, e));
    (void)sys_remove_tree(dir, NEW, &ignored);
    (void)fprintf(stderr, "made: a new database; the damaged one is kept as %s/%s\n", c->db_path,
                  aside);
    return ERR_OK;
}

static enum err make_anew(const struct config *c, uint64_t *ret_lost, struct error *e)
{
    char path[SYS_PATH_MAX];
    struct error ignored;
    if (snprintf(path, sizeof path, "%s/" NEW, c->db_path) >= (int)sizeof path)
        return FAIL(e, ERR_INVALID_ARGUMENT, "repair.path", "DB_PATH=%s is too long", c->db_path);
    (void)sys_remove_tree(AT_FDCWD, path, &ignored); /* of an interrupted one */
    if (salvage(c, path, ret_lost, e) != ERR_OK) {
        (void)sys_remove_tree(AT_FDCWD, path, &ignored);
        return err_wrap(e, "DB_PATH=%s", c->db_path);
    }
    return replace(c, e);
}

static void count_only(void *ctx, const struct check_finding *f)
{
    (void)ctx, (void)f;
}

static enum err repair_database(const struct config *c, uint64_t *ret_lost, struct error *e)
{
    struct check_report r;
    const struct check_options o = {.db_path = c->db_path,
                                    .storage_path = c->storage_path,
                                    .skip_artifacts = true,
                                    .found = count_only};
    TRY(check_store(&o, &r, e));
    return r.findings ? make_anew(c, ret_lost, e) : ERR_OK;
}

/* Nothing is made where there is nothing. */
static enum err check_there(const struct config *c, struct error *e)
{
    struct bundle b;
    bool there;
    TRY(bundle_of_config(c, &b, e));
    TRY(bundle_has_database(&b, &there, e));
    return there ? ERR_OK
                 : FAIL(e, ERR_NOT_FOUND, "repair.no_database",
                        "there is no database at DB_PATH=%s", c->db_path);
}

enum err repair(const struct config *c, uint64_t *ret_lost, struct error *e)
{
    *ret_lost = 0;
    TRY(check_there(c, e));
    CLEANUP(sys_closep) int storage_lock = -1;
    CLEANUP(sys_closep) int db_lock = -1;
    TRY(lock_dir("STORAGE_PATH", c->storage_path, "storage.lock", &storage_lock, e));
    TRY(lock_dir("DB_PATH", c->db_path, "database.lock", &db_lock, e));
    TRY(repair_archives(c, e));
    return repair_database(c, ret_lost, e);
}
