/* stigmer server start */
#include "cli/opt.h"
#include "cli/start.h"

static enum err run(struct cli *c, struct error *e)
{
    CLEANUP(daemon_close) struct daemon d = DAEMON_INIT;
    struct address a;
    bool started;
    TRY(address_choose(c->args.server, &a, e));
    if (!a.local)
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE,
                    "%s is not this machine: a server is started at localhost", a.text);
    TRY(daemon_open(&d, true, e));
    TRY(start_server(c, &a, false, &d, &started, e));
    if (d.pidfd < 0) {
        term_printf(&c->out, "A stigmer-server answers at %s already.\n", a.text);
        return ERR_OK;
    }
    term_styled(&c->out, TERM_GREEN, "✓");
    term_printf(&c->out, " stigmer-server %s at %s (pid %d)\n",
                started ? "started" : "is running already", a.text, (int)d.pid);
    term_printf(&c->out, "Log: ");
    term_foreign(&c->out, str_c(d.log_path));
    term_printf(&c->out, "\n");
    return ERR_OK;
}

static const struct opt table[] = {
    OPT_ROW_TIMEOUT("how long to wait for it (default: 15)"),
    OPT_ROW_END,
};
static const struct opt *const options[] = {opt_table_connect, table, NULL};

const struct command cmd_server_start = {
    .name = "start",
    .summary = "start the local server in the background",
    .text = "Starts stigmer-server, found beside this program or in PATH, as a daemon and waits\n"
            "until it answers. Its port is the one of the address (--server), its pid is in\n"
            "~/.stigmer/data/daemon.pid, its log is ~/.stigmer/logs/stigmer-server.log. A server\n"
            "that runs already is fine.\n",
    .options = options,
    .run = run,
};
