/* Artifacts as files: dir/skills/<hash>.zip, and dir/quarantine/ for what was damaged. */
#include "base/clock.h"
#include "base/macro.h"
#include "base/metric.h"
#include "base/mutant.h"
#include "base/pool.h"
#include "base/sys.h"
#include "store/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define DIR_MODE 0700

/* Write-back is started each time so much was spooled: the final fsync of 100 MiB then takes 2 ms
 * instead of 35 (DESIGN.md 2.11). */
#define WRITEBACK_STEP MIB(8)

#define NAME_SUFFIX ".zip"
#define NAME_LEN    (SHA256_HEX_LEN + sizeof NAME_SUFFIX - 1)

struct fs_store {
    struct store base;
    int top, skills, quarantine; /* directories */
};

static struct fs_store *fs_of(struct store *s)
{
    return CONTAINER_OF(s, struct fs_store, base);
}

/* Names are made from a parsed digest only, never from what a client sent. */
static void name_of(const struct digest *d, char out[NAME_LEN + 1])
{
    digest_to_hex(d, out);
    memcpy(out + SHA256_HEX_LEN, NAME_SUFFIX, sizeof NAME_SUFFIX);
}

static bool name_parse(const char *name, struct digest *ret)
{
    str n = str_c(name);
    return n.len == NAME_LEN && str_ends_with(n, STR(NAME_SUFFIX)) &&
           digest_from_hex(str_head(n, SHA256_HEX_LEN), ret);
}

static void fs_close(struct store *s)
{
    struct fs_store *fs = fs_of(s);
    sys_closep(&fs->top);
    sys_closep(&fs->skills);
    sys_closep(&fs->quarantine);
    store_deinit(s);
    free(fs);
}

/* A descriptor of our own for each fsync of a directory: a write-back error is reported once per
 * open file (fsync(2)), so on a shared one it would reach only one of several threads. Opened
 * before the change that it is to make durable. */
static enum err open_dir(int dirfd, int *ret_fd, struct error *e)
{
    return sys_openat(dirfd, ".", O_DIRECTORY | O_RDONLY, 0, ret_fd, e);
}

static enum err sync_fd(struct fs_store *fs, int fd, struct error *e)
{
    int64_t began_ns = clock_mono_ns();
    pool_wait_begin();
    enum err err = sys_fsync(fd, e);
    pool_wait_end();
    metric_note(&fs->base.syncs, &metric_seconds, (uint64_t)(clock_mono_ns() - began_ns));
    return err;
}

static enum err fs_spool_open(struct store *s, int *ret_fd, struct error *e)
{
    return sys_open_tmp(fs_of(s)->skills, ret_fd, e);
}

static enum err fs_spool_write(struct store *s, int fd, const void *p, size_t len, uint64_t off,
                               struct error *e)
{
    (void)s;
    TRY(sys_pwrite_full(fd, p, len, off, e));
    uint64_t from = off - off % WRITEBACK_STEP;
    uint64_t to = (off + len) - (off + len) % WRITEBACK_STEP;
    if (to > from)
        sys_sync_range(fd, from, to - from);
    return ERR_OK;
}

static enum err fs_spool_sync(struct store *s, int fd, struct error *e)
{
    return MUTANT(no_file_fsync) ? ERR_OK : sync_fd(fs_of(s), fd, e);
}

static enum err fs_publish(struct store *s, int fd, uint64_t len, const struct digest *d,
                           struct error *e)
{
    char name[NAME_LEN + 1];
    CLEANUP(sys_closep) int dir = -1;
    (void)len;
    name_of(d, name);
    TRY(open_dir(fs_of(s)->skills, &dir, e));
    TRY(sys_link_fd(fd, dir, name, e));
    /* A failure leaves the name: another thread may have found it, made it durable and answered. */
    return MUTANT(no_directory_fsync) ? ERR_OK : sync_fd(fs_of(s), dir, e);
}

/* For what cannot be opened: the version of the directory entry itself. */
static enum err version_of_name(struct fs_store *fs, const char *name, struct blob_version *ret,
                                struct error *e)
{
    return blob_version_of_name(fs->skills, name, ret, e);
}

static enum err fs_head(struct store *s, const struct digest *d, struct blob_version *ret,
                        struct error *e)
{
    char name[NAME_LEN + 1];
    name_of(d, name);
    return version_of_name(fs_of(s), name, ret, e);
}

static enum err fail_not_file(struct fs_store *fs, const char *name, struct blob_version *ret,
                              struct error *e)
{
    TRY(version_of_name(fs, name, ret, e));
    return FAIL(e, ERR_DATA_LOSS, "store.not_a_file", "what has the artifact's name is no file");
}

static enum err check_file(int fd, bool *ret_is_file, struct error *e)
{
    struct stat st;
    TRY(sys_fstat(fd, &st, e));
    *ret_is_file = S_ISREG(st.st_mode);
    return ERR_OK;
}

/* No link is followed, no FIFO waited for. */
static enum err fs_open(struct store *s, const struct digest *d, struct artifact *ret,
                        struct blob_version *ret_version, struct error *e)
{
    char name[NAME_LEN + 1];
    bool is_file;
    struct fs_store *fs = fs_of(s);
    CLEANUP(sys_closep) int fd = -1;
    name_of(d, name);
    enum err err =
        sys_openat(fs->skills, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, &fd, e);
    if (err && (e->sys == ELOOP || e->sys == ENXIO)) /* a symbolic link, a socket */
        return fail_not_file(fs, name, ret_version, e);
    TRY(err);
    TRY(check_file(fd, &is_file, e));
    if (!is_file)
        return fail_not_file(fs, name, ret_version, e);
    TRY(blob_version_of_fd(fd, ret_version, e));
    *ret = (struct artifact){.fd = sys_steal(&fd), .len = ret_version->len};
    return ERR_OK;
}

static enum err fs_persist(struct store *s, const struct artifact *a, struct error *e)
{
    CLEANUP(sys_closep) int dir = -1;
    TRY(open_dir(fs_of(s)->skills, &dir, e));
    TRY(sync_fd(fs_of(s), a->fd, e));
    TRY(sync_fd(fs_of(s), dir, e));
    /* A write-back that failed leaves clean pages that the disk never got. */
    sys_drop_cache(a->fd);
    return ERR_OK;
}

/* An artifact on its way to quarantine/, under a name that tells when. */
struct aside {
    struct fs_store *fs;
    int dir, lock; /* skills/; quarantine/, locked */
    char name[NAME_LEN + 1], to[NAME_LEN + 24];
};
#define ASIDE_INIT ((struct aside){.dir = -1, .lock = -1})

static void aside_deinit(struct aside *a)
{
    sys_closep(&a->dir);
    sys_closep(&a->lock);
}

/* The lock on the directory keeps threads and processes (each has a descriptor of its own) from
 * moving away the good artifact that somebody else has just put in place of the damaged one, and
 * from two moves in one nanosecond. NOT_FOUND: what is there is not the version bad. */
static enum err aside_begin(struct aside *a, struct fs_store *fs, const struct digest *d,
                            const struct blob_version *bad, struct error *e)
{
    char hex[SHA256_HEX_LEN + 1];
    struct blob_version now;
    a->fs = fs;
    TRY(open_dir(fs->quarantine, &a->lock, e));
    TRY(sys_lock(a->lock, e));
    TRY(fs_head(&fs->base, d, &now, e));
    if (!blob_version_eq(&now, bad))
        return FAIL(e, ERR_NOT_FOUND, "store.not_found", "the damaged artifact is gone");
    name_of(d, a->name);
    digest_to_hex(d, hex);
    (void)snprintf(a->to, sizeof a->to, "%s.%lld%s", hex, (long long)clock_real_ns(), NAME_SUFFIX);
    return open_dir(fs->skills, &a->dir, e);
}

static enum err aside_sync(const struct aside *a, struct error *e)
{
    TRY(sync_fd(a->fs, a->lock, e));
    return sync_fd(a->fs, a->dir, e);
}

static enum err fs_quarantine(struct store *s, const struct digest *d,
                              const struct blob_version *bad, struct error *e)
{
    CLEANUP(aside_deinit) struct aside a = ASIDE_INIT;
    TRY(aside_begin(&a, fs_of(s), d, bad, e));
    TRY(sys_renameat(a.dir, a.name, a.lock, a.to, e));
    return aside_sync(&a, e);
}

/* The good file gets a name in quarantine/, then the two change places at once: whenever the
 * machine stops, one of them has the artifact's name. */
static enum err fs_replace(struct store *s, int fd, const struct digest *d,
                           const struct blob_version *bad, struct error *e)
{
    CLEANUP(aside_deinit) struct aside a = ASIDE_INIT;
    struct error ignored;
    TRY(aside_begin(&a, fs_of(s), d, bad, e));
    TRY(sys_link_fd(fd, a.lock, a.to, e));
    enum err err = sys_exchange(a.dir, a.name, a.lock, a.to, e);
    if (err && e->sys == EINVAL) /* a file system that cannot: the damaged one is not kept */
        err = sys_renameat(a.lock, a.to, a.dir, a.name, e);
    if (err) {
        (void)sys_unlinkat(a.lock, a.to, 0, &ignored);
        return err;
    }
    return aside_sync(&a, e);
}

static const char probe_text[] = "stigmer-server: can this disk be written?";

static enum err fs_probe(struct store *s, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    CLEANUP(sys_closep) int dir = -1;
    char got[sizeof probe_text];
    TRY(open_dir(fs_of(s)->skills, &dir, e));
    TRY(sys_open_tmp(dir, &fd, e));
    TRY(sys_pwrite_full(fd, probe_text, sizeof probe_text, 0, e));
    TRY(sync_fd(fs_of(s), fd, e));
    TRY(sync_fd(fs_of(s), dir, e));
    sys_drop_cache(fd);
    TRY(sys_pread_full(fd, got, sizeof got, 0, e));
    if (memcmp(got, probe_text, sizeof got) != 0)
        return FAIL(e, ERR_DATA_LOSS, "store.probe", "the disk does not keep what is written");
    return ERR_OK;
}

static enum err fs_room(struct store *s, struct sys_room *ret, struct error *e)
{
    return sys_room(fs_of(s)->skills, ret, e);
}

struct each {
    struct fs_store *fs;
    enum err (*fn)(void *ctx, const struct store_info *, struct error *);
    void *ctx;
};

static enum err each_name(void *ctx, const char *name, struct error *e)
{
    struct each *each = ctx;
    struct store_info info;
    struct stat st;
    if (!name_parse(name, &info.digest))
        return ERR_OK;
    enum err err = sys_fstatat(each->fs->skills, name, AT_SYMLINK_NOFOLLOW, &st, e);
    if (err == ERR_NOT_FOUND) /* removed meanwhile */
        return ERR_OK;
    TRY(err);
    if (!S_ISREG(st.st_mode))
        return ERR_OK;
    info.len = (uint64_t)st.st_size;
    return each->fn(each->ctx, &info, e);
}

static enum err fs_each(struct store *s,
                        enum err (*fn)(void *ctx, const struct store_info *, struct error *),
                        void *ctx, struct error *e)
{
    struct each each = {.fs = fs_of(s), .fn = fn, .ctx = ctx};
    return sys_each_name(each.fs->skills, each_name, &each, e);
}

static enum err fs_remove(struct store *s, const struct digest *d, struct error *e)
{
    char name[NAME_LEN + 1];
    CLEANUP(sys_closep) int dir = -1;
    name_of(d, name);
    TRY(open_dir(fs_of(s)->skills, &dir, e));
    TRY(sys_unlinkat(dir, name, 0, e));
    return sync_fd(fs_of(s), dir, e);
}

/* A description of its own, so that it is a lock of its own. */
static enum err open_lock(struct fs_store *fs, int *ret_fd, struct error *e)
{
    return sys_openat(fs->top, "removal.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600, ret_fd, e);
}

static enum err fs_hold(struct store *s, enum store_hold how, int *ret_fd, struct error *e)
{
    int fd;
    TRY(open_lock(fs_of(s), &fd, e));
    return store_lock(fd, how, ret_fd, e);
}

static const struct store_ops fs_ops = {
    .name = "fs",
    .close = fs_close,
    .spool_open = fs_spool_open,
    .spool_write = fs_spool_write,
    .spool_sync = fs_spool_sync,
    .publish = fs_publish,
    .head = fs_head,
    .open = fs_open,
    .replace = fs_replace,
    .persist = fs_persist,
    .quarantine = fs_quarantine,
    .each = fs_each,
    .remove = fs_remove,
    .hold = fs_hold,
    .probe = fs_probe,
    .room = fs_room,
};

/* Opens a directory of ours, making it if need be. An existing one gets our mode too: nobody else
 * has any business in it. */
static enum err open_own_dir(int parent, const char *name, int *ret_fd, struct error *e)
{
    struct stat st;
    enum err err = sys_mkdirat(parent, name, DIR_MODE, e);
    if (err && err != ERR_ALREADY_EXISTS)
        return err;
    TRY(sys_openat(parent, name, O_DIRECTORY | O_RDONLY, 0, ret_fd, e));
    TRY(sys_fstat(*ret_fd, &st, e));
    if ((st.st_mode & 07777) != DIR_MODE)
        TRY(sys_fchmod(*ret_fd, DIR_MODE, e));
    return ERR_OK;
}

/* Fails at the start, not at the first push, where a spool cannot be made. */
static enum err try_spool(struct fs_store *fs, struct error *e)
{
    int fd;
    enum err err = fs_spool_open(&fs->base, &fd, e);
    if (err && (e->sys == EOPNOTSUPP || e->sys == EISDIR))
        return FAIL(e, ERR_FAILED_PRECONDITION, "store.no_tmpfile",
                    "its file system cannot make unnamed files (O_TMPFILE); "
                    "use one that can, such as ext4, xfs, btrfs or tmpfs");
    if (!err)
        sys_closep(&fd);
    return err;
}

static enum err open_dirs(struct fs_store *fs, const char *dir, struct error *e)
{
    CLEANUP(sys_closep) int lock = -1;
    TRY(sys_mkdir_parents(dir, DIR_MODE, e));
    TRY(sys_openat(AT_FDCWD, dir, O_DIRECTORY | O_RDONLY, 0, &fs->top, e));
    TRY(open_own_dir(fs->top, "skills", &fs->skills, e));
    TRY(open_own_dir(fs->top, "quarantine", &fs->quarantine, e));
    TRY(try_spool(fs, e));
    TRY(open_lock(fs, &lock, e)); /* made here, so that who only reads can hold it, too */
    return sync_fd(fs, fs->top, e);
}

enum err store_open_fs(const char *dir, struct store **ret, struct error *e)
{
    struct fs_store *fs = calloc(1, sizeof *fs);
    if (!fs)
        return FAIL_NOMEM(e);
    fs->top = fs->skills = fs->quarantine = -1;
    enum err err = store_init(&fs->base, &fs_ops, e);
    if (!err && open_dirs(fs, dir, e))
        err = err_wrap(e, "cannot use the storage directory \"%s\"", dir);
    if (err) {
        fs_close(&fs->base);
        return err;
    }
    *ret = &fs->base;
    return ERR_OK;
}
