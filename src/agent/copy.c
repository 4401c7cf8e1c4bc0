#include "agent/copy.h"

#include "base/sys.h"

#include <fcntl.h>
#include <stdlib.h>

enum { PIECE = KIB(128), NAME_TEXT_MAX = 256 };

struct copier {
    const struct agent_skill *s;
    mode_t without;
    int root; /* of the copy */
    struct sha256 *hash;
    char *piece;
};

static void copier_deinit(struct copier *c)
{
    sys_closep(&c->root);
    sha256_free(c->hash);
    free(c->piece);
}

static enum err one_name(str part, char out[NAME_TEXT_MAX], struct error *e)
{
    if (part.len == 0 || part.len >= NAME_TEXT_MAX)
        return FAIL(e, ERR_DATA_LOSS, "copy.name", "a path of the manifest is none");
    memcpy(out, part.p, part.len);
    out[part.len] = '\0';
    return ERR_OK;
}

/* Goes down one directory, making it when it is not there; it stays writable until the end. */
static enum err enter(int *fd, str part, struct error *e)
{
    char name[NAME_TEXT_MAX];
    int next;
    TRY(one_name(part, name, e));
    enum err err = sys_mkdirat(*fd, name, 0700, e);
    if (err != ERR_OK && err != ERR_ALREADY_EXISTS)
        return err;
    TRY(sys_open_beneath(*fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &next, e));
    sys_closep(fd);
    *fd = next;
    return ERR_OK;
}

static enum err enter_all(const struct copier *c, str dir, int *ret_fd, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    TRY(sys_dup(c->root, &fd, e));
    while (dir.len) {
        str part;
        (void)str_cut(dir, '/', &part, &dir);
        TRY(enter(&fd, part, e));
    }
    *ret_fd = sys_steal(&fd);
    return ERR_OK;
}

static enum err copy_content(struct copier *c, int from, int to, const struct manifest_entry *f,
                             struct error *e)
{
    struct digest got;
    TRY(sha256_reset(c->hash, e));
    for (uint64_t at = 0; at < f->size;) {
        size_t n = (size_t)MIN(f->size - at, (uint64_t)PIECE);
        TRY(sys_pread_full(from, c->piece, n, at, e));
        TRY(sha256_update(c->hash, c->piece, n, e));
        TRY(sys_write_full(to, c->piece, n, e));
        at += n;
    }
    TRY(sha256_finish(c->hash, &got, e));
    if (!digest_eq(&got, &f->sha256))
        return FAIL(e, ERR_DATA_LOSS, "copy.content", "the cached %.*s was changed",
                    STR_ARG(str_head(f->path, 200)));
    return ERR_OK;
}

static enum err copy_file(struct copier *c, const struct manifest_entry *f, struct error *e)
{
    CLEANUP(sys_closep) int dir = -1;
    CLEANUP(sys_closep) int from = -1;
    CLEANUP(sys_closep) int to = -1;
    CLEANUP(freep) char *path = str_dup_c(f->path);
    char name[NAME_TEXT_MAX];
    ptrdiff_t slash = str_rfind(f->path, '/');
    if (!path)
        return FAIL_NOMEM(e);
    TRY(one_name(str_skip(f->path, (size_t)(slash + 1)), name, e));
    TRY(enter_all(c, str_head(f->path, slash < 0 ? 0 : (size_t)slash), &dir, e));
    TRY(sys_open_beneath(c->s->dirfd, path, O_RDONLY | O_NOFOLLOW, 0, &from, e));
    TRY(sys_open_beneath(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600, &to, e));
    TRY(copy_content(c, from, to, f, e));
    return sys_fchmod(to, f->mode & ~c->without, e);
}

static enum err copy_entry(struct copier *c, const struct manifest_entry *f, struct error *e)
{
    CLEANUP(sys_closep) int dir = -1;
    if (!f->directory)
        return copy_file(c, f, e);
    return enter_all(c, str_head(f->path, f->path.len - 1), &dir, e);
}

/* --- directories' modes, bottom-up ---------------------------------------------------------------
 */

struct mode_walk {
    int fd;
    mode_t mode;
};

static enum err set_modes(int parent, const char *name, mode_t mode, struct error *e);

static enum err set_below(void *ctx, const char *name, struct error *e)
{
    const struct mode_walk *w = ctx;
    struct stat st;
    TRY(sys_fstatat(w->fd, name, AT_SYMLINK_NOFOLLOW, &st, e));
    return S_ISDIR(st.st_mode) ? set_modes(w->fd, name, w->mode, e) : ERR_OK;
}

static enum err set_modes(int parent, const char *name, mode_t mode, struct error *e)
{
    struct mode_walk w = {.fd = -1, .mode = mode};
    TRY(sys_openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &w.fd, e));
    enum err err = sys_each_name(w.fd, set_below, &w, e);
    if (err == ERR_OK)
        err = sys_fchmod(w.fd, mode, e);
    sys_closep(&w.fd);
    return err;
}

enum err copy_make_removable(int parent, const char *name, struct error *e)
{
    struct stat st;
    TRY(sys_fstatat(parent, name, AT_SYMLINK_NOFOLLOW, &st, e));
    return S_ISDIR(st.st_mode) ? set_modes(parent, name, 0700, e) : ERR_OK;
}

enum err copy_tree(const struct agent_skill *s, int parent, const char *name, mode_t without,
                   struct error *e)
{
    CLEANUP(copier_deinit) struct copier c = {.s = s, .without = without, .root = -1};
    TRY(sys_mkdirat(parent, name, 0700, e));
    TRY(sys_open_beneath(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &c.root, e));
    TRY(sha256_new(&c.hash, e));
    c.piece = malloc(PIECE);
    if (!c.piece)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < s->manifest.n_entries; i++)
        TRY(copy_entry(&c, &s->manifest.entries[i], e));
    return set_modes(parent, name, 0755 & ~without, e);
}
