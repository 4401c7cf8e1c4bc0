#include "server/lock.h"

#include "base/sys.h"

#include <fcntl.h>

static enum err check_directory(const char *variable, const char *dir, struct error *e)
{
    struct stat st;
    struct error ignored;
    if (sys_fstatat(AT_FDCWD, dir, 0, &st, &ignored) == ERR_OK && !S_ISDIR(st.st_mode))
        return FAIL(e, ERR_FAILED_PRECONDITION, "server.not_a_directory",
                    "%s=%s is a file and must be a directory: move it away, or set %s to another "
                    "place",
                    variable, dir, variable);
    return ERR_OK;
}

static enum err open_locked(const char *dir, const char *name, int *ret_fd, bool *ret_locked,
                            struct error *e)
{
    CLEANUP(sys_closep) int dirfd = -1;
    TRY(sys_mkdir_parents(dir, 0700, e));
    TRY(sys_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &dirfd, e));
    TRY(sys_openat(dirfd, name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, ret_fd, e));
    return sys_try_lock(*ret_fd, ret_locked, e);
}

enum err lock_dir(const char *variable, const char *dir, const char *name, int *ret_fd,
                  struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    bool locked = false;
    TRY(check_directory(variable, dir, e));
    if (open_locked(dir, name, &fd, &locked, e) != ERR_OK)
        return err_wrap(e, "%s=%s cannot be used", variable, dir);
    if (!locked)
        return FAIL(e, ERR_FAILED_PRECONDITION, "server.locked",
                    "another stigmer-server is using %s=%s: stop it, or set %s to another place",
                    variable, dir, variable);
    *ret_fd = fd;
    fd = -1;
    return ERR_OK;
}
