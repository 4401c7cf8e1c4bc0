/*
 * A child process that is given exactly what it shall have, and is watched until it ends.
 *
 * Errors: as sys.h; NOT_FOUND also for a process that is gone (ESRCH).
 */
#ifndef STIGMER_BASE_SYS_CHILD_H
#define STIGMER_BASE_SYS_CHILD_H

#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>

/* Both ends close on exec. */
enum err sys_pipe(int ret_ends[2], struct error *e);
/* What standard input is open on, again and for reading only: a description of its own. */
enum err sys_reopen_stdin(int *ret_fd, struct error *e);

/* Soft and hard limit at once. */
struct sys_rlimit {
    int what; /* RLIMIT_… */
    uint64_t value;
};

struct sys_child {
    const char *path;  /* looked for in PATH when it has no slash */
    char *const *argv; /* NULL-terminated */
    char *const *envp; /* its whole environment, NULL-terminated */
    const int *stdio;  /* descriptors that become 0, 1 and 2 */
    const int *keep;   /* that stay open under their numbers (at least 3); all others close */
    size_t n_keep;
    const struct sys_rlimit *limits;
    size_t n_limits;
    const int *enter; /* files of cgroups (version 1: tasks) that it writes itself into, at first */
    size_t n_enter;
};

/* Starts it with all signals at their defaults and none blocked; it is killed when this thread
 * ends. *ret_pid: to be given to sys_collect; *ret_pidfd: closes on exec. NOT_FOUND and the like,
 * naming the program: it cannot be executed. After an error nothing of it is left. */
enum err sys_spawn(const struct sys_child *c, pid_t *ret_pid, int *ret_pidfd, struct error *e);

struct sys_ended {
    int exit_code;     /* 0..255; 128 + signal when a signal ended it */
    int signal;        /* 0 = none */
    uint64_t peak_rss; /* bytes, of the largest of it and its waited-for children */
};
/* Waits for the end of this process's child. */
enum err sys_collect(pid_t pid, struct sys_ended *ret, struct error *e);

/* Limits for a process that runs already. */
enum err sys_prlimit(pid_t pid, const struct sys_rlimit *limit, struct error *e);
/* The first child of pid, 0 when it has none or /proc does not tell. */
pid_t sys_first_child(pid_t pid);
/* Bytes of memory that pid and all below it have for themselves; shared pages are divided among
 * those that share them. 0 when it is gone. */
uint64_t sys_tree_memory(pid_t pid);
/* Bytes that the files below a directory take on its disk; hard links count each. */
uint64_t sys_tree_size(const char *path);

/* SIGINT, SIGTERM, SIGHUP and SIGQUIT come to *ret_fd from now on instead of ending this process,
 * SIGPIPE is ignored. */
enum err sys_signal_fd(int *ret_fd, struct error *e);
/* The signal that has come; 0 when there is none. */
int sys_signal_take(int fd);

struct sys_wait {
    int fd;     /* -1 = not looked at */
    bool write; /* whether it takes bytes (a pipe: PIPE_BUF of them), not whether it has some */
    bool ready; /* out: that, the end or an error */
};
/* Until one of them is ready or the time is over. */
enum err sys_wait_any(struct sys_wait *w, size_t n, int64_t timeout_ms, struct error *e);

#endif
