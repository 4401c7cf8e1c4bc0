#include "base/tmpfile.h"

#include "base/macro.h"
#include "base/sys.h"

#define WRITEBACK_STEP MIB(8)

enum err tmpfile_open(struct tmpfile *t, int dirfd, struct error *e)
{
    *t = TMPFILE_INIT;
    t->dirfd = dirfd;
    return sys_open_tmp(dirfd, &t->fd, e);
}

enum err tmpfile_write(struct tmpfile *t, const void *p, size_t len, struct error *e)
{
    TRY(sys_write_full(t->fd, p, len, e));
    t->len += len;
    if (t->len - t->synced >= WRITEBACK_STEP) {
        sys_sync_range(t->fd, t->synced, t->len - t->synced);
        t->synced = t->len;
    }
    return ERR_OK;
}

enum err tmpfile_commit(struct tmpfile *t, const char *name, struct error *e)
{
    TRY(sys_fsync(t->fd, e));
    TRY(sys_link_fd(t->fd, t->dirfd, name, e));
    return sys_fsync(t->dirfd, e);
}

void tmpfile_deinit(struct tmpfile *t)
{
    sys_closep(&t->fd);
}
