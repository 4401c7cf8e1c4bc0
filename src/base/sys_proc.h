/*
 * Processes and terminals: the calls that the command line needs to start, watch and end a server.
 *
 * A process is held by a pidfd (pidfd_open(2)), so that a pid that was reused meanwhile can never
 * be waited for or signalled by mistake.
 * Errors: as sys.h; NOT_FOUND also for a process that is gone (ESRCH).
 */
#ifndef STIGMER_BASE_SYS_PROC_H
#define STIGMER_BASE_SYS_PROC_H

#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>

#define SYS_PATH_MAX 4096 /* bytes of a path with its NUL (PATH_MAX) */

bool sys_isatty(int fd);
/* Columns of the terminal fd, 80 when it does not say. */
unsigned sys_tty_columns(int fd);
void sys_sleep_ms(int64_t ms);

/* The path of the running executable, as the kernel knows it. */
enum err sys_self_exe(char out[SYS_PATH_MAX], struct error *e);
/* The path with symbolic links, "." and ".." resolved. */
enum err sys_realpath(const char *path, char out[SYS_PATH_MAX], struct error *e);
/* Whether path is a regular file that this process may execute. */
bool sys_is_executable(const char *path);
/* Bits that the umask takes from the modes of new files. */
mode_t sys_umask(void);

/* Replaces this process; returns only when that failed. The environment is this process's own. */
enum err sys_exec(const char *path, char *const argv[], struct error *e);
/* Runs path as a daemon: a session of its own that can never get a terminal, directory "/", umask
 * 077, no descriptors but /dev/null (0) and log_fd (1 and 2), all signals at their defaults.
 * Fails when the program could not be executed. */
enum err sys_spawn_daemon(const char *path, char *const argv[], int log_fd, pid_t *ret_pid,
                          struct error *e);

enum err sys_pidfd_open(pid_t pid, int *ret_fd, struct error *e);
/* NOT_FOUND when the process has ended. */
enum err sys_pidfd_signal(int pidfd, int sig, struct error *e);
/* Waits at most timeout_ms (0 = only looks); a process that ended but was not yet collected by its
 * parent counts as ended. */
enum err sys_pidfd_wait(int pidfd, int64_t timeout_ms, bool *ret_ended, struct error *e);

/* What one read gives of the small file /proc/<pid>/<name>, as a C string; false when it cannot be
 * read. */
bool sys_proc_read(pid_t pid, const char *name, char *out, size_t size);
/* Whether the process runs an executable of that base name (by /proc/<pid>/exe, also after the
 * file was replaced; by /proc/<pid>/comm where exe may not be read). */
bool sys_proc_is(pid_t pid, const char *name);
/* Seconds since the process started. */
enum err sys_proc_uptime(pid_t pid, int64_t *ret_s, struct error *e);

#endif
