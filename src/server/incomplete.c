#include "server/incomplete.h"

#include "base/macro.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>

#define MARK "INCOMPLETE"

static enum err open_dir(const char *path, int *ret, struct error *e)
{
    return sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, ret, e);
}

static enum err is_marked(const char *db_path, bool *ret, struct error *e)
{
    struct stat st;
    CLEANUP(sys_closep) int dir = -1;
    enum err err = open_dir(db_path, &dir, e);
    if (err == ERR_OK)
        err = sys_fstatat(dir, MARK, AT_SYMLINK_NOFOLLOW, &st, e);
    *ret = err == ERR_OK;
    bool nothing = err == ERR_NOT_FOUND || (err != ERR_OK && e->sys == ENOTDIR);
    return nothing ? ERR_OK : err;
}

enum err incomplete_check(const char *db_path, struct error *e)
{
    bool marked;
    if (is_marked(db_path, &marked, e) != ERR_OK)
        return err_wrap(e, "DB_PATH=%s cannot be used", db_path);
    if (!marked)
        return ERR_OK;
    return FAIL(
        e, ERR_FAILED_PRECONDITION, "server.incomplete",
        "DB_PATH=%s: a backup or a restore that makes this was interrupted; run it again, or "
        "remove the directory",
        db_path);
}

enum err incomplete_mark(const char *db_path, struct error *e)
{
    CLEANUP(sys_closep) int dir = -1;
    CLEANUP(sys_closep) int fd = -1;
    TRY(open_dir(db_path, &dir, e));
    TRY(sys_openat(dir, MARK, O_WRONLY | O_CREAT, 0600, &fd, e));
    return sys_fsync(dir, e);
}

enum err incomplete_unmark(const char *db_path, struct error *e)
{
    CLEANUP(sys_closep) int dir = -1;
    TRY(open_dir(db_path, &dir, e));
    enum err err = sys_unlinkat(dir, MARK, 0, e);
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return err;
    return sys_fsync(dir, e);
}
