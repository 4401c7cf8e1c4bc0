/*
 * stigmer-server backup DIR|-, restore DIR|-.
 *
 * A backup is a bundle (bundle.h). The database is copied first, as of one transaction, under a
 * name that nobody reads; then the archives it refers to, which are durable before any record of
 * them and cannot be collected meanwhile, since the store is held; then the new database takes the
 * place of the former one. So a backup that is interrupted leaves the former one as it was, with
 * some more archives in it.
 */
#include "base/macro.h"
#include "base/sys.h"
#include "server/bundle.h"
#include "server/command.h"
#include "server/incomplete.h"
#include "server/lock.h"
#include "server/stream.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

DEFINE_CLEANUP(struct store *, store_close);

static enum err check_source(const struct bundle *b, struct error *e)
{
    bool there;
    TRY(incomplete_check(b->db, e));
    TRY(bundle_has_database(b, &there, e));
    if (there)
        return ERR_OK;
    return FAIL(e, ERR_NOT_FOUND, "backup.no_database", "there is no database in %s", b->db);
}

/* A directory that may be above what is ours: one that cannot be opened was not made by us. */
static enum err sync_path(const char *base, const char *more, struct error *e)
{
    char path[SYS_PATH_MAX + sizeof "/../.."];
    struct error ignored;
    CLEANUP(sys_closep) int dir = -1;
    (void)snprintf(path, sizeof path, "%s%s", base, more);
    if (sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &dir, &ignored) != ERR_OK)
        return ERR_OK;
    return sys_fsync(dir, e);
}

/* The directories that have been made on the way. */
static enum err sync_parents(const struct bundle *to, struct error *e)
{
    TRY(sync_path(to->db, "/..", e));
    TRY(sync_path(to->storage, "/..", e));
    return sync_path(to->db, "/../..", e);
}

/* Whether `to` holds a backup is decided by its database alone, which comes last. */
static enum err copy(const struct bundle *from, const struct bundle *to, bool first,
                     struct bundle_report *ret, struct error *e)
{
    if (first)
        TRY(incomplete_mark(to->db, e));
    TRY(bundle_copy_database(from, to, e));
    TRY(bundle_copy_archives(from, to, ret, e));
    TRY(sync_parents(to, e));
    TRY(bundle_finish(to, e));
    return incomplete_unmark(to->db, e);
}

static void print_report(FILE *out, const char *what, const char *where,
                         const struct bundle_report *r, bool json)
{
    typedef unsigned long long ull;
    if (json) {
        (void)fprintf(out, "{\"archives\":%llu,\"bytes\":%llu,\"there\":%llu,\"damaged\":%llu}\n",
                      (ull)r->archives, (ull)r->bytes, (ull)r->there, (ull)r->damaged);
        return;
    }
    (void)fprintf(out, "%s %s: %llu archive%s copied, %llu bytes; %llu were there\n", what, where,
                  (ull)r->archives, r->archives == 1 ? "" : "s", (ull)r->bytes, (ull)r->there);
}

static enum err tell_damage(const char *where, const struct bundle_report *r, struct error *e)
{
    if (r->damaged == 0)
        return ERR_OK;
    return FAIL(
        e, ERR_DATA_LOSS, "backup.damaged",
        "%llu archives in %s are missing or damaged; all others were copied. \"stigmer-server "
        "check\" names the skills concerned: push their files again",
        (unsigned long long)r->damaged, where);
}

/* --- backup ----------------------------------------------------------------------------------- */

static enum err hold_source(const struct bundle *from, int *ret, struct error *e)
{
    CLEANUP(store_closep) struct store *store = NULL;
    TRY(store_open_fs(from->storage, &store, e));
    return store_hold(store, STORE_HOLD_SHARED, ret, e);
}

static bool is_stream(const char *dir)
{
    return str_eq(str_c(dir), STR("-"));
}

static enum err backup_to_dir(const struct bundle *from, const char *dir, struct bundle_report *ret,
                              struct error *e)
{
    struct bundle to;
    bool there;
    CLEANUP(sys_closep) int lock = -1;
    TRY(bundle_of_dir(dir, &to, e));
    TRY(lock_dir("the directory", to.db, "database.lock", &lock, e));
    TRY(bundle_has_database(&to, &there, e));
    return copy(from, &to, !there, ret, e);
}

/* What is told of a stream goes to standard error. */
enum err command_backup(const struct config *c, const char *dir, bool json, struct error *e)
{
    struct bundle from;
    struct bundle_report r;
    CLEANUP(sys_closep) int hold = -1;
    bool stream = is_stream(dir);
    TRY(bundle_of_config(c, &from, e));
    TRY(check_source(&from, e));
    TRY(hold_source(&from, &hold, e));
    TRY(stream ? stream_write(&from, 1, &r, e) : backup_to_dir(&from, dir, &r, e));
    print_report(stream ? stderr : stdout, "backed up to", dir, &r, json);
    TRY(tell_damage(from.storage, &r, e));
    return fflush(stdout) == 0
               ? ERR_OK
               : FAIL(e, ERR_INTERNAL, "backup.write", "cannot write to standard output");
}

/* --- restore ---------------------------------------------------------------------------------- */

static enum err found_one(void *ctx, const struct store_info *info, struct error *e)
{
    (void)info, (void)e;
    *(bool *)ctx = true;
    return ERR_OK;
}

/* What an interrupted restore has left is ours to go on with. */
static enum err check_empty(const struct bundle *to, struct error *e)
{
    struct error marked;
    bool any;
    if (incomplete_check(to->db, &marked) == ERR_FAILED_PRECONDITION)
        return ERR_OK;
    TRY(bundle_has_database(to, &any, e));
    CLEANUP(store_closep) struct store *store = NULL;
    TRY(store_open_fs(to->storage, &store, e));
    if (!any)
        TRY(store_each(store, found_one, &any, e));
    if (!any)
        return ERR_OK;
    return FAIL(
        e, ERR_FAILED_PRECONDITION, "restore.not_empty",
        "a restore needs an empty place, and DB_PATH=%s and STORAGE_PATH=%s hold something: "
        "move it away, or set them to another place",
        to->db, to->storage);
}

static enum err restore_dir(const char *dir, const struct bundle *to, struct bundle_report *ret,
                            struct error *e)
{
    struct bundle from;
    TRY(bundle_of_dir(dir, &from, e));
    return copy(&from, to, true, ret, e);
}

static enum err restore_stream(const struct bundle *to, struct bundle_report *ret, struct error *e)
{
    TRY(incomplete_mark(to->db, e));
    TRY(stream_read(0, to, ret, e));
    TRY(bundle_check_copy(to, ret, e));
    TRY(sync_parents(to, e));
    TRY(bundle_finish(to, e));
    return incomplete_unmark(to->db, e);
}

/* Before anything is made for it. */
static enum err check_backup(const char *dir, struct error *e)
{
    struct bundle from;
    if (is_stream(dir))
        return ERR_OK;
    TRY(bundle_of_dir(dir, &from, e));
    return check_source(&from, e);
}

enum err command_restore(const struct config *c, const char *dir, bool json, struct error *e)
{
    struct bundle to;
    struct bundle_report r;
    CLEANUP(sys_closep) int storage_lock = -1;
    CLEANUP(sys_closep) int db_lock = -1;
    TRY(check_backup(dir, e));
    TRY(bundle_of_config(c, &to, e));
    TRY(lock_dir("STORAGE_PATH", to.storage, "storage.lock", &storage_lock, e));
    TRY(lock_dir("DB_PATH", to.db, "database.lock", &db_lock, e));
    TRY(check_empty(&to, e));
    TRY(is_stream(dir) ? restore_stream(&to, &r, e) : restore_dir(dir, &to, &r, e));
    print_report(stdout, "restored from", dir, &r, json);
    TRY(tell_damage(dir, &r, e));
    return fflush(stdout) == 0
               ? ERR_OK
               : FAIL(e, ERR_INTERNAL, "restore.write", "cannot write to standard output");
}
