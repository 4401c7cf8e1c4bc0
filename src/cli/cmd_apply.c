/* stigmer apply [DIR] */
#include "cli/opt.h"
#include "cli/push.h"

static enum err run(struct cli *c, struct error *e)
{
    return push_run(c, "Detected SKILL.md - entering Artifact Mode", e);
}

static const struct opt *const options[] = {opt_table_push,    opt_table_json,    opt_table_start,
                                            opt_table_connect, opt_table_timeout, NULL};

const struct command cmd_apply = {
    .name = "apply",
    .args = "[DIR]",
    .summary = "pack a directory with a SKILL.md and push it",
    .text =
        "Packs DIR (default: this directory) into a sealed archive and pushes it as the newest\n"
        "version of the skill. The same files give the same version hash on any machine.\n"
        "Secrets, caches and what .skillignore names are left out. Starts the local server\n"
        "when none answers, unless --no-start.\n",
    .max_args = 1,
    .complete = COMPLETE_DIR,
    .options = options,
    .run = run,
};
