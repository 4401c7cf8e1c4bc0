#include "base/sys.h"
#include "cli/audit.h"

#include <fcntl.h>
#include <stdlib.h>

#define ARENA_MAX   MIB(256) /* the paths: a million of 200 bytes */
#define DEPTH_MAX   128
#define LONGEST     KIB(64) /* of what the user named and DEPTH_MAX names of 255 bytes */
#define ARCHIVE_END STR(".zip")

struct search {
    struct audit_founds *found;
    struct buf path; /* of what is visited */
    int dirfd;       /* of the directory being read */
    size_t depth;
};

static enum err grow(struct audit_founds *f, struct error *e)
{
    size_t cap = f->cap ? f->cap * 2 : 64;
    if (f->n < f->cap)
        return ERR_OK;
    struct audit_found *v = realloc(f->v, cap * sizeof *v);
    if (!v)
        return FAIL_NOMEM(e);
    f->v = v;
    f->cap = cap;
    return ERR_OK;
}

/* problem: NULL for an archive. */
static enum err add(struct search *s, const struct error *problem, struct error *e)
{
    struct audit_founds *f = s->found;
    struct error *copy = problem ? ARENA_NEW(&f->arena, struct error) : NULL;
    const char *path = arena_dup_c(&f->arena, buf_view(&s->path));
    if (!path || (problem && !copy))
        return FAIL_NOMEM(e);
    TRY(grow(f, e));
    if (copy)
        *copy = *problem;
    f->v[f->n++] = (struct audit_found){.path = path, .problem = copy};
    return ERR_OK;
}

static enum err visit(void *ctx, const char *name, struct error *e);

static enum err read_below(struct search *s, const char *name, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    int outer = s->dirfd;
    if (s->depth == DEPTH_MAX)
        return FAIL(e, ERR_OUT_OF_RANGE, "audit.depth", "it is more than %d directories deep",
                    DEPTH_MAX);
    TRY(sys_openat(outer, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, e));
    s->dirfd = fd;
    s->depth++;
    enum err err = sys_each_name(fd, visit, s, e);
    s->depth--;
    s->dirfd = outer;
    return err;
}

/* One that cannot be read does not stop the others. */
static enum err descend(struct search *s, const char *name, struct error *e)
{
    struct error problem;
    return read_below(s, name, &problem) == ERR_OK ? ERR_OK : add(s, &problem, e);
}

static enum err visit_path(struct search *s, const char *name, struct error *e)
{
    struct stat st;
    struct error problem;
    TRY(buf_status(&s->path, e));
    enum err err = sys_fstatat(s->dirfd, name, AT_SYMLINK_NOFOLLOW, &st, &problem);
    if (err == ERR_NOT_FOUND) /* it went meanwhile */
        return ERR_OK;
    if (err != ERR_OK)
        return add(s, &problem, e);
    if (S_ISDIR(st.st_mode))
        return descend(s, name, e);
    return S_ISREG(st.st_mode) && str_ends_with(str_c(name), ARCHIVE_END) ? add(s, NULL, e)
                                                                          : ERR_OK;
}

static enum err visit(void *ctx, const char *name, struct error *e)
{
    struct search *s = ctx;
    size_t before = s->path.len;
    if (!str_ends_with(buf_view(&s->path), STR("/")))
        buf_add_char(&s->path, '/');
    buf_add_c(&s->path, name);
    enum err err = visit_path(s, name, e);
    s->path.len = before;
    return err;
}

static int by_path(const void *a, const void *b)
{
    const struct audit_found *fa = a, *fb = b;
    return strcmp(fa->path, fb->path);
}

enum err audit_find(const char *path, int dirfd, struct audit_founds *ret, struct error *e)
{
    struct search s = {.found = ret, .dirfd = dirfd};
    *ret = (struct audit_founds){0};
    arena_init(&ret->arena, ARENA_MAX);
    buf_init(&s.path, LONGEST);
    buf_add_c(&s.path, path);
    enum err err = sys_each_name(dirfd, visit, &s, e);
    buf_deinit(&s.path);
    if (ret->n)
        qsort(ret->v, ret->n, sizeof *ret->v, by_path);
    return err;
}

void audit_founds_deinit(struct audit_founds *f)
{
    free(f->v);
    arena_deinit(&f->arena);
}
