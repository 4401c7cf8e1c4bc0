/*
 * A cgroup of its own for a run: version 2 where memory and processes are delegated to this
 * process, else version 1 where it may make groups. Private to src/sandbox.
 * A group that a killed process left is removed by the next run beside it.
 */
#ifndef STIGMER_SANDBOX_CGROUP_H
#define STIGMER_SANDBOX_CGROUP_H

#include "base/err.h"
#include "base/sys_proc.h"

struct cgroup {
    int version;                                        /* 2 or 1; 0 = none */
    char memory[SYS_PATH_MAX], processes[SYS_PATH_MAX]; /* directories; the same in version 2 */
};

#define CGROUP_INIT ((struct cgroup){.version = 0})

/* Limits in bytes, and in processes and threads. ret->version is 0 when there is none to be had. */
void cgroup_make(uint64_t memory, uint64_t processes, struct cgroup *ret);

/* Of version 1: opens the files by which a process that has one thread enters the groups itself.
 * Moving another process takes the kernel 5 to 20 ms more, in which it lets nobody start or end a
 * process. */
#define CGROUP_DOORS 2
enum err cgroup_open_doors(const struct cgroup *c, int ret[CGROUP_DOORS], struct error *e);
/* Of version 2: puts a process into the group. */
enum err cgroup_add(const struct cgroup *c, pid_t pid, struct error *e);

struct cgroup_told {
    uint64_t peak_memory;
    bool memory, processes; /* the limit was hit */
};
void cgroup_ask(const struct cgroup *c, struct cgroup_told *ret);
/* When all its processes have ended. */
void cgroup_remove(struct cgroup *c);

#endif
