#include "sandbox/etc.h"

#include "base/macro.h"
#include "base/sys.h"
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <string.h>

struct etc_file {
    const char *path;
    const char *text; /* NULL: as the host's */
};

static const struct etc_file files[] = {
    {"/etc/passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\n"
                    "agent:x:1000:1000:agent:" SANDBOX_HOME ":/bin/sh\n"
                    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
    {"/etc/group", "root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n"},
    {"/etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n"},
    {"/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
    {"/etc/ld.so.cache", NULL},
    {"/etc/localtime", NULL},
    {"/etc/mime.types", NULL},
    {"/etc/ssl/openssl.cnf", NULL},
};
_Static_assert(ARRAY_SIZE(files) == ETC_FILES, "a descriptor each");

static enum err open_text(const char *text, int *ret, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    TRY(sys_memfd("etc", &fd, e));
    TRY(sys_write_full(fd, text, strlen(text), e));
    return sys_reopen(fd, O_RDONLY, ret, e);
}

static enum err open_host(const char *path, int *ret, struct error *e)
{
    enum err err = sys_openat(AT_FDCWD, path, O_RDONLY, 0, ret, e);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err etc_open(struct etc *ret, struct error *e)
{
    *ret = ETC_INIT;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        TRY(files[i].text ? open_text(files[i].text, &ret->fds[i], e)
                          : open_host(files[i].path, &ret->fds[i], e));
    return ERR_OK;
}

void etc_deinit(struct etc *etc)
{
    for (size_t i = 0; i < ARRAY_SIZE(etc->fds); i++)
        sys_closep(&etc->fds[i]);
}

void etc_arguments(const struct etc *etc, struct buf *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (etc->fds[i] >= 0) {
            buf_addf(ret, "--perms%c0644%c--file%c%d%c%s", 0, 0, 0, etc->fds[i], 0, files[i].path);
            buf_add_char(ret, '\0');
        }
}
