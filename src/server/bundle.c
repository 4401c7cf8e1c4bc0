#include "server/bundle.h"

#include "base/macro.h"
#include "base/sys.h"
#include "check/check.h"
#include "meta/meta.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define NEW  "new" /* the directory of the copy, in the database's */
#define DATA "data.mdb"
#define LOCK "lock.mdb"
#define PAGE 128

DEFINE_CLEANUP(struct meta *, meta_close);
DEFINE_CLEANUP(struct store *, store_close);
DEFINE_CLEANUP(struct spool *, spool_free);

/* --- paths ------------------------------------------------------------------------------------ */

static enum err join(const char *a, const char *b, char ret[SYS_PATH_MAX], struct error *e)
{
    if (snprintf(ret, SYS_PATH_MAX, "%s%s", a, b) < SYS_PATH_MAX)
        return ERR_OK;
    return FAIL(e, ERR_INVALID_ARGUMENT, "bundle.path", "the path %s is too long", a);
}

enum err bundle_of_dir(const char *dir, struct bundle *ret, struct error *e)
{
    TRY(join(dir, "/stigmer.db", ret->db, e));
    return join(dir, "/storage", ret->storage, e);
}

enum err bundle_of_config(const struct config *c, struct bundle *ret, struct error *e)
{
    TRY(join(c->db_path, "", ret->db, e));
    return join(c->storage_path, "", ret->storage, e);
}

enum err bundle_has_database(const struct bundle *b, bool *ret, struct error *e)
{
    char path[SYS_PATH_MAX + sizeof "/" DATA];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/" DATA, b->db);
    enum err err = sys_fstatat(AT_FDCWD, path, 0, &st, e);
    *ret = err == ERR_OK;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err open_dir(const char *path, int *ret, struct error *e)
{
    return sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, ret, e);
}

/* --- the database ----------------------------------------------------------------------------- */

static void print_finding(void *ctx, const struct check_finding *f)
{
    (void)ctx;
    (void)fprintf(stderr, "%s: %s\n", f->kind, f->text);
}

/* A copy of damaged pages would be no better, and LMDB must not be let into them. */
static enum err check_database(const struct bundle *b, struct error *e)
{
    struct check_report r;
    const struct check_options o = {.db_path = b->db,
                                    .storage_path = b->storage,
                                    .skip_artifacts = true,
                                    .found = print_finding};
    TRY(check_store(&o, &r, e));
    if (r.findings == 0)
        return ERR_OK;
    return FAIL(e, ERR_DATA_LOSS, "bundle.damaged",
                "the database in %s is damaged, and nothing was copied", b->db);
}

static enum err copy_to(const struct bundle *from, int dir, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    struct error ignored;
    (void)sys_unlinkat(dir, DATA, 0, &ignored); /* of an interrupted one */
    (void)sys_unlinkat(dir, LOCK, 0, &ignored);
    TRY(sys_openat(dir, DATA, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, e));
    TRY(meta_copy_lmdb(from->db, fd, e));
    TRY(sys_fsync(fd, e));
    return sys_fsync(dir, e);
}

enum err bundle_copy_database(const struct bundle *from, const struct bundle *to, struct error *e)
{
    char path[SYS_PATH_MAX];
    CLEANUP(sys_closep) int dir = -1;
    TRY(check_database(from, e));
    TRY(join(to->db, "/" NEW, path, e));
    TRY(sys_mkdir_parents(path, 0700, e));
    TRY(open_dir(path, &dir, e));
    if (copy_to(from, dir, e) != ERR_OK)
        return err_wrap(e, "the database cannot be copied to %s", path);
    return ERR_OK;
}

enum err bundle_finish(const struct bundle *to, struct error *e)
{
    CLEANUP(sys_closep) int dir = -1;
    struct error ignored;
    TRY(open_dir(to->db, &dir, e));
    TRY(sys_renameat(dir, NEW "/" DATA, dir, DATA, e));
    TRY(sys_fsync(dir, e));
    return sys_remove_tree(dir, NEW, &ignored) == ERR_OK ? sys_fsync(dir, e) : ERR_OK;
}

/* --- archives --------------------------------------------------------------------------------- */

struct copy {
    struct store *from; /* NULL: there is nothing more to be had */
    struct store *to;
    struct bundle_report *report;
};

static enum err copy_bytes(struct copy *c, const struct digest *d, const struct artifact *a,
                           struct error *e)
{
    CLEANUP(spool_freep) struct spool *sp = NULL;
    TRY(store_spool(c->to, a->len, &sp, e));
    TRY(spool_fill(sp, a->fd, a->len, e));
    if (!digest_eq(spool_digest(sp), d))
        return FAIL(e, ERR_UNAVAILABLE, "bundle.changed", "an archive changes while it is copied");
    TRY(store_put(c->to, sp, NULL, e));
    c->report->archives++;
    c->report->bytes += a->len;
    return ERR_OK;
}

void bundle_tell_missing(const struct digest *d, enum err why, struct bundle_report *report)
{
    char hex[SHA256_HEX_LEN + 1];
    digest_to_hex(d, hex);
    (void)fprintf(stderr, "the archive %s.zip is %s and was not copied\n", hex,
                  why == ERR_NOT_FOUND ? "missing" : "damaged");
    report->damaged++;
}

static enum err copy_one(struct copy *c, const struct digest *d, struct error *e)
{
    CLEANUP(artifact_deinit) struct artifact a = ARTIFACT_INIT;
    enum err err = c->from ? store_open(c->from, d, &a, e) : ERR_NOT_FOUND;
    if (err == ERR_OK)
        return copy_bytes(c, d, &a, e);
    if (err != ERR_NOT_FOUND && err != ERR_DATA_LOSS)
        return err;
    bundle_tell_missing(d, err, c->report);
    return ERR_OK;
}

static enum err copy_missing(void *ctx, const struct meta_artifact_entry *entry, struct error *e)
{
    struct copy *c = ctx;
    uint64_t len;
    enum err err = store_length(c->to, &entry->digest, &len, e);
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return err;
    if (err == ERR_NOT_FOUND || len != entry->artifact.size)
        return copy_one(c, &entry->digest, e);
    c->report->there++;
    return ERR_OK;
}

enum err bundle_each_archive(struct meta *meta,
                             enum err (*fn)(void *ctx, const struct meta_artifact_entry *entry,
                                            struct error *e),
                             void *ctx, struct error *e)
{
    struct meta_artifact_entry page[PAGE];
    size_t n = 0;
    CLEANUP(meta_read_end) struct meta_txn t = META_TXN_INIT;
    TRY(meta_read_begin(meta, &t, e));
    do {
        const struct digest last = n ? page[n - 1].digest : (struct digest){0};
        TRY(meta_artifact_list(&t, n ? &last : NULL, page, PAGE, &n, e));
        for (size_t i = 0; i < n; i++)
            if (page[i].referenced)
                TRY(fn(ctx, &page[i], e));
    } while (n == PAGE);
    return ERR_OK;
}

enum err bundle_copy_archives(const struct bundle *from, const struct bundle *to,
                              struct bundle_report *ret, struct error *e)
{
    char path[SYS_PATH_MAX];
    const struct meta_lmdb_options ro = {.read_only = true};
    CLEANUP(store_closep) struct store *source = NULL;
    CLEANUP(store_closep) struct store *target = NULL;
    CLEANUP(meta_closep) struct meta *meta = NULL;
    *ret = (struct bundle_report){.archives = 0};
    TRY(join(to->db, "/" NEW, path, e));
    TRY(store_open_fs(from->storage, &source, e));
    TRY(store_open_fs(to->storage, &target, e));
    TRY(meta_open_lmdb(path, &ro, &meta, e));
    struct copy c = {source, target, ret};
    if (bundle_each_archive(meta, copy_missing, &c, e) != ERR_OK)
        return err_wrap(e, "an archive cannot be copied to %s", to->storage);
    return ERR_OK;
}

enum err bundle_check_copy(const struct bundle *to, struct bundle_report *ret, struct error *e)
{
    struct bundle copied = *to;
    struct bundle_report rest = {.archives = 0};
    const struct meta_lmdb_options ro = {.read_only = true};
    CLEANUP(store_closep) struct store *target = NULL;
    CLEANUP(meta_closep) struct meta *meta = NULL;
    TRY(join(to->db, "/" NEW, copied.db, e));
    TRY(check_database(&copied, e));
    TRY(store_open_fs(to->storage, &target, e));
    TRY(meta_open_lmdb(copied.db, &ro, &meta, e));
    struct copy c = {NULL, target, &rest};
    TRY(bundle_each_archive(meta, copy_missing, &c, e));
    ret->damaged += rest.damaged;
    return ERR_OK;
}
