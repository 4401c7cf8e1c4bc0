/* stigmer agent unmount --root DIR [HASH...] */
#include "agent/mount.h"
#include "cli/cli.h"
#include "cli/opt.h"

static enum err check_hashes(const struct cli *c, struct error *e)
{
    struct digest hash;
    for (size_t i = 0; i < c->args.n_positional; i++)
        if (!digest_from_hex(str_c(c->args.positional[i]), &hash))
            return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE,
                        "\"%s\" is not a version hash: 64 digits of 0-9 a-f",
                        c->args.positional[i]);
    return ERR_OK;
}

static enum err unmount_one(void *ctx, const char *hex, struct error *e)
{
    return agent_unmount(ctx, hex, e);
}

static enum err unmount_given(const struct cli *c, const struct agent_mount_place *p,
                              struct error *e)
{
    for (size_t i = 0; i < c->args.n_positional; i++) {
        const char *hex = c->args.positional[i];
        enum err err = agent_unmount(p, hex, e);
        if (err == ERR_NOT_FOUND)
            return FAIL(e, ERR_NOT_FOUND, "unmount.absent", "%s is not below %s", hex,
                        c->args.root);
        TRY(err);
    }
    return ERR_OK;
}

static enum err run(struct cli *c, struct error *e)
{
    CLEANUP(agent_mount_close) struct agent_mount_place p = AGENT_MOUNT_PLACE_INIT;
    if (!c->args.root)
        return FAIL(e, ERR_INVALID_ARGUMENT, CLI_USAGE, "--root DIR is needed");
    TRY(check_hashes(c, e));
    TRY(agent_mount_open(c->args.root, &p, e));
    if (c->args.n_positional)
        return unmount_given(c, &p, e);
    return agent_mount_each(&p, unmount_one, &p, e);
}

static const struct opt table[] = {
    OPT_ROW_STRING('r', "root", root, "DIR", "the agent's root directory; needed"),
    OPT_ROW_END,
};
static const struct opt *const options[] = {table, NULL};

const struct command cmd_agent_unmount = {
    .name = "unmount",
    .args = "[HASH...]",
    .summary = "take mounted skills away again",
    .text = "Detaches or removes DIR/bin/skills/HASH, or all skills that are there.\n",
    .max_args = CLI_ANY_NUMBER,
    .options = options,
    .run = run,
};
