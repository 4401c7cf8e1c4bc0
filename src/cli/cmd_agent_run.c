/* stigmer agent run [REF...] -- CMD... */
#include "cli/isolated.h"

static const struct opt *const options[] = {opt_table_isolated, opt_table_refs,    opt_table_json,
                                            opt_table_connect,  opt_table_timeout, NULL};

const struct command cmd_agent_run = {
    .name = "run",
    .args = "[REF...] -- CMD [ARG...]",
    .summary = "run a command with several skills, isolated from the host",
    .text = isolated_text,
    .max_args = CLI_ANY_NUMBER,
    .exit_codes = isolated_exit_codes,
    .failure = ISOLATED_EXIT_FAILURE,
    .options = options,
    .run = isolated_run,
};
