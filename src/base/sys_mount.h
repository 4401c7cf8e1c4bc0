/*
 * Mounts. They belong to this process's mount namespace and need CAP_SYS_ADMIN in it.
 * Errors: as sys.h; PERMISSION_DENIED or UNIMPLEMENTED where this process or kernel may not mount.
 */
#ifndef STIGMER_BASE_SYS_MOUNT_H
#define STIGMER_BASE_SYS_MOUNT_H

#include "base/err.h"

/* Attaches the tree that dirfd is open on at the empty directory `name` below at_dirfd: read-only,
 * nosuid and nodev before anybody can see it. */
enum err sys_bind_readonly(int dirfd, int at_dirfd, const char *name, struct error *e);
/* Whether `name` (never followed) is where something is mounted. */
enum err sys_is_mount(int dirfd, const char *name, bool *ret, struct error *e);
/* Detaches what is mounted at `name` (never followed); who uses it can go on. */
enum err sys_unmount(int dirfd, const char *name, struct error *e);

#endif
