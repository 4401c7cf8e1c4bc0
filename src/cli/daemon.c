#include "cli/daemon.h"

#include "base/clock.h"
#include "base/sys.h"
#include "cli/pidfile.h"
#include "cli/term.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVER_NAME "stigmer-server"
#define LOCK_NAME   "daemon.lock"
#define LOG_MAX     MIB(16)

enum { POLL_MS = 20, KILL_WAIT_MS = 5000, TAIL_BYTES = 4096, TAIL_LINES = 12 };

static enum err below_home(const char *name, char out[SYS_PATH_MAX], struct error *e)
{
    const char *home = getenv("HOME");
    if (!home || home[0] != '/')
        return FAIL(e, ERR_FAILED_PRECONDITION, "daemon.home",
                    "HOME must be an absolute path: the local server keeps its data there");
    if (snprintf(out, SYS_PATH_MAX, "%s/.stigmer/%s", home, name) >= SYS_PATH_MAX)
        return FAIL(e, ERR_FAILED_PRECONDITION, "daemon.home", "HOME is too long");
    return ERR_OK;
}

enum err daemon_open(struct daemon *d, bool create, struct error *e)
{
    char path[SYS_PATH_MAX];
    *d = DAEMON_INIT;
    TRY(below_home("logs", path, e));
    if (create)
        TRY(sys_mkdir_parents(path, 0700, e));
    TRY(below_home("logs/" SERVER_NAME ".log", d->log_path, e));
    TRY(below_home("data", path, e));
    if (create)
        TRY(sys_mkdir_parents(path, 0700, e));
    enum err err = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &d->data_fd, e);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

void daemon_close(struct daemon *d)
{
    sys_closep(&d->data_fd);
    sys_closep(&d->pidfd);
}

enum err daemon_find(struct daemon *d, struct error *e)
{
    bool ended;
    CLEANUP(sys_closep) int pidfd = -1;
    sys_closep(&d->pidfd);
    if (d->data_fd < 0)
        return ERR_OK;
    enum err err = pidfile_read(d->data_fd, &d->pid, e);
    if (err == ERR_OK)
        err = sys_pidfd_open(d->pid, &pidfd, e);
    if (err == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    /* The name is read while the pidfd is held, and the process was alive after that: the pid
     * cannot have been reused in between. */
    bool ours = sys_proc_is(d->pid, SERVER_NAME);
    TRY(sys_pidfd_wait(pidfd, 0, &ended, e));
    if (ended || !ours)
        return ERR_OK;
    d->pidfd = pidfd;
    pidfd = -1;
    return ERR_OK;
}

enum err daemon_lock(struct daemon *d, int64_t timeout_ms, int *ret_fd, struct error *e)
{
    CLEANUP(sys_closep) int fd = -1;
    bool locked;
    int64_t end = clock_mono_ns() + timeout_ms * NS_PER_MS;
    TRY(sys_openat(d->data_fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, &fd, e));
    TRY(sys_try_lock(fd, &locked, e));
    while (!locked) {
        if (clock_mono_ns() >= end)
            return FAIL(e, ERR_DEADLINE_EXCEEDED, "daemon.locked",
                        "another stigmer command is starting or stopping the server; try again");
        sys_sleep_ms(POLL_MS);
        TRY(sys_try_lock(fd, &locked, e));
    }
    *ret_fd = fd;
    fd = -1;
    return ERR_OK;
}

/* --- finding and starting --------------------------------------------------------------------- */

static bool executable_in(str dir, char out[SYS_PATH_MAX])
{
    int n = snprintf(out, SYS_PATH_MAX, "%.*s/" SERVER_NAME, STR_ARG(dir));
    return dir.len > 0 && n < SYS_PATH_MAX && sys_is_executable(out);
}

enum err daemon_executable(char out[SYS_PATH_MAX], struct error *e)
{
    char self[SYS_PATH_MAX];
    str dir, path = str_c(getenv("PATH"));
    TRY(sys_self_exe(self, e));
    if (executable_in(str_head(str_c(self), (size_t)MAX(str_rfind(str_c(self), '/'), 0)), out))
        return ERR_OK;
    while (path.len) {
        (void)str_cut(path, ':', &dir, &path);
        if (executable_in(dir, out))
            return ERR_OK;
    }
    return FAIL(e, ERR_NOT_FOUND, "daemon.no_executable",
                SERVER_NAME " was found neither beside stigmer nor in PATH: install it there");
}

/* The daemon works in "/": a relative path would point somewhere else than its writer meant. */
static enum err check_environment(struct error *e)
{
    static const char *const names[] = {"DB_PATH", "STORAGE_PATH", "TLS_CERT_FILE", "TLS_KEY_FILE"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *value = getenv(names[i]);
        if (value && *value && *value != '/' && *value != '~')
            return FAIL(e, ERR_FAILED_PRECONDITION, "daemon.relative_path",
                        "%s must be an absolute path for a server in the background, not \"%s\"",
                        names[i], value);
    }
    return ERR_OK;
}

enum err daemon_set_port(uint16_t port, struct error *e)
{
    char text[8];
    (void)snprintf(text, sizeof text, "%u", port);
    return setenv("GRPC_PORT", text, 1) == 0 ? ERR_OK : FAIL_NOMEM(e);
}

static enum err append_log(const struct daemon *d, int *ret_fd, uint64_t *ret_len, struct error *e)
{
    struct stat st;
    CLEANUP(sys_closep) int fd = -1;
    TRY(sys_openat(AT_FDCWD, d->log_path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600, &fd,
                   e));
    TRY(sys_fstat(fd, &st, e));
    *ret_len = (uint64_t)st.st_size;
    *ret_fd = fd;
    fd = -1;
    return ERR_OK;
}

/* The log of the servers before, once it is long: replaces the one that was set aside last. */
static enum err set_log_aside(const struct daemon *d, struct error *e)
{
    char old[SYS_PATH_MAX + 2];
    (void)snprintf(old, sizeof old, "%s.1", d->log_path);
    return sys_renameat(AT_FDCWD, d->log_path, AT_FDCWD, old, e);
}

static enum err open_log(const struct daemon *d, int *ret_fd, uint64_t *ret_len, struct error *e)
{
    TRY(append_log(d, ret_fd, ret_len, e));
    if (*ret_len <= LOG_MAX)
        return ERR_OK;
    sys_closep(ret_fd);
    TRY(set_log_aside(d, e));
    return append_log(d, ret_fd, ret_len, e);
}

enum err daemon_spawn(struct daemon *d, uint16_t port, uint64_t *ret_log_offset, struct error *e)
{
    char path[SYS_PATH_MAX];
    char name[] = SERVER_NAME;
    char *argv[] = {name, NULL};
    CLEANUP(sys_closep) int log_fd = -1;
    TRY(daemon_executable(path, e));
    TRY(check_environment(e));
    TRY(daemon_set_port(port, e));
    TRY(open_log(d, &log_fd, ret_log_offset, e));
    TRY(sys_spawn_daemon(path, argv, log_fd, &d->pid, e));
    sys_closep(&d->pidfd);
    if (sys_pidfd_open(d->pid, &d->pidfd, e) != ERR_OK)
        return e->code == ERR_NOT_FOUND ? ERR_OK : e->code; /* died at once: pidfd stays -1 */
    return pidfile_write(d->data_fd, d->pid, e);
}

/* --- its log ---------------------------------------------------------------------------------- */

static str last_lines(str text, unsigned n)
{
    size_t at = text.len;
    while (at > 0 && n > 0)
        if (text.p[--at] == '\n' && at + 1 < text.len)
            n--;
    return n == 0 ? str_skip(text, at + 1) : text;
}

void daemon_log_tail(const struct daemon *d, uint64_t offset, struct buf *out)
{
    char bytes[TAIL_BYTES];
    struct stat st;
    struct error e;
    size_t n;
    CLEANUP(sys_closep) int fd = -1;
    if (sys_openat(AT_FDCWD, d->log_path, O_RDONLY, 0, &fd, &e) != ERR_OK ||
        sys_fstat(fd, &st, &e) != ERR_OK)
        return;
    uint64_t size = (uint64_t)st.st_size;
    offset = MAX(offset, size > TAIL_BYTES ? size - TAIL_BYTES : 0);
    if (sys_pread(fd, bytes, sizeof bytes, offset, &n, &e) != ERR_OK)
        return;
    str line, rest = last_lines(str_trim(str_of(bytes, n)), TAIL_LINES);
    while (rest.len) {
        (void)str_cut(rest, '\n', &line, &rest);
        buf_add_c(out, "  ");
        text_add_safe(out, line, "\\\t");
        buf_add_char(out, '\n');
    }
}

/* --- its version ------------------------------------------------------------------------------ */

/* /proc/<pid>/exe is the program that runs, also after its file was replaced. */
void daemon_version(const struct daemon *d, char out[DAEMON_VERSION_MAX])
{
    char command[64], line[DAEMON_VERSION_MAX + sizeof SERVER_NAME] = "";
    (void)snprintf(command, sizeof command, "/proc/%d/exe version 2>/dev/null", (int)d->pid);
    FILE *f = popen(command, "re");
    bool read = f && fgets(line, sizeof line, f);
    str version = str_trim(str_c(line));
    out[0] = '\0';
    if (f)
        (void)pclose(f);
    if (read && str_starts_with(version, STR(SERVER_NAME " ")))
        (void)snprintf(out, DAEMON_VERSION_MAX, "%.*s",
                       STR_ARG(str_skip(version, sizeof SERVER_NAME)));
}

/* --- stopping --------------------------------------------------------------------------------- */

static enum err signal_and_wait(struct daemon *d, int sig, int64_t timeout_ms, bool *ret_ended,
                                struct error *e)
{
    enum err err = sys_pidfd_signal(d->pidfd, sig, e);
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return err;
    return sys_pidfd_wait(d->pidfd, timeout_ms, ret_ended, e);
}

enum err daemon_stop(struct daemon *d, int64_t timeout_ms, bool force, struct error *e)
{
    bool ended;
    TRY(signal_and_wait(d, SIGTERM, timeout_ms, &ended, e));
    if (!ended && force)
        TRY(signal_and_wait(d, SIGKILL, KILL_WAIT_MS, &ended, e));
    if (!ended)
        return FAIL(e, ERR_DEADLINE_EXCEEDED, "daemon.still_running",
                    SERVER_NAME " (pid %d) is still running after %lld s", (int)d->pid,
                    (long long)(timeout_ms / 1000));
    sys_closep(&d->pidfd);
    return pidfile_remove(d->data_fd, e);
}
