/* stigmer server run */
#include "cli/address.h"
#include "cli/daemon.h"
#include "cli/opt.h"

static enum err run(struct cli *c, struct error *e)
{
    char path[SYS_PATH_MAX];
    char name[] = "stigmer-server";
    char *argv[] = {name, NULL};
    struct address a;
    TRY(address_choose(c->args.server, &a, e));
    if (!a.local)
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE,
                    "%s is not this machine: a server is run at localhost", a.text);
    TRY(daemon_executable(path, e));
    TRY(daemon_set_port(a.port, e));
    return sys_exec(path, argv, e);
}

static const struct opt table[] = {
    OPT_ROW_STRING('s', "server", server, "ADDR",
                   "local HOST:PORT whose port to use (default: $STIGMER_SERVER_ADDR, else "
                   "localhost:7234)"),
    OPT_ROW_END,
};
static const struct opt *const options[] = {table, NULL};

const struct command cmd_server_run = {
    .name = "run",
    .summary = "run the local server in the foreground",
    .text = "Becomes stigmer-server: its log is on stderr, Ctrl-C ends it. There is no pid file.\n",
    .options = options,
    .run = run,
};
