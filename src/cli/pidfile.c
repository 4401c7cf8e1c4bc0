#include "cli/pidfile.h"

#include "base/sys.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum { PID_TEXT_MAX = 24 };

enum err pidfile_read(int dirfd, pid_t *ret, struct error *e)
{
    char text[PID_TEXT_MAX];
    size_t n;
    uint64_t pid;
    CLEANUP(sys_closep) int fd = -1;
    TRY(sys_openat(dirfd, PIDFILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, e));
    TRY(sys_pread(fd, text, sizeof text, 0, &n, e));
    if (!str_to_u64(str_trim(str_of(text, n)), &pid) || pid < 1 || pid > INT_MAX)
        return FAIL(e, ERR_NOT_FOUND, "pidfile.malformed", PIDFILE_NAME " holds no pid");
    *ret = (pid_t)pid;
    return ERR_OK;
}

enum err pidfile_write(int dirfd, pid_t pid, struct error *e)
{
    char name[64], text[PID_TEXT_MAX];
    CLEANUP(sys_closep) int fd = -1;
    int len = snprintf(text, sizeof text, "%d", (int)pid);
    (void)snprintf(name, sizeof name, PIDFILE_NAME ".%d", (int)getpid());
    TRY(sys_openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600, &fd, e));
    enum err err = sys_write_full(fd, text, (size_t)len, e);
    if (err == ERR_OK)
        err = sys_renameat(dirfd, name, dirfd, PIDFILE_NAME, e);
    struct error ignored;
    if (err != ERR_OK)
        (void)sys_unlinkat(dirfd, name, 0, &ignored);
    return err;
}

enum err pidfile_remove(int dirfd, struct error *e)
{
    enum err err = sys_unlinkat(dirfd, PIDFILE_NAME, 0, e);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}
