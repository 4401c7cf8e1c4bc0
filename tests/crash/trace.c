/* ptrace: all threads of one child, one count. */
#include "trace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OPTIONS                                                                                    \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)

enum { SYSCALL_STOP = SIGTRAP | 0x80, NAP_NS = 20000 };

const char *trace_missing(void)
{
    const char *reason = NULL;
    pid_t pid = fork();
    if (pid < 0)
        lab_die("fork: errno %d", errno);
    if (pid == 0) {
        (void)pause();
        _exit(0);
    }
    if (ptrace(PTRACE_SEIZE, pid, NULL, OPTIONS) != 0)
        reason = "ptrace is not permitted here";
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, __WALL);
    return reason;
}

/* A thread that has ended meanwhile is none of ours. */
static void seize(pid_t tid)
{
    if (ptrace(PTRACE_SEIZE, tid, NULL, OPTIONS) == 0)
        (void)ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
    else if (errno != ESRCH && errno != EPERM)
        lab_die("ptrace: errno %d", errno);
}

static void seize_all(pid_t pid)
{
    char path[40];
    (void)snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *dir = opendir(path);
    if (!dir)
        lab_die("%s: errno %d", path, errno);
    for (const struct dirent *d = readdir(dir); d; d = readdir(dir))
        if (d->d_name[0] != '.')
            seize((pid_t)strtol(d->d_name, NULL, 10));
    (void)closedir(dir);
}

void trace_begin(pid_t pid)
{
    seize_all(pid);
    (void)kill(pid, SIGCONT); /* trace_spawn's child waits for it */
}

static bool begins_call(pid_t tid)
{
    struct __ptrace_syscall_info info;
    return ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) > 0 &&
           info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

/* Lets a stopped thread go on to its next stop, with the signal that stopped it if there is one. */
static void go_on(pid_t tid, int status)
{
    int sig = WSTOPSIG(status);
    bool ours = sig == SYSCALL_STOP || status >> 16 != 0;
    (void)ptrace(PTRACE_SYSCALL, tid, NULL, ours ? 0 : sig);
}

unsigned trace_until(pid_t pid, unsigned k, const atomic_bool *stop, bool *ret_alive,
                     int *ret_status)
{
    unsigned n = 0;
    *ret_alive = true;
    while (!stop || !atomic_load(stop)) {
        int status;
        pid_t tid = waitpid(-1, &status, __WALL | WNOHANG);
        if (tid == 0) {
            (void)nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
            continue;
        }
        if (tid < 0)
            lab_die("waitpid: errno %d", errno);
        if (tid == pid && !WIFSTOPPED(status)) {
            *ret_alive = false;
            *ret_status = status;
            break;
        }
        if (!WIFSTOPPED(status))
            continue;
        if (WSTOPSIG(status) == SYSCALL_STOP && begins_call(tid) && ++n == k)
            (void)kill(pid, SIGKILL);
        else
            go_on(tid, status);
    }
    return n;
}

void trace_kill(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    for (int status;;) {
        pid_t tid = waitpid(-1, &status, __WALL);
        if (tid < 0 || (tid == pid && !WIFSTOPPED(status)))
            break;
    }
}

pid_t trace_spawn(const struct server *s, const char *const *args)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid < 0 || null < 0)
        lab_die("fork: errno %d", errno);
    if (pid == 0) {
        (void)raise(SIGSTOP);
        server_exec(s, args, null, null);
    }
    (void)close(null);
    if (waitpid(pid, NULL, WUNTRACED) != pid)
        lab_die("waitpid: errno %d", errno);
    return pid;
}
