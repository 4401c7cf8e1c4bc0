/*
 * The local stigmer-server as a daemon: its files, its process.
 *
 *     ~/.stigmer/data/daemon.pid            its pid (pidfile.h)
 *     ~/.stigmer/data/daemon.lock           held while somebody starts or stops it
 *     ~/.stigmer/logs/stigmer-server.log    what it wrote; a start that finds more than 16 MiB
 *                                           renames it to stigmer-server.log.1 first
 *
 * A pid counts only while that process lives and is a stigmer-server: a stale file means nothing
 * runs. Whether the server answers is remote.h's business.
 */
#ifndef STIGMER_CLI_DAEMON_H
#define STIGMER_CLI_DAEMON_H

#include "base/buf.h"
#include "base/err.h"
#include "base/sys_proc.h"

struct daemon {
    char log_path[SYS_PATH_MAX];
    int data_fd; /* ~/.stigmer/data; -1 when it does not exist */
    pid_t pid;
    int pidfd; /* -1 = not running */
};

#define DAEMON_INIT ((struct daemon){.data_fd = -1, .pidfd = -1})

/* Finds the files below $HOME; create makes the directories (0700). FAILED_PRECONDITION when HOME
 * is not an absolute path. Release with daemon_close, also after an error. */
enum err daemon_open(struct daemon *d, bool create, struct error *e);
void daemon_close(struct daemon *d);

/* Looks for the process; d->pidfd tells. */
enum err daemon_find(struct daemon *d, struct error *e);
/* Only one process starts or stops the daemon at a time: waits at most timeout_ms for the lock,
 * which is released by closing *ret_fd. DEADLINE_EXCEEDED when somebody holds it all the time. */
enum err daemon_lock(struct daemon *d, int64_t timeout_ms, int *ret_fd, struct error *e);

/* The server's executable: beside this program's own, else in PATH. NOT_FOUND with advice. */
enum err daemon_executable(char out[SYS_PATH_MAX], struct error *e);
/* Starts it for port and writes the pid file; the lock must be held. *ret_log_offset: where its
 * own lines begin in the log. */
enum err daemon_spawn(struct daemon *d, uint16_t port, uint64_t *ret_log_offset, struct error *e);
/* Appends the last lines that the log holds from offset on, each indented, safe to print. */
void daemon_log_tail(const struct daemon *d, uint64_t offset, struct buf *out);
/* SIGTERM, then waits; with force SIGKILL after that. DEADLINE_EXCEEDED while it still runs.
 * Removes the pid file once the process is gone. The lock must be held. */
enum err daemon_stop(struct daemon *d, int64_t timeout_ms, bool force, struct error *e);

/* The version that the running program d->pid says it has, by asking its own executable; empty when
 * it does not say. */
enum { DAEMON_VERSION_MAX = 64 };
void daemon_version(const struct daemon *d, char out[DAEMON_VERSION_MAX]);

/* Puts the port into the environment (GRPC_PORT), where the server reads it. */
enum err daemon_set_port(uint16_t port, struct error *e);

#endif
