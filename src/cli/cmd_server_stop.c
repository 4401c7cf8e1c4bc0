/* stigmer server stop */
#include "base/sys.h"
#include "cli/daemon.h"
#include "cli/opt.h"
#include "cli/pidfile.h"
#include "cli/remote.h"

enum { STOP_TIMEOUT_S = 40 };

static enum err not_running(struct cli *c, struct daemon *d, struct error *e)
{
    if (d->data_fd >= 0)
        TRY(pidfile_remove(d->data_fd, e)); /* a stale one */
    term_printf(&c->out, "stigmer-server is not running.\n");
    return ERR_OK;
}

static enum err stop(struct cli *c, struct daemon *d, struct error *e)
{
    pid_t pid = d->pid;
    enum err err = daemon_stop(d, remote_timeout_ms(c, STOP_TIMEOUT_S), c->args.force, e);
    if (err == ERR_DEADLINE_EXCEEDED && !c->args.force)
        buf_add_c(&c->hint, "It may still be finishing calls: wait, or end it now with:\n"
                            "  stigmer server stop --force\n");
    TRY(err);
    term_styled(&c->out, TERM_GREEN, "✓");
    term_printf(&c->out, " stigmer-server stopped (pid %d)\n", (int)pid);
    return ERR_OK;
}

static enum err run(struct cli *c, struct error *e)
{
    CLEANUP(daemon_close) struct daemon d = DAEMON_INIT;
    CLEANUP(sys_closep) int lock = -1;
    TRY(daemon_open(&d, false, e));
    if (d.data_fd >= 0)
        TRY(daemon_lock(&d, remote_timeout_ms(c, STOP_TIMEOUT_S), &lock, e));
    TRY(daemon_find(&d, e));
    return d.pidfd < 0 ? not_running(c, &d, e) : stop(c, &d, e);
}

static const struct opt table[] = {
    OPT_ROW_TIMEOUT("how long to wait for it (default: 40)"),
    OPT_ROW_FLAG('f', "force", force, "kill it when it is still running then"),
    OPT_ROW_END,
};
static const struct opt *const options[] = {table, NULL};

const struct command cmd_server_stop = {
    .name = "stop",
    .summary = "stop the local server and wait until it is gone",
    .text = "Asks the server in the background to finish its calls and waits until it is gone.\n"
            "That nothing runs is fine.\n",
    .options = options,
    .run = run,
};
