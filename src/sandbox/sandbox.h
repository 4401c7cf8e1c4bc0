/*
 * Running a skill's tools so that the host comes to no harm.
 *
 * Model: a sandbox is described, run once to its end, and gives a result. bubblewrap makes it: new
 * user, pid, ipc, uts, cgroup, mount and network namespaces, no capabilities, no new privileges, a
 * root of its own:
 *
 *     /usr, /lib…         the host's programs, read-only; /bin as links to /usr/bin
 *     /bin/skills/<hash>/ the skills, read-only
 *     /workspace          the caller's directory, or an empty one in memory; where commands start
 *     /home/agent, /tmp, /dev/shm   empty, in memory, limited
 *     /etc                users, hosts and what libraries need, nothing of the host's secrets
 *
 * and a filter of system calls (filter.h). Limits are held by a cgroup (version 2, or 1) where this
 * process may make one. Elsewhere a process has resource limits, and the memory of all together
 * is watched, which can be some 100 ms late; processes are counted for users other than root.
 * Every process is gone when sandbox_run returns, and when this process dies.
 */
#ifndef STIGMER_SANDBOX_SANDBOX_H
#define STIGMER_SANDBOX_SANDBOX_H

#include "base/err.h"
#include "base/str.h"

#define SANDBOX_SKILLS    "/bin/skills"
#define SANDBOX_WORKSPACE "/workspace"
#define SANDBOX_HOME      "/home/agent"

struct sandbox_skill {
    const char *path; /* its verified directory on the host */
    const char *hex;  /* its hash */
};

struct sandbox_bind {
    const char *source, *target; /* absolute */
    bool writable;
};

struct sandbox_limits {
    uint64_t time_ms;
    uint64_t memory;    /* bytes, of all processes together */
    uint64_t processes; /* and threads */
    uint64_t file_size; /* bytes of any file */
    uint64_t disk;      /* bytes of each directory in memory, and that /workspace may grow by */
    uint64_t output;    /* bytes of stdout, and of stderr */
};

extern const struct sandbox_limits sandbox_limits_default;

enum sandbox_stream { SANDBOX_OUT, SANDBOX_ERR };

struct sandbox {
    const char *place; /* from sandbox_place */
    const struct sandbox_skill *skills;
    size_t n_skills;
    const char *workspace; /* a directory of the host; NULL = in memory */
    const struct sandbox_bind *binds;
    size_t n_binds;
    const char *const *env; /* "NAME=VALUE" */
    size_t n_env;
    char *const *argv; /* the command, NULL-terminated */
    bool network;      /* the host's */
    bool best_effort;  /* run also when something cannot be enforced */
    struct sandbox_limits limits;
    /* Takes what the command writes, as it comes, at most PIPE_BUF bytes. An error ends the run. */
    enum err (*write)(void *ctx, enum sandbox_stream stream, str bytes, struct error *e);
    /* Where it writes them to, so that it is called only when that would not wait: the limits hold
     * also while nobody reads. -1 = it never waits. */
    int to[2];
    void *ctx;
};

/* What the command was kept from, as bits. */
enum sandbox_denial {
    SANDBOX_DENIED_TIME = 1,
    SANDBOX_DENIED_MEMORY = 2,
    SANDBOX_DENIED_PROCESSES = 4,
    SANDBOX_DENIED_FILE_SIZE = 8,
    SANDBOX_DENIED_DISK = 16,
    SANDBOX_DENIED_OUTPUT = 32,
};

/* What could not be enforced, as bits; 0 unless best_effort. */
enum sandbox_gap {
    SANDBOX_GAP_FILTER = 1,    /* system calls are not filtered */
    SANDBOX_GAP_PROCESSES = 2, /* processes are not counted */
};

struct sandbox_result {
    int exit_code; /* of the command; 128 + signal when a signal ended it */
    int signal;    /* that this process was told to end by; 0 = none */
    int64_t duration_ns;
    uint64_t peak_memory; /* bytes, of all together; without a cgroup as far as it was watched */
    uint64_t written[2];  /* bytes by stream, at most one more than the limit */
    unsigned denied;      /* enum sandbox_denial */
    unsigned gaps;        /* enum sandbox_gap */
};

/* Bits as words: "time", "memory", "processes", "file-size", "disk", "output"; "system-calls",
 * "processes". NULL: there is no such bit. Static. */
const char *sandbox_denial_name(unsigned bit);
const char *sandbox_gap_name(unsigned bit);

/* Makes what sandboxes share, once for every state of /usr/bin, below the directory dirfd, whose
 * path is `path`. Out: the path of the place, at most size bytes with its NUL. */
enum err sandbox_place(int dirfd, const char *path, char *ret, size_t size, struct error *e);

/* Runs it to its end. SIGINT, SIGTERM, SIGHUP and SIGQUIT of this process go to the command, which
 * has two seconds then; so does the end of its time.
 * FAILED_PRECONDITION: something is missing on this machine, named, with what to do; or the command
 * cannot be executed. INVALID_ARGUMENT: the description makes no sense. Nothing has run then. */
enum err sandbox_run(const struct sandbox *s, struct sandbox_result *ret, struct error *e);

#endif
