#include "zip/unpack.h"

#include "base/hex.h"
#include "base/sys.h"
#include "zip/content.h"
#include "zip/names.h"

#include <fcntl.h>
#include <stdio.h>

/* A directory that commits or vanishes. */
struct fresh_dir {
    int parent; /* borrowed */
    int fd;
    char name[32]; /* empty: nothing to remove */
};

static void fresh_dir_deinit(struct fresh_dir *d)
{
    struct error ignored; /* the failure that led here is the one to report */
    sys_closep(&d->fd);
    if (d->name[0])
        (void)sys_remove_tree(d->parent, d->name, &ignored);
}

static enum err open_made(int parent, const char *name, int *ret_fd, struct error *e)
{
    TRY(sys_open_beneath(parent, name, O_DIRECTORY | O_RDONLY, 0, ret_fd, e));
    return sys_fchmod(*ret_fd, 0755, e); /* whatever the umask */
}

static enum err fresh_dir_make(struct fresh_dir *d, int parent, struct error *e)
{
    uint8_t random[8];
    char hex[2 * sizeof random + 1], name[sizeof d->name];
    TRY(sys_random(random, sizeof random, e));
    hex_encode(random, sizeof random, hex);
    (void)snprintf(name, sizeof name, ".unpack-%s", hex);
    TRY(sys_mkdirat(parent, name, 0700, e));
    d->parent = parent;
    memcpy(d->name, name, sizeof name);
    return open_made(parent, name, &d->fd, e);
}

static enum err fresh_dir_commit(struct fresh_dir *d, const char *name, struct error *e)
{
    TRY(sys_renameat_noreplace(d->parent, d->name, d->parent, name, e));
    d->name[0] = '\0';
    return ERR_OK;
}

struct unpacker {
    struct fresh_dir root;
    struct content_budget budget;
    struct content_meter meter;
    void (*progress)(void *ctx, uint64_t done);
    void *ctx;
    uint64_t done;
    struct zip_names *names;
    struct buf dir; /* the directory that dirfd is open on; entries of one directory often follow */
    int dirfd;
};

static void unpacker_deinit(struct unpacker *u)
{
    content_meter_deinit(&u->meter);
    zip_names_close(u->names);
    buf_deinit(&u->dir);
    sys_closep(&u->dirfd);
    fresh_dir_deinit(&u->root);
}

bool zip_unpack_leaves_out(str name)
{
    str path = name_path(name);
    ptrdiff_t slash = str_rfind(path, '/');
    return str_eq(path, STR("__MACOSX")) || str_starts_with(path, STR("__MACOSX/")) ||
           str_eq(str_skip(path, (size_t)(slash + 1)), STR(".DS_Store"));
}

uint16_t zip_unpack_mode(str name, bool executable)
{
    static const char *const scripts[] = {".sh", ".py", ".js", ".ts", ".rb", ".pl"};
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
        executable |= str_ends_with(name, str_c(scripts[i]));
    return executable ? 0755 : 0644;
}

static enum err changed(struct error *e)
{
    return FAIL(e, ERR_DATA_LOSS, "unpack.changed", "the archive changed after it was audited");
}

/* One level of a path as the system wants it. The audit bounds it, in the archive that it saw. */
static enum err component(str part, char ret[NAME_COMPONENT_MAX + 1], struct error *e)
{
    if (part.len > NAME_COMPONENT_MAX)
        return changed(e);
    memcpy(ret, part.p, part.len);
    ret[part.len] = '\0';
    return ERR_OK;
}

/* Makes one level if it is not there and goes into it. */
static enum err enter(int *fd, str part, struct error *e)
{
    char name[NAME_COMPONENT_MAX + 1];
    CLEANUP(sys_closep) int next = -1;
    TRY(component(part, name, e));
    enum err err = sys_mkdirat(*fd, name, 0755, e);
    if (err == ERR_OK)
        TRY(open_made(*fd, name, &next, e));
    else if (err == ERR_ALREADY_EXISTS)
        TRY(sys_open_beneath(*fd, name, O_DIRECTORY | O_RDONLY, 0, &next, e));
    else
        return err;
    sys_closep(fd);
    *fd = next;
    next = -1;
    return ERR_OK;
}

/* Points u->dirfd at the directory, making what is missing. */
static enum err enter_dir(struct unpacker *u, str path, struct error *e)
{
    if (u->dirfd >= 0 && str_eq(buf_view(&u->dir), path))
        return ERR_OK;
    sys_closep(&u->dirfd);
    TRY(sys_dup(u->root.fd, &u->dirfd, e));
    buf_clear(&u->dir);
    buf_add(&u->dir, path);
    TRY(buf_status(&u->dir, e));
    while (path.len) {
        str part;
        (void)str_cut(path, '/', &part, &path);
        TRY(enter(&u->dirfd, part, e));
    }
    return ERR_OK;
}

/* A file being written. */
struct output {
    struct unpacker *u;
    int fd;
};

static enum err write_piece(void *ctx, str piece, struct error *e)
{
    struct output *o = ctx;
    TRY(sys_write_full(o->fd, piece.p, piece.len, e));
    o->u->done += piece.len;
    if (o->u->progress)
        o->u->progress(o->u->ctx, o->u->done);
    return ERR_OK;
}

static enum err write_content(struct unpacker *u, const struct zip_entry *z, struct output *o,
                              struct error *e)
{
    struct content c;
    const struct content_job job = {.method = z->method,
                                    .offset = z->data_offset,
                                    .csize = z->csize,
                                    .max_out = z->usize,
                                    .sink = write_piece,
                                    .ctx = o};
    if ((uint64_t)z->data_offset + z->csize > u->meter.win.size)
        return changed(e);
    TRY(content_measure(&u->meter, &job, &c, e));
    if (c.end != CONTENT_WHOLE || c.usize != z->usize || c.crc != z->crc)
        return changed(e);
    return ERR_OK;
}

static enum err unpack_file(struct unpacker *u, const struct zip_entry *z, str path,
                            struct error *e)
{
    char name[NAME_COMPONENT_MAX + 1];
    CLEANUP(sys_closep) int fd = -1;
    ptrdiff_t slash = str_rfind(path, '/');
    TRY(component(str_skip(path, (size_t)(slash + 1)), name, e));
    TRY(enter_dir(u, str_head(path, slash < 0 ? 0 : (size_t)slash), e));
    TRY(sys_open_beneath(u->dirfd, name, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, e));
    struct output o = {.u = u, .fd = fd};
    TRY(write_content(u, z, &o, e));
    return sys_fchmod(fd, z->mode, e);
}

static enum err unpack_entry(struct unpacker *u, const struct zip_entry *z, struct error *e)
{
    str name;
    if (z->left_out)
        return ERR_OK;
    TRY(zip_names_get(u->names, z, &name, e));
    return z->directory ? enter_dir(u, name_path(name), e) : unpack_file(u, z, name, e);
}

static enum err check_call(const struct zip_report *report, int parent, const char *name,
                           struct error *e)
{
    struct stat st;
    if (!zip_report_accepted(report))
        return FAIL(e, ERR_FAILED_PRECONDITION, "unpack.refused",
                    "the archive was refused by its audit: %s [%s]", report->findings[0].message,
                    report->findings[0].rule->id);
    if (!name[0] || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return FAIL(e, ERR_INVALID_ARGUMENT, "unpack.name", "\"%s\" is not a directory's name",
                    name);
    enum err err = sys_fstatat(parent, name, AT_SYMLINK_NOFOLLOW, &st, e);
    if (err == ERR_OK)
        return FAIL(e, ERR_ALREADY_EXISTS, "unpack.exists", "\"%s\" exists already", name);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err unpack_all(struct unpacker *u, const struct zip_report *report, struct error *e)
{
    for (size_t i = 0; i < report->n_entries; i++)
        TRY(unpack_entry(u, &report->entries[i], e));
    return ERR_OK;
}

enum err zip_unpack(int fd, const struct zip_report *report, int parent, const char *name,
                    void (*progress)(void *ctx, uint64_t done), void *ctx, struct error *e)
{
    struct stat st;
    CLEANUP(unpacker_deinit)
    struct unpacker u = {.root.fd = -1, .dirfd = -1, .progress = progress, .ctx = ctx};
    TRY(check_call(report, parent, name, e));
    TRY(sys_fstat(fd, &st, e));
    buf_init(&u.dir, NAME_PATH_MAX);
    TRY(zip_names_open(fd, (uint64_t)st.st_size, &u.names, e));
    u.budget.max_blocks = UINT64_MAX; /* the audit has counted them */
    TRY(content_meter_init(&u.meter, fd, (uint64_t)st.st_size, &u.budget, e));
    TRY(fresh_dir_make(&u.root, parent, e));
    TRY(unpack_all(&u, report, e));
    return fresh_dir_commit(&u.root, name, e);
}
