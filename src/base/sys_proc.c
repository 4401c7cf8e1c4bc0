#include "base/sys_proc.h"

#include "base/clock.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROC_FAIL(e, what)                                                                         \
    FAIL_SYS((e), errno == ESRCH ? ERR_NOT_FOUND : sys_err(errno), errno, "sys." what, what)

bool sys_isatty(int fd)
{
    return isatty(fd) == 1;
}

unsigned sys_tty_columns(int fd)
{
    struct winsize size = {0};
    if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return 80;
    return size.ws_col;
}

void sys_sleep_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS};
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

static enum err read_link(const char *path, char out[SYS_PATH_MAX], struct error *e)
{
    ssize_t n = readlink(path, out, SYS_PATH_MAX - 1);
    if (n < 0)
        return PROC_FAIL(e, "readlink");
    out[n] = '\0';
    return ERR_OK;
}

enum err sys_self_exe(char out[SYS_PATH_MAX], struct error *e)
{
    return read_link("/proc/self/exe", out, e);
}

enum err sys_realpath(const char *path, char out[SYS_PATH_MAX], struct error *e)
{
    _Static_assert(SYS_PATH_MAX >= PATH_MAX, "realpath writes PATH_MAX bytes");
    if (!realpath(path, out))
        return FAIL_SYS(e, sys_err(errno), errno, "sys.realpath", "\"%s\"", path);
    return ERR_OK;
}

bool sys_is_executable(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

mode_t sys_umask(void)
{
    mode_t mask = umask(077);
    (void)umask(mask);
    return mask;
}

enum err sys_exec(const char *path, char *const argv[], struct error *e)
{
    (void)execv(path, argv);
    return FAIL_SYS(e, sys_err(errno), errno, "sys.exec", "cannot execute \"%s\"", path);
}

/* --- daemon ----------------------------------------------------------------------------------- */

/* What the daemon tells its starter: its pid, then the errno of an exec that failed (or nothing:
 * the pipe closes on exec). */
struct spawn_note {
    pid_t pid;
    int sys;
};

static void reset_signals(void)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (int sig = 1; sig < NSIG; sig++)
        (void)signal(sig, SIG_DFL);
}

static void note_write(int fd, int sys)
{
    struct spawn_note note = {.pid = getpid(), .sys = sys};
    ssize_t n;
    do
        n = write(fd, &note, sizeof note); /* < PIPE_BUF: all or nothing */
    while (n < 0 && errno == EINTR);
}

/* The grandchild: not a session leader, so no terminal it opens becomes its own. */
_Noreturn static void become_daemon(const char *path, char *const argv[], int log_fd, int note_fd)
{
    note_write(note_fd, 0);
    reset_signals();
    (void)umask(077);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null >= 0 && dup2(null, 0) == 0 && dup2(log_fd, 1) == 1 && dup2(log_fd, 2) == 2 &&
        chdir("/") == 0 && close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
        (void)execv(path, argv);
    note_write(note_fd, errno ? errno : ECHILD);
    _exit(127);
}

/* Runs in the child; _exit, never exit: the parent's buffers are not ours to flush. */
_Noreturn static void leave_session(const char *path, char *const argv[], int log_fd, int note_fd)
{
    if (setsid() < 0)
        _exit(1);
    pid_t pid = fork();
    if (pid == 0)
        become_daemon(path, argv, log_fd, note_fd);
    _exit(pid < 0);
}

static bool collect_child(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Both notes, or the first one and the end of the pipe. */
static enum err read_notes(int fd, const char *path, pid_t *ret_pid, struct error *e)
{
    struct spawn_note note;
    size_t n;
    TRY(sys_read(fd, &note, sizeof note, &n, e));
    if (n != sizeof note)
        return FAIL(e, ERR_INTERNAL, "sys.spawn", "cannot start \"%s\" as a daemon", path);
    *ret_pid = note.pid;
    TRY(sys_read(fd, &note, sizeof note, &n, e));
    if (n == sizeof note)
        return FAIL_SYS(e, sys_err(note.sys), note.sys, "sys.exec", "cannot execute \"%s\"", path);
    return ERR_OK;
}

enum err sys_spawn_daemon(const char *path, char *const argv[], int log_fd, pid_t *ret_pid,
                          struct error *e)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return PROC_FAIL(e, "pipe");
    CLEANUP(sys_closep) int in = ends[0];
    CLEANUP(sys_closep) int out = ends[1];
    pid_t child = fork();
    if (child < 0)
        return PROC_FAIL(e, "fork");
    if (child == 0)
        leave_session(path, argv, log_fd, out);
    sys_closep(&out);
    bool ok = collect_child(child);
    if (!ok)
        return FAIL(e, ERR_INTERNAL, "sys.spawn", "cannot start \"%s\" as a daemon", path);
    return read_notes(in, path, ret_pid, e);
}

/* --- pidfd ------------------------------------------------------------------------------------ */

enum err sys_pidfd_open(pid_t pid, int *ret_fd, struct error *e)
{
    long fd = syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return PROC_FAIL(e, "pidfd_open");
    *ret_fd = (int)fd;
    return ERR_OK;
}

enum err sys_pidfd_signal(int pidfd, int sig, struct error *e)
{
    if (syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0)
        return PROC_FAIL(e, "pidfd_send_signal");
    return ERR_OK;
}

enum err sys_pidfd_wait(int pidfd, int64_t timeout_ms, bool *ret_ended, struct error *e)
{
    int64_t end = clock_mono_ns() + timeout_ms * NS_PER_MS;
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    for (;;) {
        int64_t left = (end - clock_mono_ns() + NS_PER_MS - 1) / NS_PER_MS;
        int n = poll(&p, 1, (int)MIN(MAX(left, 0), INT_MAX));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return PROC_FAIL(e, "poll");
        *ret_ended = n > 0;
        return ERR_OK;
    }
}

/* --- /proc ------------------------------------------------------------------------------------ */

bool sys_proc_read(pid_t pid, const char *name, char *out, size_t size)
{
    char path[64];
    struct error e;
    size_t n;
    CLEANUP(sys_closep) int fd = -1;
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    if (sys_openat(AT_FDCWD, path, O_RDONLY, 0, &fd, &e) != ERR_OK ||
        sys_read(fd, out, size - 1, &n, &e) != ERR_OK)
        return false;
    out[n] = '\0';
    return true;
}

/* proc(5): the link of a removed file ends in " (deleted)". */
static bool exe_is(str exe, str name)
{
    str deleted = STR(" (deleted)");
    if (str_ends_with(exe, deleted))
        exe = str_head(exe, exe.len - deleted.len);
    return str_eq(str_skip(exe, (size_t)(str_rfind(exe, '/') + 1)), name);
}

bool sys_proc_is(pid_t pid, const char *name)
{
    char link[64], exe[SYS_PATH_MAX], comm[64];
    struct error e;
    (void)snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
    if (read_link(link, exe, &e) == ERR_OK)
        return exe_is(str_c(exe), str_c(name));
    return sys_proc_read(pid, "comm", comm, sizeof comm) &&
           str_eq(str_trim(str_c(comm)), str_c(name));
}

/* proc(5): after the name in parentheses (which may hold anything) come the fields from 3 on;
 * 22 is the start in clock ticks since boot. */
static bool start_ticks(str stat, uint64_t *ret)
{
    enum { FIRST_FIELD = 3, START_FIELD = 22 };
    str field, rest = str_skip(stat, (size_t)(str_rfind(stat, ')') + 1));
    rest = str_trim(rest);
    for (int i = FIRST_FIELD; i < START_FIELD; i++)
        if (!str_cut(rest, ' ', &field, &rest))
            return false;
    (void)str_cut(rest, ' ', &field, &rest);
    return str_to_u64(field, ret);
}

enum err sys_proc_uptime(pid_t pid, int64_t *ret_s, struct error *e)
{
    char stat[1024];
    uint64_t ticks;
    struct timespec now;
    if (!sys_proc_read(pid, "stat", stat, sizeof stat) || !start_ticks(str_c(stat), &ticks))
        return FAIL(e, ERR_NOT_FOUND, "sys.no_process", "no process %d", (int)pid);
    if (clock_gettime(CLOCK_BOOTTIME, &now) < 0)
        return PROC_FAIL(e, "clock_gettime");
    *ret_s = MAX((int64_t)now.tv_sec - (int64_t)ticks / sysconf(_SC_CLK_TCK), 0);
    return ERR_OK;
}
