#include "base/sys_mount.h"

#include "base/macro.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mount.h>
#include <unistd.h>

static enum err mount_fail(struct error *e, const char *what)
{
    int sys = errno;
    enum err code = sys == ENOSYS || sys == EINVAL ? ERR_UNIMPLEMENTED : sys_err(sys);
    return FAIL_SYS(e, code, sys, "sys.mount", "%s", what);
}

enum err sys_bind_readonly(int dirfd, int at_dirfd, const char *name, struct error *e)
{
    struct mount_attr sealed = {.attr_set =
                                    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    CLEANUP(sys_closep)
    int tree = open_tree(dirfd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0)
        return mount_fail(e, "open_tree");
    if (mount_setattr(tree, "", AT_EMPTY_PATH, &sealed, sizeof sealed) < 0)
        return mount_fail(e, "mount_setattr");
    if (move_mount(tree, "", at_dirfd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return mount_fail(e, "move_mount");
    return ERR_OK;
}

enum err sys_is_mount(int dirfd, const char *name, bool *ret, struct error *e)
{
    struct statx st;
    if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &st) < 0)
        return FAIL_SYS(e, sys_err(errno), errno, "sys.statx", "statx \"%s\"", name);
    *ret = (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    return ERR_OK;
}

enum err sys_unmount(int dirfd, const char *name, struct error *e)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "/proc/self/fd/%d/%s", dirfd, name);
    if (n >= (int)sizeof path)
        return FAIL(e, ERR_INVALID_ARGUMENT, "sys.umount", "the name is too long");
    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
        return mount_fail(e, "umount");
    return ERR_OK;
}
