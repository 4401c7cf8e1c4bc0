#include "sandbox/arguments.h"
#include "sandbox/cgroup.h"

#include "base/clock.h"
#include "base/macro.h"
#include "base/sys.h"
#include "base/sys_child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define GRACE_MS      2000 /* from being told to end to being killed */
#define WATCH_MS      100
#define OPEN_FILES    1024
#define STATUS_MAX    4096
#define START_WAIT_MS 30000

const struct sandbox_limits sandbox_limits_default = {
    .time_ms = 300 * 1000,
    .memory = MIB(1024),
    .processes = 64,
    .file_size = MIB(256),
    .disk = MIB(256),
    .output = MIB(16),
};

enum { OUT, ERR, N_STREAMS };

struct run {
    const struct sandbox *s;
    struct sandbox_result *result;
    struct sandbox_filter filter;
    struct etc etc;
    struct cgroup cgroup;
    int streams[N_STREAMS]; /* read ends; -1 = ended */
    bool unread[N_STREAMS]; /* there is something, but nobody takes it at the moment */
    int status;             /* what bubblewrap tells */
    int arguments;
    int block; /* while nothing is written here, the command is not started */
    int signals;
    int pidfd; /* bubblewrap */
    pid_t pid;
    pid_t init; /* the first process in the sandbox: all others end with it */
    int workspace;
    int doors[CGROUP_DOORS];
    struct sys_room room; /* at the start */
    int64_t began_ns, watched_ns;
    int64_t kill_ns; /* when it is killed; 0 = it is not told to end */
    uint64_t peak;   /* of memory, as far as it was watched */
    bool killed;
    char told[STATUS_MAX];
    size_t n_told;
};

static void close_all(struct run *r)
{
    int *fds[] = {&r->streams[OUT], &r->streams[ERR], &r->status,    &r->arguments, &r->block,
                  &r->signals,      &r->pidfd,        &r->workspace, &r->doors[0],  &r->doors[1]};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        sys_closep(fds[i]);
    sandbox_filter_deinit(&r->filter);
    etc_deinit(&r->etc);
    cgroup_remove(&r->cgroup);
}

/* --- what is missing -------------------------------------------------------------------------- */

static enum err missing(struct run *r, unsigned gap, const char *what, struct error *e)
{
    r->result->gaps |= gap;
    if (r->s->best_effort)
        return ERR_OK;
    return FAIL(e, ERR_FAILED_PRECONDITION, "sandbox.missing",
                "%s; --best-effort runs it without that limit", what);
}

static enum err prepare_filter(struct run *r, struct error *e)
{
    enum err err = sandbox_filter(&r->filter, e);
    if (err != ERR_UNIMPLEMENTED)
        return err;
    sandbox_filter_deinit(&r->filter);
    r->filter = SANDBOX_FILTER_INIT;
    return missing(r, SANDBOX_GAP_FILTER,
                   "this kernel cannot filter system calls: it needs CONFIG_SECCOMP_FILTER", e);
}

/* RLIMIT_NPROC does not hold for root (setrlimit(2)). */
static enum err prepare_cgroup(struct run *r, struct error *e)
{
    cgroup_make(r->s->limits.memory, r->s->limits.processes, &r->cgroup);
    if (r->cgroup.version == 1)
        return cgroup_open_doors(&r->cgroup, r->doors, e);
    if (r->cgroup.version || getuid() != 0)
        return ERR_OK;
    return missing(r, SANDBOX_GAP_PROCESSES,
                   "root's processes can only be counted by a cgroup, and this process may make "
                   "none with the controllers memory and pids: run it as another user, or where "
                   "/sys/fs/cgroup is writable",
                   e);
}

/* --- starting --------------------------------------------------------------------------------- */

static enum err write_arguments(struct run *r, int status, int block, struct error *e)
{
    CLEANUP(buf_deinit) struct buf text;
    CLEANUP(sys_closep) int fd = -1;
    buf_init(&text, ARGUMENTS_MAX);
    TRY(arguments_write(r->s, &r->filter, &r->etc, status, block, &text, e));
    TRY(sys_memfd("arguments", &fd, e));
    TRY(sys_write_full(fd, text.p, text.len, e));
    return sys_reopen(fd, O_RDONLY, &r->arguments, e);
}

static size_t count_words(char *const *words)
{
    size_t n = 0;
    while (words[n])
        n++;
    return n;
}

/* What bubblewrap is given: those that there are. */
static size_t list_kept(const struct run *r, int status, int block, int ret[5 + ETC_FILES])
{
    size_t n = 0;
    const int fds[] = {r->arguments, status, block, r->filter.allow, r->filter.refuse};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        if (fds[i] >= 0)
            ret[n++] = fds[i];
    for (size_t i = 0; i < ETC_FILES; i++)
        if (r->etc.fds[i] >= 0)
            ret[n++] = r->etc.fds[i];
    return n;
}

static enum err spawn(struct run *r, const int *stdio, int status, int block, struct error *e)
{
    const struct sandbox_limits *l = &r->s->limits;
    const struct sys_rlimit limits[] = {
        {RLIMIT_CORE, 0},
        {RLIMIT_FSIZE, l->file_size},
        {RLIMIT_DATA, l->memory},
        {RLIMIT_NOFILE, OPEN_FILES},
    };
    int keep[5 + ETC_FILES];
    size_t n_keep = list_kept(r, status, block, keep);
    char number[16];
    size_t n_words = count_words(r->s->argv);
    CLEANUP(freep) char **argv = calloc(n_words + 5, sizeof *argv);
    if (!argv)
        return FAIL_NOMEM(e);
    (void)snprintf(number, sizeof number, "%d", r->arguments);
    argv[0] = (char[]){"bwrap"};
    argv[1] = (char[]){"--args"};
    argv[2] = number;
    argv[3] = (char[]){"--"};
    memcpy(argv + 4, r->s->argv, n_words * sizeof *argv);
    /* bubblewrap is the first process in there, and who reads /proc/1/environ must find nothing. */
    char *const nothing[] = {NULL};
    const struct sys_child child = {
        .path = "bwrap",
        .argv = argv,
        .envp = nothing,
        .stdio = stdio,
        .keep = keep,
        .n_keep = n_keep,
        .limits = limits,
        .n_limits = ARRAY_SIZE(limits),
        .enter = r->doors,
        .n_enter = r->cgroup.version == 1 ? CGROUP_DOORS : 0,
    };
    enum err err = sys_spawn(&child, &r->pid, &r->pidfd, e);
    if (err == ERR_NOT_FOUND)
        return FAIL(e, ERR_FAILED_PRECONDITION, "sandbox.bwrap",
                    "the sandbox needs bubblewrap, and there is no bwrap in PATH: install the "
                    "package bubblewrap");
    return err;
}

/* A terminal is given for reading only: what is typed, but no escapes to it. */
static enum err open_stdin(int *ret, struct error *e)
{
    if (sys_isatty(0))
        return sys_reopen_stdin(ret, e);
    return sys_dup(0, ret, e);
}

static enum err start(struct run *r, struct error *e)
{
    int out[2], err[2], status[2], block[2];
    CLEANUP(sys_closep) int in = -1;
    TRY(open_stdin(&in, e));
    TRY(sys_pipe(out, e));
    CLEANUP(sys_closep) int out_end = out[1];
    r->streams[OUT] = out[0];
    TRY(sys_pipe(err, e));
    CLEANUP(sys_closep) int err_end = err[1];
    r->streams[ERR] = err[0];
    TRY(sys_pipe(status, e));
    CLEANUP(sys_closep) int status_end = status[1];
    r->status = status[0];
    TRY(sys_pipe(block, e));
    CLEANUP(sys_closep) int block_end = block[0];
    r->block = block[1];
    const int stdio[] = {in, out_end, err_end};
    TRY(write_arguments(r, status_end, block_end, e));
    return spawn(r, stdio, status_end, block_end, e);
}

/* --- what bubblewrap tells -------------------------------------------------------------------- */

/* False: it has ended. */
static bool read_status(struct run *r)
{
    size_t n;
    struct error ignored;
    size_t room = sizeof r->told - 1 - r->n_told;
    if (sys_read(r->status, r->told + r->n_told, room, &n, &ignored) != ERR_OK || n == 0)
        return false;
    r->n_told += n;
    r->told[r->n_told] = '\0';
    return true;
}

/* The number behind "key": in its JSON, one object a line; -1 = not told. */
static int64_t told_number(const struct run *r, const char *key)
{
    char digits[24];
    const char *at = strstr(r->told, key);
    size_t n = 0;
    uint64_t value;
    if (!at)
        return -1;
    at += strlen(key);
    at += strspn(at, "\": ");
    n = MIN(strspn(at, "0123456789"), sizeof digits - 1);
    return str_to_u64(str_of(at, n), &value) ? (int64_t)value : -1;
}

/* The first process of the sandbox; 0 when bubblewrap ended without one. */
static enum err await_init(struct run *r, struct error *e)
{
    struct sys_wait w = {.fd = r->status};
    int64_t end = clock_mono_ns() + START_WAIT_MS * NS_PER_MS;
    while (told_number(r, "child-pid") < 0) {
        TRY(sys_wait_any(&w, 1, (end - clock_mono_ns()) / NS_PER_MS, e));
        if (!w.ready && clock_mono_ns() < end)
            continue;
        if (!w.ready)
            return FAIL(e, ERR_DEADLINE_EXCEEDED, "sandbox.start", "the sandbox does not start");
        if (!read_status(r))
            return ERR_OK;
    }
    r->init = (pid_t)told_number(r, "child-pid");
    return ERR_OK;
}

static enum err release(struct run *r, struct error *e)
{
    const struct sys_rlimit processes = {RLIMIT_NPROC, r->s->limits.processes};
    if (r->init == 0)
        return ERR_OK;
    if (r->cgroup.version == 2)
        TRY(cgroup_add(&r->cgroup, r->init, e));
    if (getuid() != 0)
        TRY(sys_prlimit(r->init, &processes, e));
    TRY(sys_write_full(r->block, "x", 1, e));
    sys_closep(&r->block);
    return ERR_OK;
}

/* --- ending ----------------------------------------------------------------------------------- */

static void signal_process(pid_t pid, int sig)
{
    CLEANUP(sys_closep) int fd = -1;
    struct error ignored;
    if (pid > 0 && sys_pidfd_open(pid, &fd, &ignored) == ERR_OK)
        (void)sys_pidfd_signal(fd, sig, &ignored);
}

static void kill_all(struct run *r)
{
    struct error ignored;
    r->killed = true;
    signal_process(r->init, SIGKILL);
    if (r->init == 0)
        (void)sys_pidfd_signal(r->pidfd, SIGKILL, &ignored);
}

/* The command may tidy up before it is killed. */
static void ask_to_end(struct run *r, int sig)
{
    pid_t command = r->init ? sys_first_child(r->init) : 0;
    if (command == 0) {
        kill_all(r);
        return;
    }
    signal_process(command, sig);
    r->kill_ns = clock_mono_ns() + GRACE_MS * NS_PER_MS;
}

static void deny(struct run *r, unsigned what)
{
    r->result->denied |= what;
    kill_all(r);
}

static void take_signal(struct run *r)
{
    int sig = sys_signal_take(r->signals);
    if (sig == 0)
        return;
    if (r->result->signal == 0)
        ask_to_end(r, sig);
    else
        kill_all(r); /* told twice */
    r->result->signal = sig;
}

/* --- watching --------------------------------------------------------------------------------- */

/* Others write to that disk, too: what the workspace holds is looked at only when it is less. */
static void watch_disk(struct run *r)
{
    struct sys_room now;
    struct error ignored;
    uint64_t most = r->s->limits.disk;
    if (r->workspace < 0 || sys_room(r->workspace, &now, &ignored) != ERR_OK ||
        now.free_bytes + most >= r->room.free_bytes)
        return;
    if (sys_tree_size(r->s->workspace) > most)
        deny(r, SANDBOX_DENIED_DISK);
}

/* A cgroup of version 1 kills one process, and the others would wait for it. */
static void watch_memory(struct run *r)
{
    struct cgroup_told told = {.memory = false};
    uint64_t now = r->cgroup.version ? 0 : sys_tree_memory(r->init);
    r->peak = MAX(r->peak, now);
    if (r->cgroup.version)
        cgroup_ask(&r->cgroup, &told);
    if (told.memory || now > r->s->limits.memory)
        deny(r, SANDBOX_DENIED_MEMORY);
}

static void watch(struct run *r)
{
    int64_t now = clock_mono_ns();
    if (!r->killed && r->kill_ns && now >= r->kill_ns)
        kill_all(r);
    if (!r->killed && !r->kill_ns &&
        now - r->began_ns >= (int64_t)r->s->limits.time_ms * NS_PER_MS) {
        r->result->denied |= SANDBOX_DENIED_TIME;
        ask_to_end(r, SIGTERM);
    }
    if (r->killed || now - r->watched_ns < WATCH_MS * NS_PER_MS)
        return;
    r->watched_ns = now;
    watch_disk(r);
    watch_memory(r);
}

/* At most `output` bytes are passed on. */
static enum err take_output(struct run *r, int which, struct error *e)
{
    char bytes[PIPE_BUF];
    size_t n;
    uint64_t *written = &r->result->written[which];
    TRY(sys_read(r->streams[which], bytes, sizeof bytes, &n, e));
    if (n == 0) {
        sys_closep(&r->streams[which]);
        return ERR_OK;
    }
    uint64_t room = r->s->limits.output - MIN(*written, r->s->limits.output);
    size_t pass = (size_t)MIN((uint64_t)n, room);
    *written += n;
    if (pass < n && !r->killed)
        deny(r, SANDBOX_DENIED_OUTPUT);
    if (pass == 0)
        return ERR_OK;
    return r->s->write(r->s->ctx, which == OUT ? SANDBOX_OUT : SANDBOX_ERR, str_of(bytes, pass), e);
}

/* What is waited for before bytes are passed on: first that there are some, then that they are
 * taken. */
static struct sys_wait wait_of(const struct run *r, int which)
{
    if (r->unread[which])
        return (struct sys_wait){.fd = r->s->to[which], .write = true};
    return (struct sys_wait){.fd = r->streams[which]};
}

static enum err pass_output(struct run *r, int which, struct error *e)
{
    struct sys_wait w = {.fd = r->s->to[which], .write = true};
    if (w.fd >= 0)
        TRY(sys_wait_any(&w, 1, 0, e));
    r->unread[which] = w.fd >= 0 && !w.ready;
    return r->unread[which] ? ERR_OK : take_output(r, which, e);
}

/* Until bubblewrap has ended and all that was written is taken. */
static enum err attend(struct run *r, struct error *e)
{
    bool ended = false;
    while (!ended || r->streams[OUT] >= 0 || r->streams[ERR] >= 0) {
        struct sys_wait w[] = {
            wait_of(r, OUT), wait_of(r, ERR), {.fd = ended ? -1 : r->pidfd}, {.fd = r->signals}};
        TRY(sys_wait_any(w, ARRAY_SIZE(w), WATCH_MS, e));
        if (w[OUT].ready)
            TRY(pass_output(r, OUT, e));
        if (w[ERR].ready)
            TRY(pass_output(r, ERR, e));
        ended = ended || w[2].ready;
        if (w[3].ready)
            take_signal(r);
        if (!ended)
            watch(r);
    }
    return ERR_OK;
}

/* --- the result ------------------------------------------------------------------------------- */

static void take_cgroup(struct run *r)
{
    struct cgroup_told told;
    if (!r->cgroup.version)
        return;
    cgroup_ask(&r->cgroup, &told);
    r->result->peak_memory = told.peak_memory;
    r->result->denied |= (told.memory ? SANDBOX_DENIED_MEMORY : 0U) |
                         (told.processes ? SANDBOX_DENIED_PROCESSES : 0U);
}

/* bubblewrap tells an exit code only of a command that it could execute. */
static enum err take_end(struct run *r, struct error *e)
{
    struct sys_ended ended;
    TRY(sys_collect(r->pid, &ended, e));
    while (read_status(r))
        ;
    r->result->duration_ns = clock_mono_ns() - r->began_ns;
    r->result->exit_code = ended.exit_code;
    r->result->peak_memory = MAX(ended.peak_rss, r->peak);
    take_cgroup(r);
    if (ended.exit_code == 128 + SIGXFSZ)
        r->result->denied |= SANDBOX_DENIED_FILE_SIZE;
    if (told_number(r, "exit-code") >= 0 || r->killed)
        return ERR_OK;
    return FAIL(e, ERR_FAILED_PRECONDITION, "sandbox.setup",
                r->init ? "the command could not be started in the sandbox; what bubblewrap says "
                          "is above"
                        : "the sandbox could not be made; what bubblewrap says is above. It needs "
                          "user namespaces: see kernel.unprivileged_userns_clone and "
                          "user.max_user_namespaces in sysctl");
}

static enum err open_workspace(struct run *r, struct error *e)
{
    if (!r->s->workspace)
        return ERR_OK;
    enum err err =
        sys_openat(AT_FDCWD, r->s->workspace, O_RDONLY | O_DIRECTORY, 0, &r->workspace, e);
    if (err != ERR_OK)
        return err_wrap(e, "the workspace %s cannot be used", r->s->workspace);
    return sys_room(r->workspace, &r->room, e);
}

static enum err prepare(struct run *r, struct error *e)
{
    TRY(open_workspace(r, e));
    TRY(prepare_filter(r, e));
    TRY(etc_open(&r->etc, e));
    TRY(prepare_cgroup(r, e));
    return sys_signal_fd(&r->signals, e);
}

static enum err run(struct run *r, struct error *e)
{
    struct error first;
    TRY(prepare(r, e));
    r->began_ns = clock_mono_ns();
    TRY(start(r, e));
    enum err err = await_init(r, e);
    if (err == ERR_OK)
        err = release(r, e);
    if (err == ERR_OK)
        err = attend(r, e);
    if (err == ERR_OK)
        return take_end(r, e);
    first = *e;
    kill_all(r);
    (void)take_end(r, e);
    *e = first;
    return err;
}

enum err sandbox_run(const struct sandbox *s, struct sandbox_result *ret, struct error *e)
{
    struct run r = {
        .s = s,
        .result = ret,
        .filter = SANDBOX_FILTER_INIT,
        .etc = ETC_INIT,
        .cgroup = CGROUP_INIT,
        .streams = {-1, -1},
        .status = -1,
        .arguments = -1,
        .block = -1,
        .signals = -1,
        .pidfd = -1,
        .workspace = -1,
        .doors = {-1, -1},
    };
    *ret = (struct sandbox_result){.exit_code = 0};
    enum err err = run(&r, e);
    close_all(&r);
    return err;
}
