/* An unpacked directory against its manifest. */
#include "agent/manifest.h"

#include "base/macro.h"
#include "base/sys.h"

#include <fcntl.h>
#include <stdlib.h>

enum { PIECE = KIB(128), DEPTH_MAX = 40, PATH_TEXT_MAX = 2048 };

struct checker {
    const struct manifest *m;
    mode_t without;
    struct sha256 *hash;
    char *piece;
    struct buf path; /* of the directory being read, with "/" behind it unless it is the root */
    size_t n_found;  /* entries of the manifest met */
    unsigned depth;
};

struct level {
    struct checker *c;
    int fd;
};

static void checker_deinit(struct checker *c)
{
    sha256_free(c->hash);
    free(c->piece);
    buf_deinit(&c->path);
}

static enum err differs(const struct checker *c, const char *how, struct error *e)
{
    return FAIL(e, ERR_DATA_LOSS, "manifest.differs", "%.*s %s",
                STR_ARG(str_head(buf_view(&c->path), 200)), how);
}

static enum err check_content(struct checker *c, int fd, const struct manifest_entry *want,
                              struct error *e)
{
    struct digest got;
    uint64_t at = 0;
    TRY(sha256_reset(c->hash, e));
    while (at < want->size) {
        size_t n = (size_t)MIN(want->size - at, (uint64_t)PIECE);
        TRY(sys_pread_full(fd, c->piece, n, at, e));
        TRY(sha256_update(c->hash, c->piece, n, e));
        at += n;
    }
    TRY(sha256_finish(c->hash, &got, e));
    return digest_eq(&got, &want->sha256) ? ERR_OK : differs(c, "has other content", e);
}

static enum err check_file(struct checker *c, int dirfd, const char *name, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    struct stat st;
    size_t at = manifest_search(c->m, buf_view(&c->path));
    const struct manifest_entry *want = &c->m->entries[at];
    if (at == c->m->n_entries || !str_eq(want->path, buf_view(&c->path)))
        return differs(c, "does not belong to it", e);
    TRY(sys_open_beneath(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, e));
    TRY(sys_fstat(fd, &st, e));
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != want->size)
        return differs(c, "has another size", e);
    if ((st.st_mode & 07777) != (want->mode & ~c->without))
        return differs(c, "has another mode", e);
    c->n_found++;
    return check_content(c, fd, want, e);
}

static enum err check_level(struct checker *c, int fd, struct error *e);

/* A directory is right when the manifest names it, or something below it. */
static enum err check_directory(struct checker *c, int dirfd, const char *name, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    buf_add_char(&c->path, '/');
    size_t at = manifest_search(c->m, buf_view(&c->path));
    if (at == c->m->n_entries || !str_starts_with(c->m->entries[at].path, buf_view(&c->path)))
        return differs(c, "does not belong to it", e);
    c->n_found += str_eq(c->m->entries[at].path, buf_view(&c->path));
    TRY(sys_open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, e));
    return check_level(c, fd, e);
}

static enum err check_name(void *ctx, const char *name, struct error *e)
{
    const struct level *l = ctx;
    struct checker *c = l->c;
    size_t len = c->path.len;
    struct stat st;
    if (len + strlen(name) + 2 > PATH_TEXT_MAX)
        return differs(c, "is too deep", e);
    buf_add_c(&c->path, name);
    TRY(buf_status(&c->path, e));
    TRY(sys_fstatat(l->fd, name, AT_SYMLINK_NOFOLLOW, &st, e));
    if (S_ISDIR(st.st_mode))
        TRY(check_directory(c, l->fd, name, e));
    else if (S_ISREG(st.st_mode))
        TRY(check_file(c, l->fd, name, e));
    else
        return differs(c, "is neither a file nor a directory", e);
    c->path.len = len;
    return ERR_OK;
}

static enum err check_level(struct checker *c, int fd, struct error *e)
{
    struct level l = {c, fd};
    struct stat st;
    TRY(sys_fstat(fd, &st, e));
    if ((st.st_mode & 07777) != (0755 & ~c->without))
        return differs(c, "(a directory) has another mode", e);
    if (++c->depth > DEPTH_MAX)
        return differs(c, "is too deep", e);
    TRY(sys_each_name(fd, check_name, &l, e));
    c->depth--;
    return ERR_OK;
}

/* What vanishes while it is looked at is a difference like any other. */
static enum err as_difference(enum err err, struct error *e)
{
    if (err == ERR_NOT_FOUND || err == ERR_PERMISSION_DENIED)
        e->code = ERR_DATA_LOSS;
    return err == ERR_OK ? ERR_OK : e->code;
}

enum err manifest_check(const struct manifest *m, int dirfd, mode_t without, struct error *e)
{
    CLEANUP(checker_deinit) struct checker c = {.m = m, .without = without};
    buf_init(&c.path, PATH_TEXT_MAX);
    c.piece = malloc(PIECE);
    if (!c.piece)
        return FAIL_NOMEM(e);
    TRY(sha256_new(&c.hash, e));
    TRY(as_difference(check_level(&c, dirfd, e), e));
    if (c.n_found != m->n_entries)
        return FAIL(e, ERR_DATA_LOSS, "manifest.differs", "%zu of its %zu files are missing",
                    m->n_entries - c.n_found, m->n_entries);
    return ERR_OK;
}
