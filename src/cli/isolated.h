/* What `stigmer agent exec` and `stigmer agent run` share: skills and a command into a sandbox. */
#ifndef STIGMER_CLI_ISOLATED_H
#define STIGMER_CLI_ISOLATED_H

#include "cli/agent.h"
#include "cli/opt.h"

/* Beside those of the command that ran, which are passed through. */
enum isolated_exit {
    ISOLATED_EXIT_TIME = 124,    /* its time was over */
    ISOLATED_EXIT_FAILURE = 125, /* it was not started */
};

extern const struct opt opt_table_isolated[];
extern const char isolated_text[], isolated_exit_codes[];

/* The references before "--" and the command behind it, to its end; c->exit_code is the command's.
 * CLI_USAGE: there is no command, or an option makes no sense. */
enum err isolated_run(struct cli *c, struct error *e);

#endif
