/* stigmer skill push [DIR] */
#include "cli/opt.h"
#include "cli/push.h"

static enum err run(struct cli *c, struct error *e)
{
    return push_run(c, NULL, e);
}

static const struct opt *const options[] = {opt_table_push,    opt_table_json,    opt_table_start,
                                            opt_table_connect, opt_table_timeout, NULL};

const struct command cmd_skill_push = {
    .name = "push",
    .args = "[DIR]",
    .summary = "pack a directory and push it as the newest version",
    .text = "Does what \"stigmer apply\" does: packs DIR (default: this directory) and pushes it.\n"
            "Starts the local server when none answers, unless --no-start.\n",
    .max_args = 1,
    .complete = COMPLETE_DIR,
    .options = options,
    .run = run,
};
