#include "cli/start.h"

#include "base/clock.h"
#include "base/sys.h"
#include "cli/pidfile.h"
#include "cli/remote.h"

enum { FIRST_WAIT_MS = 2, LONGEST_WAIT_MS = 50, PROBE_MS = 2000, GIVE_UP_WAIT_MS = 3000 };

/* Until the server answers, the process is gone (*ret_ended) or the time is over. */
static enum err wait_healthy(struct cli *c, const struct address *a, const struct daemon *d,
                             int64_t timeout_ms, bool *ret_ended, struct error *e)
{
    int64_t end = clock_mono_ns() + timeout_ms * NS_PER_MS;
    int64_t wait_ms = FIRST_WAIT_MS;
    enum err err = ERR_OK;
    *ret_ended = d->pidfd < 0;
    while (!*ret_ended) {
        err = remote_health(c, a, PROBE_MS, e);
        if (err == ERR_OK || clock_mono_ns() >= end)
            return err;
        struct error wait_error;
        if (sys_pidfd_wait(d->pidfd, wait_ms, ret_ended, &wait_error) != ERR_OK) {
            *e = wait_error;
            return e->code;
        }
        wait_ms = MIN(wait_ms * 2, LONGEST_WAIT_MS);
    }
    return FAIL(e, ERR_UNAVAILABLE, "start.ended", "stigmer-server ended while it started");
}

static void hint_log(struct cli *c, const struct daemon *d, uint64_t offset)
{
    buf_add_c(&c->hint, "\nThe end of its log, ");
    text_add_safe(&c->hint, str_c(d->log_path), "\\");
    buf_add_c(&c->hint, ":\n");
    daemon_log_tail(d, offset, &c->hint);
}

/* A failed start leaves nothing behind. */
static void give_up(struct daemon *d)
{
    struct error ignored;
    if (d->pidfd >= 0)
        (void)daemon_stop(d, GIVE_UP_WAIT_MS, true, &ignored);
    (void)pidfile_remove(d->data_fd, &ignored);
}

static enum err spawn(struct cli *c, const struct address *a, struct daemon *d, int64_t timeout_ms,
                      struct error *e)
{
    uint64_t log_offset;
    bool ended;
    TRY(daemon_spawn(d, a->port, &log_offset, e));
    enum err err = wait_healthy(c, a, d, timeout_ms, &ended, e);
    if (err == ERR_OK)
        return ERR_OK;
    give_up(d);
    hint_log(c, d, log_offset);
    if (ended)
        return err;
    return FAIL(e, ERR_DEADLINE_EXCEEDED, "start.no_answer",
                "stigmer-server did not answer at %s within %lld s", a->text,
                (long long)(timeout_ms / 1000));
}

/* Ours, but silent: it is starting for somebody else, or listens elsewhere. */
static enum err wait_for_running(struct cli *c, const struct address *a, const struct daemon *d,
                                 int64_t timeout_ms, struct error *e)
{
    bool ended;
    if (wait_healthy(c, a, d, timeout_ms, &ended, e) == ERR_OK)
        return ERR_OK;
    return FAIL(e, ERR_UNAVAILABLE, "start.silent",
                "a stigmer-server of yours runs (pid %d) but does not answer at %s: give its "
                "address with --server, or stop it with: stigmer server stop",
                (int)d->pid, a->text);
}

enum err start_server(struct cli *c, const struct address *a, bool announce, struct daemon *d,
                      bool *ret_started, struct error *e)
{
    CLEANUP(sys_closep) int lock = -1;
    int64_t timeout_ms = remote_timeout_ms(c, START_TIMEOUT_S);
    *ret_started = false;
    TRY(daemon_lock(d, timeout_ms, &lock, e));
    TRY(daemon_find(d, e));
    if (d->pidfd >= 0)
        return wait_for_running(c, a, d, timeout_ms, e);
    if (remote_health(c, a, PROBE_MS, e) == ERR_OK)
        return ERR_OK;
    if (announce)
        term_printf(&c->err, "Starting local stigmer-server at %s …\n", a->text);
    TRY(spawn(c, a, d, timeout_ms, e));
    *ret_started = true;
    return ERR_OK;
}

enum err start_for_command(struct cli *c, const struct address *a, struct error *e)
{
    CLEANUP(daemon_close) struct daemon d = DAEMON_INIT;
    bool started;
    TRY(daemon_open(&d, true, e));
    return start_server(c, a, true, &d, &started, e);
}
