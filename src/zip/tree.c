#include "zip/tree.h"

#include "base/sys.h"
#include "base/utf8.h"
#include "zip/exclude.h"
#include "zip/ignore.h"
#include "zip/names.h"
#include "zip/record.h"

#include <fcntl.h>
#include <stdlib.h>

#define TREE_ARENA_MAX MIB(32) /* 10,000 paths of 1 KiB, and the patterns */
#define PATH_BYTES_MAX 4000
#define DEPTH_MAX      (NAME_DEPTH_MAX + 1) /* deeper ones are refused by name-utf8 */

struct reader {
    struct tree *tree;
    const struct zip_pack_options *options;
    struct ignore ignore;
    struct buf path; /* of the directory being read, with a slash behind it */
    size_t depth;
    int dirfd;  /* of that directory */
    bool named; /* the error says already which path it is about */
};

/* A path as a message shows it. */
struct shown {
    char text[300];
};

static struct shown shown(str path)
{
    struct shown s;
    struct buf b;
    buf_init(&b, 10 * PATH_BYTES_MAX);
    utf8_add_escaped(&b, path);
    (void)snprintf(s.text, sizeof s.text, "%.*s", STR_ARG(buf_view(&b)));
    buf_deinit(&b);
    return s;
}

static enum err refuse_kind(const struct reader *r, mode_t mode, struct error *e)
{
    struct shown path = shown(buf_view(&r->path));
    if (S_ISLNK(mode))
        return FAIL(e, ERR_INVALID_ARGUMENT, "pack.symlink",
                    "\"%s\" is a symbolic link: replace it by the file it points to, or name it "
                    "in " IGNORE_FILE,
                    path.text);
    return FAIL(e, ERR_INVALID_ARGUMENT, "pack.special_file",
                "\"%s\" is not a regular file: remove it, or name it in " IGNORE_FILE, path.text);
}

static enum err grow(struct tree *t, struct error *e)
{
    size_t cap = t->cap ? t->cap * 2 : 64;
    if (t->n_files > zip_limits_default.max_entries)
        return FAIL(e, ERR_INVALID_ARGUMENT, "pack.too_many_files",
                    "there are more than %u files: leave some out with " IGNORE_FILE,
                    zip_limits_default.max_entries);
    if (t->n_files < t->cap)
        return ERR_OK;
    struct tree_file *files = realloc(t->files, cap * sizeof *files);
    if (!files)
        return FAIL_NOMEM(e);
    t->files = files;
    t->cap = cap;
    return ERR_OK;
}

static enum err add_file(struct reader *r, const struct stat *st, struct error *e)
{
    struct tree *t = r->tree;
    TRY(grow(t, e));
    struct tree_file *f = &t->files[t->n_files];
    *f = (struct tree_file){.size = (uint64_t)st->st_size, .executable = st->st_mode & S_IXUSR};
    if (!arena_dup(&t->arena, buf_view(&r->path), &f->path))
        return FAIL_NOMEM(e);
    t->n_files++;
    t->total += f->size;
    return ERR_OK;
}

static void warn_secret(const struct reader *r)
{
    if (r->options && r->options->warn_secret)
        r->options->warn_secret(r->options->ctx, buf_view(&r->path));
}

/* Only files named like keys are opened here. */
static enum err is_private_key(const struct reader *r, const char *name, bool *ret, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    *ret = false;
    if (!exclude_may_hold_key(str_c(name)))
        return ERR_OK;
    TRY(sys_openat(r->dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, e));
    return exclude_holds_key(fd, ret, e);
}

static enum err visit(void *ctx, const char *name, struct error *e);

static enum err descend(struct reader *r, const char *name, struct error *e)
{
    int outer = r->dirfd;
    CLEANUP(sys_closep) int fd = -1;
    if (r->depth == DEPTH_MAX)
        return FAIL(e, ERR_INVALID_ARGUMENT, "pack.too_deep",
                    "\"%s\" is more than %d directories deep", shown(buf_view(&r->path)).text,
                    NAME_DEPTH_MAX);
    TRY(sys_openat(outer, name, O_DIRECTORY | O_RDONLY | O_NOFOLLOW, 0, &fd, e));
    buf_add_char(&r->path, '/');
    TRY(buf_status(&r->path, e));
    r->depth++;
    r->dirfd = fd;
    enum err err = sys_each_name(fd, visit, r, e);
    r->dirfd = outer;
    r->depth--;
    return err;
}

static enum err visit_file(struct reader *r, const char *name, const struct stat *st,
                           struct error *e)
{
    bool key = false;
    TRY(is_private_key(r, name, &key, e));
    if (!key)
        return add_file(r, st, e);
    warn_secret(r);
    return ERR_OK;
}

static bool is_ignore_file(const struct reader *r)
{
    return str_eq(buf_view(&r->path), STR(IGNORE_FILE));
}

/* r->path names what is visited. */
static enum err visit_path(struct reader *r, const char *name, struct error *e)
{
    struct stat st;
    TRY(sys_fstatat(r->dirfd, name, AT_SYMLINK_NOFOLLOW, &st, e));
    if (is_ignore_file(r) || ignore_match(&r->ignore, buf_view(&r->path), S_ISDIR(st.st_mode)))
        return ERR_OK;
    enum exclude exclude = exclude_name(str_c(name), st.st_mode & S_IFMT);
    if (exclude == EXCLUDE_SECRET)
        warn_secret(r);
    if (exclude != EXCLUDE_NO)
        return ERR_OK;
    if (S_ISDIR(st.st_mode))
        return descend(r, name, e);
    if (S_ISREG(st.st_mode))
        return visit_file(r, name, &st, e);
    return refuse_kind(r, st.st_mode, e);
}

static enum err visit(void *ctx, const char *name, struct error *e)
{
    struct reader *r = ctx;
    size_t before = r->path.len;
    if (before + strlen(name) + 1 > r->path.max) /* with a slash behind it */
        return FAIL(e, ERR_INVALID_ARGUMENT, "pack.path_too_long",
                    "a path is longer than %d bytes: \"%s\"", NAME_PATH_MAX,
                    shown(buf_view(&r->path)).text);
    buf_add_c(&r->path, name);
    TRY(buf_status(&r->path, e));
    enum err err = visit_path(r, name, e);
    if (err != ERR_OK && e->sys && !r->named) {
        r->named = true;
        err = err_wrap(e, "cannot read \"%s\"", shown(buf_view(&r->path)).text);
    }
    r->path.len = before;
    return err;
}

static enum err read_ignore(struct reader *r, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    CLEANUP(freep) char *p = NULL;
    struct stat st;
    size_t n;
    enum err err = sys_fstatat(r->dirfd, IGNORE_FILE, AT_SYMLINK_NOFOLLOW, &st, e);
    if (err == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    if (!S_ISREG(st.st_mode))
        return FAIL(e, ERR_INVALID_ARGUMENT, "pack.ignore_file",
                    IGNORE_FILE " is not a regular file");
    TRY(sys_openat(r->dirfd, IGNORE_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, e));
    p = malloc(IGNORE_SIZE_MAX + 1);
    if (!p)
        return FAIL_NOMEM(e);
    TRY(sys_pread(fd, p, IGNORE_SIZE_MAX + 1, 0, &n, e));
    if (n > IGNORE_SIZE_MAX)
        return FAIL(e, ERR_INVALID_ARGUMENT, "pack.ignore_too_large",
                    IGNORE_FILE " is larger than %u bytes", IGNORE_SIZE_MAX);
    return ignore_parse(str_of(p, n), &r->tree->arena, &r->ignore, e);
}

static int by_path(const void *a, const void *b)
{
    const struct tree_file *fa = a, *fb = b;
    return str_cmp(fa->path, fb->path);
}

enum err tree_read(int dirfd, const struct zip_pack_options *options, struct tree *ret,
                   struct error *e)
{
    struct reader r = {.tree = ret, .options = options, .dirfd = dirfd};
    *ret = (struct tree){0};
    arena_init(&ret->arena, TREE_ARENA_MAX);
    buf_init(&r.path, PATH_BYTES_MAX);
    enum err err = read_ignore(&r, e);
    if (err == ERR_OK)
        err = sys_each_name(dirfd, visit, &r, e);
    buf_deinit(&r.path);
    if (err == ERR_OK && ret->n_files)
        qsort(ret->files, ret->n_files, sizeof *ret->files, by_path);
    return err;
}

static enum err get_name(void *ctx, size_t i, struct name_ref *ret, struct error *e)
{
    const struct tree *t = ctx;
    (void)e;
    *ret = (struct name_ref){.name = t->files[i].path, .utf8_flag = true, .host = HOST_UNIX};
    return ERR_OK;
}

static enum err check_names(struct tree *t, struct error *e)
{
    struct findings f;
    const struct name_source source = {.get = get_name, .ctx = t, .n = t->n_files};
    findings_init(&f, &t->arena, 1);
    TRY(names_check(&f, &source, e));
    if (f.nomem)
        return FAIL_NOMEM(e);
    if (f.n == 0)
        return ERR_OK;
    return FAIL(e, ERR_INVALID_ARGUMENT, "pack.name", "%s [%s]: %s", f.items[0].message,
                f.items[0].rule->id, f.items[0].rule->advice);
}

static enum err check_skill_md(const struct tree *t, struct error *e)
{
    const struct tree_file key = {.path = STR("SKILL.md")};
    const struct tree_file *f =
        t->n_files ? bsearch(&key, t->files, t->n_files, sizeof key, by_path) : NULL;
    if (!f)
        return FAIL(e, ERR_INVALID_ARGUMENT, "pack.no_skill_md",
                    "SKILL.md not found in the directory");
    if (f->size == 0)
        return FAIL(e, ERR_INVALID_ARGUMENT, "pack.skill_md_empty", "SKILL.md is empty");
    if (f->size > zip_limits_default.max_skill_md)
        return FAIL(e, ERR_INVALID_ARGUMENT, "pack.skill_md_too_large",
                    "SKILL.md too large (max: %u bytes): move details to files that it names",
                    zip_limits_default.max_skill_md);
    return ERR_OK;
}

enum err tree_check(struct tree *t, struct error *e)
{
    unsigned long long max = zip_limits_default.max_uncompressed;
    if (t->n_files > zip_limits_default.max_entries)
        return FAIL(e, ERR_INVALID_ARGUMENT, "pack.too_many_files",
                    "there are %zu files (max: %u): leave some out with " IGNORE_FILE, t->n_files,
                    zip_limits_default.max_entries);
    TRY(check_skill_md(t, e));
    if (t->total > max)
        return FAIL(e, ERR_INVALID_ARGUMENT, "pack.too_large",
                    "the files have %llu bytes (max: %llu): leave some out with " IGNORE_FILE,
                    (unsigned long long)t->total, max);
    return check_names(t, e);
}

void tree_deinit(struct tree *t)
{
    free(t->files);
    t->files = NULL;
    arena_deinit(&t->arena);
}
