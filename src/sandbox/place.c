/*
 * What sandboxes share: a directory for /bin, with a link for every program in /usr/bin beside the
 * place of the skills.
 *
 * A thousand links would take longer to make than a sandbox has; so they are made once, for the
 * /usr/bin of that very inode and time, under another name until all are there.
 */
#include "sandbox/sandbox.h"

#include "base/hex.h"
#include "base/macro.h"
#include "base/sys.h"
#include "base/sys_proc.h"

#include <fcntl.h>
#include <stdio.h>

#define FORMAT 2 /* grows with what is in a place */

static enum err add_link(void *ctx, const char *name, struct error *e)
{
    char target[300];
    if (snprintf(target, sizeof target, "/usr/bin/%s", name) >= (int)sizeof target)
        return ERR_OK; /* longer than any name */
    return sys_symlinkat(target, *(const int *)ctx, name, e);
}

static enum err fill_bin(int dirfd, struct error *e)
{
    CLEANUP(sys_closep) int from = -1;
    CLEANUP(sys_closep) int bin = -1;
    struct error ignored;
    TRY(sys_mkdirat(dirfd, "bin", 0755, e));
    TRY(sys_openat(dirfd, "bin", O_RDONLY | O_DIRECTORY, 0, &bin, e));
    TRY(sys_openat(AT_FDCWD, "/usr/bin", O_RDONLY | O_DIRECTORY, 0, &from, e));
    TRY(sys_each_name(from, add_link, &bin, e));
    (void)sys_unlinkat(bin, "skills", 0, &ignored); /* a program of that name stays in /usr/bin */
    return sys_mkdirat(bin, "skills", 0755, e);
}

static enum err fill(int at, const char *name, struct error *e)
{
    CLEANUP(sys_closep) int dirfd = -1;
    TRY(sys_mkdirat(at, name, 0755, e));
    TRY(sys_openat(at, name, O_RDONLY | O_DIRECTORY, 0, &dirfd, e));
    return fill_bin(dirfd, e);
}

/* Two processes may make it at once: the second finds the name taken, by the same. */
static enum err make(int at, const char *name, struct error *e)
{
    uint8_t random[8];
    char beside[2 * sizeof random + 8] = ".new-";
    struct error ignored;
    TRY(sys_random(random, sizeof random, e));
    hex_encode(random, sizeof random, beside + 5);
    enum err err = fill(at, beside, e);
    if (err == ERR_OK)
        err = sys_renameat_noreplace(at, beside, at, name, e);
    if (err != ERR_OK)
        (void)sys_remove_tree(at, beside, &ignored);
    return err == ERR_ALREADY_EXISTS ? ERR_OK : err;
}

/* Debian, since 12 without exception, has /bin as a link to usr/bin. */
static enum err check_merged(struct error *e)
{
    char real[SYS_PATH_MAX];
    TRY(sys_realpath("/bin", real, e));
    if (str_eq(str_c(real), STR("/usr/bin")))
        return ERR_OK;
    return FAIL(e, ERR_FAILED_PRECONDITION, "sandbox.usr",
                "the sandbox needs a system whose /bin is a link to /usr/bin; install the package "
                "usrmerge");
}

enum err sandbox_place(int dirfd, const char *path, char *ret, size_t size, struct error *e)
{
    CLEANUP(sys_closep) int at = -1;
    char name[80];
    struct stat usr, st;
    TRY(check_merged(e));
    TRY(sys_fstatat(AT_FDCWD, "/usr/bin", 0, &usr, e));
    (void)snprintf(name, sizeof name, "%d-%llx-%llx.%09ld", FORMAT, (unsigned long long)usr.st_ino,
                   (unsigned long long)usr.st_mtim.tv_sec, usr.st_mtim.tv_nsec);
    if (snprintf(ret, size, "%s/sandbox/%s", path, name) >= (int)size)
        return FAIL(e, ERR_INVALID_ARGUMENT, "sandbox.path", "the path %s is too long", path);
    enum err err = sys_mkdirat(dirfd, "sandbox", 0755, e);
    if (err != ERR_OK && err != ERR_ALREADY_EXISTS)
        return err;
    TRY(sys_openat(dirfd, "sandbox", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &at, e));
    err = sys_fstatat(at, name, AT_SYMLINK_NOFOLLOW, &st, e);
    return err == ERR_NOT_FOUND ? make(at, name, e) : err;
}
