/*
 * One server at a time: a directory is held by an advisory lock on a file in it. The kernel gives
 * it up when the process ends, however that happens.
 */
#ifndef STIGMER_SERVER_LOCK_H
#define STIGMER_SERVER_LOCK_H

#include "base/err.h"

/* Makes the directory dir (0700) where it is missing and holds it; *ret_fd is closed to let go.
 * variable: the environment variable that named it, for messages. FAILED_PRECONDITION: another
 * server holds it, or dir is no directory. */
enum err lock_dir(const char *variable, const char *dir, const char *name, int *ret_fd,
                  struct error *e);

#endif
