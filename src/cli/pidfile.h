/*
 * ~/.stigmer/data/daemon.pid: the pid of the local server, digits only, no newline, mode 0600.
 * Other clients read it too (API.md section 5). It is written whole or not at all.
 */
#ifndef STIGMER_CLI_PIDFILE_H
#define STIGMER_CLI_PIDFILE_H

#include "base/err.h"

#include <sys/types.h>

#define PIDFILE_NAME "daemon.pid"

/* NOT_FOUND when there is none, or when what it holds is no pid. */
enum err pidfile_read(int dirfd, pid_t *ret, struct error *e);
enum err pidfile_write(int dirfd, pid_t pid, struct error *e);
/* Removes the file; none is fine. */
enum err pidfile_remove(int dirfd, struct error *e);

#endif
