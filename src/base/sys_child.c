#include "base/sys_child.h"

#include "base/sys.h"
#include "base/sys_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_FAIL(e, what)                                                                        \
    FAIL_SYS((e), errno == ESRCH ? ERR_NOT_FOUND : sys_err(errno), errno, "sys." what, what)

#define TREE_MAX      10240   /* processes looked at */
#define CHILDREN_TEXT KIB(96) /* those of one thread: numbers of at most seven digits */
#define WAITS_MAX     8

enum err sys_pipe(int ret_ends[2], struct error *e)
{
    return pipe2(ret_ends, O_CLOEXEC) < 0 ? CHILD_FAIL(e, "pipe") : ERR_OK;
}

enum err sys_reopen_stdin(int *ret_fd, struct error *e)
{
    return sys_openat(AT_FDCWD, "/proc/self/fd/0", O_RDONLY | O_NOCTTY, 0, ret_fd, e);
}

/* --- starting --------------------------------------------------------------------------------- */

static void reset_signals(void)
{
    sigset_t none;
    (void)sigemptyset(&none);
    for (int sig = 1; sig < NSIG; sig++)
        (void)signal(sig, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool limit_self(const struct sys_child *c)
{
    for (size_t i = 0; i < c->n_limits; i++) {
        struct rlimit r = {c->limits[i].value, c->limits[i].value}, now;
        if (getrlimit(c->limits[i].what, &now) < 0)
            return false;
        r.rlim_cur = r.rlim_max = MIN(r.rlim_max, now.rlim_max);
        if (setrlimit(c->limits[i].what, &r) < 0)
            return false;
    }
    return true;
}

/* From copies, since one of them may be in the place of another. */
static bool place_stdio(const int *stdio)
{
    int copies[3];
    for (int i = 0; i < 3; i++)
        if ((copies[i] = fcntl(stdio[i], F_DUPFD_CLOEXEC, 3)) < 0)
            return false;
    for (int i = 0; i < 3; i++)
        if (dup2(copies[i], i) < 0)
            return false;
    return true;
}

static bool keep_only(const struct sys_child *c)
{
    if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return false;
    for (size_t i = 0; i < c->n_keep; i++)
        if (fcntl(c->keep[i], F_SETFD, 0) < 0)
            return false;
    return true;
}

/* "0" means the writer. */
static bool enter(const struct sys_child *c)
{
    for (size_t i = 0; i < c->n_enter; i++)
        if (write(c->enter[i], "0", 1) != 1)
            return false;
    return true;
}

/* _exit, never exit: the parent's buffers are not ours to flush. */
_Noreturn static void become(const struct sys_child *c, pid_t parent, int note)
{
    reset_signals();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && enter(c) &&
        place_stdio(c->stdio) && keep_only(c) && limit_self(c))
        (void)execvpe(c->path, c->argv, c->envp);
    int sys = errno ? errno : ECHILD;
    ssize_t n;
    do
        n = write(note, &sys, sizeof sys);
    while (n < 0 && errno == EINTR);
    _exit(127);
}

/* Its errno, or the end of the pipe: exec has closed it. */
static enum err read_note(int fd, const char *path, struct error *e)
{
    int sys;
    size_t n;
    TRY(sys_read(fd, &sys, sizeof sys, &n, e));
    if (n == 0)
        return ERR_OK;
    return FAIL_SYS(e, sys_err(sys), sys, "sys.exec", "cannot execute \"%s\"", path);
}

static void end_child(pid_t pid)
{
    struct sys_ended ended;
    struct error ignored;
    (void)kill(pid, SIGKILL); /* not collected yet, so the number is still its own */
    (void)sys_collect(pid, &ended, &ignored);
}

enum err sys_spawn(const struct sys_child *c, pid_t *ret_pid, int *ret_pidfd, struct error *e)
{
    int ends[2];
    pid_t parent = getpid();
    TRY(sys_pipe(ends, e));
    CLEANUP(sys_closep) int in = ends[0];
    CLEANUP(sys_closep) int out = ends[1];
    pid_t pid = fork();
    if (pid < 0)
        return CHILD_FAIL(e, "fork");
    if (pid == 0)
        become(c, parent, out);
    sys_closep(&out);
    *ret_pid = pid;
    enum err err = read_note(in, c->path, e);
    if (err == ERR_OK)
        err = sys_pidfd_open(pid, ret_pidfd, e);
    if (err != ERR_OK)
        end_child(pid);
    return err;
}

enum err sys_collect(pid_t pid, struct sys_ended *ret, struct error *e)
{
    int status;
    struct rusage usage;
    while (wait4(pid, &status, 0, &usage) < 0)
        if (errno != EINTR)
            return CHILD_FAIL(e, "wait4");
    *ret = (struct sys_ended){.peak_rss = (uint64_t)MAX(usage.ru_maxrss, 0) * KIB(1)};
    ret->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    ret->exit_code = ret->signal ? 128 + ret->signal : WEXITSTATUS(status);
    return ERR_OK;
}

enum err sys_prlimit(pid_t pid, const struct sys_rlimit *limit, struct error *e)
{
    struct rlimit r = {limit->value, limit->value};
    return prlimit(pid, limit->what, &r, NULL) < 0 ? CHILD_FAIL(e, "prlimit") : ERR_OK;
}

/* --- what they use ---------------------------------------------------------------------------- */

struct tree {
    pid_t pids[TREE_MAX]; /* each process behind its parent */
    size_t n, at;         /* at: whose children are looked for */
};

/* The kernel gives it in pieces, whatever room there is. */
static str read_all(const char *path, char *out, size_t size)
{
    struct error e;
    size_t n, len = 0;
    CLEANUP(sys_closep) int fd = -1;
    if (sys_openat(AT_FDCWD, path, O_RDONLY, 0, &fd, &e) != ERR_OK)
        return STR_NULL;
    while (len < size && sys_read(fd, out + len, size - len, &n, &e) == ERR_OK && n > 0)
        len += n;
    return str_of(out, len);
}

/* A process belongs to the thread that made it. */
static enum err add_children(void *ctx, const char *thread, struct error *e)
{
    char path[320], text[CHILDREN_TEXT];
    struct tree *tree = ctx;
    uint64_t child;
    str word, rest;
    (void)e;
    (void)snprintf(path, sizeof path, "/proc/%d/task/%s/children", (int)tree->pids[tree->at],
                   thread);
    rest = read_all(path, text, sizeof text);
    while (tree->n < TREE_MAX && str_cut(rest, ' ', &word, &rest))
        if (str_to_u64(word, &child))
            tree->pids[tree->n++] = (pid_t)child;
    return ERR_OK;
}

/* A process that ends meanwhile has no children any more. */
static void add_children_of(struct tree *tree, size_t at)
{
    char path[64];
    struct error ignored;
    CLEANUP(sys_closep) int tasks = -1;
    tree->at = at;
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)tree->pids[at]);
    if (sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &tasks, &ignored) == ERR_OK)
        (void)sys_each_name(tasks, add_children, tree, &ignored);
}

pid_t sys_first_child(pid_t pid)
{
    struct tree tree = {.pids = {pid}, .n = 1};
    add_children_of(&tree, 0);
    return tree.n > 1 ? tree.pids[1] : 0;
}

static uint64_t memory_of(pid_t pid)
{
    char text[1024];
    str line, rest, value;
    uint64_t kib;
    if (!sys_proc_read(pid, "smaps_rollup", text, sizeof text))
        return 0;
    rest = str_c(text);
    while (str_cut(rest, '\n', &line, &rest))
        if (str_cut(line, ':', &line, &value) && str_eq(line, STR("Pss")))
            return str_cut(str_trim(value), ' ', &value, &line) && str_to_u64(value, &kib)
                       ? kib * KIB(1)
                       : 0;
    return 0;
}

uint64_t sys_tree_memory(pid_t pid)
{
    struct tree tree = {.pids = {pid}, .n = 1};
    uint64_t sum = 0;
    for (size_t i = 0; i < tree.n; i++) {
        sum += memory_of(tree.pids[i]);
        add_children_of(&tree, i);
    }
    return sum;
}

uint64_t sys_tree_size(const char *path)
{
    char *paths[] = {(char *)(uintptr_t)path, NULL}; /* fts(3) does not write them */
    uint64_t sum = 0;
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    if (!walk)
        return 0;
    for (FTSENT *at = fts_read(walk); at; at = fts_read(walk))
        if (at->fts_info != FTS_DP && at->fts_info != FTS_NS && at->fts_info != FTS_ERR)
            sum += (uint64_t)at->fts_statp->st_blocks * 512;
    (void)fts_close(walk);
    return sum;
}

/* --- waiting ---------------------------------------------------------------------------------- */

enum err sys_signal_fd(int *ret_fd, struct error *e)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGQUIT);
    (void)signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return CHILD_FAIL(e, "sigprocmask");
    *ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret_fd < 0 ? CHILD_FAIL(e, "signalfd") : ERR_OK;
}

int sys_signal_take(int fd)
{
    struct signalfd_siginfo info;
    ssize_t n;
    do
        n = read(fd, &info, sizeof info);
    while (n < 0 && errno == EINTR);
    return n == sizeof info ? (int)info.ssi_signo : 0;
}

enum err sys_wait_any(struct sys_wait *w, size_t n, int64_t timeout_ms, struct error *e)
{
    struct pollfd p[WAITS_MAX];
    n = MIN(n, (size_t)WAITS_MAX);
    for (size_t i = 0; i < n; i++)
        p[i] = (struct pollfd){.fd = w[i].fd, .events = w[i].write ? POLLOUT : POLLIN};
    int got = poll(p, n, (int)MIN(MAX(timeout_ms, 0), INT32_MAX));
    if (got < 0 && errno != EINTR)
        return CHILD_FAIL(e, "poll");
    for (size_t i = 0; i < n; i++)
        w[i].ready = got > 0 && p[i].revents != 0;
    return ERR_OK;
}
