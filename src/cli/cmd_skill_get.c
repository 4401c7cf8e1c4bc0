/* stigmer skill get REF */
#include "cli/json.h"
#include "cli/opt.h"
#include "cli/remote.h"
#include "cli/skill.h"

static enum err run(struct cli *c, struct error *e)
{
    CLEANUP(grpc_client_closep) struct grpc_client *client = NULL;
    CLEANUP(skill_message_freep) PB_SKILL(Skill) *skill = NULL;
    struct ref ref;
    TRY(skill_open(c, &client, &ref, &skill, e));
    if (c->args.json)
        return json_print(&c->out, json_of_message(&skill->base), e);
    struct skill_view v = skill_view_of(skill);
    skill_print(&c->out, &v);
    return ERR_OK;
}

static const struct opt *const options[] = {opt_table_ref, opt_table_json, opt_table_connect,
                                            opt_table_timeout, NULL};

const struct command cmd_skill_get = {
    .name = "get",
    .args = "REF",
    .summary = "print the record of a version",
    .text = "Prints what the server knows of the version that REF names: [@ORG/]SLUG[:TAG|@HASH].\n"
            "With --json the whole record, SKILL.md included.\n",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .run = run,
};
