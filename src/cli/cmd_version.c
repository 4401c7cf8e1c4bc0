/* stigmer version */
#include "cli/opt.h"

static enum err run(struct cli *c, struct error *e)
{
    (void)e;
    if (c->args.json)
        term_printf(&c->out, "{\"version\": \"%s\"}\n", STIGMER_VERSION);
    else
        term_printf(&c->out, "stigmer %s\n", STIGMER_VERSION);
    return ERR_OK;
}

static const struct opt *const options[] = {opt_table_json, NULL};

const struct command cmd_version = {
    .name = "version",
    .summary = "print the version",
    .text = "Prints the version of this program.\n",
    .options = options,
    .run = run,
};
