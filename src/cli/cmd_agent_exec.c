/* stigmer agent exec REF -- CMD... */
#include "cli/isolated.h"

static enum err run(struct cli *c, struct error *e)
{
    if (c->args.dashes && c->args.n_before != 1)
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE,
                    "exec takes one REF before \"--\"; `stigmer agent run` takes several");
    return isolated_run(c, e);
}

static const struct opt *const options[] = {opt_table_isolated, opt_table_refs,    opt_table_json,
                                            opt_table_connect,  opt_table_timeout, NULL};

const struct command cmd_agent_exec = {
    .name = "exec",
    .args = "REF -- CMD [ARG...]",
    .summary = "run a command with a skill, isolated from the host",
    .text = isolated_text,
    .min_args = 1,
    .max_args = CLI_ANY_NUMBER,
    .exit_codes = isolated_exit_codes,
    .failure = ISOLATED_EXIT_FAILURE,
    .options = options,
    .run = run,
};
