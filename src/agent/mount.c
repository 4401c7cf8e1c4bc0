#include "agent/mount.h"

#include "agent/copy.h"
#include "base/hex.h"
#include "base/sys.h"
#include "base/sys_mount.h"

#include <fcntl.h>

#define WRITE_BITS 0222

/* --- the place -----------------------------------------------------------------------------------
 */

static enum err enter(int at, const char *name, int *ret, struct error *e)
{
    enum err err = sys_mkdirat(at, name, 0755, e);
    bool made = err == ERR_OK;
    if (!made && err != ERR_ALREADY_EXISTS)
        return err;
    TRY(sys_open_beneath(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, ret, e));
    return made ? sys_fchmod(*ret, 0755, e) : ERR_OK;
}

static enum err open_place(const char *root, struct agent_mount_place *p, struct error *e)
{
    CLEANUP(sys_closep) int bin = -1;
    enum err err = sys_openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY, 0, &p->root, e);
    if (err == ERR_NOT_FOUND) {
        TRY(sys_mkdir_parents(root, 0755, e));
        err = sys_openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY, 0, &p->root, e);
    }
    TRY(err);
    TRY(enter(p->root, "bin", &bin, e));
    return enter(bin, "skills", &p->skills, e);
}

enum err agent_mount_open(const char *root, struct agent_mount_place *ret, struct error *e)
{
    *ret = AGENT_MOUNT_PLACE_INIT;
    if (open_place(root, ret, e) == ERR_OK)
        return ERR_OK;
    agent_mount_close(ret);
    return err_wrap(e, "no skills can be put below %s", root);
}

void agent_mount_close(struct agent_mount_place *p)
{
    sys_closep(&p->skills);
    sys_closep(&p->root);
}

/* --- one skill -----------------------------------------------------------------------------------
 */

/* The kind of what is there under that name; NOT_FOUND, or DATA_LOSS when it is not right. */
static enum err check_there(int skills, const struct agent_skill *s, enum agent_mount_kind *ret,
                            struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    bool mounted;
    struct stat st;
    TRY(sys_fstatat(skills, s->hex, AT_SYMLINK_NOFOLLOW, &st, e));
    TRY(sys_is_mount(skills, s->hex, &mounted, e));
    *ret = mounted ? AGENT_MOUNT_BIND : AGENT_MOUNT_COPY;
    if (!S_ISDIR(st.st_mode))
        return FAIL(e, ERR_DATA_LOSS, "mount.there", "%s is no directory", s->hex);
    TRY(sys_openat(skills, s->hex, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, e));
    return manifest_check(&s->manifest, fd, mounted ? 0 : WRITE_BITS, e);
}

static enum err remove_copy(int skills, const char *name, struct error *e)
{
    TRY(copy_make_removable(skills, name, e));
    return sys_remove_tree(skills, name, e);
}

static enum err bind_skill(int skills, const struct agent_skill *s, struct error *e)
{
    struct error ignored;
    TRY(sys_mkdirat(skills, s->hex, 0755, e));
    enum err err = sys_bind_readonly(s->dirfd, skills, s->hex, e);
    if (err != ERR_OK)
        (void)sys_unlinkat(skills, s->hex, AT_REMOVEDIR, &ignored);
    return err;
}

/* Under a name of its own until it is whole and right. */
static enum err copy_skill(int skills, const struct agent_skill *s, struct error *e)
{
    uint8_t random[8];
    char hex[2 * sizeof random + 1], beside[64];
    struct error ignored;
    TRY(sys_random(random, sizeof random, e));
    hex_encode(random, sizeof random, hex);
    (void)snprintf(beside, sizeof beside, ".copy-%s", hex);
    enum err err = copy_tree(s, skills, beside, WRITE_BITS, e);
    if (err == ERR_OK)
        err = sys_renameat_noreplace(skills, beside, skills, s->hex, e);
    if (err != ERR_OK)
        (void)remove_copy(skills, beside, &ignored);
    return err;
}

static bool may_not_mount(enum err err)
{
    return err == ERR_PERMISSION_DENIED || err == ERR_UNIMPLEMENTED;
}

static enum err put(int skills, const struct agent_skill *s, bool only_copy,
                    enum agent_mount_kind *ret, struct error *e)
{
    *ret = AGENT_MOUNT_BIND;
    if (!only_copy) {
        enum err err = bind_skill(skills, s, e);
        if (!may_not_mount(err))
            return err;
    }
    *ret = AGENT_MOUNT_COPY;
    return copy_skill(skills, s, e);
}

/* With the lock, a copy that has no name yet is one that was cut off. */
static enum err drop_leftover(void *ctx, const char *name, struct error *e)
{
    return str_starts_with(str_c(name), STR(".copy-")) ? remove_copy(*(int *)ctx, name, e) : ERR_OK;
}

enum err agent_mount(const struct agent_mount_place *p, const struct agent_skill *s, bool only_copy,
                     enum agent_mount_kind *ret, struct error *e)
{
    /* Beside others that put the same skill here; the directory's lock is enough for all. */
    CLEANUP(sys_closep) int lock = -1;
    TRY(sys_openat(p->skills, ".", O_RDONLY | O_DIRECTORY, 0, &lock, e));
    TRY(sys_lock(lock, e));
    TRY(sys_each_name(p->skills, drop_leftover, &lock, e));
    enum err err = check_there(p->skills, s, ret, e);
    if (err == ERR_DATA_LOSS && *ret == AGENT_MOUNT_COPY) {
        TRY(remove_copy(p->skills, s->hex, e));
        err = ERR_NOT_FOUND;
    }
    if (err == ERR_NOT_FOUND)
        err = put(p->skills, s, only_copy, ret, e);
    return err;
}

enum err agent_unmount(const struct agent_mount_place *p, const char *hex, struct error *e)
{
    bool mounted;
    TRY(sys_is_mount(p->skills, hex, &mounted, e));
    if (!mounted)
        return remove_copy(p->skills, hex, e);
    TRY(sys_unmount(p->skills, hex, e));
    return sys_unlinkat(p->skills, hex, AT_REMOVEDIR, e);
}

struct each {
    enum err (*fn)(void *ctx, const char *hex, struct error *e);
    void *ctx;
};

static enum err each_skill(void *ctx, const char *name, struct error *e)
{
    const struct each *each = ctx;
    struct digest hash;
    return digest_from_hex(str_c(name), &hash) ? each->fn(each->ctx, name, e) : ERR_OK;
}

enum err agent_mount_each(const struct agent_mount_place *p,
                          enum err (*fn)(void *ctx, const char *hex, struct error *e), void *ctx,
                          struct error *e)
{
    struct each each = {fn, ctx};
    return sys_each_name(p->skills, each_skill, &each, e);
}
