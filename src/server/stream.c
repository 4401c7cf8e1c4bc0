#include "server/stream.h"

#include "base/hex.h"
#include "base/macro.h"
#include "base/sys.h"
#include "meta/meta.h"
#include "store/store.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define ARCHIVES    "storage/skills/"
#define SUFFIX      ".zip"
#define DATABASE    "stigmer.db/data.mdb"
#define COMPLETE    "COMPLETE"
#define CHUNK       KIB(64)
#define ARCHIVE_MAX MIB(101) /* more than any push may have */

DEFINE_CLEANUP(struct meta *, meta_close);
DEFINE_CLEANUP(struct store *, store_close);
DEFINE_CLEANUP(struct spool *, spool_free);

static void archive_freep(struct archive **a)
{
    (void)archive_free(*a);
}

static void entry_freep(struct archive_entry **entry)
{
    archive_entry_free(*entry);
}

/* --- writing ---------------------------------------------------------------------------------- */

struct writer {
    struct archive *out;
    struct store *store;
    struct bundle_report *report;
};

static enum err write_failed(struct archive *a, struct error *e)
{
    const char *why = archive_error_string(a);
    return FAIL(e, ERR_INTERNAL, "stream.write", "the backup cannot be written: %s",
                why ? why : "out of memory");
}

static enum err write_header(struct archive *out, const char *name, uint64_t size, struct error *e)
{
    CLEANUP(entry_freep) struct archive_entry *entry = archive_entry_new();
    if (!entry)
        return FAIL_NOMEM(e);
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, (la_int64_t)size);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0600);
    return archive_write_header(out, entry) == ARCHIVE_OK ? ERR_OK : write_failed(out, e);
}

static enum err write_file(struct archive *out, const char *name, int fd, uint64_t size,
                           struct error *e)
{
    char bytes[CHUNK];
    TRY(write_header(out, name, size, e));
    for (uint64_t off = 0; off < size;) {
        size_t n = (size_t)MIN((uint64_t)sizeof bytes, size - off);
        TRY(sys_pread_full(fd, bytes, n, off, e));
        if (archive_write_data(out, bytes, n) != (la_ssize_t)n)
            return write_failed(out, e);
        off += n;
    }
    return ERR_OK;
}

static enum err write_one(void *ctx, const struct meta_artifact_entry *entry, struct error *e)
{
    struct writer *w = ctx;
    const struct digest *d = &entry->digest;
    char hex[SHA256_HEX_LEN + 1], name[sizeof ARCHIVES + SHA256_HEX_LEN + sizeof SUFFIX];
    CLEANUP(artifact_deinit) struct artifact a = ARTIFACT_INIT;
    enum err err = store_open(w->store, d, &a, e);
    digest_to_hex(d, hex);
    if (err == ERR_NOT_FOUND || err == ERR_DATA_LOSS) {
        bundle_tell_missing(d, err, w->report);
        return ERR_OK;
    }
    TRY(err);
    (void)snprintf(name, sizeof name, ARCHIVES "%s" SUFFIX, hex);
    w->report->archives++;
    w->report->bytes += a.len;
    return write_file(w->out, name, a.fd, a.len, e);
}

static enum err write_database(struct writer *w, int fd, struct error *e)
{
    struct stat st;
    TRY(sys_fstat(fd, &st, e));
    return write_file(w->out, DATABASE, fd, (uint64_t)st.st_size, e);
}

/* The copy of the database lies in a temporary directory, without a name as soon as it is open. */
static enum err open_copy(const struct bundle *from, const struct bundle *tmp, int *ret_fd,
                          struct meta **ret, struct error *e)
{
    char path[2 * SYS_PATH_MAX];
    const struct meta_lmdb_options ro = {.read_only = true};
    TRY(bundle_copy_database(from, tmp, e));
    (void)snprintf(path, sizeof path, "%s/new/data.mdb", tmp->db);
    TRY(sys_openat(AT_FDCWD, path, O_RDONLY, 0, ret_fd, e));
    (void)snprintf(path, sizeof path, "%s/new", tmp->db);
    return meta_open_lmdb(path, &ro, ret, e);
}

static enum err make_tmp(char ret[SYS_PATH_MAX], struct error *e)
{
    uint8_t random[8];
    char hex[2 * sizeof random + 1];
    const char *dir = getenv("TMPDIR");
    dir = dir && dir[0] ? dir : "/tmp";
    TRY(sys_random(random, sizeof random, e));
    hex_encode(random, sizeof random, hex);
    if (snprintf(ret, SYS_PATH_MAX, "%s/stigmer-backup-%s", dir, hex) >= SYS_PATH_MAX)
        return FAIL(e, ERR_INVALID_ARGUMENT, "stream.tmp", "TMPDIR=%s is too long", dir);
    if (sys_mkdirat(AT_FDCWD, ret, 0700, e) != ERR_OK)
        return err_wrap(e, "no temporary directory can be made in TMPDIR=%s", dir);
    return ERR_OK;
}

static enum err snapshot(const struct bundle *from, int *ret_fd, struct meta **ret, struct error *e)
{
    struct bundle tmp = {.storage = ""};
    struct error ignored;
    TRY(make_tmp(tmp.db, e));
    enum err err = open_copy(from, &tmp, ret_fd, ret, e);
    (void)sys_remove_tree(AT_FDCWD, tmp.db, &ignored);
    return err;
}

static enum err write_all(struct writer *w, struct meta *meta, int fd, struct error *e)
{
    TRY(bundle_each_archive(meta, write_one, w, e));
    TRY(write_database(w, fd, e));
    TRY(write_header(w->out, COMPLETE, 0, e));
    return archive_write_close(w->out) == ARCHIVE_OK ? ERR_OK : write_failed(w->out, e);
}

enum err stream_write(const struct bundle *from, int out, struct bundle_report *ret,
                      struct error *e)
{
    CLEANUP(archive_freep) struct archive *a = archive_write_new();
    CLEANUP(store_closep) struct store *store = NULL;
    CLEANUP(meta_closep) struct meta *meta = NULL;
    CLEANUP(sys_closep) int fd = -1;
    *ret = (struct bundle_report){.archives = 0};
    if (!a)
        return FAIL_NOMEM(e);
    if (archive_write_set_format_pax_restricted(a) != ARCHIVE_OK ||
        archive_write_open_fd(a, out) != ARCHIVE_OK)
        return write_failed(a, e);
    TRY(store_open_fs(from->storage, &store, e));
    TRY(snapshot(from, &fd, &meta, e));
    struct writer w = {a, store, ret};
    return write_all(&w, meta, fd, e);
}

/* --- reading ---------------------------------------------------------------------------------- */

struct reader {
    struct archive *in;
    struct store *store;
    struct bundle_report *report;
    int dir; /* of the database's copy */
    bool database, complete;
};

static enum err not_whole(const char *why, struct error *e)
{
    return FAIL(e, ERR_INVALID_ARGUMENT, "stream.read",
                "this is not a whole backup: %s. Nothing that was there was changed", why);
}

static enum err read_failed(struct archive *a, struct error *e)
{
    const char *why = archive_error_string(a);
    return not_whole(why ? why : "it ends too early", e);
}

static enum err fill_spool(struct reader *r, struct spool *sp, struct error *e)
{
    char bytes[CHUNK];
    la_ssize_t n;
    while ((n = archive_read_data(r->in, bytes, sizeof bytes)) > 0)
        TRY(spool_write(sp, bytes, (size_t)n, e));
    return n == 0 ? spool_seal(sp, e) : read_failed(r->in, e);
}

static enum err read_archive(struct reader *r, const struct digest *want, struct error *e)
{
    CLEANUP(spool_freep) struct spool *sp = NULL;
    bool existed;
    TRY(store_spool(r->store, ARCHIVE_MAX, &sp, e));
    TRY(fill_spool(r, sp, e));
    if (!digest_eq(spool_digest(sp), want))
        return not_whole("an archive in it does not hash to its name", e);
    TRY(store_put(r->store, sp, &existed, e));
    r->report->there += existed;
    r->report->archives += !existed;
    r->report->bytes += existed ? 0 : spool_len(sp);
    return ERR_OK;
}

static enum err read_database(struct reader *r, struct error *e)
{
    char bytes[CHUNK];
    la_ssize_t n;
    struct error ignored;
    CLEANUP(sys_closep) int fd = -1;
    (void)sys_unlinkat(r->dir, "data.mdb", 0, &ignored); /* of an interrupted one */
    (void)sys_unlinkat(r->dir, "lock.mdb", 0, &ignored);
    TRY(sys_openat(r->dir, "data.mdb", O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, e));
    while ((n = archive_read_data(r->in, bytes, sizeof bytes)) > 0)
        TRY(sys_write_full(fd, bytes, (size_t)n, e));
    if (n < 0)
        return read_failed(r->in, e);
    TRY(sys_fsync(fd, e));
    r->database = true;
    return sys_fsync(r->dir, e);
}

/* "storage/skills/<64 hex>.zip" */
static bool is_archive(str name, struct digest *ret)
{
    return str_starts_with(name, STR(ARCHIVES)) && str_ends_with(name, STR(SUFFIX)) &&
           name.len == sizeof ARCHIVES - 1 + SHA256_HEX_LEN + sizeof SUFFIX - 1 &&
           digest_from_hex(str_head(str_skip(name, sizeof ARCHIVES - 1), SHA256_HEX_LEN), ret);
}

static enum err read_entry(struct reader *r, struct archive_entry *entry, struct error *e)
{
    struct digest d;
    const char *path = archive_entry_pathname(entry);
    str name = path ? str_c(path) : STR_NULL;
    if (r->complete || archive_entry_filetype(entry) != AE_IFREG)
        return not_whole("it has entries that a backup has not", e);
    if (is_archive(name, &d))
        return read_archive(r, &d, e);
    if (str_eq(name, STR(DATABASE)) && !r->database)
        return read_database(r, e);
    if (!str_eq(name, STR(COMPLETE)))
        return not_whole("it has entries that a backup has not", e);
    r->complete = true;
    return ERR_OK;
}

static enum err read_all(struct reader *r, struct error *e)
{
    struct archive_entry *entry;
    int rc;
    while ((rc = archive_read_next_header(r->in, &entry)) == ARCHIVE_OK)
        TRY(read_entry(r, entry, e));
    if (rc != ARCHIVE_EOF)
        return read_failed(r->in, e);
    return r->database && r->complete ? ERR_OK : not_whole("it ends too early", e);
}

static enum err open_target(const struct bundle *to, struct reader *r, struct error *e)
{
    char path[SYS_PATH_MAX + sizeof "/new"];
    (void)snprintf(path, sizeof path, "%s/new", to->db);
    TRY(sys_mkdir_parents(path, 0700, e));
    TRY(sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &r->dir, e));
    return store_open_fs(to->storage, &r->store, e);
}

enum err stream_read(int in, const struct bundle *to, struct bundle_report *ret, struct error *e)
{
    CLEANUP(archive_freep) struct archive *a = archive_read_new();
    struct reader r = {.in = a, .report = ret, .dir = -1};
    *ret = (struct bundle_report){.archives = 0};
    if (!a)
        return FAIL_NOMEM(e);
    if (archive_read_support_format_tar(a) != ARCHIVE_OK ||
        archive_read_open_fd(a, in, CHUNK) != ARCHIVE_OK)
        return read_failed(a, e);
    enum err err = open_target(to, &r, e);
    if (err == ERR_OK)
        err = read_all(&r, e);
    sys_closep(&r.dir);
    store_close(r.store);
    return err;
}
