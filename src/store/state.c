/* Whether the store takes changes: room on its disk, and what a failed write does to it. */
#include "base/log.h"
#include "base/macro.h"
#include "store/backend.h"

#include <errno.h>

#define RESERVE_BYTES MIB(64)
#define RESERVE_FILES 1000
#define RESERVE_PART  20 /* but no more than this part of a small file system */

enum err store_init(struct store *s, const struct store_ops *ops, struct error *e)
{
    s->ops = ops;
    s->reserve = (struct store_reserve){.bytes = RESERVE_BYTES, .files = RESERVE_FILES};
    return seen_new(&s->seen, e);
}

void store_deinit(struct store *s)
{
    seen_free(s->seen);
    s->seen = NULL;
}

void store_set_reserve(struct store *s, const struct store_reserve *r)
{
    s->reserve = *r;
}

/* --- failures --- */

static bool is_full(int sys)
{
    return sys == ENOSPC || sys == EDQUOT;
}

/* Out of something that others give back: says nothing about the disk. */
static bool is_shortage(int sys)
{
    return is_full(sys) || sys == EMFILE || sys == ENFILE || sys == ENOMEM;
}

static enum err fail_full(struct error *e)
{
    return FAIL(e, ERR_RESOURCE_EXHAUSTED, "store.full",
                "the server's storage is full; nothing was stored. Ask its operator to free "
                "space, then try again");
}

static enum err fail_broken(struct error *e)
{
    return FAIL(e, ERR_UNAVAILABLE, "store.broken",
                "the server is read-only: writing to its storage has failed, and this change was "
                "not made; it takes changes again as soon as the storage does. Try again later");
}

enum err store_plain(enum err err, struct error *e)
{
    return err && is_full(e->sys) ? fail_full(e) : err;
}

enum err store_judge(struct store *s, enum err err, struct error *e)
{
    struct error again;
    bool disk = err && e->sys && err != ERR_NOT_FOUND && err != ERR_ALREADY_EXISTS;
    if (!disk || is_shortage(e->sys))
        return store_plain(err, e);
    atomic_store(&s->broken, true);
    log_error("storage failed, the server is read-only", LOG_ERROR_FIELDS(e));
    (void)store_recover(s, &again);
    return fail_broken(e);
}

enum err store_ready(const struct store *s, struct error *e)
{
    return atomic_load(&s->broken) ? fail_broken(e) : ERR_OK;
}

/* What was known of the files is forgotten, so that they are read again before they are believed.
 */
enum err store_recover(struct store *s, struct error *e)
{
    if (!atomic_load(&s->broken))
        return ERR_OK;
    TRY(s->ops->probe(s, e));
    seen_clear(s->seen);
    atomic_store(&s->broken, false);
    log_info("storage can be written again");
    return ERR_OK;
}

/* --- room --- */

enum err store_check_room(struct store *s, struct error *e)
{
    struct sys_room r;
    TRY(s->ops->room(s, &r, e));
    if (r.free_bytes < MIN(s->reserve.bytes, r.total_bytes / RESERVE_PART) ||
        r.free_files < MIN(s->reserve.files, r.total_files / RESERVE_PART))
        return fail_full(e);
    return ERR_OK;
}

void store_metrics(const struct store *s, struct buf *out)
{
    metric_family(out, "stigmer_storage_fsync_seconds", "histogram",
                  "How long each fsync of an archive or its directory takes.");
    metric_histogram(out, "stigmer_storage_fsync_seconds", NULL, &metric_seconds, &s->syncs);
    metric_one(out, "stigmer_storage_writable", "gauge",
               "1 while the storage takes changes, 0 after a write has failed.",
               !atomic_load(&s->broken));
}
