/* stigmer completion bash|zsh */
#include "cli/complete.h"

static enum err run(struct cli *c, struct error *e)
{
    str shell = str_c(c->args.positional[0]);
    if (str_eq(shell, STR("bash")))
        complete_print_bash(&c->out);
    else if (str_eq(shell, STR("zsh")))
        complete_print_zsh(&c->out);
    else
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE, "no completion for \"%s\": bash or zsh",
                    c->args.positional[0]);
    return ERR_OK;
}

const struct command cmd_completion = {
    .name = "completion",
    .args = "SHELL",
    .summary = "print a completion script for bash or zsh",
    .text = "Prints a script that completes commands, options and directories.\n\n"
            "  bash:  source <(stigmer completion bash)      in ~/.bashrc\n"
            "  zsh:   stigmer completion zsh > _stigmer      in a directory of $fpath\n",
    .min_args = 1,
    .max_args = 1,
    .complete = COMPLETE_SHELL,
    .run = run,
};
