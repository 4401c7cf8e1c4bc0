#include "agent/lockfile.h"

#include "agent/lockfile_json.h"
#include "base/macro.h"
#include "base/sys.h"

#include <fcntl.h>
#include <stdlib.h>

void lockfile_deinit(struct lockfile *l)
{
    arena_deinit(&l->arena);
    *l = (struct lockfile){0};
}

enum err lockfile_parse(str text, struct lockfile *ret, struct error *e)
{
    *ret = (struct lockfile){0};
    arena_init(&ret->arena, 4 * (size_t)LOCKFILE_MAX);
    enum err err = lockfile_json_read(text, ret, e);
    if (err != ERR_OK)
        lockfile_deinit(ret);
    return err;
}

static enum err read_file(int dirfd, const char *name, struct buf *text, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    TRY(sys_openat(dirfd, name, O_RDONLY | O_NONBLOCK, 0, &fd, e));
    for (size_t n = 1; n > 0;) {
        char *at = buf_reserve(text, KIB(64));
        if (!at)
            return FAIL(e, ERR_INVALID_ARGUMENT, "lock.size", "it has more than %d bytes",
                        LOCKFILE_MAX);
        TRY(sys_read(fd, at, KIB(64), &n, e));
        text->len += n;
    }
    return ERR_OK;
}

static enum err read_at(int dirfd, const char *name, struct lockfile *ret, struct error *e)
{
    CLEANUP(buf_deinit) struct buf text;
    buf_init(&text, LOCKFILE_MAX + KIB(64));
    TRY(read_file(dirfd, name, &text, e));
    return lockfile_parse(buf_view(&text), ret, e);
}

enum err lockfile_read(const char *path, struct lockfile *ret, struct error *e)
{
    *ret = (struct lockfile){0};
    enum err err = read_at(AT_FDCWD, path, ret, e);
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return err_wrap(e, "%s cannot be used", path);
    return err;
}

const struct agent_pin *lockfile_find(const struct lockfile *l, str reference)
{
    for (size_t i = 0; i < l->n_pins; i++)
        if (str_eq(l->pins[i].reference, reference))
            return &l->pins[i];
    return NULL;
}

static int by_reference(const void *a, const void *b)
{
    return str_cmp(((const struct agent_pin *)a)->reference,
                   ((const struct agent_pin *)b)->reference);
}

/* Sorted, each reference once: the last one given. */
static size_t sort(struct agent_pin *pins, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        while (at < kept && !str_eq(pins[at].reference, pins[i].reference))
            at++;
        pins[at] = pins[i];
        kept += at == kept;
    }
    if (kept)
        qsort(pins, kept, sizeof *pins, by_reference);
    return kept;
}

enum err lockfile_print(struct agent_pin *pins, size_t n, struct buf *to, struct error *e)
{
    return lockfile_json_print(pins, sort(pins, n), to, e);
}

/* --- changing ------------------------------------------------------------------------------------
 */

struct place {
    int dirfd;
    char *dir, *name; /* owned */
};

static void place_deinit(struct place *p)
{
    sys_closep(&p->dirfd);
    free(p->dir);
    free(p->name);
}

static enum err place_open(const char *path, struct place *ret, struct error *e)
{
    str text = str_c(path);
    ptrdiff_t slash = str_rfind(text, '/');
    str dir = slash < 0 ? STR(".") : slash == 0 ? STR("/") : str_head(text, (size_t)slash);
    ret->dir = str_dup_c(dir);
    ret->name = str_dup_c(str_skip(text, (size_t)(slash + 1)));
    if (!ret->dir || !ret->name)
        return FAIL_NOMEM(e);
    if (!ret->name[0])
        return FAIL(e, ERR_INVALID_ARGUMENT, "lock.path", "\"%s\" is a directory", path);
    return sys_openat(AT_FDCWD, ret->dir, O_RDONLY | O_DIRECTORY, 0, &ret->dirfd, e);
}

/* Whoever writes holds the directory's lock: what has this name then, somebody left when killed. */
#define BESIDE ".skills-lock-new"

static enum err write_beside(const struct place *p, str text, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    enum err err = sys_unlinkat(p->dirfd, BESIDE, 0, e);
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return err;
    TRY(sys_openat(p->dirfd, BESIDE, O_WRONLY | O_CREAT | O_EXCL, 0666, &fd, e));
    TRY(sys_write_full(fd, text.p, text.len, e));
    return sys_fsync(fd, e);
}

static enum err replace(const struct place *p, str text, struct error *e)
{
    struct error ignored;
    enum err err = write_beside(p, text, e);
    if (err == ERR_OK)
        err = sys_renameat(p->dirfd, BESIDE, p->dirfd, p->name, e);
    if (err != ERR_OK) {
        (void)sys_unlinkat(p->dirfd, BESIDE, 0, &ignored);
        return err;
    }
    return sys_fsync(p->dirfd, e);
}

static bool same_but_for_times(const struct agent_pin *a, const struct agent_pin *b)
{
    return digest_eq(&a->hash, &b->hash) && str_eq(a->name, b->name) && str_eq(a->org, b->org) &&
           str_eq(a->slug, b->slug) && str_eq(a->tag, b->tag);
}

static bool changes(const struct lockfile *old, const struct agent_pin *pins, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct agent_pin *was = lockfile_find(old, pins[i].reference);
        if (!was || !same_but_for_times(was, &pins[i]))
            return true;
    }
    return false;
}

static enum err merge(const struct place *p, const struct lockfile *old,
                      const struct agent_pin *pins, size_t n, struct error *e)
{
    CLEANUP(buf_deinit) struct buf text;
    CLEANUP(freep) struct agent_pin *all = calloc(old->n_pins + n + 1, sizeof *all);
    if (!all)
        return FAIL_NOMEM(e);
    buf_init(&text, LOCKFILE_MAX);
    for (size_t i = 0; i < old->n_pins; i++)
        all[i] = old->pins[i];
    for (size_t i = 0; i < n; i++) {
        const struct agent_pin *was = lockfile_find(old, pins[i].reference);
        all[old->n_pins + i] = was && same_but_for_times(was, &pins[i]) ? *was : pins[i];
    }
    TRY(lockfile_print(all, old->n_pins + n, &text, e));
    return replace(p, buf_view(&text), e);
}

enum err lockfile_update(const char *path, const struct agent_pin *pins, size_t n, struct error *e)
{
    CLEANUP(place_deinit) struct place p = {.dirfd = -1};
    CLEANUP(lockfile_deinit) struct lockfile old = {0};
    enum err err = place_open(path, &p, e);
    if (err == ERR_OK)
        err = sys_lock(p.dirfd, e); /* of the directory: the file itself is replaced */
    if (err == ERR_OK)
        err = read_at(p.dirfd, p.name, &old, e);
    bool fresh = err == ERR_NOT_FOUND && p.dirfd >= 0;
    if ((err == ERR_OK || fresh) && (fresh || changes(&old, pins, n)))
        err = merge(&p, &old, pins, n, e);
    return err == ERR_OK ? ERR_OK : err_wrap(e, "%s cannot be written", path);
}
