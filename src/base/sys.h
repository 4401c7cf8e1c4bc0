/*
 * File system calls. The sys*.c files of base are the only ones that make raw system calls and see
 * errno; everybody above gets `enum err` with the errno kept in struct error.sys.
 *
 * EINTR is retried here (but never a failed fsync). Partial reads and writes are completed by the
 * *_full forms. Names are relative to dirfd (AT_FDCWD allowed) and are C strings: the OS's edge.
 * Errors: NOT_FOUND (ENOENT, ENOTDIR), ALREADY_EXISTS (EEXIST, ENOTEMPTY), RESOURCE_EXHAUSTED
 * (ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM), PERMISSION_DENIED (EACCES, EPERM, EROFS, ELOOP, EXDEV
 * from RESOLVE_BENEATH), otherwise INTERNAL.
 */
#ifndef STIGMER_BASE_SYS_H
#define STIGMER_BASE_SYS_H

#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"

#include <sys/stat.h>
#include <sys/types.h>

/* The error code for an errno, as listed above. */
enum err sys_err(int sys);

/* Closes *fd unless negative and sets it to -1; for CLEANUP. Errors of close are ignored: data
 * that matters was fsynced before. */
void sys_closep(int *fd);

/* Takes the descriptor out of a CLEANUP(sys_closep) variable. */
static inline int sys_steal(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

/* O_CLOEXEC is always added. */
enum err sys_openat(int dirfd, const char *name, int flags, mode_t mode, int *ret_fd,
                    struct error *e);
/* As sys_openat below dirfd only: RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS. */
enum err sys_open_beneath(int dirfd, const char *name, int flags, mode_t mode, int *ret_fd,
                          struct error *e);
/* An unnamed file (O_TMPFILE, read-write, mode 0600 whatever the umask) in the directory dirfd. */
enum err sys_open_tmp(int dirfd, int *ret_fd, struct error *e);
/* An unnamed file in memory (read-write, mode 0600); label is for /proc only. */
enum err sys_memfd(const char *label, int *ret_fd, struct error *e);
/* Another descriptor of the same file with an offset and flags (O_RDONLY, O_RDWR) of its own. */
enum err sys_reopen(int fd, int flags, int *ret_fd, struct error *e);
/* Gives the unnamed file fd a name. ALREADY_EXISTS when the name is taken. */
enum err sys_link_fd(int fd, int dirfd, const char *name, struct error *e);
enum err sys_renameat(int from_dirfd, const char *from, int to_dirfd, const char *to,
                      struct error *e);
/* Fails with ALREADY_EXISTS instead of replacing `to`. */
enum err sys_renameat_noreplace(int from_dirfd, const char *from, int to_dirfd, const char *to,
                                struct error *e);
/* Swaps two names atomically. INTERNAL with sys EINVAL: the file system cannot. */
enum err sys_exchange(int a_dirfd, const char *a, int b_dirfd, const char *b, struct error *e);
enum err sys_unlinkat(int dirfd, const char *name, int flags, struct error *e);
enum err sys_mkdirat(int dirfd, const char *name, mode_t mode, struct error *e);
/* A symbolic link. ALREADY_EXISTS when the name is taken. */
enum err sys_symlinkat(const char *target, int dirfd, const char *name, struct error *e);
/* mkdir -p of an absolute or relative path; every directory it makes has `mode` exactly and its
 * parent is fsynced. Existing directories are left as they are. */
enum err sys_mkdir_parents(const char *path, mode_t mode, struct error *e);
/* A second descriptor of the same open file; close-on-exec. */
enum err sys_dup(int fd, int *ret_fd, struct error *e);
/* Calls fn with the name of each entry but "." and "..", in no particular order, until fn fails.
 * Entries that come and go meanwhile may or may not be seen. */
enum err sys_each_name(int dirfd, enum err (*fn)(void *ctx, const char *name, struct error *e),
                       void *ctx, struct error *e);
enum err sys_fchmod(int fd, mode_t mode, struct error *e);
enum err sys_fstat(int fd, struct stat *ret, struct error *e);
enum err sys_fstatat(int dirfd, const char *name, int flags, struct stat *ret, struct error *e);

/* One read; 0 bytes means the end. */
enum err sys_read(int fd, void *p, size_t len, size_t *ret_n, struct error *e);
/* Reads exactly len bytes at off; DATA_LOSS when the file ends before. */
enum err sys_pread_full(int fd, void *p, size_t len, uint64_t off, struct error *e);
/* Reads up to len bytes at off, as many as there are; *ret_n < len only at the end. */
enum err sys_pread(int fd, void *p, size_t len, uint64_t off, size_t *ret_n, struct error *e);
enum err sys_write_full(int fd, const void *p, size_t len, struct error *e);
enum err sys_pwrite_full(int fd, const void *p, size_t len, uint64_t off, struct error *e);
/* A failure means the data may be gone: the caller must not retry on the same descriptor. */
enum err sys_fsync(int fd, struct error *e);
enum err sys_fdatasync(int fd, struct error *e);
/* Starts writing back the range without waiting; a hint, failures are ignored. */
void sys_sync_range(int fd, uint64_t off, uint64_t len);
/* Forgets what is in memory of the file, so that reading asks the disk; a hint: what is dirty or
 * mapped stays. */
void sys_drop_cache(int fd);
/* Reserves the room for bytes at off, also beyond the end, without changing the length. */
enum err sys_allocate(int fd, uint64_t off, uint64_t len, struct error *e);
/* What the file system of fd has left for this process. */
struct sys_room {
    uint64_t free_bytes, total_bytes;
    uint64_t free_files, total_files; /* UINT64_MAX where they are not counted */
};
enum err sys_room(int fd, struct sys_room *ret, struct error *e);
enum err sys_ftruncate(int fd, uint64_t len, struct error *e);
/* rm -r of `name` below dirfd, whatever it is; symbolic links are removed, never followed. */
enum err sys_remove_tree(int dirfd, const char *name, struct error *e);
/* Exclusive advisory lock without waiting; *ret_locked is false when somebody else holds it. */
enum err sys_try_lock(int fd, bool *ret_locked, struct error *e);
/* Exclusive advisory lock, waiting for it; released when the descriptor's last copy is closed. */
enum err sys_lock(int fd, struct error *e);
/* As sys_lock, but shared: others may hold it shared, too, and nobody exclusively. On a descriptor
 * that holds the lock exclusively it becomes shared, though not at one stroke. */
enum err sys_lock_shared(int fd, struct error *e);
/* Sets the times of reading and writing to now. */
enum err sys_touch(int fd, struct error *e);
/* len bytes from the kernel's generator. */
enum err sys_random(void *p, size_t len, struct error *e);

#endif
