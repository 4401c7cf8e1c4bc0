#include "base/sys_host.h"

#include "base/macro.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define HOST_FAIL(e, call)                                                                         \
    FAIL_SYS((e), sys_err(errno), errno, "sys.host", "%s failed for this process", (call))

enum err sys_harden(struct error *e)
{
    (void)umask(077);
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) < 0)
        return HOST_FAIL(e, "setrlimit(RLIMIT_CORE)");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return HOST_FAIL(e, "prctl(PR_SET_NO_NEW_PRIVS)");
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return HOST_FAIL(e, "getrlimit(RLIMIT_NOFILE)");
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        return HOST_FAIL(e, "setrlimit(RLIMIT_NOFILE)");
    return ERR_OK;
}

bool sys_has_seccomp(void)
{
    return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}

size_t sys_max_files(void)
{
    struct rlimit files;
    bool known = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < SIZE_MAX;
    return known ? (size_t)files.rlim_cur : SIZE_MAX;
}

static enum err count_name(void *n, const char *name, struct error *e)
{
    (void)name, (void)e;
    ++*(uint64_t *)n;
    return ERR_OK;
}

static uint64_t count_files(void)
{
    struct error ignored;
    uint64_t n = 0;
    CLEANUP(sys_closep) int dir = -1;
    if (sys_openat(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY, 0, &dir, &ignored) !=
            ERR_OK ||
        sys_each_name(dir, count_name, &n, &ignored) != ERR_OK || n == 0)
        return 0;
    return n - 1; /* the directory's own */
}

/* The second number of /proc/self/statm: pages (proc(5)). */
static uint64_t resident_pages(void)
{
    char text[200];
    size_t n;
    struct error ignored;
    str first, rest, pages;
    uint64_t v = 0;
    CLEANUP(sys_closep) int fd = -1;
    if (sys_openat(AT_FDCWD, "/proc/self/statm", O_RDONLY, 0, &fd, &ignored) != ERR_OK ||
        sys_read(fd, text, sizeof text, &n, &ignored) != ERR_OK)
        return 0;
    (void)str_cut(str_of(text, n), ' ', &first, &rest);
    (void)str_cut(rest, ' ', &pages, &rest);
    return str_to_u64(pages, &v) ? v : 0;
}

void sys_usage(struct sys_usage *ret)
{
    struct timespec cpu = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    *ret = (struct sys_usage){
        .resident = resident_pages() * (uint64_t)sysconf(_SC_PAGESIZE),
        .cpu_ns = (uint64_t)cpu.tv_sec * NS_PER_S + (uint64_t)cpu.tv_nsec,
        .files = count_files(),
    };
}

void sys_small_heap(void)
{
    (void)mallopt(M_ARENA_MAX, 2);
    /* Setting it also stops glibc from raising it by itself after large frees. */
    (void)mallopt(M_MMAP_THRESHOLD, (int)KIB(128));
    (void)mallopt(M_TRIM_THRESHOLD, (int)KIB(256));
}

unsigned sys_n_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return 1; /* more processors than a cpu_set_t holds, or none to be told of */
    int n = CPU_COUNT(&set);
    return n > 0 ? (unsigned)n : 1;
}

static void held_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

enum err sys_signals_hold(struct error *e)
{
    sigset_t set;
    held_signals(&set);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (sigaction(SIGPIPE, &ignore, NULL) < 0)
        return HOST_FAIL(e, "sigaction");
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return HOST_FAIL(e, "sigprocmask");
    return ERR_OK;
}

enum err sys_signal_wait(enum sys_signal *ret, const char **ret_name, struct error *e)
{
    sigset_t set;
    held_signals(&set);
    int sig;
    do
        sig = sigwaitinfo(&set, NULL);
    while (sig < 0 && errno == EINTR);
    if (sig < 0)
        return HOST_FAIL(e, "sigwaitinfo");
    *ret = sig == SIGHUP ? SYS_SIGNAL_RELOAD : SYS_SIGNAL_STOP;
    *ret_name = sig == SIGHUP ? "SIGHUP" : sig == SIGINT ? "SIGINT" : "SIGTERM";
    return ERR_OK;
}

enum err sys_signals_release(struct error *e)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    struct sigaction end = {.sa_handler = SIG_DFL};
    if (sigaction(SIGTERM, &end, NULL) < 0 || sigaction(SIGINT, &end, NULL) < 0)
        return HOST_FAIL(e, "sigaction");
    if (sigprocmask(SIG_UNBLOCK, &set, NULL) < 0)
        return HOST_FAIL(e, "sigprocmask");
    return ERR_OK;
}
