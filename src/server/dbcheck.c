#include "server/dbcheck.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/sys.h"
#include "base/sys_child.h"
#include "base/sys_proc.h"
#include "check/check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGES_MAX  MIB(64)
#define OUTPUT_MAX MIB(1)
#define LOOK_MS    200

/* --- at the start ----------------------------------------------------------------------------- */

static void keep_first(void *ctx, const struct check_finding *f)
{
    char *first = ctx;
    if (!first[0])
        (void)snprintf(first, ERR_MSG_MAX, "%s", f->text);
}

static bool is_small(const char *db_path)
{
    char path[SYS_PATH_MAX];
    struct stat st;
    struct error ignored;
    return snprintf(path, sizeof path, "%s/data.mdb", db_path) < (int)sizeof path &&
           sys_fstatat(AT_FDCWD, path, 0, &st, &ignored) == ERR_OK &&
           (uint64_t)st.st_size <= PAGES_MAX;
}

enum err dbcheck_pages(const char *db_path, struct error *e)
{
    char first[ERR_MSG_MAX] = "";
    struct check_report r;
    const struct check_options o = {.db_path = db_path, .found = keep_first, .ctx = first};
    if (!is_small(db_path))
        return ERR_OK;
    enum err err = check_pages(&o, &r, e);
    if (err == ERR_FAILED_PRECONDITION) /* LMDB says it, too, and knows more versions of itself */
        return ERR_OK;
    TRY(err);
    if (r.findings == 0)
        return ERR_OK;
    return FAIL(
        e, ERR_DATA_LOSS, "server.database_damaged",
        "DB_PATH=%s: %s. Nothing was changed. Look at it with \"stigmer-server check\", and "
        "restore it from a backup",
        db_path, first);
}

/* --- now and then ----------------------------------------------------------------------------- */

static enum err start_child(int out, pid_t *ret_pid, int *ret_pidfd, struct error *e)
{
    char exe[SYS_PATH_MAX];
    CLEANUP(sys_closep) int null = -1;
    TRY(sys_self_exe(exe, e));
    TRY(sys_openat(AT_FDCWD, "/dev/null", O_RDWR, 0, &null, e));
    char *const argv[] = {exe, (char[]){"check"}, (char[]){"--json"}, (char[]){"--no-archives"},
                          NULL};
    const int stdio[] = {null, out, null};
    const struct sys_child child = {.path = exe, .argv = argv, .envp = environ, .stdio = stdio};
    return sys_spawn(&child, ret_pid, ret_pidfd, e);
}

struct reader {
    int fd;
    bool (*stop)(void *ctx);
    void *ctx;
};

/* What it prints, up to a bound; the rest is read and dropped. */
static enum err read_all(const struct reader *r, struct buf *ret, struct error *e)
{
    char bytes[KIB(16)];
    struct sys_wait w = {.fd = r->fd};
    size_t n = 1;
    while (n) {
        if (r->stop(r->ctx))
            return FAIL(e, ERR_CANCELLED, "server.check", "the server stops");
        TRY(sys_wait_any(&w, 1, LOOK_MS, e));
        if (!w.ready)
            continue;
        TRY(sys_read(r->fd, bytes, sizeof bytes, &n, e));
        if (ret->len + n <= OUTPUT_MAX)
            buf_add(ret, str_of(bytes, n));
    }
    return buf_status(ret, e);
}

/* Every line but the last is a finding. */
static uint64_t log_findings(str output)
{
    str line, rest = output;
    uint64_t n = 0;
    while (str_cut(rest, '\n', &line, &rest) && rest.len) {
        log_error("damage found", LOG_STR("finding", line));
        n++;
    }
    return n;
}

enum err dbcheck_deep(bool (*stop)(void *ctx), void *ctx, uint64_t *ret_findings, struct error *e)
{
    int ends[2];
    pid_t pid;
    struct sys_ended ended;
    struct error ignored;
    CLEANUP(sys_closep) int pidfd = -1;
    CLEANUP(buf_deinit) struct buf output;
    buf_init(&output, OUTPUT_MAX);
    *ret_findings = 0;
    TRY(sys_pipe(ends, e));
    CLEANUP(sys_closep) int in = ends[0];
    CLEANUP(sys_closep) int out = ends[1];
    TRY(start_child(out, &pid, &pidfd, e));
    sys_closep(&out);
    const struct reader reader = {in, stop, ctx};
    enum err err = read_all(&reader, &output, e);
    if (err != ERR_OK)
        (void)sys_pidfd_signal(pidfd, SIGKILL, &ignored);
    TRY(sys_collect(pid, &ended, err == ERR_OK ? e : &ignored));
    TRY(err);
    *ret_findings = log_findings(buf_view(&output));
    if (ended.exit_code > 1)
        return FAIL(e, ERR_INTERNAL, "server.check", "the database could not be looked at");
    return ERR_OK;
}
