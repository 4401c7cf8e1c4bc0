#include "base/sys.h"

#include "base/arena.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OPEN_TRIES 100

/* FAIL with errno, for the call named by a literal. */
#define SYS_FAIL(e, what, ...) FAIL_SYS((e), sys_err(errno), errno, "sys." what, what __VA_ARGS__)

enum err sys_err(int sys)
{
    switch (sys) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY:
        return ERR_ALREADY_EXISTS;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return ERR_RESOURCE_EXHAUSTED;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case EXDEV:
        return ERR_PERMISSION_DENIED;
    default:
        return ERR_INTERNAL;
    }
}

void sys_closep(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

enum err sys_openat(int dirfd, const char *name, int flags, mode_t mode, int *ret_fd,
                    struct error *e)
{
    int fd;
    do
        fd = openat(dirfd, name, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return SYS_FAIL(e, "open", " \"%s\"", name);
    *ret_fd = fd;
    return ERR_OK;
}

enum err sys_open_beneath(int dirfd, const char *name, int flags, mode_t mode, int *ret_fd,
                          struct error *e)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .mode = (flags & (O_CREAT | __O_TMPFILE)) ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long fd;
    int tries = 0; /* EAGAIN: a rename came between, or O_NONBLOCK met a lease */
    do
        fd = syscall(SYS_openat2, dirfd, name, &how, sizeof how);
    while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < OPEN_TRIES)));
    if (fd < 0)
        return SYS_FAIL(e, "openat2", " \"%s\"", name);
    *ret_fd = (int)fd;
    return ERR_OK;
}

enum err sys_open_tmp(int dirfd, int *ret_fd, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    TRY(sys_openat(dirfd, ".", O_TMPFILE | O_RDWR, 0600, &fd, e));
    TRY(sys_fchmod(fd, 0600, e)); /* the umask may have taken from it */
    *ret_fd = sys_steal(&fd);
    return ERR_OK;
}

enum err sys_memfd(const char *label, int *ret_fd, struct error *e)
{
    CLEANUP(sys_closep) int fd = memfd_create(label, MFD_CLOEXEC);
    if (fd < 0)
        return SYS_FAIL(e, "memfd_create", "");
    TRY(sys_fchmod(fd, 0600, e)); /* 0777 by default */
    *ret_fd = sys_steal(&fd);
    return ERR_OK;
}

/* The name under which the kernel lets a process reach what a descriptor is open on. */
static void fd_path(int fd, char out[64])
{
    (void)snprintf(out, 64, "/proc/self/fd/%d", fd);
}

enum err sys_reopen(int fd, int flags, int *ret_fd, struct error *e)
{
    char path[64];
    fd_path(fd, path);
    return sys_openat(AT_FDCWD, path, flags, 0, ret_fd, e);
}

enum err sys_link_fd(int fd, int dirfd, const char *name, struct error *e)
{
    /* AT_EMPTY_PATH needs CAP_DAC_READ_SEARCH; the /proc form (open(2), O_TMPFILE) does not. */
    char from[64];
    fd_path(fd, from);
    if (linkat(AT_FDCWD, from, dirfd, name, AT_SYMLINK_FOLLOW) < 0)
        return SYS_FAIL(e, "linkat", " \"%s\"", name);
    return ERR_OK;
}

static enum err renameat_flags(int from_dirfd, const char *from, int to_dirfd, const char *to,
                               unsigned flags, struct error *e)
{
    if (renameat2(from_dirfd, from, to_dirfd, to, flags) < 0)
        return SYS_FAIL(e, "rename", " \"%s\" to \"%s\"", from, to);
    return ERR_OK;
}

enum err sys_renameat(int from_dirfd, const char *from, int to_dirfd, const char *to,
                      struct error *e)
{
    return renameat_flags(from_dirfd, from, to_dirfd, to, 0, e);
}

enum err sys_renameat_noreplace(int from_dirfd, const char *from, int to_dirfd, const char *to,
                                struct error *e)
{
    return renameat_flags(from_dirfd, from, to_dirfd, to, RENAME_NOREPLACE, e);
}

enum err sys_exchange(int a_dirfd, const char *a, int b_dirfd, const char *b, struct error *e)
{
    return renameat_flags(a_dirfd, a, b_dirfd, b, RENAME_EXCHANGE, e);
}

enum err sys_unlinkat(int dirfd, const char *name, int flags, struct error *e)
{
    if (unlinkat(dirfd, name, flags) < 0)
        return SYS_FAIL(e, "unlink", " \"%s\"", name);
    return ERR_OK;
}

enum err sys_mkdirat(int dirfd, const char *name, mode_t mode, struct error *e)
{
    if (mkdirat(dirfd, name, mode) < 0)
        return SYS_FAIL(e, "mkdir", " \"%s\"", name);
    return ERR_OK;
}

/* Opened for reading: fsync refuses the O_PATH descriptors that a path is walked with. */
static enum err sync_dir(int dirfd, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    TRY(sys_openat(dirfd, ".", O_DIRECTORY | O_RDONLY, 0, &fd, e));
    return sys_fsync(fd, e);
}

/* Makes one level below dirfd and opens it; an existing directory is fine, also one that may be
 * passed but not read. */
static enum err descend(int dirfd, const char *name, mode_t mode, int *ret_fd, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    enum err err = sys_mkdirat(dirfd, name, mode, e);
    bool made = err == ERR_OK;
    if (!made && err != ERR_ALREADY_EXISTS)
        return err;
    /* Whatever the umask; by name, as a mode of 0 could not be opened. */
    if (made && fchmodat(dirfd, name, mode, 0) < 0)
        return SYS_FAIL(e, "fchmodat", " \"%s\"", name);
    TRY(sys_openat(dirfd, name, O_DIRECTORY | O_PATH, 0, &fd, e));
    if (made)
        TRY(sync_dir(dirfd, e));
    *ret_fd = sys_steal(&fd);
    return ERR_OK;
}

enum err sys_symlinkat(const char *target, int dirfd, const char *name, struct error *e)
{
    return symlinkat(target, dirfd, name) < 0 ? SYS_FAIL(e, "symlinkat", " \"%s\"", name) : ERR_OK;
}

enum err sys_mkdir_parents(const char *path, mode_t mode, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    CLEANUP(freep) char *copy = str_dup_c(str_c(path));
    if (!copy)
        return FAIL_NOMEM(e);
    TRY(sys_openat(AT_FDCWD, path[0] == '/' ? "/" : ".", O_DIRECTORY | O_PATH, 0, &fd, e));
    char *rest = copy;
    for (char *name = strsep(&rest, "/"); name; name = strsep(&rest, "/")) {
        int next = -1;
        if (name[0] == '\0')
            continue;
        TRY(descend(fd, name, mode, &next, e));
        sys_closep(&fd);
        fd = next;
    }
    return ERR_OK;
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static enum err each_name(DIR *dir, enum err (*fn)(void *, const char *, struct error *), void *ctx,
                          struct error *e)
{
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry && errno)
            return SYS_FAIL(e, "readdir", "");
        if (!entry)
            return ERR_OK;
        if (!is_dot(entry->d_name))
            TRY(fn(ctx, entry->d_name, e));
    }
}

enum err sys_each_name(int dirfd, enum err (*fn)(void *ctx, const char *name, struct error *e),
                       void *ctx, struct error *e)
{
    int fd;
    TRY(sys_openat(dirfd, ".", O_DIRECTORY | O_RDONLY, 0, &fd, e));
    DIR *dir = fdopendir(fd);
    if (!dir) {
        enum err err = SYS_FAIL(e, "fdopendir", "");
        sys_closep(&fd);
        return err;
    }
    enum err err = each_name(dir, fn, ctx, e);
    (void)closedir(dir);
    return err;
}

enum err sys_fchmod(int fd, mode_t mode, struct error *e)
{
    if (fchmod(fd, mode) < 0)
        return SYS_FAIL(e, "fchmod", "");
    return ERR_OK;
}

enum err sys_ftruncate(int fd, uint64_t len, struct error *e)
{
    int r;
    do
        r = ftruncate(fd, (off_t)len);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return SYS_FAIL(e, "ftruncate", "");
    return ERR_OK;
}

static enum err remove_below(void *ctx, const char *name, struct error *e)
{
    return sys_remove_tree(*(int *)ctx, name, e);
}

/* Tried as a file first: what then remains is a directory. */
enum err sys_remove_tree(int dirfd, const char *name, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    if (unlinkat(dirfd, name, 0) == 0)
        return ERR_OK;
    if (errno != EISDIR && errno != EPERM)
        return SYS_FAIL(e, "unlink", " \"%s\"", name);
    TRY(sys_openat(dirfd, name, O_DIRECTORY | O_NOFOLLOW | O_RDONLY, 0, &fd, e));
    TRY(sys_each_name(fd, remove_below, &fd, e));
    return sys_unlinkat(dirfd, name, AT_REMOVEDIR, e);
}

enum err sys_dup(int fd, int *ret_fd, struct error *e)
{
    *ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (*ret_fd < 0)
        return SYS_FAIL(e, "dup", "");
    return ERR_OK;
}

enum err sys_fstat(int fd, struct stat *ret, struct error *e)
{
    if (fstat(fd, ret) < 0)
        return SYS_FAIL(e, "fstat", "");
    return ERR_OK;
}

enum err sys_fstatat(int dirfd, const char *name, int flags, struct stat *ret, struct error *e)
{
    if (fstatat(dirfd, name, ret, flags) < 0)
        return SYS_FAIL(e, "stat", " \"%s\"", name);
    return ERR_OK;
}

enum err sys_read(int fd, void *p, size_t len, size_t *ret_n, struct error *e)
{
    ssize_t n;
    do
        n = read(fd, p, len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return SYS_FAIL(e, "read", "");
    *ret_n = (size_t)n;
    return ERR_OK;
}

enum err sys_pread(int fd, void *p, size_t len, uint64_t off, size_t *ret_n, struct error *e)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = pread(fd, (char *)p + done, len - done, (off_t)(off + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return SYS_FAIL(e, "pread", " at %llu", (unsigned long long)(off + done));
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *ret_n = done;
    return ERR_OK;
}

enum err sys_pread_full(int fd, void *p, size_t len, uint64_t off, struct error *e)
{
    size_t n;
    TRY(sys_pread(fd, p, len, off, &n, e));
    if (n < len)
        return FAIL(e, ERR_DATA_LOSS, "sys.short_file", "the file ends %zu bytes early", len - n);
    return ERR_OK;
}

enum err sys_write_full(int fd, const void *p, size_t len, struct error *e)
{
    const char *at = p;
    while (len) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return SYS_FAIL(e, "write", "");
        at += n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

enum err sys_pwrite_full(int fd, const void *p, size_t len, uint64_t off, struct error *e)
{
    const char *at = p;
    while (len) {
        ssize_t n = pwrite(fd, at, len, (off_t)off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return SYS_FAIL(e, "pwrite", "");
        at += n;
        off += (uint64_t)n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

enum err sys_fsync(int fd, struct error *e)
{
    if (fsync(fd) < 0)
        return SYS_FAIL(e, "fsync", "");
    return ERR_OK;
}

enum err sys_fdatasync(int fd, struct error *e)
{
    if (fdatasync(fd) < 0)
        return SYS_FAIL(e, "fdatasync", "");
    return ERR_OK;
}

void sys_sync_range(int fd, uint64_t off, uint64_t len)
{
    (void)sync_file_range(fd, (off_t)off, (off_t)len, SYNC_FILE_RANGE_WRITE);
}

void sys_drop_cache(int fd)
{
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

enum err sys_allocate(int fd, uint64_t off, uint64_t len, struct error *e)
{
    int r;
    do
        r = fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return SYS_FAIL(e, "fallocate", " %llu bytes", (unsigned long long)len);
    return ERR_OK;
}

enum err sys_room(int fd, struct sys_room *ret, struct error *e)
{
    struct statvfs v;
    int r;
    do
        r = fstatvfs(fd, &v);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return SYS_FAIL(e, "fstatvfs", "");
    bool counts_files = v.f_files != 0; /* btrfs does not */
    *ret = (struct sys_room){
        .free_bytes = (uint64_t)v.f_bavail * v.f_frsize,
        .total_bytes = (uint64_t)v.f_blocks * v.f_frsize,
        .free_files = counts_files ? v.f_favail : UINT64_MAX,
        .total_files = counts_files ? v.f_files : UINT64_MAX,
    };
    return ERR_OK;
}

enum err sys_try_lock(int fd, bool *ret_locked, struct error *e)
{
    int r;
    do
        r = flock(fd, LOCK_EX | LOCK_NB);
    while (r < 0 && errno == EINTR);
    if (r < 0 && errno != EWOULDBLOCK)
        return SYS_FAIL(e, "flock", "");
    *ret_locked = r == 0;
    return ERR_OK;
}

static enum err lock(int fd, int how, struct error *e)
{
    int r;
    do
        r = flock(fd, how);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return SYS_FAIL(e, "flock", "");
    return ERR_OK;
}

enum err sys_lock(int fd, struct error *e)
{
    return lock(fd, LOCK_EX, e);
}

enum err sys_lock_shared(int fd, struct error *e)
{
    return lock(fd, LOCK_SH, e);
}

enum err sys_touch(int fd, struct error *e)
{
    if (futimens(fd, NULL) < 0)
        return SYS_FAIL(e, "futimens", "");
    return ERR_OK;
}

enum err sys_random(void *p, size_t len, struct error *e)
{
    char *at = p;
    while (len) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return SYS_FAIL(e, "getrandom", "");
        at += n;
        len -= (size_t)n;
    }
    return ERR_OK;
}
