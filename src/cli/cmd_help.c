/* stigmer help [COMMAND...] */
#include "cli/cli.h"
#include "cli/help.h"

static enum err run(struct cli *c, struct error *e)
{
    char path[COMMAND_PATH_MAX];
    const struct command *cmd = &cmd_root;
    size_t n = c->args.n_positional;
    size_t used = command_walk(&cmd, c->args.positional, n, path);
    if (used < n)
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE, "unknown command \"%s\"",
                    c->args.positional[used]);
    help_print(&c->out, cmd, path);
    return ERR_OK;
}

const struct command cmd_help = {
    .name = "help",
    .args = "[COMMAND...]",
    .summary = "explain a command",
    .text = "Prints what \"stigmer COMMAND --help\" prints.\n",
    .max_args = 3,
    .complete = COMPLETE_COMMAND,
    .run = run,
};
